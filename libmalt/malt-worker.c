/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-worker-private.h"

#include "malt-error-private.h"
#include "malt-exit-info.h"
#include "malt-launcher.h"
#include "malt-registry.h"
#include "malt-request-private.h"
#include "malt-library-thread.h"
#include "wire/malt-fork.h"

/**
 * MaltWorker:
 *
 * Where code runs: the manager's handle to it.
 *
 * A worker comes from [method@Malt.Launcher.spawn].  It is called into with seven
 * functions, which differ in what is asked for (`call`: a function by its name; `eval`:
 * source), in what comes back, and in who waits:
 *
 * | function                                | who waits             | result    |
 * |-----------------------------------------|-----------------------|-----------|
 * | [method@Malt.Worker.remote_call_fetch]  | the calling thread    | the value |
 * | [method@Malt.Worker.remote_call_wait]   | the calling thread    | none      |
 * | [method@Malt.Worker.remote_call_async]  | nobody: a callback    | the value |
 * | [method@Malt.Worker.remote_do]          | nobody                | none      |
 * | [method@Malt.Worker.remote_eval_fetch]  | the calling thread    | the value |
 * | [method@Malt.Worker.remote_eval_wait]   | the calling thread    | none      |
 * | [method@Malt.Worker.remote_eval_async]  | nobody: a callback    | the value |
 *
 * A worker may be used from any thread.  Blocking functions need no main loop and run
 * none.  Callbacks are called in the thread-default main context of the thread that
 * began the call; signals are emitted in that of the thread that made the worker.
 *
 * Requests start in the worker in the order in which they were made.  One that waits for
 * something (a coroutine, a function that answers later) does not hold up the next.
 *
 * The code of a worker can call functions of the program, if it was given them with
 * [method@Malt.Worker.export_function], and say how far it has got:
 * [signal@Malt.Worker::progress].
 *
 * The last reference stops the worker, and so does the end of the manager, however it
 * ends.  How a worker ended is [method@Malt.Worker.get_exit_info].
 *
 * Where code runs is decided by a backend, which is a subclass: see
 * its class structure, [func@Malt.Worker.register] and the page
 * [Writing a backend](writing-a-backend.html).
 *
 * Since: 1.0
 */

/* A worker is STARTING until its start request has returned, then RUNNING.  A stop makes
 * it STOPPING: it takes no more requests.  It is STOPPED once its backend has reported
 * its end, from whatever state, and stays so; exit_info is set exactly then.  Requests
 * that are under way then end with TERMINATED, because the calls of a worker are in its
 * list until they are done (see malt-call.c).
 *
 * Virtual functions are called in the context in which the worker was made, unless the
 * class says that it may be called anywhere: see malt-worker-home.c.  How a worker ends, and
 * who is told, is in malt-worker-end.c. */

G_DEFINE_ABSTRACT_TYPE_WITH_PRIVATE (MaltWorker, malt_worker, G_TYPE_OBJECT)

enum
{
  PROP_LAUNCHER = 1,
  PROP_PID,
  PROP_EXIT_INFO,
  N_PROPERTIES
};

static GParamSpec *properties[N_PROPERTIES];

MaltWorkerPrivate *
malt_worker_get_private (MaltWorker *self)
{
  return malt_worker_get_instance_private (self);
}

static gboolean
is_foreign (MaltWorkerPrivate *priv)
{
  return priv->generation != malt_fork_get_generation () || malt_library_thread_is_gone ();
}

/* Whether this process may use the worker at all: a copy that fork() has made of its manager
 * has neither the threads behind it nor a right to what it shares with the worker. */
gboolean
malt_worker_check_process (MaltWorker  *self,
                           GError     **error)
{
  g_autofree char *name = NULL;

  if (G_LIKELY (!is_foreign (malt_worker_get_private (self))))
    return TRUE;

  name = malt_worker_dup_name (self);
  g_set_error (error, MALT_ERROR, MALT_ERROR_NOT_SUPPORTED,
               "%s cannot be used in a process that fork() has made of its manager; "
               "start another program instead, and the worker there", name);
  return FALSE;
}

static void
malt_worker_real_start (MaltWorker  *self,
                        MaltRequest *request)
{
  malt_request_return_value (request, NULL);
}

static void
malt_worker_real_cancel (MaltWorker  *self,
                         MaltRequest *request)
{
  g_cancellable_cancel (malt_request_get_cancellable (request));
}

static void
malt_worker_real_interrupt (MaltWorker  *self,
                            MaltRequest *request)
{
}

static void
malt_worker_real_stop (MaltWorker *self)
{
  MALT_WORKER_GET_CLASS (self)->kill (self, SIGTERM);
}

static void
malt_worker_get_property (GObject    *object,
                          guint       prop_id,
                          GValue     *value,
                          GParamSpec *pspec)
{
  MaltWorker *self = MALT_WORKER (object);
  MaltWorkerPrivate *priv = malt_worker_get_instance_private (self);

  switch (prop_id)
    {
    case PROP_LAUNCHER:
      g_value_set_object (value, priv->launcher);
      break;
    case PROP_PID:
      g_value_set_int (value, malt_worker_get_pid (self));
      break;
    case PROP_EXIT_INFO:
      g_value_set_object (value, malt_worker_get_exit_info (self));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, prop_id, pspec);
    }
}

static void
malt_worker_set_property (GObject      *object,
                          guint         prop_id,
                          const GValue *value,
                          GParamSpec   *pspec)
{
  MaltWorkerPrivate *priv = malt_worker_get_instance_private (MALT_WORKER (object));

  switch (prop_id)
    {
    case PROP_LAUNCHER:
      priv->launcher = g_value_dup_object (value);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, prop_id, pspec);
    }
}

static void
malt_worker_constructed (GObject *object)
{
  MaltWorkerPrivate *priv = malt_worker_get_instance_private (MALT_WORKER (object));

  G_OBJECT_CLASS (malt_worker_parent_class)->constructed (object);

  if (priv->launcher == NULL)
    priv->launcher = malt_launcher_new (NULL, NULL);
  if (!MALT_WORKER_GET_CLASS (object)->any_thread)
    priv->backend_context = malt_backend_context_get (priv->context);
}

static void
malt_worker_dispose (GObject *object)
{
  MaltWorker *self = MALT_WORKER (object);
  MaltWorkerPrivate *priv = malt_worker_get_instance_private (self);
  gboolean alive;

  /* A copy of its manager drops it, and leaves it running.  The object stays: threads that
   * the copy does not have may have been inside of it. */
  if (is_foreign (priv))
    {
      g_object_ref (object);
      return;
    }

  malt_weak_worker_clear (priv->weak);

  g_mutex_lock (&priv->calls_lock);
  alive = priv->state == MALT_WORKER_RUNNING;
  if (alive)
    g_atomic_int_set (&priv->state, MALT_WORKER_STOPPING);
  g_mutex_unlock (&priv->calls_lock);

  /* On its way to another thread this takes a reference, and the object lives that bit
   * longer. */
  if (alive)
    {
      malt_worker_drop_channels (self);
      malt_worker_invoke_stop (self);
    }
  malt_host_calls_end (self);

  G_OBJECT_CLASS (malt_worker_parent_class)->dispose (object);
}

static void
malt_worker_finalize (GObject *object)
{
  MaltWorkerPrivate *priv = malt_worker_get_instance_private (MALT_WORKER (object));

  /* Every call and stop has a reference. */
  g_assert (priv->calls.length == 0);
  g_assert (priv->stops.length == 0);

  if (priv->end_destroy != NULL)
    priv->end_destroy (priv->end_data);
  malt_errands_clear (MALT_WORKER (object));
  g_clear_pointer (&priv->exports, g_hash_table_unref);
  g_clear_pointer (&priv->progress, g_hash_table_unref);
  g_clear_object (&priv->launcher);
  g_clear_object (&priv->exit_info);
  g_clear_object (&priv->stdout_pipe);
  g_clear_object (&priv->stderr_pipe);
  g_clear_pointer (&priv->backend_context, malt_backend_context_unref);
  g_clear_pointer (&priv->context, g_main_context_unref);
  g_clear_pointer (&priv->thread, g_thread_unref);
  g_clear_pointer (&priv->channels, g_ptr_array_unref);
  g_clear_pointer (&priv->weak, malt_weak_worker_unref);
  g_clear_pointer (&priv->host_calls, malt_host_calls_unref);
  g_mutex_clear (&priv->calls_lock);

  G_OBJECT_CLASS (malt_worker_parent_class)->finalize (object);
}

static void
malt_worker_class_init (MaltWorkerClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->get_property = malt_worker_get_property;
  object_class->set_property = malt_worker_set_property;
  object_class->constructed = malt_worker_constructed;
  object_class->dispose = malt_worker_dispose;
  object_class->finalize = malt_worker_finalize;

  klass->start = malt_worker_real_start;
  klass->cancel = malt_worker_real_cancel;
  klass->interrupt = malt_worker_real_interrupt;
  klass->stop = malt_worker_real_stop;

  /**
   * MaltWorker:launcher: (getter get_launcher)
   *
   * The options with which the worker was started: a copy of its own, not to be changed.
   *
   * Since: 1.0
   */
  properties[PROP_LAUNCHER] =
    g_param_spec_object ("launcher", NULL, NULL, MALT_TYPE_LAUNCHER,
                         G_PARAM_READWRITE | G_PARAM_CONSTRUCT_ONLY | G_PARAM_STATIC_STRINGS);

  /**
   * MaltWorker:pid: (getter get_pid)
   *
   * The number of the process in which the code runs, 0 if it is not known.
   *
   * Since: 1.0
   */
  properties[PROP_PID] =
    g_param_spec_int ("pid", NULL, NULL, 0, G_MAXINT, 0,
                      G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);

  /**
   * MaltWorker:exit-info: (getter get_exit_info)
   *
   * How the worker ended, %NULL as long as it has not.
   *
   * Since: 1.0
   */
  properties[PROP_EXIT_INFO] =
    g_param_spec_object ("exit-info", NULL, NULL, MALT_TYPE_EXIT_INFO,
                         G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);

  g_object_class_install_properties (object_class, N_PROPERTIES, properties);

  /**
   * MaltWorker::terminated:
   * @self: the worker
   * @exit_info: how it ended
   *
   * Emitted once, when the worker has ended, in the main context that was the
   * thread-default one where it was made.  Calls that were under way have failed by then.
   *
   * Since: 1.0
   */
  g_signal_new ("terminated", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                G_TYPE_NONE, 1, MALT_TYPE_EXIT_INFO);

  malt_worker_add_events (klass);
}

static void
malt_worker_init (MaltWorker *self)
{
  MaltWorkerPrivate *priv = malt_worker_get_instance_private (self);

  g_mutex_init (&priv->calls_lock);
  priv->context = g_main_context_ref_thread_default ();
  priv->thread = g_thread_ref (g_thread_self ());
  priv->generation = malt_fork_get_generation ();
  priv->home = malt_errands_here ();
  priv->weak = malt_weak_worker_make (self);
  priv->host_calls = malt_host_calls_new ();
}

/**
 * malt_worker_is_running:
 * @self: a worker
 *
 * Whether the worker is alive: it has started, and has not ended.  Does not block.  That
 * it has ended may become known a moment later; calls fail rightly all the same.
 *
 * Returns: whether it is alive
 *
 * Since: 1.0
 */
gboolean
malt_worker_is_running (MaltWorker *self)
{
  MaltWorkerPrivate *priv = malt_worker_get_instance_private (self);
  MaltWorkerState state;

  g_return_val_if_fail (MALT_IS_WORKER (self), FALSE);

  state = (MaltWorkerState) g_atomic_int_get (&priv->state);

  return state == MALT_WORKER_RUNNING || state == MALT_WORKER_STOPPING;
}

/**
 * malt_worker_interrupt:
 * @self: a worker
 *
 * Interrupts what the worker is doing: what executes now; if nothing executes but
 * requests wait for something, the latest of them; else nothing.  That call fails with
 * `MALT_ERROR_INTERRUPTED`, unless its code goes on in spite of it.
 *
 * What a call has left behind in an event loop, and what now keeps the worker from
 * answering, is broken off too, by the runtimes that have one.  A call that has not begun
 * because of it may fail as well.
 *
 * Does not block.  Other calls are not affected.  To break off one call and no other,
 * cancel it.
 *
 * Since: 1.0
 */
void
malt_worker_interrupt (MaltWorker *self)
{
  g_return_if_fail (MALT_IS_WORKER (self));

  if (malt_worker_is_running (self) && malt_worker_check_process (self, NULL))
    malt_worker_invoke_interrupt (self, NULL);
}

/* For pools. */

/* Whether a call to it can begin.  On any thread. */
gboolean
malt_worker_takes_calls (MaltWorker *self)
{
  MaltWorkerPrivate *priv = malt_worker_get_instance_private (self);

  return g_atomic_int_get (&priv->state) == MALT_WORKER_RUNNING;
}

/* Has signals emitted in another context than the one in which the worker was made, before
 * anybody can have connected to them.  A backend that lives there lives there as before. */
void
malt_worker_emit_in (MaltWorker   *self,
                     GMainContext *context)
{
  MaltWorkerPrivate *priv = malt_worker_get_instance_private (self);
  g_autoptr (GMainContext) former G_GNUC_UNUSED = priv->context;

  priv->context = g_main_context_ref (context);
}

/**
 * malt_worker_get_launcher: (get-property launcher)
 * @self: a worker
 *
 * Gets the options with which the worker was started.  Not to be changed.
 *
 * Returns: (transfer none): the options
 *
 * Since: 1.0
 */
MaltLauncher *
malt_worker_get_launcher (MaltWorker *self)
{
  MaltWorkerPrivate *priv = malt_worker_get_instance_private (self);

  g_return_val_if_fail (MALT_IS_WORKER (self), NULL);

  return priv->launcher;
}

/**
 * malt_worker_dup_name:
 * @self: a worker
 *
 * Says for people which worker it is, as error messages do, for instance
 * `process worker (python) with PID 1234`.
 *
 * Returns: (transfer full): the name
 *
 * Since: 1.0
 */
char *
malt_worker_dup_name (MaltWorker *self)
{
  MaltWorkerPrivate *priv = malt_worker_get_instance_private (self);
  const char *backend, *runtime;

  g_return_val_if_fail (MALT_IS_WORKER (self), NULL);

  backend = malt_launcher_get_backend (priv->launcher);
  runtime = malt_launcher_get_runtime (priv->launcher);

  return g_strdup_printf ("%s worker (%s) with PID %d",
                          backend != NULL ? backend : G_OBJECT_TYPE_NAME (self),
                          runtime != NULL ? runtime : "no runtime",
                          malt_worker_get_pid (self));
}

/**
 * malt_worker_get_pid: (get-property pid)
 * @self: a worker
 *
 * Gets the number of the process in which the code runs.  It is for people and logs; to
 * end or watch the worker use its methods, which cannot hit another process.
 *
 * Returns: the process number, 0 if it is not known
 *
 * Since: 1.0
 */
int
malt_worker_get_pid (MaltWorker *self)
{
  MaltWorkerPrivate *priv = malt_worker_get_instance_private (self);
  int pid;

  g_return_val_if_fail (MALT_IS_WORKER (self), 0);

  g_mutex_lock (&priv->calls_lock);
  pid = priv->pid;
  g_mutex_unlock (&priv->calls_lock);

  return pid;
}

/**
 * malt_worker_get_exit_info: (get-property exit-info)
 * @self: a worker
 *
 * Gets how the worker ended.
 *
 * Returns: (transfer none) (nullable): how it ended, or %NULL if it has not
 *
 * Since: 1.0
 */
MaltExitInfo *
malt_worker_get_exit_info (MaltWorker *self)
{
  MaltWorkerPrivate *priv = malt_worker_get_instance_private (self);
  MaltExitInfo *exit_info;

  g_return_val_if_fail (MALT_IS_WORKER (self), NULL);

  /* Set once and kept as long as the worker. */
  g_mutex_lock (&priv->calls_lock);
  exit_info = priv->exit_info;
  g_mutex_unlock (&priv->calls_lock);

  return exit_info;
}

/**
 * malt_worker_get_stdout_pipe:
 * @self: a worker
 *
 * Gets what the worker writes to its standard output, if
 * [property@Malt.Launcher:stdout] is `MALT_OUTPUT_PIPE`.
 *
 * Returns: (transfer none) (nullable): the stream, or %NULL
 *
 * Since: 1.0
 */
GInputStream *
malt_worker_get_stdout_pipe (MaltWorker *self)
{
  MaltWorkerPrivate *priv = malt_worker_get_instance_private (self);

  g_return_val_if_fail (MALT_IS_WORKER (self), NULL);

  return priv->stdout_pipe;
}

/**
 * malt_worker_get_stderr_pipe:
 * @self: a worker
 *
 * Gets what the worker writes to its standard error, if
 * [property@Malt.Launcher:stderr] is `MALT_OUTPUT_PIPE`.
 *
 * Returns: (transfer none) (nullable): the stream, or %NULL
 *
 * Since: 1.0
 */
GInputStream *
malt_worker_get_stderr_pipe (MaltWorker *self)
{
  MaltWorkerPrivate *priv = malt_worker_get_instance_private (self);

  g_return_val_if_fail (MALT_IS_WORKER (self), NULL);

  return priv->stderr_pipe;
}

/**
 * malt_worker_register:
 * @name: a name for the backend
 * @type: a type derived from [class@Malt.Worker] that is not abstract
 * @error: return location for an error
 *
 * Makes a backend known that was not loaded from a module, for instance one written in
 * Python or JavaScript.  Launchers find it under @name from then on, as long as the
 * program runs.
 *
 * Fails with `G_IO_ERROR_INVALID_ARGUMENT` if the type is not of that kind or has no
 * `submit` or `kill` function, and `G_IO_ERROR_EXISTS` if another one has the name.
 *
 * Returns: whether it is known now; if not, @error is set
 *
 * Since: 1.0
 */
gboolean
malt_worker_register (const char  *name,
                      GType        type,
                      GError     **error)
{
  g_return_val_if_fail (name != NULL, FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  return malt_registry_register (MALT_MODULE_KIND_BACKEND, name, type, error);
}

/**
 * malt_worker_set_pid:
 * @self: a worker
 * @pid: a process number
 *
 * Notes in which process the code runs; for backends, while they start.
 *
 * Since: 1.0
 */
void
malt_worker_set_pid (MaltWorker *self,
                     int         pid)
{
  MaltWorkerPrivate *priv = malt_worker_get_instance_private (self);

  g_return_if_fail (MALT_IS_WORKER (self));

  g_mutex_lock (&priv->calls_lock);
  priv->pid = pid;
  g_mutex_unlock (&priv->calls_lock);
}

/**
 * malt_worker_set_pipes:
 * @self: a worker
 * @stdout_pipe: (nullable): what comes from the worker's standard output
 * @stderr_pipe: (nullable): what comes from its standard error
 *
 * Notes the streams that the worker hands out; for backends, while they start.
 *
 * Since: 1.0
 */
void
malt_worker_set_pipes (MaltWorker   *self,
                       GInputStream *stdout_pipe,
                       GInputStream *stderr_pipe)
{
  MaltWorkerPrivate *priv = malt_worker_get_instance_private (self);

  g_return_if_fail (MALT_IS_WORKER (self));

  g_mutex_lock (&priv->calls_lock);
  g_set_object (&priv->stdout_pipe, stdout_pipe);
  g_set_object (&priv->stderr_pipe, stderr_pipe);
  g_mutex_unlock (&priv->calls_lock);
}
