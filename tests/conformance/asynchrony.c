/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <malt.h>

#include "test-answer.h"
#include "test-asserts.h"
#include "test-case.h"

/* A request that waits for something does not hold up the next. */

static void
test_later (TestCase *self)
{
  g_autoptr (GError) error = NULL;
  TestAnswer *slow, *quick;

  slow = test_answer_call (self->worker, test_case_function (self, "later_never"), NULL,
                           MALT_TIMEOUT_NONE, NULL);
  quick = test_answer_call (self->worker, test_case_function (self, "add"),
                            g_variant_new ("(xx)", G_GINT64_CONSTANT (1), G_GINT64_CONSTANT (2)),
                            MALT_TIMEOUT_NONE, NULL);
  test_assert_value (test_answer_wait (quick, &error), "int64 3");
  g_assert_no_error (error);
  g_assert_false (test_answer_is_there (slow));

  malt_worker_interrupt (self->worker);
  g_assert_null (test_answer_wait (slow, &error));
  test_assert_error (error, MALT_ERROR, MALT_ERROR_INTERRUPTED, "*");
  test_case_assert_usable (self);
}

/* Answers come when they are there, not in the order of the calls. */
static void
test_overtakes (TestCase *self)
{
  g_autoptr (GError) error = NULL;
  TestAnswer *slow, *quick;
  guint quick_serial;

  slow = test_answer_call (self->worker, test_case_function (self, "later"),
                           g_variant_new ("(xx)", G_GINT64_CONSTANT (500), G_GINT64_CONSTANT (1)),
                           MALT_TIMEOUT_NONE, NULL);
  quick = test_answer_call (self->worker, test_case_function (self, "later"),
                            g_variant_new ("(xx)", G_GINT64_CONSTANT (1), G_GINT64_CONSTANT (2)),
                            MALT_TIMEOUT_NONE, NULL);
  while (!test_answer_is_there (slow))
    g_main_context_iteration (NULL, TRUE);
  g_assert_true (test_answer_is_there (quick));

  quick_serial = test_answer_get_serial (quick);
  g_assert_cmpuint (quick_serial, <, test_answer_get_serial (slow));
  test_assert_value (test_answer_wait (slow, &error), "int64 1");
  test_assert_value (test_answer_wait (quick, &error), "int64 2");
  g_assert_no_error (error);
}

static void
test_many (TestCase *self)
{
  g_autoptr (GError) error = NULL;
  TestAnswer *answers[200];
  gint64 i;

  for (i = 0; i < (gint64) G_N_ELEMENTS (answers); i++)
    answers[i] = test_answer_call (self->worker, test_case_function (self, "later"),
                                   g_variant_new ("(xx)", 1 + (i * 37) % 50, i),
                                   MALT_TIMEOUT_NONE, NULL);

  for (i = 0; i < (gint64) G_N_ELEMENTS (answers); i++)
    {
      g_autofree char *expected = g_strdup_printf ("int64 %" G_GINT64_FORMAT, i);

      test_assert_value (test_answer_wait (answers[i], &error), expected);
      g_assert_no_error (error);
    }
}

/* An evaluation that sleeps and then assigns: what is read before sees the old
 * value, what is read after it the new one. */
static void
test_sleeping_evaluation (TestCase *self)
{
  g_autoptr (GError) error = NULL;
  TestAnswer *sleeps;

  test_assert_value (test_case_eval (self, test_case_source (self,
                                                             "import asyncio\n"
                                                             "value = 'old'\n"
                                                             "gate = asyncio.Event ()",
                                                             "var value = 'old', open, gate = new Promise (r => { open = r })")),
                     "@mv nothing");
  sleeps = test_answer_eval (self->worker, NULL, test_case_source (self, "await gate.wait ()\nvalue = 'new'",
                                                                   "await gate\nvalue = 'new'; null"),
                             MALT_TIMEOUT_NONE, NULL);
  test_assert_value (test_case_eval (self, "value"), "'old'");
  g_assert_false (test_answer_is_there (sleeps));

  test_assert_value (test_case_eval (self, test_case_source (self, "gate.set ()", "open ()")), "@mv nothing");
  test_assert_value (test_answer_wait (sleeps, &error), "@mv nothing");
  g_assert_no_error (error);
  test_assert_value (test_case_eval (self, "value"), "'new'");
}

static void
test_sleeping_do (TestCase *self)
{
  g_autoptr (GError) error = NULL;

  test_assert_value (test_case_eval (self, test_case_source (self,
                                                             "import asyncio\n"
                                                             "value = 'old'\n"
                                                             "gate, done = asyncio.Event (), asyncio.Event ()\n"
                                                             "async def assign ():\n"
                                                             "  global value\n"
                                                             "  await gate.wait ()\n"
                                                             "  value = 'new'\n"
                                                             "  done.set ()",
                                                             "let value = 'old', open, tell\n"
                                                             "const gate = new Promise (resolve => open = resolve)\n"
                                                             "const done = new Promise (resolve => tell = resolve)\n"
                                                             "async function assign () {\n"
                                                             "  await gate\n"
                                                             "  value = 'new'\n"
                                                             "  tell ()\n"
                                                             "}")),
                     "@mv nothing");
  g_assert_true (malt_worker_remote_do (self->worker, test_case_source (self, "__main__.assign", "assign"), NULL, NULL,
                                        &error));
  g_assert_no_error (error);
  test_assert_value (test_case_eval (self, "value"), "'old'");
  test_assert_value (test_case_eval (self, test_case_source (self, "gate.set ()\nawait done.wait ()\nvalue",
                                                             "open ()\nawait done\nvalue")),
                     "'new'");
}

/* One that waits can be answered by one that comes after it. */
static void
test_coroutines_meet (TestCase *self)
{
  g_autoptr (GError) error = NULL;
  TestAnswer *waits;

  test_assert_value (test_case_eval (self, test_case_source (self,
                                                             "import asyncio\n"
                                                             "queue = asyncio.Queue ()",
                                                             "const queue = new malt.Channel (1); undefined")),
                     "@mv nothing");
  waits = test_answer_eval (self->worker, NULL, test_case_source (self, "await queue.get ()", "await queue.take ()"),
                            MALT_TIMEOUT_NONE, NULL);
  test_assert_value (test_case_eval (self, "await queue.put ('hello')"), "@mv nothing");
  test_assert_value (test_answer_wait (waits, &error), "'hello'");
  g_assert_no_error (error);
}

int
main (int argc, char **argv)
{
  test_case_init (&argc, &argv, "asynchrony");

  test_case_add ("later", TEST_NEEDS_NOTHING, test_later);
  test_case_add ("overtakes", TEST_NEEDS_NOTHING, test_overtakes);
  test_case_add ("many", TEST_NEEDS_NOTHING, test_many);
  test_case_add ("sleeping-evaluation", TEST_NEEDS_EVAL, test_sleeping_evaluation);
  test_case_add ("sleeping-do", TEST_NEEDS_EVAL, test_sleeping_do);
  test_case_add ("coroutines-meet", TEST_NEEDS_EVAL, test_coroutines_meet);

  return g_test_run ();
}
