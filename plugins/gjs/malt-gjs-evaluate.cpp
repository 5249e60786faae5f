/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-gjs-evaluate.h"

#include <string.h>

#include <js/Exception.h>
#include <js/PropertyAndElement.h>
#include <js/ScriptPrivate.h>
#include <js/SourceText.h>
#include <js/StableStringChars.h>

#include "malt-gjs-compat.h"
#include "malt-gjs-engine.h"
#include "malt-gjs-namespace.h"
#include "malt-gjs-text.h"

/* Evaluating source.
 *
 * It is run as a script, so that its value is that of its last statement.  Where it has what
 * a script cannot have, or would not leave behind, rewriting.js rewrites it first: names that are
 * declared by let, const and class become variables, and with await or import at the top it
 * becomes a function.  Lines stay what they were. */

/* Sources of this size are kept when they are compiled, so many at once. */
#define MAX_KEPT_SIZE 4096
#define MAX_KEPT      256

namespace
{

struct Script
{
  JS::PersistentRooted<JSScript *> script;
  bool                             is_function; /* its value is a function, which is to be called */
};

}

static void
script_free (gpointer data)
{
  delete (Script *) data;
}

void
malt_gjs_evaluate_begin (MaltGjsEngine *engine)
{
  engine->scripts = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, script_free);
  malt_gjs_namespace_begin (engine);
}

void
malt_gjs_evaluate_end (MaltGjsEngine *engine)
{
  g_clear_pointer (&engine->scripts, g_hash_table_unref);
  malt_gjs_namespace_end (engine);
}

/* Relative imports begin at the working directory. */
bool
malt_gjs_evaluate_make_private (MaltGjsEngine *engine)
{
  JSContext *cx = engine->cx;
  g_autofree char *directory = g_get_current_dir ();
  g_autofree char *path = g_build_filename (directory, "eval", NULL);
  g_autofree char *uri = g_filename_to_uri (path, NULL, NULL);
  JS::RootedString string (cx, malt_gjs_text_new (cx, uri != NULL ? uri : "file:///eval", -1));

  engine->priv = JS_NewPlainObject (cx);
  return engine->priv && string && JS_DefineProperty (cx, engine->priv, "uri", string, JSPROP_ENUMERATE);
}

/* Whether the source may have what has to be rewritten. */
static gboolean
may_need_rewriting (const char *source)
{
  static const char * const words[] = { "let", "const", "class", "await", "import" };
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (words); i++)
    if (strstr (source, words[i]) != NULL)
      return TRUE;

  return FALSE;
}

/* The source as it is run: the caller's or a new one.  FALSE with an exception. */
static bool
rewrite (MaltGjsEngine           *engine,
         const char              *source,
         const char              *name,
         JS::MutableHandleString  result,
         bool                    *is_function)
{
  JSContext *cx = engine->cx;
  JS::RootedValueArray<2> args (cx);
  JS::RootedValue rewritten (cx), part (cx);
  JS::RootedObject pair (cx);

  result.set (malt_gjs_text_new (cx, source, -1));
  if (!result)
    return false;
  if (!may_need_rewriting (source))
    return true;

  args[0].setString (result);
  args[1].setString (malt_gjs_text_new (cx, name, -1));
  if (!malt_gjs_engine_rewrite (engine, args, &rewritten))
    return false;
  if (!rewritten.isObject ())
    return true;

  pair = &rewritten.toObject ();
  if (!JS_GetElement (cx, pair, 0, &part))
    return false;
  result.set (part.toString ());
  if (!JS_GetElement (cx, pair, 1, &part))
    return false;
  *is_function = part.toBoolean ();
  return true;
}

static JSScript *
compile (MaltGjsEngine *engine,
         const char    *source,
         gboolean       has_scope,
         bool          *is_function)
{
  JSContext *cx = engine->cx;
  g_autofree char *name = g_strdup_printf ("<eval %u>", ++engine->n_evaluated);
  JS::CompileOptions options (cx);
  JS::AutoStableStringChars chars (cx);
  JS::SourceText<char16_t> text;
  JS::RootedString string (cx);
  JS::RootedScript script (cx);

  options.setFileAndLine (name, 1);
  options.setNonSyntacticScope (has_scope);

  if (!rewrite (engine, source, name, &string, is_function) || !chars.initTwoByte (cx, string) ||
      !text.init (cx, chars.twoByteRange ().begin ().get (), JS_GetStringLength (string), JS::SourceOwnership::Borrowed))
    return nullptr;

  script = JS::Compile (cx, options, text);
  if (script)
    JS::SetScriptPrivate (script, JS::ObjectValue (*engine->priv));
  return script;
}

/* The script of a source, which may have been compiled before. */
static JSScript *
get_script (MaltGjsEngine *engine,
            const char    *source,
            gboolean       has_scope,
            bool          *is_function)
{
  gboolean is_kept = strlen (source) <= MAX_KEPT_SIZE;
  g_autofree char *key = is_kept ? g_strconcat (has_scope ? "m" : "g", source, NULL) : NULL;
  Script *kept = is_kept ? (Script *) g_hash_table_lookup (engine->scripts, key) : NULL;
  JSScript *script;

  *is_function = kept != NULL && kept->is_function;
  if (kept != NULL)
    return kept->script;

  script = compile (engine, source, has_scope, is_function);
  if (script == nullptr || !is_kept)
    return script;

  if (g_hash_table_size (engine->scripts) == MAX_KEPT)
    g_hash_table_remove_all (engine->scripts);
  kept = new Script ();
  kept->script.init (engine->cx, script);
  kept->is_function = *is_function;
  g_hash_table_insert (engine->scripts, g_steal_pointer (&key), kept);
  return script;
}

/* Evaluates the source of a request.  FALSE with an exception or with @error set. */
bool
malt_gjs_evaluate (MaltGjs                 *gjs,
                   MaltRequest             *request,
                   JS::MutableHandleValue   value,
                   MaltGjsThen             *then,
                   GError                 **error)
{
  MaltGjsEngine *engine = gjs->engine;
  JSContext *cx = engine->cx;
  const char *module = malt_request_get_module (request);
  JS::RootedObject scope (cx);
  JS::RootedScript script (cx);
  bool is_function;

  if (module != NULL)
    {
      if (!malt_gjs_namespace_ensure (gjs, module, &scope, value, error))
        return false;
      if (!scope)
        {
          *then = MALT_GJS_THEN_REPEAT;
          return true;
        }
    }

  script = get_script (engine, malt_request_get_source (request), module != NULL, &is_function);
  if (!script || !(scope ? malt_gjs_execute_in (cx, scope, script, value) : JS_ExecuteScript (cx, script, value)))
    return false;

  return !is_function || JS_CallFunctionValue (cx, nullptr, value, JS::HandleValueArray::empty (), value);
}

/* The column of an error, from 1. */
int
malt_gjs_evaluate_column (int column)
{
#if MOZJS_MAJOR_VERSION >= 125
  return column;
#else
  return column + 1;
#endif
}
