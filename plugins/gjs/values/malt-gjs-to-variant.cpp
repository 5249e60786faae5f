/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-gjs-to-variant.h"

#include <math.h>

#include <js/Array.h>
#include <js/BigInt.h>
#include <js/Date.h>
#include <js/Object.h>
#include <js/PropertyAndElement.h>

#include "malt-gjs-buffer.h"
#include "malt-gjs-conversion.h"
#include "malt-gjs-depth.h"
#include "malt-gjs-text.h"

/* JavaScript's values as GVariants; see docs/values.md.
 *
 * Single values and objects are here; what is made of others is in
 * malt-gjs-containers-to-variant.cpp. */

/* Counts values that are about to be converted.  FALSE if there are too many. */
bool
malt_gjs_count_values (MaltGjsConversion  *self,
                       gsize               n,
                       const MaltGjsPlace *place)
{
  gsize before = self->n_values;

  self->n_values += n;
  if (self->n_values > MALT_GJS_MAX_VALUES)
    {
      malt_gjs_place_fail (place, self->error, "cannot convert more than %u values", MALT_GJS_MAX_VALUES);
      return false;
    }

  return before / MALT_GJS_VALUES_IN_A_ROW == self->n_values / MALT_GJS_VALUES_IN_A_ROW || JS_CheckForInterrupt (self->cx);
}

/* Single values. */

bool
malt_gjs_is_whole (double number)
{
  return number == trunc (number) && fabs (number) <= MALT_GJS_MAX_SAFE_INTEGER && !(number == 0 && signbit (number));
}

static GVariant *
convert_number (double number)
{
  return malt_gjs_is_whole (number) ? g_variant_new_int64 ((gint64) number) : g_variant_new_double (number);
}

static GVariant *
convert_bigint (MaltGjsConversion  *self,
                JS::BigInt         *number,
                const MaltGjsPlace *place)
{
  int64_t is_signed;
  uint64_t is_unsigned;

  if (JS::BigIntFits (number, &is_signed))
    return g_variant_new_int64 (is_signed);
  if (JS::BigIntFits (number, &is_unsigned))
    return g_variant_new_uint64 (is_unsigned);

  malt_gjs_place_fail (place, self->error, "cannot convert a BigInt of more than 64 bits");
  return NULL;
}

char *
malt_gjs_convert_text (MaltGjsConversion  *self,
                       JSString           *string,
                       const char         *what,
                       gsize              *size,
                       const MaltGjsPlace *place)
{
  JS::RootedString rooted (self->cx, string);
  MaltGjsFlaw flaw;
  gsize where;
  char *text = malt_gjs_text_to_utf8 (self->cx, rooted, size, &flaw, &where);

  if (text == NULL && flaw != MALT_GJS_TEXT_SOUND)
    malt_gjs_place_fail (place, self->error, "cannot convert %s with %s, at %" G_GSIZE_FORMAT, what,
                         flaw == MALT_GJS_TEXT_NUL ? "a NUL character" : "a lone surrogate", where);
  return text;
}

GVariant *
malt_gjs_convert_string (MaltGjsConversion  *self,
                         JSString           *string,
                         const MaltGjsPlace *place)
{
  gsize size;
  char *text = malt_gjs_convert_text (self, string, "a string", &size, place);

  return text != NULL ? g_variant_new_take_string (text) : NULL;
}

/* What is nothing is a maybe of anything. */
static GVariant *
convert_nothing (MaltGjsConversion  *self,
                 const MaltGjsPlace *place)
{
  if (!malt_gjs_depth_reach (self, MALT_GJS_DEPTH_OF_NOTHING, place))
    return NULL;

  return g_variant_new_maybe (G_VARIANT_TYPE_VARIANT, NULL);
}

/* Objects that have no form. */

/* The name of a function or constructor; %NULL if it has none. */
static char *
name_of (JSContext        *cx,
         JS::HandleObject  object)
{
  JS::RootedValue name (cx);
  JS::RootedString string (cx);

  if (!JS_GetProperty (cx, object, "name", &name))
    JS_ClearPendingException (cx);
  if (!name.isString () || JS_GetStringLength (name.toString ()) == 0)
    return NULL;

  string = name.toString ();
  return malt_gjs_text_escape (cx, string);
}

static char *
describe (JSContext        *cx,
          JS::HandleObject  object)
{
  g_autofree char *name = NULL;
  JS::RootedValue constructor (cx);
  JS::RootedObject rooted (cx);

  if (JS::IsCallable (object))
    {
      name = name_of (cx, object);
      return name != NULL ? g_strdup_printf ("the function '%s'", name) : g_strdup ("a function");
    }

  if (!JS_GetProperty (cx, object, "constructor", &constructor))
    JS_ClearPendingException (cx);
  if (constructor.isObject ())
    {
      rooted = &constructor.toObject ();
      name = name_of (cx, rooted);
    }
  /* Namespaces, the global object, Math and the like are made by no constructor of their own. */
  if (g_strcmp0 (name, "Object") == 0)
    g_clear_pointer (&name, g_free);

  return g_strdup_printf ("an object of the class '%s'", name != NULL ? name : JS::GetClass (object)->name);
}

static GVariant *
refuse (MaltGjsConversion  *self,
        JS::HandleObject    object,
        const MaltGjsPlace *place)
{
  g_autofree char *what = describe (self->cx, object);

  malt_gjs_place_fail (place, self->error, "cannot convert %s", what);
  return NULL;
}

/* Objects of GLib's. */

/* Calls a method without arguments that gives an object. */
static bool
call_method (JSContext              *cx,
             JS::HandleObject        object,
             const char             *name,
             JS::MutableHandleValue  result)
{
  return JS_CallFunctionName (cx, object, name, JS::HandleValueArray::empty (), result);
}

/* The GType of a boxed object, or %NULL. */
static char *
gtype_of (JSContext        *cx,
          JS::HandleObject  object)
{
  JS::RootedValue value (cx);
  JS::RootedObject step (cx, object);
  JS::RootedString string (cx);

  if (!JS_GetProperty (cx, step, "constructor", &value) || !value.isObject ())
    return NULL;
  step = &value.toObject ();
  if (!JS_GetProperty (cx, step, "$gtype", &value) || !value.isObject ())
    return NULL;
  step = &value.toObject ();
  if (!JS_GetProperty (cx, step, "name", &value) || !value.isString ())
    return NULL;

  string = value.toString ();
  return malt_gjs_text_escape (cx, string);
}

/* The bytes of a GLib.Bytes, as an array of bytes.  FALSE with an exception. */
static bool
get_bytes (JSContext               *cx,
           JS::HandleObject         bytes,
           JS::MutableHandleObject  array)
{
  JS::RootedValue value (cx);

  if (!call_method (cx, bytes, "toArray", &value))
    return false;
  if (!value.isObject () || !malt_gjs_is_buffer (&value.toObject ()))
    {
      JS_ReportErrorASCII (cx, "GLib.Bytes.toArray() gave no array");
      return false;
    }

  array.set (&value.toObject ());
  return true;
}

/* A GLib.Variant is what it is. */
static GVariant *
convert_variant (MaltGjsConversion  *self,
                 JS::HandleObject    object,
                 const MaltGjsPlace *place)
{
  JS::RootedValue value (self->cx);
  JS::RootedString type (self->cx);
  JS::RootedObject bytes (self->cx), array (self->cx);
  g_autoptr (GVariant) data = NULL;
  g_autoptr (GBytes) content = NULL;
  g_autofree char *type_string = NULL;
  GVariant *variant;

  if (!call_method (self->cx, object, "get_type_string", &value) || !value.isString ())
    return NULL;
  type = value.toString ();
  type_string = malt_gjs_text_escape (self->cx, type);

  if (type_string == NULL || !g_variant_type_string_is_valid (type_string) ||
      !call_method (self->cx, object, "get_data_as_bytes", &value) || !value.isObject ())
    return NULL;
  bytes = &value.toObject ();
  if (!get_bytes (self->cx, bytes, &array))
    return NULL;

  data = g_variant_ref_sink (malt_gjs_buffer_to_variant (array, FALSE));
  content = g_variant_get_data_as_bytes (data);
  variant = g_variant_new_from_bytes (G_VARIANT_TYPE (type_string), content, FALSE);

  /* One that is sent as it is gets looked at then, and is in no place that could be told. */
  if (place != NULL && !malt_gjs_depth_measure (self, variant, place))
    g_clear_pointer (&variant, g_variant_unref);
  return variant;
}

static GVariant *
convert_boxed (MaltGjsConversion  *self,
               JS::HandleObject    object,
               const MaltGjsPlace *place)
{
  g_autofree char *gtype = gtype_of (self->cx, object);
  JS::RootedObject array (self->cx);

  if (gtype == NULL)
    JS_ClearPendingException (self->cx);
  if (g_strcmp0 (gtype, "GVariant") == 0)
    return convert_variant (self, object, place);
  if (g_strcmp0 (gtype, "GBytes") == 0)
    return malt_gjs_depth_reach (self, MALT_GJS_DEPTH_OF_ARRAY, place) && get_bytes (self->cx, object, &array)
           ? malt_gjs_buffer_to_variant (array, FALSE) : NULL;

  return refuse (self, object, place);
}

/* Objects. */

static GVariant *
convert_date (MaltGjsConversion  *self,
              JS::HandleObject    object,
              const MaltGjsPlace *place)
{
  JS::RootedValue text (self->cx);
  bool is_valid;

  if (!js::DateIsValid (self->cx, object, &is_valid))
    return NULL;
  if (!is_valid)
    {
      malt_gjs_place_fail (place, self->error, "cannot convert a Date that is none");
      return NULL;
    }
  if (!call_method (self->cx, object, "toISOString", &text))
    return NULL;

  return malt_gjs_convert (self, text, place);
}

/* An object around a number, string or truth value. */
static GVariant *
convert_unboxed (MaltGjsConversion  *self,
                 JS::HandleObject    object,
                 const MaltGjsPlace *place)
{
  JS::RootedValue value (self->cx);

  if (!call_method (self->cx, object, "valueOf", &value))
    return NULL;

  return value.isObject () ? refuse (self, object, place) : malt_gjs_convert (self, value, place);
}

/* Whether it is one of JavaScript's own, and no object of the engine's or of GJS's. */
static bool
is_plain (JSObject *object)
{
  const char *name = JS::GetClass (object)->name;

  return g_str_equal (name, "Object") || g_str_equal (name, "Proxy");
}

static GVariant *
convert_container (MaltGjsConversion  *self,
                   JS::HandleObject    object,
                   const MaltGjsPlace *place)
{
  GVariant *(* convert) (MaltGjsConversion *, JS::HandleObject, const MaltGjsPlace *);
  int n_containers = MALT_GJS_DEPTH_OF_DICTIONARY;
  js::ESClass builtin;
  GVariant *value;
  bool is_array;

  if (!JS::IsArray (self->cx, object, &is_array) || !JS::GetBuiltinClass (self->cx, object, &builtin))
    return NULL;

  if (is_array || builtin == js::ESClass::Set)
    {
      convert = is_array ? malt_gjs_convert_array : malt_gjs_convert_set;
      n_containers = MALT_GJS_DEPTH_OF_ARRAY;
    }
  else if (builtin == js::ESClass::Map)
    convert = malt_gjs_convert_map;
  else if (is_plain (object))
    convert = malt_gjs_convert_properties;
  else
    return refuse (self, object, place);

  if (!malt_gjs_depth_reach (self, n_containers, place))
    return NULL;
  self->depth += n_containers;
  value = convert (self, object, place);
  self->depth -= n_containers;
  return value;
}

static GVariant *
convert_object (MaltGjsConversion  *self,
                JS::HandleObject    object,
                const MaltGjsPlace *place)
{
  js::ESClass builtin;
  GVariant *value;
  gsize i;

  if (malt_gjs_is_buffer (object))
    {
      if (!malt_gjs_depth_reach (self, MALT_GJS_DEPTH_OF_ARRAY, place))
        return NULL;
      value = malt_gjs_buffer_to_variant (object, FALSE);
      return value != NULL ? value : refuse (self, object, place);
    }
  if (g_str_equal (JS::GetClass (object)->name, "GObject_Boxed"))
    return convert_boxed (self, object, place);
  if (JS::IsCallable (object))
    return refuse (self, object, place);

  if (!JS::GetBuiltinClass (self->cx, object, &builtin))
    return NULL;
  if (builtin == js::ESClass::Date)
    return convert_date (self, object, place);
  if (builtin == js::ESClass::Number || builtin == js::ESClass::String || builtin == js::ESClass::Boolean ||
      builtin == js::ESClass::BigInt)
    return convert_unboxed (self, object, place);

  for (i = 0; i < self->ancestors.length (); i++)
    if (self->ancestors[i] == object)
      {
        malt_gjs_place_fail (place, self->error, "cannot convert an object that contains itself");
        return NULL;
      }
  if (!self->ancestors.append (object))
    {
      JS_ReportOutOfMemory (self->cx);
      return NULL;
    }

  value = convert_container (self, object, place);
  self->ancestors.popBack ();
  return value;
}

GVariant *
malt_gjs_convert (MaltGjsConversion  *self,
                  JS::HandleValue     value,
                  const MaltGjsPlace *place)
{
  JS::RootedObject object (self->cx);

  if (!malt_gjs_count_values (self, 1, place))
    return NULL;

  if (value.isNullOrUndefined ())
    return convert_nothing (self, place);
  if (value.isNumber ())
    return convert_number (value.toNumber ());
  if (value.isBoolean ())
    return g_variant_new_boolean (value.toBoolean ());
  if (value.isString ())
    return malt_gjs_convert_string (self, value.toString (), place);
  if (value.isBigInt ())
    return convert_bigint (self, value.toBigInt (), place);
  if (value.isObject ())
    {
      object = &value.toObject ();
      return convert_object (self, object, place);
    }

  malt_gjs_place_fail (place, self->error, "cannot convert a symbol");
  return NULL;
}

/* A value as a whole.  If @share, the GVariant may refer to memory of JavaScript's, and has
 * to be read before any other JavaScript runs. */
GVariant *
malt_gjs_to_variant (JSContext        *cx,
                     JS::HandleValue   value,
                     gboolean          share,
                     GError          **error)
{
  MaltGjsConversion conversion (cx, MALT_GJS_MAX_DEPTH, error);
  JS::RootedObject object (cx);
  GVariant *array;

  if (share && value.isObject () && malt_gjs_is_buffer (&value.toObject ()))
    {
      object = &value.toObject ();
      array = malt_gjs_buffer_to_variant (object, TRUE);
      if (array != NULL)
        return array;
    }

  return malt_gjs_convert (&conversion, value, NULL);
}
