/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <malt.h>

#include "test-asserts.h"
#include "test-case.h"
#include "test-mark.h"
#include "test-pool.h"
#include "test-thread.h"
#include "test-watchdog.h"

/* Calls to a pool: who gets a worker when, and what becomes of those who wait. */

#define NONE MALT_POOL_CALL_FLAGS_NONE

/* So that no call is broken off while what it needs is loaded. */
#define WARM "initializer", test_case_function (self, "nothing")

static GVariant *
two_numbers (gint64 a,
             gint64 b)
{
  return g_variant_new ("(xx)", a, b);
}

/* A call that goes on until it is cancelled. */
static TestPoolAnswer *
start_endless (TestCase     *self,
               MaltPool     *pool,
               GCancellable *cancellable)
{
  return test_pool_start (pool, test_case_function (self, "later_never"), NULL, NONE, MALT_TIMEOUT_NONE,
                          cancellable);
}

static TestPoolAnswer *
start_add (TestCase *self,
           MaltPool *pool)
{
  return test_pool_start (pool, test_case_function (self, "add"), two_numbers (1, 2), NONE, MALT_TIMEOUT_NONE, NULL);
}

static void
expect_three (TestPoolAnswer *answer)
{
  g_autoptr (GError) error = NULL;
  GVariant *value = test_pool_answer_wait (answer, &error);

  g_assert_no_error (error);
  test_assert_value (value, "int64 3");
}

static void
expect_cancelled (TestPoolAnswer *answer)
{
  test_pool_answer_fails (answer, G_IO_ERROR, G_IO_ERROR_CANCELLED, "*cancelled*");
}

/* The ways to call. */

static void
test_calls (TestCase *self)
{
  g_autoptr (GError) error = NULL;
  MaltPool *pool = test_pool_new (self, "launcher", self->launcher, WARM, "max-workers", 2, NULL);

  g_assert_cmpuint (malt_pool_get_n_workers (pool), ==, 0);
  test_pool_assert_usable (self, pool);
  g_assert_cmpuint (malt_pool_get_n_workers (pool), ==, 1);
  g_assert_cmpuint (malt_pool_get_n_done (pool), ==, 1);
  expect_three (start_add (self, pool));

  g_assert_null (malt_pool_remote_call_fetch (pool, test_case_function (self, "fail"), g_variant_new ("(s)", "bad"),
                                              NULL, NONE, MALT_TIMEOUT_DEFAULT, NULL, &error));
  test_assert_error (error, MALT_ERROR, MALT_ERROR_REMOTE, "*bad*");
  test_pool_answer_fails (test_pool_start (pool, test_case_function (self, "fail"), g_variant_new ("(s)", "bad"),
                                           NONE, MALT_TIMEOUT_DEFAULT, NULL),
                          MALT_ERROR, MALT_ERROR_REMOTE, "*bad*");

  g_assert_cmpuint (malt_pool_get_n_done (pool), ==, 2);
  g_assert_cmpuint (malt_pool_get_n_failed (pool), ==, 2);
  g_assert_cmpuint (malt_pool_get_n_running (pool), ==, 0);
  test_pool_retire (pool);
}

static void
evaluated_cb (GObject      *source,
              GAsyncResult *result,
              gpointer      user_data)
{
  g_autoptr (GError) error = NULL;

  test_assert_value (malt_pool_remote_eval_finish (MALT_POOL (source), result, &error), "int64 42");
  g_assert_no_error (error);
  *(gboolean *) user_data = TRUE;
}

static void
test_evaluation (TestCase *self)
{
  g_autoptr (GError) error = NULL;
  MaltPool *pool = test_pool_new (self, "launcher", self->launcher, WARM, "max-workers", 1, NULL);
  gboolean done = FALSE;

  test_assert_value (malt_pool_remote_eval_fetch (pool, NULL, "6 * 7", NONE, MALT_TIMEOUT_DEFAULT, NULL, &error),
                     "int64 42");
  g_assert_no_error (error);
  malt_pool_remote_eval_async (pool, "other", test_case_source (self, "x = 6\nx * 7", "let x = 6\nx * 7"), NONE, MALT_TIMEOUT_DEFAULT, NULL, evaluated_cb, &done);
  while (!done)
    g_main_context_iteration (NULL, TRUE);

  g_assert_null (malt_pool_remote_eval_fetch (pool, NULL, test_case_source (self, "object()", "Symbol()"), NONE, MALT_TIMEOUT_DEFAULT, NULL, &error));
  test_assert_error (error, MALT_ERROR, MALT_ERROR_SERIALIZATION, "*");
  test_pool_retire (pool);
}

static void
test_no_value (TestCase *self)
{
  g_autoptr (GError) error = NULL;
  MaltPool *pool = test_pool_new (self, "launcher", self->launcher, WARM, "max-workers", 1, NULL);
  g_autoptr (GVariant) nothing = NULL;

  nothing = malt_pool_remote_eval_fetch (pool, NULL, test_case_source (self, "object()", "Symbol()"),
                                         MALT_POOL_CALL_FLAGS_NO_VALUE, MALT_TIMEOUT_DEFAULT, NULL, &error);
  g_assert_no_error (error);
  g_assert_true (g_variant_is_of_type (nothing, G_VARIANT_TYPE ("mv")));
  test_pool_retire (pool);
}

static void
test_do (TestCase *self)
{
  g_autoptr (GError) error = NULL;
  MaltPool *pool = test_pool_new (self, "launcher", self->launcher, WARM, "max-workers", 1, NULL);

  g_assert_true (malt_pool_remote_do (pool, test_case_function (self, "put"), g_variant_new ("(s)", "this"), NULL,
                                      &error));
  g_assert_no_error (error);

  /* In the one worker it is done before what comes later. */
  test_assert_value (test_pool_call (pool, test_case_function (self, "get"), NULL), "'this'");

  g_test_expect_message ("Malt", G_LOG_LEVEL_MESSAGE, "*nobody awaits*too bad*");
  g_assert_true (malt_pool_remote_do (pool, test_case_function (self, "fail"), g_variant_new ("(s)", "too bad"), NULL,
                                      &error));
  g_assert_no_error (error);
  test_pool_assert_usable (self, pool);
  g_assert_cmpuint (malt_pool_get_n_failed (pool), ==, 1);

  g_assert_false (malt_pool_remote_do (pool, "", NULL, NULL, &error));
  test_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "*function is empty*");
  test_pool_retire (pool);
  g_test_assert_expected_messages ();
}

/* What nobody awaits is done even if the pool is dropped at once. */
static void
test_do_and_drop (TestCase *self)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *mark = test_mark_new ();
  g_autofree char *end = test_mark_new ();
  MaltPool *pool = test_pool_new (self, "launcher", self->launcher, WARM, "max-workers", 1, NULL);

  test_mark_make (end);
  g_assert_true (malt_pool_remote_do (pool, test_case_function (self, "be_deaf"), g_variant_new ("(ss)", mark, end),
                                      NULL, &error));
  g_assert_no_error (error);
  g_object_unref (pool);
  test_mark_await (mark);
}

static void
test_bad_input (TestCase *self)
{
  static const struct
  {
    const char *function;
    const char *arguments;
    const char *keywords;
    const char *pattern;
  } calls[] = {
    { "", "()", NULL, "*function is empty*" },
    { "\xff", "()", NULL, "*not valid UTF-8*" },
    { "f", "'text'", NULL, "*of type s instead of a tuple*" },
    { "f", "()", "{1: 2}", "*of type a{ii} instead of a{sv}*" },
  };
  g_autoptr (GError) error = NULL;
  MaltPool *pool = test_pool_new (self, "launcher", self->launcher, WARM, "max-workers", 1, NULL);
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (calls); i++)
    {
      g_autoptr (GVariant) arguments = g_variant_ref_sink (g_variant_new_parsed (calls[i].arguments));
      g_autoptr (GVariant) keywords = calls[i].keywords != NULL
        ? g_variant_ref_sink (g_variant_new_parsed (calls[i].keywords)) : NULL;

      g_assert_null (malt_pool_remote_call_fetch (pool, calls[i].function, arguments, keywords, NONE,
                                                  MALT_TIMEOUT_DEFAULT, NULL, &error));
      test_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, calls[i].pattern);
    }
  test_pool_answer_fails (test_pool_start (pool, "", NULL, NONE, MALT_TIMEOUT_DEFAULT, NULL),
                          G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "*function is empty*");
  g_assert_null (malt_pool_remote_eval_fetch (pool, NULL, "\xff", NONE, MALT_TIMEOUT_DEFAULT, NULL, &error));
  test_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "*not valid UTF-8 at byte 0*");
  g_assert_null (malt_pool_map (pool, "f", g_variant_new_string ("text"), NONE, MALT_TIMEOUT_DEFAULT, NULL, NULL,
                                NULL, &error));
  test_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "*type s instead of an array of tuples*");
  g_assert_null (malt_pool_map (pool, "", g_variant_new_array (G_VARIANT_TYPE ("(x)"), NULL, 0), NONE,
                                MALT_TIMEOUT_DEFAULT, NULL, NULL, NULL, &error));
  test_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "*function is empty*");

  /* None of this needed a worker. */
  g_assert_cmpuint (malt_pool_get_n_workers (pool), ==, 0);
  g_assert_cmpuint (malt_pool_get_n_failed (pool), ==, 0);
  test_pool_retire (pool);
}

/* Who gets a worker. */

static void
test_on_demand (TestCase *self)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  MaltPool *pool = test_pool_new (self, "launcher", self->launcher, WARM, "max-workers", 2, NULL);
  TestPoolAnswer *answers[4], *last;
  gsize i;

  answers[0] = start_endless (self, pool, cancellable);
  test_pool_await (pool, "n-running", 1);
  g_assert_cmpuint (malt_pool_get_n_workers (pool), ==, 1);

  for (i = 1; i < G_N_ELEMENTS (answers); i++)
    answers[i] = start_endless (self, pool, cancellable);
  last = start_add (self, pool);
  test_pool_await (pool, "n-running", 2);
  g_assert_cmpuint (malt_pool_get_n_workers (pool), ==, 2);
  g_assert_cmpuint (malt_pool_get_n_queued (pool), ==, 3);
  g_assert_false (test_pool_answer_is_there (last));

  g_cancellable_cancel (cancellable);
  for (i = 0; i < G_N_ELEMENTS (answers); i++)
    expect_cancelled (answers[i]);
  expect_three (last);
  g_assert_cmpuint (malt_pool_get_n_workers (pool), ==, 2);
  test_pool_retire (pool);
}

/* With two calls for each of two workers, two calls are in one each, so that the death of
 * one costs one of them (and the one that it died of). */
static void
test_least_busy (TestCase *self)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;
  MaltPool *pool = test_pool_new (self, "launcher", self->launcher, WARM, "max-workers", 2, "min-workers", 2,
                                  "calls-per-worker", 3, NULL);
  TestPoolAnswer *answers[2];
  guint n_lost = 0;
  gsize i;

  test_pool_await (pool, "n-workers", 2);
  for (i = 0; i < G_N_ELEMENTS (answers); i++)
    answers[i] = start_endless (self, pool, cancellable);
  test_pool_await (pool, "n-running", 2);

  g_assert_null (malt_pool_remote_call_fetch (pool, test_case_function (self, "crash"), NULL, NULL, NONE,
                                              MALT_TIMEOUT_NONE, NULL, &error));
  test_assert_error (error, MALT_ERROR, MALT_ERROR_TERMINATED, "*signal*");
  test_pool_await (pool, "n-running", 1);

  g_cancellable_cancel (cancellable);
  for (i = 0; i < G_N_ELEMENTS (answers); i++)
    {
      g_assert_null (test_pool_answer_wait (answers[i], &error));
      if (g_error_matches (error, MALT_ERROR, MALT_ERROR_TERMINATED))
        n_lost++;
      else
        g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
      g_clear_error (&error);
    }
  g_assert_cmpuint (n_lost, ==, 1);
  test_pool_retire (pool);
}

static void
test_calls_at_once (TestCase *self)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  MaltPool *pool = test_pool_new (self, "launcher", self->launcher, WARM, "max-workers", 1, "calls-per-worker", 3, NULL);
  TestPoolAnswer *answers[4];
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (answers); i++)
    answers[i] = start_endless (self, pool, cancellable);
  test_pool_await (pool, "n-running", 3);
  g_assert_cmpuint (malt_pool_get_n_workers (pool), ==, 1);
  g_assert_cmpuint (malt_pool_get_n_queued (pool), ==, 1);

  g_cancellable_cancel (cancellable);
  for (i = 0; i < G_N_ELEMENTS (answers); i++)
    expect_cancelled (answers[i]);
  test_pool_retire (pool);
}

/* A thread that blocks gets a worker although it is the thread that does not run the loop in
 * which the results of the calls before it are awaited. */
static void
test_loop_stands_still (TestCase *self)
{
  MaltPool *pool = test_pool_new (self, "launcher", self->launcher, WARM, "max-workers", 1, NULL);
  TestPoolAnswer *answers[10];
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (answers); i++)
    answers[i] = start_add (self, pool);
  test_pool_assert_usable (self, pool);
  for (i = 0; i < G_N_ELEMENTS (answers); i++)
    expect_three (answers[i]);
  test_pool_retire (pool);
}

/* The bound of the queue. */

typedef struct
{
  TestCase     *test;
  MaltPool     *pool;
  GCancellable *cancellable;
  int           timeout_msec;
  GVariant     *value;
  GError       *error;
} Caller;

static gpointer
add_thread (gpointer data)
{
  Caller *caller = data;

  caller->value = malt_pool_remote_call_fetch (caller->pool, test_case_function (caller->test, "add"),
                                               two_numbers (1, 2), NULL, NONE, caller->timeout_msec,
                                               caller->cancellable, &caller->error);
  return NULL;
}

typedef struct
{
  gboolean done;
  gboolean went_well;
  GError  *error;
} Room;

static void
room_cb (GObject      *source,
         GAsyncResult *result,
         gpointer      user_data)
{
  Room *room = user_data;

  room->went_well = malt_pool_wait_room_finish (MALT_POOL (source), result, &room->error);
  room->done = TRUE;
}

static gpointer
room_thread (gpointer data)
{
  Caller *caller = data;

  return GINT_TO_POINTER (malt_pool_wait_room (caller->pool, caller->cancellable, &caller->error));
}

static void
test_bounded (TestCase *self)
{
  g_autoptr (GCancellable) first_cancellable = g_cancellable_new ();
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GCancellable) room_cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;
  MaltPool *pool = test_pool_new (self, "launcher", self->launcher, WARM, "max-workers", 1, "queue-length", 2, NULL);
  TestPoolAnswer *first, *second, *third;
  Caller caller = { self, pool, NULL, MALT_TIMEOUT_NONE, NULL, NULL };
  Caller waiter = { self, pool, NULL, 0, NULL, NULL };
  Room room = { 0 }, cancelled_room = { 0 };
  TestThread *thread, *waiting;

  g_assert_true (malt_pool_wait_room (pool, NULL, &error));
  g_assert_no_error (error);

  first = start_endless (self, pool, first_cancellable);
  test_pool_await (pool, "n-running", 1);
  second = start_endless (self, pool, cancellable);
  third = start_add (self, pool);
  test_pool_answer_fails (start_add (self, pool), G_IO_ERROR, G_IO_ERROR_BUSY, "*2 calls wait*");
  g_assert_false (malt_pool_remote_do (pool, test_case_function (self, "nothing"), NULL, NULL, &error));
  test_assert_error (error, G_IO_ERROR, G_IO_ERROR_BUSY, "*2 calls wait*");

  /* A thread waits as long as it takes. */
  thread = test_thread_new ("add", add_thread, &caller);
  test_pool_await (pool, "n-queued", 3);

  malt_pool_wait_room_async (pool, NULL, room_cb, &room);
  malt_pool_wait_room_async (pool, room_cancellable, room_cb, &cancelled_room);
  waiting = test_thread_new ("room", room_thread, &waiter);
  g_cancellable_cancel (room_cancellable);
  while (!cancelled_room.done)
    g_main_context_iteration (NULL, TRUE);
  g_assert_false (cancelled_room.went_well);
  test_assert_error (cancelled_room.error, G_IO_ERROR, G_IO_ERROR_CANCELLED, "*");
  g_assert_false (room.done);

  g_cancellable_cancel (cancellable);
  expect_cancelled (second);
  while (!room.done)
    g_main_context_iteration (NULL, TRUE);
  g_assert_true (room.went_well);
  g_assert_true (test_thread_join (waiting));
  g_assert_no_error (waiter.error);

  g_cancellable_cancel (first_cancellable);
  expect_cancelled (first);
  expect_three (third);
  test_thread_join (thread);
  g_assert_no_error (caller.error);
  test_assert_value (caller.value, "int64 3");

  test_pool_retire (g_object_ref (pool));
  g_assert_false (malt_pool_wait_room (pool, NULL, &error));
  test_assert_error (error, G_IO_ERROR, G_IO_ERROR_CLOSED, "*shut down*");
  g_object_unref (pool);
}

/* Deadlines and cancelling, in the queue and after it. */

static void
test_deadline_in_queue (TestCase *self)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;
  MaltPool *pool = test_pool_new (self, "launcher", self->launcher, WARM, "max-workers", 1, NULL);
  TestPoolAnswer *first, *second, *third;

  first = start_endless (self, pool, cancellable);
  test_pool_await (pool, "n-running", 1);

  second = test_pool_start (pool, test_case_function (self, "add"), two_numbers (1, 2), NONE, 20, NULL);
  third = test_pool_start (pool, test_case_function (self, "add"), two_numbers (1, 2), NONE, 600000, NULL);
  g_assert_null (malt_pool_remote_call_fetch (pool, test_case_function (self, "add"), two_numbers (1, 2), NULL, NONE,
                                              50, NULL, &error));
  g_assert_cmpint (malt_remote_error_get_rung (error), ==, MALT_RUNG_WITHDRAWN);
  test_assert_error (error, MALT_ERROR, MALT_ERROR_TIMEOUT, "pool of * workers *within 0.05 s*withdrawn*");

  g_assert_null (test_pool_answer_wait (second, &error));
  g_assert_cmpint (malt_remote_error_get_rung (error), ==, MALT_RUNG_WITHDRAWN);
  test_assert_error (error, MALT_ERROR, MALT_ERROR_TIMEOUT, "pool of * workers *within 0.02 s*withdrawn*");

  g_cancellable_cancel (cancellable);
  expect_cancelled (first);
  expect_three (third);
  g_assert_cmpuint (malt_pool_get_n_failed (pool), ==, 3);
  test_pool_retire (pool);
}

/* One that counts only from when a worker has the call. */
static void
test_deadline_of_run (TestCase *self)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  MaltPool *pool = test_pool_new (self, "launcher", self->launcher, WARM, "max-workers", 1, NULL);
  TestPoolAnswer *first, *second;

  first = start_endless (self, pool, cancellable);
  test_pool_await (pool, "n-running", 1);
  second = test_pool_start (pool, test_case_function (self, "add"), two_numbers (1, 2),
                            MALT_POOL_CALL_FLAGS_TIME_RUN, 60000, NULL);
  test_pool_answer_fails (test_pool_start (pool, test_case_function (self, "add"), two_numbers (1, 2), NONE, 20, NULL),
                          MALT_ERROR, MALT_ERROR_TIMEOUT, "*withdrawn before it started*");
  g_assert_false (test_pool_answer_is_there (second));
  g_cancellable_cancel (cancellable);
  test_pool_answer_fails (first, G_IO_ERROR, G_IO_ERROR_CANCELLED, "*");
  expect_three (second);

  test_pool_answer_fails (test_pool_start (pool, test_case_function (self, "later_never"), NULL,
                                           MALT_POOL_CALL_FLAGS_TIME_RUN, 20, NULL),
                          MALT_ERROR, MALT_ERROR_TIMEOUT, "*");
  test_pool_retire (pool);
}

static void
test_deadline_running (TestCase *self)
{
  g_autoptr (GError) error = NULL;
  MaltPool *pool = test_pool_new (self, "launcher", self->launcher, WARM, "max-workers", 1, NULL);
  const char *never = test_case_function (self, "later_never");

  /* It has to have begun by then, also on a busy machine. */
  test_pool_assert_usable (self, pool);
  g_assert_null (malt_pool_remote_call_fetch (pool, never, NULL, NULL, NONE, 1000, NULL, &error));
  g_assert_cmpint (malt_remote_error_get_rung (error), ==, MALT_RUNG_CANCELLED);
  test_assert_error (error, MALT_ERROR, MALT_ERROR_TIMEOUT, "*within 1 s*");
  test_pool_answer_fails (test_pool_start (pool, never, NULL, NONE, 50, NULL), MALT_ERROR, MALT_ERROR_TIMEOUT,
                          "*within 0.05 s*");
  test_pool_answer_fails (test_pool_start (pool, never, NULL, NONE, 0, NULL), MALT_ERROR, MALT_ERROR_TIMEOUT, "*");

  test_pool_assert_usable (self, pool);
  g_assert_cmpuint (malt_pool_get_n_workers (pool), ==, 1);
  test_pool_retire (pool);
}

/* Also the time in the queue counts once a call runs. */
static void
test_deadline_of_launcher (TestCase *self)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  TestPoolAnswer *first, *second;
  MaltPool *pool;

  malt_launcher_set_call_timeout (self->launcher, 200);
  pool = test_pool_new (self, "launcher", self->launcher, WARM, "max-workers", 1, NULL);
  first = start_endless (self, pool, cancellable);
  second = test_pool_start (pool, test_case_function (self, "later_never"), NULL, NONE, MALT_TIMEOUT_DEFAULT, NULL);
  test_pool_await (pool, "n-running", 1);
  g_cancellable_cancel (cancellable);
  expect_cancelled (first);
  test_pool_answer_fails (second, MALT_ERROR, MALT_ERROR_TIMEOUT, "*within 0.2 s*");
  test_pool_retire (pool);
}

static void
test_cancelled (TestCase *self)
{
  g_autoptr (GCancellable) first_cancellable = g_cancellable_new ();
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;
  MaltPool *pool = test_pool_new (self, "launcher", self->launcher, WARM, "max-workers", 1, NULL);
  Caller caller = { self, pool, cancellable, MALT_TIMEOUT_NONE, NULL, NULL };
  TestPoolAnswer *first, *second;
  TestThread *thread;

  first = start_endless (self, pool, first_cancellable);
  test_pool_await (pool, "n-running", 1);
  second = start_endless (self, pool, cancellable);
  thread = test_thread_new ("add", add_thread, &caller);
  test_pool_await (pool, "n-queued", 2);

  /* In the queue: at once, whoever waits. */
  g_cancellable_cancel (cancellable);
  expect_cancelled (second);
  test_thread_join (thread);
  test_assert_error (caller.error, G_IO_ERROR, G_IO_ERROR_CANCELLED, "*withdrawn before it started*");
  g_assert_cmpuint (malt_pool_get_n_queued (pool), ==, 0);
  g_assert_cmpuint (malt_pool_get_n_running (pool), ==, 1);

  /* Before it began. */
  expect_cancelled (start_endless (self, pool, cancellable));
  g_assert_null (malt_pool_remote_call_fetch (pool, test_case_function (self, "add"), two_numbers (1, 2), NULL, NONE,
                                              MALT_TIMEOUT_NONE, cancellable, &error));
  test_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED, "*");

  /* Under way. */
  g_cancellable_cancel (first_cancellable);
  expect_cancelled (first);
  test_pool_assert_usable (self, pool);
  g_assert_cmpuint (malt_pool_get_n_workers (pool), ==, 1);
  test_pool_retire (pool);
}

/* Cancelled at every moment that there is, by another thread. */

static gpointer
cancel_thread (gpointer data)
{
  g_cancellable_cancel (data);
  return NULL;
}

static void
test_cancelled_anywhen (TestCase *self)
{
  MaltPool *pool = test_pool_new (self, "launcher", self->launcher, WARM, "max-workers", 2, NULL);
  guint i, n = TEST_SANITIZED ? 50 : 300;

  test_pool_assert_usable (self, pool);
  for (i = 0; i < n; i++)
    {
      g_autoptr (GCancellable) cancellable = g_cancellable_new ();
      g_autoptr (GError) error = NULL;
      g_autoptr (GVariant) value = NULL;
      TestThread *thread = test_thread_new ("cancel", cancel_thread, cancellable);

      if (i % 2 == 0)
        value = malt_pool_remote_call_fetch (pool, test_case_function (self, "add"), two_numbers (1, 2), NULL, NONE,
                                             MALT_TIMEOUT_NONE, cancellable, &error);
      else
        value = test_pool_answer_wait (test_pool_start (pool, test_case_function (self, "add"), two_numbers (1, 2),
                                                        NONE, MALT_TIMEOUT_NONE, cancellable), &error);
      if (value == NULL)
        g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
      test_thread_join (thread);
    }
  test_pool_assert_usable (self, pool);
  test_pool_retire (pool);
}

/* A handler of the cancellable may itself wait for a worker: for the one whose call is just
 * cancelled. */

static void
call_when_cancelled_cb (GCancellable *cancellable,
                        gpointer      user_data)
{
  Caller *caller = user_data;

  test_pool_assert_usable (caller->test, caller->pool);
}

static void
test_cancelled_handler (TestCase *self)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  MaltPool *pool = test_pool_new (self, "launcher", self->launcher, WARM, "max-workers", 1, NULL);
  Caller caller = { self, pool, NULL, 0, NULL, NULL };
  TestPoolAnswer *runs, *waits;
  gulong id;

  runs = start_endless (self, pool, cancellable);
  test_pool_await (pool, "n-running", 1);
  waits = start_endless (self, pool, cancellable);
  id = g_cancellable_connect (cancellable, G_CALLBACK (call_when_cancelled_cb), &caller, NULL);
  g_cancellable_cancel (cancellable);
  g_cancellable_disconnect (cancellable, id);
  expect_cancelled (runs);
  expect_cancelled (waits);
  test_pool_retire (pool);
}

/* Many threads. */

#define N_THREADS 8
#define N_CALLS   (TEST_SANITIZED ? 200 : 1250)

static gpointer
blocking_thread (gpointer data)
{
  Caller *caller = data;
  gint64 i;

  for (i = 0; i < N_CALLS; i++)
    {
      g_autofree char *expected = g_strdup_printf ("int64 %" G_GINT64_FORMAT, 1000 + i);

      test_assert_value (test_pool_call (caller->pool, test_case_function (caller->test, "add"),
                                         two_numbers (1000, i)), expected);
    }
  return NULL;
}

static gpointer
async_thread (gpointer data)
{
  Caller *caller = data;
  g_autoptr (GMainContext) context = g_main_context_new ();
  TestPoolAnswer *answers[10];
  gint64 i;
  gsize j;

  g_main_context_push_thread_default (context);
  for (i = 0; i < N_CALLS; i += (gint64) G_N_ELEMENTS (answers))
    {
      for (j = 0; j < G_N_ELEMENTS (answers); j++)
        answers[j] = test_pool_start (caller->pool, test_case_function (caller->test, "add"),
                                      two_numbers (i, (gint64) j), NONE, MALT_TIMEOUT_NONE, NULL);
      for (j = 0; j < G_N_ELEMENTS (answers); j++)
        {
          g_autofree char *expected = g_strdup_printf ("int64 %" G_GINT64_FORMAT, i + (gint64) j);
          g_autoptr (GError) error = NULL;

          test_assert_value (test_pool_answer_wait (answers[j], &error), expected);
          g_assert_no_error (error);
        }
    }
  g_main_context_pop_thread_default (context);
  return NULL;
}

static void
test_many_threads (TestCase *self)
{
  MaltPool *pool = test_pool_new (self, "launcher", self->launcher, WARM, "max-workers", 3, "calls-per-worker", 2, NULL);
  Caller caller = { self, pool, NULL, 0, NULL, NULL };
  TestThread *threads[N_THREADS];
  gsize i;

  for (i = 0; i < N_THREADS; i++)
    threads[i] = test_thread_new ("calls", i % 2 == 0 ? blocking_thread : async_thread, &caller);
  for (i = 0; i < N_THREADS; i++)
    test_thread_join (threads[i]);

  g_assert_cmpuint (malt_pool_get_n_done (pool), ==, N_THREADS * N_CALLS);
  g_assert_cmpuint (malt_pool_get_n_failed (pool), ==, 0);
  test_pool_retire (pool);
}

/* Maps. */

typedef struct
{
  GThread *thread;
  guint    n_told;
  guint    n_failed;
  gboolean in_order;
  guint    next;
  gboolean destroyed;
  gboolean done;
  GVariant *values;
  GError   *error;
} Told;

static void
item_cb (MaltPool     *pool,
         guint         index,
         GVariant     *value,
         const GError *error,
         gpointer      user_data)
{
  Told *told = user_data;

  g_assert_true (told->thread == g_thread_self ());
  g_assert_true ((value != NULL) != (error != NULL));
  told->in_order = told->in_order && index == told->next;
  told->next = index + 1;
  told->n_told++;
  if (error != NULL)
    told->n_failed++;
}

static void
mapped_cb (GObject      *source,
           GAsyncResult *result,
           gpointer      user_data)
{
  Told *told = user_data;

  told->values = malt_pool_map_finish (MALT_POOL (source), result, &told->error);
  g_assert_true (told->destroyed);
  told->done = TRUE;
}

static void
destroy_cb (gpointer user_data)
{
  Told *told = user_data;

  g_assert_true (told->thread == g_thread_self ());
  g_assert_false (told->destroyed);
  told->destroyed = TRUE;
}

/* (0, 1), (1, 1), … */
static GVariant *
numbers (gint64 n)
{
  GVariantBuilder builder;
  gint64 i;

  g_variant_builder_init (&builder, G_VARIANT_TYPE ("a(xx)"));
  for (i = 0; i < n; i++)
    g_variant_builder_add (&builder, "(xx)", i, G_GINT64_CONSTANT (1));
  return g_variant_builder_end (&builder);
}

static void
assert_numbers (GVariant *values,
                gsize     n)
{
  gsize i;

  g_assert_nonnull (values);
  g_assert_cmpstr (g_variant_get_type_string (values), ==, "av");
  g_assert_cmpuint (g_variant_n_children (values), ==, n);
  for (i = 0; i < n; i++)
    {
      g_autoptr (GVariant) boxed = g_variant_get_child_value (values, i);
      g_autoptr (GVariant) value = g_variant_get_variant (boxed);

      g_assert_cmpint (g_variant_get_int64 (value), ==, (gint64) i + 1);
    }
}

static Told
map_both_ways (MaltPool          *pool,
               const char        *function,
               GVariant          *items,
               MaltPoolCallFlags  flags,
               GCancellable      *cancellable,
               gboolean           blocking)
{
  Told told = { .thread = g_thread_self (), .in_order = TRUE };

  if (blocking)
    told.values = malt_pool_map (pool, function, items, flags, MALT_TIMEOUT_NONE, cancellable, item_cb, &told,
                                 &told.error);
  else
    {
      malt_pool_map_async (pool, function, items, flags, MALT_TIMEOUT_NONE, cancellable, item_cb, &told,
                           destroy_cb, mapped_cb, &told);
      g_assert_cmpuint (told.n_told, ==, 0);
      while (!told.done)
        g_main_context_iteration (NULL, TRUE);
    }
  return told;
}

static void
test_map (TestCase *self)
{
  const char *add = test_case_function (self, "add");
  const MaltPoolCallFlags unordered = MALT_POOL_CALL_FLAGS_UNORDERED;
  MaltPool *pool = test_pool_new (self, "launcher", self->launcher, WARM, "max-workers", 3, "queue-length", 1, NULL);
  gboolean blocking;

  for (blocking = FALSE; blocking <= TRUE; blocking++)
    {
      g_autoptr (GVariant) items = g_variant_ref_sink (numbers (300));
      Told told;

      told = map_both_ways (pool, add, items, NONE, NULL, blocking);
      g_assert_no_error (told.error);
      g_assert_cmpuint (told.n_told, ==, 300);
      g_assert_true (told.in_order);
      assert_numbers (told.values, 300);
      g_variant_unref (told.values);

      told = map_both_ways (pool, add, items, unordered, NULL, blocking);
      g_assert_no_error (told.error);
      g_assert_cmpuint (told.n_told, ==, 300);
      assert_numbers (told.values, 300);
      g_variant_unref (told.values);

      told = map_both_ways (pool, add, numbers (0), NONE, NULL, blocking);
      g_assert_no_error (told.error);
      assert_numbers (told.values, 0);
      g_variant_unref (told.values);
    }
  g_assert_cmpuint (malt_pool_get_n_done (pool), ==, 1200);
  test_pool_retire (pool);
}

static void
test_map_without_func (TestCase *self)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) values = NULL;
  MaltPool *pool = test_pool_new (self, "launcher", self->launcher, WARM, "max-workers", 2, NULL);

  values = malt_pool_map (pool, test_case_function (self, "add"), numbers (10), NONE, MALT_TIMEOUT_NONE, NULL, NULL,
                          NULL, &error);
  g_assert_no_error (error);
  assert_numbers (values, 10);
  test_pool_retire (pool);
}

/* An item that is late does not hold up what is told as it comes. */
static void
test_map_unordered (TestCase *self)
{
  GVariantBuilder builder;
  MaltPool *pool = test_pool_new (self, "launcher", self->launcher, WARM, "max-workers", 2, "min-workers", 2, NULL);
  Told told = { .thread = g_thread_self (), .in_order = TRUE };

  test_pool_await (pool, "n-workers", 2);
  g_variant_builder_init (&builder, G_VARIANT_TYPE ("a(xx)"));
  g_variant_builder_add (&builder, "(xx)", G_GINT64_CONSTANT (300), G_GINT64_CONSTANT (1));
  g_variant_builder_add (&builder, "(xx)", G_GINT64_CONSTANT (0), G_GINT64_CONSTANT (2));
  told.values = malt_pool_map (pool, test_case_function (self, "later"), g_variant_builder_end (&builder),
                               MALT_POOL_CALL_FLAGS_UNORDERED, MALT_TIMEOUT_NONE, NULL, item_cb, &told, &told.error);
  g_assert_no_error (told.error);
  g_assert_false (told.in_order);
  test_assert_value (told.values, "[<int64 1>, <int64 2>]");
  test_pool_retire (pool);
}

static void
test_map_failures (TestCase *self)
{
  MaltPool *pool = test_pool_new (self, "launcher", self->launcher, WARM, "max-workers", 2, NULL);
  gboolean blocking;

  for (blocking = FALSE; blocking <= TRUE; blocking++)
    {
      GVariantBuilder builder;
      Told told;
      guint i;

      g_variant_builder_init (&builder, G_VARIANT_TYPE ("a(s)"));
      for (i = 0; i < 5; i++)
        g_variant_builder_add (&builder, "(s)", i == 0 ? "first" : "other");
      told = map_both_ways (pool, test_case_function (self, "fail"), g_variant_builder_end (&builder), NONE, NULL,
                            blocking);
      g_assert_null (told.values);
      g_assert_cmpuint (told.n_told, ==, 5);
      g_assert_cmpuint (told.n_failed, ==, 5);
      g_assert_true (told.in_order);
      test_assert_error (told.error, MALT_ERROR, MALT_ERROR_REMOTE, "5 of 5 items failed; item 0: *first*");
    }
  test_pool_retire (pool);
}

static void
test_map_cancelled (TestCase *self)
{
  MaltPool *pool = test_pool_new (self, "launcher", self->launcher, WARM, "max-workers", 2, NULL);
  gboolean blocking;

  test_pool_assert_usable (self, pool);
  for (blocking = FALSE; blocking <= TRUE; blocking++)
    {
      g_autoptr (GCancellable) cancellable = g_cancellable_new ();
      TestThread *thread = test_thread_new ("cancel", cancel_thread, cancellable);
      GVariantBuilder builder;
      Told told;
      guint i;

      g_variant_builder_init (&builder, G_VARIANT_TYPE ("a()"));
      for (i = 0; i < 50; i++)
        g_variant_builder_add (&builder, "()");
      told = map_both_ways (pool, test_case_function (self, "later_never"), g_variant_builder_end (&builder), NONE,
                            cancellable, blocking);
      test_thread_join (thread);
      g_assert_cmpuint (told.n_told, ==, 50);
      test_assert_error (told.error, G_IO_ERROR, G_IO_ERROR_CANCELLED, "50 of 50 items failed; item 0: *");
    }
  test_pool_assert_usable (self, pool);
  test_pool_retire (pool);
}

static void
test_map_deadline (TestCase *self)
{
  g_autoptr (GError) error = NULL;
  MaltPool *pool = test_pool_new (self, "launcher", self->launcher, WARM, "max-workers", 1, NULL);

  test_pool_assert_usable (self, pool);
  g_assert_null (malt_pool_map (pool, test_case_function (self, "later_never"), g_variant_new_parsed ("[()]"), NONE, 30,
                                NULL, NULL, NULL, &error));
  test_assert_error (error, MALT_ERROR, MALT_ERROR_TIMEOUT, "1 of 1 items failed; item 0: *within 0.03 s*");
  test_pool_retire (pool);
}

/* Workers that live in the context of the very thread that blocks. */

static void
test_at_home (TestCase *self)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (MaltPool) pool = NULL;
  TestPoolAnswer *answers[3];
  Told told;
  gsize i;

  if (!test_case_is (self, "mock"))
    {
      g_test_skip ("its workers do not live in a context");
      return;
    }

  pool = malt_pool_new (self->launcher, 2);
  test_pool_assert_usable (self, pool);
  g_assert_cmpuint (malt_pool_get_n_workers (pool), ==, 1);

  for (i = 0; i < G_N_ELEMENTS (answers); i++)
    answers[i] = start_add (self, pool);
  test_pool_assert_usable (self, pool);
  g_assert_cmpuint (malt_pool_get_n_workers (pool), ==, 2);
  test_pool_assert_usable (self, pool);
  told = map_both_ways (pool, test_case_function (self, "add"), numbers (20), NONE, NULL, TRUE);
  g_assert_no_error (told.error);
  assert_numbers (told.values, 20);
  g_variant_unref (told.values);
  for (i = 0; i < G_N_ELEMENTS (answers); i++)
    expect_three (answers[i]);

  /* Also of those that nobody has run before. */
  answers[0] = start_add (self, pool);
  g_assert_true (malt_pool_shutdown (pool, MALT_POOL_SHUTDOWN_FLAGS_NONE, NULL, &error));
  g_assert_no_error (error);
  expect_three (answers[0]);
  g_assert_null (malt_pool_remote_call_fetch (pool, "add", two_numbers (1, 2), NULL, NONE, MALT_TIMEOUT_NONE, NULL,
                                              &error));
  test_assert_error (error, G_IO_ERROR, G_IO_ERROR_CLOSED, "*");
}

/* It waits for its turn as others do, and what it waits for goes on. */
static void
test_turn_at_home (TestCase *self)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;
  g_autoptr (MaltPool) pool = NULL;
  TestPoolAnswer *answers[2];

  if (!test_case_is (self, "mock"))
    {
      g_test_skip ("its workers do not live in a context");
      return;
    }

  pool = g_object_new (MALT_TYPE_POOL, "launcher", self->launcher, "max-workers", 1, "queue-length", 1, NULL);
  g_assert_true (malt_pool_remote_do (pool, "put", g_variant_new ("(s)", "this"), NULL, &error));
  g_assert_no_error (error);
  test_assert_value (test_pool_call (pool, "get", NULL), "'this'");

  answers[0] = test_pool_start (pool, "later", two_numbers (20, 3), NONE, MALT_TIMEOUT_NONE, NULL);
  g_assert_true (malt_pool_remote_do (pool, "put", g_variant_new ("(s)", "that"), NULL, &error));
  g_assert_no_error (error);
  g_assert_true (malt_pool_wait_room (pool, NULL, &error));
  g_assert_no_error (error);
  test_assert_value (test_pool_call (pool, "get", NULL), "'that'");
  expect_three (answers[0]);

  answers[0] = start_endless (self, pool, cancellable);
  answers[1] = start_add (self, pool);
  g_assert_null (malt_pool_remote_call_fetch (pool, "add", two_numbers (1, 2), NULL, NONE, 30, NULL, &error));
  test_assert_error (error, MALT_ERROR, MALT_ERROR_TIMEOUT, "pool of mock workers *within 0.03 s*withdrawn*");
  g_cancellable_cancel (cancellable);
  test_pool_assert_usable (self, pool);
  expect_cancelled (answers[0]);
  expect_three (answers[1]);
  g_assert_cmpuint (malt_pool_get_n_workers (pool), ==, 1);

  g_assert_true (malt_pool_shutdown (pool, MALT_POOL_SHUTDOWN_FLAGS_NONE, NULL, &error));
  g_assert_no_error (error);
}

/* A call that is made again does not wait there for a worker that only this thread could
 * start. */
static void
test_retry_at_home (TestCase *self)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (MaltPool) pool = NULL;

  if (!test_case_is (self, "mock"))
    {
      g_test_skip ("its workers do not live in a context");
      return;
    }

  pool = g_object_new (MALT_TYPE_POOL, "launcher", self->launcher, "max-workers", 1, "retries", 2, NULL);
  test_pool_assert_usable (self, pool);
  g_assert_null (malt_pool_remote_call_fetch (pool, "exit", NULL, NULL, MALT_POOL_CALL_FLAGS_RETRY, MALT_TIMEOUT_NONE,
                                              NULL, &error));
  test_assert_error (error, MALT_ERROR, MALT_ERROR_TERMINATED, "*");
  g_assert_cmpuint (malt_pool_get_n_restarts (pool), ==, 2);
  test_pool_assert_usable (self, pool);

  g_assert_true (malt_pool_shutdown (pool, MALT_POOL_SHUTDOWN_FLAGS_NONE, NULL, &error));
  g_assert_no_error (error);
}

int
main (int argc, char **argv)
{
  test_case_init (&argc, &argv, "pools");

  test_case_add_idle ("calls", TEST_NEEDS_NOTHING, test_calls);
  test_case_add_idle ("evaluation", TEST_NEEDS_EVAL, test_evaluation);
  test_case_add_idle ("no-value", TEST_NEEDS_EVAL | TEST_NEEDS_UNWANTED, test_no_value);
  test_case_add_idle ("do", TEST_NEEDS_NOTHING, test_do);
  test_case_add_idle ("do-and-drop", TEST_NEEDS_QUEUE, test_do_and_drop);
  test_case_add_idle ("bad-input", TEST_NEEDS_NOTHING, test_bad_input);
  test_case_add_idle ("on-demand", TEST_NEEDS_NOTHING, test_on_demand);
  test_case_add_idle ("least-busy", TEST_NEEDS_PROCESS, test_least_busy);
  test_case_add_idle ("calls-at-once", TEST_NEEDS_NOTHING, test_calls_at_once);
  test_case_add_idle ("loop-stands-still", TEST_NEEDS_NOTHING, test_loop_stands_still);
  test_case_add_idle ("bounded", TEST_NEEDS_NOTHING, test_bounded);
  test_case_add_idle ("deadline-in-queue", TEST_NEEDS_NOTHING, test_deadline_in_queue);
  test_case_add_idle ("deadline-of-run", TEST_NEEDS_NOTHING, test_deadline_of_run);
  test_case_add_idle ("deadline-running", TEST_NEEDS_NOTHING, test_deadline_running);
  test_case_add_idle ("deadline-of-launcher", TEST_NEEDS_NOTHING, test_deadline_of_launcher);
  test_case_add_idle ("cancelled", TEST_NEEDS_NOTHING, test_cancelled);
  test_case_add_idle ("cancelled-anywhen", TEST_NEEDS_NOTHING, test_cancelled_anywhen);
  test_case_add_idle ("cancelled-handler", TEST_NEEDS_NOTHING, test_cancelled_handler);
  test_case_add_idle ("many-threads", TEST_NEEDS_NOTHING, test_many_threads);
  test_case_add_idle ("map", TEST_NEEDS_NOTHING, test_map);
  test_case_add_idle ("map-without-func", TEST_NEEDS_NOTHING, test_map_without_func);
  test_case_add_idle ("map-unordered", TEST_NEEDS_NOTHING, test_map_unordered);
  test_case_add_idle ("map-failures", TEST_NEEDS_NOTHING, test_map_failures);
  test_case_add_idle ("map-cancelled", TEST_NEEDS_NOTHING, test_map_cancelled);
  test_case_add_idle ("map-deadline", TEST_NEEDS_NOTHING, test_map_deadline);
  test_case_add_idle ("at-home", TEST_NEEDS_NOTHING, test_at_home);
  test_case_add_idle ("turn-at-home", TEST_NEEDS_NOTHING, test_turn_at_home);
  test_case_add_idle ("retry-at-home", TEST_NEEDS_NOTHING, test_retry_at_home);

  return g_test_run ();
}
