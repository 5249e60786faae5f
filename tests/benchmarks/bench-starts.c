/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bench-worker.h"

/* Starting a worker until it has answered, stopping it, and what it weighs between. */

/* What there is to call in a worker that was told nothing yet. */
static const char *
first_function (const Bench *self,
                MaltWorker  *worker)
{
  if (g_str_equal (self->runtime, "native"))
    return bench_function (worker, "nothing");

  return g_str_equal (self->runtime, "gjs") ? "Number" : "int";
}

void
bench_starts (const Bench *self)
{
  samples_t *start = samples_new ();
  samples_t *stop = samples_new ();
  samples_t *weight = samples_new ();
  int n = MAX (6, (int) (40 * bench_scale ()));
  int i;

  /* The first one loads what the others find. */
  for (i = 0; i < n + 1; i++)
    {
      double begin = now_us (), end;
      MaltWorker *worker = bench_spawn (self);

      bench_call_plain (worker, first_function (self, worker));
      end = now_us ();
      if (i > 0)
        samples_add (start, (end - begin) / 1e3);

      if (i > 0 && i <= 4)
        {
          g_usleep (20000);
          samples_add (weight, (double) pss_kb (malt_worker_get_pid (worker)));
        }
      else
        {
          g_usleep (1000);
        }

      begin = now_us ();
      bench_stop (worker);
      if (i > 0)
        samples_add (stop, (now_us () - begin) / 1e3);
    }

  report (self->peer, "spawn_ms", start);
  report (self->peer, "stop_ms", stop);
  report (self->peer, "idle_worker_pss_kb", weight);
}
