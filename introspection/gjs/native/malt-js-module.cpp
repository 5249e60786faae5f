/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-js-binding.h"

#include <gjs/gjs.h>

#include <js/CallAndConstruct.h>
#include <js/Class.h>
#include <js/GCAPI.h>
#include <js/HeapAPI.h>
#include <js/Object.h>
#include <js/PropertyAndElement.h>
#include <js/PropertySpec.h>

#include "malt-gjs-compat.h"
#include "malt-gjs-from-variant.h"
#include "malt-gjs-text.h"
#include "malt-gjs-to-variant.h"

/* What JavaScript sees of the binding's C++: an object with functions, which the global object
 * has under this name until the other half takes it away. */
#define NAME "__maltNative"

/* Owned by the thread that runs JavaScript.  There is one context in a program. */
static struct
{
  JSContext                  *cx;
  GThread                    *thread;
  JS::PersistentRootedObject *hooks;   /* the functions of the other half that are called here */
  JS::PersistentRootedObject *handles; /* its WeakMap: object → handle */
  bool                        has_whole_stacks;

  /* The object that was asked for last and its handle, which lives as long; or nullptr.  Dropped
   * when the collector may free or move them. */
  JSObject                   *last_object;
  JSObject                   *last_handle;
} state;

JSContext *
malt_js_get_context (void)
{
  return state.cx;
}

/* Whether it is the thread that runs JavaScript.  On any thread. */
bool
malt_js_is_thread (void)
{
  return state.thread == g_thread_self ();
}

JSObject *
malt_js_get_hooks (void)
{
  return *state.hooks;
}

/* Goes on with a function of the other half, which is called in place of one of these. */
bool
malt_js_call_hook (JSContext           *cx,
                   const JS::CallArgs  &args,
                   const char          *name)
{
  JS::RootedObject hooks (cx, *state.hooks);
  JS::RootedValue function (cx);

  return JS_GetProperty (cx, hooks, name, &function) && JS::Call (cx, args.thisv (), function, args, args.rval ());
}

/* Whether the program wants to know all of where each call was made. */
bool
malt_js_has_whole_stacks (void)
{
  return state.has_whole_stacks;
}

/* The functions' object goes with its context. */
static void
native_finalize (JS::GCContext *gc,
                 JSObject      *object)
{
  delete state.hooks;
  delete state.handles;
  malt_js_close_jobs ();
  state.hooks = nullptr;
  state.handles = nullptr;
  state.cx = nullptr;
}

static const JSClassOps native_class_ops = {
  .finalize = native_finalize,
};

static const JSClass native_class = {
  "MaltNative",
  JSCLASS_FOREGROUND_FINALIZE,
  &native_class_ops,
};

/* Handles */

static void
handle_finalize (JS::GCContext *gc,
                 JSObject      *object)
{
  auto self = JS::GetMaybePtrFromReservedSlot<MaltJsHandle> (object, 0);

  if (self == nullptr)
    return;

  g_weak_ref_clear (&self->object);
  delete self;
}

static const JSClassOps handle_class_ops = {
  .finalize = handle_finalize,
};

static const JSClass handle_class = {
  "MaltHandle",
  JSCLASS_HAS_RESERVED_SLOTS (1) | JSCLASS_FOREGROUND_FINALIZE,
  &handle_class_ops,
};

/* The object behind a handle, which is there as long as its wrapper is. */
GObject *
malt_js_handle_ref (JSContext       *cx,
                    JS::HandleValue  value)
{
  GObject *object = nullptr;

  if (value.isObject () && JS::GetClass (&value.toObject ()) == &handle_class)
    {
      auto self = JS::GetMaybePtrFromReservedSlot<MaltJsHandle> (&value.toObject (), 0);

      object = static_cast<GObject *> (g_weak_ref_get (&self->object));
    }
  if (object == nullptr)
    JS_ReportErrorUTF8 (cx, "the object is gone");

  return object;
}

/* Whether a collection that moves what is new leaves it where it is. */
static bool
is_settled (JSObject *object)
{
  return !js::gc::IsInsideNursery (reinterpret_cast<js::gc::Cell *> (object));
}

/* JSWeakPointerZonesCallback */
static void
forget_last (JSTracer *tracer,
             void     *data)
{
  state.last_object = state.last_handle = nullptr;
}

/* The handle of an object of GJS, which the other half keeps and makes. */
bool
malt_js_get_handle (JSContext              *cx,
                    JS::HandleValue         object,
                    JS::MutableHandleValue  handle)
{
  if (object.isObject () && state.last_object == &object.toObject ())
    {
      JS::ExposeObjectToActiveJS (state.last_handle);
      handle.setObject (*state.last_handle);
      return true;
    }

  JS::RootedObject handles (cx, *state.handles), hooks (cx, *state.hooks);

  handle.setUndefined ();
  if (object.isObject () && !malt_gjs_get_weak_map_entry (cx, handles, object, handle))
    return false;
  if (handle.isUndefined ())
    return JS::Call (cx, hooks, "handleOf", JS::HandleValueArray (object), handle);

  if (handle.isObject () && is_settled (&object.toObject ()) && is_settled (&handle.toObject ()))
    {
      state.last_object = &object.toObject ();
      state.last_handle = &handle.toObject ();
    }
  return true;
}

/* False with an exception pending if it is none of that type, so that no method is of use to it. */
bool
malt_js_check_type (JSContext *cx,
                    GObject   *object,
                    GType      type)
{
  return g_type_is_a (G_OBJECT_TYPE (object), type) ||
         malt_js_throw_type_error (cx, "this is no %s but a %s", g_type_name (type), G_OBJECT_TYPE_NAME (object));
}

/* handle(): of the object that was given. */
static bool
new_handle (JSContext *cx,
            unsigned   argc,
            JS::Value *vp)
{
  JS::CallArgs args = JS::CallArgsFromVp (argc, vp);
  g_autoptr (GObject) object = static_cast<GObject *> (g_steal_pointer (&malt_js_exchange.object));
  JSObject *handle;
  MaltJsHandle *self;

  if (object == nullptr)
    {
      JS_ReportErrorUTF8 (cx, "no object was given");
      return false;
    }
  handle = JS_NewObject (cx, &handle_class);
  if (handle == nullptr)
    return false;

  self = new MaltJsHandle;
  g_weak_ref_init (&self->object, object);
  JS::SetReservedSlot (handle, 0, JS::PrivateValue (self));
  args.rval ().setObject (*handle);
  return true;
}

/* Values */

/* toVariant(value): the variant is there to be taken. */
static bool
to_variant (JSContext *cx,
            unsigned   argc,
            JS::Value *vp)
{
  JS::CallArgs args = JS::CallArgsFromVp (argc, vp);
  GError *error = nullptr;
  GVariant *value = malt_gjs_to_variant (cx, args.get (0), FALSE, &error);

  if (value == nullptr)
    return error != nullptr && malt_js_throw (cx, error);

  malt_js_give_variant (value);
  args.rval ().setUndefined ();
  return true;
}

/* fromVariant(): of the variant that was given. */
static bool
from_variant (JSContext *cx,
              unsigned   argc,
              JS::Value *vp)
{
  JS::CallArgs args = JS::CallArgsFromVp (argc, vp);
  g_autoptr (GVariant) value = g_steal_pointer (&malt_js_exchange.variant);

  args.rval ().setUndefined ();
  return value == nullptr || malt_gjs_from_variant (cx, value, args.rval ());
}

/* setHooks({makeError(stack, handle), takeObject(), takeVariant(), answer(name), log(error), handleOf(object),
 * callWorker(function, …arguments)}, the map of handles) */
static bool
set_hooks (JSContext *cx,
           unsigned   argc,
           JS::Value *vp)
{
  JS::CallArgs args = JS::CallArgsFromVp (argc, vp);

  if (!args.get (0).isObject () || !args.get (1).isObject () || !JS::IsWeakMapObject (&args[1].toObject ()))
    {
      JS_ReportErrorUTF8 (cx, "the hooks are no object, or the handles no WeakMap");
      return false;
    }

  *state.hooks = &args[0].toObject ();
  *state.handles = &args[1].toObject ();
  args.rval ().setUndefined ();
  return true;
}

/* wholeStacks(whether they are wanted) */
static bool
whole_stacks (JSContext *cx,
              unsigned   argc,
              JS::Value *vp)
{
  JS::CallArgs args = JS::CallArgsFromVp (argc, vp);

  state.has_whole_stacks = args.get (0).isTrue ();
  args.rval ().setUndefined ();
  return true;
}

static const JSFunctionSpec functions[] = {
  JS_FN ("handle", new_handle, 0, 0),
  JS_FN ("call", malt_js_call, 10, 0),
  JS_FN ("callExported", malt_js_call_exported, 7, 0),
  JS_FN ("workerCall", malt_js_worker_call, 1, 0),
  JS_FN ("evaluate", malt_js_evaluate, 7, 0),
  JS_FN ("post", malt_js_post, 5, 0),
  JS_FN ("export", malt_js_export, 2, 0),
  JS_FN ("toVariant", to_variant, 1, 0),
  JS_FN ("toTuple", malt_js_to_tuple, 1, 0),
  JS_FN ("fromVariant", from_variant, 0, 0),
  JS_FN ("setHooks", set_hooks, 1, 0),
  JS_FN ("wholeStacks", whole_stacks, 1, 0),
  JS_FN ("watchCollector", malt_js_watch_collector, 0, 0),
  JS_FS_END
};

static bool
define (JSContext *cx)
{
  JS::RootedObject global (cx, JS::CurrentGlobalOrNull (cx));
  JS::RootedObject native (cx, global ? JS_NewObject (cx, &native_class) : nullptr);

  if (!native || !JS_DefineFunctions (cx, native, functions) ||
      !JS_DefineFunctions (cx, native, malt_js_lifecycle_functions) ||
      !JS_DefineProperty (cx, global, NAME, native, 0) ||
      !JS_AddWeakPointerZonesCallback (cx, forget_last, nullptr))
    return false;

  state.cx = cx;
  state.thread = g_thread_self ();
  state.hooks = new JS::PersistentRootedObject (cx, native);
  state.handles = new JS::PersistentRootedObject (cx, nullptr);
  malt_js_open_jobs (cx);
  return true;
}

/**
 * malt_js_open:
 * @error: return location for an error
 *
 * Defines the functions of the binding in the global object of GJS.
 *
 * Returns: %FALSE with @error set if this is not GJS, or another one than this was built for
 */
gboolean
malt_js_open (GError **error)
{
  GjsContext *context = gjs_context_get_current ();

  if (context == nullptr || state.cx != nullptr || !define (static_cast<JSContext *> (gjs_context_get_native_context (context))))
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_FAILED, "there is no JavaScript here that could be used");
      return FALSE;
    }

  return TRUE;
}
