/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <signal.h>

#include <malt.h>

#include "test-answer.h"
#include "test-asserts.h"
#include "test-case.h"
#include "test-home.h"
#include "test-process.h"
#include "test-thread.h"

/* How a function of the program that a worker's code has called, and that has not answered, hears
 * that nobody waits for it. */

/* A call that the function keeps. */
typedef struct
{
  MaltRequest  *request;      /* until the test answers it */
  GCancellable *cancellable;
  gulong        cancelled_id;
  GThread      *thread;       /* on which it was cancelled, or NULL */
} Kept;

static void
kept_clear (Kept *self)
{
  if (self->cancellable != NULL)
    g_cancellable_disconnect (self->cancellable, self->cancelled_id);
  g_clear_object (&self->request);
  g_clear_object (&self->cancellable);
  self->thread = NULL;
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Kept, kept_clear)

static void
cancelled_cb (GCancellable *cancellable,
              gpointer      user_data)
{
  Kept *self = user_data;

  g_assert_null (self->thread);
  self->thread = g_thread_self ();
}

static void
keep (MaltRequest *request,
      gpointer     user_data)
{
  Kept *self = user_data;

  g_assert_null (self->request);
  self->request = g_object_ref (request);
  self->cancellable = g_object_ref (malt_request_get_cancellable (request));
  self->cancelled_id = g_cancellable_connect (self->cancellable, G_CALLBACK (cancelled_cb), self, NULL);
}

/* Answers it, which must disturb nobody. */
static void
answer (Kept *self)
{
  malt_request_return_value (self->request, g_variant_new_string ("late"));
  g_clear_object (&self->request);
}

/* The function hears of it where the worker was made, and answers too late. */
static void
expect_cancelled (Kept *self)
{
  while (self->thread == NULL)
    g_main_context_iteration (NULL, TRUE);
  g_assert_true (g_cancellable_is_cancelled (self->cancellable));
  g_assert_true (self->thread == g_thread_self ());
  answer (self);
}

static GVariant *
host_arguments (const char *name)
{
  return g_variant_new ("(sv)", name, g_variant_new ("()"));
}

/* Two ways for code to wait for a function: so that nothing else of the worker runs meanwhile, and
 * so that it does. */
static const char * const ways[] = { "host", "host_later" };

/* Has code call the function that keeps its call. */
static TestAnswer *
begin (TestCase     *self,
       const char   *way,
       Kept         *kept,
       int           timeout_msec,
       GCancellable *cancellable)
{
  TestAnswer *result;

  malt_worker_export_function (self->worker, "keep", NULL, keep, kept, NULL);
  result = test_answer_call (self->worker, test_case_function (self, way), host_arguments ("keep"),
                             timeout_msec, cancellable);
  while (kept->request == NULL)
    g_main_context_iteration (NULL, TRUE);
  return result;
}

static void
expect_error (TestAnswer *result,
              GQuark      domain,
              int         code)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (test_answer_wait (result, &error));
  g_assert_error (error, domain, code);
}

/* The worker ends in some way, and its object is kept. */
static void
end_worker (TestCase *self,
            void (* end) (MaltWorker *worker))
{
  guint i;

  for (i = 0; i < G_N_ELEMENTS (ways); i++)
    {
      g_auto (Kept) kept = { .request = NULL };
      TestAnswer *result;

      self->worker = test_case_spawn (self);
      result = begin (self, ways[i], &kept, MALT_TIMEOUT_NONE, NULL);
      end (self->worker);
      expect_error (result, MALT_ERROR, MALT_ERROR_TERMINATED);
      expect_cancelled (&kept);
      g_clear_object (&self->worker);
    }
}

static void
retire (MaltWorker *worker)
{
  test_case_retire (g_object_ref (worker));
}

static void
test_stop (TestCase *self)
{
  end_worker (self, retire);
}

static void
kill_worker (MaltWorker *worker)
{
  malt_worker_kill (worker, SIGKILL);
}

static void
test_kill (TestCase *self)
{
  end_worker (self, kill_worker);
}

/* Nothing is left of the worker when the function hears of its end. */
static void
test_stop_and_drop (TestCase *self)
{
  guint i;

  for (i = 0; i < G_N_ELEMENTS (ways); i++)
    {
      g_auto (Kept) kept = { .request = NULL };
      TestAnswer *result;

      self->worker = test_case_spawn (self);
      result = begin (self, ways[i], &kept, MALT_TIMEOUT_NONE, NULL);
      test_case_retire (g_steal_pointer (&self->worker));
      expect_cancelled (&kept);
      expect_error (result, MALT_ERROR, MALT_ERROR_TERMINATED);
    }
}

/* The last reference to the worker goes, and no request of it is under way. */
static void
test_drop (TestCase *self)
{
  g_auto (Kept) kept = { .request = NULL };

  if (test_home_is_here ())
    {
      g_test_skip ("what is asked of the program keeps a worker in JavaScript");
      return;
    }

  malt_worker_export_function (self->worker, "keep", NULL, keep, &kept, NULL);
  g_variant_unref (test_case_call (self, "host_begin", g_variant_new ("(sx)", "keep", G_GINT64_CONSTANT (1))));
  while (kept.request == NULL)
    g_main_context_iteration (NULL, TRUE);
  g_assert_null (kept.thread);

  g_clear_object (&self->worker);
  expect_cancelled (&kept);
}

static void
test_interrupt (TestCase *self)
{
  guint i;

  for (i = 0; i < G_N_ELEMENTS (ways); i++)
    {
      g_auto (Kept) kept = { .request = NULL };
      TestAnswer *result = begin (self, ways[i], &kept, MALT_TIMEOUT_NONE, NULL);

      malt_worker_interrupt (self->worker);
      expect_error (result, MALT_ERROR, MALT_ERROR_INTERRUPTED);
      expect_cancelled (&kept);
      test_case_assert_usable (self);
    }
}

static void
test_cancel (TestCase *self)
{
  guint i;

  test_case_spawn_to_interrupt (self);
  for (i = 0; i < G_N_ELEMENTS (ways); i++)
    {
      g_autoptr (GCancellable) cancellable = g_cancellable_new ();
      g_auto (Kept) kept = { .request = NULL };
      TestAnswer *result = begin (self, ways[i], &kept, MALT_TIMEOUT_NONE, cancellable);

      g_cancellable_cancel (cancellable);
      expect_error (result, G_IO_ERROR, G_IO_ERROR_CANCELLED);
      expect_cancelled (&kept);
      test_case_assert_usable (self);
    }
}

static void
test_deadline (TestCase *self)
{
  guint i;

  test_case_spawn_to_interrupt (self);
  test_case_assert_usable (self);
  for (i = 0; i < G_N_ELEMENTS (ways); i++)
    {
      g_auto (Kept) kept = { .request = NULL };
      TestAnswer *result = begin (self, ways[i], &kept, 1500, NULL);

      expect_error (result, MALT_ERROR, MALT_ERROR_TIMEOUT);
      expect_cancelled (&kept);
      test_case_assert_usable (self);
    }
}

/* Code may wait no longer for the function, and go on. */
static void
test_give_up (TestCase *self)
{
  g_auto (Kept) kept = { .request = NULL };

  if (!test_case_is (self, "python"))
    {
      g_test_skip ("other code waits as long as its call is under way");
      return;
    }

  malt_worker_export_function (self->worker, "keep", NULL, keep, &kept, NULL);
  g_variant_unref (test_case_eval (self, "import malt\nfuture = malt.host_async.keep()"));
  while (kept.request == NULL)
    g_main_context_iteration (NULL, TRUE);
  test_assert_value (test_case_eval (self, "future.cancel()"), "true");
  expect_cancelled (&kept);
  test_case_assert_usable (self);
}

/* A function that has answered hears nothing any more. */
static void
test_answered (TestCase *self)
{
  g_autoptr (GVariant) value = NULL;
  g_autoptr (GError) error = NULL;
  g_auto (Kept) kept = { .request = NULL };
  TestAnswer *result = begin (self, "host", &kept, MALT_TIMEOUT_NONE, NULL);

  answer (&kept);
  value = test_answer_wait (result, &error);
  g_assert_no_error (error);
  malt_worker_interrupt (self->worker);
  test_case_retire (g_object_ref (self->worker));
  while (g_main_context_iteration (NULL, FALSE))
    continue;
  g_assert_null (kept.thread);
  g_assert_false (g_cancellable_is_cancelled (kept.cancellable));
}

/* Functions that answer before they return. */

typedef struct
{
  MaltWorker *worker;
  gint        is_running; /* atomic */
} Running;

/* Returns when nobody waits any more. */
static void
run_until_cancelled (MaltRequest *request,
                     gpointer     user_data)
{
  Running *self = user_data;
  GCancellable *cancellable = malt_request_get_cancellable (request);
  GPollFD fd;

  g_atomic_int_set (&self->is_running, TRUE);
  g_assert_true (g_cancellable_make_pollfd (cancellable, &fd));
  while (!g_cancellable_is_cancelled (cancellable))
    g_poll (&fd, 1, -1);
  g_cancellable_release_fd (cancellable);
  malt_request_return_value (request, NULL);
}

static gboolean
is_running (gpointer data)
{
  return g_atomic_int_get (&((Running *) data)->is_running);
}

static gpointer
stop_thread (gpointer data)
{
  Running *self = data;
  g_autoptr (GError) error = NULL;

  test_await (is_running, self);
  malt_worker_stop (self->worker, -1, -1, NULL, &error);
  g_assert_no_error (error);
  return NULL;
}

/* It is on the thread where it would otherwise hear of it, and blocks that. */
static void
test_running_stop (TestCase *self)
{
  Running running = { self->worker, FALSE };
  g_autoptr (GError) error = NULL;
  TestThread *thread;

  malt_worker_export_function (self->worker, "run", NULL, run_until_cancelled, &running, NULL);
  thread = test_thread_new ("stops", stop_thread, &running);
  g_assert_null (malt_worker_remote_call_fetch (self->worker, test_case_function (self, "host"), host_arguments ("run"),
                                                NULL, MALT_TIMEOUT_NONE, NULL, &error));
  g_assert_error (error, MALT_ERROR, MALT_ERROR_TERMINATED);
  test_thread_join (thread);
}

/* A blocking call does not heed its deadline meanwhile, but the function can. */
static void
test_running_deadline (TestCase *self)
{
  Running running = { NULL, FALSE };
  g_autoptr (GError) error = NULL;

  test_case_spawn_to_interrupt (self);
  malt_worker_export_function (self->worker, "run", NULL, run_until_cancelled, &running, NULL);
  test_case_assert_usable (self);
  g_assert_null (malt_worker_remote_call_fetch (self->worker, test_case_function (self, "host"), host_arguments ("run"),
                                                NULL, 1500, NULL, &error));
  g_assert_error (error, MALT_ERROR, MALT_ERROR_TIMEOUT);
  g_assert_true (g_atomic_int_get (&running.is_running));
  test_case_assert_usable (self);
}

int
main (int argc, char **argv)
{
  test_case_init (&argc, &argv, "host-cancelling");

  test_case_add_idle ("stop", TEST_NEEDS_HOST, test_stop);
  test_case_add_idle ("stop-and-drop", TEST_NEEDS_HOST, test_stop_and_drop);
  test_case_add_idle ("kill", TEST_NEEDS_HOST, test_kill);
  test_case_add ("drop", TEST_NEEDS_HOST, test_drop);
  test_case_add ("interrupt", TEST_NEEDS_HOST, test_interrupt);
  test_case_add_idle ("cancel", TEST_NEEDS_HOST, test_cancel);
  test_case_add_idle ("deadline", TEST_NEEDS_HOST, test_deadline);
  test_case_add ("give-up", TEST_NEEDS_HOST, test_give_up);
  test_case_add ("answered", TEST_NEEDS_HOST, test_answered);
  test_case_add ("running-stop", TEST_NEEDS_HOST | TEST_NEEDS_FREE, test_running_stop);
  test_case_add_idle ("running-deadline", TEST_NEEDS_HOST | TEST_NEEDS_FREE, test_running_deadline);

  return g_test_run ();
}
