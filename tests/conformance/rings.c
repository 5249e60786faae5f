/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <malt.h>

#include "test-asserts.h"
#include "test-case.h"
#include "test-process.h"

/* What can be said about the memory that a worker shares with its manager, and that both
 * sleep when there is nothing to do. */

/* Bytes of the rings that this process has mapped; they have as many for each direction. */
static gsize
get_ring_size (void)
{
  g_autofree char *text = NULL;
  g_auto (GStrv) lines = NULL;
  gsize size = 0, i;

  g_assert_true (g_file_get_contents ("/proc/self/maps", &text, NULL, NULL));
  lines = g_strsplit (text, "\n", -1);
  for (i = 0; lines[i] != NULL; i++)
    {
      gsize begin, end;

      if (strstr (lines[i], "/memfd:malt-ring") == NULL)
        continue;
      g_assert_cmpuint (size, ==, 0);
      g_assert_cmpint (sscanf (lines[i], "%zx-%zx", &begin, &end), ==, 2);
      size = (end - begin - 36864) / 2;
    }

  return size;
}

static MaltLauncher *
new_launcher (const char *options)
{
  MaltLauncher *launcher = test_case_new_launcher (&test_variants[0]);
  g_autoptr (GVariant) value = NULL;

  if (options != NULL)
    {
      value = g_variant_ref_sink (g_variant_new_parsed (options));
      malt_launcher_set_backend_options (launcher, value);
    }

  return launcher;
}

static gboolean
has_no_ring (gpointer data)
{
  return get_ring_size () == 0;
}

static void
assert_ring_size (const char *options,
                  gsize       size)
{
  g_autoptr (MaltLauncher) launcher = new_launcher (options);
  g_autofree char *text = g_strnfill (100 * 1000, 'x');
  g_autoptr (GError) error = NULL;
  GVariant *value;
  MaltWorker *worker;

  worker = malt_launcher_spawn (launcher, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (get_ring_size (), ==, size);

  /* More than most rings take, and what an arena may. */
  value = malt_worker_remote_call_fetch (worker, "native-functions:echo", g_variant_new ("(s)", text), NULL,
                                         MALT_TIMEOUT_NONE, NULL, &error);
  g_assert_no_error (error);
  g_variant_unref (value);
  test_case_retire (worker);
  test_await (has_no_ring, NULL);
}

static void
assert_refused (const char *options,
                const char *pattern)
{
  g_autoptr (MaltLauncher) launcher = new_launcher (options);
  g_autofree char *whole = g_strconcat ("*: ", pattern, NULL);
  g_autoptr (GError) error = NULL;

  g_assert_null (malt_launcher_spawn (launcher, NULL, &error));
  test_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, whole);
}

static void
test_option (void)
{
  g_unsetenv ("MALT_RING");
  assert_ring_size (NULL, 64 * 1024);
  assert_ring_size ("{'ring-size': <uint32 0>}", 0);
  assert_ring_size ("{'ring-size': <uint32 4096>}", 4096);
  assert_ring_size ("{'ring-size': <uint32 16777216>}", 16777216);

  assert_refused ("{'ring-size': <uint32 1>}", "the option \"ring-size\" is 1, which is neither 0 nor a power of two from 4096 to 16777216");
  assert_refused ("{'ring-size': <uint32 2048>}", "the option \"ring-size\" is 2048, *");
  assert_refused ("{'ring-size': <uint32 5000>}", "the option \"ring-size\" is 5000, *");
  assert_refused ("{'ring-size': <uint32 33554432>}", "the option \"ring-size\" is 33554432, *");
  assert_refused ("{'ring-size': <uint32 4294967295>}", "the option \"ring-size\" is 4294967295, *");
  assert_refused ("{'ring-size': <4096>}", "the option \"ring-size\" is of type i instead of u");
}

static void
test_environment (void)
{
  static const struct { const char *value, *pattern; } refused[] = {
    { "5000", "MALT_RING is 5000, which is neither 0 nor a power of two from 4096 to 16777216" },
    { "2048", "MALT_RING is 2048, *" },
    { "99999999", "MALT_RING is 99999999, *" },
  };
  static const struct { const char *name, *value; } bad_numbers[] = {
    { "MALT_RING", "x" },
    { "MALT_RING", "" },
    { "MALT_RING", "-1" },
    { "MALT_RING", "4096k" },
    { "MALT_RING", "99999999999" },
    { "MALT_SPIN", "x" },
    { "MALT_SPIN", "" },
    { "MALT_SPIN", "-1" },
    { "MALT_SPIN", "1000001" },
  };
  gsize i;

  g_unsetenv ("MALT_SPIN");
  g_setenv ("MALT_RING", "8192", TRUE);
  assert_ring_size (NULL, 8192);
  g_setenv ("MALT_RING", "0", TRUE);
  assert_ring_size (NULL, 0);
  assert_ring_size ("{'ring-size': <uint32 4096>}", 4096);

  for (i = 0; i < G_N_ELEMENTS (refused); i++)
    {
      g_setenv ("MALT_RING", refused[i].value, TRUE);
      assert_refused (NULL, refused[i].pattern);
    }
  g_unsetenv ("MALT_RING");

  for (i = 0; i < G_N_ELEMENTS (bad_numbers); i++)
    {
      g_autoptr (MaltLauncher) launcher = new_launcher (NULL);
      g_autofree char *pattern = g_strconcat ("*: ", bad_numbers[i].name, ": *", NULL);
      g_autoptr (GError) error = NULL;

      g_setenv (bad_numbers[i].name, bad_numbers[i].value, TRUE);
      g_assert_null (malt_launcher_spawn (launcher, NULL, &error));
      g_assert_nonnull (error);
      test_assert_match (error->message, pattern);
      g_unsetenv (bad_numbers[i].name);
    }
}

/* What the worker is told. */
static void
assert_spin_limit (int limit,
                   int expected)
{
  g_autoptr (MaltLauncher) launcher = new_launcher (NULL);
  g_autofree char *program = g_test_build_filename (G_TEST_BUILT, "programs", "ring-rubbish-worker", NULL);
  g_autofree char *mode = g_strdup_printf ("spin:%d", expected);
  g_autoptr (MaltWorker) worker = NULL;
  g_autoptr (GError) error = NULL;
  int set;

  g_object_set (launcher, "spin-limit", limit, NULL);
  g_object_get (launcher, "spin-limit", &set, NULL);
  g_assert_cmpint (set, ==, limit);
  g_assert_cmpint (malt_launcher_get_spin_limit (launcher), ==, limit);
  malt_launcher_set_program (launcher, program);
  malt_launcher_setenv (launcher, "RUBBISH", mode);
  worker = malt_launcher_spawn (launcher, NULL, &error);
  g_assert_no_error (error);
  test_assert_value (malt_worker_remote_call_fetch (worker, "f", NULL, NULL, MALT_TIMEOUT_NONE, NULL, &error),
                     "int64 42");
  malt_worker_stop (worker, 0, 0, NULL, &error);
  g_assert_no_error (error);
}

static void
test_spin_limit (void)
{
  g_unsetenv ("MALT_RING");
  g_unsetenv ("MALT_SPIN");
  assert_spin_limit (-1, 50);
  assert_spin_limit (0, 0);
  assert_spin_limit (250, 250);
  assert_spin_limit (1000000, 1000000);

  g_setenv ("MALT_SPIN", "300", TRUE);
  assert_spin_limit (-1, 300);
  assert_spin_limit (0, 0);
  assert_spin_limit (250, 250);
  g_setenv ("MALT_SPIN", "0", TRUE);
  assert_spin_limit (-1, 0);
  g_unsetenv ("MALT_SPIN");
}

/* How often threads have gone to sleep, but for @except. */
static guint64
count_sleeps (int pid,
              int except)
{
  g_autofree char *folder = g_strdup_printf ("/proc/%d/task", pid);
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const char *name;
  guint64 n = 0;

  g_assert_nonnull (dir);
  while ((name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename (folder, name, "status", NULL);
      g_autofree char *text = NULL;
      const char *line;

      if (atoi (name) == except || !g_file_get_contents (path, &text, NULL, NULL))
        continue;
      line = strstr (text, "\nvoluntary_ctxt_switches:");
      g_assert_nonnull (line);
      n += g_ascii_strtoull (strchr (line, ':') + 1 + strspn (strchr (line, ':') + 1, " \t"), NULL, 10);
    }

  return n;
}

/* Nobody looks now and then whether there is something to do. */
static void
test_idle (TestCase *self)
{
  int pid = malt_worker_get_pid (self->worker);
  guint64 manager = 0, worker = 0;
  guint i;

#if defined(__SANITIZE_THREAD__)
  g_test_skip ("the sanitizer has a thread of its own that wakes up");
  return;
#endif

  for (i = 0; i < 20; i++)
    test_case_assert_usable (self);

  /* What is still to be done after the calls, is done once. */
  for (i = 0; i < 5; i++)
    {
      g_usleep (50 * 1000);
      manager = count_sleeps (getpid (), getpid ());
      worker = count_sleeps (pid, 0);
      g_usleep (300 * 1000);
      manager = count_sleeps (getpid (), getpid ()) - manager;
      worker = count_sleeps (pid, 0) - worker;
      if (manager == 0 && worker == 0)
        return;
    }

  g_error ("while idle, the manager woke up %" G_GUINT64_FORMAT " and the worker %" G_GUINT64_FORMAT " times",
           manager, worker);
}

int
main (int argc, char **argv)
{
  test_case_init (&argc, &argv, "rings");

  test_case_add_once ("option", test_option);
  test_case_add_once ("environment", test_environment);
  test_case_add_once ("spin-limit", test_spin_limit);
  test_case_add ("idle", TEST_NEEDS_PROCESS, test_idle);

  return g_test_run ();
}
