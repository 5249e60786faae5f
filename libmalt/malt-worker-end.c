/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-worker-private.h"

#include <signal.h>

#include "malt-debug.h"
#include "malt-error-private.h"
#include "malt-exit-info-private.h"
#include "malt-request-private.h"
#include "malt-stop.h"

/* How a worker ends: it is stopped or killed, or ends by itself; its backend reports that once,
 * and everybody who has to do with the worker is told. */

/* The default where the caller gives a negative time. */
#define STOP_MSEC 15000

/**
 * malt_worker_stop:
 * @self: a worker
 * @exit_timeout_msec: how long the worker may take to end when it is asked to, in
 *   milliseconds; -1 for 15 s, 0 to not ask
 * @term_timeout_msec: how long it may take to end after `SIGTERM` then; -1 for 15 s, 0 to
 *   not send it
 * @cancellable: (nullable): ends the wait; the worker is stopped all the same
 * @error: return location for an error
 *
 * Stops the worker: asks it to end, then sends `SIGTERM`, then `SIGKILL`.  Calls that
 * are under way fail with `MALT_ERROR_TERMINATED`, and so do later ones.
 *
 * Blocks the calling thread; runs no main loop.  It may be called at any time, from any
 * thread, and more than once.
 *
 * Fails with `MALT_ERROR_TIMEOUT` if the worker is still there some seconds after
 * `SIGKILL` (or, in process, cannot be ended), and `G_IO_ERROR_CANCELLED`.
 *
 * Returns: whether the worker was alive; `MALT_STOP_RESULT_FAILED` with @error set
 *
 * Since: 1.0
 */
MaltStopResult
malt_worker_stop (MaltWorker    *self,
                  int            exit_timeout_msec,
                  int            term_timeout_msec,
                  GCancellable  *cancellable,
                  GError       **error)
{
  g_autoptr (MaltStop) stop = NULL;

  g_return_val_if_fail (MALT_IS_WORKER (self), MALT_STOP_RESULT_FAILED);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), MALT_STOP_RESULT_FAILED);
  g_return_val_if_fail (error == NULL || *error == NULL, MALT_STOP_RESULT_FAILED);

  if (!malt_worker_check_process (self, error))
    return MALT_STOP_RESULT_FAILED;

  stop = malt_stop_new (self,
                        exit_timeout_msec < 0 ? STOP_MSEC : exit_timeout_msec,
                        term_timeout_msec < 0 ? STOP_MSEC : term_timeout_msec,
                        NULL);

  return malt_stop_run (stop, cancellable, error);
}

/**
 * malt_worker_stop_async:
 * @self: a worker
 * @exit_timeout_msec: how long the worker may take to end when it is asked to, in
 *   milliseconds; -1 for 15 s, 0 to not ask
 * @term_timeout_msec: how long it may take to end after `SIGTERM` then; -1 for 15 s, 0 to
 *   not send it
 * @cancellable: (nullable): ends the wait; the worker is stopped all the same
 * @callback: (scope async): called when the worker has ended, in the thread-default main
 *   context of the calling thread
 * @user_data: data for @callback
 *
 * Stops the worker, as [method@Malt.Worker.stop] does, without blocking.
 *
 * Since: 1.0
 */
void
malt_worker_stop_async (MaltWorker          *self,
                        int                  exit_timeout_msec,
                        int                  term_timeout_msec,
                        GCancellable        *cancellable,
                        GAsyncReadyCallback  callback,
                        gpointer             user_data)
{
  g_autoptr (GTask) task = NULL;
  g_autoptr (GError) error = NULL;
  MaltStop *stop;

  g_return_if_fail (MALT_IS_WORKER (self));
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  task = g_task_new (self, cancellable, callback, user_data);
  g_task_set_source_tag (task, malt_worker_stop_async);
  malt_worker_await_in (self, g_task_get_context (task));
  g_task_set_check_cancellable (task, FALSE);
  if (!malt_worker_check_process (self, &error))
    {
      g_task_return_error (task, g_steal_pointer (&error));
      return;
    }
  stop = malt_stop_new (self,
                        exit_timeout_msec < 0 ? STOP_MSEC : exit_timeout_msec,
                        term_timeout_msec < 0 ? STOP_MSEC : term_timeout_msec,
                        task);
  g_task_set_task_data (task, stop, (GDestroyNotify) malt_stop_let_go);
  malt_stop_begin (stop, cancellable);
}

/**
 * malt_worker_stop_finish:
 * @self: a worker
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Gets what came of [method@Malt.Worker.stop_async].
 *
 * Returns: whether the worker was alive; `MALT_STOP_RESULT_FAILED` with @error set
 *
 * Since: 1.0
 */
MaltStopResult
malt_worker_stop_finish (MaltWorker    *self,
                         GAsyncResult  *result,
                         GError       **error)
{
  gssize stop_result;

  g_return_val_if_fail (MALT_IS_WORKER (self), MALT_STOP_RESULT_FAILED);
  g_return_val_if_fail (g_task_is_valid (result, self), MALT_STOP_RESULT_FAILED);
  g_return_val_if_fail (error == NULL || *error == NULL, MALT_STOP_RESULT_FAILED);

  stop_result = g_task_propagate_int (G_TASK (result), error);

  return stop_result < 0 ? MALT_STOP_RESULT_FAILED : (MaltStopResult) stop_result;
}

/**
 * malt_worker_kill:
 * @self: a worker
 * @signum: a signal, for instance `SIGTERM` or `SIGKILL`
 *
 * Sends the worker a signal, or ends it as the signal would where it has no process of
 * its own.  Does not block; [signal@Malt.Worker::terminated] tells when it has ended.
 *
 * Since: 1.0
 */
void
malt_worker_kill (MaltWorker *self,
                  int         signum)
{
  g_return_if_fail (MALT_IS_WORKER (self));
  g_return_if_fail (signum > 0 && signum < NSIG);

  if (malt_worker_is_running (self) && malt_worker_check_process (self, NULL))
    malt_worker_invoke_kill (self, signum);
}

/* For pools. */

/* Whether it has ended, or will, because one of its calls could not be ended otherwise.  On any
 * thread. */
gboolean
malt_worker_was_killed (MaltWorker *self)
{
  MaltWorkerPrivate *priv = malt_worker_get_private (self);
  gboolean was_killed;

  g_mutex_lock (&priv->calls_lock);
  was_killed = priv->was_killed;
  g_mutex_unlock (&priv->calls_lock);

  return was_killed;
}

/* Has @func called when the worker has ended.  FALSE if it has already: then @func is not
 * called, and the data not taken. */
gboolean
malt_worker_watch_end (MaltWorker        *self,
                       MaltWorkerEndFunc  func,
                       gpointer           user_data,
                       GDestroyNotify     destroy)
{
  MaltWorkerPrivate *priv = malt_worker_get_private (self);
  gboolean alive;

  g_mutex_lock (&priv->calls_lock);
  alive = priv->state != MALT_WORKER_STOPPED;
  if (alive)
    {
      g_assert (priv->end_func == NULL);
      priv->end_func = func;
      priv->end_data = user_data;
      priv->end_destroy = destroy;
    }
  g_mutex_unlock (&priv->calls_lock);

  return alive;
}

typedef struct
{
  MaltWorker   *worker;
  MaltExitInfo *exit_info;
} Termination;

static void
termination_free (Termination *termination)
{
  g_clear_object (&termination->worker);
  g_clear_object (&termination->exit_info);
  g_free (termination);
}

static gboolean
terminated_cb (gpointer user_data)
{
  Termination *termination = user_data;

  g_object_notify (G_OBJECT (termination->worker), "exit-info");
  g_signal_emit_by_name (termination->worker, "terminated", termination->exit_info);

  return G_SOURCE_REMOVE;
}

/* A source would keep a worker alive in a program that never runs the context, so it is
 * only made for those who listen. */
static void
emit_terminated (MaltWorker   *self,
                 MaltExitInfo *exit_info)
{
  MaltWorkerPrivate *priv = malt_worker_get_private (self);
  g_autoptr (GSource) source = NULL;
  Termination *termination;

  if (!g_signal_has_handler_pending (self, g_signal_lookup ("terminated", MALT_TYPE_WORKER), 0, FALSE) &&
      !g_signal_has_handler_pending (self, g_signal_lookup ("notify", G_TYPE_OBJECT), 0, FALSE))
    return;

  termination = g_new (Termination, 1);
  *termination = (Termination) { g_object_ref (self), g_object_ref (exit_info) };
  source = g_idle_source_new ();
  g_source_set_static_name (source, "[malt] terminated");
  g_source_set_priority (source, G_PRIORITY_DEFAULT);
  g_source_set_callback (source, terminated_cb, termination, (GDestroyNotify) termination_free);
  g_source_attach (source, priv->context);
}

/**
 * malt_worker_report_terminated:
 * @self: a worker
 * @exit_info: (transfer none): how it ended
 *
 * Says that the worker has ended; for backends, once.  Requests that are not finished
 * fail with `MALT_ERROR_TERMINATED`; the backend need not finish them.
 *
 * On any thread.  Does not block.
 *
 * Since: 1.0
 */
void
malt_worker_report_terminated (MaltWorker   *self,
                               MaltExitInfo *exit_info)
{
  MaltWorkerPrivate *priv = malt_worker_get_private (self);
  g_autoptr (GPtrArray) calls = g_ptr_array_new_with_free_func ((GDestroyNotify) malt_call_unref);
  g_autoptr (GStrvBuilder) requests = g_strv_builder_new ();
  g_autofree char *name = NULL;
  MaltWorkerEndFunc end_func;
  GDestroyNotify end_destroy;
  gpointer end_data;
  g_autoptr (GError) failure = NULL;
  MaltStop *stop;
  GList *link;
  guint i;

  g_return_if_fail (MALT_IS_WORKER (self));
  g_return_if_fail (MALT_IS_EXIT_INFO (exit_info));

  g_mutex_lock (&priv->calls_lock);
  if (priv->state == MALT_WORKER_STOPPED)
    {
      g_mutex_unlock (&priv->calls_lock);
      g_critical ("a worker reported its end twice");
      return;
    }

  g_atomic_int_set (&priv->state, MALT_WORKER_STOPPED);
  priv->exit_info = g_object_ref (exit_info);
  for (link = priv->calls.head; link != NULL; link = link->next)
    {
      MaltCall *call = link->data;
      g_autofree char *text = malt_request_describe (call->request);

      g_strv_builder_add (requests, text);
      g_ptr_array_add (calls, malt_call_ref (call));
    }
  malt_exit_info_set_requests (exit_info, g_strv_builder_end (requests));
  end_func = g_steal_pointer (&priv->end_func);
  end_data = priv->end_data;
  end_destroy = g_steal_pointer (&priv->end_destroy);
  g_mutex_unlock (&priv->calls_lock);

  name = malt_worker_dup_name (self);
  MALT_DEBUG (PROCESS, "%s ended, %u calls were under way", name, calls->len);

  for (i = 0; i < calls->len; i++)
    malt_call_abandon (g_ptr_array_index (calls, i), malt_error_new_terminated (name, exit_info, TRUE));
  failure = malt_error_new_ended (name, exit_info);
  malt_worker_end_channels (self, failure);

  for (;;)
    {
      g_mutex_lock (&priv->calls_lock);
      stop = malt_stop_pop_locked (&priv->stops);
      g_mutex_unlock (&priv->calls_lock);
      if (stop == NULL)
        break;
      malt_stop_ended (stop);
    }

  if (end_func != NULL)
    {
      end_func (self, end_data);
      end_destroy (end_data);
    }
  malt_errands_drop_calls (self);
  malt_host_calls_end (self);

  emit_terminated (self, exit_info);
}
