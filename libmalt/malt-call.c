/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-call.h"

#include "malt-debug.h"
#include "malt-errands.h"
#include "malt-error-private.h"
#include "malt-exit-info.h"
#include "malt-request-private.h"
#include "malt-spares.h"
#include "malt-worker-private.h"

/* A call belongs to whoever waits for it: a thread, which does not go before the call is
 * done; or, where nobody blocks, the call itself, and when it is done its delivery.  Others
 * have references of their own: the ladder, and what ends all calls of a worker, which finds
 * them in its list.
 *
 * A thread may come to wait for a call that is to be delivered in a context.  It then reads the
 * reply itself, as one that blocks does, and delivers the call itself if that ends meanwhile.
 *
 * The common call takes calls_lock twice, to begin and when it is done.  A thread that has
 * finished its own call, because it has read the reply itself, looks at it without. */

static __thread MaltSpares *spares;

/* What the thread has begun last: the number of the request, and its worker, which is only
 * compared. */
static __thread MaltWorker *last_worker;
static __thread guint64 last_id;

/* @context is that of an asynchronous call, and taken. */
MaltCall *
malt_call_new (MaltWorker   *worker,
               MaltRequest  *request,
               int           timeout_msec,
               GCancellable *cancellable,
               GMainContext *context)
{
  MaltCall *self = malt_spares_take (&spares);

  if (self == NULL)
    self = g_new (MaltCall, 1);

  *self = (MaltCall) {
    .ref_count = 1,
    .worker = g_object_ref (worker),
    .kind = malt_request_get_kind (request),
    .timeout_msec = timeout_msec,
    .context = context,
    .link.data = self,
    .deadline_link.data = self,
  };
  g_cond_init (&self->done_cond);
  g_set_object (&self->cancellable, cancellable);

  return self;
}

MaltCall *
malt_call_ref (MaltCall *self)
{
  g_atomic_int_inc (&self->ref_count);
  return self;
}

void
malt_call_unref (MaltCall *self)
{
  /* There is nobody to count with, mostly. */
  if (g_atomic_int_get (&self->ref_count) > 1 && !g_atomic_int_dec_and_test (&self->ref_count))
    return;

  g_assert (self->request == NULL);
  g_assert (self->rung_source == NULL);

  g_clear_pointer (&self->spent, malt_request_release);
  g_clear_object (&self->cancellable);
  g_clear_pointer (&self->context, g_main_context_unref);
  g_object_unref (self->worker);
  g_clear_pointer (&self->value, g_variant_unref);
  g_clear_object (&self->channel);
  g_clear_error (&self->error);
  g_cond_clear (&self->done_cond);
  if (!malt_spares_give (&spares, self, g_free))
    g_free (self);
}

/* Stores how the call ended and tells whoever waits for it.  Takes value and error.  With
 * the lock, which it gives back; afterwards the call may be gone. */
static void
malt_call_finish_and_unlock (MaltCall *self,
                             GVariant *value,
                             GError   *error)
{
  MaltWorkerPrivate *priv = malt_worker_get_private (self->worker);
  GMainContext *context = self->context;
  gboolean owns_itself = self->owns_itself;
  gboolean is_joined = self->is_joined;
  MaltWorker *left = NULL;
  GMainContext *blocked;

  self->value = value;
  self->error = error;
  blocked = self->blocked != NULL ? g_main_context_ref (self->blocked) : NULL;
  if (self->is_awaited) /* GCond makes a system call even if nobody waits */
    g_cond_signal (&self->done_cond);
  self->finisher = &spares;
  if (self->is_free && malt_errands_leave_locked (self))
    left = g_object_ref (self->worker);
  g_atomic_int_set (&self->done, TRUE);
  g_mutex_unlock (&priv->calls_lock);

  if (G_UNLIKELY (left != NULL))
    {
      malt_errands_pass_on (left);
      g_object_unref (left);
    }

  if (blocked != NULL)
    {
      g_main_context_wakeup (blocked);
      g_main_context_unref (blocked);
    }

  if (context != NULL && !is_joined) /* the delivery takes over the call */
    malt_deliver (&self->delivery, context);
  else if (owns_itself)
    malt_call_unref (self);
}

/* Says of which worker the error is.  Takes it. */
GError *
malt_call_explain (MaltWorker *worker,
                   GError     *error,
                   gboolean    stopping)
{
  g_autofree char *name = malt_worker_dup_name (worker);

  if (!stopping)
    return malt_error_with_worker (error, name);

  /* A worker that stops breaks off what it is doing, in whatever way; what the caller
   * should hear of is the stop. */
  g_error_free (error);
  return malt_error_new_stopped (name, "was stopped while the call was under way");
}

static void
malt_call_respond (MaltRequest *request,
                   GVariant    *value,
                   GError      *error,
                   gpointer     user_data)
{
  MaltCall *self = user_data;
  MaltWorkerPrivate *priv = malt_worker_get_private (self->worker);
  g_autoptr (GSource) rung_source = NULL;
  MaltRequest *spent = NULL;
  gboolean on_ladder, stopping;

  self->request_id = malt_request_get_id (request);
  self->is_withdrawn = malt_request_is_withdrawn (request);
  if (self->timeout_msec != MALT_TIMEOUT_NONE)
    malt_ladder_leave_deadline (self);
  if (self->keeps_request && !malt_request_is_disposing (request))
    spent = g_object_ref (request);
  if (G_UNLIKELY (self->kind == MALT_REQUEST_KIND_CHANNEL) && malt_request_get_channel (request) != NULL)
    {
      self->channel = g_object_ref (malt_request_get_channel (request));
      malt_worker_add_channel (self->worker, self->channel);
    }

  g_mutex_lock (&priv->calls_lock);
  g_queue_unlink (&priv->calls, &self->link);
  self->request = NULL;
  self->spent = spent;
  rung_source = g_steal_pointer (&self->rung_source);
  on_ladder = self->fate != MALT_CALL_GOES_ON;
  /* What it breaks off as it stops may come after its end. */
  stopping = priv->state == MALT_WORKER_STOPPING ||
             (priv->state == MALT_WORKER_STOPPED && g_error_matches (error, MALT_ERROR, MALT_ERROR_INTERRUPTED));

  if (on_ladder || error != NULL)
    {
      g_mutex_unlock (&priv->calls_lock);

      if (on_ladder)
        {
          error = malt_ladder_explain (self, error, malt_request_is_withdrawn (request));
          g_clear_pointer (&value, g_variant_unref);
        }
      else
        error = malt_call_explain (self->worker, error, stopping);

      g_mutex_lock (&priv->calls_lock);
    }

  MALT_DEBUG (CALL, "%p: %s", (gpointer) self, error != NULL ? error->message : "has its value");
  malt_call_finish_and_unlock (self, value, error);

  if (rung_source != NULL)
    g_source_destroy (rung_source);
}

/* Ends a call whose request is not done, and lets its caller go.  Takes the error, and
 * drops it if the call is ending on its own; a call on the ladder needs none.  On any
 * thread, with a reference. */
void
malt_call_abandon (MaltCall *self,
                   GError   *error)
{
  MaltWorkerPrivate *priv = malt_worker_get_private (self->worker);
  g_autoptr (MaltRequest) request = NULL;
  gboolean abandoned, on_ladder;

  /* The reference comes first: whoever has the request may drop it once it is done. */
  g_mutex_lock (&priv->calls_lock);
  g_set_object (&request, self->request);
  abandoned = request != NULL && malt_request_abandon (request);
  if (abandoned)
    {
      self->request = NULL;
      self->request_id = malt_request_get_id (request);
      g_queue_unlink (&priv->calls, &self->link);
    }
  on_ladder = self->fate != MALT_CALL_GOES_ON;
  g_mutex_unlock (&priv->calls_lock);

  if (!abandoned)
    {
      g_clear_error (&error);
      return;
    }

  if (on_ladder)
    error = malt_ladder_explain (self, error, FALSE);
  MALT_DEBUG (CALL, "%p: let go: %s", (gpointer) self, error->message);
  malt_ladder_leave (self);
  g_mutex_lock (&priv->calls_lock);
  malt_call_finish_and_unlock (self, NULL, error);
  malt_worker_wake (self->worker, request);
}

/* Enters the call in its worker's list, so that it ends when the worker does; it may have
 * ended before this returns, and be gone if nobody blocks in it.  Fails if the worker has ended
 * or is about to. */
gboolean
malt_call_begin (MaltCall     *self,
                 MaltRequest  *request,
                 GError      **error)
{
  MaltWorkerPrivate *priv = malt_worker_get_private (self->worker);
  MaltWorkerState wanted = self->kind == MALT_REQUEST_KIND_START ? MALT_WORKER_STARTING : MALT_WORKER_RUNNING;
  gboolean may_climb = self->cancellable != NULL || self->timeout_msec != MALT_TIMEOUT_NONE;
  g_autoptr (MaltExitInfo) exit_info = NULL;
  g_autofree char *name = NULL;
  MaltWorkerState state;

  if (!malt_worker_check_process (self->worker, error))
    {
      malt_request_abandon (request);
      return FALSE;
    }

  malt_request_set_responder (request, malt_call_respond, self);
  if (may_climb)
    malt_call_ref (self);

  g_mutex_lock (&priv->calls_lock);
  state = (MaltWorkerState) priv->state;
  if (state == wanted)
    {
      self->request = request;
      g_queue_push_tail_link (&priv->calls, &self->link);
      last_id = ++priv->last_id;
      malt_request_set_serial (request, last_id);
      if (self->thread != NULL)
        malt_errands_enter_locked (self);
    }
  else
    g_set_object (&exit_info, priv->exit_info);
  last_worker = state == wanted ? self->worker : NULL;
  g_mutex_unlock (&priv->calls_lock);

  if (state == wanted && may_climb)
    malt_ladder_enter (self);
  if (may_climb)
    malt_call_unref (self);
  if (state == wanted)
    return TRUE;

  malt_request_abandon (request);

  name = malt_worker_dup_name (self->worker);
  if (exit_info != NULL)
    g_propagate_error (error, malt_error_new_terminated (name, exit_info, FALSE));
  else if (state == MALT_WORKER_STARTING)
    g_set_error (error, MALT_ERROR, MALT_ERROR_TERMINATED, "%s is not yet started", name);
  else
    g_propagate_error (error, malt_error_new_stopped (name, "is stopping"));
  return FALSE;
}

/* The number of the request that this thread has begun last, if that was one of the
 * worker's. */
guint64
malt_call_get_last_id (MaltWorker *worker)
{
  return last_worker == worker ? last_id : 0;
}

MaltCallLast
malt_call_save_last (void)
{
  return (MaltCallLast) { last_worker, last_id };
}

void
malt_call_restore_last (MaltCallLast last)
{
  last_worker = last.worker;
  last_id = last.id;
}

/* Blocks until the call is done, and runs errands meanwhile. */
void
malt_call_wait (MaltCall *self)
{
  MaltWorkerPrivate *priv = malt_worker_get_private (self->worker);

  /* Another thread may still be giving the lock back, which goes with the worker. */
  if (g_atomic_int_get (&self->done) && self->finisher == &spares)
    return;

  g_mutex_lock (&priv->calls_lock);
  while (!g_atomic_int_get (&self->done))
    {
      if (malt_errands_are_due_locked (self))
        {
          g_mutex_unlock (&priv->calls_lock);
          malt_errands_run (self);
          g_mutex_lock (&priv->calls_lock);
          continue;
        }

      self->is_awaited = TRUE;
      if (self->blocked == NULL)
        g_cond_wait (&self->done_cond, &priv->calls_lock);
      else
        {
          g_mutex_unlock (&priv->calls_lock);
          malt_worker_class_run_blocked (MALT_WORKER_GET_CLASS (self->worker), self->blocked);
          g_mutex_lock (&priv->calls_lock);
        }
    }
  g_mutex_unlock (&priv->calls_lock);
}

/* Waits for a call that is delivered in a context, until it is done and was delivered on this
 * thread; or until the deadline, a monotonic time or -1, has passed, or @is_wanted was set and
 * malt_call_wake() called.  FALSE if somebody else waits for it, or its backend reads for
 * itself; then its delivery brings it sooner or later.  With a reference. */
gboolean
malt_call_join (MaltCall   *self,
                gint64      deadline,
                const gint *is_wanted)
{
  MaltWorkerPrivate *priv = malt_worker_get_private (self->worker);
  MaltWorkerClass *klass = MALT_WORKER_GET_CLASS (self->worker);
  MaltRequest *request = NULL;
  const gint *outer;
  gboolean is_over;

  if (klass->wait == NULL)
    return FALSE;

  g_mutex_lock (&priv->calls_lock);
  if (self->request != NULL && !self->is_joined)
    {
      self->is_joined = TRUE;
      request = g_object_ref (self->request);
    }
  g_mutex_unlock (&priv->calls_lock);
  if (request == NULL)
    return FALSE;

  outer = malt_errands_set_wanted (is_wanted);
  klass->wait (self->worker, request, deadline);
  malt_errands_set_wanted (outer);

  g_mutex_lock (&priv->calls_lock);
  /* Somebody else may just be telling of it. */
  while (malt_request_is_done (request) && !g_atomic_int_get (&self->done))
    {
      self->is_awaited = TRUE;
      g_cond_wait (&self->done_cond, &priv->calls_lock);
    }
  is_over = g_atomic_int_get (&self->done);
  self->is_joined = FALSE;
  g_mutex_unlock (&priv->calls_lock);

  malt_request_release (request);
  if (is_over)
    self->delivery.func (&self->delivery);

  return TRUE;
}

/* Has a thread look whether it is wanted that has joined the call.  On any thread, with a
 * reference. */
void
malt_call_wake (MaltCall *self)
{
  MaltWorkerPrivate *priv = malt_worker_get_private (self->worker);
  g_autoptr (MaltRequest) request = NULL;

  g_mutex_lock (&priv->calls_lock);
  if (self->is_joined)
    g_set_object (&request, self->request);
  g_mutex_unlock (&priv->calls_lock);

  if (request != NULL)
    malt_worker_wake (self->worker, request);
}

/* Hands out how the call ended.  Once it is done. */
GVariant *
malt_call_propagate (MaltCall  *self,
                     GError   **error)
{
  malt_ladder_forget (self);

  if (self->error != NULL)
    g_propagate_error (error, g_steal_pointer (&self->error));

  return g_steal_pointer (&self->value);
}
