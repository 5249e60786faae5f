/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <signal.h>

#include <malt.h>

#include "test-asserts.h"
#include "test-case.h"
#include "test-process.h"
#include "test-watchdog.h"

/* Workers leave nothing behind: no descriptor, no thread, no zombie. */

#define AT_ONCE 20

typedef struct
{
  guint n_pending;
} Batch;

static void
stopped_cb (GObject      *source,
            GAsyncResult *result,
            gpointer      user_data)
{
  Batch *batch = user_data;
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (malt_worker_stop_finish (MALT_WORKER (source), result, &error), ==,
                   MALT_STOP_RESULT_WAS_RUNNING);
  g_assert_no_error (error);
  batch->n_pending--;
}

static void
spawned_cb (GObject      *source,
            GAsyncResult *result,
            gpointer      user_data)
{
  Batch *batch = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (MaltWorker) worker = NULL;

  worker = malt_launcher_spawn_finish (MALT_LAUNCHER (source), result, &error);
  g_assert_no_error (error);
  malt_worker_stop_async (worker, -1, -1, NULL, stopped_cb, batch);
}

static void
start_and_stop (TestCase *self,
                guint     n_workers)
{
  guint i;

  while (n_workers > 0)
    {
      Batch batch = { MIN (n_workers, AT_ONCE) };

      n_workers -= batch.n_pending;
      for (i = batch.n_pending; i > 0; i--)
        malt_launcher_spawn_async (self->launcher, NULL, spawned_cb, &batch);
      while (batch.n_pending > 0)
        g_main_context_iteration (NULL, TRUE);
    }
}

/* The library gives back some things a moment after a worker has ended, so that there
 * may be less than at the first look, but not more. */
static gboolean
holdings_are (gpointer data)
{
  const TestHoldings *expected = data;
  TestHoldings now;

  while (g_main_context_iteration (NULL, FALSE))
    ;
  now = test_get_holdings ();
  return now.descriptors <= expected->descriptors &&
         now.threads <= expected->threads &&
         now.children <= expected->children;
}

static void
test_nothing_left (TestCase *self)
{
  TestHoldings before;
  guint n_workers = test_case_is (self, "native") ? 2000 : 200;

  if (TEST_SANITIZED)
    n_workers /= 10;

  /* What is made once and kept is there after the first. */
  start_and_stop (self, 2 * AT_ONCE);
  before = test_get_holdings ();

  start_and_stop (self, n_workers);
  test_await (holdings_are, &before);
}

/* The same, of workers that are dropped without a word while they are at work. */
static void
test_dropped (TestCase *self)
{
  TestHoldings before;
  guint i, n_workers = TEST_SANITIZED ? 20 : 100;

  start_and_stop (self, 2 * AT_ONCE);
  before = test_get_holdings ();

  for (i = 0; i < n_workers; i++)
    {
      self->worker = test_case_spawn (self);
      test_case_assert_usable (self);
      g_clear_object (&self->worker);
    }

  test_await (holdings_are, &before);
}

/* The same, of workers that end by themselves while they are called. */
static void
test_crashed (TestCase *self)
{
  TestHoldings before;
  guint i, n_workers = TEST_SANITIZED ? 20 : 100;

  start_and_stop (self, 2 * AT_ONCE);
  before = test_get_holdings ();

  for (i = 0; i < n_workers; i++)
    {
      g_autoptr (GError) error = NULL;

      self->worker = test_case_spawn (self);
      g_assert_null (malt_worker_remote_call_fetch (self->worker,
                                                    test_case_function (self, "crash"), NULL,
                                                    NULL, MALT_TIMEOUT_NONE, NULL, &error));
      test_assert_error (error, MALT_ERROR, MALT_ERROR_TERMINATED, "*signal*");
      g_clear_object (&self->worker);
    }

  test_await (holdings_are, &before);
}

/* Workers that have ended are kept, as a garbage collector does: all that they hold is memory.
 * What came from them is there. */
static void
test_kept (TestCase *self)
{
  g_autoptr (GPtrArray) workers = g_ptr_array_new_with_free_func (g_object_unref);
  g_autofree char *text = g_strnfill (1000 * 1000, 'x');
  g_autoptr (GVariant) argument = g_variant_ref_sink (g_variant_new_bytestring (text));
  g_autoptr (GPtrArray) values = g_ptr_array_new_with_free_func ((GDestroyNotify) g_variant_unref);
  TestHoldings before;
  guint i, n_workers = 20;

  start_and_stop (self, 2 * AT_ONCE);
  before = test_get_holdings ();

  for (i = 0; i < n_workers; i++)
    {
      MaltWorker *worker = test_case_spawn (self);
      g_autoptr (GError) error = NULL;

      g_ptr_array_add (workers, worker);
      g_ptr_array_add (values, malt_worker_remote_call_fetch (worker, test_case_function (self, "echo"),
                                                              g_variant_new_tuple (&argument, 1), NULL,
                                                              MALT_TIMEOUT_NONE, NULL, &error));
      g_assert_no_error (error);
      if (i % 2 == 0)
        malt_worker_kill (worker, SIGKILL);
      malt_worker_stop (worker, MALT_TIMEOUT_NONE, MALT_TIMEOUT_NONE, NULL, &error);
      g_assert_no_error (error);
    }

  test_await (holdings_are, &before);
  for (i = 0; i < n_workers; i++)
    {
      MaltWorker *worker = workers->pdata[i];
      g_autoptr (GError) error = NULL;

      g_assert_cmpmem (g_variant_get_data (values->pdata[i]), g_variant_get_size (values->pdata[i]),
                       text, strlen (text) + 1);
      g_assert_null (malt_worker_remote_call_fetch (worker, test_case_function (self, "echo"),
                                                    g_variant_new_tuple (&argument, 1), NULL,
                                                    MALT_TIMEOUT_NONE, NULL, &error));
      test_assert_error (error, MALT_ERROR, MALT_ERROR_TERMINATED, "*");
      malt_worker_interrupt (worker);
    }
  test_await (holdings_are, &before);
}

int
main (int argc, char **argv)
{
  test_case_init (&argc, &argv, "many-workers");

  test_case_add_idle ("nothing-left", TEST_NEEDS_RUNTIME, test_nothing_left);
  test_case_add_idle ("dropped", TEST_NEEDS_RUNTIME, test_dropped);
  test_case_add_idle ("kept", TEST_NEEDS_RUNTIME, test_kept);
  test_case_add_idle ("crashed", TEST_NEEDS_PROCESS, test_crashed);

  return g_test_run ();
}
