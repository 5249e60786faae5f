/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-js-binding.h"

#include <js/CallAndConstruct.h>

#include "malt-gjs-text.h"

/* Functions of JavaScript that a program gives to a worker.
 *
 * The other half has them, in the wrapper of their worker: if they were kept here, they would
 * keep the worker of which they know. */

/* Nobody but the log hears of what is pending. */
void
malt_js_log_exception (JSContext *cx)
{
  JS::RootedObject hooks (cx, malt_js_get_hooks ());
  JS::RootedValue ignored (cx);
  JS::RootedValueArray<1> exception (cx);

  if (!JS_GetPendingException (cx, exception[0]))
    return;

  JS_ClearPendingException (cx);
  if (!JS::Call (cx, hooks, "log", exception, &ignored))
    JS_ClearPendingException (cx);
}

typedef struct
{
  MaltWorker *worker; /* which this belongs to */
  char       *name;   /* NULL for any that has no other function */
} Exported;

static void
exported_free (gpointer data)
{
  Exported *self = static_cast<Exported *> (data);

  g_free (self->name);
  g_free (self);
}

/* MaltHostFunction: the other half does it all, with the request that is given to it. */
static void
answer (MaltRequest *request,
        gpointer     user_data)
{
  Exported *self = static_cast<Exported *> (user_data);
  JSContext *cx = malt_js_get_context ();

  if (cx == nullptr)
    return;

  JS::RootedObject hooks (cx, malt_js_get_hooks ());
  JSAutoRealm realm (cx, hooks);
  JS::RootedString name (cx, self->name != nullptr ? malt_gjs_text_new (cx, self->name, -1) : nullptr);
  JS::RootedValueArray<1> arguments (cx);
  JS::RootedValue ignored (cx);

  malt_js_give_object (G_OBJECT (request));
  g_set_object (&malt_js_exchange.worker, G_OBJECT (self->worker));
  if (name)
    arguments[0].setString (name);
  else
    arguments[0].setNull ();
  if ((self->name != nullptr && !name) || !JS::Call (cx, hooks, "answer", arguments, &ignored))
    malt_js_log_exception (cx);
  malt_js_run_jobs (cx);
}

/* export(handle, name or null): the function of that name, which the other half has */
bool
malt_js_export (JSContext *cx,
                unsigned   argc,
                JS::Value *vp)
{
  JS::CallArgs args = JS::CallArgsFromVp (argc, vp);
  g_autoptr (GObject) object = malt_js_handle_ref (cx, args.get (0));
  g_autofree char *name = nullptr;
  Exported *self;

  if (object == nullptr)
    return false;
  if (!args.get (1).isNull ())
    {
      name = malt_js_dup_text (cx, args.get (1), "the name of the function");
      if (name == nullptr)
        return false;
    }
  if (!malt_js_check_type (cx, object, MALT_TYPE_WORKER))
    return false;

  self = g_new (Exported, 1);
  self->worker = MALT_WORKER (object);
  self->name = g_steal_pointer (&name);
  malt_worker_export_function (self->worker, self->name, nullptr, answer, self, exported_free);
  args.rval ().setUndefined ();
  return true;
}
