/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <glib.h>

#include "malt-arena.h"
#include "malt-frame.h"
#include "malt-ring-memory.h"

/* A worker program that takes the ring, and then does to what it shares with its manager
 * what the environment variable RUBBISH names, from the first request on. */

#define DATA_FD 3

enum { FD_MEMORY, FD_BELL, FD_DOWN, FD_UP, N_FDS };

static int fds[N_FDS];
static MaltRingMemory *memory;
static MaltRingWords *up;
static guint8 *arena;
static gsize arena_size;

static void
check (gboolean ok)
{
  if (!ok)
    _exit (7);
}

static void
get (gpointer bytes,
     gsize    size)
{
  check (recv (DATA_FD, bytes, size, MSG_WAITALL) == (ssize_t) size);
}

/* The first exchange, as the protocol says. */
static void
take_ring (const char *mode)
{
  g_autoptr (GVariant) hello = g_variant_ref_sink (g_variant_new_parsed ("{'ring': <true>}"));
  MaltFrame frame = { .type = MALT_FRAME_HELLO, .length = (guint32) g_variant_get_size (hello) };
  guint8 header[MALT_FRAME_HEADER_SIZE], body[65536];
  struct { guint32 capacity, spin_usec; guint64 arena_size; } hand_over;
  union { struct cmsghdr align; char space[CMSG_SPACE (sizeof fds)]; } control;
  struct iovec vectors[2] = { { header, sizeof header }, { &hand_over, sizeof hand_over } };
  struct msghdr message = { .msg_iov = vectors, .msg_iovlen = 2, .msg_control = &control, .msg_controllen = sizeof control };
  char *reason = NULL;
  MaltFrame got;

  get (header, sizeof header);
  check (malt_frame_decode (header, &got, &reason) && got.length <= sizeof body);
  get (body, got.length);

  malt_frame_encode (&frame, header);
  check (send (DATA_FD, header, sizeof header, 0) == sizeof header);
  check (send (DATA_FD, g_variant_get_data (hello), frame.length, 0) == (ssize_t) frame.length);
  if (g_str_equal (mode, "between"))
    check (send (DATA_FD, header, sizeof header, 0) == sizeof header);

  check (recvmsg (DATA_FD, &message, MSG_WAITALL) == sizeof header + sizeof hand_over);
  check (CMSG_FIRSTHDR (&message)->cmsg_len == CMSG_LEN (sizeof fds));
  memcpy (fds, CMSG_DATA (CMSG_FIRSTHDR (&message)), sizeof fds);

  memory = malt_ring_memory_map (fds[FD_MEMORY], hand_over.capacity, NULL);
  check (memory != NULL);
  up = &memory->head->up;
  arena_size = hand_over.arena_size;
  arena = malt_arena_map_memory (fds[FD_UP], arena_size, PROT_READ | PROT_WRITE, NULL);
  check (arena != NULL);
}

static void
ring (void)
{
  if (send (fds[FD_BELL], "", 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
    return;
}

/* Waits for the next request, and gives its id. */
static guint64
get_request (void)
{
  static guint32 tail;
  MaltRingWords *down = &memory->head->down;
  guint8 header[MALT_FRAME_HEADER_SIZE];
  char *reason = NULL;
  MaltFrame frame;
  gsize i;

  while (__atomic_load_n (&down->head, __ATOMIC_ACQUIRE) == tail)
    {
      __atomic_store_n (&down->sleeps, 1, __ATOMIC_SEQ_CST);
      usleep (100);
    }
  for (i = 0; i < sizeof header; i++)
    header[i] = memory->down[(tail + i) & (memory->capacity - 1)];
  check (malt_frame_decode (header, &frame, &reason));
  tail += (guint32) sizeof header + frame.length;
  __atomic_store_n (&down->tail, tail, __ATOMIC_RELEASE);

  return frame.id;
}

static void
put (gconstpointer bytes,
     gsize         size)
{
  guint32 head = up->head;
  gsize i;

  for (i = 0; i < size; i++)
    memory->up[(head + i) & (memory->capacity - 1)] = ((const guint8 *) bytes)[i];
  __atomic_store_n (&up->head, head + (guint32) size, __ATOMIC_SEQ_CST);
  ring ();
}

static void
put_frame (guint16       flags,
           guint64       id,
           gconstpointer body,
           gsize         size,
           gsize         n_put)
{
  MaltFrame frame = { .type = MALT_FRAME_VALUE, .flags = flags, .id = id, .length = (guint32) size };
  guint8 bytes[4096];

  malt_frame_encode (&frame, bytes);
  memcpy (bytes + MALT_FRAME_HEADER_SIZE, body, size);
  put (bytes, MIN (n_put, MALT_FRAME_HEADER_SIZE + size));
}

static void
answer (guint64 id)
{
  put_frame (0, id, "\0mv", 3, G_MAXSIZE);
}

static void
put_place (guint64     id,
           guint64     offset,
           guint64     size,
           guint32     slot,
           const char *type)
{
  guint8 body[512] = { 0 };
  guint32 type_size = (guint32) strlen (type);

  memcpy (body, &offset, 8);
  memcpy (body + 8, &size, 8);
  memcpy (body + 16, &slot, 4);
  memcpy (body + 20, &type_size, 4);
  memcpy (body + 24, type, type_size);
  put_frame (MALT_FRAME_IN_ARENA, id, body, (24 + type_size + 7) & ~7u, G_MAXSIZE);
}

/* Goes on beside the answers. */

static void *
move_counters (void *data)
{
  for (;;)
    {
      __atomic_store_n (&up->head, (guint32) random (), __ATOMIC_SEQ_CST);
      __atomic_store_n (&memory->head->down.tail, (guint32) random (), __ATOMIC_SEQ_CST);
      ring ();
    }
  return NULL;
}

static void *
move_flags (void *data)
{
  for (;;)
    {
      __atomic_store_n (&memory->head->down.sleeps, (guint32) random () & 1, __ATOMIC_SEQ_CST);
      __atomic_store_n (&memory->head->down.wants_room, (guint32) random () & 1, __ATOMIC_SEQ_CST);
      __atomic_store_n (&up->wants_room, (guint32) random () & 1, __ATOMIC_SEQ_CST);
      __atomic_store_n (&memory->head->may_spin, (guint32) random () & 1, __ATOMIC_SEQ_CST);
    }
  return NULL;
}

static void *
move_released (void *data)
{
  for (;;)
    {
      memory->released_down[(guint32) random () % MALT_ARENA_SLOTS] = (guint32) random ();
      memory->released_up[(guint32) random () % MALT_ARENA_SLOTS] = (guint32) random ();
    }
  return NULL;
}

static void *
move_arena (void *data)
{
  for (;;)
    arena[(guint32) random () % 65536] = (guint8) random ();
  return NULL;
}

static void *
ring_on (void *data)
{
  for (;;)
    ring ();
  return NULL;
}

static void *
flood_socket (void *data)
{
  for (;;)
    if (send (DATA_FD, "rubbish", 7, MSG_NOSIGNAL) < 0)
      break;
  return NULL;
}

static void
begin (void *(* func) (void *))
{
  pthread_t thread;

  check (pthread_create (&thread, NULL, func, NULL) == 0);
}

static void
put_random (guint64 id)
{
  guint8 bytes[2000];
  gsize i;

  for (i = 0; i < sizeof bytes; i++)
    bytes[i] = (guint8) random ();
  /* In half of the cases what begins well. */
  if (random () % 2 == 0)
    {
      MaltFrame frame = { .type = MALT_FRAME_VALUE, .flags = (guint16) (random () % 2 * MALT_FRAME_IN_ARENA),
                          .id = id, .length = (guint32) (random () % 200) };

      malt_frame_encode (&frame, bytes);
    }
  put (bytes, sizeof bytes);
}

static void
spoil (const char *mode,
       guint64     id)
{
  if (g_str_equal (mode, "head"))
    {
      up->head += memory->capacity + 1;
      ring ();
    }
  else if (g_str_equal (mode, "tail"))
    {
      memory->head->down.tail += 100000000;
      answer (id);
    }
  else if (g_str_equal (mode, "counters"))
    begin (move_counters);
  else if (g_str_equal (mode, "text"))
    put ("What is this memory for?  I will just write here.", 49);
  else if (g_str_equal (mode, "half-and-exit"))
    {
      put_frame (0, id, "\0mv", 3, 20);
      _exit (0);
    }
  else if (g_str_equal (mode, "random"))
    put_random (id);
  else if (g_str_equal (mode, "slot"))
    put_place (id, 0, 100, MALT_ARENA_SLOTS, "ay");
  else if (g_str_equal (mode, "offset"))
    put_place (id, arena_size, 100, 0, "ay");
  else if (g_str_equal (mode, "offset-unaligned"))
    put_place (id, 4, 100, 0, "ay");
  else if (g_str_equal (mode, "size"))
    put_place (id, 8, G_MAXUINT64 - 7, 0, "ay");
  else if (g_str_equal (mode, "size-over-end"))
    put_place (id, arena_size - 8, 16, 0, "ay");
  else if (g_str_equal (mode, "type"))
    put_place (id, 0, 100, 0, "a");
  else if (g_str_equal (mode, "type-indefinite"))
    put_place (id, 0, 100, 0, "a*");
  else if (g_str_equal (mode, "not-whole"))
    put_place (id, 0, 100, 0, "ax");
  else if (g_str_equal (mode, "not-normal"))
    {
      memset (arena, 0xff, 100);
      put_place (id, 0, 100, 0, "as");
    }
  else if (g_str_equal (mode, "no-place"))
    put_frame (MALT_FRAME_IN_ARENA, id, "short", 5, G_MAXSIZE);
  else if (g_str_equal (mode, "closes"))
    close (DATA_FD);
  else if (g_str_equal (mode, "no-bell"))
    close (fds[FD_BELL]);
  else
    {
      /* With these the call gets its answer. */
      if (g_str_equal (mode, "flags"))
        begin (move_flags);
      else if (g_str_equal (mode, "released"))
        begin (move_released);
      else if (g_str_equal (mode, "rings"))
        begin (ring_on);
      else if (g_str_equal (mode, "bells"))
        {
          gsize n;

          /* Full, as far as that can be while the manager reads; and blocking here. */
          for (n = 0; n < 70000 && send (fds[FD_BELL], "", 1, MSG_DONTWAIT) > 0; n++)
            ;
          check (fcntl (fds[FD_BELL], F_SETFL, 0) == 0);
        }
      else if (g_str_equal (mode, "socket"))
        begin (flood_socket);
      else if (g_str_equal (mode, "truncates"))
        check (ftruncate (fds[FD_MEMORY], 0) < 0 && ftruncate (fds[FD_UP], 0) < 0 && ftruncate (fds[FD_DOWN], 0) < 0);
      else if (g_str_equal (mode, "changes"))
        begin (move_arena);
      else
        _exit (5);

      for (;;)
        {
          if (g_str_equal (mode, "changes"))
            put_place (id, 0, 32768, 0, random () % 2 == 0 ? "ay" : "ad");
          else
            answer (id);
          id = get_request ();
        }
    }
}

int
main (int    argc,
      char **argv)
{
  const char *mode = getenv ("RUBBISH"), *seed = getenv ("SEED");

  srandom (seed != NULL ? (unsigned) atoi (seed) : 1);
  take_ring (mode);
  spoil (mode, get_request ());

  /* It is for the manager to end this. */
  for (;;)
    pause ();
}
