/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bench-worker.h"

#include <sys/resource.h>

/* What a call costs the manager that has many workers, all of which are idle: it should not
 * matter how many there are. */

#define MOST    1000
#define CALLS   1000
#define AT_ONCE 10

static double
cpu_us (void)
{
  struct timespec time;

  clock_gettime (CLOCK_PROCESS_CPUTIME_ID, &time);
  return (double) time.tv_sec * 1e6 + (double) time.tv_nsec * 1e-3;
}

static void
report_one (const Bench *self,
            const char  *name,
            guint        n_workers,
            double       value)
{
  g_autofree char *row = g_strdup_printf ("%s_%u_us", name, n_workers);
  samples_t *samples = samples_new ();

  samples_add (samples, value);
  report (self->peer, row, samples);
}

static void
called_cb (GObject      *object,
           GAsyncResult *result,
           gpointer      user_data)
{
  guint *pending = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) value G_GNUC_UNUSED = malt_worker_remote_call_finish (MALT_WORKER (object), result, &error);

  bench_check (error, "asynchronous call");
  (*pending)--;
}

static void
begin_call (MaltWorker *worker,
            const char *function,
            guint      *pending)
{
  malt_worker_remote_call_async (worker, function, NULL, NULL, -1, NULL, called_cb, pending);
}

static void
finish_calls (guint *pending)
{
  while (*pending > 0)
    g_main_context_iteration (NULL, TRUE);
}

static void
call_from_loop (MaltWorker *worker,
                const char *function)
{
  guint pending = 1;

  begin_call (worker, function, &pending);
  finish_calls (&pending);
}

/* One call after the other, each to a worker that has long been asleep, so that it is the same
 * work whether there are others or not.  The first to each, with which the manager begins to listen
 * to it, does not count. */
static void
call_in_turn (const Bench *self,
              const char  *row,
              GPtrArray   *workers,
              void      (* call) (MaltWorker *worker, const char *function))
{
  const char *nothing = bench_function (workers->pdata[0], "nothing");
  guint n = MAX (workers->len, CALLS / 4);
  double used = 0;
  guint i;

  for (i = 0; i < workers->len; i++)
    call (workers->pdata[i], nothing);

  for (i = 0; i < n; i++)
    {
      double begin;

      g_usleep (1000);
      begin = cpu_us ();
      call (workers->pdata[i % workers->len], nothing);
      used += cpu_us () - begin;
    }
  report_one (self, row, workers->len, used / n);
}

/* A call to each worker, all of them in flight, from one main context. */
static void
call_all_at_once (const Bench *self,
                  GPtrArray   *workers)
{
  const char *nothing = bench_function (workers->pdata[0], "nothing");
  guint rounds = CALLS / workers->len;
  double begin = cpu_us ();
  guint round, i;

  for (round = 0; round < rounds; round++)
    {
      guint pending = workers->len;

      for (i = 0; i < workers->len; i++)
        begin_call (workers->pdata[i], nothing, &pending);
      finish_calls (&pending);
    }
  report_one (self, "many_async_cpu", workers->len, (cpu_us () - begin) / (rounds * workers->len));
}

typedef struct
{
  GPtrArray *workers;
  guint      pending;
} Batch;

static void
spawned_cb (GObject      *object,
            GAsyncResult *result,
            gpointer      user_data)
{
  Batch *batch = user_data;
  g_autoptr (GError) error = NULL;
  MaltWorker *worker = malt_launcher_spawn_finish (MALT_LAUNCHER (object), result, &error);

  bench_check (error, "start of one of many");
  g_ptr_array_add (batch->workers, worker);
  batch->pending--;
}

static void
start_more (MaltLauncher *launcher,
            GPtrArray    *workers,
            guint         n)
{
  Batch batch = { workers, 0 };

  while (workers->len < n)
    {
      guint i, more = MIN (AT_ONCE, n - workers->len);

      batch.pending = more;
      for (i = 0; i < more; i++)
        malt_launcher_spawn_async (launcher, NULL, spawned_cb, &batch);
      while (batch.pending > 0)
        g_main_context_iteration (NULL, TRUE);
    }

  /* They have the module loaded. */
  for (n = 0; n < workers->len; n++)
    bench_call_plain (workers->pdata[n], bench_function (workers->pdata[n], "nothing"));
}

static void
stopped_cb (GObject      *object,
            GAsyncResult *result,
            gpointer      user_data)
{
  Batch *batch = user_data;
  g_autoptr (GError) error = NULL;

  malt_worker_stop_finish (MALT_WORKER (object), result, &error);
  bench_check (error, "stop of one of many");
  batch->pending--;
}

static void
stop_all (GPtrArray *workers)
{
  Batch batch = { workers, workers->len };
  guint i;

  for (i = 0; i < workers->len; i++)
    malt_worker_stop_async (workers->pdata[i], -1, -1, NULL, stopped_cb, &batch);
  while (batch.pending > 0)
    g_main_context_iteration (NULL, TRUE);
}

void
bench_many (const Bench *self)
{
  const char *search_path[] = { g_getenv ("MALT_BENCH_MODULES"), NULL };
  g_autoptr (MaltLauncher) launcher = malt_launcher_new ("process", self->runtime);
  g_autoptr (GPtrArray) workers = g_ptr_array_new_with_free_func (g_object_unref);
  struct rlimit limit;
  guint n;

  /* A worker is some descriptors. */
  if (getrlimit (RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max)
    {
      limit.rlim_cur = limit.rlim_max;
      setrlimit (RLIMIT_NOFILE, &limit);
    }

  malt_launcher_set_search_path (launcher, search_path);
  for (n = 1; n <= MOST; n *= 10)
    {
      start_more (launcher, workers, n);
      call_in_turn (self, "many_sync_cpu", workers, bench_call_plain);
      call_in_turn (self, "many_in_turn_cpu", workers, call_from_loop);
      call_all_at_once (self, workers);
    }
  stop_all (workers);
}
