/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-gi-write.h"

#include <malt.h>

#include "malt-gi-layout.h"
#include "malt-gi-number.h"
#include "malt-gi-text.h"
#include "malt-gi-value.h"

/* All functions give a reference that is the caller's, and not a floating one. */

GVariant *
malt_gi_write_nothing (void)
{
  return g_variant_ref_sink (g_variant_new_maybe (G_VARIANT_TYPE_VARIANT, NULL));
}

/* What an array becomes that is NULL because nothing is in it. */
GVariant *
malt_gi_write_empty (const MaltGiType *array)
{
  const char *element = array->element->signature;

  return g_variant_ref_sink (g_variant_new_array (element != NULL ? G_VARIANT_TYPE (element)
                                                                  : G_VARIANT_TYPE_VARIANT, NULL, 0));
}

static GPtrArray *
new_children (gsize n)
{
  return g_ptr_array_new_full ((guint) n, (GDestroyNotify) g_variant_unref);
}

/* FALSE if @argument cannot cross. */
static gboolean
add_element (GPtrArray         *children,
             const MaltGiType  *type,
             const GIArgument  *argument,
             GError           **error)
{
  GVariant *child = malt_gi_write (type, argument, MALT_GI_NO_LENGTH, error);

  if (child == NULL)
    {
      g_prefix_error (error, "element %u: ", children->len);
      return FALSE;
    }

  g_ptr_array_add (children, child);
  return TRUE;
}

static gboolean
are_of_one_type (GPtrArray          *children,
                 const GVariantType *type)
{
  for (guint i = 0; i < children->len; i++)
    if (!g_variant_is_of_type (g_ptr_array_index (children, i), type))
      return FALSE;

  return TRUE;
}

static void
wrap (GPtrArray *children)
{
  for (guint i = 0; i < children->len; i++)
    {
      GVariant *child = g_ptr_array_index (children, i);

      children->pdata[i] = g_variant_ref_sink (g_variant_new_variant (child));
      g_variant_unref (child);
    }
}

/* An array of the type that the elements have, or of variants if they differ: a list of texts
 * of which one is NULL, or of enums of which one has no nick. */
static GVariant *
make_array (const MaltGiType *element,
            GPtrArray        *children)
{
  const GVariantType *type;

  if (element->signature != NULL && element->signature[0] != 'v')
    {
      type = G_VARIANT_TYPE (element->signature);
      if (are_of_one_type (children, type))
        return g_variant_ref_sink (g_variant_new_array (type, (GVariant **) children->pdata, children->len));
    }

  wrap (children);
  return g_variant_ref_sink (g_variant_new_array (G_VARIANT_TYPE_VARIANT,
                                                  (GVariant **) children->pdata, children->len));
}

/* How many elements a C array has. */
gsize
malt_gi_count (const MaltGiType *type,
               gconstpointer     array,
               gssize            length)
{
  const guint8 *data = array;
  gsize n = 0;

  if (array == NULL)
    return 0;
  if (length >= 0)
    return (gsize) length;
  if (type->fixed_size >= 0)
    return (gsize) type->fixed_size;

  while (!malt_gi_type_is_zero (type->element, data + n * malt_gi_type_get_stride (type->element)))
    n++;
  return n;
}

gboolean
malt_gi_array_is_sound (const MaltGiType *type,
                        GArray           *array)
{
  return g_array_get_element_size (array) == malt_gi_type_get_stride (type->element);
}

static GVariant *
write_memory (const MaltGiType  *element,
              guint8            *data,
              gsize              n,
              GError           **error)
{
  gsize stride = malt_gi_type_get_stride (element);
  g_autoptr (GPtrArray) children = NULL;

  if ((element->kind == MALT_GI_INTEGER || element->kind == MALT_GI_FLOAT) &&
      malt_gi_number_is_same (element->tag))
    return g_variant_ref_sink (g_variant_new_fixed_array (G_VARIANT_TYPE (element->signature),
                                                          data, n, stride));

  children = new_children (n);
  for (gsize i = 0; i < n; i++)
    {
      GIArgument argument;

      malt_gi_type_load (element, data + i * stride, &argument);
      if (!add_element (children, element, &argument, error))
        return NULL;
    }

  return make_array (element, children);
}

static GVariant *
write_pointers (const MaltGiType  *element,
                gpointer          *pointers,
                gsize              n,
                GError           **error)
{
  g_autoptr (GPtrArray) children = new_children (n);

  for (gsize i = 0; i < n; i++)
    {
      GIArgument argument;

      malt_gi_type_from_pointer (element, pointers[i], &argument);
      if (!add_element (children, element, &argument, error))
        return NULL;
    }

  return make_array (element, children);
}

static GVariant *
write_list (const MaltGiType  *type,
            gconstpointer      list,
            GError           **error)
{
  g_autoptr (GPtrArray) pointers = g_ptr_array_new ();

  if (type->kind == MALT_GI_LIST)
    for (const GList *link = list; link != NULL; link = link->next)
      g_ptr_array_add (pointers, link->data);
  else
    for (const GSList *link = list; link != NULL; link = link->next)
      g_ptr_array_add (pointers, link->data);

  return write_pointers (type->element, pointers->pdata, pointers->len, error);
}

/* Two rows of children, with the keys and values, become a dictionary. */
static GVariant *
make_dictionary (const MaltGiType *type,
                 GPtrArray        *keys,
                 GPtrArray        *values)
{
  const GVariantType *key_type = G_VARIANT_TYPE (type->key->signature);
  const GVariantType *value_type = NULL;
  g_autoptr (GVariantType) entry_type = NULL;
  g_autoptr (GPtrArray) entries = new_children (keys->len);

  if (type->element->signature[0] != 'v')
    value_type = G_VARIANT_TYPE (type->element->signature);
  if (value_type == NULL || !are_of_one_type (values, value_type))
    {
      wrap (values);
      value_type = G_VARIANT_TYPE_VARIANT;
    }

  for (guint i = 0; i < keys->len; i++)
    g_ptr_array_add (entries, g_variant_ref_sink (g_variant_new_dict_entry (g_ptr_array_index (keys, i),
                                                                            g_ptr_array_index (values, i))));
  entry_type = g_variant_type_new_dict_entry (key_type, value_type);

  return g_variant_ref_sink (g_variant_new_array (entry_type, (GVariant **) entries->pdata, entries->len));
}

static GVariant *
write_hash (const MaltGiType  *type,
            GHashTable        *table,
            GError           **error)
{
  g_autoptr (GPtrArray) keys = new_children (0);
  g_autoptr (GPtrArray) values = new_children (0);
  GHashTableIter iter;
  gpointer key, value;

  g_hash_table_iter_init (&iter, table);
  while (g_hash_table_iter_next (&iter, &key, &value))
    {
      GIArgument argument;

      if (key == NULL && type->key->kind != MALT_GI_INTEGER)
        {
          g_set_error_literal (error, MALT_ERROR, MALT_ERROR_SERIALIZATION, "a GHashTable with a NULL key");
          return NULL;
        }

      malt_gi_type_from_pointer (type->key, key, &argument);
      if (!add_element (keys, type->key, &argument, error))
        return NULL;
      malt_gi_type_from_pointer (type->element, value, &argument);
      if (!add_element (values, type->element, &argument, error))
        return NULL;
    }

  return make_dictionary (type, keys, values);
}

/* Unless its elements are of another size than its annotations say. */
static GVariant *
write_array (const MaltGiType  *type,
             GArray            *array,
             GError           **error)
{
  if (malt_gi_array_is_sound (type, array))
    return write_memory (type->element, (guint8 *) array->data, array->len, error);

  g_set_error (error, MALT_ERROR, MALT_ERROR_SERIALIZATION,
               "a GArray with elements of %u bytes, which cannot be %s",
               g_array_get_element_size (array), type->element->name);
  return NULL;
}

static GVariant *
write_sequence (const MaltGiType  *type,
                gpointer           data,
                gssize             length,
                GError           **error)
{
  switch ((int) type->kind)
    {
    case MALT_GI_C_ARRAY:
      return write_memory (type->element, data, malt_gi_count (type, data, length), error);
    case MALT_GI_ARRAY:
      return write_array (type, data, error);
    case MALT_GI_PTR_ARRAY:
      return write_pointers (type->element, ((GPtrArray *) data)->pdata, ((GPtrArray *) data)->len, error);
    case MALT_GI_BYTE_ARRAY:
      return write_memory (type->element, ((GByteArray *) data)->data, ((GByteArray *) data)->len, error);
    default:
      return write_list (type, data, error);
    }
}

static GVariant *
write_struct (const MaltGiType  *type,
              guint8            *data,
              GError           **error)
{
  g_autoptr (GVariantBuilder) builder = g_variant_builder_new (G_VARIANT_TYPE_VARDICT);

  for (guint i = 0; i < type->fields->len; i++)
    {
      const MaltGiField *field = &g_array_index (type->fields, MaltGiField, i);
      g_autoptr (GVariant) value = NULL;
      GIArgument argument;

      malt_gi_type_load (field->type, data + field->offset, &argument);
      value = malt_gi_write (field->type, &argument, MALT_GI_NO_LENGTH, error);
      if (value == NULL)
        {
          g_prefix_error (error, "%s: ", field->name);
          return NULL;
        }
      g_variant_builder_add (builder, "{sv}", field->name, value);
    }

  return g_variant_ref_sink (g_variant_builder_end (builder));
}

static GVariant *
take (GVariant *value)
{
  return value != NULL ? g_variant_take_ref (value) : NULL;
}

/* NULL with an error if it cannot cross. */
GVariant *
malt_gi_write (const MaltGiType  *type,
               const GIArgument  *argument,
               gssize             length,
               GError           **error)
{
  /* The empty list is NULL. */
  if (malt_gi_type_is_pointer (type) && argument->v_pointer == NULL &&
      type->kind != MALT_GI_LIST && type->kind != MALT_GI_SLIST)
    return malt_gi_write_nothing ();

  switch (type->kind)
    {
    case MALT_GI_BOOLEAN:
      return take (g_variant_new_boolean (argument->v_boolean));
    case MALT_GI_INTEGER:
    case MALT_GI_FLOAT:
      return take (malt_gi_write_number (type->tag, argument));
    case MALT_GI_UNICHAR:
      return take (malt_gi_write_unichar (argument->v_uint32, error));
    case MALT_GI_UTF8:
      return take (malt_gi_write_text (argument->v_string, error));
    case MALT_GI_FILENAME:
      return take (malt_gi_write_filename (argument->v_string));
    case MALT_GI_ENUM:
      return take (malt_gi_enum_write (type->values, malt_gi_get_integer (type->tag, argument)));
    case MALT_GI_BOXED:
      return take (type->boxed->write (argument->v_pointer, error));
    case MALT_GI_VALUE:
      return take (malt_gi_write_value (argument->v_pointer, error));
    case MALT_GI_STRUCT:
      return write_struct (type, argument->v_pointer, error);
    case MALT_GI_C_ARRAY:
    case MALT_GI_ARRAY:
    case MALT_GI_PTR_ARRAY:
    case MALT_GI_BYTE_ARRAY:
    case MALT_GI_LIST:
    case MALT_GI_SLIST:
      return write_sequence (type, argument->v_pointer, length, error);
    case MALT_GI_HASH:
      return write_hash (type, argument->v_pointer, error);
    case MALT_GI_VOID:
    case MALT_GI_CANCELLABLE:
    case MALT_GI_OPAQUE:
    default:
      g_assert_not_reached ();
    }
}
