/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-connection-private.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "malt-debug.h"
#include "malt-descriptor.h"
#include "malt-fork.h"
#include "malt-limits.h"
#include "malt-socket-transport.h"
#include "malt-spin.h"

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
 * malt_connection_wait(), or a main context that awaits a result, as a MaltListener.
 * The reader completes whatever arrives, for everybody; completing
 * a request runs no foreign code, so that the role is never held for long by anyone
 * who is not just waiting.  A thread that leaves hands the role on to another one.
 *
 * No thread of the library's own is needed for a reply to arrive.  The library
 * context reads only the control road, and the data road once the worker is asked to stop,
 * has gone or is dead. */

static void
drop_listener (gpointer listener)
{
  malt_listener_detach (listener);
  malt_listener_unref (listener);
}

static GPtrArray *
new_listeners (void)
{
  return g_ptr_array_new_with_free_func (drop_listener);
}

/* Nothing more can come from the worker; @reason is %NULL if it did nothing wrong that a
 * reader could see.  A breach of the protocol is noted before anybody can find that the connection
 * is lost, because the worker may end by itself meanwhile. */
void
malt_connection_lose (MaltConnection *self,
                      const char     *reason)
{
  gpointer lost_data;
  guint i;

  g_mutex_lock (&self->lock);
  self->lost = TRUE;
  if (self->breach == NULL)
    self->breach = g_strdup (reason);
  reason = self->breach;
  for (i = 0; i < self->listeners->len; i++)
    malt_listener_detach (g_ptr_array_index (self->listeners, i));
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

/* A worker that has ended may be kept for long: until a garbage collector gets round to it,
 * say, which knows nothing of descriptors.  The reader's role is nobody's any more. */
static void
close_descriptors (MaltConnection *self)
{
  g_mutex_lock (&self->lock);
  malt_transport_close (self->transport);
  malt_transport_close (self->control);
  malt_clear_fd (&self->wake_fd);
  g_mutex_unlock (&self->lock);
}

/* Reads what a dead worker has left, delivers it, and closes both roads.  What is
 * unfinished then stays so; ending it is the caller's business.  On the library
 * context. */
void
malt_connection_close (MaltConnection *self)
{
  g_autoptr (GPtrArray) sources = g_ptr_array_new_with_free_func ((GDestroyNotify) g_source_unref);
  GPtrArray *listeners;
  guint i;

  /* Wakes a reader that waits, and keeps a surviving child of the worker from
   * sending on and on. */
  malt_transport_shutdown (self->transport);
  malt_transport_shutdown (self->control);
  malt_connection_wake_reader (self);
  malt_connection_drain (self);
  malt_connection_end_channels (self);

  g_mutex_lock (&self->lock);
  self->lost = self->closed = TRUE;
  self->poller = NULL;
  self->constant = NULL;
  listeners = g_steal_pointer (&self->listeners);
  self->listeners = new_listeners ();
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
  g_clear_pointer (&listeners, g_ptr_array_unref);
  malt_connection_drop_host_calls (self);
  close_descriptors (self);
}

/* How the worker has broken the protocol; %NULL if it has not.  Once it is closed. */
const char *
malt_connection_get_breach (MaltConnection *self)
{
  const char *breach;

  g_mutex_lock (&self->lock);
  breach = self->breach;
  g_mutex_unlock (&self->lock);

  return breach;
}

static void
drop_cb (gpointer request,
         gpointer user_data)
{
  g_object_unref (request);
}

/* Drops the requests that a closed connection still has, once somebody has ended them. */
void
malt_connection_clear (MaltConnection *self)
{
  MaltIdTable unfinished;
  gpointer lost_data;
  GQueue output, unsent;

  g_mutex_lock (&self->lock);
  g_assert (self->closed);
  output = self->output;
  unsent = self->unsent;
  g_queue_init (&self->output);
  g_queue_init (&self->unsent);
  lost_data = g_steal_pointer (&self->lost_data);
  unfinished = self->unfinished;
  malt_id_table_init (&self->unfinished);
  malt_connection_answered_locked (self);
  g_mutex_unlock (&self->lock);

  malt_outgoing_free_all (&output);
  malt_outgoing_free_all (&unsent);
  malt_id_table_foreach (&unfinished, drop_cb, NULL);
  malt_id_table_clear (&unfinished);
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
  malt_socket_refuse_descriptors (control_fd);
  self->reader = reader;
  self->wake_fd = wake_fd;
  self->control_output = g_byte_array_new ();
  self->max_body = MIN (max_value_size, MALT_LIMIT_BODY_SIZE);
  self->max_value = MIN (max_value_size, MALT_LIMIT_VALUE_SIZE);
  self->n_cpus = malt_spin_count_cpus ();
  self->generation = malt_fork_get_generation ();
  self->lost_func = lost;
  self->lost_data = user_data;
  self->lost_destroy = destroy;
  malt_id_table_init (&self->unfinished);
  self->host_calls = g_hash_table_new (NULL, NULL);
  self->cancelled = g_hash_table_new (NULL, NULL);
  self->unwanted = g_hash_table_new_full (NULL, NULL, g_object_unref, NULL);
  self->listeners = new_listeners ();

  malt_connection_watch_control (self);
  malt_connection_watch_room (self);

  return self;
}

/* Before the first request: whom to tell what the worker says of its own accord, whether the hello
 * allows it such things, and of which streams (bits 1 << descriptor) it may send the output. */
void
malt_connection_set_worker (MaltConnection *self,
                            MaltWeakWorker *worker,
                            gboolean        may_speak,
                            guint           streams)
{
  self->worker = malt_weak_worker_ref (worker);
  self->may_speak = may_speak;
  self->streams = streams;
}

/* The worker knows of channels.  Before the first request. */
void
malt_connection_allow_channels (MaltConnection *self)
{
  self->has_channels = TRUE;
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
  malt_id_table_foreach (&self->unfinished, drop_cb, NULL);
  malt_id_table_clear (&self->unfinished);
  g_clear_pointer (&self->worker, malt_weak_worker_unref);
  g_clear_pointer (&self->host_calls, g_hash_table_unref);
  g_clear_pointer (&self->cancelled, g_hash_table_unref);
  g_clear_pointer (&self->unwanted, g_hash_table_unref);
  g_clear_pointer (&self->listeners, g_ptr_array_unref);
  g_clear_pointer (&self->control_output, g_byte_array_unref);
  malt_transport_free (self->transport);
  malt_transport_free (self->control);
  malt_clear_fd (&self->wake_fd);
  g_free (self->breach);
  g_cond_clear (&self->role_free);
  g_mutex_clear (&self->lock);
  g_free (self);
}
