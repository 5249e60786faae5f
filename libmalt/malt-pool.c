/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-pool-private.h"

#include "malt-exit-info.h"
#include "malt-launcher.h"

/**
 * MaltPool:
 *
 * Several workers of one launcher, which share the calls.
 *
 * ```c
 * g_autoptr (MaltLauncher) launcher = malt_launcher_new ("process", "python");
 * g_autoptr (MaltPool) pool = malt_pool_new (launcher, 4);
 *
 * value = malt_pool_remote_call_fetch (pool, "math.sqrt", g_variant_new ("(d)", 2.0), NULL,
 *                                      MALT_POOL_CALL_FLAGS_NONE, MALT_TIMEOUT_DEFAULT, NULL, &error);
 * ```
 *
 * A call goes to the least busy worker.  If all have as many calls as they may and there are
 * fewer than [property@Malt.Pool:max-workers], one is started; else the call waits in a
 * queue, in which all get their turn in the order in which they came.
 *
 * A worker that dies costs the calls that it has and no others, and is replaced when the next
 * is needed.  Calls that may be made twice can be tried again by themselves.  A worker that
 * has nothing to do for [property@Malt.Pool:idle-timeout] is stopped, and so is one that has
 * had [property@Malt.Pool:max-calls-per-worker] calls, or whose call could not be ended when
 * that was asked for.  Where one worker after the other dies, a brake holds that up:
 * [property@Malt.Pool:crash-limit].
 *
 * A pool may be used from any thread.  Blocking functions need no main loop and run none.
 * Callbacks are called in the thread-default main context of the thread that began the call;
 * signals are emitted in that of the thread that made the pool.
 *
 * The last reference stops the workers, as if each had been dropped; calls that are under
 * way keep the pool.  [method@Malt.Pool.shutdown] does it in order.
 *
 * Workers of a backend that lives in a main context are started in that in which the pool was
 * made.  A thread that runs it and blocks in a call runs the backends meanwhile, and nothing else
 * of that context.
 *
 * Since: 1.0
 */

struct _MaltPool
{
  GObject parent_instance;

  /* Immutable. */
  MaltPoolCore *core;
};

G_DEFINE_FINAL_TYPE (MaltPool, malt_pool, G_TYPE_OBJECT)

enum
{
  SIGNAL_WORKER_ADDED,
  SIGNAL_WORKER_REMOVED,
  N_SIGNALS
};

static guint signals[N_SIGNALS];

MaltPoolCore *
malt_pool_get_core (MaltPool *self)
{
  return self->core;
}

static void
malt_pool_constructed (GObject *object)
{
  MaltPool *self = MALT_POOL (object);
  MaltPoolOptions *options = &self->core->options;

  G_OBJECT_CLASS (malt_pool_parent_class)->constructed (object);

  malt_pool_complete_options (options);
  malt_pool_brake_init (&self->core->brake, options->crash_limit, options->crash_window);
  malt_pool_core_open (self->core);
}

static void
malt_pool_dispose (GObject *object)
{
  MaltPoolCore *core = MALT_POOL (object)->core;

  /* A copy of its manager drops it, and leaves its workers running. */
  if (malt_pool_core_check_process (core, NULL))
    malt_pool_core_dispose (core);

  G_OBJECT_CLASS (malt_pool_parent_class)->dispose (object);
}

static void
malt_pool_finalize (GObject *object)
{
  MaltPoolCore *core = MALT_POOL (object)->core;

  if (malt_pool_core_check_process (core, NULL))
    malt_pool_core_unref (core);

  G_OBJECT_CLASS (malt_pool_parent_class)->finalize (object);
}

static void
malt_pool_class_init (MaltPoolClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->constructed = malt_pool_constructed;
  object_class->dispose = malt_pool_dispose;
  object_class->finalize = malt_pool_finalize;

  malt_pool_install_properties (object_class);

  /**
   * MaltPool::worker-added:
   * @self: the pool
   * @worker: a worker
   *
   * Emitted when a worker has been started, in the main context that was the thread-default
   * one where the pool was made.  It may have calls by then, or have ended.
   *
   * Since: 1.0
   */
  signals[SIGNAL_WORKER_ADDED] =
    g_signal_new ("worker-added", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                  G_TYPE_NONE, 1, MALT_TYPE_WORKER);

  /**
   * MaltPool::worker-removed:
   * @self: the pool
   * @worker: a worker
   * @exit_info: how it ended
   *
   * Emitted when a worker has ended, in the main context that was the thread-default one
   * where the pool was made.
   *
   * Since: 1.0
   */
  signals[SIGNAL_WORKER_REMOVED] =
    g_signal_new ("worker-removed", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                  G_TYPE_NONE, 2, MALT_TYPE_WORKER, MALT_TYPE_EXIT_INFO);
}

static void
malt_pool_init (MaltPool *self)
{
  self->core = malt_pool_core_new (self);
}

/* Signals. */

typedef struct
{
  MaltPoolCore *core;
  MaltWorker   *worker;
  gboolean      is_added;
} Emission;

static void
emission_free (Emission *emission)
{
  malt_pool_core_unref (emission->core);
  g_object_unref (emission->worker);
  g_free (emission);
}

static gboolean
emit_cb (gpointer user_data)
{
  Emission *emission = user_data;
  g_autoptr (MaltPool) pool = g_weak_ref_get (&emission->core->weak_pool);

  if (pool != NULL && emission->is_added)
    g_signal_emit (pool, signals[SIGNAL_WORKER_ADDED], 0, emission->worker);
  else if (pool != NULL)
    g_signal_emit (pool, signals[SIGNAL_WORKER_REMOVED], 0, emission->worker,
                   malt_worker_get_exit_info (emission->worker));

  return G_SOURCE_REMOVE;
}

/* Has a signal emitted in the pool's context.  What is not dispatched there stays, so it is
 * only for those who listen. */
void
malt_pool_emit_locked (MaltPoolCore *core,
                       MaltWorker   *worker,
                       gboolean      is_added)
{
  Emission *emission;

  if (core->pool == NULL ||
      !g_signal_has_handler_pending (core->pool, signals[is_added ? SIGNAL_WORKER_ADDED : SIGNAL_WORKER_REMOVED],
                                     0, FALSE))
    return;

  /* There may be nobody with a reference to the pool here, so that none can be made. */
  emission = g_new (Emission, 1);
  *emission = (Emission) { malt_pool_core_ref (core), g_object_ref (worker), is_added };
  malt_pool_invoke (core->home, emit_cb, emission, (GDestroyNotify) emission_free);
}

/**
 * malt_pool_new:
 * @launcher: (nullable): the options of the workers, which are copied, or %NULL for those of a
 *   new one
 * @max_workers: how many workers there may be, at most 4096; 0 for as many as there are
 *   processors
 *
 * Makes a pool.  Workers are started when they are needed; that backend and runtime exist is
 * checked then.
 *
 * Returns: (transfer full): a pool
 *
 * Since: 1.0
 */
MaltPool *
malt_pool_new (MaltLauncher *launcher,
               guint         max_workers)
{
  g_return_val_if_fail (launcher == NULL || MALT_IS_LAUNCHER (launcher), NULL);

  return g_object_new (MALT_TYPE_POOL, "launcher", launcher, "max-workers", max_workers, NULL);
}

/**
 * malt_pool_wait_room:
 * @self: a pool
 * @cancellable: (nullable): ends the wait
 * @error: return location for an error
 *
 * Waits until fewer than [property@Malt.Pool:queue-length] calls that do not block wait for a
 * worker.  If there is only one thread that makes such calls, its next one is taken then.
 *
 * Blocks the calling thread; runs no main loop.
 *
 * Fails with `G_IO_ERROR_CLOSED` if the pool is shut down, and `G_IO_ERROR_CANCELLED`.
 *
 * Returns: whether there is room; if not, @error is set
 *
 * Since: 1.0
 */
gboolean
malt_pool_wait_room (MaltPool      *self,
                     GCancellable  *cancellable,
                     GError       **error)
{
  g_return_val_if_fail (MALT_IS_POOL (self), FALSE);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  return malt_pool_core_check_process (self->core, error) &&
         malt_pool_waiter_run (self->core, MALT_POOL_WAITS_FOR_ROOM, cancellable, error);
}

/**
 * malt_pool_wait_room_async:
 * @self: a pool
 * @cancellable: (nullable): ends the wait
 * @callback: (scope async): called when there is room, in the thread-default main context of
 *   the calling thread
 * @user_data: data for @callback
 *
 * Waits for room in the queue, as [method@Malt.Pool.wait_room] does, without blocking.
 *
 * Since: 1.0
 */
void
malt_pool_wait_room_async (MaltPool            *self,
                           GCancellable        *cancellable,
                           GAsyncReadyCallback  callback,
                           gpointer             user_data)
{
  GError *error = NULL;
  MaltResult *result;

  g_return_if_fail (MALT_IS_POOL (self));
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  result = malt_result_new (self, malt_pool_wait_room_async, callback, user_data);
  if (malt_pool_core_check_process (self->core, &error))
    malt_pool_waiter_run_async (self->core, MALT_POOL_WAITS_FOR_ROOM, cancellable, result);
  else
    malt_result_return_later (result, NULL, error);
}

/**
 * malt_pool_wait_room_finish:
 * @self: a pool
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Gets what came of [method@Malt.Pool.wait_room_async].
 *
 * Returns: whether there is room; if not, @error is set
 *
 * Since: 1.0
 */
gboolean
malt_pool_wait_room_finish (MaltPool      *self,
                            GAsyncResult  *result,
                            GError       **error)
{
  g_autoptr (GVariant) value = NULL;

  g_return_val_if_fail (MALT_IS_POOL (self), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  value = malt_result_finish (result, self, error);

  return value != NULL;
}

/**
 * malt_pool_shutdown:
 * @self: a pool
 * @flags: what becomes of calls that wait or are under way
 * @cancellable: (nullable): ends the wait; the pool is shut down all the same
 * @error: return location for an error
 *
 * Shuts the pool down: it takes no more calls, finishes those that it has as @flags say, and
 * stops its workers, as [method@Malt.Worker.stop] does.  Later calls fail with
 * `G_IO_ERROR_CLOSED`.
 *
 * Blocks the calling thread until all workers have ended; runs no main loop.  It may be called
 * at any time, from any thread, and more than once, also with other flags.
 *
 * Fails with `MALT_ERROR_TIMEOUT` if a worker could not be stopped, with
 * `G_IO_ERROR_CANCELLED`.
 *
 * Returns: whether all workers have ended; if not, @error is set
 *
 * Since: 1.0
 */
gboolean
malt_pool_shutdown (MaltPool               *self,
                    MaltPoolShutdownFlags   flags,
                    GCancellable           *cancellable,
                    GError                **error)
{
  g_return_val_if_fail (MALT_IS_POOL (self), FALSE);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  if (!malt_pool_core_check_process (self->core, error))
    return FALSE;

  malt_pool_core_close (self->core, flags);
  return malt_pool_waiter_run (self->core, MALT_POOL_WAITS_FOR_END, cancellable, error);
}

/**
 * malt_pool_shutdown_async:
 * @self: a pool
 * @flags: what becomes of calls that wait or are under way
 * @cancellable: (nullable): ends the wait; the pool is shut down all the same
 * @callback: (scope async): called when all workers have ended, in the thread-default main
 *   context of the calling thread
 * @user_data: data for @callback
 *
 * Shuts the pool down, as [method@Malt.Pool.shutdown] does, without blocking.
 *
 * Since: 1.0
 */
void
malt_pool_shutdown_async (MaltPool              *self,
                          MaltPoolShutdownFlags  flags,
                          GCancellable          *cancellable,
                          GAsyncReadyCallback    callback,
                          gpointer               user_data)
{
  GError *error = NULL;
  MaltResult *result;

  g_return_if_fail (MALT_IS_POOL (self));
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  result = malt_result_new (self, malt_pool_shutdown_async, callback, user_data);
  if (malt_pool_core_check_process (self->core, &error))
    {
      malt_pool_core_close (self->core, flags);
      malt_pool_waiter_run_async (self->core, MALT_POOL_WAITS_FOR_END, cancellable, result);
    }
  else
    malt_result_return_later (result, NULL, error);
}

/**
 * malt_pool_shutdown_finish:
 * @self: a pool
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Gets what came of [method@Malt.Pool.shutdown_async].
 *
 * Returns: whether all workers have ended; if not, @error is set
 *
 * Since: 1.0
 */
gboolean
malt_pool_shutdown_finish (MaltPool      *self,
                           GAsyncResult  *result,
                           GError       **error)
{
  g_autoptr (GVariant) value = NULL;

  g_return_val_if_fail (MALT_IS_POOL (self), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  value = malt_result_finish (result, self, error);

  return value != NULL;
}

/**
 * malt_pool_get_launcher: (get-property launcher)
 * @self: a pool
 *
 * Gets the options of the workers.  Not to be changed.
 *
 * Returns: (transfer none): the options
 *
 * Since: 1.0
 */
MaltLauncher *
malt_pool_get_launcher (MaltPool *self)
{
  g_return_val_if_fail (MALT_IS_POOL (self), NULL);

  return self->core->options.launcher;
}

/**
 * malt_pool_get_max_workers: (get-property max-workers)
 * @self: a pool
 *
 * Gets how many workers take calls at once.
 *
 * Returns: a number above 0
 *
 * Since: 1.0
 */
guint
malt_pool_get_max_workers (MaltPool *self)
{
  g_return_val_if_fail (MALT_IS_POOL (self), 0);

  return self->core->options.max_workers;
}

/* To look at what the core counts; FALSE in a copy of its process, where that is nothing. */
static gboolean
lock_core (MaltPool *self)
{
  if (!malt_pool_core_check_process (self->core, NULL))
    return FALSE;

  g_mutex_lock (&self->core->lock);
  return TRUE;
}

/**
 * malt_pool_get_n_workers: (get-property n-workers)
 * @self: a pool
 *
 * Gets how many workers there are.
 *
 * Returns: a number
 *
 * Since: 1.0
 */
guint
malt_pool_get_n_workers (MaltPool *self)
{
  guint n = 0;

  g_return_val_if_fail (MALT_IS_POOL (self), 0);

  if (lock_core (self))
    {
      n = malt_pool_member_count_locked (self->core);
      g_mutex_unlock (&self->core->lock);
    }

  return n;
}

/**
 * malt_pool_get_n_queued: (get-property n-queued)
 * @self: a pool
 *
 * Gets how many calls wait for a worker.
 *
 * Returns: a number
 *
 * Since: 1.0
 */
guint
malt_pool_get_n_queued (MaltPool *self)
{
  guint n = 0;

  g_return_val_if_fail (MALT_IS_POOL (self), 0);

  if (lock_core (self))
    {
      n = self->core->queue.length;
      g_mutex_unlock (&self->core->lock);
    }

  return n;
}

/**
 * malt_pool_get_n_running: (get-property n-running)
 * @self: a pool
 *
 * Gets how many calls have a worker.
 *
 * Returns: a number
 *
 * Since: 1.0
 */
guint
malt_pool_get_n_running (MaltPool *self)
{
  guint n = 0;

  g_return_val_if_fail (MALT_IS_POOL (self), 0);

  if (lock_core (self))
    {
      n = self->core->n_running;
      g_mutex_unlock (&self->core->lock);
    }

  return n;
}

/**
 * malt_pool_get_n_done: (get-property n-done)
 * @self: a pool
 *
 * Gets how many calls have ended well.
 *
 * Returns: a number
 *
 * Since: 1.0
 */
guint64
malt_pool_get_n_done (MaltPool *self)
{
  guint64 n = 0;

  g_return_val_if_fail (MALT_IS_POOL (self), 0);

  if (lock_core (self))
    {
      n = self->core->n_done;
      g_mutex_unlock (&self->core->lock);
    }

  return n;
}

/**
 * malt_pool_get_n_failed: (get-property n-failed)
 * @self: a pool
 *
 * Gets how many calls have failed that were in the queue or had a worker.
 *
 * Returns: a number
 *
 * Since: 1.0
 */
guint64
malt_pool_get_n_failed (MaltPool *self)
{
  guint64 n = 0;

  g_return_val_if_fail (MALT_IS_POOL (self), 0);

  if (lock_core (self))
    {
      n = self->core->n_failed;
      g_mutex_unlock (&self->core->lock);
    }

  return n;
}

/**
 * malt_pool_get_n_restarts: (get-property n-restarts)
 * @self: a pool
 *
 * Gets how many workers were started in the place of one that had died or failed to start.
 *
 * Returns: a number
 *
 * Since: 1.0
 */
guint64
malt_pool_get_n_restarts (MaltPool *self)
{
  guint64 n = 0;

  g_return_val_if_fail (MALT_IS_POOL (self), 0);

  if (lock_core (self))
    {
      n = self->core->n_restarts;
      g_mutex_unlock (&self->core->lock);
    }

  return n;
}
