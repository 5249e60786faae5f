/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-gjs-answer.h"

#include <js/Promise.h>
#include <js/PropertyAndElement.h>

#include "malt-gjs-call.h"
#include "malt-gjs-channel.h"
#include "malt-gjs-engine.h"
#include "malt-gjs-error.h"
#include "malt-gjs-evaluate.h"
#include "malt-gjs-interrupt.h"
#include "malt-gjs-namespace.h"
#include "malt-gjs-to-variant.h"

/* From a request to its end: what its code gave or threw, at once or through a promise. */

/* Makes the answer of an exception. */
static void
take_exception (MaltGjsAnswer *answer,
                MaltGjsRun    *run)
{
  answer->error = malt_gjs_error_take (run->gjs->engine);
}

static void
convert (MaltGjsAnswer   *answer,
         MaltGjsRun      *run,
         JS::HandleValue  value)
{
  JSContext *cx = run->gjs->engine->cx;
  MaltRequestFlags flags = malt_request_get_flags (run->request);
  GVariant *converted;

  if (malt_request_get_kind (run->request) == MALT_REQUEST_KIND_CHANNEL)
    {
      answer->channel = malt_gjs_channel_peek (value);
      if (answer->channel != NULL)
        g_object_ref (answer->channel);
      else
        g_set_error (&answer->error, MALT_ERROR, MALT_ERROR_SERIALIZATION,
                     "the expression gave a value of the type '%s' instead of a channel",
                     JS::InformalValueTypeName (value));
      return;
    }

  if ((flags & (MALT_REQUEST_FLAGS_NO_VALUE | MALT_REQUEST_FLAGS_NO_REPLY)) != 0 || value.isNullOrUndefined ())
    return;

  converted = malt_gjs_to_variant (cx, value, run->gjs->own_process, &answer->error);
  if (converted != NULL)
    answer->value = g_variant_take_ref (converted);
  else if (answer->error == NULL)
    take_exception (answer, run);
}

/* Whether a value is to be awaited: then @promise is set.  FALSE with an exception. */
static bool
find_promise (JSContext               *cx,
              JS::HandleValue          value,
              JS::MutableHandleObject  promise)
{
  JS::RootedObject object (cx);
  JS::RootedValue then (cx);

  if (!value.isObject ())
    return true;

  object = &value.toObject ();
  if (JS::IsPromiseObject (object))
    {
      promise.set (object);
      return true;
    }

  if (!JS_GetProperty (cx, object, "then", &then))
    return false;
  if (!then.isObject () || !JS::IsCallable (&then.toObject ()))
    return true;

  promise.set (JS::CallOriginalPromiseResolve (cx, value));
  return promise;
}

/* What the code of a request has given. */
static void
take_value (MaltGjsAnswer   *answer,
            MaltGjsRun      *run,
            JS::HandleValue  value,
            MaltGjsThen      then)
{
  JSContext *cx = run->gjs->engine->cx;
  JS::RootedObject promise (cx);

  if (!find_promise (cx, value, &promise))
    take_exception (answer, run);
  else if (!promise)
    convert (answer, run, value);
  else if (malt_gjs_task_start (run->gjs, run->request, promise, then))
    answer->is_pending = TRUE;
  else
    take_exception (answer, run);
}

/* Does what a request is to do, up to its end or to where it waits.  In its run. */
void
malt_gjs_answer_execute (MaltGjsAnswer *answer,
                         MaltGjsRun    *run)
{
  JSContext *cx = run->gjs->engine->cx;
  JS::RootedValue value (cx);
  MaltGjsThen then = MALT_GJS_THEN_ANSWER;
  bool is_done;

  if (malt_request_get_kind (run->request) == MALT_REQUEST_KIND_CALL)
    is_done = malt_gjs_call (run->gjs, run->request, &value, &then, &answer->error);
  else
    is_done = malt_gjs_evaluate (run->gjs, run->request, &value, &then, &answer->error);

  if (is_done)
    take_value (answer, run, value, then);
  else if (answer->error == NULL)
    take_exception (answer, run);
}

/* Ends the request, if it does not wait. */
void
malt_gjs_answer_send (MaltGjsAnswer *answer,
                      MaltRequest   *request)
{
  gboolean is_interrupted = g_error_matches (answer->error, MALT_ERROR, MALT_ERROR_INTERRUPTED);

  if (answer->is_pending)
    return;

  if (answer->error != NULL)
    malt_request_return_error (request, answer->error);
  else if (answer->channel != NULL)
    {
      malt_request_return_channel (request, answer->channel);
      g_object_unref (answer->channel);
    }
  else
    malt_request_return_value (request, answer->value);

  g_clear_pointer (&answer->value, g_variant_unref);

  /* What it has begun in the library, and may not have come to wait for, is given up. */
  if (is_interrupted)
    g_cancellable_cancel (malt_request_get_cancellable (request));
}

/* The promise of a request is settled. */
void
malt_gjs_answer_settled (MaltGjs         *gjs,
                         MaltRequest     *request,
                         MaltGjsThen      then,
                         JS::HandleValue  value,
                         gboolean         is_fulfilled)
{
  MaltGjsEngine *engine = gjs->engine;
  MaltGjsRun run = { gjs, request };
  MaltGjsAnswer answer = {};
  MaltGjsRun *outer;

  JSAutoRealm realm (engine->cx, engine->global);

  malt_gjs_run_enter (&run);
  outer = run.outer;
  if (!is_fulfilled)
    answer.error = malt_gjs_error_new (engine, value);
  else if (then == MALT_GJS_THEN_ANSWER)
    convert (&answer, &run, value);
  else if (malt_gjs_namespace_loaded (engine, value))
    malt_gjs_answer_execute (&answer, &run);
  else
    take_exception (&answer, &run);

  if (malt_gjs_run_leave (&run) && answer.is_pending)
    {
      g_mutex_lock (&engine->lock);
      malt_gjs_task_ask_locked (gjs, request, TRUE);
      g_mutex_unlock (&engine->lock);
      malt_gjs_tasks_deliver (engine);
    }

  /* The run in which its code began may still be at what promises have made due. */
  if (outer != NULL && outer->request == request && g_error_matches (answer.error, MALT_ERROR, MALT_ERROR_INTERRUPTED))
    {
      malt_gjs_run_answered (outer);
      malt_gjs_run_interrupt_rest (outer);
    }
  malt_gjs_answer_send (&answer, request);
}
