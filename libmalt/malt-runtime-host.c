/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-runtime-private.h"

#include <unistd.h>

#include "malt-error.h"
#include "malt-request-private.h"
#include "malt-worker.h"

/* What the code that a runtime runs asks of the manager: to have a function of the program
 * called, and to hear how far it has got and what it prints.
 *
 * The runtime knows nothing of who answers.  That is MaltRuntimeHost, given by whoever drives
 * the runtime: the service of a worker process, the thread of an in-process worker. */

/* A call that a thread waits for.  The answer can come when nobody waits any more. */
typedef struct
{
  gatomicrefcount  ref_count;
  const MaltHost  *host;      /* as long as somebody waits */

  gint             is_done;   /* atomic, and set under the lock */

  GMutex           lock;
  GCond            cond;
  /* Guarded by lock. */
  gboolean         is_waiting;
  gboolean         is_cancelled;
  GVariant        *value;
  GError          *error;
} HostCall;

static HostCall *
host_call_ref (HostCall *self)
{
  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

static void
host_call_unref (HostCall *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;

  g_clear_pointer (&self->value, g_variant_unref);
  g_clear_error (&self->error);
  g_cond_clear (&self->cond);
  g_mutex_clear (&self->lock);
  g_free (self);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (HostCall, host_call_unref)

static HostCall *
host_call_new (const MaltHost *host)
{
  HostCall *self = g_new0 (HostCall, 1);

  g_atomic_ref_count_init (&self->ref_count);
  self->host = host;
  g_mutex_init (&self->lock);
  g_cond_init (&self->cond);

  return self;
}

static void
answer_cb (MaltRequest *request,
           GVariant    *value,
           GError      *error,
           gpointer     user_data)
{
  HostCall *self = user_data;
  const MaltHost *host = NULL;

  g_mutex_lock (&self->lock);
  self->value = value;
  self->error = error;
  g_atomic_int_set (&self->is_done, TRUE);
  if (self->is_waiting) /* else the host may be gone, and GCond would make a system call */
    {
      g_cond_signal (&self->cond);
      host = self->host;
    }
  if (host != NULL && host->klass->wake != NULL)
    host->klass->wake (&self->is_done, host->user_data);
  g_mutex_unlock (&self->lock);

  host_call_unref (self);
}

static void
cancelled_cb (GCancellable *cancellable,
              gpointer      user_data)
{
  HostCall *self = user_data;

  g_mutex_lock (&self->lock);
  self->is_cancelled = TRUE;
  g_cond_signal (&self->cond);
  g_mutex_unlock (&self->lock);
}

/* Where nobody has to read. */
static void
wait_here (HostCall     *self,
           GCancellable *cancellable)
{
  gulong cancelled_id = 0;

  if (cancellable != NULL)
    cancelled_id = g_cancellable_connect (cancellable, G_CALLBACK (cancelled_cb), self, NULL);

  g_mutex_lock (&self->lock);
  while (!self->is_done && !self->is_cancelled)
    g_cond_wait (&self->cond, &self->lock);
  g_mutex_unlock (&self->lock);

  if (cancelled_id != 0)
    g_cancellable_disconnect (cancellable, cancelled_id);
}

static void
host_call_wait (HostCall     *self,
                GCancellable *cancellable)
{
  const MaltHost *host = self->host;

  g_mutex_lock (&self->lock);
  self->is_waiting = TRUE;
  g_mutex_unlock (&self->lock);

  if (host->klass->wait == NULL)
    wait_here (self, cancellable);
  else if (!g_atomic_int_get (&self->is_done))
    host->klass->wait (&self->is_done, cancellable, host->user_data);

  g_mutex_lock (&self->lock);
  self->is_waiting = FALSE;
  g_mutex_unlock (&self->lock);
}

/* A request for the host, or one that has failed. */
static MaltRequest *
begin (MaltRuntime    *self,
       const char     *function,
       GVariant       *arguments,
       GVariant       *keywords,
       gboolean        stalls,
       MaltHostAnswer  answer,
       gpointer        user_data)
{
  MaltHost *host = malt_runtime_get_host (self);
  g_autoptr (GVariant) own_arguments = arguments != NULL ? g_variant_ref_sink (arguments) : NULL;
  g_autoptr (GVariant) own_keywords = keywords != NULL ? g_variant_ref_sink (keywords) : NULL;
  MaltRequest *request = malt_request_new_host_call (function, own_arguments, own_keywords, answer, user_data);
  GError *error = NULL;

  if (host->klass == NULL)
    malt_request_return_new_error (request, MALT_ERROR, MALT_ERROR_NOT_SUPPORTED,
                                   "whoever runs this worker has no functions that could be called");
  else if (!malt_request_check_call (function, own_arguments, own_keywords, &error))
    malt_request_return_error (request, error);
  else
    host->klass->call (request, stalls, host->user_data);

  return request;
}

/**
 * malt_runtime_set_host: (skip)
 * @self: a runtime that was not yet started
 * @host: what its code can ask of the manager; it has to stay
 * @user_data: data for the functions of @host
 * @destroy: (nullable): frees @user_data when the runtime goes
 *
 * Connects the runtime with the manager; for whoever drives it.
 *
 * Since: 1.0
 */
void
malt_runtime_set_host (MaltRuntime           *self,
                       const MaltRuntimeHost *host,
                       gpointer               user_data,
                       GDestroyNotify         destroy)
{
  MaltHost *own;

  g_return_if_fail (MALT_IS_RUNTIME (self));
  g_return_if_fail (host != NULL && host->call != NULL && host->progress != NULL);

  own = malt_runtime_get_host (self);
  g_return_if_fail (own->klass == NULL);

  own->klass = host;
  own->user_data = user_data;
  own->destroy = destroy;
}

/**
 * malt_runtime_set_code_thread: (skip)
 * @self: a runtime
 * @thread: the thread on which all of its code runs
 *
 * Says that requests are not run on the serving thread, but passed on to another one: while
 * code there waits for a function of the program's, no other request begins.  In
 * [vfunc@Malt.Runtime.start].
 *
 * Since: 1.0
 */
void
malt_runtime_set_code_thread (MaltRuntime *self,
                              GThread     *thread)
{
  g_return_if_fail (MALT_IS_RUNTIME (self));

  malt_runtime_get_host (self)->code_thread = thread;
}

/**
 * malt_runtime_call_host:
 * @self: a runtime
 * @function: the name of a function that the program has given its worker
 * @arguments: (nullable): the positional arguments, a tuple; if it is floating, it is
 *   taken.  %NULL for none
 * @keywords: (nullable): the keyword arguments, an `a{sv}`; if it is floating, it is
 *   taken.  %NULL for none
 * @cancellable: (nullable): ends the wait
 * @error: return location for an error
 *
 * Calls a function of the program's ([method@Malt.Worker.export_function]) and gives its
 * value; for runtimes, on behalf of the code that they run.
 *
 * Blocks, on any thread.  On the serving thread the requests that come meanwhile wait, and
 * begin when what runs now has ended.  Cancelling, with `G_IO_ERROR_CANCELLED`, does not stop
 * the function itself, though it can find out.
 *
 * Fails with what the function has failed with; with `MALT_ERROR_NOT_FOUND` if the program
 * has given no such function; `G_IO_ERROR_INVALID_ARGUMENT` if the arguments are not such as it takes;
 * `MALT_ERROR_SERIALIZATION` if a value cannot cross; `MALT_ERROR_NOT_SUPPORTED` if the
 * manager has no such functions at all; and `G_IO_ERROR_CLOSED` if the worker is about to
 * end.
 *
 * Returns: (transfer full): the value, `mv` nothing where there is none; or %NULL with
 *   @error set
 *
 * Since: 1.0
 */
GVariant *
malt_runtime_call_host (MaltRuntime   *self,
                        const char    *function,
                        GVariant      *arguments,
                        GVariant      *keywords,
                        GCancellable  *cancellable,
                        GError       **error)
{
  MaltHost *host;
  g_autoptr (HostCall) call = NULL;
  g_autoptr (MaltRequest) request = NULL;
  GVariant *value;
  gboolean is_done;

  g_return_val_if_fail (MALT_IS_RUNTIME (self), NULL);
  g_return_val_if_fail (function != NULL, NULL);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  host = malt_runtime_get_host (self);
  call = host_call_new (host);
  request = begin (self, function, arguments, keywords, host->code_thread == g_thread_self (),
                   answer_cb, host_call_ref (call));

  if (!g_atomic_int_get (&call->is_done))
    host_call_wait (call, cancellable);

  g_mutex_lock (&call->lock);
  if (call->error != NULL)
    g_propagate_error (error, g_steal_pointer (&call->error));
  value = g_steal_pointer (&call->value);
  is_done = call->is_done;
  g_mutex_unlock (&call->lock);

  if (!is_done)
    {
      if (malt_runtime_drop_host_call (self, request))
        host_call_unref (call); /* that of the answer, which does not come any more */
      if (cancellable != NULL && g_cancellable_is_cancelled (cancellable))
        g_set_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED,
                     "the wait for the function '%s' was broken off", function);
      else
        g_set_error (error, G_IO_ERROR, G_IO_ERROR_CLOSED,
                     "the worker is to stop, and waits for the function '%s' no longer", function);
    }

  return value;
}

/**
 * malt_runtime_begin_host_call: (skip)
 * @self: a runtime
 * @function: the name of a function that the program has given its worker
 * @arguments: (nullable): as for [method@Malt.Runtime.call_host]
 * @keywords: (nullable): likewise
 * @answer: (scope forever): told how it ended, once
 * @user_data: data for @answer
 *
 * Begins to call a function of the program's; for runtimes that have a way of their own to
 * wait.  The answer may come before this returns.  Who waits no more says so with
 * `malt_runtime_drop_host_call()`.
 *
 * On any thread.  Does not block.
 *
 * Returns: (transfer full): the request
 *
 * Since: 1.0
 */
MaltRequest *
malt_runtime_begin_host_call (MaltRuntime    *self,
                              const char     *function,
                              GVariant       *arguments,
                              GVariant       *keywords,
                              MaltHostAnswer  answer,
                              gpointer        user_data)
{
  g_return_val_if_fail (MALT_IS_RUNTIME (self), NULL);
  g_return_val_if_fail (function != NULL, NULL);
  g_return_val_if_fail (answer != NULL, NULL);

  return begin (self, function, arguments, keywords, FALSE, answer, user_data);
}

/**
 * malt_runtime_drop_host_call: (skip)
 * @self: a runtime
 * @request: what `malt_runtime_begin_host_call()` gave
 *
 * Says that nobody waits any more for a function of the program's, which can find that out; for
 * runtimes.  On any thread.  It can block while the manager takes nothing.
 *
 * Returns: whether that was in time: there will be no answer.  Else there was one, or is one about
 *   to come
 *
 * Since: 1.0
 */
gboolean
malt_runtime_drop_host_call (MaltRuntime *self,
                             MaltRequest *request)
{
  MaltHost *host;

  g_return_val_if_fail (MALT_IS_RUNTIME (self), FALSE);
  g_return_val_if_fail (MALT_IS_REQUEST (request), FALSE);

  if (!malt_request_abandon (request))
    return FALSE;

  host = malt_runtime_get_host (self);
  if (host->klass->drop != NULL)
    host->klass->drop (request, host->user_data);
  return TRUE;
}

/* Asynchronous calls: a GTask, of which the answer has a reference. */

static void
task_answer_cb (MaltRequest *request,
                GVariant    *value,
                GError      *error,
                gpointer     user_data)
{
  g_autoptr (GTask) task = user_data;

  if (error != NULL)
    g_task_return_error (task, error);
  else
    g_task_return_pointer (task, value, (GDestroyNotify) g_variant_unref);
}

/* Part of a task.  GLib's own source for cancellables leaks in GLib 2.74 if it goes while another
 * thread is still in g_cancellable_cancel(). */
typedef struct
{
  GTask        *task;         /* not owned: it owns this */
  MaltRuntime  *runtime;      /* owned */
  MaltRequest  *request;      /* owned */
  GCancellable *cancellable;  /* owned */
  gulong        cancelled_id; /* or 0 */
  GSource      *source;       /* owned: in the task's context, ready once it is cancelled */
} Cancellation;

static gboolean
task_cancelled_cb (gpointer user_data)
{
  Cancellation *self = user_data;
  g_autoptr (GTask) task = NULL;

  if (!malt_runtime_drop_host_call (self->runtime, self->request))
    return G_SOURCE_REMOVE;

  task = self->task; /* the reference of the answer, which does not come any more */
  g_task_return_new_error (task, G_IO_ERROR, G_IO_ERROR_CANCELLED, "the wait for the function '%s' was broken off",
                           malt_request_get_function (self->request));
  return G_SOURCE_REMOVE;
}

static gboolean
cancellation_source_dispatch (GSource     *source,
                              GSourceFunc  callback,
                              gpointer     user_data)
{
  return callback (user_data);
}

static GSourceFuncs cancellation_source_funcs = {
  .dispatch = cancellation_source_dispatch,
};

/* On any thread. */
static void
make_ready_cb (GCancellable *cancellable,
               gpointer      user_data)
{
  g_source_set_ready_time (user_data, 0);
}

static Cancellation *
cancellation_new (GTask        *task,
                  MaltRuntime  *runtime,
                  MaltRequest  *request,
                  GCancellable *cancellable)
{
  Cancellation *self = g_new0 (Cancellation, 1);

  self->task = task;
  self->runtime = g_object_ref (runtime);
  self->request = g_object_ref (request);
  self->cancellable = g_object_ref (cancellable);
  self->source = g_source_new (&cancellation_source_funcs, sizeof (GSource));
  g_source_set_static_name (self->source, "[malt] host call");
  g_source_set_callback (self->source, task_cancelled_cb, self, NULL);
  self->cancelled_id = g_cancellable_connect (cancellable, G_CALLBACK (make_ready_cb), g_source_ref (self->source),
                                              (GDestroyNotify) g_source_unref);

  return self;
}

/* Does not wait for who is cancelling, as g_cancellable_disconnect() would. */
static void
cancellation_free (gpointer user_data)
{
  Cancellation *self = user_data;

  if (self->cancelled_id != 0)
    g_signal_handler_disconnect (self->cancellable, self->cancelled_id);
  g_source_destroy (self->source);
  g_source_unref (self->source);
  g_object_unref (self->cancellable);
  g_object_unref (self->request);
  g_object_unref (self->runtime);
  g_free (self);
}

/* @source_object is what the task is of: a runtime or a request. */
static void
call_async (gpointer             source_object,
            MaltRuntime         *self,
            const char          *function,
            GVariant            *arguments,
            GVariant            *keywords,
            GCancellable        *cancellable,
            gpointer             tag,
            GAsyncReadyCallback  callback,
            gpointer             user_data)
{
  g_autoptr (GTask) task = g_task_new (source_object, NULL, callback, user_data);
  g_autoptr (MaltRequest) request = NULL;
  Cancellation *cancellation;

  g_task_set_source_tag (task, tag);
  request = begin (self, function, arguments, keywords, FALSE, task_answer_cb, g_object_ref (task));
  if (cancellable == NULL || malt_request_is_done (request))
    return;

  cancellation = cancellation_new (task, self, request, cancellable);
  g_task_set_task_data (task, cancellation, cancellation_free);
  g_source_attach (cancellation->source, g_task_get_context (task));
}

/**
 * malt_runtime_call_host_async:
 * @self: a runtime
 * @function: the name of a function that the program has given its worker
 * @arguments: (nullable): as for [method@Malt.Runtime.call_host]
 * @keywords: (nullable): likewise
 * @cancellable: (nullable): ends the wait
 * @callback: (scope async): called when the function has ended, in the thread-default main
 *   context of the calling thread
 * @user_data: data for @callback
 *
 * Calls a function of the program's, as [method@Malt.Runtime.call_host] does, without
 * blocking.  On any thread.
 *
 * Since: 1.0
 */
void
malt_runtime_call_host_async (MaltRuntime         *self,
                              const char          *function,
                              GVariant            *arguments,
                              GVariant            *keywords,
                              GCancellable        *cancellable,
                              GAsyncReadyCallback  callback,
                              gpointer             user_data)
{
  g_return_if_fail (MALT_IS_RUNTIME (self));
  g_return_if_fail (function != NULL);
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  call_async (self, self, function, arguments, keywords, cancellable, malt_runtime_call_host_async,
              callback, user_data);
}

/**
 * malt_runtime_call_host_finish:
 * @self: a runtime
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Gets what came of [method@Malt.Runtime.call_host_async].
 *
 * Returns: (transfer full): the value, `mv` nothing where there is none; or %NULL with
 *   @error set
 *
 * Since: 1.0
 */
GVariant *
malt_runtime_call_host_finish (MaltRuntime   *self,
                               GAsyncResult  *result,
                               GError       **error)
{
  g_return_val_if_fail (MALT_IS_RUNTIME (self), NULL);
  g_return_val_if_fail (g_task_is_valid (result, self), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  return g_task_propagate_pointer (G_TASK (result), error);
}

/**
 * malt_runtime_report_output: (skip)
 * @self: a runtime
 * @request: (nullable): the request whose code has printed it
 * @stream: 1 for standard output, 2 for standard error
 * @data: (array length=size) (element-type guint8): what was printed
 * @size: how much
 *
 * Tells the manager what code has printed, if it wants to know of which request it is; for
 * runtimes that know it.  On any thread.  It can block while the manager takes nothing.
 *
 * Returns: whether the manager was told; if not, it is to be written to the stream as usual
 *
 * Since: 1.0
 */
gboolean
malt_runtime_report_output (MaltRuntime   *self,
                            MaltRequest   *request,
                            int            stream,
                            gconstpointer  data,
                            gsize          size)
{
  MaltHost *host;

  g_return_val_if_fail (MALT_IS_RUNTIME (self), FALSE);
  g_return_val_if_fail (request == NULL || MALT_IS_REQUEST (request), FALSE);
  g_return_val_if_fail (stream == STDOUT_FILENO || stream == STDERR_FILENO, FALSE);

  host = malt_runtime_get_host (self);

  return host->klass != NULL && host->klass->output != NULL &&
         host->klass->output (request, stream, data, size, host->user_data);
}

/* The same for the code behind a request. */

/**
 * malt_request_report_progress:
 * @self: a request that a runtime handles
 * @fraction: how much of it is done, from 0 to 1; less than 0 if that is not known
 * @text: (nullable): what is being done, for people; UTF-8
 *
 * Tells the manager how far the request has got; for runtimes and the code that they run.
 * [signal@Malt.Worker::progress] tells it on.  It may be said often: what comes faster than it can
 * be told is left out, but for the latest.
 *
 * Nothing happens if the request is done, or if nobody is to hear of it.
 *
 * On any thread.  It can block while the manager takes nothing.
 *
 * Since: 1.0
 */
void
malt_request_report_progress (MaltRequest *self,
                              double       fraction,
                              const char  *text)
{
  MaltRuntime *runtime;
  MaltHost *host;

  g_return_if_fail (MALT_IS_REQUEST (self));
  g_return_if_fail (text == NULL || g_utf8_validate (text, -1, NULL));

  runtime = malt_request_get_owner (self);
  g_return_if_fail (runtime != NULL);

  host = malt_runtime_get_host (runtime);
  if (host->klass != NULL && !malt_request_is_done (self) &&
      (malt_request_get_flags (self) & MALT_REQUEST_FLAGS_NO_REPLY) == 0)
    host->klass->progress (self, fraction >= 0 ? MIN (fraction, 1) : -1, text != NULL ? text : "", host->user_data);
}

/**
 * malt_request_call_host:
 * @self: a request that a runtime handles
 * @function: the name of a function that the program has given its worker
 * @arguments: (nullable): the positional arguments, a tuple; if it is floating, it is
 *   taken.  %NULL for none
 * @keywords: (nullable): the keyword arguments, an `a{sv}`; if it is floating, it is
 *   taken.  %NULL for none
 * @error: return location for an error
 *
 * Calls a function of the program's from the code behind a request, and gives its value: see
 * [method@Malt.Runtime.call_host].
 *
 * Blocks, on any thread.  When the request's [method@Malt.Request.get_cancellable] becomes
 * cancelled it fails with `G_IO_ERROR_CANCELLED`.
 *
 * ```c
 * MALT_FUNCTION (ask)
 * { return malt_request_call_host (request, "answer", g_variant_new ("(s)", "why?"), NULL, error); }
 * ```
 *
 * Returns: (transfer full): the value, `mv` nothing where there is none; or %NULL with
 *   @error set
 *
 * Since: 1.0
 */
GVariant *
malt_request_call_host (MaltRequest  *self,
                        const char   *function,
                        GVariant     *arguments,
                        GVariant     *keywords,
                        GError      **error)
{
  MaltRuntime *runtime;

  g_return_val_if_fail (MALT_IS_REQUEST (self), NULL);

  runtime = malt_request_get_owner (self);
  g_return_val_if_fail (runtime != NULL, NULL);

  return malt_runtime_call_host (runtime, function, arguments, keywords,
                                 malt_request_get_cancellable (self), error);
}

/**
 * malt_request_call_host_async:
 * @self: a request that a runtime handles
 * @function: the name of a function that the program has given its worker
 * @arguments: (nullable): as for [method@Malt.Request.call_host]
 * @keywords: (nullable): likewise
 * @callback: (scope async): called when the function has ended, in the thread-default main
 *   context of the calling thread
 * @user_data: data for @callback
 *
 * Calls a function of the program's, as [method@Malt.Request.call_host] does, without
 * blocking; for what has deferred its answer.  The serving thread goes on with other
 * requests.  On any thread.
 *
 * Since: 1.0
 */
void
malt_request_call_host_async (MaltRequest         *self,
                              const char          *function,
                              GVariant            *arguments,
                              GVariant            *keywords,
                              GAsyncReadyCallback  callback,
                              gpointer             user_data)
{
  MaltRuntime *runtime;

  g_return_if_fail (MALT_IS_REQUEST (self));
  g_return_if_fail (function != NULL);

  runtime = malt_request_get_owner (self);
  g_return_if_fail (runtime != NULL);

  call_async (self, runtime, function, arguments, keywords, malt_request_get_cancellable (self),
              malt_request_call_host_async, callback, user_data);
}

/**
 * malt_request_call_host_finish:
 * @self: a request
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Gets what came of [method@Malt.Request.call_host_async].
 *
 * Returns: (transfer full): the value, `mv` nothing where there is none; or %NULL with
 *   @error set
 *
 * Since: 1.0
 */
GVariant *
malt_request_call_host_finish (MaltRequest   *self,
                               GAsyncResult  *result,
                               GError       **error)
{
  g_return_val_if_fail (MALT_IS_REQUEST (self), NULL);
  g_return_val_if_fail (g_task_is_valid (result, self), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  return g_task_propagate_pointer (G_TASK (result), error);
}
