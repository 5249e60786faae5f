/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What the tests of the command call through the native runtime. */

#include <malt.h>

/* The types of what it was given. */
MALT_FUNCTION (types)
{
  GVariant *keywords = malt_request_get_keywords (request);

  return g_variant_new ("(ss)",
                        g_variant_get_type_string (arguments),
                        keywords != NULL ? g_variant_get_type_string (keywords) : "");
}

/* (s), a value in GVariant's text format, which no other runtime could make. */
MALT_FUNCTION (parse)
{
  const char *text;

  if (!g_variant_is_of_type (arguments, G_VARIANT_TYPE ("(s)")))
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "parse takes a string");
      return NULL;
    }

  g_variant_get (arguments, "(&s)", &text);
  return g_variant_parse (NULL, text, NULL, NULL, error);
}

/* An error whose text would clear a terminal. */
MALT_FUNCTION (paint)
{
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, "red \033[31m and \302\233 2J\ttab");
  return NULL;
}
