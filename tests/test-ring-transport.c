/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <fcntl.h>
#include <gio/gio.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "malt-frame.h"
#include "malt-frame-reader.h"
#include "malt-frame-writer.h"
#include "malt-limits.h"
#include "malt-ring-memory.h"
#include "malt-ring-transport.h"
#include "test-asserts.h"
#include "test-process.h"
#include "test-watchdog.h"

/* Both ends of a transport in one process. */

#define CAPACITY MALT_RING_MIN_CAPACITY

typedef struct
{
  MaltTransport *manager;
  MaltTransport *worker;
} Pair;

static void
pair_open (Pair  *self,
           guint  spin_usec)
{
  g_autoptr (GError) error = NULL;
  int sockets[2];

  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), ==, 0);
  self->manager = malt_ring_transport_new (CAPACITY, spin_usec, &error);
  g_assert_no_error (error);
  g_assert_true (malt_ring_transport_hand_over (self->manager, sockets[0], &error));
  g_assert_no_error (error);
  self->worker = malt_ring_transport_receive (sockets[1], &error);
  g_assert_no_error (error);
}

static void
pair_close (Pair *self)
{
  g_clear_pointer (&self->manager, malt_transport_free);
  g_clear_pointer (&self->worker, malt_transport_free);
}

static void
assert_sends (MaltTransport *transport,
              const char    *text)
{
  g_autoptr (GError) error = NULL;
  struct iovec vector = { (gpointer) text, strlen (text) };
  gsize sent = 0;

  g_assert_cmpint (malt_transport_send (transport, &vector, 1, &sent, &error), ==, MALT_IO_DONE);
  g_assert_no_error (error);
  g_assert_cmpuint (sent, ==, strlen (text));
}

static void
assert_receives (MaltTransport *transport,
                 const char    *text)
{
  g_autoptr (GError) error = NULL;
  char bytes[64];
  gsize received = 0;

  g_assert_cmpint (malt_transport_receive (transport, bytes, strlen (text), &received, &error), ==, MALT_IO_DONE);
  g_assert_no_error (error);
  g_assert_cmpmem (bytes, received, text, strlen (text));
}

static MaltIo
receive_byte (MaltTransport *transport)
{
  gsize received = 0;
  char byte;

  return malt_transport_receive (transport, &byte, 1, &received, NULL);
}

static gboolean
is_readable (int fd)
{
  struct pollfd pollfd = { fd, POLLIN, 0 };

  return poll (&pollfd, 1, 0) == 1;
}

/* Mappings of memory that is shared through a descriptor. */
static guint
count_mappings (void)
{
  g_autofree char *text = NULL;
  g_autoptr (GError) error = NULL;
  const char *c;
  guint n = 0;

  g_file_get_contents ("/proc/self/maps", &text, NULL, &error);
  g_assert_no_error (error);
  for (c = text; (c = strstr (c, "/memfd:malt-")) != NULL; c++)
    n++;
  return n;
}

/* ---- Frames through a ring that is smaller than they are ---- */

typedef struct
{
  MaltTransport *transport;
  guint          n_frames;
  guint32        size; /* the largest body */
} Road;

static guint32
size_of_frame (const Road *self,
               guint       n)
{
  return n % 3 == 0 ? self->size : (n * 7919) % self->size;
}

/* As a worker sends. */
static gpointer
send_frames (gpointer user_data)
{
  const Road *self = user_data;
  g_autofree guint8 *body = g_malloc (self->size);
  guint n;

  for (n = 1; n <= self->n_frames; n++)
    {
      g_autoptr (GError) error = NULL;
      MaltFrame frame = { .type = MALT_FRAME_VALUE, .id = n, .length = size_of_frame (self, n) };
      guint8 header[MALT_FRAME_HEADER_SIZE];
      gsize done = 0;
      MaltIo io;

      memset (body, (int) n, frame.length);
      malt_frame_encode (&frame, header);
      while ((io = malt_frame_write (self->transport, header, body, frame.length, &done, &error)) == MALT_IO_AGAIN)
        malt_transport_await_room (self->transport);
      g_assert_no_error (error);
      g_assert_cmpint (io, ==, MALT_IO_DONE);
    }

  return NULL;
}

/* As either end receives. */
static gpointer
receive_frames (gpointer user_data)
{
  const Road *self = user_data;
  MaltFrameReader *reader = malt_frame_reader_new (MALT_LIMIT_BODY_SIZE);
  guint n = 1;

  while (n <= self->n_frames)
    {
      struct pollfd fd = { .fd = self->transport->fd, .events = POLLIN };
      g_autoptr (GError) error = NULL;
      g_autoptr (GBytes) body = NULL;
      gconstpointer lent;
      MaltFrame frame;
      MaltIo io;

      io = malt_frame_reader_next (reader, self->transport, &frame, &lent, &body, &error);
      g_assert_no_error (error);
      if (io == MALT_IO_DONE)
        {
          const guint8 *data = lent;

          g_assert_cmpuint (frame.id, ==, n);
          g_assert_cmpuint (frame.length, ==, size_of_frame (self, n));
          if (frame.length > 0)
            {
              g_assert_cmpuint (data[0], ==, (guint8) n);
              g_assert_cmpint (memcmp (data, data + 1, frame.length - 1), ==, 0);
            }
          n++;
          continue;
        }

      g_assert_cmpint (io, ==, MALT_IO_AGAIN);
      if (malt_transport_spin (self->transport) || malt_transport_arm (self->transport))
        continue;
      g_assert_cmpint (poll (&fd, 1, -1), ==, 1);
      malt_transport_disarm (self->transport, n % 2 == 0 || fd.revents != 0);
    }

  malt_frame_reader_free (reader);
  return NULL;
}

static void
test_frames (gconstpointer data)
{
  guint spin_usec = GPOINTER_TO_UINT (data), i;
  GThread *threads[4];
  Road there, back;
  Pair pair;

  test_watchdog_start ();
  pair_open (&pair, spin_usec);
  there = (Road) { pair.manager, 60, 100 * 1000 };
  back = (Road) { pair.worker, 100, 50 * 1000 };

  {
    Road there_end = { pair.worker, there.n_frames, there.size };
    Road back_end = { pair.manager, back.n_frames, back.size };

    threads[0] = g_thread_new ("send", send_frames, &there);
    threads[1] = g_thread_new ("send", send_frames, &back);
    threads[2] = g_thread_new ("receive", receive_frames, &there_end);
    threads[3] = g_thread_new ("receive", receive_frames, &back_end);
    for (i = 0; i < G_N_ELEMENTS (threads); i++)
      g_thread_join (threads[i]);
  }

  pair_close (&pair);
  test_watchdog_stop ();
}

/* One thread for each end, which sends and receives, as the manager's library context does:
 * whatever it waits for, the other direction has to go on. */
static gpointer
run_end (gpointer user_data)
{
  const Road *self = user_data;
  MaltTransport *transport = self->transport;
  gsize total = (gsize) self->n_frames * self->size, sent = 0, received = 0, n;
  g_autofree guint8 *bytes = g_malloc0 (self->size);

  while (sent < total || received < total)
    {
      struct pollfd fds[2] = { { transport->fd, POLLIN, 0 }, { transport->room_fd, transport->room_events, 0 } };
      struct iovec vector = { bytes, MIN (self->size, total - sent) };
      MaltIo out = sent < total ? malt_transport_send (transport, &vector, 1, &n, NULL) : MALT_IO_AGAIN;
      MaltIo in;

      if (out == MALT_IO_DONE)
        sent += n;
      in = malt_transport_receive (transport, bytes, self->size, &n, NULL);
      if (in == MALT_IO_DONE)
        received += n;
      if (out == MALT_IO_DONE || in == MALT_IO_DONE)
        continue;

      g_assert_cmpint (out, ==, MALT_IO_AGAIN);
      g_assert_cmpint (in, ==, MALT_IO_AGAIN);
      if (sent < total && !malt_transport_want_room (transport))
        continue;
      if (received < total && malt_transport_arm (transport))
        continue;
      g_assert_cmpint (poll (fds, 2, -1), >, 0);
      if (received < total)
        malt_transport_disarm (transport, fds[0].revents != 0);
      if (fds[1].revents != 0)
        g_assert_cmpint (malt_transport_take_room (transport), ==, MALT_IO_AGAIN);
    }

  g_assert_cmpuint (received, ==, total);
  return NULL;
}

static void
test_both_at_once (void)
{
  GThread *threads[2];
  Road manager, worker;
  Pair pair;

  test_watchdog_start ();
  pair_open (&pair, 0);
  manager = (Road) { pair.manager, 20, 50 * 1000 };
  worker = (Road) { pair.worker, 20, 50 * 1000 };
  threads[0] = g_thread_new ("manager", run_end, &manager);
  threads[1] = g_thread_new ("worker", run_end, &worker);
  g_thread_join (threads[0]);
  g_thread_join (threads[1]);
  pair_close (&pair);
  test_watchdog_stop ();
}

/* ---- Waiting ---- */

static void
test_bell (void)
{
  Pair pair;

  pair_open (&pair, 0);

  /* Nobody is told of what nobody waits for. */
  assert_sends (pair.manager, "one");
  g_assert_false (is_readable (pair.worker->fd));
  g_assert_true (malt_transport_arm (pair.worker));
  assert_receives (pair.worker, "one");
  g_assert_false (malt_transport_arm (pair.worker));
  assert_sends (pair.manager, "two");
  g_assert_true (is_readable (pair.worker->fd));
  assert_sends (pair.manager, "three");
  malt_transport_disarm (pair.worker, TRUE);
  g_assert_false (is_readable (pair.worker->fd));
  assert_receives (pair.worker, "twothree");
  g_assert_cmpint (receive_byte (pair.worker), ==, MALT_IO_AGAIN);

  /* A wait that was given up. */
  g_assert_false (malt_transport_arm (pair.worker));
  malt_transport_disarm (pair.worker, FALSE);
  assert_sends (pair.manager, "four");
  g_assert_false (is_readable (pair.worker->fd));

  pair_close (&pair);
}

static void
test_room (void)
{
  g_autofree char *text = g_strnfill (CAPACITY, 'x');
  char bytes[CAPACITY];
  struct iovec vector = { text, 1 };
  gsize n;
  Pair pair;

  pair_open (&pair, 0);

  assert_sends (pair.manager, text);
  g_assert_cmpint (malt_transport_send (pair.manager, &vector, 1, &n, NULL), ==, MALT_IO_AGAIN);
  g_assert_true (malt_transport_want_room (pair.manager));
  g_assert_false (is_readable (pair.manager->room_fd));
  g_assert_cmpint (malt_transport_receive (pair.worker, bytes, CAPACITY - 1, &n, NULL), ==, MALT_IO_DONE);
  g_assert_true (is_readable (pair.manager->room_fd));
  g_assert_cmpint (malt_transport_take_room (pair.manager), ==, MALT_IO_AGAIN);
  g_assert_false (is_readable (pair.manager->room_fd));
  g_assert_false (malt_transport_want_room (pair.manager));

  pair_close (&pair);
}

static gboolean
spins_for_long (MaltTransport *transport)
{
  gint64 begin = g_get_monotonic_time ();

  g_assert_false (malt_transport_spin (transport));
  return g_get_monotonic_time () - begin >= 900 * 1000;
}

static void
test_spin (void)
{
  Pair pair;

  pair_open (&pair, 1000 * 1000);

  assert_sends (pair.manager, "one");
  g_assert_true (malt_transport_spin (pair.worker));
  assert_receives (pair.worker, "one");

  /* The manager does not wait actively for a worker that sleeps, or that it had to wake. */
  g_assert_false (malt_transport_arm (pair.worker));
  g_assert_false (spins_for_long (pair.manager));
  assert_sends (pair.manager, "two");
  malt_transport_disarm (pair.worker, TRUE);
  g_assert_false (spins_for_long (pair.manager));
  assert_receives (pair.worker, "two");

  /* Nor does anybody where others need the processors. */
  malt_transport_set_crowded (pair.manager, TRUE);
  g_assert_false (spins_for_long (pair.worker));
  assert_sends (pair.worker, "three");
  assert_receives (pair.manager, "three");
  g_assert_false (spins_for_long (pair.manager));
  malt_transport_set_crowded (pair.manager, FALSE);

  pair_close (&pair);

  pair_open (&pair, 0);
  g_assert_false (spins_for_long (pair.worker));
  assert_sends (pair.worker, "four");
  g_assert_true (malt_transport_spin (pair.manager));
  pair_close (&pair);
}

/* ---- The end ---- */

static void
test_stop_receiving (void)
{
  Pair pair;

  pair_open (&pair, 0);
  assert_sends (pair.worker, "before");
  g_assert_false (is_readable (pair.manager->fd));
  malt_transport_stop_receiving (pair.manager);
  g_assert_true (is_readable (pair.manager->fd));
  g_assert_true (malt_transport_arm (pair.manager));
  g_assert_true (malt_transport_spin (pair.manager));

  /* The end is where it was when this was first heard of. */
  assert_receives (pair.manager, "bef");
  assert_sends (pair.worker, "after");
  assert_receives (pair.manager, "ore");
  g_assert_cmpint (receive_byte (pair.manager), ==, MALT_IO_CLOSED);
  assert_sends (pair.worker, "after");
  g_assert_cmpint (receive_byte (pair.manager), ==, MALT_IO_CLOSED);

  /* The other direction goes on, and the other end lives. */
  assert_sends (pair.manager, "down");
  assert_receives (pair.worker, "down");
  g_assert_cmpint (receive_byte (pair.worker), ==, MALT_IO_AGAIN);
  g_assert_cmpint (malt_transport_take_room (pair.worker), ==, MALT_IO_AGAIN);
  g_assert_false (malt_transport_arm (pair.worker));
  assert_sends (pair.manager, "down");
  g_assert_true (is_readable (pair.worker->fd));

  pair_close (&pair);
}

static gpointer
wait_for_end (gpointer user_data)
{
  MaltTransport *transport = user_data;
  struct pollfd fd = { .fd = transport->fd, .events = POLLIN };

  while (receive_byte (transport) == MALT_IO_AGAIN)
    {
      if (malt_transport_arm (transport))
        continue;
      g_assert_cmpint (poll (&fd, 1, -1), ==, 1);
      malt_transport_disarm (transport, TRUE);
    }
  g_assert_cmpint (receive_byte (transport), ==, MALT_IO_CLOSED);

  return NULL;
}

static void
test_shutdown (void)
{
  GThread *threads[2];
  Pair pair;

  test_watchdog_start ();
  pair_open (&pair, 0);
  threads[0] = g_thread_new ("manager", wait_for_end, pair.manager);
  threads[1] = g_thread_new ("worker", wait_for_end, pair.worker);
  g_usleep (1000);
  malt_transport_shutdown (pair.manager);
  g_thread_join (threads[0]);
  g_thread_join (threads[1]);
  g_assert_cmpint (malt_transport_take_room (pair.manager), ==, MALT_IO_CLOSED);
  g_assert_cmpint (malt_transport_take_room (pair.worker), ==, MALT_IO_CLOSED);
  pair_close (&pair);
  test_watchdog_stop ();
}

/* One end goes: what it has sent is there, and the other end hears of it. */
static void
test_other_end_goes (gconstpointer data)
{
  gboolean is_manager = GPOINTER_TO_INT (data);
  MaltTransport **goes, *stays;
  Pair pair;

  pair_open (&pair, 0);
  goes = is_manager ? &pair.manager : &pair.worker;
  stays = is_manager ? pair.worker : pair.manager;

  g_assert_false (malt_transport_arm (stays));
  assert_sends (stays, "nobody reads this");
  assert_sends (*goes, "last words");
  g_clear_pointer (goes, malt_transport_free);

  g_assert_true (is_readable (stays->fd));
  g_assert_true (is_readable (stays->room_fd));
  malt_transport_disarm (stays, TRUE);
  g_assert_cmpint (malt_transport_take_room (stays), ==, MALT_IO_CLOSED);
  assert_receives (stays, "last words");
  if (receive_byte (stays) == MALT_IO_AGAIN) /* its bell was rung, and was not yet over */
    {
      if (!malt_transport_arm (stays))
        g_assert_true (is_readable (stays->fd));
      malt_transport_disarm (stays, TRUE);
    }
  g_assert_cmpint (receive_byte (stays), ==, MALT_IO_CLOSED);

  /* Writing to nobody is no error, nor a signal. */
  assert_sends (stays, "nobody reads this");
  malt_transport_await_room (stays);

  pair_close (&pair);
}

/* ---- A worker that does as it likes ---- */

typedef struct
{
  MaltTransport  *manager;
  MaltRingMemory *memory;
  int             socket;
  int             bell;
} Raw;

static void
raw_open (Raw *self)
{
  union { struct cmsghdr align; char space[CMSG_SPACE (4 * sizeof (int))]; } control;
  char frame[MALT_FRAME_HEADER_SIZE + 16];
  struct iovec vector = { frame, sizeof frame };
  struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1,
                            .msg_control = &control, .msg_controllen = sizeof control };
  g_autoptr (GError) error = NULL;
  int sockets[2], fds[4];

  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), ==, 0);
  self->manager = malt_ring_transport_new (CAPACITY, 0, &error);
  g_assert_no_error (error);
  g_assert_true (malt_ring_transport_hand_over (self->manager, sockets[0], &error));
  g_assert_cmpint (recvmsg (sockets[1], &message, MSG_CMSG_CLOEXEC), ==, sizeof frame);
  g_assert_cmpuint (CMSG_FIRSTHDR (&message)->cmsg_len, ==, CMSG_LEN (sizeof fds));
  memcpy (fds, CMSG_DATA (CMSG_FIRSTHDR (&message)), sizeof fds);
  self->memory = malt_ring_memory_map (fds[0], CAPACITY, &error);
  g_assert_no_error (error);
  self->socket = sockets[1];
  self->bell = fds[1];

  /* It cannot take the memory away, nor write into what comes down. */
  g_assert_cmpint (ftruncate (fds[0], 4096), <, 0);
  g_assert_cmpint (ftruncate (fds[2], 4096), <, 0);
  g_assert_cmpint (ftruncate (fds[3], 4096), <, 0);
  g_assert_cmpint (write (fds[2], "", 1), <, 0);
  g_assert_null (malt_arena_map_memory (fds[2], 4096, PROT_READ | PROT_WRITE, &error));
  close (fds[0]);
  close (fds[2]);
  close (fds[3]);
}

static void
raw_close (Raw *self)
{
  malt_transport_free (self->manager);
  malt_ring_memory_unref (self->memory);
  close (self->socket);
  close (self->bell);
}

static void
test_bad_counters (void)
{
  g_autofree char *text = g_strnfill (CAPACITY + 1, 'x');
  struct iovec vector = { text, CAPACITY + 1 };
  g_autoptr (GError) error = NULL;
  char byte;
  gsize n;
  Raw raw;

  raw_open (&raw);

  raw.memory->head->up.head = CAPACITY + 1;
  g_assert_cmpint (malt_transport_receive (raw.manager, &byte, 1, &n, &error), ==, MALT_IO_FAILED);
  test_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "a counter of the ring is at an impossible place");
  raw.memory->head->down.tail = 1;
  g_assert_cmpint (malt_transport_send (raw.manager, &vector, 1, &n, &error), ==, MALT_IO_FAILED);
  test_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "a counter of the ring is at an impossible place");
  g_assert_false (malt_transport_want_room (raw.manager));

  /* It is over, whatever they say. */
  malt_transport_shutdown (raw.manager);
  g_assert_cmpint (receive_byte (raw.manager), ==, MALT_IO_CLOSED);

  raw_close (&raw);
}

/* The end was there, and now it is where nothing was received yet. */
static void
test_end_moves_back (void)
{
  Raw raw;

  raw_open (&raw);
  raw.memory->head->up.head = 10;
  malt_transport_shutdown (raw.manager);
  g_assert_cmpint (receive_byte (raw.manager), ==, MALT_IO_DONE);
  raw_close (&raw);

  raw_open (&raw);
  raw.memory->head->up.head = 10;
  malt_transport_shutdown (raw.manager);
  raw.memory->head->up.head = 0;
  g_assert_cmpint (receive_byte (raw.manager), ==, MALT_IO_CLOSED);
  raw.memory->head->up.head = 10;
  g_assert_cmpint (receive_byte (raw.manager), ==, MALT_IO_CLOSED);
  raw_close (&raw);
}

typedef struct
{
  MaltRingMemory *memory;
  gint            ended;
} Mover;

static gpointer
move_head (gpointer user_data)
{
  Mover *self = user_data;
  guint32 head = 0;

  while (!g_atomic_int_get (&self->ended))
    __atomic_store_n (&self->memory->head->up.head, head++ % 11, __ATOMIC_RELAXED);
  return NULL;
}

/* Whoever reads to the end gets there, though the end does not stay where it is. */
static void
test_end_moves_on (void)
{
  guint i;

  test_watchdog_start ();
  for (i = 0; i < 50; i++)
    {
      Mover mover = { 0 };
      GThread *thread;
      MaltIo io;
      Raw raw;

      raw_open (&raw);
      mover.memory = raw.memory;
      thread = g_thread_new ("mover", move_head, &mover);
      malt_transport_shutdown (raw.manager);
      do
        io = receive_byte (raw.manager);
      while (io == MALT_IO_DONE || io == MALT_IO_AGAIN);
      g_atomic_int_set (&mover.ended, TRUE);
      g_thread_join (thread);
      raw_close (&raw);
    }
  test_watchdog_stop ();
}

static gpointer
flood (gpointer user_data)
{
  static const char bytes[16 * 1024];

  while (send (*(int *) user_data, bytes, sizeof bytes, MSG_NOSIGNAL) > 0)
    ;
  return NULL;
}

/* Both descriptors are taken from in parts, and block for nothing. */
static void
test_flood (void)
{
  GThread *threads[2];
  guint i;
  Raw raw;

  test_watchdog_start ();
  raw_open (&raw);
  g_assert_cmpint (fcntl (raw.bell, F_SETFL, 0), ==, 0);
  g_assert_cmpint (fcntl (raw.socket, F_SETFL, 0), ==, 0);

  /* Nobody reads it. */
  for (i = 0; i < 3000; i++)
    {
      raw.memory->head->down.sleeps = 1;
      assert_sends (raw.manager, "x");
      raw.memory->head->up.wants_room = 1;
      raw.memory->head->up.head += CAPACITY / 2;
      while (receive_byte (raw.manager) == MALT_IO_DONE)
        ;
      raw.memory->head->down.tail++;
    }
  malt_transport_disarm (raw.manager, TRUE);
  g_assert_cmpint (malt_transport_take_room (raw.manager), ==, MALT_IO_AGAIN);

  threads[0] = g_thread_new ("flood", flood, &raw.socket);
  threads[1] = g_thread_new ("flood", flood, &raw.bell);
  for (i = 0; i < 1000; i++)
    {
      g_assert_cmpint (malt_transport_take_room (raw.manager), ==, MALT_IO_AGAIN);
      malt_transport_disarm (raw.manager, TRUE);
      g_assert_cmpint (receive_byte (raw.manager), ==, MALT_IO_AGAIN);
    }
  malt_transport_shutdown (raw.manager);
  g_thread_join (threads[0]);
  g_thread_join (threads[1]);
  raw_close (&raw);
  test_watchdog_stop ();
}

/* ---- Nothing is left behind ---- */

static void
test_leaks (void)
{
  guint descriptors = test_get_holdings ().descriptors, mappings = count_mappings (), i;
  g_autoptr (GError) error = NULL;
  MaltTransport *transport;
  Pair pair;

  for (i = 0; i < 3; i++)
    {
      pair_open (&pair, 50);
      /* Two ends, of which each has the bell, the socket, the rings and two arenas. */
      g_assert_cmpuint (test_get_holdings ().descriptors, ==, descriptors + 4);
      g_assert_cmpuint (count_mappings (), ==, mappings + 6);
      pair_close (&pair);
      g_assert_cmpuint (test_get_holdings ().descriptors, ==, descriptors);
      g_assert_cmpuint (count_mappings (), ==, mappings);
    }

  /* Never handed over. */
  transport = malt_ring_transport_new (CAPACITY, 0, &error);
  g_assert_no_error (error);
  malt_transport_free (transport);
  g_assert_cmpuint (test_get_holdings ().descriptors, ==, descriptors);
  g_assert_cmpuint (count_mappings (), ==, mappings);
}

/* Values in the arenas outlive the transport. */
static void
test_values_outlive (void)
{
  guint descriptors = test_get_holdings ().descriptors, mappings = count_mappings ();
  g_autoptr (GError) error = NULL;
  g_autoptr (MaltArena) arena = NULL;
  GBytes *bytes;
  guint32 slot;
  char *data;
  Pair pair;

  pair_open (&pair, 0);
  arena = malt_arena_ref (pair.worker->arena);
  data = malt_arena_allocate (arena, 5, &slot);
  memcpy (data, "hello", 5);
  malt_arena_send (arena, slot);
  bytes = malt_arena_view_take (pair.manager->view, slot, malt_arena_offset (arena, data), 5, &error);
  g_assert_no_error (error);
  pair_close (&pair);
  g_assert_cmpuint (test_get_holdings ().descriptors, ==, descriptors);

  malt_arena_unref_slot (arena, slot);
  g_clear_pointer (&arena, malt_arena_unref);
  g_assert_cmpmem (g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes), "hello", 5);
  g_assert_cmpuint (count_mappings (), ==, mappings + 2);
  g_bytes_unref (bytes);
  g_assert_cmpuint (count_mappings (), ==, mappings);
}

/* ---- What a worker may be handed instead ---- */

typedef struct
{
  const char *name;
  guint8      type;
  guint32     length;
  guint16     n_announced;
  guint       n_sent;
  guint32     capacity;
  guint64     arena_size;
  gsize       n_bytes;     /* of header and body, that are sent */
  const char *text;
} BadHandOver;

#define WHOLE (MALT_FRAME_HEADER_SIZE + 16)
#define ARENA_SIZE (1024 * 1024)
#define INSTEAD "the rings did not come: something else came instead of them"

static const BadHandOver bad_hand_overs[] = {
  { "type", MALT_FRAME_HELLO, 16, 0, 4, CAPACITY, ARENA_SIZE, WHOLE, INSTEAD },
  { "unknown-type", 77, 16, 4, 4, CAPACITY, ARENA_SIZE, WHOLE, "*unknown type 77*" },
  { "length", MALT_FRAME_RING, 8, 4, 4, CAPACITY, ARENA_SIZE, WHOLE, INSTEAD },
  { "none-announced", MALT_FRAME_RING, 16, 0, 4, CAPACITY, ARENA_SIZE, WHOLE, "*announces 0 descriptors*" },
  { "many-announced", MALT_FRAME_RING, 16, 9, 4, CAPACITY, ARENA_SIZE, WHOLE, "*announces 9 descriptors*" },
  { "none-sent", MALT_FRAME_RING, 16, 4, 0, CAPACITY, ARENA_SIZE, WHOLE, INSTEAD },
  { "one-less", MALT_FRAME_RING, 16, 4, 3, CAPACITY, ARENA_SIZE, WHOLE, INSTEAD },
  { "one-more", MALT_FRAME_RING, 16, 4, 5, CAPACITY, ARENA_SIZE, WHOLE, INSTEAD },
  { "many", MALT_FRAME_RING, 16, 4, 40, CAPACITY, ARENA_SIZE, WHOLE, INSTEAD },
  { "arenas-missing", MALT_FRAME_RING, 16, 2, 2, CAPACITY, ARENA_SIZE, WHOLE, INSTEAD },
  { "arenas-without-size", MALT_FRAME_RING, 16, 4, 4, CAPACITY, 0, WHOLE, INSTEAD },
  { "capacity-0", MALT_FRAME_RING, 16, 4, 4, 0, ARENA_SIZE, WHOLE, "the rings are of 0 bytes" },
  { "capacity-small", MALT_FRAME_RING, 16, 4, 4, CAPACITY / 2, ARENA_SIZE, WHOLE, "the rings are of 2048 bytes" },
  { "capacity-odd", MALT_FRAME_RING, 16, 4, 4, CAPACITY + 8, ARENA_SIZE, WHOLE, "the rings are of 4104 bytes" },
  { "capacity-large", MALT_FRAME_RING, 16, 4, 4, 1u << 31, ARENA_SIZE, WHOLE, "the rings are of 2147483648 bytes" },
  { "capacity-of-others", MALT_FRAME_RING, 16, 4, 4, 2 * CAPACITY, ARENA_SIZE, WHOLE, "shared memory has * bytes instead of *" },
  { "arena-odd", MALT_FRAME_RING, 16, 4, 4, CAPACITY, 4097, WHOLE, "the arenas are of 4097 bytes" },
  { "arena-large", MALT_FRAME_RING, 16, 4, 4, CAPACITY, G_MAXUINT64 - 4095, WHOLE, "the arenas are of 18446744073709547520 bytes" },
  { "arena-of-others", MALT_FRAME_RING, 16, 4, 4, CAPACITY, 2 * ARENA_SIZE, WHOLE, "memory of an arena has * bytes instead of *" },
  { "truncated-body", MALT_FRAME_RING, 16, 4, 4, CAPACITY, ARENA_SIZE, WHOLE - 1, INSTEAD },
  { "truncated-header", MALT_FRAME_RING, 16, 4, 4, CAPACITY, ARENA_SIZE, 3, INSTEAD },
  { "nothing", MALT_FRAME_RING, 16, 4, 0, CAPACITY, ARENA_SIZE, 0, INSTEAD },
};

static void
send_hand_over (int                fd,
                const BadHandOver *what,
                const int         *fds)
{
  union { struct cmsghdr align; char space[CMSG_SPACE (40 * sizeof (int))]; } control = { 0 };
  MaltFrame frame = { .type = what->type, .length = what->length, .n_descriptors = what->n_announced };
  struct { guint32 capacity, spin_usec; guint64 arena_size; } body =
    { GUINT32_TO_LE (what->capacity), 0, GUINT64_TO_LE (what->arena_size) };
  guint8 bytes[WHOLE];
  struct iovec vector = { bytes, what->n_bytes };
  struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1 };

  malt_frame_encode (&frame, bytes);
  memcpy (bytes + MALT_FRAME_HEADER_SIZE, &body, sizeof body);
  if (what->n_sent > 0)
    {
      message.msg_control = &control;
      message.msg_controllen = CMSG_SPACE (what->n_sent * sizeof (int));
      control.align.cmsg_level = SOL_SOCKET;
      control.align.cmsg_type = SCM_RIGHTS;
      control.align.cmsg_len = CMSG_LEN (what->n_sent * sizeof (int));
      memcpy (CMSG_DATA (&control.align), fds, what->n_sent * sizeof (int));
    }
  if (what->n_bytes > 0)
    g_assert_cmpint (sendmsg (fd, &message, 0), ==, (gssize) what->n_bytes);
}

static void
test_bad_hand_over (gconstpointer data)
{
  const BadHandOver *what = data;
  guint descriptors = test_get_holdings ().descriptors, mappings = count_mappings (), i;
  g_autoptr (GError) error = NULL;
  int sockets[2], bell[2], fds[40];
  MaltRingMemory *memory;

  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), ==, 0);
  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, bell), ==, 0);
  memory = malt_ring_memory_new (CAPACITY, &fds[0], &error);
  g_assert_no_error (error);
  fds[1] = bell[1];
  fds[2] = malt_arena_create_memory (ARENA_SIZE, &error);
  fds[3] = malt_arena_create_memory (ARENA_SIZE, &error);
  g_assert_no_error (error);
  for (i = 4; i < G_N_ELEMENTS (fds); i++)
    fds[i] = fds[0];

  send_hand_over (sockets[0], what, fds);
  for (i = 0; i < 4; i++)
    close (fds[i]);
  close (bell[0]);
  malt_ring_memory_unref (memory);
  shutdown (sockets[0], SHUT_WR);

  g_assert_null (malt_ring_transport_receive (sockets[1], &error));
  test_assert_error (error, G_IO_ERROR,
                     strstr (what->text, "memory of an arena") != NULL ? G_IO_ERROR_INVALID_ARGUMENT
                                                                       : G_IO_ERROR_INVALID_DATA,
                     what->text);

  close (sockets[0]);
  g_assert_cmpuint (test_get_holdings ().descriptors, ==, descriptors);
  g_assert_cmpuint (count_mappings (), ==, mappings);
}

/* The table is right where it says nothing else. */
static void
test_good_hand_over (void)
{
  static const BadHandOver what = { "good", MALT_FRAME_RING, 16, 2, 2, CAPACITY, 0, WHOLE, NULL };
  g_autoptr (GError) error = NULL;
  int sockets[2], bell[2], fds[2];
  MaltRingMemory *memory;
  MaltTransport *worker;

  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), ==, 0);
  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, bell), ==, 0);
  memory = malt_ring_memory_new (CAPACITY, &fds[0], &error);
  fds[1] = bell[1];
  send_hand_over (sockets[0], &what, fds);
  worker = malt_ring_transport_receive (sockets[1], &error);
  g_assert_no_error (error);
  g_assert_null (worker->arena);
  g_assert_null (worker->view);
  assert_sends (worker, "hello");
  g_assert_cmpuint (memory->head->up.head, ==, 5);
  g_assert_cmpmem (memory->up, 5, "hello", 5);

  malt_transport_free (worker);
  malt_ring_memory_unref (memory);
  close (fds[0]);
  close (bell[0]);
  close (bell[1]);
  close (sockets[0]);
}

/* ---- Where the system has no more to give ---- */

static void
limit (int    what,
       rlim_t value)
{
  struct rlimit rlimit;

  g_assert_cmpint (getrlimit (what, &rlimit), ==, 0);
  rlimit.rlim_cur = value;
  g_assert_cmpint (setrlimit (what, &rlimit), ==, 0);
}

/* In a process of its own. */
static void
test_few_descriptors (void)
{
  guint descriptors = test_get_holdings ().descriptors, mappings = count_mappings (), n;
  struct rlimit before;
  int next;

  if (!g_test_subprocess ())
    {
      g_test_trap_subprocess (NULL, 0, G_TEST_SUBPROCESS_INHERIT_STDERR);
      g_test_trap_assert_passed ();
      return;
    }

  g_assert_cmpint (getrlimit (RLIMIT_NOFILE, &before), ==, 0);
  next = dup (STDOUT_FILENO);
  close (next);

  for (n = 0; n < 8; n++)
    {
      g_autoptr (GError) error = NULL;
      MaltTransport *manager, *worker;
      int sockets[2];

      limit (RLIMIT_NOFILE, (rlim_t) next + n);
      manager = malt_ring_transport_new (CAPACITY, 0, &error);
      limit (RLIMIT_NOFILE, before.rlim_cur);
      if (n < 3) /* the rings, the bell */
        {
          g_assert_null (manager);
          test_assert_error (error, G_IO_ERROR, G_IO_ERROR_TOO_MANY_OPEN_FILES, "could not make *");
        }
      else
        {
          g_assert_no_error (error);
          /* Two arenas, and one of them once more. */
          g_assert_cmpint (manager->arena != NULL, ==, n >= 6);
          g_assert_cmpint (manager->view != NULL, ==, n >= 6);

          g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), ==, 0);
          g_assert_true (malt_ring_transport_hand_over (manager, sockets[0], &error));
          worker = malt_ring_transport_receive (sockets[1], &error);
          g_assert_no_error (error);
          g_assert_cmpint (worker->view != NULL, ==, n >= 6);
          assert_sends (worker, "hello");
          assert_receives (manager, "hello");
          malt_transport_free (manager);
          malt_transport_free (worker);
        }

      g_assert_cmpuint (test_get_holdings ().descriptors, ==, descriptors);
      g_assert_cmpuint (count_mappings (), ==, mappings);
    }
}

static rlim_t
get_addresses (void)
{
  g_autofree char *text = NULL;

  g_assert_true (g_file_get_contents ("/proc/self/statm", &text, NULL, NULL));
  return (rlim_t) g_ascii_strtoull (text, NULL, 10) * (rlim_t) sysconf (_SC_PAGESIZE);
}

static void
assert_does_without_arenas (void)
{
  Pair pair;

  pair_open (&pair, 0);
  g_assert_null (pair.manager->arena);
  g_assert_null (pair.manager->view);
  g_assert_null (pair.worker->arena);
  g_assert_null (pair.worker->view);
  assert_sends (pair.worker, "hello");
  assert_receives (pair.manager, "hello");
  pair_close (&pair);
}

static void
test_few_addresses (void)
{
  guint descriptors, mappings;
  g_autoptr (GError) error = NULL;
  MaltTransport *transport;
  int sockets[2];

  if (!g_test_subprocess ())
    {
      g_test_trap_subprocess (NULL, 0, G_TEST_SUBPROCESS_INHERIT_STDERR);
      g_test_trap_assert_passed ();
      return;
    }

  /* A manager that had enough, and a worker that has not. */
  descriptors = test_get_holdings ().descriptors;
  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), ==, 0);
  transport = malt_ring_transport_new (CAPACITY, 0, &error);
  g_assert_no_error (error);
  g_assert_true (malt_ring_transport_hand_over (transport, sockets[0], &error));

  /* The next has enough itself, but who knows of its worker.  Sanitizers take far more. */
  if (get_addresses () < MALT_LIMIT_ARENA_SIZE)
    {
      limit (RLIMIT_AS, get_addresses () + 3 * MALT_LIMIT_ARENA_SIZE);
      assert_does_without_arenas ();
    }

  mappings = count_mappings ();
  limit (RLIMIT_AS, get_addresses () + 1024 * 1024 * 1024);
  g_assert_null (malt_ring_transport_receive (sockets[1], &error));
  test_assert_error (error, G_IO_ERROR, G_IO_ERROR_NO_SPACE, "memory of an arena cannot be mapped: *");
  g_assert_cmpuint (count_mappings (), ==, mappings);
  malt_transport_free (transport);
  g_assert_cmpuint (test_get_holdings ().descriptors, ==, descriptors);

  /* Both have not, and do without. */
  limit (RLIMIT_AS, get_addresses () + 1024 * 1024 * 1024);
  assert_does_without_arenas ();
  g_assert_cmpuint (test_get_holdings ().descriptors, ==, descriptors);
  g_assert_cmpuint (count_mappings (), ==, 0);
}

int
main (int    argc,
      char **argv)
{
  gsize i;

  g_test_init (&argc, &argv, NULL);

  g_test_add_data_func ("/ring-transport/frames/asleep", GUINT_TO_POINTER (0), test_frames);
  g_test_add_data_func ("/ring-transport/frames/awake", GUINT_TO_POINTER (50), test_frames);
  g_test_add_func ("/ring-transport/both-at-once", test_both_at_once);
  g_test_add_func ("/ring-transport/bell", test_bell);
  g_test_add_func ("/ring-transport/room", test_room);
  g_test_add_func ("/ring-transport/spin", test_spin);
  g_test_add_func ("/ring-transport/stop-receiving", test_stop_receiving);
  g_test_add_func ("/ring-transport/shutdown", test_shutdown);
  g_test_add_data_func ("/ring-transport/manager-goes", GINT_TO_POINTER (TRUE), test_other_end_goes);
  g_test_add_data_func ("/ring-transport/worker-goes", GINT_TO_POINTER (FALSE), test_other_end_goes);
  g_test_add_func ("/ring-transport/bad-counters", test_bad_counters);
  g_test_add_func ("/ring-transport/end-moves-back", test_end_moves_back);
  g_test_add_func ("/ring-transport/end-moves-on", test_end_moves_on);
  g_test_add_func ("/ring-transport/flood", test_flood);
  g_test_add_func ("/ring-transport/leaks", test_leaks);
  g_test_add_func ("/ring-transport/values-outlive", test_values_outlive);
  g_test_add_func ("/ring-transport/good-hand-over", test_good_hand_over);
  for (i = 0; i < G_N_ELEMENTS (bad_hand_overs); i++)
    {
      g_autofree char *path = g_strconcat ("/ring-transport/bad-hand-over/", bad_hand_overs[i].name, NULL);

      g_test_add_data_func (path, &bad_hand_overs[i], test_bad_hand_over);
    }
  g_test_add_func ("/ring-transport/few-descriptors", test_few_descriptors);
  g_test_add_func ("/ring-transport/few-addresses", test_few_addresses);

  return g_test_run ();
}
