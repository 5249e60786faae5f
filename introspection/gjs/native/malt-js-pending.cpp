/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-js-binding.h"

#include <js/CallAndConstruct.h>
#include <js/ContextOptions.h>
#include <js/ErrorReport.h>
#include <js/Exception.h>
#include <js/Promise.h>
#include <js/SavedFrameAPI.h>
#include <js/Stack.h>

#include "malt-gjs-compat.h"
#include "malt-gjs-from-variant.h"
#include "malt-gjs-text.h"

/* Promises of what goes on in a worker.  They are settled in the main context in which that
 * was begun, and what waits for them goes on at once: GJS itself would do that in the next
 * turn of the main loop. */

/* While there is one, promises do not remember where they were made and settled.  To look for that
 * takes as long as a call. */
class MaltJsForgetful
{
public:
  explicit MaltJsForgetful (JSContext *context)
    : cx (context), was_set (JS::ContextOptionsRef (cx).asyncStack ())
  {
    JS::ContextOptionsRef (cx).setAsyncStack (false);
  }

  ~MaltJsForgetful ()
  {
    JS::ContextOptionsRef (cx).setAsyncStack (was_set);
  }

private:
  JSContext *cx;
  bool       was_set;
};

/* Where it was begun, as in the stack of an Error; nullptr if nobody knows. */
static bool
describe_place (JSContext               *cx,
                MaltJsPending           *self,
                JS::MutableHandleString  place)
{
  JS::RootedObject promise (cx, self->promise);
  JS::RootedObject site (cx, JS::GetPromiseAllocationSite (promise));

  if (self->place)
    {
      place.set (self->place);
      return true;
    }

  if (site)
    return JS::BuildStackString (cx, nullptr, site, place);

  if (self->file != nullptr)
    {
      g_autofree char *text = g_strdup_printf ("@%s:%u\n", self->file, self->line);

      place.set (malt_gjs_text_new (cx, text, -1));
      return place != nullptr;
    }

  place.set (nullptr);
  return true;
}

/* An Error of JavaScript for an error, which it takes: the other half makes it, and is told
 * where what has failed was begun, and whose it is. */
static bool
make_error (JSContext              *cx,
            JS::HandleString        place,
            JS::HandleValue         handle,
            GError                 *error,
            JS::MutableHandleValue  result)
{
  JS::RootedObject hooks (cx, malt_js_get_hooks ());
  JS::RootedValueArray<2> arguments (cx);

  g_clear_error (&malt_js_exchange.error);
  malt_js_exchange.error = error;

  if (place)
    arguments[0].setString (place);
  arguments[1].set (handle);

  return JS::Call (cx, hooks, "makeError", arguments, result);
}

/* Has an error thrown, which it takes; returns false. */
bool
malt_js_throw (JSContext *cx,
               GError    *error)
{
  JS::RootedValue exception (cx);

  if (make_error (cx, nullptr, JS::UndefinedHandleValue, error, &exception))
    JS_SetPendingException (cx, exception);
  return false;
}

/* JSErrorCallback */
static const JSErrorFormatString *
get_type_error (void     *data,
                unsigned  number)
{
  static const JSErrorFormatString format = { "MALT_TYPE_ERROR", "{0}", 1, JSEXN_TYPEERR };

  return &format;
}

/* Has a TypeError thrown; returns false. */
bool
malt_js_throw_type_error (JSContext  *cx,
                          const char *format,
                          ...)
{
  va_list arguments;
  g_autofree char *message = nullptr;

  va_start (arguments, format);
  message = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  JS_ReportErrorNumberUTF8 (cx, get_type_error, nullptr, 0, message);
  return false;
}

/* What has come of it, as a value of JavaScript. */
static bool
convert_result (JSContext              *cx,
                MaltJsPending          *self,
                GVariant               *value,
                JS::MutableHandleValue  result)
{
  JS::RootedObject hooks (cx, malt_js_get_hooks ());

  if (value != nullptr && self->keeps_variant)
    {
      malt_js_give_variant (value);
      return JS::Call (cx, hooks, "takeVariant", JS::HandleValueArray::empty (), result);
    }

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

  if (!convert_result (cx, self, value, &result))
    return false;

  MaltJsForgetful forgetful (cx);
  return JS::ResolvePromise (cx, promise, result);
}

/* Rejects the promise for what is pending; false if nothing can catch that. */
static bool
reject_pending (JSContext        *cx,
                JS::HandleObject  promise)
{
  JS::RootedValue reason (cx);

  if (!JS_GetPendingException (cx, &reason))
    return false;

  JS_ClearPendingException (cx);
  return JS::RejectPromise (cx, promise, reason);
}

/* Rejects the promise for an error, which it takes; false with an exception pending. */
static bool
reject (JSContext        *cx,
        MaltJsPending    *self,
        JS::HandleObject  promise,
        GError           *error)
{
  JS::RootedValue handle (cx, self->handle), reason (cx);
  JS::RootedString place (cx);

  if (!describe_place (cx, self, &place))
    {
      g_error_free (error);
      return false;
    }

  return make_error (cx, place, handle, error, &reason) && JS::RejectPromise (cx, promise, reason);
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

  if (cx == nullptr || self->promise == nullptr)
    {
      g_clear_error (&error);
      delete self;
      return;
    }

  JS::RootedObject promise (cx, self->promise);
  JSAutoRealm realm (cx, promise);
  MaltJsJobs jobs (cx);

  if (error != nullptr ? !reject (cx, self, promise, error) : !resolve (cx, self, promise, value))
    reject_pending (cx, promise);
  delete self;
}

static JSObject *
new_promise (JSContext *cx,
             bool       is_forgetful)
{
  if (!is_forgetful)
    return JS::NewPromiseObject (cx, nullptr);

  MaltJsForgetful forgetful (cx);
  return JS::NewPromiseObject (cx, nullptr);
}

/* Begins, and gives a promise of it to JavaScript.  It is what the worker waits for that comes first:
 * the rest is done meanwhile. */
static bool
begin (JSContext           *cx,
       JS::HandleValue      handle,
       const JS::CallArgs  &args,
       MaltJsBegin          function,
       bool                 is_forgetful)
{
  g_autoptr (GObject) object = malt_js_handle_ref (cx, handle);
  JS::RootedObject promise (cx);
  JS::RootedValue reason (cx);
  MaltJsPending *pending;

  if (object == nullptr)
    return false;

  pending = new MaltJsPending (cx);
  pending->handle = handle;
  if (!function (cx, object, args, pending))
    {
      delete pending;
      pending = nullptr;
      if (!JS_GetPendingException (cx, &reason))
        return false;
      JS_ClearPendingException (cx);
    }

  promise = new_promise (cx, is_forgetful || (pending != nullptr && pending->place));
  if (!promise)
    return false;

  if (pending == nullptr)
    {
      if (!JS::RejectPromise (cx, promise, reason))
        return false;
    }
  else
    {
      pending->promise = promise;
      if (is_forgetful)
        pending->file = malt_gjs_dup_caller (cx, &pending->line);
    }

  args.rval ().setObject (*promise);
  return true;
}

/* Returns a promise, to JavaScript, of what is begun by the function. */
bool
malt_js_begin (JSContext   *cx,
               unsigned     argc,
               JS::Value   *vp,
               MaltJsBegin  function)
{
  JS::CallArgs args = JS::CallArgsFromVp (argc, vp);

  return begin (cx, args.get (0), args, function, false);
}

/* The same for a method of the object, which the program itself has called.  Of the stack there is
 * only the line of that, unless the program wants it whole. */
bool
malt_js_begin_method (JSContext           *cx,
                      const JS::CallArgs  &args,
                      MaltJsBegin          function)
{
  JS::RootedValue handle (cx);

  return malt_js_get_handle (cx, args.thisv (), &handle) &&
         begin (cx, handle, args, function, !malt_js_has_whole_stacks ());
}
