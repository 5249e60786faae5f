/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-service-private.h"

#include <poll.h>

#include "malt-debug.h"
#include "malt-request-private.h"
#include "malt-service-channels.h"
#include "wire/malt-frame-writer.h"

/* The control road. */

static MaltRequest *
ref_unfinished (MaltService *self,
                guint64      id)
{
  MaltRequest *request;

  g_mutex_lock (&self->lock);
  request = malt_id_table_lookup (&self->unfinished, id);
  if (request != NULL)
    g_object_ref (request);
  g_mutex_unlock (&self->lock);

  return request;
}

/* The kernel takes a frame whole or not at all, as it is so small.  On any thread. */
void
malt_service_send_control (MaltService   *self,
                           MaltFrameType  type,
                           guint64        id)
{
  MaltFrame frame = { .type = type, .id = id };
  guint8 header[MALT_FRAME_HEADER_SIZE];
  gsize done = 0;

  malt_frame_encode (&frame, header);
  while (malt_frame_write (self->control, header, NULL, 0, &done, NULL) == MALT_IO_AGAIN)
    malt_transport_await_room (self->control);
}

static void
cancel (MaltService *self,
        guint64      id,
        gboolean     only_unbegun)
{
  g_autoptr (MaltRequest) request = NULL;
  gboolean withdrawn;

  g_mutex_lock (&self->lock);
  withdrawn = id > self->started_id && g_hash_table_add (self->withdrawn, GSIZE_TO_POINTER (id));
  g_mutex_unlock (&self->lock);

  if (withdrawn)
    {
      malt_service_send_control (self, MALT_FRAME_WITHDRAWN, id);
      return;
    }

  if (only_unbegun)
    return;

  request = ref_unfinished (self, id);
  if (request != NULL)
    malt_runtime_cancel (self->runtime, request);
}

typedef struct
{
  guint64      id;      /* the last that counts */
  MaltRequest *request;
} Latest;

static void
find_latest_cb (gpointer request,
                gpointer user_data)
{
  Latest *latest = user_data;
  guint64 id = malt_request_get_id (request);

  if (id <= latest->id && (latest->request == NULL || id > malt_request_get_id (latest->request)))
    latest->request = request;
}

/* The latest unfinished request up to @id. */
static MaltRequest *
ref_latest_unfinished (MaltService *self,
                       guint64      id)
{
  Latest latest = { id, NULL };

  g_mutex_lock (&self->lock);
  malt_id_table_foreach (&self->unfinished, find_latest_cb, &latest);
  if (latest.request != NULL)
    g_object_ref (latest.request);
  g_mutex_unlock (&self->lock);

  return latest.request;
}

/* The latest request up to @id that has yet to come, or 0. */
static guint64
find_latest_to_come_locked (MaltService *self,
                            guint64      id)
{
  while (id > self->started_id && g_hash_table_contains (self->withdrawn, GSIZE_TO_POINTER (id)))
    id--;

  return id > self->started_id ? id : 0;
}

/* Code that an ended request has left behind may hold up the serving thread, where it can be
 * reached by no request any more.  With `holds_back` set, so that it hits nothing else. */
static void
interrupt_rest (MaltService *self)
{
  malt_runtime_interrupt (self->runtime, NULL);

  g_mutex_lock (&self->lock);
  self->holds_back = FALSE;
  g_cond_signal (&self->may_begin);
  g_mutex_unlock (&self->lock);
}

/* An interrupt of whatever runs must not hit what was not yet under way when the manager
 * asked for it, and must hit what was, even if it has yet to come: neither road waits for
 * the other. */
static void
interrupt (MaltService     *self,
           const MaltFrame *frame)
{
  g_autoptr (MaltRequest) request = NULL;
  gboolean is_for_any = (frame->flags & MALT_FRAME_UP_TO) != 0;
  gboolean up_to_date, is_idle, is_early;

  g_mutex_lock (&self->lock);
  up_to_date = self->started_id <= frame->id;
  is_idle = malt_id_table_size (&self->unfinished) == 0;
  is_early = is_idle && self->started_id < frame->id;
  if (is_early)
    self->interrupted_id = is_for_any ? find_latest_to_come_locked (self, frame->id) : frame->id;
  self->holds_back = is_idle && is_for_any;
  g_mutex_unlock (&self->lock);

  if (is_idle && is_for_any)
    interrupt_rest (self);
  if (is_idle)
    return;

  request = is_for_any ? ref_latest_unfinished (self, frame->id) : ref_unfinished (self, frame->id);
  if (request == NULL)
    return;

  /* The one that is on its way to the runtime is not yet among what runs there. */
  if (is_for_any && up_to_date && malt_request_has_begun (request))
    malt_runtime_interrupt (self->runtime, NULL);
  else
    malt_runtime_interrupt (self->runtime, request);
}

/* The serving thread finds the end of the data road, once it is not busy; what it is
 * busy with is interrupted. */
static void
stop (MaltService *self)
{
  g_autoptr (MaltRequest) request = NULL;

  g_mutex_lock (&self->lock);
  self->is_stopping = TRUE;
  g_mutex_unlock (&self->lock);

  malt_transport_stop_receiving (self->data);

  /* The one that is on its way to the runtime is not yet among what runs there. */
  request = ref_latest_unfinished (self, G_MAXUINT64);
  if (request != NULL && !malt_request_has_begun (request))
    malt_runtime_interrupt (self->runtime, request);
  malt_runtime_interrupt (self->runtime, NULL);
}

/* On a thread of its own, for good. */
void
malt_service_run_control (MaltService *self)
{
  for (;;)
    {
      struct pollfd fd = { .fd = self->control->fd, .events = POLLIN };
      guint8 header[MALT_FRAME_HEADER_SIZE];
      g_autoptr (GError) error = NULL;
      g_autofree char *reason = NULL;
      MaltFrame frame;
      gsize n = 0;
      MaltIo io;

      poll (&fd, 1, -1);
      io = malt_transport_receive (self->control, header, sizeof header, &n, &error);
      if (io == MALT_IO_AGAIN)
        continue;
      if (io == MALT_IO_CLOSED)
        malt_service_end_everything ();
      if (io == MALT_IO_FAILED)
        malt_service_fail ("%s", error->message);
      if (n != sizeof header)
        malt_service_fail ("a part of a frame came on the control road");
      if (!malt_frame_decode (header, &frame, &reason))
        malt_service_fail ("%s", reason);

      MALT_DEBUG (WIRE, "worker: %s for request %" G_GUINT64_FORMAT, malt_frame_type_name (frame.type), frame.id);
      switch (frame.type)
        {
        case MALT_FRAME_CANCEL:
          cancel (self, frame.id, (frame.flags & MALT_FRAME_UNBEGUN) != 0);
          break;
        case MALT_FRAME_INTERRUPT:
          interrupt (self, &frame);
          break;
        case MALT_FRAME_STOP:
          stop (self);
          break;
        case MALT_FRAME_CREDIT:
        case MALT_FRAME_PROBE:
        case MALT_FRAME_WANT:
        case MALT_FRAME_RETURN:
          malt_service_control_channel (self, &frame);
          break;
        default:
          malt_service_fail ("a frame of type %s came on the control road", malt_frame_type_name (frame.type));
        }
    }
}
