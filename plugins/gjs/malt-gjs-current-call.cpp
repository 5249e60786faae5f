/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-gjs-current-call.h"

#include <js/Object.h>

/* The call whose code runs, as an object that code can keep: malt.currentCall of glue.js has one.
 *
 * It has no more of the request than its cancellable, by which that can be found as long as it is
 * under way: so what is kept is neither the arguments nor a request that has ended. */

enum
{
  SLOT_CANCELLABLE,
  N_SLOTS
};

static GCancellable *
get_cancellable (JSObject *object)
{
  return JS::GetMaybePtrFromReservedSlot<GCancellable> (object, SLOT_CANCELLABLE);
}

static void
handle_finalize (JS::GCContext *gc,
                 JSObject      *object)
{
  GCancellable *cancellable = get_cancellable (object);

  g_clear_object (&cancellable);
}

static const JSClassOps handle_ops = {
  nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, handle_finalize, nullptr, nullptr, nullptr,
};

static const JSClass handle_class = {
  "MaltCall", JSCLASS_HAS_RESERVED_SLOTS (N_SLOTS) | JSCLASS_FOREGROUND_FINALIZE, &handle_ops,
};

/* The request whose code runs, not a reference to it, or %NULL where that cannot be told: what
 * promises or a main loop call may be the code of any. */
MaltRequest *
malt_gjs_current_call_find (MaltGjsEngine *engine)
{
  /* Only this thread changes it, so it needs no lock. */
  MaltGjsRun *run = engine->running;

  return run != NULL && !run->is_draining && g_main_depth () == run->depth ? run->request : NULL;
}

/* What stands for that request, or undefined.  FALSE with an exception. */
bool
malt_gjs_current_call_new (MaltGjsEngine          *engine,
                           JS::MutableHandleValue  handle)
{
  MaltRequest *request = malt_gjs_current_call_find (engine);
  JSObject *object;

  handle.setUndefined ();
  if (request == NULL)
    return true;

  object = JS_NewObject (engine->cx, &handle_class);
  if (object == nullptr)
    return false;

  JS::SetReservedSlot (object, SLOT_CANCELLABLE,
                       JS::PrivateValue (g_object_ref (malt_request_get_cancellable (request))));
  handle.setObject (*object);
  return true;
}

/* The cancellable of the request that a value stands for, not a reference to it; or %NULL. */
GCancellable *
malt_gjs_current_call_peek (JS::HandleValue handle)
{
  JSObject *object = handle.isObject () ? &handle.toObject () : nullptr;

  return object != nullptr && JS::GetClass (object) == &handle_class ? get_cancellable (object) : NULL;
}
