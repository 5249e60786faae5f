/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-process-worker.h"

#include "malt-process.h"
#include "malt-process-plan.h"

/* A worker that is a process of its own.  All that there is to it is MaltProcess, which
 * outlives this object for as long as it takes the process to end. */
struct _MaltProcessWorker
{
  MaltWorker parent_instance;

  /* Immutable. */
  MaltProcess *process;
};

G_DEFINE_FINAL_TYPE (MaltProcessWorker, malt_process_worker, MALT_TYPE_WORKER)

static void
malt_process_worker_start (MaltWorker  *worker,
                           MaltRequest *request)
{
  MaltProcessWorker *self = MALT_PROCESS_WORKER (worker);
  MaltProcessPlan *plan;
  GError *error = NULL;

  plan = malt_process_plan_new (malt_worker_get_launcher (worker), &error);
  if (plan == NULL)
    {
      malt_request_return_error (request, error);
      return;
    }

  malt_process_start (self->process, plan, request);
}

static void
malt_process_worker_submit (MaltWorker  *worker,
                            MaltRequest *request)
{
  malt_connection_submit (malt_process_get_connection (MALT_PROCESS_WORKER (worker)->process), request);
}

static gboolean
malt_process_worker_post (MaltWorker  *worker,
                          const char  *function,
                          GVariant    *arguments,
                          GVariant    *keywords,
                          GError     **error)
{
  return malt_connection_post (malt_process_get_connection (MALT_PROCESS_WORKER (worker)->process),
                               function, arguments, keywords, error);
}

static GBytes *
malt_process_worker_new_buffer (MaltWorker *worker,
                                gsize       size,
                                gpointer   *data)
{
  return malt_connection_new_buffer (malt_process_get_connection (MALT_PROCESS_WORKER (worker)->process),
                                     size, data);
}

static void
malt_process_worker_wait (MaltWorker  *worker,
                          MaltRequest *request,
                          gint64       deadline)
{
  malt_connection_wait (malt_process_get_connection (MALT_PROCESS_WORKER (worker)->process), worker, request,
                        deadline);
}

static void
malt_process_worker_listen (MaltWorker   *worker,
                            GMainContext *context)
{
  malt_connection_listen (malt_process_get_connection (MALT_PROCESS_WORKER (worker)->process), context);
}

static void
malt_process_worker_wake (MaltWorker  *worker,
                          MaltRequest *request)
{
  MaltConnection *connection = malt_process_get_connection (MALT_PROCESS_WORKER (worker)->process);

  if (connection != NULL)
    malt_connection_wake (connection);
}

static void
malt_process_worker_cancel (MaltWorker  *worker,
                            MaltRequest *request)
{
  malt_connection_cancel (malt_process_get_connection (MALT_PROCESS_WORKER (worker)->process), request);
}

static gboolean
malt_process_worker_take_back (MaltWorker  *worker,
                               MaltRequest *request)
{
  MaltConnection *connection = malt_process_get_connection (MALT_PROCESS_WORKER (worker)->process);

  return connection != NULL && malt_connection_take_back (connection, request);
}

static void
malt_process_worker_interrupt (MaltWorker  *worker,
                               MaltRequest *request)
{
  malt_connection_interrupt (malt_process_get_connection (MALT_PROCESS_WORKER (worker)->process), request);
}

static void
malt_process_worker_stop (MaltWorker *worker)
{
  malt_process_stop (MALT_PROCESS_WORKER (worker)->process);
}

static void
malt_process_worker_kill (MaltWorker *worker,
                          int         signum)
{
  malt_process_kill (MALT_PROCESS_WORKER (worker)->process, signum);
}

static void
malt_process_worker_finalize (GObject *object)
{
  MaltProcessWorker *self = MALT_PROCESS_WORKER (object);
  MaltConnection *connection = malt_process_get_connection (self->process);

  if (connection != NULL)
    malt_connection_unlisten (connection);
  malt_process_let_go (g_steal_pointer (&self->process));

  G_OBJECT_CLASS (malt_process_worker_parent_class)->finalize (object);
}

static void
malt_process_worker_class_init (MaltProcessWorkerClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  MaltWorkerClass *worker_class = MALT_WORKER_CLASS (klass);

  object_class->finalize = malt_process_worker_finalize;

  worker_class->start = malt_process_worker_start;
  worker_class->submit = malt_process_worker_submit;
  worker_class->cancel = malt_process_worker_cancel;
  worker_class->interrupt = malt_process_worker_interrupt;
  worker_class->stop = malt_process_worker_stop;
  worker_class->kill = malt_process_worker_kill;
  worker_class->any_thread = TRUE;
  worker_class->take_back = malt_process_worker_take_back;
  worker_class->wait = malt_process_worker_wait;
  worker_class->wake = malt_process_worker_wake;
  worker_class->post = malt_process_worker_post;
  worker_class->listen = malt_process_worker_listen;
  worker_class->new_buffer = malt_process_worker_new_buffer;
}

static void
malt_process_worker_init (MaltProcessWorker *self)
{
  self->process = malt_process_new (MALT_WORKER (self));
}
