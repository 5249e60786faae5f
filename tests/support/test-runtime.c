/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test-runtime.h"

#include "test-case.h"
#include "test-collect.h"

MaltWorker *test_runtime_worker;
const char *test_runtime_backend;

typedef struct
{
  const char *runtime;
  const char *backend;
  const char *options;
  GTestFunc   func;
} Variant;

static void
run (gconstpointer data)
{
  const Variant *self = data;
  g_autoptr (MaltLauncher) launcher = malt_launcher_new (self->backend, self->runtime);
  g_autoptr (GError) error = NULL;

  if (self->options != NULL)
    malt_launcher_set_runtime_options (launcher, g_variant_new_parsed (self->options));
  test_runtime_backend = self->backend;
  test_runtime_worker = malt_launcher_spawn (launcher, NULL, &error);
  g_assert_no_error (error);
  self->func ();
  test_collect_garbage (test_runtime_worker, self->backend, self->runtime);
  test_case_retire (g_steal_pointer (&test_runtime_worker));
}

/* Adds a test that is run with a worker of either kind.  @options are the runtime's, in
 * text, or %NULL. */
void
test_runtime_add (const char *runtime,
                  const char *subject,
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

      *variant = (Variant) { runtime, backends[i], options, func };
      g_test_add_data_func_full (path, variant, run, g_free);
    }
}

gboolean
test_runtime_is_process (void)
{
  return g_str_equal (test_runtime_backend, "process");
}

/* Evaluates what has to succeed. */
GVariant *
test_runtime_eval (const char *module,
                   const char *source)
{
  g_autoptr (GError) error = NULL;
  GVariant *value;

  value = malt_worker_remote_eval_fetch (test_runtime_worker, module, source, MALT_TIMEOUT_NONE, NULL, &error);
  g_assert_no_error (error);
  return value;
}

/* @expected is the value with its types, as g_variant_print() has it. */
void
test_runtime_assert_eval (const char *source,
                          const char *expected)
{
  g_autoptr (GVariant) value = test_runtime_eval (NULL, source);
  g_autofree char *text = g_variant_print (value, TRUE);

  if (g_strcmp0 (text, expected) != 0)
    g_error ("'%s' gave %s, expected %s", source, text, expected);
}

/* Interrupts what holds up the worker, until that answers again.  An interrupt may be for the
 * request that asks, too. */
void
test_runtime_interrupt_until_usable (void)
{
  g_autoptr (GVariant) value = NULL;

  while (value == NULL)
    {
      g_autoptr (GError) error = NULL;

      malt_worker_interrupt (test_runtime_worker);
      value = malt_worker_remote_eval_fetch (test_runtime_worker, NULL, "1 + 1", 100, NULL, &error);
      if (value == NULL && !g_error_matches (error, MALT_ERROR, MALT_ERROR_TIMEOUT))
        g_assert_error (error, MALT_ERROR, MALT_ERROR_INTERRUPTED);
    }
}

/* Evaluates what has to fail. */
GError *
test_runtime_eval_error (const char *module,
                         const char *source)
{
  GError *error = NULL;

  g_assert_null (malt_worker_remote_eval_fetch (test_runtime_worker, module, source, MALT_TIMEOUT_NONE, NULL, &error));
  g_assert_nonnull (error);
  g_test_message ("%.200s: %s", source, error->message);
  return error;
}

/* @arguments are a tuple in text, or %NULL for none. */
GVariant *
test_runtime_call (const char *function,
                   const char *arguments)
{
  g_autoptr (GError) error = NULL;
  GVariant *value;

  value = malt_worker_remote_call_fetch (test_runtime_worker, function,
                                         arguments != NULL ? g_variant_new_parsed (arguments) : NULL, NULL,
                                         MALT_TIMEOUT_NONE, NULL, &error);
  g_assert_no_error (error);
  return value;
}

GError *
test_runtime_call_error (const char *function,
                         const char *arguments)
{
  GError *error = NULL;

  g_assert_null (malt_worker_remote_call_fetch (test_runtime_worker, function,
                                                arguments != NULL ? g_variant_new_parsed (arguments) : NULL, NULL,
                                                MALT_TIMEOUT_NONE, NULL, &error));
  g_assert_nonnull (error);
  return error;
}
