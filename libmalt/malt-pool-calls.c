/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-pool-private.h"

#include "malt-error-private.h"
#include "malt-launcher.h"
#include "malt-request-private.h"

/* The calling functions of a pool.  A thread that blocks makes its call itself, with a
 * worker that it takes or is handed; one that does not makes a job of it. */

/* What both have in common. */

int
malt_pool_call_get_timeout (MaltPoolCore *core,
                            int           timeout_msec)
{
  if (timeout_msec < 0)
    timeout_msec = malt_launcher_get_call_timeout (core->options.launcher);

  return timeout_msec < 0 ? MALT_TIMEOUT_NONE : timeout_msec;
}

MaltRequest *
malt_pool_call_new_request (const MaltPoolCall  *self,
                            GError             **error)
{
  MaltRequestFlags flags = (self->flags & MALT_POOL_CALL_FLAGS_NO_VALUE) != 0 ? MALT_REQUEST_FLAGS_NO_VALUE
                                                                              : MALT_REQUEST_FLAGS_NONE;

  if (self->kind == MALT_REQUEST_KIND_EVAL)
    return malt_worker_new_eval (self->module, self->text, flags, error);

  return malt_worker_new_call (self->text, self->arguments, self->keywords, flags, error);
}

/* Whether there can be a request for it. */
gboolean
malt_pool_call_is_valid (const MaltPoolCall  *self,
                         GError             **error)
{
  MaltRequest *request = malt_pool_call_new_request (self, error);

  if (request == NULL)
    return FALSE;

  malt_request_abandon (request);
  malt_request_release (request);
  return TRUE;
}

/* Whether it was lost with its worker, and may be tried again. */
gboolean
malt_pool_call_may_retry (const MaltPoolCall *self,
                          const MaltAttempt  *attempt,
                          const GError       *error)
{
  return (self->flags & MALT_POOL_CALL_FLAGS_RETRY) != 0 && attempt->rung == MALT_RUNG_NONE &&
         (g_error_matches (error, MALT_ERROR, MALT_ERROR_TERMINATED) ||
          g_error_matches (error, MALT_ERROR, MALT_ERROR_PROTOCOL));
}

GError *
malt_pool_call_new_timeout (MaltPoolCore *core,
                            int           timeout_msec)
{
  g_autofree char *name = malt_pool_core_dup_name (core);
  g_autofree char *message = NULL;

  message = g_strdup_printf ("%s: the call did not end within %g s; it was withdrawn before it started",
                             name, timeout_msec / 1000.0);

  return malt_error_new_rung (MALT_ERROR, MALT_ERROR_TIMEOUT, MALT_RUNG_WITHDRAWN, message);
}

GError *
malt_pool_call_new_cancelled (MaltPoolCore *core)
{
  g_autofree char *name = malt_pool_core_dup_name (core);

  return g_error_new (G_IO_ERROR, G_IO_ERROR_CANCELLED,
                      "%s: the call was cancelled; it was withdrawn before it started", name);
}

/* Without blocking. */

/* Takes the result. */
static void
run_async (MaltPoolCore       *core,
           const MaltPoolCall *call,
           int                 timeout_msec,
           GCancellable       *cancellable,
           MaltResult         *result)
{
  GError *error = NULL;

  if (malt_pool_core_check_process (core, &error) && malt_pool_call_is_valid (call, &error))
    malt_pool_job_submit_for (core, call, timeout_msec, cancellable, result);
  else
    malt_result_return_later (result, NULL, error);
}

/* What somebody else than the caller hears of a call that nobody awaits. */
static void
tell_log (MaltPoolJob *job,
          GVariant    *value,
          GError      *error,
          gpointer     user_data)
{
  if (error != NULL)
    g_message ("a call that nobody awaits failed: %s", error->message);
  g_clear_error (&error);
  g_clear_pointer (&value, g_variant_unref);
  malt_pool_job_unref (job);

  /* It has been kept until now. */
  g_object_unref (user_data);
}

/* What callers say.  The values are theirs. */

MaltPoolCall
malt_pool_call_make (const char        *function,
                     GVariant          *arguments,
                     GVariant          *keywords,
                     MaltPoolCallFlags  flags)
{
  return (MaltPoolCall) {
    .kind = MALT_REQUEST_KIND_CALL,
    .text = function,
    .arguments = arguments,
    .keywords = keywords,
    .flags = flags,
  };
}

MaltPoolCall
malt_pool_call_make_eval (const char        *module,
                          const char        *source,
                          MaltPoolCallFlags  flags)
{
  return (MaltPoolCall) {
    .kind = MALT_REQUEST_KIND_EVAL,
    .text = source,
    .module = module,
    .flags = flags,
  };
}

static GVariant *
sink (GVariant *value)
{
  return value != NULL ? g_variant_ref_sink (value) : NULL;
}

/**
 * malt_pool_remote_call_fetch:
 * @self: a pool
 * @function: the name of the function, as the workers' runtime spells it, for instance
 *   `"math.sqrt"`
 * @arguments: (nullable): the positional arguments, a tuple; if it is floating, it is
 *   taken.  %NULL for none
 * @keywords: (nullable): the keyword arguments, an `a{sv}`; if it is floating, it is
 *   taken.  %NULL for none
 * @flags: what is special about the call
 * @timeout_msec: the deadline in milliseconds, `MALT_TIMEOUT_DEFAULT` or
 *   `MALT_TIMEOUT_NONE`
 * @cancellable: (nullable): takes the call out of the queue, or makes it climb the ladder
 * @error: return location for an error
 *
 * Calls a function in one of the pool's workers and gives its value.
 *
 * Blocks the calling thread, also until there is a worker for it, however many calls wait
 * already.  It needs no main loop, and runs none; a backend whose workers live in a main
 * context needs the one in which the pool was made, unless that is the calling thread's.
 *
 * The deadline counts from now on, the time in the queue included.  Cancelling, and the
 * deadline, take the call out of the queue if it is there; else they do what they do in
 * [method@Malt.Worker.remote_call_fetch], which tells what the errors are.  A worker whose
 * call could not be ended is stopped and replaced.
 *
 * If the worker ends during the call this fails with `MALT_ERROR_TERMINATED`, or is tried
 * again if @flags allow it.  `MALT_ERROR_START`, or whatever else came of the start, is the
 * error if no worker could be started; `G_IO_ERROR_CLOSED` if the pool was shut down.
 *
 * Returns: (transfer full): the value, `mv` nothing where there is none; or %NULL with
 *   @error set
 *
 * Since: 1.0
 */
GVariant *
malt_pool_remote_call_fetch (MaltPool           *self,
                             const char         *function,
                             GVariant           *arguments,
                             GVariant           *keywords,
                             MaltPoolCallFlags   flags,
                             int                 timeout_msec,
                             GCancellable       *cancellable,
                             GError            **error)
{
  g_autoptr (GVariant) own_arguments = sink (arguments);
  g_autoptr (GVariant) own_keywords = sink (keywords);
  MaltPoolCall call = malt_pool_call_make (function, own_arguments, own_keywords, flags);

  g_return_val_if_fail (MALT_IS_POOL (self), NULL);
  g_return_val_if_fail (function != NULL, NULL);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  return malt_pool_call_run (malt_pool_get_core (self), &call, timeout_msec, cancellable, error);
}

/**
 * malt_pool_remote_call_async:
 * @self: a pool
 * @function: the name of the function, as the workers' runtime spells it, for instance
 *   `"math.sqrt"`
 * @arguments: (nullable): the positional arguments, a tuple; if it is floating, it is
 *   taken.  %NULL for none
 * @keywords: (nullable): the keyword arguments, an `a{sv}`; if it is floating, it is
 *   taken.  %NULL for none
 * @flags: what is special about the call
 * @timeout_msec: the deadline in milliseconds, `MALT_TIMEOUT_DEFAULT` or
 *   `MALT_TIMEOUT_NONE`
 * @cancellable: (nullable): takes the call out of the queue, or makes it climb the ladder
 * @callback: (scope async): called when the result is there, in the thread-default main
 *   context of the calling thread
 * @user_data: data for @callback
 *
 * Calls a function in one of the pool's workers; the value comes with
 * [method@Malt.Pool.remote_call_finish].
 *
 * Does not block.  The call goes on whether somebody runs the main context or not.
 *
 * Deadline, cancelling and errors are as in [method@Malt.Pool.remote_call_fetch].  In
 * addition it fails with `G_IO_ERROR_BUSY` if [property@Malt.Pool:queue-length] calls wait
 * already: see [method@Malt.Pool.wait_room_async].
 *
 * Since: 1.0
 */
void
malt_pool_remote_call_async (MaltPool            *self,
                             const char          *function,
                             GVariant            *arguments,
                             GVariant            *keywords,
                             MaltPoolCallFlags    flags,
                             int                  timeout_msec,
                             GCancellable        *cancellable,
                             GAsyncReadyCallback  callback,
                             gpointer             user_data)
{
  g_autoptr (GVariant) own_arguments = sink (arguments);
  g_autoptr (GVariant) own_keywords = sink (keywords);
  MaltPoolCall call = malt_pool_call_make (function, own_arguments, own_keywords, flags);

  g_return_if_fail (MALT_IS_POOL (self));
  g_return_if_fail (function != NULL);
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  run_async (malt_pool_get_core (self), &call, timeout_msec, cancellable,
             malt_result_new (self, malt_pool_remote_call_async, callback, user_data));
}

/**
 * malt_pool_remote_call_finish:
 * @self: a pool
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Gets what came of [method@Malt.Pool.remote_call_async].
 *
 * Returns: (transfer full): the value, `mv` nothing where there is none; or %NULL with
 *   @error set
 *
 * Since: 1.0
 */
GVariant *
malt_pool_remote_call_finish (MaltPool      *self,
                              GAsyncResult  *result,
                              GError       **error)
{
  g_return_val_if_fail (MALT_IS_POOL (self), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  return malt_result_finish (result, self, error);
}

/**
 * malt_pool_remote_do:
 * @self: a pool
 * @function: the name of the function, as the workers' runtime spells it, for instance
 *   `"math.sqrt"`
 * @arguments: (nullable): the positional arguments, a tuple; if it is floating, it is
 *   taken.  %NULL for none
 * @keywords: (nullable): the keyword arguments, an `a{sv}`; if it is floating, it is
 *   taken.  %NULL for none
 * @error: return location for an error
 *
 * Has a function called in one of the pool's workers, and does not care what comes of it.
 * It counts as a call like others, waits in the queue like others, and keeps the pool until
 * it has ended.  If it fails that is logged, as a message.
 *
 * Does not block.
 *
 * Fails with `G_IO_ERROR_CLOSED`, `G_IO_ERROR_BUSY` (see
 * [method@Malt.Pool.remote_call_async]) and `G_IO_ERROR_INVALID_ARGUMENT`.
 *
 * Returns: whether it will be called; if not, @error is set
 *
 * Since: 1.0
 */
gboolean
malt_pool_remote_do (MaltPool    *self,
                     const char  *function,
                     GVariant    *arguments,
                     GVariant    *keywords,
                     GError     **error)
{
  g_autoptr (GVariant) own_arguments = sink (arguments);
  g_autoptr (GVariant) own_keywords = sink (keywords);
  MaltPoolCall call = malt_pool_call_make (function, own_arguments, own_keywords, MALT_POOL_CALL_FLAGS_NO_VALUE);

  g_return_val_if_fail (MALT_IS_POOL (self), FALSE);
  g_return_val_if_fail (function != NULL, FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  if (!malt_pool_core_check_process (malt_pool_get_core (self), error) || !malt_pool_call_is_valid (&call, error))
    return FALSE;

  return malt_pool_job_try (malt_pool_get_core (self), &call, tell_log, g_object_ref (self), g_object_unref, error);
}

/**
 * malt_pool_remote_eval_fetch:
 * @self: a pool
 * @module: (nullable): the namespace to evaluate in, made when it is first named, or
 *   %NULL for the main one
 * @source: the source, in the workers' language
 * @flags: what is special about the evaluation
 * @timeout_msec: the deadline in milliseconds, `MALT_TIMEOUT_DEFAULT` or
 *   `MALT_TIMEOUT_NONE`
 * @cancellable: (nullable): takes the call out of the queue, or makes it climb the ladder
 * @error: return location for an error
 *
 * Evaluates source in one of the pool's workers and gives its value.  What it leaves behind
 * there the next evaluation may find or not, as it may get another worker.
 *
 * Blocks the calling thread.  Deadline, cancelling and errors are as in
 * [method@Malt.Pool.remote_call_fetch].
 *
 * Returns: (transfer full): the value, `mv` nothing where there is none; or %NULL with
 *   @error set
 *
 * Since: 1.0
 */
GVariant *
malt_pool_remote_eval_fetch (MaltPool           *self,
                             const char         *module,
                             const char         *source,
                             MaltPoolCallFlags   flags,
                             int                 timeout_msec,
                             GCancellable       *cancellable,
                             GError            **error)
{
  MaltPoolCall call = malt_pool_call_make_eval (module, source, flags);

  g_return_val_if_fail (MALT_IS_POOL (self), NULL);
  g_return_val_if_fail (source != NULL, NULL);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  return malt_pool_call_run (malt_pool_get_core (self), &call, timeout_msec, cancellable, error);
}

/**
 * malt_pool_remote_eval_async:
 * @self: a pool
 * @module: (nullable): the namespace to evaluate in, made when it is first named, or
 *   %NULL for the main one
 * @source: the source, in the workers' language
 * @flags: what is special about the evaluation
 * @timeout_msec: the deadline in milliseconds, `MALT_TIMEOUT_DEFAULT` or
 *   `MALT_TIMEOUT_NONE`
 * @cancellable: (nullable): takes the call out of the queue, or makes it climb the ladder
 * @callback: (scope async): called when the result is there, in the thread-default main
 *   context of the calling thread
 * @user_data: data for @callback
 *
 * Evaluates source in one of the pool's workers; the value comes with
 * [method@Malt.Pool.remote_eval_finish].
 *
 * Does not block.  Everything else is as in [method@Malt.Pool.remote_call_async].
 *
 * Since: 1.0
 */
void
malt_pool_remote_eval_async (MaltPool            *self,
                             const char          *module,
                             const char          *source,
                             MaltPoolCallFlags    flags,
                             int                  timeout_msec,
                             GCancellable        *cancellable,
                             GAsyncReadyCallback  callback,
                             gpointer             user_data)
{
  MaltPoolCall call = malt_pool_call_make_eval (module, source, flags);

  g_return_if_fail (MALT_IS_POOL (self));
  g_return_if_fail (source != NULL);
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  run_async (malt_pool_get_core (self), &call, timeout_msec, cancellable,
             malt_result_new (self, malt_pool_remote_eval_async, callback, user_data));
}

/**
 * malt_pool_remote_eval_finish:
 * @self: a pool
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Gets what came of [method@Malt.Pool.remote_eval_async].
 *
 * Returns: (transfer full): the value, `mv` nothing where there is none; or %NULL with
 *   @error set
 *
 * Since: 1.0
 */
GVariant *
malt_pool_remote_eval_finish (MaltPool      *self,
                              GAsyncResult  *result,
                              GError       **error)
{
  g_return_val_if_fail (MALT_IS_POOL (self), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  return malt_result_finish (result, self, error);
}
