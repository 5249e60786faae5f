/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-js-binding.h"

#include <js/PropertySpec.h>

#include "malt-gjs-to-variant.h"

/* Promises of all that is no call: workers that start and stop, channels, pools.
 *
 * GJS could have these by introspection.  But the versions before 1.82 drop what comes by way of
 * their own closures while the collector is between two steps of sweeping, so that a promise of
 * it would be for ever. */

/* What comes of it, by what a function gives: a value, an object, a number, or nothing but an
 * error if it is FALSE. */

static GVariant *
keep (MaltJsPending *self,
      GVariant      *value)
{
  return value;
}

template <typename T>
static GVariant *
keep (MaltJsPending *self,
      T             *object)
{
  self->object = reinterpret_cast<GObject *> (object);
  return nullptr;
}

static GVariant *
keep (MaltJsPending  *self,
      MaltStopResult  result)
{
  self->number = result;
  return nullptr;
}

static GVariant *
keep (MaltJsPending *self,
      gboolean       is_done)
{
  return nullptr;
}

template <typename Source, typename Result>
static Result
call_finish (Result        (*function) (Source *, GAsyncResult *, GError **),
             GObject       *source,
             GAsyncResult  *result,
             GError       **error)
{
  return function (reinterpret_cast<Source *> (source), result, error);
}

/* MaltJsPending::finish by a function of the library. */
template <auto function>
static GVariant *
finish (MaltJsPending  *self,
        GObject        *source,
        GAsyncResult   *result,
        GError        **error)
{
  return keep (self, call_finish (function, source, result, error));
}

template <typename Source>
static void
call_begin (void          (*function) (Source *, GCancellable *, GAsyncReadyCallback, gpointer),
            GObject        *source,
            GCancellable   *cancellable,
            MaltJsPending  *pending)
{
  function (reinterpret_cast<Source *> (source), cancellable, malt_js_pending_done, pending);
}

/* MaltJsBegin by a function of the library that takes nothing but a cancellable. */
template <GType (*get_type) (), auto begin_function, auto finish_function>
static bool
begin (JSContext           *cx,
       GObject             *object,
       const JS::CallArgs  &args,
       MaltJsPending       *pending)
{
  g_autoptr (GCancellable) cancellable = malt_js_take_cancellable (args.get (1));

  if (!malt_js_check_type (cx, object, get_type ()))
    return false;

  pending->finish = finish<finish_function>;
  call_begin (begin_function, object, cancellable, pending);
  return true;
}

static constexpr MaltJsBegin begin_spawn =
  begin<malt_launcher_get_type, malt_launcher_spawn_async, malt_launcher_spawn_finish>;
static constexpr MaltJsBegin begin_take =
  begin<malt_channel_get_type, malt_channel_take_async, malt_channel_take_finish>;
static constexpr MaltJsBegin begin_wait =
  begin<malt_channel_get_type, malt_channel_wait_async, malt_channel_wait_finish>;
static constexpr MaltJsBegin begin_wait_room =
  begin<malt_pool_get_type, malt_pool_wait_room_async, malt_pool_wait_room_finish>;

static bool
begin_stop (JSContext           *cx,
            GObject             *object,
            const JS::CallArgs  &args,
            MaltJsPending       *pending)
{
  g_autoptr (GCancellable) cancellable = malt_js_take_cancellable (args.get (3));

  if (!malt_js_check_type (cx, object, MALT_TYPE_WORKER))
    return false;

  pending->finish = finish<malt_worker_stop_finish>;
  malt_worker_stop_async (MALT_WORKER (object), malt_js_get_int (args.get (1), MALT_TIMEOUT_DEFAULT),
                          malt_js_get_int (args.get (2), MALT_TIMEOUT_DEFAULT), cancellable, malt_js_pending_done,
                          pending);
  return true;
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
  if (JS_IsExceptionPending (cx) || !malt_js_check_type (cx, object, MALT_TYPE_WORKER))
    return false;

  pending->finish = finish<malt_worker_open_channel_finish>;
  malt_worker_open_channel_async (MALT_WORKER (object), module, expression,
                                  malt_js_get_int (args.get (3), MALT_TIMEOUT_DEFAULT), cancellable,
                                  malt_js_pending_done, pending);
  return true;
}

static bool
begin_put (JSContext           *cx,
           GObject             *object,
           const JS::CallArgs  &args,
           MaltJsPending       *pending)
{
  g_autoptr (GCancellable) cancellable = malt_js_take_cancellable (args.get (2));
  GError *error = nullptr;
  GVariant *value;

  if (!malt_js_check_type (cx, object, MALT_TYPE_CHANNEL))
    return false;

  value = malt_gjs_to_variant (cx, args.get (1), FALSE, &error);
  if (error != nullptr)
    malt_js_throw (cx, error);
  if (value == nullptr)
    return false;

  pending->finish = finish<malt_channel_put_finish>;
  malt_channel_put_async (MALT_CHANNEL (object), value, cancellable, malt_js_pending_done, pending);
  return true;
}

static bool
begin_shut_down (JSContext           *cx,
                 GObject             *object,
                 const JS::CallArgs  &args,
                 MaltJsPending       *pending)
{
  g_autoptr (GCancellable) cancellable = malt_js_take_cancellable (args.get (2));

  if (!malt_js_check_type (cx, object, MALT_TYPE_POOL))
    return false;

  pending->finish = finish<malt_pool_shutdown_finish>;
  malt_pool_shutdown_async (MALT_POOL (object), static_cast<MaltPoolShutdownFlags> (malt_js_get_int (args.get (1), 0)),
                            cancellable, malt_js_pending_done, pending);
  return true;
}

/* A function of JavaScript that gives a promise of what is begun. */
template <MaltJsBegin begin_function>
static bool
promise (JSContext *cx,
         unsigned   argc,
         JS::Value *vp)
{
  return malt_js_begin (cx, argc, vp, begin_function);
}

/* All have a handle as their first argument, and whether a cancellable was given as the last. */
const JSFunctionSpec malt_js_lifecycle_functions[] = {
  JS_FN ("spawn", promise<begin_spawn>, 2, 0),              /* of a launcher */
  JS_FN ("stop", promise<begin_stop>, 4, 0),                /* timeouts to exit and of SIGTERM */
  JS_FN ("openChannel", promise<begin_open_channel>, 5, 0), /* expression, module, timeout */
  JS_FN ("put", promise<begin_put>, 3, 0),                  /* value */
  JS_FN ("take", promise<begin_take>, 2, 0),
  JS_FN ("wait", promise<begin_wait>, 2, 0),
  JS_FN ("waitRoom", promise<begin_wait_room>, 2, 0),
  JS_FN ("shutDown", promise<begin_shut_down>, 3, 0),       /* flags */
  JS_FS_END
};
