/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bench-worker.h"

/* Small values through a channel: one after the other in either direction, and there and
 * back. */

#define VALUES      200000
#define ROUND_TRIPS 500

static const char python_channels[] =
  "import threading\n"
  "def put_numbers():\n"
  "  i = 0\n"
  "  try:\n"
  "    while True:\n"
  "      numbers.put(i)\n"
  "      i += 1\n"
  "  except malt.ChannelClosed: pass\n"
  "def answer():\n"
  "  for value in down:\n"
  "    if value: up.put(value)\n"
  "numbers, down, up = (malt.Channel(1000) for _ in range(3))\n"
  "threading.Thread(target=put_numbers).start()\n"
  "threading.Thread(target=answer).start()\n";

/* The functions that give the channels in C are in bench-functions.c. */
static void
define_channels (const Bench *self,
                 MaltWorker  *worker)
{
  g_autoptr (GError) error = NULL;

  if (g_str_equal (self->runtime, "native"))
    return;

  malt_worker_remote_eval_wait (worker, NULL, python_channels, -1, NULL, &error);
  bench_check (error, "definitions");
}

static MaltChannel *
open_channel (MaltWorker *worker,
              const char *name)
{
  g_autoptr (GError) error = NULL;
  MaltChannel *channel;

  channel = malt_worker_open_channel (worker, NULL, bench_function (worker, name), -1, NULL, &error);
  bench_check (error, "channel");
  return channel;
}

static void
put (MaltChannel *channel,
     gint64       number)
{
  g_autoptr (GError) error = NULL;

  malt_channel_put (channel, g_variant_new_int64 (number), -1, NULL, &error);
  bench_check (error, "put");
}

static void
take (MaltChannel *channel)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) value G_GNUC_UNUSED = malt_channel_take (channel, -1, NULL, &error);

  bench_check (error, "take");
}

/* The worker's thread puts as long as there is room. */
static void
take_all (MaltChannel *channel,
          guint        n)
{
  while (n-- > 0)
    take (channel);
}

/* The worker's thread answers the last one. */
static void
put_all (MaltChannel *down,
         MaltChannel *up,
         guint        n)
{
  while (--n > 0)
    put (down, 0);
  put (down, 1);
  take (up);
}

static void
go_round (MaltChannel *down,
          MaltChannel *up,
          guint        n)
{
  while (n-- > 0)
    {
      put (down, 1);
      take (up);
    }
}

void
bench_channels (const Bench *self)
{
  MaltWorker *worker = bench_start (self);
  g_autoptr (MaltChannel) numbers = NULL;
  g_autoptr (MaltChannel) down = NULL;
  g_autoptr (MaltChannel) up = NULL;

  define_channels (self, worker);
  numbers = open_channel (worker, "numbers");
  down = open_channel (worker, "down");
  up = open_channel (worker, "up");

  BENCH_RATE (self->peer, "channel_take_per_s", VALUES, 2, 10, 0.8, take_all (numbers, VALUES));
  malt_channel_close (numbers);
  BENCH_RATE (self->peer, "channel_put_per_s", VALUES, 2, 10, 0.8, put_all (down, up, VALUES));
  BENCH (self->peer, "channel_round_trip_us", 1, ROUND_TRIPS, 10, 4000, 0.8, go_round (down, up, ROUND_TRIPS));
  malt_channel_close (down);
  bench_stop (worker);
}
