/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-js-binding.h"

#include "malt-gjs-to-variant.h"

/* Promises of all that is no call: workers that start and stop, channels, pools.
 *
 * GJS could have these by introspection.  But the versions before 1.82 drop what comes by way of
 * their own closures while the collector is between two steps of sweeping, so that a promise of
 * it would be for ever. */

/* Workers */

static GVariant *
finish_spawn (MaltJsPending  *self,
              GObject        *source,
              GAsyncResult   *result,
              GError        **error)
{
  self->object = reinterpret_cast<GObject *> (malt_launcher_spawn_finish (MALT_LAUNCHER (source), result, error));
  return nullptr;
}

static bool
begin_spawn (JSContext           *cx,
             GObject             *object,
             const JS::CallArgs  &args,
             MaltJsPending       *pending)
{
  g_autoptr (GCancellable) cancellable = malt_js_take_cancellable (args.get (1));

  pending->finish = finish_spawn;
  malt_launcher_spawn_async (MALT_LAUNCHER (object), cancellable, malt_js_pending_done, pending);
  return true;
}

/* spawn(handle of a launcher, has cancellable): a promise of a worker */
bool
malt_js_spawn (JSContext *cx,
               unsigned   argc,
               JS::Value *vp)
{
  return malt_js_begin (cx, argc, vp, begin_spawn);
}

static GVariant *
finish_stop (MaltJsPending  *self,
             GObject        *source,
             GAsyncResult   *result,
             GError        **error)
{
  self->number = malt_worker_stop_finish (MALT_WORKER (source), result, error);
  return nullptr;
}

static bool
begin_stop (JSContext           *cx,
            GObject             *object,
            const JS::CallArgs  &args,
            MaltJsPending       *pending)
{
  g_autoptr (GCancellable) cancellable = malt_js_take_cancellable (args.get (3));

  pending->finish = finish_stop;
  malt_worker_stop_async (MALT_WORKER (object), malt_js_get_int (args.get (1), MALT_TIMEOUT_DEFAULT),
                          malt_js_get_int (args.get (2), MALT_TIMEOUT_DEFAULT), cancellable, malt_js_pending_done,
                          pending);
  return true;
}

/* stop(handle, timeout to exit, timeout of SIGTERM, has cancellable): a promise of a number */
bool
malt_js_stop (JSContext *cx,
              unsigned   argc,
              JS::Value *vp)
{
  return malt_js_begin (cx, argc, vp, begin_stop);
}

static GVariant *
finish_open_channel (MaltJsPending  *self,
                     GObject        *source,
                     GAsyncResult   *result,
                     GError        **error)
{
  self->object = reinterpret_cast<GObject *> (malt_worker_open_channel_finish (MALT_WORKER (source), result, error));
  return nullptr;
}

static bool
begin_open_channel (JSContext           *cx,
                    GObject             *object,
                    const JS::CallArgs  &args,
                    MaltJsPending       *pending)
{
  g_autofree char *expression = malt_js_dup_text (cx, args.get (1), "the expression");
  g_autofree char *module = nullptr;
  g_autoptr (GCancellable) cancellable = malt_js_take_cancellable (args.get (4));

  if (expression != nullptr && !args.get (2).isNullOrUndefined ())
    module = malt_js_dup_text (cx, args[2], "the name of the module");
  if (JS_IsExceptionPending (cx))
    return false;

  pending->finish = finish_open_channel;
  malt_worker_open_channel_async (MALT_WORKER (object), module, expression,
                                  malt_js_get_int (args.get (3), MALT_TIMEOUT_DEFAULT), cancellable,
                                  malt_js_pending_done, pending);
  return true;
}

/* openChannel(handle, expression, module, timeout, has cancellable): a promise of a channel */
bool
malt_js_open_channel (JSContext *cx,
                      unsigned   argc,
                      JS::Value *vp)
{
  return malt_js_begin (cx, argc, vp, begin_open_channel);
}

/* Channels */

static GVariant *
finish_put (MaltJsPending  *self,
            GObject        *source,
            GAsyncResult   *result,
            GError        **error)
{
  malt_channel_put_finish (MALT_CHANNEL (source), result, error);
  return nullptr;
}

static bool
begin_put (JSContext           *cx,
           GObject             *object,
           const JS::CallArgs  &args,
           MaltJsPending       *pending)
{
  g_autoptr (GCancellable) cancellable = malt_js_take_cancellable (args.get (2));
  GError *error = nullptr;
  GVariant *value = malt_gjs_to_variant (cx, args.get (1), FALSE, &error);

  if (error != nullptr)
    malt_js_throw (cx, error);
  if (value == nullptr)
    return false;

  pending->finish = finish_put;
  malt_channel_put_async (MALT_CHANNEL (object), value, cancellable, malt_js_pending_done, pending);
  return true;
}

/* put(handle, value, has cancellable): a promise */
bool
malt_js_put (JSContext *cx,
             unsigned   argc,
             JS::Value *vp)
{
  return malt_js_begin (cx, argc, vp, begin_put);
}

static GVariant *
finish_take (MaltJsPending  *self,
             GObject        *source,
             GAsyncResult   *result,
             GError        **error)
{
  return malt_channel_take_finish (MALT_CHANNEL (source), result, error);
}

static bool
begin_take (JSContext           *cx,
            GObject             *object,
            const JS::CallArgs  &args,
            MaltJsPending       *pending)
{
  g_autoptr (GCancellable) cancellable = malt_js_take_cancellable (args.get (1));

  pending->finish = finish_take;
  malt_channel_take_async (MALT_CHANNEL (object), cancellable, malt_js_pending_done, pending);
  return true;
}

/* take(handle, has cancellable): a promise of a value */
bool
malt_js_take (JSContext *cx,
              unsigned   argc,
              JS::Value *vp)
{
  return malt_js_begin (cx, argc, vp, begin_take);
}

static GVariant *
finish_wait (MaltJsPending  *self,
             GObject        *source,
             GAsyncResult   *result,
             GError        **error)
{
  malt_channel_wait_finish (MALT_CHANNEL (source), result, error);
  return nullptr;
}

static bool
begin_wait (JSContext           *cx,
            GObject             *object,
            const JS::CallArgs  &args,
            MaltJsPending       *pending)
{
  g_autoptr (GCancellable) cancellable = malt_js_take_cancellable (args.get (1));

  pending->finish = finish_wait;
  malt_channel_wait_async (MALT_CHANNEL (object), cancellable, malt_js_pending_done, pending);
  return true;
}

/* wait(handle, has cancellable): a promise */
bool
malt_js_wait (JSContext *cx,
              unsigned   argc,
              JS::Value *vp)
{
  return malt_js_begin (cx, argc, vp, begin_wait);
}

/* Pools */

static GVariant *
finish_wait_room (MaltJsPending  *self,
                  GObject        *source,
                  GAsyncResult   *result,
                  GError        **error)
{
  malt_pool_wait_room_finish (MALT_POOL (source), result, error);
  return nullptr;
}

static bool
begin_wait_room (JSContext           *cx,
                 GObject             *object,
                 const JS::CallArgs  &args,
                 MaltJsPending       *pending)
{
  g_autoptr (GCancellable) cancellable = malt_js_take_cancellable (args.get (1));

  pending->finish = finish_wait_room;
  malt_pool_wait_room_async (MALT_POOL (object), cancellable, malt_js_pending_done, pending);
  return true;
}

/* waitRoom(handle, has cancellable): a promise */
bool
malt_js_wait_room (JSContext *cx,
                   unsigned   argc,
                   JS::Value *vp)
{
  return malt_js_begin (cx, argc, vp, begin_wait_room);
}

static GVariant *
finish_shut_down (MaltJsPending  *self,
                  GObject        *source,
                  GAsyncResult   *result,
                  GError        **error)
{
  malt_pool_shutdown_finish (MALT_POOL (source), result, error);
  return nullptr;
}

static bool
begin_shut_down (JSContext           *cx,
                 GObject             *object,
                 const JS::CallArgs  &args,
                 MaltJsPending       *pending)
{
  g_autoptr (GCancellable) cancellable = malt_js_take_cancellable (args.get (2));

  pending->finish = finish_shut_down;
  malt_pool_shutdown_async (MALT_POOL (object), static_cast<MaltPoolShutdownFlags> (malt_js_get_int (args.get (1), 0)),
                            cancellable, malt_js_pending_done, pending);
  return true;
}

/* shutDown(handle, flags, has cancellable): a promise */
bool
malt_js_shut_down (JSContext *cx,
                   unsigned   argc,
                   JS::Value *vp)
{
  return malt_js_begin (cx, argc, vp, begin_shut_down);
}
