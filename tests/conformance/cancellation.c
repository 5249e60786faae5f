/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <malt.h>

#include "test-answer.h"
#include "test-asserts.h"
#include "test-case.h"
#include "test-mark.h"
#include "test-thread.h"

/* Cancelling a call at each stage of its life, and the rung that ended it. */

/* The error is GIO's, so only its text can tell the rung. */
static void
assert_cancelled (GError   *error,
                  MaltRung  rung)
{
  static const char * const patterns[] = {
    [MALT_RUNG_NONE]        = "*",
    [MALT_RUNG_WITHDRAWN]   = "*the call was cancelled; it was withdrawn before it started",
    [MALT_RUNG_CANCELLED]   = "*the call was cancelled; it gave up when asked",
    [MALT_RUNG_INTERRUPTED] = "*the call was cancelled; it was interrupted",
    [MALT_RUNG_KILLED]      = "*the call was cancelled; the worker was killed",
    [MALT_RUNG_ABANDONED]   = "*the call was cancelled; it could not be interrupted and may still run",
  };

  test_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED, patterns[rung]);
}

/* Waits for the answer of something that was cancelled. */
static void
expect_cancelled (TestAnswer *answer,
                  MaltRung    rung)
{
  GError *error = NULL;

  g_assert_null (test_answer_wait (answer, &error));
  assert_cancelled (error, rung);
}

static void
test_before (TestCase *self)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  const char *put = test_case_function (self, "put");
  GError *error = NULL;

  g_variant_unref (test_case_call (self, "put", g_variant_new ("(x)", G_GINT64_CONSTANT (1))));
  g_cancellable_cancel (cancellable);

  g_assert_null (malt_worker_remote_call_fetch (self->worker, put,
                                                g_variant_new ("(x)", G_GINT64_CONSTANT (2)), NULL,
                                                MALT_TIMEOUT_NONE, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&error);

  g_assert_null (test_answer_wait (test_answer_call (self->worker, put,
                                                     g_variant_new ("(x)", G_GINT64_CONSTANT (3)),
                                                     MALT_TIMEOUT_NONE, cancellable),
                                   &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&error);

  /* It has not been run. */
  test_assert_value (test_case_call (self, "get", NULL), "int64 1");
}

/* Behind another call that runs: withdrawn, and it never runs. */
static void
test_queued (TestCase *self)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;
  TestAnswer *runs, *queued;

  g_variant_unref (test_case_call (self, "put", g_variant_new ("(x)", G_GINT64_CONSTANT (1))));
  runs = test_case_start (self, "spin", MALT_TIMEOUT_NONE, NULL);
  queued = test_answer_call (self->worker, test_case_function (self, "put"),
                             g_variant_new ("(x)", G_GINT64_CONSTANT (2)), MALT_TIMEOUT_NONE,
                             cancellable);
  g_cancellable_cancel (cancellable);
  expect_cancelled (queued, MALT_RUNG_WITHDRAWN);
  g_assert_false (test_answer_is_there (runs));

  malt_worker_interrupt (self->worker);
  g_assert_null (test_answer_wait (runs, &error));
  test_assert_error (error, MALT_ERROR, MALT_ERROR_INTERRUPTED, "*");
  test_assert_value (test_case_call (self, "get", NULL), "int64 1");
}

/* Something that waits gives up when it is asked to. */
static void
test_waiting (TestCase *self)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  TestAnswer *answer;

  answer = test_answer_call (self->worker, test_case_function (self, "later_never"), NULL,
                             MALT_TIMEOUT_NONE, cancellable);
  test_case_assert_usable (self);
  g_cancellable_cancel (cancellable);
  expect_cancelled (answer, MALT_RUNG_CANCELLED);
  test_case_assert_usable (self);
}

/* Something that runs: C code looks at its cancellable, Python is interrupted. */
static void
test_running (TestCase *self)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  TestAnswer *answer;

  test_case_spawn_to_interrupt (self);

  answer = test_case_start (self, "spin", MALT_TIMEOUT_NONE, cancellable);
  g_cancellable_cancel (cancellable);
  expect_cancelled (answer, !test_case_is (self, "native") ? MALT_RUNG_INTERRUPTED
                                                          : MALT_RUNG_CANCELLED);
  test_case_assert_usable (self);
}

static gpointer
cancel_thread (gpointer data)
{
  GCancellable *cancellable = data;

  test_mark_await (g_object_get_data (G_OBJECT (cancellable), "mark"));
  g_cancellable_cancel (cancellable);
  return NULL;
}

/* A blocking call is let go in the same way. */
static void
test_blocking (TestCase *self)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  char *mark = test_mark_new ();
  GError *error = NULL;
  TestThread *thread;

  test_case_spawn_to_interrupt (self);

  g_object_set_data_full (G_OBJECT (cancellable), "mark", mark, g_free);
  thread = test_thread_new ("cancels", cancel_thread, cancellable);
  g_assert_null (malt_worker_remote_call_fetch (self->worker, test_case_function (self, "spin"),
                                                g_variant_new ("(s)", mark), NULL,
                                                MALT_TIMEOUT_NONE, cancellable, &error));
  assert_cancelled (error, !test_case_is (self, "native") ? MALT_RUNG_INTERRUPTED
                                                         : MALT_RUNG_CANCELLED);
  test_thread_join (thread);
  test_case_assert_usable (self);
}

/* Code that heeds nothing: the caller is let go, and the worker comes back when the
 * code has ended. */
static void
test_deaf (TestCase *self)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autofree char *end = test_mark_new ();
  TestAnswer *answer;

  malt_launcher_set_cancel_timeout (self->launcher, 20);
  malt_launcher_set_interrupt_timeout (self->launcher, 20);
  self->worker = test_case_spawn (self);

  answer = test_case_start_deaf (self, end, MALT_TIMEOUT_NONE, cancellable);
  g_cancellable_cancel (cancellable);
  expect_cancelled (answer, MALT_RUNG_ABANDONED);
  g_assert_true (malt_worker_is_running (self->worker));

  test_mark_make (end);
  test_case_assert_usable (self);
}

/* If the launcher allows it, such code ends with its worker. */
static void
test_kill (TestCase *self)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;
  g_autofree char *end = test_mark_new ();
  TestAnswer *answer, *queued;

  malt_launcher_set_cancel_timeout (self->launcher, 20);
  malt_launcher_set_interrupt_timeout (self->launcher, 20);
  malt_launcher_set_kill_on_timeout (self->launcher, TRUE);
  self->worker = test_case_spawn (self);

  answer = test_case_start_deaf (self, end, MALT_TIMEOUT_NONE, cancellable);
  queued = test_answer_call (self->worker, test_case_function (self, "nothing"), NULL,
                             MALT_TIMEOUT_NONE, NULL);
  g_cancellable_cancel (cancellable);
  expect_cancelled (answer, MALT_RUNG_KILLED);
  g_assert_null (test_answer_wait (queued, &error));
  test_assert_error (error, MALT_ERROR, MALT_ERROR_TERMINATED, "*");
}

/* Cancelling what has been answered does nothing. */
static void
test_after (TestCase *self)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;
  TestAnswer *answer;

  answer = test_answer_call (self->worker, test_case_function (self, "add"),
                             g_variant_new ("(xx)", G_GINT64_CONSTANT (1), G_GINT64_CONSTANT (2)),
                             MALT_TIMEOUT_NONE, cancellable);
  test_assert_value (test_answer_wait (answer, &error), "int64 3");
  g_assert_no_error (error);
  g_cancellable_cancel (cancellable);
  test_case_assert_usable (self);
}

/* At every moment in between. */
static void
test_race (TestCase *self)
{
  guint i;

  test_case_assert_usable (self); /* so that nothing is broken off while it is loaded */

  for (i = 0; i < 300; i++)
    {
      g_autoptr (GCancellable) cancellable = g_cancellable_new ();
      g_autoptr (GError) error = NULL;
      g_autoptr (GVariant) value = NULL;
      TestAnswer *answer;

      answer = test_answer_call (self->worker, test_case_function (self, "later"),
                                 g_variant_new ("(xx)", G_GINT64_CONSTANT (0), (gint64) i),
                                 MALT_TIMEOUT_NONE, cancellable);
      if (i % 3 == 1)
        g_main_context_iteration (NULL, FALSE);
      else if (i % 3 == 2)
        test_case_assert_usable (self);
      g_cancellable_cancel (cancellable);

      value = test_answer_wait (answer, &error);
      if (value != NULL)
        g_assert_cmpint (g_variant_get_int64 (value), ==, i);
      else
        g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
    }

  test_case_assert_usable (self);
}

/* One cancellable for many calls. */
static void
test_many (TestCase *self)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  TestAnswer *answers[200];
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (answers); i++)
    answers[i] = test_answer_call (self->worker, test_case_function (self, "later_never"), NULL,
                                   MALT_TIMEOUT_NONE, cancellable);
  test_case_assert_usable (self);
  g_cancellable_cancel (cancellable);
  for (i = 0; i < G_N_ELEMENTS (answers); i++)
    expect_cancelled (answers[i], MALT_RUNG_CANCELLED);
  test_case_assert_usable (self);
}

/* Far more at once than the worker's control road has room for: not one is lost. */
static void
test_flood (TestCase *self)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;
  TestAnswer *answers[4000];
  TestAnswer *runs;
  gsize i;

  runs = test_case_start (self, "spin", MALT_TIMEOUT_NONE, NULL);
  for (i = 0; i < G_N_ELEMENTS (answers); i++)
    answers[i] = test_answer_call (self->worker, test_case_function (self, "nothing"), NULL,
                                   MALT_TIMEOUT_NONE, cancellable);
  g_cancellable_cancel (cancellable);
  for (i = 0; i < G_N_ELEMENTS (answers); i++)
    expect_cancelled (answers[i], MALT_RUNG_WITHDRAWN);
  g_assert_false (test_answer_is_there (runs));

  malt_worker_interrupt (self->worker);
  g_assert_null (test_answer_wait (runs, &error));
  test_assert_error (error, MALT_ERROR, MALT_ERROR_INTERRUPTED, "*");
}

int
main (int argc, char **argv)
{
  test_case_init (&argc, &argv, "cancellation");

  test_case_add ("before", TEST_NEEDS_NOTHING, test_before);
  test_case_add ("queued", TEST_NEEDS_QUEUE, test_queued);
  test_case_add ("waiting", TEST_NEEDS_NOTHING, test_waiting);
  test_case_add_idle ("running", TEST_NEEDS_QUEUE, test_running);
  test_case_add_idle ("blocking", TEST_NEEDS_QUEUE, test_blocking);
  test_case_add_idle ("deaf", TEST_NEEDS_QUEUE, test_deaf);
  test_case_add_idle ("kill", TEST_NEEDS_PROCESS, test_kill);
  test_case_add ("after", TEST_NEEDS_NOTHING, test_after);
  test_case_add ("race", TEST_NEEDS_NOTHING, test_race);
  test_case_add ("many", TEST_NEEDS_NOTHING, test_many);
  test_case_add ("flood", TEST_NEEDS_QUEUE | TEST_NEEDS_APART, test_flood);

  return g_test_run ();
}
