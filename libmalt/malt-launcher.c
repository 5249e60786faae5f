/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-launcher-private.h"

#include <string.h>

#include "malt-enum-types.h"
#include "malt-registry.h"
#include "malt-worker-private.h"
#include "wire/malt-limits.h"

/**
 * MaltLauncher:
 *
 * The options for a worker to come, as [class@Gio.SubprocessLauncher] has them for a
 * process.
 *
 * A launcher can start any number of workers; each keeps the options as they were when
 * it was started.  A launcher is used by one thread at a time.
 *
 * ```c
 * g_autoptr (MaltLauncher) launcher = malt_launcher_new ("process", "python");
 * g_autoptr (MaltWorker) worker = malt_launcher_spawn (launcher, NULL, &error);
 * ```
 *
 * Since: 1.0
 */

/* What a launcher has when nobody says otherwise. */
#define DEFAULT_BACKEND        "process"
#define DEFAULT_RUNTIME        "native"
#define DEFAULT_START_MSEC     MALT_LIMIT_HELLO_MSEC
#define DEFAULT_CANCEL_MSEC    200
#define DEFAULT_INTERRUPT_MSEC 2000

struct _MaltLauncher
{
  GObject parent_instance;

  char        *backend;
  char        *runtime;
  char        *program;
  char        *working_directory;
  char       **environment;
  char       **search_path;
  MaltOutput   stdout_output;
  MaltOutput   stderr_output;
  int          start_timeout;
  int          call_timeout;
  int          cancel_timeout;
  int          interrupt_timeout;
  gboolean     kill_on_timeout;
  guint64      max_value_size;
  int          spin_limit;
  GVariant    *backend_options;
  GVariant    *runtime_options;
};

enum
{
  PROP_BACKEND = 1,
  PROP_RUNTIME,
  PROP_PROGRAM,
  PROP_WORKING_DIRECTORY,
  PROP_ENVIRONMENT,
  PROP_SEARCH_PATH,
  PROP_STDOUT,
  PROP_STDERR,
  PROP_START_TIMEOUT,
  PROP_CALL_TIMEOUT,
  PROP_CANCEL_TIMEOUT,
  PROP_INTERRUPT_TIMEOUT,
  PROP_KILL_ON_TIMEOUT,
  PROP_MAX_VALUE_SIZE,
  PROP_SPIN_LIMIT,
  PROP_BACKEND_OPTIONS,
  PROP_RUNTIME_OPTIONS,
  N_PROPERTIES
};

static GParamSpec *properties[N_PROPERTIES];

G_DEFINE_FINAL_TYPE (MaltLauncher, malt_launcher, G_TYPE_OBJECT)

static void
malt_launcher_get_property (GObject    *object,
                            guint       prop_id,
                            GValue     *value,
                            GParamSpec *pspec)
{
  MaltLauncher *self = MALT_LAUNCHER (object);

  switch (prop_id)
    {
    case PROP_BACKEND:
      g_value_set_string (value, self->backend);
      break;
    case PROP_RUNTIME:
      g_value_set_string (value, self->runtime);
      break;
    case PROP_PROGRAM:
      g_value_set_string (value, self->program);
      break;
    case PROP_WORKING_DIRECTORY:
      g_value_set_string (value, self->working_directory);
      break;
    case PROP_ENVIRONMENT:
      g_value_set_boxed (value, self->environment);
      break;
    case PROP_SEARCH_PATH:
      g_value_set_boxed (value, self->search_path);
      break;
    case PROP_STDOUT:
      g_value_set_enum (value, self->stdout_output);
      break;
    case PROP_STDERR:
      g_value_set_enum (value, self->stderr_output);
      break;
    case PROP_START_TIMEOUT:
      g_value_set_int (value, self->start_timeout);
      break;
    case PROP_CALL_TIMEOUT:
      g_value_set_int (value, self->call_timeout);
      break;
    case PROP_CANCEL_TIMEOUT:
      g_value_set_int (value, self->cancel_timeout);
      break;
    case PROP_INTERRUPT_TIMEOUT:
      g_value_set_int (value, self->interrupt_timeout);
      break;
    case PROP_KILL_ON_TIMEOUT:
      g_value_set_boolean (value, self->kill_on_timeout);
      break;
    case PROP_MAX_VALUE_SIZE:
      g_value_set_uint64 (value, self->max_value_size);
      break;
    case PROP_SPIN_LIMIT:
      g_value_set_int (value, self->spin_limit);
      break;
    case PROP_BACKEND_OPTIONS:
      g_value_set_variant (value, self->backend_options);
      break;
    case PROP_RUNTIME_OPTIONS:
      g_value_set_variant (value, self->runtime_options);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, prop_id, pspec);
    }
}

static void
malt_launcher_set_property (GObject      *object,
                            guint         prop_id,
                            const GValue *value,
                            GParamSpec   *pspec)
{
  MaltLauncher *self = MALT_LAUNCHER (object);

  switch (prop_id)
    {
    case PROP_BACKEND:
      malt_launcher_set_backend (self, g_value_get_string (value));
      break;
    case PROP_RUNTIME:
      malt_launcher_set_runtime (self, g_value_get_string (value));
      break;
    case PROP_PROGRAM:
      malt_launcher_set_program (self, g_value_get_string (value));
      break;
    case PROP_WORKING_DIRECTORY:
      malt_launcher_set_working_directory (self, g_value_get_string (value));
      break;
    case PROP_ENVIRONMENT:
      malt_launcher_set_environment (self, g_value_get_boxed (value));
      break;
    case PROP_SEARCH_PATH:
      malt_launcher_set_search_path (self, g_value_get_boxed (value));
      break;
    case PROP_STDOUT:
      malt_launcher_set_stdout (self, g_value_get_enum (value));
      break;
    case PROP_STDERR:
      malt_launcher_set_stderr (self, g_value_get_enum (value));
      break;
    case PROP_START_TIMEOUT:
      malt_launcher_set_start_timeout (self, g_value_get_int (value));
      break;
    case PROP_CALL_TIMEOUT:
      malt_launcher_set_call_timeout (self, g_value_get_int (value));
      break;
    case PROP_CANCEL_TIMEOUT:
      malt_launcher_set_cancel_timeout (self, g_value_get_int (value));
      break;
    case PROP_INTERRUPT_TIMEOUT:
      malt_launcher_set_interrupt_timeout (self, g_value_get_int (value));
      break;
    case PROP_KILL_ON_TIMEOUT:
      malt_launcher_set_kill_on_timeout (self, g_value_get_boolean (value));
      break;
    case PROP_MAX_VALUE_SIZE:
      malt_launcher_set_max_value_size (self, g_value_get_uint64 (value));
      break;
    case PROP_SPIN_LIMIT:
      malt_launcher_set_spin_limit (self, g_value_get_int (value));
      break;
    case PROP_BACKEND_OPTIONS:
      malt_launcher_set_backend_options (self, g_value_get_variant (value));
      break;
    case PROP_RUNTIME_OPTIONS:
      malt_launcher_set_runtime_options (self, g_value_get_variant (value));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, prop_id, pspec);
    }
}

static void
malt_launcher_finalize (GObject *object)
{
  MaltLauncher *self = MALT_LAUNCHER (object);

  g_free (self->backend);
  g_free (self->runtime);
  g_free (self->program);
  g_free (self->working_directory);
  g_strfreev (self->environment);
  g_strfreev (self->search_path);
  g_clear_pointer (&self->backend_options, g_variant_unref);
  g_clear_pointer (&self->runtime_options, g_variant_unref);

  G_OBJECT_CLASS (malt_launcher_parent_class)->finalize (object);
}

static void
malt_launcher_class_init (MaltLauncherClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  const GParamFlags flags = G_PARAM_READWRITE | G_PARAM_EXPLICIT_NOTIFY | G_PARAM_STATIC_STRINGS;

  object_class->get_property = malt_launcher_get_property;
  object_class->set_property = malt_launcher_set_property;
  object_class->finalize = malt_launcher_finalize;

  /**
   * MaltLauncher:backend: (getter get_backend) (setter set_backend)
   *
   * The name of the backend, which decides where the code runs.
   *
   * Since: 1.0
   */
  properties[PROP_BACKEND] =
    g_param_spec_string ("backend", NULL, NULL, DEFAULT_BACKEND, flags);

  /**
   * MaltLauncher:runtime: (getter get_runtime) (setter set_runtime)
   *
   * The name of the runtime, which decides what language the worker speaks.
   *
   * Since: 1.0
   */
  properties[PROP_RUNTIME] =
    g_param_spec_string ("runtime", NULL, NULL, DEFAULT_RUNTIME, flags);

  /**
   * MaltLauncher:program: (getter get_program) (setter set_program)
   *
   * The program that becomes the worker: an absolute path, `MALT_PROGRAM_SELF`, or %NULL
   * for the library's own.
   *
   * Since: 1.0
   */
  properties[PROP_PROGRAM] =
    g_param_spec_string ("program", NULL, NULL, NULL, flags);

  /**
   * MaltLauncher:working-directory: (getter get_working_directory) (setter set_working_directory)
   *
   * The directory in which the worker starts: an absolute path, or %NULL for `/`.
   *
   * Since: 1.0
   */
  properties[PROP_WORKING_DIRECTORY] =
    g_param_spec_string ("working-directory", NULL, NULL, NULL, flags);

  /**
   * MaltLauncher:environment: (getter get_environment) (setter set_environment)
   *
   * What the worker's environment has beyond the minimum, each `NAME=VALUE`.  The
   * manager's environment is not inherited; the manual has the list of what is.
   *
   * Since: 1.0
   */
  properties[PROP_ENVIRONMENT] =
    g_param_spec_boxed ("environment", NULL, NULL, G_TYPE_STRV, flags);

  /**
   * MaltLauncher:search-path: (getter get_search_path) (setter set_search_path)
   *
   * Where the runtime looks for modules first: absolute paths of directories.  The
   * `native` runtime looks there for typelibs too.
   *
   * Since: 1.0
   */
  properties[PROP_SEARCH_PATH] =
    g_param_spec_boxed ("search-path", NULL, NULL, G_TYPE_STRV, flags);

  /**
   * MaltLauncher:stdout: (getter get_stdout) (setter set_stdout)
   *
   * Where the worker's standard output goes.
   *
   * Since: 1.0
   */
  properties[PROP_STDOUT] =
    g_param_spec_enum ("stdout", NULL, NULL, MALT_TYPE_OUTPUT, MALT_OUTPUT_FORWARD, flags);

  /**
   * MaltLauncher:stderr: (getter get_stderr) (setter set_stderr)
   *
   * Where the worker's standard error goes.
   *
   * Since: 1.0
   */
  properties[PROP_STDERR] =
    g_param_spec_enum ("stderr", NULL, NULL, MALT_TYPE_OUTPUT, MALT_OUTPUT_FORWARD, flags);

  /**
   * MaltLauncher:start-timeout: (getter get_start_timeout) (setter set_start_timeout)
   *
   * How long the worker may take to be ready, in milliseconds; -1 for as long as it takes.
   *
   * Since: 1.0
   */
  properties[PROP_START_TIMEOUT] =
    g_param_spec_int ("start-timeout", NULL, NULL, -1, G_MAXINT, DEFAULT_START_MSEC, flags);

  /**
   * MaltLauncher:call-timeout: (getter get_call_timeout) (setter set_call_timeout)
   *
   * The deadline of calls that have none of their own, in milliseconds; -1 for none.
   *
   * Since: 1.0
   */
  properties[PROP_CALL_TIMEOUT] =
    g_param_spec_int ("call-timeout", NULL, NULL, -1, G_MAXINT, -1, flags);

  /**
   * MaltLauncher:cancel-timeout: (getter get_cancel_timeout) (setter set_cancel_timeout)
   *
   * How long code may take to give up when it is asked to, before it is interrupted, in
   * milliseconds.
   *
   * Since: 1.0
   */
  properties[PROP_CANCEL_TIMEOUT] =
    g_param_spec_int ("cancel-timeout", NULL, NULL, 0, G_MAXINT, DEFAULT_CANCEL_MSEC, flags);

  /**
   * MaltLauncher:interrupt-timeout: (getter get_interrupt_timeout) (setter set_interrupt_timeout)
   *
   * How long code may take to end when it is interrupted, before the worker is killed or
   * the caller let go, in milliseconds.
   *
   * Since: 1.0
   */
  properties[PROP_INTERRUPT_TIMEOUT] =
    g_param_spec_int ("interrupt-timeout", NULL, NULL, 0, G_MAXINT, DEFAULT_INTERRUPT_MSEC, flags);

  /**
   * MaltLauncher:kill-on-timeout: (getter get_kill_on_timeout) (setter set_kill_on_timeout)
   *
   * Whether a cancelled or overdue call that cannot be interrupted may cost the worker.
   *
   * Since: 1.0
   */
  properties[PROP_KILL_ON_TIMEOUT] =
    g_param_spec_boolean ("kill-on-timeout", NULL, NULL, FALSE, flags);

  /**
   * MaltLauncher:max-value-size: (getter get_max_value_size) (setter set_max_value_size)
   *
   * The largest call, source or value that is sent or received, in bytes.
   *
   * Since: 1.0
   */
  properties[PROP_MAX_VALUE_SIZE] =
    g_param_spec_uint64 ("max-value-size", NULL, NULL, 1, MALT_LIMIT_VALUE_SIZE, MALT_LIMIT_VALUE_SIZE, flags);

  /**
   * MaltLauncher:spin-limit: (getter get_spin_limit) (setter set_spin_limit)
   *
   * How long each end of a connection may wait actively for the other one before it goes
   * to sleep, in microseconds; 0 for never, -1 for what the environment variable
   * `MALT_SPIN` says, and 50 if it is not set.
   *
   * A wait that is over in that time saves a system call and a wake-up at either end,
   * which cost more.  Where such waits fail they become rare; there are none while a worker or the manager has nothing to do, for a worker that sleeps, on
   * a single processor, or while more workers are busy than there are processors.
   *
   * Since: 1.0
   */
  properties[PROP_SPIN_LIMIT] =
    g_param_spec_int ("spin-limit", NULL, NULL, -1, MALT_LIMIT_SPIN_USEC, -1, flags);

  /**
   * MaltLauncher:backend-options: (getter get_backend_options) (setter set_backend_options)
   *
   * The backend's own options, an `a{sv}`; which there are, its page in the manual says.
   *
   * Since: 1.0
   */
  properties[PROP_BACKEND_OPTIONS] =
    g_param_spec_variant ("backend-options", NULL, NULL, G_VARIANT_TYPE_VARDICT, NULL, flags);

  /**
   * MaltLauncher:runtime-options: (getter get_runtime_options) (setter set_runtime_options)
   *
   * The runtime's own options, an `a{sv}`; which there are, its page in the manual says.
   *
   * Since: 1.0
   */
  properties[PROP_RUNTIME_OPTIONS] =
    g_param_spec_variant ("runtime-options", NULL, NULL, G_VARIANT_TYPE_VARDICT, NULL, flags);

  g_object_class_install_properties (object_class, N_PROPERTIES, properties);
}

static void
malt_launcher_init (MaltLauncher *self)
{
  self->backend = g_strdup (DEFAULT_BACKEND);
  self->runtime = g_strdup (DEFAULT_RUNTIME);
  self->start_timeout = DEFAULT_START_MSEC;
  self->call_timeout = -1;
  self->cancel_timeout = DEFAULT_CANCEL_MSEC;
  self->interrupt_timeout = DEFAULT_INTERRUPT_MSEC;
  self->max_value_size = MALT_LIMIT_VALUE_SIZE;
  self->spin_limit = -1;
}

/* A worker's own copy. */
MaltLauncher *
malt_launcher_copy (MaltLauncher *self)
{
  return g_object_new (MALT_TYPE_LAUNCHER,
                       "backend", self->backend,
                       "runtime", self->runtime,
                       "program", self->program,
                       "working-directory", self->working_directory,
                       "environment", self->environment,
                       "search-path", self->search_path,
                       "stdout", self->stdout_output,
                       "stderr", self->stderr_output,
                       "start-timeout", self->start_timeout,
                       "call-timeout", self->call_timeout,
                       "cancel-timeout", self->cancel_timeout,
                       "interrupt-timeout", self->interrupt_timeout,
                       "kill-on-timeout", self->kill_on_timeout,
                       "max-value-size", self->max_value_size,
                       "spin-limit", self->spin_limit,
                       "backend-options", self->backend_options,
                       "runtime-options", self->runtime_options,
                       NULL);
}

/**
 * malt_launcher_new:
 * @backend: (nullable): the name of a backend, or %NULL for `"process"`
 * @runtime: (nullable): the name of a runtime, or %NULL for `"native"`
 *
 * Makes a launcher.  That backend and runtime exist is checked when a worker is started.
 *
 * Returns: (transfer full): a launcher
 *
 * Since: 1.0
 */
MaltLauncher *
malt_launcher_new (const char *backend,
                   const char *runtime)
{
  return g_object_new (MALT_TYPE_LAUNCHER,
                       "backend", backend != NULL ? backend : DEFAULT_BACKEND,
                       "runtime", runtime != NULL ? runtime : DEFAULT_RUNTIME,
                       NULL);
}

static MaltWorker *
new_worker (MaltLauncher  *self,
            GError       **error)
{
  g_autoptr (MaltLauncher) copy = NULL;
  g_autoptr (GTypeClass) klass = NULL;
  GThread *thread;
  GType type;

  if (self->backend == NULL)
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "no backend was chosen");
      return NULL;
    }

  type = malt_registry_lookup (MALT_MODULE_KIND_BACKEND, self->backend, error);
  if (type == G_TYPE_INVALID)
    return NULL;

  klass = g_type_class_ref (type);
  thread = MALT_WORKER_CLASS (klass)->thread;
  if (thread != NULL && thread != g_thread_self ())
    {
      g_set_error (error, MALT_ERROR, MALT_ERROR_NOT_SUPPORTED,
                   "workers of the backend '%s' can be made only on the thread that runs its language", self->backend);
      return NULL;
    }

  copy = malt_launcher_copy (self);
  return g_object_new (type, "launcher", copy, NULL);
}

/**
 * malt_launcher_spawn:
 * @self: a launcher
 * @cancellable: (nullable): ends the start
 * @error: return location for an error
 *
 * Starts a worker, and waits until it is ready.
 *
 * Blocks the calling thread.  It needs no main loop, and runs none.  The main context
 * that is the thread-default one now is where the worker's signals are emitted later.
 *
 * Fails with `MALT_ERROR_NOT_FOUND` if there is no such backend, runtime, option or
 * program, `MALT_ERROR_START` if the worker does not come up (the message ends with what
 * it printed on its standard error), `G_IO_ERROR_INVALID_ARGUMENT` for an option of the
 * wrong type, `MALT_ERROR_NOT_SUPPORTED` for one that the backend cannot heed or if its
 * language does not run on this thread, and `G_IO_ERROR_CANCELLED`.
 *
 * Returns: (transfer full): the worker, or %NULL with @error set
 *
 * Since: 1.0
 */
MaltWorker *
malt_launcher_spawn (MaltLauncher  *self,
                     GCancellable  *cancellable,
                     GError       **error)
{
  g_autoptr (MaltWorker) worker = NULL;

  g_return_val_if_fail (MALT_IS_LAUNCHER (self), NULL);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  worker = new_worker (self, error);
  if (worker == NULL || !malt_worker_start_blocking (worker, cancellable, error))
    return NULL;

  return g_steal_pointer (&worker);
}

static void
started_cb (GObject      *object,
            GAsyncResult *result,
            gpointer      user_data)
{
  g_autoptr (GTask) task = user_data;
  GError *error = NULL;

  if (malt_worker_start_finish (MALT_WORKER (object), result, &error))
    g_task_return_pointer (task, g_object_ref (object), g_object_unref);
  else
    g_task_return_error (task, error);
}

/**
 * malt_launcher_spawn_async:
 * @self: a launcher
 * @cancellable: (nullable): ends the start
 * @callback: (scope async): called when the worker is ready or has failed, in the
 *   thread-default main context of the calling thread
 * @user_data: data for @callback
 *
 * Starts a worker, as [method@Malt.Launcher.spawn] does, without blocking.
 *
 * Since: 1.0
 */
void
malt_launcher_spawn_async (MaltLauncher        *self,
                           GCancellable        *cancellable,
                           GAsyncReadyCallback  callback,
                           gpointer             user_data)
{
  g_autoptr (MaltWorker) worker = NULL;
  g_autoptr (GTask) task = NULL;
  GError *error = NULL;

  g_return_if_fail (MALT_IS_LAUNCHER (self));
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  task = g_task_new (self, cancellable, callback, user_data);
  g_task_set_source_tag (task, malt_launcher_spawn_async);
  g_task_set_check_cancellable (task, FALSE);

  worker = new_worker (self, &error);
  if (worker == NULL)
    g_task_return_error (task, error);
  else
    malt_worker_start_async (worker, cancellable, started_cb, g_steal_pointer (&task));
}

/**
 * malt_launcher_spawn_finish:
 * @self: a launcher
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Gets what came of [method@Malt.Launcher.spawn_async].
 *
 * Returns: (transfer full): the worker, or %NULL with @error set
 *
 * Since: 1.0
 */
MaltWorker *
malt_launcher_spawn_finish (MaltLauncher  *self,
                            GAsyncResult  *result,
                            GError       **error)
{
  g_return_val_if_fail (MALT_IS_LAUNCHER (self), NULL);
  g_return_val_if_fail (g_task_is_valid (result, self), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  return g_task_propagate_pointer (G_TASK (result), error);
}

/* Setters that several properties share: each changes and notifies, or does nothing. */

static void
set_string (MaltLauncher  *self,
            char         **field,
            const char    *value,
            guint          prop_id)
{
  char *copy;

  if (g_strcmp0 (*field, value) == 0)
    return;

  copy = g_strdup (value);
  g_free (*field);
  *field = copy;
  g_object_notify_by_pspec (G_OBJECT (self), properties[prop_id]);
}

static void
set_strv (MaltLauncher        *self,
          char              ***field,
          const char * const  *value,
          guint                prop_id)
{
  char **copy;

  if (*field == NULL && value == NULL)
    return;
  if (*field != NULL && value != NULL && g_strv_equal ((const char * const *) *field, value))
    return;

  copy = g_strdupv ((char **) value);
  g_strfreev (*field);
  *field = copy;
  g_object_notify_by_pspec (G_OBJECT (self), properties[prop_id]);
}

static void
set_int (MaltLauncher *self,
         int          *field,
         int           value,
         guint         prop_id)
{
  if (*field == value)
    return;

  *field = value;
  g_object_notify_by_pspec (G_OBJECT (self), properties[prop_id]);
}

static void
set_options (MaltLauncher  *self,
             GVariant     **field,
             GVariant      *value,
             guint          prop_id)
{
  if (*field == value)
    return;

  g_clear_pointer (field, g_variant_unref);
  *field = value != NULL ? g_variant_ref_sink (value) : NULL;
  g_object_notify_by_pspec (G_OBJECT (self), properties[prop_id]);
}

/**
 * malt_launcher_get_backend: (get-property backend)
 * @self: a launcher
 *
 * Gets [property@Malt.Launcher:backend].
 *
 * Returns: (nullable): the value
 *
 * Since: 1.0
 */
const char *
malt_launcher_get_backend (MaltLauncher *self)
{
  g_return_val_if_fail (MALT_IS_LAUNCHER (self), NULL);

  return self->backend;
}

/**
 * malt_launcher_set_backend: (set-property backend)
 * @self: a launcher
 * @value: (nullable): the value
 *
 * Sets [property@Malt.Launcher:backend], for workers that are started from now on.
 *
 * Since: 1.0
 */
void
malt_launcher_set_backend (MaltLauncher *self,
                           const char   *value)
{
  g_return_if_fail (MALT_IS_LAUNCHER (self));

  set_string (self, &self->backend, value, PROP_BACKEND);
}

/**
 * malt_launcher_get_runtime: (get-property runtime)
 * @self: a launcher
 *
 * Gets [property@Malt.Launcher:runtime].
 *
 * Returns: (nullable): the value
 *
 * Since: 1.0
 */
const char *
malt_launcher_get_runtime (MaltLauncher *self)
{
  g_return_val_if_fail (MALT_IS_LAUNCHER (self), NULL);

  return self->runtime;
}

/**
 * malt_launcher_set_runtime: (set-property runtime)
 * @self: a launcher
 * @value: (nullable): the value
 *
 * Sets [property@Malt.Launcher:runtime], for workers that are started from now on.
 *
 * Since: 1.0
 */
void
malt_launcher_set_runtime (MaltLauncher *self,
                           const char   *value)
{
  g_return_if_fail (MALT_IS_LAUNCHER (self));

  set_string (self, &self->runtime, value, PROP_RUNTIME);
}

/**
 * malt_launcher_get_program: (get-property program)
 * @self: a launcher
 *
 * Gets [property@Malt.Launcher:program].
 *
 * Returns: (nullable): the value
 *
 * Since: 1.0
 */
const char *
malt_launcher_get_program (MaltLauncher *self)
{
  g_return_val_if_fail (MALT_IS_LAUNCHER (self), NULL);

  return self->program;
}

/**
 * malt_launcher_set_program: (set-property program)
 * @self: a launcher
 * @value: (nullable): the value
 *
 * Sets [property@Malt.Launcher:program], for workers that are started from now on.
 *
 * Since: 1.0
 */
void
malt_launcher_set_program (MaltLauncher *self,
                           const char   *value)
{
  g_return_if_fail (MALT_IS_LAUNCHER (self));

  set_string (self, &self->program, value, PROP_PROGRAM);
}

/**
 * malt_launcher_get_working_directory: (get-property working-directory)
 * @self: a launcher
 *
 * Gets [property@Malt.Launcher:working-directory].
 *
 * Returns: (nullable): the value
 *
 * Since: 1.0
 */
const char *
malt_launcher_get_working_directory (MaltLauncher *self)
{
  g_return_val_if_fail (MALT_IS_LAUNCHER (self), NULL);

  return self->working_directory;
}

/**
 * malt_launcher_set_working_directory: (set-property working-directory)
 * @self: a launcher
 * @value: (nullable): the value
 *
 * Sets [property@Malt.Launcher:working-directory], for workers that are started from now on.
 *
 * Since: 1.0
 */
void
malt_launcher_set_working_directory (MaltLauncher *self,
                                     const char   *value)
{
  g_return_if_fail (MALT_IS_LAUNCHER (self));

  set_string (self, &self->working_directory, value, PROP_WORKING_DIRECTORY);
}

/**
 * malt_launcher_get_environment: (get-property environment)
 * @self: a launcher
 *
 * Gets [property@Malt.Launcher:environment].
 *
 * Returns: (transfer none) (nullable) (array zero-terminated=1): the value
 *
 * Since: 1.0
 */
const char * const *
malt_launcher_get_environment (MaltLauncher *self)
{
  g_return_val_if_fail (MALT_IS_LAUNCHER (self), NULL);

  return (const char * const *) self->environment;
}

/**
 * malt_launcher_set_environment: (set-property environment)
 * @self: a launcher
 * @value: (nullable) (array zero-terminated=1): the value
 *
 * Sets [property@Malt.Launcher:environment], for workers that are started from now on.
 *
 * Since: 1.0
 */
void
malt_launcher_set_environment (MaltLauncher       *self,
                               const char * const *value)
{
  g_return_if_fail (MALT_IS_LAUNCHER (self));

  set_strv (self, &self->environment, value, PROP_ENVIRONMENT);
}

/**
 * malt_launcher_get_search_path: (get-property search-path)
 * @self: a launcher
 *
 * Gets [property@Malt.Launcher:search-path].
 *
 * Returns: (transfer none) (nullable) (array zero-terminated=1): the value
 *
 * Since: 1.0
 */
const char * const *
malt_launcher_get_search_path (MaltLauncher *self)
{
  g_return_val_if_fail (MALT_IS_LAUNCHER (self), NULL);

  return (const char * const *) self->search_path;
}

/**
 * malt_launcher_set_search_path: (set-property search-path)
 * @self: a launcher
 * @value: (nullable) (array zero-terminated=1): the value
 *
 * Sets [property@Malt.Launcher:search-path], for workers that are started from now on.
 *
 * Since: 1.0
 */
void
malt_launcher_set_search_path (MaltLauncher       *self,
                               const char * const *value)
{
  g_return_if_fail (MALT_IS_LAUNCHER (self));

  set_strv (self, &self->search_path, value, PROP_SEARCH_PATH);
}

/**
 * malt_launcher_get_stdout: (get-property stdout)
 * @self: a launcher
 *
 * Gets [property@Malt.Launcher:stdout].
 *
 * Returns: the value
 *
 * Since: 1.0
 */
MaltOutput
malt_launcher_get_stdout (MaltLauncher *self)
{
  g_return_val_if_fail (MALT_IS_LAUNCHER (self), MALT_OUTPUT_FORWARD);

  return self->stdout_output;
}

/**
 * malt_launcher_set_stdout: (set-property stdout)
 * @self: a launcher
 * @value:: the value
 *
 * Sets [property@Malt.Launcher:stdout], for workers that are started from now on.
 *
 * Since: 1.0
 */
void
malt_launcher_set_stdout (MaltLauncher *self,
                          MaltOutput    value)
{
  g_return_if_fail (MALT_IS_LAUNCHER (self));

  if (self->stdout_output == value)
    return;

  self->stdout_output = value;
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_STDOUT]);
}

/**
 * malt_launcher_get_stderr: (get-property stderr)
 * @self: a launcher
 *
 * Gets [property@Malt.Launcher:stderr].
 *
 * Returns: the value
 *
 * Since: 1.0
 */
MaltOutput
malt_launcher_get_stderr (MaltLauncher *self)
{
  g_return_val_if_fail (MALT_IS_LAUNCHER (self), MALT_OUTPUT_FORWARD);

  return self->stderr_output;
}

/**
 * malt_launcher_set_stderr: (set-property stderr)
 * @self: a launcher
 * @value:: the value
 *
 * Sets [property@Malt.Launcher:stderr], for workers that are started from now on.
 *
 * Since: 1.0
 */
void
malt_launcher_set_stderr (MaltLauncher *self,
                          MaltOutput    value)
{
  g_return_if_fail (MALT_IS_LAUNCHER (self));

  if (self->stderr_output == value)
    return;

  self->stderr_output = value;
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_STDERR]);
}

/**
 * malt_launcher_get_start_timeout: (get-property start-timeout)
 * @self: a launcher
 *
 * Gets [property@Malt.Launcher:start-timeout].
 *
 * Returns: the value
 *
 * Since: 1.0
 */
int
malt_launcher_get_start_timeout (MaltLauncher *self)
{
  g_return_val_if_fail (MALT_IS_LAUNCHER (self), 0);

  return self->start_timeout;
}

/**
 * malt_launcher_set_start_timeout: (set-property start-timeout)
 * @self: a launcher
 * @value:: the value
 *
 * Sets [property@Malt.Launcher:start-timeout], for workers that are started from now on.
 *
 * Since: 1.0
 */
void
malt_launcher_set_start_timeout (MaltLauncher *self,
                                 int           value)
{
  g_return_if_fail (MALT_IS_LAUNCHER (self));
  g_return_if_fail (value >= -1);

  set_int (self, &self->start_timeout, value, PROP_START_TIMEOUT);
}

/**
 * malt_launcher_get_call_timeout: (get-property call-timeout)
 * @self: a launcher
 *
 * Gets [property@Malt.Launcher:call-timeout].
 *
 * Returns: the value
 *
 * Since: 1.0
 */
int
malt_launcher_get_call_timeout (MaltLauncher *self)
{
  g_return_val_if_fail (MALT_IS_LAUNCHER (self), 0);

  return self->call_timeout;
}

/**
 * malt_launcher_set_call_timeout: (set-property call-timeout)
 * @self: a launcher
 * @value:: the value
 *
 * Sets [property@Malt.Launcher:call-timeout], for workers that are started from now on.
 *
 * Since: 1.0
 */
void
malt_launcher_set_call_timeout (MaltLauncher *self,
                                int           value)
{
  g_return_if_fail (MALT_IS_LAUNCHER (self));
  g_return_if_fail (value >= -1);

  set_int (self, &self->call_timeout, value, PROP_CALL_TIMEOUT);
}

/**
 * malt_launcher_get_cancel_timeout: (get-property cancel-timeout)
 * @self: a launcher
 *
 * Gets [property@Malt.Launcher:cancel-timeout].
 *
 * Returns: the value
 *
 * Since: 1.0
 */
int
malt_launcher_get_cancel_timeout (MaltLauncher *self)
{
  g_return_val_if_fail (MALT_IS_LAUNCHER (self), 0);

  return self->cancel_timeout;
}

/**
 * malt_launcher_set_cancel_timeout: (set-property cancel-timeout)
 * @self: a launcher
 * @value:: the value
 *
 * Sets [property@Malt.Launcher:cancel-timeout], for workers that are started from now on.
 *
 * Since: 1.0
 */
void
malt_launcher_set_cancel_timeout (MaltLauncher *self,
                                  int           value)
{
  g_return_if_fail (MALT_IS_LAUNCHER (self));
  g_return_if_fail (value >= 0);

  set_int (self, &self->cancel_timeout, value, PROP_CANCEL_TIMEOUT);
}

/**
 * malt_launcher_get_interrupt_timeout: (get-property interrupt-timeout)
 * @self: a launcher
 *
 * Gets [property@Malt.Launcher:interrupt-timeout].
 *
 * Returns: the value
 *
 * Since: 1.0
 */
int
malt_launcher_get_interrupt_timeout (MaltLauncher *self)
{
  g_return_val_if_fail (MALT_IS_LAUNCHER (self), 0);

  return self->interrupt_timeout;
}

/**
 * malt_launcher_set_interrupt_timeout: (set-property interrupt-timeout)
 * @self: a launcher
 * @value:: the value
 *
 * Sets [property@Malt.Launcher:interrupt-timeout], for workers that are started from now on.
 *
 * Since: 1.0
 */
void
malt_launcher_set_interrupt_timeout (MaltLauncher *self,
                                     int           value)
{
  g_return_if_fail (MALT_IS_LAUNCHER (self));
  g_return_if_fail (value >= 0);

  set_int (self, &self->interrupt_timeout, value, PROP_INTERRUPT_TIMEOUT);
}

/**
 * malt_launcher_get_kill_on_timeout: (get-property kill-on-timeout)
 * @self: a launcher
 *
 * Gets [property@Malt.Launcher:kill-on-timeout].
 *
 * Returns: the value
 *
 * Since: 1.0
 */
gboolean
malt_launcher_get_kill_on_timeout (MaltLauncher *self)
{
  g_return_val_if_fail (MALT_IS_LAUNCHER (self), FALSE);

  return self->kill_on_timeout;
}

/**
 * malt_launcher_set_kill_on_timeout: (set-property kill-on-timeout)
 * @self: a launcher
 * @value:: the value
 *
 * Sets [property@Malt.Launcher:kill-on-timeout], for workers that are started from now on.
 *
 * Since: 1.0
 */
void
malt_launcher_set_kill_on_timeout (MaltLauncher *self,
                                   gboolean      value)
{
  g_return_if_fail (MALT_IS_LAUNCHER (self));

  value = !!value;
  if (self->kill_on_timeout == value)
    return;

  self->kill_on_timeout = value;
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_KILL_ON_TIMEOUT]);
}

/**
 * malt_launcher_get_max_value_size: (get-property max-value-size)
 * @self: a launcher
 *
 * Gets [property@Malt.Launcher:max-value-size].
 *
 * Returns: the value
 *
 * Since: 1.0
 */
guint64
malt_launcher_get_max_value_size (MaltLauncher *self)
{
  g_return_val_if_fail (MALT_IS_LAUNCHER (self), 0);

  return self->max_value_size;
}

/**
 * malt_launcher_set_max_value_size: (set-property max-value-size)
 * @self: a launcher
 * @value:: the value
 *
 * Sets [property@Malt.Launcher:max-value-size], for workers that are started from now on.
 *
 * Since: 1.0
 */
void
malt_launcher_set_max_value_size (MaltLauncher *self,
                                  guint64       value)
{
  g_return_if_fail (MALT_IS_LAUNCHER (self));
  g_return_if_fail (value > 0 && value <= MALT_LIMIT_VALUE_SIZE);

  if (self->max_value_size == value)
    return;

  self->max_value_size = value;
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_MAX_VALUE_SIZE]);
}

/**
 * malt_launcher_get_spin_limit: (get-property spin-limit)
 * @self: a launcher
 *
 * Gets [property@Malt.Launcher:spin-limit].
 *
 * Returns: microseconds, or -1 for the default
 *
 * Since: 1.0
 */
int
malt_launcher_get_spin_limit (MaltLauncher *self)
{
  g_return_val_if_fail (MALT_IS_LAUNCHER (self), -1);

  return self->spin_limit;
}

/**
 * malt_launcher_set_spin_limit: (set-property spin-limit)
 * @self: a launcher
 * @value: microseconds, at most a second, or -1 for the default
 *
 * Sets [property@Malt.Launcher:spin-limit], for workers that are started from now on.
 *
 * Since: 1.0
 */
void
malt_launcher_set_spin_limit (MaltLauncher *self,
                              int           value)
{
  g_return_if_fail (MALT_IS_LAUNCHER (self));
  g_return_if_fail (value >= -1 && value <= MALT_LIMIT_SPIN_USEC);

  if (self->spin_limit == value)
    return;

  self->spin_limit = value;
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_SPIN_LIMIT]);
}

/**
 * malt_launcher_get_backend_options: (get-property backend-options)
 * @self: a launcher
 *
 * Gets [property@Malt.Launcher:backend-options].
 *
 * Returns: (transfer none) (nullable): the value
 *
 * Since: 1.0
 */
GVariant *
malt_launcher_get_backend_options (MaltLauncher *self)
{
  g_return_val_if_fail (MALT_IS_LAUNCHER (self), NULL);

  return self->backend_options;
}

/**
 * malt_launcher_set_backend_options: (set-property backend-options)
 * @self: a launcher
 * @value: (nullable): the value
 *
 * Sets [property@Malt.Launcher:backend-options], for workers that are started from now on.
 *
 * Since: 1.0
 */
void
malt_launcher_set_backend_options (MaltLauncher *self,
                                   GVariant     *value)
{
  g_return_if_fail (MALT_IS_LAUNCHER (self));
  g_return_if_fail (value == NULL || g_variant_is_of_type (value, G_VARIANT_TYPE_VARDICT));

  set_options (self, &self->backend_options, value, PROP_BACKEND_OPTIONS);
}

/**
 * malt_launcher_get_runtime_options: (get-property runtime-options)
 * @self: a launcher
 *
 * Gets [property@Malt.Launcher:runtime-options].
 *
 * Returns: (transfer none) (nullable): the value
 *
 * Since: 1.0
 */
GVariant *
malt_launcher_get_runtime_options (MaltLauncher *self)
{
  g_return_val_if_fail (MALT_IS_LAUNCHER (self), NULL);

  return self->runtime_options;
}

/**
 * malt_launcher_set_runtime_options: (set-property runtime-options)
 * @self: a launcher
 * @value: (nullable): the value
 *
 * Sets [property@Malt.Launcher:runtime-options], for workers that are started from now on.
 *
 * Since: 1.0
 */
void
malt_launcher_set_runtime_options (MaltLauncher *self,
                                   GVariant     *value)
{
  g_return_if_fail (MALT_IS_LAUNCHER (self));
  g_return_if_fail (value == NULL || g_variant_is_of_type (value, G_VARIANT_TYPE_VARDICT));

  set_options (self, &self->runtime_options, value, PROP_RUNTIME_OPTIONS);
}

/**
 * malt_launcher_setenv:
 * @self: a launcher
 * @variable: the name of a variable
 * @value: (nullable): its value, or %NULL to take it off
 *
 * Sets a variable in [property@Malt.Launcher:environment].
 *
 * Since: 1.0
 */
void
malt_launcher_setenv (MaltLauncher *self,
                      const char   *variable,
                      const char   *value)
{
  char **changed;

  g_return_if_fail (MALT_IS_LAUNCHER (self));
  g_return_if_fail (variable != NULL && *variable != '\0' && strchr (variable, '=') == NULL);

  changed = g_strdupv (self->environment);
  changed = value != NULL ? g_environ_setenv (changed, variable, value, TRUE)
                          : g_environ_unsetenv (changed, variable);
  g_strfreev (self->environment);
  self->environment = changed;
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_ENVIRONMENT]);
}
