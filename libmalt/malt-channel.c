/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-channel-private.h"

#include "malt-request.h"
#include "malt-worker.h"

/**
 * MaltChannel:
 *
 * A bounded queue of values between a worker and its manager, or between threads.
 *
 * The queue lives where it was made with [ctor@Malt.Channel.new], mostly in a worker. The
 * manager opens it with [method@Malt.Worker.open_channel] and gets an object of this class
 * too: what one end puts, the other takes, in its order and once. Each end can have any
 * number of threads and tasks that put and take at the same time. A channel that is opened
 * twice is the same queue.
 *
 * Who puts waits while there is no room, so that neither end can flood the other. The
 * manager's end fetches some values ahead, at most as many as the channel's capacity (and
 * not more than 1,024), from when it first wants one; in the other direction as many can be
 * under way. What was fetched ahead and not taken goes back if code of the worker wants to
 * take something, so whoever takes next gets what was put first, at either end. That costs a
 * message and its answer, and which end is faster is not fair; a channel is best taken from
 * at one end.
 *
 * Values are of what can go to a worker, and of at most 64 MiB each
 * ([property@Malt.Launcher:max-value-size] can lower that).
 *
 * Any end can close a channel: nothing more can be put then, what is inside can still be
 * taken, and who takes after that is told that it is closed. A channel also ends when its
 * worker does. Dropping the object closes nothing: what the manager has fetched ahead and
 * not taken goes back to the queue.
 *
 * All functions can be called on any thread. A blocking one needs no main loop and runs
 * none; one that waits for a channel of a worker reads the connection to it meanwhile, as
 * a blocking call does. In a worker, such a function also sees to it that requests that
 * come meanwhile are not lost; they start when the one that waits has ended.
 *
 * ```c
 * g_autoptr (MaltChannel) channel = malt_worker_open_channel (worker, NULL, "results", -1, NULL, &error);
 * GVariant *value;
 *
 * while ((value = malt_channel_take (channel, -1, NULL, &error)) != NULL)
 *   {
 *     use (value);
 *     g_variant_unref (value);
 *   }
 * if (!g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CLOSED))
 *   g_printerr ("%s\n", error->message);
 * ```
 *
 * Since: 1.0
 */

struct _MaltChannel
{
  GObject          parent_instance;

  /* Set when it is made. */
  guint            capacity;
  MaltChannelCore *core;
};

enum
{
  PROP_CAPACITY = 1,
  N_PROPERTIES
};

static GParamSpec *properties[N_PROPERTIES];

G_DEFINE_FINAL_TYPE (MaltChannel, malt_channel, G_TYPE_OBJECT)

static void
malt_channel_constructed (GObject *object)
{
  MaltChannel *self = MALT_CHANNEL (object);

  G_OBJECT_CLASS (malt_channel_parent_class)->constructed (object);

  self->core = malt_channel_core_new (self->capacity);
  malt_channel_core_add_handle (self->core);
}

static void
malt_channel_get_property (GObject    *object,
                           guint       prop_id,
                           GValue     *value,
                           GParamSpec *pspec)
{
  MaltChannel *self = MALT_CHANNEL (object);

  switch (prop_id)
    {
    case PROP_CAPACITY:
      g_value_set_uint (value, malt_channel_core_get_capacity (self->core));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, prop_id, pspec);
    }
}

static void
malt_channel_set_property (GObject      *object,
                           guint         prop_id,
                           const GValue *value,
                           GParamSpec   *pspec)
{
  MaltChannel *self = MALT_CHANNEL (object);

  switch (prop_id)
    {
    case PROP_CAPACITY:
      self->capacity = g_value_get_uint (value);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, prop_id, pspec);
    }
}

static void
malt_channel_finalize (GObject *object)
{
  MaltChannel *self = MALT_CHANNEL (object);

  malt_channel_core_drop_handle (self->core);
  malt_channel_core_unref (self->core);

  G_OBJECT_CLASS (malt_channel_parent_class)->finalize (object);
}

static void
malt_channel_class_init (MaltChannelClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->constructed = malt_channel_constructed;
  object_class->get_property = malt_channel_get_property;
  object_class->set_property = malt_channel_set_property;
  object_class->finalize = malt_channel_finalize;

  /**
   * MaltChannel:capacity: (getter get_capacity)
   *
   * How many values there is room for; 1 to 2,147,483,647.
   *
   * Since: 1.0
   */
  properties[PROP_CAPACITY] =
    g_param_spec_uint ("capacity", NULL, NULL, 1, G_MAXINT32, 1,
                       G_PARAM_READWRITE | G_PARAM_CONSTRUCT_ONLY | G_PARAM_STATIC_STRINGS);

  g_object_class_install_properties (object_class, N_PROPERTIES, properties);
}

static void
malt_channel_init (MaltChannel *self)
{
}

/* Another handle of the same queue. */
MaltChannel *
malt_channel_new_for_core (MaltChannelCore *core)
{
  MaltChannel *self = malt_channel_new (1);

  malt_channel_core_unref (self->core);
  self->core = malt_channel_core_ref (core);
  malt_channel_core_add_handle (core);

  return self;
}

MaltChannelCore *
malt_channel_get_core (MaltChannel *self)
{
  return self->core;
}

/**
 * malt_channel_new:
 * @capacity: how many values there is room for, 1 to 2,147,483,647
 *
 * Makes a channel in this process.
 *
 * In a worker it is given to the manager with [method@Malt.Request.return_channel].
 *
 * Returns: (transfer full): the channel
 *
 * Since: 1.0
 */
MaltChannel *
malt_channel_new (guint capacity)
{
  g_return_val_if_fail (capacity > 0 && capacity <= G_MAXINT32, NULL);

  return g_object_new (MALT_TYPE_CHANNEL, "capacity", capacity, NULL);
}

/**
 * malt_channel_get_capacity: (get-property capacity)
 * @self: a channel
 *
 * Gets how many values there is room for.
 *
 * Returns: the number
 *
 * Since: 1.0
 */
guint
malt_channel_get_capacity (MaltChannel *self)
{
  g_return_val_if_fail (MALT_IS_CHANNEL (self), 0);

  return malt_channel_core_get_capacity (self->core);
}

/**
 * malt_channel_put:
 * @self: a channel
 * @value: the value; if it is floating, it is taken
 * @timeout_msec: how long to wait for room, in milliseconds; -1 or `MALT_TIMEOUT_NONE` to
 *   wait without end, 0 not at all
 * @cancellable: (nullable): ends the wait, and then nothing was put
 * @error: return location for an error
 *
 * Puts a value into the channel, as soon as there is room.
 *
 * Blocks the calling thread while there is none. It needs no main loop, and runs none. A
 * value that was put into a channel of a worker may still be under way there: it is lost if
 * the worker ends before.
 *
 * Fails with `G_IO_ERROR_CLOSED` if the channel is closed, `MALT_ERROR_TIMEOUT` if there
 * was no room in time, `G_IO_ERROR_CANCELLED`, `MALT_ERROR_SERIALIZATION` if the value
 * cannot go to another process, or `MALT_ERROR_TERMINATED` if the worker has ended, or in
 * the worker if it is to stop.
 *
 * Returns: whether it was put; if not, @error is set
 *
 * Since: 1.0
 */
gboolean
malt_channel_put (MaltChannel   *self,
                  GVariant      *value,
                  int            timeout_msec,
                  GCancellable  *cancellable,
                  GError       **error)
{
  g_autoptr (GVariant) own = NULL;

  g_return_val_if_fail (MALT_IS_CHANNEL (self), FALSE);
  g_return_val_if_fail (value != NULL, FALSE);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  own = g_variant_ref_sink (value);
  return malt_channel_core_put (self->core, own, timeout_msec, cancellable, error);
}

static GTask *
new_task (MaltChannel         *self,
          gpointer             tag,
          GCancellable        *cancellable,
          GAsyncReadyCallback  callback,
          gpointer             user_data)
{
  GTask *task = g_task_new (self, cancellable, callback, user_data);

  g_task_set_source_tag (task, tag);
  return task;
}

/**
 * malt_channel_put_async:
 * @self: a channel
 * @value: the value; if it is floating, it is taken
 * @cancellable: (nullable): ends the wait for room, and then nothing was put
 * @callback: (scope async): called when the value was put, in the thread-default main
 *   context of the calling thread
 * @user_data: data for @callback
 *
 * Puts a value into the channel, as soon as there is room, without blocking. Values are put
 * in the order in which this was called.
 *
 * See [method@Malt.Channel.put].
 *
 * Since: 1.0
 */
void
malt_channel_put_async (MaltChannel         *self,
                        GVariant            *value,
                        GCancellable        *cancellable,
                        GAsyncReadyCallback  callback,
                        gpointer             user_data)
{
  g_autoptr (GVariant) own = NULL;

  g_return_if_fail (MALT_IS_CHANNEL (self));
  g_return_if_fail (value != NULL);
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  own = g_variant_ref_sink (value);
  malt_channel_core_put_task (self->core, own,
                              new_task (self, malt_channel_put_async, cancellable, callback, user_data));
}

/**
 * malt_channel_put_finish:
 * @self: a channel
 * @result: the result
 * @error: return location for an error
 *
 * Tells how [method@Malt.Channel.put_async] went; it fails as [method@Malt.Channel.put]
 * does.
 *
 * Returns: whether the value was put; if not, @error is set
 *
 * Since: 1.0
 */
gboolean
malt_channel_put_finish (MaltChannel   *self,
                         GAsyncResult  *result,
                         GError       **error)
{
  g_return_val_if_fail (g_task_is_valid (result, self), FALSE);

  return g_task_propagate_boolean (G_TASK (result), error);
}

/**
 * malt_channel_take:
 * @self: a channel
 * @timeout_msec: how long to wait for a value, in milliseconds; -1 or `MALT_TIMEOUT_NONE`
 *   to wait without end, 0 not at all
 * @cancellable: (nullable): ends the wait, and then nothing was taken
 * @error: return location for an error
 *
 * Takes the next value out of the channel, as soon as there is one.
 *
 * Blocks the calling thread while there is none. It needs no main loop, and runs none.
 *
 * Fails with `G_IO_ERROR_CLOSED` if the channel is closed and empty, `MALT_ERROR_TIMEOUT`
 * if nothing came in time, `G_IO_ERROR_CANCELLED`, or `MALT_ERROR_TERMINATED` if the worker
 * has ended and what had come from it is taken, or in the worker if it is to stop.
 *
 * Returns: (transfer full): the value, or %NULL with @error set
 *
 * Since: 1.0
 */
GVariant *
malt_channel_take (MaltChannel   *self,
                   int            timeout_msec,
                   GCancellable  *cancellable,
                   GError       **error)
{
  g_return_val_if_fail (MALT_IS_CHANNEL (self), NULL);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  return malt_channel_core_take (self->core, timeout_msec, cancellable, error);
}

/**
 * malt_channel_try_take:
 * @self: a channel
 *
 * Takes the next value if it has come already.
 *
 * Does not block, nor ask the worker: %NULL says neither that there is nothing in a channel of a
 * worker, nor that it is not closed. [method@Malt.Channel.take] tells that.
 *
 * Returns: (transfer full) (nullable): the value, or %NULL
 *
 * Since: 1.0
 */
GVariant *
malt_channel_try_take (MaltChannel *self)
{
  g_return_val_if_fail (MALT_IS_CHANNEL (self), NULL);

  return malt_channel_core_try_take (self->core);
}

/**
 * malt_channel_take_async:
 * @self: a channel
 * @cancellable: (nullable): ends the wait, and then nothing was taken
 * @callback: (scope async): called when there is a value, in the thread-default main
 *   context of the calling thread
 * @user_data: data for @callback
 *
 * Takes the next value out of the channel, as soon as there is one, without blocking. Who
 * has asked first gets the first.
 *
 * A value that comes while @cancellable is cancelled is not lost: the result has it then.
 *
 * Since: 1.0
 */
void
malt_channel_take_async (MaltChannel         *self,
                         GCancellable        *cancellable,
                         GAsyncReadyCallback  callback,
                         gpointer             user_data)
{
  g_return_if_fail (MALT_IS_CHANNEL (self));
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  malt_channel_core_take_task (self->core,
                               new_task (self, malt_channel_take_async, cancellable, callback, user_data));
}

/**
 * malt_channel_take_finish:
 * @self: a channel
 * @result: the result
 * @error: return location for an error
 *
 * Gets what [method@Malt.Channel.take_async] took; it fails as [method@Malt.Channel.take]
 * does.
 *
 * Returns: (transfer full): the value, or %NULL with @error set
 *
 * Since: 1.0
 */
GVariant *
malt_channel_take_finish (MaltChannel   *self,
                          GAsyncResult  *result,
                          GError       **error)
{
  g_return_val_if_fail (g_task_is_valid (result, self), NULL);

  return g_task_propagate_pointer (G_TASK (result), error);
}

/**
 * malt_channel_wait:
 * @self: a channel
 * @timeout_msec: how long to wait, in milliseconds; -1 or `MALT_TIMEOUT_NONE` to wait
 *   without end, 0 not at all
 * @cancellable: (nullable): ends the wait
 * @error: return location for an error
 *
 * Waits until there is something to take, and leaves it there.
 *
 * Blocks the calling thread. It needs no main loop, and runs none. Fails as
 * [method@Malt.Channel.take] does.
 *
 * Returns: whether there is; if not, @error is set
 *
 * Since: 1.0
 */
gboolean
malt_channel_wait (MaltChannel   *self,
                   int            timeout_msec,
                   GCancellable  *cancellable,
                   GError       **error)
{
  g_return_val_if_fail (MALT_IS_CHANNEL (self), FALSE);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  return malt_channel_core_wait (self->core, timeout_msec, cancellable, error);
}

/**
 * malt_channel_wait_async:
 * @self: a channel
 * @cancellable: (nullable): ends the wait
 * @callback: (scope async): called when there is something to take, in the thread-default
 *   main context of the calling thread
 * @user_data: data for @callback
 *
 * Waits until there is something to take, without blocking.
 *
 * Since: 1.0
 */
void
malt_channel_wait_async (MaltChannel         *self,
                         GCancellable        *cancellable,
                         GAsyncReadyCallback  callback,
                         gpointer             user_data)
{
  g_return_if_fail (MALT_IS_CHANNEL (self));
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  malt_channel_core_wait_task (self->core,
                               new_task (self, malt_channel_wait_async, cancellable, callback, user_data));
}

/**
 * malt_channel_wait_finish:
 * @self: a channel
 * @result: the result
 * @error: return location for an error
 *
 * Tells how [method@Malt.Channel.wait_async] went; it fails as [method@Malt.Channel.wait]
 * does.
 *
 * Returns: whether there was something to take; if not, @error is set
 *
 * Since: 1.0
 */
gboolean
malt_channel_wait_finish (MaltChannel   *self,
                          GAsyncResult  *result,
                          GError       **error)
{
  g_return_val_if_fail (g_task_is_valid (result, self), FALSE);

  return g_task_propagate_boolean (G_TASK (result), error);
}

/**
 * malt_channel_is_ready:
 * @self: a channel
 *
 * Tells whether there is something to take.
 *
 * If nothing has come from a channel of a worker, the worker is asked, and the calling
 * thread blocks until it has said; its code need not do anything for that. A worker that
 * does not say for five seconds has nothing.
 *
 * Returns: whether [method@Malt.Channel.take] would not have to wait
 *
 * Since: 1.0
 */
gboolean
malt_channel_is_ready (MaltChannel *self)
{
  g_return_val_if_fail (MALT_IS_CHANNEL (self), FALSE);

  return malt_channel_core_is_ready (self->core);
}

/**
 * malt_channel_close:
 * @self: a channel
 *
 * Closes the channel, at both ends: nothing more can be put. What is inside can still be
 * taken. Who waits to put, and who waits to take when it is empty, is told
 * `G_IO_ERROR_CLOSED`.
 *
 * Closing it at the end that takes drops what the other end has under way. A closed channel
 * stays as it is. Does not block.
 *
 * Since: 1.0
 */
void
malt_channel_close (MaltChannel *self)
{
  g_return_if_fail (MALT_IS_CHANNEL (self));

  malt_channel_core_close (self->core);
}

/**
 * malt_channel_is_closed:
 * @self: a channel
 *
 * Tells whether nothing more can be put, as far as this end has heard. Does not block.
 *
 * Returns: whether it is closed
 *
 * Since: 1.0
 */
gboolean
malt_channel_is_closed (MaltChannel *self)
{
  g_return_val_if_fail (MALT_IS_CHANNEL (self), FALSE);

  return malt_channel_core_is_closed (self->core);
}
