/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-runtime.h"
#include "malt-service.h"
#include "wire/malt-frame.h"
#include "wire/malt-frame-reader.h"
#include "wire/malt-id-table.h"
#include "wire/malt-transport.h"

G_BEGIN_DECLS

/* The service is in six files: its life in malt-service.c; the data road in
 * malt-service-read.c and -write.c; the control road in malt-service-control.c; in
 * malt-service-wait.c how code of a worker waits for what comes on the data road; and in
 * malt-service-host.c what it asks of the manager; its channels are in
 * malt-service-channels.c. */

typedef struct _MaltService MaltService;

struct _MaltService
{
  /* Immutable once both threads run. */
  MaltRuntime     *runtime;
  MaltTransport   *data;
  MaltTransport   *control;
  gsize            max_body;
  gsize            max_value;      /* in the arena */
  gboolean         may_speak;      /* the manager hears what is no answer */
  gboolean         may_cancel;     /* and that nobody waits for what was called there */
  guint            streams;        /* of which it wants the output as frames: bits 1 << descriptor */
  GThread         *serving_thread;
  int              turn_fd;        /* ends what the serving thread has the runtime wait for */
  int              idle_fd;        /* readable if `turn_fd` or that of the data is */
  int              wake_fd;        /* makes a waiter that has the reader's role look again */

  /* Owned by whoever has the reader's role. */
  MaltFrameReader *reader;
  guint64          last_id;        /* of the last request that came */

  /* Owned by the serving thread. */
  gboolean         is_idle;        /* it has the role, and the runtime waits for `idle_fd` */
  gboolean         is_in_wait;     /* the runtime waits for it, for either descriptor */

  gint             reading;        /* atomic: somebody has the reader's role */
  gint             n_waiters;      /* atomic: `waiters`, and the serving thread if it waits for
                                      its turn; changed under the lock */
  gint             n_queued;       /* atomic: `queued`; changed under the lock */
  gint             turn_set;       /* atomic: `turn_fd` is readable; set under the lock */
  gint             ended;          /* atomic: nothing more comes on the data road */

  GMutex           write_lock;     /* held while a frame is written to the data road */

  GMutex           lock;
  /* Guarded by lock. */
  guint64          started_id;     /* the last request that was handed to the runtime */
  MaltIdTable      unfinished;     /* of MaltRequest, not owned */
  GHashTable      *withdrawn;      /* ids that must not be started */
  guint64          interrupted_id; /* one that was interrupted before it came */
  gboolean         holds_back;     /* the control thread interrupts what belongs to no request:
                                      none begins meanwhile */
  GCond            may_begin;      /* that is over */
  gboolean         is_stopping;    /* the manager has asked for that */
  GQueue           queued;         /* of MaltRequest, that came while others ran */
  GQueue           waiters;        /* of MaltServiceWaiter */
  gboolean         awaits_turn;    /* the serving thread waits for `turn_fd` */
  guint64          last_host_id;   /* of a call of the manager's functions; also the write lock's */
  GHashTable      *host_calls;     /* id → MaltRequest: those that have no answer yet */
  gsize            host_size;      /* bytes of the arguments of large ones */
  GQueue           waiting_calls;  /* of WaitingCall, that may not be sent yet */
};

/* A thread in malt_service_wait(), on its stack. */
typedef struct
{
  const gint *done;
  gint        cancelled;           /* atomic */

  /* Guarded by the service's lock. */
  GCond       cond;
  gboolean    is_asleep;           /* it has the role and polls, or will soon */
} MaltServiceWaiter;

/* Life. */
void         malt_service_fail            (const char         *format,
                                           ...) G_GNUC_PRINTF (1, 2) G_GNUC_NORETURN;
void         malt_service_end_everything  (void) G_GNUC_NORETURN;
gboolean     malt_service_is_copy         (void);
void         malt_service_check_copy      (void);

/* Reading. */
gboolean     malt_service_take_role       (MaltService        *self);
void         malt_service_give_role       (MaltService        *self);
void         malt_service_offer_role_locked (MaltService      *self);
MaltIo       malt_service_read_frame      (MaltService        *self,
                                           MaltFrame          *frame,
                                           gconstpointer      *data,
                                           GBytes            **body);
MaltRequest *malt_service_take_frame      (MaltService        *self,
                                           const MaltFrame    *frame,
                                           gconstpointer       data,
                                           GBytes             *body);
MaltRequest *malt_service_next_request    (MaltService        *self);
void         malt_service_start_request   (MaltService        *self,
                                           MaltRequest        *request);
void         malt_service_queue_request   (MaltService        *self,
                                           MaltRequest        *request);
void         malt_service_set_turn        (MaltService        *self);

/* Writing. */
void         malt_service_send_frame      (MaltService        *self,
                                           MaltFrameType       type,
                                           guint16             flags,
                                           guint64             id,
                                           gconstpointer       body,
                                           gsize               size);
void         malt_service_write_frame_locked (MaltService     *self,
                                           MaltFrameType       type,
                                           guint16             flags,
                                           guint64             id,
                                           gconstpointer       body,
                                           gsize               size);
void         malt_service_send_bytes      (MaltService        *self,
                                           MaltFrameType       type,
                                           guint16             flags,
                                           guint64             id,
                                           GBytes             *body);
gboolean     malt_service_send_value      (MaltService        *self,
                                           MaltFrameType       type,
                                           guint64             id,
                                           GVariant           *value,
                                           gsize              *size,
                                           GError            **error);
void         malt_service_adopt_request   (MaltService        *self,
                                           MaltRequest        *request);

/* Control. */
void         malt_service_run_control     (MaltService        *self);
void         malt_service_send_control    (MaltService        *self,
                                           MaltFrameType       type,
                                           guint64             id);

/* What code asks of the manager. */
void         malt_service_be_host         (MaltService        *self);
void         malt_service_take_answer     (MaltService        *self,
                                           const MaltFrame    *frame,
                                           gconstpointer       data,
                                           GBytes             *body);
void         malt_service_drop_calls      (MaltService        *self);

/* Waiting: also for what is no part of the service, see malt-service-wait.c. */
MaltService *malt_service_get             (void);
void         malt_service_set             (MaltService        *self);
gboolean     malt_service_wait            (MaltService        *self,
                                           const gint         *done,
                                           gint64              deadline,
                                           GCancellable       *cancellable,
                                           GError            **error);
void         malt_service_wake            (MaltService        *self,
                                           const gint         *done);
void         malt_service_end_waits       (MaltService        *self);

G_END_DECLS
