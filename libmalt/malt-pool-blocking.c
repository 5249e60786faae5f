/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-pool-private.h"

#include "malt-request-private.h"

/* A call to a pool for which a thread waits: it makes the call itself, with a worker that it
 * takes or is handed. */

/* In whatever thread cancels. */
static void
wait_cancelled_cb (GCancellable *cancellable,
                   gpointer      user_data)
{
  gpointer *data = user_data;
  MaltPoolCore *core = data[0];
  MaltPoolEntry *entry = data[1];

  g_mutex_lock (&core->lock);
  entry->is_cancelled = TRUE;
  g_cond_signal (&entry->cond);
  malt_pool_home_wake_locked (core);
  g_mutex_unlock (&core->lock);
}

/* Waits in the queue until it is given a worker.  The entry is in the queue already. */
static MaltPoolMember *
wait_in_queue (MaltPoolCore   *core,
               MaltPoolEntry  *entry,
               int             timeout_msec,
               gint64          deadline,
               GCancellable   *cancellable,
               GError        **error)
{
  MaltPoolBlocked *blocked = malt_pool_home_begin_blocking (core, deadline);
  gpointer data[] = { core, entry };
  gboolean is_late = FALSE;
  gulong cancelled_id = 0;

  if (cancellable != NULL)
    cancelled_id = g_cancellable_connect (cancellable, G_CALLBACK (wait_cancelled_cb), data, NULL);

  g_mutex_lock (&core->lock);
  while (entry->member == NULL && entry->error == NULL && !entry->is_cancelled && !is_late)
    {
      if (blocked != NULL)
        {
          malt_pool_home_wait (blocked, &core->lock);
          is_late = deadline != 0 && g_get_monotonic_time () >= deadline;
        }
      else if (deadline == 0)
        g_cond_wait (&entry->cond, &core->lock);
      else
        is_late = !g_cond_wait_until (&entry->cond, &core->lock, deadline);
    }
  if (entry->is_queued)
    {
      malt_pool_core_dequeue_locked (core, entry);
      core->n_failed++;
      entry->error = entry->is_cancelled ? malt_pool_call_new_cancelled (core)
                                         : malt_pool_call_new_timeout (core, timeout_msec);
    }
  g_mutex_unlock (&core->lock);

  malt_pool_home_end_blocking (core, blocked);
  if (cancelled_id != 0)
    g_cancellable_disconnect (cancellable, cancelled_id);

  if (entry->error != NULL)
    g_propagate_error (error, entry->error);
  return entry->member;
}

/* Takes a worker, or waits for one.  The entry is in the queue already if the call was made
 * before, and is to be made again. */
static MaltPoolMember *
take_member (MaltPoolCore   *core,
             MaltPoolEntry  *entry,
             gboolean        is_waiting,
             int             timeout_msec,
             gint64          deadline,
             GCancellable   *cancellable,
             GError        **error)
{
  MaltPoolActions actions = MALT_POOL_ACTIONS_INIT;
  MaltPoolMember *member = NULL;

  if (is_waiting)
    return wait_in_queue (core, entry, timeout_msec, deadline, cancellable, error);

  g_mutex_lock (&core->lock);
  if (core->state == MALT_POOL_OPEN && core->queue.length == 0 && core->ready.length > 0)
    {
      member = malt_pool_member_ref (core->ready.head->data);
      malt_pool_member_take_locked (member);
      if (core->wants_more)
        malt_pool_core_schedule_locked (core, &actions);
    }
  g_mutex_unlock (&core->lock);

  if (member != NULL)
    {
      malt_pool_core_act (core, &actions);
      return member;
    }

  g_mutex_lock (&core->lock);
  is_waiting = core->state == MALT_POOL_OPEN;
  if (is_waiting)
    {
      malt_pool_core_enqueue_locked (core, entry, FALSE);
      malt_pool_core_schedule_locked (core, &actions);
    }
  g_mutex_unlock (&core->lock);
  malt_pool_core_act (core, &actions);

  if (is_waiting)
    return wait_in_queue (core, entry, timeout_msec, deadline, cancellable, error);

  g_propagate_error (error, malt_pool_core_new_closed_error (core));
  return NULL;
}

/* Gives it back.  If the call is to be made again it is in the queue then, so that a pool
 * that is shut down waits for it. */
static gboolean
give_back (MaltPoolCore       *core,
           MaltPoolMember     *member,
           MaltPoolEntry      *entry,
           const MaltAttempt  *attempt,
           gboolean            succeeded,
           gboolean            again)
{
  MaltPoolActions actions = MALT_POOL_ACTIONS_INIT;

  g_mutex_lock (&core->lock);
  malt_pool_member_free_locked (member, attempt, &actions);
  again = again && core->state < MALT_POOL_STOPPING;
  if (again)
    {
      entry->member = NULL;
      malt_pool_core_enqueue_locked (core, entry, TRUE);
    }
  else if (succeeded)
    {
      core->n_done++;
      malt_pool_brake_ease (&core->brake);
    }
  else
    core->n_failed++;
  malt_pool_core_schedule_locked (core, &actions);
  g_mutex_unlock (&core->lock);

  malt_pool_member_unref (member);
  malt_pool_core_act (core, &actions);
  return again;
}

static int
get_waited_msec (int    timeout_msec,
                 gint64 deadline)
{
  gint64 left = (deadline - g_get_monotonic_time () + 999) / 1000;

  return timeout_msec - (int) CLAMP (left, 0, timeout_msec);
}

GVariant *
malt_pool_call_run (MaltPoolCore        *core,
                    const MaltPoolCall  *call,
                    int                  timeout_msec,
                    GCancellable        *cancellable,
                    GError             **error)
{
  MaltPoolEntry entry = { 0 };
  gboolean again = FALSE;
  guint n_retries = 0;
  gint64 deadline = 0;
  GVariant *value;

  if (!malt_pool_core_check_process (core, error))
    return NULL;
  if (g_cancellable_is_cancelled (cancellable))
    {
      g_propagate_error (error, malt_pool_call_new_cancelled (core));
      return NULL;
    }

  timeout_msec = malt_pool_call_get_timeout (core, timeout_msec);
  if (timeout_msec != MALT_TIMEOUT_NONE && (call->flags & MALT_POOL_CALL_FLAGS_TIME_RUN) == 0)
    deadline = g_get_monotonic_time () + timeout_msec * (gint64) 1000;
  g_cond_init (&entry.cond);

  do
    {
      MaltRequest *request = malt_pool_call_new_request (call, error);
      MaltAttempt attempt = { 0 };
      GError *local_error = NULL;
      MaltPoolMember *member = NULL;

      value = NULL;
      if (request != NULL)
        member = take_member (core, &entry, again, timeout_msec, deadline, cancellable, error);
      if (member == NULL)
        {
          g_clear_pointer (&request, malt_request_release);
          break;
        }

      if (deadline != 0)
        attempt.waited_msec = get_waited_msec (timeout_msec, deadline);
      value = malt_worker_attempt (malt_pool_member_get_worker (member), request, timeout_msec, cancellable,
                                   &attempt, &local_error);

      again = attempt.is_refused;
      if (!again && n_retries < core->options.retries && malt_pool_call_may_retry (call, &attempt, local_error))
        {
          n_retries++;
          again = TRUE;
        }
      again = give_back (core, member, &entry, &attempt, value != NULL, again);
      if (again)
        g_error_free (local_error);
      else if (attempt.is_refused)
        {
          g_error_free (local_error);
          g_propagate_error (error, malt_pool_core_new_closed_error (core));
        }
      else if (local_error != NULL)
        g_propagate_error (error, local_error);
    }
  while (again);

  g_cond_clear (&entry.cond);
  return value;
}
