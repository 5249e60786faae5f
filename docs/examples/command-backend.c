/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A backend: its functions are programs.  A call runs the program of that name with its
 * arguments, all strings, and gives what the program prints.
 *
 * cc -shared -fPIC -o libmalt-backend-command.so command-backend.c $(pkg-config --cflags --libs malt-1) */

#include <malt.h>
#include <signal.h>

/* A request's id is the backend's to use; here it tells why a request was cancelled. */
#define INTERRUPTED 1

#define COMMAND_TYPE_WORKER (command_worker_get_type ())
G_DECLARE_FINAL_TYPE (CommandWorker, command_worker, COMMAND, WORKER, MaltWorker)

struct _CommandWorker
{
  MaltWorker  parent_instance;
  GList      *running; /* of MaltRequest, the latest first */
  gboolean    ended;
};

G_DEFINE_FINAL_TYPE (CommandWorker, command_worker, MALT_TYPE_WORKER)

/* One program that runs; it knows its worker only weakly, as the worker may go first. */
typedef struct
{
  GWeakRef     worker;
  MaltRequest *request;
} Run;

static void
finished_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  GSubprocess *process = G_SUBPROCESS (source);
  g_autofree Run *run = user_data;
  g_autoptr (MaltRequest) request = run->request;
  g_autoptr (CommandWorker) worker = g_weak_ref_get (&run->worker);
  g_autoptr (GError) failure = NULL;
  g_autofree char *output = NULL;
  GError *error = NULL;

  g_weak_ref_clear (&run->worker);
  if (worker != NULL)
    worker->running = g_list_remove (worker->running, request);

  if (!g_subprocess_communicate_utf8_finish (process, result, &output, NULL, &error))
    {
      /* It was cancelled, or has printed what is no text. */
      g_subprocess_force_exit (process);
      if (malt_request_get_id (request) == INTERRUPTED)
        {
          g_clear_error (&error);
          error = malt_remote_error_new (MALT_ERROR_INTERRUPTED, NULL, "the program was ended", NULL);
        }
    }
  else if (!g_spawn_check_wait_status (g_subprocess_get_status (process), &failure))
    error = malt_remote_error_new (MALT_ERROR_REMOTE, "CommandFailed", failure->message, NULL);

  /* A request is finished once, and by whoever ended the worker if that was first. */
  if (malt_request_is_done (request))
    g_clear_error (&error);
  else if (error != NULL)
    malt_request_return_error (request, error);
  else
    malt_request_return_value (request, g_variant_new_string (output));
}

static void
command_worker_submit (MaltWorker *worker, MaltRequest *request)
{
  CommandWorker *self = COMMAND_WORKER (worker);
  g_autoptr (GPtrArray) argv = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GSubprocess) process = NULL;
  GVariant *arguments = malt_request_get_arguments (request);
  GError *error = NULL;
  Run *run;
  gsize i;

  if (malt_request_get_kind (request) != MALT_REQUEST_KIND_CALL)
    {
      malt_request_return_new_error (request, MALT_ERROR, MALT_ERROR_NOT_SUPPORTED,
                                     "the command backend evaluates no source");
      return;
    }

  g_ptr_array_add (argv, g_strdup (malt_request_get_function (request)));
  for (i = 0; i < g_variant_n_children (arguments); i++)
    {
      g_autoptr (GVariant) argument = g_variant_get_child_value (arguments, i);

      g_ptr_array_add (argv, g_variant_is_of_type (argument, G_VARIANT_TYPE_STRING)
                             ? g_variant_dup_string (argument, NULL)
                             : g_variant_print (argument, FALSE));
    }
  g_ptr_array_add (argv, NULL);

  process = g_subprocess_newv ((const char * const *) argv->pdata, G_SUBPROCESS_FLAGS_STDOUT_PIPE, &error);
  if (process == NULL)
    {
      malt_request_return_new_error (request, MALT_ERROR, MALT_ERROR_NOT_FOUND, "%s", error->message);
      g_error_free (error);
      return;
    }

  run = g_new0 (Run, 1);
  run->request = g_object_ref (request);
  g_weak_ref_init (&run->worker, self);
  self->running = g_list_prepend (self->running, request);

  /* The default of the cancel function cancels the request's own cancellable. */
  g_subprocess_communicate_utf8_async (process, NULL, malt_request_get_cancellable (request), finished_cb, run);
}

static void
command_worker_interrupt (MaltWorker *worker, MaltRequest *request)
{
  CommandWorker *self = COMMAND_WORKER (worker);

  if (request == NULL && self->running != NULL)
    request = self->running->data;
  if (request == NULL)
    return;

  malt_request_set_id (request, INTERRUPTED);
  g_cancellable_cancel (malt_request_get_cancellable (request));
}

/* The default of the stop function is this with SIGTERM.  Requests that are under way
 * need not be finished: they end when the worker has reported its end. */
static void
command_worker_kill (MaltWorker *worker, int signum)
{
  CommandWorker *self = COMMAND_WORKER (worker);
  g_autoptr (MaltExitInfo) exit_info = NULL;
  GList *link;

  if (self->ended)
    return;
  self->ended = TRUE;

  exit_info = malt_exit_info_new (signum == SIGTERM ? MALT_EXIT_KIND_STOPPED : MALT_EXIT_KIND_SIGNALLED, signum);
  malt_worker_report_terminated (worker, exit_info);
  for (link = self->running; link != NULL; link = link->next)
    g_cancellable_cancel (malt_request_get_cancellable (link->data));
}

static void
command_worker_finalize (GObject *object)
{
  g_list_free (COMMAND_WORKER (object)->running);
  G_OBJECT_CLASS (command_worker_parent_class)->finalize (object);
}

static void
command_worker_class_init (CommandWorkerClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = command_worker_finalize;
  MALT_WORKER_CLASS (klass)->submit = command_worker_submit;
  MALT_WORKER_CLASS (klass)->interrupt = command_worker_interrupt;
  MALT_WORKER_CLASS (klass)->kill = command_worker_kill;
}

static void
command_worker_init (CommandWorker *self)
{
}

/* The module. */

MALT_DEFINE_MODULE_ABI

G_MODULE_EXPORT void   g_io_module_load   (GIOModule *module);
G_MODULE_EXPORT void   g_io_module_unload (GIOModule *module);
G_MODULE_EXPORT char **g_io_module_query  (void);

void
g_io_module_load (GIOModule *module)
{
  g_type_module_use (G_TYPE_MODULE (module)); /* it stays loaded */
  g_io_extension_point_implement (MALT_WORKER_EXTENSION_POINT, COMMAND_TYPE_WORKER, "command", 0);
}

void
g_io_module_unload (GIOModule *module)
{
}

char **
g_io_module_query (void)
{
  const char *points[] = { MALT_WORKER_EXTENSION_POINT, NULL };

  return g_strdupv ((char **) points);
}
