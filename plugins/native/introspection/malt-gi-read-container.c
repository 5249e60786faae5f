/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-gi-read-container.h"

#include <gio/gio.h>
#include <string.h>

#include "malt-gi-layout.h"
#include "malt-gi-number.h"
#include "malt-gi-read.h"

/* Containers are put into the memory of the call apart from their elements, so the functions
 * that free them there leave these alone. */

static void
free_memory (gpointer data)
{
  g_free (data);
}

static void
free_array (gpointer data)
{
  g_array_set_clear_func (data, NULL);
  g_array_unref (data);
}

static void
free_ptr_array (gpointer data)
{
  g_ptr_array_set_free_func (data, NULL);
  g_ptr_array_unref (data);
}

static void
free_byte_array (gpointer data)
{
  g_byte_array_unref (data);
}

static void
free_list (gpointer data)
{
  g_list_free (data);
}

static void
free_slist (gpointer data)
{
  g_slist_free (data);
}

static void
free_hash (gpointer data)
{
  g_hash_table_steal_all (data);
  g_hash_table_unref (data);
}

/* For the elements of a GArray. */
void
malt_gi_clear_text (gpointer element)
{
  g_free (*(gpointer *) element);
}

/* How a container that is given away frees what is in it. */
static GDestroyNotify
get_free_func (const MaltGiType *element,
               GITransfer        transfer)
{
  if (transfer != GI_TRANSFER_EVERYTHING)
    return NULL;
  if (element->kind == MALT_GI_UTF8 || element->kind == MALT_GI_FILENAME || malt_gi_type_is_behind (element))
    return g_free;

  return element->kind == MALT_GI_BOXED ? element->boxed->free : NULL;
}

static GITransfer
get_element_transfer (GITransfer transfer)
{
  return transfer == GI_TRANSFER_EVERYTHING ? GI_TRANSFER_EVERYTHING : GI_TRANSFER_NOTHING;
}

static gboolean
read_element (const MaltGiType  *type,
              GVariant          *value,
              gsize              i,
              GITransfer         transfer,
              MaltGiMemory      *memory,
              GIArgument        *argument,
              GError           **error)
{
  g_autoptr (GVariant) child = g_variant_get_child_value (value, i);

  memset (argument, 0, sizeof *argument);
  if (malt_gi_read (type, child, transfer, memory, argument, NULL, error))
    return TRUE;

  g_prefix_error (error, "element %" G_GSIZE_FORMAT ": ", i);
  return FALSE;
}

/* The same for a container of pointers. */
static gboolean
read_pointer (const MaltGiType  *type,
              GVariant          *value,
              GITransfer         transfer,
              MaltGiMemory      *memory,
              gpointer          *pointer,
              GError           **error)
{
  GIArgument argument = { 0 };

  if (!malt_gi_read (type, value, transfer, memory, &argument, NULL, error))
    return FALSE;

  if (malt_gi_type_is_behind (type))
    *pointer = malt_gi_memory_add (memory, g_memdup2 (&argument, type->size), free_memory,
                                   transfer == GI_TRANSFER_EVERYTHING);
  else
    *pointer = malt_gi_type_to_pointer (type, &argument);
  return TRUE;
}

static gboolean
read_nth_pointer (const MaltGiType  *type,
                  GVariant          *value,
                  gsize              i,
                  GITransfer         transfer,
                  MaltGiMemory      *memory,
                  gpointer          *pointer,
                  GError           **error)
{
  g_autoptr (GVariant) child = g_variant_get_child_value (value, i);

  if (read_pointer (type, child, transfer, memory, pointer, error))
    return TRUE;

  g_prefix_error (error, "element %" G_GSIZE_FORMAT ": ", i);
  return FALSE;
}

/* Whether the whole array can be read without a step for each element. */
static gboolean
is_numbers (const MaltGiType *element,
            GVariant         *value)
{
  const char *type = g_variant_get_type_string (value);

  return (element->kind == MALT_GI_INTEGER || element->kind == MALT_GI_FLOAT) &&
         type[0] == 'a' && type[1] != '\0' && strchr ("ynqiuxtd", type[1]) != NULL;
}

static gboolean
read_elements (const MaltGiType  *element,
               GVariant          *value,
               GITransfer         transfer,
               MaltGiMemory      *memory,
               guint8            *data,
               GError           **error)
{
  gsize stride = malt_gi_type_get_stride (element);
  gsize n = g_variant_n_children (value);

  if (is_numbers (element, value))
    return malt_gi_read_numbers (value, element->tag, data, stride, error);

  for (gsize i = 0; i < n; i++)
    {
      GIArgument argument;

      /* What lies in the array itself is copied there, and what it was read to is ours. */
      if (!read_element (element, value, i, element->is_inline ? GI_TRANSFER_NOTHING : transfer,
                         memory, &argument, error))
        return FALSE;
      malt_gi_type_store (element, &argument, data + i * stride);
    }

  return TRUE;
}

/* Text as the array that it is of bytes or of characters; NULL if such an array is not wanted. */
static GVariant *
text_as_array (const MaltGiType *element,
               GVariant         *value)
{
  gsize size;
  const char *text = g_variant_get_string (value, &size);
  g_autofree gunichar *characters = NULL;
  glong n;

  if (element->kind == MALT_GI_INTEGER && element->tag == GI_TYPE_TAG_UINT8)
    return g_variant_ref_sink (g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, text, size, 1));
  if (element->kind != MALT_GI_UNICHAR)
    return NULL;

  characters = g_utf8_to_ucs4_fast (text, (glong) size, &n);
  return g_variant_ref_sink (g_variant_new_fixed_array (G_VARIANT_TYPE_UINT32, characters, (gsize) n,
                                                        sizeof (gunichar)));
}

/* An array that only ends at a zero can have none before; bytes may bring theirs along. */
static gboolean
check_zeros (const MaltGiType  *type,
             const guint8      *data,
             gsize              n,
             GError           **error)
{
  gsize stride = malt_gi_type_get_stride (type->element);

  if (!type->is_terminated || type->length >= 0 || type->fixed_size >= 0)
    return TRUE;
  if (n > 0 && type->element->tag == GI_TYPE_TAG_UINT8 && data[n - 1] == 0)
    n--;

  for (gsize i = 0; i < n; i++)
    if (malt_gi_type_is_zero (type->element, data + i * stride))
      {
        g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                     "element %" G_GSIZE_FORMAT " is zero, where the array would end", i);
        return FALSE;
      }

  return TRUE;
}

static gboolean
read_c_array (const MaltGiType  *type,
              GVariant          *value,
              GITransfer         transfer,
              MaltGiMemory      *memory,
              GIArgument        *argument,
              GError           **error)
{
  gsize stride = malt_gi_type_get_stride (type->element);
  gsize n = g_variant_n_children (value);
  guint8 *data;

  if (type->fixed_size >= 0 && n != (gsize) type->fixed_size)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                   "an array of %" G_GSIZE_FORMAT " elements is not one of %" G_GSSIZE_FORMAT,
                   n, type->fixed_size);
      return FALSE;
    }

  /* An element of zeros ends it in any case. */
  data = n < G_MAXSIZE / stride - 1 ? g_try_malloc0 ((n + 1) * stride) : NULL;
  if (data == NULL)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_NO_SPACE,
                   "there is no memory for %" G_GSIZE_FORMAT " elements", n);
      return FALSE;
    }

  argument->v_pointer = malt_gi_memory_add (memory, data, free_memory, transfer != GI_TRANSFER_NOTHING);
  return read_elements (type->element, value, get_element_transfer (transfer), memory, data, error) &&
         check_zeros (type, data, n, error);
}

static gboolean
read_array (const MaltGiType  *type,
            GVariant          *value,
            GITransfer         transfer,
            MaltGiMemory      *memory,
            GIArgument        *argument,
            GError           **error)
{
  gsize n = g_variant_n_children (value);
  GArray *array = g_array_new (TRUE, TRUE, (guint) malt_gi_type_get_stride (type->element));

  argument->v_pointer = malt_gi_memory_add (memory, array, free_array, transfer != GI_TRANSFER_NOTHING);
  g_array_set_size (array, (guint) n);
  if (!read_elements (type->element, value, get_element_transfer (transfer), memory,
                      (guint8 *) array->data, error))
    return FALSE;

  if (get_free_func (type->element, transfer) == g_free)
    g_array_set_clear_func (array, malt_gi_clear_text);
  return TRUE;
}

static gboolean
read_ptr_array (const MaltGiType  *type,
                GVariant          *value,
                GITransfer         transfer,
                MaltGiMemory      *memory,
                GIArgument        *argument,
                GError           **error)
{
  gsize n = g_variant_n_children (value);
  GPtrArray *array = g_ptr_array_sized_new ((guint) n);

  argument->v_pointer = malt_gi_memory_add (memory, array, free_ptr_array, transfer != GI_TRANSFER_NOTHING);
  for (gsize i = 0; i < n; i++)
    {
      gpointer pointer;

      if (!read_nth_pointer (type->element, value, i, get_element_transfer (transfer), memory, &pointer, error))
        return FALSE;
      g_ptr_array_add (array, pointer);
    }

  g_ptr_array_set_free_func (array, get_free_func (type->element, transfer));
  return TRUE;
}

static gboolean
read_byte_array (const MaltGiType  *type,
                 GVariant          *value,
                 GITransfer         transfer,
                 MaltGiMemory      *memory,
                 GIArgument        *argument,
                 GError           **error)
{
  GByteArray *array = g_byte_array_new ();

  argument->v_pointer = malt_gi_memory_add (memory, array, free_byte_array, transfer != GI_TRANSFER_NOTHING);
  g_byte_array_set_size (array, (guint) g_variant_n_children (value));
  return read_elements (type->element, value, GI_TRANSFER_NOTHING, memory, array->data, error);
}

static gboolean
read_list (const MaltGiType  *type,
           GVariant          *value,
           GITransfer         transfer,
           MaltGiMemory      *memory,
           GIArgument        *argument,
           GError           **error)
{
  GList *list = NULL;
  GSList *slist = NULL;
  gboolean is_read = TRUE;

  /* From its end, as lists grow at the front. */
  for (gsize i = g_variant_n_children (value); is_read && i > 0; i--)
    {
      gpointer pointer;

      is_read = read_nth_pointer (type->element, value, i - 1, get_element_transfer (transfer), memory,
                                  &pointer, error);
      if (is_read && type->kind == MALT_GI_LIST)
        list = g_list_prepend (list, pointer);
      else if (is_read)
        slist = g_slist_prepend (slist, pointer);
    }

  if (type->kind == MALT_GI_LIST)
    argument->v_pointer = malt_gi_memory_add (memory, list, free_list, transfer != GI_TRANSFER_NOTHING);
  else
    argument->v_pointer = malt_gi_memory_add (memory, slist, free_slist, transfer != GI_TRANSFER_NOTHING);
  return is_read;
}

static gboolean
read_whole (const MaltGiType  *type,
            GVariant          *value,
            GITransfer         transfer,
            MaltGiMemory      *memory,
            GIArgument        *argument,
            GError           **error)
{
  switch ((int) type->kind)
    {
    case MALT_GI_C_ARRAY:
      return read_c_array (type, value, transfer, memory, argument, error);
    case MALT_GI_ARRAY:
      return read_array (type, value, transfer, memory, argument, error);
    case MALT_GI_PTR_ARRAY:
      return read_ptr_array (type, value, transfer, memory, argument, error);
    case MALT_GI_BYTE_ARRAY:
      return read_byte_array (type, value, transfer, memory, argument, error);
    default:
      return read_list (type, value, transfer, memory, argument, error);
    }
}

gboolean
malt_gi_read_sequence (const MaltGiType  *type,
                       GVariant          *value,
                       GITransfer         transfer,
                       MaltGiMemory      *memory,
                       GIArgument        *argument,
                       gsize             *length,
                       GError           **error)
{
  g_autoptr (GVariant) array = NULL;

  if (g_variant_is_of_type (value, G_VARIANT_TYPE_STRING))
    array = text_as_array (type->element, value);
  if (array != NULL)
    value = array;

  if (!g_variant_is_of_type (value, G_VARIANT_TYPE_ARRAY) && !g_variant_is_of_type (value, G_VARIANT_TYPE_TUPLE))
    return malt_gi_mismatch (value, type->name, error);
  if (g_variant_is_of_type (value, G_VARIANT_TYPE_DICTIONARY))
    return malt_gi_mismatch (value, type->name, error);
  /* GLib's arrays count in guint, and some bytes are lost to how they grow. */
  if (type->kind != MALT_GI_C_ARRAY &&
      g_variant_n_children (value) > G_MAXUINT / 4 / malt_gi_type_get_stride (type->element))
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                   "%" G_GSIZE_FORMAT " elements are too many for %s", g_variant_n_children (value), type->name);
      return FALSE;
    }

  if (length != NULL)
    *length = g_variant_n_children (value);
  return read_whole (type, value, transfer, memory, argument, error);
}

static GHashTable *
new_hash (const MaltGiType *type,
          GITransfer        transfer)
{
  GDestroyNotify free_key = get_free_func (type->key, transfer);
  GDestroyNotify free_value = get_free_func (type->element, transfer);

  if (type->key->kind == MALT_GI_UTF8)
    return g_hash_table_new_full (g_str_hash, g_str_equal, free_key, free_value);
  if (malt_gi_type_is_behind (type->key))
    return g_hash_table_new_full (g_int64_hash, g_int64_equal, free_key, free_value);

  return g_hash_table_new_full (NULL, NULL, free_key, free_value);
}

/* FALSE with an error also for a key that is there already, as the table would free it. */
static gboolean
read_entry (const MaltGiType  *type,
            GVariant          *entry,
            GITransfer         transfer,
            MaltGiMemory      *memory,
            GHashTable        *table,
            GError           **error)
{
  g_autoptr (GVariant) key_value = g_variant_get_child_value (entry, 0);
  g_autoptr (GVariant) element_value = g_variant_get_child_value (entry, 1);
  gpointer key, element;
  gboolean is_read = read_pointer (type->key, key_value, transfer, memory, &key, error) &&
                     read_pointer (type->element, element_value, transfer, memory, &element, error);

  if (is_read && g_hash_table_contains (table, key))
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "it is there twice");
      is_read = FALSE;
    }
  if (!is_read)
    {
      g_autofree char *text = g_variant_print (key_value, FALSE);

      g_prefix_error (error, "entry %.60s: ", text);
      return FALSE;
    }

  g_hash_table_insert (table, key, element);
  return TRUE;
}

gboolean
malt_gi_read_hash (const MaltGiType  *type,
                   GVariant          *value,
                   GITransfer         transfer,
                   MaltGiMemory      *memory,
                   GIArgument        *argument,
                   GError           **error)
{
  GHashTable *table;

  if (!g_variant_is_of_type (value, G_VARIANT_TYPE_DICTIONARY))
    return malt_gi_mismatch (value, type->name, error);

  table = new_hash (type, transfer);
  argument->v_pointer = malt_gi_memory_add (memory, table, free_hash, transfer != GI_TRANSFER_NOTHING);
  for (gsize i = 0; i < g_variant_n_children (value); i++)
    {
      g_autoptr (GVariant) entry = g_variant_get_child_value (value, i);

      if (!read_entry (type, entry, get_element_transfer (transfer), memory, table, error))
        return FALSE;
    }

  return TRUE;
}
