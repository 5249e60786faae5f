/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Pools that give their workers calls ahead. */

#include "test-answer.h"
#include "test-asserts.h"
#include "test-case.h"
#include "test-mark.h"
#include "test-pool.h"

#define NONE MALT_POOL_CALL_FLAGS_NONE
#define N    40

static MaltPool *
new_pool (TestCase *self,
          guint     max_workers)
{
  return test_pool_new (self, "launcher", self->launcher, "max-workers", max_workers, "min-workers", max_workers,
                        "calls-ahead", 16, "crash-limit", -1, NULL);
}

static TestPoolAnswer *
start_add (TestCase *self,
           MaltPool *pool,
           gint64    number)
{
  return test_pool_start (pool, test_case_function (self, "add"), g_variant_new ("(xx)", number, (gint64) 1), NONE,
                          MALT_TIMEOUT_NONE, NULL);
}

static void
expect_sum (TestPoolAnswer *answer,
            gint64          number)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) value = test_pool_answer_wait (answer, &error);

  g_assert_no_error (error);
  g_assert_cmpint (g_variant_get_int64 (value), ==, number + 1);
}

/* Many short calls, so that workers are given more. */
static void
warm (TestCase *self,
      MaltPool *pool)
{
  TestPoolAnswer *answers[N * 5];
  guint i;

  for (i = 0; i < G_N_ELEMENTS (answers); i++)
    answers[i] = start_add (self, pool, i);
  for (i = 0; i < G_N_ELEMENTS (answers); i++)
    expect_sum (answers[i], i);
}

/* Those behind one that takes its time go to another worker. */
static void
test_taken_back (TestCase *self)
{
  MaltPool *pool = new_pool (self, 2);
  guint round, i;

  for (round = 0; round < 5; round++)
    {
      g_autofree char *mark = test_mark_new ();
      g_autofree char *end = test_mark_new ();
      TestPoolAnswer *first[N], *rest[N], *deaf;

      warm (self, pool);
      for (i = 0; i < N; i++)
        first[i] = start_add (self, pool, i);
      deaf = test_pool_start (pool, test_case_function (self, "be_deaf"), g_variant_new ("(ss)", mark, end), NONE,
                              MALT_TIMEOUT_NONE, NULL);
      for (i = 0; i < N; i++)
        rest[i] = start_add (self, pool, 100 + i);
      for (i = 0; i < N; i++)
        expect_sum (first[i], i);
      for (i = 0; i < N; i++)
        expect_sum (rest[i], 100 + i);

      g_assert_false (test_pool_answer_is_there (deaf));
      test_mark_await (mark);
      test_mark_make (end);
      g_variant_unref (test_pool_answer_wait (deaf, NULL));
    }
  g_assert_cmpuint (malt_pool_get_n_failed (pool), ==, 0);
  test_pool_retire (pool);
}

/* If there is no other worker they wait, and still come in their order. */
static void
test_one_worker (TestCase *self)
{
  MaltPool *pool = new_pool (self, 1);
  g_autofree char *mark = test_mark_new ();
  g_autofree char *end = test_mark_new ();
  TestPoolAnswer *rest[N], *deaf;
  guint i;

  warm (self, pool);
  deaf = test_pool_start (pool, test_case_function (self, "be_deaf"), g_variant_new ("(ss)", mark, end), NONE,
                          MALT_TIMEOUT_NONE, NULL);
  for (i = 0; i < N; i++)
    rest[i] = start_add (self, pool, i);
  test_mark_await (mark);
  test_pool_await (pool, "n-running", 1);
  test_pool_await (pool, "n-queued", N);
  test_mark_make (end);
  g_variant_unref (test_pool_answer_wait (deaf, NULL));
  for (i = 0; i < N; i++)
    expect_sum (rest[i], i);
  test_pool_retire (pool);
}

/* The end of a worker costs the one call that has begun. */
static void
test_death (TestCase *self)
{
  MaltPool *pool = new_pool (self, 2);
  guint round, i;

  for (round = 0; round < 5; round++)
    {
      TestPoolAnswer *answers[N];

      warm (self, pool);
      for (i = 0; i < N; i++)
        answers[i] = i % 10 == 5 ? test_pool_start (pool, test_case_function (self, "crash"), NULL, NONE,
                                                    MALT_TIMEOUT_NONE, NULL)
                                 : start_add (self, pool, i);
      for (i = 0; i < N; i++)
        {
          if (i % 10 == 5)
            test_pool_answer_fails (answers[i], MALT_ERROR, MALT_ERROR_TERMINATED, "*signal 11*");
          else
            expect_sum (answers[i], i);
        }
    }
  g_assert_cmpuint (malt_pool_get_n_failed (pool), ==, 5 * N / 10);
  test_pool_retire (pool);
}

/* Also if it has to be killed for the one. */
static void
test_killed (TestCase *self)
{
  MaltPool *pool;
  TestPoolAnswer *rest[N], *deaf;
  g_autofree char *mark = test_mark_new ();
  g_autofree char *end = test_mark_new ();
  guint i;

  g_object_set (self->launcher, "kill-on-timeout", TRUE, "cancel-timeout", 1, "interrupt-timeout", 1, NULL);
  pool = new_pool (self, 1);
  warm (self, pool);
  deaf = test_pool_start (pool, test_case_function (self, "be_deaf"), g_variant_new ("(ss)", mark, end), NONE, 1, NULL);
  for (i = 0; i < N; i++)
    rest[i] = start_add (self, pool, i);
  test_pool_answer_fails (deaf, MALT_ERROR, MALT_ERROR_TIMEOUT, "*");
  for (i = 0; i < N; i++)
    expect_sum (rest[i], i);
  test_pool_retire (pool);
}

static void
test_cancelled (TestCase *self)
{
  MaltPool *pool = new_pool (self, 2);
  guint round, i;

  for (round = 0; round < 20; round++)
    {
      g_autoptr (GCancellable) cancellable = g_cancellable_new ();
      TestPoolAnswer *answers[N];

      if (round % 5 == 0)
        warm (self, pool);
      for (i = 0; i < N; i++)
        answers[i] = test_pool_start (pool, test_case_function (self, "add"), g_variant_new ("(xx)", (gint64) i, (gint64) 1),
                                      NONE, MALT_TIMEOUT_NONE, i % 2 == 0 ? cancellable : NULL);
      g_cancellable_cancel (cancellable);
      for (i = 0; i < N; i++)
        {
          g_autoptr (GError) error = NULL;
          g_autoptr (GVariant) value = test_pool_answer_wait (answers[i], &error);

          if (i % 2 == 1)
            g_assert_no_error (error);
          else if (value == NULL)
            g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
        }
    }
  test_pool_retire (pool);
}

/* In whatever state they are, all come to an end. */
static void
test_shut_down (TestCase *self)
{
  guint round, i;

  for (round = 0; round < 6; round++)
    {
      MaltPool *pool = new_pool (self, 2);
      TestPoolAnswer *answers[N];
      guint n_done = 0;

      if (round % 2 == 0)
        warm (self, pool);
      for (i = 0; i < N; i++)
        answers[i] = start_add (self, pool, i);
      g_assert_true (malt_pool_shutdown (pool, round < 2   ? MALT_POOL_SHUTDOWN_FLAGS_NONE
                                               : round < 4 ? MALT_POOL_SHUTDOWN_FLAGS_DROP_QUEUED
                                                           : MALT_POOL_SHUTDOWN_FLAGS_STOP_RUNNING,
                                         NULL, NULL));
      for (i = 0; i < N; i++)
        {
          g_autoptr (GError) error = NULL;
          g_autoptr (GVariant) value = test_pool_answer_wait (answers[i], &error);

          n_done += value != NULL;
          g_assert_true (value != NULL || g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CLOSED) ||
                         g_error_matches (error, MALT_ERROR, MALT_ERROR_TERMINATED));
        }
      if (round < 2)
        g_assert_cmpuint (n_done, ==, N);
      g_object_unref (pool);
    }
}

int
main (int argc, char **argv)
{
  test_case_init (&argc, &argv, "pool-ahead");

  test_case_add_idle ("taken-back", TEST_NEEDS_PROCESS | TEST_NEEDS_QUEUE, test_taken_back);
  test_case_add_idle ("one-worker", TEST_NEEDS_PROCESS | TEST_NEEDS_QUEUE, test_one_worker);
  test_case_add_idle ("death", TEST_NEEDS_PROCESS | TEST_NEEDS_QUEUE, test_death);
  test_case_add_idle ("killed", TEST_NEEDS_PROCESS | TEST_NEEDS_QUEUE, test_killed);
  test_case_add_idle ("cancelled", TEST_NEEDS_NOTHING, test_cancelled);
  test_case_add_idle ("shut-down", TEST_NEEDS_NOTHING, test_shut_down);

  return g_test_run ();
}
