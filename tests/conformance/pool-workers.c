/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <malt.h>

#include <sys/wait.h>
#include <unistd.h>

#include "test-asserts.h"
#include "test-case.h"
#include "test-mark.h"
#include "test-pool.h"
#include "test-process.h"
#include "test-thread.h"
#include "test-watchdog.h"

/* The workers of a pool: starts, deaths, retirement, the end of all of them. */

#define NONE MALT_POOL_CALL_FLAGS_NONE

/* So that no call is broken off while what it needs is loaded. */
#define WARM "initializer", test_case_function (self, "nothing")

/* What a pool says of its workers, on whatever thread it was made. */
typedef struct
{
  int         n_added;       /* atomic */
  int         n_removed;     /* atomic */
  GMutex      lock;
  MaltWorker *last;          /* guarded by lock, owned */
} Workers;

static void
added_cb (MaltPool   *pool,
          MaltWorker *worker,
          gpointer    user_data)
{
  Workers *workers = user_data;

  g_mutex_lock (&workers->lock);
  g_set_object (&workers->last, worker);
  g_mutex_unlock (&workers->lock);
  g_atomic_int_inc (&workers->n_added);
}

static void
removed_cb (MaltPool     *pool,
            MaltWorker   *worker,
            MaltExitInfo *exit_info,
            gpointer      user_data)
{
  Workers *workers = user_data;

  g_assert_true (MALT_IS_EXIT_INFO (exit_info));
  g_assert_false (malt_worker_is_running (worker));
  g_atomic_int_inc (&workers->n_removed);
}

static void
listen_to (Workers  *workers,
           MaltPool *pool)
{
  g_mutex_init (&workers->lock);
  g_signal_connect (pool, "worker-added", G_CALLBACK (added_cb), workers);
  g_signal_connect (pool, "worker-removed", G_CALLBACK (removed_cb), workers);
}

typedef struct
{
  const int *counter;
  int        value;
} Count;

static gboolean
count_is (gpointer data)
{
  const Count *count = data;

  while (g_main_context_iteration (NULL, FALSE))
    ;
  return g_atomic_int_get (count->counter) == count->value;
}

static void
await_count (const int *counter,
             int        value)
{
  Count count = { counter, value };

  test_await (count_is, &count);
}

static void
workers_clear (Workers *workers)
{
  g_clear_object (&workers->last);
  g_mutex_clear (&workers->lock);
}

static TestPoolAnswer *
start_endless (TestCase     *self,
               MaltPool     *pool,
               GCancellable *cancellable)
{
  return test_pool_start (pool, test_case_function (self, "later_never"), NULL, NONE, MALT_TIMEOUT_NONE,
                          cancellable);
}

static void
fail_call (TestCase          *self,
           MaltPool          *pool,
           const char        *function,
           GVariant          *arguments,
           MaltPoolCallFlags  flags,
           GQuark             domain,
           int                code,
           const char        *pattern)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (malt_pool_remote_call_fetch (pool, test_case_function (self, function), arguments, NULL, flags,
                                              MALT_TIMEOUT_NONE, NULL, &error));
  test_assert_error (error, domain, code, pattern);
}

/* Deaths. */

static void
test_death_in_call (TestCase *self)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;
  MaltPool *pool = test_pool_new (self, "launcher", self->launcher, WARM, "max-workers", 2, NULL);
  TestPoolAnswer *other, *crash;
  Workers workers = { 0 };

  listen_to (&workers, pool);
  other = start_endless (self, pool, cancellable);
  test_pool_await (pool, "n-running", 1);

  crash = test_pool_start (pool, test_case_function (self, "crash"), NULL, NONE, MALT_TIMEOUT_NONE, NULL);
  g_assert_null (test_pool_answer_wait (crash, &error));
  g_assert_nonnull (malt_remote_error_get_exit_info (error));
  g_assert_cmpint (malt_exit_info_get_kind (malt_remote_error_get_exit_info (error)), ==, MALT_EXIT_KIND_SIGNALLED);
  test_assert_error (error, MALT_ERROR, MALT_ERROR_TERMINATED, "*signal 11*while the call was under way*");
  g_assert_false (test_pool_answer_is_there (other));

  await_count (&workers.n_removed, 1);
  g_assert_cmpuint (malt_pool_get_n_restarts (pool), ==, 0);
  test_pool_assert_usable (self, pool);
  g_assert_cmpuint (malt_pool_get_n_restarts (pool), ==, 1);
  fail_call (self, pool, "crash", NULL, NONE, MALT_ERROR, MALT_ERROR_TERMINATED, "*signal 11*");
  test_pool_assert_usable (self, pool);
  await_count (&workers.n_added, 4);
  await_count (&workers.n_removed, 2);

  g_cancellable_cancel (cancellable);
  test_pool_answer_fails (other, G_IO_ERROR, G_IO_ERROR_CANCELLED, "*");
  test_pool_retire (pool);
  workers_clear (&workers);
}

/* One that dies while it has nothing to do. */
static void
test_death_when_idle (TestCase *self)
{
  MaltPool *pool = test_pool_new (self, "launcher", self->launcher, "max-workers", 1, NULL);
  Workers workers = { 0 };

  listen_to (&workers, pool);
  test_pool_assert_usable (self, pool);
  await_count (&workers.n_added, 1);
  malt_worker_kill (workers.last, 9);
  await_count (&workers.n_removed, 1);
  g_assert_cmpuint (malt_pool_get_n_workers (pool), ==, 0);
  test_pool_assert_usable (self, pool);
  g_assert_cmpuint (malt_pool_get_n_restarts (pool), ==, 1);
  test_pool_retire (pool);
  workers_clear (&workers);
}

/* One that somebody else stops: calls go to another one, none fails of that. */
static void
test_stopped_by_others (TestCase *self)
{
  MaltPool *pool = test_pool_new (self, "launcher", self->launcher, "max-workers", 2, "crash-limit", 0, NULL);
  Workers workers = { 0 };
  int i;

  listen_to (&workers, pool);
  for (i = 1; i <= 5; i++)
    {
      test_pool_assert_usable (self, pool);
      await_count (&workers.n_added, i);
      malt_worker_stop_async (workers.last, -1, -1, NULL, NULL, NULL);
      test_pool_assert_usable (self, pool);
      await_count (&workers.n_added, i + 1);
      await_count (&workers.n_removed, i);
    }
  test_pool_retire (pool);
  workers_clear (&workers);
}

static void
test_retry (TestCase *self)
{
  g_autoptr (GError) error = NULL;
  MaltPool *pool = test_pool_new (self, "launcher", self->launcher, "max-workers", 2, NULL);
  const char *crash_once = test_case_function (self, "crash_once");
  g_autofree char *first = test_mark_new ();
  g_autofree char *second = test_mark_new ();
  g_autofree char *third = test_mark_new ();

  test_assert_value (malt_pool_remote_call_fetch (pool, crash_once, g_variant_new ("(s)", first), NULL,
                                                  MALT_POOL_CALL_FLAGS_RETRY, MALT_TIMEOUT_NONE, NULL, &error),
                     "int64 1");
  g_assert_no_error (error);
  test_assert_value (test_pool_answer_wait (test_pool_start (pool, crash_once, g_variant_new ("(s)", second),
                                                             MALT_POOL_CALL_FLAGS_RETRY, 600000, NULL), &error),
                     "int64 1");
  g_assert_no_error (error);
  g_assert_cmpuint (malt_pool_get_n_done (pool), ==, 2);
  g_assert_cmpuint (malt_pool_get_n_failed (pool), ==, 0);

  /* Not without the flag, and not for ever. */
  fail_call (self, pool, "crash_once", g_variant_new ("(s)", third), NONE, MALT_ERROR, MALT_ERROR_TERMINATED, "*");
  fail_call (self, pool, "crash", NULL, MALT_POOL_CALL_FLAGS_RETRY, MALT_ERROR, MALT_ERROR_TERMINATED, "*");
  test_pool_answer_fails (test_pool_start (pool, test_case_function (self, "crash"), NULL, MALT_POOL_CALL_FLAGS_RETRY,
                                           MALT_TIMEOUT_NONE, NULL),
                          MALT_ERROR, MALT_ERROR_TERMINATED, "*");
  g_assert_cmpuint (malt_pool_get_n_failed (pool), ==, 3);

  /* 1 + 1 + 1 + 2 + 2 have died, and all but the last were replaced. */
  g_assert_cmpuint (malt_pool_get_n_restarts (pool), ==, 6);
  test_pool_retire (pool);
}

static void
test_map_retry (TestCase *self)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) values = NULL;
  MaltPool *pool = test_pool_new (self, "launcher", self->launcher, "max-workers", 3, NULL);
  GVariantBuilder builder;
  guint i;

  g_variant_builder_init (&builder, G_VARIANT_TYPE ("a(s)"));
  for (i = 0; i < 5; i++)
    {
      g_autofree char *mark = test_mark_new ();

      g_variant_builder_add (&builder, "(s)", mark);
    }
  values = malt_pool_map (pool, test_case_function (self, "crash_once"), g_variant_builder_end (&builder),
                          MALT_POOL_CALL_FLAGS_RETRY, MALT_TIMEOUT_NONE, NULL, NULL, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (g_variant_n_children (values), ==, 5);
  test_pool_retire (pool);
}

static void
test_crash_loop (TestCase *self)
{
  MaltPool *pool = test_pool_new (self, "launcher", self->launcher, "max-workers", 1, "crash-limit", 3,
                                  "crash-window", 600000, NULL);
  TestPoolAnswer *waits[3];
  guint i;

  for (i = 0; i < 3; i++)
    fail_call (self, pool, "crash", NULL, NONE, MALT_ERROR, MALT_ERROR_TERMINATED, "*");

  for (i = 0; i < 3; i++)
    waits[i] = test_pool_start (pool, test_case_function (self, "crash"), NULL, NONE, MALT_TIMEOUT_NONE, NULL);
  test_pool_answer_fails (waits[0], MALT_ERROR, MALT_ERROR_TERMINATED, "*");
  for (i = 1; i < 3; i++)
    test_pool_answer_fails (waits[i], MALT_ERROR, MALT_ERROR_START,
                            "pool of * workers (*): more than 3 workers ended or did not start within 600 s, "
                            "so no more are started now; the last: *was killed by signal 11*");
  fail_call (self, pool, "add", NULL, NONE, MALT_ERROR, MALT_ERROR_START, "*more than 3 workers*");
  g_assert_cmpuint (malt_pool_get_n_restarts (pool), ==, 3);
  test_pool_retire (pool);
}

/* Calls that go well say that it is no loop. */
static void
test_crashes_between_others (TestCase *self)
{
  MaltPool *pool = test_pool_new (self, "launcher", self->launcher, "max-workers", 1, "crash-limit", 1,
                                  "crash-window", 600000, NULL);
  guint i;

  for (i = 0; i < 5; i++)
    {
      fail_call (self, pool, "crash", NULL, NONE, MALT_ERROR, MALT_ERROR_TERMINATED, "*");
      test_pool_assert_usable (self, pool);
      test_pool_answer_fails (test_pool_start (pool, test_case_function (self, "crash"), NULL, NONE, MALT_TIMEOUT_NONE,
                                               NULL),
                              MALT_ERROR, MALT_ERROR_TERMINATED, "*");
      test_pool_assert_usable (self, pool);
    }
  test_pool_retire (pool);
}

/* The brake lets go when the window is over, and there may be none. */
static void
test_no_crash_loop (TestCase *self)
{
  MaltPool *brief = test_pool_new (self, "launcher", self->launcher, "max-workers", 1, "crash-limit", 0,
                                   "crash-window", 1, NULL);
  MaltPool *without = test_pool_new (self, "launcher", self->launcher, "max-workers", 1, "crash-limit", -1, NULL);
  Workers workers = { 0 };
  int i;

  listen_to (&workers, brief);
  for (i = 1; i <= 3; i++)
    {
      g_autoptr (GError) error = NULL;

      /* It may come round within the millisecond. */
      do
        {
          g_clear_error (&error);
          g_assert_null (malt_pool_remote_call_fetch (brief, test_case_function (self, "crash"), NULL, NULL, NONE,
                                                      MALT_TIMEOUT_NONE, NULL, &error));
        }
      while (g_error_matches (error, MALT_ERROR, MALT_ERROR_START));
      test_assert_error (error, MALT_ERROR, MALT_ERROR_TERMINATED, "*");
      await_count (&workers.n_removed, i);
    }
  for (i = 0; i < 25; i++)
    fail_call (self, without, "crash", NULL, NONE, MALT_ERROR, MALT_ERROR_TERMINATED, "*");

  test_pool_retire (brief);
  test_pool_retire (without);
  workers_clear (&workers);
}

/* What waits while the brake is on gets its worker when the brake lets go, though nothing else
 * happens then. */
static void
test_brake_lets_go (TestCase *self)
{
  MaltPool *pool = test_pool_new (self, "launcher", self->launcher, "max-workers", 2, "crash-limit", 0,
                                  "crash-window", 1000, NULL);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  TestPoolAnswer *endless, *waits;

  endless = start_endless (self, pool, cancellable);
  fail_call (self, pool, "crash", NULL, NONE, MALT_ERROR, MALT_ERROR_TERMINATED, "*");
  waits = test_pool_start (pool, test_case_function (self, "add"),
                           g_variant_new ("(xx)", G_GINT64_CONSTANT (1), G_GINT64_CONSTANT (2)), NONE,
                           MALT_TIMEOUT_NONE, NULL);
  test_assert_value (test_pool_answer_wait (waits, NULL), "int64 3");
  g_assert_false (test_pool_answer_is_there (endless));

  g_cancellable_cancel (cancellable);
  test_pool_answer_fails (endless, G_IO_ERROR, G_IO_ERROR_CANCELLED, "*");
  test_pool_retire (pool);
}

/* Starts that fail. */

static void
set_program (TestCase   *self,
             const char *name)
{
  g_autofree char *path = g_test_build_filename (G_TEST_BUILT, "programs", name, NULL);

  malt_launcher_set_stderr (self->launcher, MALT_OUTPUT_DISCARD);
  malt_launcher_set_program (self->launcher, path);
}

static void
test_failed_start (TestCase *self)
{
  MaltPool *pool;
  TestPoolAnswer *answers[10];
  gsize i;

  set_program (self, "exits");
  pool = test_pool_new (self, "launcher", self->launcher, "max-workers", 4, "crash-limit", 8, "crash-window", 600000,
                        NULL);
  for (i = 0; i < G_N_ELEMENTS (answers); i++)
    answers[i] = test_pool_start (pool, test_case_function (self, "nothing"), NULL, NONE, MALT_TIMEOUT_NONE, NULL);
  for (i = 0; i < G_N_ELEMENTS (answers); i++)
    test_pool_answer_fails (answers[i], MALT_ERROR, MALT_ERROR_START, "*code 7*no luck today*");

  /* Each call tries again, until there were too many. */
  for (i = 0; i < 10; i++)
    fail_call (self, pool, "nothing", NULL, NONE, MALT_ERROR, MALT_ERROR_START, "*no luck today*");
  fail_call (self, pool, "nothing", NULL, NONE, MALT_ERROR, MALT_ERROR_START, "*more than 8 workers*no luck today*");
  test_pool_retire (pool);
}

static void
test_unknown_backend (TestCase *self)
{
  MaltPool *pool;

  malt_launcher_set_backend (self->launcher, "moon");
  pool = test_pool_new (self, "launcher", self->launcher, "max-workers", 2, "min-workers", 2, NULL);
  fail_call (self, pool, "nothing", NULL, NONE, MALT_ERROR, MALT_ERROR_NOT_FOUND, "*moon*");
  test_pool_answer_fails (test_pool_start (pool, "nothing", NULL, NONE, MALT_TIMEOUT_NONE, NULL),
                          MALT_ERROR, MALT_ERROR_NOT_FOUND, "*moon*");
  test_pool_retire (pool);
}

/* The deadline of a call passes while its worker starts; the start goes on. */
static void
test_deadline_in_start (TestCase *self)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  TestPoolAnswer *answer;
  MaltPool *pool;

  set_program (self, "hangs");
  pool = test_pool_new (self, "launcher", self->launcher, "max-workers", 1, NULL);
  answer = test_pool_start (pool, test_case_function (self, "nothing"), NULL, NONE, MALT_TIMEOUT_NONE, cancellable);
  g_assert_null (malt_pool_remote_call_fetch (pool, test_case_function (self, "nothing"), NULL, NULL, NONE, 20, NULL,
                                              &error));
  test_assert_error (error, MALT_ERROR, MALT_ERROR_TIMEOUT, "*withdrawn*");
  g_cancellable_cancel (cancellable);
  test_pool_answer_fails (answer, G_IO_ERROR, G_IO_ERROR_CANCELLED, "*");

  /* And is broken off with the pool. */
  test_pool_retire (pool);
}

static void
test_initializer (TestCase *self)
{
  g_autoptr (GVariant) arguments = g_variant_ref_sink (g_variant_new ("(s)", "put there"));
  g_autoptr (GVariant) bad = g_variant_ref_sink (g_variant_new ("(s)", "not today"));
  MaltPool *pool;

  pool = test_pool_new (self, "launcher", self->launcher, "max-workers", 1, "initializer",
                        test_case_function (self, "put"), "initializer-arguments", arguments, NULL);
  test_assert_value (test_pool_call (pool, test_case_function (self, "get"), NULL), "'put there'");
  g_assert_cmpuint (malt_pool_get_n_done (pool), ==, 1);
  test_pool_retire (pool);

  pool = test_pool_new (self, "launcher", self->launcher, "max-workers", 1, "initializer",
                        test_case_function (self, "fail"), "initializer-arguments", bad, NULL);
  fail_call (self, pool, "get", NULL, NONE, MALT_ERROR, MALT_ERROR_START, "*the initializer '*fail' failed: *not today*");
  test_pool_answer_fails (test_pool_start (pool, test_case_function (self, "get"), NULL, NONE, MALT_TIMEOUT_NONE, NULL),
                          MALT_ERROR, MALT_ERROR_START, "*not today*");
  test_pool_retire (pool);

  /* A worker that ends in it has not started either. */
  if (test_variant_cannot (self->variant, TEST_NEEDS_PROCESS) != NULL)
    return;
  pool = test_pool_new (self, "launcher", self->launcher, "max-workers", 1, "initializer",
                        test_case_function (self, "crash"), NULL);
  fail_call (self, pool, "get", NULL, NONE, MALT_ERROR, MALT_ERROR_START, "*the initializer '*crash' failed: *signal 11*");
  test_pool_retire (pool);
}

/* Retirement. */

static void
test_recycled (TestCase *self)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) values = NULL;
  MaltPool *pool = test_pool_new (self, "launcher", self->launcher, "max-workers", 1, "max-calls-per-worker", 2, NULL);
  Workers workers = { 0 };
  guint i;

  listen_to (&workers, pool);
  for (i = 0; i < 6; i++)
    test_pool_assert_usable (self, pool);
  await_count (&workers.n_removed, 3);
  await_count (&workers.n_added, 3);

  values = malt_pool_map (pool, test_case_function (self, "nothing"), g_variant_new_parsed ("[(),(),(),()]"), NONE,
                          MALT_TIMEOUT_NONE, NULL, NULL, NULL, &error);
  g_assert_no_error (error);
  await_count (&workers.n_removed, 5);
  g_assert_cmpuint (malt_pool_get_n_restarts (pool), ==, 0);
  g_assert_cmpuint (malt_pool_get_n_workers (pool), ==, 0);
  test_pool_retire (pool);
  workers_clear (&workers);
}

static void
test_idle (TestCase *self)
{
  MaltPool *pool = test_pool_new (self, "launcher", self->launcher, WARM, "max-workers", 2, "idle-timeout", 1, NULL);
  MaltPool *kept = test_pool_new (self, "launcher", self->launcher, WARM, "max-workers", 3, "min-workers", 1,
                                  "idle-timeout", 1, NULL);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  TestPoolAnswer *answers[3];
  gsize i;

  test_pool_assert_usable (self, pool);
  test_pool_await (pool, "n-workers", 0);
  test_pool_assert_usable (self, pool);
  test_pool_await (pool, "n-workers", 0);
  g_assert_cmpuint (malt_pool_get_n_restarts (pool), ==, 0);
  test_pool_retire (pool);

  test_pool_await (kept, "n-workers", 1);
  for (i = 0; i < G_N_ELEMENTS (answers); i++)
    answers[i] = start_endless (self, kept, cancellable);
  test_pool_await (kept, "n-running", 3);
  g_cancellable_cancel (cancellable);
  for (i = 0; i < G_N_ELEMENTS (answers); i++)
    test_pool_answer_fails (answers[i], G_IO_ERROR, G_IO_ERROR_CANCELLED, "*");
  test_pool_await (kept, "n-workers", 1);
  test_pool_assert_usable (self, kept);
  test_pool_retire (kept);
}

static void
test_min_workers (TestCase *self)
{
  MaltPool *pool = test_pool_new (self, "launcher", self->launcher, "max-workers", 2, "min-workers", 5, NULL);
  Workers workers = { 0 };

  g_assert_cmpuint (test_pool_get (pool, "min-workers"), ==, 2);
  test_pool_await (pool, "n-workers", 2);

  /* One that dies is replaced at once. */
  listen_to (&workers, pool);
  fail_call (self, pool, "crash", NULL, NONE, MALT_ERROR, MALT_ERROR_TERMINATED, "*");
  await_count (&workers.n_added, 1);
  test_pool_await (pool, "n-workers", 2);
  test_pool_retire (pool);
  workers_clear (&workers);
}

/* A worker whose call cannot be ended is replaced, and stopped as far as it can be. */
static void
test_stuck (TestCase *self)
{
  g_autofree char *mark = test_mark_new ();
  g_autofree char *end = test_mark_new ();
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  TestPoolAnswer *answer;
  MaltPool *pool;

  malt_launcher_set_cancel_timeout (self->launcher, 20);
  malt_launcher_set_interrupt_timeout (self->launcher, 20);
  pool = test_pool_new (self, "launcher", self->launcher, "max-workers", 1, NULL);
  answer = test_pool_start (pool, test_case_function (self, "be_deaf"), g_variant_new ("(ss)", mark, end), NONE,
                            MALT_TIMEOUT_NONE, cancellable);
  test_mark_await (mark);
  g_cancellable_cancel (cancellable);
  test_pool_answer_fails (answer, G_IO_ERROR, G_IO_ERROR_CANCELLED, "*may still run*");

  test_pool_assert_usable (self, pool);
  test_mark_make (end);
  test_pool_retire (pool);
}

/* A worker that the deadline of its call has killed is no crash. */
static void
test_killed_on_timeout (TestCase *self)
{
  MaltPool *pool;
  int i;

  malt_launcher_set_cancel_timeout (self->launcher, 20);
  malt_launcher_set_interrupt_timeout (self->launcher, 20);
  malt_launcher_set_kill_on_timeout (self->launcher, TRUE);
  pool = test_pool_new (self, "launcher", self->launcher, WARM, "max-workers", 1, "crash-limit", 0, NULL);
  for (i = 1; i <= 3; i++)
    {
      g_autofree char *mark = test_mark_new ();
      g_autofree char *end = test_mark_new ();
      g_autoptr (GCancellable) cancellable = g_cancellable_new ();
      TestPoolAnswer *answer;

      answer = test_pool_start (pool, test_case_function (self, "be_deaf"), g_variant_new ("(ss)", mark, end), NONE,
                                MALT_TIMEOUT_NONE, cancellable);
      test_mark_await (mark);
      g_cancellable_cancel (cancellable);
      test_pool_answer_fails (answer, G_IO_ERROR, G_IO_ERROR_CANCELLED, "*the worker was killed*");
      test_pool_assert_usable (self, pool);
      g_assert_cmpuint (malt_pool_get_n_restarts (pool), ==, i);
    }
  test_pool_retire (pool);
}

/* Nor for a call that went with it, and is told first. */
static void
test_killed_with_others (TestCase *self)
{
  g_autofree char *mark = test_mark_new ();
  g_autofree char *end = test_mark_new ();
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  TestPoolAnswer *other, *killed;
  MaltPool *pool;

  malt_launcher_set_cancel_timeout (self->launcher, 20);
  malt_launcher_set_interrupt_timeout (self->launcher, 20);
  malt_launcher_set_kill_on_timeout (self->launcher, TRUE);
  pool = test_pool_new (self, "launcher", self->launcher, WARM, "max-workers", 1, "calls-per-worker", 2,
                        "crash-limit", 0, NULL);
  other = start_endless (self, pool, NULL);
  killed = test_pool_start (pool, test_case_function (self, "be_deaf"), g_variant_new ("(ss)", mark, end), NONE,
                            MALT_TIMEOUT_NONE, cancellable);
  test_mark_await (mark);
  g_cancellable_cancel (cancellable);
  test_pool_answer_fails (other, MALT_ERROR, MALT_ERROR_TERMINATED, "*signal 9*");
  test_pool_answer_fails (killed, G_IO_ERROR, G_IO_ERROR_CANCELLED, "*the worker was killed*");
  test_pool_assert_usable (self, pool);
  g_assert_cmpuint (malt_pool_get_n_restarts (pool), ==, 1);
  test_pool_retire (pool);
}

/* The end of all of them. */

typedef struct
{
  gboolean done;
  gboolean went_well;
  GError  *error;
} Shutdown;

static void
shut_down_cb (GObject      *source,
              GAsyncResult *result,
              gpointer      user_data)
{
  Shutdown *shutdown = user_data;

  shutdown->went_well = malt_pool_shutdown_finish (MALT_POOL (source), result, &shutdown->error);
  shutdown->done = TRUE;
}

static void
await_shutdown (Shutdown *shutdown)
{
  while (!shutdown->done)
    g_main_context_iteration (NULL, TRUE);
  g_assert_no_error (shutdown->error);
  g_assert_true (shutdown->went_well);
}

static void
assert_closed (TestCase *self,
               MaltPool *pool)
{
  g_autoptr (GError) error = NULL;

  fail_call (self, pool, "nothing", NULL, NONE, G_IO_ERROR, G_IO_ERROR_CLOSED, "*shut down before the call began");
  test_pool_answer_fails (test_pool_start (pool, "nothing", NULL, NONE, MALT_TIMEOUT_NONE, NULL),
                          G_IO_ERROR, G_IO_ERROR_CLOSED, "*shut down*");
  g_assert_false (malt_pool_remote_do (pool, "nothing", NULL, NULL, &error));
  test_assert_error (error, G_IO_ERROR, G_IO_ERROR_CLOSED, "*shut down*");
  g_assert_null (malt_pool_map (pool, "nothing", g_variant_new_parsed ("[(),()]"), NONE, MALT_TIMEOUT_NONE, NULL, NULL,
                                NULL, &error));
  test_assert_error (error, G_IO_ERROR, G_IO_ERROR_CLOSED, "2 of 2 items failed; item 0: *shut down*");
}

static void
test_shutdown_unused (TestCase *self)
{
  g_autoptr (GError) error = NULL;
  MaltPool *pool = test_pool_new (self, "launcher", self->launcher, NULL);

  g_assert_cmpuint (malt_pool_get_max_workers (pool), ==, g_get_num_processors ());
  g_assert_true (malt_pool_shutdown (pool, MALT_POOL_SHUTDOWN_FLAGS_NONE, NULL, &error));
  g_assert_no_error (error);
  assert_closed (self, pool);

  /* Again, and with all that there is. */
  g_assert_true (malt_pool_shutdown (pool, MALT_POOL_SHUTDOWN_FLAGS_STOP_RUNNING, NULL, &error));
  g_assert_no_error (error);
  g_object_unref (pool);
}

/* What waits is finished. */
static void
test_shutdown_finishes (TestCase *self)
{
  MaltPool *pool = test_pool_new (self, "launcher", self->launcher, "max-workers", 1, NULL);
  TestPoolAnswer *answers[5];
  Shutdown shutdown = { 0 };
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (answers); i++)
    answers[i] = test_pool_start (pool, test_case_function (self, "later"),
                                  g_variant_new ("(xx)", G_GINT64_CONSTANT (20), (gint64) i), NONE,
                                  MALT_TIMEOUT_NONE, NULL);
  malt_pool_shutdown_async (pool, MALT_POOL_SHUTDOWN_FLAGS_NONE, NULL, shut_down_cb, &shutdown);
  g_assert_false (shutdown.done);
  assert_closed (self, pool);

  for (i = 0; i < G_N_ELEMENTS (answers); i++)
    {
      g_autofree char *expected = g_strdup_printf ("int64 %d", (int) i);
      g_autoptr (GError) error = NULL;

      test_assert_value (test_pool_answer_wait (answers[i], &error), expected);
      g_assert_no_error (error);
    }
  await_shutdown (&shutdown);
  g_assert_cmpuint (malt_pool_get_n_workers (pool), ==, 0);
  g_object_unref (pool);
}

/* A call that is lost while the pool is shut down is tried again all the same. */
static void
test_shutdown_retries (TestCase *self)
{
  MaltPool *pool = test_pool_new (self, "launcher", self->launcher, "max-workers", 1, NULL);
  g_autofree char *mark = test_mark_new ();
  g_autoptr (GError) error = NULL;
  TestPoolAnswer *answer;

  answer = test_pool_start (pool, test_case_function (self, "crash_once"), g_variant_new ("(s)", mark),
                            MALT_POOL_CALL_FLAGS_RETRY, MALT_TIMEOUT_NONE, NULL);
  g_assert_true (malt_pool_shutdown (pool, MALT_POOL_SHUTDOWN_FLAGS_NONE, NULL, &error));
  g_assert_no_error (error);
  test_assert_value (test_pool_answer_wait (answer, &error), "int64 1");
  g_assert_no_error (error);
  g_object_unref (pool);
}

static gpointer
blocking_thread (gpointer data)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (malt_pool_remote_call_fetch (data, "nothing", NULL, NULL, NONE, MALT_TIMEOUT_NONE, NULL, &error));
  return g_steal_pointer (&error);
}

static void
test_shutdown_drops (TestCase *self)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  MaltPool *pool = test_pool_new (self, "launcher", self->launcher, WARM, "max-workers", 1, NULL);
  Shutdown first = { 0 }, second = { 0 };
  TestPoolAnswer *runs, *waits;
  GError *error;
  TestThread *thread;

  runs = start_endless (self, pool, cancellable);
  test_pool_await (pool, "n-running", 1);
  waits = start_endless (self, pool, NULL);
  thread = test_thread_new ("call", blocking_thread, pool);
  test_pool_await (pool, "n-queued", 2);

  malt_pool_shutdown_async (pool, MALT_POOL_SHUTDOWN_FLAGS_NONE, NULL, shut_down_cb, &first);
  g_assert_cmpuint (malt_pool_get_n_queued (pool), ==, 2);
  malt_pool_shutdown_async (pool, MALT_POOL_SHUTDOWN_FLAGS_DROP_QUEUED, NULL, shut_down_cb, &second);
  test_pool_answer_fails (waits, G_IO_ERROR, G_IO_ERROR_CLOSED, "*before the call began");
  error = test_thread_join (thread);
  test_assert_error (error, G_IO_ERROR, G_IO_ERROR_CLOSED, "*before the call began");
  g_assert_false (test_pool_answer_is_there (runs));
  g_assert_false (first.done);

  g_cancellable_cancel (cancellable);
  test_pool_answer_fails (runs, G_IO_ERROR, G_IO_ERROR_CANCELLED, "*");
  await_shutdown (&first);
  await_shutdown (&second);
  g_object_unref (pool);
}

static void
test_shutdown_stops (TestCase *self)
{
  g_autoptr (GError) error = NULL;
  MaltPool *pool = test_pool_new (self, "launcher", self->launcher, WARM, "max-workers", 2, NULL);
  TestPoolAnswer *runs[2], *waits;
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (runs); i++)
    runs[i] = start_endless (self, pool, NULL);
  waits = start_endless (self, pool, NULL);
  test_pool_await (pool, "n-running", 2);

  g_assert_true (malt_pool_shutdown (pool, MALT_POOL_SHUTDOWN_FLAGS_STOP_RUNNING, NULL, &error));
  g_assert_no_error (error);
  for (i = 0; i < G_N_ELEMENTS (runs); i++)
    test_pool_answer_fails (runs[i], MALT_ERROR, MALT_ERROR_TERMINATED, "*");
  test_pool_answer_fails (waits, G_IO_ERROR, G_IO_ERROR_CLOSED, "*");
  g_assert_cmpuint (malt_pool_get_n_workers (pool), ==, 0);
  g_object_unref (pool);
}

/* While workers start: those that are needed are waited for, others not. */
static void
test_shutdown_in_start (TestCase *self)
{
  g_autoptr (GError) error = NULL;
  MaltPool *pool = test_pool_new (self, "launcher", self->launcher, "max-workers", 2, NULL);
  MaltPool *hangs;
  TestPoolAnswer *answer, *waits;

  answer = test_pool_start (pool, test_case_function (self, "nothing"), NULL, NONE, MALT_TIMEOUT_NONE, NULL);
  test_pool_retire (pool);
  g_variant_unref (test_pool_answer_wait (answer, &error));
  g_assert_no_error (error);

  set_program (self, "hangs");
  hangs = test_pool_new (self, "launcher", self->launcher, "max-workers", 2, "min-workers", 1, NULL);
  waits = test_pool_start (hangs, test_case_function (self, "nothing"), NULL, NONE, MALT_TIMEOUT_NONE, NULL);
  g_assert_true (malt_pool_shutdown (hangs, MALT_POOL_SHUTDOWN_FLAGS_DROP_QUEUED, NULL, &error));
  g_assert_no_error (error);
  test_pool_answer_fails (waits, G_IO_ERROR, G_IO_ERROR_CLOSED, "*");
  g_object_unref (hangs);
}

static gpointer
cancel_thread (gpointer data)
{
  g_cancellable_cancel (data);
  return NULL;
}

/* The wait is cancelled; the shutdown is not. */
static void
test_shutdown_cancelled (TestCase *self)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GCancellable) wait = g_cancellable_new ();
  g_autoptr (GError) error = NULL;
  MaltPool *pool = test_pool_new (self, "launcher", self->launcher, WARM, "max-workers", 1, NULL);
  Shutdown shutdown = { 0 };
  TestPoolAnswer *runs;
  TestThread *thread;

  runs = start_endless (self, pool, cancellable);
  test_pool_await (pool, "n-running", 1);

  malt_pool_shutdown_async (pool, MALT_POOL_SHUTDOWN_FLAGS_NONE, wait, shut_down_cb, &shutdown);
  thread = test_thread_new ("cancel", cancel_thread, wait);
  g_assert_false (malt_pool_shutdown (pool, MALT_POOL_SHUTDOWN_FLAGS_NONE, wait, &error));
  test_thread_join (thread);
  test_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED, "*");
  while (!shutdown.done)
    g_main_context_iteration (NULL, TRUE);
  g_assert_false (shutdown.went_well);
  test_assert_error (shutdown.error, G_IO_ERROR, G_IO_ERROR_CANCELLED, "*");

  assert_closed (self, pool);
  g_cancellable_cancel (cancellable);
  test_pool_answer_fails (runs, G_IO_ERROR, G_IO_ERROR_CANCELLED, "*");
  test_pool_retire (pool);
}

/* While many threads call, at whatever moment that finds them. */

typedef struct
{
  TestCase *test;
  MaltPool *pool;
  int       n_calls;   /* atomic */
} Callers;

static gpointer
calling_thread (gpointer data)
{
  Callers *callers = data;
  g_autoptr (GMainContext) context = g_main_context_new ();
  const char *function = test_case_function (callers->test, "nothing");
  g_autoptr (GError) error = NULL;

  g_main_context_push_thread_default (context);
  while (error == NULL)
    {
      g_autoptr (GVariant) first = NULL;
      g_autoptr (GVariant) second = NULL;

      first = malt_pool_remote_call_fetch (callers->pool, function, NULL, NULL, NONE, MALT_TIMEOUT_NONE, NULL, &error);
      if (error == NULL)
        second = test_pool_answer_wait (test_pool_start (callers->pool, function, NULL, NONE, MALT_TIMEOUT_NONE, NULL),
                                        &error);
      g_atomic_int_inc (&callers->n_calls);
    }
  g_main_context_pop_thread_default (context);

  if (!g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CLOSED) &&
      !g_error_matches (error, MALT_ERROR, MALT_ERROR_TERMINATED))
    g_error ("a call failed as the pool was shut down: %s", error->message);
  return NULL;
}

static gboolean
has_called (gpointer data)
{
  return g_atomic_int_get ((int *) data) > 0;
}

static void
test_shutdown_anywhen (TestCase *self)
{
  guint i, j, n = TEST_SANITIZED ? 3 : 12;

  for (i = 0; i < n; i++)
    {
      Callers callers = { self, test_pool_new (self, "launcher", self->launcher, "max-workers", 2, NULL), 0 };
      g_autoptr (GError) error = NULL;
      TestThread *threads[4];

      for (j = 0; j < G_N_ELEMENTS (threads); j++)
        threads[j] = test_thread_new ("calls", calling_thread, &callers);
      if (i % 2 == 0)
        test_await (has_called, &callers.n_calls);
      g_assert_true (malt_pool_shutdown (callers.pool, (MaltPoolShutdownFlags) (i % 3), NULL, &error));
      g_assert_no_error (error);
      g_assert_cmpuint (malt_pool_get_n_workers (callers.pool), ==, 0);
      for (j = 0; j < G_N_ELEMENTS (threads); j++)
        test_thread_join (threads[j]);
      g_assert_cmpuint (malt_pool_get_n_running (callers.pool), ==, 0);
      g_object_unref (callers.pool);
    }
}

/* Workers are killed at whatever moment, and all that is called again comes to its end. */

static gpointer
killing_thread (gpointer data)
{
  Workers *workers = data;
  int n_killed = 0;

  while (n_killed < 10)
    {
      g_autoptr (MaltWorker) worker = NULL;

      g_mutex_lock (&workers->lock);
      worker = g_steal_pointer (&workers->last);
      g_mutex_unlock (&workers->lock);
      if (worker == NULL)
        {
          g_thread_yield ();
          continue;
        }
      malt_worker_kill (worker, 9);
      n_killed++;
    }
  return NULL;
}

static void
test_killed_anywhen (TestCase *self)
{
  g_autoptr (GError) error = NULL;
  MaltPool *pool = test_pool_new (self, "launcher", self->launcher, "max-workers", 2, "calls-per-worker", 2,
                                  "retries", 100, "crash-limit", -1, NULL);
  Workers workers = { 0 };
  TestThread *thread;
  guint n = 0;

  listen_to (&workers, pool);
  thread = test_thread_new ("kills", killing_thread, &workers);
  while (g_atomic_int_get (&workers.n_removed) < 10)
    {
      g_autoptr (GVariant) first = NULL;
      g_autoptr (GVariant) second = NULL;
      TestPoolAnswer *answer = test_pool_start (pool, test_case_function (self, "nothing"), NULL,
                                                MALT_POOL_CALL_FLAGS_RETRY, MALT_TIMEOUT_NONE, NULL);

      first = malt_pool_remote_call_fetch (pool, test_case_function (self, "nothing"), NULL, NULL,
                                           MALT_POOL_CALL_FLAGS_RETRY, MALT_TIMEOUT_NONE, NULL, &error);
      g_assert_no_error (error);
      second = test_pool_answer_wait (answer, &error);
      g_assert_no_error (error);
      n += 2;
    }
  test_thread_join (thread);
  g_assert_cmpuint (malt_pool_get_n_done (pool), ==, n);
  g_assert_cmpuint (malt_pool_get_n_failed (pool), ==, 0);
  test_pool_retire (pool);
  workers_clear (&workers);
}

/* A copy of the manager that fork() has made uses nothing, and takes nothing away. */

static int
use_in_copy (TestCase *self,
             MaltPool *pool)
{
  const char *function = test_case_function (self, "nothing");
  g_autoptr (GError) error = NULL;
  int n = 0;

#define EXPECT_REFUSAL(call) \
  if ((call) || !g_error_matches (error, MALT_ERROR, MALT_ERROR_NOT_SUPPORTED)) \
    n++; \
  g_clear_error (&error)

  EXPECT_REFUSAL (malt_pool_remote_call_fetch (pool, function, NULL, NULL, NONE, MALT_TIMEOUT_NONE, NULL, &error));
  EXPECT_REFUSAL (malt_pool_remote_do (pool, function, NULL, NULL, &error));
  EXPECT_REFUSAL (malt_pool_map (pool, function, g_variant_new_parsed ("[()]"), NONE, MALT_TIMEOUT_NONE, NULL, NULL,
                                 NULL, &error));
  EXPECT_REFUSAL (malt_pool_wait_room (pool, NULL, &error));
  EXPECT_REFUSAL (malt_pool_shutdown (pool, MALT_POOL_SHUTDOWN_FLAGS_STOP_RUNNING, NULL, &error));
#undef EXPECT_REFUSAL

  if (malt_pool_get_n_workers (pool) != 0)
    n++;
  return n;
}

static void
test_fork (TestCase *self)
{
  MaltPool *pool = test_pool_new (self, "launcher", self->launcher, "max-workers", 1, NULL);
  int status;
  pid_t pid;

  test_pool_assert_usable (self, pool);
  pid = fork ();
  g_assert_cmpint (pid, >=, 0);
  if (pid == 0)
    {
      int n = use_in_copy (self, pool);

      g_object_unref (pool);
      _exit (n);
    }
  g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
  g_assert_cmpint (status, ==, 0);

  test_pool_assert_usable (self, pool);
  g_assert_cmpuint (malt_pool_get_n_workers (pool), ==, 1);
  test_pool_retire (pool);
}

/* Nothing is left behind. */

static gboolean
holdings_are (gpointer data)
{
  const TestHoldings *expected = data;
  TestHoldings now;

  while (g_main_context_iteration (NULL, FALSE))
    ;
  now = test_get_holdings ();
  return now.descriptors <= expected->descriptors && now.threads <= expected->threads &&
         now.children <= expected->children;
}

/* A pool with many workers, in one of the ways in which it can end. */
static void
use_pool (TestCase *self,
          guint     way)
{
  g_autoptr (GError) error = NULL;
  MaltPool *pool = test_pool_new (self, "launcher", self->launcher, WARM, "max-workers", 4, "min-workers", way % 2, NULL);
  TestPoolAnswer *answers[8];
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (answers); i++)
    answers[i] = test_pool_start (pool, test_case_function (self, "nothing"), NULL, NONE, MALT_TIMEOUT_NONE, NULL);
  if (way == 0)
    g_assert_true (malt_pool_shutdown (pool, MALT_POOL_SHUTDOWN_FLAGS_STOP_RUNNING, NULL, &error));
  for (i = 0; i < G_N_ELEMENTS (answers); i++)
    {
      g_autoptr (GVariant) value = test_pool_answer_wait (answers[i], &error);

      if (value == NULL)
        g_assert_cmpuint (way, ==, 0);
      g_clear_error (&error);
    }

  if (way == 1)
    {
      g_assert_true (malt_pool_shutdown (pool, MALT_POOL_SHUTDOWN_FLAGS_NONE, NULL, &error));
      g_assert_no_error (error);
    }
  else if (way == 2 && test_variant_cannot (self->variant, TEST_NEEDS_PROCESS) == NULL)
    fail_call (self, pool, "crash", NULL, NONE, MALT_ERROR, MALT_ERROR_TERMINATED, "*");

  g_object_unref (pool);
}

static void
test_nothing_left (TestCase *self)
{
  TestHoldings before;
  guint i, n = TEST_SANITIZED ? 1 : 5;

  for (i = 0; i < 4; i++)
    use_pool (self, i);
  test_await (holdings_are, &(TestHoldings) { G_MAXUINT, G_MAXUINT, 0 });
  before = test_get_holdings ();
  for (i = 0; i < 4 * n; i++)
    use_pool (self, i % 4);
  test_await (holdings_are, &before);
}

/* Dropped at once, with workers that have not started. */
static void
test_dropped (TestCase *self)
{
  TestHoldings before;
  guint i, n = TEST_SANITIZED ? 10 : 50;

  use_pool (self, 3);
  test_await (holdings_are, &(TestHoldings) { G_MAXUINT, G_MAXUINT, 0 });
  before = test_get_holdings ();
  for (i = 0; i < n; i++)
    {
      guint n_workers = 1 + i % 2;
      MaltPool *pool = test_pool_new (self, "launcher", self->launcher, "max-workers", 2, "min-workers", n_workers,
                                      NULL);

      if (i % 3 != 0)
        test_pool_await (pool, "n-workers", n_workers);
      g_object_unref (pool);
    }
  test_await (holdings_are, &before);
}

int
main (int argc, char **argv)
{
  test_case_init (&argc, &argv, "pool-workers");

  test_case_add_idle ("death-in-call", TEST_NEEDS_PROCESS, test_death_in_call);
  test_case_add_idle ("death-when-idle", TEST_NEEDS_PROCESS, test_death_when_idle);
  test_case_add_idle ("stopped-by-others", TEST_NEEDS_NOTHING, test_stopped_by_others);
  test_case_add_idle ("retry", TEST_NEEDS_PROCESS, test_retry);
  test_case_add_idle ("map-retry", TEST_NEEDS_PROCESS, test_map_retry);
  test_case_add_idle ("crash-loop", TEST_NEEDS_PROCESS, test_crash_loop);
  test_case_add_idle ("crashes-between-others", TEST_NEEDS_PROCESS, test_crashes_between_others);
  test_case_add_idle ("no-crash-loop", TEST_NEEDS_PROCESS, test_no_crash_loop);
  test_case_add_idle ("brake-lets-go", TEST_NEEDS_PROCESS, test_brake_lets_go);
  test_case_add_idle ("failed-start", TEST_NEEDS_PROCESS, test_failed_start);
  test_case_add_idle ("unknown-backend", TEST_NEEDS_NOTHING, test_unknown_backend);
  test_case_add_idle ("deadline-in-start", TEST_NEEDS_PROCESS, test_deadline_in_start);
  test_case_add_idle ("initializer", TEST_NEEDS_NOTHING, test_initializer);
  test_case_add_idle ("recycled", TEST_NEEDS_NOTHING, test_recycled);
  test_case_add_idle ("idle", TEST_NEEDS_NOTHING, test_idle);
  test_case_add_idle ("min-workers", TEST_NEEDS_PROCESS, test_min_workers);
  test_case_add_idle ("stuck", TEST_NEEDS_QUEUE | TEST_NEEDS_SEVERAL, test_stuck);
  test_case_add_idle ("shutdown-unused", TEST_NEEDS_NOTHING, test_shutdown_unused);
  test_case_add_idle ("shutdown-finishes", TEST_NEEDS_NOTHING, test_shutdown_finishes);
  test_case_add_idle ("shutdown-retries", TEST_NEEDS_PROCESS, test_shutdown_retries);
  test_case_add_idle ("shutdown-drops", TEST_NEEDS_NOTHING, test_shutdown_drops);
  test_case_add_idle ("shutdown-stops", TEST_NEEDS_NOTHING, test_shutdown_stops);
  test_case_add_idle ("shutdown-in-start", TEST_NEEDS_PROCESS, test_shutdown_in_start);
  test_case_add_idle ("shutdown-cancelled", TEST_NEEDS_NOTHING, test_shutdown_cancelled);
  test_case_add_idle ("shutdown-anywhen", TEST_NEEDS_NOTHING, test_shutdown_anywhen);
  test_case_add_idle ("killed-anywhen", TEST_NEEDS_PROCESS, test_killed_anywhen);
  test_case_add_idle ("killed-on-timeout", TEST_NEEDS_PROCESS, test_killed_on_timeout);
  test_case_add_idle ("killed-with-others", TEST_NEEDS_PROCESS, test_killed_with_others);
  test_case_add_idle ("fork", TEST_NEEDS_RUNTIME, test_fork);
  test_case_add_idle ("nothing-left", TEST_NEEDS_RUNTIME, test_nothing_left);
  test_case_add_idle ("dropped", TEST_NEEDS_RUNTIME, test_dropped);

  return g_test_run ();
}
