/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-json-write.h"

#include <math.h>
#include <string.h>

/* Values to JSON, by the table in docs/command.md.
 *
 * Not with json-glib's generator: it has no integers above 2⁶³, prints 1e22 as
 * `1e+22.0`, which is not JSON, and 0.1 as `0.10000000000000001`.
 *
 * The recursion is bounded: a value from a worker is nested 32 deep at most, and no
 * GVariant more than 128. */

static void write_value (GString  *json,
                         GVariant *value);

static void
write_string (GString    *json,
              const char *text)
{
  const char *at;

  g_string_append_c (json, '"');

  for (at = text; *at != '\0'; at = g_utf8_next_char (at))
    {
      gunichar c = g_utf8_get_char (at);

      if (c == '"' || c == '\\')
        g_string_append_printf (json, "\\%c", (char) c);
      else if (c == '\n')
        g_string_append (json, "\\n");
      else if (c == '\t')
        g_string_append (json, "\\t");
      else if (c < 0x20 || (c >= 0x7f && c <= 0x9f))
        /* A terminal acts on these, also on those above ASCII. */
        g_string_append_printf (json, "\\u%04x", c);
      else
        g_string_append_len (json, at, g_utf8_next_char (at) - at);
    }

  g_string_append_c (json, '"');
}

/* As few digits as give the same number again. */
static void
write_double (GString *json,
              double   number)
{
  static const char * const formats[] = { "%.15g", "%.16g", "%.17g" };
  char text[G_ASCII_DTOSTR_BUF_SIZE];
  guint i;

  if (!isfinite (number))
    {
      g_string_append (json, isnan (number) ? "\"NaN\""
                                            : number > 0 ? "\"Infinity\"" : "\"-Infinity\"");
      return;
    }

  for (i = 0; i < G_N_ELEMENTS (formats); i++)
    {
      g_ascii_formatd (text, sizeof text, formats[i], number);
      if (g_ascii_strtod (text, NULL) == number)
        break;
    }

  g_string_append (json, text);
  if (strpbrk (text, ".e") == NULL)
    g_string_append (json, ".0");
}

static void
write_bytes (GString  *json,
             GVariant *value)
{
  gsize length;
  const guchar *data = g_variant_get_fixed_array (value, &length, sizeof (guchar));
  g_autofree char *text = g_base64_encode (data, length);

  g_string_append_printf (json, "{\"$bytes\":\"%s\"}", text);
}

static void
write_children (GString  *json,
                GVariant *value)
{
  GVariantIter iter;
  GVariant *child;
  gboolean first = TRUE;

  g_string_append_c (json, '[');

  g_variant_iter_init (&iter, value);
  while ((child = g_variant_iter_next_value (&iter)) != NULL)
    {
      if (!first)
        g_string_append_c (json, ',');
      first = FALSE;
      write_value (json, child);
      g_variant_unref (child);
    }

  g_string_append_c (json, ']');
}

/* Whether an object with these members would read as one of our own forms. */
static gboolean
is_like_a_form (GVariant *dictionary)
{
  g_autoptr (GVariant) entry = NULL;
  g_autoptr (GVariant) key = NULL;

  if (g_variant_n_children (dictionary) != 1)
    return FALSE;

  entry = g_variant_get_child_value (dictionary, 0);
  key = g_variant_get_child_value (entry, 0);
  return g_strcmp0 (g_variant_get_string (key, NULL), "$bytes") == 0 ||
         g_strcmp0 (g_variant_get_string (key, NULL), "$dict") == 0;
}

static gboolean
has_string_keys (GVariant *dictionary)
{
  const GVariantType *entry = g_variant_type_element (g_variant_get_type (dictionary));
  char type = g_variant_type_peek_string (g_variant_type_key (entry))[0];

  return type == 's' || type == 'o' || type == 'g';
}

static void
write_object (GString  *json,
              GVariant *value)
{
  GVariantIter iter;
  GVariant *entry;
  gboolean first = TRUE;

  g_string_append_c (json, '{');

  g_variant_iter_init (&iter, value);
  while ((entry = g_variant_iter_next_value (&iter)) != NULL)
    {
      g_autoptr (GVariant) key = g_variant_get_child_value (entry, 0);
      g_autoptr (GVariant) member = g_variant_get_child_value (entry, 1);

      if (!first)
        g_string_append_c (json, ',');
      first = FALSE;
      write_string (json, g_variant_get_string (key, NULL));
      g_string_append_c (json, ':');
      write_value (json, member);
      g_variant_unref (entry);
    }

  g_string_append_c (json, '}');
}

static void
write_dictionary (GString  *json,
                  GVariant *value)
{
  if (has_string_keys (value) && !is_like_a_form (value))
    {
      write_object (json, value);
    }
  else
    {
      g_string_append (json, "{\"$dict\":");
      write_children (json, value);
      g_string_append_c (json, '}');
    }
}

static void
write_array (GString  *json,
             GVariant *value)
{
  const GVariantType *type = g_variant_get_type (value);

  if (g_variant_type_equal (type, G_VARIANT_TYPE_BYTESTRING))
    write_bytes (json, value);
  else if (g_variant_type_is_subtype_of (type, G_VARIANT_TYPE_DICTIONARY))
    write_dictionary (json, value);
  else
    write_children (json, value);
}

/* What is in a variant, or in a maybe that has something. */
static void
write_content (GString  *json,
               GVariant *value)
{
  if (g_variant_n_children (value) == 0)
    {
      g_string_append (json, "null");
    }
  else
    {
      g_autoptr (GVariant) content = g_variant_get_child_value (value, 0);

      write_value (json, content);
    }
}

static void
write_value (GString  *json,
             GVariant *value)
{
  switch (g_variant_classify (value))
    {
    case G_VARIANT_CLASS_BOOLEAN:
      g_string_append (json, g_variant_get_boolean (value) ? "true" : "false");
      break;
    case G_VARIANT_CLASS_BYTE:
      g_string_append_printf (json, "%u", g_variant_get_byte (value));
      break;
    case G_VARIANT_CLASS_INT16:
      g_string_append_printf (json, "%d", g_variant_get_int16 (value));
      break;
    case G_VARIANT_CLASS_UINT16:
      g_string_append_printf (json, "%u", g_variant_get_uint16 (value));
      break;
    case G_VARIANT_CLASS_INT32:
      g_string_append_printf (json, "%d", g_variant_get_int32 (value));
      break;
    case G_VARIANT_CLASS_UINT32:
      g_string_append_printf (json, "%u", g_variant_get_uint32 (value));
      break;
    case G_VARIANT_CLASS_INT64:
      g_string_append_printf (json, "%" G_GINT64_FORMAT, g_variant_get_int64 (value));
      break;
    case G_VARIANT_CLASS_UINT64:
      g_string_append_printf (json, "%" G_GUINT64_FORMAT, g_variant_get_uint64 (value));
      break;
    case G_VARIANT_CLASS_HANDLE:
      g_string_append_printf (json, "%d", g_variant_get_handle (value));
      break;
    case G_VARIANT_CLASS_DOUBLE:
      write_double (json, g_variant_get_double (value));
      break;
    case G_VARIANT_CLASS_STRING:
    case G_VARIANT_CLASS_OBJECT_PATH:
    case G_VARIANT_CLASS_SIGNATURE:
      write_string (json, g_variant_get_string (value, NULL));
      break;
    case G_VARIANT_CLASS_VARIANT:
    case G_VARIANT_CLASS_MAYBE:
      write_content (json, value);
      break;
    case G_VARIANT_CLASS_ARRAY:
      write_array (json, value);
      break;
    case G_VARIANT_CLASS_TUPLE:
    case G_VARIANT_CLASS_DICT_ENTRY:
      write_children (json, value);
      break;
    default:
      g_assert_not_reached ();
    }
}

/* Makes one line of JSON, without a line end, of a value.  Every value has one. */
char *
malt_json_write (GVariant *value)
{
  GString *json = g_string_new (NULL);

  write_value (json, value);
  return g_string_free (json, FALSE);
}
