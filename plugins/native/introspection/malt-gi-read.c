/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-gi-read.h"

#include <gio/gio.h>
#include <string.h>

#include "malt-gi-layout.h"
#include "malt-gi-number.h"
#include "malt-gi-read-container.h"
#include "malt-gi-text.h"
#include "malt-gi-value.h"

/* Nothing, for which there is NULL. */
gboolean
malt_gi_is_nothing (GVariant *value)
{
  g_autoptr (GVariant) inner = malt_gi_unwrap (value);

  return g_variant_is_of_type (inner, G_VARIANT_TYPE_MAYBE);
}

static gboolean
read_boolean (GVariant    *value,
              GIArgument  *argument,
              GError     **error)
{
  if (!g_variant_is_of_type (value, G_VARIANT_TYPE_BOOLEAN))
    return malt_gi_mismatch (value, "a boolean", error);

  argument->v_boolean = g_variant_get_boolean (value);
  return TRUE;
}

static gboolean
read_enum (const MaltGiType  *type,
           GVariant          *value,
           GIArgument        *argument,
           GError           **error)
{
  gint64 number;

  if (!malt_gi_enum_read (type->values, value, &number, error))
    return FALSE;

  /* A flag of the highest bit may be a negative number in the typelib and not in C. */
  if (type->values->is_flags && type->size == 4 && number >= G_MININT32 && number < 0)
    {
      malt_gi_set_bits (type->tag, (guint64) number, argument);
      return TRUE;
    }

  return malt_gi_set_integer (type->tag, number, type->name, argument, error);
}

static gboolean
read_boxed (const MaltGiType  *type,
            GVariant          *value,
            gboolean           is_given,
            MaltGiMemory      *memory,
            GIArgument        *argument,
            GError           **error)
{
  g_autoptr (GError) local_error = NULL;

  argument->v_pointer = type->boxed->read (value, &local_error);
  if (argument->v_pointer != NULL)
    {
      malt_gi_memory_add (memory, argument->v_pointer, type->boxed->free, is_given);
      return TRUE;
    }

  if (local_error == NULL)
    return malt_gi_mismatch (value, type->boxed->wanted, error);

  g_propagate_error (error, g_steal_pointer (&local_error));
  return FALSE;
}

static gboolean
read_field (const MaltGiType  *type,
            const char        *name,
            GVariant          *value,
            guint8            *data,
            GError           **error)
{
  for (guint i = 0; i < type->fields->len; i++)
    {
      const MaltGiField *field = &g_array_index (type->fields, MaltGiField, i);
      GIArgument argument = { 0 };

      if (strcmp (field->name, name) != 0)
        continue;

      /* Numbers need no memory. */
      if (!malt_gi_read (field->type, value, GI_TRANSFER_NOTHING, NULL, &argument, NULL, error))
        {
          g_prefix_error (error, "%s: ", name);
          return FALSE;
        }
      malt_gi_type_store (field->type, &argument, data + field->offset);
      return TRUE;
    }

  g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "%s has no field \"%.100s\"", type->name, name);
  return FALSE;
}

typedef struct
{
  GType    gtype;
  gpointer data;
} Boxed;

static void
free_boxed (gpointer data)
{
  Boxed *self = data;

  g_boxed_free (self->gtype, self->data);
}

static void
free_piece (gpointer data)
{
  g_free (data);
}

/* A dictionary of fields; those that are not in it are zero. */
static gboolean
read_struct (const MaltGiType  *type,
             GVariant          *value,
             gboolean           is_given,
             MaltGiMemory      *memory,
             GIArgument        *argument,
             GError           **error)
{
  gpointer data;

  if (!g_variant_is_of_type (value, G_VARIANT_TYPE ("a{s*}")))
    {
      g_autofree char *wanted = g_strdup_printf ("a dictionary with the fields of a %s", type->name);

      return malt_gi_mismatch (value, wanted, error);
    }

  data = malt_gi_memory_add (memory, g_malloc0 (type->size), free_piece, FALSE);
  for (gsize i = 0; i < g_variant_n_children (value); i++)
    {
      g_autofree char *name = NULL;
      g_autoptr (GVariant) wrapped = NULL;

      g_variant_get_child (value, i, "{s*}", &name, &wrapped);
      if (!read_field (type, name, wrapped, data, error))
        return FALSE;
    }

  /* What is given away has to be allocated as its owner will free it. */
  if (is_given && type->gtype != G_TYPE_NONE)
    {
      Boxed *boxed = g_new (Boxed, 1);

      *boxed = (Boxed) { type->gtype, g_boxed_copy (type->gtype, data) };
      data = boxed->data;
      malt_gi_memory_add (memory, boxed, free_boxed, TRUE);
      malt_gi_memory_add (memory, boxed, free_piece, FALSE);
    }
  else if (is_given)
    {
      data = malt_gi_memory_add (memory, g_memdup2 (data, type->size), free_piece, TRUE);
    }

  argument->v_pointer = data;
  return TRUE;
}

static gboolean
read_text (GVariant      *value,
           gboolean       is_filename,
           gboolean       is_given,
           MaltGiMemory  *memory,
           GIArgument    *argument,
           GError       **error)
{
  char *text = is_filename ? malt_gi_read_filename (value, error) : malt_gi_read_text (value, error);

  if (text == NULL)
    return FALSE;

  argument->v_string = malt_gi_memory_add_text (memory, text, is_given);
  return TRUE;
}

/* Where a GVariant is wanted, a maybe is one too, and what is in a variant may be another. */
static GVariant *
unwrap (const MaltGiType *type,
        GVariant         *value)
{
  if (type->kind != MALT_GI_BOXED || type->boxed->signature[0] != 'v')
    return malt_gi_unwrap (value);

  return g_variant_is_of_type (value, G_VARIANT_TYPE_VARIANT) ? g_variant_get_variant (value)
                                                              : g_variant_ref (value);
}

/* Never nothing; what may be NULL is looked at by the caller.  @length, which may be NULL,
 * is that of an array. */
gboolean
malt_gi_read (const MaltGiType  *type,
              GVariant          *value,
              GITransfer         transfer,
              MaltGiMemory      *memory,
              GIArgument        *argument,
              gsize             *length,
              GError           **error)
{
  g_autoptr (GVariant) inner = unwrap (type, value);
  gboolean is_given = transfer != GI_TRANSFER_NOTHING;

  switch (type->kind)
    {
    case MALT_GI_BOOLEAN:
      return read_boolean (inner, argument, error);
    case MALT_GI_INTEGER:
    case MALT_GI_FLOAT:
      return malt_gi_read_number (inner, type->tag, argument, error);
    case MALT_GI_UNICHAR:
      return malt_gi_read_unichar (inner, &argument->v_uint32, error);
    case MALT_GI_UTF8:
    case MALT_GI_FILENAME:
      return read_text (inner, type->kind == MALT_GI_FILENAME, is_given, memory, argument, error);
    case MALT_GI_ENUM:
      return read_enum (type, inner, argument, error);
    case MALT_GI_BOXED:
      return read_boxed (type, inner, is_given, memory, argument, error);
    case MALT_GI_VALUE:
      return malt_gi_read_value (inner, is_given, memory, argument, error);
    case MALT_GI_STRUCT:
      return read_struct (type, inner, is_given, memory, argument, error);
    case MALT_GI_C_ARRAY:
    case MALT_GI_ARRAY:
    case MALT_GI_PTR_ARRAY:
    case MALT_GI_BYTE_ARRAY:
    case MALT_GI_LIST:
    case MALT_GI_SLIST:
      return malt_gi_read_sequence (type, inner, transfer, memory, argument, length, error);
    case MALT_GI_HASH:
      return malt_gi_read_hash (type, inner, transfer, memory, argument, error);
    case MALT_GI_VOID:
    case MALT_GI_CANCELLABLE:
    case MALT_GI_OPAQUE:
    default:
      g_assert_not_reached ();
    }
}
