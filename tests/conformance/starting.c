/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <fcntl.h>
#include <unistd.h>

#include <malt.h>

#include "test-asserts.h"
#include "test-case.h"
#include "test-process.h"
#include "test-watchdog.h"

/* Starts that fail, and starts that leave behind what they should. */

typedef struct
{
  MaltWorker *worker;
  GError     *error;
  gboolean    done;
} Start;

static void
spawned_cb (GObject      *source,
            GAsyncResult *result,
            gpointer      user_data)
{
  Start *start = user_data;

  start->worker = malt_launcher_spawn_finish (MALT_LAUNCHER (source), result, &start->error);
  start->done = TRUE;
}

static gboolean
holdings_are (gpointer data)
{
  const TestHoldings *expected = data;
  TestHoldings now;

  while (g_main_context_iteration (NULL, FALSE))
    ;
  now = test_get_holdings ();
  return now.descriptors <= expected->descriptors && now.children <= expected->children;
}

/* Both ways of starting fail in the same way. */
static void
fail_both_ways (TestCase   *self,
                GQuark      domain,
                int         code,
                const char *pattern)
{
  g_autoptr (GError) error = NULL;
  Start start = { 0 };

  g_assert_null (malt_launcher_spawn (self->launcher, NULL, &error));
  test_assert_error (error, domain, code, pattern);

  malt_launcher_spawn_async (self->launcher, NULL, spawned_cb, &start);
  g_assert_false (start.done);
  while (!start.done)
    g_main_context_iteration (NULL, TRUE);
  g_assert_null (start.worker);
  test_assert_error (start.error, domain, code, pattern);
}

/* And neither leaves anything behind, once what is made but once is there. */
static void
expect_failure (TestCase   *self,
                GQuark      domain,
                int         code,
                const char *pattern)
{
  TestHoldings before;

  fail_both_ways (self, domain, code, pattern);
  before = test_get_holdings ();
  fail_both_ways (self, domain, code, pattern);
  test_await (holdings_are, &before);
}

/* The launcher is as good as before: without what was wrong, it starts a worker. */
static void
expect_success (TestCase *self)
{
  self->worker = test_case_spawn (self);
  test_case_assert_usable (self);
}

static void
set_program (TestCase   *self,
             const char *name)
{
  g_autofree char *path = g_test_build_filename (G_TEST_BUILT, "programs", name, NULL);

  malt_launcher_set_program (self->launcher, path);
}

static void
test_async (TestCase *self)
{
  Start start = { 0 };

  malt_launcher_spawn_async (self->launcher, NULL, spawned_cb, &start);
  while (!start.done)
    g_main_context_iteration (NULL, TRUE);
  g_assert_no_error (start.error);
  self->worker = start.worker;
  test_case_assert_usable (self);
}

static void
test_missing_program (TestCase *self)
{
  malt_launcher_set_program (self->launcher, "/nowhere/no-such-program");
  expect_failure (self, MALT_ERROR, MALT_ERROR_NOT_FOUND, "*/nowhere/no-such-program*");
  malt_launcher_set_program (self->launcher, NULL);
  expect_success (self);
}

static void
test_program_is_no_program (TestCase *self)
{
  malt_launcher_set_program (self->launcher, "/etc/passwd");
  expect_failure (self, MALT_ERROR, MALT_ERROR_START, "*/etc/passwd*");
  malt_launcher_set_program (self->launcher, NULL);
  expect_success (self);
}

static void
test_missing_directory (TestCase *self)
{
  malt_launcher_set_working_directory (self->launcher, "/no/such/directory");
  expect_failure (self, MALT_ERROR, MALT_ERROR_START, "*/no/such/directory*");
  malt_launcher_set_working_directory (self->launcher, NULL);
  expect_success (self);
}

static GVariant *
one_option (const char *name,
            GVariant   *value)
{
  GVariantBuilder builder;

  g_variant_builder_init (&builder, G_VARIANT_TYPE_VARDICT);
  g_variant_builder_add (&builder, "{sv}", name, value);
  return g_variant_builder_end (&builder);
}

static void
test_bad_backend_option (TestCase *self)
{
  malt_launcher_set_backend_options (self->launcher,
                                     one_option ("no-such-option", g_variant_new_boolean (TRUE)));
  expect_failure (self, MALT_ERROR, MALT_ERROR_NOT_FOUND, "*no-such-option*");
  malt_launcher_set_backend_options (self->launcher, NULL);
  expect_success (self);
}

static void
test_bad_runtime_option (TestCase *self)
{
  malt_launcher_set_runtime_options (self->launcher,
                                     one_option ("no-such-option", g_variant_new_boolean (TRUE)));
  expect_failure (self, MALT_ERROR, MALT_ERROR_NOT_FOUND, "*no-such-option*");
  malt_launcher_set_runtime_options (self->launcher, NULL);
  expect_success (self);
}

/* An option that is there, with a value that cannot be its. */
static void
test_bad_option_value (TestCase *self)
{
  malt_launcher_set_backend_options (self->launcher,
                                     one_option ("share-process-group", g_variant_new_string ("?")));
  expect_failure (self, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "*share-process-group*");
  malt_launcher_set_backend_options (self->launcher, NULL);
  expect_success (self);
}

static void
test_bad_environment (TestCase *self)
{
  const char *environment[] = { "without equals sign", NULL };

  malt_launcher_set_environment (self->launcher, environment);
  expect_failure (self, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "*without equals sign*");
  malt_launcher_set_environment (self->launcher, NULL);
  expect_success (self);
}

static void
test_unknown_runtime (TestCase *self)
{
  malt_launcher_set_runtime (self->launcher, "cobol");
  expect_failure (self, MALT_ERROR, MALT_ERROR_NOT_FOUND, "*cobol*");
  malt_launcher_set_runtime (self->launcher, self->variant->runtime);
  expect_success (self);
}

static void
test_unknown_backend (TestCase *self)
{
  malt_launcher_set_backend (self->launcher, "moon");
  expect_failure (self, MALT_ERROR, MALT_ERROR_NOT_FOUND, "*moon*");
  malt_launcher_set_backend (self->launcher, self->variant->backend);
  self->worker = test_case_spawn (self);
  test_case_assert_usable (self);
}

/* A program that exits is reported at once, with what it said. */
static void
test_exits (TestCase *self)
{
  malt_launcher_set_stderr (self->launcher, MALT_OUTPUT_DISCARD);
  set_program (self, "exits");
  expect_failure (self, MALT_ERROR, MALT_ERROR_START, "*code 7*first line*no luck today*");
}

static void
test_hangs (TestCase *self)
{
  malt_launcher_set_stderr (self->launcher, MALT_OUTPUT_DISCARD);
  /* It has to have printed by then, also on a busy machine. */
  malt_launcher_set_start_timeout (self->launcher, TEST_SANITIZED ? 3000 : 1000);
  set_program (self, "hangs");
  expect_failure (self, MALT_ERROR, MALT_ERROR_START,
                  TEST_SANITIZED ? "* 3 s*waiting for better times*" : "* 1 s*waiting for better times*");
}

static gboolean
cancel_cb (gpointer user_data)
{
  g_cancellable_cancel (user_data);
  return G_SOURCE_REMOVE;
}

static void
test_cancelled (TestCase *self)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;
  Start start = { 0 };
  TestHoldings before;

  malt_launcher_set_stderr (self->launcher, MALT_OUTPUT_DISCARD);
  set_program (self, "hangs");

  g_idle_add (cancel_cb, cancellable);
  malt_launcher_spawn_async (self->launcher, cancellable, spawned_cb, &start);
  while (!start.done)
    g_main_context_iteration (NULL, TRUE);
  g_assert_null (start.worker);
  test_assert_error (start.error, G_IO_ERROR, G_IO_ERROR_CANCELLED, "*cancelled*");

  /* Cancelled before it began. */
  before = test_get_holdings ();
  g_assert_null (malt_launcher_spawn (self->launcher, cancellable, &error));
  test_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED, "*");
  test_await (holdings_are, &before);
}

/* Programs that speak, but nothing that could be understood: what they do first. */
static void
test_rubbish (TestCase *self)
{
  static const struct
  {
    const char *mode;
    const char *pattern;
  } modes[] = {
    { "text", "*a frame begins with 0x*instead of*" },
    { "closes", "*" },
    { "half-header", "*" },
    { "hello-version", "*protocol version 99*" },
    { "hello-type", "*type 77*" },
    { "hello-body", "*a body is not valid*" },
    { "hello-large", "*" },
    { "reply-first", "*" },
  };
  gsize i;

  malt_launcher_set_stderr (self->launcher, MALT_OUTPUT_DISCARD);
  set_program (self, "rubbish-worker");

  for (i = 0; i < G_N_ELEMENTS (modes); i++)
    {
      g_test_message ("%s", modes[i].mode);
      malt_launcher_setenv (self->launcher, "RUBBISH", modes[i].mode);
      expect_failure (self, MALT_ERROR, MALT_ERROR_START, modes[i].pattern);
    }
}

/* A hello that says nothing at all is no mistake, and neither is it an answer. */
static void
test_empty_hello (TestCase *self)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (MaltWorker) worker = NULL;

  set_program (self, "rubbish-worker");
  malt_launcher_setenv (self->launcher, "RUBBISH", "hello-empty");
  worker = malt_launcher_spawn (self->launcher, NULL, &error);
  if (worker == NULL)
    test_assert_error (error, MALT_ERROR, MALT_ERROR_START, "*");
}

/* What a worker inherits: a few variables, three streams, its own connection. */
static void
test_inherits_nothing (TestCase *self)
{
  g_autoptr (GVariant) environment = NULL;
  g_autoptr (GVariant) descriptors = NULL;
  g_autofree const char **entries = NULL;
  g_autofree char *path = g_test_build_filename (G_TEST_BUILT, "programs", "hangs", NULL);
  gsize i;
  int fd;

  g_setenv ("SECRET_TOKEN", "hidden", TRUE);
  g_setenv ("G_MESSAGES_DEBUG", "none", TRUE);
  fd = open (path, O_RDONLY); /* and not close-on-exec */
  g_assert_cmpint (fd, >=, 0);

  malt_launcher_setenv (self->launcher, "WANTED", "seen");
  self->worker = test_case_spawn (self);
  close (fd);
  g_unsetenv ("SECRET_TOKEN");
  g_unsetenv ("G_MESSAGES_DEBUG");

  environment = test_case_call (self, "environment", NULL);
  entries = g_variant_get_strv (environment, NULL);
  g_assert_true (g_strv_contains (entries, "WANTED=seen"));
  for (i = 0; entries[i] != NULL; i++)
    {
      g_assert_false (g_str_has_prefix (entries[i], "SECRET_TOKEN="));
      g_assert_false (g_str_has_prefix (entries[i], "G_MESSAGES_DEBUG="));
    }

  descriptors = test_case_call (self, "descriptors", NULL);
  g_assert_cmpuint (g_variant_n_children (descriptors), >=, 3);
  for (i = 0; i < g_variant_n_children (descriptors); i++)
    {
      g_autoptr (GVariant) descriptor = g_variant_get_child_value (descriptors, i);
      g_autofree char *text = NULL;

      if (g_variant_is_of_type (descriptor, G_VARIANT_TYPE_VARIANT))
        {
          g_autoptr (GVariant) boxed = g_steal_pointer (&descriptor);

          descriptor = g_variant_get_variant (boxed);
        }
      text = g_variant_print (descriptor, FALSE);
      g_assert_null (strstr (text, path));
    }
}

/* The working directory is that of the launcher, or the root. */
static void
test_working_directory (TestCase *self)
{
  self->worker = test_case_spawn (self);
  test_assert_value (test_case_call (self, "working_directory", NULL), "'/'");
  test_case_retire (self->worker);

  malt_launcher_set_working_directory (self->launcher, "/usr/lib");
  self->worker = test_case_spawn (self);
  test_assert_value (test_case_call (self, "working_directory", NULL), "'/usr/lib'");
}

static void
test_process_group (TestCase *self)
{
  g_autoptr (GVariant) own = NULL;
  g_autoptr (GVariant) shared = NULL;

  self->worker = test_case_spawn (self);
  own = test_case_call (self, "process_group", NULL);
  g_assert_cmpint (g_variant_get_int64 (own), !=, getpgrp ());
  test_case_retire (self->worker);

  malt_launcher_set_backend_options (self->launcher, one_option ("share-process-group",
                                                                 g_variant_new_boolean (TRUE)));
  self->worker = test_case_spawn (self);
  shared = test_case_call (self, "process_group", NULL);
  g_assert_cmpint (g_variant_get_int64 (shared), ==, getpgrp ());
}

int
main (int argc, char **argv)
{
  test_case_init (&argc, &argv, "starting");

  test_case_add_idle ("async", TEST_NEEDS_RUNTIME, test_async);
  test_case_add_idle ("missing-program", TEST_NEEDS_PROCESS, test_missing_program);
  test_case_add_idle ("program-is-no-program", TEST_NEEDS_PROCESS, test_program_is_no_program);
  test_case_add_idle ("missing-directory", TEST_NEEDS_PROCESS, test_missing_directory);
  test_case_add_idle ("bad-backend-option", TEST_NEEDS_RUNTIME, test_bad_backend_option);
  test_case_add_idle ("bad-runtime-option", TEST_NEEDS_RUNTIME, test_bad_runtime_option);
  test_case_add_idle ("bad-option-value", TEST_NEEDS_PROCESS, test_bad_option_value);
  test_case_add_idle ("bad-environment", TEST_NEEDS_PROCESS, test_bad_environment);
  test_case_add_idle ("unknown-runtime", TEST_NEEDS_RUNTIME, test_unknown_runtime);
  test_case_add_idle ("unknown-backend", TEST_NEEDS_NOTHING, test_unknown_backend);
  test_case_add_idle ("exits", TEST_NEEDS_PROCESS, test_exits);
  test_case_add_idle ("hangs", TEST_NEEDS_PROCESS, test_hangs);
  test_case_add_idle ("cancelled", TEST_NEEDS_PROCESS, test_cancelled);
  test_case_add_idle ("rubbish", TEST_NEEDS_PROCESS, test_rubbish);
  test_case_add_idle ("empty-hello", TEST_NEEDS_PROCESS, test_empty_hello);
  test_case_add_idle ("inherits-nothing", TEST_NEEDS_PROCESS, test_inherits_nothing);
  test_case_add_idle ("working-directory", TEST_NEEDS_PROCESS, test_working_directory);
  test_case_add_idle ("process-group", TEST_NEEDS_PROCESS, test_process_group);

  return g_test_run ();
}
