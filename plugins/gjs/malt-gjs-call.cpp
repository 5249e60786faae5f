/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-gjs-call.h"

#include <js/PropertyAndElement.h>
#include <js/Symbol.h>

#include "malt-gjs-engine.h"
#include "malt-gjs-error.h"
#include "malt-gjs-from-variant.h"
#include "malt-gjs-namespace.h"
#include "malt-gjs-text.h"

/* Calling functions by their names. */

/* A dotted name. */
typedef struct
{
  char **parts;
  guint  n_parts;
} Name;

/* What was found on the way. */
namespace
{

struct Found
{
  JS::RootedValue owner;    /* what the function is a property of: undefined for one that is global */
  JS::RootedValue function;
  guint           missing;  /* the part that is not there, if the function is undefined */

  explicit Found (JSContext *cx)
    : owner (cx), function (cx), missing (0)
  {
  }
};

}

static gboolean
name_init (Name       *self,
           const char *text)
{
  guint i;

  self->parts = g_strsplit (text, ".", -1);
  self->n_parts = g_strv_length (self->parts);

  for (i = 0; i < self->n_parts; i++)
    if (*self->parts[i] == '\0')
      return FALSE;
  return self->n_parts > 0;
}

/* The first @n parts. */
static char *
name_join (const Name *self,
           guint       n)
{
  GString *text = g_string_new (self->parts[0]);
  guint i;

  for (i = 1; i < n; i++)
    g_string_append_printf (text, ".%s", self->parts[i]);

  return g_string_free (text, FALSE);
}

/* A property by its name, of an object or of what can be looked at like one. */
static bool
get_property (JSContext              *cx,
              JS::HandleValue         owner,
              const char             *name,
              JS::MutableHandleValue  value)
{
  JS::RootedObject object (cx);
  JS::RootedString string (cx);
  JS::RootedId id (cx);

  value.setUndefined ();
  if (owner.isNullOrUndefined ())
    return true;

  if (!JS_ValueToObject (cx, owner, &object))
    return false;

  string = malt_gjs_text_new (cx, name, -1);
  return string && JS_StringToId (cx, string, &id) && JS_GetPropertyById (cx, object, id, value);
}

/* Goes on from @found->function, from the part @first on. */
static bool
walk (JSContext  *cx,
      const Name *name,
      guint       first,
      Found      *found)
{
  guint i;

  for (i = first; i < name->n_parts; i++)
    {
      found->owner = found->function;
      if (!get_property (cx, found->owner, name->parts[i], &found->function))
        return false;

      if (found->function.isUndefined ())
        {
          found->missing = i;
          return true;
        }
    }

  return true;
}

/* The longest name of a module that is there; then a name of the global object. */
static bool
find (MaltGjsEngine *engine,
      const Name    *name,
      Found         *found)
{
  JSContext *cx = engine->cx;
  JS::RootedValue global (cx);
  guint n;

  for (n = name->n_parts - 1; n > 0 && g_hash_table_size (engine->namespaces) > 0; n--)
    {
      g_autofree char *prefix = name_join (name, n);
      JSObject *object = malt_gjs_namespace_peek (engine, prefix);

      if (object != nullptr)
        {
          found->function.setObject (*object);
          return walk (cx, name, n, found);
        }
    }

  global.setObject (*engine->global);
  if (!get_property (cx, global, name->parts[0], &found->function))
    return false;
  if (found->function.isUndefined ())
    {
      found->missing = 0;
      return true;
    }

  return walk (cx, name, 1, found);
}

/* Begins to load a file that has a part of the name, the longest. */
static bool
load (MaltGjs                *gjs,
      const Name             *name,
      JS::MutableHandleValue  promise)
{
  guint n;

  promise.setUndefined ();
  for (n = name->n_parts - 1; n > 0 && promise.isUndefined (); n--)
    {
      g_autofree char *prefix = name_join (name, n);

      if (malt_gjs_namespace_peek (gjs->engine, prefix) != nullptr)
        return true;
      if (!malt_gjs_namespace_load (gjs, prefix, promise))
        return false;
    }

  return true;
}

static void
set_not_found (const Name  *name,
               guint        missing,
               GError     **error)
{
  g_autofree char *whole = name_join (name, name->n_parts);
  g_autofree char *owner = missing > 0 ? name_join (name, missing) : NULL;

  if (name->n_parts == 1)
    g_set_error (error, MALT_ERROR, MALT_ERROR_NOT_FOUND, "there is no function '%s'", whole);
  else if (missing == 0)
    g_set_error (error, MALT_ERROR, MALT_ERROR_NOT_FOUND, "there is no '%s' for '%s', and no module of that name",
                 name->parts[0], whole);
  else
    g_set_error (error, MALT_ERROR, MALT_ERROR_NOT_FOUND, "'%s' has no property '%s'", owner, name->parts[missing]);
}

/* The positional arguments, and the keyword arguments as the properties of an object after
 * them. */
static bool
convert_arguments (JSContext              *cx,
                   MaltRequest            *request,
                   JS::RootedValueVector  &arguments,
                   GError                **error)
{
  GVariant *keywords = malt_request_get_keywords (request);
  JS::RootedValue named (cx);
  g_autofree char *reason = NULL;
  bool is_done;

  is_done = malt_gjs_from_arguments (cx, malt_request_get_arguments (request), arguments);
  if (is_done && keywords != NULL && g_variant_n_children (keywords) > 0)
    is_done = malt_gjs_from_variant (cx, keywords, &named) && arguments.append (named);
  if (is_done)
    return true;

  reason = malt_gjs_error_message (cx);
  g_set_error (error, MALT_ERROR, MALT_ERROR_SERIALIZATION, "%s", reason);
  return false;
}

/* Calls what the request names.  FALSE with an exception or with @error set. */
bool
malt_gjs_call (MaltGjs                 *gjs,
               MaltRequest             *request,
               JS::MutableHandleValue   value,
               MaltGjsThen             *then,
               GError                 **error)
{
  MaltGjsEngine *engine = gjs->engine;
  JSContext *cx = engine->cx;
  const char *text = malt_request_get_function (request);
  JS::RootedValueVector arguments (cx);
  Name name;
  g_auto (GStrv) parts = NULL;
  gboolean is_name = name_init (&name, text);
  Found found (cx);

  parts = name.parts;
  if (!is_name)
    {
      g_set_error (error, MALT_ERROR, MALT_ERROR_NOT_FOUND, "'%s' is not the name of a function", text);
      return false;
    }
  if (!find (engine, &name, &found))
    return false;

  if (found.function.isUndefined ())
    {
      if (!load (gjs, &name, value))
        return false;
      if (value.isObject ())
        {
          *then = MALT_GJS_THEN_REPEAT;
          return true;
        }

      set_not_found (&name, found.missing, error);
      return false;
    }

  if (!found.function.isObject () || !JS::IsCallable (&found.function.toObject ()))
    {
      g_set_error (error, MALT_ERROR, MALT_ERROR_NOT_FOUND, "'%s' is not a function but of the type '%s'",
                   text, JS::InformalValueTypeName (found.function));
      return false;
    }

  return convert_arguments (cx, request, arguments, error) &&
         JS::Call (cx, found.owner, found.function, arguments, value);
}
