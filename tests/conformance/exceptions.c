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

  test_assert_value (test_case_eval (self, test_case_source (self,
                                                             "def deep (n):\n"
                                                             "  if n == 0: raise ValueError ('bad value')\n"
                                                             "  deep (n - 1)",
                                                             "class ValueError extends Error {}\n"
                                                             "function deep (n) {\n"
                                                             "  if (n === 0) throw new ValueError ('bad value')\n"
                                                             "  deep (n - 1)\n"
                                                             "}")),
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
  test_assert_match (traceback, test_case_source (self, "*Traceback*in deep*in deep*in deep*in deep*ValueError: bad value*",
                                                  "ValueError: bad value\n*deep@*:3:*\ndeep@*:4:*\ndeep@*:4:*\ndeep@*:4:*"));
  g_assert_cmpstr (worker, ==, name);
  test_assert_error (error, MALT_ERROR, MALT_ERROR_REMOTE, "Remote exception from *ValueError: bad value*");
}

static void
test_chained (TestCase *self)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *traceback = NULL;

  error = eval_error (self, test_case_source (self,
                                              "try:\n"
                                              "  1 // 0\n"
                                              "except ZeroDivisionError as e:\n"
                                              "  raise RuntimeError ('outer') from e",
                                              "try {\n"
                                              "  1n / 0n\n"
                                              "} catch (cause) {\n"
                                              "  throw new EvalError ('outer', {cause})\n"
                                              "}"));
  traceback = malt_remote_error_dup_traceback (error);
  test_assert_match (traceback, test_case_source (self, "*ZeroDivisionError*direct cause*RuntimeError: outer*",
                                                  "EvalError: outer*Caused by: RangeError: BigInt division by zero*"));
  test_assert_error (error, MALT_ERROR, MALT_ERROR_REMOTE, "*Error: outer*");
}

/* Exceptions of every ugly kind: source, type, and what the error says. */
typedef struct
{
  const char *source;
  const char *type;
  const char *pattern;
} Kind;

static const Kind python_kinds[] = {
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
  { NULL, NULL, NULL },
};

static const Kind javascript_kinds[] = {
  { "throw new malt.InterruptedError ('by hand')", "InterruptedError", "*InterruptedError*by hand*" },
  { "(function f () { f () }) ()", "InternalError", "*InternalError*too much recursion*" },
  { "class Mute extends Error { get message () { throw 1 } }\n"
    "throw new Mute", "Mute", "*Mute*" },
  { "throw Object.assign (new Error ('named'), { name: 7 })", "", "*named*" },
  { "throw new RangeError ('\\udc80 is no text')", "RangeError", "*RangeError*is no text*" },
  { "throw new RangeError ('with \\0 inside')", "RangeError", "*RangeError*with*" },
  { "throw 7", "number", "*number*7*" },
  { "throw null", "null", "*null*" },
  { "throw undefined", "undefined", "*undefined*" },
  { "throw Symbol ('sign')", "symbol", "*symbol*" },
  { "throw Object.create (null)", "Object", "*no text*" },
  { "throw new Proxy ({}, { get () { throw 1 }, getPrototypeOf () { throw 1 } })", "", "*" },
  { "throw function f () {}", "", "*" },
  { "undefined_name", "ReferenceError", "*ReferenceError*undefined_name*" },
  { "await import ('no_such_module_at_all')", "", "*no_such_module_at_all*" },
  { "throw new AggregateError ([new Error (1), new TypeError (2)], 'two')", "AggregateError", "*two*" },
  { "imports.gi.Gio.File.new_for_path ('/no/such').load_contents (null)", "Gio.IOErrorEnum", "*/no/such*" },
  { NULL, NULL, NULL },
};

/* Each, behind what comes before it. */
static void
throw_kinds (TestCase   *self,
             const char *before)
{
  const Kind *kind;

  for (kind = test_case_is (self, "gjs") ? javascript_kinds : python_kinds; kind->source != NULL; kind++)
    {
      g_autofree char *source = g_strconcat (before, kind->source, NULL);
      g_autoptr (GError) error = eval_error (self, source);
      g_autofree char *type = malt_remote_error_dup_type (error);

      g_test_message ("%s: %s", source, error->message);
      test_assert_match (error->message, kind->pattern);
      g_assert_error (error, MALT_ERROR, MALT_ERROR_REMOTE);
      g_assert_true (g_str_has_suffix (type, kind->type));
      test_case_assert_usable (self);
    }
}

static void
test_kinds (TestCase *self)
{
  throw_kinds (self, "");
}

/* The same exceptions out of coroutines. */
static void
test_kinds_in_coroutines (TestCase *self)
{
  throw_kinds (self, test_case_source (self, "import asyncio\nawait asyncio.sleep (0)\n", "await null;\n"));
}

/* A text of absurd size is cut where it has to cross, and says how much is missing. */
static void
test_large_text (TestCase *self)
{
  g_autoptr (GError) error = eval_error (self, test_case_source (self, "raise ValueError ('x' * 10_000_000)",
                                                                "throw new RangeError ('x'.repeat (10_000_000))"));

  if (test_case_is (self, "process"))
    {
      g_assert_cmpuint (strlen (error->message), <, 100 * 1024);
      test_assert_match (error->message, "*bytes more)*");
    }
  test_assert_error (error, MALT_ERROR, MALT_ERROR_REMOTE, "*Error: xxxxx*");
  test_case_assert_usable (self);
}

static void
test_returned (TestCase *self)
{
  g_autoptr (GError) error = eval_error (self, test_case_source (self, "ValueError ('not raised')",
                                                                "new TypeError ('not thrown')"));

  test_assert_error (error, MALT_ERROR, MALT_ERROR_SERIALIZATION, "*Error*");
  test_case_assert_usable (self);
}

/* Values without a form in which they could cross. */
static void
test_unconvertible (TestCase *self)
{
  static const struct
  {
    const char *python;
    const char *javascript;
    const char *pattern;
  } values[] = {
    { "lambda: 1", "() => 1", "*function*" },
    { "object ()", "new WeakMap", "*object*" },
    { "[1, object ()]", "[1, new WeakMap]", "*object*" },
    { "{'a': {'b': object ()}}", "({ a: { b: new WeakMap } })", "*object*" },
    { "2 ** 70", "2n ** 70n", "*" },
    { "'\\ud800'", "'\\ud800'", "*" },
    { "'a\\0b'", "'a\\0b'", "*" },
    { "a = []; a.append (a); a", "const a = []; a.push (a); a", "*" },
  };
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (values); i++)
    {
      const char *source = test_case_source (self, values[i].python, values[i].javascript);
      GError *error = eval_error (self, source);

      g_test_message ("%s: %s", source, error->message);
      test_assert_error (error, MALT_ERROR, MALT_ERROR_SERIALIZATION, values[i].pattern);
      test_case_assert_usable (self);
    }
}

/* Whoever does not want the value does not care whether it could cross. */
static void
test_unconvertible_unwanted (TestCase *self)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (malt_worker_remote_eval_wait (self->worker, NULL,
                                               test_case_source (self, "lambda: 1", "() => 1"),
                                               MALT_TIMEOUT_DEFAULT, NULL, &error));
  g_assert_no_error (error);
  g_assert_true (malt_worker_remote_call_wait (self->worker, test_case_source (self, "builtins.object", "Symbol"), NULL, NULL,
                                               MALT_TIMEOUT_DEFAULT, NULL, &error));
  g_assert_no_error (error);
  test_case_assert_usable (self);
}

static void
test_during_conversion (TestCase *self)
{
  g_autoptr (GError) error = NULL;

  error = eval_error (self, test_case_source (self,
                                              "class Trap (dict):\n"
                                              "  def items (self): raise ValueError ('trapped')\n"
                                              "  def keys (self): raise ValueError ('trapped')\n"
                                              "  def __iter__ (self): raise ValueError ('trapped')\n"
                                              "Trap (a = object ())",
                                              "new Proxy ({}, {\n"
                                              "  get () { throw new TypeError ('trapped') },\n"
                                              "  ownKeys () { throw new TypeError ('trapped') },\n"
                                              "})"));
  g_assert_true (error->domain == MALT_ERROR);
  test_case_assert_usable (self);
}

int
main (int argc, char **argv)
{
  test_case_init (&argc, &argv, "exceptions");

  test_case_add ("failure", TEST_NEEDS_NOTHING, test_failure);
  test_case_add ("failure-of-do", TEST_NEEDS_NOTHING, test_failure_of_do);
  test_case_add ("parts", TEST_NEEDS_EXCEPTIONS, test_parts);
  test_case_add ("chained", TEST_NEEDS_EXCEPTIONS, test_chained);
  test_case_add ("kinds", TEST_NEEDS_EXCEPTIONS, test_kinds);
  test_case_add ("kinds-in-coroutines", TEST_NEEDS_EXCEPTIONS, test_kinds_in_coroutines);
  test_case_add ("large-text", TEST_NEEDS_EXCEPTIONS, test_large_text);
  test_case_add ("returned", TEST_NEEDS_CONVERSION, test_returned);
  test_case_add ("unconvertible", TEST_NEEDS_CONVERSION, test_unconvertible);
  test_case_add ("unconvertible-unwanted", TEST_NEEDS_CONVERSION | TEST_NEEDS_UNWANTED, test_unconvertible_unwanted);
  test_case_add ("during-conversion", TEST_NEEDS_CONVERSION, test_during_conversion);

  return g_test_run ();
}
