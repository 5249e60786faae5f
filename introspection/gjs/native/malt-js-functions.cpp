/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-js-binding.h"

#include <js/CallAndConstruct.h>

#include "malt-gjs-from-variant.h"
#include "malt-gjs-text.h"

/* Functions of JavaScript that the library calls: those that a program gives to a worker, and
 * those that hear of the items of a map. */

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

/* Functions of the program
 *
 * The other half has them, in the wrapper of their worker: if they were kept here, they would
 * keep the worker of which they know. */

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

/* Maps */

static JS::PersistentRootedObject *
keep (JSContext       *cx,
      JS::HandleValue  function)
{
  if (!function.isObject () || !JS::IsCallable (&function.toObject ()))
    {
      JS_ReportErrorUTF8 (cx, "what is to be called is no function");
      return nullptr;
    }

  return new JS::PersistentRootedObject (cx, &function.toObject ());
}

static void
drop (gpointer data)
{
  delete static_cast<JS::PersistentRootedObject *> (data);
}

static bool
tell (JSContext        *cx,
      JS::HandleObject  function,
      guint             index,
      GVariant         *value,
      const GError     *error)
{
  JS::RootedValueArray<3> arguments (cx);
  JS::RootedValue callee (cx, JS::ObjectValue (*function)), ignored (cx);

  arguments[0].setNumber (index);
  if (error != nullptr ? !malt_js_make_error (cx, g_error_copy (error), arguments[2])
                       : !malt_gjs_from_variant (cx, value, arguments[1]))
    return false;

  return JS::Call (cx, JS::UndefinedHandleValue, callee, arguments, &ignored);
}

/* MaltPoolItemFunc */
static void
item_done (MaltPool     *pool,
           guint         index,
           GVariant     *value,
           const GError *error,
           gpointer      user_data)
{
  JSContext *cx = malt_js_get_context ();

  if (cx == nullptr)
    return;

  JS::RootedObject function (cx, static_cast<JS::PersistentRootedObject *> (user_data)->get ());
  JSAutoRealm realm (cx, function);

  if (!tell (cx, function, index, value, error))
    malt_js_log_exception (cx);
  malt_js_run_jobs (cx);
}

static GVariant *
finish_map (MaltJsPending  *self,
            GObject        *source,
            GAsyncResult   *result,
            GError        **error)
{
  g_autoptr (GVariant) values G_GNUC_UNUSED = malt_pool_map_finish (MALT_POOL (source), result, error);

  /* They have all been told already. */
  return nullptr;
}

static bool
begin_map (JSContext           *cx,
           GObject             *object,
           const JS::CallArgs  &args,
           MaltJsPending       *pending)
{
  g_autoptr (GCancellable) cancellable = malt_js_take_cancellable (args.get (5));
  g_autoptr (GVariant) items = g_steal_pointer (&malt_js_exchange.variant);
  g_autofree char *name = malt_js_dup_text (cx, args.get (1), "the name of the function");
  JS::PersistentRootedObject *function = name != nullptr ? keep (cx, args.get (2)) : nullptr;

  if (function == nullptr)
    return false;
  if (!malt_js_check_type (cx, object, MALT_TYPE_POOL))
    {
      drop (function);
      return false;
    }

  pending->finish = finish_map;
  malt_pool_map_async (MALT_POOL (object), name, items, static_cast<MaltPoolCallFlags> (malt_js_get_int (args.get (3), 0)),
                       malt_js_get_int (args.get (4), MALT_TIMEOUT_DEFAULT), cancellable, item_done, function, drop,
                       malt_js_pending_done, pending);
  return true;
}

/* map(handle, name, function of an index, a value and an error, flags, timeout, has
 * cancellable), with the items that toItems() has made: a promise */
bool
malt_js_map (JSContext *cx,
             unsigned   argc,
             JS::Value *vp)
{
  return malt_js_begin (cx, argc, vp, begin_map);
}
