/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <malt.h>

#include <glib/gstdio.h>
#include <unistd.h>

#include "test-answer.h"
#include "test-asserts.h"
#include "test-watchdog.h"

/* The native runtime: how it finds a function, and what it makes of its answer.  Most
 * of it runs in process, where a critical can be expected. */

typedef struct
{
  MaltWorker *worker;
} Fixture;

static char *build_folder;

static MaltWorker *
spawn (const char         *backend,
       const char * const *search_path)
{
  g_autoptr (MaltLauncher) launcher = malt_launcher_new (backend, "native");
  g_autoptr (GError) error = NULL;
  MaltWorker *worker;

  malt_launcher_set_search_path (launcher, search_path);
  worker = malt_launcher_spawn (launcher, NULL, &error);
  g_assert_no_error (error);
  return worker;
}

static void
retire (MaltWorker *worker)
{
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (malt_worker_stop (worker, -1, -1, NULL, &error), ==, MALT_STOP_RESULT_WAS_RUNNING);
  g_assert_no_error (error);
  g_object_unref (worker);
}

static void
fixture_set_up (Fixture       *fixture,
                gconstpointer  data)
{
  const char *search_path[] = { build_folder, NULL };

  test_watchdog_start ();
  fixture->worker = spawn (data, search_path);
}

static void
fixture_tear_down (Fixture       *fixture,
                   gconstpointer  data)
{
  retire (fixture->worker);
  test_watchdog_stop ();
}

static GVariant *
call (MaltWorker  *worker,
      const char  *function,
      GVariant    *arguments,
      GError     **error)
{
  return malt_worker_remote_call_fetch (worker, function, arguments, NULL, MALT_TIMEOUT_DEFAULT,
                                        NULL, error);
}

static void
expect_value (MaltWorker *worker,
              const char *function,
              GVariant   *arguments,
              const char *text)
{
  g_autoptr (GError) error = NULL;
  GVariant *value = call (worker, function, arguments, &error);

  g_assert_no_error (error);
  test_assert_value (value, text);
}

static void
expect_error (MaltWorker *worker,
              const char *function,
              GVariant   *arguments,
              GQuark      domain,
              int         code,
              const char *pattern)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (call (worker, function, arguments, &error));
  g_test_message ("%s", error->message);
  test_assert_error (error, domain, code, pattern);
  expect_value (worker, "native-functions:add", g_variant_new ("(xx)", G_GINT64_CONSTANT (40),
                                                               G_GINT64_CONSTANT (2)),
                "int64 42");
}

/* Functions of the program */

static GVariant *
count_up (MaltRequest   *request,
          GVariant      *arguments,
          GCancellable  *cancellable,
          gpointer       user_data,
          GError       **error)
{
  return g_variant_new_int64 (1 + g_atomic_int_add ((int *) user_data, 1));
}

static void
test_registered (Fixture       *fixture,
                 gconstpointer  data)
{
  static int counter;
  gpointer user_data = NULL;

  g_assert_null (malt_lookup_function ("count_up", &user_data));
  expect_error (fixture->worker, "count_up", NULL, MALT_ERROR, MALT_ERROR_NOT_FOUND,
                "*no function 'count_up'*");

  malt_register_function ("count_up", count_up, &counter, NULL);
  g_assert_true (malt_lookup_function ("count_up", &user_data) == count_up);
  g_assert_true (user_data == &counter);
  g_assert_true (malt_lookup_function ("count_up", NULL) == count_up);

  expect_value (fixture->worker, "count_up", NULL, "int64 1");
  expect_value (fixture->worker, "count_up", NULL, "int64 2");
}

static void
destroy_cb (gpointer data)
{
  (*(int *) data)++;
}

static void
test_registered_twice (void)
{
  static int first, second;
  gpointer user_data;

  malt_register_function ("grün", count_up, &first, destroy_cb);

  g_test_expect_message ("Malt", G_LOG_LEVEL_CRITICAL, "*'grün' is already registered*");
  malt_register_function ("grün", count_up, &second, destroy_cb);
  g_test_assert_expected_messages ();

  g_assert_cmpint (first, ==, 0);
  g_assert_cmpint (second, ==, 1);
  g_assert_true (malt_lookup_function ("grün", &user_data) == count_up);
  g_assert_true (user_data == &first);
}

static void
test_registered_wrongly (void)
{
  static const char * const names[] = { "", "with:colon", "not utf8 \xff", NULL };

  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_test_expect_message ("Malt", G_LOG_LEVEL_CRITICAL, "malt_register_function: assertion*");
      malt_register_function (names[i], count_up, NULL, NULL);
      g_test_assert_expected_messages ();
    }

  g_test_expect_message ("Malt", G_LOG_LEVEL_CRITICAL, "malt_register_function: assertion*");
  malt_register_function ("no_function", NULL, NULL, NULL);
  g_test_assert_expected_messages ();
  g_assert_null (malt_lookup_function ("no_function", NULL));
}

static gpointer
call_many_thread (gpointer data)
{
  const char *search_path[] = { NULL };
  MaltWorker *worker = spawn ("inprocess", search_path);

  for (guint i = 0; i < 200; i++)
    {
      g_autoptr (GError) error = NULL;
      GVariant *value = call (worker, "count_in_threads", NULL, &error);

      g_assert_no_error (error);
      g_variant_unref (value);
    }
  retire (worker);
  return NULL;
}

/* Each worker has a thread; they share the program's functions. */
static void
test_registered_threads (void)
{
  static int counter;
  GThread *threads[4];

  malt_register_function ("count_in_threads", count_up, &counter, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("calls", call_many_thread, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
  g_assert_cmpint (counter, ==, 4 * 200);
}

/* Functions of modules */

static void
test_module (Fixture       *fixture,
             gconstpointer  data)
{
  g_autofree char *path = g_strdup_printf ("%s/native-functions.so:echo", build_folder);

  expect_value (fixture->worker, "native-functions:add", NULL, "int64 0");
  expect_value (fixture->worker, "native-functions:add", g_variant_new ("(x)", G_GINT64_CONSTANT (7)),
                "int64 7");
  expect_value (fixture->worker, path, g_variant_new ("(s)", "here"), "'here'");
  expect_value (fixture->worker, "native-functions:echo", g_variant_new ("(sb)", "here", TRUE),
                "('here', true)");
  expect_value (fixture->worker, "native-functions:nothing", NULL, "@mv nothing");
}

static void
test_keywords (Fixture       *fixture,
               gconstpointer  data)
{
  g_autoptr (GError) error = NULL;
  GVariantDict keywords;
  GVariant *value;

  g_variant_dict_init (&keywords, NULL);
  g_variant_dict_insert (&keywords, "a", "x", G_GINT64_CONSTANT (50));
  g_variant_dict_insert (&keywords, "b", "x", G_GINT64_CONSTANT (8));
  value = malt_worker_remote_call_fetch (fixture->worker, "native-functions:subtract", NULL,
                                         g_variant_dict_end (&keywords), MALT_TIMEOUT_DEFAULT, NULL,
                                         &error);
  g_assert_no_error (error);
  test_assert_value (value, "int64 42");
}

static void
copy_module (const char *to)
{
  g_autofree char *from = g_build_filename (build_folder, "native-functions.so", NULL);
  g_autofree char *contents = NULL;
  g_autoptr (GError) error = NULL;
  gsize size;

  g_file_get_contents (from, &contents, &size, &error);
  g_assert_no_error (error);
  g_file_set_contents (to, contents, (gssize) size, &error);
  g_assert_no_error (error);
}

/* The folders in their order, the plain name before the one of a library; and a path
 * may contain colons. */
static void
test_search_path (void)
{
  g_autofree char *parent = g_dir_make_tmp ("malt:native:XXXXXX", NULL);
  g_autofree char *first = g_build_filename (parent, "first", NULL);
  g_autofree char *second = g_build_filename (parent, "second", NULL);
  g_autofree char *library = g_build_filename (first, "libsums.so", NULL);
  g_autofree char *later = g_build_filename (second, "sums.so", NULL);
  g_autofree char *broken = g_build_filename (first, "broken.so", NULL);
  g_autofree char *behind = g_build_filename (second, "broken.so", NULL);
  g_autofree char *function = g_strdup_printf ("%s:add", library);
  const char *search_path[] = { first, second, build_folder, NULL };
  g_autoptr (GError) error = NULL;
  MaltWorker *worker;

  test_watchdog_start ();
  g_assert_cmpint (g_mkdir (first, 0700), ==, 0);
  g_assert_cmpint (g_mkdir (second, 0700), ==, 0);
  copy_module (library);
  copy_module (later);
  copy_module (behind);
  g_file_set_contents (broken, "not a library", -1, &error);
  g_assert_no_error (error);

  worker = spawn ("inprocess", search_path);
  expect_value (worker, "sums:put", g_variant_new ("(s)", "mark"), "@mv nothing");
  expect_value (worker, "sums:get", NULL, "'mark'");
  expect_value (worker, function, g_variant_new ("(x)", G_GINT64_CONSTANT (3)), "int64 3");

  /* What comes first is taken also if it is broken. */
  expect_error (worker, "broken:add", NULL, MALT_ERROR, MALT_ERROR_NOT_FOUND,
                "*first/broken.so' could not be loaded: *");

  /* The state of the one that was found is that of the library. */
  {
    g_autofree char *same = g_strdup_printf ("%s:get", library);
    g_autofree char *other = g_strdup_printf ("%s:get", later);

    expect_value (worker, same, NULL, "'mark'");
    expect_value (worker, other, NULL, "@mv nothing");
  }
  retire (worker);

  g_remove (library);
  g_remove (later);
  g_remove (broken);
  g_remove (behind);
  g_rmdir (first);
  g_rmdir (second);
  g_rmdir (parent);
  test_watchdog_stop ();
}

static void
test_no_search_path (void)
{
  MaltWorker *worker;
  g_autoptr (GError) error = NULL;

  test_watchdog_start ();
  worker = spawn ("inprocess", NULL);
  g_assert_null (call (worker, "native-functions:add", NULL, &error));
  test_assert_error (error, MALT_ERROR, MALT_ERROR_NOT_FOUND,
                     "*no native module 'native-functions' was found: the search path is empty");
  retire (worker);
  test_watchdog_stop ();
}

static void
test_not_found (Fixture       *fixture,
                gconstpointer  data)
{
  g_autofree char *pattern = g_strdup_printf ("*no native module 'absent'*%s/absent.so, %s/libabsent.so",
                                              build_folder, build_folder);

  expect_error (fixture->worker, "absent:add", NULL, MALT_ERROR, MALT_ERROR_NOT_FOUND, pattern);
  expect_error (fixture->worker, "native-functions:absent", NULL, MALT_ERROR, MALT_ERROR_NOT_FOUND,
                "*native-functions.so' has no function 'absent'*malt_function_absent*");
  expect_error (fixture->worker, "/no/such/module.so:add", NULL, MALT_ERROR, MALT_ERROR_NOT_FOUND,
                "*'/no/such/module.so' could not be loaded: *No such file*");
  expect_error (fixture->worker, "add", NULL, MALT_ERROR, MALT_ERROR_NOT_FOUND,
                "*no function 'add'*'module:function'*");
}

static void
test_malformed_names (Fixture       *fixture,
                      gconstpointer  data)
{
  static const char * const paths[] = { "a/b:add", "./native-functions:add", "../x.so:add", "a/:add" };

  for (gsize i = 0; i < G_N_ELEMENTS (paths); i++)
    expect_error (fixture->worker, paths[i], NULL, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                  "*relative path*");

  expect_error (fixture->worker, ":add", NULL, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                "*':add'*names no module");
  expect_error (fixture->worker, "native-functions:", NULL, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                "*'native-functions:'*names no function*");
  expect_error (fixture->worker, ":", NULL, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "*names no module");
}

/* A missing symbol is found when the module is loaded, not in the middle of a call. */
static void
test_unloadable (Fixture       *fixture,
                 gconstpointer  data)
{
  guint i;

  for (i = 0; i < 2; i++)
    expect_error (fixture->worker, "native-broken:never_called", NULL, MALT_ERROR, MALT_ERROR_NOT_FOUND,
                  "*native-broken.so' could not be loaded: *a_function_that_nobody_has*");
}

/* What the runtime does not do */

static void
test_eval (Fixture       *fixture,
           gconstpointer  data)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (malt_worker_remote_eval_fetch (fixture->worker, NULL, "1 + 1", MALT_TIMEOUT_DEFAULT,
                                                NULL, &error));
  test_assert_error (error, MALT_ERROR, MALT_ERROR_NOT_SUPPORTED,
                     "*the native runtime evaluates no source; call a function by its name");
  expect_value (fixture->worker, "native-functions:add", NULL, "int64 0");
}

static void
test_option (gconstpointer backend)
{
  g_autoptr (MaltLauncher) launcher = malt_launcher_new (backend, "native");
  g_autoptr (GError) error = NULL;
  GVariantDict options;

  test_watchdog_start ();
  g_variant_dict_init (&options, NULL);
  g_variant_dict_insert (&options, "colour", "s", "green");
  malt_launcher_set_runtime_options (launcher, g_variant_dict_end (&options));

  g_assert_null (malt_launcher_spawn (launcher, NULL, &error));
  test_assert_error (error, MALT_ERROR, MALT_ERROR_NOT_FOUND, "*native runtime has no option 'colour'*");
  test_watchdog_stop ();
}

/* Errors */

static GVariant *
failure (const char *domain,
         gint64      code)
{
  return g_variant_new ("(sxs)", domain, code, "on purpose");
}

static void
test_errors (Fixture       *fixture,
             gconstpointer  data)
{
  const char *fail = "native-functions:fail";
  g_autoptr (GError) error = NULL;
  g_autofree char *type = NULL;

  expect_error (fixture->worker, fail, g_variant_new ("(s)", "on purpose"),
                MALT_ERROR, MALT_ERROR_REMOTE, "*NativeError: on purpose*");
  expect_error (fixture->worker, fail, failure (g_quark_to_string (G_IO_ERROR), G_IO_ERROR_BUSY),
                G_IO_ERROR, G_IO_ERROR_BUSY, "*on purpose");
  expect_error (fixture->worker, fail, failure (g_quark_to_string (MALT_ERROR), MALT_ERROR_NOT_SUPPORTED),
                MALT_ERROR, MALT_ERROR_NOT_SUPPORTED, "*on purpose");
  expect_error (fixture->worker, "native-functions:sleep", g_variant_new ("(s)", "long"),
                G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "*expected arguments of type (x), got (s)");

  /* The manager need not know the domain. */
  g_assert_null (call (fixture->worker, fail, failure ("a-domain-of-its-own", -3), &error));
  type = malt_remote_error_dup_type (error);
  g_assert_cmpstr (type, ==, "a-domain-of-its-own(-3)");
  test_assert_error (error, MALT_ERROR, MALT_ERROR_REMOTE, "*a-domain-of-its-own(-3): on purpose*");

  /* That the worker has ended is for the manager to say. */
  expect_error (fixture->worker, fail, failure (g_quark_to_string (MALT_ERROR), MALT_ERROR_TERMINATED),
                MALT_ERROR, MALT_ERROR_REMOTE, "*on purpose*");
}

static void
test_too_deep (Fixture       *fixture,
               gconstpointer  data)
{
  expect_error (fixture->worker, "native-functions:deep", g_variant_new ("(x)", G_GINT64_CONSTANT (60)),
                MALT_ERROR, MALT_ERROR_SERIALIZATION, "*");
}

/* Answers from elsewhere */

static void
test_later (Fixture       *fixture,
            gconstpointer  data)
{
  expect_value (fixture->worker, "native-functions:later",
                g_variant_new ("(xs)", G_GINT64_CONSTANT (1), "thread"), "'thread'");
  expect_value (fixture->worker, "native-functions:later_in_context",
                g_variant_new ("(xs)", G_GINT64_CONSTANT (1), "context"), "'context'");
  expect_error (fixture->worker, "native-functions:later_failed", NULL, G_IO_ERROR, G_IO_ERROR_BUSY,
                "*it could not begin");
  expect_error (fixture->worker, "native-functions:later_dropped", NULL, MALT_ERROR, MALT_ERROR_REMOTE,
                "*dropped*");
}

/* Interrupts */

static void
test_interrupt (Fixture       *fixture,
                gconstpointer  data)
{
  static const char * const functions[] = {
    "native-functions:spin", "native-functions:sleep_on", "native-functions:later_never"
  };

  for (gsize i = 0; i < G_N_ELEMENTS (functions); i++)
    {
      g_autoptr (GError) error = NULL;
      TestAnswer *answer = test_answer_call (fixture->worker, functions[i], NULL, MALT_TIMEOUT_NONE, NULL);

      /* An interrupt that comes before it has begun hits nothing. */
      while (!test_answer_is_there (answer))
        {
          malt_worker_interrupt (fixture->worker);
          g_main_context_iteration (NULL, FALSE);
        }
      g_assert_null (test_answer_wait (answer, &error));
      test_assert_error (error, MALT_ERROR, MALT_ERROR_INTERRUPTED, "*");
      expect_value (fixture->worker, "native-functions:add", NULL, "int64 0");
    }
}

/* Functions that break their contract: the first time there is a critical, each time an
 * error for that call alone. */

static void
test_breaches (Fixture       *fixture,
               gconstpointer  data)
{
  static const struct
  {
    const char *function;
    const char *pattern;
  } breaches[] = {
    { "native-functions:value_and_error", "*'native-functions:value_and_error' returned both a value and an error*" },
    { "native-functions:deferred_value", "*'native-functions:deferred_value' deferred its answer and returned a value*" },
    { "native-functions:unsound_error", "*'native-functions:unsound_error' returned an error*does not exist*" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (breaches); i++)
    {
      g_test_expect_message ("Malt-Native", G_LOG_LEVEL_CRITICAL, breaches[i].pattern);
      expect_error (fixture->worker, breaches[i].function, NULL, MALT_ERROR, MALT_ERROR_REMOTE,
                    breaches[i].pattern);
      g_test_assert_expected_messages ();
      expect_error (fixture->worker, breaches[i].function, NULL, MALT_ERROR, MALT_ERROR_REMOTE,
                    breaches[i].pattern);
    }
}

/* The first answer counts. */
static void
test_answered_twice (Fixture       *fixture,
                     gconstpointer  data)
{
  g_test_expect_message ("Malt", G_LOG_LEVEL_CRITICAL, "*native-functions:answered_twice*finished twice*");
  expect_value (fixture->worker, "native-functions:answered_twice", NULL, "int64 1");
  expect_value (fixture->worker, "native-functions:nothing", NULL, "@mv nothing");
  g_test_assert_expected_messages ();
}

static void
add (const char *name,
     void     (* func) (Fixture *, gconstpointer))
{
  static const char * const backends[] = { "inprocess", "process" };

  for (gsize i = 0; i < G_N_ELEMENTS (backends); i++)
    {
      g_autofree char *path = g_strdup_printf ("/native/%s/%s", name, backends[i]);

      g_test_add (path, Fixture, backends[i], fixture_set_up, func, fixture_tear_down);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  build_folder = g_canonicalize_filename (g_test_get_dir (G_TEST_BUILT), NULL);

  g_test_add_func ("/native/registered/twice", test_registered_twice);
  g_test_add_func ("/native/registered/wrongly", test_registered_wrongly);
  g_test_add_func ("/native/registered/threads", test_registered_threads);
  g_test_add ("/native/registered/called", Fixture, "inprocess",
              fixture_set_up, test_registered, fixture_tear_down);
  add ("module", test_module);
  add ("keywords", test_keywords);
  g_test_add_func ("/native/search-path", test_search_path);
  g_test_add_func ("/native/no-search-path", test_no_search_path);
  add ("not-found", test_not_found);
  add ("malformed-names", test_malformed_names);
  add ("unloadable", test_unloadable);
  add ("eval", test_eval);
  g_test_add_data_func ("/native/option/inprocess", "inprocess", test_option);
  g_test_add_data_func ("/native/option/process", "process", test_option);
  add ("errors", test_errors);
  g_test_add ("/native/too-deep/process", Fixture, "process",
              fixture_set_up, test_too_deep, fixture_tear_down);
  add ("later", test_later);
  add ("interrupt", test_interrupt);
  g_test_add ("/native/breaches/inprocess", Fixture, "inprocess",
              fixture_set_up, test_breaches, fixture_tear_down);
  g_test_add ("/native/answered-twice/inprocess", Fixture, "inprocess",
              fixture_set_up, test_answered_twice, fixture_tear_down);

  return g_test_run ();
}
