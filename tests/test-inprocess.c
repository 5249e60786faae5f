/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <malt.h>

#include <signal.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <unistd.h>

#include "test-answer.h"
#include "test-asserts.h"
#include "test-mark.h"
#include "test-process.h"
#include "test-watchdog.h"

/* The in-process backend: what it refuses, and how its threads begin and end.  What it
 * shares with every other backend is in the conformance suite. */

#define FUNCTION(name) "native-functions:" name

static char *build_folder;

static MaltLauncher *
new_launcher (void)
{
  MaltLauncher *launcher = malt_launcher_new ("inprocess", "native");
  const char *search_path[] = { build_folder, NULL };

  malt_launcher_set_search_path (launcher, search_path);
  return launcher;
}

static MaltWorker *
spawn (void)
{
  g_autoptr (MaltLauncher) launcher = new_launcher ();
  g_autoptr (GError) error = NULL;
  MaltWorker *worker = malt_launcher_spawn (launcher, NULL, &error);

  g_assert_no_error (error);
  return worker;
}

static GVariant *
call (MaltWorker *worker,
      const char *function)
{
  g_autoptr (GError) error = NULL;
  GVariant *value;

  value = malt_worker_remote_call_fetch (worker, function, NULL, NULL, MALT_TIMEOUT_NONE, NULL, &error);
  g_assert_no_error (error);
  return value;
}

/* Calls a function that leaves a mark, and waits until it runs. */
static TestAnswer *
begin (MaltWorker *worker,
       const char *function)
{
  g_autofree char *mark = test_mark_new ();
  TestAnswer *answer;

  answer = test_answer_call (worker, function, g_variant_new ("(s)", mark), MALT_TIMEOUT_NONE, NULL);
  test_mark_await (mark);
  return answer;
}

/* The same for the one that heeds nothing but @end_mark. */
static TestAnswer *
begin_deaf (MaltWorker *worker,
            const char *end_mark)
{
  g_autofree char *mark = test_mark_new ();
  TestAnswer *answer;

  answer = test_answer_call (worker, FUNCTION ("be_deaf"), g_variant_new ("(ss)", mark, end_mark),
                             MALT_TIMEOUT_NONE, NULL);
  test_mark_await (mark);
  return answer;
}

static void
stop (MaltWorker *worker,
      int         exit_timeout,
      int         term_timeout)
{
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (malt_worker_stop (worker, exit_timeout, term_timeout, NULL, &error), ==,
                   MALT_STOP_RESULT_WAS_RUNNING);
  g_assert_no_error (error);
  g_assert_false (malt_worker_is_running (worker));
}

static void
expect_terminated (TestAnswer *answer,
                   const char *pattern)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (test_answer_wait (answer, &error));
  test_assert_error (error, MALT_ERROR, MALT_ERROR_TERMINATED, pattern);
}

static gboolean
is_back_to (gpointer data)
{
  const TestHoldings *before = data;
  TestHoldings now = test_get_holdings ();

  return now.threads <= before->threads && now.descriptors <= before->descriptors;
}

/* Waits until the program has no more threads and descriptors than it had then. */
static void
await_holdings (TestHoldings *before)
{
  test_await (is_back_to, before);
}

/* What the library keeps for good is there before anything is counted. */
static TestHoldings
get_holdings (void)
{
  static gboolean warm;
  TestHoldings holdings;

  if (!warm)
    {
      MaltWorker *worker = spawn ();
      guint n_threads;

      g_type_ensure (G_TYPE_TASK); /* the first one starts a thread of GLib's */
      n_threads = test_get_holdings ().threads;
      stop (worker, MALT_TIMEOUT_NONE, MALT_TIMEOUT_NONE);
      g_object_unref (worker);
      do
        holdings = test_get_holdings ();
      while (holdings.threads >= n_threads);
      warm = TRUE;
    }

  return test_get_holdings ();
}

/* What a launcher may not ask for */

static void
set_program (MaltLauncher *launcher)
{
  malt_launcher_set_program (launcher, "/bin/true");
}

static void
set_working_directory (MaltLauncher *launcher)
{
  malt_launcher_set_working_directory (launcher, "/tmp");
}

static void
set_environment (MaltLauncher *launcher)
{
  malt_launcher_setenv (launcher, "NAME", "value");
}

static void
pipe_stdout (MaltLauncher *launcher)
{
  malt_launcher_set_stdout (launcher, MALT_OUTPUT_PIPE);
}

static void
discard_stdout (MaltLauncher *launcher)
{
  malt_launcher_set_stdout (launcher, MALT_OUTPUT_DISCARD);
}

static void
pipe_stderr (MaltLauncher *launcher)
{
  malt_launcher_set_stderr (launcher, MALT_OUTPUT_PIPE);
}

static void
discard_stderr (MaltLauncher *launcher)
{
  malt_launcher_set_stderr (launcher, MALT_OUTPUT_DISCARD);
}

static void
set_backend_option (MaltLauncher *launcher)
{
  GVariantDict options;

  g_variant_dict_init (&options, NULL);
  g_variant_dict_insert (&options, "colour", "s", "green");
  malt_launcher_set_backend_options (launcher, g_variant_dict_end (&options));
}

static void
set_runtime_option (MaltLauncher *launcher)
{
  GVariantDict options;

  g_variant_dict_init (&options, NULL);
  g_variant_dict_insert (&options, "flavour", "s", "vanilla");
  malt_launcher_set_runtime_options (launcher, g_variant_dict_end (&options));
}

static void
set_unknown_runtime (MaltLauncher *launcher)
{
  malt_launcher_set_runtime (launcher, "esperanto");
}

static void
test_refused (void)
{
  static const struct
  {
    void       (* set) (MaltLauncher *launcher);
    MaltError     code;
    const char   *pattern;
  } cases[] = {
    { set_program, MALT_ERROR_NOT_SUPPORTED, "*no program of its own*" },
    { set_working_directory, MALT_ERROR_NOT_SUPPORTED, "*no working directory of its own*" },
    { set_environment, MALT_ERROR_NOT_SUPPORTED, "*no environment of its own*" },
    { pipe_stdout, MALT_ERROR_NOT_SUPPORTED, "*no standard output of its own*" },
    { discard_stdout, MALT_ERROR_NOT_SUPPORTED, "*no standard output of its own*" },
    { pipe_stderr, MALT_ERROR_NOT_SUPPORTED, "*no standard error of its own*" },
    { discard_stderr, MALT_ERROR_NOT_SUPPORTED, "*no standard error of its own*" },
    { set_backend_option, MALT_ERROR_NOT_FOUND, "*inprocess backend has no option 'colour'*" },
    { set_runtime_option, MALT_ERROR_NOT_FOUND, "*native runtime has no option 'flavour'*" },
    { set_unknown_runtime, MALT_ERROR_NOT_FOUND, "*esperanto*" },
  };
  TestHoldings before = get_holdings ();

  test_watchdog_start ();
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (MaltLauncher) launcher = new_launcher ();
      g_autoptr (GError) error = NULL;

      cases[i].set (launcher);
      g_assert_null (malt_launcher_spawn (launcher, NULL, &error));
      g_test_message ("%s", error->message);
      test_assert_error (error, MALT_ERROR, (int) cases[i].code, cases[i].pattern);
    }
  await_holdings (&before);
  test_watchdog_stop ();
}

static void
test_no_runtime (void)
{
  g_autoptr (MaltLauncher) launcher = new_launcher ();
  g_autoptr (GError) error = NULL;

  malt_launcher_set_runtime (launcher, NULL);
  g_assert_null (malt_launcher_spawn (launcher, NULL, &error));
  test_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "*no runtime was chosen*");
}

/* It prints where the program prints, so this is what it can be asked for. */
static void
test_outputs (void)
{
  static const MaltOutput outputs[] = { MALT_OUTPUT_FORWARD, MALT_OUTPUT_INHERIT };

  for (gsize i = 0; i < G_N_ELEMENTS (outputs); i++)
    {
      g_autoptr (MaltLauncher) launcher = new_launcher ();
      g_autoptr (MaltWorker) worker = NULL;
      g_autoptr (GError) error = NULL;

      malt_launcher_set_stdout (launcher, outputs[i]);
      malt_launcher_set_stderr (launcher, outputs[i]);
      worker = malt_launcher_spawn (launcher, NULL, &error);
      g_assert_no_error (error);
      stop (worker, -1, -1);
    }
}

/* The thread */

static void
test_thread (void)
{
  g_autoptr (MaltWorker) one = spawn ();
  g_autoptr (MaltWorker) other = spawn ();
  g_autoptr (GVariant) first = call (one, FUNCTION ("thread"));
  g_autoptr (GVariant) second = call (one, FUNCTION ("thread"));
  g_autoptr (GVariant) third = call (other, FUNCTION ("thread"));

  g_assert_cmpuint (g_variant_get_uint64 (first), ==, g_variant_get_uint64 (second));
  g_assert_cmpuint (g_variant_get_uint64 (first), !=, g_variant_get_uint64 (third));
  g_assert_cmpuint (g_variant_get_uint64 (first), !=, (guint64) (gsize) g_thread_self ());

  g_assert_cmpint (malt_worker_get_pid (one), ==, getpid ());
  g_assert_null (malt_worker_get_stdout_pipe (one));
  g_assert_null (malt_worker_get_stderr_pipe (one));

  stop (one, -1, -1);
  stop (other, -1, -1);
}

/* A long queue does not keep what waits for something from going on. */
static void
test_fair (void)
{
  g_autoptr (MaltWorker) worker = spawn ();
  g_autoptr (GError) error = NULL;
  g_autofree char *end = test_mark_new ();
  TestAnswer *busy, *waits, *queued[1000];
  guint serial;

  test_watchdog_start ();
  busy = begin_deaf (worker, end);
  waits = test_answer_call (worker, FUNCTION ("later_in_context"),
                            g_variant_new ("(xs)", G_GINT64_CONSTANT (0), "here"), MALT_TIMEOUT_NONE, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (queued); i++)
    queued[i] = test_answer_call (worker, FUNCTION ("nothing"), NULL, MALT_TIMEOUT_NONE, NULL);
  test_mark_make (end);

  test_assert_value (test_answer_wait (busy, &error), "@mv nothing");
  while (!test_answer_is_there (waits) || !test_answer_is_there (queued[999]))
    g_main_context_iteration (NULL, TRUE);
  serial = test_answer_get_serial (waits);
  g_assert_cmpuint (serial, <, test_answer_get_serial (queued[999]));

  test_assert_value (test_answer_wait (waits, &error), "'here'");
  for (gsize i = 0; i < G_N_ELEMENTS (queued); i++)
    test_assert_value (test_answer_wait (queued[i], &error), "@mv nothing");
  g_assert_no_error (error);
  stop (worker, -1, -1);
  test_watchdog_stop ();
}

/* Stopping */

static void
test_stop_idle (void)
{
  TestHoldings before = get_holdings ();
  g_autoptr (MaltWorker) worker = spawn ();
  MaltExitInfo *exit_info;

  test_watchdog_start ();
  stop (worker, MALT_TIMEOUT_NONE, MALT_TIMEOUT_NONE);
  exit_info = malt_worker_get_exit_info (worker);
  g_assert_cmpint (malt_exit_info_get_kind (exit_info), ==, MALT_EXIT_KIND_STOPPED);
  g_assert_cmpint (malt_exit_info_get_exit_code (exit_info), ==, 0);
  g_assert_cmpint (malt_exit_info_get_signal (exit_info), ==, 0);
  await_holdings (&before);
  test_watchdog_stop ();
}

/* What runs and heeds its cancellable does not keep the worker from stopping politely;
 * what waits behind it never runs. */
static void
test_stop_busy (void)
{
  TestHoldings before = get_holdings ();
  g_autoptr (MaltWorker) worker = spawn ();
  TestAnswer *runs, *queued;

  test_watchdog_start ();
  runs = begin (worker, FUNCTION ("spin"));
  queued = test_answer_call (worker, FUNCTION ("nothing"), NULL, MALT_TIMEOUT_NONE, NULL);
  stop (worker, MALT_TIMEOUT_NONE, MALT_TIMEOUT_NONE);

  expect_terminated (runs, "*");
  expect_terminated (queued, "*");
  g_assert_cmpint (malt_exit_info_get_kind (malt_worker_get_exit_info (worker)), ==, MALT_EXIT_KIND_STOPPED);
  await_holdings (&before);
  test_watchdog_stop ();
}

/* What heeds nothing is left to itself; it ends later, and its value is dropped. */
static void
test_stop_deaf (void)
{
  TestHoldings before = get_holdings ();
  g_autofree char *end = test_mark_new ();
  MaltWorker *worker = spawn ();
  TestAnswer *runs, *queued;
  MaltExitInfo *exit_info;

  test_watchdog_start ();
  runs = begin_deaf (worker, end);
  queued = test_answer_call (worker, FUNCTION ("nothing"), NULL, MALT_TIMEOUT_NONE, NULL);
  stop (worker, 20, MALT_TIMEOUT_NONE);
  expect_terminated (runs, "*");
  expect_terminated (queued, "*");
  exit_info = malt_worker_get_exit_info (worker);
  g_assert_cmpint (malt_exit_info_get_kind (exit_info), ==, MALT_EXIT_KIND_STOPPED);
  g_assert_cmpint (malt_exit_info_get_signal (exit_info), ==, SIGTERM);
  g_object_unref (worker);

  test_mark_make (end);
  await_holdings (&before);
  test_watchdog_stop ();
}

/* Killing */

static void
test_kill_idle (void)
{
  TestHoldings before = get_holdings ();
  g_autoptr (MaltWorker) worker = spawn ();
  MaltExitInfo *exit_info;

  test_watchdog_start ();
  malt_worker_kill (worker, SIGUSR1);
  g_assert_false (malt_worker_is_running (worker));
  exit_info = malt_worker_get_exit_info (worker);
  g_assert_cmpint (malt_exit_info_get_kind (exit_info), ==, MALT_EXIT_KIND_SIGNALLED);
  g_assert_cmpint (malt_exit_info_get_signal (exit_info), ==, SIGUSR1);
  await_holdings (&before);

  malt_worker_kill (worker, SIGKILL);
  g_assert_true (malt_worker_get_exit_info (worker) == exit_info);
  test_watchdog_stop ();
}

/* At once, with what it was doing; which is let go, and outlives it. */
static void
test_kill_deaf (void)
{
  TestHoldings before = get_holdings ();
  g_autofree char *end = test_mark_new ();
  MaltWorker *worker = spawn ();
  TestAnswer *runs, *queued, *waits;

  test_watchdog_start ();
  waits = test_answer_call (worker, FUNCTION ("later_never"), NULL, MALT_TIMEOUT_NONE, NULL);
  runs = begin_deaf (worker, end);
  queued = test_answer_call (worker, FUNCTION ("nothing"), NULL, MALT_TIMEOUT_NONE, NULL);
  malt_worker_kill (worker, SIGKILL);
  g_assert_false (malt_worker_is_running (worker));
  expect_terminated (waits, "*signal 9*");
  expect_terminated (runs, "*signal 9*");
  expect_terminated (queued, "*signal 9*");
  g_object_unref (worker);

  test_mark_make (end);
  await_holdings (&before);
  test_watchdog_stop ();
}

/* What heeds its cancellable ends with it. */
static void
test_kill_busy (void)
{
  TestHoldings before = get_holdings ();
  g_autoptr (MaltWorker) worker = spawn ();
  TestAnswer *answer;

  test_watchdog_start ();
  answer = begin (worker, FUNCTION ("sleep_on"));
  malt_worker_kill (worker, SIGTERM);
  expect_terminated (answer, "*signal 15*");
  await_holdings (&before);
  test_watchdog_stop ();
}

/* A request that is answered from elsewhere, after its worker has gone. */
static void
test_kill_deferred (void)
{
  TestHoldings before = get_holdings ();
  g_autoptr (MaltWorker) worker = spawn ();
  TestAnswer *answers[20];

  test_watchdog_start ();
  for (gsize i = 0; i < G_N_ELEMENTS (answers); i++)
    answers[i] = test_answer_call (worker, i % 2 == 0 ? FUNCTION ("later") : FUNCTION ("later_in_context"),
                                   g_variant_new ("(xs)", (gint64) i * 2, "late"), MALT_TIMEOUT_NONE, NULL);
  test_assert_value (call (worker, FUNCTION ("nothing")), "@mv nothing");
  malt_worker_kill (worker, SIGKILL);

  for (gsize i = 0; i < G_N_ELEMENTS (answers); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (GVariant) value = test_answer_wait (answers[i], &error);

      if (value == NULL)
        g_assert_error (error, MALT_ERROR, MALT_ERROR_TERMINATED);
    }
  await_holdings (&before);
  test_watchdog_stop ();
}

/* From a function of its own. */
static GVariant *
kill_self (MaltRequest   *request,
           GVariant      *arguments,
           GCancellable  *cancellable,
           gpointer       user_data,
           GError       **error)
{
  MaltWorker **shared = user_data;
  g_autoptr (MaltWorker) worker = g_object_ref (*shared);

  malt_worker_kill (worker, SIGKILL);
  return g_variant_new_string ("too late");
}

static void
test_kill_itself (void)
{
  static MaltWorker *worker;
  TestHoldings before = get_holdings ();

  test_watchdog_start ();
  malt_register_function ("kill_self", kill_self, &worker, NULL);
  worker = spawn ();
  expect_terminated (test_answer_call (worker, "kill_self", NULL, MALT_TIMEOUT_NONE, NULL), "*signal 9*");
  g_clear_object (&worker);
  await_holdings (&before);
  test_watchdog_stop ();
}

/* A caller that was let go, and a function that ends long after that. */
static void
test_abandoned (void)
{
  g_autoptr (MaltLauncher) launcher = new_launcher ();
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (MaltWorker) worker = NULL;
  g_autoptr (GError) error = NULL;
  TestAnswer *answer;
  g_autofree char *mark = test_mark_new ();
  g_autofree char *end = test_mark_new ();

  test_watchdog_start ();
  malt_launcher_set_cancel_timeout (launcher, 1);
  malt_launcher_set_interrupt_timeout (launcher, 1);
  worker = malt_launcher_spawn (launcher, NULL, &error);
  g_assert_no_error (error);

  answer = test_answer_call (worker, FUNCTION ("be_deaf"), g_variant_new ("(ss)", mark, end), MALT_TIMEOUT_NONE,
                             cancellable);
  test_mark_await (mark);
  g_cancellable_cancel (cancellable);
  g_assert_null (test_answer_wait (answer, &error));
  test_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED, "*it could not be interrupted and may still run");
  test_mark_make (end);

  for (guint i = 0; i < 10; i++)
    {
      test_assert_value (call (worker, FUNCTION ("nothing")), "@mv nothing");
      malt_worker_interrupt (worker);
    }
  stop (worker, MALT_TIMEOUT_NONE, MALT_TIMEOUT_NONE);
  test_watchdog_stop ();
}

/* Letting go */

static void
test_last_unref (void)
{
  TestHoldings before = get_holdings ();
  g_autofree char *end = test_mark_new ();
  g_autofree char *mark = test_mark_new ();
  g_autoptr (GError) error = NULL;
  MaltWorker *worker;

  test_watchdog_start ();
  g_object_unref (spawn ());
  await_holdings (&before);

  /* It does not wait for what runs. */
  worker = spawn ();
  malt_worker_remote_do (worker, FUNCTION ("be_deaf"), g_variant_new ("(ss)", mark, end), NULL, &error);
  g_assert_no_error (error);
  test_mark_await (mark);
  g_object_unref (worker);
  test_mark_make (end);
  await_holdings (&before);
  test_watchdog_stop ();
}

static void
spawned_cb (GObject      *source,
            GAsyncResult *result,
            gpointer      user_data)
{
  guint *n_left = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (MaltWorker) worker = malt_launcher_spawn_finish (MALT_LAUNCHER (source), result, &error);

  if (worker == NULL)
    g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  (*n_left)--;
}

/* Starts that are cancelled at some moment. */
static void
test_start_cancelled (void)
{
  TestHoldings before = get_holdings ();
  guint n_left = 100;

  test_watchdog_start ();
  for (guint i = n_left; i > 0; i--)
    {
      g_autoptr (MaltLauncher) launcher = new_launcher ();
      g_autoptr (GCancellable) cancellable = g_cancellable_new ();

      malt_launcher_spawn_async (launcher, cancellable, spawned_cb, &n_left);
      if (i % 3 == 1)
        g_main_context_iteration (NULL, FALSE);
      else if (i % 3 == 2)
        g_thread_yield ();
      g_cancellable_cancel (cancellable);
    }
  while (n_left > 0)
    g_main_context_iteration (NULL, TRUE);
  await_holdings (&before);
  test_watchdog_stop ();
}

/* Many at once */

typedef struct
{
  MaltWorker *worker;
  int         n_terminated; /* atomic */
} Crowd;

static gpointer
crowd_thread (gpointer data)
{
  Crowd *crowd = data;

  for (;;)
    {
      g_autoptr (GError) error = NULL;
      GVariant *value;

      value = malt_worker_remote_call_fetch (crowd->worker, FUNCTION ("add"),
                                             g_variant_new ("(x)", G_GINT64_CONSTANT (5)), NULL,
                                             MALT_TIMEOUT_NONE, NULL, &error);
      if (value == NULL)
        {
          g_assert_error (error, MALT_ERROR, MALT_ERROR_TERMINATED);
          g_atomic_int_inc (&crowd->n_terminated);
          return NULL;
        }
      test_assert_value (value, "int64 5");
    }
}

/* A worker ends while threads call it: each call has its value or its error. */
static void
test_crowd (gconstpointer data)
{
  gboolean kills = GPOINTER_TO_INT (data);
  TestHoldings before = get_holdings ();

  test_watchdog_start ();
  for (guint round = 0; round < 30; round++)
    {
      Crowd crowd = { spawn (), 0 };
      GThread *threads[6];

      for (gsize i = 0; i < G_N_ELEMENTS (threads); i++)
        threads[i] = g_thread_new ("crowd", crowd_thread, &crowd);
      g_usleep (round * 100);
      if (kills)
        malt_worker_kill (crowd.worker, SIGKILL);
      else
        stop (crowd.worker, MALT_TIMEOUT_NONE, MALT_TIMEOUT_NONE);
      for (gsize i = 0; i < G_N_ELEMENTS (threads); i++)
        g_thread_join (threads[i]);
      g_assert_cmpint (crowd.n_terminated, ==, G_N_ELEMENTS (threads));
      g_object_unref (crowd.worker);
    }
  await_holdings (&before);
  test_watchdog_stop ();
}

static void
test_many_workers (void)
{
  TestHoldings before = get_holdings ();

  test_watchdog_start ();
  for (guint i = 0; i < 500; i++)
    {
      g_autoptr (MaltWorker) worker = spawn ();

      test_assert_value (call (worker, FUNCTION ("nothing")), "@mv nothing");
      if (i % 2 == 0)
        stop (worker, MALT_TIMEOUT_NONE, MALT_TIMEOUT_NONE);
    }
  await_holdings (&before);
  test_watchdog_stop ();
}

/* When the system has no more */

static int
lowest_free_descriptor (void)
{
  int fd = dup (0);

  close (fd);
  return fd;
}

static void
test_no_descriptors (void)
{
  struct rlimit limit;
  MaltWorker *worker = NULL;

  if (!g_test_subprocess ())
    {
      g_test_trap_subprocess (NULL, 0, 0);
      g_test_trap_assert_passed ();
      return;
    }

  get_holdings ();
  g_assert_cmpint (getrlimit (RLIMIT_NOFILE, &limit), ==, 0);

  for (guint spare = 0; worker == NULL; spare++)
    {
      g_autoptr (MaltLauncher) launcher = new_launcher ();
      g_autoptr (GError) error = NULL;

      g_assert_cmpuint (spare, <, 10);
      limit.rlim_cur = (rlim_t) lowest_free_descriptor () + spare;
      g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &limit), ==, 0);
      worker = malt_launcher_spawn (launcher, NULL, &error);
      if (worker == NULL)
        test_assert_error (error, MALT_ERROR, MALT_ERROR_START, "*eventfd*Too many open files*");
      else
        g_assert_cmpuint (spare, >=, 2);
    }

  test_assert_value (call (worker, FUNCTION ("nothing")), "@mv nothing");
  stop (worker, -1, -1);
  g_object_unref (worker);
}

static void
test_no_threads (void)
{
  g_autoptr (MaltLauncher) launcher = NULL;
  g_autoptr (GError) error = NULL;
  struct rlimit limit;
  rlim_t before;

  if (!g_test_subprocess ())
    {
      g_test_trap_subprocess (NULL, 0, 0);
      g_test_trap_assert_passed ();
      return;
    }

  /* The limit does not hold for root. */
  get_holdings ();
  if (getuid () == 0)
    g_assert_cmpint (setuid (65534), ==, 0);
  g_assert_cmpint (getrlimit (RLIMIT_NPROC, &limit), ==, 0);
  before = limit.rlim_cur;
  limit.rlim_cur = 1;
  g_assert_cmpint (setrlimit (RLIMIT_NPROC, &limit), ==, 0);

  launcher = new_launcher ();
  g_assert_null (malt_launcher_spawn (launcher, NULL, &error));
  test_assert_error (error, MALT_ERROR, MALT_ERROR_START, "*could not start its thread*");

  /* A leak checker needs a thread too. */
  limit.rlim_cur = before;
  g_assert_cmpint (setrlimit (RLIMIT_NPROC, &limit), ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  build_folder = g_canonicalize_filename (g_test_get_dir (G_TEST_BUILT), NULL);

  g_test_add_func ("/inprocess/refused", test_refused);
  g_test_add_func ("/inprocess/no-runtime", test_no_runtime);
  g_test_add_func ("/inprocess/outputs", test_outputs);
  g_test_add_func ("/inprocess/thread", test_thread);
  g_test_add_func ("/inprocess/fair", test_fair);
  g_test_add_func ("/inprocess/stop/idle", test_stop_idle);
  g_test_add_func ("/inprocess/stop/busy", test_stop_busy);
  g_test_add_func ("/inprocess/stop/deaf", test_stop_deaf);
  g_test_add_func ("/inprocess/kill/idle", test_kill_idle);
  g_test_add_func ("/inprocess/kill/deaf", test_kill_deaf);
  g_test_add_func ("/inprocess/kill/busy", test_kill_busy);
  g_test_add_func ("/inprocess/kill/deferred", test_kill_deferred);
  g_test_add_func ("/inprocess/kill/itself", test_kill_itself);
  g_test_add_func ("/inprocess/abandoned", test_abandoned);
  g_test_add_func ("/inprocess/last-unref", test_last_unref);
  g_test_add_func ("/inprocess/start-cancelled", test_start_cancelled);
  g_test_add_data_func ("/inprocess/crowd/stop", GINT_TO_POINTER (FALSE), test_crowd);
  g_test_add_data_func ("/inprocess/crowd/kill", GINT_TO_POINTER (TRUE), test_crowd);
  g_test_add_func ("/inprocess/many-workers", test_many_workers);
  g_test_add_func ("/inprocess/no-descriptors", test_no_descriptors);
  g_test_add_func ("/inprocess/no-threads", test_no_threads);

  return g_test_run ();
}
