/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test-asserts.h"

static void
fail (const char *domain,
      const char *file,
      int         line,
      const char *function,
      char       *message)
{
  g_assertion_message (domain, file, line, function, message);
  g_free (message);
}

void
test_assert_error_at (const char  *domain,
                      const char  *file,
                      int          line,
                      const char  *function,
                      GError     **error,
                      GQuark       error_domain,
                      const char  *error_domain_name,
                      int          error_code,
                      const char  *error_code_name,
                      const char  *pattern)
{
  if (*error == NULL)
    fail (domain, file, line, function,
          g_strdup_printf ("no error, expected %s, %s", error_domain_name, error_code_name));
  else if (!g_error_matches (*error, error_domain, error_code))
    fail (domain, file, line, function,
          g_strdup_printf ("error %s, %d \"%s\", expected %s, %s",
                           g_quark_to_string ((*error)->domain), (*error)->code,
                           (*error)->message, error_domain_name, error_code_name));
  else if (!g_pattern_match_simple (pattern, (*error)->message))
    fail (domain, file, line, function,
          g_strdup_printf ("the error says \"%s\", expected \"%s\"", (*error)->message, pattern));

  g_clear_error (error);
}

void
test_assert_value_at (const char *domain,
                      const char *file,
                      int         line,
                      const char *function,
                      GVariant   *value,
                      const char *text)
{
  g_autofree char *actual = NULL;

  if (value == NULL)
    {
      fail (domain, file, line, function, g_strdup_printf ("no value, expected %s", text));
      return;
    }

  actual = g_variant_print (value, TRUE);
  if (g_strcmp0 (actual, text) != 0)
    fail (domain, file, line, function,
          g_strdup_printf ("the value is %.500s, expected %s", actual, text));
  g_variant_unref (value);
}

void
test_assert_match_at (const char *domain,
                      const char *file,
                      int         line,
                      const char *function,
                      const char *string,
                      const char *pattern)
{
  if (string == NULL || !g_pattern_match_simple (pattern, string))
    fail (domain, file, line, function,
          g_strdup_printf ("\"%s\" does not match \"%s\"", string, pattern));
}
