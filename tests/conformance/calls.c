/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <malt.h>

#include "test-answer.h"
#include "test-asserts.h"
#include "test-case.h"

/* The calling functions, and what they promise about order and values. */

static GVariant *
two (gint64 a,
     gint64 b)
{
  return g_variant_new ("(xx)", a, b);
}

static void
test_fetch (TestCase *self)
{
  test_assert_value (test_case_call (self, "add", two (2, 3)), "int64 5");
  test_assert_value (test_case_call (self, "echo", g_variant_new ("(s)", "grün")), "'grün'");
}

static void
test_wait (TestCase *self)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (malt_worker_remote_call_wait (self->worker, test_case_function (self, "add"),
                                               two (2, 3), NULL, MALT_TIMEOUT_DEFAULT, NULL,
                                               &error));
  g_assert_no_error (error);
}

static void
test_async (TestCase *self)
{
  g_autoptr (GError) error = NULL;
  TestAnswer *answer;

  answer = test_answer_call (self->worker, test_case_function (self, "add"), two (2, 3),
                             MALT_TIMEOUT_DEFAULT, NULL);
  test_assert_value (test_answer_wait (answer, &error), "int64 5");
  g_assert_no_error (error);
}

/* Nobody waits for it, but what is called next sees what it did. */
static void
test_do (TestCase *self)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (malt_worker_remote_do (self->worker, test_case_function (self, "put"),
                                        g_variant_new ("(x)", G_GINT64_CONSTANT (17)), NULL,
                                        &error));
  g_assert_no_error (error);
  test_assert_value (test_case_call (self, "get", NULL), "int64 17");
}

static void
test_nothing (TestCase *self)
{
  test_assert_value (test_case_call (self, "nothing", NULL), "@mv nothing");
}

static void
test_keywords (TestCase *self)
{
  g_autoptr (GError) error = NULL;
  GVariant *value;
  GVariantBuilder keywords;

  g_variant_builder_init (&keywords, G_VARIANT_TYPE_VARDICT);
  g_variant_builder_add (&keywords, "{sv}", "b", g_variant_new_int64 (2));
  g_variant_builder_add (&keywords, "{sv}", "a", g_variant_new_int64 (44));

  value = malt_worker_remote_call_fetch (self->worker, test_case_function (self, "subtract"), NULL,
                                         g_variant_builder_end (&keywords), MALT_TIMEOUT_DEFAULT,
                                         NULL, &error);
  g_assert_no_error (error);
  test_assert_value (value, "int64 42");
}

/* Both kinds of reference to the arguments are right. */
static void
test_references (TestCase *self)
{
  g_autoptr (GVariant) arguments = g_variant_ref_sink (two (20, 22));

  test_assert_value (test_case_call (self, "add", arguments), "int64 42");
  test_assert_value (test_case_call (self, "add", arguments), "int64 42");
}

static void
test_in_order (TestCase *self)
{
  g_autoptr (GError) error = NULL;
  TestAnswer *answers[1000];
  guint last = 0;
  gint64 i;

  for (i = 0; i < (gint64) G_N_ELEMENTS (answers); i++)
    answers[i] = test_answer_call (self->worker, test_case_function (self, "add"), two (i, 1000),
                                   MALT_TIMEOUT_DEFAULT, NULL);

  for (i = 0; i < (gint64) G_N_ELEMENTS (answers); i++)
    {
      g_autofree char *expected = g_strdup_printf ("int64 %" G_GINT64_FORMAT, i + 1000);

      while (!test_answer_is_there (answers[i]))
        g_main_context_iteration (NULL, TRUE);
      g_assert_cmpuint (test_answer_get_serial (answers[i]), >, last);
      last = test_answer_get_serial (answers[i]);
      test_assert_value (test_answer_wait (answers[i], &error), expected);
      g_assert_no_error (error);
    }
}

static void
test_large (TestCase *self)
{
  gsize size = 20 * 1024 * 1024 + 3, n, i;
  guint8 *bytes = g_malloc (size);
  g_autoptr (GVariant) back = NULL;
  GVariant *value;
  const guint8 *data;

  for (i = 0; i < size; i++)
    bytes[i] = (guint8) (i * 7 + i / 251);

  value = g_variant_new_from_data (G_VARIANT_TYPE_BYTESTRING, bytes, size, TRUE, NULL, NULL);
  back = test_case_call (self, "echo", g_variant_new_tuple (&value, 1));
  g_assert_true (g_variant_is_of_type (back, G_VARIANT_TYPE_BYTESTRING));
  data = g_variant_get_fixed_array (back, &n, 1);
  g_assert_cmpmem (data, n, bytes, size);
  g_free (bytes);
}

/* A call that takes its time does not block the thread that made it. */
static void
test_responsive (TestCase *self)
{
  g_autoptr (GError) error = NULL;
  TestAnswer *answer;

  answer = test_answer_call (self->worker, test_case_function (self, "sleep"),
                             g_variant_new ("(x)", G_GINT64_CONSTANT (100)), MALT_TIMEOUT_NONE,
                             NULL);
  g_assert_false (test_answer_is_there (answer));
  test_assert_value (test_answer_wait (answer, &error), "@mv nothing");
  g_assert_no_error (error);
}

static gboolean
count_cb (gpointer user_data)
{
  (*(guint *) user_data)++;
  return G_SOURCE_CONTINUE;
}

/* A blocking call runs nothing of the caller's main context. */
static void
test_blocking_runs_no_loop (TestCase *self)
{
  guint n_runs = 0;
  guint source_id = g_idle_add (count_cb, &n_runs);

  test_assert_value (test_case_call (self, "sleep", g_variant_new ("(x)", G_GINT64_CONSTANT (20))),
                     "@mv nothing");
  g_assert_cmpuint (n_runs, ==, 0);
  g_source_remove (source_id);
}

/* Blocking and asynchronous calls of one thread do not get into each other's way. */
static void
test_blocking_between_async (TestCase *self)
{
  g_autoptr (GError) error = NULL;
  TestAnswer *before, *after;

  before = test_answer_call (self->worker, test_case_function (self, "add"), two (1, 1),
                             MALT_TIMEOUT_DEFAULT, NULL);
  test_assert_value (test_case_call (self, "add", two (2, 2)), "int64 4");
  after = test_answer_call (self->worker, test_case_function (self, "add"), two (3, 3),
                            MALT_TIMEOUT_DEFAULT, NULL);

  test_assert_value (test_answer_wait (before, &error), "int64 2");
  g_assert_no_error (error);
  test_assert_value (test_answer_wait (after, &error), "int64 6");
  g_assert_no_error (error);
}

int
main (int argc, char **argv)
{
  test_case_init (&argc, &argv, "calls");

  test_case_add ("fetch", TEST_NEEDS_NOTHING, test_fetch);
  test_case_add ("wait", TEST_NEEDS_NOTHING, test_wait);
  test_case_add ("async", TEST_NEEDS_NOTHING, test_async);
  test_case_add ("do", TEST_NEEDS_NOTHING, test_do);
  test_case_add ("nothing", TEST_NEEDS_NOTHING, test_nothing);
  test_case_add ("keywords", TEST_NEEDS_KEYWORDS, test_keywords);
  test_case_add ("references", TEST_NEEDS_NOTHING, test_references);
  test_case_add ("in-order", TEST_NEEDS_NOTHING, test_in_order);
  test_case_add ("large", TEST_NEEDS_NOTHING, test_large);
  test_case_add ("responsive", TEST_NEEDS_NOTHING, test_responsive);
  test_case_add ("blocking-runs-no-loop", TEST_NEEDS_NOTHING, test_blocking_runs_no_loop);
  test_case_add ("blocking-between-async", TEST_NEEDS_NOTHING, test_blocking_between_async);

  return g_test_run ();
}
