/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <glib.h>
#include <sys/uio.h>

G_BEGIN_DECLS

/* How bytes get from one end to the other.  The connection and the service know
 * only this; a socket is one way, and others can be put in its place.
 *
 * Nothing here blocks: what cannot go on gives MALT_IO_AGAIN, and the caller waits
 * for the descriptor.  One thread at a time may send, and one receive. */

typedef enum
{
  MALT_IO_DONE,    /* some bytes went */
  MALT_IO_AGAIN,   /* wait for the descriptor */
  MALT_IO_CLOSED,  /* the other end is gone */
  MALT_IO_FAILED,  /* see the error */
} MaltIo;

typedef struct _MaltTransport MaltTransport;

typedef struct
{
  MaltIo (* send)     (MaltTransport       *self,
                       const struct iovec  *vectors,
                       gsize                n_vectors,
                       gsize               *sent,
                       GError             **error);
  MaltIo (* receive)  (MaltTransport       *self,
                       gpointer             buffer,
                       gsize                size,
                       gsize               *received,
                       GError             **error);
  void   (* shutdown) (MaltTransport       *self);
  void   (* free)     (MaltTransport       *self);
} MaltTransportClass;

struct _MaltTransport
{
  const MaltTransportClass *klass;
  int                       fd;      /* readable when there is something to receive,
                                        writable when there is room to send */
};

MaltIo malt_transport_send     (MaltTransport       *self,
                                const struct iovec  *vectors,
                                gsize                n_vectors,
                                gsize               *sent,
                                GError             **error);
MaltIo malt_transport_receive  (MaltTransport       *self,
                                gpointer             buffer,
                                gsize                size,
                                gsize               *received,
                                GError             **error);
void   malt_transport_shutdown (MaltTransport       *self);
void   malt_transport_free     (MaltTransport       *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (MaltTransport, malt_transport_free)

G_END_DECLS
