/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-pool-member.h"

#include "malt-error.h"
#include "malt-exit-info.h"
#include "malt-launcher.h"

/* One worker's life in a pool.
 *
 * It is STARTING until it has said hello and its initializer has run; then READY, and in the
 * list of those who are if it has room.  It is RETIRING once it is to take no more calls: it
 * was idle for too long, has had as many calls as it may, could not be brought to end one, or
 * the pool is shut down.  It is then stopped as soon as it has nothing to do, or at once.  It
 * is LOST where it is known to have ended, or somebody else has stopped it, and that has not
 * come round yet.  It is GONE when its worker has ended, and whenever the pool knows nothing
 * of it any more.
 *
 * What happens to it is noted on the pools' thread, or on the thread that runs the pool's
 * home for a backend that lives there. */

MaltPoolMember *
malt_pool_member_new_locked (MaltPoolCore *core)
{
  MaltPoolMember *self = g_new0 (MaltPoolMember, 1);

  g_atomic_ref_count_init (&self->ref_count);
  self->core = malt_pool_core_ref (core);
  self->start_cancellable = g_cancellable_new ();
  self->link.data = self->ready_link.data = self;
  self->usual_usec = -1;
  g_queue_init (&self->lost);
  g_queue_init (&self->given);

  g_queue_push_tail_link (&core->members, &self->link);
  core->n_starting++;
  core->n_usable++;
  if (core->n_to_replace > 0)
    {
      core->n_to_replace--;
      core->n_restarts++;
    }

  /* One for the list, and one for whoever starts it. */
  return malt_pool_member_ref (self);
}

MaltPoolMember *
malt_pool_member_ref (MaltPoolMember *self)
{
  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

void
malt_pool_member_unref (MaltPoolMember *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;

  g_assert (self->state == MALT_POOL_MEMBER_GONE);
  g_assert (self->lost.length == 0);
  g_assert (self->given.length == 0);
  g_clear_object (&self->started);
  g_clear_object (&self->worker);
  g_clear_object (&self->start_cancellable);
  malt_pool_core_unref (self->core);
  g_free (self);
}

/* Of one that was given to somebody. */
MaltWorker *
malt_pool_member_get_worker (MaltPoolMember *self)
{
  return self->worker;
}

/* Whether one that was given to somebody may have calls that it has not begun, and numbers them in
 * the order in which it begins with them.  If not, all that it has may have begun. */
gboolean
malt_pool_member_takes_back (MaltPoolMember *self)
{
  return self->takes_back;
}

/* Being chosen. */

static void
unlist_locked (MaltPoolMember *self)
{
  if (self->is_listed)
    g_queue_unlink (&self->core->ready, &self->ready_link);
  self->is_listed = FALSE;
}

/* Where it belongs by how busy it is. */
void
malt_pool_member_list_locked (MaltPoolMember *self)
{
  GQueue *ready = &self->core->ready;
  GList *before;

  for (before = ready->head; before != NULL; before = before->next)
    if (self->n_running <= ((MaltPoolMember *) before->data)->n_running)
      break;

  if (before == NULL)
    g_queue_push_tail_link (ready, &self->ready_link);
  else
    g_queue_insert_before_link (ready, before, &self->ready_link);
  self->is_listed = TRUE;
}

gboolean
malt_pool_member_has_room_locked (MaltPoolMember *self)
{
  const MaltPoolOptions *options = &self->core->options;

  return self->n_running < options->calls_per_worker &&
         (options->max_calls_per_worker == 0 || self->n_calls < options->max_calls_per_worker);
}

/* Calls ahead.
 *
 * A worker that has to wait for the next call while the answer to the last one is on its way
 * spends most of its time so if calls are short.  So it is given some more than it may have at
 * once, if those that it has had were short; as many as it does in MAX_AHEAD_USEC.
 *
 * That must not make one wait that another worker could begin: if it has not come to them after
 * STUCK_USEC, which is when a call was not short after all, they are taken back, and go to the
 * head of the queue.  Nor may it cost one that has not begun: calls run one after the other, which
 * is what calls_ahead asks for, so if the worker ends it was the first of those that it had.
 * That is known when all of them have come back. */

#define MAX_AHEAD_USEC 2000
#define STUCK_USEC     10000

static guint
count_ahead_locked (MaltPoolMember *self)
{
  const MaltPoolOptions *options = &self->core->options;

  return options->calls_ahead > 0 && self->n_running > options->calls_per_worker
           ? self->n_running - options->calls_per_worker : 0;
}

/* The one with the fewest calls that may have one more, or %NULL. */
MaltPoolMember *
malt_pool_member_find_ahead_locked (MaltPoolCore *core)
{
  const MaltPoolOptions *options = &core->options;
  MaltPoolMember *best = NULL;
  GList *link;

  if (options->calls_ahead == 0)
    return NULL;

  for (link = core->members.head; link != NULL; link = link->next)
    {
      MaltPoolMember *member = link->data;
      gint64 most = member->usual_usec >= 0 ? MAX_AHEAD_USEC / MAX (member->usual_usec, 1) : 0;

      if (member->state == MALT_POOL_MEMBER_READY && member->takes_back &&
          count_ahead_locked (member) < MIN (most, (gint64) options->calls_ahead) &&
          (options->max_calls_per_worker == 0 || member->n_calls < options->max_calls_per_worker) &&
          (best == NULL || member->n_running < best->n_running))
        best = member;
    }

  return best;
}

/* It is at its next call, or has none. */
static void
note_move_locked (MaltPoolMember *self,
                  gint64          now)
{
  gint64 took = now - self->moved_at;

  self->usual_usec = self->usual_usec >= 0 ? (7 * self->usual_usec + took) / 8 : took;
  self->moved_at = now;
}

/* Has those taken back that it does not come to.  Returns when to look again, or -1. */
gint64
malt_pool_member_look_locked (MaltPoolMember  *self,
                              gint64           now,
                              MaltPoolActions *actions)
{
  gint64 then = self->moved_at + STUCK_USEC;

  if (count_ahead_locked (self) == 0 || self->state != MALT_POOL_MEMBER_READY || !self->takes_back)
    return -1;
  if (then > now)
    return then;

  self->usual_usec = MAX (self->usual_usec, STUCK_USEC);
  if (actions->take_back == NULL)
    actions->take_back = g_ptr_array_new ();
  g_ptr_array_add (actions->take_back, g_object_ref (self->worker));

  /* Some may have been on their way to it. */
  return now + STUCK_USEC;
}

/* One of its calls has come back because it ended.  Takes the job. */
void
malt_pool_member_lose_locked (MaltPoolMember *self,
                              MaltPoolJob    *job,
                              GList          *link)
{
  g_queue_push_tail_link (&self->lost, link);
}

/* All that it had have come back: which of them has begun? */
static void
settle_locked (MaltPoolMember  *self,
               MaltPoolActions *actions)
{
  guint64 first = 0;
  GList *link;

  for (link = self->lost.head; link != NULL && !self->has_culprit; link = link->next)
    {
      guint64 id = malt_pool_job_get_lost_id (((MaltPoolEntry *) link->data)->job);

      if (id != 0 && (first == 0 || id < first))
        first = id;
    }

  while ((link = g_queue_pop_head_link (&self->lost)) != NULL)
    {
      MaltPoolJob *job = ((MaltPoolEntry *) link->data)->job;

      malt_pool_job_settle_locked (job, first != 0 && malt_pool_job_get_lost_id (job) == first, actions);
    }
}

/* Whether nothing keeps it from being stopped. */
gboolean
malt_pool_member_is_idle_locked (MaltPoolMember *self)
{
  return self->n_running == 0;
}

/* A call is given to it. */
void
malt_pool_member_take_locked (MaltPoolMember *self)
{
  MaltPoolCore *core = self->core;

  if (self->n_running > 0)
    core->wants_more = TRUE;
  else if (core->options.calls_ahead > 0)
    self->moved_at = g_get_monotonic_time ();
  core->n_ahead -= count_ahead_locked (self);
  self->n_running++;
  core->n_ahead += count_ahead_locked (self);
  self->n_calls++;
  core->n_running++;
  if (G_UNLIKELY (count_ahead_locked (self) == 1))
    malt_pool_core_wake_at_locked (core, self->moved_at + STUCK_USEC);

  unlist_locked (self);
  if (malt_pool_member_has_room_locked (self))
    malt_pool_member_list_locked (self);
}

/* Threads that give it jobs at the same time, those that submit them and those that see others
 * end, must not change their order.  So what it has been given it is told of by one of them at a
 * time. */
void
malt_pool_member_give_locked (MaltPoolMember  *self,
                              GList           *link,
                              MaltPoolActions *actions)
{
  g_queue_push_tail_link (&self->given, link);
  if (self->is_told)
    return;

  self->is_told = TRUE;
  if (actions->begin == NULL)
    actions->begin = g_ptr_array_new ();
  g_ptr_array_add (actions->begin, malt_pool_member_ref (self));
}

/* Begins what it was given.  Takes the reference. */
void
malt_pool_member_begin (MaltPoolMember  *self,
                        MaltPoolActions *actions)
{
  MaltPoolCore *core = self->core;
  GList *link;

  for (;;)
    {
      g_mutex_lock (&core->lock);
      link = g_queue_pop_head_link (&self->given);
      self->is_told = link != NULL;
      g_mutex_unlock (&core->lock);
      if (link == NULL)
        break;

      malt_pool_job_begin (((MaltPoolEntry *) link->data)->job, actions);
    }

  malt_pool_member_unref (self);
}

/* Ending. */

/* One has ended that nobody wanted to end.  Takes the cause. */
void
malt_pool_member_note_loss_locked (MaltPoolMember *self,
                                   GError         *cause,
                                   gboolean        during_call)
{
  MaltPoolCore *core = self->core;

  malt_pool_brake_count (&core->brake, g_get_monotonic_time (), during_call);
  core->n_to_replace++;
  g_clear_error (&core->cause);
  core->cause = cause;
}

/* The worker may have ended: notes it if so, once. */
void
malt_pool_member_note_death_locked (MaltPoolMember *self,
                                    gboolean        during_call)
{
  MaltExitInfo *exit_info = malt_worker_get_exit_info (self->worker);
  g_autofree char *name = NULL;
  g_autofree char *how = NULL;

  if (exit_info == NULL || malt_exit_info_get_kind (exit_info) == MALT_EXIT_KIND_STOPPED ||
      self->is_stopping || self->is_noted)
    return;

  self->is_noted = TRUE;
  if (malt_worker_was_killed (self->worker))
    {
      /* As it was asked for, which says nothing about the next. */
      self->core->n_to_replace++;
      return;
    }

  name = malt_worker_dup_name (self->worker);
  how = malt_exit_info_to_string (exit_info);
  malt_pool_member_note_loss_locked (self, g_error_new (MALT_ERROR, MALT_ERROR_TERMINATED, "%s %s", name, how),
                                     during_call);
}

/* It can be given no calls any more. */
void
malt_pool_member_leave_usable_locked (MaltPoolMember      *self,
                                      MaltPoolMemberState  state)
{
  if (self->state == MALT_POOL_MEMBER_STARTING)
    self->core->n_starting--;
  if (self->state == MALT_POOL_MEMBER_STARTING || self->state == MALT_POOL_MEMBER_READY)
    self->core->n_usable--;
  unlist_locked (self);
  self->state = state;
}

void
malt_pool_member_remove_locked (MaltPoolMember *self)
{
  malt_pool_member_leave_usable_locked (self, MALT_POOL_MEMBER_GONE);
  g_queue_unlink (&self->core->members, &self->link);
  malt_pool_member_unref (self);
}

/* Has it stopped, or its start broken off, and takes it out of use.  The calls that it has
 * fail. */
void
malt_pool_member_retire_locked (MaltPoolMember  *self,
                                MaltPoolActions *actions)
{
  MaltPoolMemberState state = self->state;

  if (state == MALT_POOL_MEMBER_GONE || self->is_stopping)
    return;

  self->is_stopping = TRUE;
  if (state == MALT_POOL_MEMBER_STARTING && !self->start_is_begun)
    {
      self->start_is_begun = TRUE;
      malt_pool_member_remove_locked (self);
      return;
    }

  if (state == MALT_POOL_MEMBER_STARTING)
    {
      if (actions->cancel == NULL)
        actions->cancel = g_ptr_array_new ();
      g_ptr_array_add (actions->cancel, g_object_ref (self->start_cancellable));
    }
  else
    {
      if (actions->stop == NULL)
        actions->stop = g_ptr_array_new ();
      g_ptr_array_add (actions->stop, malt_pool_member_ref (self));
    }
  malt_pool_member_leave_usable_locked (self, MALT_POOL_MEMBER_RETIRING);
}

void
malt_pool_member_note_idle_locked (MaltPoolMember *self)
{
  MaltPoolCore *core = self->core;

  if (self->n_running > 0 || core->options.idle_timeout < 0)
    return;

  self->idle_since = g_get_monotonic_time ();
  malt_pool_core_wake_at_locked (core, self->idle_since + core->options.idle_timeout * (gint64) 1000);
}

/* A worker that was given to somebody is given back. */
void
malt_pool_member_free_locked (MaltPoolMember    *self,
                              const MaltAttempt *attempt,
                              MaltPoolActions   *actions)
{
  MaltPoolCore *core = self->core;
  const MaltPoolOptions *options = &core->options;

  g_assert (self->n_running > 0);
  core->n_ahead -= count_ahead_locked (self);
  self->n_running--;
  core->n_ahead += count_ahead_locked (self);
  core->n_running--;
  if (options->calls_ahead > 0)
    {
      if (!attempt->is_withdrawn)
        note_move_locked (self, g_get_monotonic_time ());
      if (attempt->rung == MALT_RUNG_KILLED || attempt->rung == MALT_RUNG_ABANDONED)
        self->has_culprit = TRUE;
      if (self->n_running == 0 && self->lost.length > 0)
        settle_locked (self, actions);
    }

  if (self->state != MALT_POOL_MEMBER_READY)
    return;

  if (attempt->is_refused || attempt->rung == MALT_RUNG_KILLED || !malt_worker_takes_calls (self->worker))
    {
      malt_pool_member_note_death_locked (self, !attempt->is_refused);
      malt_pool_member_leave_usable_locked (self, MALT_POOL_MEMBER_LOST);
    }
  else if (attempt->rung == MALT_RUNG_ABANDONED)
    malt_pool_member_retire_locked (self, actions); /* and who knows what it still does */
  else if (options->max_calls_per_worker > 0 && self->n_calls >= options->max_calls_per_worker)
    {
      if (self->n_running == 0)
        malt_pool_member_retire_locked (self, actions);
    }
  else
    {
      unlist_locked (self);
      if (malt_pool_member_has_room_locked (self))
        malt_pool_member_list_locked (self);
      malt_pool_member_note_idle_locked (self);
    }
}

/* Retires one that has been idle for so long.  Returns when it will have been, or -1. */
gint64
malt_pool_member_expire_locked (MaltPoolMember  *self,
                                gint64           now,
                                MaltPoolActions *actions)
{
  const MaltPoolOptions *options = &self->core->options;
  gint64 then;

  if (options->idle_timeout < 0 || self->n_running > 0 || self->core->n_usable <= options->min_workers)
    return -1;

  then = self->idle_since + options->idle_timeout * (gint64) 1000;
  if (then > now)
    return then;

  malt_pool_member_retire_locked (self, actions);
  return -1;
}

/* The pool goes, and knows it no more: what has nothing to do is dropped, without waiting. */
void
malt_pool_member_dispose_locked (MaltPoolMember  *self,
                                 GPtrArray       *dropped,
                                 MaltPoolActions *actions)
{
  if (self->worker == NULL || self->n_running > 0)
    malt_pool_member_retire_locked (self, actions);
  else
    g_ptr_array_add (dropped, g_steal_pointer (&self->worker));

  if (self->state != MALT_POOL_MEMBER_GONE)
    malt_pool_member_remove_locked (self);
}

static gboolean
ended_on_pool_cb (gpointer user_data)
{
  MaltPoolMember *self = user_data;
  MaltPoolCore *core = self->core;
  MaltPoolActions actions = MALT_POOL_ACTIONS_INIT;

  g_mutex_lock (&core->lock);
  if (self->state == MALT_POOL_MEMBER_GONE)
    {
      g_mutex_unlock (&core->lock);
      return G_SOURCE_REMOVE;
    }

  malt_pool_member_note_death_locked (self, self->n_running > 0);
  if (self->is_announced)
    malt_pool_emit_locked (core, self->worker, FALSE);
  malt_pool_member_remove_locked (self);
  malt_pool_core_schedule_locked (core, &actions);
  g_mutex_unlock (&core->lock);

  malt_pool_core_act (core, &actions);
  return G_SOURCE_REMOVE;
}

/* On any thread. */
void
malt_pool_member_ended_cb (MaltWorker *worker,
                           gpointer    user_data)
{
  malt_pool_invoke (malt_pool_get_context (), ended_on_pool_cb, malt_pool_member_ref (user_data),
                    (GDestroyNotify) malt_pool_member_unref);
}

/* Stopping. */

static void
stopped_cb (GObject      *source,
            GAsyncResult *result,
            gpointer      user_data)
{
  MaltPoolMember *self = user_data;
  MaltPoolCore *core = self->core;
  MaltPoolActions actions = MALT_POOL_ACTIONS_INIT;
  GError *error = NULL;

  /* That it has ended is told elsewhere; that it cannot be ended, only here. */
  malt_worker_stop_finish (MALT_WORKER (source), result, &error);
  if (error != NULL)
    {
      g_mutex_lock (&core->lock);
      if (self->state != MALT_POOL_MEMBER_GONE)
        {
          g_clear_error (&core->stop_error);
          core->stop_error = g_steal_pointer (&error);
          malt_pool_member_remove_locked (self);
        }
      malt_pool_core_schedule_locked (core, &actions);
      g_mutex_unlock (&core->lock);
      malt_pool_core_act (core, &actions);
    }

  g_clear_error (&error);
  malt_pool_member_unref (self);
}

static gboolean
stop_on_pool_cb (gpointer user_data)
{
  MaltPoolMember *self = user_data;
  g_autoptr (MaltWorker) worker = NULL;

  g_mutex_lock (&self->core->lock);
  g_set_object (&worker, self->worker);
  g_mutex_unlock (&self->core->lock);

  /* Else the pool has been dropped, and the worker with it. */
  if (worker != NULL)
    malt_worker_stop_async (worker, -1, -1, NULL, stopped_cb, malt_pool_member_ref (self));
  return G_SOURCE_REMOVE;
}

/* Takes the member. */
void
malt_pool_member_stop (MaltPoolMember *self)
{
  malt_pool_invoke (malt_pool_get_context (), stop_on_pool_cb, self, (GDestroyNotify) malt_pool_member_unref);
}

/* How many there are. */
guint
malt_pool_member_count_locked (MaltPoolCore *core)
{
  GList *link;
  guint n = 0;

  for (link = core->members.head; link != NULL; link = link->next)
    if (((MaltPoolMember *) link->data)->worker != NULL)
      n++;

  return n;
}
