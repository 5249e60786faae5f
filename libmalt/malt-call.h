/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-channel.h"
#include "malt-delivery.h"
#include "malt-request.h"

G_BEGIN_DECLS

typedef struct _MaltCall MaltCall;

/* What made a call climb the ladder. */
typedef enum
{
  MALT_CALL_GOES_ON,
  MALT_CALL_CANCELLED,
  MALT_CALL_TIMED_OUT,
} MaltCallFate;

/* The manager's half of a request: who waits for it, until when, and how it ended.
 *
 * The request itself belongs to the backend; the call only looks at it, until the
 * request is done and tells so (see malt-request.c on why that is safe).
 *
 * Of the many that can be under way each is read again when its end comes, long after it was
 * written: what only few calls have need of lies behind all else. */
struct _MaltCall
{
  gint             ref_count;      /* atomic */
  gint             done;           /* atomic; set under calls_lock, and the last thing that
                                      is done to the call of a thread that waits */

  gpointer         finisher;       /* which thread has done that: the address of something that
                                      each has of its own */

  /* Immutable once the request is submitted. */
  MaltWorker      *worker;         /* owned */
  GMainContext    *context;        /* owned, in which it is delivered; NULL if a thread or nobody
                                      waits */
  gpointer         tag;            /* of an asynchronous call, for its result, which is made when */
  GAsyncReadyCallback callback;    /* the callback is called: the many calls that can be under */
  gpointer         user_data;      /* way have none */
  gboolean         owns_itself;    /* has a reference until it is done: nobody waits */
  gboolean         keeps_request;  /* once it is done, to use it again */
  MaltRequestKind  kind;
  int              timeout_msec;   /* MALT_TIMEOUT_NONE for none */
  guint64          request_id;     /* that it had on its way; the same, when it is done */
  gboolean         is_withdrawn;   /* it had not begun; the same */

  /* Guarded by the worker's calls_lock. */
  gboolean         is_awaited;
  gboolean         is_free;        /* its thread blocks, and runs errands meanwhile */
  gboolean         is_joined;      /* a thread has come to wait for it, and delivers it */
  GList            link;           /* in the worker's calls */
  MaltRequest     *request;        /* not owned; NULL once it is done */
  MaltRequest     *spent;          /* owned, to be used again; until it is done, and then the caller's */
  GVariant        *value;          /* the same */
  GError          *error;          /* the same */
  MaltChannel     *channel;        /* owned; the same */

  MaltDelivery     delivery;

  /* Guarded by the worker's calls_lock; moved on by the library context. */
  MaltCallFate     fate;
  MaltRung         rung;           /* the last that was tried */
  GSource         *rung_source;    /* tries the next one */

  /* Immutable once the request is submitted. */
  GCancellable    *cancellable;
  GMainContext    *blocked;        /* that a blocking call runs, if it has to; see
                                      malt_worker_begin_blocking() */

  /* From here on what most calls have no use for. */

  /* Immutable once the request is submitted. */
  gpointer         owner;          /* of one that a pool or a binding has begun, and then: */
  void          (* owner_func) (MaltCall *self); /* takes it when it is done */
  gboolean         may_be_taken_back; /* the pool begins it again */
  int              waited_msec;    /* of timeout_msec, before it came to this worker */
  gpointer         thread;         /* of a blocking call; see malt_errands_here() */

  /* Guarded by the worker's calls_lock. */
  GCond            done_cond;
  gulong           cancelled_id;   /* of a handler, while the call is under way */

  /* Guarded by the ladder's lock. */
  GList            deadline_link;
  gint64           deadline;       /* monotonic; 0 if it is not in the list */
};

MaltCall  *malt_call_new              (MaltWorker    *worker,
                                       MaltRequest   *request,
                                       int            timeout_msec,
                                       GCancellable  *cancellable,
                                       GMainContext  *context);
gboolean   malt_call_begin            (MaltCall      *self,
                                       MaltRequest   *request,
                                       GError       **error);
void       malt_call_wait             (MaltCall      *self);
gboolean   malt_call_join             (MaltCall      *self,
                                       gint64         deadline,
                                       const gint    *is_wanted);
void       malt_call_wake             (MaltCall      *self);
MaltCall  *malt_call_ref              (MaltCall      *self);
void       malt_call_unref            (MaltCall      *self);
void       malt_call_abandon          (MaltCall      *self,
                                       GError        *error);
GVariant  *malt_call_propagate        (MaltCall      *self,
                                       GError       **error);
guint64    malt_call_get_last_id      (MaltWorker    *worker);

/* The last request of a thread, while its backends have requests of their own. */
typedef struct
{
  MaltWorker *worker; /* not owned, and only compared */
  guint64     id;
} MaltCallLast;

MaltCallLast malt_call_save_last       (void);
void         malt_call_restore_last    (MaltCallLast   last);
GError    *malt_call_explain          (MaltWorker    *worker,
                                       GError        *error,
                                       gboolean       stopping);

/* The ladder. */
void       malt_ladder_enter          (MaltCall      *call);
void       malt_ladder_cancel         (MaltCall      *call);
void       malt_ladder_leave          (MaltCall      *call);
void       malt_ladder_leave_deadline (MaltCall      *call);
void       malt_ladder_forget         (MaltCall      *call);
GError    *malt_ladder_explain        (MaltCall      *call,
                                       GError        *error,
                                       gboolean       withdrawn);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (MaltCall, malt_call_unref)

G_END_DECLS
