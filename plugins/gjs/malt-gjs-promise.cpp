/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-gjs-promise.h"

#include <js/Exception.h>
#include <js/Promise.h>
#include <js/PropertyAndElement.h>

#include "malt-gjs-engine.h"
#include "malt-gjs-from-variant.h"
#include "malt-gjs-text.h"

/* What the library answers to code: values, and errors as exceptions. */

struct _MaltGjsPromise
{
  MaltGjsEngine            *engine;
  JS::PersistentRootedObject promise;
};

/* A promise, and the hold of it; %NULL with an exception. */
MaltGjsPromise *
malt_gjs_promise_new (MaltGjsEngine          *engine,
                      JS::MutableHandleValue  promise)
{
  JS::RootedObject object (engine->cx, JS::NewPromiseObject (engine->cx, nullptr));
  MaltGjsPromise *self;

  if (!object)
    return NULL;

  self = new MaltGjsPromise ();
  self->engine = engine;
  self->promise.init (engine->cx, object);
  promise.setObject (*object);
  return self;
}

static bool
set_property (JSContext        *cx,
              JS::HandleObject  object,
              const char       *name,
              const char       *text)
{
  JSString *string = text != NULL ? malt_gjs_text_new (cx, text, -1) : nullptr;
  JS::RootedValue value (cx, string != nullptr ? JS::StringValue (string) : JS::NullValue ());

  return JS_DefineProperty (cx, object, name, value, JSPROP_ENUMERATE);
}

/* What is to be thrown for an error of the library's; glue.js knows the classes. */
static bool
new_exception (MaltGjsEngine          *engine,
               MaltGjsBy               by,
               const GError           *error,
               JS::MutableHandleValue  exception)
{
  JSContext *cx = engine->cx;
  g_autofree char *type = malt_remote_error_dup_type (error);
  g_autofree char *message = malt_remote_error_dup_message (error);
  g_autofree char *traceback = malt_remote_error_dup_traceback (error);
  JS::RootedObject parts (cx, JS_NewPlainObject (cx));
  JS::RootedValueArray<1> args (cx);

  if (!parts || !set_property (cx, parts, "domain", g_quark_to_string (error->domain)) ||
      !set_property (cx, parts, "type", type) ||
      !set_property (cx, parts, "message", message != NULL ? message : error->message) ||
      !set_property (cx, parts, "traceback", traceback) ||
      !JS_DefineProperty (cx, parts, "code", error->code, JSPROP_ENUMERATE))
    return false;

  args[0].setObject (*parts);
  return malt_gjs_engine_glue (engine, by == MALT_GJS_BY_HOST ? "hostException" : "exception", args, exception);
}

/* Throws an error of the library's. */
void
malt_gjs_throw (MaltGjsEngine *engine,
                MaltGjsBy      by,
                const GError  *error)
{
  JS::RootedValue exception (engine->cx);

  if (new_exception (engine, by, error, &exception))
    JS_SetPendingException (engine->cx, exception);
}

/* Ends the promise: with what is to be thrown for the error, or the value, which may be
 * %NULL for none.  On the engine's thread; takes @self. */
void
malt_gjs_promise_settle (MaltGjsPromise *self,
                         GVariant       *value,
                         MaltGjsBy       by,
                         const GError   *error)
{
  JSContext *cx = self->engine->cx;
  JSAutoRealm realm (cx, self->engine->global);
  JS::RootedValue result (cx);
  bool is_made;

  if (error != NULL)
    is_made = new_exception (self->engine, by, error, &result);
  else
    is_made = value == NULL || malt_gjs_from_variant (cx, value, &result);

  /* Whoever awaits it is told in any case. */
  if (!is_made && JS_GetPendingException (cx, &result))
    JS_ClearPendingException (cx);
  if (is_made && error == NULL)
    JS::ResolvePromise (cx, self->promise, result);
  else
    JS::RejectPromise (cx, self->promise, result);

  JS_ClearPendingException (cx);
  delete self;
}
