/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-connection.h"

#include <errno.h>
#include <glib-unix.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "malt-debug.h"
#include "malt-limits.h"
#include "malt-message.h"
#include "malt-socket-transport.h"

/* The manager's end of the two roads to a worker.
 *
 * The data road is a transport: requests go out on it, values and errors come back.
 * The control road is a socket of its own, so that what must not wait behind data or
 * behind a busy worker (cancel, interrupt, stop) does not.
 *
 * Writing.  Whoever submits writes at once if it can.  What the transport has no room
 * for stays in `output`, which the library context writes out; when `output` or the
 * number of unanswered requests is at its limit, requests stay in `unsent`.  All in
 * the order in which they were submitted.
 *
 * Reading.  One thread at a time has the reader's role (`reading`): a thread in
 * malt_connection_wait(), or a main context that awaits a result, through its
 * MaltReplySource.  The reader completes whatever arrives, for everybody; completing
 * a request runs no foreign code, so that the role is never held for long by anyone
 * who is not just waiting.  A thread that leaves hands the role on to another one.
 *
 * No thread of the library's own is needed for a reply to arrive.  The library
 * context reads only the control road, and the data road once the worker is dead. */
struct _MaltConnection
{
  gatomicrefcount     ref_count;

  /* Immutable. */
  MaltTransport      *transport;
  MaltTransport      *control;
  int                 wake_fd;        /* makes the reading thread look again */
  gsize               max_body;
  MaltConnectionLost  lost_func;
  GDestroyNotify      lost_destroy;

  /* Owned by whoever has the reader's role. */
  MaltFrameReader    *reader;

  gint                has_more;       /* atomic: the reader may have whole frames that the
                                         descriptor does not tell of */

  GMutex              lock;

  /* Guarded by lock. */
  gboolean            reading;        /* somebody has the reader's role */
  gboolean            lost;           /* nothing more is read */
  gpointer            lost_data;      /* until somebody was told so */
  gboolean            closing;        /* somebody waits for role_free */
  gboolean            closed;         /* and nothing written */
  GCond               role_free;      /* for malt_connection_close() */
  GQueue              waiters;        /* of Waiter */
  GHashTable         *unfinished;     /* id → MaltRequest, sent and not answered, also
                                         those that nobody waits for any more */
  gsize               last_id;
  GQueue              unsent;         /* of Outgoing, not yet numbered */
  GHashTable         *unwanted;       /* MaltRequest, cancelled before it was submitted */
  GHashTable         *cancelled;      /* ids of unfinished ones that the worker may withdraw */
  GQueue              output;         /* of Outgoing, to be written */
  gsize               output_size;    /* bytes in it */
  GPtrArray          *reply_sources;  /* of MaltReplySource */
  GSource            *poller;         /* the one of them that polls, not owned; none once the
                                         connection is lost and closed */
  GSource            *flush_source;   /* on the library context while there is output */
  GSource            *control_source; /* on the library context */
  GSource            *stopping_source; /* on the library context once it is asked to stop */
  GByteArray         *control_output; /* whole frames, to be written to the control road */
  GSource            *control_flush;  /* on the library context while there are any */
};

/* A thread in malt_connection_wait(), on its stack. */
typedef struct
{
  MaltRequest *request;
  GCond        cond;
} Waiter;

/* A frame on its way out. */
typedef struct
{
  MaltRequest *request;               /* until it is numbered */
  MaltFrame    frame;
  guint8       header[MALT_FRAME_HEADER_SIZE];
  GBytes      *body;
  gsize        sent;                  /* bytes of header and body that are gone */
} Outgoing;

/* The source of a main context in which results are awaited.
 *
 * While there are any it wants to poll the data road; but if all such contexts did, each
 * reply would wake them all.  So one of those that sleep is the poller.  It gives that up
 * when it wakes, because nobody knows what its context does then, and wakes another one
 * that sleeps to take its place.
 *
 * It reads when it is checked, and is never dispatched.  A context that wakes does not
 * check what is of lower priority than a source that is ready, so a source of the usual
 * priority could miss that its context is awake, for good if its loop ends there; and one
 * of the highest priority that is never ready holds nobody up. */
#define REPLY_SOURCE_PRIORITY G_MININT

typedef struct
{
  GSource         source;
  MaltConnection *connection;
  GMainContext   *context;            /* not owned, but kept by what is awaited in it */
  GPollFD         poll_fd;            /* owned by the context's thread */

  /* Guarded by the connection's lock. */
  guint           n_awaited;
  gboolean        is_asleep;          /* or will be soon */
} MaltReplySource;

static void connection_lose     (MaltConnection *self, const char *reason);
static void write_unsent_locked (MaltConnection *self);

static void
outgoing_free (Outgoing *outgoing)
{
  g_clear_object (&outgoing->request);
  g_clear_pointer (&outgoing->body, g_bytes_unref);
  g_free (outgoing);
}

static MaltReplySource *
find_reply_source_locked (MaltConnection *self,
                          GMainContext   *context)
{
  guint i;

  for (i = 0; i < self->reply_sources->len; i++)
    {
      GSource *source = g_ptr_array_index (self->reply_sources, i);

      if (!g_source_is_destroyed (source) && ((MaltReplySource *) source)->context == context)
        return (MaltReplySource *) source;
    }

  return NULL;
}

static void
forget_awaited (MaltConnection *self,
                MaltRequest    *request)
{
  MaltReplySource *source;

  g_mutex_lock (&self->lock);
  source = find_reply_source_locked (self, malt_request_get_context (request));
  if (source != NULL && source->n_awaited > 0)
    source->n_awaited--;
  g_mutex_unlock (&self->lock);
}

static void
wake_waiter_of (MaltConnection *self,
                MaltRequest    *request)
{
  GList *link;

  g_mutex_lock (&self->lock);
  for (link = self->waiters.head; link != NULL; link = link->next)
    {
      Waiter *waiter = link->data;

      if (waiter->request == request)
        g_cond_signal (&waiter->cond);
    }
  g_mutex_unlock (&self->lock);
}

/* Whoever finishes a request without the reader's role does not know whether it is the
 * reader who waits for it: that one polls, and is among no waiters. */
static void
wake_reader (MaltConnection *self)
{
  guint64 one = 1;

  if (write (self->wake_fd, &one, sizeof one) < 0)
    g_assert (errno == EAGAIN || errno == EINTR);
}

/* Reading. */

static gboolean
take_role_locked (MaltConnection *self)
{
  if (self->reading || self->lost)
    return FALSE;

  /* There is somebody to find out now. */
  self->reading = TRUE;
  g_atomic_int_set (&self->has_more, FALSE);
  return TRUE;
}

/* Has a context that sleeps look whether it should poll now. */
static void
wake_sleeper_locked (MaltConnection *self)
{
  guint i;

  for (i = 0; i < self->reply_sources->len; i++)
    {
      MaltReplySource *source = g_ptr_array_index (self->reply_sources, i);

      if (source->is_asleep && source->n_awaited > 0)
        {
          g_main_context_wakeup (source->context);
          return;
        }
    }
}

static void
give_role_back (MaltConnection *self)
{
  Waiter *next;

  g_mutex_lock (&self->lock);
  self->reading = FALSE;
  if (self->closing) /* GCond makes a system call even if nobody waits */
    g_cond_broadcast (&self->role_free);
  next = g_queue_peek_head (&self->waiters);
  if (next != NULL)
    g_cond_signal (&next->cond);
  else if (self->poller == NULL)
    wake_sleeper_locked (self);
  g_mutex_unlock (&self->lock);
}

/* Takes the request that a reply is for off the table. */
static MaltRequest *
take_unfinished (MaltConnection   *self,
                 const MaltFrame  *frame,
                 GError          **error)
{
  MaltRequest *request = NULL;
  gboolean was_cancelled, known;

  g_mutex_lock (&self->lock);
  was_cancelled = g_hash_table_remove (self->cancelled, GSIZE_TO_POINTER (frame->id));
  known = (frame->type != MALT_FRAME_WITHDRAWN || was_cancelled) &&
          g_hash_table_steal_extended (self->unfinished, GSIZE_TO_POINTER (frame->id),
                                       NULL, (gpointer *) &request);
  if (known && self->unsent.length > 0)
    write_unsent_locked (self);
  g_mutex_unlock (&self->lock);

  if (!known)
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                 "a frame of type %s answers request %" G_GUINT64_FORMAT ", which %s",
                 malt_frame_type_name (frame->type), frame->id,
                 frame->type == MALT_FRAME_WITHDRAWN && !was_cancelled ? "nobody cancelled" : "is not under way");

  return request;
}

static gboolean
take_reply (MaltConnection   *self,
            const MaltFrame  *frame,
            GBytes           *body,
            GError          **error)
{
  g_autoptr (GVariant) value = NULL;
  g_autoptr (GError) failure = NULL;
  g_autoptr (MaltRequest) request = NULL;

  switch (frame->type)
    {
    case MALT_FRAME_VALUE:
      if (!malt_message_parse_value (body, &value, error))
        return FALSE;
      break;

    case MALT_FRAME_ERROR:
      failure = malt_message_parse_error (body, error);
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
  else if (frame->type == MALT_FRAME_WITHDRAWN)
    malt_request_return_withdrawn (request);
  else
    malt_request_return_value (request, value);

  if (malt_request_get_context (request) != NULL)
    forget_awaited (self, request);
  else
    wake_waiter_of (self, request);

  return TRUE;
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
      MaltFrame frame;
      MaltIo io;

      io = malt_frame_reader_next (self->reader, self->transport, &frame, &body, error);
      if (io != MALT_IO_DONE)
        return io;
      if (frame.type == MALT_FRAME_WITHDRAWN)
        {
          g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                       "a frame of type withdrawn came on the data road");
          return MALT_IO_FAILED;
        }
      if (!take_reply (self, &frame, body, error))
        return MALT_IO_FAILED;

      bytes += frame.length;
      if (id != 0 && frame.id == id)
        break;
    }

  return MALT_IO_DONE;
}

/* Lets the contexts that await results know that there is more to read than the
 * descriptor tells. */
static void
wake_contexts (MaltConnection *self)
{
  guint i;

  g_mutex_lock (&self->lock);
  for (i = 0; i < self->reply_sources->len; i++)
    {
      MaltReplySource *source = g_ptr_array_index (self->reply_sources, i);

      if (source->n_awaited > 0 && !g_main_context_is_owner (source->context))
        g_main_context_wakeup (source->context);
    }
  g_mutex_unlock (&self->lock);
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
      g_mutex_unlock (&self->lock);
    }

  has_more = io == MALT_IO_DONE && malt_frame_reader_has_more (self->reader);
  g_atomic_int_set (&self->has_more, has_more);
  give_role_back (self);
  if (has_more)
    wake_contexts (self);

  if (lost)
    connection_lose (self, io == MALT_IO_FAILED ? error->message : NULL);
}

/* Blocks until the transport can be read or somebody calls malt_connection_wake(). */
static void
poll_data (MaltConnection *self)
{
  struct pollfd fds[2] = {
    { .fd = self->transport->fd, .events = POLLIN },
    { .fd = self->wake_fd, .events = POLLIN },
  };

  if (poll (fds, G_N_ELEMENTS (fds), -1) > 0 && fds[1].revents != 0)
    {
      guint64 count;

      if (read (self->wake_fd, &count, sizeof count) < 0)
        g_assert (errno == EAGAIN || errno == EINTR);
    }
}

/* Blocks until the request is done, reading replies for everybody meanwhile.  Once
 * the connection is lost, the wait goes on until somebody ends the request. */
void
malt_connection_wait (MaltConnection *self,
                      MaltRequest    *request)
{
  Waiter waiter = { .request = request };
  GList link = { .data = &waiter };

  g_cond_init (&waiter.cond);
  g_mutex_lock (&self->lock);

  while (!malt_request_is_done (request))
    {
      g_autoptr (GError) error = NULL;
      MaltIo io;

      if (!take_role_locked (self))
        {
          g_queue_push_tail_link (&self->waiters, &link);
          g_cond_wait (&waiter.cond, &self->lock);
          g_queue_unlink (&self->waiters, &link);
          continue;
        }
      g_mutex_unlock (&self->lock);

      do
        {
          io = read_replies (self, request, &error);
          if (io == MALT_IO_AGAIN && !malt_request_is_done (request))
            poll_data (self);
        }
      while ((io == MALT_IO_DONE || io == MALT_IO_AGAIN) && !malt_request_is_done (request));

      finish_read (self, io, error);
      g_mutex_lock (&self->lock);
    }

  /* The role may have been handed to this waiter just as it left. */
  if (!self->reading && self->waiters.head != NULL)
    g_cond_signal (&((Waiter *) self->waiters.head->data)->cond);

  g_mutex_unlock (&self->lock);
  g_cond_clear (&waiter.cond);
}

/* Makes all waiting threads look again whether their requests are done. */
void
malt_connection_wake (MaltConnection *self)
{
  GList *link;

  g_mutex_lock (&self->lock);
  for (link = self->waiters.head; link != NULL; link = link->next)
    g_cond_signal (&((Waiter *) link->data)->cond);
  g_mutex_unlock (&self->lock);

  wake_reader (self);
}

/* The source's context is awake: somebody else should poll. */
static void
stop_polling_locked (MaltConnection *self,
                     GSource        *source)
{
  if (self->poller != source)
    return;

  self->poller = NULL;
  if (!self->reading)
    wake_sleeper_locked (self);
}

static gboolean
reply_source_prepare (GSource *source,
                      int     *timeout)
{
  MaltReplySource *self = (MaltReplySource *) source;
  MaltConnection *connection = self->connection;

  g_mutex_lock (&connection->lock);
  *timeout = self->n_awaited > 0 && g_atomic_int_get (&connection->has_more) ? 0 : -1;
  /* A thread that reads, reads for everybody. */
  if (self->n_awaited > 0 && !connection->reading && !connection->lost &&
      (connection->poller == NULL || g_source_is_destroyed (connection->poller)))
    connection->poller = source;
  self->poll_fd.events = connection->poller == source ? G_IO_IN : 0;
  self->is_asleep = TRUE;
  g_mutex_unlock (&connection->lock);

  return FALSE;
}

static gboolean
reply_source_check (GSource *source)
{
  MaltReplySource *self = (MaltReplySource *) source;
  g_autoptr (MaltConnection) connection = malt_connection_ref (self->connection);
  gboolean readable = (self->poll_fd.revents & (G_IO_IN | G_IO_HUP | G_IO_ERR)) != 0;
  gboolean has_role;

  g_mutex_lock (&connection->lock);
  self->is_asleep = FALSE;
  readable |= self->n_awaited > 0 && g_atomic_int_get (&connection->has_more);
  has_role = readable && take_role_locked (connection);
  g_mutex_unlock (&connection->lock);

  if (has_role)
    {
      g_autoptr (GError) error = NULL;
      MaltIo io = read_replies (connection, NULL, &error);

      finish_read (connection, io, error);
    }

  g_mutex_lock (&connection->lock);
  stop_polling_locked (connection, source);
  g_mutex_unlock (&connection->lock);

  return FALSE;
}

static void
reply_source_finalize (GSource *source)
{
  malt_connection_unref (((MaltReplySource *) source)->connection);
}

static GSourceFuncs reply_source_funcs = {
  .prepare = reply_source_prepare,
  .check = reply_source_check,
  .finalize = reply_source_finalize,
};

static MaltReplySource *
add_reply_source_locked (MaltConnection *self,
                         GMainContext   *context)
{
  GSource *source = g_source_new (&reply_source_funcs, sizeof (MaltReplySource));
  MaltReplySource *reply_source = (MaltReplySource *) source;
  guint i;

  /* Contexts come and go; those that are gone have destroyed their sources. */
  for (i = self->reply_sources->len; i > 0; i--)
    {
      GSource *gone = g_ptr_array_index (self->reply_sources, i - 1);

      if (!g_source_is_destroyed (gone))
        continue;
      stop_polling_locked (self, gone);
      g_ptr_array_remove_index_fast (self->reply_sources, i - 1);
    }

  g_source_set_static_name (source, "[malt] replies");
  g_source_set_priority (source, REPLY_SOURCE_PRIORITY);
  reply_source->connection = malt_connection_ref (self);
  reply_source->context = context;
  reply_source->poll_fd.fd = self->transport->fd;
  g_source_add_poll (source, &reply_source->poll_fd);
  g_source_attach (source, context);
  g_ptr_array_add (self->reply_sources, source);

  return reply_source;
}

/* Sees to it that the main context which awaits the request reads its reply. */
static void
await_reply_locked (MaltConnection *self,
                    MaltRequest    *request)
{
  GMainContext *context = malt_request_get_context (request);
  MaltReplySource *source;

  if (context == NULL || self->lost)
    return;

  source = find_reply_source_locked (self, context);
  if (source == NULL)
    source = add_reply_source_locked (self, context);

  /* A context that runs in another thread may be asleep without our descriptor. */
  if (source->n_awaited++ == 0 && !g_main_context_is_owner (context))
    g_main_context_wakeup (context);
}

/* Writing. */

/* Writes of the frame what there is room for. */
static MaltIo
write_frame (MaltConnection  *self,
             Outgoing        *outgoing,
             GError         **error)
{
  gsize body_size = outgoing->frame.length;
  gsize total = MALT_FRAME_HEADER_SIZE + body_size;

  while (outgoing->sent < total)
    {
      struct iovec vectors[2];
      gsize n = 0, sent = 0;
      MaltIo io;

      if (outgoing->sent < MALT_FRAME_HEADER_SIZE)
        vectors[n++] = (struct iovec) { outgoing->header + outgoing->sent,
                                        MALT_FRAME_HEADER_SIZE - outgoing->sent };
      if (body_size > 0)
        {
          gsize skip = MAX (outgoing->sent, MALT_FRAME_HEADER_SIZE) - MALT_FRAME_HEADER_SIZE;

          vectors[n++] = (struct iovec) { (guint8 *) g_bytes_get_data (outgoing->body, NULL) + skip,
                                          body_size - skip };
        }

      io = malt_transport_send (self->transport, vectors, n, &sent, error);
      if (io != MALT_IO_DONE)
        return io;
      outgoing->sent += sent;
    }

  return MALT_IO_DONE;
}

static gboolean
flush_cb (int           fd,
          GIOCondition  condition,
          gpointer      user_data)
{
  MaltConnection *self = user_data;
  MaltIo io = MALT_IO_DONE;

  g_mutex_lock (&self->lock);
  while (io == MALT_IO_DONE && self->output.length > 0)
    {
      Outgoing *outgoing = g_queue_peek_head (&self->output);
      gsize before = outgoing->sent;

      io = write_frame (self, outgoing, NULL);
      self->output_size -= outgoing->sent - before;
      if (io == MALT_IO_DONE)
        outgoing_free (g_queue_pop_head (&self->output));
      if (self->unsent.length > 0)
        write_unsent_locked (self);
    }
  /* A peer that is gone is found out by reading; there is nobody to write for. */
  if (io == MALT_IO_FAILED)
    malt_transport_shutdown (self->transport);
  if (io == MALT_IO_CLOSED || io == MALT_IO_FAILED || self->output.length == 0)
    {
      g_clear_pointer (&self->flush_source, g_source_unref);
      io = MALT_IO_CLOSED;
    }
  g_mutex_unlock (&self->lock);

  return io == MALT_IO_CLOSED ? G_SOURCE_REMOVE : G_SOURCE_CONTINUE;
}

static void
queue_output_locked (MaltConnection *self,
                     Outgoing       *outgoing)
{
  g_queue_push_tail (&self->output, outgoing);
  self->output_size += MALT_FRAME_HEADER_SIZE + outgoing->frame.length - outgoing->sent;

  if (self->flush_source == NULL)
    {
      self->flush_source = g_unix_fd_source_new (self->transport->fd, G_IO_OUT);
      g_source_set_static_name (self->flush_source, "[malt] flush");
      g_source_set_callback (self->flush_source, G_SOURCE_FUNC (flush_cb),
                             malt_connection_ref (self), (GDestroyNotify) malt_connection_unref);
      g_source_attach (self->flush_source, malt_get_library_context ());
    }
}

static gboolean
is_full_locked (MaltConnection *self)
{
  return self->output_size >= MALT_LIMIT_QUEUED_OUTPUT ||
         g_hash_table_size (self->unfinished) >= MALT_LIMIT_UNFINISHED;
}

/* Gives the frame its number and enters its request in the table. */
static void
number_locked (MaltConnection *self,
               Outgoing       *outgoing)
{
  g_autoptr (MaltRequest) request = g_steal_pointer (&outgoing->request);

  outgoing->frame.id = ++self->last_id;
  malt_request_set_id (request, outgoing->frame.id);
  malt_frame_encode (&outgoing->frame, outgoing->header);
  MALT_DEBUG (WIRE, "%p: %s request %" G_GUINT64_FORMAT ", %u bytes", (gpointer) self,
              malt_frame_type_name (outgoing->frame.type), outgoing->frame.id, outgoing->frame.length);

  if ((outgoing->frame.flags & MALT_FRAME_NO_REPLY) == 0)
    {
      await_reply_locked (self, request);
      g_hash_table_insert (self->unfinished, GSIZE_TO_POINTER (outgoing->frame.id), g_steal_pointer (&request));
    }
}

/* Writes the frame as far as there is room, in its turn.  Takes what @outgoing holds
 * but not @outgoing, which may be on the stack. */
static void
write_or_queue_locked (MaltConnection *self,
                       Outgoing       *outgoing)
{
  MaltIo io = MALT_IO_AGAIN;

  if (self->output.length == 0)
    io = write_frame (self, outgoing, NULL);

  if (io == MALT_IO_AGAIN)
    queue_output_locked (self, g_memdup2 (outgoing, sizeof *outgoing));
  else
    g_clear_pointer (&outgoing->body, g_bytes_unref);

  /* Whatever else keeps the kernel from taking it, half a frame may be gone, and the
   * road is of no more use: its readers will find it closed. */
  if (io == MALT_IO_FAILED)
    malt_transport_shutdown (self->transport);
}

static void
write_unsent_locked (MaltConnection *self)
{
  while (self->unsent.length > 0 && !is_full_locked (self))
    {
      g_autofree Outgoing *outgoing = g_queue_pop_head (&self->unsent);

      number_locked (self, outgoing);
      write_or_queue_locked (self, outgoing);
    }
}

static GBytes *
body_of_request (MaltConnection  *self,
                 MaltRequest     *request,
                 GError         **error)
{
  if (malt_request_get_kind (request) == MALT_REQUEST_KIND_CALL)
    return malt_message_new_call (malt_request_get_function (request),
                                  malt_request_get_arguments (request),
                                  malt_request_get_keywords (request),
                                  self->max_body, error);

  return malt_message_new_eval (malt_request_get_module (request),
                                malt_request_get_source (request),
                                self->max_body, error);
}

static guint16
flags_of_request (MaltRequest *request)
{
  MaltRequestFlags flags = malt_request_get_flags (request);

  return ((flags & MALT_REQUEST_FLAGS_NO_VALUE) != 0 ? MALT_FRAME_NO_VALUE : 0) |
         ((flags & MALT_REQUEST_FLAGS_NO_REPLY) != 0 ? MALT_FRAME_NO_REPLY : 0);
}

/* Sends a request, or keeps it until it can be sent.  On any thread; never blocks. */
void
malt_connection_submit (MaltConnection *self,
                        MaltRequest    *request)
{
  gboolean is_call = malt_request_get_kind (request) == MALT_REQUEST_KIND_CALL;
  gboolean closed, unwanted;
  Outgoing outgoing = { 0 };
  GError *error = NULL;

  /* Built, serialised and checked before the lock is taken. */
  outgoing.body = body_of_request (self, request, &error);
  if (outgoing.body == NULL)
    {
      g_mutex_lock (&self->lock);
      g_hash_table_remove (self->unwanted, request);
      g_mutex_unlock (&self->lock);
      malt_request_return_error (request, error);
      return;
    }

  outgoing.frame.type = is_call ? MALT_FRAME_CALL : MALT_FRAME_EVAL;
  outgoing.frame.flags = flags_of_request (request);
  outgoing.frame.length = (guint32) g_bytes_get_size (outgoing.body);
  outgoing.request = g_object_ref (request);

  g_mutex_lock (&self->lock);
  closed = self->closed;
  unwanted = g_hash_table_size (self->unwanted) > 0 && g_hash_table_remove (self->unwanted, request);
  if (!closed && !unwanted && (self->unsent.length > 0 || is_full_locked (self)))
    g_queue_push_tail (&self->unsent, g_memdup2 (&outgoing, sizeof outgoing));
  else if (!closed && !unwanted)
    {
      number_locked (self, &outgoing);
      write_or_queue_locked (self, &outgoing);
    }
  g_mutex_unlock (&self->lock);

  if (closed || unwanted)
    {
      g_object_unref (outgoing.request);
      g_bytes_unref (outgoing.body);
      if (closed)
        malt_request_return_new_error (request, MALT_ERROR, MALT_ERROR_TERMINATED,
                                       "the connection to the worker is closed");
      else
        malt_request_return_withdrawn (request);
    }
  else if ((malt_request_get_flags (request) & MALT_REQUEST_FLAGS_NO_REPLY) != 0)
    malt_request_return_value (request, NULL);
}

/* Control. */

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

/* Keeps a frame for which there is no room now.  A worker that reads none is beyond
 * asking; those who ask have a time-out and a signal as their next step. */
static gboolean
queue_control_locked (MaltConnection *self,
                      const guint8   *header)
{
  GByteArray *output = self->control_output;

  if (self->closed || output->len >= MALT_LIMIT_QUEUED_CONTROL)
    return FALSE;

  /* Interrupts that nobody has seen yet are one. */
  if (output->len > 0 &&
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

static void
send_control (MaltConnection *self,
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
  if (self->control_output->len == 0)
    io = write_control (self, header);
  taken = io == MALT_IO_AGAIN ? queue_control_locked (self, header) : io == MALT_IO_DONE;
  g_mutex_unlock (&self->lock);

  if (!taken)
    MALT_DEBUG (WIRE, "%p: %s was not sent", (gpointer) self, malt_frame_type_name (type));
}

static int
compare_outgoing (gconstpointer outgoing,
                  gconstpointer request)
{
  return ((const Outgoing *) outgoing)->request != request;
}

/* Reads what has arrived for callers who do not get round to it themselves: a context
 * that is busy, or a thread that is not there. */
static void
read_for_others (MaltConnection *self)
{
  g_autoptr (GError) error = NULL;
  gboolean has_role;
  guint n_again = 0;
  MaltIo io;

  g_mutex_lock (&self->lock);
  has_role = take_role_locked (self);
  g_mutex_unlock (&self->lock);
  if (!has_role)
    return;

  /* The first time it may only say that it has to look. */
  do
    io = read_replies (self, NULL, &error);
  while (io == MALT_IO_DONE || (io == MALT_IO_AGAIN && n_again++ == 0));

  finish_read (self, io, error);
}

/* Withdraws a request that was not sent; else asks the worker to give it up. */
void
malt_connection_cancel (MaltConnection *self,
                        MaltRequest    *request)
{
  guint64 id;
  GList *link;

  /* Its answer may be there already. */
  read_for_others (self);
  if (malt_request_is_done (request))
    return;

  g_mutex_lock (&self->lock);
  id = malt_request_get_id (request);
  link = g_queue_find_custom (&self->unsent, request, compare_outgoing);
  if (link != NULL)
    {
      outgoing_free (link->data);
      g_queue_delete_link (&self->unsent, link);
    }
  else if (id == 0 && !malt_request_is_done (request))
    g_hash_table_add (self->unwanted, g_object_ref (request));
  else if (id != 0 && g_hash_table_contains (self->unfinished, GSIZE_TO_POINTER (id)))
    g_hash_table_add (self->cancelled, GSIZE_TO_POINTER (id));
  g_mutex_unlock (&self->lock);

  if (link != NULL)
    {
      malt_request_return_withdrawn (request);
      wake_waiter_of (self, request);
      wake_reader (self);
    }
  else if (id != 0)
    send_control (self, MALT_FRAME_CANCEL, 0, id);
}

/* Interrupts a request, or what runs now. */
void
malt_connection_interrupt (MaltConnection *self,
                           MaltRequest    *request)
{
  guint64 id = 0;

  if (request != NULL)
    {
      read_for_others (self);
      id = malt_request_get_id (request);
      if (id != 0 && !malt_request_is_done (request))
        send_control (self, MALT_FRAME_INTERRUPT, 0, id);
      return;
    }

  /* Whether any of these is still under way only the worker can tell: of some nobody
   * awaits the end. */
  g_mutex_lock (&self->lock);
  id = self->last_id;
  g_mutex_unlock (&self->lock);

  if (id != 0)
    send_control (self, MALT_FRAME_INTERRUPT, MALT_FRAME_UP_TO, id);
}

static gboolean
stopping_cb (int           fd,
             GIOCondition  condition,
             gpointer      user_data)
{
  read_for_others (user_data);
  return G_SOURCE_CONTINUE;
}

/* Asks the worker to stop.  Until it has, the library context reads too: a worker that
 * writes a large reply which nobody reads would otherwise not get round to stopping. */
void
malt_connection_stop (MaltConnection *self)
{
  send_control (self, MALT_FRAME_STOP, 0, 0);

  g_mutex_lock (&self->lock);
  if (self->stopping_source == NULL && !self->lost)
    {
      self->stopping_source = g_unix_fd_source_new (self->transport->fd, G_IO_IN);
      g_source_set_static_name (self->stopping_source, "[malt] stopping");
      g_source_set_callback (self->stopping_source, G_SOURCE_FUNC (stopping_cb),
                             malt_connection_ref (self), (GDestroyNotify) malt_connection_unref);
      g_source_attach (self->stopping_source, malt_get_library_context ());
    }
  g_mutex_unlock (&self->lock);
}

/* What the worker says on the control road: that a request was withdrawn. */
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
      if (frame.type != MALT_FRAME_WITHDRAWN)
        reason = g_strdup_printf ("a frame of type %s came on the control road",
                                  malt_frame_type_name (frame.type));
      else if (take_reply (self, &frame, NULL, &error))
        wake_reader (self);
      else
        reason = g_strdup (error->message);
    }

  if (reason == NULL)
    return G_SOURCE_CONTINUE;

  connection_lose (self, reason);
  return G_SOURCE_REMOVE;
}

/* The end. */

static void
connection_lose (MaltConnection *self,
                 const char     *reason)
{
  gpointer lost_data;
  guint i;

  g_mutex_lock (&self->lock);
  self->lost = TRUE;
  for (i = 0; i < self->reply_sources->len; i++)
    g_source_destroy (g_ptr_array_index (self->reply_sources, i));
  if (self->stopping_source != NULL)
    g_source_destroy (self->stopping_source);
  lost_data = g_steal_pointer (&self->lost_data);
  g_mutex_unlock (&self->lock);

  if (reason != NULL)
    MALT_DEBUG (WIRE, "%p: the worker broke the protocol: %s", (gpointer) self, reason);
  if (lost_data != NULL)
    {
      self->lost_func (reason, lost_data);
      self->lost_destroy (lost_data);
    }
}

/* Reads what a dead worker has left, delivers it, and closes both roads.  What is
 * unfinished then stays so; ending it is the caller's business.  On the library
 * context. */
void
malt_connection_close (MaltConnection *self)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) sources = NULL;
  MaltIo io;
  guint i;

  /* Wakes a reader that waits, and keeps a surviving child of the worker from
   * sending on and on. */
  malt_transport_shutdown (self->transport);
  malt_transport_shutdown (self->control);

  g_mutex_lock (&self->lock);
  self->closing = TRUE;
  while (self->reading)
    g_cond_wait (&self->role_free, &self->lock);
  if (take_role_locked (self))
    {
      g_mutex_unlock (&self->lock);
      do
        io = read_replies (self, NULL, &error);
      while (io == MALT_IO_DONE || io == MALT_IO_AGAIN);
      finish_read (self, MALT_IO_CLOSED, NULL);
      g_mutex_lock (&self->lock);
    }

  self->lost = self->closed = TRUE;
  self->poller = NULL;
  sources = g_steal_pointer (&self->reply_sources);
  self->reply_sources = g_ptr_array_new_with_free_func ((GDestroyNotify) g_source_unref);
  if (self->control_source != NULL)
    g_ptr_array_add (sources, g_steal_pointer (&self->control_source));
  if (self->stopping_source != NULL)
    g_ptr_array_add (sources, g_steal_pointer (&self->stopping_source));
  if (self->flush_source != NULL)
    g_ptr_array_add (sources, g_steal_pointer (&self->flush_source));
  if (self->control_flush != NULL)
    g_ptr_array_add (sources, g_steal_pointer (&self->control_flush));
  g_mutex_unlock (&self->lock);

  for (i = 0; i < sources->len; i++)
    g_source_destroy (g_ptr_array_index (sources, i));
}

/* Drops the requests that a closed connection still has, once somebody has ended them. */
void
malt_connection_clear (MaltConnection *self)
{
  g_autoptr (GHashTable) unfinished = NULL;
  gpointer lost_data;
  GQueue output, unsent;

  g_mutex_lock (&self->lock);
  g_assert (self->closed);
  output = self->output;
  unsent = self->unsent;
  g_queue_init (&self->output);
  g_queue_init (&self->unsent);
  lost_data = g_steal_pointer (&self->lost_data);
  unfinished = g_steal_pointer (&self->unfinished);
  self->unfinished = g_hash_table_new_full (NULL, NULL, NULL, g_object_unref);
  g_mutex_unlock (&self->lock);

  g_queue_clear_full (&output, (GDestroyNotify) outgoing_free);
  g_queue_clear_full (&unsent, (GDestroyNotify) outgoing_free);
  if (lost_data != NULL)
    self->lost_destroy (lost_data);
}

/* Takes over the transport, the reader (in which the hello may have left bytes that
 * came after it), the control descriptor and @user_data, also when it fails. */
MaltConnection *
malt_connection_new (MaltTransport      *transport,
                     MaltFrameReader    *reader,
                     int                 control_fd,
                     guint64             max_value_size,
                     MaltConnectionLost  lost,
                     gpointer            user_data,
                     GDestroyNotify      destroy,
                     GError            **error)
{
  int wake_fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  MaltConnection *self;

  if (wake_fd < 0)
    {
      int code = errno;

      g_set_error (error, MALT_ERROR, MALT_ERROR_START,
                   "the manager could not make an eventfd: %s", g_strerror (code));
      malt_transport_free (transport);
      malt_frame_reader_free (reader);
      close (control_fd);
      destroy (user_data);
      return NULL;
    }

  self = g_new0 (MaltConnection, 1);
  g_atomic_ref_count_init (&self->ref_count);
  g_mutex_init (&self->lock);
  g_cond_init (&self->role_free);
  self->transport = transport;
  self->control = malt_socket_transport_new (control_fd);
  self->reader = reader;
  self->wake_fd = wake_fd;
  self->control_output = g_byte_array_new ();
  self->max_body = MIN (max_value_size, MALT_LIMIT_BODY_SIZE);
  self->lost_func = lost;
  self->lost_data = user_data;
  self->lost_destroy = destroy;
  self->unfinished = g_hash_table_new_full (NULL, NULL, NULL, g_object_unref);
  self->cancelled = g_hash_table_new (NULL, NULL);
  self->unwanted = g_hash_table_new_full (NULL, NULL, g_object_unref, NULL);
  self->reply_sources = g_ptr_array_new_with_free_func ((GDestroyNotify) g_source_unref);

  self->control_source = g_unix_fd_source_new (self->control->fd, G_IO_IN);
  g_source_set_static_name (self->control_source, "[malt] control");
  g_source_set_callback (self->control_source, G_SOURCE_FUNC (control_cb),
                         malt_connection_ref (self), (GDestroyNotify) malt_connection_unref);
  g_source_attach (self->control_source, malt_get_library_context ());

  return self;
}

MaltConnection *
malt_connection_ref (MaltConnection *self)
{
  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

void
malt_connection_unref (MaltConnection *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;

  malt_connection_clear (self);

  g_clear_pointer (&self->reader, malt_frame_reader_free);
  g_clear_pointer (&self->unfinished, g_hash_table_unref);
  g_clear_pointer (&self->cancelled, g_hash_table_unref);
  g_clear_pointer (&self->unwanted, g_hash_table_unref);
  g_clear_pointer (&self->reply_sources, g_ptr_array_unref);
  g_clear_pointer (&self->control_output, g_byte_array_unref);
  malt_transport_free (self->transport);
  malt_transport_free (self->control);
  close (self->wake_fd);
  g_cond_clear (&self->role_free);
  g_mutex_clear (&self->lock);
  g_free (self);
}
