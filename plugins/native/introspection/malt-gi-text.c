/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-gi-text.h"

#include <string.h>

#include <malt.h>

#include "malt-gi-number.h"

static gboolean
is_text (GVariant *value)
{
  return g_variant_is_of_type (value, G_VARIANT_TYPE_STRING) ||
         g_variant_is_of_type (value, G_VARIANT_TYPE_OBJECT_PATH) ||
         g_variant_is_of_type (value, G_VARIANT_TYPE_SIGNATURE);
}

GVariant *
malt_gi_write_text (const char  *text,
                    GError     **error)
{
  const char *end;

  if (!g_utf8_validate (text, -1, &end))
    {
      g_set_error (error, MALT_ERROR, MALT_ERROR_SERIALIZATION,
                   "text that is not UTF-8 from byte %" G_GSIZE_FORMAT " on", (gsize) (end - text));
      return NULL;
    }

  return g_variant_new_string (text);
}

/* Bytes if it is not UTF-8, as file names need not be. */
GVariant *
malt_gi_write_filename (const char *name)
{
  if (g_utf8_validate (name, -1, NULL))
    return g_variant_new_string (name);

  return g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, name, strlen (name), 1);
}

char *
malt_gi_read_text (GVariant  *value,
                   GError   **error)
{
  if (is_text (value))
    return g_variant_dup_string (value, NULL);

  malt_gi_mismatch (value, "text", error);
  return NULL;
}

/* Text, or bytes, which may end with a zero byte as GVariant's bytestrings do. */
char *
malt_gi_read_filename (GVariant  *value,
                       GError   **error)
{
  const char *bytes;
  gsize size;

  if (is_text (value))
    return g_variant_dup_string (value, NULL);
  if (!g_variant_is_of_type (value, G_VARIANT_TYPE_BYTESTRING))
    {
      malt_gi_mismatch (value, "a file name", error);
      return NULL;
    }

  bytes = g_variant_get_fixed_array (value, &size, 1);
  if (size > 0 && bytes[size - 1] == '\0')
    size--;
  if (size > 0 && memchr (bytes, '\0', size) != NULL)
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "a file name with a zero byte in it");
      return NULL;
    }

  return g_strndup (size > 0 ? bytes : "", size);
}

/* One character, or its number. */
gboolean
malt_gi_read_unichar (GVariant  *value,
                      gunichar  *character,
                      GError   **error)
{
  GIArgument argument;

  if (is_text (value))
    {
      const char *text = g_variant_get_string (value, NULL);

      if (g_utf8_strlen (text, -1) != 1)
        {
          g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                       "text of %ld characters is not one character", g_utf8_strlen (text, -1));
          return FALSE;
        }
      *character = g_utf8_get_char (text);
      return TRUE;
    }

  if (!malt_gi_is_number (value))
    return malt_gi_mismatch (value, "a character", error);
  if (!malt_gi_read_number (value, GI_TYPE_TAG_UINT32, &argument, error))
    return FALSE;
  if (!g_unichar_validate (argument.v_uint32))
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                   "%u is not the number of a character", argument.v_uint32);
      return FALSE;
    }

  *character = argument.v_uint32;
  return TRUE;
}

GVariant *
malt_gi_write_unichar (gunichar   character,
                       GError   **error)
{
  char text[7] = "";

  if (!g_unichar_validate (character))
    {
      g_set_error (error, MALT_ERROR, MALT_ERROR_SERIALIZATION,
                   "%u, which is not the number of a character", character);
      return NULL;
    }

  if (character != 0)
    text[g_unichar_to_utf8 (character, text)] = '\0';
  return g_variant_new_string (text);
}
