/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-gjs-from-variant.h"

#include <string.h>

#include <js/Array.h>
#include <js/BigInt.h>
#include <js/MapAndSet.h>
#include <js/PropertyAndElement.h>
#include <js/experimental/TypedData.h>
#include <js/friend/StackLimits.h>

#include "malt-gjs-compat.h"
#include "malt-gjs-dictionary.h"
#include "malt-gjs-text.h"

/* GVariants as JavaScript's values; see docs/values.md.
 *
 * Everything here returns false with an exception if there is no memory, no room on the
 * stack, or if the value has no form.  No code of the user's is called. */

/* The whole numbers that a number of JavaScript's can hold, all of them. */
#define MAX_SAFE_INTEGER ((gint64) 9007199254740991)

static bool
from_int64 (JSContext              *cx,
            gint64                  number,
            JS::MutableHandleValue  result)
{
  JS::BigInt *large;

  if (number >= -MAX_SAFE_INTEGER && number <= MAX_SAFE_INTEGER)
    {
      result.set (JS::NumberValue ((double) number));
      return true;
    }

  large = JS::NumberToBigInt (cx, number);
  if (large != nullptr)
    result.setBigInt (large);
  return large != nullptr;
}

static bool
from_uint64 (JSContext              *cx,
             guint64                 number,
             JS::MutableHandleValue  result)
{
  JS::BigInt *large;

  if (number <= MAX_SAFE_INTEGER)
    return from_int64 (cx, (gint64) number, result);

  large = JS::NumberToBigInt (cx, number);
  if (large != nullptr)
    result.setBigInt (large);
  return large != nullptr;
}

static bool
from_characters (JSContext              *cx,
                 const char             *text,
                 gsize                   size,
                 JS::MutableHandleValue  result)
{
  JSString *string = malt_gjs_text_new (cx, text, (gssize) size);

  if (string != nullptr)
    result.setString (string);
  return string != nullptr;
}

static bool
from_text (JSContext              *cx,
           GVariant               *value,
           JS::MutableHandleValue  result)
{
  gsize size;
  const char *text = g_variant_get_string (value, &size);

  return from_characters (cx, text, size, result);
}

/* A buffer with the bytes of the value, which are copied once. */
static JSObject *
new_buffer (JSContext *cx,
            GVariant  *value,
            gsize     *size)
{
  void *contents;

  *size = g_variant_get_size (value);
  if (*size == 0)
    return JS::NewArrayBuffer (cx, 0);

  contents = JS_malloc (cx, *size);
  if (contents == NULL)
    {
      JS_ReportOutOfMemory (cx);
      return nullptr;
    }
  memcpy (contents, g_variant_get_data (value), *size);

  return malt_gjs_new_array_buffer (cx, *size, contents);
}

static bool
from_numbers (JSContext              *cx,
              GVariant               *value,
              JS::MutableHandleValue  result)
{
  JS::RootedObject buffer (cx);
  JSObject *array;
  gsize size;

  buffer = new_buffer (cx, value, &size);
  if (!buffer)
    return false;

  switch (g_variant_get_type_string (value)[1])
    {
    case 'n':
      array = JS_NewInt16ArrayWithBuffer (cx, buffer, 0, (int64_t) (size / 2));
      break;
    case 'q':
      array = JS_NewUint16ArrayWithBuffer (cx, buffer, 0, (int64_t) (size / 2));
      break;
    case 'i':
      array = JS_NewInt32ArrayWithBuffer (cx, buffer, 0, (int64_t) (size / 4));
      break;
    case 'u':
      array = JS_NewUint32ArrayWithBuffer (cx, buffer, 0, (int64_t) (size / 4));
      break;
    case 'y':
    default:
      array = JS_NewUint8ArrayWithBuffer (cx, buffer, 0, (int64_t) size);
    }

  if (array != nullptr)
    result.setObject (*array);
  return array != nullptr;
}

/* The elements of an array or tuple. */
static bool
from_children (JSContext             *cx,
               GVariant              *value,
               JS::RootedValueVector &result)
{
  gsize n = g_variant_n_children (value);
  gsize i;

  if (!result.resize (n))
    {
      JS_ReportOutOfMemory (cx);
      return false;
    }

  for (i = 0; i < n; i++)
    {
      g_autoptr (GVariant) child = g_variant_get_child_value (value, i);

      if (!malt_gjs_from_variant (cx, child, result[i]))
        return false;
    }

  return true;
}

/* The same, of arrays whose elements lie there as C has them. */
static bool
from_fixed (JSContext             *cx,
            GVariant              *value,
            JS::RootedValueVector &result)
{
  const char type = g_variant_get_type_string (value)[1];
  gsize n, i;
  gconstpointer data = g_variant_get_fixed_array (value, &n, type == 'b' ? 1 : 8);

  if (!result.resize (n))
    {
      JS_ReportOutOfMemory (cx);
      return false;
    }

  for (i = 0; i < n; i++)
    switch (type)
      {
      case 'b':
        result[i].setBoolean (((const guint8 *) data)[i] != 0);
        break;
      case 'd':
        result[i].set (JS::CanonicalizedDoubleValue (((const double *) data)[i]));
        break;
      case 'x':
        if (!from_int64 (cx, ((const gint64 *) data)[i], result[i]))
          return false;
        break;
      case 't':
      default:
        if (!from_uint64 (cx, ((const guint64 *) data)[i], result[i]))
          return false;
      }

  return true;
}

/* The name of a property. */
static bool
key_to_id (JSContext            *cx,
           const char           *text,
           gsize                 size,
           JS::MutableHandleId   id)
{
  JS::RootedString key (cx);
  gsize i;

  for (i = 0; i < size && (text[i] & 0x80) == 0; i++)
    continue;

  key = i == size ? JS_AtomizeStringN (cx, text, size) : malt_gjs_text_new (cx, text, (gssize) size);
  return key && JS_StringToId (cx, key, id);
}

/* The value of an entry. */
static bool
from_entry (JSContext                    *cx,
            GVariant                     *dictionary,
            gsize                         i,
            const MaltGjsDictionaryEntry *entry,
            JS::MutableHandleValue        result)
{
  g_autoptr (GVariant) child = NULL;
  g_autoptr (GVariant) value = NULL;
  gint64 whole;
  double number;

  switch (entry->type)
    {
    case 'b':
      result.setBoolean (*entry->value != 0);
      return true;
    case 'd':
      memcpy (&number, entry->value, sizeof number);
      result.set (JS::CanonicalizedDoubleValue (number));
      return true;
    case 'x':
      memcpy (&whole, entry->value, sizeof whole);
      return from_int64 (cx, whole, result);
    case 's':
      return from_characters (cx, (const char *) entry->value, entry->value_size - 1, result);
    default:
      child = g_variant_get_child_value (dictionary, i);
      value = g_variant_get_child_value (child, 1);
      return malt_gjs_from_variant (cx, value, result);
    }
}

/* A dictionary of variants with texts as keys. */
static bool
from_variants (JSContext               *cx,
               MaltGjsDictionaryReader *reader,
               JS::MutableHandleValue   result)
{
  JS::RootedObject object (cx, JS_NewPlainObject (cx));
  JS::RootedValue member (cx);
  JS::RootedId id (cx);
  gsize i;

  if (!object)
    return false;

  for (i = 0; i < reader->n; i++)
    {
      MaltGjsDictionaryEntry entry;

      malt_gjs_dictionary_reader_get (reader, i, &entry);
      if (!key_to_id (cx, entry.key, entry.key_size, &id) || !from_entry (cx, reader->value, i, &entry, &member) ||
          !JS_DefinePropertyById (cx, object, id, member, JSPROP_ENUMERATE))
        return false;
    }

  result.setObject (*object);
  return true;
}

/* A dictionary with texts as keys. */
static bool
from_object (JSContext              *cx,
             GVariant               *value,
             JS::MutableHandleValue  result)
{
  JS::RootedObject object (cx, JS_NewPlainObject (cx));
  JS::RootedValue member (cx);
  JS::RootedId id (cx);
  MaltGjsDictionaryReader reader;
  gsize n = g_variant_n_children (value);
  gsize i;

  if (malt_gjs_dictionary_reader_init (&reader, value))
    return from_variants (cx, &reader, result);
  if (!object)
    return false;

  for (i = 0; i < n; i++)
    {
      g_autoptr (GVariant) entry = g_variant_get_child_value (value, i);
      g_autoptr (GVariant) name = g_variant_get_child_value (entry, 0);
      g_autoptr (GVariant) child = g_variant_get_child_value (entry, 1);
      gsize size;
      const char *text = g_variant_get_string (name, &size);

      if (!key_to_id (cx, text, size, &id) || !malt_gjs_from_variant (cx, child, &member) ||
          !JS_DefinePropertyById (cx, object, id, member, JSPROP_ENUMERATE))
        return false;
    }

  result.setObject (*object);
  return true;
}

/* A dictionary with other keys. */
static bool
from_map (JSContext              *cx,
          GVariant               *value,
          JS::MutableHandleValue  result)
{
  JS::RootedObject map (cx, JS::NewMapObject (cx));
  JS::RootedValue key (cx), member (cx);
  gsize n = g_variant_n_children (value);
  gsize i;

  if (!map)
    return false;

  for (i = 0; i < n; i++)
    {
      g_autoptr (GVariant) entry = g_variant_get_child_value (value, i);
      g_autoptr (GVariant) name = g_variant_get_child_value (entry, 0);
      g_autoptr (GVariant) child = g_variant_get_child_value (entry, 1);

      if (!malt_gjs_from_variant (cx, name, &key) || !malt_gjs_from_variant (cx, child, &member) ||
          !JS::MapSet (cx, map, key, member))
        return false;
    }

  result.setObject (*map);
  return true;
}

static bool
make_array (JSContext                  *cx,
            const JS::HandleValueArray &elements,
            JS::MutableHandleValue      result)
{
  JSObject *array = JS::NewArrayObject (cx, elements);

  if (array != nullptr)
    result.setObject (*array);
  return array != nullptr;
}

static bool
from_array (JSContext              *cx,
            GVariant               *value,
            JS::MutableHandleValue  result)
{
  const char *type = g_variant_get_type_string (value);
  JS::RootedValueVector elements (cx);

  switch (type[1])
    {
    case 'y':
    case 'n':
    case 'q':
    case 'i':
    case 'u':
      return from_numbers (cx, value, result);

    case '{':
      return (strchr ("sog", type[2]) != NULL ? from_object : from_map) (cx, value, result);

    case 'b':
    case 'd':
    case 'x':
    case 't':
      if (!from_fixed (cx, value, elements))
        return false;
      break;

    default:
      if (!from_children (cx, value, elements))
        return false;
    }

  return make_array (cx, elements, result);
}

static bool
from_tuple (JSContext              *cx,
            GVariant               *value,
            JS::MutableHandleValue  result)
{
  JS::RootedValueVector elements (cx);

  if (!from_children (cx, value, elements))
    return false;

  return make_array (cx, elements, result);
}

static bool
from_inside (JSContext              *cx,
             GVariant               *value,
             JS::MutableHandleValue  result)
{
  g_autoptr (GVariant) child = NULL;

  if (g_variant_n_children (value) == 0)
    {
      result.setNull ();
      return true;
    }

  child = g_variant_get_child_value (value, 0);
  return malt_gjs_from_variant (cx, child, result);
}

/* What a value is in JavaScript. */
bool
malt_gjs_from_variant (JSContext              *cx,
                       GVariant               *value,
                       JS::MutableHandleValue  result)
{
  js::AutoCheckRecursionLimit recursion (cx);

  if (!recursion.check (cx))
    return false;

  switch (g_variant_classify (value))
    {
    case G_VARIANT_CLASS_BOOLEAN:
      result.setBoolean (g_variant_get_boolean (value));
      return true;
    case G_VARIANT_CLASS_BYTE:
      result.setInt32 (g_variant_get_byte (value));
      return true;
    case G_VARIANT_CLASS_INT16:
      result.setInt32 (g_variant_get_int16 (value));
      return true;
    case G_VARIANT_CLASS_UINT16:
      result.setInt32 (g_variant_get_uint16 (value));
      return true;
    case G_VARIANT_CLASS_INT32:
      result.setInt32 (g_variant_get_int32 (value));
      return true;
    case G_VARIANT_CLASS_UINT32:
      result.setNumber (g_variant_get_uint32 (value));
      return true;
    case G_VARIANT_CLASS_INT64:
      return from_int64 (cx, g_variant_get_int64 (value), result);
    case G_VARIANT_CLASS_UINT64:
      return from_uint64 (cx, g_variant_get_uint64 (value), result);
    case G_VARIANT_CLASS_DOUBLE:
      result.set (JS::CanonicalizedDoubleValue (g_variant_get_double (value)));
      return true;
    case G_VARIANT_CLASS_STRING:
    case G_VARIANT_CLASS_OBJECT_PATH:
    case G_VARIANT_CLASS_SIGNATURE:
      return from_text (cx, value, result);
    case G_VARIANT_CLASS_ARRAY:
      return from_array (cx, value, result);
    case G_VARIANT_CLASS_TUPLE:
    case G_VARIANT_CLASS_DICT_ENTRY:
      return from_tuple (cx, value, result);
    case G_VARIANT_CLASS_VARIANT:
    case G_VARIANT_CLASS_MAYBE:
      return from_inside (cx, value, result);
    case G_VARIANT_CLASS_HANDLE:
    default:
      JS_ReportErrorUTF8 (cx, "a value of the type '%s' has no form in JavaScript", g_variant_get_type_string (value));
      return false;
    }
}

/* The members of a tuple. */
bool
malt_gjs_from_arguments (JSContext             *cx,
                         GVariant              *arguments,
                         JS::RootedValueVector &result)
{
  return arguments == NULL || from_children (cx, arguments, result);
}
