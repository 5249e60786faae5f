/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <malt.h>

/* What programs do with their workers besides calling one function after the other.  The
 * workers are this program, started again. */

/* Runs until it is interrupted or cancelled. */
static GVariant *
spin (MaltRequest   *request,
      GVariant      *arguments,
      GCancellable  *cancellable,
      gpointer       user_data,
      GError       **error)
{
  while (!g_cancellable_set_error_if_cancelled (cancellable, error))
    g_usleep (1000);

  return NULL;
}

static GVariant *
fail (MaltRequest   *request,
      GVariant      *arguments,
      GCancellable  *cancellable,
      gpointer       user_data,
      GError       **error)
{
  g_autofree char *text = g_strnfill (1000, 'x');

  g_set_error_literal (error, MALT_ERROR, MALT_ERROR_REMOTE, text);
  return NULL;
}

static GVariant *
nothing (MaltRequest   *request,
         GVariant      *arguments,
         GCancellable  *cancellable,
         gpointer       user_data,
         GError       **error)
{
  return NULL;
}

static MaltWorker *
spawn (guint64 max_value_size)
{
  g_autoptr (MaltLauncher) launcher = malt_launcher_new ("process", "native");
  g_autoptr (GError) error = NULL;
  MaltWorker *worker;

  malt_launcher_set_program (launcher, MALT_PROGRAM_SELF);
  if (max_value_size > 0)
    malt_launcher_set_max_value_size (launcher, max_value_size);
  worker = malt_launcher_spawn (launcher, NULL, &error);
  g_assert_no_error (error);

  return worker;
}

static void
assert_usable (MaltWorker *worker)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (malt_worker_remote_call_wait (worker, "nothing", NULL, NULL, MALT_TIMEOUT_NONE, NULL, &error));
  g_assert_no_error (error);
}

static void
assert_withdrawn (MaltWorker *worker)
{
  g_autoptr (GError) error = NULL;

  g_assert_false (malt_worker_remote_call_wait (worker, "nothing", NULL, NULL, 50, NULL, &error));
  g_assert_error (error, MALT_ERROR, MALT_ERROR_TIMEOUT);
  g_assert_cmpint (malt_remote_error_get_rung (error), ==, MALT_RUNG_WITHDRAWN);
}

/* A thread that itself reads from the worker is let go in time, though nothing is to be
 * read before the call ahead has ended. */
static void
test_withdrawn_reader (void)
{
  g_autoptr (MaltWorker) worker = spawn (0);

  malt_worker_remote_call_async (worker, "spin", NULL, NULL, MALT_TIMEOUT_NONE, NULL, NULL, NULL);
  assert_withdrawn (worker);

  malt_worker_interrupt (worker);
  assert_usable (worker);
}

/* The same while there is no room for the call on the connection. */
static void
test_withdrawn_unsent (void)
{
  g_autoptr (MaltWorker) worker = spawn (0);
  g_autoptr (GVariant) large = NULL;
  gsize size = 40 * 1024 * 1024;
  guint i;

  large = g_variant_ref_sink (g_variant_new_from_data (G_VARIANT_TYPE_BYTESTRING, g_malloc0 (size), size,
                                                       TRUE, g_free, NULL));
  malt_worker_remote_call_async (worker, "spin", NULL, NULL, MALT_TIMEOUT_NONE, NULL, NULL, NULL);
  for (i = 0; i < 3; i++)
    malt_worker_remote_call_async (worker, "nothing", g_variant_new_tuple (&large, 1), NULL,
                                   MALT_TIMEOUT_NONE, NULL, NULL, NULL);
  assert_withdrawn (worker);

  malt_worker_interrupt (worker);
  assert_usable (worker);
}

/* What a worker says of an error is no value, and its limit another one. */
static void
test_error_beyond_value_size (void)
{
  g_autoptr (MaltWorker) worker = spawn (200);
  g_autoptr (GError) error = NULL;

  g_assert_false (malt_worker_remote_call_wait (worker, "fail", NULL, NULL, MALT_TIMEOUT_NONE, NULL, &error));
  g_assert_error (error, MALT_ERROR, MALT_ERROR_REMOTE);
  assert_usable (worker);
}

int
main (int    argc,
      char **argv)
{
  malt_register_function ("spin", spin, NULL, NULL);
  malt_register_function ("fail", fail, NULL, NULL);
  malt_register_function ("nothing", nothing, NULL, NULL);
  malt_run_as_worker (argc, argv);

  g_test_init (&argc, &argv, G_TEST_OPTION_ISOLATE_DIRS, NULL);
  g_test_add_func ("/manager/withdrawn/reader", test_withdrawn_reader);
  g_test_add_func ("/manager/withdrawn/unsent", test_withdrawn_unsent);
  g_test_add_func ("/manager/error-beyond-value-size", test_error_beyond_value_size);

  return g_test_run ();
}
