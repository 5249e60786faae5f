/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-gjs-conversion.h"

#include "malt-gjs-depth.h"
#include "malt-gjs-dictionary.h"

#include <js/Array.h>
#include <js/BigInt.h>
#include <js/Conversions.h>
#include <js/ForOfIterator.h>
#include <js/MapAndSet.h>
#include <js/PropertyAndElement.h>

/* Arrays, sets, maps and plain objects as GVariants; see docs/values.md. */

/* An array that is longer is none that anybody means. */
#define MAX_LENGTH (1u << 28)

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
    return malt_gjs_is_whole (value.toDouble ()) ? ALL_WHOLE | ALL_NUMBERS : ALL_NUMBERS;
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
list_add (MaltGjsConversion  *self,
          List               *list,
          JS::HandleValue     element,
          const MaltGjsPlace *place)
{
  gsize n = list->elements.length ();

  list->all &= classify (element);
  if (n >= MALT_GJS_MAX_VALUES && (list->all & ALL_FIXED) == 0)
    {
      malt_gjs_place_fail (place, self->error, "cannot convert more than %u values", MALT_GJS_MAX_VALUES);
      return false;
    }
  if (n % MALT_GJS_VALUES_IN_A_ROW == MALT_GJS_VALUES_IN_A_ROW - 1 && !JS_CheckForInterrupt (self->cx))
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
new_fixed (MaltGjsConversion           *self,
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
convert_texts (MaltGjsConversion           *self,
               const JS::RootedValueVector &elements,
               const MaltGjsPlace          *place)
{
  GVariantBuilder builder = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE_STRING_ARRAY);
  gsize i;

  if (!malt_gjs_count_values (self, elements.length (), place))
    return NULL;

  for (i = 0; i < elements.length (); i++)
    {
      const MaltGjsPlace inner = { place, MALT_GJS_PLACE_ITEM, i, NULL };
      GVariant *text = malt_gjs_convert_string (self, elements[i].toString (), &inner);

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
convert_mixture (MaltGjsConversion           *self,
                 const JS::RootedValueVector &elements,
                 const MaltGjsPlace          *place)
{
  g_autoptr (GPtrArray) children = g_ptr_array_new_full ((guint) elements.length (), (GDestroyNotify) g_variant_unref);
  GVariantBuilder builder = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE ("av"));
  JS::RootedValue element (self->cx);
  const GVariantType *type = NULL;
  gboolean is_same = TRUE;
  int deepest = self->deepest;
  MaltGjsPlace where = { place, MALT_GJS_PLACE_ITEM, 0, NULL }; /* of the deepest element */
  gsize i;

  self->deepest = self->depth;
  for (i = 0; i < elements.length (); i++)
    {
      const MaltGjsPlace inner = { place, MALT_GJS_PLACE_ITEM, i, NULL };
      int deepest_before = self->deepest;
      GVariant *child;

      element = elements[i];
      child = malt_gjs_convert (self, element, &inner);
      if (child == NULL)
        return NULL;

      g_ptr_array_add (children, g_variant_ref_sink (child));
      if (type == NULL)
        type = g_variant_get_type (child);
      is_same = is_same && g_variant_type_equal (type, g_variant_get_type (child));
      if (self->deepest > deepest_before)
        where.index = i;
    }

  /* Each is in a variant, which was not counted. */
  if ((type == NULL || !is_same) &&
      !malt_gjs_depth_reached (self, self->deepest + 1, self->deepest > self->depth ? &where : place))
    return NULL;
  self->deepest = MAX (self->deepest, deepest);

  if (type != NULL && is_same)
    return g_variant_new_array (type, (GVariant **) children->pdata, children->len);

  for (i = 0; i < children->len; i++)
    g_variant_builder_add (&builder, "v", (GVariant *) g_ptr_array_index (children, i));
  return g_variant_builder_end (&builder);
}

static GVariant *
convert_list (MaltGjsConversion  *self,
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

GVariant *
malt_gjs_convert_array (MaltGjsConversion  *self,
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
collect (MaltGjsConversion  *self,
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

GVariant *
malt_gjs_convert_set (MaltGjsConversion  *self,
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

/* The value of a key that has been written. */
static bool
add_value (MaltGjsConversion       *self,
           MaltGjsDictionaryWriter *dictionary,
           const char              *name,
           JS::HandleValue          value,
           const MaltGjsPlace      *place)
{
  const MaltGjsPlace inner = { place, MALT_GJS_PLACE_KEY, 0, name };
  g_autoptr (GVariant) child = NULL;
  gint64 whole;

  if (value.isInt32 ())
    {
      whole = value.toInt32 ();
      malt_gjs_dictionary_writer_basic (dictionary, 'x', &whole, sizeof whole);
      return malt_gjs_count_values (self, 1, &inner);
    }

  child = malt_gjs_convert (self, value, &inner);
  if (child == NULL)
    return false;

  malt_gjs_dictionary_writer_value (dictionary, g_variant_ref_sink (child));
  return true;
}

/* The whole.  %NULL with an exception, or as it was. */
static GVariant *
end_dictionary (MaltGjsConversion       *self,
                MaltGjsDictionaryWriter *dictionary,
                const GVariantType      *type,
                bool                     is_sound)
{
  GVariant *value = NULL;

  if (!is_sound)
    {
      malt_gjs_dictionary_writer_clear (dictionary);
      return NULL;
    }

  value = malt_gjs_dictionary_writer_end (dictionary, type);
  if (value == NULL)
    JS_ReportOutOfMemory (self->cx);
  return value;
}

static bool
add_map_entry (MaltGjsConversion       *self,
               MaltGjsDictionaryWriter *dictionary,
               gboolean                 is_text,
               JS::HandleObject         pair,
               const MaltGjsPlace      *place)
{
  JS::RootedValue key (self->cx), value (self->cx);
  g_autofree char *name = NULL;
  gsize size;

  if (!JS_GetElement (self->cx, pair, 0, &key) || !JS_GetElement (self->cx, pair, 1, &value))
    return false;

  if (!is_text)
    {
      name = g_strdup_printf ("%" G_GINT64_FORMAT, get_whole (key));
      malt_gjs_dictionary_writer_int_key (dictionary, get_whole (key));
      return add_value (self, dictionary, name, value, place);
    }

  name = malt_gjs_convert_text (self, key.toString (), "a key", &size, place);
  if (name == NULL)
    return false;
  malt_gjs_dictionary_writer_text_key (dictionary, name, size);
  return add_value (self, dictionary, name, value, place);
}

GVariant *
malt_gjs_convert_map (MaltGjsConversion  *self,
                      JS::HandleObject    object,
                      const MaltGjsPlace *place)
{
  List list (self->cx);
  const JS::RootedValueVector &pairs = list.elements;
  JS::RootedValue entries (self->cx), key (self->cx);
  JS::RootedObject pair (self->cx);
  MaltGjsDictionaryWriter dictionary;
  guint all = ALL_STRINGS | ALL_WHOLE;
  bool is_sound = true;
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

  malt_gjs_dictionary_writer_init (&dictionary);
  for (i = 0; is_sound && i < pairs.length (); i++)
    {
      pair = &pairs[i].toObject ();
      is_sound = add_map_entry (self, &dictionary, (all & ALL_STRINGS) != 0, pair, place);
    }

  return end_dictionary (self, &dictionary, (all & ALL_STRINGS) != 0 ? G_VARIANT_TYPE_VARDICT : G_VARIANT_TYPE ("a{xv}"),
                         is_sound);
}

/* The text of a property's name. */
static JSString *
name_of_id (JSContext    *cx,
            JS::HandleId  id)
{
  JS::RootedValue key (cx);

  if (id.isString ())
    return id.toString ();

  return JS_IdToValue (cx, id, &key) ? JS::ToString (cx, key) : nullptr;
}

/* The enumerable properties of its own, in their order. */
GVariant *
malt_gjs_convert_properties (MaltGjsConversion  *self,
                             JS::HandleObject    object,
                             const MaltGjsPlace *place)
{
  MaltGjsDictionaryWriter dictionary;
  JS::Rooted<JS::IdVector> ids (self->cx, JS::IdVector (self->cx));
  JS::RootedValue value (self->cx);
  JS::RootedId id (self->cx);
  JS::RootedString string (self->cx);
  bool is_sound = JS_Enumerate (self->cx, object, &ids);
  gsize i;

  malt_gjs_dictionary_writer_init (&dictionary);
  for (i = 0; is_sound && i < ids.length (); i++)
    {
      g_autofree char *name = NULL;
      gsize size;

      id = ids[i];
      string = name_of_id (self->cx, id);
      is_sound = string && (name = malt_gjs_convert_text (self, string, "a key", &size, place)) != NULL &&
                 JS_GetPropertyById (self->cx, object, id, &value);
      if (is_sound)
        {
          malt_gjs_dictionary_writer_text_key (&dictionary, name, size);
          is_sound = add_value (self, &dictionary, name, value, place);
        }
    }

  return end_dictionary (self, &dictionary, G_VARIANT_TYPE_VARDICT, is_sound);
}
