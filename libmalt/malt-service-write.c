/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-service-private.h"

#include "malt-request-private.h"
#include "malt-service-channels.h"
#include "wire/malt-frame-writer.h"
#include "wire/malt-large-value.h"
#include "wire/malt-message.h"

/* The data road, to the manager. */

/* Writes a frame, waiting for room.  On any thread, with the write lock. */
void
malt_service_write_frame_locked (MaltService   *self,
                                 MaltFrameType  type,
                                 guint16        flags,
                                 guint64        id,
                                 gconstpointer  body,
                                 gsize          size)
{
  g_autoptr (GError) error = NULL;
  MaltFrame frame = { .type = type, .flags = flags, .id = id, .length = (guint32) size };
  guint8 header[MALT_FRAME_HEADER_SIZE];
  gsize done = 0;
  MaltIo io;

  malt_service_check_copy ();
  malt_frame_encode (&frame, header);
  while ((io = malt_frame_write (self->data, header, body, size, &done, &error)) == MALT_IO_AGAIN)
    malt_transport_await_room (self->data);

  /* With the manager gone the control thread ends the process. */
  if (io == MALT_IO_FAILED)
    malt_service_fail ("%s", error->message);
}

/* The same, without the lock. */
void
malt_service_send_frame (MaltService   *self,
                         MaltFrameType  type,
                         guint16        flags,
                         guint64        id,
                         gconstpointer  body,
                         gsize          size)
{
  g_mutex_lock (&self->write_lock);
  malt_service_write_frame_locked (self, type, flags, id, body, size);
  g_mutex_unlock (&self->write_lock);
}

/* Takes the body. */
void
malt_service_send_bytes (MaltService   *self,
                         MaltFrameType  type,
                         guint16        flags,
                         guint64        id,
                         GBytes        *body)
{
  malt_service_send_frame (self, type, flags, id, g_bytes_get_data (body, NULL), g_bytes_get_size (body));
  g_bytes_unref (body);
}

/* How requests end. */

static GBytes *
allocate (gsize     size,
          gpointer *data,
          gpointer  user_data)
{
  MaltService *self = user_data;

  return malt_large_value_new_buffer (self->data->arena, size, data);
}

/* Puts a large value into the arena and sends where it is.  FALSE without an error if it is
 * none, or there is no room for it. */
static gboolean
send_large_value (MaltService    *self,
                  MaltFrameType   type,
                  guint64         id,
                  GVariant       *value,
                  GError        **error)
{
  MaltArena *arena = self->data->arena;
  MaltLargeValue large;
  GBytes *body;

  if (arena == NULL || value == NULL || g_variant_get_size (value) < MALT_LARGE_VALUE_SIZE ||
      !malt_large_value_put (&large, arena, MALT_PEER_MANAGER, value, NULL, self->max_value, &body, error))
    return FALSE;

  malt_large_value_send (&large);
  malt_service_send_bytes (self, type, MALT_FRAME_IN_ARENA, id, body);
  return TRUE;
}

/* Takes nothing, and tells the size of what it has sent; FALSE with an error if the value
 * cannot cross. */
gboolean
malt_service_send_value (MaltService    *self,
                         MaltFrameType   type,
                         guint64         id,
                         GVariant       *value,
                         gsize          *size,
                         GError        **error)
{
  g_autoptr (GError) failure = NULL;
  MaltMessage message;

  if (send_large_value (self, type, id, value, &failure))
    {
      *size = g_variant_get_size (value);
      return TRUE;
    }
  if (failure != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&failure));
      return FALSE;
    }

  if (!malt_message_write_value (&message, value, self->max_body, error))
    return FALSE;

  *size = message.size;
  malt_service_send_frame (self, type, 0, id, message.data, message.size);
  malt_message_clear (&message);
  return TRUE;
}

/* Takes value and error. */
static void
respond (MaltRequest *request,
         GVariant    *value,
         GError      *error,
         gpointer     user_data)
{
  MaltService *self = user_data;
  g_autoptr (GVariant) own_value = value;
  g_autoptr (GError) own_error = error;
  MaltChannel *channel = malt_request_get_channel (request);
  guint64 id = malt_request_get_id (request);
  gsize size;

  g_mutex_lock (&self->lock);
  malt_id_table_steal (&self->unfinished, id);
  g_mutex_unlock (&self->lock);

  if ((malt_request_get_flags (request) & MALT_REQUEST_FLAGS_NO_REPLY) != 0)
    return;

  if ((malt_request_get_flags (request) & MALT_REQUEST_FLAGS_NO_VALUE) != 0)
    g_clear_pointer (&own_value, g_variant_unref);

  if (channel != NULL)
    malt_service_answer_channel (self, id, channel);
  if (channel != NULL ||
      (own_error == NULL && malt_service_send_value (self, MALT_FRAME_VALUE, id, own_value, &size, &own_error)))
    return;

  malt_service_send_bytes (self, MALT_FRAME_ERROR, 0, id, malt_message_new_error (own_error));
}

/* The request's value or error goes to the manager. */
void
malt_service_adopt_request (MaltService *self,
                            MaltRequest *request)
{
  malt_request_set_responder (request, respond, self);
  malt_request_set_allocator (request, allocate, self);
}
