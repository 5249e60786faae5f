/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <grp.h>
#include <malt.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "malt-exit-status.h"
#include "malt-spawn.h"
#include "malt-start.h"

/* How a start looks from the manager and from the worker.  The worker's program is
 * this one, with a first argument that says what to do. */

static char *self_path;

/* --- The child's side --- */

static char *
list_descriptors (void)
{
  GString *list = g_string_new (NULL);
  DIR *directory = opendir ("/proc/self/fd");
  struct dirent *entry;

  while ((entry = readdir (directory)) != NULL)
    if (entry->d_name[0] != '.' && atoi (entry->d_name) != dirfd (directory))
      g_string_append_printf (list, "%s ", entry->d_name);

  closedir (directory);
  return g_string_free (list, FALSE);
}

static int
child_report (void)
{
  g_autofree char *descriptors = list_descriptors ();
  g_autofree char *status = NULL;
  g_autofree char *directory = g_get_current_dir ();
  g_autofree char *input = g_file_read_link ("/proc/self/fd/0", NULL);
  g_autofree char *output = g_file_read_link ("/proc/self/fd/1", NULL);
  g_autofree char *errors = g_file_read_link ("/proc/self/fd/2", NULL);
  g_auto(GStrv) lines = NULL;
  struct rlimit core;
  int death_signal;
  gsize i;

  g_file_get_contents ("/proc/self/status", &status, NULL, NULL);
  getrlimit (RLIMIT_CORE, &core);
  prctl (PR_GET_PDEATHSIG, &death_signal);

  dprintf (3, "[child]\ndescriptors=%s\ndirectory=%s\n", descriptors, directory);
  dprintf (3, "stdin=%s\nstdout=%s\nstderr=%s\n", input, output, errors);
  dprintf (3, "session=%d\ngroup=%d\npid=%d\nparent=%d\n", getsid (0), getpgrp (), getpid (), getppid ());
  dprintf (3, "umask=%o\ncore=%lu\ncore-hard=%lu\ndeath=%d\nnnp=%d\n", umask (0), (gulong) core.rlim_cur,
           (gulong) core.rlim_max, death_signal, prctl (PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));

  lines = g_strsplit (status, "\n", -1);
  for (i = 0; lines[i] != NULL; i++)
    if (g_str_has_prefix (lines[i], "SigBlk:") || g_str_has_prefix (lines[i], "SigIgn:"))
      {
        lines[i][6] = '=';
        dprintf (3, "%s\n", lines[i]);
      }

  return 0;
}

static int
child_environment (int    argc,
                   char **argv)
{
  int i;

  for (i = 0; environ[i] != NULL; i++)
    dprintf (3, "%s\n", environ[i]);
  dprintf (3, "--\n");
  for (i = 0; i < argc; i++)
    dprintf (3, "%s\n", argv[i]);

  return 0;
}

static void
use_up_memory (gsize size)
{
  volatile char *memory = g_malloc (size);
  gsize i;

  for (i = 0; i < size; i += 4096)
    memory[i] = 1;
  g_free ((gpointer) memory);
}

static int manager_with_worker (void);

static int
run_child (int    argc,
           char **argv)
{
  const char *what = argv[2];

  if (g_str_equal (what, "report"))
    return child_report ();
  if (g_str_equal (what, "environment"))
    return child_environment (argc, argv);
  if (g_str_equal (what, "exit"))
    return atoi (argv[3]);
  if (g_str_equal (what, "raise"))
    return raise (atoi (argv[3]));
  if (g_str_equal (what, "memory"))
    use_up_memory (64 * 1024 * 1024);
  if (g_str_equal (what, "streams"))
    {
      dprintf (1, "to stdout");
      dprintf (2, "to stderr");
    }
  if (g_str_equal (what, "ends"))
    {
      dprintf (1, "output");
      dprintf (3, "data");
      dprintf (4, "control");
    }
  if (g_str_equal (what, "manager"))
    return manager_with_worker ();
  if (g_str_equal (what, "wait"))
    for (;;)
      pause ();

  return 0;
}

/* --- The manager's side --- */

typedef struct
{
  MaltSpawnOptions options;
  const char *argv[8];
  int data[2];
  int control[2];
} Setup;

static const char * const test_environment[] = { "PATH=/usr/bin:/bin", "ASAN_OPTIONS=detect_leaks=0", NULL };

static void
setup_init (Setup      *setup,
            const char *what,
            const char *argument)
{
  *setup = (Setup) {
    .options = {
      .helper = g_getenv ("MALT_TEST_START"),
      .program = self_path,
      .environment = test_environment,
      .death_signal = SIGKILL,
    },
    .argv = { "worker", "--child", what, argument, NULL },
  };
  setup->options.argv = setup->argv;

  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, setup->data), ==, 0);
  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, setup->control), ==, 0);
  setup->options.data_fd = setup->data[1];
  setup->options.control_fd = setup->control[1];
}

static void
close_pair (int pair[2])
{
  if (pair[0] >= 0)
    close (pair[0]);
  if (pair[1] >= 0)
    close (pair[1]);
}

static void
setup_clear (Setup *setup)
{
  close_pair (setup->data);
  close_pair (setup->control);
}

static guint
count_descriptors (void)
{
  g_autofree char *list = list_descriptors ();
  g_auto(GStrv) words = g_strsplit (list, " ", -1);

  return g_strv_length (words);
}

static void
await_readable (int fd)
{
  struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

  while (poll (&poll_fd, 1, -1) < 0)
    g_assert_cmpint (errno, ==, EINTR);
}

static void
await_end (const MaltSpawned *spawned,
           MaltExitStatus    *status)
{
  await_readable (spawned->pidfd);
  g_assert_true (malt_exit_status_reap (spawned->pidfd, status));
}

static MaltSpawnState
await_status (const MaltSpawned  *spawned,
              const Setup        *setup,
              GError            **error)
{
  await_readable (spawned->status_fd);
  return malt_spawn_read_status (spawned->status_fd, setup->options.program, setup->options.directory, error);
}

static char *
read_all (int fd)
{
  GString *text = g_string_new (NULL);

  for (;;)
    {
      char buffer[4096];
      ssize_t n;

      await_readable (fd);
      n = read (fd, buffer, sizeof buffer);
      g_assert_cmpint (n, >=, 0);
      if (n == 0)
        break;
      g_string_append_len (text, buffer, n);
    }

  return g_string_free (text, FALSE);
}

/* Starts what the setup says, waits until it has ended well, and gives what it wrote on
 * its data descriptor. */
static char *
run_and_read (Setup       *setup,
              MaltSpawned *spawned)
{
  g_autoptr(GError) error = NULL;
  MaltExitStatus status;
  char *text;

  g_assert_true (malt_spawn (&setup->options, spawned, &error));
  g_assert_no_error (error);
  g_assert_cmpint (await_status (spawned, setup, &error), ==, MALT_SPAWN_STATE_STARTED);
  g_assert_no_error (error);

  close (setup->data[1]);
  setup->data[1] = -1;
  text = read_all (setup->data[0]);

  await_end (spawned, &status);
  g_assert_true (status.known);
  g_assert_cmpint (status.code, ==, CLD_EXITED);
  g_assert_cmpint (status.status, ==, 0);

  return text;
}

static GKeyFile *
run_and_report (Setup       *setup,
                MaltSpawned *spawned)
{
  g_autofree char *text = run_and_read (setup, spawned);
  g_autoptr(GKeyFile) report = g_key_file_new ();
  g_autoptr(GError) error = NULL;

  g_key_file_load_from_data (report, text, strlen (text), G_KEY_FILE_NONE, &error);
  g_assert_no_error (error);

  return g_steal_pointer (&report);
}

static void
assert_reported (GKeyFile   *report,
                 const char *key,
                 const char *expected)
{
  g_autofree char *value = g_key_file_get_string (report, "child", key, NULL);

  g_assert_cmpstr (value != NULL ? g_strstrip (value) : NULL, ==, expected);
}

static void
assert_reported_int (GKeyFile   *report,
                     const char *key,
                     int         expected)
{
  g_autofree char *text = g_strdup_printf ("%d", expected);

  assert_reported (report, key, text);
}

static void
test_state (void)
{
  g_autoptr(GKeyFile) report = NULL;
  guint before = count_descriptors ();
  MaltSpawned spawned;
  sigset_t mask, old_mask;
  Setup setup;
  int leaked;

  g_test_summary ("A worker starts with nothing of the manager's signals, descriptors, session or limits");

  setup_init (&setup, "report", NULL);
  leaked = open ("/dev/zero", O_RDONLY); /* not close-on-exec */

  sigfillset (&mask);
  pthread_sigmask (SIG_SETMASK, &mask, &old_mask);
  signal (SIGPIPE, SIG_IGN);
  signal (SIGINT, SIG_IGN);
  signal (SIGRTMIN + 3, SIG_IGN);

  report = run_and_report (&setup, &spawned);

  signal (SIGPIPE, SIG_DFL);
  signal (SIGINT, SIG_DFL);
  signal (SIGRTMIN + 3, SIG_DFL);
  pthread_sigmask (SIG_SETMASK, &old_mask, NULL);

  assert_reported (report, "SigBlk", "0000000000000000");
  assert_reported (report, "SigIgn", "0000000000000000");
  assert_reported (report, "descriptors", "0 1 2 3 4");
  assert_reported (report, "stdin", "/dev/null");
  assert_reported (report, "stdout", "/dev/null");
  assert_reported (report, "stderr", "/dev/null");
  assert_reported (report, "directory", "/");
  assert_reported_int (report, "pid", spawned.pid);
  assert_reported_int (report, "session", spawned.pid);
  assert_reported_int (report, "group", spawned.pid);
  assert_reported_int (report, "parent", getpid ());
  assert_reported (report, "umask", "77");
  assert_reported (report, "core", "0");
  assert_reported (report, "core-hard", "0");
  assert_reported_int (report, "death", SIGKILL);
  assert_reported (report, "nnp", "1");

  close (leaked);
  malt_spawned_clear (&spawned);
  setup_clear (&setup);
  g_assert_cmpuint (count_descriptors (), ==, before);
}

static void
test_options (void)
{
  g_autoptr(GKeyFile) report = NULL;
  MaltSpawned spawned;
  Setup setup;

  setup_init (&setup, "report", NULL);
  setup.options.share_process_group = TRUE;
  setup.options.directory = "/usr";
  setup.options.control_fd = -1;
  setup.options.death_signal = 0;

  report = run_and_report (&setup, &spawned);

  assert_reported_int (report, "session", getsid (0));
  assert_reported_int (report, "group", getpgrp ());
  assert_reported (report, "directory", "/usr");
  assert_reported (report, "descriptors", "0 1 2 3");
  assert_reported (report, "death", "0");

  malt_spawned_clear (&spawned);
  setup_clear (&setup);
}

static void
test_environment_exact (void)
{
  const char * const environment[] = {
    "A=1", "EMPTY=", "PATH=/usr/bin:/bin", "LD_PRELOAD=", "ASAN_OPTIONS=detect_leaks=0", NULL
  };
  g_autofree char *text = NULL;
  MaltSpawned spawned;
  Setup setup;

  g_setenv ("MALT_TEST_NOT_PASSED_ON", "1", TRUE);

  setup_init (&setup, "environment", "an argument; with $SHELL \"characters\"");
  setup.options.environment = environment;
  text = run_and_read (&setup, &spawned);
  g_assert_cmpstr (text, ==, "A=1\nEMPTY=\nPATH=/usr/bin:/bin\nLD_PRELOAD=\nASAN_OPTIONS=detect_leaks=0\n--\n"
                             "worker\n--child\nenvironment\nan argument; with $SHELL \"characters\"\n");

  malt_spawned_clear (&spawned);
  setup_clear (&setup);
}

static void
test_pipes (void)
{
  g_autofree char *output = NULL;
  g_autofree char *errors = NULL;
  MaltSpawned spawned;
  Setup setup;

  setup_init (&setup, "streams", NULL);
  setup.options.stdout_stream = MALT_SPAWN_STREAM_PIPE;
  setup.options.stderr_stream = MALT_SPAWN_STREAM_PIPE;
  g_free (run_and_read (&setup, &spawned));

  g_assert_cmpint (fcntl (spawned.stdout_fd, F_GETFL) & O_NONBLOCK, !=, 0);
  g_assert_cmpint (fcntl (spawned.stderr_fd, F_GETFL) & O_NONBLOCK, !=, 0);
  g_assert_cmpint (fcntl (spawned.stdout_fd, F_GETFD), ==, FD_CLOEXEC);
  g_assert_cmpint (fcntl (spawned.stderr_fd, F_GETFD), ==, FD_CLOEXEC);
  g_assert_cmpint (fcntl (spawned.status_fd, F_GETFD), ==, FD_CLOEXEC);
  g_assert_cmpint (fcntl (spawned.pidfd, F_GETFD), ==, FD_CLOEXEC);

  output = read_all (spawned.stdout_fd);
  errors = read_all (spawned.stderr_fd);
  g_assert_cmpstr (output, ==, "to stdout");
  g_assert_cmpstr (errors, ==, "to stderr");

  malt_spawned_clear (&spawned);
  setup_clear (&setup);
}

static void
test_inherit (void)
{
  g_autoptr(GKeyFile) report = NULL;
  g_autofree char *output = g_file_read_link ("/proc/self/fd/1", NULL);
  MaltSpawned spawned;
  Setup setup;
  int flags = fcntl (STDERR_FILENO, F_GETFD);

  g_test_summary ("A stream is inherited, but not something else that has its number");

  g_assert_cmpint (fcntl (STDERR_FILENO, F_SETFD, FD_CLOEXEC), ==, 0);
  setup_init (&setup, "report", NULL);
  setup.options.stdout_stream = MALT_SPAWN_STREAM_INHERIT;
  setup.options.stderr_stream = MALT_SPAWN_STREAM_INHERIT;
  report = run_and_report (&setup, &spawned);
  fcntl (STDERR_FILENO, F_SETFD, flags);

  assert_reported (report, "stdout", output);
  assert_reported (report, "stderr", "/dev/null");

  malt_spawned_clear (&spawned);
  setup_clear (&setup);
}

static void
assert_received (int         fd,
                 const char *expected)
{
  char text[32] = "";

  g_assert_cmpint (recv (fd, text, sizeof text - 1, MSG_DONTWAIT), >, 0);
  g_assert_cmpstr (text, ==, expected);
}

/* Starts a worker while the manager has the worker's ends at these numbers, and none of
 * the other numbers below 10 but standard error. */
static void
check_collision (int             data_fd,
                 int             control_fd,
                 MaltSpawnStream stdout_stream,
                 gboolean        missing)
{
  g_autoptr(GError) error = NULL;
  MaltSpawnState state;
  MaltExitStatus status;
  MaltSpawned spawned;
  Setup setup;
  int data[2], control[2], saved[10];
  int i;

  setup_init (&setup, "ends", NULL);
  for (i = 0; i < 2; i++)
    {
      data[i] = fcntl (setup.data[i], F_DUPFD_CLOEXEC, 50);
      control[i] = fcntl (setup.control[i], F_DUPFD_CLOEXEC, 50);
    }
  setup_clear (&setup);

  for (i = 0; i < 10; i++)
    {
      saved[i] = fcntl (i, F_DUPFD_CLOEXEC, 50);
      if (i != STDERR_FILENO)
        close (i);
    }
  g_assert_cmpint (dup3 (data[1], data_fd, O_CLOEXEC), ==, data_fd);
  if (control_fd != data_fd)
    g_assert_cmpint (dup3 (control[1], control_fd, O_CLOEXEC), ==, control_fd);
  close (data[1]);
  close (control[1]);

  setup.options.data_fd = data_fd;
  setup.options.control_fd = control_fd;
  setup.options.stdout_stream = stdout_stream;
  if (missing)
    setup.options.program = "/nowhere/program";

  g_assert_true (malt_spawn (&setup.options, &spawned, &error));
  g_assert_no_error (error);
  state = await_status (&spawned, &setup, &error);
  await_end (&spawned, &status);
  g_assert_cmpint (status.code, ==, CLD_EXITED);

  if (missing)
    {
      g_assert_cmpint (state, ==, MALT_SPAWN_STATE_FAILED);
      g_assert_error (error, MALT_ERROR, MALT_ERROR_NOT_FOUND);
      g_assert_cmpint (status.status, ==, 127);
    }
  else
    {
      g_assert_cmpint (state, ==, MALT_SPAWN_STATE_STARTED);
      g_assert_cmpint (status.status, ==, 0);
      assert_received (data[0], data_fd == control_fd ? "datacontrol" : "data");
      if (data_fd != control_fd)
        assert_received (control[0], "control");
      if (stdout_stream == MALT_SPAWN_STREAM_PIPE)
        {
          g_autofree char *output = read_all (spawned.stdout_fd);

          g_assert_cmpstr (output, ==, "output");
        }
    }

  malt_spawned_clear (&spawned);
  for (i = 0; i < 10; i++)
    {
      close (i);
      if (saved[i] >= 0)
        {
          dup2 (saved[i], i);
          close (saved[i]);
        }
    }
  close (data[0]);
  close (control[0]);
}

static void
test_collisions (void)
{
  /* 0 to 5 are the worker's own numbers. */
  static const int numbers[][2] = {
    { 3, 4 }, { 4, 3 }, { 5, 3 }, { 4, 5 }, { 0, 1 }, { 1, 0 }, { 2, 5 }, { 3, 0 }, { 3, 3 }, { 6, 9 },
  };
  gsize i;

  if (!g_test_subprocess ())
    {
      g_test_trap_subprocess (NULL, 0, G_TEST_SUBPROCESS_INHERIT_STDERR);
      g_test_trap_assert_passed ();
      return;
    }

  for (i = 0; i < G_N_ELEMENTS (numbers); i++)
    {
      check_collision (numbers[i][0], numbers[i][1], MALT_SPAWN_STREAM_PIPE, FALSE);
      check_collision (numbers[i][0], numbers[i][1], MALT_SPAWN_STREAM_NULL, FALSE);
      check_collision (numbers[i][0], numbers[i][1], MALT_SPAWN_STREAM_PIPE, TRUE);
      check_collision (numbers[i][0], numbers[i][1], MALT_SPAWN_STREAM_NULL, TRUE);
    }
}

/* The program does not come up: the error says why, and nothing is left. */
static void
assert_start_fails (Setup      *setup,
                    int         code,
                    const char *message)
{
  g_autoptr(GError) error = NULL;
  guint before = count_descriptors ();
  MaltExitStatus status;
  MaltSpawned spawned;

  g_assert_true (malt_spawn (&setup->options, &spawned, &error));
  g_assert_no_error (error);
  g_assert_cmpint (await_status (&spawned, setup, &error), ==, MALT_SPAWN_STATE_FAILED);
  g_assert_error (error, MALT_ERROR, code);
  if (strstr (error->message, message) == NULL)
    g_error ("'%s' does not say '%s'", error->message, message);
  g_test_message ("%s", error->message);

  await_end (&spawned, &status);
  g_assert_cmpint (status.code, ==, CLD_EXITED);
  g_assert_cmpint (status.status, ==, 127);

  malt_spawned_clear (&spawned);
  g_assert_cmpuint (count_descriptors (), ==, before);
}

static char *
write_script (const char *directory,
              const char *name,
              const char *contents,
              int         mode)
{
  char *path = g_build_filename (directory, name, NULL);
  g_autoptr(GError) error = NULL;

  g_file_set_contents (path, contents, -1, &error);
  g_assert_no_error (error);
  g_assert_cmpint (chmod (path, (mode_t) mode), ==, 0);

  return path;
}

static void
test_failing_programs (void)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *directory = g_dir_make_tmp ("malt-spawn-XXXXXX", &error);
  g_autofree char *plain = NULL;
  g_autofree char *orphan = NULL;
  g_autofree char *rubbish = NULL;
  Setup setup;

  g_assert_no_error (error);
  plain = write_script (directory, "plain", "#!/bin/sh\n", 0644);
  orphan = write_script (directory, "orphan", "#!/nowhere/sh\n", 0755);
  rubbish = write_script (directory, "rubbish", "rubbish", 0755);

  setup_init (&setup, "report", NULL);

  setup.options.program = "/nowhere/program";
  assert_start_fails (&setup, MALT_ERROR_NOT_FOUND, "there is no program '/nowhere/program'");
  setup.options.program = "/bin/sh/program";
  assert_start_fails (&setup, MALT_ERROR_NOT_FOUND, "there is no program '/bin/sh/program'");
  setup.options.program = plain;
  assert_start_fails (&setup, MALT_ERROR_START, "could not execute it: Permission denied");
  setup.options.program = directory;
  assert_start_fails (&setup, MALT_ERROR_START, "could not execute it: Permission denied");
  setup.options.program = orphan;
  assert_start_fails (&setup, MALT_ERROR_START, "interpreter");
  setup.options.program = rubbish;
  assert_start_fails (&setup, MALT_ERROR_START, "Exec format error");

  setup.options.program = self_path;
  setup.options.directory = "/nowhere";
  assert_start_fails (&setup, MALT_ERROR_START, "enter the working directory '/nowhere': No such file");
  setup.options.directory = plain;
  assert_start_fails (&setup, MALT_ERROR_START, "Not a directory");

  setup_clear (&setup);
  g_unlink (plain);
  g_unlink (orphan);
  g_unlink (rubbish);
  g_rmdir (directory);
}

static void
assert_no_child (void)
{
  g_assert_cmpint (waitpid (-1, NULL, WNOHANG), ==, -1);
  g_assert_cmpint (errno, ==, ECHILD);
}

static void
test_no_helper (void)
{
  const char * const helpers[] = { "/nowhere/malt-start", "/dev/null" };
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (helpers); i++)
    {
      g_autoptr(GError) error = NULL;
      guint before = count_descriptors ();
      MaltSpawned spawned = MALT_SPAWNED_INIT;
      Setup setup;

      setup_init (&setup, "report", NULL);
      setup.options.helper = helpers[i];
      setup.options.stdout_stream = MALT_SPAWN_STREAM_PIPE;
      g_assert_false (malt_spawn (&setup.options, &spawned, &error));
      g_assert_error (error, MALT_ERROR, MALT_ERROR_START);
      g_assert_nonnull (strstr (error->message, "run the start helper"));
      g_assert_cmpint (spawned.pidfd, ==, -1);
      setup_clear (&setup);

      g_assert_cmpuint (count_descriptors (), ==, before);
      assert_no_child ();
    }
}

static void
test_no_descriptors (void)
{
  const struct rlimit limit = { 64, 64 };
  g_autoptr(GError) error = NULL;
  MaltExitStatus status;
  MaltSpawned spawned;
  Setup setup;
  int n_free;

  g_test_summary ("With too few descriptors a start fails at any point, and all or nothing happens");

  if (!g_test_subprocess ())
    {
      g_test_trap_subprocess (NULL, 0, G_TEST_SUBPROCESS_INHERIT_STDERR);
      g_test_trap_assert_passed ();
      return;
    }

  setup_init (&setup, "exit", "0");
  setup.options.stdout_stream = MALT_SPAWN_STREAM_PIPE;
  setup.options.stderr_stream = MALT_SPAWN_STREAM_PIPE;
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &limit), ==, 0);

  for (n_free = 0;; n_free++)
    {
      g_autoptr(GArray) fillers = g_array_new (FALSE, FALSE, sizeof (int));
      gboolean started;
      int fd, i;

      while ((fd = dup (setup.data[0])) >= 0)
        g_array_append_val (fillers, fd);
      g_assert_cmpint (errno, ==, EMFILE);
      /* The last, as the first numbers are wanted by nobody. */
      for (i = 0; i < n_free; i++)
        {
          close (g_array_index (fillers, int, fillers->len - 1));
          g_array_set_size (fillers, fillers->len - 1);
        }

      started = malt_spawn (&setup.options, &spawned, &error);

      if (!started)
        {
          g_assert_error (error, MALT_ERROR, MALT_ERROR_START);
          g_assert_nonnull (strstr (error->message, "the manager has no free descriptors"));
          g_clear_error (&error);
          assert_no_child ();

          /* As many are free as before. */
          for (i = 0; i < n_free; i++)
            {
              fd = dup (setup.data[0]);
              g_assert_cmpint (fd, >=, 0);
              g_array_append_val (fillers, fd);
            }
          g_assert_cmpint (dup (setup.data[0]), ==, -1);
        }

      for (i = 0; i < (int) fillers->len; i++)
        close (g_array_index (fillers, int, i));

      if (started)
        break;
    }

  /* /dev/null, two copies, three pipes. */
  g_assert_cmpint (n_free, >=, 9);
  g_assert_cmpint (n_free, <=, 10);
  g_assert_no_error (error);
  await_end (&spawned, &status);
  g_assert_cmpint (status.status, ==, 0);
  malt_spawned_clear (&spawned);
  setup_clear (&setup);
}

static void
test_no_processes (void)
{
  const struct rlimit limit = { 0, 0 };
  g_autoptr(GError) error = NULL;
  MaltSpawned spawned;
  guint before;
  Setup setup;

  if (!g_test_subprocess ())
    {
      g_test_trap_subprocess (NULL, 0, G_TEST_SUBPROCESS_INHERIT_STDERR);
      g_test_trap_assert_passed ();
      return;
    }

  setup_init (&setup, "exit", "0");
  before = count_descriptors ();

  /* The limit does not hold for root. */
  if (geteuid () == 0)
    {
      g_assert_cmpint (setgroups (0, NULL), ==, 0);
      g_assert_cmpint (setresgid (65534, 65534, 65534), ==, 0);
      g_assert_cmpint (setresuid (65534, 65534, 65534), ==, 0);
    }
  g_assert_cmpint (setrlimit (RLIMIT_NPROC, &limit), ==, 0);

  g_assert_false (malt_spawn (&setup.options, &spawned, &error));
  g_assert_error (error, MALT_ERROR, MALT_ERROR_START);
  g_assert_nonnull (strstr (error->message, "no more processes can be started"));
  g_assert_cmpuint (count_descriptors (), ==, before);
  assert_no_child ();

  /* Without what a sanitizer does at the end, for which it wants a process. */
  _exit (0);
}

/* Runs in a process of its own: starts a worker, and says which. */
static int
manager_with_worker (void)
{
  g_autoptr(GError) error = NULL;
  MaltSpawned spawned;
  Setup setup;

  setup_init (&setup, "wait", NULL);
  setup.options.helper = g_getenv ("MALT_TEST_START");
  if (!malt_spawn (&setup.options, &spawned, &error) ||
      await_status (&spawned, &setup, &error) != MALT_SPAWN_STATE_STARTED)
    return 1;

  dprintf (3, "%d\n", (int) spawned.pid);
  for (;;)
    pause ();
}

static void
test_manager_killed (void)
{
  g_autofree char *helper = g_strdup_printf ("MALT_TEST_START=%s", g_getenv ("MALT_TEST_START"));
  const char * const environment[] = { helper, "ASAN_OPTIONS=detect_leaks=0", NULL };
  g_autoptr(GError) error = NULL;
  MaltExitStatus status;
  MaltSpawned spawned;
  Setup setup;
  char text[32] = "";
  int pidfd;

  g_test_summary ("No worker outlives a manager that is killed");

  setup_init (&setup, "manager", NULL);
  setup.options.environment = environment;
  g_assert_true (malt_spawn (&setup.options, &spawned, &error));
  g_assert_no_error (error);

  await_readable (setup.data[0]);
  g_assert_cmpint (recv (setup.data[0], text, sizeof text - 1, 0), >, 0);
  pidfd = (int) syscall (SYS_pidfd_open, atoi (text), 0);
  g_assert_cmpint (pidfd, >=, 0);

  kill (spawned.pid, SIGKILL);
  await_end (&spawned, &status);
  g_assert_cmpint (status.code, ==, CLD_KILLED);
  await_readable (pidfd);

  close (pidfd);
  malt_spawned_clear (&spawned);
  setup_clear (&setup);
}

/* Runs the helper by itself, with one descriptor that it does not expect. */
static MaltStartStatus
run_helper (const char * const *argv,
            int                 data_fd)
{
  MaltStartStatus status = { 0, 0 };
  posix_spawn_file_actions_t actions;
  int ends[2];
  int wait_status;
  pid_t pid;

  g_assert_cmpint (pipe2 (ends, O_CLOEXEC), ==, 0);
  posix_spawn_file_actions_init (&actions);
  if (data_fd >= 0)
    posix_spawn_file_actions_adddup2 (&actions, data_fd, 50);
  posix_spawn_file_actions_adddup2 (&actions, ends[1], MALT_START_STATUS_FD);
  if (data_fd >= 0)
    posix_spawn_file_actions_adddup2 (&actions, 50, MALT_START_DATA_FD);
  posix_spawn_file_actions_adddup2 (&actions, STDERR_FILENO, 50);
  g_assert_cmpint (posix_spawn (&pid, g_getenv ("MALT_TEST_START"), &actions, NULL,
                                (char **) argv, environ), ==, 0);
  posix_spawn_file_actions_destroy (&actions);
  close (ends[1]);

  if (read (ends[0], &status, sizeof status) == 0)
    status.step = 0;
  close (ends[0]);
  g_assert_cmpint (waitpid (pid, &wait_status, 0), ==, pid);
  g_assert_true (WIFEXITED (wait_status));
  g_assert_cmpint (WEXITSTATUS (wait_status), ==, status.step == 0 ? 0 : 127);

  return status;
}

static void
test_helper (void)
{
  g_autofree char *manager = g_strdup_printf ("%d", getpid ());
  const char * const good[] = { "malt-start", "9", manager, "/", self_path, "worker", "--child", "report", NULL };
  const char * const gone[] = { "malt-start", "9", "999999999", "/", "/bin/true", "true", NULL };
  const char * const few[] = { "malt-start", "9", manager, "/", "/bin/true", NULL };
  const char * const none[] = { "malt-start", NULL };
  const char * const no_signal[] = { "malt-start", "SIGKILL", manager, "/", "/bin/true", "true", NULL };
  const char * const bad_signal[] = { "malt-start", "1000", manager, "/", "/bin/true", "true", NULL };
  g_autoptr(GKeyFile) report = g_key_file_new ();
  g_autoptr(GError) error = NULL;
  g_autofree char *text = NULL;
  MaltStartStatus status;
  Setup setup;

  setup_init (&setup, "report", NULL);
  g_assert_cmpint (run_helper (good, setup.data[1]).step, ==, 0);
  close (setup.data[1]);
  setup.data[1] = -1;
  text = read_all (setup.data[0]);
  g_key_file_load_from_data (report, text, strlen (text), G_KEY_FILE_NONE, &error);
  g_assert_no_error (error);
  assert_reported (report, "descriptors", "0 1 2 3");
  setup_clear (&setup);

  /* The manager ended before the helper could ask for a signal. */
  status = run_helper (gone, -1);
  g_assert_cmpint (status.step, ==, MALT_START_STEP_MANAGER);
  g_assert_cmpint (status.error, ==, ESRCH);

  g_assert_cmpint (run_helper (none, -1).step, ==, MALT_START_STEP_ARGUMENTS);
  g_assert_cmpint (run_helper (few, -1).step, ==, MALT_START_STEP_ARGUMENTS);
  g_assert_cmpint (run_helper (no_signal, -1).step, ==, MALT_START_STEP_ARGUMENTS);
  g_assert_cmpint (run_helper (bad_signal, -1).step, ==, MALT_START_STEP_DEATH_SIGNAL);
}

static void
test_child_ignored (void)
{
  g_autoptr(GError) error = NULL;
  MaltExitStatus status;
  MaltSpawned spawned;
  Setup setup;

  g_test_summary ("A manager that ignores SIGCHLD still sees that its worker ended");

  if (!g_test_subprocess ())
    {
      g_test_trap_subprocess (NULL, 0, G_TEST_SUBPROCESS_INHERIT_STDERR);
      g_test_trap_assert_passed ();
      return;
    }

  signal (SIGCHLD, SIG_IGN);

  setup_init (&setup, "wait", NULL);
  g_assert_true (malt_spawn (&setup.options, &spawned, &error));
  g_assert_no_error (error);
  g_assert_false (malt_exit_status_reap (spawned.pidfd, &status));
  kill (spawned.pid, SIGKILL);
  await_end (&spawned, &status);
  g_assert_false (status.known);
  malt_spawned_clear (&spawned);
  setup_clear (&setup);
}

static void
test_many (void)
{
  guint before = count_descriptors ();
  int i;

  for (i = 0; i < 50; i++)
    {
      g_autoptr(GError) error = NULL;
      MaltExitStatus status;
      MaltSpawned spawned;
      Setup setup;

      setup_init (&setup, "exit", "7");
      setup.options.stdout_stream = MALT_SPAWN_STREAM_PIPE;
      setup.options.stderr_stream = MALT_SPAWN_STREAM_PIPE;
      g_assert_true (malt_spawn (&setup.options, &spawned, &error));
      g_assert_no_error (error);
      await_end (&spawned, &status);
      g_assert_cmpint (status.status, ==, 7);
      malt_spawned_clear (&spawned);
      setup_clear (&setup);
    }

  g_assert_cmpuint (count_descriptors (), ==, before);
  assert_no_child ();
}

/* --- How it ended --- */

static MaltExitInfo *
run_to_info (const char            *what,
             const char            *argument,
             MaltExitCircumstances *circumstances)
{
  g_autoptr(GError) error = NULL;
  MaltExitStatus status;
  MaltSpawned spawned;
  MaltExitInfo *info;
  Setup setup;

  setup_init (&setup, what, argument);
  g_assert_true (malt_spawn (&setup.options, &spawned, &error));
  g_assert_no_error (error);
  await_end (&spawned, &status);
  g_assert_true (status.known);
  circumstances->inherited_peak = spawned.inherited_peak;
  circumstances->oom_kills = spawned.oom_kills;
  info = malt_exit_status_to_info (&status, circumstances, "the end");

  malt_spawned_clear (&spawned);
  setup_clear (&setup);
  return info;
}

static void
test_exit_info (void)
{
  static const struct
  {
    const char   *what;
    const char   *argument;
    MaltExitKind  kind;
    int           exit_code;
    int           signal;
  } cases[] = {
    { "exit", "0", MALT_EXIT_KIND_EXITED, 0, 0 },
    { "exit", "255", MALT_EXIT_KIND_EXITED, 255, 0 },
    { "raise", "15", MALT_EXIT_KIND_SIGNALLED, -1, SIGTERM },
    { "raise", "9", MALT_EXIT_KIND_SIGNALLED, -1, SIGKILL },
    { "raise", "24", MALT_EXIT_KIND_LIMIT, -1, SIGXCPU },
    { "raise", "25", MALT_EXIT_KIND_LIMIT, -1, SIGXFSZ },
    { "raise", "31", MALT_EXIT_KIND_FORBIDDEN_SYSTEM_CALL, -1, SIGSYS },
  };
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      MaltExitCircumstances circumstances = { 0 };
      g_autoptr(MaltExitInfo) info = run_to_info (cases[i].what, cases[i].argument, &circumstances);

      g_assert_cmpint (malt_exit_info_get_kind (info), ==, cases[i].kind);
      g_assert_cmpint (malt_exit_info_get_exit_code (info), ==, cases[i].exit_code);
      g_assert_cmpint (malt_exit_info_get_signal (info), ==, cases[i].signal);
      g_assert_false (malt_exit_info_get_core_dumped (info));
      g_assert_cmpstr (malt_exit_info_get_stderr (info), ==, "the end");
    }
}

static void
test_resources (void)
{
  MaltExitCircumstances circumstances = { 0 };
  g_autoptr(MaltExitInfo) big = NULL;
  g_autoptr(MaltExitInfo) hidden = NULL;

  big = run_to_info ("memory", NULL, &circumstances);
  g_assert_cmpuint (malt_exit_info_get_peak_memory (big), >=, 64 * 1024 * 1024);
  g_assert_cmpint (malt_exit_info_get_system_time (big) + malt_exit_info_get_user_time (big), >, 1000);

  /* The kernel says that of this one too, because the manager was that large. */
  use_up_memory (256 * 1024 * 1024);
  hidden = run_to_info ("memory", NULL, &circumstances);
  g_assert_cmpuint (malt_exit_info_get_peak_memory (hidden), ==, 0);
}

static void
test_kinds (void)
{
  const guint64 term = MALT_EXIT_SIGNAL_BIT (SIGTERM);
  const guint64 term_and_kill = MALT_EXIT_SIGNAL_BIT (SIGTERM) | MALT_EXIT_SIGNAL_BIT (SIGKILL);
  const struct
  {
    int           code; /* 0: nobody knows */
    int           status;
    gboolean      stop_requested;
    guint64       signals_sent;
    gboolean      connection_lost;
    gboolean      oom_killed;
    MaltExitKind  kind;
  } cases[] = {
    { CLD_EXITED, 0, FALSE, 0, FALSE, FALSE, MALT_EXIT_KIND_EXITED },
    { CLD_EXITED, 0, TRUE, 0, FALSE, FALSE, MALT_EXIT_KIND_STOPPED },
    { CLD_EXITED, 3, TRUE, term, FALSE, FALSE, MALT_EXIT_KIND_EXITED },
    { CLD_EXITED, MALT_EXIT_CODE_OUT_OF_MEMORY, TRUE, term, FALSE, FALSE, MALT_EXIT_KIND_OUT_OF_MEMORY },
    { CLD_KILLED, SIGTERM, TRUE, term, FALSE, FALSE, MALT_EXIT_KIND_STOPPED },
    { CLD_KILLED, SIGTERM, TRUE, term_and_kill, FALSE, FALSE, MALT_EXIT_KIND_STOPPED },
    { CLD_KILLED, SIGKILL, TRUE, term_and_kill, FALSE, FALSE, MALT_EXIT_KIND_STOPPED },
    { CLD_KILLED, SIGKILL, TRUE, term, FALSE, FALSE, MALT_EXIT_KIND_SIGNALLED },
    { CLD_KILLED, SIGKILL, TRUE, term, FALSE, TRUE, MALT_EXIT_KIND_OUT_OF_MEMORY },
    { CLD_KILLED, SIGTERM, FALSE, term, FALSE, FALSE, MALT_EXIT_KIND_SIGNALLED },
    { CLD_DUMPED, SIGSEGV, TRUE, term, FALSE, FALSE, MALT_EXIT_KIND_SIGNALLED },
    { CLD_DUMPED, SIGSYS, FALSE, 0, FALSE, FALSE, MALT_EXIT_KIND_FORBIDDEN_SYSTEM_CALL },
    { CLD_KILLED, SIGKILL, FALSE, MALT_EXIT_SIGNAL_BIT (SIGKILL), TRUE, FALSE, MALT_EXIT_KIND_CONNECTION_LOST },
    { 0, 0, FALSE, 0, FALSE, FALSE, MALT_EXIT_KIND_UNKNOWN },
    { 0, 0, TRUE, term, FALSE, FALSE, MALT_EXIT_KIND_UNKNOWN },
    { 0, 0, FALSE, 0, TRUE, FALSE, MALT_EXIT_KIND_CONNECTION_LOST },
    { CLD_KILLED, 64, FALSE, MALT_EXIT_SIGNAL_BIT (64), FALSE, FALSE, MALT_EXIT_KIND_SIGNALLED },
  };
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      const MaltExitStatus status = {
        .known = cases[i].code != 0, .code = cases[i].code, .status = cases[i].status,
      };
      const MaltExitCircumstances circumstances = {
        .stop_requested = cases[i].stop_requested,
        .signals_sent = cases[i].signals_sent,
        .connection_lost = cases[i].connection_lost,
      };

      g_test_message ("case %u", (guint) i);
      g_assert_cmpint (malt_exit_status_get_kind (&status, &circumstances, cases[i].oom_killed), ==, cases[i].kind);
    }
}

int
main (int    argc,
      char **argv)
{
  self_path = g_file_read_link ("/proc/self/exe", NULL);

  if (argc > 2 && g_str_equal (argv[1], "--child"))
    return run_child (argc, argv);

  g_test_init (&argc, &argv, NULL);
  g_assert_nonnull (g_getenv ("MALT_TEST_START"));

  g_test_add_func ("/spawn/state", test_state);
  g_test_add_func ("/spawn/options", test_options);
  g_test_add_func ("/spawn/environment", test_environment_exact);
  g_test_add_func ("/spawn/pipes", test_pipes);
  g_test_add_func ("/spawn/inherit", test_inherit);
  g_test_add_func ("/spawn/collisions", test_collisions);
  g_test_add_func ("/spawn/failing-programs", test_failing_programs);
  g_test_add_func ("/spawn/no-helper", test_no_helper);
  g_test_add_func ("/spawn/no-descriptors", test_no_descriptors);
  g_test_add_func ("/spawn/no-processes", test_no_processes);
  g_test_add_func ("/spawn/manager-killed", test_manager_killed);
  g_test_add_func ("/spawn/helper", test_helper);
  g_test_add_func ("/spawn/child-ignored", test_child_ignored);
  g_test_add_func ("/spawn/many", test_many);
  g_test_add_func ("/exit-status/info", test_exit_info);
  g_test_add_func ("/exit-status/resources", test_resources);
  g_test_add_func ("/exit-status/kinds", test_kinds);

  return g_test_run ();
}
