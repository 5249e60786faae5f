/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test-abilities.h"

#include "test-watchdog.h"

/* The workers that the conformance suite runs over. */
const TestVariant test_variants[] = {
  { "process/native",   "process",   "native" },
  { "process/python",   "process",   "python" },
  { "process/gjs",      "process",   "gjs" },
  { "inprocess/native", "inprocess", "native" },
  { "inprocess/python", "inprocess", "python" },
  { "inprocess/gjs",    "inprocess", "gjs" },
  { "mock",             "mock",      NULL },
  { "python-backend",   "thread",    "python" },
  { "gjs-backend/native", "collecting", "native" },
  { "gjs-backend/python", "collecting", "python" },
  { "gjs-backend/gjs",  "collecting", "gjs" },
};

const gsize test_n_variants = G_N_ELEMENTS (test_variants);

/* What a variant cannot do, and why: the only place where it is written.  A test
 * that needs it is skipped with the reason. */
static const struct
{
  const char *backend; /* NULL: any */
  const char *runtime; /* NULL: any */
  TestNeeds   what;
  const char *reason;
} cannot[] = {
  { "mock", NULL, TEST_NEEDS_EVAL, "the mock has no language" },
  { "mock", NULL, TEST_NEEDS_PROCESS, "the mock has no process" },
  { "mock", NULL, TEST_NEEDS_BREAKABLE, "the mock runs no code that could be broken off" },
  { "mock", NULL, TEST_NEEDS_WAKEABLE, "the mock runs no code that could be broken off" },
  { "mock", NULL, TEST_NEEDS_QUEUE, "the mock answers each request on its own" },
  { "mock", NULL, TEST_NEEDS_EXCEPTIONS, "the mock has no exceptions" },
  { "mock", NULL, TEST_NEEDS_KEYWORDS, "the mock's functions take no keyword arguments" },
  { "mock", NULL, TEST_NEEDS_CONVERSION, "the mock has no language" },
  { "mock", NULL, TEST_NEEDS_RUNTIME, "the mock has no runtime" },
  { "mock", NULL, TEST_NEEDS_NESTING, "the mock runs no code" },
  { "mock", NULL, TEST_NEEDS_HOST | TEST_NEEDS_PROGRESS, "the mock runs no code" },
  { "mock", NULL, TEST_NEEDS_CHANNELS, "the mock has no channels" },
  { "thread", NULL, TEST_NEEDS_PROCESS, "the worker is a thread of the manager" },
  { "thread", NULL, TEST_NEEDS_APART, "code of the worker and of the backend take turns by the GIL" },
  { "thread", NULL, TEST_NEEDS_WAKEABLE, "an exception of another thread wakes no system call" },
  { "thread", NULL, TEST_NEEDS_CONVERSION, "the backend has a few types only" },
  { "thread", NULL, TEST_NEEDS_RUNTIME, "the backend has no runtime" },
  { "thread", NULL, TEST_NEEDS_PROGRESS, "the backend lets no code say how far it has got" },
  { "thread", NULL, TEST_NEEDS_HOST, "the backend lets no code call functions of the program" },
  { "thread", NULL, TEST_NEEDS_CHANNELS, "the backend has no channels" },
  { "collecting", NULL, TEST_NEEDS_ANYWHERE, "JavaScript makes its workers on the one thread that it has" },
  { "collecting", NULL, TEST_NEEDS_FREE, "calls of other threads go by the thread that runs JavaScript" },
  { "collecting", NULL, TEST_NEEDS_UNWANTED, "the backend asks for each value, as there are no other promises" },
  { "collecting", NULL, TEST_NEEDS_NO_CHANNELS, "the worker has channels" },
  { "process", NULL, TEST_NEEDS_NO_CHANNELS, "the worker has channels" },
  { "inprocess", NULL, TEST_NEEDS_NO_CHANNELS, "the worker has channels" },
  { NULL, "native", TEST_NEEDS_EVAL, "C has no source to evaluate" },
  { NULL, "native", TEST_NEEDS_BREAKABLE, "C code is asked to give up, and cannot be broken off" },
  { NULL, "native", TEST_NEEDS_EXCEPTIONS, "C has no exceptions" },
  { NULL, "native", TEST_NEEDS_CONVERSION, "C functions have GVariants already" },
  { NULL, "python", TEST_NEEDS_NO_EVAL, "Python evaluates" },
  { NULL, "python", TEST_NEEDS_EXACT, "Python has fewer types than GVariant" },
  { NULL, "gjs", TEST_NEEDS_NO_EVAL, "JavaScript evaluates" },
  { NULL, "gjs", TEST_NEEDS_EXACT, "JavaScript has fewer types than GVariant" },
  { NULL, "gjs", TEST_NEEDS_FORK, "JavaScript has no fork()" },
  { NULL, "gjs", TEST_NEEDS_THREADS, "JavaScript has no threads" },
  { NULL, "gjs", TEST_NEEDS_WAKEABLE, "a system call that JavaScript makes is not woken" },
  { "inprocess", NULL, TEST_NEEDS_PROCESS, "the worker is a thread of the manager" },
  { "inprocess", "gjs", TEST_NEEDS_SEVERAL, "all workers of a program share one thread for JavaScript" },
  { "inprocess", "python", TEST_NEEDS_WAKEABLE,
    "no signal wakes a system call outside of Python's main thread" },
#if !TEST_HAVE_INTROSPECTION
  { NULL, "python", TEST_NEEDS_NESTING, "built without introspection, which Python needs to have workers" },
  { NULL, "gjs", TEST_NEEDS_NESTING, "built without introspection, which JavaScript needs to have workers" },
#endif
#if TEST_THREAD_SANITIZED
  { "process", "python", TEST_NEEDS_QUEUE | TEST_NEEDS_BREAKABLE,
    "the thread sanitizer keeps signals back while code runs that it does not know" },
#endif
};

/* Why @self cannot have what a test needs; NULL if it can. */
const char *
test_variant_cannot (const TestVariant *self,
                     TestNeeds          needs)
{
  gsize i;

  if (!TEST_HAVE_PYTHON && g_strcmp0 (self->runtime, "python") == 0)
    return "built without the Python runtime";
  if (!TEST_HAVE_GJS && g_strcmp0 (self->runtime, "gjs") == 0)
    return "built without the GJS runtime";

  for (i = 0; i < G_N_ELEMENTS (cannot); i++)
    if ((needs & cannot[i].what) != 0 &&
        (cannot[i].backend == NULL || g_strcmp0 (cannot[i].backend, self->backend) == 0) &&
        (cannot[i].runtime == NULL || g_strcmp0 (cannot[i].runtime, self->runtime) == 0))
      return cannot[i].reason;

  return NULL;
}
