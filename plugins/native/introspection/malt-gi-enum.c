/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-gi-enum.h"

#include <string.h>

#include <gio/gio.h>

#include "malt-gi-number.h"

static void
clear_value (gpointer data)
{
  MaltGiEnumValue *value = data;

  g_free (value->nick);
}

MaltGiEnum *
malt_gi_enum_new (GIEnumInfo *info)
{
  MaltGiEnum *self = g_new0 (MaltGiEnum, 1);

  self->name = g_strdup_printf ("%s.%s", gi_base_info_get_namespace (GI_BASE_INFO (info)),
                                gi_base_info_get_name (GI_BASE_INFO (info)));
  self->is_flags = GI_IS_FLAGS_INFO (info);
  self->values = g_array_new (FALSE, FALSE, sizeof (MaltGiEnumValue));
  g_array_set_clear_func (self->values, clear_value);

  for (guint i = 0; i < gi_enum_info_get_n_values (info); i++)
    {
      GIValueInfo *value_info = gi_enum_info_get_value (info, i);
      MaltGiEnumValue value = {
        g_strdelimit (g_strdup (gi_base_info_get_name (GI_BASE_INFO (value_info))), "_", '-'),
        gi_value_info_get_value (value_info),
      };

      g_array_append_val (self->values, value);
      gi_base_info_unref (value_info);
    }

  return self;
}

void
malt_gi_enum_free (MaltGiEnum *self)
{
  g_array_unref (self->values);
  g_free (self->name);
  g_free (self);
}

/* A nick, in which _ is as good as - and case does not matter, so that the names that
 * other languages have for the values do as well. */
static gboolean
find_nick (const MaltGiEnum  *self,
           const char        *text,
           gsize              length,
           gint64            *number,
           GError           **error)
{
  g_autofree char *nick = g_strdelimit (g_strndup (text, length), "_", '-');

  for (guint i = 0; i < self->values->len; i++)
    {
      const MaltGiEnumValue *value = &g_array_index (self->values, MaltGiEnumValue, i);

      if (g_ascii_strcasecmp (value->nick, nick) == 0)
        {
          *number = value->value;
          return TRUE;
        }
    }

  g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "%s has no value \"%.*s\"",
               self->name, (int) MIN (length, 100), text);
  return FALSE;
}

/* "a|b", or nothing at all. */
static gboolean
read_text (const MaltGiEnum  *self,
           const char        *text,
           gint64            *number,
           GError           **error)
{
  g_auto (GStrv) parts = NULL;

  if (!self->is_flags)
    return find_nick (self, text, strlen (text), number, error);

  *number = 0;
  parts = g_strsplit (text, "|", -1);
  for (gsize i = 0; parts[i] != NULL; i++)
    {
      const char *part = g_strstrip (parts[i]);
      gint64 bits;

      if (*part == '\0' && parts[1] == NULL)
        break;
      if (!find_nick (self, part, strlen (part), &bits, error))
        return FALSE;
      *number |= bits;
    }

  return TRUE;
}

static gboolean
read_list (const MaltGiEnum  *self,
           GVariant          *list,
           gint64            *number,
           GError           **error)
{
  *number = 0;
  for (gsize i = 0; i < g_variant_n_children (list); i++)
    {
      g_autoptr (GVariant) child = g_variant_get_child_value (list, i);
      g_autoptr (GVariant) item = malt_gi_unwrap (child);
      gint64 bits;

      if (!g_variant_is_of_type (item, G_VARIANT_TYPE_STRING))
        return malt_gi_mismatch (item, "the nick of a flag", error);
      if (!find_nick (self, g_variant_get_string (item, NULL), strlen (g_variant_get_string (item, NULL)),
                      &bits, error))
        return FALSE;
      *number |= bits;
    }

  return TRUE;
}

/* A number need not be one of the values: libraries have values that are newer than, or are
 * missing in, their typelib. */
gboolean
malt_gi_enum_read (const MaltGiEnum  *self,
                   GVariant          *value,
                   gint64            *number,
                   GError           **error)
{
  if (g_variant_is_of_type (value, G_VARIANT_TYPE_STRING))
    return read_text (self, g_variant_get_string (value, NULL), number, error);
  if (self->is_flags &&
      (g_variant_is_of_type (value, G_VARIANT_TYPE_STRING_ARRAY) ||
       g_variant_is_of_type (value, G_VARIANT_TYPE ("av")) ||
       g_variant_is_of_type (value, G_VARIANT_TYPE_TUPLE)))
    return read_list (self, value, number, error);
  if (malt_gi_is_number (value))
    return malt_gi_read_int64 (value, self->name, number, error);

  return malt_gi_mismatch (value, self->name, error);
}

/* The nicks of all bits, with as few of them as the order of the values gives; NULL if one
 * has none. */
static GVariant *
write_flags (const MaltGiEnum *self,
             guint64           bits)
{
  g_autoptr (GVariantBuilder) builder = g_variant_builder_new (G_VARIANT_TYPE_STRING_ARRAY);
  guint64 left = bits;

  for (guint i = 0; i < self->values->len; i++)
    {
      const MaltGiEnumValue *value = &g_array_index (self->values, MaltGiEnumValue, i);
      guint64 own = (guint64) value->value;

      /* First single bits, so that masks do not come beside what they are made of. */
      if (own != 0 && (own & (own - 1)) == 0 && (left & own) == own)
        {
          g_variant_builder_add (builder, "s", value->nick);
          left &= ~own;
        }
    }
  for (guint i = 0; i < self->values->len && left != 0; i++)
    {
      const MaltGiEnumValue *value = &g_array_index (self->values, MaltGiEnumValue, i);
      guint64 own = (guint64) value->value;

      if ((own & left) != 0 && (bits & own) == own)
        {
          g_variant_builder_add (builder, "s", value->nick);
          left &= ~own;
        }
    }

  return left == 0 ? g_variant_builder_end (builder) : NULL;
}

/* The nick, or the nicks, or the number of what has none. */
GVariant *
malt_gi_enum_write (const MaltGiEnum *self,
                    gint64            number)
{
  GVariant *flags = self->is_flags ? write_flags (self, (guint64) number) : NULL;

  if (flags != NULL)
    return flags;

  for (guint i = 0; !self->is_flags && i < self->values->len; i++)
    {
      const MaltGiEnumValue *value = &g_array_index (self->values, MaltGiEnumValue, i);

      if (value->value == number)
        return g_variant_new_string (value->nick);
    }

  return g_variant_new_int64 (number);
}
