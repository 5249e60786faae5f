/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-gjs-engine.h"

#include <locale.h>

#include <js/GCAPI.h>
#include <js/Initialization.h>
#include <js/PropertyAndElement.h>
#include <js/RealmIterators.h>
#include <js/ScriptPrivate.h>
#include <js/SourceText.h>

#include "malt-gjs-compat.h"
#include "malt-gjs-error.h"
#include "malt-gjs-evaluate.h"
#include "malt-gjs-glue.h"
#include "malt-gjs-interrupt.h"
#include "malt-gjs-malt.h"
#include "malt-gjs-memory.h"
#include "malt-gjs-rejection.h"
#include "malt-gjs-rewriting.h"
#include "malt-gjs-source.h"

/* The life of GJS. */

static MaltGjsEngine *
engine_new (gboolean      own_process,
            GjsContext   *context,
            GMainContext *main_context)
{
  MaltGjsEngine *self = new MaltGjsEngine ();

  self->own_process = own_process;
  self->context = context;
  self->cx = (JSContext *) gjs_context_get_native_context (context);
  self->main_context = g_main_context_ref (main_context);
  g_mutex_init (&self->lock);
  self->tasks = g_hash_table_new (g_int64_hash, g_int64_equal);
  self->busy_since = -1;
  malt_gjs_source_attach (self);

  return self;
}

/* One of our own.
 *
 * GJS before 1.82 takes the time between two steps of sweeping for sweeping itself, and then
 * calls no closure of JavaScript: a timeout or the callback of a promise is lost.  A worker has
 * no frames to draw, and collects garbage in one step. */
static GjsContext *
make_context (void)
{
  GjsContext *context = gjs_context_new ();

  JS_SetGCParameter ((JSContext *) gjs_context_get_native_context (context), JSGC_INCREMENTAL_GC_ENABLED, FALSE);

  return context;
}

/* The program has no GJS: so it gets one, with a thread that stays. */

typedef struct
{
  GMutex         lock;
  GCond          made;
  MaltGjsEngine *engine;
} Making;

static gboolean
collect_cb (gpointer data)
{
  gjs_context_maybe_gc (((MaltGjsEngine *) data)->context);
  return G_SOURCE_CONTINUE;
}

/* GJS collects garbage from the default main context, which is that of another thread.  It
 * is left to believe that it is about to, and it is done here. */
static void
keep_collector (MaltGjsEngine *self)
{
  GSource *source;

  if (gjs_context_eval (self->context, "0", -1, MALT_GJS_GLUE_FILE, NULL, NULL))
    {
      source = g_main_context_find_source_by_user_data (NULL, JS_GetContextPrivate (self->cx));
      if (source != NULL)
        g_source_destroy (source);
    }

  source = g_timeout_source_new_seconds (10);
  g_source_set_callback (source, collect_cb, self, NULL);
  g_source_attach (source, self->main_context);
  g_source_unref (source);
}

static gpointer
engine_thread (gpointer data)
{
  Making *making = (Making *) data;
  GMainContext *main_context = g_main_context_new ();
  GjsContext *context;

  g_main_context_push_thread_default (main_context);
  context = make_context ();

  g_mutex_lock (&making->lock);
  making->engine = engine_new (FALSE, context, main_context);
  making->engine->thread = g_thread_self ();
  making->engine->has_thread = TRUE;
  keep_collector (making->engine);
  g_cond_signal (&making->made);
  g_mutex_unlock (&making->lock);

  for (;;)
    g_main_context_iteration (main_context, TRUE);

  return NULL;
}

static MaltGjsEngine *
make_with_thread (GError **error)
{
  Making making = {};
  GThread *thread;

  g_mutex_init (&making.lock);
  g_cond_init (&making.made);

  thread = g_thread_try_new ("malt-gjs", engine_thread, &making, error);
  if (thread != NULL)
    {
      g_thread_unref (thread);
      g_mutex_lock (&making.lock);
      while (making.engine == NULL)
        g_cond_wait (&making.made, &making.lock);
      g_mutex_unlock (&making.lock);
    }

  g_mutex_clear (&making.lock);
  g_cond_clear (&making.made);
  return making.engine;
}

/* The engine of the process, which is made if there is none; %NULL with @error set. */
MaltGjsEngine *
malt_gjs_engine_get (gboolean   own_process,
                     GError   **error)
{
  static GMutex lock;
  static MaltGjsEngine *shared; /* guarded by lock */
  GjsContext *current;
  MaltGjsEngine *self;

  if (own_process)
    {
      g_autoptr (GMainContext) main_context = g_main_context_ref_thread_default ();

      malt_gjs_memory_catch_crashes ();
      setlocale (LC_ALL, ""); /* as gjs does */
      self = engine_new (TRUE, make_context (), main_context);
      self->thread = g_thread_self ();
      return self;
    }

  g_mutex_lock (&lock);
  current = shared == NULL ? gjs_context_get_current () : NULL;
  if (current != NULL)
    {
      shared = engine_new (FALSE, (GjsContext *) g_object_ref (current), g_main_context_default ());
      shared->is_adopted = TRUE;
    }
  else if (shared == NULL)
    {
      shared = make_with_thread (error);
    }
  self = shared;
  g_mutex_unlock (&lock);

  return self;
}

/* The global object of code, of the several that GJS has. */
static void
find_global (JSContext                  *cx,
             void                       *data,
             JS::Realm                  *realm,
             const JS::AutoRequireNoGC  &no_gc)
{
  JSObject **found = (JSObject **) data;
  JSObject *global = JS::GetRealmGlobalOrNull (realm);

  if (global != nullptr && g_str_equal (JS::GetClass (global)->name, "GjsGlobal"))
    *found = global;
}

/* Runs a part that is written in JavaScript, and has its functions.  FALSE with an exception. */
static bool
run_part (MaltGjsEngine              *self,
          const char                 *text,
          gsize                       size,
          JS::HandleValue             natives,
          JS::PersistentRootedObject *functions)
{
  JSContext *cx = self->cx;
  JS::RootedValue function (cx), value (cx);
  JS::CompileOptions options (cx);
  JS::SourceText<mozilla::Utf8Unit> source;
  JS::RootedScript script (cx);

  options.setFileAndLine (MALT_GJS_GLUE_FILE, 1);
  if (!source.init (cx, text, size, JS::SourceOwnership::Borrowed) || !(script = JS::Compile (cx, options, source)))
    return false;

  JS::SetScriptPrivate (script, JS::ObjectValue (*self->priv));
  if (!JS_ExecuteScript (cx, script, &function) ||
      !JS_CallFunctionValue (cx, nullptr, function, JS::HandleValueArray (natives), &value))
    return false;

  *functions = &value.toObject ();
  return true;
}

static bool
run_parts (MaltGjsEngine *self)
{
  JS::RootedValue natives (self->cx);
  JSObject *object = malt_gjs_malt_new_natives (self);

  if (object == nullptr)
    return false;
  natives.setObject (*object);

  return run_part (self, malt_gjs_rewriting, sizeof malt_gjs_rewriting - 1, natives, &self->rewriting) &&
         run_part (self, malt_gjs_glue, sizeof malt_gjs_glue - 1, natives, &self->glue);
}

/* Calls a function of glue.js, if it is there. */
bool
malt_gjs_engine_glue (MaltGjsEngine               *self,
                      const char                  *name,
                      const JS::HandleValueArray  &arguments,
                      JS::MutableHandleValue       result)
{
  return JS_CallFunctionName (self->cx, self->glue, name, arguments, result);
}

/* Calls the function of rewriting.js. */
bool
malt_gjs_engine_rewrite (MaltGjsEngine               *self,
                         const JS::HandleValueArray  &arguments,
                         JS::MutableHandleValue       result)
{
  return JS_CallFunctionName (self->cx, self->rewriting, "rewrite", arguments, result);
}

/* Makes ready what is the library's own in JavaScript.  On the engine's thread; once. */
gboolean
malt_gjs_engine_prepare (MaltGjsEngine  *self,
                         GError        **error)
{
  JSContext *cx = self->cx;
  JSObject *global = nullptr;
  g_autoptr (GError) reason = NULL;

  if (self->is_ready)
    return TRUE;

  JS::IterateRealms (cx, &global, find_global);
  if (global == nullptr)
    {
      g_set_error_literal (error, MALT_ERROR, MALT_ERROR_START, "this version of GJS has no global object that is known");
      return FALSE;
    }

  self->global.init (cx, global);
  self->glue.init (cx);
  self->rewriting.init (cx);
  self->priv.init (cx);
  self->interruption.init (cx);

  JSAutoRealm realm (cx, self->global);

  malt_gjs_evaluate_begin (self);
  if (!malt_gjs_evaluate_make_private (self) || !run_parts (self))
    {
      reason = malt_gjs_error_take (self);
      g_set_error (error, MALT_ERROR, MALT_ERROR_START, "GJS cannot be made ready: %s", reason->message);
      return FALSE;
    }

  if (self->only != NULL)
    malt_gjs_memory_begin (self, self->only->heap_size);
  malt_gjs_rejection_begin (self);
  malt_gjs_interrupt_begin (self);
  self->is_ready = TRUE;
  return TRUE;
}

/* Ends one that is a worker's own.  The object stays: if a module is being loaded, GJS ends
 * the process with an assertion when it is finalized. */
void
malt_gjs_engine_end (MaltGjsEngine *self)
{
  malt_gjs_source_detach (self);
  malt_gjs_interrupt_end (self);
  malt_gjs_memory_end (self);
  malt_gjs_rejection_end (self);
  malt_gjs_evaluate_end (self);
  self->global.reset ();
  self->glue.reset ();
  self->rewriting.reset ();
  self->priv.reset ();
  self->interruption.reset ();
  g_object_run_dispose (G_OBJECT (self->context));

  g_hash_table_unref (self->tasks);
  g_main_context_unref (self->main_context);
  g_mutex_clear (&self->lock);
  delete self;
}
