/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-gjs-malt.h"

#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include <js/CallArgs.h>
#include <js/Conversions.h>
#include <js/Interrupt.h>
#include <js/PropertyAndElement.h>

#include "malt-gjs-channel.h"
#include "malt-gjs-current-call.h"
#include "malt-gjs-host.h"
#include "malt-gjs-task.h"
#include "malt-gjs-text.h"

/* What glue.js makes the object `malt` from, by which code that runs in a worker uses what
 * the library has for it. */

/* The engine of a function that was added here. */
MaltGjsEngine *
malt_gjs_malt_get_engine (JS::CallArgs &args)
{
  return (MaltGjsEngine *) js::GetFunctionNativeReserved (&args.callee (), 0).toPrivate ();
}

/* The worker whose code runs, and a reference to the request for which it does: that of the
 * stretch, or the only one that waits, of which the code after an `await` is likely to be.
 * %NULL if it cannot be told. */
MaltGjs *
malt_gjs_malt_ref_current (MaltGjsEngine  *engine,
                           MaltRequest   **request)
{
  MaltGjs *gjs = engine->running != NULL ? engine->running->gjs : NULL;

  /* Only this thread changes what it reads here, so it needs no lock. */
  *request = engine->running != NULL ? (MaltRequest *) g_object_ref (engine->running->request)
                                     : malt_gjs_task_ref_only (engine, &gjs);

  return gjs != NULL ? gjs : engine->only;
}

/* What is cancelled if the request is given up for which code runs; or %NULL. */
GCancellable *
malt_gjs_malt_ref_cancellable (MaltGjsEngine *engine)
{
  g_autoptr (MaltRequest) request = NULL;

  malt_gjs_malt_ref_current (engine, &request);
  return request != NULL ? (GCancellable *) g_object_ref (malt_request_get_cancellable (request)) : NULL;
}

static bool
native_progress (JSContext *cx,
                 unsigned   argc,
                 JS::Value *vp)
{
  JS::CallArgs args = JS::CallArgsFromVp (argc, vp);
  MaltGjsEngine *engine = malt_gjs_malt_get_engine (args); /* before the result takes its place */
  g_autoptr (MaltRequest) request = NULL;
  JS::RootedString string (cx);
  g_autofree char *text = NULL;
  GCancellable *cancellable;
  double fraction = -1;

  args.rval ().setUndefined ();
  if (!args.get (0).isNullOrUndefined ())
    {
      if (!JS::ToNumber (cx, args.get (0), &fraction))
        return false;
      if (!(fraction >= 0))
        {
          JS_ReportErrorASCII (cx, "the fraction that is done is %g, which is not from 0 to 1; "
                                   "null says that it is not known", fraction);
          return false;
        }
    }
  if (!args.get (1).isUndefined ())
    {
      string = JS::ToString (cx, args.get (1));
      text = string ? malt_gjs_text_escape (cx, string) : NULL;
      if (text == NULL)
        return false;
    }

  /* About a call that is named, which may have ended, or about the current one. */
  cancellable = malt_gjs_current_call_peek (args.get (2));
  if (cancellable != NULL)
    request = malt_gjs_task_ref_by_cancellable (engine, cancellable);
  else
    malt_gjs_malt_ref_current (engine, &request);
  if (request != NULL)
    malt_request_report_progress (request, fraction, text != NULL ? text : "");
  return true;
}

static bool
native_cancelled (JSContext *cx,
                  unsigned   argc,
                  JS::Value *vp)
{
  JS::CallArgs args = JS::CallArgsFromVp (argc, vp);
  MaltGjsEngine *engine = malt_gjs_malt_get_engine (args);
  GCancellable *cancellable = malt_gjs_current_call_peek (args.get (0));
  MaltRequest *request = malt_gjs_current_call_find (engine);

  if (cancellable == NULL && request != NULL)
    cancellable = malt_request_get_cancellable (request);
  args.rval ().setBoolean (cancellable != NULL ? g_cancellable_is_cancelled (cancellable)
                                               : malt_gjs_tasks_are_given_up (engine));
  return true;
}

/* What stands for the call whose code runs, for the functions above; undefined if it cannot be told. */
static bool
native_current_call (JSContext *cx,
                     unsigned   argc,
                     JS::Value *vp)
{
  JS::CallArgs args = JS::CallArgsFromVp (argc, vp);

  return malt_gjs_current_call_new (malt_gjs_malt_get_engine (args), args.rval ());
}

static bool
native_check (JSContext *cx,
              unsigned   argc,
              JS::Value *vp)
{
  JS::CallArgs args = JS::CallArgsFromVp (argc, vp);

  args.rval ().setUndefined ();
  /* An interrupt may have been raised already, where the exception did not come through. */
  JS_RequestInterruptCallback (cx);
  return JS_CheckForInterrupt (cx);
}

/* Ends the process as its code wants. */
static bool
native_exit (JSContext *cx,
             unsigned   argc,
             JS::Value *vp)
{
  JS::CallArgs args = JS::CallArgsFromVp (argc, vp);
  int32_t code = 0;

  if (!JS::ToInt32 (cx, args.get (0), &code))
    return false;

  fflush (NULL);
  _exit (code);
}

static bool
add (MaltGjsEngine    *engine,
     JS::HandleObject  natives,
     const char       *name,
     JSNative          function,
     unsigned          n_args)
{
  JSContext *cx = engine->cx;
  JSFunction *native = js::NewFunctionWithReserved (cx, function, n_args, 0, name);
  JS::RootedObject object (cx, native != nullptr ? JS_GetFunctionObject (native) : nullptr);

  if (!object)
    return false;

  js::SetFunctionNativeReserved (object, 0, JS::PrivateValue (engine));
  return JS_DefineProperty (cx, natives, name, object, JSPROP_ENUMERATE);
}

/* What is written in C++ for glue.js; %NULL with an exception. */
JSObject *
malt_gjs_malt_new_natives (MaltGjsEngine *engine)
{
  JSContext *cx = engine->cx;
  JS::RootedObject natives (cx, JS_NewPlainObject (cx));

  if (!natives || !malt_gjs_channel_define (engine, natives) ||
      !add (engine, natives, "callHost", malt_gjs_host_call, 1) ||
      !add (engine, natives, "callHostSync", malt_gjs_host_call_sync, 1) ||
      !add (engine, natives, "progress", native_progress, 3) ||
      !add (engine, natives, "cancelled", native_cancelled, 1) ||
      !add (engine, natives, "currentCall", native_current_call, 0) ||
      !add (engine, natives, "check", native_check, 0) ||
      (engine->own_process && !add (engine, natives, "exit", native_exit, 1)) ||
      !JS_DefineProperty (cx, natives, "hasThread", engine->has_thread ? JS::TrueHandleValue : JS::FalseHandleValue,
                          JSPROP_ENUMERATE))
    return nullptr;

  return natives;
}
