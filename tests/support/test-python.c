/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test-python.h"

MaltWorker *test_python_worker;
const char *test_python_backend;

typedef struct
{
  const char *backend;
  const char *options;
  GTestFunc   func;
} Variant;

static void
run (gconstpointer data)
{
  const Variant *self = data;
  g_autoptr (MaltLauncher) launcher = malt_launcher_new (self->backend, "python");
  g_autoptr (GError) error = NULL;

  if (self->options != NULL)
    malt_launcher_set_runtime_options (launcher, g_variant_new_parsed (self->options));
  test_python_backend = self->backend;
  test_python_worker = malt_launcher_spawn (launcher, NULL, &error);
  g_assert_no_error (error);
  self->func ();
  g_clear_object (&test_python_worker);
}

/* Adds a test that is run with a worker of either kind.  @options are the runtime's, in
 * text, or %NULL. */
void
test_python_add (const char *subject,
                 const char *name,
                 const char *options,
                 GTestFunc   func)
{
  static const char * const backends[] = { "process", "inprocess" };
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (backends); i++)
    {
      g_autofree char *path = g_strdup_printf ("/%s/%s/%s", subject, backends[i], name);
      Variant *variant = g_new (Variant, 1);

      variant->backend = backends[i];
      variant->options = options;
      variant->func = func;
      g_test_add_data_func_full (path, variant, run, g_free);
    }
}
