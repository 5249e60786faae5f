/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-call.h"
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

typedef struct
{
  /* Immutable after construction. */
  MaltLauncher    *launcher;
  GMainContext    *context;       /* in which the worker was made */
  GThread         *thread;        /* on which it was made */
  guint            generation;    /* of the process in which it was made; see malt-fork.c */

  GMutex           calls_lock;

  gint             state;         /* MaltWorkerState; atomic, and changed under calls_lock */

  /* Guarded by calls_lock. */
  GQueue           calls;         /* of MaltCall, not owned, in order of submission */
  GQueue           stops;         /* of MaltStop, not owned */
  MaltExitInfo    *exit_info;
  int              pid;
  GInputStream    *stdout_pipe;
  GInputStream    *stderr_pipe;
} MaltWorkerPrivate;

MaltWorkerPrivate *malt_worker_get_private         (MaltWorker   *self);
gboolean           malt_worker_check_process       (MaltWorker   *self,
                                                    GError      **error);

void               malt_worker_invoke_request      (MaltWorker   *self,
                                                    MaltRequest  *request);
void               malt_worker_invoke_cancel       (MaltWorker   *self,
                                                    MaltRequest  *request,
                                                    GMainContext *context);
void               malt_worker_invoke_interrupt    (MaltWorker   *self,
                                                    MaltRequest  *request,
                                                    GMainContext *context);
void               malt_worker_invoke_stop         (MaltWorker   *self,
                                                    GMainContext *context);
void               malt_worker_invoke_kill         (MaltWorker   *self,
                                                    int           signum,
                                                    GMainContext *context);
void               malt_worker_wake                (MaltWorker   *self,
                                                    MaltRequest  *request);
GMainContext      *malt_worker_begin_blocking      (MaltWorker   *self);
void               malt_worker_end_blocking        (GMainContext *blocked);

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
