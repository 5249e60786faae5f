/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-pending.h"

#include "malt-pool-private.h"
#include "malt-request-private.h"

/* Calls for bindings whose languages have futures.
 *
 * Mostly nobody waits for such a call just then, so it is read for in a context of the binding's
 * that is run always, and told of there.  But a thread may come to wait for it.  To have that
 * sleep until another one has read the answer and woken it would take a hundred times as long as
 * the call: so it joins the call, takes the reader's role as a blocking call does, and is told
 * itself. */
struct _MaltPending
{
  gatomicrefcount  ref_count;

  /* Immutable once it has begun. */
  MaltPendingFunc  func;
  gpointer         user_data;
  MaltCall        *call;      /* owned, of a worker; NULL if it has not begun, as the other */
  MaltPoolJob     *job;       /* owned, of a pool */
};

static MaltPending *
malt_pending_new (MaltPendingFunc func,
                  gpointer        user_data)
{
  MaltPending *self = g_new0 (MaltPending, 1);

  g_atomic_ref_count_init (&self->ref_count);
  self->func = func;
  self->user_data = user_data;

  return self;
}

/**
 * malt_pending_ref: (skip)
 * @self: a call that goes on
 *
 * Adds a reference.
 *
 * Returns: @self
 *
 * Since: 1.0
 */
MaltPending *
malt_pending_ref (MaltPending *self)
{
  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

/**
 * malt_pending_unref: (skip)
 * @self: a call that goes on
 *
 * Drops a reference.  The call goes on, and its function is told of it all the same.
 *
 * Since: 1.0
 */
void
malt_pending_unref (MaltPending *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;

  g_clear_pointer (&self->call, malt_call_unref);
  g_clear_pointer (&self->job, malt_pool_job_unref);
  g_free (self);
}

/* Of workers. */

static void
call_ended (MaltCall *call)
{
  MaltPending *self = call->owner;
  GError *error = NULL;
  GVariant *value = malt_call_propagate (call, &error);

  malt_call_unref (call);
  self->func (value, error, self->user_data);
  malt_pending_unref (self);
}

/* Takes the request; or the error that there is instead of one. */
static MaltPending *
begin_request (MaltWorker      *worker,
               MaltRequest     *request,
               int              timeout_msec,
               GCancellable    *cancellable,
               GMainContext    *context,
               MaltPendingFunc  func,
               gpointer         user_data,
               GError          *error)
{
  MaltPending *self = malt_pending_new (func, user_data);

  if (error == NULL && !g_cancellable_set_error_if_cancelled (cancellable, &error))
    {
      MaltCall *call = malt_worker_new_owned_call (worker, request, malt_worker_timeout_of_call (worker, timeout_msec),
                                                   cancellable, context, call_ended, malt_pending_ref (self));

      self->call = malt_call_ref (call);
      if (!malt_worker_begin_owned_call (call, g_steal_pointer (&request), &error))
        {
          g_clear_pointer (&self->call, malt_call_unref);
          malt_pending_unref (self);
        }
    }

  if (request != NULL)
    malt_request_release (request);
  if (error != NULL)
    func (NULL, error, user_data);
  return self;
}

/**
 * malt_worker_remote_call_begin: (skip)
 * @self: a worker
 * @function: the name of the function
 * @arguments: (nullable): the positional arguments, a tuple; if it is floating, it is taken
 * @keywords: (nullable): the keyword arguments, an `a{sv}`; if it is floating, it is taken
 * @flags: what is special about the call
 * @timeout_msec: the deadline in milliseconds, `MALT_TIMEOUT_DEFAULT` or `MALT_TIMEOUT_NONE`
 * @cancellable: (nullable): makes the call climb the ladder
 * @context: a main context that is run always, by a thread that does nothing else
 * @func: told once what came of it
 * @user_data: data for @func
 *
 * Calls a function in the worker, as [method@Malt.Worker.remote_call_async] does, for bindings
 * that make futures of calls.  Errors are those of that function, also where it fails at once.
 *
 * Does not block; on any thread.
 *
 * Returns: (transfer full): the call
 *
 * Since: 1.0
 */
MaltPending *
malt_worker_remote_call_begin (MaltWorker        *self,
                               const char        *function,
                               GVariant          *arguments,
                               GVariant          *keywords,
                               MaltRequestFlags   flags,
                               int                timeout_msec,
                               GCancellable      *cancellable,
                               GMainContext      *context,
                               MaltPendingFunc    func,
                               gpointer           user_data)
{
  GError *error = NULL;
  MaltRequest *request;

  g_return_val_if_fail (MALT_IS_WORKER (self), NULL);
  g_return_val_if_fail (function != NULL && context != NULL && func != NULL, NULL);

  request = malt_worker_new_call (function, arguments, keywords, flags, &error);
  return begin_request (self, request, timeout_msec, cancellable, context, func, user_data, error);
}

/**
 * malt_worker_remote_eval_begin: (skip)
 * @self: a worker
 * @module: (nullable): the module, or %NULL for the main namespace
 * @source: the source
 * @flags: what is special about the evaluation
 * @timeout_msec: the deadline in milliseconds, `MALT_TIMEOUT_DEFAULT` or `MALT_TIMEOUT_NONE`
 * @cancellable: (nullable): makes the evaluation climb the ladder
 * @context: a main context that is run always, by a thread that does nothing else
 * @func: told once what came of it
 * @user_data: data for @func
 *
 * Evaluates source in the worker, in the same way as [method@Malt.Worker.remote_call_begin]
 * calls a function.
 *
 * Returns: (transfer full): the evaluation
 *
 * Since: 1.0
 */
MaltPending *
malt_worker_remote_eval_begin (MaltWorker        *self,
                               const char        *module,
                               const char        *source,
                               MaltRequestFlags   flags,
                               int                timeout_msec,
                               GCancellable      *cancellable,
                               GMainContext      *context,
                               MaltPendingFunc    func,
                               gpointer           user_data)
{
  GError *error = NULL;
  MaltRequest *request;

  g_return_val_if_fail (MALT_IS_WORKER (self), NULL);
  g_return_val_if_fail (source != NULL && context != NULL && func != NULL, NULL);

  request = malt_worker_new_eval (module, source, flags, &error);
  return begin_request (self, request, timeout_msec, cancellable, context, func, user_data, error);
}

/* Of pools. */

static void
job_ended (MaltPoolJob *job,
           GVariant    *value,
           GError      *error,
           gpointer     user_data)
{
  MaltPending *self = user_data;

  self->func (value, error, self->user_data);
  malt_pool_job_unref (job);
  malt_pending_unref (self);
}

static MaltPending *
begin_job (MaltPool           *pool,
           const MaltPoolCall *call,
           int                 timeout_msec,
           GCancellable       *cancellable,
           GMainContext       *context,
           MaltPendingFunc     func,
           gpointer            user_data)
{
  MaltPending *self = malt_pending_new (func, user_data);
  MaltPoolCore *core = malt_pool_get_core (pool);
  GError *error = NULL;

  if (malt_pool_core_check_process (core, &error) && malt_pool_call_is_valid (call, &error))
    {
      self->job = malt_pool_job_new_joinable (core, call, timeout_msec, cancellable, context, job_ended,
                                              malt_pending_ref (self));
      malt_pool_job_begin_joinable (self->job);
    }
  else
    func (NULL, error, user_data);

  return self;
}

/**
 * malt_pool_remote_call_begin: (skip)
 * @self: a pool
 * @function: the name of the function
 * @arguments: (nullable): the positional arguments, a tuple; if it is floating, it is taken
 * @keywords: (nullable): the keyword arguments, an `a{sv}`; if it is floating, it is taken
 * @flags: what is special about the call
 * @timeout_msec: the deadline in milliseconds, `MALT_TIMEOUT_DEFAULT` or `MALT_TIMEOUT_NONE`
 * @cancellable: (nullable): takes the call out of the queue, or makes it climb the ladder
 * @context: a main context that is run always, by a thread that does nothing else
 * @func: told once what came of it
 * @user_data: data for @func
 *
 * Calls a function in one of the pool's workers, as [method@Malt.Pool.remote_call_async] does,
 * for bindings that make futures of calls.
 *
 * Does not block; on any thread.
 *
 * Returns: (transfer full): the call
 *
 * Since: 1.0
 */
MaltPending *
malt_pool_remote_call_begin (MaltPool          *self,
                             const char        *function,
                             GVariant          *arguments,
                             GVariant          *keywords,
                             MaltPoolCallFlags  flags,
                             int                timeout_msec,
                             GCancellable      *cancellable,
                             GMainContext      *context,
                             MaltPendingFunc    func,
                             gpointer           user_data)
{
  g_autoptr (GVariant) own_arguments = arguments != NULL ? g_variant_ref_sink (arguments) : NULL;
  g_autoptr (GVariant) own_keywords = keywords != NULL ? g_variant_ref_sink (keywords) : NULL;
  MaltPoolCall call = malt_pool_call_make (function, own_arguments, own_keywords, flags);

  g_return_val_if_fail (MALT_IS_POOL (self), NULL);
  g_return_val_if_fail (function != NULL && context != NULL && func != NULL, NULL);

  return begin_job (self, &call, timeout_msec, cancellable, context, func, user_data);
}

/**
 * malt_pool_remote_eval_begin: (skip)
 * @self: a pool
 * @module: (nullable): the module, or %NULL for the main namespace
 * @source: the source
 * @flags: what is special about the evaluation
 * @timeout_msec: the deadline in milliseconds, `MALT_TIMEOUT_DEFAULT` or `MALT_TIMEOUT_NONE`
 * @cancellable: (nullable): takes the evaluation out of the queue, or makes it climb the ladder
 * @context: a main context that is run always, by a thread that does nothing else
 * @func: told once what came of it
 * @user_data: data for @func
 *
 * Evaluates source in one of the pool's workers, in the same way as
 * [method@Malt.Pool.remote_call_begin] calls a function.
 *
 * Returns: (transfer full): the evaluation
 *
 * Since: 1.0
 */
MaltPending *
malt_pool_remote_eval_begin (MaltPool          *self,
                             const char        *module,
                             const char        *source,
                             MaltPoolCallFlags  flags,
                             int                timeout_msec,
                             GCancellable      *cancellable,
                             GMainContext      *context,
                             MaltPendingFunc    func,
                             gpointer           user_data)
{
  MaltPoolCall call = malt_pool_call_make_eval (module, source, flags);

  g_return_val_if_fail (MALT_IS_POOL (self), NULL);
  g_return_val_if_fail (source != NULL && context != NULL && func != NULL, NULL);

  return begin_job (self, &call, timeout_msec, cancellable, context, func, user_data);
}

/* Of both. */

/**
 * malt_pending_wait: (skip)
 * @self: a call that goes on
 * @deadline: a monotonic time until which to wait, or -1
 * @is_wanted: an atomic integer; the wait ends if it is not 0 and
 *   [method@Malt.Pending.wake] is called
 *
 * Waits until the call has ended and its function has been told on this thread, reading the
 * worker's answers meanwhile, those to others too.  The function of a pool's call that has a
 * cancellable is told in the context all the same, a little later.
 *
 * Blocks the calling thread; runs no main loop, and no foreign code.
 *
 * Returns: %FALSE if it did not wait: the call has ended and the function was told, or is told
 *   elsewhere; another thread waits for it; it waits for a worker of its pool; or its backend
 *   reads for itself
 *
 * Since: 1.0
 */
gboolean
malt_pending_wait (MaltPending *self,
                   gint64       deadline,
                   const gint  *is_wanted)
{
  g_autoptr (MaltCall) call = NULL;

  g_return_val_if_fail (self != NULL && is_wanted != NULL, FALSE);

  if (self->job != NULL)
    call = malt_pool_job_ref_call (self->job);
  else if (self->call != NULL)
    call = malt_call_ref (self->call);

  return call != NULL && malt_call_join (call, deadline, is_wanted);
}

/**
 * malt_pending_wake: (skip)
 * @self: a call that goes on
 *
 * Has a thread that is in [method@Malt.Pending.wait] look whether it is wanted elsewhere.
 *
 * Does not block; on any thread.
 *
 * Since: 1.0
 */
void
malt_pending_wake (MaltPending *self)
{
  g_autoptr (MaltCall) call = NULL;

  g_return_if_fail (self != NULL);

  if (self->job != NULL)
    call = malt_pool_job_ref_call (self->job);
  else if (self->call != NULL)
    call = malt_call_ref (self->call);
  if (call != NULL)
    malt_call_wake (call);
}

/**
 * malt_pending_cancel: (skip)
 * @self: a call that goes on
 *
 * Does what cancelling the cancellable of a call does.
 *
 * Does not block; on any thread.
 *
 * Since: 1.0
 */
void
malt_pending_cancel (MaltPending *self)
{
  g_return_if_fail (self != NULL);

  if (self->job != NULL)
    malt_pool_job_cancel (self->job);
  else if (self->call != NULL)
    malt_ladder_cancel (self->call);
}
