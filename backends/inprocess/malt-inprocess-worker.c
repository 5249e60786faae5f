/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-inprocess-worker.h"

#include <unistd.h>

#include "malt-inprocess-server.h"

/* The `inprocess` backend: a worker is a thread of the program itself, in which the
 * same runtimes run as in a worker process.  It isolates nothing, and a thread cannot
 * be ended from outside: a worker that is killed is reported as ended, its requests
 * fail, and its thread is let go, to end when the function that it runs returns.
 *
 * It is also the example of a backend: a subclass of MaltWorker that uses nothing but
 * the public API.  It says what a worker can do; MaltInprocessServer is the thread
 * that does it.  The functions of the class may be called on any thread, as the
 * server may. */
struct _MaltInprocessWorker
{
  MaltWorker           parent_instance;

  MaltInprocessServer *server; /* as long as the worker */
  pid_t                pid;    /* of the process that has the thread */
};

G_DEFINE_FINAL_TYPE (MaltInprocessWorker, malt_inprocess_worker, MALT_TYPE_WORKER)

static gboolean
refuse (GError     **error,
        const char  *what)
{
  g_set_error (error, MALT_ERROR, MALT_ERROR_NOT_SUPPORTED,
               "an in-process worker has no %s of its own", what);
  return FALSE;
}

/* Whatever the launcher asks for that a thread cannot have fails the start, instead
 * of being left out in silence. */
static gboolean
check_launcher (MaltLauncher  *launcher,
                GError       **error)
{
  const char * const *environment = malt_launcher_get_environment (launcher);
  GVariant *options = malt_launcher_get_backend_options (launcher);
  MaltOutput out = malt_launcher_get_stdout (launcher);
  MaltOutput err = malt_launcher_get_stderr (launcher);

  if (malt_launcher_get_runtime (launcher) == NULL)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "no runtime was chosen");
      return FALSE;
    }

  if (malt_launcher_get_program (launcher) != NULL)
    return refuse (error, "program");
  if (malt_launcher_get_working_directory (launcher) != NULL)
    return refuse (error, "working directory");
  if (environment != NULL && environment[0] != NULL)
    return refuse (error, "environment");

  /* What it prints is on the program's streams already. */
  if (out == MALT_OUTPUT_PIPE || out == MALT_OUTPUT_DISCARD || out == MALT_OUTPUT_SIGNAL)
    return refuse (error, "standard output");
  if (err == MALT_OUTPUT_PIPE || err == MALT_OUTPUT_DISCARD || err == MALT_OUTPUT_SIGNAL)
    return refuse (error, "standard error");

  if (options != NULL && g_variant_n_children (options) > 0)
    {
      g_autofree char *name = NULL;

      g_variant_get_child (options, 0, "{sv}", &name, NULL);
      g_set_error (error, MALT_ERROR, MALT_ERROR_NOT_FOUND,
                   "the inprocess backend has no option '%s'", name);
      return FALSE;
    }

  return TRUE;
}

static void
malt_inprocess_worker_start (MaltWorker  *worker,
                             MaltRequest *request)
{
  MaltInprocessWorker *self = MALT_INPROCESS_WORKER (worker);
  MaltLauncher *launcher = malt_worker_get_launcher (worker);
  GError *error = NULL;

  malt_worker_set_pid (worker, (int) getpid ());

  if (!check_launcher (launcher, &error) ||
      !malt_inprocess_server_start (self->server, launcher, request, &error))
    malt_request_return_error (request, error);
}

static void
malt_inprocess_worker_submit (MaltWorker  *worker,
                              MaltRequest *request)
{
  MaltInprocessWorker *self = MALT_INPROCESS_WORKER (worker);

  if (!malt_inprocess_server_push (self->server, request))
    malt_request_return_new_error (request, MALT_ERROR, MALT_ERROR_TERMINATED,
                                   "the worker has been stopped");
}

static void
malt_inprocess_worker_cancel (MaltWorker  *worker,
                              MaltRequest *request)
{
  MaltInprocessWorker *self = MALT_INPROCESS_WORKER (worker);

  if (malt_inprocess_server_withdraw (self->server, request))
    malt_request_return_withdrawn (request);
  else
    malt_inprocess_server_cancel (self->server, request);
}

static void
malt_inprocess_worker_interrupt (MaltWorker  *worker,
                                 MaltRequest *request)
{
  MaltInprocessWorker *self = MALT_INPROCESS_WORKER (worker);

  malt_inprocess_server_interrupt (self->server, request);
}

static void
malt_inprocess_worker_stop (MaltWorker *worker)
{
  MaltInprocessWorker *self = MALT_INPROCESS_WORKER (worker);

  malt_inprocess_server_stop (self->server);
}

static void
malt_inprocess_worker_kill (MaltWorker *worker,
                            int         signum)
{
  MaltInprocessWorker *self = MALT_INPROCESS_WORKER (worker);

  malt_inprocess_server_kill (self->server, signum);
}

/* Does not wait: the thread holds the server and ends on its own.  A copy that fork() has
 * made has no such thread, and perhaps a lock that it held. */
static void
malt_inprocess_worker_dispose (GObject *object)
{
  MaltInprocessWorker *self = MALT_INPROCESS_WORKER (object);

  if (self->pid == getpid ())
    malt_inprocess_server_stop (self->server);

  G_OBJECT_CLASS (malt_inprocess_worker_parent_class)->dispose (object);
}

static void
malt_inprocess_worker_finalize (GObject *object)
{
  MaltInprocessWorker *self = MALT_INPROCESS_WORKER (object);

  malt_inprocess_server_unref (self->server);

  G_OBJECT_CLASS (malt_inprocess_worker_parent_class)->finalize (object);
}

static void
malt_inprocess_worker_class_init (MaltInprocessWorkerClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  MaltWorkerClass *worker_class = MALT_WORKER_CLASS (klass);

  object_class->dispose = malt_inprocess_worker_dispose;
  object_class->finalize = malt_inprocess_worker_finalize;

  worker_class->start = malt_inprocess_worker_start;
  worker_class->submit = malt_inprocess_worker_submit;
  worker_class->cancel = malt_inprocess_worker_cancel;
  worker_class->interrupt = malt_inprocess_worker_interrupt;
  worker_class->stop = malt_inprocess_worker_stop;
  worker_class->kill = malt_inprocess_worker_kill;
  worker_class->any_thread = TRUE;
}

static void
malt_inprocess_worker_init (MaltInprocessWorker *self)
{
  self->server = malt_inprocess_server_new (MALT_WORKER (self));
  self->pid = getpid ();
}
