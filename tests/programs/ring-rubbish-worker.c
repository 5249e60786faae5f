/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <glib.h>

#include "malt-frame.h"
#include "malt-limits.h"
#include "malt-ring-memory.h"

/* A worker program that takes the rings, and then does with them, with the arenas and with
 * the descriptors what the environment variable RUBBISH names, and nobody should. */

#define DATA_FD    3
#define CONTROL_FD 4

static const char     *mode;
static MaltRingMemory *memory;
static MaltRingEnd     out, in;
static int             fds[4]; /* memory, bell, the arenas down and up */
static guint8         *arena;  /* up */
static gsize           arena_size;
static guint32         spin_usec;

static void
die (const char *what)
{
  g_printerr ("%s: %s\n", what, g_strerror (errno));
  _exit (7);
}

static void
pause_for_ever (void)
{
  for (;;)
    pause ();
}

/* The rings, as a worker should use them. */

static void
ring_bell (void)
{
  if (send (fds[1], "", 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
    errno = 0;
}

static void
put (gconstpointer bytes,
     gsize         size)
{
  const guint8 *rest = bytes;

  while (size > 0)
    {
      struct iovec vector = { (gpointer) rest, size };
      gsize n;

      if (!malt_ring_put (&out, &vector, 1, &n))
        die ("the manager's counter");
      rest += n;
      size -= n;
      ring_bell ();
      if (n == 0)
        g_usleep (100);
    }
}

static void
get (gpointer bytes,
     gsize    size)
{
  guint8 *rest = bytes;

  while (size > 0)
    {
      gboolean wants_room;
      gsize n;

      if (!malt_ring_get (&in, rest, size, &n, &wants_room))
        die ("the manager's counter");
      if (wants_room && send (DATA_FD, "", 1, MSG_NOSIGNAL) < 0)
        _exit (2);
      rest += n;
      size -= n;
      if (n == 0)
        g_usleep (100);
    }
}

static guint64
get_request (void)
{
  guint8 header[MALT_FRAME_HEADER_SIZE];
  g_autofree char *reason = NULL;
  g_autofree char *body = NULL;
  MaltFrame frame;

  get (header, sizeof header);
  if (!malt_frame_decode (header, &frame, &reason))
    die (reason);
  body = g_malloc (frame.length);
  get (body, frame.length);
  return frame.id;
}

static void
put_frame (MaltFrameType  type,
           guint16        flags,
           guint64        id,
           gconstpointer  body,
           guint32        size)
{
  guint8 header[MALT_FRAME_HEADER_SIZE];
  MaltFrame frame = { .type = (guint8) type, .flags = flags, .id = id, .length = size };

  malt_frame_encode (&frame, header);
  put (header, sizeof header);
  put (body, size);
}

static void
put_value (guint64   id,
           GVariant *value)
{
  g_autoptr (GVariant) body = g_variant_ref_sink (g_variant_new_variant (value));

  put_frame (MALT_FRAME_VALUE, 0, id, g_variant_get_data (body), (guint32) g_variant_get_size (body));
}

static void
put_42 (guint64 id)
{
  put_value (id, g_variant_new_int64 (42));
}

/* A frame that says where a value is. */
static void
put_place (guint64     id,
           guint64     offset,
           guint64     size,
           guint32     slot,
           const char *type)
{
  struct { guint64 offset, size; guint32 slot, type_size; char type[32]; } body =
    { offset, size, slot, (guint32) strlen (type), "" };

  memcpy (body.type, type, strlen (type));
  put_frame (MALT_FRAME_VALUE, MALT_FRAME_IN_ARENA, id, &body, (guint32) (24 + (strlen (type) + 7) / 8 * 8));
}

static void
answer_all (void)
{
  for (;;)
    put_42 (get_request ());
}

/* The beginning. */

static void
get_from_socket (gpointer bytes,
                 gsize    size)
{
  if (recv (DATA_FD, bytes, size, MSG_WAITALL) != (gssize) size)
    _exit (2);
}

static void
say_hello (void)
{
  guint8 bytes[1024];
  MaltFrame frame = { .type = MALT_FRAME_HELLO };
  g_autofree char *reason = NULL;
  g_autofree char *body = NULL;
  g_autoptr (GVariant) hello = NULL;
  gsize size;

  get_from_socket (bytes, MALT_FRAME_HEADER_SIZE);
  if (!malt_frame_decode (bytes, &frame, &reason))
    die (reason);
  body = g_malloc (frame.length);
  get_from_socket (body, frame.length);

  hello = g_variant_ref_sink (g_variant_new_parsed ("{'pid': <%u>, 'runtime': <'native'>, 'ring': <true>}",
                                                    (guint32) getpid ()));
  frame.length = (guint32) g_variant_get_size (hello);
  malt_frame_encode (&frame, bytes);
  memcpy (bytes + MALT_FRAME_HEADER_SIZE, g_variant_get_data (hello), frame.length);
  size = MALT_FRAME_HEADER_SIZE + frame.length;

  if (strcmp (mode, "early-frame") == 0)
    {
      frame = (MaltFrame) { .type = MALT_FRAME_VALUE, .id = 1 };
      malt_frame_encode (&frame, bytes + size);
      size += MALT_FRAME_HEADER_SIZE;
    }
  if (send (DATA_FD, bytes, size, MSG_NOSIGNAL) != (gssize) size)
    _exit (2);
}

static void
take_ring (void)
{
  union { struct cmsghdr align; char space[CMSG_SPACE (sizeof fds)]; } control;
  struct { guint8 header[MALT_FRAME_HEADER_SIZE]; guint32 capacity, spin_usec; guint64 arena_size; } frame;
  struct iovec vector = { &frame, sizeof frame };
  struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1,
                            .msg_control = &control, .msg_controllen = sizeof control };

  if (recvmsg (DATA_FD, &message, MSG_WAITALL) != sizeof frame)
    _exit (2);
  memcpy (fds, CMSG_DATA (CMSG_FIRSTHDR (&message)), sizeof fds);
  memory = malt_ring_memory_map (fds[0], frame.capacity, NULL);
  if (memory == NULL)
    die ("rings");
  malt_ring_end_init (&out, &memory->head->up, memory->up, memory->capacity);
  malt_ring_end_init (&in, &memory->head->down, memory->down, memory->capacity);

  spin_usec = frame.spin_usec;
  arena_size = frame.arena_size;
  arena = mmap (NULL, arena_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fds[3], 0);
  if (arena == MAP_FAILED)
    die ("arena");
}

/* What goes on all the time. */

static guint32
next_random (guint32 *state)
{
  *state = *state * 1664525 + 1013904223;
  return *state >> 8;
}

static void
set (guint32 *word,
     guint32  value)
{
  __atomic_store_n (word, value, __ATOMIC_SEQ_CST);
}

static gpointer
move_counters (gpointer data)
{
  guint32 state = 1;

  for (;;)
    {
      set (&memory->head->up.head, next_random (&state) * next_random (&state));
      set (&memory->head->down.tail, next_random (&state) * next_random (&state));
      ring_bell ();
    }
  return NULL;
}

/* Where it is and where it cannot be, in turns.  Between the two it would have the manager write over
 * what has yet to be read, and this worker end by itself of that. */
static gpointer
move_tail (gpointer data)
{
  guint32 n = 0;

  for (;;)
    {
      guint32 tail = __atomic_load_n (&in.own, __ATOMIC_SEQ_CST);

      set (&memory->head->down.tail, tail);
      set (&memory->head->down.tail, tail + in.capacity + 1 + n % 65536);
      /* Where it was possible just now, and there was no room, the manager waits for a byte. */
      if (++n % 65536 == 0 && send (DATA_FD, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno != EAGAIN)
        break;
    }
  return NULL;
}

static gpointer
change_flags (gpointer data)
{
  guint32 state = 1;

  for (;;)
    {
      set (&memory->head->up.sleeps, next_random (&state) & 3);
      set (&memory->head->up.wants_room, next_random (&state) & 3);
      set (&memory->head->down.sleeps, next_random (&state) & 3);
      set (&memory->head->down.wants_room, next_random (&state) & 3);
      set (&memory->head->may_spin, next_random (&state) & 3);
    }
  return NULL;
}

static gpointer
write_released (gpointer data)
{
  guint32 state = 1;

  for (;;)
    {
      memory->released_up[next_random (&state) % MALT_ARENA_SLOTS] = next_random (&state) % 5;
      memory->released_down[next_random (&state) % MALT_ARENA_SLOTS] = next_random (&state) % 5;
    }
  return NULL;
}

static gpointer
change_value (gpointer data)
{
  guint32 state = 1;

  for (;;)
    {
      arena[next_random (&state) % 64] ^= (guint8) (1u << next_random (&state) % 8);
      if (next_random (&state) % 8 == 0)
        g_usleep (200);
    }
  return NULL;
}

static gpointer
flood (gpointer data)
{
  static const char bytes[16 * 1024];

  while (send (GPOINTER_TO_INT (data), bytes, sizeof bytes, MSG_NOSIGNAL) > 0)
    ;
  return NULL;
}

static void
start (GThreadFunc func,
       gpointer    data)
{
  g_thread_unref (g_thread_new ("rubbish", func, data));
}

static void
make_blocking (int fd)
{
  if (fcntl (fd, F_SETFL, fcntl (fd, F_GETFL) & ~O_NONBLOCK) < 0)
    die ("fcntl");
}

static void
fill (int fd)
{
  while (send (fd, "full", 4, MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
    ;
}

static void
send_descriptors (int fd)
{
  union { struct cmsghdr align; char space[CMSG_SPACE (3 * sizeof (int))]; } control = { 0 };
  struct iovec vector = { (gpointer) "", 1 };
  struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1,
                            .msg_control = &control, .msg_controllen = sizeof control };

  control.align.cmsg_level = SOL_SOCKET;
  control.align.cmsg_type = SCM_RIGHTS;
  control.align.cmsg_len = CMSG_LEN (3 * sizeof (int));
  memcpy (CMSG_DATA (&control.align), fds, 3 * sizeof (int));
  /* The manager may not even let them be sent. */
  if (sendmsg (fd, &message, MSG_NOSIGNAL) < 0 && errno != EPERM)
    die ("sendmsg");
}

static void
check_sealed (int fd)
{
  if (ftruncate (fd, 0) == 0 || ftruncate (fd, (off_t) 1 << 40) == 0)
    {
      errno = 0;
      die ("the size can be changed");
    }
}

/* Perhaps an answer, then the beginnings of frames, which may be good, and anything behind. */
static void
put_random (guint32 seed)
{
  guint32 state = seed * 2654435761u;
  guint i;

  if (next_random (&state) % 2 == 0)
    put_42 (1);
  for (i = 0; i < 200; i++)
    {
      guint8 bytes[512];
      guint32 size = next_random (&state) % (sizeof bytes - MALT_FRAME_HEADER_SIZE), j;
      guint n_changes = next_random (&state) % 3;
      MaltFrame frame = {
        .type = (guint8) (next_random (&state) % 3 != 0 ? MALT_FRAME_VALUE : next_random (&state) % MALT_FRAME_N_TYPES),
        .flags = next_random (&state) % 2 != 0 ? MALT_FRAME_IN_ARENA : 0,
        .id = next_random (&state) % 4,
        .length = size,
      };

      for (j = 0; j < sizeof bytes; j++)
        bytes[j] = (guint8) (next_random (&state) % 4 == 0 ? next_random (&state) : 0);
      malt_frame_encode (&frame, bytes);
      if (next_random (&state) % 2 == 0)
        {
          guint32 type_size = 2;

          memset (bytes + MALT_FRAME_HEADER_SIZE, 0, 20);
          memcpy (bytes + MALT_FRAME_HEADER_SIZE + 20, &type_size, 4);
          memcpy (bytes + MALT_FRAME_HEADER_SIZE + 24, "as", 2);
          bytes[MALT_FRAME_HEADER_SIZE + 8] = (guint8) next_random (&state);
        }
      while (n_changes-- > 0)
        bytes[next_random (&state) % (MALT_FRAME_HEADER_SIZE + 32)] = (guint8) next_random (&state);
      put (bytes, MALT_FRAME_HEADER_SIZE + size);
    }
}

/* What only begins and goes on beside the answers. */
static gboolean
begin (void)
{
  if (strcmp (mode, "counters") == 0)
    start (move_counters, NULL);
  else if (strcmp (mode, "tail-moves") == 0)
    start (move_tail, NULL);
  else if (strcmp (mode, "flags") == 0)
    start (change_flags, NULL);
  else if (g_str_has_prefix (mode, "spin:"))
    {
      if (spin_usec != (guint32) atoi (mode + 5))
        _exit (8);
    }
  else if (strcmp (mode, "released") == 0)
    start (write_released, NULL);
  else if (strcmp (mode, "bell-flood") == 0)
    start (flood, GINT_TO_POINTER (fds[1]));
  else if (strcmp (mode, "socket-flood") == 0)
    start (flood, GINT_TO_POINTER (DATA_FD));
  else if (strcmp (mode, "blocking") == 0)
    {
      make_blocking (fds[1]);
      make_blocking (DATA_FD);
      fill (fds[1]);
      fill (DATA_FD);
    }
  else if (strcmp (mode, "descriptors") == 0)
    {
      send_descriptors (fds[1]);
      send_descriptors (DATA_FD);
    }
  else if (strcmp (mode, "truncates") == 0)
    {
      check_sealed (fds[0]);
      check_sealed (fds[2]);
      check_sealed (fds[3]);
      /* Pages can be taken away, which are zeroes then. */
      if (fallocate (fds[3], FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t) arena_size) < 0)
        die ("fallocate");
    }
  else
    return FALSE;

  return TRUE;
}

static void
spoil (guint64 id)
{
  static const char garbage[100] = "this is no frame, but there is enough of it to be one";

  if (strcmp (mode, "head") == 0)
    set (&memory->head->up.head, out.own + out.capacity + 1);
  else if (strcmp (mode, "head-back") == 0)
    set (&memory->head->up.head, out.own - 1);
  else if (strcmp (mode, "tail") == 0)
    {
      set (&memory->head->down.tail, in.own + in.capacity + 1);
      if (send (DATA_FD, "", 1, MSG_NOSIGNAL) < 0) /* the manager may wait for room by now */
        _exit (2);
    }
  else if (strcmp (mode, "head-moves") == 0)
    set (&memory->head->up.head, out.own + out.capacity);
  else if (strcmp (mode, "garbage") == 0)
    put (garbage, sizeof garbage);
  else if (g_str_has_prefix (mode, "random:"))
    put_random ((guint32) atoi (mode + 7));
  else if (strcmp (mode, "ring-frame") == 0)
    {
      guint8 header[MALT_FRAME_HEADER_SIZE];
      MaltFrame frame = { .type = MALT_FRAME_RING, .n_descriptors = 2 };

      malt_frame_encode (&frame, header);
      put (header, sizeof header);
    }
  else if (strcmp (mode, "no-place") == 0)
    put_frame (MALT_FRAME_VALUE, MALT_FRAME_IN_ARENA, id, NULL, 0);
  else if (strcmp (mode, "short-place") == 0)
    put_frame (MALT_FRAME_VALUE, MALT_FRAME_IN_ARENA, id, garbage, 23);
  else if (strcmp (mode, "garbage-place") == 0)
    put_frame (MALT_FRAME_VALUE, MALT_FRAME_IN_ARENA, id, garbage, sizeof garbage);
  else if (strcmp (mode, "slot") == 0)
    put_place (id, 0, 8, MALT_ARENA_SLOTS, "ay");
  else if (strcmp (mode, "offset") == 0)
    put_place (id, arena_size, 8, 0, "ay");
  else if (strcmp (mode, "offset-odd") == 0)
    put_place (id, 4, 8, 0, "ax");
  else if (strcmp (mode, "size") == 0)
    put_place (id, arena_size - 8, 16, 0, "ay");
  else if (strcmp (mode, "size-limit") == 0)
    put_place (id, 0, (guint64) MALT_LIMIT_VALUE_SIZE + 1, 0, "ay");
  else if (strcmp (mode, "type") == 0)
    put_place (id, 0, 8, 0, "a{vs}");
  else if (strcmp (mode, "type-size") == 0)
    put_place (id, 0, 7, 0, "ax");
  else if (strcmp (mode, "not-normal") == 0)
    {
      memcpy (arena, garbage, sizeof garbage);
      put_place (id, 0, sizeof garbage, 0, "a{sv}");
    }
  else if (strcmp (mode, "bool") == 0)
    {
      arena[0] = 7;
      put_place (id, 0, 1, 0, "b");
    }
  else if (strcmp (mode, "wrong-id") == 0)
    put_place (id + 1000, 0, 8, 0, "ay");
  else if (strcmp (mode, "closes-socket") == 0)
    close (DATA_FD);
  else if (strcmp (mode, "closes-bell") == 0)
    close (fds[1]);
  else if (strcmp (mode, "closes-all") == 0)
    {
      close (DATA_FD);
      close (CONTROL_FD);
      close (fds[1]);
    }
  else if (strcmp (mode, "dies") == 0)
    _exit (0);
  else if (strcmp (mode, "half-and-dies") == 0)
    {
      MaltFrame frame = { .type = MALT_FRAME_VALUE, .id = id, .length = 1000 };
      guint8 header[MALT_FRAME_HEADER_SIZE];

      malt_frame_encode (&frame, header);
      put (header, sizeof header);
      put (garbage, 10);
      _exit (0);
    }
  else if (strcmp (mode, "half-header-and-dies") == 0)
    {
      put ("malt", 4);
      _exit (0);
    }
  else if (strcmp (mode, "leaves-a-child") == 0)
    {
      /* It survives the worker's process group, and takes back and gives what was sent. */
      if (fork () == 0)
        {
          gint64 end = g_get_monotonic_time () + G_USEC_PER_SEC;
          guint32 n = 0;

          setsid ();
          while (g_get_monotonic_time () < end)
            {
              guint i;

              for (i = 0; i < 10000; i++)
                set (&memory->head->up.head, out.own + n++ % 20);
            }
          _exit (0);
        }
      g_usleep (10000);
      _exit (0);
    }
  else if (strcmp (mode, "silent") != 0)
    _exit (5);

  ring_bell ();
  pause_for_ever ();
}

/* Values that are something else each time that they are looked at. */
static void
change_while_read (const char *type)
{
  g_autoptr (GVariant) strings = g_variant_ref_sink (g_variant_new_parsed ("['a', 'bc', 'def', 'ghij', 'klmno']"));
  guint32 i;

  memcpy (arena, g_variant_get_data (strings), g_variant_get_size (strings));
  start (change_value, NULL);
  for (i = 0;; i++)
    {
      guint64 id = get_request ();

      if (type[1] == 's') /* most often it is what it should be */
        memcpy (arena, g_variant_get_data (strings), g_variant_get_size (strings));
      put_place (id, 0, type[1] == 's' ? g_variant_get_size (strings) : 64, i % MALT_ARENA_SLOTS, type);
    }
}

/* Takes what comes one by one, and the flood of it as slowly as can be. */
static void
take_byte_by_byte (void)
{
  char byte;

  for (;;)
    {
      gboolean wants_room;
      gsize n;

      if (!malt_ring_get (&in, &byte, 1, &n, &wants_room))
        die ("the manager's counter");
      if (wants_room && send (DATA_FD, "", 1, MSG_NOSIGNAL) < 0)
        _exit (2);
    }
}

int
main (int argc, char **argv)
{
  mode = getenv ("RUBBISH");
  say_hello ();
  take_ring ();

  if (begin ())
    answer_all ();
  else if (strcmp (mode, "changes-strings") == 0)
    change_while_read ("as");
  else if (strcmp (mode, "changes-numbers") == 0)
    change_while_read ("ax");
  else if (strcmp (mode, "byte-by-byte") == 0)
    take_byte_by_byte ();
  else if (strcmp (mode, "does-not-read") == 0)
    pause_for_ever ();
  else
    spoil (get_request ());
}
