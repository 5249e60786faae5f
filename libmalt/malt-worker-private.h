/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-backend-context.h"
#include "malt-call.h"
#include "malt-errands.h"
#include "malt-host-calls.h"
#include "malt-weak-worker-private.h"
#include "malt-worker.h"

G_BEGIN_DECLS

/* See malt-worker.c. */
typedef enum
{
  MALT_WORKER_STARTING,
  MALT_WORKER_RUNNING,
  MALT_WORKER_STOPPING,
  MALT_WORKER_STOPPED,
} MaltWorkerState;

/* Told once that the worker has ended, on any thread. */
typedef void (* MaltWorkerEndFunc) (MaltWorker *self,
                                    gpointer    user_data);

typedef struct
{
  /* Immutable after construction. */
  MaltLauncher    *launcher;
  GMainContext    *context;       /* in which the worker was made */
  GThread         *thread;        /* on which it was made */
  guint            generation;    /* of the process in which it was made; see malt-fork.c */
  gpointer         home;          /* the same; see malt_errands_here() */
  MaltBackendContext *backend_context; /* in which the backend is called; NULL if that is any */
  MaltWeakWorker  *weak;
  MaltHostCalls   *host_calls;    /* those that are not answered; has a lock of its own */

  GMutex           calls_lock;

  gint             state;         /* MaltWorkerState; atomic, and changed under calls_lock */

  /* Guarded by calls_lock. */
  GQueue           calls;         /* of MaltCall, not owned, in order of submission */
  GQueue           stops;         /* of MaltStop, not owned */
  guint64          last_id;       /* of a request */
  MaltErrands      errands;
  GHashTable      *exports;       /* name → MaltExport, both owned; NULL before the first */
  gboolean         listens;       /* the backend was told to */
  GHashTable      *progress;      /* what nobody has heard of yet: see malt-worker-events.c */
  gsize            progress_size;
  gsize            output_size;
  gpointer         output_lost[2];
  GPtrArray       *channels;      /* of MaltChannelCore, that are told when the worker ends;
                                     NULL if there were none */
  guint            n_channels;    /* how many there may be before those are dropped that need
                                     not be told */
  MaltExitInfo    *exit_info;
  gboolean         was_killed;    /* by the ladder of a call */
  int              pid;
  GInputStream    *stdout_pipe;
  GInputStream    *stderr_pipe;
  MaltWorkerEndFunc end_func;     /* of the pool that has it, until it has ended */
  gpointer          end_data;
  GDestroyNotify    end_destroy;
} MaltWorkerPrivate;

/* One attempt of a pool to have something done by a worker. */
typedef struct
{
  int       waited_msec; /* of the deadline, before the attempt */
  gboolean  is_withdrawn; /* the pool has taken it back before it began */
  gboolean  is_refused;  /* the worker had ended or was stopping; nothing was sent */
  MaltRung  rung;        /* how far the call has climbed */
} MaltAttempt;

MaltWorkerPrivate *malt_worker_get_private         (MaltWorker   *self);
gboolean           malt_worker_check_process       (MaltWorker   *self,
                                                    GError      **error);
gboolean           malt_worker_takes_calls         (MaltWorker   *self);
void               malt_worker_emit_in             (MaltWorker   *self,
                                                    GMainContext *context);

/* See malt-exports.c. */
gboolean           malt_exports_may_block          (MaltWorker   *worker,
                                                    GError      **error);

/* See malt-worker-events.c. */
void               malt_worker_add_events          (MaltWorkerClass
                                                                 *klass);
void               malt_worker_begin_listening     (MaltWorker   *self);

/* See malt-worker-home.c. */
void               malt_worker_invoke_request      (MaltWorker   *self,
                                                    MaltRequest  *request);
void               malt_worker_invoke_cancel       (MaltWorker   *self,
                                                    MaltRequest  *request);
void               malt_worker_invoke_interrupt    (MaltWorker   *self,
                                                    MaltRequest  *request);
void               malt_worker_invoke_stop         (MaltWorker   *self);
void               malt_worker_invoke_kill         (MaltWorker   *self,
                                                    int           signum);
void               malt_worker_wake                (MaltWorker   *self,
                                                    MaltRequest  *request);
void               malt_worker_await_in            (MaltWorker   *self,
                                                    GMainContext *context);
GMainContext      *malt_worker_begin_blocking      (MaltWorker   *self);
void               malt_worker_class_run_blocked   (MaltWorkerClass *klass,
                                                    GMainContext    *blocked);
void               malt_worker_end_blocking        (MaltWorker   *self,
                                                    GMainContext *blocked);

/* See malt-worker-end.c. */
gboolean           malt_worker_was_killed          (MaltWorker           *self);
gboolean           malt_worker_watch_end           (MaltWorker           *self,
                                                    MaltWorkerEndFunc     func,
                                                    gpointer              user_data,
                                                    GDestroyNotify        destroy);

/* See malt-worker-channels.c. */
void               malt_worker_add_channel         (MaltWorker   *self,
                                                    MaltChannel  *channel);
void               malt_worker_end_channels        (MaltWorker   *self,
                                                    const GError *error);
void               malt_worker_drop_channels       (MaltWorker   *self);

/* See malt-worker-calls.c. */
MaltRequest       *malt_worker_new_call            (const char           *function,
                                                    GVariant             *arguments,
                                                    GVariant             *keywords,
                                                    MaltRequestFlags      flags,
                                                    GError              **error);
MaltRequest       *malt_worker_new_eval            (const char           *module,
                                                    const char           *source,
                                                    MaltRequestFlags      flags,
                                                    GError              **error);

GVariant          *malt_worker_attempt             (MaltWorker           *self,
                                                    MaltRequest          *request,
                                                    int                   timeout_msec,
                                                    GCancellable         *cancellable,
                                                    MaltAttempt          *attempt,
                                                    GError              **error);
gboolean           malt_worker_can_take_back       (MaltWorker           *self);
void               malt_worker_take_back           (MaltWorker           *self);
MaltCall          *malt_worker_new_owned_call      (MaltWorker           *self,
                                                    MaltRequest          *request,
                                                    int                   timeout_msec,
                                                    GCancellable         *cancellable,
                                                    GMainContext         *context,
                                                    void               (* func) (MaltCall *call),
                                                    gpointer              owner);
gboolean           malt_worker_begin_owned_call    (MaltCall             *call,
                                                    MaltRequest          *request,
                                                    GError              **error);
GVariant          *malt_worker_run_blocking        (MaltWorker           *self,
                                                    MaltRequest          *request,
                                                    int                   timeout_msec,
                                                    MaltChannel         **channel,
                                                    GCancellable         *cancellable,
                                                    GError              **error);
void               malt_worker_run_async           (MaltWorker           *self,
                                                    MaltRequest          *request,
                                                    int                   timeout_msec,
                                                    GCancellable         *cancellable,
                                                    gpointer              tag,
                                                    GAsyncReadyCallback   callback,
                                                    gpointer              user_data,
                                                    GError               *error);
int                malt_worker_timeout_of_call     (MaltWorker           *self,
                                                    int                   timeout_msec);

gboolean           malt_worker_start_blocking      (MaltWorker           *self,
                                                    GCancellable         *cancellable,
                                                    GError              **error);
void               malt_worker_start_async         (MaltWorker           *self,
                                                    GCancellable         *cancellable,
                                                    GAsyncReadyCallback   callback,
                                                    gpointer              user_data);
gboolean           malt_worker_start_finish        (MaltWorker           *self,
                                                    GAsyncResult         *result,
                                                    GError              **error);

G_END_DECLS
