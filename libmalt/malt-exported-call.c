/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-worker-private.h"

#include "malt-request-private.h"

/* Calls of the program's functions on behalf of a worker's code, for backends whose language can
 * have no function called on any thread: what malt_worker_handle_host_call() is for others. */

/* Of such a call, until it is answered, which waits for cancelled_cb(). */
typedef struct
{
  GTask        *task;         /* owned */
  GCancellable *cancellable;  /* (owned) the request's */
  gulong        cancelled_id; /* or 0 */
} ExportedCall;

static void
exported_call_free (ExportedCall *self)
{
  g_object_unref (self->task);
  g_object_unref (self->cancellable);
  g_free (self);
}

/* On any thread. */
static void
answered_cb (MaltRequest *request,
             GVariant    *value,
             GError      *error,
             gpointer     user_data)
{
  ExportedCall *self = user_data;

  if (self->cancelled_id != 0)
    g_cancellable_disconnect (g_task_get_cancellable (self->task), self->cancelled_id);
  if (error != NULL)
    g_task_return_error (self->task, error);
  else
    g_task_return_pointer (self->task, value, (GDestroyNotify) g_variant_unref);
  exported_call_free (self);
}

static void
cancelled_cb (GCancellable *cancellable,
              gpointer      user_data)
{
  ExportedCall *self = user_data;

  malt_worker_drop_host_call (g_task_get_source_object (self->task), self->cancellable);
}

/**
 * malt_worker_call_exported_async:
 * @self: a worker
 * @function: the name of the function
 * @arguments: (nullable): the positional arguments, a tuple; if it is floating, it is
 *   taken.  %NULL for none
 * @keywords: (nullable): the keyword arguments, an `a{sv}`; if it is floating, it is
 *   taken.  %NULL for none
 * @stalls: whether the worker begins with no other request before this call has ended
 * @cancellable: (nullable): says that nobody awaits the call any more
 * @callback: (scope async): called when it has ended, in the thread-default main context of
 *   the calling thread
 * @user_data: data for @callback
 *
 * Has a function called that the program has given to the worker
 * ([method@Malt.Worker.export_function]); for backends, on behalf of the worker's code.
 *
 * Does not block.  The function runs where that of any worker does.  Cancelling has the
 * function's own cancellable be cancelled ([method@Malt.Request.get_cancellable]); the call ends
 * when the function ends it.
 *
 * Fails with what the function has failed with; with `MALT_ERROR_NOT_FOUND` if the program has
 * given no such function; `G_IO_ERROR_INVALID_ARGUMENT` if the arguments are not such as it
 * takes; and `G_IO_ERROR_CLOSED` if the worker is not running.
 *
 * Since: 1.0
 */
void
malt_worker_call_exported_async (MaltWorker          *self,
                                 const char          *function,
                                 GVariant            *arguments,
                                 GVariant            *keywords,
                                 gboolean             stalls,
                                 GCancellable        *cancellable,
                                 GAsyncReadyCallback  callback,
                                 gpointer             user_data)
{
  g_autoptr (GVariant) own_arguments = arguments != NULL ? g_variant_ref_sink (arguments) : NULL;
  g_autoptr (GVariant) own_keywords = keywords != NULL ? g_variant_ref_sink (keywords) : NULL;
  g_autoptr (MaltRequest) request = NULL;
  g_autoptr (GTask) task = NULL;
  ExportedCall *call;
  GError *error = NULL;

  g_return_if_fail (MALT_IS_WORKER (self));
  g_return_if_fail (function != NULL);
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  task = g_task_new (self, cancellable, callback, user_data);
  g_task_set_source_tag (task, malt_worker_call_exported_async);
  g_task_set_check_cancellable (task, FALSE);

  if (!malt_request_check_call (function, own_arguments, own_keywords, &error))
    {
      g_task_return_error (task, error);
      return;
    }

  call = g_new0 (ExportedCall, 1);
  call->task = g_object_ref (task);
  request = malt_request_new_host_call (function, own_arguments, own_keywords, answered_cb, call);
  call->cancellable = g_object_ref (malt_request_get_cancellable (request));
  if (cancellable != NULL)
    call->cancelled_id = g_cancellable_connect (cancellable, G_CALLBACK (cancelled_cb), call, NULL);
  malt_worker_handle_host_call (self, request, stalls);
}

/**
 * malt_worker_call_exported_finish:
 * @self: a worker
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Gets what came of [method@Malt.Worker.call_exported_async].
 *
 * Returns: (transfer full): the value, `mv` nothing where there is none; or %NULL with
 *   @error set
 *
 * Since: 1.0
 */
GVariant *
malt_worker_call_exported_finish (MaltWorker    *self,
                                  GAsyncResult  *result,
                                  GError       **error)
{
  g_return_val_if_fail (MALT_IS_WORKER (self), NULL);
  g_return_val_if_fail (g_task_is_valid (result, self), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  return g_task_propagate_pointer (G_TASK (result), error);
}
