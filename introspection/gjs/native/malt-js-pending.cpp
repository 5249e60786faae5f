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

/* nullptr with an exception pending. */
MaltJsPending *
malt_js_pending_new (JSContext              *cx,
                     JS::HandleValue         handle,
                     JS::MutableHandleValue  promise)
{
  JSObject *object = JS::NewPromiseObject (cx, nullptr);
  MaltJsPending *self;

  if (object == nullptr)
    return nullptr;

  self = new MaltJsPending (cx);
  self->promise = object;
  self->handle = handle;
  promise.setObject (*object);
  return self;
}

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

/* Has an error thrown, which it takes; returns false. */
bool
malt_js_throw (JSContext *cx,
               GError    *error)
{
  return throw_error (cx, nullptr, JS::UndefinedHandleValue, error);
}

static bool
resolve (JSContext        *cx,
         JS::HandleObject  promise,
         GVariant         *value)
{
  JS::RootedValue result (cx);

  return (value == nullptr || malt_gjs_from_variant (cx, value, &result)) &&
         JS::ResolvePromise (cx, promise, result);
}

/* Rejects the promise for what is pending. */
static void
reject_pending (JSContext        *cx,
                JS::HandleObject  promise)
{
  JS::RootedValue reason (cx);

  /* What cannot be caught is no reason: the program ends. */
  if (!JS_GetPendingException (cx, &reason))
    return;

  JS_ClearPendingException (cx);
  if (!JS::RejectPromise (cx, promise, reason))
    JS_ClearPendingException (cx);
}

/* What was to begin did not, for the exception that is pending; false if it cannot be the
 * promise's. */
bool
malt_js_pending_abort (JSContext     *cx,
                       MaltJsPending *self)
{
  JS::RootedObject promise (cx, self->promise);
  bool can_be_caught = JS_IsExceptionPending (cx);

  delete self;
  if (can_be_caught)
    reject_pending (cx, promise);
  return can_be_caught;
}

/* GAsyncReadyCallback */
void
malt_js_pending_done (GObject      *object,
                      GAsyncResult *result,
                      gpointer      user_data)
{
  MaltJsPending *self = static_cast<MaltJsPending *> (user_data);
  JSContext *cx = malt_js_get_context ();
  GError *error = nullptr;
  g_autoptr (GVariant) value = self->finish (object, result, &error);

  if (cx == nullptr)
    {
      g_clear_error (&error);
      delete self;
      return;
    }

  JS::RootedObject promise (cx, self->promise);
  JS::RootedValue handle (cx, self->handle);
  JSAutoRealm realm (cx, promise);

  delete self;
  if (error != nullptr ? !throw_error (cx, promise, handle, error) : !resolve (cx, promise, value))
    reject_pending (cx, promise);
  js::RunJobs (cx);
}
