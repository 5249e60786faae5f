/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-gi-boxed.h"

#include <stdio.h>
#include <string.h>

#include <malt.h>

#include "malt-gi-number.h"
#include "malt-gi-text.h"

/* GVariant */

static gpointer
read_variant (GVariant  *value,
              GError   **error)
{
  return g_variant_ref (value);
}

static GVariant *
write_variant (gpointer   data,
               GError   **error)
{
  return g_variant_ref (data);
}

/* GBytes */

static gpointer
read_bytes (GVariant  *value,
            GError   **error)
{
  if (g_variant_is_of_type (value, G_VARIANT_TYPE_STRING))
    {
      gsize size;
      const char *text = g_variant_get_string (value, &size);

      return g_bytes_new (text, size);
    }

  if (!g_variant_is_of_type (value, G_VARIANT_TYPE_BYTESTRING))
    return NULL;

  return g_variant_get_data_as_bytes (value);
}

static GVariant *
write_bytes (gpointer   data,
             GError   **error)
{
  return g_variant_new_from_bytes (G_VARIANT_TYPE_BYTESTRING, data, TRUE);
}

/* GString */

static gpointer
read_string (GVariant  *value,
             GError   **error)
{
  return g_variant_is_of_type (value, G_VARIANT_TYPE_STRING)
         ? g_string_new (g_variant_get_string (value, NULL)) : NULL;
}

static GVariant *
write_string (gpointer   data,
              GError   **error)
{
  const GString *string = data;

  if (!g_utf8_validate_len (string->str, string->len, NULL))
    {
      g_set_error_literal (error, MALT_ERROR, MALT_ERROR_SERIALIZATION,
                           "text with zero bytes in it, or that is not UTF-8");
      return NULL;
    }

  return g_variant_new_string (string->str);
}

static void
free_string (gpointer data)
{
  g_string_free (data, TRUE);
}

/* GDate */

static gpointer
read_date (GVariant  *value,
           GError   **error)
{
  const char *text;
  int year, month, day;
  int end = 0;

  if (!g_variant_is_of_type (value, G_VARIANT_TYPE_STRING))
    return NULL;

  text = g_variant_get_string (value, NULL);
  if (sscanf (text, "%4d-%2d-%2d%n", &year, &month, &day, &end) == 3 && text[end] == '\0' &&
      year > 0 && month > 0 && day > 0 && day <= 31 &&
      g_date_valid_dmy ((GDateDay) day, (GDateMonth) month, (GDateYear) year))
    return g_date_new_dmy ((GDateDay) day, (GDateMonth) month, (GDateYear) year);

  g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
               "\"%.100s\" is not a date in the form of ISO 8601", text);
  return NULL;
}

static GVariant *
write_date (gpointer   data,
            GError   **error)
{
  const GDate *self = data;

  if (!g_date_valid (self))
    {
      g_set_error_literal (error, MALT_ERROR, MALT_ERROR_SERIALIZATION, "a date that is none");
      return NULL;
    }

  return g_variant_new_take_string (g_strdup_printf ("%04d-%02d-%02d", g_date_get_year (self),
                                                     (int) g_date_get_month (self), g_date_get_day (self)));
}

/* GDateTime */

static gpointer
read_date_time (GVariant  *value,
                GError   **error)
{
  g_autoptr (GTimeZone) utc = g_time_zone_new_utc ();
  GDateTime *self;

  if (!g_variant_is_of_type (value, G_VARIANT_TYPE_STRING))
    return NULL;

  self = g_date_time_new_from_iso8601 (g_variant_get_string (value, NULL), utc);
  if (self == NULL)
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                 "\"%.100s\" is not a time in the form of ISO 8601", g_variant_get_string (value, NULL));
  return self;
}

static GVariant *
write_date_time (gpointer   data,
                 GError   **error)
{
  char *text = g_date_time_format_iso8601 (data);

  if (text == NULL)
    g_set_error_literal (error, MALT_ERROR, MALT_ERROR_SERIALIZATION, "a time that has no form in ISO 8601");
  return text != NULL ? g_variant_new_take_string (text) : NULL;
}

/* GTimeZone */

static gpointer
read_time_zone (GVariant  *value,
                GError   **error)
{
  GTimeZone *self;

  if (!g_variant_is_of_type (value, G_VARIANT_TYPE_STRING))
    return NULL;

  self = g_time_zone_new_identifier (g_variant_get_string (value, NULL));
  if (self == NULL)
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                 "\"%.100s\" is not a time zone", g_variant_get_string (value, NULL));
  return self;
}

static GVariant *
write_time_zone (gpointer   data,
                 GError   **error)
{
  return g_variant_new_string (g_time_zone_get_identifier (data));
}

/* GVariantType */

static gpointer
read_variant_type (GVariant  *value,
                   GError   **error)
{
  const char *text;

  if (!g_variant_is_of_type (value, G_VARIANT_TYPE_STRING) &&
      !g_variant_is_of_type (value, G_VARIANT_TYPE_SIGNATURE))
    return NULL;

  text = g_variant_get_string (value, NULL);
  if (g_variant_type_string_is_valid (text))
    return g_variant_type_new (text);

  g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
               "\"%.100s\" is not the type of a GVariant", text);
  return NULL;
}

static GVariant *
write_variant_type (gpointer   data,
                    GError   **error)
{
  return g_variant_new_take_string (g_variant_type_dup_string (data));
}

/* GError */

static gpointer
read_error (GVariant  *value,
            GError   **error)
{
  g_autofree char *domain = NULL;
  g_autofree char *message = NULL;
  GIArgument code;
  g_autoptr (GVariant) number = NULL;
  g_autoptr (GVariant) unwrapped = NULL;

  if (!g_variant_is_of_type (value, G_VARIANT_TYPE ("(s*s)")))
    return NULL;

  g_variant_get (value, "(s*s)", &domain, &number, &message);
  unwrapped = malt_gi_unwrap (number);
  if (!malt_gi_read_number (unwrapped, GI_TYPE_TAG_INT32, &code, error))
    return NULL;
  if (*domain == '\0')
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "the domain of an error is empty");
      return NULL;
    }

  return g_error_new_literal (g_quark_from_string (domain), code.v_int32, message);
}

static GVariant *
write_error (gpointer   data,
             GError   **error)
{
  const GError *self = data;
  g_autofree char *message = g_utf8_make_valid (self->message, -1);

  return g_variant_new ("(sis)", g_quark_to_string (self->domain), self->code, message);
}

const MaltGiBoxed malt_gi_boxed_error =
  { "GLib", "Error", "(sis)", "an error (domain, code, message)",
    read_error, write_error, (GDestroyNotify) g_error_free };

static const MaltGiBoxed known[] = {
  { "GLib", "Variant", "v", "a value", read_variant, write_variant, (GDestroyNotify) g_variant_unref },
  { "GLib", "Bytes", "ay", "an array of bytes", read_bytes, write_bytes, (GDestroyNotify) g_bytes_unref },
  { "GLib", "String", "s", "text", read_string, write_string, free_string },
  { "GLib", "Date", "s", "a date in the form of ISO 8601",
    read_date, write_date, (GDestroyNotify) g_date_free },
  { "GLib", "DateTime", "s", "a time in the form of ISO 8601",
    read_date_time, write_date_time, (GDestroyNotify) g_date_time_unref },
  { "GLib", "TimeZone", "s", "the name of a time zone",
    read_time_zone, write_time_zone, (GDestroyNotify) g_time_zone_unref },
  { "GLib", "VariantType", "s", "the type of a GVariant",
    read_variant_type, write_variant_type, (GDestroyNotify) g_variant_type_free },
};

/* NULL if it is none of those that have a value. */
const MaltGiBoxed *
malt_gi_boxed_find (const char *namespace_,
                    const char *name)
{
  for (gsize i = 0; i < G_N_ELEMENTS (known); i++)
    if (strcmp (known[i].namespace_, namespace_) == 0 && strcmp (known[i].name, name) == 0)
      return &known[i];

  return NULL;
}
