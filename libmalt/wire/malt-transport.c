/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-transport.h"

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

/* Ends both directions.  What had arrived can still be received; whoever waits for
 * the descriptor wakes up.  On any thread. */
void
malt_transport_shutdown (MaltTransport *self)
{
  self->klass->shutdown (self);
}

void
malt_transport_free (MaltTransport *self)
{
  self->klass->free (self);
}
