/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <malt.h>

#include <string.h>

#include "introspected-worker.h"
#include "test-answer.h"
#include "test-asserts.h"
#include "test-watchdog.h"

/* How introspected functions are called: when they are loaded, what ends them, who comes first, and
 * what is left behind. */

static gboolean
has_loaded (MaltWorker *worker,
            const char *library)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/maps", (int) malt_worker_get_pid (worker));
  g_autofree char *maps = NULL;
  g_autoptr (GError) error = NULL;

  g_file_get_contents (path, &maps, NULL, &error);
  g_assert_no_error (error);
  return strstr (maps, library) != NULL;
}

/* A worker that calls none of them has none of what they need. */
static void
test_loading (void)
{
  const char *search_path[] = { g_test_get_dir (G_TEST_BUILT), NULL };
  g_autoptr (MaltLauncher) launcher = malt_launcher_new ("process", "native");
  g_autoptr (GError) error = NULL;
  MaltWorker *worker;

  test_watchdog_start ();
  malt_launcher_set_search_path (launcher, search_path);
  worker = malt_launcher_spawn (launcher, NULL, &error);
  g_assert_no_error (error);

  introspected_expect (worker, "native-functions:add", "(int64 1, int64 2)", "int64 3");
  g_assert_null (introspected_call (worker, "no_dot", "()", &error));
  test_assert_error (error, MALT_ERROR, MALT_ERROR_NOT_FOUND, "*no function 'no_dot'*");
  g_assert_true (has_loaded (worker, "libmalt-runtime-native.so"));
  g_assert_false (has_loaded (worker, "malt-native-introspection.so"));
  g_assert_false (has_loaded (worker, "libgirepository"));

  introspected_expect (worker, "GLib.ascii_strdown", "('ABC', -1)", "'abc'");
  g_assert_true (has_loaded (worker, "malt-native-introspection.so"));
  g_assert_true (has_loaded (worker, "libgirepository"));
  introspected_expect (worker, "native-functions:add", "(int64 1, int64 2)", "int64 3");

  introspected_worker_retire (worker);
  test_watchdog_stop ();
}

static GVariant *
get_own_version (MaltRequest   *request,
                 GVariant      *arguments,
                 GCancellable  *cancellable,
                 gpointer       user_data,
                 GError       **error)
{
  return g_variant_new_string ("own");
}

/* What the program has by such a name comes first. */
static void
test_registered (void)
{
  MaltWorker *worker;

  test_watchdog_start ();
  malt_register_function ("Specimens.latin1", get_own_version, NULL, NULL);
  worker = introspected_worker_new ("inprocess");
  introspected_expect (worker, "Specimens.latin1", "()", "'own'");
  introspected_expect (worker, "Specimens.get_version", "()", "1");
  introspected_worker_retire (worker);
  test_watchdog_stop ();
}

/* Each worker has the version that it asked for first. */
static void
test_versions (void)
{
  static const char * const versions[] = { "1.0", "2.0" };

  test_watchdog_start ();
  for (gsize i = 0; i < 2; i++)
    {
      MaltWorker *worker = introspected_worker_new ("process");
      g_autofree char *own = g_strdup_printf ("Specimens@%s.get_version", versions[i]);
      g_autofree char *other = g_strdup_printf ("Specimens@%s.get_version", versions[1 - i]);
      g_autofree char *pattern = g_strdup_printf ("*version %s of the namespace Specimens cannot be used*uses version %s*",
                                                  versions[1 - i], versions[i]);
      g_autoptr (GError) error = NULL;

      introspected_expect (worker, own, "()", "1");
      introspected_expect (worker, "Specimens.get_version", "()", "1");
      g_assert_null (introspected_call (worker, other, "()", &error));
      test_assert_error (error, MALT_ERROR, MALT_ERROR_NOT_FOUND, pattern);
      introspected_expect (worker, own, "()", "1");
      introspected_worker_retire (worker);
    }
  test_watchdog_stop ();
}

/* The cancellable of the request is that of a function that takes one. */
static void
test_cancel (Introspected  *fixture,
             gconstpointer  data)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;
  TestAnswer *answer = test_answer_call (fixture->worker, "Specimens.wait", NULL, MALT_TIMEOUT_NONE, cancellable);

  g_cancellable_cancel (cancellable);
  g_assert_null (test_answer_wait (answer, &error));
  test_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED, "*");
  introspected_expect (fixture->worker, "Specimens.get_version", "()", "1");

  g_assert_null (malt_worker_remote_call_fetch (fixture->worker, "Specimens.wait", NULL, NULL, 50, NULL, &error));
  test_assert_error (error, MALT_ERROR, MALT_ERROR_TIMEOUT, "*");
  introspected_expect (fixture->worker, "Specimens.get_version", "()", "1");
}

static void
test_interrupt (Introspected  *fixture,
                gconstpointer  data)
{
  for (guint i = 0; i < 3; i++)
    {
      g_autoptr (GError) error = NULL;
      TestAnswer *answer = test_answer_call (fixture->worker, "Specimens.wait", NULL, MALT_TIMEOUT_NONE, NULL);

      /* An interrupt that comes before it has begun hits nothing. */
      while (!test_answer_is_there (answer))
        {
          malt_worker_interrupt (fixture->worker);
          g_main_context_iteration (NULL, FALSE);
        }
      g_assert_null (test_answer_wait (answer, &error));
      test_assert_error (error, MALT_ERROR, MALT_ERROR_INTERRUPTED, "*");
      introspected_expect (fixture->worker, "Specimens.get_version", "()", "1");
    }
}

/* It is found out only when it returns that a function gives no channel. */
static void
test_no_channel (Introspected  *fixture,
                 gconstpointer  data)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (malt_worker_open_channel (fixture->worker, NULL, "Specimens.get_version",
                                           MALT_TIMEOUT_DEFAULT, NULL, &error));
  g_assert_nonnull (error);
  g_clear_error (&error);
  introspected_expect (fixture->worker, "Specimens.get_version", "()", "1");
}

static gpointer
call_in_thread (gpointer data)
{
  MaltWorker *worker = introspected_worker_new ("inprocess");

  for (guint i = 0; i < 100; i++)
    {
      introspected_expect (worker, "Specimens.join", "('a', 'b')", "'a,b'");
      introspected_expect (worker, "Specimens.give_everything", "()",
                           "('text', ['a', 'b'], ['c'], ['d'], {'e': 'f'}, [byte 0x67, 0x68], (1, 'i'), "
                           "'2024-01-31T12:30:15.500000Z')");
      introspected_expect (worker, "GLib.utf8_strup", "('äöü', -1)", "'ÄÖÜ'");
    }
  introspected_worker_retire (worker);
  return NULL;
}

/* Workers of one process share what they have found. */
static void
test_threads (void)
{
  GThread *threads[4];

  test_watchdog_start ();
  for (gsize i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("test", call_in_thread, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
  test_watchdog_stop ();
}

/* A text of 1 MB and an array of 1 million numbers there and back. */
static void
test_large (Introspected  *fixture,
            gconstpointer  data)
{
  g_autofree char *bytes = g_malloc (1000001);
  g_autofree double *numbers = g_new (double, 1000000);
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) value = NULL;
  GVariant *array;

  memset (bytes, 'a', 1000000);
  bytes[1000000] = '\0';
  value = malt_worker_remote_call_fetch (fixture->worker, "GLib.utf8_strup",
                                         g_variant_new ("(sx)", bytes, G_GINT64_CONSTANT (-1)), NULL,
                                         MALT_TIMEOUT_DEFAULT, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (strlen (g_variant_get_string (value, NULL)), ==, 1000000);
  g_assert_cmpint (g_variant_get_string (value, NULL)[999999], ==, 'A');
  g_clear_pointer (&value, g_variant_unref);

  for (guint i = 0; i < 1000000; i++)
    numbers[i] = 2;
  array = g_variant_new_fixed_array (G_VARIANT_TYPE_DOUBLE, numbers, 1000000, sizeof (double));
  test_assert_value (malt_worker_remote_call_fetch (fixture->worker, "Specimens.dot",
                                                    g_variant_new ("(@ad@ad)", array, array), NULL,
                                                    MALT_TIMEOUT_DEFAULT, NULL, &error),
                     "4000000.0");

  value = malt_worker_remote_call_fetch (fixture->worker, "Specimens.fill_some", g_variant_new ("(x)", (gint64) 2000000),
                                         NULL, MALT_TIMEOUT_DEFAULT, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (g_variant_get_type_string (value), ==, "(xay)");
}

static gsize
get_resident_kib (MaltWorker *worker)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/statm", (int) malt_worker_get_pid (worker));
  g_autofree char *text = NULL;
  g_autoptr (GError) error = NULL;
  guint64 pages;
  const char *space;

  g_file_get_contents (path, &text, NULL, &error);
  g_assert_no_error (error);
  space = strchr (text, ' ');
  g_assert_nonnull (space);
  pages = g_ascii_strtoull (space, NULL, 10);
  return (gsize) (pages * 4);
}

static void
called_cb (GObject      *object,
           GAsyncResult *result,
           gpointer      pending)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) value = malt_worker_remote_call_finish (MALT_WORKER (object), result, &error);

  g_assert_true ((value != NULL) != (error != NULL));
  --*(guint *) pending;
}

/* Many at a time, as there are many. */
static void
call_all (MaltWorker *worker,
          guint       n)
{
  static const struct
  {
    const char *function;
    const char *arguments;
  } calls[] = {
    { "Specimens.take_everything", "('t', ['a', 'b'], ['c'], ['d', 'e', 'f'], {'k': 'v'}, b'x', (1, 'y'), 9)" },
    { "Specimens.give_everything", "()" },
    { "Specimens.take_everything", "('t', ['a', 'b'], ['c'], ['d', 'e', 'f'], {'k': 'v'}, b'x', (1, 'y'), 'wrong')" },
    { "Specimens.take_everything", "('t', ['a', 'b'], ['c'], [<'d'>, <1>], {'k': 'v'}, b'x', (1, 'y'), 9)" },
    { "Specimens.floating", "(true,)" },
    { "Specimens.floating", "(false,)" },
    { "Specimens.line", "(5,)" },
    { "Specimens.mirror", "({'x': 1.5},)" },
    { "Specimens.table", "('k',)" },
    { "Specimens.latin1", "()" },
    { "Specimens.fail", "('a-domain', 5, 'message')" },
    { "Specimens.error", "(('a-domain', 5, 'message'),)" },
    { "Specimens.fill_some", "(100,)" },
    { "Specimens.holes", "()" },
    { "GLib.DateTime.add_days", "('2024-02-28T00:00:00Z', 2)" },
    { "GLib.Date.new_dmy", "(1, 'january', 2024)" },
    { "GLib.Bytes.new", "(b'abc',)" },
    { "GLib.Variant.parse", "('as', '[\"a\"]')" },
  };

  GVariant *arguments[G_N_ELEMENTS (calls)];
  guint pending = 0;

  for (gsize i = 0; i < G_N_ELEMENTS (calls); i++)
    arguments[i] = g_variant_ref_sink (g_variant_new_parsed (calls[i].arguments));

  for (guint i = 0; i < n; i++)
    {
      for (gsize j = 0; j < G_N_ELEMENTS (calls); j++)
        {
          pending++;
          malt_worker_remote_call_async (worker, calls[j].function, arguments[j], NULL, MALT_TIMEOUT_DEFAULT, NULL,
                                         called_cb, &pending);
        }
      while (pending > (i + 1 < n ? 200 : 0))
        g_main_context_iteration (NULL, TRUE);
    }

  for (gsize i = 0; i < G_N_ELEMENTS (calls); i++)
    g_variant_unref (arguments[i]);
}

/* In 2,000 calls of each, the smallest piece of memory that is lost comes to 62 KiB, each time.
 * How much else is there changes with how much is under way at once. */
static void
test_leaks (void)
{
  MaltWorker *worker;
  gsize grown = G_MAXSIZE;

  if (g_strcmp0 (TEST_SANITIZER, "none") != 0)
    {
      g_test_skip ("a sanitizer keeps memory back, and looks for leaks itself");
      return;
    }

  test_watchdog_start ();
  worker = introspected_worker_new ("process");
  call_all (worker, 1000);
  for (guint i = 0; i < 8 && grown > 50; i++)
    {
      gsize before = get_resident_kib (worker);
      gsize after;

      call_all (worker, 2000);
      after = get_resident_kib (worker);
      g_test_message ("%" G_GSIZE_FORMAT " KiB, then %" G_GSIZE_FORMAT " KiB", before, after);
      grown = after > before ? after - before : 0;
    }
  g_assert_cmpuint (grown, <=, 50);
  introspected_worker_retire (worker);
  test_watchdog_stop ();
}

/* The same in this process, for who looks for leaks in it. */
static void
test_leaks_here (void)
{
  MaltWorker *worker;

  test_watchdog_start ();
  worker = introspected_worker_new ("inprocess");
  call_all (worker, 20);
  introspected_worker_retire (worker);
  test_watchdog_stop ();
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/introspection/loading", test_loading);
  g_test_add_func ("/introspection/registered", test_registered);
  g_test_add_func ("/introspection/versions", test_versions);
  introspected_add ("cancel", test_cancel);
  introspected_add ("interrupt", test_interrupt);
  introspected_add ("no-channel", test_no_channel);
  g_test_add_func ("/introspection/threads", test_threads);
  introspected_add ("large", test_large);
  g_test_add_func ("/introspection/leaks/process", test_leaks);
  g_test_add_func ("/introspection/leaks/inprocess", test_leaks_here);

  return g_test_run ();
}
