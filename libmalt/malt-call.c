/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-call.h"

#include "malt-debug.h"
#include "malt-error-private.h"
#include "malt-exit-info.h"
#include "malt-request-private.h"
#include "malt-worker-private.h"

/* One reference belongs to whoever made the call, and one to its request, as long as
 * that may still respond. */

/* @task is not set here: only an asynchronous call has one. */
MaltCall *
malt_call_new (MaltWorker   *worker,
               MaltRequest  *request,
               int           timeout_msec,
               GCancellable *cancellable)
{
  MaltCall *self = g_new0 (MaltCall, 1);

  g_atomic_ref_count_init (&self->ref_count);
  self->worker = g_object_ref (worker);
  self->kind = malt_request_get_kind (request);
  self->timeout_msec = timeout_msec;
  g_set_object (&self->cancellable, cancellable);
  self->link.data = self;
  self->deadline_link.data = self;
  g_cond_init (&self->done_cond);

  return self;
}

MaltCall *
malt_call_ref (MaltCall *self)
{
  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

void
malt_call_unref (MaltCall *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;

  g_assert (self->request == NULL);
  g_assert (self->rung_source == NULL);

  g_clear_object (&self->task);
  g_clear_object (&self->cancellable);
  g_clear_object (&self->worker);
  g_clear_pointer (&self->value, g_variant_unref);
  g_clear_error (&self->error);
  g_cond_clear (&self->done_cond);
  g_free (self);
}

/* Stores how the call ended and tells whoever waits for it.  Takes value and error, and
 * the request's reference to the call.  Without the lock. */
static void
malt_call_finish (MaltCall *self,
                  GVariant *value,
                  GError   *error)
{
  MaltWorkerPrivate *priv = malt_worker_get_private (self->worker);
  GTask *task = self->task;
  GMainContext *blocked;

  g_mutex_lock (&priv->calls_lock);
  self->value = value;
  self->error = error;
  self->done = TRUE;
  blocked = self->blocked != NULL ? g_main_context_ref (self->blocked) : NULL;
  if (self->is_awaited) /* GCond makes a system call even if nobody waits */
    g_cond_signal (&self->done_cond);
  g_mutex_unlock (&priv->calls_lock);

  if (blocked != NULL)
    {
      g_main_context_wakeup (blocked);
      g_main_context_unref (blocked);
    }

  /* The delivery takes over the reference. */
  if (task != NULL)
    malt_deliver (&self->delivery, g_task_get_context (task));
  else
    malt_call_unref (self);
}

static void
malt_call_respond (MaltRequest *request,
                   GVariant    *value,
                   GError      *error,
                   gpointer     user_data)
{
  MaltCall *self = user_data;
  MaltWorkerPrivate *priv = malt_worker_get_private (self->worker);
  gboolean on_ladder, stopping;

  g_mutex_lock (&priv->calls_lock);
  g_queue_unlink (&priv->calls, &self->link);
  self->request = NULL;
  g_mutex_unlock (&priv->calls_lock);

  malt_ladder_leave (self);

  g_mutex_lock (&priv->calls_lock);
  on_ladder = self->fate != MALT_CALL_GOES_ON;
  stopping = priv->state == MALT_WORKER_STOPPING;
  g_mutex_unlock (&priv->calls_lock);

  if (on_ladder)
    {
      error = malt_ladder_explain (self, error, malt_request_is_withdrawn (request));
      g_clear_pointer (&value, g_variant_unref);
    }
  else if (error != NULL)
    {
      g_autofree char *name = malt_worker_dup_name (self->worker);

      /* A worker that stops breaks off what it is doing, in whatever way; what the caller
       * should hear of is the stop. */
      if (stopping)
        {
          g_error_free (error);
          error = g_error_new (MALT_ERROR, MALT_ERROR_TERMINATED,
                               "%s was stopped while the call was under way", name);
        }
      else
        error = malt_error_with_worker (error, name);
    }

  MALT_DEBUG (CALL, "%p: %s", (gpointer) self, error != NULL ? error->message : "has its value");
  malt_call_finish (self, value, error);
}

/* Ends a call whose request is not done, and lets its caller go.  Takes the error, and
 * drops it if the call is ending on its own; a call on the ladder needs none.  On any
 * thread. */
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
  malt_call_ref (self);
  malt_call_finish (self, NULL, error);
  malt_worker_wake (self->worker, request);
  malt_call_unref (self);
}

/* Enters the call in its worker's list, so that it ends when the worker does.  Fails if
 * the worker has ended or is about to. */
gboolean
malt_call_begin (MaltCall     *self,
                 MaltRequest  *request,
                 GError      **error)
{
  MaltWorkerPrivate *priv = malt_worker_get_private (self->worker);
  MaltWorkerState wanted = self->kind == MALT_REQUEST_KIND_START ? MALT_WORKER_STARTING : MALT_WORKER_RUNNING;
  g_autoptr (MaltExitInfo) exit_info = NULL;
  g_autofree char *name = NULL;
  MaltWorkerState state;

  malt_request_set_responder (request, malt_call_respond, malt_call_ref (self));

  g_mutex_lock (&priv->calls_lock);
  state = priv->state;
  if (state == wanted)
    {
      self->request = request;
      g_queue_push_tail_link (&priv->calls, &self->link);
    }
  else
    g_set_object (&exit_info, priv->exit_info);
  g_mutex_unlock (&priv->calls_lock);

  if (state == wanted)
    {
      malt_ladder_enter (self);
      return TRUE;
    }

  malt_request_abandon (request);
  malt_call_unref (self);

  name = malt_worker_dup_name (self->worker);
  if (exit_info != NULL)
    g_propagate_error (error, malt_error_new_terminated (name, exit_info, FALSE));
  else
    g_set_error (error, MALT_ERROR, MALT_ERROR_TERMINATED, "%s is %s", name,
                 state == MALT_WORKER_STARTING ? "not yet started" : "stopping");
  return FALSE;
}

/* Blocks until the call is done. */
void
malt_call_wait (MaltCall *self)
{
  MaltWorkerPrivate *priv = malt_worker_get_private (self->worker);

  g_mutex_lock (&priv->calls_lock);
  while (!self->done)
    {
      self->is_awaited = TRUE;
      if (self->blocked == NULL)
        g_cond_wait (&self->done_cond, &priv->calls_lock);
      else
        {
          g_mutex_unlock (&priv->calls_lock);
          g_main_context_iteration (self->blocked, TRUE);
          g_mutex_lock (&priv->calls_lock);
        }
    }
  g_mutex_unlock (&priv->calls_lock);
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
