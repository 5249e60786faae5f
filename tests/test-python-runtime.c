/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <malt.h>
#include <signal.h>
#include <string.h>

#include <glib/gstdio.h>

#include "test-mark.h"
#include "test-python.h"
#include "test-watchdog.h"

/* What the Python runtime does beyond what all runtimes do. */

static gboolean
is_process (void)
{
  return g_str_equal (test_python_backend, "process");
}

static GVariant *
eval_in (const char *module,
         const char *source)
{
  g_autoptr (GError) error = NULL;
  GVariant *value;

  value = malt_worker_remote_eval_fetch (test_python_worker, module, source, MALT_TIMEOUT_NONE, NULL, &error);
  g_assert_no_error (error);
  return value;
}

static void
assert_eval_in (const char *module,
                const char *source,
                const char *expected)
{
  g_autoptr (GVariant) value = eval_in (module, source);
  g_autofree char *text = g_variant_print (value, FALSE);

  g_assert_cmpstr (text, ==, expected);
}

#define assert_eval(source, expected) assert_eval_in (NULL, source, expected)

static GError *
eval_error (const char *module,
            const char *source)
{
  GError *error = NULL;

  g_assert_null (malt_worker_remote_eval_fetch (test_python_worker, module, source, MALT_TIMEOUT_NONE, NULL, &error));
  g_assert_nonnull (error);
  return error;
}

static GVariant *
call (const char  *function,
      GVariant    *arguments,
      GError     **error)
{
  return malt_worker_remote_call_fetch (test_python_worker, function, arguments, NULL, MALT_TIMEOUT_NONE, NULL, error);
}

static void
assert_call_error (const char *function,
                   int         code,
                   const char *part)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (call (function, NULL, &error));
  g_assert_error (error, MALT_ERROR, code);
  g_assert_nonnull (strstr (error->message, part));
}

/* The interpreter may be the application's, so names are this test's own. */

static void
test_eval (void)
{
  assert_eval ("", "nothing");
  assert_eval ("x = 1", "nothing");
  assert_eval ("x = 1; y = 2; x + y", "3");
  assert_eval ("'''doc'''\nz = 5\n__doc__", "'doc'");
  assert_eval ("def f(a):\n  return a * 2\nf(21)", "42");
  assert_eval ("for i in range(3): pass\ni", "2");
  assert_eval ("'\\x41'", "'A'");
}

static void
test_modules (void)
{
  g_autoptr (GError) error = NULL;

  assert_eval_in ("rt_made.inner.leaf", "v = 5; __name__", "'rt_made.inner.leaf'");
  assert_eval_in ("rt_made.inner.leaf", "v", "5");
  assert_eval ("import rt_made.inner.leaf; rt_made.inner.leaf.v", "5");
  /* One that can be imported is not hidden by an empty one. */
  assert_eval_in ("colorsys", "callable(rgb_to_hsv)", "true");

  error = eval_error ("a..b", "1");
  g_assert_error (error, MALT_ERROR, MALT_ERROR_NOT_FOUND);
}

static void
test_call (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) length = call ("len", g_variant_new ("(s)", "abc"), &error);
  g_autoptr (GVariant) joined = NULL;
  g_autoptr (GVariant) rebound = NULL;
  g_autoptr (GVariant) upper = NULL;

  g_assert_no_error (error);
  g_assert_cmpint (g_variant_get_int64 (length), ==, 3);

  joined = call ("os.path.join", g_variant_new ("(ss)", "a", "b"), &error);
  g_assert_no_error (error);
  g_assert_cmpstr (g_variant_get_string (joined, NULL), ==, "a/b");

  assert_eval ("class RtBox:\n"
               "  @staticmethod\n"
               "  def m(): return 1", "nothing");
  g_variant_unref (call ("RtBox.m", NULL, &error));
  g_assert_no_error (error);
  assert_eval ("RtBox.m = lambda: 2", "nothing");
  rebound = call ("RtBox.m", NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpint (g_variant_get_int64 (rebound), ==, 2);

  assert_eval ("rt_text = 'abc'", "nothing");
  upper = call ("rt_text.upper", NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (g_variant_get_string (upper, NULL), ==, "ABC");

  assert_call_error ("rt_none", MALT_ERROR_NOT_FOUND, "'rt_none'");
  assert_call_error ("rt_none.f", MALT_ERROR_NOT_FOUND, "no module 'rt_none'");
  assert_call_error ("os.path.nope", MALT_ERROR_NOT_FOUND, "'os.path' has no attribute 'nope'");
  assert_call_error ("math.pi", MALT_ERROR_NOT_FOUND, "not a function");
  assert_call_error ("a..b", MALT_ERROR_NOT_FOUND, "'a..b'");
  assert_call_error ("len", MALT_ERROR_REMOTE, "TypeError");
}

static void
assert_call (const char *function,
             const char *arguments,
             const char *expected)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) value = call (function, g_variant_new_parsed (arguments), &error);
  g_autofree char *text = NULL;

  g_assert_no_error (error);
  text = g_variant_print (value, TRUE);
  g_assert_cmpstr (text, ==, expected);
}

/* A name that was called before is looked up as it is now. */
static void
test_names (void)
{
  assert_eval ("import sys, types\n"
               "rt_names = sys.modules['rt_names'] = types.ModuleType('rt_names')\n"
               "def rt_f(): return 'main'\n"
               "rt_names.f = lambda: 1", "nothing");
  assert_call ("rt_names.f", "()", "int64 1");
  assert_call ("rt_names.f", "()", "int64 1");

  /* Something else in the same module, another module of the same name, and none: then
   * the name of the main module is meant. */
  assert_eval ("rt_names.f = lambda: 2", "nothing");
  assert_call ("rt_names.f", "()", "int64 2");
  assert_eval ("rt_new = sys.modules['rt_names'] = types.ModuleType('rt_names')\n"
               "rt_new.f = lambda: 3", "nothing");
  assert_call ("rt_names.f", "()", "int64 3");
  assert_eval_in ("rt_names", "f()", "3");
  assert_eval ("del sys.modules['rt_names'], rt_new", "nothing");
  assert_call ("rt_names.f", "()", "int64 2");

  assert_call ("rt_f", "()", "'main'");
  assert_eval ("rt_f = lambda: 'again'", "nothing");
  assert_call ("rt_f", "()", "'again'");
  assert_eval ("del rt_f, rt_names", "nothing");
  assert_call_error ("rt_f", MALT_ERROR_NOT_FOUND, "'rt_f'");
  assert_call_error ("rt_names.f", MALT_ERROR_NOT_FOUND, "no module 'rt_names'");
}

static void
test_arguments (void)
{
  g_autofree char *text = g_strnfill (70000, 'x');
  g_autofree char *format = g_strdup_printf ("('a', '%s', byte 1, 'b')", text);

  assert_eval ("def rt_show(*args): return repr(args)", "nothing");
  assert_call ("rt_show", "()", "'()'");
  assert_call ("rt_show", "(int64 -1,)", "'(-1,)'");
  assert_call ("rt_show", "(true, byte 2, int16 -3, uint16 4, -5, uint32 6, int64 -7, uint64 8, 0.5)",
               "'(True, 2, -3, 4, -5, 6, -7, 8, 0.5)'");
  assert_call ("rt_show", "('',)", "\"('',)\"");
  assert_call ("rt_show", "('a', '', 'bä')", "\"('a', '', 'bä')\"");
  assert_call ("rt_show", "(byte 1, 'ab', int64 2, 'cde', 0.25, true)", "\"(1, 'ab', 2, 'cde', 0.25, True)\"");
  assert_call ("rt_show", "('ab', [1, 2], 'c')", "\"('ab', [1, 2], 'c')\"");
  assert_call ("rt_show", "(<'ab'>, (1, 'c'))", "\"('ab', (1, 'c'))\"");

  assert_eval ("def rt_lengths(*args): return repr([len(str(a)) for a in args])", "nothing");
  assert_call ("rt_lengths", format, "'[1, 70000, 1, 1]'");
}

/* Small numbers and the like come from a store. */
static void
test_small_results (void)
{
  assert_eval ("def rt_same(x): return x", "nothing");
  assert_call ("rt_same", "(int64 0,)", "int64 0");
  assert_call ("rt_same", "(int64 0,)", "int64 0");
  assert_call ("rt_same", "(int64 -1,)", "int64 -1");
  assert_call ("rt_same", "(int64 255,)", "int64 255");
  assert_call ("rt_same", "(int64 256,)", "int64 256");
  assert_call ("rt_same", "(true,)", "true");
  assert_call ("rt_same", "(false,)", "false");
  assert_call ("rt_same", "(@mv nothing,)", "@mv nothing");
  assert_call ("rt_same", "([int64 1, 1],)", "[int64 1, 1]");
}

/* What was printed is there when the request has ended, whatever is done to the stream. */
static void
test_output (void)
{
  static const struct { const char *prepare, *print; } ways[] = {
    { "", "print('text', end='', file=sys.stderr)" },
    { "", "sys.stderr.buffer.write(b'text')" },
    { "", "sys.stderr.writelines(['te', 'xt'])" },
    { "print('', file=sys.stderr)", "sys.stderr.write('text')" },
    { "sys.stderr.reconfigure(write_through=False, line_buffering=False)", "sys.stderr.write('text')" },
    { "import io; sys.stderr = io.TextIOWrapper(io.BufferedWriter(sys.stderr.buffer.raw))", "sys.stderr.write('text')" },
  };
  gsize i;

  if (!is_process ())
    return;

  for (i = 0; i < G_N_ELEMENTS (ways); i++)
    {
      g_autoptr (MaltLauncher) launcher = malt_launcher_new (test_python_backend, "python");
      g_autoptr (MaltWorker) other = NULL;
      g_autoptr (GVariant) type = NULL;
      g_autoptr (GError) error = NULL;
      MaltExitInfo *exit_info;

      other = malt_launcher_spawn (launcher, NULL, &error);
      g_assert_no_error (error);
      malt_worker_remote_eval_wait (other, NULL, "import sys",
                                    MALT_TIMEOUT_NONE, NULL, &error);
      g_assert_no_error (error);
      malt_worker_remote_eval_wait (other, NULL, ways[i].prepare, MALT_TIMEOUT_NONE, NULL, &error);
      g_assert_no_error (error);
      type = malt_worker_remote_eval_fetch (other, NULL,
                                            "f'{sys.stdout.encoding} {sys.stdout.errors} {sys.stdout.line_buffering} "
                                            "{sys.stdout.name} {sys.stdout.mode} {sys.stdout.buffer.fileno()}'",
                                            MALT_TIMEOUT_NONE, NULL, &error);
      g_assert_no_error (error);
      g_assert_cmpstr (g_variant_get_string (type, NULL), ==, "utf-8 backslashreplace True <stdout> w 1");
      malt_worker_remote_eval_wait (other, NULL, ways[i].print, MALT_TIMEOUT_NONE, NULL, &error);
      g_assert_no_error (error);

      malt_worker_kill (other, SIGKILL);
      malt_worker_stop (other, -1, -1, NULL, &error);
      g_assert_no_error (error);
      exit_info = malt_worker_get_exit_info (other);
      g_assert_nonnull (exit_info);
      g_assert_nonnull (malt_exit_info_get_stderr (exit_info));
      g_assert_nonnull (strstr (malt_exit_info_get_stderr (exit_info), "text"));
    }
}

static void
test_traceback (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GError) again = NULL;
  g_autofree char *traceback = NULL;
  g_autofree char *type = NULL;
  guint i;

  assert_eval ("def rt_fails():\n  raise ValueError('why')  # here\n", "nothing");
  /* Many expressions later its lines are still there. */
  for (i = 0; i < 1000; i++)
    {
      g_autofree char *source = g_strdup_printf ("%u", i);

      g_variant_unref (eval_in (NULL, source));
    }

  error = eval_error (NULL, "1\nrt_fails()");
  traceback = malt_remote_error_dup_traceback (error);
  g_assert_nonnull (strstr (traceback, "raise ValueError('why')  # here"));
  g_assert_nonnull (strstr (traceback, "    rt_fails()\n"));
  g_assert_null (strstr (traceback, "malt"));

  assert_eval_in ("rt_errors", "class E(Exception): pass", "nothing");
  again = eval_error ("rt_errors", "raise E");
  type = malt_remote_error_dup_type (again);
  g_assert_cmpstr (type, ==, "rt_errors.E");
}

static void
test_coroutines (void)
{
  g_autoptr (GError) error = NULL;

  assert_eval ("import asyncio\nawait asyncio.sleep(0.001)\nx = 5\nawait asyncio.sleep(0.001, x)", "5");
  assert_eval ("[await asyncio.sleep(0, i) for i in range(3)]", "[0, 1, 2]");
  /* A task of nobody's goes on while the worker is idle. */
  assert_eval ("rt_done = asyncio.Event()\n"
               "async def rt_background():\n"
               "  await asyncio.sleep(0.01)\n"
               "  rt_done.set()\n"
               "async def rt_begin():\n"
               "  global rt_task\n"
               "  rt_task = asyncio.create_task(rt_background())\n"
               "await rt_begin()", "nothing");
  assert_eval ("await rt_done.wait()", "true");
  /* Loops of other kinds do not disturb it. */
  assert_eval ("asyncio.run(asyncio.sleep(0.001, 3))", "3");
  assert_eval ("await asyncio.sleep(0, 4)", "4");
  error = eval_error (NULL, "await asyncio.sleep(0)\nraise SystemExit(3)");
  g_assert_error (error, MALT_ERROR, MALT_ERROR_REMOTE);
  assert_eval ("await asyncio.sleep(0, 6)", "6");
}

static void
napped_cb (GObject      *object,
           GAsyncResult *result,
           gpointer      user_data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) value G_GNUC_UNUSED = malt_worker_remote_call_finish (MALT_WORKER (object), result, &error);
  guint *left = user_data;

  g_assert_no_error (error);
  --*left;
}

/* A coroutine goes on while there always is another request to begin with. */
static void
test_coroutine_beside_requests (void)
{
  g_autoptr (GVariant) seen = NULL;
  guint left, i;

  assert_eval ("import asyncio, time\n"
               "rt_begun, rt_seen = 0, 0\n"
               "def rt_nap():\n"
               "  global rt_begun\n"
               "  rt_begun += 1\n"
               "  time.sleep(0.001)\n"
               "async def rt_steps():\n"
               "  global rt_seen\n"
               "  for _ in range(2): await asyncio.sleep(0)\n"
               "  rt_seen = rt_begun", "nothing");

  left = 401;
  malt_worker_remote_call_async (test_python_worker, "rt_steps", NULL, NULL, MALT_TIMEOUT_NONE, NULL,
                                 napped_cb, &left);
  for (i = 0; i < 400; i++)
    malt_worker_remote_call_async (test_python_worker, "rt_nap", NULL, NULL, MALT_TIMEOUT_NONE, NULL,
                                   napped_cb, &left);
  while (left > 0)
    g_main_context_iteration (NULL, TRUE);

  seen = eval_in (NULL, "rt_seen");
  g_assert_cmpint (g_variant_get_int64 (seen), <=, 200);
}

/* A loop that user code runs or closes itself. */
static void
test_foreign_loop (void)
{
  assert_eval ("import asyncio\n"
               "async def rt_get(): return asyncio.get_running_loop()\n"
               "rt_loop = await rt_get()", "nothing");
  assert_eval ("rt_loop.run_until_complete(asyncio.sleep(0.01, 8))", "8");
  assert_eval ("rt_loop.close()", "nothing");
  assert_eval ("await asyncio.sleep(0.001, 9)", "9");
}

/* Python's threads run while the worker is idle. */
static void
test_threads (void)
{
  g_variant_unref (eval_in (NULL, "import threading, time\n"
                                  "rt_count = 0\n"
                                  "def rt_run():\n"
                                  "  global rt_count\n"
                                  "  for i in range(20): rt_count += 1; time.sleep(0.001)\n"
                                  "rt_thread = threading.Thread(target=rt_run); rt_thread.start()"));
  g_usleep (200000);
  assert_eval ("rt_count", "20");
  assert_eval ("rt_thread.join()", "nothing");
}

static void
test_options (void)
{
  static const struct { const char *options; GQuark (* domain) (void); int code; const char *part; } bad[] = {
    { "{'no-such': <1>}", malt_error_quark, MALT_ERROR_NOT_FOUND, "no-such" },
    { "{'virtual-environment': <1>}", g_io_error_quark, G_IO_ERROR_INVALID_ARGUMENT, "virtual-environment" },
    { "{'buffers': <'other'>}", g_io_error_quark, G_IO_ERROR_INVALID_ARGUMENT, "other" },
    { "{'virtual-environment': <'/nonexistent'>}", malt_error_quark, -1, "virtual" },
  };
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autoptr (MaltLauncher) launcher = malt_launcher_new (test_python_backend, "python");
      g_autoptr (GVariant) options = g_variant_parse (G_VARIANT_TYPE_VARDICT, bad[i].options, NULL, NULL, NULL);
      g_autoptr (GError) error = NULL;
      int code = bad[i].code;

      if (code < 0)
        code = is_process () ? MALT_ERROR_NOT_FOUND : MALT_ERROR_NOT_SUPPORTED;
      malt_launcher_set_runtime_options (launcher, options);
      g_assert_null (malt_launcher_spawn (launcher, NULL, &error));
      g_assert_error (error, bad[i].domain (), code);
      g_assert_nonnull (strstr (error->message, bad[i].part));
    }
}

static void
test_virtual_environment (void)
{
  g_autoptr (MaltLauncher) launcher = malt_launcher_new (test_python_backend, "python");
  g_autofree char *folder = NULL;
  g_autofree char *command = NULL;
  g_autofree char *quoted = NULL;
  g_autofree char *expected = NULL;
  g_autoptr (GVariant) program = NULL;
  g_autoptr (GError) error = NULL;
  GVariantDict options;
  int status;

  if (!is_process ())
    {
      g_test_skip ("the interpreter is the application's");
      return;
    }

  folder = g_dir_make_tmp ("malt-venv-XXXXXX", &error);
  g_assert_no_error (error);
  program = eval_in (NULL, "import sys; sys.executable");
  quoted = g_shell_quote (folder);
  command = g_strdup_printf ("%s -m venv --without-pip %s", g_variant_get_string (program, NULL), quoted);
  g_spawn_command_line_sync (command, NULL, NULL, &status, &error);
  g_assert_no_error (error);
  g_assert_cmpint (status, ==, 0);

  g_variant_dict_init (&options, NULL);
  g_variant_dict_insert (&options, "virtual-environment", "s", folder);
  malt_launcher_set_runtime_options (launcher, g_variant_dict_end (&options));
  g_clear_object (&test_python_worker);
  test_python_worker = malt_launcher_spawn (launcher, NULL, &error);
  g_assert_no_error (error);

  expected = g_strdup_printf ("\"('%s', True)\"", folder);
  assert_eval ("import sys\nstr((sys.prefix, sys.base_prefix != sys.prefix))", expected);
  assert_eval ("any(p.startswith(sys.prefix) and p.endswith('site-packages') for p in sys.path)", "true");

  g_free (command);
  command = g_strdup_printf ("rm -rf %s", quoted);
  g_spawn_command_line_sync (command, NULL, NULL, NULL, NULL);
}

static gpointer
interrupt_thread (gpointer data)
{
  const char *mark = data;

  while (!g_file_test (mark, G_FILE_TEST_EXISTS))
    g_usleep (1000);
  g_usleep (10000);
  malt_worker_interrupt (test_python_worker);
  return NULL;
}

static void
test_interrupt (void)
{
  static const char * const sources[] = {
    "open(%s, 'w').close()\nwhile True: pass",
    "import asyncio\nopen(%s, 'w').close()\nawait asyncio.sleep(1000)",
    "import asyncio\nopen(%s, 'w').close()\nawait asyncio.sleep(0.001)\nwhile True: pass",
    ("import asyncio\nasync def f(): open(%s, 'w').close()\nasyncio.run(f())\nasyncio.run(asyncio.sleep(0.001))\n"
     "while True: pass"),
    /* It is interrupted when what it waits for is there and it has not yet gone on. */
    ("import asyncio, time\nf = asyncio.get_running_loop().create_future()\n"
     "def hog(): f.set_result(None); open(%s, 'w').close(); time.sleep(0.2)\n"
     "asyncio.get_running_loop().call_later(0.01, hog)\nawait f\nwhile True: pass"),
    /* These block in a system call. */
    "import time\nopen(%s, 'w').close()\ntime.sleep(1000)",
    "import os\nopen(%s, 'w').close()\nos.read(os.pipe()[0], 1)",
    "import threading\nopen(%s, 'w').close()\nthreading.Event().wait()",
  };
  gsize n = is_process () ? G_N_ELEMENTS (sources) : 5;
  gsize i, j;

  if (TEST_THREAD_SANITIZED && is_process ())
    {
      g_test_skip ("the thread sanitizer keeps signals back while code runs that it does not know");
      return;
    }

  for (i = 0; i < n; i++)
    for (j = 0; j < 3; j++)
      {
        g_autofree char *mark = g_strdup_printf ("%s/malt-mark-%d-%u", g_get_tmp_dir (), (int) g_random_int () & 0xffffff,
                                                 (guint) (i * 10 + j));
        g_autofree char *quoted = g_strdup_printf ("'%s'", mark);
        g_auto (GStrv) parts = g_strsplit (sources[i], "%s", -1);
        g_autofree char *source = g_strjoinv (quoted, parts);
        GThread *thread = g_thread_new ("interrupts", interrupt_thread, mark);
        g_autoptr (GError) error = eval_error (NULL, source);

        g_thread_join (thread);
        g_remove (mark);
        g_test_message ("%s", source);
        g_assert_error (error, MALT_ERROR, MALT_ERROR_INTERRUPTED);
        assert_eval ("1 + 1", "2");
      }
}

/* What goes on when its request has ended, and holds up the thread, is broken off, too. */
static void
test_interrupt_rest (void)
{
  g_autofree char *mark = test_mark_new ();
  g_autofree char *source = g_strdup_printf ("import asyncio\n"
                                             "def rt_hog():\n"
                                             "  open('%s', 'w').close()\n"
                                             "  while True: pass\n"
                                             "await asyncio.sleep(0)\n"
                                             "asyncio.get_running_loop().call_later(0.01, rt_hog)\n"
                                             "None", mark);

  if (TEST_THREAD_SANITIZED && is_process ())
    {
      g_test_skip ("the thread sanitizer keeps signals back while code runs that it does not know");
      return;
    }

  assert_eval (source, "nothing");
  test_mark_await (mark);
  test_runtime_interrupt_until_usable ();
  assert_eval ("await asyncio.sleep(0.001, 'usable')", "'usable'");
}

static void
count_cb (GObject      *object,
          GAsyncResult *result,
          gpointer      user_data)
{
  guint *left = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) value G_GNUC_UNUSED = malt_worker_remote_call_finish (MALT_WORKER (object), result, &error);

  g_assert_no_error (error);
  --*left;
}

/* A thread of the user's goes on while requests keep coming that run no byte code. */
static void
test_thread_beside_requests (void)
{
  g_autoptr (GVariant) before = NULL, after = NULL;
  gint64 end;
  guint left = 0;

  assert_eval ("import threading, math, time\n"
               "rt_count, rt_run = 0, True\n"
               "def rt_work():\n"
               "  global rt_count\n"
               "  while rt_run:\n"
               "    rt_count += 1\n"
               "rt_thread = threading.Thread(target=rt_work, daemon=True)\n"
               "rt_thread.start()", "nothing");

  before = eval_in (NULL, "rt_count");
  end = g_get_monotonic_time () + G_USEC_PER_SEC / 2;
  while (g_get_monotonic_time () < end || left > 0)
    {
      if (left < 1000 && g_get_monotonic_time () < end)
        {
          left++;
          malt_worker_remote_call_async (test_python_worker, "math.sqrt", g_variant_new ("(d)", 4.0), NULL,
                                         MALT_TIMEOUT_NONE, NULL, count_cb, &left);
        }
      g_main_context_iteration (NULL, left == 1000);
    }
  after = eval_in (NULL, "rt_count");
  assert_eval ("rt_run = False; rt_thread.join()", "nothing");

  g_test_message ("it has counted to %d", (int) (g_variant_get_int64 (after) - g_variant_get_int64 (before)));
  g_assert_cmpint (g_variant_get_int64 (after) - g_variant_get_int64 (before), >, 10000);
}

/* What a worker holds does not grow with what it has done. */
static void
test_memory (void)
{
  g_autoptr (GVariant) before = NULL, after = NULL;
  const char *measure = "import gc; gc.collect(); [int(l.split()[1]) for l in open('/proc/self/status') if l.startswith('VmRSS')][0]";
  guint i;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  g_test_skip ("a sanitizer keeps what was freed");
  return;
#endif

  for (i = 0; i < 12000; i++)
    {
      g_autofree char *source = g_strdup_printf ("[%u, 'a', {'b': (1, None)}]", i);

      if (i == 4000)
        before = eval_in (NULL, measure);
      g_variant_unref (eval_in (NULL, source));
    }
  after = eval_in (NULL, measure);
  g_test_message ("%d KiB before, %d KiB after", (int) g_variant_get_int64 (before), (int) g_variant_get_int64 (after));
  g_assert_cmpint (g_variant_get_int64 (after) - g_variant_get_int64 (before), <, 4096);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  test_python_add ("python-runtime", "eval", NULL, test_eval);
  test_python_add ("python-runtime", "modules", NULL, test_modules);
  test_python_add ("python-runtime", "call", NULL, test_call);
  test_python_add ("python-runtime", "names", NULL, test_names);
  test_python_add ("python-runtime", "arguments", NULL, test_arguments);
  test_python_add ("python-runtime", "small-results", NULL, test_small_results);
  test_python_add ("python-runtime", "output", NULL, test_output);
  test_python_add ("python-runtime", "traceback", NULL, test_traceback);
  test_python_add ("python-runtime", "coroutines", NULL, test_coroutines);
  test_python_add ("python-runtime", "coroutine-beside-requests", NULL, test_coroutine_beside_requests);
  test_python_add ("python-runtime", "foreign-loop", NULL, test_foreign_loop);
  test_python_add ("python-runtime", "threads", NULL, test_threads);
  test_python_add ("python-runtime", "thread-beside-requests", NULL, test_thread_beside_requests);
  test_python_add ("python-runtime", "options", NULL, test_options);
  test_python_add ("python-runtime", "virtual-environment", NULL, test_virtual_environment);
  test_python_add ("python-runtime", "interrupt", NULL, test_interrupt);
  test_python_add ("python-runtime", "interrupt-rest", NULL, test_interrupt_rest);
  test_python_add ("python-runtime", "memory", NULL, test_memory);

  return g_test_run ();
}
