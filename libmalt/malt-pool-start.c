/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-pool-member.h"

#include "malt-error.h"
#include "malt-launcher.h"

/* The start of a pool's worker: it is spawned, and runs the initializer, if there is one.  That
 * is done on the pools' thread, or where the pool's home is run for a backend that lives there. */

/* One that has started, but not as it should, is stopped like others.  FALSE if there is
 * nothing to stop. */
static gboolean
keep_to_stop_locked (MaltPoolMember  *self,
                     MaltPoolActions *actions)
{
  if (self->started == NULL ||
      !malt_worker_watch_end (self->started, malt_pool_member_ended_cb, self,
                              (GDestroyNotify) malt_pool_member_unref))
    return FALSE;

  malt_pool_member_ref (self); /* for the end */
  self->worker = g_steal_pointer (&self->started);
  malt_pool_member_leave_usable_locked (self, MALT_POOL_MEMBER_RETIRING);
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
  if (self->state != MALT_POOL_MEMBER_GONE)
    {
      gboolean was_wanted = !self->is_stopping;

      if (!keep_to_stop_locked (self, &actions))
        malt_pool_member_remove_locked (self);
      if (was_wanted && !g_error_matches (own, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        {
          core->start_has_failed = TRUE;
          malt_pool_member_note_loss_locked (self, g_error_copy (own), FALSE);
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

  malt_worker_emit_in (worker, core->home);

  g_mutex_lock (&core->lock);
  if (self->state != MALT_POOL_MEMBER_GONE)
    {
      gboolean is_wanted = self->state == MALT_POOL_MEMBER_STARTING;

      if (is_wanted)
        core->n_starting--;
      self->worker = g_steal_pointer (&worker);
      self->is_stopping = FALSE;
      self->state = is_wanted ? MALT_POOL_MEMBER_READY : MALT_POOL_MEMBER_RETIRING;
      core->start_has_failed = FALSE;
      self->takes_back = core->options.calls_ahead > 0 && malt_worker_can_take_back (self->worker);
      has_ended = !malt_worker_watch_end (self->worker, malt_pool_member_ended_cb, malt_pool_member_ref (self),
                                          (GDestroyNotify) malt_pool_member_unref);
      self->is_announced = TRUE;
      malt_pool_emit_locked (core, self->worker, TRUE);

      if (has_ended)
        {
          malt_pool_member_unref (self);
          malt_pool_member_note_death_locked (self, FALSE);
          malt_pool_member_leave_usable_locked (self, MALT_POOL_MEMBER_LOST);
        }
      else if (!is_wanted)
        malt_pool_member_retire_locked (self, &actions);
      else
        {
          if (malt_pool_member_has_room_locked (self))
            malt_pool_member_list_locked (self);
          malt_pool_member_note_idle_locked (self);
        }
      malt_pool_core_schedule_locked (core, &actions);
    }
  g_mutex_unlock (&core->lock);

  if (has_ended)
    malt_pool_member_ended_cb (self->worker, self);
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
  gboolean was_begun;

  g_mutex_lock (&core->lock);
  was_begun = self->start_is_begun;
  self->start_is_begun = TRUE;
  g_mutex_unlock (&core->lock);
  if (was_begun)
    return G_SOURCE_REMOVE;

  /* A worker lives in the context that is the thread-default one. */
  malt_launcher_spawn_async (core->options.launcher, self->start_cancellable, started_cb,
                             malt_pool_member_ref (self));
  return G_SOURCE_REMOVE;
}

/* Takes the member. */
void
malt_pool_member_start (MaltPoolMember *self)
{
  g_autoptr (GMainContext) context = malt_pool_home_ref_start_context (self->core);

  malt_pool_invoke (context, start_cb, self, (GDestroyNotify) malt_pool_member_unref);
}
