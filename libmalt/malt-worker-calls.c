/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-worker-private.h"

#include "malt-error.h"
#include "malt-launcher.h"
#include "malt-request-private.h"
#include "malt-result.h"

/* The seven calling functions: each makes a request of what its caller says, and runs it
 * in one of two ways. */

/* Running a request. */

int
malt_worker_timeout_of_call (MaltWorker *self,
                             int         timeout_msec)
{
  MaltWorkerPrivate *priv = malt_worker_get_private (self);

  if (timeout_msec < 0)
    timeout_msec = malt_launcher_get_call_timeout (priv->launcher);

  return timeout_msec < 0 ? MALT_TIMEOUT_NONE : timeout_msec;
}

/* Runs the request and blocks until it is done.  Takes the request.  If it is one for a
 * channel, gives that in @channel.  The attempt is that of a pool, or NULL. */
static GVariant *
run_blocking (MaltWorker    *self,
              MaltRequest   *request,
              int            timeout_msec,
              MaltChannel  **channel,
              GCancellable  *cancellable,
              MaltAttempt   *attempt,
              GError       **error)
{
  MaltWorkerClass *klass = MALT_WORKER_GET_CLASS (self);
  gboolean waits = klass->wait != NULL && malt_request_get_kind (request) != MALT_REQUEST_KIND_START;
  g_autoptr (MaltCall) call = NULL;
  GMainContext *blocked;
  GVariant *value;
  MaltCall *outer;

  if ((cancellable != NULL && g_cancellable_set_error_if_cancelled (cancellable, error)) ||
      !malt_exports_may_block (self, error))
    {
      malt_request_release (request);
      return NULL;
    }

  call = malt_call_new (self, request, timeout_msec, cancellable, NULL);
  call->keeps_request = !waits;
  call->blocked = blocked = malt_worker_begin_blocking (self);
  if (attempt != NULL)
    call->waited_msec = attempt->waited_msec;
  call->thread = malt_errands_here ();
  outer = malt_errands_set_call (call);

  if (malt_call_begin (call, request, error))
    {
      malt_worker_invoke_request (self, request);
      if (waits)
        {
          klass->wait (self, request, -1);
          while (G_UNLIKELY (!malt_request_is_done (request)))
            {
              malt_errands_run (call);
              klass->wait (self, request, -1);
            }
        }

      /* So that a request which the backend drops is seen to be dropped. */
      malt_request_release (request);
      malt_call_wait (call);
    }
  else
    {
      malt_request_release (request);
      if (attempt != NULL)
        attempt->is_refused = TRUE;
    }

  malt_errands_set_call (outer);
  if (blocked != NULL)
    malt_worker_end_blocking (self, blocked);
  if (channel != NULL)
    *channel = g_steal_pointer (&call->channel);
  value = malt_call_propagate (call, error);
  if (attempt != NULL)
    attempt->rung = call->rung;
  return value;
}

GVariant *
malt_worker_run_blocking (MaltWorker    *self,
                          MaltRequest   *request,
                          int            timeout_msec,
                          MaltChannel  **channel,
                          GCancellable  *cancellable,
                          GError       **error)
{
  return run_blocking (self, request, timeout_msec, channel, cancellable, NULL, error);
}

static void
deliver_result (MaltDelivery *delivery)
{
  MaltCall *call = (MaltCall *) ((char *) delivery - G_STRUCT_OFFSET (MaltCall, delivery));
  MaltResult *result = malt_result_new_in (call->context, call->worker, call->tag, call->callback, call->user_data);
  GError *error = NULL;
  GVariant *value;

  value = malt_call_propagate (call, &error);
  malt_result_set_channel (result, g_steal_pointer (&call->channel));
  /* Before the callback, which may begin the next. */
  malt_call_unref (call);
  malt_result_return (result, value, error);
}

static void
deliver_to_owner (MaltDelivery *delivery)
{
  MaltCall *call = (MaltCall *) ((char *) delivery - G_STRUCT_OFFSET (MaltCall, delivery));

  call->owner_func (call);
}

/* Runs the request and calls back when it is done.  Takes the request; or the error that
 * there is instead of one. */
void
malt_worker_run_async (MaltWorker          *self,
                       MaltRequest         *request,
                       int                  timeout_msec,
                       GCancellable        *cancellable,
                       gpointer             tag,
                       GAsyncReadyCallback  callback,
                       gpointer             user_data,
                       GError              *error)
{
  if (request != NULL && (cancellable == NULL || !g_cancellable_set_error_if_cancelled (cancellable, &error)))
    {
      /* From when it has begun the call is its own, and its delivery's. */
      MaltCall *call = malt_call_new (self, request, timeout_msec, cancellable, g_main_context_ref_thread_default ());

      call->keeps_request = TRUE;
      call->tag = tag;
      call->callback = callback;
      call->user_data = user_data;
      call->delivery.func = deliver_result;
      malt_request_set_context (request, call->context, FALSE);
      malt_worker_await_in (self, call->context);

      if (malt_call_begin (call, request, &error))
        malt_worker_invoke_request (self, request);
      else
        malt_call_unref (call);
    }

  if (error != NULL)
    malt_result_return_later (malt_result_new (self, tag, callback, user_data), NULL, error);
  if (request != NULL)
    malt_request_release (request);
}

/* Runs the request, of whose end nobody is to hear.  Takes the request. */
static gboolean
run_unheard (MaltWorker   *self,
             MaltRequest  *request,
             GError      **error)
{
  g_autoptr (MaltCall) call = malt_call_new (self, request, MALT_TIMEOUT_NONE, NULL, NULL);
  g_autoptr (GVariant) value = NULL;
  g_autoptr (GError) local_error = NULL;
  gboolean begun, done;

  call->owns_itself = TRUE;
  malt_call_ref (call);
  begun = malt_call_begin (call, request, error);
  if (begun)
    malt_worker_invoke_request (self, request);
  else
    malt_call_unref (call);
  done = malt_request_is_done (request);
  malt_request_release (request);
  if (!begun || !done)
    return begun;

  /* What the function itself came to, if it was that quick, is nobody's business. */
  malt_call_wait (call);
  value = malt_call_propagate (call, &local_error);
  if (!g_error_matches (local_error, MALT_ERROR, MALT_ERROR_TERMINATED) &&
      !g_error_matches (local_error, MALT_ERROR, MALT_ERROR_SERIALIZATION))
    return TRUE;

  g_propagate_error (error, g_steal_pointer (&local_error));
  return FALSE;
}

/* Making requests of what callers say. */

MaltRequest *
malt_worker_new_call (const char        *function,
                      GVariant          *arguments,
                      GVariant          *keywords,
                      MaltRequestFlags   flags,
                      GError           **error)
{
  g_autoptr (GVariant) own_arguments = arguments != NULL ? g_variant_ref_sink (arguments) : NULL;
  g_autoptr (GVariant) own_keywords = keywords != NULL ? g_variant_ref_sink (keywords) : NULL;

  if (!malt_request_check_call (function, own_arguments, own_keywords, error))
    return NULL;

  return malt_request_take_call (function, g_steal_pointer (&own_arguments), g_steal_pointer (&own_keywords), flags);
}

/* Has the backend send a call without a request, where it can. */
static gboolean
post (MaltWorker  *self,
      const char  *function,
      GVariant    *arguments,
      GVariant    *keywords,
      GError     **error)
{
  MaltWorkerPrivate *priv = malt_worker_get_private (self);
  g_autoptr (GVariant) own_arguments = arguments != NULL ? g_variant_ref_sink (arguments) : NULL;
  g_autoptr (GVariant) own_keywords = keywords != NULL ? g_variant_ref_sink (keywords) : NULL;
  GError *local_error = NULL;

  if (!malt_request_check_call (function, own_arguments, own_keywords, error) || !malt_worker_check_process (self, error))
    return FALSE;

  if (MALT_WORKER_GET_CLASS (self)->post (self, function, own_arguments, own_keywords, &local_error))
    return TRUE;

  g_propagate_error (error, malt_call_explain (self, local_error,
                                               g_atomic_int_get (&priv->state) == MALT_WORKER_STOPPING));
  return FALSE;
}

MaltRequest *
malt_worker_new_eval (const char        *module,
                      const char        *source,
                      MaltRequestFlags   flags,
                      GError           **error)
{
  const char *end;

  if (!g_utf8_validate (source, -1, &end))
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                 "the source is not valid UTF-8 at byte %" G_GSIZE_FORMAT, (gsize) (end - source));
  else if (module != NULL && (!g_utf8_validate (module, -1, NULL) || *module == '\0'))
    g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                         "the name of the module is empty or not valid UTF-8");
  else
    return malt_request_new_eval (module, source, flags);

  return NULL;
}

static GVariant *
submit_blocking (MaltWorker    *self,
                 MaltRequest   *request,
                 int            timeout_msec,
                 GCancellable  *cancellable,
                 GError       **error)
{
  if (request == NULL)
    return NULL;

  return malt_worker_run_blocking (self, request, malt_worker_timeout_of_call (self, timeout_msec), NULL,
                                   cancellable, error);
}

/* For pools, which choose the worker. */

/* Has the worker do what the request says, and blocks until it is done.  Takes the request. */
GVariant *
malt_worker_attempt (MaltWorker    *self,
                     MaltRequest   *request,
                     int            timeout_msec,
                     GCancellable  *cancellable,
                     MaltAttempt   *attempt,
                     GError       **error)
{
  return run_blocking (self, request, timeout_msec, NULL, cancellable, attempt, error);
}

/* The same without blocking, for an owner who is told: the call is handed to @func in @context,
 * which a thread runs that does nothing else, or on a thread that has joined it. */
MaltCall *
malt_worker_new_owned_call (MaltWorker        *self,
                            MaltRequest       *request,
                            int                timeout_msec,
                            GCancellable      *cancellable,
                            GMainContext      *context,
                            void            (* func) (MaltCall *call),
                            gpointer           owner)
{
  MaltCall *call = malt_call_new (self, request, timeout_msec, cancellable, g_main_context_ref (context));

  call->keeps_request = TRUE;
  call->owner = owner;
  call->owner_func = func;
  call->delivery.func = deliver_to_owner;
  malt_request_set_context (request, context, TRUE);

  return call;
}

/* Takes both.  FALSE if the worker has ended or is stopping; then the owner's function is not
 * called. */
gboolean
malt_worker_begin_owned_call (MaltCall     *call,
                              MaltRequest  *request,
                              GError      **error)
{
  g_autoptr (MaltWorker) worker = g_object_ref (call->worker); /* or the owner drops it as soon as the call ends */
  gboolean begun = malt_call_begin (call, request, error);

  if (begun)
    malt_worker_invoke_request (worker, request);
  else
    malt_call_unref (call);

  malt_request_release (request);
  return begun;
}

/* Whether calls that have not begun can be taken back. */
gboolean
malt_worker_can_take_back (MaltWorker *self)
{
  MaltWorkerClass *klass = MALT_WORKER_GET_CLASS (self);

  return klass->any_thread && klass->take_back != NULL && klass->take_back (self, NULL);
}

/* Takes back those calls of a pool, that no thread waits for, which the worker has not begun.
 * They end as withdrawn. */
void
malt_worker_take_back (MaltWorker *self)
{
  MaltWorkerPrivate *priv = malt_worker_get_private (self);
  g_autoptr (GPtrArray) requests = g_ptr_array_new_with_free_func (g_object_unref);
  GList *link;
  guint i;

  g_mutex_lock (&priv->calls_lock);
  for (link = priv->calls.head; link != NULL; link = link->next)
    {
      MaltCall *call = link->data;

      if (call->may_be_taken_back && call->request != NULL && call->fate == MALT_CALL_GOES_ON)
        g_ptr_array_add (requests, g_object_ref (call->request));
    }
  g_mutex_unlock (&priv->calls_lock);

  for (i = 0; i < requests->len; i++)
    MALT_WORKER_GET_CLASS (self)->take_back (self, g_ptr_array_index (requests, i));
}

/* Starting, for the launcher. */

static void
set_running (MaltWorker *self)
{
  MaltWorkerPrivate *priv = malt_worker_get_private (self);
  gboolean has_exports;

  g_mutex_lock (&priv->calls_lock);
  if (priv->state == MALT_WORKER_STARTING)
    g_atomic_int_set (&priv->state, MALT_WORKER_RUNNING);
  has_exports = priv->exports != NULL;
  g_mutex_unlock (&priv->calls_lock);

  if (has_exports || malt_launcher_get_stdout (priv->launcher) == MALT_OUTPUT_SIGNAL ||
      malt_launcher_get_stderr (priv->launcher) == MALT_OUTPUT_SIGNAL)
    malt_worker_begin_listening (self);
}

static int
timeout_of_start (MaltWorker *self)
{
  MaltWorkerPrivate *priv = malt_worker_get_private (self);
  int timeout_msec = malt_launcher_get_start_timeout (priv->launcher);

  return timeout_msec < 0 ? MALT_TIMEOUT_NONE : timeout_msec;
}

gboolean
malt_worker_start_blocking (MaltWorker    *self,
                            GCancellable  *cancellable,
                            GError       **error)
{
  g_autoptr (GVariant) value = NULL;

  value = malt_worker_run_blocking (self, malt_request_new_start (), timeout_of_start (self), NULL,
                                    cancellable, error);
  if (value != NULL)
    set_running (self);

  return value != NULL;
}

void
malt_worker_start_async (MaltWorker          *self,
                         GCancellable        *cancellable,
                         GAsyncReadyCallback  callback,
                         gpointer             user_data)
{
  malt_worker_run_async (self, malt_request_new_start (), timeout_of_start (self), cancellable,
                         malt_worker_start_async, callback, user_data, NULL);
}

gboolean
malt_worker_start_finish (MaltWorker    *self,
                          GAsyncResult  *result,
                          GError       **error)
{
  g_autoptr (GVariant) value = malt_result_finish (result, self, error);

  if (value != NULL)
    set_running (self);

  return value != NULL;
}

/**
 * malt_worker_remote_call_fetch:
 * @self: a worker
 * @function: the name of the function, as the worker's runtime spells it, for instance
 *   `"math.sqrt"`
 * @arguments: (nullable): the positional arguments, a tuple; if it is floating, it is
 *   taken.  %NULL for none
 * @keywords: (nullable): the keyword arguments, an `a{sv}`; if it is floating, it is
 *   taken.  %NULL for none
 * @timeout_msec: the deadline in milliseconds, `MALT_TIMEOUT_DEFAULT` or
 *   `MALT_TIMEOUT_NONE`
 * @cancellable: (nullable): makes the call climb the ladder
 * @error: return location for an error
 *
 * Calls a function in the worker and gives its value.
 *
 * Blocks the calling thread.  It needs no main loop, and runs none.
 *
 * Cancelling, and the deadline, withdraw the request if it has not started; else they
 * ask the code to give up, interrupt it, and at last kill the worker (only if
 * [property@Malt.Launcher:kill-on-timeout] allows it) or let the caller go.  The error,
 * `G_IO_ERROR_CANCELLED` or `MALT_ERROR_TIMEOUT`, says how far it went.
 *
 * Fails with `MALT_ERROR_REMOTE` if the code raises an exception,
 * `MALT_ERROR_INTERRUPTED`, `MALT_ERROR_TERMINATED` if the worker has ended or ends
 * meanwhile, `MALT_ERROR_SERIALIZATION` if a value cannot cross,
 * `MALT_ERROR_NOT_FOUND`, `MALT_ERROR_NOT_SUPPORTED`, `MALT_ERROR_PROTOCOL`, or
 * `G_IO_ERROR_INVALID_ARGUMENT` before anything is sent.
 *
 * Returns: (transfer full): the value, `mv` nothing where there is none; or %NULL with
 *   @error set
 *
 * Since: 1.0
 */
GVariant *
malt_worker_remote_call_fetch (MaltWorker    *self,
                               const char    *function,
                               GVariant      *arguments,
                               GVariant      *keywords,
                               int            timeout_msec,
                               GCancellable  *cancellable,
                               GError       **error)
{
  g_return_val_if_fail (MALT_IS_WORKER (self), NULL);
  g_return_val_if_fail (function != NULL, NULL);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  return submit_blocking (self, malt_worker_new_call (function, arguments, keywords, MALT_REQUEST_FLAGS_NONE, error),
                          timeout_msec, cancellable, error);
}

/**
 * malt_worker_remote_call_wait:
 * @self: a worker
 * @function: the name of the function, as the worker's runtime spells it, for instance
 *   `"math.sqrt"`
 * @arguments: (nullable): the positional arguments, a tuple; if it is floating, it is
 *   taken.  %NULL for none
 * @keywords: (nullable): the keyword arguments, an `a{sv}`; if it is floating, it is
 *   taken.  %NULL for none
 * @timeout_msec: the deadline in milliseconds, `MALT_TIMEOUT_DEFAULT` or
 *   `MALT_TIMEOUT_NONE`
 * @cancellable: (nullable): makes the call climb the ladder
 * @error: return location for an error
 *
 * Calls a function in the worker and waits for it to end.  A value, if there is
 * one, stays in the worker and need not be convertible.
 *
 * Blocks the calling thread.  It needs no main loop, and runs none.
 *
 * Cancelling, and the deadline, withdraw the request if it has not started; else they
 * ask the code to give up, interrupt it, and at last kill the worker (only if
 * [property@Malt.Launcher:kill-on-timeout] allows it) or let the caller go.  The error,
 * `G_IO_ERROR_CANCELLED` or `MALT_ERROR_TIMEOUT`, says how far it went.
 *
 * Fails with `MALT_ERROR_REMOTE` if the code raises an exception,
 * `MALT_ERROR_INTERRUPTED`, `MALT_ERROR_TERMINATED` if the worker has ended or ends
 * meanwhile, `MALT_ERROR_SERIALIZATION` if a value cannot cross,
 * `MALT_ERROR_NOT_FOUND`, `MALT_ERROR_NOT_SUPPORTED`, `MALT_ERROR_PROTOCOL`, or
 * `G_IO_ERROR_INVALID_ARGUMENT` before anything is sent.
 *
 * Returns: whether it went well; if not, @error is set
 *
 * Since: 1.0
 */
gboolean
malt_worker_remote_call_wait (MaltWorker    *self,
                              const char    *function,
                              GVariant      *arguments,
                              GVariant      *keywords,
                              int            timeout_msec,
                              GCancellable  *cancellable,
                              GError       **error)
{
  g_autoptr (GVariant) value = NULL;

  g_return_val_if_fail (MALT_IS_WORKER (self), FALSE);
  g_return_val_if_fail (function != NULL, FALSE);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  value = submit_blocking (self, malt_worker_new_call (function, arguments, keywords, MALT_REQUEST_FLAGS_NO_VALUE, error),
                           timeout_msec, cancellable, error);

  return value != NULL;
}

/**
 * malt_worker_remote_call_async:
 * @self: a worker
 * @function: the name of the function, as the worker's runtime spells it, for instance
 *   `"math.sqrt"`
 * @arguments: (nullable): the positional arguments, a tuple; if it is floating, it is
 *   taken.  %NULL for none
 * @keywords: (nullable): the keyword arguments, an `a{sv}`; if it is floating, it is
 *   taken.  %NULL for none
 * @timeout_msec: the deadline in milliseconds, `MALT_TIMEOUT_DEFAULT` or
 *   `MALT_TIMEOUT_NONE`
 * @cancellable: (nullable): makes the call climb the ladder
 * @callback: (scope async): called when the result is there, in the thread-default main
 *   context of the calling thread
 * @user_data: data for @callback
 *
 * Calls a function in the worker; the value comes with
 * [method@Malt.Worker.remote_call_finish].
 *
 * Does not block.
 *
 * Cancelling, and the deadline, withdraw the request if it has not started; else they
 * ask the code to give up, interrupt it, and at last kill the worker (only if
 * [property@Malt.Launcher:kill-on-timeout] allows it) or let the caller go.  The error,
 * `G_IO_ERROR_CANCELLED` or `MALT_ERROR_TIMEOUT`, says how far it went.
 *
 * Fails with `MALT_ERROR_REMOTE` if the code raises an exception,
 * `MALT_ERROR_INTERRUPTED`, `MALT_ERROR_TERMINATED` if the worker has ended or ends
 * meanwhile, `MALT_ERROR_SERIALIZATION` if a value cannot cross,
 * `MALT_ERROR_NOT_FOUND`, `MALT_ERROR_NOT_SUPPORTED`, `MALT_ERROR_PROTOCOL`, or
 * `G_IO_ERROR_INVALID_ARGUMENT` before anything is sent.
 *
 * Since: 1.0
 */
void
malt_worker_remote_call_async (MaltWorker          *self,
                               const char          *function,
                               GVariant            *arguments,
                               GVariant            *keywords,
                               int                  timeout_msec,
                               GCancellable        *cancellable,
                               GAsyncReadyCallback  callback,
                               gpointer             user_data)
{
  GError *error = NULL;
  MaltRequest *request;

  g_return_if_fail (MALT_IS_WORKER (self));
  g_return_if_fail (function != NULL);
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  request = malt_worker_new_call (function, arguments, keywords, MALT_REQUEST_FLAGS_NONE, &error);
  malt_worker_run_async (self, request, malt_worker_timeout_of_call (self, timeout_msec), cancellable,
                         malt_worker_remote_call_async, callback, user_data, error);
}

/**
 * malt_worker_remote_call_finish:
 * @self: a worker
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Gets what came of [method@Malt.Worker.remote_call_async], which tells what the errors
 * are.
 *
 * Returns: (transfer full): the value, `mv` nothing where there is none; or %NULL with
 *   @error set
 *
 * Since: 1.0
 */
GVariant *
malt_worker_remote_call_finish (MaltWorker    *self,
                                GAsyncResult  *result,
                                GError       **error)
{
  g_return_val_if_fail (MALT_IS_WORKER (self), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  return malt_result_finish (result, self, error);
}

/**
 * malt_worker_remote_do:
 * @self: a worker
 * @function: the name of the function, as the worker's runtime spells it, for instance
 *   `"math.sqrt"`
 * @arguments: (nullable): the positional arguments, a tuple; if it is floating, it is
 *   taken.  %NULL for none
 * @keywords: (nullable): the keyword arguments, an `a{sv}`; if it is floating, it is
 *   taken.  %NULL for none
 * @error: return location for an error
 *
 * Has a function called in the worker, and does not care what comes of it.  What it
 * raises is printed by the worker.
 *
 * Does not block.
 *
 * Fails with what can be known at once: `MALT_ERROR_TERMINATED`,
 * `MALT_ERROR_SERIALIZATION`, `G_IO_ERROR_INVALID_ARGUMENT`.
 *
 * Returns: whether it is on its way; if not, @error is set
 *
 * Since: 1.0
 */
gboolean
malt_worker_remote_do (MaltWorker  *self,
                       const char  *function,
                       GVariant    *arguments,
                       GVariant    *keywords,
                       GError     **error)
{
  MaltWorkerPrivate *priv = malt_worker_get_private (self);
  MaltRequest *request;

  g_return_val_if_fail (MALT_IS_WORKER (self), FALSE);
  g_return_val_if_fail (function != NULL, FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  if (MALT_WORKER_GET_CLASS (self)->post != NULL && g_atomic_int_get (&priv->state) == MALT_WORKER_RUNNING)
    return post (self, function, arguments, keywords, error);

  request = malt_worker_new_call (function, arguments, keywords, MALT_REQUEST_FLAGS_NO_REPLY, error);

  return request != NULL && run_unheard (self, request, error);
}

/**
 * malt_worker_remote_eval_fetch:
 * @self: a worker
 * @module: (nullable): the namespace to evaluate in, made when it is first named, or
 *   %NULL for the main one
 * @source: the source, in the worker's language
 * @timeout_msec: the deadline in milliseconds, `MALT_TIMEOUT_DEFAULT` or
 *   `MALT_TIMEOUT_NONE`
 * @cancellable: (nullable): makes the call climb the ladder
 * @error: return location for an error
 *
 * Evaluates source in the worker and gives its value.
 *
 * Blocks the calling thread.  It needs no main loop, and runs none.
 *
 * Cancelling, and the deadline, withdraw the request if it has not started; else they
 * ask the code to give up, interrupt it, and at last kill the worker (only if
 * [property@Malt.Launcher:kill-on-timeout] allows it) or let the caller go.  The error,
 * `G_IO_ERROR_CANCELLED` or `MALT_ERROR_TIMEOUT`, says how far it went.
 *
 * Fails with `MALT_ERROR_REMOTE` if the code raises an exception,
 * `MALT_ERROR_INTERRUPTED`, `MALT_ERROR_TERMINATED` if the worker has ended or ends
 * meanwhile, `MALT_ERROR_SERIALIZATION` if a value cannot cross,
 * `MALT_ERROR_NOT_FOUND`, `MALT_ERROR_NOT_SUPPORTED`, `MALT_ERROR_PROTOCOL`, or
 * `G_IO_ERROR_INVALID_ARGUMENT` before anything is sent.
 *
 * Returns: (transfer full): the value, `mv` nothing where there is none; or %NULL with
 *   @error set
 *
 * Since: 1.0
 */
GVariant *
malt_worker_remote_eval_fetch (MaltWorker    *self,
                               const char    *module,
                               const char    *source,
                               int            timeout_msec,
                               GCancellable  *cancellable,
                               GError       **error)
{
  g_return_val_if_fail (MALT_IS_WORKER (self), NULL);
  g_return_val_if_fail (source != NULL, NULL);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  return submit_blocking (self, malt_worker_new_eval (module, source, MALT_REQUEST_FLAGS_NONE, error),
                          timeout_msec, cancellable, error);
}

/**
 * malt_worker_remote_eval_wait:
 * @self: a worker
 * @module: (nullable): the namespace to evaluate in, made when it is first named, or
 *   %NULL for the main one
 * @source: the source, in the worker's language
 * @timeout_msec: the deadline in milliseconds, `MALT_TIMEOUT_DEFAULT` or
 *   `MALT_TIMEOUT_NONE`
 * @cancellable: (nullable): makes the call climb the ladder
 * @error: return location for an error
 *
 * Evaluates source in the worker and waits for it to end.  A value, if there is
 * one, stays in the worker and need not be convertible.
 *
 * Blocks the calling thread.  It needs no main loop, and runs none.
 *
 * Cancelling, and the deadline, withdraw the request if it has not started; else they
 * ask the code to give up, interrupt it, and at last kill the worker (only if
 * [property@Malt.Launcher:kill-on-timeout] allows it) or let the caller go.  The error,
 * `G_IO_ERROR_CANCELLED` or `MALT_ERROR_TIMEOUT`, says how far it went.
 *
 * Fails with `MALT_ERROR_REMOTE` if the code raises an exception,
 * `MALT_ERROR_INTERRUPTED`, `MALT_ERROR_TERMINATED` if the worker has ended or ends
 * meanwhile, `MALT_ERROR_SERIALIZATION` if a value cannot cross,
 * `MALT_ERROR_NOT_FOUND`, `MALT_ERROR_NOT_SUPPORTED`, `MALT_ERROR_PROTOCOL`, or
 * `G_IO_ERROR_INVALID_ARGUMENT` before anything is sent.
 *
 * Returns: whether it went well; if not, @error is set
 *
 * Since: 1.0
 */
gboolean
malt_worker_remote_eval_wait (MaltWorker    *self,
                              const char    *module,
                              const char    *source,
                              int            timeout_msec,
                              GCancellable  *cancellable,
                              GError       **error)
{
  g_autoptr (GVariant) value = NULL;

  g_return_val_if_fail (MALT_IS_WORKER (self), FALSE);
  g_return_val_if_fail (source != NULL, FALSE);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  value = submit_blocking (self, malt_worker_new_eval (module, source, MALT_REQUEST_FLAGS_NO_VALUE, error),
                           timeout_msec, cancellable, error);

  return value != NULL;
}

/**
 * malt_worker_remote_eval_async:
 * @self: a worker
 * @module: (nullable): the namespace to evaluate in, made when it is first named, or
 *   %NULL for the main one
 * @source: the source, in the worker's language
 * @timeout_msec: the deadline in milliseconds, `MALT_TIMEOUT_DEFAULT` or
 *   `MALT_TIMEOUT_NONE`
 * @cancellable: (nullable): makes the call climb the ladder
 * @callback: (scope async): called when the result is there, in the thread-default main
 *   context of the calling thread
 * @user_data: data for @callback
 *
 * Evaluates source in the worker; the value comes with
 * [method@Malt.Worker.remote_eval_finish].
 *
 * Does not block.
 *
 * Cancelling, and the deadline, withdraw the request if it has not started; else they
 * ask the code to give up, interrupt it, and at last kill the worker (only if
 * [property@Malt.Launcher:kill-on-timeout] allows it) or let the caller go.  The error,
 * `G_IO_ERROR_CANCELLED` or `MALT_ERROR_TIMEOUT`, says how far it went.
 *
 * Fails with `MALT_ERROR_REMOTE` if the code raises an exception,
 * `MALT_ERROR_INTERRUPTED`, `MALT_ERROR_TERMINATED` if the worker has ended or ends
 * meanwhile, `MALT_ERROR_SERIALIZATION` if a value cannot cross,
 * `MALT_ERROR_NOT_FOUND`, `MALT_ERROR_NOT_SUPPORTED`, `MALT_ERROR_PROTOCOL`, or
 * `G_IO_ERROR_INVALID_ARGUMENT` before anything is sent.
 *
 * Since: 1.0
 */
void
malt_worker_remote_eval_async (MaltWorker          *self,
                               const char          *module,
                               const char          *source,
                               int                  timeout_msec,
                               GCancellable        *cancellable,
                               GAsyncReadyCallback  callback,
                               gpointer             user_data)
{
  GError *error = NULL;
  MaltRequest *request;

  g_return_if_fail (MALT_IS_WORKER (self));
  g_return_if_fail (source != NULL);
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  request = malt_worker_new_eval (module, source, MALT_REQUEST_FLAGS_NONE, &error);
  malt_worker_run_async (self, request, malt_worker_timeout_of_call (self, timeout_msec), cancellable,
                         malt_worker_remote_eval_async, callback, user_data, error);
}

/**
 * malt_worker_remote_eval_finish:
 * @self: a worker
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Gets what came of [method@Malt.Worker.remote_eval_async], which tells what the errors
 * are.
 *
 * Returns: (transfer full): the value, `mv` nothing where there is none; or %NULL with
 *   @error set
 *
 * Since: 1.0
 */
GVariant *
malt_worker_remote_eval_finish (MaltWorker    *self,
                                GAsyncResult  *result,
                                GError       **error)
{
  g_return_val_if_fail (MALT_IS_WORKER (self), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  return malt_result_finish (result, self, error);
}

/**
 * malt_worker_new_buffer: (skip)
 * @self: a worker
 * @size: how many bytes
 * @data: (out) (not nullable): where they can be written
 *
 * Makes room for an array of numbers that will be an argument of calls to this worker, where
 * it can be sent without being copied: in memory that is shared with the worker, if the
 * backend has such memory and there is room, else in the program's own.  Does not block.
 *
 * ```c
 * GBytes *bytes = malt_worker_new_buffer (worker, n * sizeof (double), &data);
 *
 * fill (data, n);
 * array = g_variant_new_from_bytes (G_VARIANT_TYPE ("ad"), bytes, TRUE);
 * value = malt_worker_remote_call_fetch (worker, "sum", g_variant_new_tuple (&array, 1), …
 * ```
 *
 * What saves the copy is that the array is the only argument.  It can be sent several times,
 * and to other workers, for which it is copied.  Once it was sent the bytes should not be
 * written any more, as the worker may be reading them.  They hold anything at first.
 *
 * Returns: (transfer full): the bytes, 8-aligned, which stay when the worker has ended
 *
 * Since: 1.0
 */
GBytes *
malt_worker_new_buffer (MaltWorker *self,
                        gsize       size,
                        gpointer   *data)
{
  MaltWorkerPrivate *priv;
  MaltWorkerClass *klass;
  GBytes *bytes = NULL;

  g_return_val_if_fail (MALT_IS_WORKER (self), NULL);
  g_return_val_if_fail (data != NULL, NULL);

  priv = malt_worker_get_private (self);
  klass = MALT_WORKER_GET_CLASS (self);
  if (klass->new_buffer != NULL && g_atomic_int_get (&priv->state) == MALT_WORKER_RUNNING)
    bytes = klass->new_buffer (self, size, data);
  if (bytes != NULL)
    return bytes;

  *data = g_malloc (MAX (size, 1));
  return g_bytes_new_take (*data, size);
}
