/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-connection-private.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "malt-deadline.h"
#include "malt-debug.h"
#include "malt-fork.h"
#include "malt-limits.h"
#include "malt-message.h"

/* The data road, from the worker to whoever waits for its replies. */

/* A thread that waits for a request, or for something to become TRUE, on its stack. */
typedef struct
{
  MaltRequest *request;
  const gint  *done;      /* else */
  gint         cancelled; /* atomic */
  GCond        cond;
} Waiter;

/* Once the request is done: whoever waits for it looks whether it is after having said that
 * he waits. */
void
malt_connection_wake_waiter_of (MaltConnection *self,
                                MaltRequest    *request)
{
  GList *link;

  if (g_atomic_int_get (&self->n_waiters) == 0)
    return;

  g_mutex_lock (&self->lock);
  for (link = self->waiters.head; link != NULL; link = link->next)
    {
      Waiter *waiter = link->data;

      if (waiter->request == request)
        g_cond_signal (&waiter->cond);
    }
  g_mutex_unlock (&self->lock);
}

static void
wake_reader_locked (MaltConnection *self)
{
  guint64 one = 1;

  if (self->wake_fd != -1 && write (self->wake_fd, &one, sizeof one) < 0)
    g_assert (errno == EAGAIN || errno == EINTR);
}

/* Whoever finishes a request without the reader's role does not know whether it is the
 * reader who waits for it: that one polls, and is among no waiters. */
void
malt_connection_wake_reader (MaltConnection *self)
{
  g_mutex_lock (&self->lock);
  wake_reader_locked (self);
  g_mutex_unlock (&self->lock);
}

/* The same for what is no request.  Who has the role and polls is told too. */
void
malt_connection_wake_waiter_for (MaltConnection *self,
                                 const gint     *done)
{
  GList *link;

  if (g_atomic_int_get (&self->n_waiters) == 0 && g_atomic_pointer_get (&self->sleeper) == NULL)
    return;

  g_mutex_lock (&self->lock);
  for (link = self->waiters.head; link != NULL; link = link->next)
    {
      Waiter *waiter = link->data;

      if (waiter->done == done)
        g_cond_signal (&waiter->cond);
    }
  if (self->sleeper == done)
    wake_reader_locked (self);
  g_mutex_unlock (&self->lock);
}

/* The reader's role. */

/* @is_readable: the transport's descriptor is, or may be. */
gboolean
malt_connection_take_role_locked (MaltConnection *self,
                                  gboolean        is_readable)
{
  if (self->reading || self->lost || self->generation != malt_fork_get_generation ())
    return FALSE;

  /* There is somebody to find out now. */
  self->reading = TRUE;
  g_atomic_int_set (&self->has_more, FALSE);
  malt_transport_disarm (self->transport, is_readable);
  return TRUE;
}

/* Nobody has the role: hands it to a thread that waits, or sees to it that those who sleep
 * are told. */
static void
offer_role_locked (MaltConnection *self)
{
  Waiter *next = g_queue_peek_head (&self->waiters);

  if (self->reading)
    return;

  if (next != NULL)
    {
      g_cond_signal (&next->cond);
      return;
    }

  malt_connection_listen_locked (self);
  if (self->poller == NULL)
    malt_connection_wake_sleeper_locked (self);
}

static gboolean
read_cb (gpointer user_data)
{
  malt_connection_read_soon (user_data);
  return G_SOURCE_REMOVE;
}

/* Has the library context read. */
static void
read_in_library (MaltConnection *self)
{
  g_autoptr (GSource) source = g_idle_source_new ();

  g_source_set_static_name (source, "[malt] read");
  g_source_set_priority (source, G_PRIORITY_DEFAULT);
  g_source_set_callback (source, read_cb, malt_connection_ref (self), (GDestroyNotify) malt_connection_unref);
  g_source_attach (source, malt_get_library_context ());
}

static void
give_role_back (MaltConnection *self)
{
  g_mutex_lock (&self->lock);
  self->reading = FALSE;
  if (G_UNLIKELY (self->read_due))
    {
      self->read_due = FALSE;
      read_in_library (self);
    }
  if (self->closing) /* GCond makes a system call even if nobody waits */
    g_cond_broadcast (&self->role_free);
  offer_role_locked (self);
  g_mutex_unlock (&self->lock);
}

/* Replies. */

/* A request that is under way, or %NULL. */
MaltRequest *
malt_connection_ref_unfinished (MaltConnection *self,
                                guint64         id)
{
  MaltRequest *request;

  g_mutex_lock (&self->lock);
  request = malt_id_table_lookup (&self->unfinished, id);
  if (request != NULL)
    g_object_ref (request);
  g_mutex_unlock (&self->lock);

  return request;
}

/* Takes the request that a reply is for off the table. */
static MaltRequest *
take_unfinished (MaltConnection   *self,
                 const MaltFrame  *frame,
                 GError          **error)
{
  MaltRequest *request = NULL;
  gboolean was_cancelled;

  g_mutex_lock (&self->lock);
  was_cancelled = g_hash_table_size (self->cancelled) > 0 &&
                  g_hash_table_remove (self->cancelled, GSIZE_TO_POINTER (frame->id));
  if (frame->type != MALT_FRAME_WITHDRAWN || was_cancelled)
    request = malt_id_table_steal (&self->unfinished, frame->id);
  if (request != NULL)
    {
      malt_connection_forget_locked (self, malt_request_get_context (request));
      malt_connection_answered_locked (self);
    }
  g_mutex_unlock (&self->lock);

  if (request == NULL)
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                 "a frame of type %s answers request %" G_GUINT64_FORMAT ", which %s",
                 malt_frame_type_name (frame->type), frame->id,
                 frame->type == MALT_FRAME_WITHDRAWN && !was_cancelled ? "nobody cancelled" : "is not under way");

  return request;
}

/* @body keeps @data, or is %NULL where they are only lent. */
gboolean
malt_connection_take_reply (MaltConnection   *self,
                            const MaltFrame  *frame,
                            gconstpointer     data,
                            GBytes           *body,
                            GError          **error)
{
  g_autoptr (GVariant) value = NULL;
  g_autoptr (GError) failure = NULL;
  g_autoptr (MaltChannel) channel = NULL;
  g_autoptr (MaltRequest) request = NULL;

  switch (frame->type)
    {
    case MALT_FRAME_ITEM:
    case MALT_FRAME_CREDIT:
    case MALT_FRAME_CLOSE:
    case MALT_FRAME_FINISH:
    case MALT_FRAME_PROBE:
    case MALT_FRAME_LEAVE:
    case MALT_FRAME_RECALL:
      return malt_connection_take_channel_frame (self, frame, data, body, error);

    case MALT_FRAME_CHANNEL:
      if (!malt_connection_take_channel (self, frame, data, &channel, error))
        return FALSE;
      break;

    case MALT_FRAME_VALUE:
      if ((frame->flags & MALT_FRAME_IN_ARENA) != 0
            ? !malt_large_value_take (self->transport->view, MALT_PEER_WORKER, data, frame->length,
                                      self->max_value, &value, NULL, error)
            : !malt_message_read_value (data, frame->length, body, &value, error))
        return FALSE;
      break;

    case MALT_FRAME_ERROR:
      failure = malt_message_read_error (data, frame->length, error);
      if (failure == NULL)
        return FALSE;
      break;

    case MALT_FRAME_WITHDRAWN:
      break;

    default:
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                   "a worker may not send a frame of type %s now", malt_frame_type_name (frame->type));
      return FALSE;
    }

  request = take_unfinished (self, frame, error);
  if (request == NULL)
    return FALSE;

  MALT_DEBUG (WIRE, "%p: %s for request %" G_GUINT64_FORMAT, (gpointer) self,
              malt_frame_type_name (frame->type), frame->id);

  if (failure != NULL)
    malt_request_return_error (request, g_steal_pointer (&failure));
  else if (channel != NULL)
    malt_request_return_channel (request, channel);
  else if (frame->type == MALT_FRAME_WITHDRAWN)
    malt_request_return_withdrawn (request);
  else
    malt_request_return_value (request, value);

  malt_connection_wake_waiter_of (self, request);
  if (G_UNLIKELY (malt_request_get_kind (request) == MALT_REQUEST_KIND_CHANNEL))
    {
      g_clear_object (&channel);
      malt_connection_opened (self);
    }
  return TRUE;
}

/* Whether the worker says it of its own accord. */
static inline gboolean
is_said (const MaltFrame *frame)
{
  return (frame->type >= MALT_FRAME_HOST_CALL && frame->type <= MALT_FRAME_OUTPUT) ||
         frame->type == MALT_FRAME_HOST_CANCEL;
}

/* Reads what is there, in the reader's role, until it has taken the answer to
 * @awaited or, without one, the work of one dispatch. */
static MaltIo
read_replies (MaltConnection  *self,
              MaltRequest     *awaited,
              GError         **error)
{
  gsize id = awaited != NULL ? malt_request_get_id (awaited) : 0;
  gsize bytes = 0;
  guint n;

  for (n = 0; n < MALT_LIMIT_DISPATCH_FRAMES && bytes < MALT_LIMIT_DISPATCH_BYTES; n++)
    {
      g_autoptr (GBytes) body = NULL;
      gconstpointer data;
      MaltFrame frame;
      MaltIo io;

      io = malt_frame_reader_next (self->reader, self->transport, &frame, &data, &body, error);
      if (io != MALT_IO_DONE)
        return io;
      if (frame.type == MALT_FRAME_WITHDRAWN)
        {
          g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                       "a frame of type withdrawn came on the data road");
          return MALT_IO_FAILED;
        }
      if (G_UNLIKELY (is_said (&frame))
            ? !malt_connection_take_said (self, &frame, data, body, error)
            : !malt_connection_take_reply (self, &frame, data, body, error))
        return MALT_IO_FAILED;

      bytes += frame.length;
      /* What is no reply may have such an id too; then it is only looked once more. */
      if (id != 0 && frame.id == id)
        break;
    }

  return MALT_IO_DONE;
}

/* Gives the reader's role back, and the connection up if it is of no more use. */
static void
finish_read (MaltConnection *self,
             MaltIo          io,
             const GError   *error)
{
  gboolean lost = io == MALT_IO_CLOSED || io == MALT_IO_FAILED;
  gboolean has_more;

  if (lost)
    {
      g_mutex_lock (&self->lock);
      self->lost = TRUE;
      if (self->breach == NULL && io == MALT_IO_FAILED)
        self->breach = g_strdup (error->message);
      g_mutex_unlock (&self->lock);
    }

  has_more = io == MALT_IO_DONE && malt_frame_reader_has_more (self->reader);
  g_atomic_int_set (&self->has_more, has_more);
  give_role_back (self);
  if (has_more)
    malt_connection_wake_listeners (self);

  if (lost)
    malt_connection_lose (self, io == MALT_IO_FAILED ? error->message : NULL);
}

/* Reads the work of one dispatch, in the reader's role, which is given back. */
void
malt_connection_read_in_role (MaltConnection *self)
{
  g_autoptr (GError) error = NULL;
  MaltIo io = read_replies (self, NULL, &error);

  finish_read (self, io, error);
}

/* The same if something is there, or comes within the short time for which it pays to wait for it
 * awake.  Gives whether there was. */
gboolean
malt_connection_spin_in_role (MaltConnection *self)
{
  if (malt_transport_spin (self->transport))
    {
      malt_connection_read_in_role (self);
      return TRUE;
    }

  finish_read (self, MALT_IO_AGAIN, NULL);
  return FALSE;
}

/* Work of one dispatch each. */
#define TURNS_FOR_OTHERS 16

static gboolean
read_turns (MaltConnection *self,
            gboolean        is_due)
{
  g_autoptr (GError) error = NULL;
  gboolean has_role;
  guint n_again = 0, turns = 0;
  MaltIo io;

  g_mutex_lock (&self->lock);
  has_role = malt_connection_take_role_locked (self, TRUE);
  self->read_due |= is_due && self->reading && !has_role;
  g_mutex_unlock (&self->lock);
  if (!has_role)
    return FALSE;

  /* The first time after something was read it may only say that it has to look. */
  do
    {
      io = read_replies (self, NULL, &error);
      n_again = io == MALT_IO_AGAIN ? n_again + 1 : 0;
    }
  while ((io == MALT_IO_DONE || n_again == 1) && ++turns < TURNS_FOR_OTHERS);

  finish_read (self, io, error);
  return io == MALT_IO_DONE;
}

/* Reads what has arrived for callers who do not get round to it themselves: a context
 * that is busy, or a thread that is not there.  Gives whether there is more, as a worker that
 * goes on sending is not read for ever. */
gboolean
malt_connection_read_for_others (MaltConnection *self)
{
  return read_turns (self, FALSE);
}

/* The same, for what has to be read also if somebody else reads just now, who may not get that
 * far.  On the library context. */
void
malt_connection_read_soon (MaltConnection *self)
{
  if (read_turns (self, TRUE))
    read_in_library (self);
}

/* Reads to its end a transport that was shut down, once nobody else reads. */
void
malt_connection_drain (MaltConnection *self)
{
  g_autoptr (GError) error = NULL;
  gboolean has_role;
  MaltIo io;

  g_mutex_lock (&self->lock);
  self->closing = TRUE;
  while (self->reading)
    g_cond_wait (&self->role_free, &self->lock);
  has_role = malt_connection_take_role_locked (self, FALSE);
  g_mutex_unlock (&self->lock);
  if (!has_role)
    return;

  do
    io = read_replies (self, NULL, &error);
  while (io == MALT_IO_DONE || io == MALT_IO_AGAIN);
  finish_read (self, MALT_IO_CLOSED, NULL);
}

/* Blocking. */

/* Blocks until the transport can be read, somebody wakes the reader or the time (-1: none)
 * has passed. */
static void
poll_data (MaltConnection *self,
           int             timeout_msec)
{
  struct pollfd fds[2] = {
    { .fd = self->transport->fd, .events = POLLIN },
    { .fd = self->wake_fd, .events = POLLIN },
  };

  if (malt_transport_arm (self->transport))
    return;

  if (poll (fds, G_N_ELEMENTS (fds), timeout_msec) > 0 && fds[1].revents != 0)
    {
      guint64 count;

      if (read (self->wake_fd, &count, sizeof count) < 0)
        g_assert (errno == EAGAIN || errno == EINTR);
    }
  malt_transport_disarm (self->transport, fds[0].revents != 0);
}

/* Waits for the role with the others. */
static void
await_role_locked (MaltConnection *self,
                   GList          *link,
                   gint64          deadline)
{
  Waiter *waiter = link->data;

  g_queue_push_tail_link (&self->waiters, link);
  g_atomic_int_inc (&self->n_waiters);
  if (waiter->request != NULL ? !malt_request_is_done (waiter->request)
                              : !g_atomic_int_get (waiter->done) && !g_atomic_int_get (&waiter->cancelled))
    {
      if (deadline < 0)
        g_cond_wait (&waiter->cond, &self->lock);
      else
        g_cond_wait_until (&waiter->cond, &self->lock, deadline);
    }
  g_atomic_int_add (&self->n_waiters, -1);
  g_queue_unlink (&self->waiters, link);
}

/* Blocks until the request is done, this thread is wanted elsewhere or the deadline, a monotonic
 * time or -1, has passed, reading replies for everybody meanwhile.  Once the connection is lost,
 * the wait goes on until somebody ends the request. */
void
malt_connection_wait (MaltConnection *self,
                      MaltWorker     *worker,
                      MaltRequest    *request,
                      gint64          deadline)
{
  Waiter waiter = { .request = request };
  GList link = { .data = &waiter };
  gboolean has_waited = FALSE, in_time = TRUE;

  g_cond_init (&waiter.cond);
  g_mutex_lock (&self->lock);

  while (!malt_request_is_done (request) && !malt_worker_has_errands (worker) && in_time)
    {
      g_autoptr (GError) error = NULL;
      MaltIo io;

      if (!malt_connection_take_role_locked (self, FALSE))
        {
          has_waited = TRUE;
          await_role_locked (self, &link, deadline);
          in_time = malt_deadline_time_left (deadline) != 0;
          continue;
        }
      g_mutex_unlock (&self->lock);

      do
        {
          io = read_replies (self, request, &error);
          in_time = malt_deadline_time_left (deadline) != 0;
          if (io == MALT_IO_AGAIN && in_time && !malt_request_is_done (request) &&
              !malt_worker_has_errands (worker) && !malt_transport_spin (self->transport))
            poll_data (self, malt_deadline_time_left (deadline));
        }
      while ((io == MALT_IO_DONE || io == MALT_IO_AGAIN) && in_time && !malt_request_is_done (request) &&
             !malt_worker_has_errands (worker));

      finish_read (self, io, error);
      g_mutex_lock (&self->lock);
    }

  /* The role may have been handed to this waiter just as it left. */
  if (has_waited)
    offer_role_locked (self);

  g_mutex_unlock (&self->lock);
  g_cond_clear (&waiter.cond);
}

static gboolean
is_over (const Waiter *waiter)
{
  return g_atomic_int_get (waiter->done) || g_atomic_int_get (&waiter->cancelled);
}

/* Sleeps with the role; who sets what is waited for sees that. */
static void
sleep_for (MaltConnection *self,
           Waiter         *waiter,
           gint64          deadline)
{
  g_mutex_lock (&self->lock);
  g_atomic_pointer_set (&self->sleeper, waiter->done);
  g_mutex_unlock (&self->lock);

  if (!is_over (waiter))
    poll_data (self, malt_deadline_time_left (deadline));

  g_mutex_lock (&self->lock);
  g_atomic_pointer_set (&self->sleeper, NULL);
  g_mutex_unlock (&self->lock);
}

typedef struct
{
  MaltConnection *connection;
  Waiter         *waiter;
} Cancelling;

/* On any thread. */
static void
cancelled_cb (GCancellable *cancellable,
              gpointer      user_data)
{
  Cancelling *cancelling = user_data;

  g_atomic_int_set (&cancelling->waiter->cancelled, TRUE);
  malt_connection_wake_waiter_for (cancelling->connection, cancelling->waiter->done);
}

/* Blocks until what @done points to is TRUE, in the same way.  Whoever sets it calls
 * malt_connection_wake_waiter_for().  Fails with G_IO_ERROR_CANCELLED, or MALT_ERROR_TIMEOUT
 * once @deadline, a monotonic time or -1, has passed. */
gboolean
malt_connection_wait_for (MaltConnection  *self,
                          const gint      *done,
                          gint64           deadline,
                          GCancellable    *cancellable,
                          GError         **error)
{
  Waiter waiter = { .done = done };
  Cancelling cancelling = { self, &waiter };
  GList link = { .data = &waiter };
  gboolean in_time = TRUE;
  gulong handler = 0;
  guint n_again = 0;

  g_cond_init (&waiter.cond);
  if (cancellable != NULL)
    handler = g_cancellable_connect (cancellable, G_CALLBACK (cancelled_cb), &cancelling, NULL);
  g_mutex_lock (&self->lock);

  while (!is_over (&waiter) && in_time)
    {
      g_autoptr (GError) failure = NULL;
      MaltIo io;

      if (!malt_connection_take_role_locked (self, FALSE))
        {
          await_role_locked (self, &link, deadline);
          in_time = malt_deadline_time_left (deadline) != 0;
          continue;
        }
      g_mutex_unlock (&self->lock);

      /* What is there is read in any case, for which it may have to look twice. */
      do
        {
          io = read_replies (self, NULL, &failure);
          in_time = malt_deadline_time_left (deadline) != 0 || (io == MALT_IO_AGAIN && n_again++ == 0);
          if (io == MALT_IO_AGAIN && in_time && n_again > 1 && !is_over (&waiter) &&
              !malt_transport_spin (self->transport))
            sleep_for (self, &waiter, deadline);
        }
      while ((io == MALT_IO_DONE || io == MALT_IO_AGAIN) && !is_over (&waiter) && in_time);

      finish_read (self, io, failure);
      g_mutex_lock (&self->lock);
    }

  /* The role may have been handed to this waiter just as it left. */
  offer_role_locked (self);
  g_mutex_unlock (&self->lock);
  if (handler != 0)
    g_cancellable_disconnect (cancellable, handler);
  g_cond_clear (&waiter.cond);

  if (g_atomic_int_get (done))
    return TRUE;
  if (waiter.cancelled)
    g_cancellable_set_error_if_cancelled (cancellable, error);
  else
    g_set_error_literal (error, MALT_ERROR, MALT_ERROR_TIMEOUT, "the time has passed");
  return FALSE;
}

/* Makes all waiting threads look again whether their requests are done. */
void
malt_connection_wake (MaltConnection *self)
{
  GList *link;

  g_mutex_lock (&self->lock);
  for (link = self->waiters.head; link != NULL; link = link->next)
    g_cond_signal (&((Waiter *) link->data)->cond);
  wake_reader_locked (self);
  g_mutex_unlock (&self->lock);
}
