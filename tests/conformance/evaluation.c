/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <malt.h>

#include "test-answer.h"
#include "test-asserts.h"
#include "test-case.h"

/* Source that a worker evaluates. */

static GVariant *
eval_in (TestCase   *self,
         const char *module,
         const char *source)
{
  g_autoptr (GError) error = NULL;
  GVariant *value;

  value = malt_worker_remote_eval_fetch (self->worker, module, source, MALT_TIMEOUT_DEFAULT, NULL,
                                         &error);
  g_assert_no_error (error);
  return value;
}

static void
test_value (TestCase *self)
{
  test_assert_value (test_case_eval (self, "1 + 1"), "int64 2");
  test_assert_value (test_case_eval (self, test_case_source (self, "a = 20\nb = 22\na + b", "let a = 20\nconst b = 22\na + b")), "int64 42");
}

static void
test_no_value (TestCase *self)
{
  static const char * const sources[][2] = {
    { "a = 1", "let a = 1" },
    { "", "" },
    { "# nothing at all", "// nothing at all" },
    { "None", "null" },
    { "None", "undefined" },
  };
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (sources); i++)
    test_assert_value (test_case_eval (self, test_case_source (self, sources[i][0], sources[i][1])), "@mv nothing");
}

static void
test_wait (TestCase *self)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (malt_worker_remote_eval_wait (self->worker, NULL, "answer = 42",
                                               MALT_TIMEOUT_DEFAULT, NULL, &error));
  g_assert_no_error (error);
  test_assert_value (test_case_eval (self, "answer"), "int64 42");
}

static void
test_async (TestCase *self)
{
  g_autoptr (GError) error = NULL;
  TestAnswer *answer = test_answer_eval (self->worker, NULL, "6 * 7", MALT_TIMEOUT_DEFAULT, NULL);

  test_assert_value (test_answer_wait (answer, &error), "int64 42");
  g_assert_no_error (error);
}

static void
test_state (TestCase *self)
{
  test_assert_value (test_case_eval (self, test_case_source (self, "import math\ndef square (x): return x * x",
                                                             "const math = Math; function square (x) { return x * x }")),
                     "@mv nothing");
  test_assert_value (test_case_eval (self, "square (math.floor (9.5))"), "int64 81");
}

static void
test_module (TestCase *self)
{
  test_assert_value (eval_in (self, "conformance_module", test_case_source (self, "value = 'there'", "let value = 'there'")),
                     "@mv nothing");
  test_assert_value (eval_in (self, NULL, test_case_source (self, "value = 'here'", "let value = 'here'")),
                     "@mv nothing");
  test_assert_value (eval_in (self, "conformance_module", "value"), "'there'");
  test_assert_value (eval_in (self, NULL, "value"), "'here'");
  if (test_case_is (self, "python"))
    {
      test_assert_value (eval_in (self, "conformance_module", "__name__"), "'conformance_module'");
      test_assert_value (eval_in (self, NULL, "import conformance_module as m; m.value"), "'there'");
    }
}

static void
test_call_what_was_evaluated (TestCase *self)
{
  g_autoptr (GError) error = NULL;
  GVariant *value;

  test_assert_value (eval_in (self, "made_here", test_case_source (self, "def twice (x): return 2 * x",
                                                                   "function twice (x) { return 2 * x }")),
                     "@mv nothing");
  value = malt_worker_remote_call_fetch (self->worker, "made_here.twice",
                                         g_variant_new ("(x)", G_GINT64_CONSTANT (21)), NULL,
                                         MALT_TIMEOUT_DEFAULT, NULL, &error);
  g_assert_no_error (error);
  test_assert_value (value, "int64 42");
}

static void
test_syntax_error (TestCase *self)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *type = NULL;

  g_assert_null (malt_worker_remote_eval_fetch (self->worker, NULL, "1 +", MALT_TIMEOUT_DEFAULT,
                                                NULL, &error));
  type = malt_remote_error_dup_type (error);
  g_assert_cmpstr (type, ==, "SyntaxError");
  test_assert_error (error, MALT_ERROR, MALT_ERROR_REMOTE, "*SyntaxError*");
  test_case_assert_usable (self);
}

static void
test_await (TestCase *self)
{
  test_assert_value (test_case_eval (self, test_case_source (self, "import asyncio\nawait asyncio.sleep (0.01, 'woke')",
                                                             "await new Promise (r => setTimeout (r, 10, 'woke'))")),
                     "'woke'");
  /* Evaluations share a name space, awaiting ones too. */
  test_assert_value (test_case_eval (self, test_case_source (self, "slept = await asyncio.sleep (0.01, 5)",
                                                             "const slept = await new Promise (r => setTimeout (r, 10, 5))")),
                     "@mv nothing");
  test_assert_value (test_case_eval (self, "slept"), "int64 5");
}

static void
test_large_source (TestCase *self)
{
  g_autoptr (GString) source = g_string_new (test_case_source (self, "text = '''", "var text = `"));
  gsize i;

  for (i = 0; i < 100000; i++)
    g_string_append (source, "0123456789\n");
  g_string_append (source, test_case_source (self, "'''\nlen (text)", "`\ntext.length"));

  test_assert_value (test_case_eval (self, source->str), "int64 1100000");
}

/* The copy does not answer, nor take requests, in the worker's place. */
static void
test_fork (TestCase *self)
{
  g_autoptr (GError) error = NULL;
  guint i;

  test_assert_value (test_case_eval (self, "import os, time\npid = os.fork()\npid > 0"), "true");
  for (i = 0; i < 20; i++)
    test_case_assert_usable (self);
  test_assert_value (test_case_eval (self, "os.WEXITSTATUS(os.waitpid(pid, 0)[1])"), "int64 1");

  g_assert_true (malt_worker_remote_do (self->worker, "os.fork", NULL, NULL, &error));
  g_assert_no_error (error);
  for (i = 0; i < 20; i++)
    test_case_assert_usable (self);
  test_assert_value (test_case_eval (self, "os.WEXITSTATUS(os.wait()[1])"), "int64 1");
}

static void
test_not_supported (TestCase *self)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *name = malt_worker_dup_name (self->worker);
  g_autofree char *pattern = g_strdup_printf ("*%s*eval*", name);
  TestAnswer *answer;

  g_assert_null (malt_worker_remote_eval_fetch (self->worker, NULL, "1 + 1", MALT_TIMEOUT_DEFAULT,
                                                NULL, &error));
  test_assert_error (error, MALT_ERROR, MALT_ERROR_NOT_SUPPORTED, pattern);

  answer = test_answer_eval (self->worker, "module", "1 + 1", MALT_TIMEOUT_DEFAULT, NULL);
  g_assert_null (test_answer_wait (answer, &error));
  test_assert_error (error, MALT_ERROR, MALT_ERROR_NOT_SUPPORTED, pattern);

  test_case_assert_usable (self);
}

int
main (int argc, char **argv)
{
  test_case_init (&argc, &argv, "evaluation");

  test_case_add ("value", TEST_NEEDS_EVAL, test_value);
  test_case_add ("no-value", TEST_NEEDS_EVAL, test_no_value);
  test_case_add ("wait", TEST_NEEDS_EVAL, test_wait);
  test_case_add ("async", TEST_NEEDS_EVAL, test_async);
  test_case_add ("state", TEST_NEEDS_EVAL, test_state);
  test_case_add ("module", TEST_NEEDS_EVAL, test_module);
  test_case_add ("call-what-was-evaluated", TEST_NEEDS_EVAL, test_call_what_was_evaluated);
  test_case_add ("syntax-error", TEST_NEEDS_EVAL, test_syntax_error);
  test_case_add ("await", TEST_NEEDS_EVAL, test_await);
  test_case_add ("large-source", TEST_NEEDS_EVAL, test_large_source);
  test_case_add ("fork", TEST_NEEDS_EVAL | TEST_NEEDS_PROCESS | TEST_NEEDS_FORK, test_fork);
  test_case_add ("not-supported", TEST_NEEDS_NO_EVAL, test_not_supported);

  return g_test_run ();
}
