/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <signal.h>

#include <malt.h>

#include "test-answer.h"
#include "test-asserts.h"
#include "test-case.h"
#include "test-mark.h"
#include "test-process.h"
#include "test-thread.h"

/* The stages of stopping a worker: asked politely, SIGTERM, SIGKILL. */

static void
stop (TestCase *self,
      int       exit_timeout,
      int       term_timeout)
{
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (malt_worker_stop (self->worker, exit_timeout, term_timeout, NULL, &error), ==,
                   MALT_STOP_RESULT_WAS_RUNNING);
  g_assert_no_error (error);
  g_assert_false (malt_worker_is_running (self->worker));
}

/* Politely: nothing under way is needed to end it, and it ends as a program should. */
static void
test_polite (TestCase *self)
{
  MaltExitInfo *exit_info;

  stop (self, MALT_TIMEOUT_NONE, MALT_TIMEOUT_NONE);
  exit_info = malt_worker_get_exit_info (self->worker);
  g_assert_cmpint (malt_exit_info_get_kind (exit_info), ==, MALT_EXIT_KIND_STOPPED);
  g_assert_cmpint (malt_exit_info_get_signal (exit_info), ==, 0);
  g_assert_cmpint (malt_exit_info_get_exit_code (exit_info), <=, 0);
}

/* What waits does not keep a worker from ending politely. */
static void
test_polite_with_waiting (TestCase *self)
{
  g_autoptr (GError) error = NULL;
  MaltExitInfo *exit_info;
  TestAnswer *answer;

  answer = test_answer_call (self->worker, test_case_function (self, "later_never"), NULL,
                             MALT_TIMEOUT_NONE, NULL);
  test_case_assert_usable (self);
  stop (self, MALT_TIMEOUT_NONE, MALT_TIMEOUT_NONE);

  g_assert_null (test_answer_wait (answer, &error));
  exit_info = malt_remote_error_get_exit_info (error);
  g_assert_nonnull (exit_info);
  g_assert_cmpint (malt_exit_info_get_kind (exit_info), ==, MALT_EXIT_KIND_STOPPED);
  test_assert_error (error, MALT_ERROR, MALT_ERROR_TERMINATED, "*");
  g_assert_cmpint (malt_exit_info_get_kind (malt_worker_get_exit_info (self->worker)), ==,
                   MALT_EXIT_KIND_STOPPED);
}

/* A worker that is busy with something that looks at nothing gets SIGTERM. */
static void
test_busy (TestCase *self)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *never = test_mark_new ();
  TestAnswer *answer = test_case_start_deaf (self, never, MALT_TIMEOUT_NONE, NULL);
  MaltExitInfo *exit_info;

  stop (self, 50, MALT_TIMEOUT_NONE);
  g_assert_null (test_answer_wait (answer, &error));
  test_assert_error (error, MALT_ERROR, MALT_ERROR_TERMINATED, "*");

  exit_info = malt_worker_get_exit_info (self->worker);
  g_assert_cmpint (malt_exit_info_get_kind (exit_info), ==, MALT_EXIT_KIND_STOPPED);
  g_assert_cmpint (malt_exit_info_get_signal (exit_info), ==, SIGTERM);
}

/* One that ignores SIGTERM as well gets SIGKILL. */
static void
test_ignores_term (TestCase *self)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *never = test_mark_new ();
  TestAnswer *answer;
  MaltExitInfo *exit_info;

  test_assert_value (test_case_call (self, "ignore_term", NULL), "@mv nothing");
  answer = test_case_start_deaf (self, never, MALT_TIMEOUT_NONE, NULL);

  stop (self, 50, 50);
  g_assert_null (test_answer_wait (answer, &error));
  test_assert_error (error, MALT_ERROR, MALT_ERROR_TERMINATED, "*");

  exit_info = malt_worker_get_exit_info (self->worker);
  g_assert_cmpint (malt_exit_info_get_kind (exit_info), ==, MALT_EXIT_KIND_STOPPED);
  g_assert_cmpint (malt_exit_info_get_signal (exit_info), ==, SIGKILL);
}

/* SIGTERM reaches a worker that ignores it and is not busy only in vain: it has
 * ended politely before. */
static void
test_ignores_term_politely (TestCase *self)
{
  test_assert_value (test_case_call (self, "ignore_term", NULL), "@mv nothing");
  stop (self, MALT_TIMEOUT_NONE, MALT_TIMEOUT_NONE);
  g_assert_cmpint (malt_exit_info_get_signal (malt_worker_get_exit_info (self->worker)), ==, 0);
}

/* A worker that does not even run. */
static void
test_frozen (TestCase *self)
{
  malt_worker_kill (self->worker, SIGSTOP);
  stop (self, 20, 20);
  g_assert_cmpint (malt_exit_info_get_kind (malt_worker_get_exit_info (self->worker)), ==,
                   MALT_EXIT_KIND_STOPPED);
}

/* What the worker has started itself goes with it. */
static void
test_grandchild (TestCase *self)
{
  g_autoptr (GVariant) value = test_case_call (self, "fork_child", NULL);
  int pidfd = test_pidfd_open ((int) g_variant_get_int64 (value));

  stop (self, MALT_TIMEOUT_NONE, MALT_TIMEOUT_NONE);
  test_pidfd_await (pidfd);
}

static void
test_grandchild_of_killed (TestCase *self)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) value = test_case_call (self, "fork_child", NULL);
  int pidfd = test_pidfd_open ((int) g_variant_get_int64 (value));

  malt_worker_kill (self->worker, SIGKILL);
  test_pidfd_await (pidfd);

  g_assert_null (malt_worker_remote_call_fetch (self->worker,
                                                test_case_function (self, "later_never"), NULL,
                                                NULL, MALT_TIMEOUT_NONE, NULL, &error));
  test_assert_error (error, MALT_ERROR, MALT_ERROR_TERMINATED, "*signal 9*");
}

static gpointer
stop_thread (gpointer data)
{
  g_autoptr (GError) error = NULL;
  MaltStopResult result = malt_worker_stop (data, -1, -1, NULL, &error);

  g_assert_no_error (error);
  return GINT_TO_POINTER (result);
}

/* Several may stop one worker at once; all return when it has ended. */
static void
test_from_threads (TestCase *self)
{
  TestThread *threads[8];
  gsize i;
  guint n_was_running = 0;

  for (i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = test_thread_new ("stops", stop_thread, self->worker);

  for (i = 0; i < G_N_ELEMENTS (threads); i++)
    {
      MaltStopResult result = GPOINTER_TO_INT (test_thread_join (threads[i]));

      g_assert_cmpint (result, !=, MALT_STOP_RESULT_FAILED);
      if (result == MALT_STOP_RESULT_WAS_RUNNING)
        n_was_running++;
    }

  g_assert_cmpuint (n_was_running, >=, 1);
  g_assert_false (malt_worker_is_running (self->worker));
}

/* The wait can be cancelled; the stop itself goes on. */
static void
test_cancelled_wait (TestCase *self)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();

  g_cancellable_cancel (cancellable);
  g_assert_cmpint (malt_worker_stop (self->worker, -1, -1, cancellable, &error), ==,
                   MALT_STOP_RESULT_FAILED);
  test_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED, "*");

  malt_worker_stop (self->worker, -1, -1, NULL, &error);
  g_assert_no_error (error);
  g_assert_false (malt_worker_is_running (self->worker));
}

/* Calls made while the worker is about to end are refused or answered, never lost. */
static void
test_call_while_stopping (TestCase *self)
{
  g_autoptr (GError) error = NULL;
  TestThread *thread = test_thread_new ("stops", stop_thread, self->worker);
  gboolean refused = FALSE;

  while (!refused)
    {
      g_autoptr (GVariant) value = NULL;

      value = malt_worker_remote_call_fetch (self->worker, test_case_function (self, "add"),
                                             g_variant_new ("(xx)", G_GINT64_CONSTANT (1),
                                                            G_GINT64_CONSTANT (1)),
                                             NULL, MALT_TIMEOUT_NONE, NULL, &error);
      if (value == NULL)
        {
          test_assert_error (error, MALT_ERROR, MALT_ERROR_TERMINATED, "*");
          refused = TRUE;
        }
    }

  test_thread_join (thread);
}

/* Whatever moment of the worker's end a call meets, it is told how that was. */
static void
test_calls_while_dying (TestCase *self)
{
  g_autoptr (GPtrArray) answers = g_ptr_array_new ();
  guint i;

  malt_worker_kill (self->worker, SIGKILL);
  while (malt_worker_get_exit_info (self->worker) == NULL)
    {
      g_ptr_array_add (answers, test_answer_call (self->worker, test_case_function (self, "later_never"), NULL,
                                                  MALT_TIMEOUT_NONE, NULL));
      g_main_context_iteration (NULL, FALSE); /* in which its backend may live */
    }

  for (i = 0; i < answers->len; i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_null (test_answer_wait (g_ptr_array_index (answers, i), &error));
      test_assert_error (error, MALT_ERROR, MALT_ERROR_TERMINATED, "*signal 9*");
    }
}

int
main (int argc, char **argv)
{
  test_case_init (&argc, &argv, "stopping");

  test_case_add ("polite", TEST_NEEDS_RUNTIME, test_polite);
  test_case_add ("polite-with-waiting", TEST_NEEDS_NOTHING, test_polite_with_waiting);
  test_case_add ("busy", TEST_NEEDS_PROCESS, test_busy);
  test_case_add ("ignores-term", TEST_NEEDS_PROCESS, test_ignores_term);
  test_case_add ("ignores-term-politely", TEST_NEEDS_PROCESS, test_ignores_term_politely);
  test_case_add ("frozen", TEST_NEEDS_PROCESS, test_frozen);
  test_case_add ("grandchild", TEST_NEEDS_PROCESS, test_grandchild);
  test_case_add ("grandchild-of-killed", TEST_NEEDS_PROCESS, test_grandchild_of_killed);
  test_case_add ("from-threads", TEST_NEEDS_RUNTIME, test_from_threads);
  test_case_add ("cancelled-wait", TEST_NEEDS_RUNTIME, test_cancelled_wait);
  test_case_add ("call-while-stopping", TEST_NEEDS_RUNTIME, test_call_while_stopping);
  test_case_add ("calls-while-dying", TEST_NEEDS_PROCESS, test_calls_while_dying);

  return g_test_run ();
}
