/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bench-worker.h"

/* What happens while nothing happens: how often a manager that runs its main loop, and a
 * worker, wake up. */

#define SECONDS 2

/* How often the threads of a process have gone to sleep of their own accord.
 * @except: the thread that asks, which has to wait somehow */
static double
count_sleeps (pid_t process,
              pid_t except)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/task", (int) process);
  g_autoptr (GDir) folder = g_dir_open (path, 0, NULL);
  const char *name;
  double sum = 0;

  while (folder != NULL && (name = g_dir_read_name (folder)) != NULL)
    {
      g_autofree char *file = g_build_filename (path, name, "status", NULL);
      g_autofree char *text = NULL;
      const char *line;

      if (atoi (name) == except || !g_file_get_contents (file, &text, NULL, NULL))
        continue;
      line = strstr (text, "\nvoluntary_ctxt_switches:");
      if (line != NULL)
        sum += g_ascii_strtod (strchr (line, ':') + 1, NULL);
    }

  return sum;
}

typedef struct
{
  GMainLoop *loop;
  pid_t      worker;
  double     manager_sleeps;
  double     worker_sleeps;
} Watch;

static gpointer
watch_thread (gpointer data)
{
  Watch *watch = data;
  pid_t self = gettid ();
  double manager, worker;

  /* Let everything calm down first. */
  g_usleep (G_USEC_PER_SEC / 4);
  manager = count_sleeps (getpid (), self);
  worker = count_sleeps (watch->worker, 0);
  g_usleep (SECONDS * G_USEC_PER_SEC);
  watch->manager_sleeps = count_sleeps (getpid (), self) - manager;
  watch->worker_sleeps = count_sleeps (watch->worker, 0) - worker;

  g_main_loop_quit (watch->loop);
  return NULL;
}

static void
report_one (const Bench *self,
            const char  *row,
            double       value)
{
  samples_t *samples = samples_new ();

  samples_add (samples, value);
  report (self->peer, row, samples);
}

void
bench_idle (const Bench *self)
{
  MaltWorker *worker = bench_start (self);
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);
  Watch watch = { .loop = loop, .worker = malt_worker_get_pid (worker) };
  GThread *thread;

  bench_call_plain (worker, bench_function (worker, "nothing"));
  thread = g_thread_new ("watch", watch_thread, &watch);
  g_main_loop_run (loop);
  g_thread_join (thread);

  report_one (self, "idle_manager_wakeups_hz", watch.manager_sleeps / SECONDS);
  report_one (self, "idle_worker_wakeups_hz", watch.worker_sleeps / SECONDS);
  bench_stop (worker);
}
