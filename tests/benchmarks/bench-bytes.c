/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bench-worker.h"

/* Large values: arrays of bytes there and back. */

/* The caller's own memory, which it has used before. */
static guint8 *mine;
static guint8 *destination;

static void
take_memory (void)
{
  mine = g_malloc (SIZE_50M);
  destination = g_malloc (SIZE_50M);
  memset (mine, 3, SIZE_50M);
  memset (destination, 4, SIZE_50M);
}

static void
give_memory_back (void)
{
  g_clear_pointer (&mine, g_free);
  g_clear_pointer (&destination, g_free);
}

/* Reads what came, and drops it.
 * @copied: into the caller's own memory, as one does who keeps it; else where it is */
static void
use_bytes (GVariant *value,
           gsize     size,
           gboolean  copied)
{
  gsize n;
  gconstpointer data = g_variant_get_fixed_array (value, &n, 1);

  if (n != size)
    {
      g_printerr ("%" G_GSIZE_FORMAT " bytes came, not %" G_GSIZE_FORMAT "\n", n, size);
      exit (EXIT_FAILURE);
    }
  if (copied)
    {
      memcpy (destination, data, n);
      data = destination;
    }
  touch_pages (data, n);
  g_variant_unref (value);
}

static void
fetch (MaltWorker *worker,
       const char *own_bytes,
       gsize       size,
       gboolean    copied)
{
  use_bytes (bench_call (worker, own_bytes, g_variant_new ("(x)", (gint64) size)), size, copied);
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
                gsize       size)
{
  g_autoptr (GVariant) value = bench_call (worker, count, arguments_with (size));

  g_assert_cmpint (g_variant_get_int64 (value), ==, (gint64) size);
}

static void
measure (const Bench *self,
         gboolean     copied)
{
  MaltWorker *worker = bench_start (self);
  const char *echo = bench_function (worker, "echo");
  const char *own_bytes = bench_function (worker, "own_bytes");
  const char *count = bench_function (worker, "count");

  take_memory ();
  BENCH (self->peer, "echo_64KB_us", 20, 1, 7, 200, 0.3,
         use_bytes (bench_call (worker, echo, arguments_with (SIZE_64K)), SIZE_64K, copied));
  BENCH (self->peer, "fetch_1MB_us", 5, 1, 7, 200, 0.3, fetch (worker, own_bytes, SIZE_1M, copied));
  BENCH (self->peer, "fetch_50MB_ms", 1, 1e3, 5, 15, 0.5, fetch (worker, own_bytes, SIZE_50M, copied));
  if (copied)
    BENCH (self->peer, "send_50MB_ms", 1, 1e3, 5, 15, 0.5, send_and_count (worker, count, SIZE_50M));
  give_memory_back ();
  bench_stop (worker);
}

void
bench_bytes (const Bench *self)
{
  measure (self, TRUE);
}

/* The same, read where the library put it.  Nothing is different about sending: the
 * caller's bytes are where they are. */
void
bench_in_place (const Bench *self)
{
  measure (self, FALSE);
}
