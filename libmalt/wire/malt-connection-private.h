/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-connection.h"

#include "malt-frame.h"
#include "malt-id-table.h"
#include "malt-large-value.h"
#include "malt-listener.h"
#include "malt-message.h"

G_BEGIN_DECLS

/* A connection is in seven files: its life in malt-connection.c, the data road in
 * malt-connection-read.c, -listen.c and -write.c, what a worker says of its own accord in
 * malt-connection-host.c, channels in malt-connection-channels.c, the control road in
 * malt-connection-control.c.  See the first of them on how it works. */

struct _MaltConnection
{
  gatomicrefcount     ref_count;

  /* Immutable. */
  MaltTransport      *transport;
  MaltTransport      *control;
  gsize               max_body;
  gsize               max_value;      /* in an arena */
  guint               n_cpus;         /* that the manager may use */
  guint               generation;     /* of the process that reads; see malt-fork.c */
  MaltWeakWorker     *worker;         /* who is told what is no reply */
  gboolean            may_take_back;  /* whether the worker knows of the flag *unbegun* */
  gboolean            may_speak;      /* whether the worker may say such things */
  guint               streams;        /* whose output it may send: bits 1 << descriptor */
  gboolean            has_channels;   /* set before the first request */
  MaltConnectionLost  lost_func;
  GDestroyNotify      lost_destroy;

  /* Owned by whoever has the reader's role. */
  MaltFrameReader    *reader;

  gint                has_more;       /* atomic: there may be whole frames that the descriptor
                                         does not tell of */

  gint                n_waiters;      /* atomic, changed under the lock: in `waiters` */
  const gint         *sleeper;        /* atomic, changed under the lock: what the thread waits for
                                         that has the role and polls, if it is no request */

  GMutex              lock;

  /* Guarded by lock. */
  gboolean            reading;        /* somebody has the reader's role */
  gboolean            read_due;       /* after him, the library context reads */
  gboolean            lost;           /* nothing more is read */
  gpointer            lost_data;      /* until somebody was told so */
  char               *breach;         /* how the worker has broken the protocol; set once */
  gboolean            closing;        /* somebody waits for role_free */
  gboolean            closed;         /* and nothing written */
  int                 wake_fd;        /* makes the thread look again that has the role; -1 once
                                         nobody can have it */
  GCond               role_free;      /* for malt_connection_close() */
  GQueue              waiters;        /* of Waiter */
  MaltIdTable         unfinished;     /* of MaltRequest (owned), sent and not answered, also
                                         those that nobody waits for any more */
  gboolean            is_busy;        /* there are such, and it is counted as that */
  gboolean            is_crowded;     /* what the transport was told last */
  gsize               last_id;
  GQueue              unsent;         /* of MaltOutgoing, by its link, not yet numbered */
  GHashTable         *unwanted;       /* MaltRequest, cancelled before it was submitted */
  GHashTable         *cancelled;      /* ids of unfinished ones that the worker may withdraw */
  guint64             last_host_id;   /* of a call of the program's functions */
  GHashTable         *host_calls;     /* id → HostCall, owned: those that are not answered */
  gsize               host_size;      /* bytes of the arguments of large ones */
  guint               n_answers;      /* to such, in `output` */
  MaltListener       *constant;       /* the one that listens at all times, not owned */
  GQueue              output;         /* the same, to be written */
  gsize               output_size;    /* bytes in it */
  GPtrArray          *listeners;      /* of MaltListener: the contexts that await something */
  MaltListener       *poller;         /* the one of them that polls, not owned; none once the
                                         connection is lost and closed */
  guint               n_awaited;      /* in all of them together */
  GHashTable         *channels;       /* id → the link of a channel, owned; NULL before there is one */
  guint32             last_channel;   /* the greatest id of one so far */
  guint               n_opening;      /* requests for channels that were sent and not answered */
  GSource            *flush_source;   /* on the library context while there is output, or, for
                                         a transport that tells its end there, until then */
  GSource            *control_source; /* on the library context */
  GSource            *stopping_source; /* on the library context once it is asked to stop */
  GByteArray         *control_output; /* whole frames, to be written to the control road */
  GSource            *control_flush;  /* on the library context while there are any */
};

/* A frame on its way out.  One that has to wait is kept in memory of its own, with its body
 * behind it where that is small. */
typedef struct
{
  GList        link;                  /* in the queue in which it waits */
  MaltRequest *request;               /* until it is numbered, if somebody is to hear of it */
  MaltFrame    frame;                 /* with an id if it is about a channel */
  guint8       header[MALT_FRAME_HEADER_SIZE];
  GBytes      *body;                  /* or none, and then */
  gconstpointer data;                 /* the bytes of the body, when it waits */
  MaltLargeValue value;               /* that it says where to find, until it is numbered */
  gsize        sent;                  /* bytes of header and body that are gone */
  gboolean     is_answer;             /* to a call of the program's functions */
} MaltOutgoing;

void      malt_outgoing_free_all                (GQueue           *queue);

/* Reading. */
gboolean  malt_connection_take_reply            (MaltConnection   *self,
                                                 const MaltFrame  *frame,
                                                 gconstpointer     data,
                                                 GBytes           *body,
                                                 GError          **error);
gboolean  malt_connection_take_role_locked      (MaltConnection   *self,
                                                 gboolean          is_readable);
void      malt_connection_read_in_role          (MaltConnection   *self);
gboolean  malt_connection_spin_in_role          (MaltConnection   *self);
gboolean  malt_connection_wait_for              (MaltConnection   *self,
                                                 const gint       *done,
                                                 gint64            deadline,
                                                 GCancellable     *cancellable,
                                                 GError          **error);
void      malt_connection_wake_waiter_for       (MaltConnection   *self,
                                                 const gint       *done);
gboolean  malt_connection_read_for_others       (MaltConnection   *self);
void      malt_connection_read_soon             (MaltConnection   *self);
void      malt_connection_drain                 (MaltConnection   *self);
void      malt_connection_wake_waiter_of        (MaltConnection   *self,
                                                 MaltRequest      *request);
void      malt_connection_wake_reader           (MaltConnection   *self);

MaltRequest *malt_connection_ref_unfinished     (MaltConnection   *self,
                                                 guint64           id);

/* Listening, in main contexts. */
void      malt_connection_await_reply_locked    (MaltConnection   *self,
                                                 MaltRequest      *request);
void      malt_connection_await_locked          (MaltConnection   *self,
                                                 GMainContext     *context,
                                                 gboolean          is_attended);
void      malt_connection_forget_locked         (MaltConnection   *self,
                                                 GMainContext     *context);
void      malt_connection_listen_locked         (MaltConnection   *self);
void      malt_connection_wake_sleeper_locked   (MaltConnection   *self);
void      malt_connection_wake_listeners        (MaltConnection   *self);

/* What a listener calls when its context turns. */
gboolean  malt_connection_prepare               (MaltConnection   *self,
                                                 MaltListener     *listener);
void      malt_connection_check                 (MaltConnection   *self,
                                                 MaltListener     *listener,
                                                 gboolean          is_readable);
void      malt_connection_stop_polling          (MaltConnection   *self,
                                                 MaltListener     *listener);
void      malt_connection_forget_idle           (MaltConnection   *self,
                                                 MaltListener     *listener);

/* What the worker says of its own accord. */
gboolean  malt_connection_take_said             (MaltConnection   *self,
                                                 const MaltFrame  *frame,
                                                 gconstpointer     data,
                                                 GBytes           *body,
                                                 GError          **error);
void      malt_connection_drop_host_calls       (MaltConnection   *self);

/* Writing. */
void      malt_connection_answer_locked         (MaltConnection   *self,
                                                 MaltOutgoing     *outgoing,
                                                 MaltMessage      *message);
void      malt_connection_write_unsent_locked   (MaltConnection   *self);
gboolean  malt_connection_withdraw_locked       (MaltConnection   *self,
                                                 MaltRequest      *request);
void      malt_connection_watch_room            (MaltConnection   *self);
void      malt_connection_answered_locked       (MaltConnection   *self);

gboolean  malt_connection_send_value            (MaltConnection   *self,
                                                 MaltFrameType     type,
                                                 guint64           id,
                                                 GVariant         *value,
                                                 gsize            *size,
                                                 GError          **error);
void      malt_connection_send_empty_locked     (MaltConnection   *self,
                                                 MaltFrameType     type,
                                                 guint64           id);

/* Control. */
void      malt_connection_watch_control         (MaltConnection   *self);
void      malt_connection_send_control          (MaltConnection   *self,
                                                 MaltFrameType     type,
                                                 guint16           flags,
                                                 guint64           id);

/* Channels. */
gboolean  malt_connection_take_channel          (MaltConnection   *self,
                                                 const MaltFrame  *frame,
                                                 gconstpointer     data,
                                                 MaltChannel     **channel,
                                                 GError          **error);
gboolean  malt_connection_take_channel_frame    (MaltConnection   *self,
                                                 const MaltFrame  *frame,
                                                 gconstpointer     data,
                                                 GBytes           *body,
                                                 GError          **error);
void      malt_connection_opened                (MaltConnection   *self);
void      malt_connection_end_channels          (MaltConnection   *self);

/* The end. */
void      malt_connection_lose                  (MaltConnection   *self,
                                                 const char       *reason);

G_END_DECLS
