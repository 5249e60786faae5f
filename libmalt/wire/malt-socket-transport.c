/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-socket-transport.h"

#include <errno.h>
#include <gio/gio.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "malt-descriptor.h"
#include "malt-limits.h"

/* The transport over a Unix socket pair.  It needs no state but the descriptor. */

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83 /* Linux 6.16 */
#endif

static MaltIo
io_from_errno (int          code,
               const char  *what,
               GError     **error)
{
  if (code == EAGAIN || code == EWOULDBLOCK)
    return MALT_IO_AGAIN;
  if (code == EPIPE || code == ECONNRESET)
    return MALT_IO_CLOSED;

  g_set_error (error, G_IO_ERROR, (int) g_io_error_from_errno (code),
               "could not %s: %s", what, g_strerror (code));
  return MALT_IO_FAILED;
}

static MaltIo
socket_transport_send (MaltTransport       *self,
                       const struct iovec  *vectors,
                       gsize                n_vectors,
                       gsize               *sent,
                       GError             **error)
{
  struct msghdr message = {
    .msg_iov = (struct iovec *) vectors,
    .msg_iovlen = n_vectors,
  };
  ssize_t n;

  do
    n = sendmsg (self->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  while (n < 0 && errno == EINTR);

  if (n < 0)
    return io_from_errno (errno, "write to the connection", error);

  *sent = (gsize) n;
  return MALT_IO_DONE;
}

/* Closes every descriptor that came along, and tells how many there were.  None is
 * ever agreed upon on this transport. */
static guint
close_descriptors (struct msghdr *message)
{
  struct cmsghdr *control;
  guint closed = 0;

  for (control = CMSG_FIRSTHDR (message); control != NULL; control = CMSG_NXTHDR (message, control))
    {
      gsize i, n;

      if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS ||
          control->cmsg_len < CMSG_LEN (0))
        continue;

      n = (control->cmsg_len - CMSG_LEN (0)) / sizeof (int);
      for (i = 0; i < n; i++)
        {
          int fd;

          memcpy (&fd, CMSG_DATA (control) + i * sizeof (int), sizeof fd);
          close (fd);
          closed++;
        }
    }

  return closed;
}

static MaltIo
socket_transport_receive (MaltTransport  *self,
                          gpointer        buffer,
                          gsize           size,
                          gsize          *received,
                          GError        **error)
{
  union
  {
    struct cmsghdr align;
    char           space[CMSG_SPACE (MALT_LIMIT_DESCRIPTORS * sizeof (int))];
  } control;
  struct iovec vector = { buffer, size };
  struct msghdr message = {
    .msg_iov = &vector,
    .msg_iovlen = 1,
    .msg_control = &control,
    .msg_controllen = sizeof control,
  };
  ssize_t n;

  do
    n = recvmsg (self->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  while (n < 0 && errno == EINTR);

  if (n < 0)
    return io_from_errno (errno, "read from the connection", error);

  if (G_UNLIKELY (message.msg_controllen > 0 || (message.msg_flags & MSG_CTRUNC) != 0))
    {
      guint closed = close_descriptors (&message);

      /* Truncation with nothing to close is also what running out of descriptors
       * looks like, so the message names the fact and no culprit. */
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                   "descriptors came with the data, %u of them could be received and were closed", closed);
      return MALT_IO_FAILED;
    }

  if (n == 0)
    return MALT_IO_CLOSED;

  *received = (gsize) n;
  return MALT_IO_DONE;
}

static void
socket_transport_stop_receiving (MaltTransport *self)
{
  shutdown (self->fd, SHUT_RD);
}

static void
socket_transport_shutdown (MaltTransport *self)
{
  shutdown (self->fd, SHUT_RDWR);
}

static void
socket_transport_close (MaltTransport *self)
{
  malt_clear_fd (&self->fd);
  self->room_fd = -1;
}

static void
socket_transport_free (MaltTransport *self)
{
  socket_transport_close (self);
  g_free (self);
}

static const MaltTransportClass socket_transport_class = {
  .send = socket_transport_send,
  .receive = socket_transport_receive,
  .stop_receiving = socket_transport_stop_receiving,
  .shutdown = socket_transport_shutdown,
  .close = socket_transport_close,
  .free = socket_transport_free,
};

/* Takes over the descriptor of one end of a stream socket pair. */
MaltTransport *
malt_socket_transport_new (int fd)
{
  MaltTransport *self = g_new0 (MaltTransport, 1);

  self->klass = &socket_transport_class;
  self->fd = self->room_fd = fd;
  self->room_events = POLLOUT;

  return self;
}

/* Gives the descriptor up; what is left is good for nothing but to be freed. */
int
malt_socket_transport_steal_fd (MaltTransport *self)
{
  int fd = self->fd;

  g_assert (self->klass == &socket_transport_class);
  self->fd = self->room_fd = -1;

  return fd;
}

/* Where the kernel can, lets it refuse descriptors already at the sender. */
void
malt_socket_refuse_descriptors (int fd)
{
  int off = 0;

  if (setsockopt (fd, SOL_SOCKET, SO_PASSRIGHTS, &off, sizeof off) < 0)
    errno = 0;
}
