/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-frame-writer.h"

/* A peer that takes out byte by byte must not keep its writer here for long. */
#define MAX_PARTS 64

/* Writes of a frame what there is room for.  MALT_IO_AGAIN can also mean that there is some,
 * but not for much at a time.  @done counts the bytes of header and body that are gone, from
 * one call to the next; MALT_IO_DONE says that all are. */
MaltIo
malt_frame_write (MaltTransport  *transport,
                  const guint8    header[MALT_FRAME_HEADER_SIZE],
                  gconstpointer   body,
                  gsize           body_size,
                  gsize          *done,
                  GError        **error)
{
  gsize total = MALT_FRAME_HEADER_SIZE + body_size;
  guint n_parts = 0;

  while (*done < total)
    {
      gsize body_done = MAX (*done, MALT_FRAME_HEADER_SIZE) - MALT_FRAME_HEADER_SIZE;
      struct iovec vectors[2];
      gsize n = 0, sent = 0;
      MaltIo io;

      if (*done < MALT_FRAME_HEADER_SIZE)
        vectors[n++] = (struct iovec) { (guint8 *) header + *done, MALT_FRAME_HEADER_SIZE - *done };
      if (body_size > 0)
        vectors[n++] = (struct iovec) { (guint8 *) body + body_done, body_size - body_done };

      if (n_parts++ == MAX_PARTS)
        return MALT_IO_AGAIN;
      io = malt_transport_send (transport, vectors, n, &sent, error);
      if (io != MALT_IO_DONE)
        return io;
      *done += sent;
    }

  return MALT_IO_DONE;
}
