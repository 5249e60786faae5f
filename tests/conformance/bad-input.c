/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <signal.h>
#include <string.h>

#include <malt.h>

#include "test-answer.h"
#include "test-asserts.h"
#include "test-case.h"
#include "test-thread.h"

/* What callers get wrong, and what goes wrong around them: each has its error, and
 * leaves worker and manager as they were. */

/* All three ways of calling fail in the same way. */
static void
expect_call_error (TestCase   *self,
                   const char *function,
                   GVariant   *arguments,
                   GVariant   *keywords,
                   GQuark      domain,
                   int         code,
                   const char *pattern)
{
  g_autoptr (GVariant) owned = arguments != NULL ? g_variant_ref_sink (arguments) : NULL;
  g_autoptr (GVariant) owned_keywords = keywords != NULL ? g_variant_ref_sink (keywords) : NULL;
  g_autoptr (GError) error = NULL;

  g_assert_null (malt_worker_remote_call_fetch (self->worker, function, owned, owned_keywords,
                                                MALT_TIMEOUT_NONE, NULL, &error));
  test_assert_error (error, domain, code, pattern);

  g_assert_false (malt_worker_remote_call_wait (self->worker, function, owned, owned_keywords,
                                                MALT_TIMEOUT_NONE, NULL, &error));
  test_assert_error (error, domain, code, pattern);

  if (keywords == NULL)
    {
      g_assert_null (test_answer_wait (test_answer_call (self->worker, function, owned,
                                                         MALT_TIMEOUT_NONE, NULL),
                                       &error));
      test_assert_error (error, domain, code, pattern);
    }

  test_case_assert_usable (self);
}

static void
test_unknown_function (TestCase *self)
{
  const char *function = test_case_function (self, "no_such_function");
  g_autofree char *pattern = g_strdup_printf ("*%s*", "no_such_function");

  expect_call_error (self, function, NULL, NULL, MALT_ERROR, MALT_ERROR_NOT_FOUND, pattern);
}

static void
test_unknown_module (TestCase *self)
{
  const char *function = !test_case_is (self, "native") ? "no_such_module_at_all.function"
                                                       : "no-such-module-at-all:function";

  expect_call_error (self, function, NULL, NULL, MALT_ERROR, MALT_ERROR_NOT_FOUND,
                     "*no?such?module?at?all*");
}

static void
test_odd_names (TestCase *self)
{
  static const char * const names[] = { "", ".", ":", "a..b", ".a", "a.", "a:", ":a", "/", "a b" };
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_null (malt_worker_remote_call_fetch (self->worker, names[i], NULL, NULL,
                                                    MALT_TIMEOUT_NONE, NULL, &error));
      g_test_message ("'%s': %s", names[i], error->message);
      if (!g_error_matches (error, MALT_ERROR, MALT_ERROR_NOT_FOUND) &&
          !g_error_matches (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT))
        g_assert_error (error, MALT_ERROR, MALT_ERROR_NOT_FOUND);
    }
  test_case_assert_usable (self);
}

static void
test_not_callable (TestCase *self)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (malt_worker_remote_call_fetch (self->worker, test_case_source (self, "math.pi", "Math.PI"), NULL, NULL,
                                                MALT_TIMEOUT_NONE, NULL, &error));
  g_assert_true (error->domain == MALT_ERROR);
  test_assert_match (error->message, test_case_source (self, "*float*", "*number*"));
  test_case_assert_usable (self);
}

static void
test_not_a_tuple (TestCase *self)
{
  const char *add = test_case_function (self, "add");

  expect_call_error (self, add, g_variant_new_int64 (1), NULL,
                     G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "*tuple*");
  expect_call_error (self, add, g_variant_new_string ("(xx)"), NULL,
                     G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "*tuple*");
}

static void
test_wrong_keywords (TestCase *self)
{
  const char *add = test_case_function (self, "add");

  expect_call_error (self, add, NULL, g_variant_new_int64 (1),
                     G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "*a{sv}*");
  expect_call_error (self, add, NULL, g_variant_new_parsed ("{'a': 1}"),
                     G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "*a{sv}*");
}

static void
test_wrong_arguments (TestCase *self)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (malt_worker_remote_call_fetch (self->worker, test_case_function (self, "add"),
                                                g_variant_new ("(sb)", "a", TRUE), NULL,
                                                MALT_TIMEOUT_NONE, NULL, &error));
  g_assert_nonnull (error);
  test_case_assert_usable (self);
}

static void
test_not_utf8 (TestCase *self)
{
  g_autoptr (GError) error = NULL;
  TestAnswer *answer;

  g_assert_null (malt_worker_remote_eval_fetch (self->worker, NULL, "1 + '\xff\xfe'",
                                                MALT_TIMEOUT_NONE, NULL, &error));
  test_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "*UTF-8*");

  answer = test_answer_eval (self->worker, NULL, "\xc3", MALT_TIMEOUT_NONE, NULL);
  g_assert_null (test_answer_wait (answer, &error));
  test_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "*UTF-8*");

  g_assert_null (malt_worker_remote_eval_fetch (self->worker, "m\xff", "1", MALT_TIMEOUT_NONE,
                                                NULL, &error));
  test_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "*UTF-8*");

  g_assert_null (malt_worker_remote_call_fetch (self->worker, "f\xff", NULL, NULL,
                                                MALT_TIMEOUT_NONE, NULL, &error));
  test_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "*UTF-8*");
  test_case_assert_usable (self);
}

/* A value over the limit is refused where it is sent, in both directions. */
static void
test_too_large (TestCase *self)
{
  g_autofree guint8 *bytes = g_malloc0 (200000);
  GVariant *small, *large;

  malt_launcher_set_max_value_size (self->launcher, 100000);
  self->worker = test_case_spawn (self);

  small = g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, bytes, 90000, 1);
  test_assert_value (test_case_call (self, "length", g_variant_new ("(@ay)", small)),
                     "int64 90000");
  large = g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, bytes, 200000, 1);
  expect_call_error (self, test_case_function (self, "length"), g_variant_new ("(@ay)", large),
                     NULL, MALT_ERROR, MALT_ERROR_SERIALIZATION, "*100000*");

  g_variant_unref (test_case_call (self, "bytes", g_variant_new ("(x)", G_GINT64_CONSTANT (90000))));
  {
    g_autoptr (GError) error = NULL;

    g_assert_null (malt_worker_remote_call_fetch (self->worker,
                                                  test_case_function (self, "bytes"),
                                                  g_variant_new ("(x)", G_GINT64_CONSTANT (200000)),
                                                  NULL, MALT_TIMEOUT_NONE, NULL, &error));
    test_assert_error (error, MALT_ERROR, MALT_ERROR_SERIALIZATION, "*100000*");
  }
  test_case_assert_usable (self);
}

/* Descriptors do not go along with values, so what names one is refused, and says where. */
static void
test_handles (TestCase *self)
{
  g_autofree gint32 *many = g_new0 (gint32, 100000);
  GVariantBuilder keywords;

  expect_call_error (self, test_case_function (self, "echo"), g_variant_new ("(h)", 0),
                     NULL, MALT_ERROR, MALT_ERROR_SERIALIZATION, "*cannot cross*of type (h), and a handle (h)*");
  expect_call_error (self, test_case_function (self, "echo"), g_variant_new ("(v)", g_variant_new_handle (0)),
                     NULL, MALT_ERROR, MALT_ERROR_SERIALIZATION, "*a variant inside at byte * is of type h,*");
  expect_call_error (self, test_case_function (self, "echo"),
                     g_variant_new ("(@ah)", g_variant_new_fixed_array (G_VARIANT_TYPE_HANDLE, many, 100000, 4)),
                     NULL, MALT_ERROR, MALT_ERROR_SERIALIZATION, "*of type (ah), and a handle (h)*");
  g_variant_builder_init (&keywords, G_VARIANT_TYPE_VARDICT);
  g_variant_builder_add (&keywords, "{sv}", "a", g_variant_new_handle (0));
  expect_call_error (self, test_case_function (self, "subtract"), NULL, g_variant_builder_end (&keywords),
                     MALT_ERROR, MALT_ERROR_SERIALIZATION, "*of type h, and a handle (h)*");
  test_case_assert_usable (self);
}

static GVariant *
zeros (gsize size)
{
  guint8 *bytes = g_malloc0 (size);

  return g_variant_new_from_data (G_VARIANT_TYPE_BYTESTRING, bytes, size, TRUE, g_free, bytes);
}

static gpointer
kill_thread (gpointer data)
{
  g_usleep (20000);
  malt_worker_kill (data, SIGKILL);
  return NULL;
}

/* A worker that dies while a request too large for any buffer is written to it, which
 * cannot end before, because the worker does not read. */
static void
test_dies_while_written (TestCase *self)
{
  g_autoptr (GError) error = NULL;
  TestAnswer *large, *behind;

  malt_worker_kill (self->worker, SIGSTOP);
  large = test_answer_call (self->worker, test_case_function (self, "length"),
                            g_variant_new ("(@ay)", zeros (40 * 1024 * 1024)), MALT_TIMEOUT_NONE,
                            NULL);
  behind = test_answer_call (self->worker, test_case_function (self, "nothing"), NULL,
                             MALT_TIMEOUT_NONE, NULL);
  g_assert_false (test_answer_is_there (large));
  malt_worker_kill (self->worker, SIGKILL);

  g_assert_null (test_answer_wait (large, &error));
  test_assert_error (error, MALT_ERROR, MALT_ERROR_TERMINATED, "*signal 9*");
  g_assert_null (test_answer_wait (behind, &error));
  test_assert_error (error, MALT_ERROR, MALT_ERROR_TERMINATED, "*signal 9*");
}

static void
test_dies_while_written_blocking (TestCase *self)
{
  g_autoptr (GError) error = NULL;
  TestThread *thread;

  malt_worker_kill (self->worker, SIGSTOP);
  thread = test_thread_new ("kills", kill_thread, self->worker);
  g_assert_null (malt_worker_remote_call_fetch (self->worker, test_case_function (self, "length"),
                                                g_variant_new ("(@ay)", zeros (40 * 1024 * 1024)),
                                                NULL, MALT_TIMEOUT_NONE, NULL, &error));
  test_assert_error (error, MALT_ERROR, MALT_ERROR_TERMINATED, "*signal 9*");
  test_thread_join (thread);
}

/* The rest happens in programs of their own, which are starved of something. */
static void
run_starved (TestCase   *self,
             const char *resource)
{
  g_autofree char *program = g_test_build_filename (G_TEST_BUILT, "programs", "starved-manager", NULL);
  g_autofree char *number = g_strdup_printf ("%d", (int) (self->variant - test_variants));
  g_autoptr (GSubprocess) manager = NULL;
  g_autoptr (GBytes) output = NULL;
  g_autoptr (GError) error = NULL;

  manager = g_subprocess_new (G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_MERGE,
                              &error, program, number, resource, NULL);
  g_assert_no_error (error);
  g_subprocess_communicate (manager, NULL, NULL, &output, NULL, &error);
  g_assert_no_error (error);
  if (!g_subprocess_get_if_exited (manager) || g_subprocess_get_exit_status (manager) != 0)
    g_error ("the starved manager failed: %.*s", (int) g_bytes_get_size (output),
             (const char *) g_bytes_get_data (output, NULL));
}

static void
test_no_descriptors (TestCase *self)
{
  run_starved (self, "descriptors");
}

static void
test_no_processes (TestCase *self)
{
  run_starved (self, "processes");
}

int
main (int argc, char **argv)
{
  test_case_init (&argc, &argv, "bad-input");

  test_case_add ("unknown-function", TEST_NEEDS_NOTHING, test_unknown_function);
  test_case_add ("unknown-module", TEST_NEEDS_RUNTIME, test_unknown_module);
  test_case_add ("odd-names", TEST_NEEDS_RUNTIME, test_odd_names);
  test_case_add ("not-callable", TEST_NEEDS_CONVERSION, test_not_callable);
  test_case_add ("not-a-tuple", TEST_NEEDS_NOTHING, test_not_a_tuple);
  test_case_add ("wrong-keywords", TEST_NEEDS_NOTHING, test_wrong_keywords);
  test_case_add ("wrong-arguments", TEST_NEEDS_RUNTIME, test_wrong_arguments);
  test_case_add ("not-utf8", TEST_NEEDS_NOTHING, test_not_utf8);
  test_case_add_idle ("too-large", TEST_NEEDS_PROCESS, test_too_large);
  test_case_add ("handles", TEST_NEEDS_PROCESS, test_handles);
  test_case_add ("dies-while-written", TEST_NEEDS_PROCESS, test_dies_while_written);
  test_case_add ("dies-while-written-blocking", TEST_NEEDS_PROCESS, test_dies_while_written_blocking);
  test_case_add_idle ("no-descriptors", TEST_NEEDS_RUNTIME, test_no_descriptors);
  test_case_add_idle ("no-processes", TEST_NEEDS_RUNTIME, test_no_processes);

  return g_test_run ();
}
