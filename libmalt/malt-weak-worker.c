/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-weak-worker-private.h"

#include "malt-worker-private.h"

/* A worker has one, which all who ask share, and clears it first of all when it is disposed of.
 *
 * Under the lock, the strong reference is taken.  Whoever is told of that, as a language with a
 * garbage collector is, may have to wait for a thread that drops other workers, but not for one
 * that disposes of this one: who is told has a reference himself.
 *
 * A worker whose class has a dispose function of its own may be found while that runs. */
struct _MaltWeakWorker
{
  gatomicrefcount  ref_count;

  GMutex           lock;
  MaltWorker      *worker; /* guarded by lock; (unowned) NULL when it is gone */
};

/* By the worker, when it is made. */
MaltWeakWorker *
malt_weak_worker_make (MaltWorker *worker)
{
  MaltWeakWorker *self = g_new0 (MaltWeakWorker, 1);

  g_atomic_ref_count_init (&self->ref_count);
  g_mutex_init (&self->lock);
  self->worker = worker;

  return self;
}

/* By the worker, when it is disposed of. */
void
malt_weak_worker_clear (MaltWeakWorker *self)
{
  g_mutex_lock (&self->lock);
  self->worker = NULL;
  g_mutex_unlock (&self->lock);
}

/**
 * malt_weak_worker_new: (skip)
 * @worker: a worker
 *
 * Makes a weak reference.  Does not block; on any thread.
 *
 * Returns: (transfer full): the weak reference
 *
 * Since: 1.0
 */
MaltWeakWorker *
malt_weak_worker_new (MaltWorker *worker)
{
  g_return_val_if_fail (MALT_IS_WORKER (worker), NULL);

  return malt_weak_worker_ref (malt_worker_get_private (worker)->weak);
}

/**
 * malt_weak_worker_ref: (skip)
 * @self: a weak reference to a worker
 *
 * Adds a reference to the weak reference.
 *
 * Returns: @self
 *
 * Since: 1.0
 */
MaltWeakWorker *
malt_weak_worker_ref (MaltWeakWorker *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

/**
 * malt_weak_worker_unref: (skip)
 * @self: a weak reference to a worker
 *
 * Drops a reference to the weak reference.
 *
 * Since: 1.0
 */
void
malt_weak_worker_unref (MaltWeakWorker *self)
{
  g_return_if_fail (self != NULL);

  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;

  g_mutex_clear (&self->lock);
  g_free (self);
}

/**
 * malt_weak_worker_get: (skip)
 * @self: a weak reference to a worker
 *
 * Gets the worker, unless its last reference is gone.  On any thread; to be called without locks
 * that the disposal of an object might want, because a language with a garbage collector may have
 * the thread wait until that has run.
 *
 * Returns: (transfer full) (nullable): the worker, or %NULL
 *
 * Since: 1.0
 */
MaltWorker *
malt_weak_worker_get (MaltWeakWorker *self)
{
  MaltWorker *worker;

  g_return_val_if_fail (self != NULL, NULL);

  g_mutex_lock (&self->lock);
  worker = self->worker;
  if (worker != NULL)
    g_object_ref (worker);
  g_mutex_unlock (&self->lock);

  return worker;
}
