/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-connection-private.h"

#include <string.h>
#include <unistd.h>

#include "malt-call-body.h"
#include "malt-debug.h"
#include "malt-limits.h"

/* What a worker says of its own accord, and not as the answer to a request: that its code
 * calls a function of the program's, how far it has got, and what it prints.
 *
 * It is told to the worker object, which sees to it that the program hears of it in its own
 * time.  So all of this runs in the reader's role, and none of the program's code here. */

/* A call of the program's functions that is not yet answered.  The answer to be and the
 * connection's table have a reference each.
 *
 * The request is the program's, which answers also by dropping it. */
typedef struct
{
  gatomicrefcount ref_count;

  /* Immutable. */
  MaltConnection *connection;  /* owned */
  guint64         id;
  gsize           size;        /* of the arguments, where it counts */
  GCancellable   *cancellable; /* owned: the request's */
} HostCall;

static HostCall *
host_call_new (MaltConnection *connection,
               guint64         id,
               gsize           size)
{
  HostCall *self = g_new0 (HostCall, 1);

  g_atomic_ref_count_init (&self->ref_count);
  self->connection = malt_connection_ref (connection);
  self->id = id;
  self->size = size;

  return self;
}

static HostCall *
host_call_ref (HostCall *self)
{
  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

static void
host_call_unref (HostCall *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;

  malt_connection_unref (self->connection);
  g_object_unref (self->cancellable);
  g_free (self);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (HostCall, host_call_unref)

/* FALSE with an error if the value cannot cross. */
static gboolean
write_value (MaltConnection  *self,
             GVariant        *value,
             MaltOutgoing    *outgoing,
             MaltMessage     *message,
             GError         **error)
{
  GError *failure = NULL;

  outgoing->frame.type = MALT_FRAME_HOST_VALUE;
  if (self->transport->arena != NULL && value != NULL && g_variant_get_size (value) >= MALT_LARGE_VALUE_SIZE &&
      malt_large_value_put (&outgoing->value, self->transport->arena, MALT_PEER_WORKER, value, NULL,
                            self->max_value, &outgoing->body, &failure))
    {
      outgoing->frame.flags = MALT_FRAME_IN_ARENA;
      return TRUE;
    }
  if (failure == NULL)
    return malt_message_write_value (message, value, self->max_body, error);

  g_propagate_error (error, failure);
  return FALSE;
}

/* How it ended, on whatever thread; after the worker's end it is of no interest any more. */
static void
answer_cb (MaltRequest *request,
           GVariant    *value,
           GError      *error,
           gpointer     user_data)
{
  HostCall *call = user_data;
  MaltConnection *self = call->connection;
  g_autoptr (GVariant) own_value = value;
  g_autoptr (GError) own_error = error;
  MaltOutgoing outgoing = { .frame.id = call->id };
  gboolean is_listed = FALSE;
  MaltMessage message;

  message.block = NULL;
  if (own_error != NULL || !write_value (self, own_value, &outgoing, &message, &own_error))
    {
      outgoing.frame.type = MALT_FRAME_HOST_ERROR;
      outgoing.body = malt_message_new_error (own_error);
    }

  g_mutex_lock (&self->lock);
  if (g_hash_table_remove (self->host_calls, GSIZE_TO_POINTER (call->id)))
    {
      self->host_size -= call->size;
      malt_connection_answer_locked (self, &outgoing, &message);
      is_listed = TRUE;
    }
  g_mutex_unlock (&self->lock);

  g_clear_pointer (&outgoing.body, g_bytes_unref);
  malt_large_value_clear (&outgoing.value);
  malt_message_clear (&message);
  if (is_listed)
    host_call_unref (call);
  host_call_unref (call);
}

/* Enters a call into the table.  FALSE with an error if the worker may not make it. */
static gboolean
enter (MaltConnection   *self,
       const MaltFrame  *frame,
       HostCall         *call,
       GError          **error)
{
  const char *reason = NULL;

  g_mutex_lock (&self->lock);
  if (frame->id <= self->last_host_id)
    reason = "its number is not greater than that of the last";
  /* What was answered but could not be sent counts, or a worker that reads nothing would have
   * ever more answers pile up. */
  else if (g_hash_table_size (self->host_calls) + self->n_answers >= MALT_LIMIT_HOST_CALLS)
    reason = "too many are not yet answered";
  else if (call->size > 0 && self->host_size >= MALT_LIMIT_HOST_ARGUMENTS)
    reason = "the arguments of those that are not yet answered are too large";
  else
    {
      self->last_host_id = frame->id;
      self->host_size += call->size;
      g_hash_table_insert (self->host_calls, GSIZE_TO_POINTER (frame->id), host_call_ref (call));
    }
  g_mutex_unlock (&self->lock);

  if (reason == NULL)
    return TRUE;

  g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
               "call %" G_GUINT64_FORMAT " of a function of the program's may not be made: %s", frame->id, reason);
  return FALSE;
}

static gboolean
take_host_call (MaltConnection   *self,
                const MaltFrame  *frame,
                gconstpointer     data,
                GBytes           *body,
                GError          **error)
{
  g_autoptr (GVariant) arguments = NULL;
  g_autoptr (GVariant) keywords = NULL;
  g_autoptr (MaltRequest) request = NULL;
  g_autoptr (MaltWorker) worker = NULL;
  const char *function;
  HostCall *call;

  if (!malt_call_body_read (self->transport->view, MALT_PEER_WORKER, frame, data, body, self->max_value,
                            &function, &arguments, &keywords, error))
    return FALSE;
  if (*function == '\0')
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                           "a function of the program's is called that has no name");
      return FALSE;
    }

  call = host_call_new (self, frame->id, malt_call_body_weigh (arguments, keywords));
  request = malt_request_new_host_call (function, arguments, keywords, answer_cb, call);
  call->cancellable = g_object_ref (malt_request_get_cancellable (request));
  if (!enter (self, frame, call, error))
    return FALSE; /* the request is dropped, and its answer with it */

  MALT_DEBUG (WIRE, "%p: %s %" G_GUINT64_FORMAT " of '%s'", (gpointer) self,
              malt_frame_type_name (frame->type), frame->id, function);

  worker = malt_weak_worker_get (self->worker);
  if (worker != NULL)
    malt_worker_handle_host_call (worker, request, (frame->flags & MALT_FRAME_STALLS) != 0);
  else
    malt_request_return_new_error (request, G_IO_ERROR, G_IO_ERROR_CLOSED, "the program has dropped this worker");

  return TRUE;
}

/* The worker's code does not wait for the answer, which it gets all the same. */
static gboolean
take_host_cancel (MaltConnection   *self,
                  const MaltFrame  *frame,
                  GError          **error)
{
  g_autoptr (MaltWorker) worker = NULL;
  g_autoptr (HostCall) call = NULL;
  gboolean is_known;

  g_mutex_lock (&self->lock);
  is_known = frame->id <= self->last_host_id;
  call = g_hash_table_lookup (self->host_calls, GSIZE_TO_POINTER (frame->id));
  if (call != NULL)
    host_call_ref (call);
  g_mutex_unlock (&self->lock);

  if (!is_known)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                   "a frame of type host-cancel is about call %" G_GUINT64_FORMAT ", which was not made", frame->id);
      return FALSE;
    }

  if (call != NULL) /* else it is answered */
    worker = malt_weak_worker_get (self->worker);
  if (worker != NULL)
    malt_worker_drop_host_call (worker, call->cancellable);
  return TRUE;
}

static gboolean
take_progress (MaltConnection   *self,
               const MaltFrame  *frame,
               gconstpointer     data,
               GError          **error)
{
  g_autoptr (MaltRequest) request = malt_connection_ref_unfinished (self, frame->id);
  g_autoptr (MaltWorker) worker = NULL;
  g_autofree char *text = NULL;
  double fraction;

  if (request == NULL)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                   "a frame of type progress is about request %" G_GUINT64_FORMAT ", which is not under way",
                   frame->id);
      return FALSE;
    }
  if (!malt_message_read_progress (data, frame->length, &fraction, &text, error))
    return FALSE;

  worker = malt_weak_worker_get (self->worker);
  if (worker != NULL)
    malt_worker_report_progress (worker, request, fraction, text);
  return TRUE;
}

/* The body is what was printed, as it is. */
static gboolean
take_output (MaltConnection   *self,
             const MaltFrame  *frame,
             gconstpointer     data,
             GBytes           *body,
             GError          **error)
{
  int stream = (frame->flags & MALT_FRAME_STDERR) != 0 ? STDERR_FILENO : STDOUT_FILENO;
  g_autoptr (MaltRequest) request = NULL;
  g_autoptr (MaltWorker) worker = NULL;
  g_autoptr (GBytes) bytes = NULL;

  if ((self->streams & 1u << stream) == 0)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                   "a frame of type output came for descriptor %d, for which nobody has asked", stream);
      return FALSE;
    }

  if (frame->id != 0)
    {
      request = malt_connection_ref_unfinished (self, frame->id);
      if (request == NULL)
        {
          g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                       "a frame of type output is about request %" G_GUINT64_FORMAT ", which is not under way",
                       frame->id);
          return FALSE;
        }
    }

  worker = malt_weak_worker_get (self->worker);
  bytes = body != NULL ? g_bytes_ref (body) : g_bytes_new (data, frame->length);
  if (worker != NULL)
    malt_worker_report_output (worker, request, stream, bytes);
  return TRUE;
}

/* In the reader's role.  @body keeps @data, or is %NULL where they are only lent. */
gboolean
malt_connection_take_said (MaltConnection   *self,
                           const MaltFrame  *frame,
                           gconstpointer     data,
                           GBytes           *body,
                           GError          **error)
{
  if (self->may_speak)
    switch (frame->type)
      {
      case MALT_FRAME_HOST_CALL:
        return take_host_call (self, frame, data, body, error);
      case MALT_FRAME_HOST_CANCEL:
        return take_host_cancel (self, frame, error);
      case MALT_FRAME_PROGRESS:
        return take_progress (self, frame, data, error);
      case MALT_FRAME_OUTPUT:
        return take_output (self, frame, data, body, error);
      default:
        break;
      }

  g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
               "a worker may not send a frame of type %s now", malt_frame_type_name (frame->type));
  return FALSE;
}

/* The worker is dead, and waits for no answers any more: of which the functions hear by the worker
 * object. */
void
malt_connection_drop_host_calls (MaltConnection *self)
{
  g_autoptr (GPtrArray) calls = g_ptr_array_new_with_free_func ((GDestroyNotify) host_call_unref);
  GHashTableIter iter;
  gpointer call;

  g_mutex_lock (&self->lock);
  g_hash_table_iter_init (&iter, self->host_calls);
  while (g_hash_table_iter_next (&iter, NULL, &call))
    {
      g_ptr_array_add (calls, call);
      g_hash_table_iter_remove (&iter);
    }
  self->host_size = 0;
  g_mutex_unlock (&self->lock);
}
