/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <malt.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* What a call and a start cost, beside what the machine itself asks for the like, measured
 * in turns in one run: wake-ups across processors decide most of it, and they vary.
 *
 * Prints a row a figure: the median of the rounds, the least, and the ratio of the medians
 * to the floor's. */

#define ROUNDS       15
#define CALLS        2000
#define PIPELINED    20000
#define STARTS       15

extern char **environ;

typedef struct
{
  const char *name;
  const char *unit;
  double      samples[ROUNDS];
  guint       n;
} Row;

static int
compare_doubles (const void *a,
                 const void *b)
{
  double x = *(const double *) a, y = *(const double *) b;

  return (x > y) - (x < y);
}

static double
median (Row *row)
{
  qsort (row->samples, row->n, sizeof row->samples[0], compare_doubles);
  return row->samples[row->n / 2];
}

static void
print_row (Row        *row,
           Row        *floor_row)
{
  double value = median (row);

  g_print ("%-44s %10.2f %-4s  least %10.2f", row->name, value, row->unit, row->samples[0]);
  if (floor_row != NULL)
    g_print ("  ratio %.2f", value / median (floor_row));
  g_print ("\n");
}

static void
add (Row    *row,
     gint64  begin_usec,
     guint   n)
{
  row->samples[row->n++] = (double) (g_get_monotonic_time () - begin_usec) / n;
}

/* The floor: 64 bytes to another process and back, both asleep in between. */

static void
write_all (int           fd,
           gconstpointer data,
           gsize         size)
{
  if (write (fd, data, size) != (gssize) size)
    _exit (EXIT_FAILURE);
}

static int
start_echo (void)
{
  char buffer[64];
  int fds[2];

  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), ==, 0);
  if (fork () == 0)
    {
      close (fds[0]);
      while (read (fds[1], buffer, sizeof buffer) == sizeof buffer)
        write_all (fds[1], buffer, sizeof buffer);
      _exit (EXIT_SUCCESS);
    }
  close (fds[1]);

  return fds[0];
}

static void
measure_echo (Row *row,
              int  fd)
{
  gint64 begin = g_get_monotonic_time ();
  char buffer[64] = { 0 };
  guint i;

  for (i = 0; i < CALLS; i++)
    {
      write_all (fd, buffer, sizeof buffer);
      g_assert_cmpint (read (fd, buffer, sizeof buffer), ==, sizeof buffer);
    }
  add (row, begin, CALLS);
}

/* Calls. */

static MaltWorker *
start_worker (const char *runtime)
{
  const char *search_path[] = { g_getenv ("G_TEST_BUILDDIR"), NULL };
  g_autoptr (MaltLauncher) launcher = malt_launcher_new ("process", runtime);
  g_autoptr (GError) error = NULL;
  MaltWorker *worker;

  malt_launcher_set_search_path (launcher, search_path);
  worker = malt_launcher_spawn (launcher, NULL, &error);
  g_assert_no_error (error);

  return worker;
}

#define NO_OP "native-functions:nothing"

static void
measure_blocking (Row        *row,
                  MaltWorker *worker)
{
  gint64 begin = g_get_monotonic_time ();
  guint i;

  for (i = 0; i < CALLS; i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (GVariant) value = NULL;

      value = malt_worker_remote_call_fetch (worker, NO_OP, NULL, NULL, -1, NULL, &error);
      g_assert_no_error (error);
    }
  add (row, begin, CALLS);
}

typedef struct
{
  GMainLoop *loop;
  guint      to_begin;
  guint      to_end;
} Series;

static void
called_cb (GObject      *object,
           GAsyncResult *result,
           gpointer      user_data)
{
  MaltWorker *worker = MALT_WORKER (object);
  Series *series = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) value = malt_worker_remote_call_finish (worker, result, &error);

  g_assert_no_error (error);
  g_assert_nonnull (value);
  if (--series->to_end == 0)
    g_main_loop_quit (series->loop);
  else if (series->to_begin > 0)
    {
      series->to_begin--;
      malt_worker_remote_call_async (worker, NO_OP, NULL, NULL, -1, NULL, called_cb, series);
    }
}

/* @at_once calls in flight, @n in all. */
static void
measure_async (Row        *row,
               MaltWorker *worker,
               guint       at_once,
               guint       n)
{
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);
  gint64 begin = g_get_monotonic_time ();
  Series series = { loop, n - at_once, n };
  guint i;

  for (i = 0; i < at_once; i++)
    malt_worker_remote_call_async (worker, NO_OP, NULL, NULL, -1, NULL, called_cb, &series);
  g_main_loop_run (loop);
  add (row, begin, n);
}

static void
measure_eval (Row        *row,
              MaltWorker *worker)
{
  gint64 begin = g_get_monotonic_time ();
  guint i;

  for (i = 0; i < CALLS; i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (GVariant) value = NULL;

      value = malt_worker_remote_eval_fetch (worker, NULL, "x + 1", -1, NULL, &error);
      g_assert_no_error (error);
    }
  add (row, begin, CALLS);
}

/* Starts. */

static void
measure_program (Row         *row,
                 const char **argv)
{
  gint64 begin = g_get_monotonic_time ();
  pid_t pid;

  g_assert_cmpint (posix_spawn (&pid, argv[0], NULL, NULL, (char **) argv, environ), ==, 0);
  g_assert_cmpint (waitpid (pid, NULL, 0), ==, pid);
  add (row, begin, 1000);
}

static void
measure_start (Row        *row,
               const char *runtime)
{
  gint64 begin = g_get_monotonic_time ();
  g_autoptr (MaltWorker) worker = start_worker (runtime);
  g_autoptr (GVariant) value = NULL;
  g_autoptr (GError) error = NULL;

  if (g_str_equal (runtime, "native"))
    value = malt_worker_remote_call_fetch (worker, NO_OP, NULL, NULL, -1, NULL, &error);
  else
    value = malt_worker_remote_eval_fetch (worker, NULL, "1", -1, NULL, &error);
  g_assert_no_error (error);
  add (row, begin, 1000);

  malt_worker_stop (worker, -1, -1, NULL, &error);
  g_assert_no_error (error);
}

static void
print_memory (const char *name,
              const char *runtime)
{
  g_autoptr (MaltWorker) worker = start_worker (runtime);
  g_autofree char *path = g_strdup_printf ("/proc/%d/smaps_rollup", malt_worker_get_pid (worker));
  g_autofree char *text = NULL;
  const char *line;

  g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
  line = strstr (text, "\nPss:");
  g_assert_nonnull (line);
  g_print ("%-44s %10ld kB\n", name, strtol (line + strlen ("\nPss:"), NULL, 10));
}

int
main (int    argc,
      char **argv)
{
  const char *glib_program[] = { argv[0], "--trivial", NULL };
  const char *python_program[] = { "/usr/bin/python3", "-S", "-E", "-c", "pass", NULL };
  Row echo = { .name = "64 bytes through a socket pair and back", .unit = "us" };
  Row blocking = { .name = "blocking call, native", .unit = "us" };
  Row async = { .name = "asynchronous call, native, one at a time", .unit = "us" };
  Row pipelined = { .name = "asynchronous call, native, 1,000 in flight", .unit = "us" };
  Row eval = { .name = "blocking eval of x + 1, python", .unit = "us" };
  Row glib_start = { .name = "start and end of a program with GLib", .unit = "ms" };
  Row native_start = { .name = "start to first result, native", .unit = "ms" };
  Row python_floor = { .name = "python3 -S -E -c pass", .unit = "ms" };
  Row python_start = { .name = "start to first result, python", .unit = "ms" };
  g_autoptr (MaltWorker) native = NULL;
  g_autoptr (MaltWorker) python = NULL;
  g_autoptr (GError) error = NULL;
  int echo_fd;
  guint i;

  if (argc == 2 && g_str_equal (argv[1], "--trivial"))
    return 0;

  echo_fd = start_echo ();
  native = start_worker ("native");
  python = start_worker ("python");
  malt_worker_remote_eval_wait (python, NULL, "x = 1", -1, NULL, &error);
  g_assert_no_error (error);

  for (i = 0; i < ROUNDS; i++)
    {
      measure_echo (&echo, echo_fd);
      measure_blocking (&blocking, native);
      measure_async (&async, native, 1, CALLS);
      measure_async (&pipelined, native, 1000, PIPELINED);
      measure_eval (&eval, python);
    }
  for (i = 0; i < STARTS; i++)
    {
      measure_program (&glib_start, glib_program);
      measure_start (&native_start, "native");
      measure_program (&python_floor, python_program);
      measure_start (&python_start, "python");
    }

  print_row (&echo, NULL);
  print_row (&blocking, &echo);
  print_row (&async, &echo);
  print_row (&pipelined, &echo);
  print_row (&eval, &echo);
  print_row (&glib_start, NULL);
  print_row (&native_start, &glib_start);
  print_row (&python_floor, NULL);
  print_row (&python_start, &python_floor);
  print_memory ("proportional memory of an idle native worker", "native");
  print_memory ("proportional memory of an idle Python worker", "python");

  close (echo_fd);
  return 0;
}
