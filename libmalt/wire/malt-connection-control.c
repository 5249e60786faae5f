/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-connection-private.h"

#include <glib-unix.h>
#include <string.h>

#include "malt-debug.h"
#include "malt-limits.h"

/* The control road, on which nothing waits behind data. */

/* The kernel takes a frame whole or not at all, as it is so small. */
static MaltIo
write_control (MaltConnection *self,
               const guint8   *header)
{
  struct iovec vector = { (gpointer) header, MALT_FRAME_HEADER_SIZE };
  gsize sent = 0;

  return malt_transport_send (self->control, &vector, 1, &sent, NULL);
}

static gboolean
flush_control_cb (int           fd,
                  GIOCondition  condition,
                  gpointer      user_data)
{
  MaltConnection *self = user_data;
  MaltIo io = MALT_IO_DONE;
  gsize done = 0;

  g_mutex_lock (&self->lock);
  while (done < self->control_output->len)
    {
      io = write_control (self, self->control_output->data + done);
      if (io != MALT_IO_DONE)
        break;
      done += MALT_FRAME_HEADER_SIZE;
    }
  if (io == MALT_IO_AGAIN)
    g_byte_array_remove_range (self->control_output, 0, (guint) done);
  else
    {
      g_byte_array_set_size (self->control_output, 0);
      g_clear_pointer (&self->control_flush, g_source_unref);
    }
  g_mutex_unlock (&self->lock);

  return io == MALT_IO_AGAIN ? G_SOURCE_CONTINUE : G_SOURCE_REMOVE;
}

static gboolean
adds_nothing_if_repeated (const guint8 *header)
{
  g_autofree char *reason = NULL;
  MaltFrame frame;

  return malt_frame_decode (header, &frame, &reason) &&
         (frame.type == MALT_FRAME_CANCEL || frame.type == MALT_FRAME_INTERRUPT || frame.type == MALT_FRAME_STOP);
}

/* Keeps a frame for which there is no room now.  A worker that reads none is beyond
 * asking; those who ask have a time-out and a signal as their next step. */
static gboolean
queue_control_locked (MaltConnection *self,
                      const guint8   *header)
{
  GByteArray *output = self->control_output;

  if (self->closed || output->len >= MALT_LIMIT_QUEUED_CONTROL)
    return FALSE;

  /* Interrupts that nobody has seen yet are one; of credit each counts. */
  if (output->len > 0 && adds_nothing_if_repeated (header) &&
      memcmp (output->data + output->len - MALT_FRAME_HEADER_SIZE, header, MALT_FRAME_HEADER_SIZE) == 0)
    return TRUE;

  g_byte_array_append (output, header, MALT_FRAME_HEADER_SIZE);
  if (self->control_flush == NULL)
    {
      self->control_flush = g_unix_fd_source_new (self->control->fd, G_IO_OUT);
      g_source_set_static_name (self->control_flush, "[malt] flush control");
      g_source_set_callback (self->control_flush, G_SOURCE_FUNC (flush_control_cb),
                             malt_connection_ref (self), (GDestroyNotify) malt_connection_unref);
      g_source_attach (self->control_flush, malt_get_library_context ());
    }

  return TRUE;
}

void
malt_connection_send_control (MaltConnection *self,
                              MaltFrameType   type,
                              guint16         flags,
                              guint64         id)
{
  guint8 header[MALT_FRAME_HEADER_SIZE];
  MaltFrame frame = { .type = type, .flags = flags, .id = id };
  MaltIo io = MALT_IO_AGAIN;
  gboolean taken;

  malt_frame_encode (&frame, header);
  g_mutex_lock (&self->lock);
  if (self->control_output->len == 0 && !self->closed)
    io = write_control (self, header);
  taken = io == MALT_IO_AGAIN ? queue_control_locked (self, header) : io == MALT_IO_DONE;
  g_mutex_unlock (&self->lock);

  if (!taken)
    MALT_DEBUG (WIRE, "%p: %s was not sent", (gpointer) self, malt_frame_type_name (type));
}

static void
cancel (MaltConnection *self,
        MaltRequest    *request,
        guint16         flags)
{
  gboolean withdrawn;
  guint64 id;

  /* Its answer may be there already. */
  malt_connection_read_for_others (self);
  if (malt_request_is_done (request))
    return;

  g_mutex_lock (&self->lock);
  id = malt_request_get_id (request);
  withdrawn = malt_connection_withdraw_locked (self, request);
  if (!withdrawn && id == 0 && !malt_request_is_done (request))
    g_hash_table_add (self->unwanted, g_object_ref (request));
  else if (id != 0 && malt_id_table_lookup (&self->unfinished, id) != NULL)
    g_hash_table_add (self->cancelled, GSIZE_TO_POINTER (id));
  g_mutex_unlock (&self->lock);

  if (withdrawn)
    {
      malt_request_return_withdrawn (request);
      malt_connection_wake_waiter_of (self, request);
      malt_connection_wake_reader (self);
    }
  else if (id != 0)
    malt_connection_send_control (self, MALT_FRAME_CANCEL, flags, id);
}

/* Withdraws a request that was not sent; else asks the worker to give it up. */
void
malt_connection_cancel (MaltConnection *self,
                        MaltRequest    *request)
{
  cancel (self, request, 0);
}

/* The same only if the worker has not begun it.  Gives whether that can be had; without a
 * request nothing else. */
gboolean
malt_connection_take_back (MaltConnection *self,
                           MaltRequest    *request)
{
  if (self->may_take_back && request != NULL)
    cancel (self, request, MALT_FRAME_UNBEGUN);

  return self->may_take_back;
}

/* The worker has said that it can.  Before the first request. */
void
malt_connection_allow_taking_back (MaltConnection *self)
{
  self->may_take_back = TRUE;
}

/* Interrupts a request, or what runs now. */
void
malt_connection_interrupt (MaltConnection *self,
                           MaltRequest    *request)
{
  guint64 id = 0;

  if (request != NULL)
    {
      malt_connection_read_for_others (self);
      id = malt_request_get_id (request);
      if (id != 0 && !malt_request_is_done (request))
        malt_connection_send_control (self, MALT_FRAME_INTERRUPT, 0, id);
      return;
    }

  /* Whether any of these is still under way only the worker can tell: of some nobody
   * awaits the end. */
  g_mutex_lock (&self->lock);
  id = self->last_id;
  g_mutex_unlock (&self->lock);

  if (id != 0)
    malt_connection_send_control (self, MALT_FRAME_INTERRUPT, MALT_FRAME_UP_TO, id);
}

static gboolean
stopping_cb (int           fd,
             GIOCondition  condition,
             gpointer      user_data)
{
  MaltConnection *self = user_data;

  g_source_set_ready_time (g_main_current_source (), -1);
  if (malt_connection_read_for_others (self))
    g_source_set_ready_time (g_main_current_source (), 0);
  return G_SOURCE_CONTINUE;
}

/* Asks the worker to stop.  Until it has, the library context reads too: a worker that
 * writes a large reply which nobody reads would otherwise not get round to stopping. */
void
malt_connection_stop (MaltConnection *self)
{
  malt_connection_send_control (self, MALT_FRAME_STOP, 0, 0);

  g_mutex_lock (&self->lock);
  if (self->stopping_source == NULL && !self->lost)
    {
      self->stopping_source = g_unix_fd_source_new (self->transport->fd, G_IO_IN);
      g_source_set_static_name (self->stopping_source, "[malt] stopping");
      g_source_set_callback (self->stopping_source, G_SOURCE_FUNC (stopping_cb),
                             malt_connection_ref (self), (GDestroyNotify) malt_connection_unref);
      g_source_attach (self->stopping_source, malt_get_library_context ());
      malt_connection_listen_locked (self);
    }
  g_mutex_unlock (&self->lock);
}

/* What the worker says on the control road: that a request was withdrawn, or that it has sent
 * what cannot wait until somebody reads. */
static gboolean
control_cb (int           fd,
            GIOCondition  condition,
            gpointer      user_data)
{
  MaltConnection *self = user_data;
  g_autoptr (GError) error = NULL;
  g_autofree char *reason = NULL;
  guint8 header[MALT_FRAME_HEADER_SIZE];
  MaltFrame frame;
  gsize n = 0;
  MaltIo io;

  /* The peer writes headers whole; a part of one is a breach like any other. */
  io = malt_transport_receive (self->control, header, sizeof header, &n, &error);
  if (io == MALT_IO_AGAIN)
    return G_SOURCE_CONTINUE;
  if (io == MALT_IO_CLOSED)
    return G_SOURCE_REMOVE;

  if (io == MALT_IO_FAILED)
    reason = g_strdup (error->message);
  else if (n != sizeof header)
    reason = g_strdup ("a part of a frame came on the control road");
  else if (malt_frame_decode (header, &frame, &reason))
    {
      if (frame.type == MALT_FRAME_RECALL || frame.type == MALT_FRAME_HOST_CANCEL)
        malt_connection_read_soon (self);
      else if (frame.type != MALT_FRAME_WITHDRAWN)
        reason = g_strdup_printf ("a frame of type %s came on the control road",
                                  malt_frame_type_name (frame.type));
      else if (malt_connection_take_reply (self, &frame, NULL, NULL, &error))
        malt_connection_wake_reader (self);
      else
        reason = g_strdup (error->message);
    }

  if (reason == NULL)
    return G_SOURCE_CONTINUE;

  malt_connection_lose (self, reason);
  return G_SOURCE_REMOVE;
}

/* Listens to it from now on. */
void
malt_connection_watch_control (MaltConnection *self)
{
  self->control_source = g_unix_fd_source_new (self->control->fd, G_IO_IN);
  g_source_set_static_name (self->control_source, "[malt] control");
  g_source_set_callback (self->control_source, G_SOURCE_FUNC (control_cb),
                         malt_connection_ref (self), (GDestroyNotify) malt_connection_unref);
  g_source_attach (self->control_source, malt_get_library_context ());
}
