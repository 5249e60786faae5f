/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <malt.h>

#include "test-answer.h"
#include "test-asserts.h"
#include "test-case.h"
#include "test-mark.h"

/* Deadlines that pass at each stage of a call, and the rung that ended it. */

static void
expect_timeout (TestAnswer *answer,
                MaltRung    rung)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (test_answer_wait (answer, &error));
  g_assert_nonnull (error);
  g_test_message ("%s", error->message);
  g_assert_cmpint (malt_remote_error_get_rung (error), ==, rung);
  test_assert_error (error, MALT_ERROR, MALT_ERROR_TIMEOUT, "*");
}

static void
test_met (TestCase *self)
{
  g_autoptr (GError) error = NULL;
  GVariant *value;

  value = malt_worker_remote_call_fetch (self->worker, test_case_function (self, "add"),
                                         g_variant_new ("(xx)", G_GINT64_CONSTANT (1),
                                                        G_GINT64_CONSTANT (2)),
                                         NULL, 600000, NULL, &error);
  g_assert_no_error (error);
  test_assert_value (value, "int64 3");
}

static void
test_waiting (TestCase *self)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *name = malt_worker_dup_name (self->worker);
  g_autofree char *pattern = g_strdup_printf ("*%s*", name);
  const char *never = test_case_function (self, "later_never");

  /* It has to have begun by then, also on a busy machine. */
  test_case_assert_usable (self);
  g_assert_null (malt_worker_remote_call_fetch (self->worker, never, NULL, NULL, 1000, NULL, &error));
  g_assert_cmpint (malt_remote_error_get_rung (error), ==, MALT_RUNG_CANCELLED);
  test_assert_error (error, MALT_ERROR, MALT_ERROR_TIMEOUT, pattern);

  expect_timeout (test_answer_call (self->worker, never, NULL, 1000, NULL), MALT_RUNG_CANCELLED);
  test_case_assert_usable (self);
}

static void
test_of_launcher (TestCase *self)
{
  const char *never = test_case_function (self, "later_never");
  g_autoptr (GError) error = NULL;
  TestAnswer *without;

  malt_launcher_set_call_timeout (self->launcher, 1000);
  self->worker = test_case_spawn (self);

  /* Where the first call loads what the others need, it may take longer. */
  g_assert_true (malt_worker_remote_call_wait (self->worker, test_case_function (self, "nothing"),
                                               NULL, NULL, MALT_TIMEOUT_NONE, NULL, &error));
  g_assert_no_error (error);

  without = test_answer_call (self->worker, never, NULL, MALT_TIMEOUT_NONE, NULL);
  expect_timeout (test_answer_call (self->worker, never, NULL, MALT_TIMEOUT_DEFAULT, NULL),
                  MALT_RUNG_CANCELLED);
  g_assert_false (test_answer_is_there (without));

  malt_worker_interrupt (self->worker);
  g_assert_null (test_answer_wait (without, &error));
  test_assert_error (error, MALT_ERROR, MALT_ERROR_INTERRUPTED, "*");
}

static void
test_queued (TestCase *self)
{
  g_autoptr (GError) error = NULL;
  TestAnswer *runs = test_case_start (self, "spin", MALT_TIMEOUT_NONE, NULL);

  expect_timeout (test_answer_call (self->worker, test_case_function (self, "nothing"), NULL, 50,
                                    NULL),
                  MALT_RUNG_WITHDRAWN);
  g_assert_false (test_answer_is_there (runs));

  malt_worker_interrupt (self->worker);
  g_assert_null (test_answer_wait (runs, &error));
  test_assert_error (error, MALT_ERROR, MALT_ERROR_INTERRUPTED, "*");
  test_case_assert_usable (self);
}

static void
test_running (TestCase *self)
{
  test_case_spawn_to_interrupt (self);

  /* It has to be running by then, also on a busy machine. */
  test_case_assert_usable (self);
  expect_timeout (test_case_start (self, "spin", 1000, NULL),
                  !test_case_is (self, "native") ? MALT_RUNG_INTERRUPTED : MALT_RUNG_CANCELLED);
  test_case_assert_usable (self);
}

static void
test_deaf (TestCase *self)
{
  g_autofree char *end = test_mark_new ();

  malt_launcher_set_cancel_timeout (self->launcher, 20);
  malt_launcher_set_interrupt_timeout (self->launcher, 20);
  self->worker = test_case_spawn (self);

  test_case_assert_usable (self);
  expect_timeout (test_case_start_deaf (self, end, 1000, NULL), MALT_RUNG_ABANDONED);
  g_assert_true (malt_worker_is_running (self->worker));
  test_mark_make (end);
  test_case_assert_usable (self);
}

static void
test_kill (TestCase *self)
{
  g_autofree char *end = test_mark_new ();
  g_autoptr (GError) error = NULL;

  malt_launcher_set_cancel_timeout (self->launcher, 20);
  malt_launcher_set_interrupt_timeout (self->launcher, 20);
  malt_launcher_set_kill_on_timeout (self->launcher, TRUE);
  self->worker = test_case_spawn (self);

  /* It has to be running by then, also on a busy machine. */
  test_case_assert_usable (self);
  expect_timeout (test_case_start_deaf (self, end, 1000, NULL), MALT_RUNG_KILLED);

  /* It has ended, or does within the moment. */
  malt_worker_stop (self->worker, -1, -1, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpint (malt_exit_info_get_signal (malt_worker_get_exit_info (self->worker)), ==, 9);
}

/* Without a worker that needs it, a deadline of none at all is met by nothing. */
static void
test_zero (TestCase *self)
{
  g_autoptr (GError) error = NULL;

  test_case_assert_usable (self); /* so that nothing is broken off while it is loaded */
  g_assert_null (malt_worker_remote_call_fetch (self->worker,
                                                test_case_function (self, "later_never"), NULL,
                                                NULL, 0, NULL, &error));
  test_assert_error (error, MALT_ERROR, MALT_ERROR_TIMEOUT, "*");
  test_case_assert_usable (self);
}

static void
test_many (TestCase *self)
{
  TestAnswer *answers[200];
  gsize i;

  test_case_assert_usable (self); /* so that nothing is broken off while it is loaded */
  for (i = 0; i < G_N_ELEMENTS (answers); i++)
    answers[i] = test_answer_call (self->worker, test_case_function (self, "later_never"), NULL,
                                   (int) (1 + i % 40), NULL);
  for (i = 0; i < G_N_ELEMENTS (answers); i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_null (test_answer_wait (answers[i], &error));
      test_assert_error (error, MALT_ERROR, MALT_ERROR_TIMEOUT, "*");
    }
  test_case_assert_usable (self);
}

int
main (int argc, char **argv)
{
  test_case_init (&argc, &argv, "deadlines");

  test_case_add ("met", TEST_NEEDS_NOTHING, test_met);
  test_case_add ("waiting", TEST_NEEDS_NOTHING, test_waiting);
  test_case_add_idle ("of-launcher", TEST_NEEDS_NOTHING, test_of_launcher);
  test_case_add ("queued", TEST_NEEDS_QUEUE, test_queued);
  test_case_add_idle ("running", TEST_NEEDS_QUEUE, test_running);
  test_case_add_idle ("deaf", TEST_NEEDS_QUEUE, test_deaf);
  test_case_add_idle ("kill", TEST_NEEDS_PROCESS, test_kill);
  test_case_add ("zero", TEST_NEEDS_NOTHING, test_zero);
  test_case_add ("many", TEST_NEEDS_NOTHING, test_many);

  return g_test_run ();
}
