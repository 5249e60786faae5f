/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <signal.h>

#include <malt.h>

#include "test-answer.h"
#include "test-asserts.h"
#include "test-case.h"
#include "test-process.h"

/* Workers as things that are started, looked at and stopped. */

static void
test_runs (TestCase *self)
{
  g_assert_true (malt_worker_is_running (self->worker));
  g_assert_null (malt_worker_get_exit_info (self->worker));
  g_assert_cmpstr (malt_launcher_get_backend (malt_worker_get_launcher (self->worker)), ==,
                   self->variant->backend);
  test_case_assert_usable (self);
}

static void
test_name (TestCase *self)
{
  g_autofree char *name = malt_worker_dup_name (self->worker);

  g_assert_nonnull (strstr (name, self->variant->backend));
  if (self->variant->runtime != NULL)
    g_assert_nonnull (strstr (name, self->variant->runtime));

  if (test_case_is (self, "process"))
    {
      g_autofree char *pid = g_strdup_printf ("%d", malt_worker_get_pid (self->worker));

      g_assert_cmpint (malt_worker_get_pid (self->worker), >, 1);
      g_assert_nonnull (strstr (name, pid));
    }
}

static void
test_stops (TestCase *self)
{
  g_autoptr (GError) error = NULL;
  MaltExitInfo *exit_info;

  g_assert_cmpint (malt_worker_stop (self->worker, -1, -1, NULL, &error), ==,
                   MALT_STOP_RESULT_WAS_RUNNING);
  g_assert_no_error (error);
  g_assert_false (malt_worker_is_running (self->worker));

  exit_info = malt_worker_get_exit_info (self->worker);
  g_assert_cmpint (malt_exit_info_get_kind (exit_info), ==, MALT_EXIT_KIND_STOPPED);

  g_assert_cmpint (malt_worker_stop (self->worker, -1, -1, NULL, &error), ==,
                   MALT_STOP_RESULT_WAS_DEAD);
  g_assert_no_error (error);
  g_assert_true (malt_worker_get_exit_info (self->worker) == exit_info);
}

typedef struct
{
  GMainLoop      *loop;
  MaltStopResult  result;
  GError         *error;
} StopWait;

static void
stop_cb (GObject      *source,
         GAsyncResult *result,
         gpointer      user_data)
{
  StopWait *wait = user_data;

  wait->result = malt_worker_stop_finish (MALT_WORKER (source), result, &wait->error);
  g_main_loop_quit (wait->loop);
}

static void
test_stops_async (TestCase *self)
{
  StopWait wait = { g_main_loop_new (NULL, FALSE), MALT_STOP_RESULT_FAILED, NULL };

  malt_worker_stop_async (self->worker, -1, -1, NULL, stop_cb, &wait);
  g_main_loop_run (wait.loop);
  g_assert_no_error (wait.error);
  g_assert_cmpint (wait.result, ==, MALT_STOP_RESULT_WAS_RUNNING);

  malt_worker_stop_async (self->worker, -1, -1, NULL, stop_cb, &wait);
  g_main_loop_run (wait.loop);
  g_assert_no_error (wait.error);
  g_assert_cmpint (wait.result, ==, MALT_STOP_RESULT_WAS_DEAD);

  g_main_loop_unref (wait.loop);
}

static void
test_stopped_refuses (TestCase *self)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *name = malt_worker_dup_name (self->worker);
  g_autofree char *pattern = g_strdup_printf ("*%s*", name);
  TestAnswer *answer;
  const char *add = test_case_function (self, "add");

  malt_worker_stop (self->worker, -1, -1, NULL, &error);
  g_assert_no_error (error);

  g_assert_null (malt_worker_remote_call_fetch (self->worker, add, NULL, NULL,
                                                MALT_TIMEOUT_DEFAULT, NULL, &error));
  g_assert_true (malt_remote_error_get_exit_info (error) ==
                 malt_worker_get_exit_info (self->worker));
  test_assert_error (error, MALT_ERROR, MALT_ERROR_TERMINATED, pattern);

  g_assert_false (malt_worker_remote_call_wait (self->worker, add, NULL, NULL,
                                                MALT_TIMEOUT_DEFAULT, NULL, &error));
  test_assert_error (error, MALT_ERROR, MALT_ERROR_TERMINATED, pattern);

  g_assert_false (malt_worker_remote_do (self->worker, add, NULL, NULL, &error));
  test_assert_error (error, MALT_ERROR, MALT_ERROR_TERMINATED, pattern);

  g_assert_null (malt_worker_remote_eval_fetch (self->worker, NULL, "1", MALT_TIMEOUT_DEFAULT,
                                                NULL, &error));
  test_assert_error (error, MALT_ERROR, MALT_ERROR_TERMINATED, pattern);

  answer = test_answer_call (self->worker, add, NULL, MALT_TIMEOUT_DEFAULT, NULL);
  g_assert_null (test_answer_wait (answer, &error));
  test_assert_error (error, MALT_ERROR, MALT_ERROR_TERMINATED, pattern);

  malt_worker_interrupt (self->worker);
  malt_worker_kill (self->worker, SIGKILL);
  g_assert_false (malt_worker_is_running (self->worker));
}

/* What is under way when the worker is stopped fails, each with its own error. */
static void
test_stop_during_calls (TestCase *self)
{
  g_autoptr (GError) error = NULL;
  TestAnswer *answers[3];
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (answers); i++)
    answers[i] = test_answer_call (self->worker, test_case_function (self, "later_never"), NULL,
                                   MALT_TIMEOUT_NONE, NULL);

  g_assert_cmpint (malt_worker_stop (self->worker, -1, -1, NULL, &error), ==,
                   MALT_STOP_RESULT_WAS_RUNNING);
  g_assert_no_error (error);

  for (i = 0; i < G_N_ELEMENTS (answers); i++)
    {
      g_assert_null (test_answer_wait (answers[i], &error));
      test_assert_error (error, MALT_ERROR, MALT_ERROR_TERMINATED, "*");
    }
}

static void
terminated_cb (MaltWorker   *worker,
               MaltExitInfo *exit_info,
               gpointer      user_data)
{
  guint *n_emissions = user_data;

  g_assert_false (malt_worker_is_running (worker));
  g_assert_true (exit_info == malt_worker_get_exit_info (worker));
  (*n_emissions)++;
}

/* The signal comes once, and in the context in which the worker was made. */
static void
test_terminated_signal (TestCase *self)
{
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autoptr (GError) error = NULL;
  MaltWorker *worker;
  guint n_emissions = 0;

  g_main_context_push_thread_default (context);
  worker = malt_launcher_spawn (self->launcher, NULL, &error);
  g_assert_no_error (error);
  g_main_context_pop_thread_default (context);

  g_signal_connect (worker, "terminated", G_CALLBACK (terminated_cb), &n_emissions);
  malt_worker_stop (worker, -1, -1, NULL, &error);
  g_assert_no_error (error);

  while (n_emissions == 0)
    g_main_context_iteration (context, TRUE);
  while (g_main_context_iteration (context, FALSE))
    ;
  g_assert_cmpuint (n_emissions, ==, 1);

  g_object_unref (worker);
}

static void
test_last_unref (TestCase *self)
{
  MaltWorker *worker = test_case_spawn (self);
  int pidfd = test_pidfd_open (malt_worker_get_pid (worker));

  g_object_unref (worker);
  test_pidfd_await (pidfd);
}

/* A reference that nobody holds does not keep calls from being answered. */
static void
test_unref_during_call (TestCase *self)
{
  g_autoptr (GError) error = NULL;
  MaltWorker *worker = test_case_spawn (self);
  TestAnswer *answer;

  answer = test_answer_call (worker, test_case_function (self, "later"),
                             g_variant_new ("(xx)", G_GINT64_CONSTANT (20), G_GINT64_CONSTANT (7)),
                             MALT_TIMEOUT_NONE, NULL);
  g_object_unref (worker);

  test_assert_value (test_answer_wait (answer, &error), "int64 7");
  g_assert_no_error (error);
}

static void
test_kill (TestCase *self)
{
  g_autoptr (GError) error = NULL;
  MaltExitInfo *exit_info;
  g_autofree char *text = NULL;
  TestAnswer *answer;
  int pidfd = test_pidfd_open (malt_worker_get_pid (self->worker));

  answer = test_answer_call (self->worker, test_case_function (self, "later_never"), NULL,
                             MALT_TIMEOUT_NONE, NULL);
  malt_worker_kill (self->worker, SIGKILL);
  test_pidfd_await (pidfd);

  g_assert_null (test_answer_wait (answer, &error));
  exit_info = malt_remote_error_get_exit_info (error);
  g_assert_true (exit_info == malt_worker_get_exit_info (self->worker));
  test_assert_error (error, MALT_ERROR, MALT_ERROR_TERMINATED, "*signal 9*");

  g_assert_cmpint (malt_exit_info_get_kind (exit_info), ==, MALT_EXIT_KIND_SIGNALLED);
  g_assert_cmpint (malt_exit_info_get_signal (exit_info), ==, SIGKILL);
  g_assert_false (malt_exit_info_get_core_dumped (exit_info));
  text = malt_exit_info_to_string (exit_info);
  test_assert_match (text, "*signal 9*");
  g_assert_cmpint (malt_worker_stop (self->worker, -1, -1, NULL, &error), ==,
                   MALT_STOP_RESULT_WAS_DEAD);
  g_assert_no_error (error);
}

/* A worker that crashes takes the calls under way with it, and names them. */
static void
test_crash (TestCase *self)
{
  g_autoptr (GError) error = NULL;
  TestAnswer *waits, *crashes;
  MaltExitInfo *exit_info;
  const char * const *requests;

  waits = test_answer_call (self->worker, test_case_function (self, "later_never"), NULL,
                            MALT_TIMEOUT_NONE, NULL);
  crashes = test_answer_call (self->worker, test_case_function (self, "crash"), NULL,
                              MALT_TIMEOUT_NONE, NULL);

  g_assert_null (test_answer_wait (crashes, &error));
  test_assert_error (error, MALT_ERROR, MALT_ERROR_TERMINATED, "*signal*");
  g_assert_null (test_answer_wait (waits, &error));
  test_assert_error (error, MALT_ERROR, MALT_ERROR_TERMINATED, "*signal*");

  g_assert_false (malt_worker_is_running (self->worker));
  exit_info = malt_worker_get_exit_info (self->worker);
  g_assert_cmpint (malt_exit_info_get_kind (exit_info), ==, MALT_EXIT_KIND_SIGNALLED);
  requests = malt_exit_info_get_requests (exit_info);
  g_assert_cmpuint (g_strv_length ((char **) requests), ==, 2);
  test_assert_match (requests[0], "*later_never*");
  test_assert_match (requests[1], "*crash*");
}

static void
test_exits (TestCase *self)
{
  g_autoptr (GError) error = NULL;
  MaltExitInfo *exit_info;

  g_assert_null (malt_worker_remote_call_fetch (self->worker, test_case_function (self, "exit"),
                                                g_variant_new ("(x)", G_GINT64_CONSTANT (7)), NULL,
                                                MALT_TIMEOUT_NONE, NULL, &error));
  test_assert_error (error, MALT_ERROR, MALT_ERROR_TERMINATED, "*code 7*");

  exit_info = malt_worker_get_exit_info (self->worker);
  g_assert_cmpint (malt_exit_info_get_kind (exit_info), ==, MALT_EXIT_KIND_EXITED);
  g_assert_cmpint (malt_exit_info_get_exit_code (exit_info), ==, 7);
}

static void
test_resources (TestCase *self)
{
  gint64 megabytes = 200;
  g_autoptr (GError) error = NULL;
  MaltExitInfo *exit_info;

  g_variant_unref (test_case_call (self, "allocate", g_variant_new ("(x)", megabytes << 20)));
  malt_worker_stop (self->worker, -1, -1, NULL, &error);
  g_assert_no_error (error);
  exit_info = malt_worker_get_exit_info (self->worker);
  g_assert_cmpuint (malt_exit_info_get_peak_memory (exit_info), >=, (guint64) megabytes << 20);
  g_assert_cmpint (malt_exit_info_get_user_time (exit_info) +
                   malt_exit_info_get_system_time (exit_info), >, 0);
}

int
main (int argc, char **argv)
{
  test_case_init (&argc, &argv, "management");

  test_case_add ("runs", TEST_NEEDS_NOTHING, test_runs);
  test_case_add ("name", TEST_NEEDS_NOTHING, test_name);
  test_case_add ("stops", TEST_NEEDS_NOTHING, test_stops);
  test_case_add ("stops-async", TEST_NEEDS_NOTHING, test_stops_async);
  test_case_add ("stopped-refuses", TEST_NEEDS_NOTHING, test_stopped_refuses);
  test_case_add ("stop-during-calls", TEST_NEEDS_NOTHING, test_stop_during_calls);
  test_case_add_idle ("terminated-signal", TEST_NEEDS_NOTHING, test_terminated_signal);
  test_case_add_idle ("last-unref", TEST_NEEDS_PROCESS, test_last_unref);
  test_case_add_idle ("unref-during-call", TEST_NEEDS_NOTHING, test_unref_during_call);
  test_case_add ("kill", TEST_NEEDS_PROCESS, test_kill);
  test_case_add ("crash", TEST_NEEDS_PROCESS, test_crash);
  test_case_add ("exits", TEST_NEEDS_PROCESS, test_exits);
  test_case_add ("resources", TEST_NEEDS_PROCESS, test_resources);

  return g_test_run ();
}
