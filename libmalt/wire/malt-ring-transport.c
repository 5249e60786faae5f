/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-ring-transport.h"

#include <errno.h>
#include <gio/gio.h>
#include <poll.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "malt-debug.h"
#include "malt-descriptor.h"
#include "malt-frame.h"
#include "malt-limits.h"
#include "malt-ring-memory.h"
#include "malt-socket-transport.h"
#include "malt-spin.h"

/* The transport over two rings in shared memory, one for each direction.
 *
 * Whoever waits for bytes sleeps on his end of a socket pair, the bell, to which the other
 * end sends a byte only if he has said that he sleeps.  The socket that was the transport
 * before stays: a byte on it tells who waits for room that there is some.  The end of
 * either tells that the other end has gone.
 *
 * The bell is not an eventfd, though that would cost a little less, because the manager
 * must never block: whether a read or write of an eventfd blocks is a flag that both ends
 * share, so that a worker can set it, and fill the count.  Each send and receive on a
 * socket says for itself that it does not.
 *
 * The manager does not spin for a worker that sleeps or that it had to wake: it would
 * perhaps hold the processor on which that is to run.  The worker spins whenever it has
 * nothing to do, for a while, because what comes next finds it awake then; but not when
 * the manager says that others need the processors. */

typedef struct
{
  MaltTransport   parent;

  /* Immutable once the other end has its part. */
  MaltRingMemory *memory;
  gboolean        is_manager;
  int             worker_fd;     /* these four until they are handed over */
  int             memory_fd;
  int             down_fd;       /* of the arenas; -1 where there are none */
  int             up_fd;
  guint           spin_usec;

  /* Owned by whoever sends. */
  MaltRingEnd     out;

  /* Owned by whoever receives. */
  MaltRingEnd     in;
  MaltSpin        spin;
  gboolean        is_armed;
  gboolean        is_ending;     /* nothing is received from `end` on */
  guint32         end;

  /* Atomic. */
  gint            woke_peer;     /* since something was received */
  gint            no_receiving;  /* what comes from now on is of no interest */
  gint            is_crowded;    /* others need the processors; the manager's own copy of what
                                    it tells the worker, who could change that */
} MaltRingTransport;

/* What goes with a frame of type ring, little-endian. */
typedef struct
{
  guint32 capacity;
  guint32 spin_usec;
  guint64 arena_size;            /* 0: there is none */
} HandOver;

enum
{
  FD_MEMORY,
  FD_BELL,       /* the worker's end of it */
  N_FDS_OF_RING,
  FD_DOWN = N_FDS_OF_RING,
  FD_UP,
  N_FDS
};

/* If there is no room the other end has a byte to read already; if it has gone, that is
 * found out by whoever reads. */
static void
send_byte (int fd)
{
  if (send (fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
    errno = 0;
}

/* Takes bytes that mean nothing but that they came.  More of them, if there are, tell the
 * same once more: a peer that never stops sending must not keep this end here. */
static MaltIo
take_bytes (int fd)
{
  char bytes[512];
  ssize_t n;

  do
    n = recv (fd, bytes, sizeof bytes, MSG_DONTWAIT);
  while (n < 0 && errno == EINTR);

  return n == 0 || (n < 0 && errno != EAGAIN) ? MALT_IO_CLOSED : MALT_IO_AGAIN;
}

static MaltIo
fail (GError **error)
{
  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                       "a counter of the ring is at an impossible place");
  return MALT_IO_FAILED;
}

static MaltIo
ring_transport_send (MaltTransport       *transport,
                     const struct iovec  *vectors,
                     gsize                n_vectors,
                     gsize               *sent,
                     GError             **error)
{
  MaltRingTransport *self = (MaltRingTransport *) transport;

  if (!malt_ring_put (&self->out, vectors, n_vectors, sent))
    return fail (error);
  if (*sent == 0)
    return MALT_IO_AGAIN;

  if (malt_ring_take_sleeper (&self->out))
    {
      g_atomic_int_set (&self->woke_peer, TRUE);
      send_byte (transport->fd);
    }

  return MALT_IO_DONE;
}

/* What the other end has sent until now is still received, and nothing that it, or what it
 * has left behind, sends later. */
static gsize
limit_to_end (MaltRingTransport *self,
              gsize              size)
{
  if (!self->is_ending)
    {
      self->is_ending = TRUE;
      self->end = malt_ring_get_head (&self->in);
    }

  return MIN (size, self->end - self->in.own);
}

static MaltIo
ring_transport_receive (MaltTransport  *transport,
                        gpointer        buffer,
                        gsize           size,
                        gsize          *received,
                        GError        **error)
{
  MaltRingTransport *self = (MaltRingTransport *) transport;
  gboolean no_more = g_atomic_int_get (&self->no_receiving);
  gboolean wants_room;

  if (no_more)
    {
      size = limit_to_end (self, size);
      if (size == 0)
        return MALT_IO_CLOSED;
    }

  if (!malt_ring_get (&self->in, buffer, size, received, &wants_room))
    return fail (error);
  if (wants_room)
    send_byte (transport->room_fd);
  /* Less than there was when it ended can be there only if somebody takes it back. */
  if (*received == 0)
    return no_more ? MALT_IO_CLOSED : MALT_IO_AGAIN;

  if (g_atomic_int_get (&self->woke_peer))
    g_atomic_int_set (&self->woke_peer, FALSE);
  return MALT_IO_DONE;
}

static gboolean
is_there_more (gpointer user_data)
{
  MaltRingTransport *self = user_data;

  return malt_ring_has_bytes (&self->in) || g_atomic_int_get (&self->no_receiving);
}

static gboolean
may_spin (MaltRingTransport *self)
{
  if (!self->is_manager)
    return __atomic_load_n (&self->memory->head->may_spin, __ATOMIC_RELAXED) != 0;

  return !g_atomic_int_get (&self->is_crowded) &&
         !g_atomic_int_get (&self->woke_peer) &&
         !malt_ring_is_asleep (&self->out);
}

static gboolean
ring_transport_spin (MaltTransport *transport)
{
  MaltRingTransport *self = (MaltRingTransport *) transport;

  if (is_there_more (self))
    return TRUE;

  return may_spin (self) && malt_spin_until (&self->spin, is_there_more, self);
}

static gboolean
ring_transport_arm (MaltTransport *transport)
{
  MaltRingTransport *self = (MaltRingTransport *) transport;

  if (malt_ring_sleep (&self->in) && !g_atomic_int_get (&self->no_receiving))
    {
      self->is_armed = TRUE;
      return FALSE;
    }

  self->is_armed = FALSE;
  malt_ring_wake (&self->in);
  return TRUE;
}

/* The other end may be about to ring just now; that will be for nothing then, and the next
 * wait is over at once. */
static void
ring_transport_disarm (MaltTransport *transport,
                       gboolean       is_readable)
{
  MaltRingTransport *self = (MaltRingTransport *) transport;

  if (is_readable && take_bytes (transport->fd) == MALT_IO_CLOSED)
    g_atomic_int_set (&self->no_receiving, TRUE);
  if (!self->is_armed)
    return;

  self->is_armed = FALSE;
  if (malt_ring_is_asleep (&self->in))
    malt_ring_wake (&self->in);
}

static gboolean
ring_transport_want_room (MaltTransport *transport)
{
  return malt_ring_want_room (&((MaltRingTransport *) transport)->out);
}

static MaltIo
ring_transport_take_room (MaltTransport *transport)
{
  return take_bytes (transport->room_fd);
}

static void
ring_transport_set_crowded (MaltTransport *transport,
                            gboolean       crowded)
{
  MaltRingTransport *self = (MaltRingTransport *) transport;

  /* The worker can write that word as well. */
  g_atomic_int_set (&self->is_crowded, crowded);
  __atomic_store_n (&self->memory->head->may_spin, !crowded, __ATOMIC_RELAXED);
}

static void
ring_transport_stop_receiving (MaltTransport *transport)
{
  MaltRingTransport *self = (MaltRingTransport *) transport;

  g_atomic_int_set (&self->no_receiving, TRUE);
  shutdown (transport->fd, SHUT_RD); /* wakes who waits */
}

static void
ring_transport_shutdown (MaltTransport *transport)
{
  ring_transport_stop_receiving (transport);
  shutdown (transport->fd, SHUT_RDWR);
  shutdown (transport->room_fd, SHUT_RDWR);
}

static void
close_for_worker (MaltRingTransport *self)
{
  malt_clear_fd (&self->worker_fd);
  malt_clear_fd (&self->memory_fd);
  malt_clear_fd (&self->down_fd);
  malt_clear_fd (&self->up_fd);
}

static void
close_all (MaltRingTransport *self)
{
  malt_clear_fd (&self->parent.fd);
  malt_clear_fd (&self->parent.room_fd);
  close_for_worker (self);
}

static void
ring_transport_close (MaltTransport *transport)
{
  close_all ((MaltRingTransport *) transport);
  if (transport->arena != NULL)
    malt_arena_retire (transport->arena);
  g_clear_pointer (&transport->view, malt_arena_view_unref);
}

/* What is in the arenas stays for the other end. */
static void
ring_transport_free (MaltTransport *transport)
{
  MaltRingTransport *self = (MaltRingTransport *) transport;

  close_all (self);
  g_clear_pointer (&transport->arena, malt_arena_unref);
  g_clear_pointer (&transport->view, malt_arena_view_unref);
  g_clear_pointer (&self->memory, malt_ring_memory_unref);
  g_free (self);
}

static const MaltTransportClass ring_transport_class = {
  .send = ring_transport_send,
  .receive = ring_transport_receive,
  .spin = ring_transport_spin,
  .arm = ring_transport_arm,
  .disarm = ring_transport_disarm,
  .want_room = ring_transport_want_room,
  .take_room = ring_transport_take_room,
  .set_crowded = ring_transport_set_crowded,
  .stop_receiving = ring_transport_stop_receiving,
  .shutdown = ring_transport_shutdown,
  .close = ring_transport_close,
  .free = ring_transport_free,
};

static MaltRingTransport *
ring_transport_new (gboolean is_manager,
                    guint    spin_usec)
{
  MaltRingTransport *self = g_new0 (MaltRingTransport, 1);

  self->parent.klass = &ring_transport_class;
  self->parent.fd = self->parent.room_fd = -1;
  self->worker_fd = self->memory_fd = self->down_fd = self->up_fd = -1;
  self->parent.room_events = POLLIN;
  self->parent.tells_end = TRUE;
  self->is_manager = is_manager;
  self->spin_usec = spin_usec;
  malt_spin_init (&self->spin, spin_usec);

  return self;
}

static void
use_memory (MaltRingTransport *self,
            MaltRingMemory    *memory)
{
  MaltRingHead *head = memory->head;

  self->memory = memory;
  if (self->is_manager)
    {
      malt_ring_end_init (&self->out, &head->down, memory->down, memory->capacity);
      malt_ring_end_init (&self->in, &head->up, memory->up, memory->capacity);
    }
  else
    {
      malt_ring_end_init (&self->out, &head->up, memory->up, memory->capacity);
      malt_ring_end_init (&self->in, &head->down, memory->down, memory->capacity);
    }
}

/* Maps both arenas. */
static gboolean
map_arenas (MaltRingTransport  *self,
            gsize               size,
            GError            **error)
{
  MaltRingMemory *memory = self->memory;
  GDestroyNotify unref = (GDestroyNotify) malt_ring_memory_unref;
  int out = self->is_manager ? self->down_fd : self->up_fd;
  int in = self->is_manager ? self->up_fd : self->down_fd;
  guint32 *released_out = self->is_manager ? memory->released_down : memory->released_up;
  guint32 *released_in = self->is_manager ? memory->released_up : memory->released_down;

  self->parent.arena = malt_arena_new (out, size, released_out, malt_ring_memory_ref (memory), unref, error);
  if (self->parent.arena == NULL)
    return FALSE;

  self->parent.view = malt_arena_view_new (in, size, released_in, malt_ring_memory_ref (memory), unref, error);
  return self->parent.view != NULL;
}

/* The worker only reads what comes down: it gets a descriptor that it can map for nothing
 * else. */
static gboolean
restrict_down (MaltRingTransport  *self,
               GError            **error)
{
  int fd = malt_arena_open_read_only (self->down_fd, error);

  if (fd == -1)
    return FALSE;

  close (self->down_fd);
  self->down_fd = fd;
  return TRUE;
}

/* The worker maps them too, under the same limit, and its language takes addresses as well, of
 * which JavaScript and sanitizers want many. */
#define ADDRESSES_FOR_ARENAS (8 * (guint64) MALT_LIMIT_ARENA_SIZE)

static gboolean
make_arenas (MaltRingTransport  *self,
             GError            **error)
{
  struct rlimit addresses;

  if (getrlimit (RLIMIT_AS, &addresses) == 0 && addresses.rlim_cur != RLIM_INFINITY &&
      addresses.rlim_cur < ADDRESSES_FOR_ARENAS)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_NO_SPACE,
                   "processes may have %" G_GUINT64_FORMAT " bytes of addresses, and arenas want %" G_GUINT64_FORMAT,
                   (guint64) addresses.rlim_cur, ADDRESSES_FOR_ARENAS);
      return FALSE;
    }

  self->down_fd = malt_arena_create_memory (MALT_LIMIT_ARENA_SIZE, error);
  self->up_fd = self->down_fd != -1 ? malt_arena_create_memory (MALT_LIMIT_ARENA_SIZE, error) : -1;

  return self->up_fd != -1 && map_arenas (self, MALT_LIMIT_ARENA_SIZE, error) &&
         restrict_down (self, error);
}

/* What is not there was not made or not mapped. */
static void
drop_arenas (MaltRingTransport *self)
{
  g_clear_pointer (&self->parent.arena, malt_arena_unref);
  g_clear_pointer (&self->parent.view, malt_arena_view_unref);
  malt_clear_fd (&self->down_fd);
  malt_clear_fd (&self->up_fd);
}

static gboolean
make_bell (MaltRingTransport  *self,
           GError            **error)
{
  int fds[2];

  if (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
    {
      int code = errno;

      g_set_error (error, G_IO_ERROR, (int) g_io_error_from_errno (code),
                   "could not make a socket pair: %s", g_strerror (code));
      return FALSE;
    }

  malt_socket_refuse_descriptors (fds[0]);
  self->parent.fd = fds[0];
  self->worker_fd = fds[1];
  return TRUE;
}

/* The manager's end, which is not yet connected to anything. */
MaltTransport *
malt_ring_transport_new (guint32   capacity,
                         guint     spin_usec,
                         GError  **error)
{
  MaltRingTransport *self = ring_transport_new (TRUE, spin_usec);
  g_autoptr (GError) arena_error = NULL;
  MaltRingMemory *memory;

  memory = malt_ring_memory_new (capacity, &self->memory_fd, error);
  if (memory != NULL)
    use_memory (self, memory);
  if (memory == NULL || !make_bell (self, error))
    {
      malt_transport_free (&self->parent);
      return NULL;
    }

  memory->head->may_spin = TRUE;
  if (!make_arenas (self, &arena_error))
    {
      MALT_DEBUG (WIRE, "large values go through the ring: %s", arena_error->message);
      drop_arenas (self);
    }

  return &self->parent;
}

/* Tells the worker at the other end of the socket of the rings.  Takes the socket when that
 * succeeds, on which nothing but this has been sent then. */
gboolean
malt_ring_transport_hand_over (MaltTransport  *transport,
                               int             socket_fd,
                               GError        **error)
{
  MaltRingTransport *self = (MaltRingTransport *) transport;
  gboolean has_arenas = transport->arena != NULL;
  gsize n_fds = has_arenas ? N_FDS : N_FDS_OF_RING;
  int fds[N_FDS] = {
    [FD_MEMORY] = self->memory_fd,
    [FD_BELL] = self->worker_fd,
    [FD_DOWN] = self->down_fd,
    [FD_UP] = self->up_fd,
  };
  HandOver body = {
    .capacity = GUINT32_TO_LE (self->memory->capacity),
    .spin_usec = GUINT32_TO_LE (self->spin_usec),
    .arena_size = GUINT64_TO_LE ((guint64) (has_arenas ? MALT_LIMIT_ARENA_SIZE : 0)),
  };
  MaltFrame frame = { .type = MALT_FRAME_RING, .length = sizeof body, .n_descriptors = (guint16) n_fds };
  guint8 header[MALT_FRAME_HEADER_SIZE];
  struct iovec vectors[2] = { { header, sizeof header }, { &body, sizeof body } };
  union
  {
    struct cmsghdr header;
    char           space[CMSG_SPACE (sizeof fds)];
  } control = { 0 };
  struct msghdr message = {
    .msg_iov = vectors,
    .msg_iovlen = G_N_ELEMENTS (vectors),
    .msg_control = &control,
    .msg_controllen = CMSG_SPACE (n_fds * sizeof (int)),
  };
  ssize_t n;

  malt_frame_encode (&frame, header);
  control.header.cmsg_level = SOL_SOCKET;
  control.header.cmsg_type = SCM_RIGHTS;
  control.header.cmsg_len = CMSG_LEN (n_fds * sizeof (int));
  memcpy (CMSG_DATA (&control.header), fds, n_fds * sizeof (int));

  do
    n = sendmsg (socket_fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  while (n < 0 && errno == EINTR);

  if (n != sizeof header + sizeof body)
    {
      int code = n < 0 ? errno : EMSGSIZE;

      g_set_error (error, G_IO_ERROR, (int) g_io_error_from_errno (code),
                   "could not send the rings: %s", g_strerror (code));
      return FALSE;
    }

  transport->room_fd = socket_fd;
  close_for_worker (self);
  return TRUE;
}

/* Takes all descriptors that have come with a message, and tells how many there were. */
static gsize
take_descriptors (struct msghdr *message,
                  int            fds[MALT_LIMIT_DESCRIPTORS])
{
  struct cmsghdr *control;
  gsize n_fds = 0;

  for (control = CMSG_FIRSTHDR (message); control != NULL; control = CMSG_NXTHDR (message, control))
    {
      gsize n;

      if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS ||
          control->cmsg_len < CMSG_LEN (0))
        continue;

      /* The kernel has put no more of them there than there is room for. */
      n = MIN ((control->cmsg_len - CMSG_LEN (0)) / sizeof (int), MALT_LIMIT_DESCRIPTORS - n_fds);
      memcpy (fds + n_fds, CMSG_DATA (control), n * sizeof (int));
      n_fds += n;
    }

  return n_fds;
}

static gboolean
receive_hand_over (int        socket_fd,
                   HandOver  *body,
                   int        fds[N_FDS],
                   GError   **error)
{
  union
  {
    struct cmsghdr header;
    char           space[CMSG_SPACE (MALT_LIMIT_DESCRIPTORS * sizeof (int))];
  } control;
  guint8 header[MALT_FRAME_HEADER_SIZE];
  struct iovec vectors[2] = { { header, sizeof header }, { body, sizeof *body } };
  struct msghdr message = {
    .msg_iov = vectors,
    .msg_iovlen = G_N_ELEMENTS (vectors),
    .msg_control = &control,
    .msg_controllen = sizeof control,
  };
  int received[MALT_LIMIT_DESCRIPTORS];
  g_autofree char *reason = NULL;
  MaltFrame frame;
  gsize n_fds;
  ssize_t n;

  do
    n = recvmsg (socket_fd, &message, MSG_CMSG_CLOEXEC | MSG_WAITALL);
  while (n < 0 && errno == EINTR);

  n_fds = n >= 0 ? take_descriptors (&message, received) : 0;
  if (n == sizeof header + sizeof *body && (message.msg_flags & MSG_CTRUNC) == 0 &&
      malt_frame_decode (header, &frame, &reason) &&
      frame.type == MALT_FRAME_RING && frame.length == sizeof *body &&
      frame.n_descriptors == (body->arena_size != 0 ? N_FDS : N_FDS_OF_RING) &&
      n_fds == frame.n_descriptors)
    {
      memcpy (fds, received, n_fds * sizeof (int));
      return TRUE;
    }

  while (n_fds > 0)
    close (received[--n_fds]);
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "the rings did not come: %s",
               reason != NULL ? reason : "something else came instead of them");
  return FALSE;
}

static gboolean
check_sizes (guint32   capacity,
             guint64   arena_size,
             GError  **error)
{
  if (capacity < MALT_RING_MIN_CAPACITY || capacity > MALT_RING_MAX_CAPACITY ||
      (capacity & (capacity - 1)) != 0)
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "the rings are of %u bytes", capacity);
  else if (arena_size > MALT_LIMIT_ARENA_SIZE || arena_size % (guint64) sysconf (_SC_PAGESIZE) != 0)
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                 "the arenas are of %" G_GUINT64_FORMAT " bytes", arena_size);
  else
    return TRUE;

  return FALSE;
}

/* The worker's end: waits for what the manager hands over on the socket, and takes that
 * too, also when it fails.  A worker trusts its manager; with an error it ends. */
MaltTransport *
malt_ring_transport_receive (int      socket_fd,
                             GError **error)
{
  int fds[N_FDS] = { -1, -1, -1, -1 };
  MaltRingTransport *self;
  MaltRingMemory *memory;
  guint32 capacity;
  guint64 arena_size;
  HandOver body;

  if (!receive_hand_over (socket_fd, &body, fds, error))
    {
      close (socket_fd);
      return NULL;
    }

  capacity = GUINT32_FROM_LE (body.capacity);
  arena_size = GUINT64_FROM_LE (body.arena_size);
  self = ring_transport_new (FALSE, GUINT32_FROM_LE (body.spin_usec));
  self->parent.fd = fds[FD_BELL];
  self->parent.room_fd = socket_fd;
  self->memory_fd = fds[FD_MEMORY];
  self->down_fd = fds[FD_DOWN];
  self->up_fd = fds[FD_UP];

  memory = check_sizes (capacity, arena_size, error) ? malt_ring_memory_map (self->memory_fd, capacity, error) : NULL;
  if (memory != NULL)
    use_memory (self, memory);
  if (memory == NULL || (arena_size != 0 && !map_arenas (self, (gsize) arena_size, error)))
    {
      malt_transport_free (&self->parent);
      return NULL;
    }

  close_for_worker (self);
  return &self->parent;
}
