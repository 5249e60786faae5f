/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "introspected-worker.h"

#include "test-asserts.h"
#include "test-watchdog.h"

MaltWorker *
introspected_worker_new (const char *backend)
{
  const char *search_path[] = { g_getenv ("TEST_INTROSPECTED"), NULL };
  g_autoptr (MaltLauncher) launcher = malt_launcher_new (backend, "native");
  g_autoptr (GError) error = NULL;
  MaltWorker *worker;

  malt_launcher_set_search_path (launcher, search_path);
  worker = malt_launcher_spawn (launcher, NULL, &error);
  g_assert_no_error (error);
  return worker;
}

void
introspected_worker_retire (MaltWorker *worker)
{
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (malt_worker_stop (worker, -1, -1, NULL, &error), ==, MALT_STOP_RESULT_WAS_RUNNING);
  g_assert_no_error (error);
  g_object_unref (worker);
}

GVariant *
introspected_call (MaltWorker  *worker,
                   const char  *function,
                   const char  *arguments,
                   GError     **error)
{
  g_autoptr (GError) local_error = NULL;
  g_autoptr (GVariant) tuple = g_variant_parse (NULL, arguments, NULL, NULL, &local_error);

  g_assert_no_error (local_error);
  return malt_worker_remote_call_fetch (worker, function, tuple, NULL, MALT_TIMEOUT_DEFAULT, NULL, error);
}

void
introspected_expect (MaltWorker *worker,
                     const char *function,
                     const char *arguments,
                     const char *value)
{
  g_autoptr (GError) error = NULL;
  GVariant *result = introspected_call (worker, function, arguments, &error);

  g_assert_no_error (error);
  test_assert_value (result, value);
}

static void
set_up (Introspected  *self,
        gconstpointer  backend)
{
  test_watchdog_start ();
  self->worker = introspected_worker_new (backend);
}

static void
tear_down (Introspected  *self,
           gconstpointer  backend)
{
  introspected_worker_retire (self->worker);
  test_watchdog_stop ();
}

void
introspected_add (const char *path,
                  void     (* func) (Introspected *, gconstpointer))
{
  static const char * const backends[] = { "inprocess", "process" };

  for (gsize i = 0; i < G_N_ELEMENTS (backends); i++)
    {
      g_autofree char *full = g_strdup_printf ("/introspection/%s/%s", path, backends[i]);

      g_test_add (full, Introspected, backends[i], set_up, func, tear_down);
    }
}
