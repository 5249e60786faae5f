/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-gjs-channel.h"

#include <math.h>

#include <js/CallArgs.h>
#include <js/CallNonGenericMethod.h>
#include <js/Conversions.h>
#include <js/Object.h>
#include <js/PropertySpec.h>

#include "malt-gjs-from-variant.h"
#include "malt-gjs-interrupt.h"
#include "malt-gjs-malt.h"
#include "malt-gjs-promise.h"
#include "malt-gjs-to-variant.h"

/* malt.Channel: a MaltChannel for JavaScript.  glue.js adds the ways to iterate over one. */

enum
{
  SLOT_CHANNEL,
  SLOT_ENGINE,
  N_SLOTS
};

static void
channel_finalize (JS::GCContext *gc,
                  JSObject      *object)
{
  MaltChannel *channel = JS::GetMaybePtrFromReservedSlot<MaltChannel> (object, SLOT_CHANNEL);

  g_clear_object (&channel);
}

static const JSClassOps channel_ops = {
  nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, channel_finalize, nullptr, nullptr, nullptr,
};

static const JSClass channel_class = {
  "Channel", JSCLASS_HAS_RESERVED_SLOTS (N_SLOTS) | JSCLASS_FOREGROUND_FINALIZE, &channel_ops,
};

static MaltChannel *
get_channel (JSObject *object)
{
  return JS::GetClass (object) == &channel_class ? JS::GetMaybePtrFromReservedSlot<MaltChannel> (object, SLOT_CHANNEL)
                                                 : NULL;
}

/* The channel that a value is, not a reference to it, or %NULL. */
MaltChannel *
malt_gjs_channel_peek (JS::HandleValue value)
{
  return value.isObject () ? get_channel (&value.toObject ()) : NULL;
}

/* A reference to the channel that is `this`, and its engine; %NULL with an exception. */
static MaltChannel *
ref_this (JSContext      *cx,
          JS::CallArgs   &args,
          MaltGjsEngine **engine)
{
  JSObject *object = args.thisv ().isObject () ? &args.thisv ().toObject () : nullptr;
  MaltChannel *channel = object != nullptr ? get_channel (object) : NULL;

  if (channel == NULL)
    {
      JS_ReportErrorASCII (cx, "this is no malt.Channel");
      return NULL;
    }

  *engine = JS::GetMaybePtrFromReservedSlot<MaltGjsEngine> (object, SLOT_ENGINE);
  return (MaltChannel *) g_object_ref (channel);
}

/* Arguments. */

/* Seconds, or nothing for no end. */
static bool
parse_timeout (JSContext       *cx,
               JS::HandleValue  value,
               int             *timeout_msec)
{
  double timeout;

  *timeout_msec = -1;
  if (value.isNullOrUndefined ())
    return true;
  if (!JS::ToNumber (cx, value, &timeout))
    return false;
  if (!(timeout >= 0))
    {
      JS_ReportErrorASCII (cx, "a timeout is a number of seconds from 0 on");
      return false;
    }

  *timeout_msec = (int) ceil (MIN (timeout, 1e6) * 1000);
  return true;
}

/* A value that is to be put; %NULL with an exception. */
static GVariant *
convert_item (MaltGjsEngine   *engine,
              JS::HandleValue  item)
{
  g_autoptr (GError) error = NULL;
  GVariant *value = malt_gjs_to_variant (engine->cx, item, FALSE, &error);

  if (value == NULL && error != NULL)
    malt_gjs_throw (engine, MALT_GJS_BY_LIBRARY, error);
  return value != NULL ? g_variant_take_ref (value) : NULL;
}

/* Blocking. */

/* Calls what blocks, with a cancellable, and gives whether it did; else its error is thrown.
 * FALSE with an exception, also of an interrupt. */
template <typename F>
static bool
block (MaltGjsEngine *engine,
       F              function)
{
  g_autoptr (GError) error = NULL;
  gboolean is_done = FALSE;

  if (!malt_gjs_wait (engine, [&] (GCancellable *cancellable) { is_done = function (cancellable, &error); }))
    return false;
  if (!is_done)
    malt_gjs_throw (engine, MALT_GJS_BY_LIBRARY, error);
  return is_done;
}

static bool
channel_take_sync (JSContext *cx,
                   unsigned   argc,
                   JS::Value *vp)
{
  JS::CallArgs args = JS::CallArgsFromVp (argc, vp);
  MaltGjsEngine *engine;
  g_autoptr (MaltChannel) self = ref_this (cx, args, &engine);
  g_autoptr (GVariant) value = NULL;
  int timeout_msec;

  return self != NULL && parse_timeout (cx, args.get (0), &timeout_msec) &&
         block (engine, [&] (GCancellable *cancellable, GError **error) {
           value = malt_channel_take (self, timeout_msec, cancellable, error);
           return value != NULL;
         }) &&
         malt_gjs_from_variant (cx, value, args.rval ());
}

static bool
channel_wait_sync (JSContext *cx,
                   unsigned   argc,
                   JS::Value *vp)
{
  JS::CallArgs args = JS::CallArgsFromVp (argc, vp);
  MaltGjsEngine *engine;
  g_autoptr (MaltChannel) self = ref_this (cx, args, &engine);
  int timeout_msec;

  args.rval ().setUndefined ();
  return self != NULL && parse_timeout (cx, args.get (0), &timeout_msec) &&
         block (engine, [&] (GCancellable *cancellable, GError **error) {
           return malt_channel_wait (self, timeout_msec, cancellable, error);
         });
}

static bool
channel_put_sync (JSContext *cx,
                  unsigned   argc,
                  JS::Value *vp)
{
  JS::CallArgs args = JS::CallArgsFromVp (argc, vp);
  MaltGjsEngine *engine;
  g_autoptr (MaltChannel) self = ref_this (cx, args, &engine);
  g_autoptr (GVariant) value = NULL;
  int timeout_msec;

  args.rval ().setUndefined ();
  return self != NULL && parse_timeout (cx, args.get (1), &timeout_msec) &&
         (value = convert_item (engine, args.get (0))) != NULL &&
         block (engine, [&] (GCancellable *cancellable, GError **error) {
           return malt_channel_put (self, value, timeout_msec, cancellable, error);
         });
}

/* By promises. */

static void
take_cb (GObject      *source,
         GAsyncResult *result,
         gpointer      user_data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) value = malt_channel_take_finish (MALT_CHANNEL (source), result, &error);

  malt_gjs_promise_settle ((MaltGjsPromise *) user_data, value, MALT_GJS_BY_LIBRARY, error);
}

static void
put_cb (GObject      *source,
        GAsyncResult *result,
        gpointer      user_data)
{
  g_autoptr (GError) error = NULL;

  malt_channel_put_finish (MALT_CHANNEL (source), result, &error);
  malt_gjs_promise_settle ((MaltGjsPromise *) user_data, NULL, MALT_GJS_BY_LIBRARY, error);
}

static void
wait_cb (GObject      *source,
         GAsyncResult *result,
         gpointer      user_data)
{
  g_autoptr (GError) error = NULL;

  malt_channel_wait_finish (MALT_CHANNEL (source), result, &error);
  malt_gjs_promise_settle ((MaltGjsPromise *) user_data, NULL, MALT_GJS_BY_LIBRARY, error);
}

/* A promise of what is begun with the channel. */
static bool
begin (JSContext            *cx,
       unsigned              argc,
       JS::Value            *vp,
       void               (* start) (MaltChannel *, GCancellable *, GAsyncReadyCallback, gpointer),
       GAsyncReadyCallback   callback)
{
  JS::CallArgs args = JS::CallArgsFromVp (argc, vp);
  g_autoptr (GCancellable) cancellable = NULL;
  MaltGjsEngine *engine;
  g_autoptr (MaltChannel) self = ref_this (cx, args, &engine);
  MaltGjsPromise *promise = self != NULL ? malt_gjs_promise_new (engine, args.rval ()) : NULL;

  if (promise == NULL)
    return false;

  cancellable = malt_gjs_malt_ref_cancellable (engine);
  start (self, cancellable, callback, promise);
  return true;
}

static bool
channel_take (JSContext *cx,
              unsigned   argc,
              JS::Value *vp)
{
  return begin (cx, argc, vp, malt_channel_take_async, take_cb);
}

static bool
channel_wait (JSContext *cx,
              unsigned   argc,
              JS::Value *vp)
{
  return begin (cx, argc, vp, malt_channel_wait_async, wait_cb);
}

static bool
channel_put (JSContext *cx,
             unsigned   argc,
             JS::Value *vp)
{
  JS::CallArgs args = JS::CallArgsFromVp (argc, vp);
  g_autoptr (GCancellable) cancellable = NULL;
  MaltGjsEngine *engine;
  g_autoptr (MaltChannel) self = ref_this (cx, args, &engine);
  g_autoptr (GVariant) value = self != NULL ? convert_item (engine, args.get (0)) : NULL;
  MaltGjsPromise *promise = value != NULL ? malt_gjs_promise_new (engine, args.rval ()) : NULL;

  if (promise == NULL)
    return false;

  cancellable = malt_gjs_malt_ref_cancellable (engine);
  malt_channel_put_async (self, value, cancellable, put_cb, promise);
  return true;
}

/* The rest. */

static bool
channel_is_ready (JSContext *cx,
                  unsigned   argc,
                  JS::Value *vp)
{
  JS::CallArgs args = JS::CallArgsFromVp (argc, vp);
  MaltGjsEngine *engine;
  g_autoptr (MaltChannel) self = ref_this (cx, args, &engine);

  if (self != NULL)
    args.rval ().setBoolean (malt_channel_is_ready (self));
  return self != NULL;
}

static bool
channel_close (JSContext *cx,
               unsigned   argc,
               JS::Value *vp)
{
  JS::CallArgs args = JS::CallArgsFromVp (argc, vp);
  MaltGjsEngine *engine;
  g_autoptr (MaltChannel) self = ref_this (cx, args, &engine);

  if (self != NULL)
    malt_channel_close (self);
  args.rval ().setUndefined ();
  return self != NULL;
}

static bool
channel_get_closed (JSContext *cx,
                    unsigned   argc,
                    JS::Value *vp)
{
  JS::CallArgs args = JS::CallArgsFromVp (argc, vp);
  MaltGjsEngine *engine;
  g_autoptr (MaltChannel) self = ref_this (cx, args, &engine);

  if (self != NULL)
    args.rval ().setBoolean (malt_channel_is_closed (self));
  return self != NULL;
}

static bool
channel_get_capacity (JSContext *cx,
                      unsigned   argc,
                      JS::Value *vp)
{
  JS::CallArgs args = JS::CallArgsFromVp (argc, vp);
  MaltGjsEngine *engine;
  g_autoptr (MaltChannel) self = ref_this (cx, args, &engine);

  if (self != NULL)
    args.rval ().setNumber (malt_channel_get_capacity (self));
  return self != NULL;
}

static bool
channel_construct (JSContext *cx,
                   unsigned   argc,
                   JS::Value *vp)
{
  JS::CallArgs args = JS::CallArgsFromVp (argc, vp);
  gpointer engine = js::GetFunctionNativeReserved (&args.callee (), 0).toPrivate ();
  JSObject *object;
  double capacity;

  if (!args.isConstructing ())
    {
      JS_ReportErrorASCII (cx, "malt.Channel is a class: new malt.Channel(capacity)");
      return false;
    }
  if (!JS::ToNumber (cx, args.get (0), &capacity))
    return false;
  if (!(capacity >= 1 && capacity <= G_MAXINT32) || capacity != trunc (capacity))
    {
      JS_ReportErrorASCII (cx, "the capacity of a channel is 1 to %d, not %g", G_MAXINT32, capacity);
      return false;
    }

  object = JS_NewObjectForConstructor (cx, &channel_class, args);
  if (object == nullptr)
    return false;

  JS::SetReservedSlot (object, SLOT_ENGINE, JS::PrivateValue (engine));
  JS::SetReservedSlot (object, SLOT_CHANNEL, JS::PrivateValue (malt_channel_new ((guint) capacity)));
  args.rval ().setObject (*object);
  return true;
}

static const JSFunctionSpec channel_functions[] = {
  JS_FN ("take", channel_take, 0, 0),
  JS_FN ("wait", channel_wait, 0, 0),
  JS_FN ("put", channel_put, 1, 0),
  JS_FN ("takeSync", channel_take_sync, 0, 0),
  JS_FN ("waitSync", channel_wait_sync, 0, 0),
  JS_FN ("putSync", channel_put_sync, 1, 0),
  JS_FN ("isReady", channel_is_ready, 0, 0),
  JS_FN ("close", channel_close, 0, 0),
  JS_FS_END
};

static const JSPropertySpec channel_properties[] = {
  JS_PSG ("capacity", channel_get_capacity, 0),
  JS_PSG ("closed", channel_get_closed, 0),
  JS_STRING_SYM_PS (toStringTag, "Channel", JSPROP_READONLY),
  JS_PS_END
};

/* Defines the class as a property.  FALSE with an exception. */
bool
malt_gjs_channel_define (MaltGjsEngine    *engine,
                         JS::HandleObject  natives)
{
  JSContext *cx = engine->cx;
  JSFunction *function = js::NewFunctionWithReserved (cx, channel_construct, 1, JSFUN_CONSTRUCTOR, "Channel");
  JS::RootedObject constructor (cx, function != nullptr ? JS_GetFunctionObject (function) : nullptr);
  JS::RootedObject prototype (cx, JS_NewPlainObject (cx));

  if (!constructor || !prototype)
    return false;

  js::SetFunctionNativeReserved (constructor, 0, JS::PrivateValue (engine));
  return JS_LinkConstructorAndPrototype (cx, constructor, prototype) &&
         JS_DefineFunctions (cx, prototype, channel_functions) &&
         JS_DefineProperties (cx, prototype, channel_properties) &&
         JS_DefineProperty (cx, natives, "Channel", constructor, JSPROP_ENUMERATE);
}
