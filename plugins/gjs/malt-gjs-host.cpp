/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-gjs-host.h"

#include <js/CallArgs.h>
#include <js/Conversions.h>

#include "malt-gjs-from-variant.h"
#include "malt-gjs-interrupt.h"
#include "malt-gjs-malt.h"
#include "malt-gjs-promise.h"
#include "malt-gjs-text.h"
#include "malt-gjs-to-variant.h"

/* What code asks of the program: await malt.host.NAME (…), or malt.hostSync.NAME (…), which
 * blocks.  Here the name is the first argument, and an object of keyword arguments, or
 * undefined, the second. */

/* What a call is made of; what is not the engine is owned. */
typedef struct
{
  MaltGjsEngine *engine;
  MaltRuntime   *runtime;   /* (owned) */
  char          *name;
  GVariant      *arguments;
  GVariant      *keywords;  /* or %NULL */
} Call;

static void
call_clear (Call *self)
{
  g_clear_object (&self->runtime);
  g_clear_pointer (&self->name, g_free);
  g_clear_pointer (&self->arguments, g_variant_unref);
  g_clear_pointer (&self->keywords, g_variant_unref);
}

/* FALSE with an exception. */
static bool
call_init (Call         *self,
           JSContext    *cx,
           JS::CallArgs &args)
{
  JS::RootedString name (cx, JS::ToString (cx, args.get (0)));
  JS::RootedValueVector values (cx);
  g_autoptr (MaltRequest) request = NULL;
  g_autoptr (GError) error = NULL;
  MaltGjs *gjs;
  GVariant *arguments, *keywords = NULL;
  unsigned i;

  *self = (Call) { malt_gjs_malt_get_engine (args), NULL, NULL, NULL, NULL };
  if (!name || (self->name = malt_gjs_text_escape (cx, name)) == NULL)
    return false;

  gjs = malt_gjs_malt_ref_current (self->engine, &request);
  if (gjs == NULL)
    {
      JS_ReportErrorASCII (cx, "it is not known which worker this code belongs to");
      return false;
    }
  self->runtime = (MaltRuntime *) g_object_ref (gjs->runtime);

  for (i = 2; i < args.length (); i++)
    if (!values.append (args[i]))
      {
        JS_ReportOutOfMemory (cx);
        return false;
      }

  arguments = malt_gjs_arguments_to_variant (cx, values, 0, &error);
  if (arguments != NULL)
    self->arguments = g_variant_take_ref (arguments);
  if (arguments != NULL && args.get (1).isObject ())
    {
      keywords = malt_gjs_keywords_to_variant (cx, args[1], &error);
      if (keywords != NULL)
        self->keywords = g_variant_take_ref (keywords);
    }

  if (error != NULL)
    {
      g_prefix_error (&error, "%s(): ", self->name);
      malt_gjs_throw (self->engine, MALT_GJS_BY_LIBRARY, error);
    }
  return arguments != NULL && (keywords != NULL || !args.get (1).isObject ());
}

static void
answer_cb (GObject      *source,
           GAsyncResult *result,
           gpointer      user_data)
{
  MaltGjsPromise *promise = (MaltGjsPromise *) user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) value = malt_runtime_call_host_finish (MALT_RUNTIME (source), result, &error);

  malt_gjs_promise_settle (promise, value, MALT_GJS_BY_HOST, error);
}

bool
malt_gjs_host_call (JSContext *cx,
                    unsigned   argc,
                    JS::Value *vp)
{
  JS::CallArgs args = JS::CallArgsFromVp (argc, vp);
  g_autoptr (GCancellable) cancellable = NULL;
  MaltGjsPromise *promise = NULL;
  Call call;

  if (call_init (&call, cx, args) && (promise = malt_gjs_promise_new (call.engine, args.rval ())) != NULL)
    {
      cancellable = malt_gjs_malt_ref_cancellable (call.engine);
      malt_runtime_call_host_async (call.runtime, call.name, call.arguments, call.keywords, cancellable, answer_cb, promise);
    }

  call_clear (&call);
  return promise != NULL;
}

/* Waits for the answer; an interrupt ends that.  FALSE with an exception. */
static bool
wait (const Call              *call,
      JS::MutableHandleValue   result)
{
  g_autoptr (GVariant) value = NULL;
  g_autoptr (GError) error = NULL;

  if (!malt_gjs_wait (call->engine, [&] (GCancellable *cancellable) {
        value = malt_runtime_call_host (call->runtime, call->name, call->arguments, call->keywords, cancellable, &error);
      }))
    return false;

  if (value != NULL)
    return malt_gjs_from_variant (call->engine->cx, value, result);

  malt_gjs_throw (call->engine, MALT_GJS_BY_HOST, error);
  return false;
}

bool
malt_gjs_host_call_sync (JSContext *cx,
                         unsigned   argc,
                         JS::Value *vp)
{
  JS::CallArgs args = JS::CallArgsFromVp (argc, vp);
  bool is_done = false;
  Call call;

  if (call_init (&call, cx, args))
    {
      /* The function would have to run on the thread that waits for it. */
      if (call.engine->is_adopted)
        JS_ReportErrorASCII (cx, "a worker that is in the program's own thread cannot block it; "
                                 "use malt.host in the place of malt.hostSync");
      else
        is_done = wait (&call, args.rval ());
    }

  call_clear (&call);
  return is_done;
}
