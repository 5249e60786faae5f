/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-gjs-to-variant.h"

#include <math.h>

#include <js/Array.h>
#include <js/BigInt.h>
#include <js/Date.h>
#include <js/ForOfIterator.h>
#include <js/MapAndSet.h>
#include <js/Object.h>
#include <js/PropertyAndElement.h>

#include "malt-gjs-buffer.h"
#include "malt-gjs-place.h"
#include "malt-gjs-text.h"

/* JavaScript's values as GVariants; see docs/values.md.
 *
 * Everything here returns a floating reference; or %NULL with the error of the conversion
 * set, which says where it was, or without it and with an exception, of a getter or a proxy
 * of the user's or because there is no memory. */

#define MAX_SAFE_INTEGER 9007199254740991.0

/* Containers inside each other, as for Python. */
#define MAX_DEPTH 32

/* An array that is longer is none that anybody means. */
#define MAX_LENGTH (1u << 28)

/* A value with more parts cannot cross, not counting numbers and truth values of arrays.  Here
 * it is also what keeps objects that are referred to many times from becoming as many. */
#define MAX_VALUES (1u << 22)

/* So many are converted between two looks for an interrupt. */
#define VALUES_IN_A_ROW (1u << 16)

namespace
{

struct Conversion
{
  JSContext            *cx;
  GError              **error;
  JS::RootedObjectVector ancestors; /* what the value is inside of */
  gsize                 n_values;   /* so far */

  Conversion (JSContext *cx_, GError **error_)
    : cx (cx_), error (error_), ancestors (cx_), n_values (0)
  {
  }
};

}

static GVariant *convert (Conversion         *self,
                          JS::HandleValue     value,
                          const MaltGjsPlace *place);

/* Counts values that are about to be converted.  FALSE if there are too many. */
static bool
count_values (Conversion         *self,
              gsize               n,
              const MaltGjsPlace *place)
{
  gsize before = self->n_values;

  self->n_values += n;
  if (self->n_values > MAX_VALUES)
    {
      malt_gjs_place_fail (place, self->error, "cannot convert more than %u values", MAX_VALUES);
      return false;
    }

  return before / VALUES_IN_A_ROW == self->n_values / VALUES_IN_A_ROW || JS_CheckForInterrupt (self->cx);
}

/* Single values. */

static bool
is_whole (double number)
{
  return number == trunc (number) && fabs (number) <= MAX_SAFE_INTEGER && !(number == 0 && signbit (number));
}

static GVariant *
convert_number (double number)
{
  return is_whole (number) ? g_variant_new_int64 ((gint64) number) : g_variant_new_double (number);
}

static GVariant *
convert_bigint (Conversion         *self,
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

static char *
text_of (Conversion         *self,
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

static GVariant *
convert_string (Conversion         *self,
                JSString           *string,
                const MaltGjsPlace *place)
{
  gsize size;
  char *text = text_of (self, string, "a string", &size, place);

  return text != NULL ? g_variant_new_take_string (text) : NULL;
}

/* What is nothing is a maybe of anything. */
static GVariant *
new_nothing (void)
{
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

  return g_strdup_printf ("an object of the class '%s'", name != NULL ? name : JS::GetClass (object)->name);
}

static GVariant *
refuse (Conversion         *self,
        JS::HandleObject    object,
        const MaltGjsPlace *place)
{
  g_autofree char *what = describe (self->cx, object);

  malt_gjs_place_fail (place, self->error, "cannot convert %s", what);
  return NULL;
}

/* Lists. */

/* What all elements of a list are, as bits. */
enum
{
  ALL_BOOLEANS = 1 << 0,
  ALL_STRINGS  = 1 << 1,
  ALL_WHOLE    = 1 << 2, /* numbers, and BigInts of 64 bits with sign */
  ALL_NUMBERS  = 1 << 3,
  ALL_UNSIGNED = 1 << 4, /* BigInts that need 64 bits without sign */
  ALL_FIXED    = ALL_BOOLEANS | ALL_WHOLE | ALL_NUMBERS | ALL_UNSIGNED,
};

namespace
{

struct List
{
  JS::RootedValueVector elements;
  guint                 all;

  explicit List (JSContext *cx)
    : elements (cx), all (~0u)
  {
  }
};

}

static guint
classify (JS::HandleValue value)
{
  int64_t is_signed;
  uint64_t is_unsigned;

  if (value.isInt32 ())
    return ALL_WHOLE | ALL_NUMBERS;
  if (value.isDouble ())
    return is_whole (value.toDouble ()) ? ALL_WHOLE | ALL_NUMBERS : ALL_NUMBERS;
  if (value.isString ())
    return ALL_STRINGS;
  if (value.isBoolean ())
    return ALL_BOOLEANS;
  if (value.isBigInt ())
    return JS::BigIntFits (value.toBigInt (), &is_signed) ? ALL_WHOLE :
           JS::BigIntFits (value.toBigInt (), &is_unsigned) ? ALL_UNSIGNED : 0;
  return 0;
}

/* Adds an element.  FALSE if there are too many. */
static bool
list_add (Conversion         *self,
          List               *list,
          JS::HandleValue     element,
          const MaltGjsPlace *place)
{
  gsize n = list->elements.length ();

  list->all &= classify (element);
  if (n >= MAX_VALUES && (list->all & ALL_FIXED) == 0)
    {
      malt_gjs_place_fail (place, self->error, "cannot convert more than %u values", MAX_VALUES);
      return false;
    }
  if (n % VALUES_IN_A_ROW == VALUES_IN_A_ROW - 1 && !JS_CheckForInterrupt (self->cx))
    return false;

  if (!list->elements.append (element))
    {
      JS_ReportOutOfMemory (self->cx);
      return false;
    }
  return true;
}

template <typename T, typename F>
static GVariant *
new_fixed (Conversion                  *self,
           const char                  *type,
           const JS::RootedValueVector &elements,
           F                            get)
{
  gsize n = elements.length ();
  T *data = g_try_new (T, n);
  gsize i;

  if (data == NULL)
    {
      JS_ReportOutOfMemory (self->cx);
      return NULL;
    }

  for (i = 0; i < n; i++)
    data[i] = get (elements[i]);

  return g_variant_new_from_data (G_VARIANT_TYPE (type), data, n * sizeof (T), TRUE, g_free, data);
}

static gint64
get_whole (const JS::Value &value)
{
  return value.isBigInt () ? JS::ToBigInt64 (value.toBigInt ()) : (gint64) value.toNumber ();
}

static GVariant *
convert_texts (Conversion                  *self,
               const JS::RootedValueVector &elements,
               const MaltGjsPlace          *place)
{
  GVariantBuilder builder = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE_STRING_ARRAY);
  gsize i;

  if (!count_values (self, elements.length (), place))
    return NULL;

  for (i = 0; i < elements.length (); i++)
    {
      const MaltGjsPlace inner = { place, MALT_GJS_PLACE_ITEM, i, NULL };
      GVariant *text = convert_string (self, elements[i].toString (), &inner);

      if (text == NULL)
        {
          g_variant_builder_clear (&builder);
          return NULL;
        }
      g_variant_builder_add_value (&builder, text);
    }

  return g_variant_builder_end (&builder);
}

/* Elements of any kind: an array of their type if it is the same, else of variants. */
static GVariant *
convert_mixture (Conversion                  *self,
                 const JS::RootedValueVector &elements,
                 const MaltGjsPlace          *place)
{
  g_autoptr (GPtrArray) children = g_ptr_array_new_full ((guint) elements.length (), (GDestroyNotify) g_variant_unref);
  GVariantBuilder builder = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE ("av"));
  JS::RootedValue element (self->cx);
  const GVariantType *type = NULL;
  gboolean is_same = TRUE;
  gsize i;

  for (i = 0; i < elements.length (); i++)
    {
      const MaltGjsPlace inner = { place, MALT_GJS_PLACE_ITEM, i, NULL };
      GVariant *child;

      element = elements[i];
      child = convert (self, element, &inner);
      if (child == NULL)
        return NULL;

      g_ptr_array_add (children, g_variant_ref_sink (child));
      if (type == NULL)
        type = g_variant_get_type (child);
      is_same = is_same && g_variant_type_equal (type, g_variant_get_type (child));
    }

  if (type != NULL && is_same)
    return g_variant_new_array (type, (GVariant **) children->pdata, children->len);

  for (i = 0; i < children->len; i++)
    g_variant_builder_add (&builder, "v", (GVariant *) g_ptr_array_index (children, i));
  return g_variant_builder_end (&builder);
}

static GVariant *
convert_list (Conversion         *self,
              const List         &list,
              const MaltGjsPlace *place)
{
  const JS::RootedValueVector &elements = list.elements;
  guint all = elements.length () > 0 ? list.all : 0;

  if ((all & ALL_WHOLE) != 0)
    return new_fixed<gint64> (self, "ax", elements, get_whole);
  if ((all & ALL_NUMBERS) != 0)
    return new_fixed<double> (self, "ad", elements, [] (const JS::Value &value) { return value.toNumber (); });
  if ((all & ALL_BOOLEANS) != 0)
    return new_fixed<guint8> (self, "ab", elements, [] (const JS::Value &value) { return (guint8) value.toBoolean (); });
  if ((all & ALL_UNSIGNED) != 0)
    return new_fixed<guint64> (self, "at", elements,
                               [] (const JS::Value &value) { return (guint64) JS::ToBigUint64 (value.toBigInt ()); });
  if ((all & ALL_STRINGS) != 0)
    return convert_texts (self, elements, place);

  return convert_mixture (self, elements, place);
}

static GVariant *
convert_array (Conversion         *self,
               JS::HandleObject    object,
               const MaltGjsPlace *place)
{
  List list (self->cx);
  JS::RootedValue element (self->cx);
  uint32_t length, i;

  if (!JS::GetArrayLength (self->cx, object, &length))
    return NULL;
  if (length > MAX_LENGTH)
    {
      malt_gjs_place_fail (place, self->error, "cannot convert an array of %u elements", length);
      return NULL;
    }

  for (i = 0; i < length; i++)
    if (!JS_GetElement (self->cx, object, i, &element) || !list_add (self, &list, element, place))
      return NULL;

  return convert_list (self, list, place);
}

/* What can be iterated over, as a list. */
static bool
collect (Conversion         *self,
         JS::HandleValue     iterable,
         List               *list,
         const MaltGjsPlace *place)
{
  JS::ForOfIterator iterator (self->cx);
  JS::RootedValue element (self->cx);
  bool is_done = false;

  if (!iterator.init (iterable))
    return false;

  for (;;)
    {
      if (!iterator.next (&element, &is_done))
        return false;
      if (is_done)
        return true;
      if (!list_add (self, list, element, place))
        return false;
    }
}

static GVariant *
convert_set (Conversion         *self,
             JS::HandleObject    object,
             const MaltGjsPlace *place)
{
  List list (self->cx);
  JS::RootedValue values (self->cx);

  if (!JS::SetValues (self->cx, object, &values) || !collect (self, values, &list, place))
    return NULL;

  return convert_list (self, list, place);
}

/* Dictionaries. */

/* Takes the key, if it is floating; FALSE if the value has no form. */
static bool
add_entry (Conversion         *self,
           GVariantBuilder    *builder,
           GVariant           *key,
           const char         *name,
           JS::HandleValue     value,
           const MaltGjsPlace *place)
{
  const MaltGjsPlace inner = { place, MALT_GJS_PLACE_KEY, 0, name };
  g_autoptr (GVariant) own_key = g_variant_ref_sink (key);
  GVariant *child = convert (self, value, &inner);

  if (child == NULL)
    return false;

  g_variant_builder_add_value (builder, g_variant_new_dict_entry (own_key, g_variant_new_variant (child)));
  return true;
}

static bool
add_map_entry (Conversion         *self,
               GVariantBuilder    *builder,
               gboolean            is_text,
               JS::HandleObject    pair,
               const MaltGjsPlace *place)
{
  JS::RootedValue key (self->cx), value (self->cx);
  g_autofree char *name = NULL;
  gsize size;

  if (!JS_GetElement (self->cx, pair, 0, &key) || !JS_GetElement (self->cx, pair, 1, &value))
    return false;

  if (!is_text)
    {
      name = g_strdup_printf ("%" G_GINT64_FORMAT, get_whole (key));
      return add_entry (self, builder, g_variant_new_int64 (get_whole (key)), name, value, place);
    }

  name = text_of (self, key.toString (), "a key", &size, place);
  return name != NULL && add_entry (self, builder, g_variant_new_string (name), name, value, place);
}

static GVariant *
convert_map (Conversion         *self,
             JS::HandleObject    object,
             const MaltGjsPlace *place)
{
  List list (self->cx);
  const JS::RootedValueVector &pairs = list.elements;
  JS::RootedValue entries (self->cx), key (self->cx);
  JS::RootedObject pair (self->cx);
  GVariantBuilder builder;
  guint all = ALL_STRINGS | ALL_WHOLE;
  gsize i;

  if (!JS::MapEntries (self->cx, object, &entries) || !collect (self, entries, &list, place))
    return NULL;

  for (i = 0; i < pairs.length (); i++)
    {
      pair = &pairs[i].toObject ();
      if (!JS_GetElement (self->cx, pair, 0, &key))
        return NULL;
      all &= classify (key);
    }
  if (all == 0)
    {
      malt_gjs_place_fail (place, self->error,
                           "cannot convert a Map whose keys are neither all strings nor all whole numbers of 64 bits");
      return NULL;
    }

  g_variant_builder_init (&builder, (all & ALL_STRINGS) != 0 ? G_VARIANT_TYPE_VARDICT : G_VARIANT_TYPE ("a{xv}"));
  for (i = 0; i < pairs.length (); i++)
    {
      pair = &pairs[i].toObject ();
      if (!add_map_entry (self, &builder, (all & ALL_STRINGS) != 0, pair, place))
        {
          g_variant_builder_clear (&builder);
          return NULL;
        }
    }

  return g_variant_builder_end (&builder);
}

/* The enumerable properties of its own, in their order. */
static GVariant *
convert_properties (Conversion         *self,
                    JS::HandleObject    object,
                    const MaltGjsPlace *place)
{
  GVariantBuilder builder = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE_VARDICT);
  JS::Rooted<JS::IdVector> ids (self->cx, JS::IdVector (self->cx));
  JS::RootedValue key (self->cx), value (self->cx);
  JS::RootedId id (self->cx);
  JS::RootedString string (self->cx);
  bool is_sound = JS_Enumerate (self->cx, object, &ids);
  gsize i;

  for (i = 0; is_sound && i < ids.length (); i++)
    {
      g_autofree char *name = NULL;
      gsize size;

      id = ids[i];
      is_sound = JS_IdToValue (self->cx, id, &key) && (string = JS::ToString (self->cx, key)) &&
                 (name = text_of (self, string, "a key", &size, place)) != NULL &&
                 JS_GetPropertyById (self->cx, object, id, &value) &&
                 add_entry (self, &builder, g_variant_new_string (name), name, value, place);
    }

  if (is_sound)
    return g_variant_builder_end (&builder);

  g_variant_builder_clear (&builder);
  return NULL;
}

/* Objects of GLib's. */

/* Calls a method without arguments that gives an object. */
static bool
call_method (JSContext               *cx,
             JS::HandleObject         object,
             const char              *name,
             JS::MutableHandleValue   result)
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
convert_variant (Conversion       *self,
                 JS::HandleObject  object)
{
  JS::RootedValue value (self->cx);
  JS::RootedString type (self->cx);
  JS::RootedObject bytes (self->cx), array (self->cx);
  g_autoptr (GVariant) data = NULL;
  g_autoptr (GBytes) content = NULL;
  g_autofree char *type_string = NULL;

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
  return g_variant_new_from_bytes (G_VARIANT_TYPE (type_string), content, FALSE);
}

static GVariant *
convert_boxed (Conversion         *self,
               JS::HandleObject    object,
               const MaltGjsPlace *place)
{
  g_autofree char *gtype = gtype_of (self->cx, object);
  JS::RootedObject array (self->cx);

  if (gtype == NULL)
    JS_ClearPendingException (self->cx);
  if (g_strcmp0 (gtype, "GVariant") == 0)
    return convert_variant (self, object);
  if (g_strcmp0 (gtype, "GBytes") == 0)
    return get_bytes (self->cx, object, &array) ? malt_gjs_buffer_to_variant (array, FALSE) : NULL;

  return refuse (self, object, place);
}

/* Objects. */

static GVariant *
convert_date (Conversion         *self,
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

  return convert (self, text, place);
}

/* An object around a number, string or truth value. */
static GVariant *
convert_unboxed (Conversion         *self,
                 JS::HandleObject    object,
                 const MaltGjsPlace *place)
{
  JS::RootedValue value (self->cx);

  if (!call_method (self->cx, object, "valueOf", &value))
    return NULL;

  return value.isObject () ? refuse (self, object, place) : convert (self, value, place);
}

/* Whether it is one of JavaScript's own, and no object of the engine's or of GJS's. */
static bool
is_plain (JSObject *object)
{
  const char *name = JS::GetClass (object)->name;

  return g_str_equal (name, "Object") || g_str_equal (name, "Proxy");
}

static GVariant *
convert_container (Conversion         *self,
                   JS::HandleObject    object,
                   const MaltGjsPlace *place)
{
  js::ESClass builtin;
  bool is_array;

  if (!JS::IsArray (self->cx, object, &is_array) || !JS::GetBuiltinClass (self->cx, object, &builtin))
    return NULL;

  if (is_array)
    return convert_array (self, object, place);
  if (builtin == js::ESClass::Map)
    return convert_map (self, object, place);
  if (builtin == js::ESClass::Set)
    return convert_set (self, object, place);
  if (is_plain (object))
    return convert_properties (self, object, place);
  return refuse (self, object, place);
}

static GVariant *
convert_object (Conversion         *self,
                JS::HandleObject    object,
                const MaltGjsPlace *place)
{
  js::ESClass builtin;
  GVariant *value;
  gsize i;

  if (malt_gjs_is_buffer (object))
    {
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
  if (self->ancestors.length () == MAX_DEPTH)
    {
      malt_gjs_place_fail (place, self->error, "cannot convert more than %d containers inside each other", MAX_DEPTH);
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

static GVariant *
convert (Conversion         *self,
         JS::HandleValue     value,
         const MaltGjsPlace *place)
{
  JS::RootedObject object (self->cx);

  if (!count_values (self, 1, place))
    return NULL;

  if (value.isNullOrUndefined ())
    return new_nothing ();
  if (value.isNumber ())
    return convert_number (value.toNumber ());
  if (value.isBoolean ())
    return g_variant_new_boolean (value.toBoolean ());
  if (value.isString ())
    return convert_string (self, value.toString (), place);
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
  Conversion conversion (cx, error);
  JS::RootedObject object (cx);
  GVariant *array;

  if (share && value.isObject () && malt_gjs_is_buffer (&value.toObject ()))
    {
      object = &value.toObject ();
      array = malt_gjs_buffer_to_variant (object, TRUE);
      if (array != NULL)
        return array;
    }

  return convert (&conversion, value, NULL);
}

/* Arguments, as a tuple. */
GVariant *
malt_gjs_arguments_to_variant (JSContext                   *cx,
                               const JS::HandleValueArray  &arguments,
                               GError                     **error)
{
  g_autoptr (GPtrArray) children = g_ptr_array_new_with_free_func ((GDestroyNotify) g_variant_unref);
  Conversion conversion (cx, error);
  gsize i;

  for (i = 0; i < arguments.length (); i++)
    {
      const MaltGjsPlace place = { NULL, MALT_GJS_PLACE_ARGUMENT, i, NULL };
      GVariant *child = convert (&conversion, arguments[i], &place);

      if (child == NULL)
        return NULL;
      g_ptr_array_add (children, g_variant_ref_sink (child));
    }

  return g_variant_new_tuple ((GVariant **) children->pdata, children->len);
}
