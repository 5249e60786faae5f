/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <malt.h>

#include "test-answer.h"
#include "test-asserts.h"
#include "test-case.h"
#include "test-thread.h"
#include "test-watchdog.h"

/* One worker, used by many threads at once. */

#define N_THREADS (TEST_SANITIZED ? 100 : 500)
#define N_CALLS   10

typedef struct
{
  TestCase *test;
  gint64    number;
} Caller;

static gpointer
blocking_thread (gpointer data)
{
  Caller *caller = data;
  gint64 i;

  for (i = 0; i < N_CALLS; i++)
    {
      g_autofree char *expected = NULL;
      gint64 sum = caller->number * 1000 + i;

      expected = g_strdup_printf ("int64 %" G_GINT64_FORMAT, sum);
      test_assert_value (test_case_call (caller->test, "add",
                                         g_variant_new ("(xx)", caller->number * 1000, i)),
                         expected);
    }

  return NULL;
}

static gpointer
async_thread (gpointer data)
{
  Caller *caller = data;
  g_autoptr (GMainContext) context = g_main_context_new ();
  TestAnswer *answers[N_CALLS];
  gint64 i;

  g_main_context_push_thread_default (context);

  for (i = 0; i < N_CALLS; i++)
    answers[i] = test_answer_call (caller->test->worker, test_case_function (caller->test, "add"),
                                   g_variant_new ("(xx)", caller->number * 1000, i),
                                   MALT_TIMEOUT_NONE, NULL);

  for (i = 0; i < N_CALLS; i++)
    {
      g_autoptr (GError) error = NULL;
      g_autofree char *expected = NULL;

      expected = g_strdup_printf ("int64 %" G_GINT64_FORMAT, caller->number * 1000 + i);
      test_assert_value (test_answer_wait (answers[i], &error), expected);
      g_assert_no_error (error);
    }

  g_main_context_pop_thread_default (context);
  return NULL;
}

static gpointer
mixed_thread (gpointer data)
{
  Caller *caller = data;

  return caller->number % 2 == 0 ? blocking_thread (data) : async_thread (data);
}

static void
run_threads (TestCase    *self,
             GThreadFunc  func)
{
  TestThread **threads = g_new (TestThread *, N_THREADS);
  Caller *callers = g_new (Caller, N_THREADS);
  gsize i;

  for (i = 0; i < N_THREADS; i++)
    {
      callers[i] = (Caller) { self, (gint64) i };
      threads[i] = test_thread_new ("calls", func, &callers[i]);
    }
  for (i = 0; i < N_THREADS; i++)
    test_thread_join (threads[i]);

  g_free (threads);
  g_free (callers);
  test_case_assert_usable (self);
}

static void
test_blocking (TestCase *self)
{
  run_threads (self, blocking_thread);
}

static void
test_async (TestCase *self)
{
  run_threads (self, async_thread);
}

static void
test_mixed (TestCase *self)
{
  run_threads (self, mixed_thread);
}

/* A thread that is cancelled or fails takes nothing away from the others. */
static gpointer
unlucky_thread (gpointer data)
{
  Caller *caller = data;
  TestCase *self = caller->test;
  g_autoptr (GError) error = NULL;
  g_autoptr (GCancellable) cancellable = NULL;
  const char *fail = test_case_function (self, "fail");
  const char *never = test_case_function (self, "later_never");
  guint i;

  for (i = 0; i < N_CALLS; i++)
    switch ((caller->number + i) % 4)
      {
      case 0:
        g_assert_null (malt_worker_remote_call_fetch (self->worker, fail,
                                                      g_variant_new ("(s)", "bad"), NULL,
                                                      MALT_TIMEOUT_NONE, NULL, &error));
        test_assert_error (error, MALT_ERROR, MALT_ERROR_REMOTE, "*bad*");
        break;

      case 1:
        g_assert_null (malt_worker_remote_call_fetch (self->worker, never, NULL, NULL, 5, NULL,
                                                      &error));
        test_assert_error (error, MALT_ERROR, MALT_ERROR_TIMEOUT, "*");
        break;

      case 2:
        cancellable = g_cancellable_new ();
        g_cancellable_cancel (cancellable);
        g_assert_null (malt_worker_remote_call_fetch (self->worker, never, NULL, NULL,
                                                      MALT_TIMEOUT_NONE, cancellable, &error));
        test_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED, "*");
        g_clear_object (&cancellable);
        break;

      default:
        test_assert_value (test_case_call (self, "add",
                                           g_variant_new ("(xx)", G_GINT64_CONSTANT (1),
                                                          G_GINT64_CONSTANT (2))),
                           "int64 3");
      }

  return NULL;
}

static void
test_unlucky (TestCase *self)
{
  test_case_assert_usable (self); /* so that nothing is broken off while it is loaded */
  run_threads (self, unlucky_thread);
}

/* A worker that dies while all of them wait: each hears of it. */
static gpointer
doomed_thread (gpointer data)
{
  Caller *caller = data;
  TestCase *self = caller->test;
  g_autoptr (GError) error = NULL;

  g_assert_null (malt_worker_remote_call_fetch (self->worker,
                                                test_case_function (self, "later_never"), NULL,
                                                NULL, MALT_TIMEOUT_NONE, NULL, &error));
  test_assert_error (error, MALT_ERROR, MALT_ERROR_TERMINATED, "*");
  return NULL;
}

static void
test_doomed (TestCase *self)
{
  TestThread *threads[100];
  Caller callers[G_N_ELEMENTS (threads)];
  g_autoptr (GError) error = NULL;
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (threads); i++)
    {
      callers[i] = (Caller) { self, (gint64) i };
      threads[i] = test_thread_new ("calls", doomed_thread, &callers[i]);
    }

  test_case_assert_usable (self);
  malt_worker_stop (self->worker, -1, -1, NULL, &error);
  g_assert_no_error (error);

  for (i = 0; i < G_N_ELEMENTS (threads); i++)
    test_thread_join (threads[i]);
}

int
main (int argc, char **argv)
{
  test_case_init (&argc, &argv, "concurrency");

  test_case_add ("blocking", TEST_NEEDS_NOTHING, test_blocking);
  test_case_add ("async", TEST_NEEDS_NOTHING, test_async);
  test_case_add ("mixed", TEST_NEEDS_NOTHING, test_mixed);
  test_case_add ("unlucky", TEST_NEEDS_NOTHING, test_unlucky);
  test_case_add ("doomed", TEST_NEEDS_NOTHING, test_doomed);

  return g_test_run ();
}
