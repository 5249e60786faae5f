/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-service-private.h"

#include <errno.h>
#include <unistd.h>

#include "malt-error.h"
#include "malt-request-private.h"
#include "malt-service-channels.h"
#include "wire/malt-call-body.h"
#include "wire/malt-limits.h"
#include "wire/malt-message.h"

/* The data road, from the manager.
 *
 * One thread at a time has the reader's role (`reading`), which is mostly the serving
 * thread, between requests.  While it is busy with one, whoever waits for something that
 * comes on this road takes the role (malt-service-wait.c), and keeps it for as long as he
 * waits; should the serving thread have nothing to do meanwhile, it has the runtime wait
 * for its turn, that is for the end of that or for a request.  Requests that others read
 * are queued, and start in their order on the serving thread, before it reads again. */

/* The reader's role. */

gboolean
malt_service_take_role (MaltService *self)
{
  return g_atomic_int_compare_and_exchange (&self->reading, FALSE, TRUE);
}

/* Ends what the serving thread has the runtime wait for. */
void
malt_service_set_turn (MaltService *self)
{
  guint64 one = 1;

  g_atomic_int_set (&self->turn_set, TRUE);
  if (write (self->turn_fd, &one, sizeof one) < 0)
    g_assert (errno == EAGAIN || errno == EINTR);
}

static void
clear_turn (MaltService *self)
{
  guint64 count;

  if (!g_atomic_int_compare_and_exchange (&self->turn_set, TRUE, FALSE))
    return;
  if (read (self->turn_fd, &count, sizeof count) < 0)
    g_assert (errno == EAGAIN || errno == EINTR);
}

/* Has somebody take the role who waits for it. */
void
malt_service_offer_role_locked (MaltService *self)
{
  MaltServiceWaiter *next = g_queue_peek_head (&self->waiters);

  if (g_atomic_int_get (&self->reading))
    return;

  if (self->awaits_turn)
    malt_service_set_turn (self);
  else if (next != NULL)
    g_cond_signal (&next->cond);
}

void
malt_service_give_role (MaltService *self)
{
  g_atomic_int_set (&self->reading, FALSE);

  /* Whoever waits has said so before he found that the role was taken. */
  if (G_LIKELY (g_atomic_int_get (&self->n_waiters) == 0))
    return;

  g_mutex_lock (&self->lock);
  malt_service_offer_role_locked (self);
  g_mutex_unlock (&self->lock);
}

/* Waiting, on the serving thread. */

/* Has the runtime wait for the descriptor, and go on with what it has. */
static void
wait_in_runtime (MaltService *self,
                 int          fd)
{
  self->is_in_wait = TRUE;
  malt_runtime_wait (self->runtime, fd);
  self->is_in_wait = FALSE;
  clear_turn (self);
}

/* Waits for something to read: awake, if it comes soon; else asleep.  With the role; FALSE
 * if it is lost, because code of the runtime has itself waited in malt_service_wait(). */
static gboolean
wait_for_data (MaltService *self)
{
  if (malt_transport_spin (self->data) || malt_transport_arm (self->data))
    return TRUE;

  self->is_idle = TRUE;
  wait_in_runtime (self, self->idle_fd);
  if (!self->is_idle)
    return FALSE;

  self->is_idle = FALSE;
  malt_transport_disarm (self->data, TRUE);
  return TRUE;
}

/* Waits until there may be a request that another thread has read, or the role is free. */
static void
wait_for_turn (MaltService *self)
{
  gboolean has_to_wait;

  g_mutex_lock (&self->lock);
  self->awaits_turn = TRUE;
  g_atomic_int_inc (&self->n_waiters);
  has_to_wait = g_atomic_int_get (&self->reading) && self->queued.length == 0;
  g_mutex_unlock (&self->lock);

  if (has_to_wait)
    wait_in_runtime (self, self->turn_fd);

  g_mutex_lock (&self->lock);
  if (self->awaits_turn)
    g_atomic_int_add (&self->n_waiters, -1);
  self->awaits_turn = FALSE;
  g_mutex_unlock (&self->lock);
}

/* Frames. */

/* With the role. */
MaltIo
malt_service_read_frame (MaltService    *self,
                         MaltFrame      *frame,
                         gconstpointer  *data,
                         GBytes        **body)
{
  g_autoptr (GError) error = NULL;
  MaltIo io;

  malt_service_check_copy ();
  io = malt_frame_reader_next (self->reader, self->data, frame, data, body, &error);
  if (io == MALT_IO_FAILED)
    malt_service_fail ("%s", error->message);

  return io;
}

static MaltRequest *
request_from_frame (MaltService     *self,
                    const MaltFrame *frame,
                    gconstpointer    data,
                    GBytes          *body)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) arguments = NULL;
  g_autoptr (GVariant) keywords = NULL;
  const char *name, *source;
  MaltRequestFlags flags = MALT_REQUEST_FLAGS_NONE;

  if ((frame->flags & MALT_FRAME_NO_VALUE) != 0)
    flags |= MALT_REQUEST_FLAGS_NO_VALUE;
  if ((frame->flags & MALT_FRAME_NO_REPLY) != 0)
    flags |= MALT_REQUEST_FLAGS_NO_REPLY;

  if (frame->type == MALT_FRAME_CALL)
    {
      if (!malt_call_body_read (self->data->view, MALT_PEER_MANAGER, frame, data, body, self->max_value,
                                &name, &arguments, &keywords, &error))
        malt_service_fail ("%s", error->message);

      return malt_request_new_call (name, arguments, keywords, flags);
    }

  if (!malt_message_read_eval (data, frame->length, &name, &source, &error))
    malt_service_fail ("%s", error->message);

  return frame->type == MALT_FRAME_OPEN ? malt_request_new_channel (name, source, flags)
                                        : malt_request_new_eval (name, source, flags);
}

/* Acts on a frame that was read; if it is a request gives that, (transfer full), which has
 * not started.  With the role. */
MaltRequest *
malt_service_take_frame (MaltService     *self,
                         const MaltFrame *frame,
                         gconstpointer    data,
                         GBytes          *body)
{
  MaltRequest *request;

  switch (frame->type)
    {
    case MALT_FRAME_CALL:
    case MALT_FRAME_EVAL:
    case MALT_FRAME_OPEN:
      break;
    case MALT_FRAME_ITEM:
    case MALT_FRAME_CLOSE:
    case MALT_FRAME_LEAVE:
      malt_service_take_channel_frame (self, frame, data, body);
      return NULL;
    case MALT_FRAME_HOST_VALUE:
    case MALT_FRAME_HOST_ERROR:
      malt_service_take_answer (self, frame, data, body);
      return NULL;
    default:
      malt_service_fail ("a frame of type %s came where a request was due", malt_frame_type_name (frame->type));
    }
  if (frame->id <= self->last_id)
    malt_service_fail ("request %" G_GUINT64_FORMAT " came after request %" G_GUINT64_FORMAT,
                       frame->id, self->last_id);
  self->last_id = frame->id;

  request = request_from_frame (self, frame, data, body);
  malt_request_set_id (request, frame->id);
  malt_service_adopt_request (self, request);

  return request;
}

/* Requests. */

/* Keeps a request for the serving thread, which is busy or waits for it.  Takes it. */
void
malt_service_queue_request (MaltService *self,
                            MaltRequest *request)
{
  g_mutex_lock (&self->lock);
  g_queue_push_tail (&self->queued, request);
  g_atomic_int_inc (&self->n_queued);
  if (self->awaits_turn)
    malt_service_set_turn (self);
  g_mutex_unlock (&self->lock);
}

static MaltRequest *
take_queued (MaltService *self)
{
  MaltRequest *request;

  g_mutex_lock (&self->lock);
  request = g_queue_pop_head (&self->queued);
  if (request != NULL)
    g_atomic_int_add (&self->n_queued, -1);
  g_mutex_unlock (&self->lock);

  return request;
}

/* Reads up to the next request, in the role, which is given back. */
static MaltRequest *
read_request (MaltService *self)
{
  MaltRequest *request = NULL;
  gboolean has_role = TRUE;

  while (has_role && request == NULL && !g_atomic_int_get (&self->ended))
    {
      g_autoptr (GBytes) body = NULL;
      gconstpointer data;
      MaltFrame frame;

      switch (malt_service_read_frame (self, &frame, &data, &body))
        {
        case MALT_IO_DONE:
          request = malt_service_take_frame (self, &frame, data, body);
          break;
        case MALT_IO_CLOSED:
          malt_service_end_waits (self);
          break;
        case MALT_IO_AGAIN:
        case MALT_IO_FAILED:
        default:
          has_role = wait_for_data (self);
        }
    }

  if (has_role)
    malt_service_give_role (self);
  return request;
}

/* Gives the next request, letting the runtime go on while there is none.  %NULL when the
 * manager has closed the road.  On the serving thread. */
MaltRequest *
malt_service_next_request (MaltService *self)
{
  while (!g_atomic_int_get (&self->ended) || g_atomic_int_get (&self->n_queued) > 0)
    {
      MaltRequest *request = NULL;

      if (!malt_service_take_role (self))
        wait_for_turn (self);
      else if (g_atomic_int_get (&self->n_queued) == 0)
        request = read_request (self);
      else
        malt_service_give_role (self);

      if (request == NULL && g_atomic_int_get (&self->n_queued) > 0)
        request = take_queued (self);
      if (request != NULL)
        return request;
    }

  return NULL;
}

/* Hands a request to the runtime, if it is still wanted and nobody has asked to stop.  Takes it.
 * On the serving thread. */
void
malt_service_start_request (MaltService *self,
                            MaltRequest *request)
{
  guint64 id = malt_request_get_id (request);
  gboolean dropped, interrupted;

  g_mutex_lock (&self->lock);
  while (self->holds_back)
    g_cond_wait (&self->may_begin, &self->lock);
  self->started_id = id;
  dropped = g_hash_table_remove (self->withdrawn, GSIZE_TO_POINTER (id)) || self->is_stopping;
  interrupted = self->interrupted_id == id;
  if (!dropped)
    malt_id_table_insert (&self->unfinished, id, request);
  g_mutex_unlock (&self->lock);

  if (dropped)
    malt_request_abandon (request);
  else if (interrupted)
    malt_request_return_error (request,
                               malt_remote_error_new (MALT_ERROR_INTERRUPTED, NULL,
                                                      "the request was interrupted before it started", NULL));
  else
    malt_runtime_handle (self->runtime, request);

  malt_request_release (request);
}
