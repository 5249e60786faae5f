/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-frame-reader.h"

#include <gio/gio.h>
#include <string.h>

#define BUFFER_SIZE    (64u * 1024)
#define FIRST_BODY     (64u * 1024)
/* A body that is not longer is only lent. */
#define LENT_SIZE      1024u

/* Makes frames of the bytes that a transport receives.  What has arrived of a frame
 * is kept between calls, so that half a frame costs its bytes and nothing else.
 * Owned by whoever reads; it has no lock. */
struct _MaltFrameReader
{
  gsize      max_value;   /* the longest body of a value */

  /* The last receive got less than it had room for: there is nothing more, and no need
   * for a system call to hear it.  Until it has been said once. */
  gboolean   is_drained;

  /* Bytes that were received and not yet looked at. */
  gsize      begin;
  gsize      end;

  /* The frame under way, once its header is complete. */
  gboolean   has_frame;
  MaltFrame  frame;
  guint8    *body;        /* grows with what arrives, not with what was announced */
  gsize      body_size;   /* allocated */
  gsize      body_length; /* arrived */

  /* The last body that was lent; aligned, which the buffer's bytes are not. */
  _Alignas (8) guint8 lent[LENT_SIZE];

  guint8     buffer[BUFFER_SIZE];
};

MaltFrameReader *
malt_frame_reader_new (gsize max_value)
{
  MaltFrameReader *self = g_malloc (sizeof *self);

  memset (self, 0, G_STRUCT_OFFSET (MaltFrameReader, lent));
  self->max_value = max_value;

  return self;
}

void
malt_frame_reader_free (MaltFrameReader *self)
{
  g_free (self->body);
  g_free (self);
}

static gboolean
reserve_body (MaltFrameReader  *self,
              gsize             wanted,
              GError          **error)
{
  gsize size = self->body_size;
  guint8 *body;

  if (wanted <= size)
    return TRUE;

  /* body_size never exceeds MALT_LIMIT_BODY_SIZE, so doubling cannot overflow. */
  size = MIN (MAX (MAX (size * 2, wanted), FIRST_BODY), self->frame.length);
  body = g_try_realloc (self->body, size);
  if (body == NULL)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED,
                   "there is no memory for a body of %u bytes", self->frame.length);
      return FALSE;
    }

  self->body = body;
  self->body_size = size;
  return TRUE;
}

static gboolean
take_header (MaltFrameReader  *self,
             GError          **error)
{
  g_autofree char *reason = NULL;

  if (!malt_frame_decode (self->buffer + self->begin, &self->frame, &reason))
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, reason);
      return FALSE;
    }
  /* What a worker says instead of a value has limits of its own, however small a value
   * may be. */
  if ((self->frame.type == MALT_FRAME_VALUE || self->frame.type == MALT_FRAME_ITEM ||
       self->frame.type == MALT_FRAME_HOST_CALL) &&
      self->frame.length > self->max_value)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                   "a frame of type %s has a body of %u bytes (limit %" G_GSIZE_FORMAT ")",
                   malt_frame_type_name (self->frame.type), self->frame.length, self->max_value);
      return FALSE;
    }

  self->begin += MALT_FRAME_HEADER_SIZE;
  self->has_frame = TRUE;
  return TRUE;
}

/* Receives more: straight into a body that is larger than the buffer, else into the
 * buffer, which may then hold many frames. */
static MaltIo
receive_more (MaltFrameReader  *self,
              MaltTransport    *transport,
              GError          **error)
{
  gsize missing = self->has_frame ? self->frame.length - self->body_length : 0;
  gsize received = 0, size;
  MaltIo io;

  if (self->is_drained)
    {
      self->is_drained = FALSE;
      return MALT_IO_AGAIN;
    }

  if (missing > BUFFER_SIZE)
    {
      if (self->body_length == self->body_size &&
          !reserve_body (self, self->body_length + 1, error))
        return MALT_IO_FAILED;

      size = MIN (self->body_size, self->frame.length) - self->body_length;
      io = malt_transport_receive (transport, self->body + self->body_length, size, &received, error);
      self->body_length += received;
      self->is_drained = io == MALT_IO_DONE && received < size;
      return io;
    }

  if (self->begin > 0)
    {
      memmove (self->buffer, self->buffer + self->begin, self->end - self->begin);
      self->end -= self->begin;
      self->begin = 0;
    }

  size = BUFFER_SIZE - self->end;
  io = malt_transport_receive (transport, self->buffer + self->end, size, &received, error);
  self->end += received;
  self->is_drained = io == MALT_IO_DONE && received < size;
  return io;
}

/* Whether there is something left of what was received, which may be a whole frame. */
gboolean
malt_frame_reader_has_more (MaltFrameReader *self)
{
  return self->end > self->begin;
}

/* The body of a small frame that is here as a whole. */
static gboolean
lend_body (MaltFrameReader  *self,
           MaltFrame        *frame,
           gconstpointer    *data)
{
  gsize length = self->frame.length;

  if (length > LENT_SIZE || self->body_length > 0 || self->end - self->begin < length)
    return FALSE;

  memcpy (self->lent, self->buffer + self->begin, length);
  self->begin += length;
  self->has_frame = FALSE;
  *frame = self->frame;
  *data = self->lent;
  return TRUE;
}

/* Gives the next whole frame (MALT_IO_DONE), receiving as needed; MALT_IO_AGAIN says to
 * wait for the descriptor, which may turn out to be readable at once.  @data is the body,
 * 8-aligned and private to this end.  @body keeps it, (transfer full); if it is %NULL the
 * data are lent until this is called again.  A peer that went in the middle of a frame is
 * MALT_IO_CLOSED like any other: dying is no crime. */
MaltIo
malt_frame_reader_next (MaltFrameReader  *self,
                        MaltTransport    *transport,
                        MaltFrame        *frame,
                        gconstpointer    *data,
                        GBytes          **body,
                        GError          **error)
{
  *body = NULL;

  for (;;)
    {
      MaltIo io;

      if (!self->has_frame && self->end - self->begin >= MALT_FRAME_HEADER_SIZE &&
          !take_header (self, error))
        return MALT_IO_FAILED;

      if (self->has_frame)
        {
          gsize n = MIN (self->end - self->begin, self->frame.length - self->body_length);

          if (lend_body (self, frame, data))
            return MALT_IO_DONE;

          if (n > 0)
            {
              if (!reserve_body (self, self->body_length + n, error))
                return MALT_IO_FAILED;
              memcpy (self->body + self->body_length, self->buffer + self->begin, n);
              self->body_length += n;
              self->begin += n;
            }

          if (self->body_length == self->frame.length)
            {
              *frame = self->frame;
              *body = g_bytes_new_take (g_steal_pointer (&self->body), self->frame.length);
              *data = g_bytes_get_data (*body, NULL);
              self->body_size = self->body_length = 0;
              self->has_frame = FALSE;
              return MALT_IO_DONE;
            }
        }

      io = receive_more (self, transport, error);
      if (io != MALT_IO_DONE)
        return io;
    }
}
