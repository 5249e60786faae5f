/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bench-worker.h"

/* Large values: arrays of bytes there and back. */

/* The caller's own memory, which it has used before. */
static guint8 *mine;

static void
take_memory (void)
{
  mine = g_malloc (SIZE_50M);
  memset (mine, 3, SIZE_50M);
}

static void
give_memory_back (void)
{
  g_clear_pointer (&mine, g_free);
}

/* Reads what came where it is, and drops it. */
static void
use_bytes (GVariant *value,
           gsize     size)
{
  gsize n;
  gconstpointer data = g_variant_get_fixed_array (value, &n, 1);

  if (n != size)
    {
      g_printerr ("%" G_GSIZE_FORMAT " bytes came, not %" G_GSIZE_FORMAT "\n", n, size);
      exit (EXIT_FAILURE);
    }
  touch_pages (data, n);
  g_variant_unref (value);
}

/* The arguments of a call for so many bytes, which are made once. */
static GVariant *
arguments_for (gsize size)
{
  return g_variant_ref_sink (g_variant_new ("(x)", (gint64) size));
}

static void
fetch (MaltWorker *worker,
       const char *bytes,
       GVariant   *arguments,
       gsize       size)
{
  use_bytes (bench_call (worker, bytes, arguments), size);
}

/* The arguments of a call that sends the caller's bytes as they lie. */
static GVariant *
arguments_with (gsize size)
{
  GVariant *array = g_variant_new_from_data (G_VARIANT_TYPE_BYTESTRING, mine, size, TRUE, NULL, NULL);

  return g_variant_new_tuple (&array, 1);
}

static void
send_and_count (MaltWorker *worker,
                const char *count,
                GVariant   *arguments,
                gsize       size)
{
  g_autoptr (GVariant) value = bench_call (worker, count, arguments);

  g_assert_cmpint (g_variant_get_int64 (value), ==, (gint64) size);
}

/* The worker's own bytes, and the caller's: copied once on their way, and read where they
 * are then. */
void
bench_bytes (const Bench *self)
{
  MaltWorker *worker = bench_start (self);
  const char *echo = bench_function (worker, "echo");
  const char *own_bytes = bench_function (worker, "own_bytes");
  const char *count = bench_function (worker, "count");
  g_autoptr (GVariant) for_1m = arguments_for (SIZE_1M);
  g_autoptr (GVariant) for_50m = arguments_for (SIZE_50M);

  take_memory ();
  BENCH (self->peer, "echo_64KB_us", 20, 1, 7, 200, 0.3,
         use_bytes (bench_call (worker, echo, arguments_with (SIZE_64K)), SIZE_64K));
  BENCH (self->peer, "fetch_1MB_us", 5, 1, 7, 200, 0.3, fetch (worker, own_bytes, for_1m, SIZE_1M));
  BENCH (self->peer, "fetch_50MB_ms", 1, 1e3, 5, 15, 0.5, fetch (worker, own_bytes, for_50m, SIZE_50M));
  BENCH (self->peer, "send_50MB_ms", 1, 1e3, 5, 15, 0.5,
         send_and_count (worker, count, arguments_with (SIZE_50M), SIZE_50M));
  give_memory_back ();
  bench_stop (worker);
}

static GVariant *
arguments_in_place (GBytes *bytes)
{
  GVariant *array = g_variant_new_from_bytes (G_VARIANT_TYPE_BYTESTRING, bytes, TRUE);

  return g_variant_new_tuple (&array, 1);
}

/* Bytes that were made where the other side can read them: never copied. */
void
bench_in_place (const Bench *self)
{
  MaltWorker *worker = bench_start (self);
  const char *arena_bytes = bench_function (worker, "arena_bytes");
  const char *count = bench_function (worker, "count");
  gpointer data;
  GBytes *bytes = malt_worker_new_buffer (worker, SIZE_50M, &data);
  g_autoptr (GVariant) for_1m = arguments_for (SIZE_1M);
  g_autoptr (GVariant) for_50m = arguments_for (SIZE_50M);

  memset (data, 7, SIZE_50M);
  BENCH (self->peer, "fetch_1MB_us", 5, 1, 7, 200, 0.3, fetch (worker, arena_bytes, for_1m, SIZE_1M));
  BENCH (self->peer, "fetch_50MB_ms", 1, 1e3, 5, 15, 0.5, fetch (worker, arena_bytes, for_50m, SIZE_50M));
  BENCH (self->peer, "send_50MB_ms", 1, 1e3, 5, 15, 0.5,
         send_and_count (worker, count, arguments_in_place (bytes), SIZE_50M));
  g_bytes_unref (bytes);
  bench_stop (worker);
}
