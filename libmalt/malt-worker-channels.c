/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-worker-private.h"

#include "malt-channel-private.h"
#include "malt-error-private.h"
#include "malt-exit-info.h"
#include "malt-request-private.h"
#include "malt-result.h"

/* Opening channels, and what becomes of them when their worker ends. */

#define FIRST_N_CHANNELS 16

static void
drop_needless_locked (MaltWorkerPrivate *priv)
{
  guint i;

  for (i = priv->channels->len; i > 0; i--)
    if (malt_channel_core_is_needless (g_ptr_array_index (priv->channels, i - 1)))
      g_ptr_array_remove_index_fast (priv->channels, i - 1);

  priv->n_channels = MAX (FIRST_N_CHANNELS, priv->channels->len * 2);
}

/* The channel is told when the worker ends.  On any thread, without locks. */
void
malt_worker_add_channel (MaltWorker  *self,
                         MaltChannel *channel)
{
  MaltWorkerPrivate *priv = malt_worker_get_private (self);
  MaltChannelCore *core = malt_channel_get_core (channel);
  g_autoptr (MaltExitInfo) exit_info = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *name = NULL;

  g_mutex_lock (&priv->calls_lock);
  if (priv->channels == NULL)
    priv->channels = g_ptr_array_new_with_free_func ((GDestroyNotify) malt_channel_core_unref);
  if (priv->exit_info != NULL)
    exit_info = g_object_ref (priv->exit_info);
  else
    {
      if (priv->channels->len >= priv->n_channels)
        drop_needless_locked (priv);
      if (!g_ptr_array_find (priv->channels, core, NULL))
        g_ptr_array_add (priv->channels, malt_channel_core_ref (core));
    }
  g_mutex_unlock (&priv->calls_lock);

  if (exit_info == NULL)
    return;

  name = malt_worker_dup_name (self);
  error = malt_error_new_ended (name, exit_info);
  malt_channel_core_end (core, error);
}

/* The worker has ended.  On any thread, without locks. */
void
malt_worker_end_channels (MaltWorker   *self,
                          const GError *error)
{
  MaltWorkerPrivate *priv = malt_worker_get_private (self);
  g_autoptr (GPtrArray) channels = NULL;
  guint i;

  g_mutex_lock (&priv->calls_lock);
  channels = g_steal_pointer (&priv->channels);
  g_mutex_unlock (&priv->calls_lock);

  for (i = 0; channels != NULL && i < channels->len; i++)
    malt_channel_core_end (g_ptr_array_index (channels, i), error);
}

/* Nobody has the worker any more, nor hears how it ends. */
void
malt_worker_drop_channels (MaltWorker *self)
{
  MaltWorkerPrivate *priv = malt_worker_get_private (self);
  g_autoptr (GError) error = NULL;
  g_autofree char *name = NULL;
  gboolean any;

  g_mutex_lock (&priv->calls_lock);
  any = priv->channels != NULL;
  g_mutex_unlock (&priv->calls_lock);
  if (!any)
    return;

  name = malt_worker_dup_name (self);
  error = malt_error_new_stopped (name, "was dropped");
  malt_worker_end_channels (self, error);
}

static MaltRequest *
new_request (const char  *module,
             const char  *expression,
             GError     **error)
{
  const char *end;

  if (!g_utf8_validate (expression, -1, &end))
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                 "the expression is not valid UTF-8 at byte %" G_GSIZE_FORMAT, (gsize) (end - expression));
  else if (*expression == '\0')
    g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "the expression is empty");
  else if (module != NULL && (!g_utf8_validate (module, -1, NULL) || *module == '\0'))
    g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                         "the name of the module is empty or not valid UTF-8");
  else
    return malt_request_new_channel (module, expression, MALT_REQUEST_FLAGS_NONE);

  return NULL;
}

/**
 * malt_worker_open_channel:
 * @self: a worker
 * @module: (nullable): the module in which to evaluate the expression, or %NULL for the
 *   main namespace
 * @expression: what gives the channel, in the worker's language, for instance
 *   `"malt.Channel(20)"` or the name of a variable; for the `native` runtime the name of a
 *   function that returns it, for instance `"module:function"`
 * @timeout_msec: the deadline in milliseconds, `MALT_TIMEOUT_DEFAULT` or
 *   `MALT_TIMEOUT_NONE`
 * @cancellable: (nullable): makes the call climb the ladder
 * @error: return location for an error
 *
 * Evaluates an expression that gives a channel, and opens that for the manager.
 *
 * Blocks the calling thread.  It needs no main loop, and runs none.  It is a call like
 * others, and runs after those that were made before; cancelling and the deadline do what
 * they do in [method@Malt.Worker.remote_eval_fetch].  The same channel can be opened any
 * number of times.  The channel does not keep the worker; in Python and JavaScript it does.
 *
 * Fails with `MALT_ERROR_SERIALIZATION` if the value is no channel, `MALT_ERROR_NOT_SUPPORTED`
 * if the worker has none, and else as [method@Malt.Worker.remote_eval_fetch] does.
 *
 * Returns: (transfer full): the channel, or %NULL with @error set
 *
 * Since: 1.0
 */
MaltChannel *
malt_worker_open_channel (MaltWorker    *self,
                          const char    *module,
                          const char    *expression,
                          int            timeout_msec,
                          GCancellable  *cancellable,
                          GError       **error)
{
  g_autoptr (MaltChannel) channel = NULL;
  g_autoptr (GVariant) value = NULL;
  MaltRequest *request;

  g_return_val_if_fail (MALT_IS_WORKER (self), NULL);
  g_return_val_if_fail (expression != NULL, NULL);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  request = new_request (module, expression, error);
  if (request == NULL)
    return NULL;

  value = malt_worker_run_blocking (self, request, malt_worker_timeout_of_call (self, timeout_msec), &channel,
                                    cancellable, error);
  return value != NULL ? g_steal_pointer (&channel) : NULL;
}

/**
 * malt_worker_open_channel_async:
 * @self: a worker
 * @module: (nullable): the module in which to evaluate the expression, or %NULL for the
 *   main namespace
 * @expression: what gives the channel, in the worker's language
 * @timeout_msec: the deadline in milliseconds, `MALT_TIMEOUT_DEFAULT` or
 *   `MALT_TIMEOUT_NONE`
 * @cancellable: (nullable): makes the call climb the ladder
 * @callback: (scope async): called when the channel is there, in the thread-default main
 *   context of the calling thread
 * @user_data: data for @callback
 *
 * Evaluates an expression that gives a channel, and opens that for the manager, without
 * blocking; see [method@Malt.Worker.open_channel].  The channel comes with
 * [method@Malt.Worker.open_channel_finish].
 *
 * Since: 1.0
 */
void
malt_worker_open_channel_async (MaltWorker          *self,
                                const char          *module,
                                const char          *expression,
                                int                  timeout_msec,
                                GCancellable        *cancellable,
                                GAsyncReadyCallback  callback,
                                gpointer             user_data)
{
  GError *error = NULL;
  MaltRequest *request;

  g_return_if_fail (MALT_IS_WORKER (self));
  g_return_if_fail (expression != NULL);
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  request = new_request (module, expression, &error);
  malt_worker_run_async (self, request, malt_worker_timeout_of_call (self, timeout_msec), cancellable,
                         malt_worker_open_channel_async, callback, user_data, error);
}

/**
 * malt_worker_open_channel_finish:
 * @self: a worker
 * @result: the result
 * @error: return location for an error
 *
 * Gets the channel of [method@Malt.Worker.open_channel_async], which fails as
 * [method@Malt.Worker.open_channel] does.
 *
 * Returns: (transfer full): the channel, or %NULL with @error set
 *
 * Since: 1.0
 */
MaltChannel *
malt_worker_open_channel_finish (MaltWorker    *self,
                                 GAsyncResult  *result,
                                 GError       **error)
{
  g_return_val_if_fail (MALT_IS_WORKER (self), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  return malt_result_finish_channel (result, self, error);
}
