/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-errands.h"

#include "malt-worker-private.h"

/* What comes from a worker for the program: calls of the program's functions, and events of
 * which signals tell.
 *
 * Nobody who reads from a worker runs code of the program's: he puts what has come into
 * one of the worker's queues, and then it is an errand for somebody.  That is a thread that
 * blocks in a call of the worker, which would otherwise wait for ever for a worker that
 * waits for the program; else the main context in which the worker was made, or what
 * stands in for that (see malt-fallback.c).  Events are
 * for the thread that made the worker only, whose objects listen to them.
 *
 * A thread that blocks is `free` while it does nothing else.  Whoever puts something there,
 * or stops being free while something is there, passes it on: he wakes those who are free,
 * or has a delivery made in the context.  So each errand that is in a queue has somebody who
 * has yet to look there. */

typedef struct
{
  MaltDelivery    delivery;
  MaltWeakWorker *worker;
  GMainContext   *context;
} ErrandDelivery;

static __thread char here;
static __thread MaltCall *blocking_call;
static __thread const gint *wanted; /* atomic; %NULL if the thread runs errands */

gpointer
malt_errands_here (void)
{
  return &here;
}

MaltCall *
malt_errands_set_call (MaltCall *call)
{
  MaltCall *outer = blocking_call;

  blocking_call = call;
  return outer;
}

const gint *
malt_errands_set_wanted (const gint *is_wanted)
{
  const gint *outer = wanted;

  wanted = is_wanted;
  return outer;
}

static gboolean
may_run (MaltCall       *call,
         MaltErrandKind  kind)
{
  return kind == MALT_ERRAND_CALL || call->thread == malt_worker_get_private (call->worker)->home;
}

/* The call's thread is free from now on. */
void
malt_errands_enter_locked (MaltCall *call)
{
  MaltWorkerPrivate *priv = malt_worker_get_private (call->worker);

  call->is_free = TRUE;
  priv->errands.n_free[MALT_ERRAND_CALL]++;
  if (call->thread == priv->home)
    priv->errands.n_free[MALT_ERRAND_EVENT]++;
}

/* It is no longer.  TRUE if it is to call malt_errands_pass_on(). */
gboolean
malt_errands_leave_locked (MaltCall *call)
{
  MaltWorkerPrivate *priv = malt_worker_get_private (call->worker);

  call->is_free = FALSE;
  priv->errands.n_free[MALT_ERRAND_CALL]--;
  if (call->thread == priv->home)
    priv->errands.n_free[MALT_ERRAND_EVENT]--;

  return priv->errands.due != 0;
}

gboolean
malt_errands_are_due_locked (MaltCall *call)
{
  gint due = malt_worker_get_private (call->worker)->errands.due;

  return due != 0 && call->is_free &&
         ((due & 1 << MALT_ERRAND_CALL) != 0 || may_run (call, MALT_ERRAND_EVENT));
}

void
malt_errands_push_locked (MaltWorker     *worker,
                          MaltErrandKind  kind,
                          MaltErrand     *errand)
{
  MaltErrands *errands = &malt_worker_get_private (worker)->errands;

  errand->link = (GList) { .data = errand };
  g_queue_push_tail_link (&errands->queues[kind], &errand->link);
  g_atomic_int_set (&errands->due, errands->due | 1 << kind);
}

static MaltErrand *
pop_locked (MaltErrands    *errands,
            MaltErrandKind  kind)
{
  GList *link = g_queue_pop_head_link (&errands->queues[kind]);

  if (errands->queues[kind].length == 0)
    g_atomic_int_set (&errands->due, errands->due & ~(1 << kind));

  return link != NULL ? link->data : NULL;
}

gboolean
malt_errands_are_awaited_locked (MaltWorker     *worker,
                                 MaltErrandKind  kind)
{
  MaltErrands *errands = &malt_worker_get_private (worker)->errands;

  return errands->n_free[kind] > 0 || (kind == MALT_ERRAND_EVENT && errands->n_busy > 0);
}

/* Takes the next one, or gives NULL. */
MaltErrand *
malt_errands_pop (MaltWorker     *worker,
                  MaltErrandKind  kind)
{
  MaltWorkerPrivate *priv = malt_worker_get_private (worker);
  MaltErrand *errand;

  g_mutex_lock (&priv->calls_lock);
  errand = pop_locked (&priv->errands, kind);
  g_mutex_unlock (&priv->calls_lock);

  return errand;
}

static void
run_delivery (MaltDelivery *delivery)
{
  ErrandDelivery *self = (ErrandDelivery *) delivery;
  g_autoptr (MaltWorker) worker = malt_weak_worker_get (self->worker);
  MaltWorkerPrivate *priv = worker != NULL ? malt_worker_get_private (worker) : NULL;
  MaltErrandKind kind;
  guint n[MALT_N_ERRANDS];

  if (worker != NULL)
    {
      g_mutex_lock (&priv->calls_lock);
      priv->errands.is_delivered = FALSE;
      for (kind = 0; kind < MALT_N_ERRANDS; kind++)
        n[kind] = priv->errands.queues[kind].length;
      g_mutex_unlock (&priv->calls_lock);

      /* What comes meanwhile has a delivery of its own. */
      g_main_context_push_thread_default (self->context);
      for (kind = MALT_N_ERRANDS; kind-- > 0;)
        for (; n[kind] > 0; n[kind]--)
          {
            MaltErrand *errand = malt_errands_pop (worker, kind);

            if (errand == NULL)
              break;
            errand->run (errand, worker);
          }
      g_main_context_pop_thread_default (self->context);
    }

  malt_weak_worker_unref (self->worker);
  g_main_context_unref (self->context);
  g_free (self);
}

static void
deliver (MaltWorker *worker)
{
  ErrandDelivery *delivery = g_new0 (ErrandDelivery, 1);

  /* It is not to keep the worker alive in a program that never runs the context. */
  delivery->worker = malt_weak_worker_new (worker);
  delivery->context = g_main_context_ref (malt_worker_get_private (worker)->context);
  delivery->delivery.func = run_delivery;
  malt_deliver (&delivery->delivery, delivery->context);
}

/* Has all threads look that may be free. */
static void
wake_free_locked (MaltWorkerPrivate *priv)
{
  GList *link;

  for (link = priv->calls.head; link != NULL; link = link->next)
    {
      MaltCall *call = link->data;

      if (!call->is_free)
        continue;
      if (call->blocked != NULL)
        g_main_context_wakeup (call->blocked);
      else if (call->is_awaited)
        g_cond_signal (&call->done_cond);
    }
}

/* Sees to it that somebody runs what is in the queues.  Nobody has to be told who is free
 * himself. */
void
malt_errands_pass_on (MaltWorker *worker)
{
  MaltWorkerPrivate *priv = malt_worker_get_private (worker);
  MaltWorkerClass *klass = MALT_WORKER_GET_CLASS (worker);
  MaltErrands *errands = &priv->errands;
  MaltCall *own = blocking_call != NULL && blocking_call->worker == worker ? blocking_call : NULL;
  gboolean wakes = FALSE, delivers = FALSE, falls_back = FALSE;
  MaltErrandKind kind;

  g_mutex_lock (&priv->calls_lock);
  for (kind = 0; kind < MALT_N_ERRANDS; kind++)
    {
      if (errands->queues[kind].length == 0 || (own != NULL && own->is_free && may_run (own, kind)))
        continue;
      if (errands->n_free[kind] > 0)
        wakes = TRUE;
      else
        {
          delivers |= !errands->is_delivered;
          falls_back |= errands->fallback != NULL && !errands->is_fallback_due &&
                        !malt_errands_are_awaited_locked (worker, kind);
        }
    }
  errands->is_delivered |= delivers;
  errands->is_fallback_due |= falls_back;
  if (wakes)
    wake_free_locked (priv);
  g_mutex_unlock (&priv->calls_lock);

  if (delivers)
    deliver (worker);
  if (falls_back)
    malt_fallback_begin (worker);
  if (wakes && klass->wake != NULL)
    klass->wake (worker, NULL);
}

/* Runs what there is, until there is nothing left or the call is done.  On the thread that
 * blocks in it. */
void
malt_errands_run (MaltCall *call)
{
  MaltWorkerPrivate *priv = malt_worker_get_private (call->worker);
  MaltErrand *errand;
  gboolean is_home = call->thread == priv->home;
  gboolean passes_on, is_pushed;

  do
    {
      errand = NULL;
      g_mutex_lock (&priv->calls_lock);
      if (call->is_free)
        {
          if (may_run (call, MALT_ERRAND_EVENT))
            errand = pop_locked (&priv->errands, MALT_ERRAND_EVENT);
          if (errand == NULL)
            errand = pop_locked (&priv->errands, MALT_ERRAND_CALL);
        }
      passes_on = errand != NULL && malt_errands_leave_locked (call);
      priv->errands.n_busy += errand != NULL && is_home;
      g_mutex_unlock (&priv->calls_lock);

      if (errand == NULL)
        break;
      if (passes_on)
        malt_errands_pass_on (call->worker);

      /* What is begun there is not for the context that is only run while this thread
       * blocks. */
      is_pushed = call->blocked != NULL && g_main_context_acquire (priv->context);
      if (is_pushed)
        g_main_context_push_thread_default (priv->context);
      errand->run (errand, call->worker);
      if (is_pushed)
        {
          g_main_context_pop_thread_default (priv->context);
          g_main_context_release (priv->context);
        }

      g_mutex_lock (&priv->calls_lock);
      priv->errands.n_busy -= is_home;
      passes_on = FALSE;
      if (!g_atomic_int_get (&call->done))
        malt_errands_enter_locked (call);
      else
        passes_on = priv->errands.due != 0;
      g_mutex_unlock (&priv->calls_lock);
      /* What came meanwhile was left to this thread, if there is a fallback. */
      if (passes_on)
        malt_errands_pass_on (call->worker);
    }
  while (!g_atomic_int_get (&call->done));
}

/* Drops the calls of a worker that has ended, which nobody awaits any more. */
void
malt_errands_drop_calls (MaltWorker *worker)
{
  MaltErrand *errand;

  while ((errand = malt_errands_pop (worker, MALT_ERRAND_CALL)) != NULL)
    errand->drop (errand);
}

/* In the worker's finalizer. */
void
malt_errands_clear (MaltWorker *worker)
{
  MaltErrands *errands = &malt_worker_get_private (worker)->errands;
  MaltErrandKind kind;
  MaltErrand *errand;

  for (kind = 0; kind < MALT_N_ERRANDS; kind++)
    while ((errand = pop_locked (errands, kind)) != NULL)
      errand->drop (errand);
  g_clear_pointer (&errands->fallback, g_main_context_unref);
}

/**
 * malt_worker_has_errands: (skip)
 * @self: a worker
 *
 * Whether a thread that blocks in [vfunc@Malt.Worker.wait] is wanted elsewhere: the worker's
 * code has called a function of the program's, there is something to be told, or the wait was
 * broken off.  The backend's function then returns, though the request is not done, and is
 * called again.  For backends; on the thread that blocks.
 *
 * Returns: whether it should return
 *
 * Since: 1.0
 */
gboolean
malt_worker_has_errands (MaltWorker *self)
{
  MaltWorkerPrivate *priv = malt_worker_get_private (self);
  gint due;

  if (wanted != NULL)
    return g_atomic_int_get (wanted);

  due = g_atomic_int_get (&priv->errands.due);
  return G_UNLIKELY (due != 0) &&
         ((due & 1 << MALT_ERRAND_CALL) != 0 || priv->home == malt_errands_here ());
}
