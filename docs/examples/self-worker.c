/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A program that is its own worker: it registers functions, and is started again to
 * run them in a process of their own.
 *
 * cc self-worker.c $(pkg-config --cflags --libs malt-1) */

#include <malt.h>

static GVariant *
sum (MaltRequest   *request,
     GVariant      *arguments,
     GCancellable  *cancellable,
     gpointer       user_data,
     GError       **error)
{
  g_autoptr (GVariant) numbers = NULL;
  const double *values;
  double total = 0;
  gsize i, n;

  /* Whoever calls decides the types, so they are looked at first. */
  if (!g_variant_is_of_type (arguments, G_VARIANT_TYPE ("(ad)")))
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "sum() takes (ad), not %s",
                   g_variant_get_type_string (arguments));
      return NULL;
    }

  numbers = g_variant_get_child_value (arguments, 0);
  values = g_variant_get_fixed_array (numbers, &n, sizeof (double));
  for (i = 0; i < n && !g_cancellable_set_error_if_cancelled (cancellable, error); i++)
    total += values[i];

  return i == n ? g_variant_new_double (total) : NULL;
}

static gboolean
answer_cb (gpointer user_data)
{
  malt_request_return_value (user_data, g_variant_new_string ("at last"));
  return G_SOURCE_REMOVE;
}

/* It answers later, and does not hold up the next call.  The thread-default context of
 * the serving thread runs while there is nothing else to do. */
static GVariant *
later (MaltRequest   *request,
       GVariant      *arguments,
       GCancellable  *cancellable,
       gpointer       user_data,
       GError       **error)
{
  g_autoptr (GSource) source = g_timeout_source_new (100);

  malt_request_defer (request);
  g_source_set_callback (source, answer_cb, g_object_ref (request), g_object_unref);
  g_source_attach (source, g_main_context_get_thread_default ());
  return NULL;
}

int
main (int argc, char **argv)
{
  const double numbers[] = { 1, 2, 3.5 };
  g_autoptr (MaltLauncher) launcher = NULL;
  g_autoptr (MaltWorker) worker = NULL;
  g_autoptr (GVariant) total = NULL;
  g_autoptr (GVariant) text = NULL;
  g_autoptr (GError) error = NULL;
  GVariant *array;

  malt_register_function ("sum", sum, NULL, NULL);
  malt_register_function ("later", later, NULL, NULL);
  malt_run_as_worker (argc, argv);

  /* Only the manager comes here. */
  launcher = malt_launcher_new ("process", "native");
  malt_launcher_set_program (launcher, MALT_PROGRAM_SELF);
  worker = malt_launcher_spawn (launcher, NULL, &error);
  if (worker == NULL)
    g_error ("%s", error->message);

  array = g_variant_new_fixed_array (G_VARIANT_TYPE_DOUBLE, numbers, G_N_ELEMENTS (numbers), sizeof (double));
  total = malt_worker_remote_call_fetch (worker, "sum", g_variant_new ("(@ad)", array), NULL,
                                         MALT_TIMEOUT_NONE, NULL, &error);
  if (total == NULL)
    g_error ("%s", error->message);
  text = malt_worker_remote_call_fetch (worker, "later", NULL, NULL, 1000, NULL, &error);
  if (text == NULL)
    g_error ("%s", error->message);

  g_print ("%g %s\n", g_variant_get_double (total), g_variant_get_string (text, NULL));
  return 0;
}
