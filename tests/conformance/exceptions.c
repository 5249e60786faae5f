/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <malt.h>

#include "test-answer.h"
#include "test-asserts.h"
#include "test-case.h"

/* What goes wrong in a worker's code arrives as an error, and nothing else happens. */

/* Evaluates what has to fail. */
static GError *
eval_error (TestCase   *self,
            const char *source)
{
  GError *error = NULL;

  g_assert_null (malt_worker_remote_eval_fetch (self->worker, NULL, source, MALT_TIMEOUT_DEFAULT,
                                                NULL, &error));
  g_assert_nonnull (error);
  return error;
}

static void
test_failure (TestCase *self)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *name = malt_worker_dup_name (self->worker);
  g_autofree char *pattern = g_strdup_printf ("*%s*bad weather*", name);
  const char *fail = test_case_function (self, "fail");
  TestAnswer *answer;

  g_assert_null (malt_worker_remote_call_fetch (self->worker, fail,
                                                g_variant_new ("(s)", "bad weather"), NULL,
                                                MALT_TIMEOUT_DEFAULT, NULL, &error));
  test_assert_error (error, MALT_ERROR, MALT_ERROR_REMOTE, pattern);

  g_assert_false (malt_worker_remote_call_wait (self->worker, fail,
                                                g_variant_new ("(s)", "bad weather"), NULL,
                                                MALT_TIMEOUT_DEFAULT, NULL, &error));
  test_assert_error (error, MALT_ERROR, MALT_ERROR_REMOTE, pattern);

  answer = test_answer_call (self->worker, fail, g_variant_new ("(s)", "bad weather"),
                             MALT_TIMEOUT_DEFAULT, NULL);
  g_assert_null (test_answer_wait (answer, &error));
  test_assert_error (error, MALT_ERROR, MALT_ERROR_REMOTE, pattern);

  test_case_assert_usable (self);
}

/* Nobody waits for it, so nobody hears of it but the worker's log. */
static void
test_failure_of_do (TestCase *self)
{
  g_autoptr (GError) error = NULL;
  gboolean sent;

  sent = malt_worker_remote_do (self->worker, test_case_function (self, "fail"),
                                g_variant_new ("(s)", "bad weather"), NULL, &error);
  g_assert_no_error (error);
  g_assert_true (sent);
  test_case_assert_usable (self);
}

static void
test_parts (TestCase *self)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GError) copy = NULL;
  g_autofree char *type = NULL, *message = NULL, *traceback = NULL, *worker = NULL, *name = NULL;

  test_assert_value (test_case_eval (self, "def deep (n):\n"
                                           "  if n == 0: raise ValueError ('bad value')\n"
                                           "  deep (n - 1)"),
                     "@mv nothing");
  error = eval_error (self, "deep (3)");
  copy = g_error_copy (error);

  type = malt_remote_error_dup_type (copy);
  message = malt_remote_error_dup_message (copy);
  traceback = malt_remote_error_dup_traceback (copy);
  worker = malt_remote_error_dup_worker (copy);
  name = malt_worker_dup_name (self->worker);

  g_assert_cmpstr (type, ==, "ValueError");
  g_assert_cmpstr (message, ==, "bad value");
  test_assert_match (traceback, "*Traceback*in deep*in deep*in deep*in deep*ValueError: bad value*");
  g_assert_cmpstr (worker, ==, name);
  test_assert_error (error, MALT_ERROR, MALT_ERROR_REMOTE, "Remote exception from *ValueError: bad value*");
}

static void
test_chained (TestCase *self)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *traceback = NULL;

  error = eval_error (self, "try:\n"
                            "  1 // 0\n"
                            "except ZeroDivisionError as e:\n"
                            "  raise RuntimeError ('outer') from e");
  traceback = malt_remote_error_dup_traceback (error);
  test_assert_match (traceback, "*ZeroDivisionError*direct cause*RuntimeError: outer*");
  test_assert_error (error, MALT_ERROR, MALT_ERROR_REMOTE, "*RuntimeError: outer*");
}

/* Exceptions of every ugly kind: source, type, and what the error says. */
static const struct
{
  const char *source;
  const char *type;
  const char *pattern;
} kinds[] = {
  { "raise SystemExit (3)", "SystemExit", "*SystemExit*3*" },
  { "import sys; sys.exit ('gone')", "SystemExit", "*SystemExit*gone*" },
  { "raise KeyboardInterrupt ('by hand')", "KeyboardInterrupt", "*KeyboardInterrupt*by hand*" },
  { "raise GeneratorExit", "GeneratorExit", "*GeneratorExit*" },
  { "def f (): return f ()\nf ()", "RecursionError", "*RecursionError*recursion depth*" },
  { "class Mute (Exception):\n"
    "  def __str__ (self): raise ValueError ('no text')\n"
    "raise Mute", "Mute", "*Mute*" },
  { "class Wrong (Exception):\n"
    "  def __str__ (self): return 7\n"
    "raise Wrong", "Wrong", "*Wrong*" },
  { "raise ValueError ('\\udc80 is no text')", "ValueError", "*ValueError*is no text*" },
  { "raise ValueError ('with \\0 inside')", "ValueError", "*ValueError*with*" },
  { "raise 7", "TypeError", "*TypeError*exceptions must derive*" },
  { "undefined_name", "NameError", "*NameError*undefined_name*" },
  { "import no_such_module_at_all", "ModuleNotFoundError", "*no_such_module_at_all*" },
  { "raise ExceptionGroup ('two', [ValueError (1), TypeError (2)])", "ExceptionGroup", "*two*" },
  { "import asyncio\nraise asyncio.CancelledError", "CancelledError", "*CancelledError*" },
};

static void
test_kinds (TestCase *self)
{
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (kinds); i++)
    {
      g_autoptr (GError) error = eval_error (self, kinds[i].source);
      g_autofree char *type = malt_remote_error_dup_type (error);

      g_test_message ("%s: %s", kinds[i].source, error->message);
      test_assert_match (error->message, kinds[i].pattern);
      if (g_error_matches (error, MALT_ERROR, MALT_ERROR_REMOTE))
        g_assert_true (g_str_has_suffix (type, kinds[i].type));
      else
        g_assert_error (error, MALT_ERROR, MALT_ERROR_REMOTE);
      test_case_assert_usable (self);
    }
}

/* The same exceptions out of coroutines. */
static void
test_kinds_in_coroutines (TestCase *self)
{
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (kinds); i++)
    {
      g_autofree char *source = NULL;
      g_autoptr (GError) error = NULL;

      source = g_strdup_printf ("import asyncio\nawait asyncio.sleep (0)\n%s", kinds[i].source);
      error = eval_error (self, source);
      g_test_message ("%s: %s", source, error->message);
      test_assert_match (error->message, kinds[i].pattern);
      test_case_assert_usable (self);
    }
}

/* A text of absurd size is cut where it has to cross, and says how much is missing. */
static void
test_large_text (TestCase *self)
{
  g_autoptr (GError) error = eval_error (self, "raise ValueError ('x' * 10_000_000)");

  if (test_case_is (self, "process"))
    {
      g_assert_cmpuint (strlen (error->message), <, 100 * 1024);
      test_assert_match (error->message, "*bytes more)*");
    }
  test_assert_error (error, MALT_ERROR, MALT_ERROR_REMOTE, "*ValueError: xxxxx*");
  test_case_assert_usable (self);
}

static void
test_returned (TestCase *self)
{
  g_autoptr (GError) error = eval_error (self, "ValueError ('not raised')");

  test_assert_error (error, MALT_ERROR, MALT_ERROR_SERIALIZATION, "*ValueError*");
  test_case_assert_usable (self);
}

/* Values without a form in which they could cross. */
static void
test_unconvertible (TestCase *self)
{
  static const struct
  {
    const char *source;
    const char *pattern;
  } values[] = {
    { "lambda: 1", "*function*" },
    { "object ()", "*object*" },
    { "[1, object ()]", "*object*" },
    { "{'a': {'b': object ()}}", "*object*" },
    { "2 ** 70", "*" },
    { "'\\ud800'", "*" },
    { "'a\\0b'", "*" },
    { "a = []; a.append (a); a", "*" },
  };
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (values); i++)
    {
      GError *error = eval_error (self, values[i].source);

      g_test_message ("%s: %s", values[i].source, error->message);
      test_assert_error (error, MALT_ERROR, MALT_ERROR_SERIALIZATION, values[i].pattern);
      test_case_assert_usable (self);
    }
}

/* Whoever does not want the value does not care whether it could cross. */
static void
test_unconvertible_unwanted (TestCase *self)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (malt_worker_remote_eval_wait (self->worker, NULL, "lambda: 1",
                                               MALT_TIMEOUT_DEFAULT, NULL, &error));
  g_assert_no_error (error);
  g_assert_true (malt_worker_remote_call_wait (self->worker, "builtins.object", NULL, NULL,
                                               MALT_TIMEOUT_DEFAULT, NULL, &error));
  g_assert_no_error (error);
  test_case_assert_usable (self);
}

static void
test_during_conversion (TestCase *self)
{
  g_autoptr (GError) error = NULL;

  error = eval_error (self, "class Trap (dict):\n"
                            "  def items (self): raise ValueError ('trapped')\n"
                            "  def keys (self): raise ValueError ('trapped')\n"
                            "  def __iter__ (self): raise ValueError ('trapped')\n"
                            "Trap (a = object ())");
  g_assert_true (error->domain == MALT_ERROR);
  test_case_assert_usable (self);
}

int
main (int argc, char **argv)
{
  test_case_init (&argc, &argv, "exceptions");

  test_case_add ("failure", TEST_NEEDS_NOTHING, test_failure);
  test_case_add ("failure-of-do", TEST_NEEDS_NOTHING, test_failure_of_do);
  test_case_add ("parts", TEST_NEEDS_EXCEPTIONS | TEST_NEEDS_PYTHON, test_parts);
  test_case_add ("chained", TEST_NEEDS_EXCEPTIONS | TEST_NEEDS_PYTHON, test_chained);
  test_case_add ("kinds", TEST_NEEDS_EXCEPTIONS | TEST_NEEDS_PYTHON, test_kinds);
  test_case_add ("kinds-in-coroutines", TEST_NEEDS_EXCEPTIONS | TEST_NEEDS_PYTHON, test_kinds_in_coroutines);
  test_case_add ("large-text", TEST_NEEDS_EXCEPTIONS | TEST_NEEDS_PYTHON, test_large_text);
  test_case_add ("returned", TEST_NEEDS_CONVERSION | TEST_NEEDS_PYTHON, test_returned);
  test_case_add ("unconvertible", TEST_NEEDS_CONVERSION | TEST_NEEDS_PYTHON, test_unconvertible);
  test_case_add ("unconvertible-unwanted", TEST_NEEDS_CONVERSION | TEST_NEEDS_PYTHON | TEST_NEEDS_UNWANTED, test_unconvertible_unwanted);
  test_case_add ("during-conversion", TEST_NEEDS_CONVERSION | TEST_NEEDS_PYTHON, test_during_conversion);

  return g_test_run ();
}
