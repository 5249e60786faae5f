/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <malt.h>
#include <string.h>

#include "test-asserts.h"
#include "test-python.h"
#include "test-watchdog.h"

/* How Python code calls functions of the program, beyond what all runtimes do. */

static GPtrArray *kept;

/* What it was given, with its keywords if there are any. */
static void
echo (MaltRequest *request,
      gpointer     user_data)
{
  GVariant *keywords = malt_request_get_keywords (request);

  malt_request_return_value (request, g_variant_new ("(s@*@a{sv})", malt_request_get_function (request),
                                                     malt_request_get_arguments (request),
                                                     keywords != NULL ? keywords : g_variant_new ("a{sv}", NULL)));
}

static void
fail (MaltRequest *request,
      gpointer     user_data)
{
  malt_request_return_exception (request, "LookupError", "not here", "Traceback there");
}

static void
keep (MaltRequest *request,
      gpointer     user_data)
{
  g_ptr_array_add (kept, g_object_ref (request));
}

static void
assert_eval (const char *source,
             const char *expected)
{
  g_autoptr (GError) error = NULL;
  GVariant *value;

  malt_worker_export_function (test_python_worker, "echo", NULL, echo, NULL, NULL);
  malt_worker_export_function (test_python_worker, "files.echo", NULL, echo, NULL, NULL);
  malt_worker_export_function (test_python_worker, "any name", NULL, echo, NULL, NULL);
  malt_worker_export_function (test_python_worker, "fail", NULL, fail, NULL, NULL);
  malt_worker_export_function (test_python_worker, "keep", NULL, keep, NULL, NULL);
  value = malt_worker_remote_eval_fetch (test_python_worker, NULL, source, MALT_TIMEOUT_NONE, NULL, &error);
  g_assert_no_error (error);
  test_assert_value (value, expected);
}

/* Evaluates what raises an exception, and gives type and text. */
static void
assert_raises (const char *source,
               const char *expected)
{
  g_autofree char *full = g_strdup_printf ("try:\n"
                                           "    %s\n"
                                           "    result = 'nothing'\n"
                                           "except Exception as error:\n"
                                           "    result = type(error).__name__ + ': ' + str(error)\n"
                                           "result", source);
  g_autofree char *quoted = g_strdup_printf ("\"%s\"", expected);
  g_autofree char *plain = g_strdup_printf ("'%s'", expected);

  assert_eval (full, strchr (expected, '\'') != NULL ? quoted : plain);
}

static void
test_names (void)
{
  assert_eval ("malt.host.echo(1, 'two')", "('echo', (int64 1, 'two'), @a{sv} {})");
  assert_eval ("malt.host.files.echo()", "('files.echo', (), @a{sv} {})");
  assert_eval ("malt.host['any name'](a=1)", "('any name', (), {'a': <int64 1>})");
  assert_eval ("f = malt.host.echo; f(None)", "('echo', (@mv nothing,), @a{sv} {})");
  assert_eval ("import malt as module; module.host.echo()", "('echo', (), @a{sv} {})");
  assert_eval ("repr(malt.host.files.echo) + repr(malt.host_async)", "'<malt.host.files.echo><malt.host_async>'");
  assert_eval ("hasattr(malt.host, '__len__')", "false");
}

static void
test_mistakes (void)
{
  assert_raises ("malt.host()", "TypeError: malt.host is no function; its attributes are");
  assert_raises ("malt.host[1]", "TypeError: the name of a function is a str, not int");
  assert_raises ("malt.host.echo['x']", "TypeError: 'echo' is a function of the program's, and has no items");
  assert_raises ("type(malt.host)()", "TypeError: cannot create 'malt.HostFunction' instances");
  assert_raises ("malt.host.other()", "HostError: the manager gives this worker no function 'other'");
  assert_raises ("malt.progress(-1)",
                 "ValueError: the fraction that is done is -1, which is not from 0 to 1; None says that it is not known");
  assert_raises ("malt.progress(float('nan'))",
                 "ValueError: the fraction that is done is nan, which is not from 0 to 1; None says that it is not known");
  assert_raises ("malt.progress(1.0000001)", "nothing");
  assert_raises ("malt.progress('half')", "TypeError: must be real number, not str");
  assert_raises ("malt.progress(0.5, 'a\\0b')", "ValueError: the text has a zero character in it");
}

static void
test_errors (void)
{
  assert_eval ("try:\n"
               "    malt.host.fail()\n"
               "except malt.HostError as error:\n"
               "    result = [str(error), error.domain, str(error.code), error.type, error.message, error.traceback]\n"
               "result",
               "['LookupError: not here', 'MaltError', '0', 'LookupError', 'not here', 'Traceback there']");
}

static void
test_coroutines (void)
{
  assert_eval ("import asyncio\n"
               "async def f(i):\n"
               "    return (await malt.host_async.echo(i))[1][0]\n"
               "await asyncio.gather(*(f(i) for i in range(100))) == list(range(100))", "true");
  assert_eval ("try:\n"
               "    await malt.host_async.fail()\n"
               "except malt.HostError as error:\n"
               "    result = error.type\n"
               "result", "'LookupError'");

  /* A wait that was given up; the answer that comes then is for nobody. */
  assert_eval ("try:\n"
               "    await asyncio.wait_for(malt.host_async.keep(), 0.01)\n"
               "except TimeoutError:\n"
               "    result = 'given up'\n"
               "result", "'given up'");
  g_assert_cmpuint (kept->len, ==, 1);
  malt_request_return_value (g_ptr_array_index (kept, 0), NULL);
  g_ptr_array_set_size (kept, 0);
  assert_eval ("(await malt.host_async.echo(7))[1][0]", "int64 7");
}

static void
test_threads (void)
{
  assert_eval ("import threading\n"
               "results = []\n"
               "def f():\n"
               "    results.append(malt.host.echo('t')[1][0])\n"
               "    try:\n"
               "        malt.host_async.echo()\n"
               "    except RuntimeError:\n"
               "        results.append('no loop')\n"
               "    malt.progress(0.5)\n"
               "    results.append(str(malt.cancelled()))\n"
               "t = threading.Thread(target=f)\n"
               "t.start()\n"
               "t.join()\n"
               "results", "['t', 'no loop', 'False']");
}

/* Code that looks whether it should give up ends in its own way. */
static void
test_cancelled (void)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;
  const char *source = "malt.progress(0)\n"
                       "while not malt.cancelled():\n"
                       "    pass\n"
                       "gave_up = True";

  assert_eval ("gave_up = False; malt.cancelled()", "false");
  g_signal_connect_swapped (test_python_worker, "progress", G_CALLBACK (g_cancellable_cancel), cancellable);
  g_assert_null (malt_worker_remote_eval_fetch (test_python_worker, NULL, source, MALT_TIMEOUT_NONE, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  assert_eval ("gave_up", "true");
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  kept = g_ptr_array_new_with_free_func (g_object_unref);
  test_watchdog_start ();

  /* First: a thread of Python belongs to the one worker in the program, so there must be none
   * that is still about to end. */
  test_python_add ("python-host", "threads", NULL, test_threads);
  test_python_add ("python-host", "names", NULL, test_names);
  test_python_add ("python-host", "mistakes", NULL, test_mistakes);
  test_python_add ("python-host", "errors", NULL, test_errors);
  test_python_add ("python-host", "coroutines", NULL, test_coroutines);
  test_python_add ("python-host", "cancelled", NULL, test_cancelled);

  return g_test_run ();
}
