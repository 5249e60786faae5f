/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-stop.h"

#include <signal.h>

#include "malt-debug.h"
#include "malt-error.h"
#include "malt-worker-private.h"

/* One stop of a worker: asked politely, then SIGTERM, then SIGKILL, each with its time,
 * on the library context; until the worker reports that it has ended.  Several may be
 * under way for one worker.  Cancelling one lets its caller go; the worker is stopped
 * all the same. */

/* After SIGKILL nothing but a kernel that hangs keeps a process. */
#define KILL_MSEC 5000

typedef enum
{
  STAGE_POLITE,
  STAGE_TERM,
  STAGE_KILL,
  STAGE_GIVE_UP,
} StopStage;

struct _MaltStop
{
  gatomicrefcount  ref_count;

  /* Immutable. */
  MaltWorker      *worker;
  int              exit_timeout_msec;
  int              term_timeout_msec;
  GCancellable    *cancellable;
  gulong           cancelled_id;

  /* Guarded by the worker's calls_lock. */
  GMainContext    *blocked;        /* while a thread blocks; see malt_worker_begin_blocking() */
  GTask           *task;           /* until it has its result */
  GList            link;           /* in the worker's stops */
  gboolean         is_listed;
  StopStage        stage;          /* the next one */
  GSource         *source;
  gboolean         done;
  MaltStopResult   result;
  GError          *error;
  GCond            done_cond;
};

MaltStop *
malt_stop_new (MaltWorker *worker,
               int         exit_timeout_msec,
               int         term_timeout_msec,
               GTask      *task)
{
  MaltStop *self = g_new0 (MaltStop, 1);

  g_atomic_ref_count_init (&self->ref_count);
  self->worker = g_object_ref (worker);
  self->exit_timeout_msec = exit_timeout_msec;
  self->term_timeout_msec = term_timeout_msec;
  g_set_object (&self->task, task);
  self->link.data = self;
  g_cond_init (&self->done_cond);

  return self;
}

static MaltStop *
malt_stop_ref (MaltStop *self)
{
  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

static void
malt_stop_unref (MaltStop *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;

  g_clear_object (&self->task);
  g_clear_object (&self->cancellable);
  g_clear_object (&self->worker);
  g_clear_error (&self->error);
  g_cond_clear (&self->done_cond);
  g_free (self);
}

/* Nobody takes the result any more: looks at the cancellable no more, which keeps the
 * stop, and the worker with it, otherwise.  Takes the reference of its maker. */
void
malt_stop_let_go (MaltStop *self)
{
  if (self->cancelled_id != 0)
    g_cancellable_disconnect (self->cancellable, self->cancelled_id);
  self->cancelled_id = 0;
  malt_stop_unref (self);
}

/* Gives the stop its result, once.  Takes the error. */
static void
finish (MaltStop       *self,
        MaltStopResult  result,
        GError         *error)
{
  MaltWorkerPrivate *priv = malt_worker_get_private (self->worker);
  g_autoptr (GTask) task = NULL;
  g_autoptr (GSource) source = NULL;
  gboolean was_done;

  g_mutex_lock (&priv->calls_lock);
  was_done = self->done;
  if (!was_done)
    {
      self->done = TRUE;
      self->result = result;
      task = g_steal_pointer (&self->task);
      if (task == NULL)
        self->error = g_steal_pointer (&error);
      g_cond_broadcast (&self->done_cond);
      if (self->blocked != NULL)
        g_main_context_wakeup (self->blocked);
    }
  /* A stop whose caller has gone still has its worker to end. */
  if (result != MALT_STOP_RESULT_FAILED)
    source = g_steal_pointer (&self->source);
  g_mutex_unlock (&priv->calls_lock);

  if (source != NULL)
    g_source_destroy (source);

  if (task != NULL && error != NULL)
    g_task_return_error (task, g_steal_pointer (&error));
  else if (task != NULL)
    g_task_return_int (task, (gssize) result);

  g_clear_error (&error);
}

/* Takes the next stop off a worker's list, for malt_stop_ended(). */
MaltStop *
malt_stop_pop_locked (GQueue *stops)
{
  GList *link = g_queue_pop_head_link (stops);
  MaltStop *self = link != NULL ? link->data : NULL;

  if (self != NULL)
    self->is_listed = FALSE;

  return self;
}

/* The worker has reported its end, and has taken the stop off its list. */
void
malt_stop_ended (MaltStop *self)
{
  finish (self, MALT_STOP_RESULT_WAS_RUNNING, NULL);
  malt_stop_unref (self);
}

static gboolean
next_stage_cb (gpointer user_data)
{
  MaltStop *self = user_data;
  MaltWorkerPrivate *priv = malt_worker_get_private (self->worker);
  g_autofree char *name = NULL;
  gboolean was_listed = FALSE;
  int timeout_msec = 0;
  StopStage stage;

  g_mutex_lock (&priv->calls_lock);
  g_clear_pointer (&self->source, g_source_unref);
  if (priv->state == MALT_WORKER_STOPPED)
    {
      g_mutex_unlock (&priv->calls_lock);
      return G_SOURCE_REMOVE;
    }

  if (self->stage == STAGE_POLITE && self->exit_timeout_msec == 0)
    self->stage = STAGE_TERM;
  if (self->stage == STAGE_TERM && self->term_timeout_msec == 0)
    self->stage = STAGE_KILL;
  stage = self->stage;
  self->stage = MIN (stage + 1, STAGE_GIVE_UP);

  if (stage != STAGE_GIVE_UP)
    {
      timeout_msec = stage == STAGE_POLITE ? self->exit_timeout_msec :
                     stage == STAGE_TERM ? self->term_timeout_msec : KILL_MSEC;
      self->source = g_timeout_source_new ((guint) timeout_msec);
      g_source_set_static_name (self->source, "[malt] stop");
      g_source_set_callback (self->source, next_stage_cb, malt_stop_ref (self), (GDestroyNotify) malt_stop_unref);
      g_source_attach (self->source, malt_get_library_context ());
    }
  else if (self->is_listed)
    {
      g_queue_unlink (&priv->stops, &self->link);
      self->is_listed = FALSE;
      was_listed = TRUE;
    }
  g_mutex_unlock (&priv->calls_lock);

  name = malt_worker_dup_name (self->worker);
  MALT_DEBUG (PROCESS, "stopping %s, stage %d", name, stage);

  switch (stage)
    {
    case STAGE_POLITE:
      malt_worker_invoke_stop (self->worker);
      break;
    case STAGE_TERM:
      malt_worker_invoke_kill (self->worker, SIGTERM);
      break;
    case STAGE_KILL:
      malt_worker_invoke_kill (self->worker, SIGKILL);
      break;
    case STAGE_GIVE_UP:
    default:
      finish (self, MALT_STOP_RESULT_FAILED,
              g_error_new (MALT_ERROR, MALT_ERROR_TIMEOUT,
                           "%s did not end, not even after SIGKILL", name));
      if (was_listed)
        malt_stop_unref (self);
      break;
    }

  return G_SOURCE_REMOVE;
}

static gboolean
cancelled_on_library_cb (gpointer user_data)
{
  finish (user_data, MALT_STOP_RESULT_FAILED,
          g_error_new_literal (G_IO_ERROR, G_IO_ERROR_CANCELLED,
                               "the wait for the worker's end was cancelled"));
  return G_SOURCE_REMOVE;
}

static void
cancelled_cb (GCancellable *cancellable,
              gpointer      user_data)
{
  g_main_context_invoke_full (malt_get_library_context (), G_PRIORITY_DEFAULT, cancelled_on_library_cb,
                              malt_stop_ref (user_data), (GDestroyNotify) malt_stop_unref);
}

static gboolean
begin_on_library_cb (gpointer user_data)
{
  next_stage_cb (user_data);
  return G_SOURCE_REMOVE;
}

/* Begins, or finds that there is nothing to do.  On any thread. */
void
malt_stop_begin (MaltStop     *self,
                 GCancellable *cancellable)
{
  MaltWorkerPrivate *priv = malt_worker_get_private (self->worker);
  gboolean stopped;

  g_mutex_lock (&priv->calls_lock);
  stopped = priv->state == MALT_WORKER_STOPPED;
  if (!stopped)
    {
      g_atomic_int_set (&priv->state, MALT_WORKER_STOPPING);
      g_queue_push_tail_link (&priv->stops, &malt_stop_ref (self)->link);
      self->is_listed = TRUE;
    }
  g_mutex_unlock (&priv->calls_lock);

  if (stopped)
    {
      finish (self, MALT_STOP_RESULT_WAS_DEAD, NULL);
      return;
    }

  g_set_object (&self->cancellable, cancellable);
  if (cancellable != NULL)
    self->cancelled_id = g_cancellable_connect (cancellable, G_CALLBACK (cancelled_cb),
                                                malt_stop_ref (self), (GDestroyNotify) malt_stop_unref);

  g_main_context_invoke_full (malt_get_library_context (), G_PRIORITY_DEFAULT, begin_on_library_cb,
                              malt_stop_ref (self), (GDestroyNotify) malt_stop_unref);
}

/* Stops, and blocks until there is a result. */
MaltStopResult
malt_stop_run (MaltStop      *self,
               GCancellable  *cancellable,
               GError       **error)
{
  MaltWorkerPrivate *priv = malt_worker_get_private (self->worker);
  GMainContext *blocked = malt_worker_begin_blocking (self->worker);

  self->blocked = blocked;
  malt_stop_begin (self, cancellable);

  g_mutex_lock (&priv->calls_lock);
  while (!self->done)
    {
      if (blocked == NULL)
        g_cond_wait (&self->done_cond, &priv->calls_lock);
      else
        {
          g_mutex_unlock (&priv->calls_lock);
          malt_worker_class_run_blocked (MALT_WORKER_GET_CLASS (self->worker), blocked);
          g_mutex_lock (&priv->calls_lock);
        }
    }
  self->blocked = NULL;
  g_mutex_unlock (&priv->calls_lock);
  malt_worker_end_blocking (self->worker, blocked);

  if (self->error != NULL)
    g_propagate_error (error, g_steal_pointer (&self->error));

  return self->result;
}
