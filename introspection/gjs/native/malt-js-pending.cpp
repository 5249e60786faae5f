/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-js-binding.h"

#include <js/CallAndConstruct.h>
#include <js/Exception.h>
#include <js/Promise.h>
#include <js/SavedFrameAPI.h>
#include <js/Stack.h>

#include "malt-gjs-from-variant.h"
#include "malt-gjs-text.h"

/* Promises of what goes on in a worker.  They are settled in the main context in which that
 * was begun, and what waits for them goes on at once: GJS itself would do that in the next
 * turn of the main loop. */

/* An Error of JavaScript for an error, which it takes: the other half makes it, and is told
 * where the promise was made, and whose it is. */
static bool
make_error (JSContext              *cx,
            JS::HandleObject        promise,
            JS::HandleValue         handle,
            GError                 *error,
            JS::MutableHandleValue  result)
{
  JS::RootedObject hooks (cx, malt_js_get_hooks ());
  JS::RootedObject site (cx, promise != nullptr ? JS::GetPromiseAllocationSite (promise) : nullptr);
  JS::RootedString stack (cx);
  JS::RootedValueArray<2> arguments (cx);

  g_clear_error (&malt_js_exchange.error);
  malt_js_exchange.error = error;

  if (site && !JS::BuildStackString (cx, nullptr, site, &stack))
    return false;
  if (stack)
    arguments[0].setString (stack);
  arguments[1].set (handle);

  return JS::Call (cx, hooks, "makeError", arguments, result);
}

/* Has the error thrown, which it takes. */
static bool
throw_error (JSContext        *cx,
             JS::HandleObject  promise,
             JS::HandleValue   handle,
             GError           *error)
{
  JS::RootedValue exception (cx);

  if (make_error (cx, promise, handle, error, &exception))
    JS_SetPendingException (cx, exception);
  return false;
}

/* The same of an error that is no promise's. */
bool
malt_js_make_error (JSContext              *cx,
                    GError                 *error,
                    JS::MutableHandleValue  result)
{
  return make_error (cx, nullptr, JS::UndefinedHandleValue, error, result);
}

/* Has an error thrown, which it takes; returns false. */
bool
malt_js_throw (JSContext *cx,
               GError    *error)
{
  return throw_error (cx, nullptr, JS::UndefinedHandleValue, error);
}

/* What has come of it, as a value of JavaScript. */
static bool
convert_result (JSContext              *cx,
                MaltJsPending          *self,
                GVariant               *value,
                JS::MutableHandleValue  result)
{
  JS::RootedObject hooks (cx, malt_js_get_hooks ());

  if (value != nullptr)
    return malt_gjs_from_variant (cx, value, result);

  if (self->object != nullptr)
    {
      g_clear_object (&malt_js_exchange.object);
      malt_js_exchange.object = g_steal_pointer (&self->object);
      return JS::Call (cx, hooks, "takeObject", JS::HandleValueArray::empty (), result);
    }

  if (self->number >= 0)
    result.setInt32 (self->number);
  else
    result.setUndefined ();
  return true;
}

static bool
resolve (JSContext        *cx,
         MaltJsPending    *self,
         JS::HandleObject  promise,
         GVariant         *value)
{
  JS::RootedValue result (cx);

  return convert_result (cx, self, value, &result) && JS::ResolvePromise (cx, promise, result);
}

/* Rejects the promise for what is pending; false if nothing can catch that. */
static bool
reject (JSContext        *cx,
        JS::HandleObject  promise)
{
  JS::RootedValue reason (cx);

  if (!JS_GetPendingException (cx, &reason))
    return false;

  JS_ClearPendingException (cx);
  return JS::RejectPromise (cx, promise, reason);
}

/* GAsyncReadyCallback */
void
malt_js_pending_done (GObject      *source,
                      GAsyncResult *result,
                      gpointer      user_data)
{
  MaltJsPending *self = static_cast<MaltJsPending *> (user_data);
  JSContext *cx = malt_js_get_context ();
  GError *error = nullptr;
  g_autoptr (GVariant) value = self->finish (self, source, result, &error);

  if (cx == nullptr)
    {
      g_clear_error (&error);
      g_clear_object (&self->object);
      delete self;
      return;
    }

  JS::RootedObject promise (cx, self->promise);
  JS::RootedValue handle (cx, self->handle);
  JSAutoRealm realm (cx, promise);

  if (error != nullptr ? !throw_error (cx, promise, handle, error) : !resolve (cx, self, promise, value))
    reject (cx, promise);
  delete self;
  malt_js_run_jobs (cx);
}

/* Returns a promise, to JavaScript, of what is begun by the function. */
bool
malt_js_begin (JSContext   *cx,
               unsigned     argc,
               JS::Value   *vp,
               MaltJsBegin  function)
{
  JS::CallArgs args = JS::CallArgsFromVp (argc, vp);
  g_autoptr (GObject) object = malt_js_handle_ref (cx, args.get (0));
  JS::RootedObject promise (cx);
  MaltJsPending *pending;

  if (object == nullptr)
    return false;
  promise = JS::NewPromiseObject (cx, nullptr);
  if (!promise)
    return false;

  pending = new MaltJsPending (cx);
  pending->promise = promise;
  pending->handle = args[0];
  if (!function (cx, object, args, pending))
    {
      delete pending;
      if (!reject (cx, promise))
        return false;
    }

  args.rval ().setObject (*promise);
  return true;
}
