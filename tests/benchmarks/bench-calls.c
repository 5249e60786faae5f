/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bench-worker.h"

/* Small calls: blocking, asynchronous, many in flight, and without an answer. */

#define SINGLE    100
#define PIPELINED 100000
#define FORGOTTEN 100000

static void
blocking_after_idleness (const Bench *self,
                         MaltWorker  *worker,
                         const char  *function)
{
  samples_t *samples = samples_new ();
  int n = (int) (150 * bench_scale ());

  while (n-- > 0)
    {
      double begin;

      g_usleep (2000);
      begin = now_us ();
      bench_call_plain (worker, function);
      samples_add (samples, now_us () - begin);
    }
  report (self->peer, "noop_after_idle_us", samples);
}

typedef struct
{
  GMainLoop  *loop;
  const char *function;
  guint       to_begin;
  guint       to_end;
} Series;

static void
called_cb (GObject      *object,
           GAsyncResult *result,
           gpointer      user_data)
{
  MaltWorker *worker = MALT_WORKER (object);
  Series *series = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) value G_GNUC_UNUSED = malt_worker_remote_call_finish (worker, result, &error);

  bench_check (error, "asynchronous call");
  if (--series->to_end == 0)
    {
      g_main_loop_quit (series->loop);
    }
  else if (series->to_begin > 0)
    {
      series->to_begin--;
      malt_worker_remote_call_async (worker, series->function, NULL, NULL, -1, NULL, called_cb, series);
    }
}

/* Makes @n calls from the main loop, of which @at_once are in flight. */
static void
call_from_loop (MaltWorker *worker,
                const char *function,
                guint       at_once,
                guint       n)
{
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);
  Series series = { loop, function, n - at_once, n };

  while (at_once-- > 0)
    malt_worker_remote_call_async (worker, function, NULL, NULL, -1, NULL, called_cb, &series);
  g_main_loop_run (loop);
}

static void
call_and_forget (MaltWorker *worker,
                 const char *function,
                 guint       n)
{
  g_autoptr (GError) error = NULL;

  while (n-- > 0)
    {
      malt_worker_remote_do (worker, function, NULL, NULL, &error);
      bench_check (error, "call without an answer");
    }
  bench_call_plain (worker, function);
}

void
bench_calls (const Bench *self)
{
  MaltWorker *worker = bench_start (self);
  const char *nothing = bench_function (worker, "nothing");

  bench_call_plain (worker, nothing);
  BENCH (self->peer, "noop_sync_us", 100, 1, 10, 4000, 0.8, bench_call_plain (worker, nothing));
  blocking_after_idleness (self, worker, nothing);
  BENCH (self->peer, "async_single_us", 1, SINGLE, 10, 4000, 0.8,
         call_from_loop (worker, nothing, 1, SINGLE));
  BENCH_RATE (self->peer, "pipelined_calls_per_s", PIPELINED, 2, 10, 0.8,
              call_from_loop (worker, nothing, PIPELINED, PIPELINED));
  BENCH_RATE (self->peer, "fire_and_forget_per_s", FORGOTTEN, 2, 10, 0.5,
              call_and_forget (worker, nothing, FORGOTTEN));
  bench_stop (worker);
}

static void
evaluate (MaltWorker *worker)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) value = NULL;

  value = malt_worker_remote_eval_fetch (worker, NULL, "x + 1", -1, NULL, &error);
  bench_check (error, "eval");
}

static void
increment (MaltWorker *worker,
           GVariant   *one)
{
  g_variant_unref (bench_call (worker, "increment", one));
}

/* What only a runtime can do that has source. */
void
bench_eval (const Bench *self)
{
  MaltWorker *worker = bench_start (self);
  g_autoptr (GVariant) one = g_variant_ref_sink (g_variant_new ("(x)", G_GINT64_CONSTANT (1)));

  BENCH (self->peer, "eval_sync_us", 100, 1, 10, 4000, 0.6, evaluate (worker));
  BENCH (self->peer, "call_sync_us", 100, 1, 10, 4000, 0.6, increment (worker, one));
  bench_stop (worker);
}
