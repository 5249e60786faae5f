/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "malt-ring.h"
#include "malt-spin.h"
#include "test-watchdog.h"

/* Both ends of one ring, which share the words and the bytes as two processes would. */

#define CAPACITY MALT_RING_MIN_CAPACITY
#define GUARD    4096u
#define UNTOUCHED 0xa5

typedef struct
{
  MaltRingWords words;
  guint8        memory[GUARD + CAPACITY + GUARD];
  MaltRingEnd   producer;
  MaltRingEnd   consumer;
} Ring;

/* Where the counters begin: also so that they soon wrap around. */
static const guint32 starts[] = { 0, CAPACITY - 1, G_MAXUINT32, G_MAXUINT32 - 3 * CAPACITY / 2, 0x7fffff00 };

static Ring *
ring_new (guint32 start)
{
  Ring *self = g_new0 (Ring, 1);

  memset (self->memory, UNTOUCHED, sizeof self->memory);
  malt_ring_end_init (&self->producer, &self->words, self->memory + GUARD, CAPACITY);
  malt_ring_end_init (&self->consumer, &self->words, self->memory + GUARD, CAPACITY);
  self->words.head = self->words.tail = start;
  self->producer.own = self->producer.other = start;
  self->consumer.own = self->consumer.other = start;

  return self;
}

static void
ring_free (Ring *self)
{
  gsize i;

  for (i = 0; i < GUARD; i++)
    {
      g_assert_cmpuint (self->memory[i], ==, UNTOUCHED);
      g_assert_cmpuint (self->memory[GUARD + CAPACITY + i], ==, UNTOUCHED);
    }

  g_free (self);
}

/* The byte of a stream at @position. */
static guint8
byte_at (gsize position)
{
  return (guint8) (position * 7 + (position >> 8) * 13);
}

static void
fill (guint8 *bytes,
      gsize   size,
      gsize   position)
{
  gsize i;

  for (i = 0; i < size; i++)
    bytes[i] = byte_at (position + i);
}

static void
assert_stream (const guint8 *bytes,
               gsize         size,
               gsize         position)
{
  gsize i;

  for (i = 0; i < size; i++)
    if (bytes[i] != byte_at (position + i))
      g_error ("byte %" G_GSIZE_FORMAT " is %u instead of %u", position + i, bytes[i], byte_at (position + i));
}

static gsize
random_size (gsize max)
{
  return (gsize) g_test_rand_int_range (0, (gint32) (g_test_rand_bit () ? 40 : max));
}

/* Puts random parts of the stream, in up to three vectors.  How much there was room for. */
static gsize
put_some (Ring  *ring,
          gsize  position,
          gsize *wanted)
{
  guint8 bytes[3 * (CAPACITY + 100)];
  struct iovec vectors[3];
  gsize n_vectors = (gsize) g_test_rand_int_range (0, 4), n_put, i;

  *wanted = 0;
  for (i = 0; i < n_vectors; i++)
    {
      gsize size = random_size (CAPACITY + 100);

      vectors[i] = (struct iovec) { bytes + *wanted, size };
      *wanted += size;
    }
  fill (bytes, *wanted, position);

  g_assert_true (malt_ring_put (&ring->producer, vectors, n_vectors, &n_put));
  return n_put;
}

/* Against a model that knows only how many bytes went in and out. */
static void
test_model (gconstpointer data)
{
  guint32 start = *(const guint32 *) data;
  Ring *ring = ring_new (start);
  gsize head = 0, tail = 0;
  guint step;

  for (step = 0; step < 5000; step++)
    {
      gsize size, n;

      g_assert_cmpint (malt_ring_has_bytes (&ring->consumer), ==, head > tail);
      g_assert_cmpuint (malt_ring_get_head (&ring->consumer), ==, start + (guint32) head);

      if (g_test_rand_bit ())
        {
          n = put_some (ring, head, &size);
          g_assert_cmpuint (n, ==, MIN (size, CAPACITY - (head - tail)));
          head += n;
        }
      else
        {
          guint8 bytes[CAPACITY + 101];
          gboolean wanted = g_test_rand_bit (), wants_room, has_passed;
          guint32 before = start + (guint32) tail;

          size = random_size (CAPACITY + 100);
          bytes[size] = UNTOUCHED;
          ring->words.wants_room = wanted;
          g_assert_true (malt_ring_get (&ring->consumer, bytes, size, &n, &wants_room));
          g_assert_cmpuint (n, ==, MIN (size, head - tail));
          g_assert_cmpuint (bytes[size], ==, UNTOUCHED);
          assert_stream (bytes, n, tail);
          tail += n;

          /* It is asked, and only once, when another half has become free. */
          has_passed = before / (CAPACITY / 2) != (start + (guint32) tail) / (CAPACITY / 2);
          g_assert_cmpint (wants_room, ==, wanted && has_passed);
          g_assert_cmpint (ring->words.wants_room != 0, ==, wanted && !has_passed);
        }

      g_assert_cmpuint (ring->words.head, ==, start + (guint32) head);
      g_assert_cmpuint (ring->words.tail, ==, start + (guint32) tail);
    }

  ring_free (ring);
}

/* Neither end reads its own counter back. */
static void
test_own_counter (void)
{
  Ring *ring = ring_new (G_MAXUINT32 - 5);
  struct iovec vector = { (gpointer) "0123456789", 10 };
  gboolean wants_room;
  char bytes[20];
  gsize n;

  ring->words.head = 12345;
  g_assert_true (malt_ring_put (&ring->producer, &vector, 1, &n));
  g_assert_cmpuint (n, ==, 10);
  g_assert_cmpuint (ring->words.head, ==, 4);

  ring->words.tail = 12345;
  g_assert_true (malt_ring_get (&ring->consumer, bytes, sizeof bytes, &n, &wants_room));
  g_assert_cmpmem (bytes, n, "0123456789", 10);
  g_assert_cmpuint (ring->words.tail, ==, 4);

  ring_free (ring);
}

/* What no honest peer's counter can be: its distance to this end's. */
static const guint32 impossible[] = { 1, 1000, CAPACITY, 0x7fffffff, 0x80000000, 0u - CAPACITY - 1, 0u - CAPACITY - 1000 };

static void
test_impossible_tail (gconstpointer data)
{
  Ring *ring = ring_new (*(const guint32 *) data);
  guint8 bytes[CAPACITY], before[sizeof ring->memory];
  struct iovec vector = { bytes, sizeof bytes };
  gsize n, i;

  memset (bytes, 1, sizeof bytes);
  vector.iov_len = 100;
  g_assert_true (malt_ring_put (&ring->producer, &vector, 1, &n));
  memcpy (before, ring->memory, sizeof before);
  vector.iov_len = sizeof bytes;
  memset (bytes, 2, sizeof bytes);

  for (i = 0; i < G_N_ELEMENTS (impossible); i++)
    {
      guint32 own = ring->producer.own;

      ring->words.tail = own + impossible[i];
      g_assert_false (malt_ring_put (&ring->producer, &vector, 1, &n));
      g_assert_cmpuint (n, ==, 0);
      g_assert_cmpuint (ring->producer.own, ==, own);
      g_assert_cmpuint (ring->words.head, ==, own);
      g_assert_cmpmem (ring->memory, sizeof before, before, sizeof before);

      /* Nobody waits for it. */
      g_assert_false (malt_ring_want_room (&ring->producer));
    }

  /* The ends of what is possible. */
  ring->words.tail = ring->producer.own - CAPACITY;
  g_assert_true (malt_ring_want_room (&ring->producer));
  g_assert_true (malt_ring_put (&ring->producer, &vector, 1, &n));
  g_assert_cmpuint (n, ==, 0);
  ring->words.tail = ring->producer.own;
  g_assert_true (malt_ring_put (&ring->producer, &vector, 1, &n));
  g_assert_cmpuint (n, ==, CAPACITY);

  ring_free (ring);
}

static void
test_impossible_head (gconstpointer data)
{
  Ring *ring = ring_new (*(const guint32 *) data);
  guint8 bytes[2 * CAPACITY];
  gboolean wants_room;
  gsize n, i;

  memset (bytes, UNTOUCHED, sizeof bytes);
  ring->words.wants_room = 1;

  for (i = 0; i < G_N_ELEMENTS (impossible); i++)
    {
      guint32 own = ring->consumer.own;

      /* The other way round: what is behind, or too far ahead. */
      ring->words.head = own - impossible[i];
      g_assert_false (malt_ring_get (&ring->consumer, bytes, sizeof bytes, &n, &wants_room));
      g_assert_cmpuint (n, ==, 0);
      g_assert_false (wants_room);
      g_assert_cmpuint (ring->consumer.own, ==, own);
      g_assert_cmpuint (ring->words.tail, ==, own);
      g_assert_cmpuint (malt_ring_get_head (&ring->consumer), ==, own);
      /* Nobody sleeps over it. */
      g_assert_true (malt_ring_has_bytes (&ring->consumer));
      g_assert_false (malt_ring_sleep (&ring->consumer));
    }
  for (i = 0; i < sizeof bytes; i++)
    g_assert_cmpuint (bytes[i], ==, UNTOUCHED);

  ring->words.head = ring->consumer.own + CAPACITY;
  g_assert_true (malt_ring_get (&ring->consumer, bytes, sizeof bytes, &n, &wants_room));
  g_assert_cmpuint (n, ==, CAPACITY);

  ring_free (ring);
}

/* Each request to be woken is heard once. */
static void
test_flags (void)
{
  Ring *ring = ring_new (0);
  guint8 bytes[CAPACITY] = { 0 };
  struct iovec vector = { bytes, 1 };
  gboolean wants_room;
  gsize n;

  g_assert_false (malt_ring_is_asleep (&ring->producer));
  g_assert_true (malt_ring_sleep (&ring->consumer));
  g_assert_true (malt_ring_is_asleep (&ring->producer));
  g_assert_true (malt_ring_put (&ring->producer, &vector, 1, &n));
  g_assert_true (malt_ring_take_sleeper (&ring->producer));
  g_assert_false (malt_ring_take_sleeper (&ring->producer));
  g_assert_false (malt_ring_is_asleep (&ring->consumer));

  /* There is something now. */
  g_assert_false (malt_ring_sleep (&ring->consumer));
  malt_ring_wake (&ring->consumer);
  g_assert_false (malt_ring_take_sleeper (&ring->producer));

  g_assert_false (malt_ring_want_room (&ring->producer));
  vector.iov_len = CAPACITY;
  g_assert_true (malt_ring_put (&ring->producer, &vector, 1, &n));
  g_assert_cmpuint (n, ==, CAPACITY - 1);
  g_assert_true (malt_ring_want_room (&ring->producer));
  g_assert_true (malt_ring_get (&ring->consumer, bytes, CAPACITY / 2 - 1, &n, &wants_room));
  g_assert_false (wants_room);
  g_assert_true (malt_ring_get (&ring->consumer, bytes, 1, &n, &wants_room));
  g_assert_true (wants_room);
  g_assert_true (malt_ring_get (&ring->consumer, bytes, CAPACITY, &n, &wants_room));
  g_assert_false (wants_room);

  ring_free (ring);
}

/* ---- Two threads ---- */

/* One end of a pair of rings: sends one stream and receives another.  It sleeps whenever
 * neither goes on, so that a wake-up that is lost is a test that hangs. */
typedef struct
{
  MaltRingEnd *out;
  MaltRingEnd *in;
  int          bytes_fd; /* tells of bytes */
  int          room_fd;  /* tells of room */
  int          peer_bytes_fd;
  int          peer_room_fd;
  gsize        to_send;
  gsize        to_receive;
  gsize        max_part;
  gboolean     answers;  /* sends no more than it has received */
  guint        seed;
  guint        n_sleeps;
} Side;

static void
ring_bell (int fd)
{
  guint64 one = 1;

  g_assert_cmpint (write (fd, &one, sizeof one), ==, sizeof one);
}

static void
sleep_for (Side     *self,
           gboolean  for_bytes,
           gboolean  for_room)
{
  struct pollfd fds[2] = { { self->bytes_fd, POLLIN, 0 }, { self->room_fd, POLLIN, 0 } };
  guint64 count;
  guint i;

  if (!for_bytes)
    fds[0].fd = -1;
  if (!for_room)
    fds[1].fd = -1;

  self->n_sleeps++;
  g_assert_cmpint (poll (fds, 2, -1), >, 0);
  for (i = 0; i < 2; i++)
    if (fds[i].fd != -1 && fds[i].revents != 0)
      g_assert_cmpint (read (fds[i].fd, &count, sizeof count), ==, sizeof count);
}

static gpointer
run_side (gpointer user_data)
{
  Side *self = user_data;
  g_autofree guint8 *bytes = g_malloc (self->max_part);
  g_autoptr (GRand) rand = g_rand_new_with_seed (self->seed);
  gsize sent = 0, received = 0;

  while (sent < self->to_send || received < self->to_receive)
    {
      gsize n_put = 0, n_got = 0, size = (gsize) g_rand_int_range (rand, 1, (gint32) self->max_part + 1);
      gsize may_send = self->answers ? MIN (self->to_send, received) : self->to_send;
      struct iovec vector = { bytes, MIN (size, may_send - sent) };
      gboolean wants_room;

      if (sent < may_send)
        {
          fill (bytes, vector.iov_len, sent);
          g_assert_true (malt_ring_put (self->out, &vector, 1, &n_put));
          sent += n_put;
          if (n_put > 0 && malt_ring_take_sleeper (self->out))
            ring_bell (self->peer_bytes_fd);
        }
      if (received < self->to_receive)
        {
          g_assert_true (malt_ring_get (self->in, bytes, MIN (size, self->to_receive - received),
                                        &n_got, &wants_room));
          assert_stream (bytes, n_got, received);
          received += n_got;
          if (wants_room)
            ring_bell (self->peer_room_fd);
        }

      if (n_put == 0 && n_got == 0 && (sent < self->to_send || received < self->to_receive))
        {
          gboolean for_bytes = received < self->to_receive, for_room = sent < may_send;

          if ((!for_bytes || malt_ring_sleep (self->in)) && (!for_room || malt_ring_want_room (self->out)))
            sleep_for (self, for_bytes, for_room);
          if (for_bytes && malt_ring_is_asleep (self->in))
            malt_ring_wake (self->in);
        }
    }

  return NULL;
}

static void
run_pair (gsize    n_there,
          gsize    n_back,
          gsize    max_part,
          gboolean answers)
{
  Ring *there = ring_new (G_MAXUINT32 - 10000), *back = ring_new (G_MAXUINT32 - 20000);
  int fds[4];
  GThread *threads[2];
  guint i;

  for (i = 0; i < 4; i++)
    g_assert_cmpint (fds[i] = eventfd (0, EFD_CLOEXEC), >=, 0);

  {
    Side sides[2] = {
      { &there->producer, &back->consumer, fds[0], fds[1], fds[2], fds[3], n_there, n_back, max_part, FALSE, 1, 0 },
      { &back->producer, &there->consumer, fds[2], fds[3], fds[0], fds[1], n_back, n_there, max_part, answers, 2, 0 },
    };

    test_watchdog_start ();
    for (i = 0; i < 2; i++)
      threads[i] = g_thread_new ("side", run_side, &sides[i]);
    for (i = 0; i < 2; i++)
      g_thread_join (threads[i]);
    test_watchdog_stop ();
    g_test_message ("slept %u and %u times", sides[0].n_sleeps, sides[1].n_sleeps);
  }

  for (i = 0; i < 4; i++)
    close (fds[i]);
  ring_free (there);
  ring_free (back);
}

static void
test_threads_one_way (void)
{
  run_pair (1024 * 1024, 0, 5000, FALSE);
  run_pair (64 * 1024, 0, 10, FALSE);
}

static void
test_threads_both_ways (void)
{
  run_pair (1024 * 1024, 1024 * 1024, 3000, FALSE);
  run_pair (200 * 1024, 300 * 1024, 100, FALSE);
}

/* Bytes go back as they come: whoever sleeps a little too late is found out. */
static void
test_threads_answers (void)
{
  run_pair (20000, 20000, 1, TRUE);
  run_pair (1024 * 1024, 1024 * 1024, 5000, TRUE);
}

/* ---- Waiting actively ---- */

static gboolean
never_cb (gpointer user_data)
{
  (*(guint *) user_data)++;
  return FALSE;
}

static gboolean
at_once_cb (gpointer user_data)
{
  (*(guint *) user_data)++;
  return TRUE;
}

static gboolean
third_time_cb (gpointer user_data)
{
  return ++*(guint *) user_data == 3;
}

static void
test_spin_never (void)
{
  MaltSpin spin;
  guint n = 0, i;

  malt_spin_init (&spin, 0);
  for (i = 0; i < 1000; i++)
    g_assert_false (malt_spin_until (&spin, at_once_cb, &n));
  g_assert_cmpuint (n, ==, 0);
}

/* With one processor there is nobody to wait for. */
static void
test_spin_one_cpu (void)
{
  cpu_set_t all, one;
  MaltSpin spin;
  guint n = 0;
  int i = 0;

  g_assert_cmpint (sched_getaffinity (0, sizeof all, &all), ==, 0);
  g_assert_cmpuint (malt_spin_count_cpus (), ==, (guint) CPU_COUNT (&all));
  while (!CPU_ISSET (i, &all))
    i++;
  CPU_ZERO (&one);
  CPU_SET (i, &one);

  g_assert_cmpint (sched_setaffinity (0, sizeof one, &one), ==, 0);
  malt_spin_init (&spin, 1000000);
  g_assert_cmpint (sched_setaffinity (0, sizeof all, &all), ==, 0);

  g_assert_false (malt_spin_until (&spin, at_once_cb, &n));
  g_assert_cmpuint (n, ==, 0);
}

static void
spin_init (MaltSpin *spin,
           guint     limit_usec)
{
  malt_spin_init (spin, limit_usec);
  spin->limit = (gint64) limit_usec * 1000; /* also where there is one processor */
}

/* How many waits go by before it is tried again. */
static guint
count_skipped (MaltSpin *spin)
{
  guint n_skipped = 0, n = 0;

  for (;;)
    {
      g_assert_false (malt_spin_until (spin, never_cb, &n));
      if (n > 0)
        return n_skipped;
      n_skipped++;
    }
}

static void
test_spin_backs_off (void)
{
  static const guint expected[] = { 0, 1, 3, 7, 15, 31, 63, 127, 255, 255, 255 };
  gint64 begin;
  MaltSpin spin;
  guint n = 0;
  gsize i;

  spin_init (&spin, 100);
  for (i = 0; i < G_N_ELEMENTS (expected); i++)
    g_assert_cmpuint (count_skipped (&spin), ==, expected[i]);

  /* It is as long as it should be. */
  spin_init (&spin, 2000);
  begin = g_get_monotonic_time ();
  g_assert_false (malt_spin_until (&spin, never_cb, &n));
  g_assert_cmpint (g_get_monotonic_time () - begin, >=, 1900);
}

static void
test_spin_recovers (void)
{
  MaltSpin spin;
  guint n = 0, i;

  spin_init (&spin, 100);
  g_assert_cmpuint (count_skipped (&spin), ==, 0);
  g_assert_cmpuint (count_skipped (&spin), ==, 1);
  g_assert_cmpuint (count_skipped (&spin), ==, 3);

  for (i = 0; i < 7; i++)
    g_assert_false (malt_spin_until (&spin, at_once_cb, &n));
  g_assert_cmpuint (n, ==, 0);
  g_assert_true (malt_spin_until (&spin, third_time_cb, &n));
  g_assert_cmpuint (n, ==, 3);

  /* As if nothing had been. */
  g_assert_true (malt_spin_until (&spin, at_once_cb, &n));
  g_assert_cmpuint (count_skipped (&spin), ==, 0);
  g_assert_cmpuint (count_skipped (&spin), ==, 1);
}

static void
add_for_starts (const char    *name,
                GTestDataFunc  func)
{
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (starts); i++)
    {
      g_autofree char *path = g_strdup_printf ("/ring/%s/%08x", name, starts[i]);

      g_test_add_data_func (path, &starts[i], func);
    }
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  add_for_starts ("model", test_model);
  g_test_add_func ("/ring/own-counter", test_own_counter);
  add_for_starts ("impossible-tail", test_impossible_tail);
  add_for_starts ("impossible-head", test_impossible_head);
  g_test_add_func ("/ring/flags", test_flags);
  g_test_add_func ("/ring/threads/one-way", test_threads_one_way);
  g_test_add_func ("/ring/threads/both-ways", test_threads_both_ways);
  g_test_add_func ("/ring/threads/answers", test_threads_answers);
  g_test_add_func ("/spin/never", test_spin_never);
  g_test_add_func ("/spin/one-cpu", test_spin_one_cpu);
  g_test_add_func ("/spin/backs-off", test_spin_backs_off);
  g_test_add_func ("/spin/recovers", test_spin_recovers);

  return g_test_run ();
}
