/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-gjs-namespace.h"

#include <string.h>

#include <js/PropertyAndElement.h>

#include "malt-gjs-engine.h"
#include "malt-gjs-text.h"

/* Modules by their names: what is evaluated in one stays in it.
 *
 * Each is an object.  The names of a file of the search path are inherited by it, so that
 * they are there, and what is evaluated does not change the file's own. */

typedef JS::PersistentRootedObject Namespace;

static void
namespace_free (gpointer data)
{
  delete (Namespace *) data;
}

void
malt_gjs_namespace_begin (MaltGjsEngine *engine)
{
  engine->namespaces = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, namespace_free);
}

void
malt_gjs_namespace_end (MaltGjsEngine *engine)
{
  g_clear_pointer (&engine->namespaces, g_hash_table_unref);
}

/* The module of that name, or %NULL if there is none yet. */
JSObject *
malt_gjs_namespace_peek (MaltGjsEngine *engine,
                         const char    *name)
{
  Namespace *found;

  if (g_hash_table_size (engine->namespaces) == 0)
    return nullptr;

  found = (Namespace *) g_hash_table_lookup (engine->namespaces, name);
  return found != NULL ? found->get () : nullptr;
}

/* Makes one, with what it inherits. */
static JSObject *
add (MaltGjsEngine    *engine,
     const char       *name,
     JS::HandleObject  inherited)
{
  JSContext *cx = engine->cx;
  JS::RootedObject object (cx, inherited ? JS_NewObjectWithGivenProto (cx, nullptr, inherited) : JS_NewPlainObject (cx));

  if (object)
    g_hash_table_insert (engine->namespaces, g_strdup (name), new Namespace (cx, object));
  return object;
}

/* Whether it is a name, with dots between its parts. */
static gboolean
is_name (const char *name)
{
  const char *p;

  for (p = name; *p != '\0'; p++)
    if (*p == '.' ? p == name || p[1] == '.' || p[1] == '\0'
                  : !g_ascii_isalnum (*p) && strchr ("_-$", *p) == NULL && (guchar) *p < 0x80)
      return FALSE;

  return *name != '\0';
}

/* The file of a module in the search path, as a URI; or %NULL. */
static char *
find_file (MaltGjs    *gjs,
           const char *name)
{
  const char * const *folders = malt_runtime_get_search_path (gjs->runtime);
  g_autofree char *path = NULL;
  g_autofree char *file = NULL;
  gsize i;

  if (folders == NULL || !is_name (name))
    return NULL;

  path = g_strdelimit (g_strdup (name), ".", G_DIR_SEPARATOR);
  file = g_strconcat (path, ".js", NULL);

  for (i = 0; folders[i] != NULL; i++)
    {
      g_autofree char *relative = g_build_filename (folders[i], file, NULL);
      g_autofree char *full = g_canonicalize_filename (relative, NULL);

      if (g_file_test (full, G_FILE_TEST_IS_REGULAR))
        return g_filename_to_uri (full, NULL, NULL);
    }

  return NULL;
}

/* Begins to load the file of a module, if there is one: then @promise is set.  FALSE with an
 * exception. */
bool
malt_gjs_namespace_load (MaltGjs                *gjs,
                         const char             *name,
                         JS::MutableHandleValue  promise)
{
  JSContext *cx = gjs->engine->cx;
  g_autofree char *uri = find_file (gjs, name);
  JS::RootedValueArray<2> args (cx);
  JSString *text;

  promise.setUndefined ();
  if (uri == NULL)
    return true;

  text = malt_gjs_text_new (cx, name, -1);
  if (text == nullptr)
    return false;
  args[0].setString (text);
  text = malt_gjs_text_new (cx, uri, -1);
  if (text == nullptr)
    return false;
  args[1].setString (text);

  return malt_gjs_engine_glue (gjs->engine, "load", args, promise);
}

/* A file has been loaded: what the promise has given is the name and the module. */
bool
malt_gjs_namespace_loaded (MaltGjsEngine   *engine,
                           JS::HandleValue  loaded)
{
  JSContext *cx = engine->cx;
  JS::RootedObject pair (cx, &loaded.toObject ());
  JS::RootedObject module (cx);
  JS::RootedValue value (cx);
  JS::RootedString string (cx);
  g_autofree char *name = NULL;

  if (!JS_GetElement (cx, pair, 0, &value))
    return false;
  string = value.toString ();
  name = malt_gjs_text_escape (cx, string);
  if (!JS_GetElement (cx, pair, 1, &value))
    return false;
  module = &value.toObject ();

  return name == NULL || malt_gjs_namespace_peek (engine, name) != nullptr || add (engine, name, module) != nullptr;
}

/* The module of that name: the one that there is, one that is loaded, in which case @scope
 * stays empty and @promise is set, or a new one.  FALSE with an exception or @error set. */
bool
malt_gjs_namespace_ensure (MaltGjs                  *gjs,
                           const char               *name,
                           JS::MutableHandleObject   scope,
                           JS::MutableHandleValue    promise,
                           GError                  **error)
{
  if (!is_name (name))
    {
      g_set_error (error, MALT_ERROR, MALT_ERROR_NOT_FOUND, "'%s' is not the name of a module", name);
      return false;
    }

  scope.set (malt_gjs_namespace_peek (gjs->engine, name));
  if (scope)
    return true;

  if (!malt_gjs_namespace_load (gjs, name, promise))
    return false;
  if (promise.isObject ())
    return true;

  scope.set (add (gjs->engine, name, nullptr));
  return scope;
}
