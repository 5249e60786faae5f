/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "introspected-worker.h"
#include "malt-gi-methods.h"
#include "test-asserts.h"

/* All functions of some large libraries: each can be called, or the error says why not.  None of
 * them is called, as there are more arguments than any of them takes. */

#define N_ARGUMENTS 100

static guint n_callable;

static void
look_at (MaltWorker *worker,
         const char *name)
{
  g_autoptr (GVariantBuilder) builder = g_variant_builder_new (G_VARIANT_TYPE_TUPLE);
  g_autoptr (GError) error = NULL;
  g_autofree char *too_many = g_strdup_printf ("*: %d arguments are too many for %s (*)", N_ARGUMENTS, name);
  g_autofree char *refused = g_strdup_printf ("*%s cannot be called: *", name);

  for (guint i = 0; i < N_ARGUMENTS; i++)
    g_variant_builder_add (builder, "y", 0);
  g_assert_null (malt_worker_remote_call_fetch (worker, name, g_variant_builder_end (builder), NULL,
                                                MALT_TIMEOUT_DEFAULT, NULL, &error));

  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT))
    {
      test_assert_match (error->message, too_many);
      n_callable++;
      return;
    }

  /* The library may lack it. */
  if (!g_error_matches (error, MALT_ERROR, MALT_ERROR_NOT_FOUND))
    g_assert_error (error, MALT_ERROR, MALT_ERROR_NOT_SUPPORTED);
  test_assert_match (error->message, refused);
}

static void
look_at_type (MaltWorker *worker,
              GIBaseInfo *info,
              const char *name)
{
  for (guint i = 0; i < malt_gi_get_n_methods (info); i++)
    {
      GIFunctionInfo *method = malt_gi_get_method (info, i);
      g_autofree char *full = g_strdup_printf ("%s.%s", name, gi_base_info_get_name (GI_BASE_INFO (method)));

      look_at (worker, full);
      gi_base_info_unref (method);
    }
}

static void
test_all (Introspected  *fixture,
          gconstpointer  data)
{
  static const char * const namespaces[] = { "GLib", "GObject", "Gio", "GModule" };
  /* It would leak some of what it has loaded. */
  static GIRepository *repository;

  if (repository == NULL)
    repository = gi_repository_new ();
  n_callable = 0;
  for (gsize i = 0; i < G_N_ELEMENTS (namespaces); i++)
    {
      g_autoptr (GError) error = NULL;

      gi_repository_require (repository, namespaces[i], "2.0", GI_REPOSITORY_LOAD_FLAG_NONE, &error);
      g_assert_no_error (error);
      for (guint j = 0; j < gi_repository_get_n_infos (repository, namespaces[i]); j++)
        {
          GIBaseInfo *info = gi_repository_get_info (repository, namespaces[i], j);
          g_autofree char *name = g_strdup_printf ("%s.%s", namespaces[i], gi_base_info_get_name (info));

          if (GI_IS_FUNCTION_INFO (info))
            look_at (fixture->worker, name);
          else
            look_at_type (fixture->worker, info, name);
          gi_base_info_unref (info);
        }
    }

  g_test_message ("%u can be called", n_callable);
  g_assert_cmpuint (n_callable, >, 500);
  introspected_expect (fixture->worker, "GLib.basename", "('/a/b',)", "'b'");
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  introspected_add ("all", test_all);

  return g_test_run ();
}
