/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test-case.h"

#include <locale.h>

#include "mock-worker.h"
#include "test-asserts.h"
#include "test-collect.h"
#include "test-gjs-backend.h"
#include "test-home.h"
#include "test-mark.h"
#include "test-python-backend.h"
#include "test-watchdog.h"

typedef struct
{
  const TestVariant *variant;
  TestNeeds          needs;
  TestCaseFunc       func;
  gboolean           idle;
} Registration;

static const char *subject;
/* Where MALT_TEST_BACKEND is set, only workers of that backend are tested, and nothing that
 * no variant changes: for programs that are run once more in another environment. */
static const char *only_backend;

/* Of Registration; kept to the end, because GTest does not free what it does not run. */
static GPtrArray *registrations;

/* Begins a program of the conformance suite, in place of g_test_init(). */
void
test_case_init (int          *argc,
                char       ***argv,
                const char   *the_subject)
{
  g_autoptr (GError) error = NULL;

  setlocale (LC_ALL, "");
  g_test_init (argc, argv, NULL);
  subject = the_subject;
  only_backend = g_getenv ("MALT_TEST_BACKEND");
  registrations = g_ptr_array_new_with_free_func (g_free);

  malt_worker_register ("mock", MOCK_TYPE_WORKER, &error);
  g_assert_no_error (error);
  if (g_strcmp0 (only_backend, TEST_PYTHON_BACKEND) == 0)
    test_python_backend_register ();
  if (g_strcmp0 (only_backend, TEST_GJS_BACKEND) == 0)
    test_gjs_backend_register ();
}

/* The backend in JavaScript has a process as well, inside. */
gboolean
test_case_is (TestCase   *self,
              const char *backend_or_runtime)
{
  return g_strcmp0 (self->variant->backend, backend_or_runtime) == 0 ||
         (g_str_equal (backend_or_runtime, "process") && g_str_equal (self->variant->backend, TEST_GJS_BACKEND)) ||
         g_strcmp0 (self->variant->runtime, backend_or_runtime) == 0;
}

/* What the variant calls the function that all of them have. */
const char *
test_case_function (TestCase   *self,
                    const char *name)
{
  g_autofree char *full = NULL;

  if (test_case_is (self, "native"))
    full = g_strconcat ("native-functions:", name, NULL);
  else if (test_case_is (self, "python"))
    full = g_strconcat ("python_functions.", name, NULL);
  else if (test_case_is (self, "gjs"))
    full = g_strconcat ("gjs_functions.", name, NULL);
  else
    return name;

  return g_intern_string (full);
}

/* What the variant evaluates: the same in its language. */
const char *
test_case_source (TestCase   *self,
                  const char *python,
                  const char *javascript)
{
  return test_case_is (self, "gjs") ? javascript : python;
}

/* Longer than a test may take. */
#define RUNG_MSEC 600000

MaltLauncher *
test_case_new_launcher (const TestVariant *variant)
{
  MaltLauncher *launcher = malt_launcher_new (variant->backend, variant->runtime);
  /* Not by GLib's functions: this is also used in programs that are no test. */
  g_autofree char *python_folder = g_build_filename (g_getenv ("G_TEST_SRCDIR"), "conformance", NULL);
  const char *search_path[] = { g_getenv ("G_TEST_BUILDDIR"), python_folder, NULL };

  malt_launcher_set_search_path (launcher, search_path);

  /* A slow machine makes no call climb one rung more than it needs.  Tests of the other rungs
   * set times of their own. */
  malt_launcher_set_cancel_timeout (launcher, RUNG_MSEC);
  malt_launcher_set_interrupt_timeout (launcher, RUNG_MSEC);
  return launcher;
}

/* Starts a worker of the case's launcher.  One whose functions run in the context in
 * which it was made gets a context that is always run, so that tests may block. */
MaltWorker *
test_case_spawn (TestCase *self)
{
  g_autoptr (GError) error = NULL;
  MaltWorker *worker;

  if (test_case_is (self, "mock") || test_case_is (self, TEST_PYTHON_BACKEND))
    worker = test_home_spawn (self->launcher, &error);
  else
    worker = malt_launcher_spawn (self->launcher, NULL, &error);

  g_assert_no_error (error);
  g_assert_true (MALT_IS_WORKER (worker));
  return worker;
}

/* The case's own worker, where a call that runs is to be ended: code of a script does not give
 * up when it is asked to, and is to be interrupted soon. */
void
test_case_spawn_to_interrupt (TestCase *self)
{
  if (!test_case_is (self, "native"))
    malt_launcher_set_cancel_timeout (self->launcher, 20);
  self->worker = test_case_spawn (self);
}

/* Stops a worker and drops it.  One that was well until now ends well: a leak that
 * a sanitizer finds in it shows here. */
void
test_case_retire (MaltWorker *worker)
{
  g_autoptr (GError) error = NULL;
  MaltStopResult result;

  result = malt_worker_stop (worker, -1, -1, NULL, &error);
  g_assert_no_error (error);
  g_assert_false (malt_worker_is_running (worker));

  if (result == MALT_STOP_RESULT_WAS_RUNNING)
    {
      MaltExitInfo *exit_info = malt_worker_get_exit_info (worker);
      g_autofree char *text = malt_exit_info_to_string (exit_info);

      if (malt_exit_info_get_kind (exit_info) != MALT_EXIT_KIND_STOPPED ||
          malt_exit_info_get_exit_code (exit_info) > 0 ||
          malt_exit_info_get_signal (exit_info) > 0)
        g_error ("a worker did not end well: %s\n%s", text, malt_exit_info_get_stderr (exit_info));
    }

  g_object_unref (worker);
}

/* Calls a function that has to succeed. */
GVariant *
test_case_call (TestCase   *self,
                const char *name,
                GVariant   *arguments)
{
  g_autoptr (GError) error = NULL;
  GVariant *value;

  value = malt_worker_remote_call_fetch (self->worker, test_case_function (self, name), arguments,
                                         NULL, MALT_TIMEOUT_DEFAULT, NULL, &error);
  g_assert_no_error (error);
  g_assert_nonnull (value);
  return value;
}

/* Evaluates what has to succeed. */
GVariant *
test_case_eval (TestCase   *self,
                const char *source)
{
  g_autoptr (GError) error = NULL;
  GVariant *value;

  value = malt_worker_remote_eval_fetch (self->worker, NULL, source, MALT_TIMEOUT_DEFAULT, NULL,
                                         &error);
  g_assert_no_error (error);
  g_assert_nonnull (value);
  return value;
}

/* Calls a function that goes on until something ends it, and waits until it runs. */
TestAnswer *
test_case_start (TestCase     *self,
                 const char   *name,
                 int           timeout_msec,
                 GCancellable *cancellable)
{
  g_autofree char *mark = test_mark_new ();
  TestAnswer *answer;

  answer = test_answer_call (self->worker, test_case_function (self, name),
                             g_variant_new ("(s)", mark), timeout_msec, cancellable);
  test_mark_await (mark);
  return answer;
}

/* The same for code that heeds nothing but @end_mark. */
TestAnswer *
test_case_start_deaf (TestCase     *self,
                      const char   *end_mark,
                      int           timeout_msec,
                      GCancellable *cancellable)
{
  g_autofree char *mark = test_mark_new ();
  TestAnswer *answer;

  answer = test_answer_call (self->worker, test_case_function (self, "be_deaf"),
                             g_variant_new ("(ss)", mark, end_mark), timeout_msec, cancellable);
  test_mark_await (mark);
  return answer;
}

/* Whatever has happened, the worker answers as it should. */
void
test_case_assert_usable (TestCase *self)
{
  g_assert_true (malt_worker_is_running (self->worker));
  test_assert_value (test_case_call (self, "add", g_variant_new ("(xx)", G_GINT64_CONSTANT (40),
                                                                 G_GINT64_CONSTANT (2))),
                     "int64 42");
}

static void
run (gconstpointer data)
{
  const Registration *registration = data;
  const char *reason = test_variant_cannot (registration->variant, registration->needs);
  TestCase self = { registration->variant, NULL, NULL };

  if (reason != NULL)
    {
      g_test_skip (reason);
      return;
    }

  test_watchdog_start ();
  self.launcher = test_case_new_launcher (self.variant);
  if (!registration->idle)
    self.worker = test_case_spawn (&self);

  registration->func (&self);

  if (self.worker != NULL)
    {
      test_collect_garbage (self.worker, self.variant->backend, self.variant->runtime);
      test_case_retire (self.worker);
    }
  g_object_unref (self.launcher);
  test_watchdog_stop ();
}

/* Backends that bring a language into the program are tested only where they are asked for. */
static gboolean
brings_language (const char *backend)
{
  return g_str_equal (backend, TEST_PYTHON_BACKEND) || g_str_equal (backend, TEST_GJS_BACKEND);
}

/* Whether this program is to test it. */
gboolean
test_case_is_tested (const TestVariant *variant)
{
  if (only_backend != NULL)
    return g_str_equal (only_backend, variant->backend);

  return !brings_language (variant->backend);
}

static void
add (const char   *name,
     TestNeeds     needs,
     TestCaseFunc  func,
     gboolean      idle)
{
  gsize i;

  for (i = 0; i < test_n_variants; i++)
    {
      g_autofree char *path = NULL;
      Registration *registration;

      if (!test_case_is_tested (&test_variants[i]))
        continue;

      registration = g_new (Registration, 1);
      *registration = (Registration) { &test_variants[i], needs, func, idle };
      path = g_strdup_printf ("/conformance/%s/%s/%s", test_variants[i].name, subject, name);
      g_ptr_array_add (registrations, registration);
      g_test_add_data_func (path, registration, run);
    }
}

/* A test over every variant, each with a worker of its own. */
void
test_case_add (const char   *name,
               TestNeeds     needs,
               TestCaseFunc  func)
{
  add (name, needs, func, FALSE);
}

/* A test over every variant that starts its own workers. */
void
test_case_add_idle (const char   *name,
                    TestNeeds     needs,
                    TestCaseFunc  func)
{
  add (name, needs, func, TRUE);
}

static void
run_once (gconstpointer data)
{
  GTestFunc func = (GTestFunc) data;

  test_watchdog_start ();
  func ();
  test_watchdog_stop ();
}

/* A test that no variant changes. */
void
test_case_add_once (const char *name,
                    GTestFunc   func)
{
  g_autofree char *path = NULL;

  if (only_backend != NULL)
    return;

  path = g_strdup_printf ("/conformance/any/%s/%s", subject, name);
  g_test_add_data_func (path, (gconstpointer) func, run_once);
}
