/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-connection-private.h"

#include <glib-unix.h>
#include <poll.h>
#include <string.h>

#include "malt-call-body.h"
#include "malt-debug.h"
#include "malt-frame-writer.h"
#include "malt-limits.h"
#include "malt-message.h"

/* The data road, from whoever has a request to the worker. */

/* After so many frames that had to wait, those who send look whether there is room. */
#define CATCH_UP_PERIOD 32

static void
malt_outgoing_free (MaltOutgoing *self)
{
  g_clear_object (&self->request);
  g_clear_pointer (&self->body, g_bytes_unref);
  malt_large_value_clear (&self->value);
  g_free (self);
}

static MaltOutgoing *
malt_outgoing_pop (GQueue *queue)
{
  return g_queue_pop_head_link (queue)->data;
}

void
malt_outgoing_free_all (GQueue *queue)
{
  while (queue->length > 0)
    malt_outgoing_free (malt_outgoing_pop (queue));
}

/* Keeps the frame in a queue, and the message if that is its body.  Takes what both hold. */
static void
malt_outgoing_push (GQueue       *queue,
                    MaltOutgoing *outgoing,
                    MaltMessage  *message)
{
  gboolean is_small = outgoing->body == NULL && message->block == NULL;
  MaltOutgoing *self = g_malloc (sizeof *self + (is_small ? message->size : 0));

  *self = *outgoing;
  self->link = (GList) { .data = self };
  if (is_small)
    {
      self->data = self + 1;
      if (message->size > 0) /* else there is no data */
        memcpy (self + 1, message->data, message->size);
    }
  else
    {
      if (self->body == NULL)
        self->body = malt_message_take_bytes (message);
      self->data = g_bytes_get_data (self->body, NULL);
    }

  g_queue_push_tail_link (queue, &self->link);
}

/* When it fails, half a frame may be gone, and the road is of no more use: its readers will
 * find it closed, and say why if that was the worker's doing. */
static MaltIo
write_frame_locked (MaltConnection *self,
                    MaltOutgoing   *outgoing,
                    gconstpointer   body)
{
  g_autoptr (GError) error = NULL;
  MaltIo io;

  io = malt_frame_write (self->transport, outgoing->header, body, outgoing->frame.length,
                         &outgoing->sent, &error);
  if (io == MALT_IO_FAILED)
    {
      if (self->breach == NULL && g_error_matches (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA))
        self->breach = g_strdup (error->message);
      malt_transport_shutdown (self->transport);
    }

  return io;
}

/* Writes the first frame that waits for it, as far as there is room. */
static MaltIo
write_head_locked (MaltConnection *self)
{
  MaltOutgoing *outgoing = g_queue_peek_head (&self->output);
  gsize before = outgoing->sent;
  MaltIo io = write_frame_locked (self, outgoing, outgoing->data);

  self->output_size -= outgoing->sent - before;
  if (io == MALT_IO_DONE)
    {
      self->n_answers -= outgoing->is_answer ? 1 : 0;
      malt_outgoing_free (malt_outgoing_pop (&self->output));
    }

  return io;
}

/* Writes what waits for it, as far as there is room, or until others should have their turn.
 * On the library context. */
static MaltIo
write_output_locked (MaltConnection *self)
{
  MaltIo io = MALT_IO_DONE;
  guint n;

  for (n = 0; io == MALT_IO_DONE && self->output.length > 0; n++)
    {
      if (n == MALT_LIMIT_DISPATCH_FRAMES)
        {
          g_source_set_ready_time (self->flush_source, 0);
          return MALT_IO_AGAIN;
        }

      io = write_head_locked (self);
      if (io == MALT_IO_AGAIN && !malt_transport_want_room (self->transport))
        io = MALT_IO_DONE;
      if (self->unsent.length > 0)
        malt_connection_write_unsent_locked (self);
    }

  return io;
}

static gboolean
flush_cb (int           fd,
          GIOCondition  condition,
          gpointer      user_data)
{
  MaltConnection *self = user_data;
  gboolean has_gone = malt_transport_take_room (self->transport) == MALT_IO_CLOSED;
  gboolean finished;
  MaltIo io;

  g_source_set_ready_time (g_main_current_source (), -1);

  g_mutex_lock (&self->lock);
  io = write_output_locked (self);
  /* A peer that is gone is found out by reading; there is nobody to write for. */
  if (has_gone)
    malt_transport_stop_receiving (self->transport);
  finished = has_gone || io == MALT_IO_CLOSED || io == MALT_IO_FAILED ||
             (self->output.length == 0 && !self->transport->tells_end);
  if (finished)
    g_clear_pointer (&self->flush_source, g_source_unref);
  g_mutex_unlock (&self->lock);

  /* There is an end to what is there of a transport that receives no more. */
  if (has_gone || io == MALT_IO_FAILED)
    while (malt_connection_read_for_others (self))
      continue;

  return finished ? G_SOURCE_REMOVE : G_SOURCE_CONTINUE;
}

static void
watch_room_locked (MaltConnection *self)
{
  if (self->flush_source != NULL)
    return;

  self->flush_source = g_unix_fd_source_new (self->transport->room_fd,
                                             self->transport->room_events == POLLIN ? G_IO_IN : G_IO_OUT);
  g_source_set_static_name (self->flush_source, "[malt] flush");
  g_source_set_callback (self->flush_source, G_SOURCE_FUNC (flush_cb),
                         malt_connection_ref (self), (GDestroyNotify) malt_connection_unref);
  g_source_attach (self->flush_source, malt_get_library_context ());
}

/* Where it is the descriptor of the room that tells the end of the transport, somebody has to
 * listen to it. */
void
malt_connection_watch_room (MaltConnection *self)
{
  g_mutex_lock (&self->lock);
  if (self->transport->tells_end)
    watch_room_locked (self);
  g_mutex_unlock (&self->lock);
}

/* Counts a frame that is in `output` now, and has it written. */
static void
flush_later_locked (MaltConnection     *self,
                    const MaltOutgoing *outgoing)
{
  self->n_answers += outgoing->is_answer ? 1 : 0;
  self->output_size += MALT_FRAME_HEADER_SIZE + outgoing->frame.length - outgoing->sent;

  watch_room_locked (self);
  if (self->output.length == 1 && !malt_transport_want_room (self->transport))
    g_source_set_ready_time (self->flush_source, 0);
}

static gboolean
is_full_locked (MaltConnection *self)
{
  return self->output_size >= MALT_LIMIT_QUEUED_OUTPUT ||
         malt_id_table_size (&self->unfinished) >= MALT_LIMIT_UNFINISHED;
}

static int
compare_outgoing (gconstpointer outgoing,
                  gconstpointer request)
{
  return ((const MaltOutgoing *) outgoing)->request != request;
}

/* How many workers have something to do; those of other backends are not known. */
static gint n_busy;

static void
count_busy_locked (MaltConnection *self)
{
  gboolean crowded;

  if (!self->is_busy)
    {
      self->is_busy = TRUE;
      g_atomic_int_inc (&n_busy);
    }

  crowded = (guint) g_atomic_int_get (&n_busy) >= self->n_cpus;
  if (crowded != self->is_crowded)
    {
      self->is_crowded = crowded;
      malt_transport_set_crowded (self->transport, crowded);
    }
}

/* A request is off the table of those that are unfinished. */
void
malt_connection_answered_locked (MaltConnection *self)
{
  if (self->is_busy && malt_id_table_size (&self->unfinished) == 0)
    {
      self->is_busy = FALSE;
      g_atomic_int_add (&n_busy, -1);
    }
  if (self->unsent.length > 0)
    malt_connection_write_unsent_locked (self);
}

/* Takes back a request that was not sent. */
gboolean
malt_connection_withdraw_locked (MaltConnection *self,
                                 MaltRequest    *request)
{
  GList *link = g_queue_find_custom (&self->unsent, request, compare_outgoing);

  if (link == NULL)
    return FALSE;

  g_queue_unlink (&self->unsent, link);
  malt_outgoing_free (link->data);
  return TRUE;
}

/* Gives the frame its number and enters its request in the table. */
static void
number_locked (MaltConnection *self,
               MaltOutgoing       *outgoing)
{
  MaltRequest *request = g_steal_pointer (&outgoing->request);

  malt_large_value_send (&outgoing->value);
  if (outgoing->frame.id == 0)
    outgoing->frame.id = ++self->last_id;
  malt_frame_encode (&outgoing->frame, outgoing->header);
  MALT_DEBUG (WIRE, "%p: %s request %" G_GUINT64_FORMAT ", %u bytes", (gpointer) self,
              malt_frame_type_name (outgoing->frame.type), outgoing->frame.id, outgoing->frame.length);

  if (request == NULL) /* nobody is to hear of it */
    return;

  malt_request_set_id (request, outgoing->frame.id);
  if ((outgoing->frame.flags & MALT_FRAME_NO_REPLY) != 0)
    {
      g_object_unref (request);
      return;
    }

  if (outgoing->frame.type == MALT_FRAME_OPEN)
    self->n_opening++;
  count_busy_locked (self);
  malt_connection_await_reply_locked (self, request);
  malt_id_table_insert (&self->unfinished, outgoing->frame.id, request);
}

/* Writes the frame as far as there is room, unless others wait for that.
 *
 * Whoever sends many frames to a worker that is no faster finds room again and again while
 * they are still being sent.  To use it here, once in a while, spares the worker and the
 * library context a wake-up for each half of a ring, and whoever sends the time for which
 * the latter has the lock. */
static MaltIo
write_in_turn_locked (MaltConnection *self,
                      MaltOutgoing   *outgoing,
                      gconstpointer   body)
{
  guint n;

  if (self->output.length > 0 && self->output.length % CATCH_UP_PERIOD == 0)
    for (n = 0; n < 2 * CATCH_UP_PERIOD && self->output.length > 0; n++)
      if (write_head_locked (self) != MALT_IO_DONE)
        break;

  return self->output.length == 0 ? write_frame_locked (self, outgoing, body) : MALT_IO_AGAIN;
}

/* Writes the frame as far as there is room, in its turn.  The body is @message, which is
 * taken if it has to be kept, or that of @outgoing.  Takes what @outgoing holds. */
static void
write_or_queue_locked (MaltConnection *self,
                       MaltOutgoing   *outgoing,
                       MaltMessage    *message)
{
  gconstpointer body = outgoing->body != NULL ? g_bytes_get_data (outgoing->body, NULL) : message->data;

  if (write_in_turn_locked (self, outgoing, body) == MALT_IO_AGAIN)
    {
      malt_outgoing_push (&self->output, outgoing, message);
      flush_later_locked (self, outgoing);
    }
  else
    g_clear_pointer (&outgoing->body, g_bytes_unref);
}

/* Writes the answer to a call of the program's functions, in its turn: not behind requests
 * that wait for the worker, as the worker waits for it.  Takes what @outgoing and @message
 * hold, unless the connection is closed. */
void
malt_connection_answer_locked (MaltConnection *self,
                               MaltOutgoing   *outgoing,
                               MaltMessage    *message)
{
  if (self->closed)
    return;

  outgoing->frame.length = (guint32) (outgoing->body != NULL ? g_bytes_get_size (outgoing->body) : message->size);
  malt_large_value_send (&outgoing->value);
  malt_frame_encode (&outgoing->frame, outgoing->header);
  outgoing->is_answer = TRUE;
  MALT_DEBUG (WIRE, "%p: %s to call %" G_GUINT64_FORMAT ", %u bytes", (gpointer) self,
              malt_frame_type_name (outgoing->frame.type), outgoing->frame.id, outgoing->frame.length);
  write_or_queue_locked (self, outgoing, message);
  outgoing->body = NULL;
}

void
malt_connection_write_unsent_locked (MaltConnection *self)
{
  while (self->unsent.length > 0 && !self->closed && !is_full_locked (self))
    {
      MaltOutgoing *outgoing = malt_outgoing_pop (&self->unsent);

      number_locked (self, outgoing);
      if (write_in_turn_locked (self, outgoing, outgoing->data) == MALT_IO_AGAIN)
        {
          g_queue_push_tail_link (&self->output, &outgoing->link);
          flush_later_locked (self, outgoing);
        }
      else
        {
          malt_outgoing_free (outgoing);
        }
    }
}

/* Serialises and checks a call: as @message, or, where large arguments are in the arena, as
 * the body of @outgoing. */
static gboolean
write_call (MaltConnection  *self,
            const char      *function,
            GVariant        *arguments,
            GVariant        *keywords,
            MaltOutgoing    *outgoing,
            MaltMessage     *message,
            GError         **error)
{
  outgoing->frame.type = MALT_FRAME_CALL;
  return malt_call_body_write (self->transport->arena, MALT_PEER_WORKER, function, arguments, keywords,
                               self->max_body, self->max_value, &outgoing->frame, &outgoing->value,
                               &outgoing->body, message, error);
}

static gboolean
write_request (MaltConnection  *self,
               MaltRequest     *request,
               MaltOutgoing    *outgoing,
               MaltMessage     *message,
               GError         **error)
{
  MaltRequestFlags flags = malt_request_get_flags (request);

  if ((flags & MALT_REQUEST_FLAGS_NO_VALUE) != 0)
    outgoing->frame.flags |= MALT_FRAME_NO_VALUE;
  if ((flags & MALT_REQUEST_FLAGS_NO_REPLY) != 0)
    outgoing->frame.flags |= MALT_FRAME_NO_REPLY;

  if (malt_request_get_kind (request) == MALT_REQUEST_KIND_CALL)
    return write_call (self, malt_request_get_function (request), malt_request_get_arguments (request),
                       malt_request_get_keywords (request), outgoing, message, error);

  outgoing->frame.type = MALT_FRAME_EVAL;
  if (malt_request_get_kind (request) == MALT_REQUEST_KIND_CHANNEL)
    {
      outgoing->frame.type = MALT_FRAME_OPEN;
      if (!self->has_channels)
        {
          g_set_error_literal (error, MALT_ERROR, MALT_ERROR_NOT_SUPPORTED, "the worker has no channels");
          return FALSE;
        }
    }
  return malt_message_write_eval (message, malt_request_get_module (request),
                                  malt_request_get_source (request), self->max_body, error);
}

/* Sends the frame, or keeps it until it can be sent.  Takes what @outgoing and @message
 * hold. */
static void
submit_locked (MaltConnection *self,
               MaltOutgoing   *outgoing,
               MaltMessage    *message)
{
  outgoing->frame.length = (guint32) (outgoing->body != NULL ? g_bytes_get_size (outgoing->body) : message->size);

  if (self->unsent.length == 0 && !self->closed && !is_full_locked (self))
    {
      number_locked (self, outgoing);
      write_or_queue_locked (self, outgoing, message);
    }
  else
    {
      malt_outgoing_push (&self->unsent, outgoing, message);
    }
}

/* Sends a request, or keeps it until it can be sent.  On any thread; never blocks.
 *
 * If the connection is closed it is kept as well: whoever has closed it is about to report how
 * the worker has ended, and ends what is under way with that. */
void
malt_connection_submit (MaltConnection *self,
                        MaltRequest    *request)
{
  MaltOutgoing outgoing = { 0 };
  gboolean unwanted;
  MaltMessage message;
  GError *error = NULL;

  /* Before the lock is taken. */
  if (!write_request (self, request, &outgoing, &message, &error))
    {
      g_mutex_lock (&self->lock);
      g_hash_table_remove (self->unwanted, request);
      g_mutex_unlock (&self->lock);
      malt_request_return_error (request, error);
      return;
    }

  g_mutex_lock (&self->lock);
  unwanted = g_hash_table_size (self->unwanted) > 0 && g_hash_table_remove (self->unwanted, request);
  if (!unwanted)
    {
      outgoing.request = g_object_ref (request);
      submit_locked (self, &outgoing, &message);
    }
  g_mutex_unlock (&self->lock);

  malt_message_clear (&message);
  if (unwanted)
    {
      g_clear_pointer (&outgoing.body, g_bytes_unref);
      malt_large_value_clear (&outgoing.value);
      malt_request_return_withdrawn (request);
    }
  else if ((malt_request_get_flags (request) & MALT_REQUEST_FLAGS_NO_REPLY) != 0)
    malt_request_return_value (request, NULL);
}

/* Sends a call of which nobody is to hear.  On any thread; never blocks. */
gboolean
malt_connection_post (MaltConnection  *self,
                      const char      *function,
                      GVariant        *arguments,
                      GVariant        *keywords,
                      GError         **error)
{
  MaltOutgoing outgoing = { .frame.flags = MALT_FRAME_NO_VALUE | MALT_FRAME_NO_REPLY };
  MaltMessage message;
  gboolean closed;

  if (!write_call (self, function, arguments, keywords, &outgoing, &message, error))
    return FALSE;

  g_mutex_lock (&self->lock);
  closed = self->closed;
  if (!closed)
    submit_locked (self, &outgoing, &message);
  g_mutex_unlock (&self->lock);

  malt_message_clear (&message);
  if (!closed)
    return TRUE;

  g_clear_pointer (&outgoing.body, g_bytes_unref);
  malt_large_value_clear (&outgoing.value);
  g_set_error_literal (error, MALT_ERROR, MALT_ERROR_TERMINATED, "the connection to the worker is closed");
  return FALSE;
}

/* Sends a value that belongs to a channel, and tells how large it is.  On any thread; never
 * blocks. */
gboolean
malt_connection_send_value (MaltConnection  *self,
                            MaltFrameType    type,
                            guint64          id,
                            GVariant        *value,
                            gsize           *size,
                            GError         **error)
{
  MaltOutgoing outgoing = { .frame.type = type, .frame.id = id };
  MaltMessage message;
  GError *failure = NULL;
  gboolean closed;

  message.block = NULL;
  *size = g_variant_get_size (value);
  if (self->transport->arena != NULL && *size >= MALT_LARGE_VALUE_SIZE &&
      malt_large_value_put (&outgoing.value, self->transport->arena, MALT_PEER_WORKER, value, NULL,
                            self->max_value, &outgoing.body, &failure))
    outgoing.frame.flags = MALT_FRAME_IN_ARENA;
  else if (failure == NULL && malt_message_write_value (&message, value, self->max_body, &failure))
    *size = message.size;
  if (failure != NULL)
    {
      g_propagate_error (error, failure);
      return FALSE;
    }

  g_mutex_lock (&self->lock);
  closed = self->closed;
  if (!closed)
    submit_locked (self, &outgoing, &message);
  g_mutex_unlock (&self->lock);

  malt_message_clear (&message);
  if (!closed)
    return TRUE;

  g_clear_pointer (&outgoing.body, g_bytes_unref);
  malt_large_value_clear (&outgoing.value);
  g_set_error_literal (error, MALT_ERROR, MALT_ERROR_TERMINATED, "the connection to the worker is closed");
  return FALSE;
}

/* Sends what is only a header, behind all else. */
void
malt_connection_send_empty_locked (MaltConnection *self,
                                   MaltFrameType   type,
                                   guint64         id)
{
  MaltOutgoing outgoing = { .frame.type = type, .frame.id = id };
  MaltMessage message;

  message.data = NULL;
  message.block = NULL;
  message.size = 0;
  if (!self->closed)
    submit_locked (self, &outgoing, &message);
}

/* Gives room for an argument that need not be copied, or %NULL.  On any thread. */
GBytes *
malt_connection_new_buffer (MaltConnection *self,
                            gsize           size,
                            gpointer       *data)
{
  return malt_large_value_new_buffer (self->transport->arena, size, data);
}
