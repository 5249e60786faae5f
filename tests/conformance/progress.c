/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>

#include <malt.h>

#include "test-answer.h"
#include "test-asserts.h"
#include "test-case.h"

/* How far the code of a call has got, as it says. */

typedef struct
{
  guint    n;
  guint64  id;
  double   fraction;
  char    *text;
  GThread *thread;
  guint64  blocking_id; /* what the thread says of itself in the handler */
} Heard;

static void
heard_clear (Heard *self)
{
  g_clear_pointer (&self->text, g_free);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Heard, heard_clear)

static void
progress_cb (MaltWorker *worker,
             guint64     request_id,
             double      fraction,
             const char *text,
             Heard      *heard)
{
  heard->n++;
  heard->id = request_id;
  heard->fraction = fraction;
  g_free (heard->text);
  heard->text = g_strdup (text);
  heard->thread = g_thread_self ();
  heard->blocking_id = malt_worker_get_last_request_id (worker);
}

static void
assert_heard (Heard      *self,
              double      fraction,
              const char *text)
{
  g_assert_cmpuint (self->n, >, 0);
  g_assert_cmpfloat (self->fraction, ==, fraction);
  g_assert_cmpstr (self->text, ==, text);
}

/* A thread that blocks hears of it meanwhile, and of which call it is. */
static void
test_blocking (TestCase *self)
{
  g_auto (Heard) heard = { 0 };

  g_signal_connect (self->worker, "progress", G_CALLBACK (progress_cb), &heard);
  g_variant_unref (test_case_call (self, "progress", g_variant_new ("(ds)", 0.25, "reading")));
  while (heard.n == 0) /* it may have had its value first */
    g_main_context_iteration (NULL, TRUE);
  assert_heard (&heard, 0.25, "reading");
  g_assert_true (heard.thread == g_thread_self ());
  g_assert_cmpuint (heard.id, !=, 0);
  g_assert_cmpuint (heard.id, ==, heard.blocking_id);
}

/* Nobody is told what he does not listen to, and all goes on as before. */
static void
test_unheard (TestCase *self)
{
  g_variant_unref (test_case_call (self, "progress_steps", g_variant_new ("(x)", G_GINT64_CONSTANT (1000))));
  test_case_assert_usable (self);
}

/* It comes before the result, in the same context, and each call has its number. */
static void
test_asynchronous (TestCase *self)
{
  g_autoptr (GError) error = NULL;
  guint64 ids[3];
  guint i;

  for (i = 0; i < G_N_ELEMENTS (ids); i++)
    {
      g_auto (Heard) heard = { 0 };
      TestAnswer *answer;
      gulong handler;

      handler = g_signal_connect (self->worker, "progress", G_CALLBACK (progress_cb), &heard);
      answer = test_answer_call (self->worker, test_case_function (self, "progress"),
                                 g_variant_new ("(ds)", 1.0, "done"), MALT_TIMEOUT_NONE, NULL);
      ids[i] = malt_worker_get_last_request_id (self->worker);
      g_variant_unref (test_answer_wait (answer, &error));
      g_assert_no_error (error);
      assert_heard (&heard, 1, "done");
      g_assert_cmpuint (heard.id, ==, ids[i]);
      g_signal_handler_disconnect (self->worker, handler);
    }

  g_assert_cmpuint (ids[0], !=, 0);
  g_assert_cmpuint (ids[0], <, ids[1]);
  g_assert_cmpuint (ids[1], <, ids[2]);
}

/* Of what comes too fast the latest is heard. */
static void
test_flood (TestCase *self)
{
  g_auto (Heard) heard = { 0 };

  g_signal_connect (self->worker, "progress", G_CALLBACK (progress_cb), &heard);
  g_variant_unref (test_case_call (self, "progress_steps", g_variant_new ("(x)", G_GINT64_CONSTANT (100000))));
  while (heard.fraction < 1)
    g_main_context_iteration (NULL, TRUE);
  assert_heard (&heard, 1, "step 100000");
  g_assert_cmpuint (heard.n, <=, 100000);
}

static void
test_fractions (TestCase *self)
{
  static const struct { double said, heard; } fractions[] = {
    { 0, 0 }, { 1, 1 }, { 1.0000001, 1 }, { -1, -1 }, { -0.5, -1 }, { 1e300, 1 },
  };
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (fractions); i++)
    {
      g_autoptr (GError) error = NULL;
      g_auto (Heard) heard = { 0 };
      TestAnswer *answer;
      gulong handler;

      handler = g_signal_connect (self->worker, "progress", G_CALLBACK (progress_cb), &heard);
      answer = test_answer_call (self->worker, test_case_function (self, "progress"),
                                 g_variant_new ("(ds)", fractions[i].said, ""), MALT_TIMEOUT_NONE, NULL);
      g_variant_unref (test_answer_wait (answer, &error));
      g_assert_no_error (error);
      assert_heard (&heard, fractions[i].heard, "");
      g_signal_handler_disconnect (self->worker, handler);
    }
}

static void
test_long_text (TestCase *self)
{
  g_autofree char *text = g_strnfill (100000, 'x');
  g_autoptr (GError) error = NULL;
  g_auto (Heard) heard = { 0 };
  TestAnswer *answer;

  g_signal_connect (self->worker, "progress", G_CALLBACK (progress_cb), &heard);
  answer = test_answer_call (self->worker, test_case_function (self, "progress"),
                             g_variant_new ("(ds)", 0.5, text), MALT_TIMEOUT_NONE, NULL);
  g_variant_unref (test_answer_wait (answer, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (heard.n, ==, 1);
  test_assert_match (heard.text, "xxx*… (* bytes more)");
  g_assert_cmpuint (strlen (heard.text), <, 17000);
}

int
main (int argc, char **argv)
{
  test_case_init (&argc, &argv, "progress");

  test_case_add ("blocking", TEST_NEEDS_PROGRESS, test_blocking);
  test_case_add ("unheard", TEST_NEEDS_PROGRESS, test_unheard);
  test_case_add ("asynchronous", TEST_NEEDS_PROGRESS, test_asynchronous);
  test_case_add ("flood", TEST_NEEDS_PROGRESS, test_flood);
  test_case_add ("fractions", TEST_NEEDS_PROGRESS, test_fractions);
  test_case_add ("long-text", TEST_NEEDS_PROGRESS, test_long_text);

  return g_test_run ();
}
