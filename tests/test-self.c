/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <malt.h>
#include <unistd.h>

/* A program whose workers are the program itself, started again. */

static GVariant *
multiply (MaltRequest   *request,
          GVariant      *arguments,
          GCancellable  *cancellable,
          gpointer       user_data,
          GError       **error)
{
  gint64 a, b;

  if (!g_variant_is_of_type (arguments, G_VARIANT_TYPE ("(xx)")))
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                   "multiply takes two integers, not %s", g_variant_get_type_string (arguments));
      return NULL;
    }

  g_variant_get (arguments, "(xx)", &a, &b);
  return g_variant_new_int64 (a * b * GPOINTER_TO_INT (user_data));
}

static GVariant *
get_pid (MaltRequest   *request,
         GVariant      *arguments,
         GCancellable  *cancellable,
         gpointer       user_data,
         GError       **error)
{
  return g_variant_new_int32 (getpid ());
}

static MaltWorker *
spawn_self (const char *backend)
{
  g_autoptr (MaltLauncher) launcher = malt_launcher_new (backend, "native");
  g_autoptr (GError) error = NULL;
  MaltWorker *worker;

  if (g_str_equal (backend, "process"))
    malt_launcher_set_program (launcher, MALT_PROGRAM_SELF);
  worker = malt_launcher_spawn (launcher, NULL, &error);
  g_assert_no_error (error);

  return worker;
}

static void
test_call (gconstpointer backend)
{
  g_autoptr (MaltWorker) worker = spawn_self (backend);
  g_autoptr (GVariant) value = NULL;
  g_autoptr (GVariant) pid = NULL;
  g_autoptr (GError) error = NULL;

  value = malt_worker_remote_call_fetch (worker, "multiply", g_variant_new ("(xx)", (gint64) 6, (gint64) 7),
                                         NULL, MALT_TIMEOUT_NONE, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpint (g_variant_get_int64 (value), ==, 84);

  pid = malt_worker_remote_call_fetch (worker, "get-pid", NULL, NULL, MALT_TIMEOUT_NONE, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpint (g_variant_get_int32 (pid), ==, malt_worker_get_pid (worker));
  if (g_str_equal (backend, "process"))
    g_assert_cmpint (g_variant_get_int32 (pid), !=, getpid ());
  else
    g_assert_cmpint (g_variant_get_int32 (pid), ==, getpid ());
}

static void
test_failures (gconstpointer backend)
{
  g_autoptr (MaltWorker) worker = spawn_self (backend);
  g_autoptr (GError) error = NULL;

  g_assert_null (malt_worker_remote_call_fetch (worker, "multiply", g_variant_new ("(s)", "six"), NULL,
                                                MALT_TIMEOUT_NONE, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
  g_assert_true (g_str_has_suffix (error->message, "multiply takes two integers, not (s)"));
  g_clear_error (&error);

  g_assert_null (malt_worker_remote_call_fetch (worker, "divide", NULL, NULL, MALT_TIMEOUT_NONE, NULL, &error));
  g_assert_error (error, MALT_ERROR, MALT_ERROR_NOT_FOUND);
  g_assert_nonnull (strstr (error->message, "divide"));
  g_clear_error (&error);

  g_assert_null (malt_worker_remote_eval_fetch (worker, NULL, "6 * 7", MALT_TIMEOUT_NONE, NULL, &error));
  g_assert_error (error, MALT_ERROR, MALT_ERROR_NOT_SUPPORTED);
}

int
main (int    argc,
      char **argv)
{
  malt_register_function ("multiply", multiply, GINT_TO_POINTER (2), NULL);
  malt_register_function ("get-pid", get_pid, NULL, NULL);
  malt_run_as_worker (argc, argv);

  g_test_init (&argc, &argv, NULL);
  g_test_add_data_func ("/self/process/call", "process", test_call);
  g_test_add_data_func ("/self/process/failures", "process", test_failures);
  g_test_add_data_func ("/self/inprocess/call", "inprocess", test_call);
  g_test_add_data_func ("/self/inprocess/failures", "inprocess", test_failures);

  return g_test_run ();
}
