/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-pool-private.h"

/* Those who wait for something else than a call: for room in the queue, or for the end of
 * a pool that is shut down. */
struct _MaltPoolWaiter
{
  gatomicrefcount  ref_count;

  /* Immutable. */
  MaltPoolWaitFor  what;
  MaltPoolCore    *core;
  GCancellable    *cancellable;
  gulong           cancelled_id;
  MaltResult      *result;         /* owned; of one that does not block, until it returns */
  MaltDelivery     delivery;

  /* Guarded by the core's lock. */
  gboolean         is_listed;
  gboolean         is_done;
  gboolean         is_cancelled;
  GCond            cond;           /* of one that blocks */
};

static MaltPoolWaiter *
waiter_ref (MaltPoolWaiter *self)
{
  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

static void
waiter_unref (MaltPoolWaiter *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;

  g_assert (self->result == NULL);
  g_assert (!self->is_listed);
  g_clear_object (&self->cancellable);
  g_cond_clear (&self->cond);
  malt_pool_core_unref (self->core);
  g_free (self);
}

static gboolean
is_over_locked (MaltPoolWaiter *self)
{
  MaltPoolCore *core = self->core;

  switch (self->what)
    {
    case MALT_POOL_WAITS_FOR_ROOM:
      return core->state != MALT_POOL_OPEN || core->n_jobs_queued < core->options.queue_length;
    case MALT_POOL_WAITS_FOR_END:
    default:
      return core->state == MALT_POOL_CLOSED;
    }
}

/* What has come of it, once it is done. */
static gboolean
report (MaltPoolWaiter  *self,
        GError         **error)
{
  MaltPoolCore *core = self->core;
  GError *own = NULL;

  g_mutex_lock (&core->lock);
  if (self->is_cancelled)
    g_set_error_literal (&own, G_IO_ERROR, G_IO_ERROR_CANCELLED, "the wait for the pool was cancelled");
  else if (self->what == MALT_POOL_WAITS_FOR_ROOM && core->state != MALT_POOL_OPEN)
    own = malt_pool_core_new_closed_error (core);
  else if (self->what == MALT_POOL_WAITS_FOR_END && core->stop_error != NULL)
    own = g_error_copy (core->stop_error);
  g_mutex_unlock (&core->lock);

  if (own != NULL)
    g_propagate_error (error, own);
  return own == NULL;
}

static void
unlist_locked (MaltPoolWaiter *self)
{
  self->is_listed = FALSE;
  self->is_done = TRUE;
  g_cond_signal (&self->cond);
  malt_pool_home_wake_locked (self->core);
}

/* Something has changed: finds out who waits no more. */
void
malt_pool_waiter_look_locked (MaltPoolCore    *core,
                              MaltPoolActions *actions)
{
  GList *link, *next;

  for (link = core->waiters.head; link != NULL; link = next)
    {
      MaltPoolWaiter *self = link->data;

      next = link->next;
      if (!is_over_locked (self))
        continue;
      g_queue_delete_link (&core->waiters, link);
      unlist_locked (self);
      g_queue_push_tail (&actions->tell, self);
    }
}

static void
return_result (MaltDelivery *delivery)
{
  MaltPoolWaiter *self = (MaltPoolWaiter *) ((char *) delivery - G_STRUCT_OFFSET (MaltPoolWaiter, delivery));
  GError *error = NULL;
  gboolean went_well = report (self, &error);

  if (self->cancelled_id != 0)
    g_cancellable_disconnect (self->cancellable, self->cancelled_id);
  malt_result_return (g_steal_pointer (&self->result),
                      went_well ? g_variant_ref_sink (g_variant_new_boolean (TRUE)) : NULL, error);
  waiter_unref (self);
}

/* Tells one that was found.  Takes it. */
void
malt_pool_waiter_tell (MaltPoolWaiter *self)
{
  if (self->result == NULL)
    {
      waiter_unref (self);
      return;
    }

  self->delivery.func = return_result;
  malt_deliver (&self->delivery, malt_result_get_context (self->result));
}

static gboolean
cancelled_on_pool_cb (gpointer user_data)
{
  MaltPoolWaiter *self = user_data;
  MaltPoolCore *core = self->core;
  gboolean was_listed;

  g_mutex_lock (&core->lock);
  was_listed = self->is_listed;
  if (was_listed)
    {
      self->is_cancelled = TRUE;
      g_queue_remove (&core->waiters, self);
      unlist_locked (self);
    }
  g_mutex_unlock (&core->lock);

  if (was_listed)
    malt_pool_waiter_tell (self);
  return G_SOURCE_REMOVE;
}

/* In whatever thread cancels; it may not do more than pass that on. */
static void
cancelled_cb (GCancellable *cancellable,
              gpointer      user_data)
{
  malt_pool_invoke (malt_pool_get_context (), cancelled_on_pool_cb, waiter_ref (user_data),
                    (GDestroyNotify) waiter_unref);
}

/* Begins to wait; there is a reference for the caller.  Takes the result. */
static MaltPoolWaiter *
waiter_begin (MaltPoolCore    *core,
              MaltPoolWaitFor  what,
              GCancellable    *cancellable,
              MaltResult      *result)
{
  MaltPoolWaiter *self = g_new0 (MaltPoolWaiter, 1);
  gboolean is_done;

  g_atomic_ref_count_init (&self->ref_count);
  self->what = what;
  self->core = malt_pool_core_ref (core);
  self->result = result;
  g_cond_init (&self->cond);
  g_set_object (&self->cancellable, cancellable);
  if (cancellable != NULL)
    self->cancelled_id = g_cancellable_connect (cancellable, G_CALLBACK (cancelled_cb), waiter_ref (self),
                                                (GDestroyNotify) waiter_unref);

  /* Who cancels has said so before the handler looks for it in the list. */
  g_mutex_lock (&core->lock);
  self->is_cancelled = g_cancellable_is_cancelled (cancellable);
  is_done = self->is_done = self->is_cancelled || is_over_locked (self);
  self->is_listed = !is_done;
  if (!is_done)
    g_queue_push_tail (&core->waiters, waiter_ref (self));
  g_mutex_unlock (&core->lock);

  if (is_done && result != NULL)
    malt_pool_waiter_tell (waiter_ref (self));
  return self;
}

/* Blocks until it is over. */
gboolean
malt_pool_waiter_run (MaltPoolCore     *core,
                      MaltPoolWaitFor   what,
                      GCancellable     *cancellable,
                      GError          **error)
{
  MaltPoolBlocked *blocked = malt_pool_home_begin_blocking (core, 0);
  MaltPoolWaiter *self = waiter_begin (core, what, cancellable, NULL);
  gboolean went_well;

  g_mutex_lock (&core->lock);
  while (!self->is_done)
    {
      if (blocked == NULL)
        g_cond_wait (&self->cond, &core->lock);
      else
        malt_pool_home_wait (blocked, &core->lock);
    }
  g_mutex_unlock (&core->lock);
  malt_pool_home_end_blocking (core, blocked);

  if (self->cancelled_id != 0)
    g_cancellable_disconnect (cancellable, self->cancelled_id);
  went_well = report (self, error);
  waiter_unref (self);

  return went_well;
}

/* Returns the result when it is over.  Takes the result. */
void
malt_pool_waiter_run_async (MaltPoolCore    *core,
                            MaltPoolWaitFor  what,
                            GCancellable    *cancellable,
                            MaltResult      *result)
{
  waiter_unref (waiter_begin (core, what, cancellable, result));
}
