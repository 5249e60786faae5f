/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-pool-private.h"

#include "malt-error.h"
#include "malt-launcher.h"
#include "malt-library-thread.h"
#include "wire/malt-fork.h"

/* Who gets which worker, and when workers are started and stopped.
 *
 * All that wait for a worker are in one queue, threads and jobs alike, in the order in which
 * they came.  Whatever changes something (a call comes or ends, a worker is ready, has ended
 * or has been idle for long, the pool is shut down) notes it with the lock held, and then has
 * malt_pool_core_schedule_locked() see what follows of that.  What follows is collected and
 * done afterwards without the lock, in malt_pool_core_act(), by the same thread: there is
 * nobody whose turn it would have to be.
 *
 * When there is somebody in the queue nothing is in the list of those who are ready, and the
 * other way round, except in between. */

MaltPoolCore *
malt_pool_core_new (MaltPool *pool)
{
  MaltPoolCore *self = g_new0 (MaltPoolCore, 1);

  g_atomic_ref_count_init (&self->ref_count);
  self->home = g_main_context_ref_thread_default ();
  self->home_thread = g_thread_ref (g_thread_self ());
  self->generation = malt_fork_get_generation ();
  g_mutex_init (&self->lock);
  self->pool = pool;
  g_weak_ref_init (&self->weak_pool, pool);

  return self;
}

MaltPoolCore *
malt_pool_core_ref (MaltPoolCore *self)
{
  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

void
malt_pool_core_unref (MaltPoolCore *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;

  g_assert (self->queue.length == 0);
  g_assert (self->members.length == 0);
  g_assert (self->waiters.length == 0);
  g_assert (self->timer == NULL);
  g_assert (self->blocked == NULL);

  g_clear_object (&self->options.launcher);
  g_free (self->options.initializer);
  g_clear_pointer (&self->options.initializer_arguments, g_variant_unref);
  malt_pool_brake_clear (&self->brake);
  g_clear_error (&self->cause);
  g_clear_error (&self->stop_error);
  g_clear_pointer (&self->home, g_main_context_unref);
  g_clear_pointer (&self->home_thread, g_thread_unref);
  g_weak_ref_clear (&self->weak_pool);
  g_mutex_clear (&self->lock);
  g_free (self);
}

/* Says for people which pool it is. */
char *
malt_pool_core_dup_name (MaltPoolCore *self)
{
  const char *backend = malt_launcher_get_backend (self->options.launcher);
  const char *runtime = malt_launcher_get_runtime (self->options.launcher);

  return g_strdup_printf ("pool of %s workers (%s)", backend != NULL ? backend : "no",
                          runtime != NULL ? runtime : "no runtime");
}

/* Whether this process may use the pool: a copy that fork() has made of its manager has
 * neither the threads behind it nor a lock of which it could know who has it. */
gboolean
malt_pool_core_check_process (MaltPoolCore  *self,
                              GError       **error)
{
  g_autofree char *name = NULL;

  if (G_LIKELY (self->generation == malt_fork_get_generation () && !malt_library_thread_is_gone () &&
                !malt_pool_thread_is_gone ()))
    return TRUE;

  name = malt_pool_core_dup_name (self);
  g_set_error (error, MALT_ERROR, MALT_ERROR_NOT_SUPPORTED,
               "%s cannot be used in a process that fork() has made of its manager; "
               "start another program instead, and the pool there", name);
  return FALSE;
}

GError *
malt_pool_core_new_closed_error (MaltPoolCore *self)
{
  g_autofree char *name = malt_pool_core_dup_name (self);

  return g_error_new (G_IO_ERROR, G_IO_ERROR_CLOSED, "%s was shut down before the call began", name);
}

/* The queue. */

void
malt_pool_core_enqueue_locked (MaltPoolCore  *self,
                               MaltPoolEntry *entry,
                               gboolean       first)
{
  GList *before = NULL;

  g_assert (!entry->is_queued);
  entry->is_queued = TRUE;
  entry->link.data = entry;
  if (first)
    {
      /* Several may come back, in any order. */
      for (before = self->queue.head; before != NULL; before = before->next)
        if (((MaltPoolEntry *) before->data)->sequence > entry->sequence)
          break;
    }
  if (entry->sequence == 0)
    entry->sequence = ++self->last_sequence;
  if (before != NULL)
    g_queue_insert_before_link (&self->queue, before, &entry->link);
  else
    g_queue_push_tail_link (&self->queue, &entry->link);
  if (entry->job != NULL && malt_pool_job_is_bounded (entry->job))
    self->n_jobs_queued++;
  if (entry->job != NULL && malt_pool_job_is_timed (entry->job))
    self->n_timed++;
}

void
malt_pool_core_dequeue_locked (MaltPoolCore  *self,
                               MaltPoolEntry *entry)
{
  g_assert (entry->is_queued);
  entry->is_queued = FALSE;
  g_queue_unlink (&self->queue, &entry->link);
  if (entry->job != NULL && malt_pool_job_is_bounded (entry->job))
    self->n_jobs_queued--;
  if (entry->job != NULL && malt_pool_job_is_timed (entry->job))
    self->n_timed--;
}

/* Nobody in the queue gets a worker. */
void
malt_pool_core_fail_all_locked (MaltPoolCore    *self,
                                const GError    *error,
                                MaltPoolActions *actions)
{
  while (self->queue.length > 0)
    {
      MaltPoolEntry *entry = self->queue.head->data;

      malt_pool_core_dequeue_locked (self, entry);
      self->n_failed++;
      if (entry->job != NULL)
        malt_pool_job_fail_locked (entry->job, g_error_copy (error), actions);
      else
        {
          entry->error = g_error_copy (error);
          g_cond_signal (&entry->cond);
        }
    }
}

/* What follows. */

static void
hand_out_locked (MaltPoolCore    *self,
                 MaltPoolActions *actions)
{
  while (self->queue.length > 0 && self->ready.length > 0)
    {
      MaltPoolEntry *entry = self->queue.head->data;
      MaltPoolMember *member = self->ready.head->data;

      malt_pool_core_dequeue_locked (self, entry);
      malt_pool_member_take_locked (member);
      if (entry->job != NULL)
        malt_pool_job_give_locked (entry->job, member, actions);
      else
        {
          entry->member = malt_pool_member_ref (member);
          g_cond_signal (&entry->cond);
        }
    }

  /* Those that are short need not wait until a worker has said that it is free. */
  while (self->queue.length > 0 && ((MaltPoolEntry *) self->queue.head->data)->job != NULL)
    {
      MaltPoolEntry *entry = self->queue.head->data;
      MaltPoolMember *member = malt_pool_member_find_ahead_locked (self);

      if (member == NULL)
        break;
      malt_pool_core_dequeue_locked (self, entry);
      malt_pool_member_take_locked (member);
      malt_pool_job_give_locked (entry->job, member, actions);
    }
}

static gboolean
wants_worker_locked (MaltPoolCore *self)
{
  /* Those that stop are processes too. */
  if (self->n_usable >= self->options.max_workers ||
      self->members.length >= 2 * (gsize) self->options.max_workers)
    return FALSE;

  /* Of those that are being started at least one can yet do so. */
  if (self->start_has_failed && self->n_starting > 0)
    return FALSE;

  if (self->n_starting * (gsize) self->options.calls_per_worker < self->queue.length + self->n_ahead ||
      (self->wants_more && self->n_starting == 0))
    return TRUE;

  return self->n_usable < self->options.min_workers && self->state == MALT_POOL_OPEN && !self->start_has_failed;
}

GError *
malt_pool_core_new_brake_error_locked (MaltPoolCore *self)
{
  g_autofree char *name = malt_pool_core_dup_name (self);

  return g_error_new (MALT_ERROR, MALT_ERROR_START,
                      "%s: more than %d workers ended or did not start within %g s, so no more are started now; "
                      "the last: %s", name, self->options.crash_limit, self->options.crash_window / 1000.0,
                      self->cause != NULL ? self->cause->message : "unknown");
}

static void
start_locked (MaltPoolCore    *self,
              MaltPoolActions *actions)
{
  while (wants_worker_locked (self))
    {
      if (malt_pool_brake_is_on (&self->brake, g_get_monotonic_time ()))
        {
          g_autoptr (GError) error = NULL;

          if (self->queue.length == 0 || self->n_usable > 0)
            {
              malt_pool_core_wake_at_locked (self, malt_pool_brake_get_end (&self->brake));
              return;
            }
          error = malt_pool_core_new_brake_error_locked (self);
          malt_pool_core_fail_all_locked (self, error, actions);
          return;
        }

      if (actions->start == NULL)
        actions->start = g_ptr_array_new ();
      g_ptr_array_add (actions->start, malt_pool_member_new_locked (self));
    }
}

static void
close_locked (MaltPoolCore    *self,
              MaltPoolActions *actions)
{
  GList *link, *next;

  if (self->state == MALT_POOL_STOPPING || self->queue.length == 0)
    for (link = self->members.head; link != NULL; link = next)
      {
        MaltPoolMember *member = link->data;

        next = link->next;
        if (self->state == MALT_POOL_STOPPING || malt_pool_member_is_idle_locked (member))
          malt_pool_member_retire_locked (member, actions);
      }

  if (self->queue.length == 0 && self->n_running == 0 && self->members.length == 0)
    self->state = MALT_POOL_CLOSED;
}

/* Sees to what follows of a change. */
void
malt_pool_core_schedule_locked (MaltPoolCore    *self,
                                MaltPoolActions *actions)
{
  hand_out_locked (self, actions);

  if (self->state < MALT_POOL_STOPPING)
    start_locked (self, actions);
  self->wants_more = FALSE;
  if (self->state == MALT_POOL_CLOSING || self->state == MALT_POOL_STOPPING)
    close_locked (self, actions);

  if (self->waiters.length > 0)
    malt_pool_waiter_look_locked (self, actions);
  malt_pool_home_wake_locked (self);
}

static gpointer
pop (GPtrArray **array)
{
  return *array != NULL && (*array)->len > 0 ? g_ptr_array_remove_index (*array, (*array)->len - 1) : NULL;
}

/* Does what was collected, and what comes of that.  Without the lock. */
void
malt_pool_core_act (MaltPoolCore    *self,
                    MaltPoolActions *actions)
{
  for (;;)
    {
      gpointer item;

      if ((item = pop (&actions->begin)) != NULL)
        malt_pool_member_begin (item, actions);
      else if ((item = g_queue_pop_head_link (&actions->fail)) != NULL)
        malt_pool_job_finish (((MaltPoolEntry *) ((GList *) item)->data)->job, NULL, NULL);
      else if ((item = pop (&actions->start)) != NULL)
        malt_pool_member_start (item);
      else if ((item = pop (&actions->stop)) != NULL)
        malt_pool_member_stop (item);
      else if ((item = pop (&actions->cancel)) != NULL)
        {
          g_cancellable_cancel (item);
          g_object_unref (item);
        }
      else if ((item = pop (&actions->take_back)) != NULL)
        {
          malt_worker_take_back (item);
          g_object_unref (item);
        }
      else if ((item = g_queue_pop_head (&actions->tell)) != NULL)
        malt_pool_waiter_tell (item);
      else
        break;
    }

  g_clear_pointer (&actions->begin, g_ptr_array_unref);
  g_clear_pointer (&actions->start, g_ptr_array_unref);
  g_clear_pointer (&actions->stop, g_ptr_array_unref);
  g_clear_pointer (&actions->cancel, g_ptr_array_unref);
  g_clear_pointer (&actions->take_back, g_ptr_array_unref);
}

/* The timer, which is on the pools' thread.  It is also there for when the brake lets go. */

static gboolean
timer_dispatch (GSource     *source,
                GSourceFunc  callback,
                gpointer     user_data)
{
  MaltPoolCore *self = user_data;
  MaltPoolActions actions = MALT_POOL_ACTIONS_INIT;
  gint64 now = g_source_get_time (source);
  gint64 next = -1;
  GList *link, *following;

  g_mutex_lock (&self->lock);
  g_source_set_ready_time (source, -1);

  for (link = self->queue.head; self->n_timed > 0 && link != NULL; link = following)
    {
      MaltPoolEntry *entry = link->data;
      gint64 then;

      following = link->next;
      then = entry->job != NULL ? malt_pool_job_expire_locked (entry->job, now, &actions) : -1;
      if (then != -1 && (next == -1 || then < next))
        next = then;
    }

  /* The longest idle are the last ones. */
  for (link = self->ready.tail; link != NULL; link = following)
    {
      gint64 then;

      following = link->prev;
      then = malt_pool_member_expire_locked (link->data, now, &actions);
      if (then == -1)
        continue;
      if (next == -1 || then < next)
        next = then;
    }

  for (link = self->members.head; self->n_ahead > 0 && link != NULL; link = link->next)
    {
      gint64 then = malt_pool_member_look_locked (link->data, now, &actions);

      if (then != -1 && (next == -1 || then < next))
        next = then;
    }

  if (next != -1)
    malt_pool_core_wake_at_locked (self, next);
  malt_pool_core_schedule_locked (self, &actions);
  g_mutex_unlock (&self->lock);

  malt_pool_core_act (self, &actions);
  return G_SOURCE_CONTINUE;
}

static GSourceFuncs timer_funcs = {
  .dispatch = timer_dispatch,
};

/* Sees to it that deadlines, idle workers and what is wanted are looked at then, or earlier. */
void
malt_pool_core_wake_at_locked (MaltPoolCore *self,
                               gint64        time)
{
  gint64 ready;

  if (self->pool == NULL)
    return;

  if (self->timer == NULL)
    {
      self->timer = g_source_new (&timer_funcs, sizeof (GSource));
      g_source_set_static_name (self->timer, "[malt] pool timer");
      g_source_set_callback (self->timer, NULL, malt_pool_core_ref (self), (GDestroyNotify) malt_pool_core_unref);
      g_source_attach (self->timer, malt_pool_get_context ());
    }

  ready = g_source_get_ready_time (self->timer);
  if (ready == -1 || time < ready)
    g_source_set_ready_time (self->timer, time);
}

/* The pool has its options: starts what is always there. */
void
malt_pool_core_open (MaltPoolCore *self)
{
  MaltPoolActions actions = MALT_POOL_ACTIONS_INIT;

  if (self->options.min_workers == 0 || !malt_pool_core_check_process (self, NULL))
    return;

  g_mutex_lock (&self->lock);
  malt_pool_core_schedule_locked (self, &actions);
  g_mutex_unlock (&self->lock);
  malt_pool_core_act (self, &actions);
}

/* Takes no calls any more. */
void
malt_pool_core_close (MaltPoolCore          *self,
                      MaltPoolShutdownFlags  flags)
{
  MaltPoolActions actions = MALT_POOL_ACTIONS_INIT;
  g_autoptr (GError) error = malt_pool_core_new_closed_error (self);

  g_mutex_lock (&self->lock);
  if (self->state == MALT_POOL_OPEN)
    self->state = MALT_POOL_CLOSING;
  if (self->state == MALT_POOL_CLOSING && (flags & MALT_POOL_SHUTDOWN_FLAGS_STOP_RUNNING) != 0)
    self->state = MALT_POOL_STOPPING;
  if (flags != MALT_POOL_SHUTDOWN_FLAGS_NONE)
    malt_pool_core_fail_all_locked (self, error, &actions);
  malt_pool_core_schedule_locked (self, &actions);
  g_mutex_unlock (&self->lock);

  malt_pool_core_act (self, &actions);
}

/* The object goes: so do the workers, as if each had been dropped. */
void
malt_pool_core_dispose (MaltPoolCore *self)
{
  MaltPoolActions actions = MALT_POOL_ACTIONS_INIT;
  g_autoptr (GPtrArray) dropped = g_ptr_array_new_with_free_func (g_object_unref);
  g_autoptr (GError) error = malt_pool_core_new_closed_error (self);
  g_autoptr (GSource) timer = NULL;

  g_mutex_lock (&self->lock);
  self->pool = NULL;
  self->state = MALT_POOL_CLOSED;
  timer = g_steal_pointer (&self->timer);
  malt_pool_core_fail_all_locked (self, error, &actions);
  while (self->members.length > 0)
    malt_pool_member_dispose_locked (self->members.head->data, dropped, &actions);
  malt_pool_waiter_look_locked (self, &actions);
  g_mutex_unlock (&self->lock);

  malt_pool_core_act (self, &actions);

  if (timer != NULL)
    g_source_destroy (timer);
}
