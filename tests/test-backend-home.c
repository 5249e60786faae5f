/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <malt.h>

#include "mock-worker.h"
#include "test-answer.h"
#include "test-asserts.h"
#include "test-watchdog.h"

/* Backends that live in a main context: here in that of the main thread, which is also the one
 * that calls, blocks, and is called for by other threads meanwhile. */

static MaltWorker *worker;

static void
spawn (void)
{
  g_autoptr (MaltLauncher) launcher = malt_launcher_new ("mock", NULL);
  g_autoptr (GError) error = NULL;

  worker = malt_launcher_spawn (launcher, NULL, &error);
  g_assert_no_error (error);
}

static void
stop (void)
{
  g_autoptr (GError) error = NULL;

  malt_worker_stop (worker, -1, -1, NULL, &error);
  g_assert_no_error (error);
  g_clear_object (&worker);
}

static GVariant *
fetch (const char  *function,
       GVariant    *arguments,
       GError     **error)
{
  return malt_worker_remote_call_fetch (worker, function, arguments, NULL, MALT_TIMEOUT_NONE, NULL, error);
}

static TestAnswer *
begin_later (gint64 msec,
             gint64 value)
{
  return test_answer_call (worker, "later", g_variant_new ("(xx)", msec, value), MALT_TIMEOUT_NONE, NULL);
}

static void
expect (TestAnswer *answer,
        const char *value)
{
  g_autoptr (GError) error = NULL;

  test_assert_value (test_answer_wait (answer, &error), value);
  g_assert_no_error (error);
}

static void
expect_fetched (gint64      msec,
                gint64      number,
                const char *value)
{
  g_autoptr (GError) error = NULL;

  test_assert_value (fetch ("later", g_variant_new ("(xx)", msec, number), &error), value);
  g_assert_no_error (error);
}

static GThread *runner;
static gint is_ended; /* atomic */

static gpointer
run_thread (gpointer data)
{
  while (!g_atomic_int_get (&is_ended))
    g_main_context_iteration (NULL, TRUE);

  return NULL;
}

static gboolean
started_cb (gpointer request)
{
  malt_request_return_value (request, NULL);
  return G_SOURCE_REMOVE;
}

/* Whoever runs the home sees meanwhile that there is a backend, and that he cannot run it. */
static void
start_slowly (MaltWorker  *self,
              MaltRequest *request)
{
  g_autoptr (GSource) source = g_timeout_source_new (1);

  runner = g_thread_new ("runs", run_thread, NULL);
  g_usleep (50000);
  g_source_set_callback (source, started_cb, g_object_ref (request), g_object_unref);
  g_source_attach (source, g_main_context_get_thread_default ());
}

static void
spawned_cb (GObject      *source,
            GAsyncResult *result,
            gpointer      user_data)
{
  g_autoptr (GError) error = NULL;

  worker = malt_launcher_spawn_finish (MALT_LAUNCHER (source), result, &error);
  g_assert_no_error (error);
  g_atomic_int_set (&is_ended, TRUE);
}

/* A worker that is made on one thread, in a context that another one runs, which waits for what the
 * backend begins.  It has to be the first one of its home. */
static void
test_run_by_another_thread (void)
{
  g_autoptr (MaltLauncher) launcher = malt_launcher_new ("mock", NULL);
  MaltWorkerClass *klass = g_type_class_ref (MOCK_TYPE_WORKER);
  void (* start) (MaltWorker *self, MaltRequest *request) = klass->start;

  klass->start = start_slowly;
  malt_launcher_spawn_async (launcher, NULL, spawned_cb, NULL);
  g_thread_join (runner);
  klass->start = start;
  expect_fetched (1, 9, "int64 9");
  stop ();
  g_type_class_unref (klass);
}

/* What a backend has begun while the thread ran its main loop is run while it blocks, and the
 * other way round. */
static void
test_begun_elsewhere (void)
{
  TestAnswer *first, *second;

  spawn ();
  first = begin_later (1, 1);
  second = begin_later (50, 2);
  expect_fetched (20, 3, "int64 3");
  expect_fetched (1, 4, "int64 4");
  expect (first, "int64 1");
  expect (second, "int64 2");
  stop ();
}

typedef struct
{
  void (* func) (void);
  gint    done; /* atomic */
} Knocker;

static gpointer
knock_thread (gpointer data)
{
  Knocker *self = data;

  /* The first time may be too early. */
  while (!g_atomic_int_get (&self->done))
    {
      self->func ();
      g_usleep (1000);
    }

  return NULL;
}

/* Blocks in a call that never ends while another thread does something. */
static GError *
block_while (void (* func) (void))
{
  Knocker knocker = { func, FALSE };
  GThread *thread = g_thread_new ("knocks", knock_thread, &knocker);
  GError *error = NULL;

  g_assert_null (fetch ("later_never", NULL, &error));
  g_atomic_int_set (&knocker.done, TRUE);
  g_thread_join (thread);
  return error;
}

static void
interrupt (void)
{
  malt_worker_interrupt (worker);
}

static void
kill_worker (void)
{
  malt_worker_kill (worker, 9);
}

/* A thread that blocks serves the others. */
static void
test_served (void)
{
  GError *error;

  spawn ();
  error = block_while (interrupt);
  test_assert_error (error, MALT_ERROR, MALT_ERROR_INTERRUPTED, "*");
  /* No other thread is there any more, but what it wanted may be. */
  while (g_main_context_iteration (NULL, FALSE))
    ;
  expect_fetched (1, 6, "int64 6");
  error = block_while (kill_worker);
  test_assert_error (error, MALT_ERROR, MALT_ERROR_TERMINATED, "*signal 9*");
  g_clear_object (&worker);
}

static gpointer
call_thread (gpointer data)
{
  expect_fetched (1, 5, "int64 5");
  malt_worker_interrupt (worker);
  return NULL;
}

static void
test_calls_served (void)
{
  g_autoptr (GError) error = NULL;
  GThread *thread;

  spawn ();
  thread = g_thread_new ("calls", call_thread, NULL);
  g_assert_null (fetch ("later_never", NULL, &error));
  test_assert_error (error, MALT_ERROR, MALT_ERROR_INTERRUPTED, "*");
  g_thread_join (thread);
  stop ();
}

/* The thread of a backend may await something in another context, and run that one only. */
static void
test_other_context (void)
{
  guint i;

  spawn ();
  for (i = 0; i < 50; i++)
    {
      g_autoptr (GMainContext) context = g_main_context_new ();
      g_autofree char *expected = g_strdup_printf ("int64 %u", i);

      g_main_context_push_thread_default (context);
      expect (begin_later (i % 3, i), expected);
      g_main_context_pop_thread_default (context);
    }
  expect_fetched (1, 7, "int64 7");
  stop ();
}

/* Two threads are at home: the one that made the worker, and one that runs the home's context. */

static void (* submit) (MaltWorker *self, MaltRequest *request);
static gint n_inside; /* atomic: threads that call the backend */
static gint is_begun; /* atomic: the other thread's call has begun */

static void
submit_alone (MaltWorker  *self,
              MaltRequest *request)
{
  g_assert_cmpint (g_atomic_int_add (&n_inside, 1), ==, 0);
  g_usleep (20);
  submit (self, request);
  g_atomic_int_set (&is_begun, TRUE);
  g_atomic_int_add (&n_inside, -1);
}

static GThread *
begin_at_home (GThreadFunc func)
{
  MaltWorkerClass *klass = MALT_WORKER_GET_CLASS (worker);

  submit = klass->submit;
  klass->submit = submit_alone;
  g_atomic_int_set (&is_begun, FALSE);
  return g_thread_new ("home", func, NULL);
}

static void
end_at_home (GThread *thread)
{
  g_thread_join (thread);
  MALT_WORKER_GET_CLASS (worker)->submit = submit;
}

static gpointer
call_often_thread (gpointer data)
{
  guint i;

  g_assert_true (g_main_context_acquire (NULL));
  for (i = 0; i < 300; i++)
    {
      expect_fetched (i % 2, 11, "int64 11");
      g_main_context_iteration (NULL, FALSE);
    }
  g_main_context_release (NULL);
  return NULL;
}

static void
test_one_at_a_time (void)
{
  GThread *thread;
  guint i;

  spawn ();
  thread = begin_at_home (call_often_thread);
  for (i = 0; i < 300; i++)
    expect_fetched (i % 2, 10, "int64 10");
  end_at_home (thread);
  stop ();
}

static gpointer
block_once_thread (gpointer data)
{
  g_assert_true (g_main_context_acquire (NULL));
  expect_fetched (20, 12, "int64 12");
  g_main_context_release (NULL);
  return NULL;
}

/* Has another thread run the backends, which goes soon. */
static GThread *
lose_backends (void)
{
  GThread *thread = begin_at_home (block_once_thread);

  while (!g_atomic_int_get (&is_begun))
    g_thread_yield ();
  return thread;
}

/* Nobody runs the home then, and they are this thread's, which blocks or runs another context. */
static void
test_left_alone (void)
{
  g_autoptr (GMainContext) context = g_main_context_new ();
  TestAnswer *answer;
  GThread *thread;

  spawn ();
  thread = lose_backends ();
  expect_fetched (100, 13, "int64 13");
  end_at_home (thread);

  g_main_context_push_thread_default (context);
  answer = begin_later (100, 14);
  thread = lose_backends ();
  expect (answer, "int64 14");
  end_at_home (thread);
  g_main_context_pop_thread_default (context);
  stop ();
}

/* What its code calls of the program's, by a backend that can be called on one thread only. */

typedef struct
{
  GVariant *value;
  GError   *error;
  gboolean  done;
} Called;

static void
called_cb (GObject      *source,
           GAsyncResult *result,
           gpointer      user_data)
{
  Called *self = user_data;

  self->value = malt_worker_call_exported_finish (MALT_WORKER (source), result, &self->error);
  self->done = TRUE;
}

static Called
call_exported (const char *function,
               const char *arguments,
               const char *keywords,
               gboolean    stalls)
{
  Called called = { 0 };

  malt_worker_call_exported_async (worker, function, arguments != NULL ? g_variant_new_parsed (arguments) : NULL,
                                   keywords != NULL ? g_variant_new_parsed (keywords) : NULL, stalls, NULL,
                                   called_cb, &called);
  g_assert_false (called.done);
  while (!called.done)
    g_main_context_iteration (NULL, TRUE);
  return called;
}

static void
expect_refusal (const char *function,
                const char *arguments,
                const char *keywords,
                GQuark      domain,
                int         code,
                const char *pattern)
{
  Called called = call_exported (function, arguments, keywords, FALSE);

  g_assert_null (called.value);
  test_assert_error (called.error, domain, code, pattern);
}

static void
describe (MaltRequest *request,
          gpointer     user_data)
{
  malt_request_return_value (request, g_variant_new ("(ssb)", (const char *) user_data,
                                                     malt_request_get_function (request),
                                                     malt_request_stalls (request)));
}

static void
expect_description (const char *function,
                    gboolean    stalls,
                    const char *description)
{
  Called called = call_exported (function, "(1,)", "{'k': <2>}", stalls);

  g_assert_no_error (called.error);
  test_assert_value (called.value, description);
}

static void
end_when_cancelled (MaltRequest *request,
                    gpointer     user_data)
{
  *(MaltRequest **) user_data = g_object_ref (request);
}

static void
test_exported (void)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  MaltRequest *kept = NULL;
  Called called = { 0 };

  spawn ();
  expect_refusal ("f", NULL, NULL, MALT_ERROR, MALT_ERROR_NOT_FOUND, "*no function 'f'*");
  expect_refusal ("", NULL, NULL, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "*empty*");
  expect_refusal ("\xff", NULL, NULL, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "*UTF-8*");
  expect_refusal ("f", "'text'", NULL, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "*type s instead of a tuple*");
  expect_refusal ("f", NULL, "{1: 2}", G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "*type a{ii} instead of a{sv}*");

  /* One for all names, and those that have one of their own. */
  g_assert_false (malt_worker_unexport_function (worker, NULL));
  malt_worker_export_function (worker, NULL, G_VARIANT_TYPE ("(i)"), describe, (gpointer) "any", NULL);
  malt_worker_export_function (worker, "f", NULL, describe, (gpointer) "own", NULL);
  expect_description ("f", TRUE, "('own', 'f', true)");
  expect_description ("g", FALSE, "('any', 'g', false)");
  expect_refusal ("g", "('text',)", NULL, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "*'g' takes (i), not (s)*");
  g_assert_true (malt_worker_unexport_function (worker, "f"));
  expect_description ("f", FALSE, "('any', 'f', false)");
  g_assert_true (malt_worker_unexport_function (worker, NULL));
  expect_refusal ("f", NULL, NULL, MALT_ERROR, MALT_ERROR_NOT_FOUND, "*no function 'f'*");

  /* The function ends when it wants to, and hears that nobody waits. */
  malt_worker_export_function (worker, "f", NULL, end_when_cancelled, &kept, NULL);
  malt_worker_call_exported_async (worker, "f", NULL, NULL, FALSE, cancellable, called_cb, &called);
  while (kept == NULL)
    g_main_context_iteration (NULL, TRUE);
  g_cancellable_cancel (cancellable);
  while (!g_cancellable_is_cancelled (malt_request_get_cancellable (kept)))
    g_main_context_iteration (NULL, TRUE);
  g_assert_false (called.done);
  malt_request_return_value (kept, g_variant_new_string ("late"));
  g_object_unref (kept);
  while (!called.done)
    g_main_context_iteration (NULL, TRUE);
  g_assert_no_error (called.error);
  test_assert_value (called.value, "'late'");

  /* One for which nobody waits before it was called is not called. */
  g_cancellable_reset (cancellable);
  kept = NULL;
  called = (Called) { 0 };
  malt_worker_call_exported_async (worker, "f", NULL, NULL, FALSE, cancellable, called_cb, &called);
  g_cancellable_cancel (cancellable);
  while (!called.done)
    g_main_context_iteration (NULL, TRUE);
  g_assert_null (kept);
  test_assert_error (called.error, G_IO_ERROR, G_IO_ERROR_CANCELLED, "*nobody waits for the function 'f'*");

  /* The end of the worker is told by the library. */
  called = (Called) { 0 };
  malt_worker_call_exported_async (worker, "f", NULL, NULL, FALSE, NULL, called_cb, &called);
  while (kept == NULL)
    g_main_context_iteration (NULL, TRUE);
  stop ();
  while (!g_cancellable_is_cancelled (malt_request_get_cancellable (kept)))
    g_main_context_iteration (NULL, TRUE);
  malt_request_return_value (kept, NULL);
  g_object_unref (kept);
  while (!called.done)
    g_main_context_iteration (NULL, TRUE);
  g_variant_unref (called.value);
}

/* A class whose workers are made on one thread only. */
static gpointer
refused_thread (gpointer data)
{
  g_autoptr (MaltLauncher) launcher = malt_launcher_new ("mock", NULL);
  g_autoptr (GError) error = NULL;

  g_assert_null (malt_launcher_spawn (launcher, NULL, &error));
  test_assert_error (error, MALT_ERROR, MALT_ERROR_NOT_SUPPORTED, "*'mock'*thread*");
  return NULL;
}

static int n_turns;

static void
turned (void)
{
  n_turns++;
}

static void
test_class (void)
{
  MaltWorkerClass *klass = g_type_class_ref (MOCK_TYPE_WORKER);

  klass->thread = g_thread_self ();
  g_thread_join (g_thread_new ("refused", refused_thread, NULL));
  spawn ();
  klass->turned = turned;
  expect_fetched (1, 8, "int64 8");
  g_assert_cmpint (n_turns, >, 0);
  klass->turned = NULL;
  klass->thread = NULL;
  stop ();
  g_type_class_unref (klass);
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  int status;

  g_test_init (&argc, &argv, NULL);
  malt_worker_register ("mock", MOCK_TYPE_WORKER, &error);
  g_assert_no_error (error);
  test_watchdog_start ();

  g_test_add_func ("/backend-home/run-by-another-thread", test_run_by_another_thread);
  g_test_add_func ("/backend-home/begun-elsewhere", test_begun_elsewhere);
  g_test_add_func ("/backend-home/served", test_served);
  g_test_add_func ("/backend-home/calls-served", test_calls_served);
  g_test_add_func ("/backend-home/other-context", test_other_context);
  g_test_add_func ("/backend-home/one-at-a-time", test_one_at_a_time);
  g_test_add_func ("/backend-home/left-alone", test_left_alone);
  g_test_add_func ("/backend-home/exported", test_exported);
  g_test_add_func ("/backend-home/class", test_class);

  status = g_test_run ();
  test_watchdog_stop ();
  return status;
}
