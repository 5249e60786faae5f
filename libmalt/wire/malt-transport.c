/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-transport.h"

#include <poll.h>

/* Sends what there is room for, and tells how many bytes that was. */
MaltIo
malt_transport_send (MaltTransport       *self,
                     const struct iovec  *vectors,
                     gsize                n_vectors,
                     gsize               *sent,
                     GError             **error)
{
  return self->klass->send (self, vectors, n_vectors, sent, error);
}

/* Receives what has arrived, up to @size bytes, and tells how many that was. */
MaltIo
malt_transport_receive (MaltTransport  *self,
                        gpointer        buffer,
                        gsize           size,
                        gsize          *received,
                        GError        **error)
{
  return self->klass->receive (self, buffer, size, received, error);
}

/* Waits actively, for a short while and only where that pays.  Whether there is something
 * to receive now. */
gboolean
malt_transport_spin (MaltTransport *self)
{
  return self->klass->spin != NULL && self->klass->spin (self);
}

/* Sees to it that the descriptor tells what comes from now on; TRUE if there is something
 * to receive already, which it need not tell. */
gboolean
malt_transport_arm (MaltTransport *self)
{
  return self->klass->arm != NULL && self->klass->arm (self);
}

/* The wait is over: the descriptor need tell no more, and forgets what it has told if it
 * is, or may be, readable. */
void
malt_transport_disarm (MaltTransport *self,
                       gboolean       is_readable)
{
  if (self->klass->disarm != NULL)
    self->klass->disarm (self, is_readable);
}

/* After a send for which there was no room: sees to it that the descriptor tells when there
 * is; FALSE if there is some already, or nothing to wait for any more. */
gboolean
malt_transport_want_room (MaltTransport *self)
{
  return self->klass->want_room == NULL || self->klass->want_room (self);
}

/* Hears what `room_fd` has told: MALT_IO_AGAIN if no more than that there may be room, or
 * MALT_IO_CLOSED if the other end has gone. */
MaltIo
malt_transport_take_room (MaltTransport *self)
{
  return self->klass->take_room != NULL ? self->klass->take_room (self) : MALT_IO_AGAIN;
}

/* Blocks until there may be room to send, or the other end has gone. */
void
malt_transport_await_room (MaltTransport *self)
{
  struct pollfd fd = { .fd = self->room_fd, .events = self->room_events };

  if (!malt_transport_want_room (self))
    return;

  poll (&fd, 1, -1);
  malt_transport_take_room (self);
}

/* Whether others need the processors, so that nobody should wait actively.  At either end,
 * but set by the manager only. */
void
malt_transport_set_crowded (MaltTransport *self,
                            gboolean       crowded)
{
  if (self->klass->set_crowded != NULL)
    self->klass->set_crowded (self, crowded);
}

/* Ends the receiving direction: what has arrived can still be received, then the other end
 * seems to be gone.  Whoever waits for the descriptor wakes up.  On any thread. */
void
malt_transport_stop_receiving (MaltTransport *self)
{
  self->klass->stop_receiving (self);
}

/* Ends both directions in the same way.  On any thread. */
void
malt_transport_shutdown (MaltTransport *self)
{
  self->klass->shutdown (self);
}

/* The other end has gone: gives back the descriptors, and the memory of values that nobody has.
 * Nobody sends or receives, now or later; that somebody has yet to be told so does no harm. */
void
malt_transport_close (MaltTransport *self)
{
  self->klass->close (self);
}

void
malt_transport_free (MaltTransport *self)
{
  self->klass->free (self);
}
