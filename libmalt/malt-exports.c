/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-worker-private.h"

#include <string.h>

#include "malt-debug.h"
#include "malt-error.h"
#include "malt-request-private.h"

/* Functions of the program that the code of a worker may call.
 *
 * Nothing else of the program can be reached.  A call is looked at where it is read, and
 * what can be refused is refused there; the function itself runs where errands do (see
 * malt-errands.c). */

/* No function can have this name. */
#define OTHERS ""

typedef struct
{
  gatomicrefcount   ref_count;

  /* Immutable. */
  char             *name;            /* OTHERS for those that have none of their own */
  GVariantType     *arguments_type;  /* or NULL for any */
  MaltHostFunction  function;
  gpointer          user_data;
  GDestroyNotify    destroy;

  gboolean          is_gone;         /* guarded by the worker's calls_lock */
} MaltExport;

typedef struct
{
  MaltErrand    errand;
  MaltExport   *export;
  MaltRequest  *request;
  MaltHostCall *call;
  gboolean      stalls;
} HostErrand;

/* A function that runs, on the stack of its thread. */
typedef struct _HostFrame HostFrame;

struct _HostFrame
{
  const HostErrand *errand;
  MaltWorker       *worker;
  HostFrame        *outer;
};

static __thread HostFrame *frames;

static void
export_unref (MaltExport *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;

  if (self->destroy != NULL)
    self->destroy (self->user_data);
  g_clear_pointer (&self->arguments_type, g_variant_type_free);
  g_free (self->name);
  g_free (self);
}

static void
host_errand_free (HostErrand *self)
{
  g_object_unref (self->request);
  malt_host_call_unref (self->call);
  export_unref (self->export);
  g_free (self);
}

static void
host_errand_drop (MaltErrand *errand)
{
  HostErrand *self = (HostErrand *) errand;

  malt_request_return_new_error (self->request, G_IO_ERROR, G_IO_ERROR_CLOSED,
                                 "the worker ended before the function '%s' was called",
                                 malt_request_get_function (self->request));
  host_errand_free (self);
}

static void
refuse_unknown (MaltRequest *request)
{
  malt_request_return_new_error (request, MALT_ERROR, MALT_ERROR_NOT_FOUND,
                                 "the manager gives this worker no function '%s'",
                                 malt_request_get_function (request));
}

static void
host_errand_run (MaltErrand *errand,
                 MaltWorker *worker)
{
  HostErrand *self = (HostErrand *) errand;
  MaltWorkerPrivate *priv = malt_worker_get_private (worker);
  HostFrame frame = { self, worker, frames };
  gboolean is_gone, is_stopped;

  g_mutex_lock (&priv->calls_lock);
  is_gone = self->export->is_gone;
  is_stopped = priv->state == MALT_WORKER_STOPPED;
  g_mutex_unlock (&priv->calls_lock);

  if (is_stopped)
    {
      host_errand_drop (errand);
      return;
    }

  if (is_gone)
    refuse_unknown (self->request);
  else if (!malt_host_call_enter (self->call))
    malt_request_return_new_error (self->request, G_IO_ERROR, G_IO_ERROR_CANCELLED,
                                   "nobody waits for the function '%s' any more",
                                   malt_request_get_function (self->request));
  else
    {
      MALT_DEBUG (CALL, "%p: the worker calls %s", (gpointer) worker,
                  malt_request_get_function (self->request));
      frames = &frame;
      self->export->function (self->request, self->export->user_data);
      frames = frame.outer;
      malt_host_call_leave (self->call);
    }

  host_errand_free (self);
}

/* Whether a call of the worker can end while this thread blocks in it.  It cannot if the
 * thread runs a function for which the worker waits and does nothing else. */
gboolean
malt_exports_may_block (MaltWorker  *worker,
                        GError     **error)
{
  g_autofree char *name = NULL;
  HostFrame *frame;

  for (frame = frames; G_UNLIKELY (frame != NULL); frame = frame->outer)
    if (frame->worker == worker && frame->errand->stalls && !malt_request_is_done (frame->errand->request))
      break;
  if (frame == NULL)
    return TRUE;

  name = malt_worker_dup_name (worker);
  g_set_error (error, MALT_ERROR, MALT_ERROR_NOT_SUPPORTED,
               "%s waits for the function '%s', which would wait for the worker: "
               "a blocking call has to wait until the function has finished its request",
               name, malt_request_get_function (frame->errand->request));
  return FALSE;
}

/**
 * malt_worker_handle_host_call: (skip)
 * @self: a worker
 * @request: what `malt_request_new_host_call()` has made
 * @stalls: whether the worker begins with no other request before this one is finished
 *
 * Says that the worker's code has called a function of the program's; for backends.  The
 * request is finished in any case, perhaps at once.
 *
 * On any thread.  Does not block, and runs no code of the program's.
 *
 * Since: 1.0
 */
void
malt_worker_handle_host_call (MaltWorker  *self,
                              MaltRequest *request,
                              gboolean     stalls)
{
  MaltWorkerPrivate *priv;
  const char *name;
  g_autofree char *expected = NULL;
  gboolean is_running, is_fitting = FALSE;
  MaltExport *export = NULL;

  g_return_if_fail (MALT_IS_WORKER (self));
  g_return_if_fail (MALT_IS_REQUEST (request));
  g_return_if_fail (malt_request_get_kind (request) == MALT_REQUEST_KIND_CALL);

  priv = malt_worker_get_private (self);
  name = malt_request_get_function (request);

  g_mutex_lock (&priv->calls_lock);
  is_running = priv->state == MALT_WORKER_RUNNING;
  if (is_running && priv->exports != NULL)
    {
      export = g_hash_table_lookup (priv->exports, name);
      if (export == NULL)
        export = g_hash_table_lookup (priv->exports, OTHERS);
    }
  if (export != NULL)
    is_fitting = export->arguments_type == NULL ||
                 g_variant_is_of_type (malt_request_get_arguments (request), export->arguments_type);
  if (is_fitting)
    {
      HostErrand *errand = g_new0 (HostErrand, 1);

      errand->errand.run = host_errand_run;
      errand->errand.drop = host_errand_drop;
      errand->export = export;
      g_atomic_ref_count_inc (&export->ref_count);
      errand->request = g_object_ref (request);
      errand->call = malt_host_calls_add (priv->host_calls, request);
      errand->stalls = stalls;
      malt_request_set_stalls (request, stalls);
      malt_errands_push_locked (self, MALT_ERRAND_CALL, &errand->errand);
    }
  else if (export != NULL) /* it is not kept, or it might be freed here */
    expected = g_variant_type_dup_string (export->arguments_type);
  g_mutex_unlock (&priv->calls_lock);

  if (is_fitting)
    malt_errands_pass_on (self);
  else if (!is_running)
    malt_request_return_new_error (request, G_IO_ERROR, G_IO_ERROR_CLOSED,
                                   "the manager calls no functions for this worker now: it is not running");
  else if (expected == NULL)
    refuse_unknown (request);
  else
    malt_request_return_new_error (request, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                                   "the function '%s' takes %s, not %s", name, expected,
                                   g_variant_get_type_string (malt_request_get_arguments (request)));
}

/**
 * malt_worker_export_function:
 * @self: a worker
 * @name: (nullable): the name by which the worker's code calls it; UTF-8 and not empty.  %NULL
 *   for any for which there is no other function
 * @arguments_type: (nullable): the type that the arguments must have, a tuple such as `(sx)`,
 *   or %NULL if the function looks at that itself
 * @function: (scope notified) (closure user_data) (destroy destroy): the function
 * @user_data: data for @function
 * @destroy: (nullable): frees @user_data, when the function was taken back or the worker is
 *   finalized, and no call of it runs any more; on the thread where that happens
 *
 * Gives the worker's code a function of the program's, in the place of an earlier one of that
 * name.  What was not given in this way cannot be called.  A function for any name gets to know
 * by [method@Malt.Request.get_function] which it was; a backend that has a worker of another
 * backend inside gives it such a one, and hands on what is called with
 * [method@Malt.Worker.call_exported_async].
 *
 * Python code calls it as `malt.host.NAME(…)`, a C function with
 * [method@Malt.Request.call_host].  Arguments of another type than @arguments_type are an
 * error for the worker's code, and @function does not get to see them.
 *
 * The function runs within a blocking call of this worker, if a thread is in one: on that
 * thread.  Else it runs in the main context in which the worker was made, which has to be
 * run then.  In the function everything may be called, but for blocking calls of the same worker, as
 * long as that waits for the function: they fail with `MALT_ERROR_NOT_SUPPORTED`.  A blocking
 * call does not return, nor heed its deadline, while its thread runs a function.
 *
 * Workers of the backends `process` and `inprocess` can call functions; those of other
 * backends if the backend says so.
 *
 * This does not block and may be called from any thread.
 *
 * Since: 1.0
 */
void
malt_worker_export_function (MaltWorker         *self,
                             const char         *name,
                             const GVariantType *arguments_type,
                             MaltHostFunction    function,
                             gpointer            user_data,
                             GDestroyNotify      destroy)
{
  MaltWorkerPrivate *priv;
  MaltExport *export, *earlier;

  g_return_if_fail (MALT_IS_WORKER (self));
  g_return_if_fail (name == NULL || (*name != '\0' && g_utf8_validate (name, -1, NULL)));
  g_return_if_fail (arguments_type == NULL || g_variant_type_is_tuple (arguments_type));
  g_return_if_fail (function != NULL);

  priv = malt_worker_get_private (self);
  export = g_new0 (MaltExport, 1);
  g_atomic_ref_count_init (&export->ref_count);
  export->name = g_strdup (name != NULL ? name : OTHERS);
  export->arguments_type = arguments_type != NULL ? g_variant_type_copy (arguments_type) : NULL;
  export->function = function;
  export->user_data = user_data;
  export->destroy = destroy;

  g_mutex_lock (&priv->calls_lock);
  if (priv->exports == NULL)
    priv->exports = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, (GDestroyNotify) export_unref);
  earlier = g_hash_table_lookup (priv->exports, export->name);
  if (earlier != NULL)
    {
      earlier->is_gone = TRUE;
      g_hash_table_steal (priv->exports, export->name);
    }
  g_hash_table_insert (priv->exports, export->name, export);
  g_mutex_unlock (&priv->calls_lock);

  if (earlier != NULL)
    export_unref (earlier);
  malt_worker_begin_listening (self);
}

/**
 * malt_worker_unexport_function:
 * @self: a worker
 * @name: (nullable): what it was given with
 *
 * Takes back what [method@Malt.Worker.export_function] gave.  No call of it begins from now
 * on; one that is under way goes on.
 *
 * This does not block and may be called from any thread.
 *
 * Returns: whether there was a function of that name
 *
 * Since: 1.0
 */
gboolean
malt_worker_unexport_function (MaltWorker *self,
                               const char *name)
{
  const char *key = name != NULL ? name : OTHERS;
  MaltWorkerPrivate *priv;
  MaltExport *export = NULL;

  g_return_val_if_fail (MALT_IS_WORKER (self), FALSE);
  g_return_val_if_fail (name == NULL || *name != '\0', FALSE);

  priv = malt_worker_get_private (self);
  g_mutex_lock (&priv->calls_lock);
  if (priv->exports != NULL)
    export = g_hash_table_lookup (priv->exports, key);
  if (export != NULL)
    {
      export->is_gone = TRUE;
      g_hash_table_steal (priv->exports, key);
    }
  g_mutex_unlock (&priv->calls_lock);

  if (export == NULL)
    return FALSE;

  export_unref (export);
  return TRUE;
}
