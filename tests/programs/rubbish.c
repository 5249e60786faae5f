/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "rubbish.h"

#include <sys/socket.h>
#include <unistd.h>

void
rubbish_put (int           fd,
             gconstpointer bytes,
             gsize         size)
{
  const char *rest = bytes;

  while (size > 0)
    {
      ssize_t n = send (fd, rest, size, MSG_NOSIGNAL);

      if (n < 0)
        _exit (3);
      rest += n;
      size -= (gsize) n;
    }
}

/* Its body is dropped. */
MaltFrame
rubbish_get_frame (int fd)
{
  guint8 header[MALT_FRAME_HEADER_SIZE];
  g_autofree char *reason = NULL;
  g_autofree char *body = NULL;
  MaltFrame frame;

  if (recv (fd, header, sizeof header, MSG_WAITALL) != sizeof header || !malt_frame_decode (header, &frame, &reason))
    _exit (2);
  body = g_malloc (frame.length);
  if (frame.length > 0 && recv (fd, body, frame.length, MSG_WAITALL) != (ssize_t) frame.length)
    _exit (2);
  return frame;
}

void
rubbish_put_frame (int            fd,
                   MaltFrameType  type,
                   guint64        id,
                   GVariant      *body)
{
  g_autoptr (GVariant) owned = body != NULL ? g_variant_ref_sink (body) : NULL;
  guint8 header[MALT_FRAME_HEADER_SIZE];
  MaltFrame frame = { .type = (guint8) type, .id = id };

  if (owned != NULL)
    frame.length = (guint32) g_variant_get_size (owned);
  malt_frame_encode (&frame, header);
  rubbish_put (fd, header, sizeof header);
  if (frame.length > 0)
    rubbish_put (fd, g_variant_get_data (owned), frame.length);
}
