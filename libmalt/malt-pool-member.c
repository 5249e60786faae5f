/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-pool-private.h"

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

typedef enum
{
  MEMBER_STARTING,
  MEMBER_READY,
  MEMBER_RETIRING,
  MEMBER_LOST,
  MEMBER_GONE,
} MemberState;

struct _MaltPoolMember
{
  gatomicrefcount  ref_count;

  /* Immutable. */
  MaltPoolCore    *core;
  GCancellable    *start_cancellable;

  /* Owned by whoever starts it. */
  MaltWorker      *started;        /* until its initializer has run */

  /* Guarded by the core's lock. */
  MemberState      state;
  gboolean         start_is_begun;
  MaltWorker      *worker;         /* set once it is READY; immutable while it has calls */
  GList            link;           /* in the core's members */
  GList            ready_link;     /* in the core's list of those who are ready */
  gboolean         is_listed;      /* there */
  gboolean         is_stopping;    /* was stopped, or will be now */
  gboolean         is_noted;       /* that it has died */
  gboolean         is_announced;   /* by a signal */
  guint            n_running;
  guint            n_calls;
  gint64           idle_since;

  /* The same; of one that can be given calls ahead. */
  gboolean         takes_back;     /* what it has not begun */
  gint64           moved_at;       /* when it was last seen to begin with a call */
  gint64           usual_usec;     /* that a call takes; -1 if that is not known */
  gboolean         has_culprit;    /* one of its calls is known to have been its end */
  GQueue           lost;           /* of MaltPoolJob, owned: what it had when it ended */
};

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

  g_assert (self->state == MEMBER_GONE);
  g_assert (self->lost.length == 0);
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

/* Being chosen. */

static void
unlist_locked (MaltPoolMember *self)
{
  if (self->is_listed)
    g_queue_unlink (&self->core->ready, &self->ready_link);
  self->is_listed = FALSE;
}

/* Where it belongs by how busy it is. */
static void
list_locked (MaltPoolMember *self)
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

static gboolean
has_room_locked (MaltPoolMember *self)
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

      if (member->state == MEMBER_READY && member->takes_back &&
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

  if (count_ahead_locked (self) == 0 || self->state != MEMBER_READY || !self->takes_back)
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
  if (has_room_locked (self))
    list_locked (self);
}

/* Ending. */

/* One has ended that nobody wanted to end.  Takes the cause. */
static void
note_loss_locked (MaltPoolMember *self,
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
static void
note_death_locked (MaltPoolMember *self,
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
  note_loss_locked (self, g_error_new (MALT_ERROR, MALT_ERROR_TERMINATED, "%s %s", name, how), during_call);
}

/* It can be given no calls any more. */
static void
leave_usable_locked (MaltPoolMember *self,
                     MemberState     state)
{
  if (self->state == MEMBER_STARTING)
    self->core->n_starting--;
  if (self->state == MEMBER_STARTING || self->state == MEMBER_READY)
    self->core->n_usable--;
  unlist_locked (self);
  self->state = state;
}

static void
remove_locked (MaltPoolMember *self)
{
  leave_usable_locked (self, MEMBER_GONE);
  g_queue_unlink (&self->core->members, &self->link);
  malt_pool_member_unref (self);
}

/* Has it stopped, or its start broken off, and takes it out of use.  The calls that it has
 * fail. */
void
malt_pool_member_retire_locked (MaltPoolMember  *self,
                                MaltPoolActions *actions)
{
  MemberState state = self->state;

  if (state == MEMBER_GONE || self->is_stopping)
    return;

  self->is_stopping = TRUE;
  if (state == MEMBER_STARTING && !self->start_is_begun)
    {
      self->start_is_begun = TRUE;
      remove_locked (self);
      return;
    }

  if (state == MEMBER_STARTING)
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
  leave_usable_locked (self, MEMBER_RETIRING);
}

static void
note_idle_locked (MaltPoolMember *self)
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

  if (self->state != MEMBER_READY)
    return;

  if (attempt->is_refused || attempt->rung == MALT_RUNG_KILLED || !malt_worker_takes_calls (self->worker))
    {
      note_death_locked (self, !attempt->is_refused);
      leave_usable_locked (self, MEMBER_LOST);
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
      if (has_room_locked (self))
        list_locked (self);
      note_idle_locked (self);
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

  if (self->state != MEMBER_GONE)
    remove_locked (self);
}

static gboolean
ended_on_pool_cb (gpointer user_data)
{
  MaltPoolMember *self = user_data;
  MaltPoolCore *core = self->core;
  MaltPoolActions actions = MALT_POOL_ACTIONS_INIT;

  g_mutex_lock (&core->lock);
  if (self->state == MEMBER_GONE)
    {
      g_mutex_unlock (&core->lock);
      return G_SOURCE_REMOVE;
    }

  note_death_locked (self, self->n_running > 0);
  if (self->is_announced)
    malt_pool_emit_locked (core, self->worker, FALSE);
  remove_locked (self);
  malt_pool_core_schedule_locked (core, &actions);
  g_mutex_unlock (&core->lock);

  malt_pool_core_act (core, &actions);
  return G_SOURCE_REMOVE;
}

/* On any thread. */
static void
ended_cb (MaltWorker *worker,
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
      if (self->state != MEMBER_GONE)
        {
          g_clear_error (&core->stop_error);
          core->stop_error = g_steal_pointer (&error);
          remove_locked (self);
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

/* Starting. */

/* One that has started, but not as it should, is stopped like others.  FALSE if there is
 * nothing to stop. */
static gboolean
keep_to_stop_locked (MaltPoolMember  *self,
                     MaltPoolActions *actions)
{
  if (self->started == NULL ||
      !malt_worker_watch_end (self->started, ended_cb, self, (GDestroyNotify) malt_pool_member_unref))
    return FALSE;

  malt_pool_member_ref (self); /* for the end */
  self->worker = g_steal_pointer (&self->started);
  leave_usable_locked (self, MEMBER_RETIRING);
  self->is_stopping = FALSE;
  malt_pool_member_retire_locked (self, actions);

  return TRUE;
}

/* It could not be started.  Takes the error. */
static void
fail_start (MaltPoolMember *self,
            GError         *error)
{
  MaltPoolCore *core = self->core;
  MaltPoolActions actions = MALT_POOL_ACTIONS_INIT;
  g_autoptr (GError) own = error;

  g_mutex_lock (&core->lock);
  if (self->state != MEMBER_GONE)
    {
      gboolean was_wanted = !self->is_stopping;

      if (!keep_to_stop_locked (self, &actions))
        remove_locked (self);
      if (was_wanted && !g_error_matches (own, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        {
          core->start_has_failed = TRUE;
          note_loss_locked (self, g_error_copy (own), FALSE);
          if (core->n_usable == 0)
            malt_pool_core_fail_all_locked (core, own, &actions);
        }
      malt_pool_core_schedule_locked (core, &actions);
    }
  g_mutex_unlock (&core->lock);

  g_clear_object (&self->started);
  malt_pool_core_act (core, &actions);
}

/* It can take calls. */
static void
finish_start (MaltPoolMember *self)
{
  MaltPoolCore *core = self->core;
  MaltPoolActions actions = MALT_POOL_ACTIONS_INIT;
  g_autoptr (MaltWorker) worker = g_steal_pointer (&self->started);
  gboolean has_ended = FALSE;

  if (MALT_WORKER_GET_CLASS (worker)->any_thread)
    malt_worker_emit_in (worker, core->home);

  g_mutex_lock (&core->lock);
  if (self->state != MEMBER_GONE)
    {
      gboolean is_wanted = self->state == MEMBER_STARTING;

      if (is_wanted)
        core->n_starting--;
      self->worker = g_steal_pointer (&worker);
      self->is_stopping = FALSE;
      self->state = is_wanted ? MEMBER_READY : MEMBER_RETIRING;
      core->start_has_failed = FALSE;
      self->takes_back = core->options.calls_ahead > 0 && malt_worker_can_take_back (self->worker);
      has_ended = !malt_worker_watch_end (self->worker, ended_cb, malt_pool_member_ref (self),
                                          (GDestroyNotify) malt_pool_member_unref);
      self->is_announced = TRUE;
      malt_pool_emit_locked (core, self->worker, TRUE);

      if (has_ended)
        {
          malt_pool_member_unref (self);
          note_death_locked (self, FALSE);
          leave_usable_locked (self, MEMBER_LOST);
        }
      else if (!is_wanted)
        malt_pool_member_retire_locked (self, &actions);
      else
        {
          if (has_room_locked (self))
            list_locked (self);
          note_idle_locked (self);
        }
      malt_pool_core_schedule_locked (core, &actions);
    }
  g_mutex_unlock (&core->lock);

  if (has_ended)
    ended_cb (self->worker, self);
  malt_pool_core_act (core, &actions);
}

static GError *
new_initializer_error (MaltPoolMember *self,
                       GError         *error)
{
  g_autofree char *name = NULL;
  g_autoptr (GError) own = error;

  if (g_error_matches (own, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return g_steal_pointer (&own);

  name = malt_pool_core_dup_name (self->core);
  return g_error_new (MALT_ERROR, MALT_ERROR_START, "%s: the initializer '%s' failed: %s", name,
                      self->core->options.initializer, own->message);
}

static void
initialized_cb (GObject      *source,
                GAsyncResult *result,
                gpointer      user_data)
{
  MaltPoolMember *self = user_data;
  g_autoptr (GVariant) value = NULL;
  GError *error = NULL;

  value = malt_worker_remote_call_finish (MALT_WORKER (source), result, &error);
  if (value != NULL)
    finish_start (self);
  else
    fail_start (self, new_initializer_error (self, error));
  malt_pool_member_unref (self);
}

static int
get_start_timeout (MaltPoolCore *core)
{
  int timeout_msec = malt_launcher_get_start_timeout (core->options.launcher);

  return timeout_msec < 0 ? MALT_TIMEOUT_NONE : timeout_msec;
}

static void
started_cb (GObject      *source,
            GAsyncResult *result,
            gpointer      user_data)
{
  MaltPoolMember *self = user_data;
  const MaltPoolOptions *options = &self->core->options;
  GError *error = NULL;

  self->started = malt_launcher_spawn_finish (MALT_LAUNCHER (source), result, &error);
  if (self->started == NULL)
    fail_start (self, error);
  else if (options->initializer == NULL)
    finish_start (self);
  else
    {
      malt_worker_remote_call_async (self->started, options->initializer, options->initializer_arguments, NULL,
                                     get_start_timeout (self->core), self->start_cancellable,
                                     initialized_cb, malt_pool_member_ref (self));
    }
  malt_pool_member_unref (self);
}

static gboolean
start_cb (gpointer user_data)
{
  MaltPoolMember *self = user_data;
  MaltPoolCore *core = self->core;
  GMainContext *current = g_main_context_get_thread_default ();
  gboolean is_pushed = current != malt_pool_get_context () && current != core->home &&
                       !(current == NULL && core->home == g_main_context_default ());
  gboolean was_begun;

  g_mutex_lock (&core->lock);
  was_begun = self->start_is_begun;
  self->start_is_begun = TRUE;
  g_mutex_unlock (&core->lock);
  if (was_begun)
    return G_SOURCE_REMOVE;

  /* A worker lives in the context that is the thread-default one. */
  if (is_pushed)
    g_main_context_push_thread_default (core->home);
  malt_launcher_spawn_async (core->options.launcher, self->start_cancellable, started_cb,
                             malt_pool_member_ref (self));
  if (is_pushed)
    g_main_context_pop_thread_default (core->home);

  return G_SOURCE_REMOVE;
}

/* Takes the member. */
void
malt_pool_member_start (MaltPoolMember *self)
{
  MaltPoolCore *core = self->core;

  malt_pool_invoke (malt_pool_core_is_bound (core) ? core->home : malt_pool_get_context (),
                    start_cb, self, (GDestroyNotify) malt_pool_member_unref);
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

/* Blocking at home, with workers that live there. */

/* Finds one for a thread that cannot wait, as whatever it waited for would need that thread:
 * one that is idle; one that is to be started here; or the least busy, however busy it is. */
MaltPoolMember *
malt_pool_member_find_locked (MaltPoolCore  *core,
                              gboolean      *must_start,
                              GError       **error)
{
  MaltPoolMember *least = NULL, *waits = NULL;
  GList *link;

  *must_start = FALSE;
  for (link = core->members.head; link != NULL; link = link->next)
    {
      MaltPoolMember *member = link->data;

      if (member->state == MEMBER_STARTING && !member->start_is_begun)
        waits = member;
      if (member->state == MEMBER_READY && malt_worker_takes_calls (member->worker) &&
          (least == NULL || member->n_running < least->n_running))
        least = member;
    }

  if (least != NULL && (least->n_running == 0 || (waits == NULL && core->n_usable >= core->options.max_workers)))
    {
      malt_pool_member_take_locked (least);
      return malt_pool_member_ref (least);
    }

  if (waits == NULL && malt_pool_brake_is_on (&core->brake, g_get_monotonic_time ()))
    {
      if (least == NULL)
        {
          g_propagate_error (error, malt_pool_core_new_brake_error_locked (core));
          return NULL;
        }
      malt_pool_member_take_locked (least);
      return malt_pool_member_ref (least);
    }

  if (waits != NULL || core->n_usable < core->options.max_workers)
    {
      waits = waits != NULL ? malt_pool_member_ref (waits) : malt_pool_member_new_locked (core);
      waits->start_is_begun = TRUE;
      *must_start = TRUE;
      return waits;
    }

  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK,
                       "a worker is being started in the main context that this call would block");
  return NULL;
}

/* Starts one that was found so, and gives it to the caller. */
gboolean
malt_pool_member_start_here (MaltPoolMember  *self,
                             GCancellable    *cancellable,
                             GError         **error)
{
  MaltPoolCore *core = self->core;
  const MaltPoolOptions *options = &core->options;
  GError *local_error = NULL;
  gboolean is_there;

  self->started = malt_launcher_spawn (core->options.launcher, cancellable, &local_error);
  if (self->started != NULL && options->initializer != NULL)
    {
      g_autoptr (GVariant) value = malt_worker_remote_call_fetch (self->started, options->initializer,
                                                                  options->initializer_arguments, NULL,
                                                                  get_start_timeout (core), cancellable,
                                                                  &local_error);

      if (value == NULL)
        local_error = new_initializer_error (self, local_error);
    }
  if (local_error != NULL)
    {
      g_propagate_error (error, g_error_copy (local_error));
      fail_start (self, local_error);
      return FALSE;
    }

  /* So that nobody else is given it. */
  g_mutex_lock (&core->lock);
  self->n_running++;
  self->n_calls++;
  core->n_running++;
  g_mutex_unlock (&core->lock);
  finish_start (self);

  g_mutex_lock (&core->lock);
  is_there = self->worker != NULL;
  if (!is_there)
    core->n_running--;
  g_mutex_unlock (&core->lock);
  if (!is_there)
    g_propagate_error (error, malt_pool_core_new_closed_error (core));
  return is_there;
}

/* Stops all of a pool that is closed: what would do that otherwise needs the thread that
 * waits for it. */
gboolean
malt_pool_core_stop_here (MaltPoolCore  *self,
                          GCancellable  *cancellable,
                          GError       **error)
{
  g_autoptr (GPtrArray) workers = g_ptr_array_new_with_free_func (g_object_unref);
  gboolean needs_home;
  GList *link;
  guint i;

  g_mutex_lock (&self->lock);
  needs_home = self->state == MALT_POOL_CLOSING && (self->queue.length > 0 || self->n_running > 0);
  for (link = self->members.head; link != NULL; link = link->next)
    {
      MaltPoolMember *member = link->data;

      if (member->worker != NULL)
        g_ptr_array_add (workers, g_object_ref (member->worker));
      else
        needs_home = TRUE;
    }
  g_mutex_unlock (&self->lock);

  if (needs_home)
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK,
                           "the pool's calls and starts need the main context that this wait would block");
      return FALSE;
    }

  for (i = 0; i < workers->len; i++)
    if (malt_worker_stop (g_ptr_array_index (workers, i), -1, -1, cancellable, error) == MALT_STOP_RESULT_FAILED)
      return FALSE;

  return TRUE;
}
