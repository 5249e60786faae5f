/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-pool-private.h"

#include "malt-launcher-private.h"

/* The properties of a pool: what it was made with, and what it counts. */

enum
{
  PROP_LAUNCHER = 1,
  PROP_MAX_WORKERS,
  PROP_MIN_WORKERS,
  PROP_QUEUE_LENGTH,
  PROP_IDLE_TIMEOUT,
  PROP_MAX_CALLS_PER_WORKER,
  PROP_CALLS_PER_WORKER,
  PROP_CALLS_AHEAD,
  PROP_RETRIES,
  PROP_CRASH_LIMIT,
  PROP_CRASH_WINDOW,
  PROP_INITIALIZER,
  PROP_INITIALIZER_ARGUMENTS,
  PROP_N_WORKERS,
  PROP_N_QUEUED,
  PROP_N_RUNNING,
  PROP_N_DONE,
  PROP_N_FAILED,
  PROP_N_RESTARTS,
  N_PROPERTIES
};

static GParamSpec *properties[N_PROPERTIES];

#define DEFAULT_QUEUE_LENGTH 65536
#define DEFAULT_IDLE_MSEC    60000
#define DEFAULT_RETRIES      1
#define DEFAULT_CRASH_LIMIT  20
#define DEFAULT_CRASH_MSEC   10000
#define MAX_WORKERS          4096
#define MAX_CALLS_PER_WORKER 4096

static void
malt_pool_get_property (GObject    *object,
                        guint       prop_id,
                        GValue     *value,
                        GParamSpec *pspec)
{
  MaltPool *self = MALT_POOL (object);
  const MaltPoolOptions *options = &malt_pool_get_core (self)->options;

  switch (prop_id)
    {
    case PROP_LAUNCHER:
      g_value_set_object (value, options->launcher);
      break;
    case PROP_MAX_WORKERS:
      g_value_set_uint (value, options->max_workers);
      break;
    case PROP_MIN_WORKERS:
      g_value_set_uint (value, options->min_workers);
      break;
    case PROP_QUEUE_LENGTH:
      g_value_set_uint (value, options->queue_length);
      break;
    case PROP_IDLE_TIMEOUT:
      g_value_set_int (value, options->idle_timeout);
      break;
    case PROP_MAX_CALLS_PER_WORKER:
      g_value_set_uint (value, options->max_calls_per_worker);
      break;
    case PROP_CALLS_PER_WORKER:
      g_value_set_uint (value, options->calls_per_worker);
      break;
    case PROP_CALLS_AHEAD:
      g_value_set_uint (value, options->calls_ahead);
      break;
    case PROP_RETRIES:
      g_value_set_uint (value, options->retries);
      break;
    case PROP_CRASH_LIMIT:
      g_value_set_int (value, options->crash_limit);
      break;
    case PROP_CRASH_WINDOW:
      g_value_set_int (value, options->crash_window);
      break;
    case PROP_INITIALIZER:
      g_value_set_string (value, options->initializer);
      break;
    case PROP_INITIALIZER_ARGUMENTS:
      g_value_set_variant (value, options->initializer_arguments);
      break;
    case PROP_N_WORKERS:
      g_value_set_uint (value, malt_pool_get_n_workers (self));
      break;
    case PROP_N_QUEUED:
      g_value_set_uint (value, malt_pool_get_n_queued (self));
      break;
    case PROP_N_RUNNING:
      g_value_set_uint (value, malt_pool_get_n_running (self));
      break;
    case PROP_N_DONE:
      g_value_set_uint64 (value, malt_pool_get_n_done (self));
      break;
    case PROP_N_FAILED:
      g_value_set_uint64 (value, malt_pool_get_n_failed (self));
      break;
    case PROP_N_RESTARTS:
      g_value_set_uint64 (value, malt_pool_get_n_restarts (self));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, prop_id, pspec);
    }
}

/* All of them while the pool is made, so without the lock. */
static void
malt_pool_set_property (GObject      *object,
                        guint         prop_id,
                        const GValue *value,
                        GParamSpec   *pspec)
{
  MaltPoolOptions *options = &malt_pool_get_core (MALT_POOL (object))->options;

  switch (prop_id)
    {
    case PROP_LAUNCHER:
      if (g_value_get_object (value) != NULL)
        options->launcher = malt_launcher_copy (g_value_get_object (value));
      break;
    case PROP_MAX_WORKERS:
      options->max_workers = g_value_get_uint (value);
      break;
    case PROP_MIN_WORKERS:
      options->min_workers = g_value_get_uint (value);
      break;
    case PROP_QUEUE_LENGTH:
      options->queue_length = g_value_get_uint (value);
      break;
    case PROP_IDLE_TIMEOUT:
      options->idle_timeout = g_value_get_int (value);
      break;
    case PROP_MAX_CALLS_PER_WORKER:
      options->max_calls_per_worker = g_value_get_uint (value);
      break;
    case PROP_CALLS_PER_WORKER:
      options->calls_per_worker = g_value_get_uint (value);
      break;
    case PROP_CALLS_AHEAD:
      options->calls_ahead = g_value_get_uint (value);
      break;
    case PROP_RETRIES:
      options->retries = g_value_get_uint (value);
      break;
    case PROP_CRASH_LIMIT:
      options->crash_limit = g_value_get_int (value);
      break;
    case PROP_CRASH_WINDOW:
      options->crash_window = g_value_get_int (value);
      break;
    case PROP_INITIALIZER:
      options->initializer = g_value_dup_string (value);
      break;
    case PROP_INITIALIZER_ARGUMENTS:
      options->initializer_arguments = g_value_dup_variant (value);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, prop_id, pspec);
    }
}

void
malt_pool_install_properties (GObjectClass *klass)
{
  const GParamFlags counted = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS;
  const GParamFlags given = G_PARAM_READWRITE | G_PARAM_CONSTRUCT_ONLY | G_PARAM_STATIC_STRINGS;

  klass->get_property = malt_pool_get_property;
  klass->set_property = malt_pool_set_property;

  /**
   * MaltPool:launcher: (getter get_launcher)
   *
   * The options of the workers: a copy of its own, not to be changed.
   *
   * Since: 1.0
   */
  properties[PROP_LAUNCHER] =
    g_param_spec_object ("launcher", NULL, NULL, MALT_TYPE_LAUNCHER, given);

  /**
   * MaltPool:max-workers: (getter get_max_workers)
   *
   * How many workers take calls at once; 0 for as many as there are processors.
   *
   * Since: 1.0
   */
  properties[PROP_MAX_WORKERS] =
    g_param_spec_uint ("max-workers", NULL, NULL, 0, MAX_WORKERS, 0, given);

  /**
   * MaltPool:min-workers:
   *
   * How many workers are started with the pool, stay when they are idle, and are replaced
   * when they have died.  No more than [property@Malt.Pool:max-workers].
   *
   * Since: 1.0
   */
  properties[PROP_MIN_WORKERS] =
    g_param_spec_uint ("min-workers", NULL, NULL, 0, MAX_WORKERS, 0, given);

  /**
   * MaltPool:queue-length:
   *
   * How many calls that do not block may wait for a worker; 0 for 65,536.  What is more fails
   * with `G_IO_ERROR_BUSY`.  Threads that block wait in the same queue and are not counted
   * here, as each waits for no more than one call; nor are those of [method@Malt.Pool.map].
   *
   * Since: 1.0
   */
  properties[PROP_QUEUE_LENGTH] =
    g_param_spec_uint ("queue-length", NULL, NULL, 0, G_MAXUINT, 0, given);

  /**
   * MaltPool:idle-timeout:
   *
   * How long a worker is kept that has nothing to do, in milliseconds; -1 for as long as the
   * pool.
   *
   * Since: 1.0
   */
  properties[PROP_IDLE_TIMEOUT] =
    g_param_spec_int ("idle-timeout", NULL, NULL, -1, G_MAXINT, DEFAULT_IDLE_MSEC, given);

  /**
   * MaltPool:max-calls-per-worker:
   *
   * How many calls a worker gets before it is stopped and another one takes its place; 0 for
   * any number.
   *
   * Since: 1.0
   */
  properties[PROP_MAX_CALLS_PER_WORKER] =
    g_param_spec_uint ("max-calls-per-worker", NULL, NULL, 0, G_MAXUINT, 0, given);

  /**
   * MaltPool:calls-per-worker:
   *
   * How many calls a worker has at once.  With more than one the next is there when the first
   * has ended, and coroutines and functions that answer later run side by side; but a call may
   * wait behind another one while a third worker has nothing to do, and more are lost if a
   * worker dies.
   *
   * Since: 1.0
   */
  properties[PROP_CALLS_PER_WORKER] =
    g_param_spec_uint ("calls-per-worker", NULL, NULL, 1, MAX_CALLS_PER_WORKER, 1, given);

  /**
   * MaltPool:calls-ahead:
   *
   * How many more calls that do not block a worker is given than [property@Malt.Pool:calls-per-worker],
   * as long as they are short, so that it need not wait for the next.  They are taken back if
   * it does not come to them soon, so none waits behind another one that takes its time.
   *
   * This is for calls that run one after the other in a worker, as functions do that neither
   * wait nor answer later: if a worker ends, the first of those that it has fails, and the
   * others are made in another one, as they had not begun.  Backends that cannot take calls back
   * are given none ahead.
   *
   * Since: 1.0
   */
  properties[PROP_CALLS_AHEAD] =
    g_param_spec_uint ("calls-ahead", NULL, NULL, 0, MAX_CALLS_PER_WORKER, 0, given);

  /**
   * MaltPool:retries:
   *
   * How often a call is tried again whose worker has ended, if it has
   * `MALT_POOL_CALL_FLAGS_RETRY`.
   *
   * Since: 1.0
   */
  properties[PROP_RETRIES] =
    g_param_spec_uint ("retries", NULL, NULL, 0, G_MAXUINT, DEFAULT_RETRIES, given);

  /**
   * MaltPool:crash-limit:
   *
   * How many workers may die, or fail to start, within [property@Malt.Pool:crash-window]; -1
   * for any number.  Those that die during a call count until one goes well.  If more do, none are started until the window is over, and calls fail
   * with `MALT_ERROR_START`, which tells the cause, as soon as there is no worker left.
   *
   * Since: 1.0
   */
  properties[PROP_CRASH_LIMIT] =
    g_param_spec_int ("crash-limit", NULL, NULL, -1, G_MAXINT, DEFAULT_CRASH_LIMIT, given);

  /**
   * MaltPool:crash-window:
   *
   * The time of [property@Malt.Pool:crash-limit], in milliseconds.
   *
   * Since: 1.0
   */
  properties[PROP_CRASH_WINDOW] =
    g_param_spec_int ("crash-window", NULL, NULL, 1, G_MAXINT, DEFAULT_CRASH_MSEC, given);

  /**
   * MaltPool:initializer:
   *
   * The name of a function that is called in each worker before it gets any other call, or
   * %NULL.  If it fails the start of the worker has failed.  It may take as long as a start.
   *
   * Since: 1.0
   */
  properties[PROP_INITIALIZER] =
    g_param_spec_string ("initializer", NULL, NULL, NULL, given);

  /**
   * MaltPool:initializer-arguments:
   *
   * The arguments of [property@Malt.Pool:initializer], a tuple, or %NULL for none.
   *
   * Since: 1.0
   */
  properties[PROP_INITIALIZER_ARGUMENTS] =
    g_param_spec_variant ("initializer-arguments", NULL, NULL, G_VARIANT_TYPE_TUPLE, NULL, given);

  /**
   * MaltPool:n-workers: (getter get_n_workers)
   *
   * How many workers there are.  There is no notification of this and the other numbers.
   *
   * Since: 1.0
   */
  properties[PROP_N_WORKERS] =
    g_param_spec_uint ("n-workers", NULL, NULL, 0, G_MAXUINT, 0, counted);

  /**
   * MaltPool:n-queued: (getter get_n_queued)
   *
   * How many calls wait for a worker.
   *
   * Since: 1.0
   */
  properties[PROP_N_QUEUED] =
    g_param_spec_uint ("n-queued", NULL, NULL, 0, G_MAXUINT, 0, counted);

  /**
   * MaltPool:n-running: (getter get_n_running)
   *
   * How many calls have a worker.
   *
   * Since: 1.0
   */
  properties[PROP_N_RUNNING] =
    g_param_spec_uint ("n-running", NULL, NULL, 0, G_MAXUINT, 0, counted);

  /**
   * MaltPool:n-done: (getter get_n_done)
   *
   * How many calls have ended well.
   *
   * Since: 1.0
   */
  properties[PROP_N_DONE] =
    g_param_spec_uint64 ("n-done", NULL, NULL, 0, G_MAXUINT64, 0, counted);

  /**
   * MaltPool:n-failed: (getter get_n_failed)
   *
   * How many calls have failed that were in the queue or had a worker.
   *
   * Since: 1.0
   */
  properties[PROP_N_FAILED] =
    g_param_spec_uint64 ("n-failed", NULL, NULL, 0, G_MAXUINT64, 0, counted);

  /**
   * MaltPool:n-restarts: (getter get_n_restarts)
   *
   * How many workers were started in the place of one that had died or failed to start.
   *
   * Since: 1.0
   */
  properties[PROP_N_RESTARTS] =
    g_param_spec_uint64 ("n-restarts", NULL, NULL, 0, G_MAXUINT64, 0, counted);

  g_object_class_install_properties (klass, N_PROPERTIES, properties);
}

/* What was given may stand for something else. */
void
malt_pool_complete_options (MaltPoolOptions *options)
{
  if (options->launcher == NULL)
    options->launcher = malt_launcher_new (NULL, NULL);
  if (options->max_workers == 0)
    options->max_workers = CLAMP (g_get_num_processors (), 1, MAX_WORKERS);
  options->min_workers = MIN (options->min_workers, options->max_workers);
  if (options->queue_length == 0)
    options->queue_length = DEFAULT_QUEUE_LENGTH;
}
