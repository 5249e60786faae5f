/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-line-reader.h"

#include <gio/gunixinputstream.h>
#include <string.h>

/* Lines from a descriptor, as they are wanted: no more is read than one piece beyond the
 * lines that were taken, however much there is. */

#define PIECE_SIZE 65536
/* Longer than anything that could be sent. */
#define MAX_LINE   (64 * 1024 * 1024)

struct _MaltLineReader
{
  GInputStream       *stream;
  GCancellable       *cancellable;
  MaltLineReaderFunc  func;
  gpointer            user_data;
  GByteArray         *buffer;     /* what was read, from @start on not taken */
  gsize               start;
  gsize               searched;   /* up to here there is no line end */
  gboolean            is_reading;
  gboolean            is_at_end;
  gboolean            is_gone;    /* freed, but for the read that is under way */
  GError             *error;
};

MaltLineReader *
malt_line_reader_new (int                 fd,
                      MaltLineReaderFunc  func,
                      gpointer            user_data)
{
  MaltLineReader *self = g_new0 (MaltLineReader, 1);

  self->stream = g_unix_input_stream_new (fd, FALSE);
  self->cancellable = g_cancellable_new ();
  self->func = func;
  self->user_data = user_data;
  self->buffer = g_byte_array_new ();

  return self;
}

static void
really_free (MaltLineReader *self)
{
  g_object_unref (self->stream);
  g_object_unref (self->cancellable);
  g_byte_array_unref (self->buffer);
  g_clear_error (&self->error);
  g_free (self);
}

void
malt_line_reader_free (MaltLineReader *self)
{
  self->is_gone = TRUE;
  if (self->is_reading)
    g_cancellable_cancel (self->cancellable);
  else
    really_free (self);
}

static void
read_cb (GObject      *source,
         GAsyncResult *result,
         gpointer      user_data)
{
  MaltLineReader *self = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) bytes = g_input_stream_read_bytes_finish (G_INPUT_STREAM (source), result, &error);

  self->is_reading = FALSE;
  if (self->is_gone)
    {
      really_free (self);
      return;
    }

  if (bytes == NULL)
    {
      self->is_at_end = TRUE;
      if (!g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        self->error = g_steal_pointer (&error);
    }
  else if (g_bytes_get_size (bytes) == 0)
    self->is_at_end = TRUE;
  else
    g_byte_array_append (self->buffer, g_bytes_get_data (bytes, NULL), (guint) g_bytes_get_size (bytes));

  self->func (self->user_data);
}

/* Takes the next line, without its end, if it is there. */
GBytes *
malt_line_reader_take (MaltLineReader *self)
{
  const guint8 *data = self->buffer->data;
  gsize size = self->buffer->len;
  const guint8 *end = self->searched < size ? memchr (data + self->searched, '\n', size - self->searched) : NULL;
  gsize length = end != NULL ? (gsize) (end - data) - self->start : size - self->start;
  GBytes *line;

  self->searched = size;
  if (end == NULL && length > MAX_LINE && self->error == NULL)
    {
      self->is_at_end = TRUE;
      self->error = g_error_new (G_IO_ERROR, G_IO_ERROR_MESSAGE_TOO_LARGE, "a line is longer than %d bytes", MAX_LINE);
    }
  if (self->error != NULL || (end == NULL && (!self->is_at_end || length == 0)))
    return NULL;

  line = g_bytes_new (data + self->start, length);
  self->start += length + (end != NULL ? 1 : 0);
  self->searched = self->start;

  /* What was taken goes when there is nothing else, or it is much. */
  if (self->start == size || self->start > 16 * PIECE_SIZE)
    {
      g_byte_array_remove_range (self->buffer, 0, (guint) self->start);
      self->start = self->searched = 0;
    }

  return line;
}

/* Whether there are no more lines. */
gboolean
malt_line_reader_is_done (MaltLineReader *self)
{
  return self->is_at_end && (self->error != NULL || self->start == self->buffer->len);
}

const GError *
malt_line_reader_error (MaltLineReader *self)
{
  return self->error;
}

/* Another line is wanted that is not there. */
void
malt_line_reader_want (MaltLineReader *self)
{
  if (self->is_reading || self->is_at_end)
    return;

  self->is_reading = TRUE;
  g_input_stream_read_bytes_async (self->stream, PIECE_SIZE, G_PRIORITY_DEFAULT, self->cancellable, read_cb, self);
}

/* Nothing more is wanted: what was read is forgotten. */
void
malt_line_reader_stop (MaltLineReader *self)
{
  self->is_at_end = TRUE;
  self->start = self->searched = self->buffer->len;
  g_cancellable_cancel (self->cancellable);
}
