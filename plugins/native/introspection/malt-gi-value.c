/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-gi-value.h"

#include <malt.h>

#include "malt-gi-boxed.h"
#include "malt-gi-text.h"

static void
free_value (gpointer data)
{
  GValue *self = data;

  g_value_unset (self);
  g_free (self);
}

/* Of the type that GDBus gives it, but for what D-Bus has no type for, and for bytes. */
gboolean
malt_gi_read_value (GVariant      *value,
                    gboolean       is_given,
                    MaltGiMemory  *memory,
                    GIArgument    *argument,
                    GError       **error)
{
  GValue *self = g_new0 (GValue, 1);

  if (g_variant_is_of_type (value, G_VARIANT_TYPE_BYTESTRING))
    {
      g_value_init (self, G_TYPE_BYTES);
      g_value_take_boxed (self, g_variant_get_data_as_bytes (value));
    }
  else if (g_variant_is_of_type (value, G_VARIANT_TYPE_BASIC) ||
           g_variant_is_of_type (value, G_VARIANT_TYPE_STRING_ARRAY))
    {
      g_dbus_gvariant_to_gvalue (value, self);
    }
  else
    {
      g_value_init (self, G_TYPE_VARIANT);
      g_value_set_variant (self, value);
    }

  argument->v_pointer = malt_gi_memory_add (memory, self, free_value, is_given);
  return TRUE;
}

static GVariant *
write_strv (const GValue  *value,
            GError       **error)
{
  const char * const *strv = g_value_get_boxed (value);
  g_autoptr (GVariantBuilder) builder = g_variant_builder_new (G_VARIANT_TYPE_STRING_ARRAY);

  for (gsize i = 0; strv != NULL && strv[i] != NULL; i++)
    {
      GVariant *text = malt_gi_write_text (strv[i], error);

      if (text == NULL)
        return NULL;
      g_variant_builder_add_value (builder, text);
    }

  return g_variant_builder_end (builder);
}

static const MaltGiBoxed *
find_boxed (GType type)
{
  if (type == G_TYPE_BYTES)
    return malt_gi_boxed_find ("GLib", "Bytes");
  if (type == G_TYPE_GSTRING)
    return malt_gi_boxed_find ("GLib", "String");
  if (type == G_TYPE_DATE)
    return malt_gi_boxed_find ("GLib", "Date");
  if (type == G_TYPE_DATE_TIME)
    return malt_gi_boxed_find ("GLib", "DateTime");
  if (type == G_TYPE_TIME_ZONE)
    return malt_gi_boxed_find ("GLib", "TimeZone");
  if (type == G_TYPE_VARIANT_TYPE)
    return malt_gi_boxed_find ("GLib", "VariantType");

  return type == G_TYPE_ERROR ? &malt_gi_boxed_error : NULL;
}

static GVariant *
nothing (void)
{
  return g_variant_new_maybe (G_VARIANT_TYPE_VARIANT, NULL);
}

static GVariant *
write_boxed (const GValue  *value,
             GError       **error)
{
  const MaltGiBoxed *boxed = find_boxed (G_VALUE_TYPE (value));

  if (G_VALUE_HOLDS (value, G_TYPE_STRV))
    return write_strv (value, error);
  if (boxed != NULL && g_value_get_boxed (value) == NULL)
    return nothing ();
  if (boxed != NULL)
    return boxed->write (g_value_get_boxed (value), error);

  g_set_error (error, MALT_ERROR, MALT_ERROR_SERIALIZATION, "a GValue of the type %s, which has no value",
               G_VALUE_TYPE_NAME (value));
  return NULL;
}

/* The nick, or the number of what has none. */
static GVariant *
write_enum (const GValue *value)
{
  GEnumClass *klass = g_type_class_ref (G_VALUE_TYPE (value));
  const GEnumValue *found = g_enum_get_value (klass, g_value_get_enum (value));
  GVariant *result = found != NULL ? g_variant_new_string (found->value_nick)
                                   : g_variant_new_int64 (g_value_get_enum (value));

  g_type_class_unref (klass);
  return result;
}

static GVariant *
write_flags (const GValue *value)
{
  GFlagsClass *klass = g_type_class_ref (G_VALUE_TYPE (value));
  g_autoptr (GVariantBuilder) builder = g_variant_builder_new (G_VARIANT_TYPE_STRING_ARRAY);
  guint left = g_value_get_flags (value);
  const GFlagsValue *found;

  while (left != 0 && (found = g_flags_get_first_value (klass, left)) != NULL)
    {
      g_variant_builder_add (builder, "s", found->value_nick);
      left &= ~found->value;
    }
  g_type_class_unref (klass);

  return left == 0 ? g_variant_builder_end (builder) : g_variant_new_int64 (g_value_get_flags (value));
}

GVariant *
malt_gi_write_value (const GValue  *value,
                     GError       **error)
{
  /* What was never set, as in an argument that the function did not touch. */
  if (!G_IS_VALUE (value))
    return nothing ();

  switch (G_TYPE_FUNDAMENTAL (G_VALUE_TYPE (value)))
    {
    case G_TYPE_BOOLEAN: return g_variant_new_boolean (g_value_get_boolean (value));
    case G_TYPE_CHAR: return g_variant_new_int16 (g_value_get_schar (value));
    case G_TYPE_UCHAR: return g_variant_new_byte (g_value_get_uchar (value));
    case G_TYPE_INT: return g_variant_new_int32 (g_value_get_int (value));
    case G_TYPE_UINT: return g_variant_new_uint32 (g_value_get_uint (value));
    case G_TYPE_LONG: return g_variant_new_int64 (g_value_get_long (value));
    case G_TYPE_ULONG: return g_variant_new_uint64 (g_value_get_ulong (value));
    case G_TYPE_INT64: return g_variant_new_int64 (g_value_get_int64 (value));
    case G_TYPE_UINT64: return g_variant_new_uint64 (g_value_get_uint64 (value));
    case G_TYPE_FLOAT: return g_variant_new_double (g_value_get_float (value));
    case G_TYPE_DOUBLE: return g_variant_new_double (g_value_get_double (value));
    case G_TYPE_ENUM: return write_enum (value);
    case G_TYPE_FLAGS: return write_flags (value);
    case G_TYPE_STRING:
      return g_value_get_string (value) != NULL ? malt_gi_write_text (g_value_get_string (value), error)
                                                : nothing ();
    case G_TYPE_VARIANT:
      return g_value_get_variant (value) != NULL ? g_value_dup_variant (value) : nothing ();
    default:
      return write_boxed (value, error);
    }
}
