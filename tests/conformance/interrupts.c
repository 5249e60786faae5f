/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <malt.h>

#include "test-answer.h"
#include "test-asserts.h"
#include "test-case.h"
#include "test-mark.h"
#include "test-thread.h"

/* Breaking off what a worker does, without ending the worker. */

#define assert_interrupted(error) \
  test_assert_error ((error), MALT_ERROR, MALT_ERROR_INTERRUPTED, "*")

/* Something that waits, and lets other things run meanwhile. */
static void
test_waiting (TestCase *self)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *name = malt_worker_dup_name (self->worker);
  TestAnswer *answer;
  guint i;

  for (i = 0; i < 2; i++)
    {
      answer = test_answer_call (self->worker, test_case_function (self, "later_never"), NULL,
                                 MALT_TIMEOUT_NONE, NULL);
      test_case_assert_usable (self); /* so it has started */
      malt_worker_interrupt (self->worker);
      g_assert_null (test_answer_wait (answer, &error));
      g_assert_nonnull (strstr (error->message, name));
      assert_interrupted (error);
      test_case_assert_usable (self);
    }
}

/* Only the latest of several is broken off. */
static void
test_latest (TestCase *self)
{
  g_autoptr (GError) error = NULL;
  TestAnswer *earlier, *latest;

  earlier = test_answer_call (self->worker, test_case_function (self, "later_never"), NULL,
                              MALT_TIMEOUT_NONE, NULL);
  latest = test_answer_call (self->worker, test_case_function (self, "later_never"), NULL,
                             MALT_TIMEOUT_NONE, NULL);
  test_case_assert_usable (self);

  malt_worker_interrupt (self->worker);
  g_assert_null (test_answer_wait (latest, &error));
  assert_interrupted (error);
  test_case_assert_usable (self);
  g_assert_false (test_answer_is_there (earlier));

  malt_worker_interrupt (self->worker);
  g_assert_null (test_answer_wait (earlier, &error));
  assert_interrupted (error);
}

/* Something that runs, looks at its cancellable or runs byte code. */
static void
test_spin (TestCase *self)
{
  g_autoptr (GError) error = NULL;
  TestAnswer *answer = test_case_start (self, "spin", MALT_TIMEOUT_NONE, NULL);

  malt_worker_interrupt (self->worker);
  g_assert_null (test_answer_wait (answer, &error));
  assert_interrupted (error);
  test_case_assert_usable (self);
}

/* At once: whether the worker has heard of the call by then or not. */
static void
test_early (TestCase *self)
{
  guint i;

  test_case_assert_usable (self); /* so that nothing is broken off while it is loaded */

  for (i = 0; i < 50; i++)
    {
      g_autoptr (GError) error = NULL;
      g_autofree char *mark = test_mark_new ();
      TestAnswer *answer;

      answer = test_answer_call (self->worker, test_case_function (self, "spin"), g_variant_new ("(s)", mark),
                                 MALT_TIMEOUT_NONE, NULL);
      malt_worker_interrupt (self->worker);
      g_assert_null (test_answer_wait (answer, &error));
      assert_interrupted (error);
    }

  test_case_assert_usable (self);
}

static void
test_ten_in_a_row (TestCase *self)
{
  g_autoptr (GError) error = NULL;
  guint i;

  for (i = 0; i < 10; i++)
    {
      TestAnswer *answer = test_case_start (self, "spin", MALT_TIMEOUT_NONE, NULL);

      malt_worker_interrupt (self->worker);
      g_assert_null (test_answer_wait (answer, &error));
      assert_interrupted (error);
    }

  test_case_assert_usable (self);
}

/* Ten at once break off one thing, and what comes after it is left alone. */
static void
test_ten_at_once (TestCase *self)
{
  g_autoptr (GError) error = NULL;
  TestAnswer *answer = test_case_start (self, "spin", MALT_TIMEOUT_NONE, NULL);
  guint i;

  for (i = 0; i < 10; i++)
    malt_worker_interrupt (self->worker);
  g_assert_null (test_answer_wait (answer, &error));
  assert_interrupted (error);

  for (i = 0; i < 10; i++)
    test_case_assert_usable (self);
}

static void
test_tight_loop (TestCase *self)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *type = NULL;
  TestAnswer *answer = test_case_start (self, "spin", MALT_TIMEOUT_NONE, NULL);

  malt_worker_interrupt (self->worker);
  g_assert_null (test_answer_wait (answer, &error));
  type = malt_remote_error_dup_type (error);
  g_assert_cmpstr (type, ==, test_case_source (self, "KeyboardInterrupt", "InterruptedError"));
  test_assert_error (error, MALT_ERROR, MALT_ERROR_INTERRUPTED,
                     test_case_source (self, "*KeyboardInterrupt*", "*InterruptedError*"));
  test_case_assert_usable (self);
}

static void
interrupt_sleep (TestCase   *self,
                 const char *function)
{
  g_autoptr (GError) error = NULL;
  guint i;

  for (i = 0; i < 3; i++)
    {
      TestAnswer *answer = test_case_start (self, function, MALT_TIMEOUT_NONE, NULL);

      malt_worker_interrupt (self->worker);
      g_assert_null (test_answer_wait (answer, &error));
      assert_interrupted (error);
      test_case_assert_usable (self);
    }
}

static void
test_sleep (TestCase *self)
{
  interrupt_sleep (self, "sleep_on");
}

/* It comes just before the system call, and after the last look at whether one has come. */
static void
test_sleep_late (TestCase *self)
{
  interrupt_sleep (self, "sleep_late");
}

/* However long it takes from one to the other. */
static void
test_sleep_much_later (TestCase *self)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *mark = test_mark_new ();
  g_autofree char *end_mark = test_mark_new ();
  TestAnswer *answer;

  answer = test_answer_call (self->worker, test_case_function (self, "sleep_much_later"),
                             g_variant_new ("(ss)", mark, end_mark), MALT_TIMEOUT_NONE, NULL);
  test_mark_await (mark);
  malt_worker_interrupt (self->worker);
  g_usleep (1500 * 1000);
  test_mark_make (end_mark);
  g_assert_null (test_answer_wait (answer, &error));
  assert_interrupted (error);
  test_case_assert_usable (self);
}

/* Code that catches it goes on, and is broken off by the next. */
static void
test_caught (TestCase *self)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *mark = test_mark_new ();
  TestAnswer *answer;

  answer = test_answer_call (self->worker, test_case_function (self, "catch"),
                             g_variant_new ("(s)", mark), MALT_TIMEOUT_NONE, NULL);
  test_mark_await (mark);
  malt_worker_interrupt (self->worker);
  test_assert_value (test_answer_wait (answer, &error), "'caught'");
  g_assert_no_error (error);
  test_case_assert_usable (self);
}

static void
test_idle (TestCase *self)
{
  guint i;

  for (i = 0; i < 10; i++)
    {
      malt_worker_interrupt (self->worker);
      test_case_assert_usable (self);
    }
}

/* An interrupt that comes as its target ends hits nothing else. */
static void
test_race (TestCase *self)
{
  guint i;

  test_case_assert_usable (self); /* so that nothing is broken off while it is loaded */

  for (i = 0; i < 300; i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (GVariant) value = NULL;
      TestAnswer *answer;

      answer = test_answer_call (self->worker, test_case_function (self, "add"),
                                 g_variant_new ("(xx)", (gint64) i, G_GINT64_CONSTANT (1)),
                                 MALT_TIMEOUT_NONE, NULL);
      malt_worker_interrupt (self->worker);
      value = test_answer_wait (answer, &error);
      if (value != NULL)
        g_assert_cmpint (g_variant_get_int64 (value), ==, i + 1);
      else
        assert_interrupted (error);
    }

  g_assert_true (malt_worker_is_running (self->worker));
}

/* From any thread, while another one waits in a blocking call. */
static gpointer
interrupt_thread (gpointer data)
{
  TestCase *self = data;

  test_mark_await (g_object_get_data (G_OBJECT (self->launcher), "mark"));
  malt_worker_interrupt (self->worker);
  return NULL;
}

static void
test_blocking_call (TestCase *self)
{
  g_autoptr (GError) error = NULL;
  char *mark = test_mark_new ();
  TestThread *thread;

  g_object_set_data_full (G_OBJECT (self->launcher), "mark", mark, g_free);
  thread = test_thread_new ("interrupts", interrupt_thread, self);
  g_assert_null (malt_worker_remote_call_fetch (self->worker, test_case_function (self, "spin"),
                                                g_variant_new ("(s)", mark), NULL,
                                                MALT_TIMEOUT_NONE, NULL, &error));
  assert_interrupted (error);
  test_thread_join (thread);
  test_case_assert_usable (self);
}

int
main (int argc, char **argv)
{
  test_case_init (&argc, &argv, "interrupts");

  test_case_add ("waiting", TEST_NEEDS_NOTHING, test_waiting);
  test_case_add ("latest", TEST_NEEDS_NOTHING, test_latest);
  test_case_add ("spin", TEST_NEEDS_QUEUE, test_spin);
  test_case_add ("early", TEST_NEEDS_QUEUE, test_early);
  test_case_add ("ten-in-a-row", TEST_NEEDS_QUEUE, test_ten_in_a_row);
  test_case_add ("ten-at-once", TEST_NEEDS_QUEUE, test_ten_at_once);
  test_case_add ("tight-loop", TEST_NEEDS_BREAKABLE, test_tight_loop);
  test_case_add ("sleep", TEST_NEEDS_BREAKABLE | TEST_NEEDS_WAKEABLE, test_sleep);
  test_case_add ("sleep-late", TEST_NEEDS_BREAKABLE | TEST_NEEDS_WAKEABLE, test_sleep_late);
  test_case_add ("sleep-much-later", TEST_NEEDS_BREAKABLE | TEST_NEEDS_WAKEABLE, test_sleep_much_later);
  test_case_add ("caught", TEST_NEEDS_BREAKABLE, test_caught);
  test_case_add ("idle", TEST_NEEDS_NOTHING, test_idle);
  test_case_add ("race", TEST_NEEDS_NOTHING, test_race);
  test_case_add ("blocking-call", TEST_NEEDS_QUEUE, test_blocking_call);

  return g_test_run ();
}
