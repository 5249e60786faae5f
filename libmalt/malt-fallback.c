/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-worker-private.h"

/* Who runs errands (see malt-errands.c) where no thread blocks in a call of the worker and
 * nobody runs the main context in which it was made, as in programs that have no main loop.
 *
 * They have a context of theirs that is run always, on a thread that does nothing else.  There
 * it is looked whether somebody runs the worker's own context, and if nobody does, events are
 * run there, and calls on threads of their own: one that hangs holds up no other. */

/* How often it is looked, while the worker's own context is run or might be. */
#define LOOK_USEC (100 * 1000)

/* How often a context is looked at in vain before nobody is taken to run it: a program may be
 * about to run the default one, and another one may be run a step at a time. */
#define N_LOOKS_DEFAULT 1
#define N_LOOKS_OTHER   10

typedef struct
{
  MaltWeakWorker *worker;
  guint           n_looks; /* the fallback context's */
} Look;

/* How many calls of a worker run at once: it may make any number. */
#define MAX_JOBS 8

/* On a thread of its own: runs calls of the worker until there are no more.  Takes the
 * reference. */
static void
run_job (gpointer data,
         gpointer user_data)
{
  MaltWorker *worker = data;
  MaltWorkerPrivate *priv = malt_worker_get_private (worker);
  MaltErrand *errand;

  while ((errand = malt_errands_pop (worker, MALT_ERRAND_CALL)) != NULL)
    errand->run (errand, worker);

  g_mutex_lock (&priv->calls_lock);
  priv->errands.n_jobs--;
  g_mutex_unlock (&priv->calls_lock);
  g_object_unref (worker);
}

static GThreadPool *
get_pool (void)
{
  static GThreadPool *pool;

  if (g_once_init_enter (&pool))
    g_once_init_leave (&pool, g_thread_pool_new (run_job, NULL, -1, FALSE, NULL));

  return pool;
}

static gboolean
is_run (GMainContext *context)
{
  if (!g_main_context_acquire (context))
    return TRUE;

  g_main_context_release (context);
  return FALSE;
}

/* Runs what no thread that blocks is to run. */
static void
run_all (MaltWorker *worker)
{
  MaltWorkerPrivate *priv = malt_worker_get_private (worker);
  MaltErrand *errand;
  gboolean has_events;
  guint n;

  g_mutex_lock (&priv->calls_lock);
  has_events = !malt_errands_are_awaited_locked (worker, MALT_ERRAND_EVENT);
  g_mutex_unlock (&priv->calls_lock);
  while (has_events && (errand = malt_errands_pop (worker, MALT_ERRAND_EVENT)) != NULL)
    errand->run (errand, worker);

  g_mutex_lock (&priv->calls_lock);
  n = malt_errands_are_awaited_locked (worker, MALT_ERRAND_CALL)
      ? 0 : MIN (priv->errands.queues[MALT_ERRAND_CALL].length, MAX_JOBS - priv->errands.n_jobs);
  priv->errands.n_jobs += n;
  g_mutex_unlock (&priv->calls_lock);

  for (; n > 0; n--)
    g_thread_pool_push (get_pool (), g_object_ref (worker), NULL);
}

static gboolean
look_cb (gpointer user_data)
{
  Look *self = user_data;
  g_autoptr (MaltWorker) worker = malt_weak_worker_get (self->worker);
  MaltWorkerPrivate *priv;
  gboolean is_due;

  if (worker == NULL)
    return G_SOURCE_REMOVE;

  priv = malt_worker_get_private (worker);
  if (is_run (priv->context))
    {
      priv->errands.is_unattended = FALSE;
      self->n_looks = 0;
    }
  else if (priv->errands.is_unattended ||
           self->n_looks++ >= (priv->context == g_main_context_default () ? N_LOOKS_DEFAULT : N_LOOKS_OTHER))
    {
      priv->errands.is_unattended = TRUE;
      run_all (worker);
    }

  g_mutex_lock (&priv->calls_lock);
  is_due = priv->errands.due != 0;
  if (!is_due)
    priv->errands.is_fallback_due = FALSE;
  g_mutex_unlock (&priv->calls_lock);
  if (is_due)
    g_source_set_ready_time (g_main_current_source (), g_get_monotonic_time () + LOOK_USEC);

  return is_due ? G_SOURCE_CONTINUE : G_SOURCE_REMOVE;
}

static void
look_free (gpointer data)
{
  Look *self = data;

  malt_weak_worker_unref (self->worker);
  g_free (self);
}

/* Has the worker's errands be looked after.  On any thread, without locks. */
void
malt_fallback_begin (MaltWorker *worker)
{
  Look *self = g_new0 (Look, 1);
  GSource *source = g_timeout_source_new (LOOK_USEC / 1000);

  self->worker = malt_weak_worker_new (worker);
  g_source_set_static_name (source, "[malt] fallback");
  g_source_set_callback (source, look_cb, self, look_free);
  g_source_set_ready_time (source, 0);
  g_source_attach (source, malt_worker_get_private (worker)->errands.fallback);
  g_source_unref (source);
}

/**
 * malt_worker_set_fallback_context: (skip)
 * @self: a worker
 * @context: a main context that is run always, by a thread that does nothing else
 *
 * Says where the worker is listened to if the main context in which it was made may not be run.
 * For bindings of languages whose programs often have no main loop.
 *
 * Functions that the program gives to the worker, and signals about progress and output, are
 * then called on other threads, if no thread blocks in a call of the worker and nobody runs
 * that context.
 *
 * It is to be said once, before the first function is given to the worker.  Does not block; on
 * any thread.
 *
 * Since: 1.0
 */
void
malt_worker_set_fallback_context (MaltWorker   *self,
                                  GMainContext *context)
{
  MaltWorkerPrivate *priv;

  g_return_if_fail (MALT_IS_WORKER (self));
  g_return_if_fail (context != NULL);

  priv = malt_worker_get_private (self);
  g_mutex_lock (&priv->calls_lock);
  if (priv->errands.fallback == NULL)
    priv->errands.fallback = g_main_context_ref (context);
  g_mutex_unlock (&priv->calls_lock);
}
