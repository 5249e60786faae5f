/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <malt.h>

#include <locale.h>
#include <string.h>

#include "introspected-worker.h"

/* Calls of introspected functions, one a line of values.txt: the name, the arguments, and what comes
 * of it, in the text form of GVariants. */

/* Dictionaries in the order of their keys, as hash tables have none. */
static GVariant *
put_in_order (GVariant *value)
{
  gsize n, i, j;
  g_autofree GVariant **children = NULL;
  GVariant *result;

  /* Children of bytes are not asked for: GLib 2.84 does not have those of g_variant_new_bytestring(). */
  if (strpbrk (g_variant_get_type_string (value), "{v") == NULL || g_variant_n_children (value) == 0)
    return g_variant_ref (value);
  if (g_variant_is_of_type (value, G_VARIANT_TYPE_VARIANT))
    {
      g_autoptr (GVariant) inner = g_variant_get_variant (value);
      g_autoptr (GVariant) ordered = put_in_order (inner);

      return g_variant_ref_sink (g_variant_new_variant (ordered));
    }

  n = g_variant_n_children (value);
  children = g_new (GVariant *, n);
  for (i = 0; i < n; i++)
    {
      g_autoptr (GVariant) child = g_variant_get_child_value (value, i);

      children[i] = put_in_order (child);
    }

  if (g_variant_is_of_type (value, G_VARIANT_TYPE_DICTIONARY))
    for (i = 0; i < n; i++)
      for (j = i + 1; j < n; j++)
        {
          g_autofree char *a = g_variant_print (children[i], FALSE);
          g_autofree char *b = g_variant_print (children[j], FALSE);

          if (g_strcmp0 (a, b) > 0)
            {
              GVariant *other = children[i];

              children[i] = children[j];
              children[j] = other;
            }
        }

  if (g_variant_is_of_type (value, G_VARIANT_TYPE_ARRAY))
    result = g_variant_new_array (g_variant_type_element (g_variant_get_type (value)), children, n);
  else if (g_variant_is_of_type (value, G_VARIANT_TYPE_TUPLE))
    result = g_variant_new_tuple (children, n);
  else if (g_variant_is_of_type (value, G_VARIANT_TYPE_DICT_ENTRY))
    result = g_variant_new_dict_entry (children[0], children[1]);
  else
    result = g_variant_new_maybe (NULL, children[0]);
  for (i = 0; i < n; i++)
    g_variant_unref (children[i]);

  return g_variant_ref_sink (result);
}

static char *
call (MaltWorker *worker,
      const char *function,
      const char *arguments)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) value = introspected_call (worker, function, arguments, &error);
  g_autoptr (GVariant) ordered = NULL;

  if (value == NULL)
    return g_strdup_printf ("error %s", error->message);

  ordered = put_in_order (value);
  return g_variant_print (ordered, TRUE);
}

/* Twice, as what is given away wrongly is often only noticed by the next call. */
static void
test_values (Introspected  *fixture,
             gconstpointer  data)
{
  g_autofree char *file = g_test_build_filename (G_TEST_DIST, "introspection", "values.txt", NULL);
  g_autofree char *text = NULL;
  g_auto (GStrv) lines = NULL;
  g_autoptr (GError) error = NULL;
  guint n_called = 0, n_wrong = 0;

  g_file_get_contents (file, &text, NULL, &error);
  g_assert_no_error (error);
  lines = g_strsplit (text, "\n", -1);

  for (guint round = 0; round < 2; round++)
    for (gsize i = 0; lines[i] != NULL; i++)
      {
        g_auto (GStrv) parts = NULL;
        g_autofree char *result = NULL;

        if (lines[i][0] == '\0' || lines[i][0] == '#')
          continue;
        if (!TEST_HAVE_GI_TESTS && (g_str_has_prefix (lines[i], "Regress.") ||
                                    g_str_has_prefix (lines[i], "GIMarshallingTests.")))
          continue;

        parts = g_strsplit (lines[i], " | ", 3);
        g_assert_cmpuint (g_strv_length (parts), ==, 3);
        result = call (fixture->worker, parts[0], parts[1]);
        n_called++;
        if (g_strcmp0 (result, parts[2]) != 0)
          {
            g_test_message ("%s | %s | %s", parts[0], parts[1], result);
            n_wrong++;
          }
      }

  g_assert_cmpuint (n_called, >, TEST_HAVE_GI_TESTS ? 600 : 20);
  g_assert_cmpuint (n_wrong, ==, 0);
}

int
main (int    argc,
      char **argv)
{
  /* Messages are in the charset of the locale. */
  setlocale (LC_ALL, "");
  g_test_init (&argc, &argv, NULL);

  introspected_add ("values", test_values);

  return g_test_run ();
}
