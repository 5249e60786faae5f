/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <malt.h>

#include "test-answer.h"
#include "test-asserts.h"
#include "test-case.h"
#include "test-thread.h"

/* Answers arrive in the main context of whoever asked (that they come on the right
 * thread is asserted by TestAnswer). */

static TestAnswer *
ask (TestCase *self,
     gint64    number)
{
  return test_answer_call (self->worker, test_case_function (self, "add"),
                           g_variant_new ("(xx)", number, G_GINT64_CONSTANT (1)),
                           MALT_TIMEOUT_NONE, NULL);
}

static void
expect (TestAnswer *answer,
        gint64      number)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *expected = g_strdup_printf ("int64 %" G_GINT64_FORMAT, number + 1);

  test_assert_value (test_answer_wait (answer, &error), expected);
  g_assert_no_error (error);
}

/* One thread, several contexts: each run brings its own answers only. */
static void
test_one_thread (TestCase *self)
{
  GMainContext *contexts[4];
  TestAnswer *answers[G_N_ELEMENTS (contexts)][50];
  gsize i, j;

  for (i = 0; i < G_N_ELEMENTS (contexts); i++)
    {
      contexts[i] = g_main_context_new ();
      g_main_context_push_thread_default (contexts[i]);
      for (j = 0; j < G_N_ELEMENTS (answers[i]); j++)
        answers[i][j] = ask (self, (gint64) (1000 * i + j));
      g_main_context_pop_thread_default (contexts[i]);
    }

  /* The one that asked last is served first, and the others get nothing by it. */
  for (i = G_N_ELEMENTS (contexts); i > 0; i--)
    for (j = 0; j < G_N_ELEMENTS (answers[0]); j++)
      expect (answers[i - 1][j], (gint64) (1000 * (i - 1) + j));

  for (i = 0; i < G_N_ELEMENTS (contexts); i++)
    g_main_context_unref (contexts[i]);
}

/* A context that is never run again costs the others nothing. */
static void
test_abandoned_context (TestCase *self)
{
  g_autoptr (GMainContext) abandoned = g_main_context_new ();
  TestAnswer *never_read;
  gint64 i;

  g_main_context_push_thread_default (abandoned);
  never_read = ask (self, 1);
  g_main_context_pop_thread_default (abandoned);

  for (i = 0; i < 100; i++)
    {
      expect (ask (self, i), i);
      test_case_assert_usable (self);
    }

  expect (never_read, 1);
}

static gpointer
context_thread (gpointer data)
{
  TestCase *self = data;
  g_autoptr (GMainContext) context = g_main_context_new ();
  TestAnswer *answers[20];
  gint64 i, round;

  g_main_context_push_thread_default (context);
  for (round = 0; round < 20; round++)
    {
      for (i = 0; i < (gint64) G_N_ELEMENTS (answers); i++)
        answers[i] = ask (self, round + i);
      for (i = 0; i < (gint64) G_N_ELEMENTS (answers); i++)
        expect (answers[i], round + i);
    }
  g_main_context_pop_thread_default (context);

  return NULL;
}

static void
test_threads (TestCase *self)
{
  TestThread *threads[8];
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = test_thread_new ("context", context_thread, self);
  context_thread (self);
  for (i = 0; i < G_N_ELEMENTS (threads); i++)
    test_thread_join (threads[i]);
}

/* The context in which a worker was made may be gone while it is still used. */
static gpointer
make_thread (gpointer data)
{
  TestCase *self = data;
  g_autoptr (GMainContext) context = g_main_context_new ();

  g_main_context_push_thread_default (context);
  self->worker = test_case_spawn (self);
  expect (ask (self, 5), 5);
  g_main_context_pop_thread_default (context);
  return NULL;
}

static gpointer
refused_thread (gpointer data)
{
  TestCase *self = data;
  g_autoptr (GError) error = NULL;

  g_assert_null (malt_launcher_spawn (self->launcher, NULL, &error));
  test_assert_error (error, MALT_ERROR, MALT_ERROR_NOT_SUPPORTED, "*thread*");
  return NULL;
}

static void
test_made_elsewhere (TestCase *self)
{
  const char *reason = test_variant_cannot (self->variant, TEST_NEEDS_ANYWHERE);

  if (reason != NULL)
    {
      test_thread_join (test_thread_new ("refused", refused_thread, self));
      g_test_skip (reason);
      return;
    }

  test_thread_join (test_thread_new ("makes", make_thread, self));
  expect (ask (self, 6), 6);
  test_case_assert_usable (self);
}

/* Made, called and stopped in one thread, whose context nobody else runs: what the
 * worker needs of its context happens inside of the blocking calls. */
static void
test_same_thread (TestCase *self)
{
  g_autoptr (GError) error = NULL;
  TestAnswer *answer;

  self->worker = malt_launcher_spawn (self->launcher, NULL, &error);
  g_assert_no_error (error);

  test_case_assert_usable (self);
  answer = ask (self, 7);
  test_case_assert_usable (self);
  expect (answer, 7);

  answer = test_answer_call (self->worker, test_case_function (self, "later_never"), NULL,
                             MALT_TIMEOUT_NONE, NULL);
  malt_worker_stop (self->worker, -1, -1, NULL, &error);
  g_assert_no_error (error);
  g_assert_null (test_answer_wait (answer, &error));
  test_assert_error (error, MALT_ERROR, MALT_ERROR_TERMINATED, "*");
}

/* Workers may call one another from their callbacks. */
typedef struct
{
  TestCase *test;
  guint     left;
} Chain;

static void
chain_cb (GObject      *source,
          GAsyncResult *result,
          gpointer      user_data)
{
  Chain *chain = user_data;
  g_autoptr (GError) error = NULL;

  test_assert_value (malt_worker_remote_call_finish (MALT_WORKER (source), result, &error),
                     "int64 3");
  g_assert_no_error (error);

  /* A blocking call from a callback works as well. */
  test_case_assert_usable (chain->test);

  if (--chain->left > 0)
    malt_worker_remote_call_async (chain->test->worker, test_case_function (chain->test, "add"),
                                   g_variant_new ("(xx)", G_GINT64_CONSTANT (1),
                                                  G_GINT64_CONSTANT (2)),
                                   NULL, MALT_TIMEOUT_NONE, NULL, chain_cb, chain);
}

static void
test_from_callback (TestCase *self)
{
  Chain chain = { self, 100 };

  malt_worker_remote_call_async (self->worker, test_case_function (self, "add"),
                                 g_variant_new ("(xx)", G_GINT64_CONSTANT (1),
                                                G_GINT64_CONSTANT (2)),
                                 NULL, MALT_TIMEOUT_NONE, NULL, chain_cb, &chain);
  while (chain.left > 0)
    g_main_context_iteration (NULL, TRUE);
}

int
main (int argc, char **argv)
{
  test_case_init (&argc, &argv, "contexts");

  test_case_add ("one-thread", TEST_NEEDS_NOTHING, test_one_thread);
  test_case_add ("abandoned-context", TEST_NEEDS_NOTHING, test_abandoned_context);
  test_case_add ("threads", TEST_NEEDS_NOTHING, test_threads);
  test_case_add_idle ("made-elsewhere", TEST_NEEDS_RUNTIME, test_made_elsewhere);
  test_case_add_idle ("same-thread", TEST_NEEDS_NOTHING, test_same_thread);
  test_case_add ("from-callback", TEST_NEEDS_NOTHING, test_from_callback);

  return g_test_run ();
}
