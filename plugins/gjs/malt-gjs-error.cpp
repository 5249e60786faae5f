/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-gjs-error.h"

#include <string.h>

#include <js/Array.h>
#include <js/Conversions.h>
#include <js/Exception.h>
#include <js/GCVector.h>
#include <js/JSON.h>
#include <js/PropertyAndElement.h>
#include <js/SavedFrameAPI.h>
#include <js/Stack.h>

#include "malt-gjs-evaluate.h"
#include "malt-gjs-text.h"

/* Exceptions as errors.  Nothing here fails: what is thrown can be anything, with properties
 * that throw when they are looked at, and then a part is replaced. */

/* Causes of causes, at most. */
#define MAX_CAUSES 16

/* Errors of an AggregateError, at most. */
#define MAX_AGGREGATED 16

/* A traceback of that size gets no further errors: they can be many where they contain each other. */
#define MAX_TRACEBACK (64 * 1024)

/* A property that is a text that is not empty; else %NULL, and no exception. */
static char *
get_text (JSContext        *cx,
          JS::HandleObject  object,
          const char       *name)
{
  JS::RootedValue value (cx);
  JS::RootedString string (cx);

  if (!JS_GetProperty (cx, object, name, &value))
    JS_ClearPendingException (cx);
  if (!value.isString () || JS_GetStringLength (value.toString ()) == 0)
    return NULL;

  string = value.toString ();
  return malt_gjs_text_escape (cx, string);
}

static int
get_number (JSContext        *cx,
            JS::HandleObject  object,
            const char       *name)
{
  JS::RootedValue value (cx);

  if (!JS_GetProperty (cx, object, name, &value))
    JS_ClearPendingException (cx);

  return value.isInt32 () ? value.toInt32 () : 0;
}

static bool
append_json_cb (const char16_t *chars,
                uint32_t        length,
                void           *data)
{
  g_autofree char *part = g_utf16_to_utf8 ((const gunichar2 *) chars, length, NULL, NULL, NULL);

  if (part != NULL)
    g_string_append ((GString *) data, part);
  return part != NULL;
}

/* An object as JSON, or %NULL where it has no such form; no exception. */
static char *
to_json (JSContext       *cx,
         JS::HandleValue  value)
{
  GString *text = g_string_new (NULL);
  JS::RootedValue written (cx, value);

  if (JS_Stringify (cx, &written, nullptr, JS::UndefinedHandleValue, append_json_cb, text))
    return g_string_free (text, FALSE);

  JS_ClearPendingException (cx);
  g_string_free (text, TRUE);
  return NULL;
}

/* Any value as a text. */
static char *
to_text (JSContext       *cx,
         JS::HandleValue  value)
{
  JS::RootedString string (cx);
  g_autofree char *json = NULL;
  char *text = NULL;

  if (value.isSymbol ())
    return g_strdup ("a symbol");

  string = JS::ToString (cx, value);
  if (string)
    text = malt_gjs_text_escape (cx, string);
  JS_ClearPendingException (cx);

  /* What is only this says more as JSON. */
  if (g_strcmp0 (text, "[object Object]") == 0 && (json = to_json (cx, value)) != NULL)
    {
      g_free (text);
      text = (char *) g_steal_pointer (&json);
    }

  return text != NULL ? text : g_strdup ("<no text>");
}

/* The name of an error, or of its class where that has not given it one. */
static char *
get_type (JSContext        *cx,
          JS::HandleObject  object)
{
  g_autofree char *name = get_text (cx, object, "name");
  g_autofree char *class_name = NULL;
  JS::RootedValue constructor (cx);
  JS::RootedObject constructor_object (cx);

  if (name != NULL && !g_str_equal (name, "Error"))
    return (char *) g_steal_pointer (&name);

  if (!JS_GetProperty (cx, object, "constructor", &constructor))
    JS_ClearPendingException (cx);
  if (constructor.isObject ())
    {
      constructor_object = &constructor.toObject ();
      class_name = get_text (cx, constructor_object, "name");
    }

  /* GJS calls that of an error of GLib's "Gio_IOErrorEnum". */
  if (class_name != NULL && name == NULL && strchr (class_name, '_') != NULL)
    *strchr (class_name, '_') = '.';

  return class_name != NULL ? (char *) g_steal_pointer (&class_name) :
         name != NULL ? (char *) g_steal_pointer (&name) : g_strdup ("Error");
}

static gboolean
is_error (JSContext        *cx,
          JS::HandleObject  object)
{
  js::ESClass builtin;
  g_autofree char *stack = NULL;

  if (!JS::GetBuiltinClass (cx, object, &builtin))
    {
      JS_ClearPendingException (cx);
      return FALSE;
    }
  if (builtin == js::ESClass::Error)
    return TRUE;

  /* One of GLib's, of which those that its own functions have made know no stack. */
  if (g_str_equal (JS::GetClass (object)->name, "GLib_Error"))
    return TRUE;

  /* What was derived from an error in the old way. */
  stack = get_text (cx, object, "stack");
  return stack != NULL;
}

/* Without the lines that are none of the code's. */
static void
append_stack (GString    *text,
              const char *stack)
{
  g_auto (GStrv) lines = g_strsplit (stack, "\n", -1);
  gsize i;

  for (i = 0; lines[i] != NULL; i++)
    if (*lines[i] != '\0' && strstr (lines[i], "@" MALT_GJS_GLUE_FILE ":") == NULL)
      g_string_append_printf (text, "\n%s", lines[i]);
}

/* Whether source could not be compiled; JSON.parse() throws such errors, too. */
static gboolean
is_of_source (JSContext        *cx,
              JS::HandleObject  object,
              const char       *message)
{
  g_autofree char *name = get_text (cx, object, "name");

  return g_strcmp0 (name, "SyntaxError") == 0 && !g_str_has_prefix (message, "JSON.parse: ");
}

/* The message of an error.  Where no code of it has run, so that there is no stack, it says
 * where it is. */
static char *
get_message (JSContext        *cx,
             JS::HandleObject  object)
{
  g_autofree char *message = get_text (cx, object, "message");
  g_autofree char *file = NULL;
  int line;

  if (message == NULL)
    message = g_strdup ("");
  if (!is_of_source (cx, object, message))
    return (char *) g_steal_pointer (&message);

  file = get_text (cx, object, "fileName");
  line = get_number (cx, object, "lineNumber");
  if (file == NULL || line == 0)
    return (char *) g_steal_pointer (&message);

  return g_strdup_printf ("%s (%s, line %d, column %d)", message, file, line,
                          malt_gjs_evaluate_column (get_number (cx, object, "columnNumber")));
}

/* What caused an error.  FALSE, and no exception, if nothing did. */
static bool
get_cause (JSContext              *cx,
           JS::HandleObject        object,
           JS::MutableHandleValue  cause)
{
  bool has_cause = false;

  if (JS_HasOwnProperty (cx, object, "cause", &has_cause) && has_cause && JS_GetProperty (cx, object, "cause", cause))
    return true;

  JS_ClearPendingException (cx);
  return false;
}

static void append_error (JSContext              *cx,
                          GString                *text,
                          JS::HandleObject        object,
                          JS::RootedObjectVector &chain);

/* What another error was made of; @chain are those that it is a part of. */
static void
append_part (JSContext              *cx,
             GString                *text,
             JS::HandleValue         part,
             JS::RootedObjectVector &chain)
{
  g_autofree char *part_text = NULL;
  JS::RootedObject object (cx);
  gsize i;

  if (part.isObject ())
    object = &part.toObject ();
  for (i = 0; i < chain.length (); i++)
    if (chain[i] == object)
      {
        g_string_append (text, "an error that is above");
        return;
      }

  if (object && is_error (cx, object))
    {
      append_error (cx, text, object, chain);
      return;
    }

  part_text = to_text (cx, part);
  g_string_append (text, part_text);
}

/* The errors of an AggregateError. */
static void
append_aggregated (JSContext              *cx,
                   GString                *text,
                   JS::HandleObject        object,
                   JS::RootedObjectVector &chain)
{
  JS::RootedValue value (cx);
  JS::RootedObject errors (cx);
  guint32 i, length;
  bool is_array;

  if (!JS_GetProperty (cx, object, "errors", &value) || !value.isObject () ||
      !JS::IsArrayObject (cx, value, &is_array) || !is_array)
    {
      JS_ClearPendingException (cx);
      return;
    }

  errors = &value.toObject ();
  if (!JS::GetArrayLength (cx, errors, &length))
    length = 0;
  for (i = 0; i < MIN (length, MAX_AGGREGATED); i++)
    {
      g_string_append_printf (text, "\nError %u of %u: ", i + 1, length);
      if (!JS_GetElement (cx, errors, i, &value))
        {
          JS_ClearPendingException (cx);
          value.setUndefined ();
        }
      append_part (cx, text, value, chain);
    }
}

/* An error, those that it stands for, and what it was caused by; @chain are those that it is a
 * part of. */
static void
append_error (JSContext              *cx,
              GString                *text,
              JS::HandleObject        object,
              JS::RootedObjectVector &chain)
{
  g_autofree char *type = get_type (cx, object);
  g_autofree char *message = get_message (cx, object);
  g_autofree char *stack = get_text (cx, object, "stack");
  JS::RootedValue cause (cx);

  g_string_append_printf (text, "%s%s%s", type, *message != '\0' ? ": " : "", message);
  if (stack != NULL)
    append_stack (text, stack);

  if (chain.length () == MAX_CAUSES || text->len > MAX_TRACEBACK || !chain.append (object))
    return;

  if (g_str_equal (type, "AggregateError"))
    append_aggregated (cx, text, object, chain);
  if (get_cause (cx, object, &cause))
    {
      g_string_append (text, "\nCaused by: ");
      append_part (cx, text, cause, chain);
    }
  chain.popBack ();
}

/* Where something was thrown that does not know that itself. */
static char *
describe_place (JSContext        *cx,
                JS::HandleObject  stack)
{
  JS::RootedString string (cx);

  if (!stack)
    return NULL;

  if (!JS::BuildStackString (cx, nullptr, stack, &string) || !string)
    {
      JS_ClearPendingException (cx);
      return NULL;
    }

  return malt_gjs_text_escape (cx, string);
}

/* Without memory SpiderMonkey throws this text in the place of an error. */
static bool
is_out_of_memory (JSContext       *cx,
                  JS::HandleValue  thrown)
{
  bool is_equal = false;

  return thrown.isString () && JS_StringEqualsLiteral (cx, thrown.toString (), "out of memory", &is_equal) && is_equal;
}

/* The exception of an interrupt is told from others by its identity: an async function may
 * have passed it on to a promise, in which it comes back in another run. */
static MaltError
get_code (MaltGjsEngine *engine,
          JSObject      *thrown)
{
  return thrown == engine->interruption ? MALT_ERROR_INTERRUPTED : MALT_ERROR_REMOTE;
}

static GError *
new_error (MaltGjsEngine    *engine,
           JS::HandleValue   thrown,
           JS::HandleObject  stack)
{
  JSContext *cx = engine->cx;
  g_autofree char *type = NULL;
  g_autofree char *message = NULL;
  g_autofree char *place = NULL;
  GString *traceback = g_string_new (NULL);
  JS::RootedObject object (cx);
  JS::RootedObjectVector chain (cx);
  MaltError code = MALT_ERROR_REMOTE;
  GError *error;

  if (thrown.isObject ())
    object = &thrown.toObject ();

  if (object && is_error (cx, object))
    {
      code = get_code (engine, object);
      type = get_type (cx, object);
      message = get_message (cx, object);
      append_error (cx, traceback, object, chain);
    }
  else
    {
      type = g_strdup (is_out_of_memory (cx, thrown) ? "InternalError" : JS::InformalValueTypeName (thrown));
      message = to_text (cx, thrown);
      place = describe_place (cx, stack);
      g_string_append_printf (traceback, "%s: %s", type, message);
      if (place != NULL)
        append_stack (traceback, place);
    }

  error = malt_remote_error_new (code, type, message, traceback->str);
  g_string_free (traceback, TRUE);
  return error;
}

/* The error for something that was thrown. */
GError *
malt_gjs_error_new (MaltGjsEngine   *engine,
                    JS::HandleValue  thrown)
{
  return new_error (engine, thrown, nullptr);
}

/* Takes the exception.  Code that was ended without one cannot say more. */
GError *
malt_gjs_error_take (MaltGjsEngine *engine)
{
  JSContext *cx = engine->cx;
  JS::ExceptionStack exception (cx);
  JS::RootedValue thrown (cx);
  JS::RootedObject stack (cx);

  if (!JS_IsExceptionPending (cx) && engine->was_cut_off)
    return malt_remote_error_new (MALT_ERROR_INTERRUPTED, "InterruptedError", "interrupted, and out of memory", NULL);
  if (!JS_IsExceptionPending (cx))
    return malt_remote_error_new (MALT_ERROR_REMOTE, "Error", "the code was ended without an exception", NULL);

  if (JS::StealPendingExceptionStack (cx, &exception))
    {
      thrown = exception.exception ();
      stack = exception.stack ();
    }
  else
    {
      JS_ClearPendingException (cx);
      thrown.setUndefined ();
    }

  return new_error (engine, thrown, stack);
}

/* Takes the exception, as a message alone. */
char *
malt_gjs_error_message (JSContext *cx)
{
  JS::RootedValue thrown (cx);
  JS::RootedObject object (cx);

  if (!JS_GetPendingException (cx, &thrown))
    return g_strdup ("no memory");
  JS_ClearPendingException (cx);
  if (!thrown.isObject ())
    return to_text (cx, thrown);

  object = &thrown.toObject ();
  return get_message (cx, object);
}
