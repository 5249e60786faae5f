/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <malt.h>

#include "test-answer.h"
#include "test-asserts.h"

/* How code of a worker waits for what is not there yet, and what comes meanwhile.  See
 * programs/waiting-worker.c on what can be called. */

static MaltWorker *
spawn (void)
{
  g_autoptr (MaltLauncher) launcher = malt_launcher_new ("process", "waiting");
  g_autofree char *program = g_test_build_filename (G_TEST_BUILT, "programs", "waiting-worker", NULL);
  g_autoptr (GError) error = NULL;
  MaltWorker *worker;

  malt_launcher_set_program (launcher, program);
  worker = malt_launcher_spawn (launcher, NULL, &error);
  g_assert_no_error (error);
  return worker;
}

static TestAnswer *
start (MaltWorker   *worker,
       const char   *function,
       gint64        word,
       gint64        number,
       GCancellable *cancellable)
{
  return test_answer_call (worker, function, g_variant_new ("(xx)", word, number), MALT_TIMEOUT_NONE, cancellable);
}

static void
call (MaltWorker *worker,
      const char *function,
      gint64      word,
      gint64      number)
{
  g_autoptr (GError) error = NULL;

  malt_worker_remote_call_wait (worker, function, g_variant_new ("(xx)", word, number), NULL,
                                MALT_TIMEOUT_NONE, NULL, &error);
  g_assert_no_error (error);
}

static gint64
count (MaltWorker *worker)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) value = NULL;

  value = malt_worker_remote_call_fetch (worker, "count", NULL, NULL, MALT_TIMEOUT_NONE, NULL, &error);
  g_assert_no_error (error);
  return g_variant_get_int64 (value);
}

static void
assert_done (TestAnswer *answer)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) value G_GNUC_UNUSED = test_answer_wait (answer, &error);

  g_assert_no_error (error);
}

/* Starts "wait", which has begun when this returns. */
static TestAnswer *
start_wait (MaltWorker *worker,
            gint64      word)
{
  TestAnswer *begun = start (worker, "wait-in-thread", word + 16, -1, NULL);
  TestAnswer *wait = start (worker, "wait", word, -1, NULL);

  assert_done (begun);
  return wait;
}

/* Requests that come while the serving thread waits start afterwards, in their order. */
static void
test_queue (void)
{
  g_autoptr (MaltWorker) worker = spawn ();
  TestAnswer *wait, *counts[100];
  guint i;

  call (worker, "alarm", 1, 50);
  wait = start (worker, "wait", 1, -1, NULL);
  for (i = 0; i < G_N_ELEMENTS (counts); i++)
    counts[i] = test_answer_call (worker, "count", NULL, MALT_TIMEOUT_NONE, NULL);

  assert_done (wait);
  for (i = 0; i < G_N_ELEMENTS (counts); i++)
    {
      g_autoptr (GVariant) value = test_answer_wait (counts[i], NULL);

      g_assert_cmpint (g_variant_get_int64 (value), ==, i + 1);
    }
  g_assert_cmpint (count (worker), ==, G_N_ELEMENTS (counts) + 1);
}

/* One that waits in the queue has not started. */
static void
test_withdraw (void)
{
  g_autoptr (MaltWorker) worker = spawn ();
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;
  TestAnswer *wait, *cancelled, *kept;
  GVariant *value;

  wait = start_wait (worker, 1);
  cancelled = test_answer_call (worker, "count", NULL, MALT_TIMEOUT_NONE, cancellable);
  kept = test_answer_call (worker, "count", NULL, MALT_TIMEOUT_NONE, NULL);
  g_cancellable_cancel (cancellable);
  g_assert_null (test_answer_wait (cancelled, &error));
  test_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED, "*");
  g_assert_false (test_answer_is_there (wait));

  malt_worker_interrupt (worker);
  g_assert_null (test_answer_wait (wait, &error));
  test_assert_error (error, MALT_ERROR, MALT_ERROR_INTERRUPTED, "*");

  value = test_answer_wait (kept, &error);
  g_assert_no_error (error);
  test_assert_value (value, "int64 1");
  g_assert_cmpint (count (worker), ==, 2);
}

static void
test_deadline (void)
{
  g_autoptr (MaltWorker) worker = spawn ();
  g_autoptr (GError) error = NULL;

  g_assert_null (test_answer_wait (start (worker, "wait", 1, 20, NULL), &error));
  test_assert_error (error, MALT_ERROR, MALT_ERROR_REMOTE, "*the time has passed*");
  g_assert_null (test_answer_wait (start (worker, "wait-in-thread", 1, 20, NULL), &error));
  test_assert_error (error, MALT_ERROR, MALT_ERROR_REMOTE, "*the time has passed*");
  g_assert_cmpint (count (worker), ==, 1);
}

/* Threads that wait read in the serving thread's place while it is busy, and hold nothing
 * up when it is not. */
static void
test_threads (void)
{
  g_autoptr (MaltWorker) worker = spawn ();
  TestAnswer *waits[8];
  guint i;

  for (i = 0; i < G_N_ELEMENTS (waits); i++)
    waits[i] = start (worker, "wait-in-thread", i % 4, -1, NULL);
  for (i = 0; i < 500; i++)
    g_assert_cmpint (count (worker), ==, i + 1);

  for (i = 0; i < 4; i++)
    {
      g_assert_false (test_answer_is_there (waits[i]));
      call (worker, "set", i, 0);
      assert_done (waits[i]);
      assert_done (waits[i + 4]);
      g_assert_cmpint (count (worker), ==, 500 + i + 1);
    }
}

/* Threads that wait for each other, and the serving thread for the last of them. */
static void
test_relay (void)
{
  g_autoptr (MaltWorker) worker = spawn ();
  TestAnswer *wait, *after;
  guint i;

  for (i = 0; i < 10; i++)
    call (worker, "relay", i, i + 1);
  call (worker, "alarm", 0, 20);
  wait = start (worker, "wait", 10, -1, NULL);
  after = test_answer_call (worker, "count", NULL, MALT_TIMEOUT_NONE, NULL);
  assert_done (wait);
  assert_done (after);
}

/* A callback of the serving thread's context waits, within the wait of the service for
 * requests; those that come meanwhile are not lost. */
static void
test_callback (void)
{
  g_autoptr (MaltWorker) worker = spawn ();
  guint i;

  for (i = 0; i < 10; i++)
    {
      TestAnswer *wait;

      call (worker, "alarm", i, 10);
      wait = start (worker, "wait-in-callback", i, -1, NULL);
      g_assert_cmpint (count (worker), ==, 2 * i + 1);
      g_assert_cmpint (count (worker), ==, 2 * i + 2);
      assert_done (wait);
    }
}

/* The same, while a thread has the reader's role. */
static void
test_callback_and_thread (void)
{
  g_autoptr (MaltWorker) worker = spawn ();
  TestAnswer *thread, *callback, *wait;
  guint i;

  thread = start (worker, "wait-in-thread", 1, -1, NULL);
  call (worker, "alarm", 2, 20);
  wait = start (worker, "wait", 2, -1, NULL);
  call (worker, "alarm", 3, 20);
  callback = start (worker, "wait-in-callback", 3, -1, NULL);
  for (i = 0; i < 50; i++)
    g_assert_cmpint (count (worker), ==, i + 1);
  assert_done (wait);
  assert_done (callback);
  g_assert_false (test_answer_is_there (thread));
  call (worker, "set", 1, 0);
  assert_done (thread);
}

static void
test_stop (gconstpointer function)
{
  g_autoptr (MaltWorker) worker = spawn ();
  g_autoptr (GError) error = NULL;
  TestAnswer *waits[2];
  guint i;

  waits[0] = start (worker, function, 1, -1, NULL);
  waits[1] = start (worker, "wait", 1, -1, NULL);

  g_assert_cmpint (malt_worker_stop (worker, 10000, 10000, NULL, &error), ==, MALT_STOP_RESULT_WAS_RUNNING);
  g_assert_no_error (error);
  g_assert_cmpint (malt_exit_info_get_kind (malt_worker_get_exit_info (worker)), ==, MALT_EXIT_KIND_STOPPED);
  for (i = 0; i < G_N_ELEMENTS (waits); i++)
    {
      g_assert_null (test_answer_wait (waits[i], &error));
      test_assert_error (error, MALT_ERROR, MALT_ERROR_TERMINATED, "*");
    }
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/service-wait/queue", test_queue);
  g_test_add_func ("/service-wait/withdraw", test_withdraw);
  g_test_add_func ("/service-wait/deadline", test_deadline);
  g_test_add_func ("/service-wait/threads", test_threads);
  g_test_add_func ("/service-wait/relay", test_relay);
  g_test_add_func ("/service-wait/callback", test_callback);
  g_test_add_func ("/service-wait/callback-and-thread", test_callback_and_thread);
  g_test_add_data_func ("/service-wait/stop", "wait", test_stop);
  g_test_add_data_func ("/service-wait/stop-threads", "wait-in-thread", test_stop);
  g_test_add_data_func ("/service-wait/stop-callback", "wait-in-callback", test_stop);

  return g_test_run ();
}
