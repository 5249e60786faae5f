/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-gi-release.h"

#include "malt-gi-layout.h"
#include "malt-gi-write.h"

/* What is in a struct or GValue that lies in an array, or was allocated by the caller. */
void
malt_gi_release_content (const MaltGiType *type,
                         gpointer          data)
{
  if (type->kind == MALT_GI_VALUE && G_IS_VALUE (data))
    g_value_unset (data);
}

static void
release_memory (const MaltGiType *element,
                guint8           *data,
                gsize             n)
{
  gsize stride = malt_gi_type_get_stride (element);

  if (!malt_gi_type_is_pointer (element))
    return;

  for (gsize i = 0; i < n; i++)
    {
      GIArgument argument;

      malt_gi_type_load (element, data + i * stride, &argument);
      if (element->is_inline)
        malt_gi_release_content (element, argument.v_pointer);
      else
        malt_gi_release (element, &argument, MALT_GI_NO_LENGTH, GI_TRANSFER_EVERYTHING);
    }
}

static void
release_pointer (const MaltGiType *element,
                 gpointer          pointer)
{
  GIArgument argument = { .v_pointer = pointer };

  if (malt_gi_type_is_behind (element))
    g_free (pointer);
  else if (malt_gi_type_is_pointer (element))
    malt_gi_release (element, &argument, MALT_GI_NO_LENGTH, GI_TRANSFER_EVERYTHING);
}

static void
release_entries (const MaltGiType *type,
                 GHashTable       *table)
{
  g_autoptr (GPtrArray) keys = g_ptr_array_new ();
  g_autoptr (GPtrArray) values = g_ptr_array_new ();
  GHashTableIter iter;
  gpointer key, value;

  /* The table may free its entries, or not, and cannot be asked. */
  g_hash_table_iter_init (&iter, table);
  while (g_hash_table_iter_next (&iter, &key, &value))
    {
      g_ptr_array_add (keys, key);
      g_ptr_array_add (values, value);
      g_hash_table_iter_steal (&iter);
    }

  for (guint i = 0; i < keys->len; i++)
    {
      release_pointer (type->key, g_ptr_array_index (keys, i));
      release_pointer (type->element, g_ptr_array_index (values, i));
    }
}

/* What is in a container, which stays. */
void
malt_gi_release_elements (const MaltGiType *type,
                          gpointer          data,
                          gssize            length)
{
  switch ((int) type->kind)
    {
    case MALT_GI_C_ARRAY:
      release_memory (type->element, data, malt_gi_count (type, data, length));
      break;
    case MALT_GI_ARRAY:
      if (!malt_gi_array_is_sound (type, data))
        break;
      g_array_set_clear_func (data, NULL);
      release_memory (type->element, (guint8 *) ((GArray *) data)->data, ((GArray *) data)->len);
      break;
    case MALT_GI_PTR_ARRAY:
      g_ptr_array_set_free_func (data, NULL);
      for (guint i = 0; i < ((GPtrArray *) data)->len; i++)
        release_pointer (type->element, g_ptr_array_index ((GPtrArray *) data, i));
      break;
    case MALT_GI_LIST:
      for (const GList *link = data; link != NULL; link = link->next)
        release_pointer (type->element, link->data);
      break;
    case MALT_GI_SLIST:
      for (const GSList *link = data; link != NULL; link = link->next)
        release_pointer (type->element, link->data);
      break;
    case MALT_GI_HASH:
      release_entries (type, data);
      break;
    default:
      break;
    }
}

static void
release_container (const MaltGiType *type,
                   gpointer          data)
{
  switch ((int) type->kind)
    {
    case MALT_GI_C_ARRAY: g_free (data); break;
    case MALT_GI_ARRAY: g_array_unref (data); break;
    case MALT_GI_PTR_ARRAY: g_ptr_array_unref (data); break;
    case MALT_GI_BYTE_ARRAY: g_byte_array_unref (data); break;
    case MALT_GI_LIST: g_list_free (data); break;
    case MALT_GI_SLIST: g_slist_free (data); break;
    default: g_hash_table_unref (data); break;
    }
}

void
malt_gi_release (const MaltGiType *type,
                 const GIArgument *argument,
                 gssize            length,
                 GITransfer        transfer)
{
  gpointer data = argument->v_pointer;

  if (transfer == GI_TRANSFER_NOTHING || !malt_gi_type_is_pointer (type) || data == NULL)
    return;

  switch ((int) type->kind)
    {
    case MALT_GI_UTF8:
    case MALT_GI_FILENAME:
      g_free (data);
      break;
    case MALT_GI_BOXED:
      type->boxed->free (data);
      break;
    case MALT_GI_VALUE:
      g_boxed_free (G_TYPE_VALUE, data);
      break;
    case MALT_GI_STRUCT:
      if (type->gtype != G_TYPE_NONE)
        g_boxed_free (type->gtype, data);
      else
        g_free (data);
      break;
    default:
      if (transfer == GI_TRANSFER_EVERYTHING)
        malt_gi_release_elements (type, data, length);
      release_container (type, data);
      break;
    }
}
