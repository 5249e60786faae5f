/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-worker-private.h"

#include "malt-request-private.h"

/* Where the functions of a backend are called: at home, which is the main context in which the
 * worker was made, with the context of the backends there as the thread-default one, unless its
 * class says that they may be called on any thread. */

typedef enum
{
  INVOKE_START,
  INVOKE_SUBMIT,
  INVOKE_CANCEL,
  INVOKE_INTERRUPT,
  INVOKE_STOP,
  INVOKE_KILL,
} Invocation;

typedef struct
{
  Invocation   invocation;
  MaltWorker  *worker;
  MaltRequest *request;
  int          signum;
} Invoke;

static void
invoke_free (Invoke *invoke)
{
  g_clear_object (&invoke->worker);
  g_clear_object (&invoke->request);
  g_free (invoke);
}

static gboolean
malt_worker_is_alive (MaltWorker *self)
{
  MaltWorkerPrivate *priv = malt_worker_get_private (self);

  return g_atomic_int_get (&priv->state) != MALT_WORKER_STOPPED;
}

/* On a thread that may call it. */
static void
run_invoke (Invoke *invoke)
{
  MaltWorkerClass *klass = MALT_WORKER_GET_CLASS (invoke->worker);
  MaltCallLast last = malt_call_save_last ();

  if (invoke->request != NULL && malt_request_is_done (invoke->request))
    return;

  /* What was to end the worker may come after its end. */
  if (invoke->request == NULL && !malt_worker_is_alive (invoke->worker))
    return;

  switch (invoke->invocation)
    {
    case INVOKE_START:
      klass->start (invoke->worker, invoke->request);
      break;
    case INVOKE_SUBMIT:
      klass->submit (invoke->worker, invoke->request);
      if (malt_request_take_step (invoke->request, MALT_REQUEST_STEP_SUBMITTED) && !malt_request_is_done (invoke->request))
        klass->cancel (invoke->worker, invoke->request);
      break;
    case INVOKE_CANCEL:
      if (klass->any_thread || malt_request_take_step (invoke->request, MALT_REQUEST_STEP_CANCELLED))
        klass->cancel (invoke->worker, invoke->request);
      break;
    case INVOKE_INTERRUPT:
      klass->interrupt (invoke->worker, invoke->request);
      break;
    case INVOKE_STOP:
      klass->stop (invoke->worker);
      break;
    case INVOKE_KILL:
    default:
      klass->kill (invoke->worker, invoke->signum);
      break;
    }
  malt_call_restore_last (last);
}

/* In the context of the backends. */
static gboolean
invoke_cb (gpointer user_data)
{
  run_invoke (user_data);
  return G_SOURCE_REMOVE;
}

/* Whether the current thread is one of those that run the home. */
static gboolean
is_at_home (MaltWorker *self)
{
  MaltWorkerPrivate *priv = malt_worker_get_private (self);

  return priv->thread == g_thread_self () || g_main_context_is_owner (priv->context);
}

/* Calls it now if that may be, else in the context of the backends, by whoever runs that: also if
 * another thread of the home has it, so that backends are called by one at a time. */
static void
invoke (MaltWorker  *self,
        Invocation   invocation,
        MaltRequest *request,
        int          signum)
{
  MaltWorkerPrivate *priv = malt_worker_get_private (self);
  Invoke here = { invocation, self, request, signum };
  g_autoptr (GSource) source = NULL;
  Invoke *data;

  if (MALT_WORKER_GET_CLASS (self)->any_thread)
    {
      run_invoke (&here);
      return;
    }

  if (is_at_home (self) && malt_backend_context_enter (priv->backend_context))
    {
      run_invoke (&here);
      malt_backend_context_leave (priv->backend_context);
      return;
    }

  data = g_new0 (Invoke, 1);
  data->invocation = invocation;
  data->worker = g_object_ref (self);
  g_set_object (&data->request, request);
  data->signum = signum;

  source = g_idle_source_new ();
  g_source_set_static_name (source, "[malt] backend");
  g_source_set_priority (source, G_PRIORITY_DEFAULT);
  g_source_set_callback (source, invoke_cb, data, (GDestroyNotify) invoke_free);
  g_source_attach (source, malt_backend_context_peek (priv->backend_context));
}

/* Has the backend begin with the request. */
void
malt_worker_invoke_request (MaltWorker  *self,
                            MaltRequest *request)
{
  MaltWorkerClass *klass = MALT_WORKER_GET_CLASS (self);

  if (malt_request_get_kind (request) == MALT_REQUEST_KIND_START)
    invoke (self, INVOKE_START, request, 0);
  else if (!klass->any_thread)
    invoke (self, INVOKE_SUBMIT, request, 0);
  else if (!malt_request_is_done (request)) /* its worker may have ended since it began */
    klass->submit (self, request);
}

void
malt_worker_invoke_cancel (MaltWorker  *self,
                           MaltRequest *request)
{
  invoke (self, INVOKE_CANCEL, request, 0);
}

void
malt_worker_invoke_interrupt (MaltWorker  *self,
                              MaltRequest *request)
{
  invoke (self, INVOKE_INTERRUPT, request, 0);
}

void
malt_worker_invoke_stop (MaltWorker *self)
{
  invoke (self, INVOKE_STOP, NULL, 0);
}

void
malt_worker_invoke_kill (MaltWorker *self,
                         int         signum)
{
  invoke (self, INVOKE_KILL, NULL, signum);
}

/* The request was finished by somebody who does not know its waiting thread. */
void
malt_worker_wake (MaltWorker  *self,
                  MaltRequest *request)
{
  MaltWorkerClass *klass = MALT_WORKER_GET_CLASS (self);

  if (klass->wake != NULL)
    klass->wake (self, request);
}

/* Before something is awaited in a context: if the backend lives on this thread, that is the one
 * which this thread will run. */
void
malt_worker_await_in (MaltWorker   *self,
                      GMainContext *context)
{
  MaltWorkerPrivate *priv = malt_worker_get_private (self);

  if (priv->backend_context != NULL && is_at_home (self))
    malt_backend_context_join (priv->backend_context, context);
}

/* Before a thread blocks on a backend that lives in that very thread, which runs the context of
 * the backends there meanwhile.  The caller's own context is not run.  %NULL where there is no
 * need. */
GMainContext *
malt_worker_begin_blocking (MaltWorker *self)
{
  MaltWorkerPrivate *priv = malt_worker_get_private (self);
  GMainContext *blocked;

  if (MALT_WORKER_GET_CLASS (self)->any_thread || !is_at_home (self))
    return NULL;

  if (malt_backend_context_enter (priv->backend_context))
    return g_main_context_ref (malt_backend_context_peek (priv->backend_context));

  /* Another thread is at home too, and has that now. */
  blocked = g_main_context_new ();
  g_main_context_push_thread_default (blocked);
  malt_backend_context_join (priv->backend_context, blocked);

  return blocked;
}

/* One turn of that context. */
void
malt_worker_class_run_blocked (MaltWorkerClass *klass,
                               GMainContext    *blocked)
{
  MaltCallLast last = malt_call_save_last ();

  if (klass->turned != NULL)
    klass->turned ();
  g_main_context_iteration (blocked, TRUE);
  malt_call_restore_last (last);
}

void
malt_worker_end_blocking (MaltWorker   *self,
                          GMainContext *blocked)
{
  MaltWorkerPrivate *priv = malt_worker_get_private (self);

  if (blocked == NULL)
    return;

  if (blocked == malt_backend_context_peek (priv->backend_context))
    malt_backend_context_leave (priv->backend_context);
  else
    g_main_context_pop_thread_default (blocked);
  g_main_context_unref (blocked);
}
