/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-service-private.h"

#include <string.h>
#include <unistd.h>

#include "malt-error.h"
#include "malt-request-private.h"
#include "wire/malt-call-body.h"
#include "wire/malt-limits.h"
#include "wire/malt-message.h"

/* What the code of a worker says to the manager of its own accord: that it calls a function of
 * the program's, how far it has got, and what it prints.
 *
 * So many calls may be unanswered; those that are more wait here for one that is
 * answered.  A call for which nobody waits any more, as the manager is told, stays until it is. */

/* A call that waits to be sent. */
typedef struct
{
  MaltRequest    *request;
  guint16         flags;
  GBytes         *body;
  MaltLargeValue  value;  /* that the body says where to find */
} WaitingCall;

static void
waiting_call_free (WaitingCall *self)
{
  g_object_unref (self->request);
  g_bytes_unref (self->body);
  malt_large_value_clear (&self->value);
  g_free (self);
}

static gsize
weigh (MaltRequest *request)
{
  return malt_call_body_weigh (malt_request_get_arguments (request), malt_request_get_keywords (request));
}

/* Numbers the call and enters it into the table; FALSE if it has to wait.  With the write
 * lock too, as the numbers have to grow. */
static gboolean
enter_locked (MaltService *self,
              MaltRequest *request,
              guint64     *id)
{
  gsize size = weigh (request);
  gboolean may_go;

  may_go = g_hash_table_size (self->host_calls) < MALT_LIMIT_HOST_CALLS &&
           (size == 0 || self->host_size < MALT_LIMIT_HOST_ARGUMENTS);
  if (may_go)
    {
      self->host_size += size;
      *id = ++self->last_host_id;
      malt_request_set_id (request, *id);
      g_hash_table_insert (self->host_calls, GSIZE_TO_POINTER (*id), g_object_ref (request));
    }

  return may_go;
}

/* FALSE if it has to wait. */
static gboolean
send_call (MaltService    *self,
           MaltRequest    *request,
           guint16         flags,
           gconstpointer   body,
           gsize           size,
           MaltLargeValue *value)
{
  gboolean may_go;
  guint64 id;

  g_mutex_lock (&self->write_lock);
  g_mutex_lock (&self->lock);
  may_go = enter_locked (self, request, &id);
  g_mutex_unlock (&self->lock);
  if (may_go)
    {
      malt_large_value_send (value);
      malt_service_write_frame_locked (self, MALT_FRAME_HOST_CALL, flags, id, body, size);
    }
  g_mutex_unlock (&self->write_lock);

  return may_go;
}

/* Takes the first one that waits, if it may go now or nobody waits for it any more. */
static WaitingCall *
take_waiting (MaltService *self,
              gboolean    *may_go,
              guint64     *id)
{
  WaitingCall *call;

  *may_go = FALSE;
  g_mutex_lock (&self->lock);
  call = g_queue_peek_head (&self->waiting_calls);
  if (call != NULL && !malt_request_is_done (call->request))
    {
      *may_go = enter_locked (self, call->request, id);
      if (!*may_go) /* it stays there for the answer that makes room */
        call = NULL;
    }
  if (call != NULL)
    g_queue_pop_head (&self->waiting_calls);
  g_mutex_unlock (&self->lock);

  return call;
}

static gboolean
has_waiting (MaltService *self)
{
  gboolean result;

  g_mutex_lock (&self->lock);
  result = self->waiting_calls.length > 0;
  g_mutex_unlock (&self->lock);

  return result;
}

/* Sends calls that have waited, as far as they may go now. */
static void
send_waiting (MaltService *self)
{
  while (has_waiting (self))
    {
      WaitingCall *call;
      gboolean may_go;
      guint64 id;

      g_mutex_lock (&self->write_lock);
      call = take_waiting (self, &may_go, &id);
      if (may_go)
        {
          malt_large_value_send (&call->value);
          malt_service_write_frame_locked (self, MALT_FRAME_HOST_CALL, call->flags, id,
                                           g_bytes_get_data (call->body, NULL), g_bytes_get_size (call->body));
        }
      g_mutex_unlock (&self->write_lock);
      if (call == NULL)
        return;
      waiting_call_free (call);
    }
}

static void
call_host (MaltRequest *request,
           gboolean     stalls,
           gpointer     user_data)
{
  MaltService *self = user_data;
  MaltFrame frame = { .flags = stalls ? MALT_FRAME_STALLS : 0 };
  MaltLargeValue value = { .slot = 0 };
  g_autoptr (GBytes) body = NULL;
  MaltMessage message;
  GError *error = NULL;
  gboolean was_sent;

  if (!self->may_speak)
    {
      malt_request_return_new_error (request, MALT_ERROR, MALT_ERROR_NOT_SUPPORTED,
                                     "the manager of this worker has no functions that could be called");
      return;
    }
  if (malt_service_is_copy ())
    {
      malt_request_return_new_error (request, MALT_ERROR, MALT_ERROR_NOT_SUPPORTED,
                                     "a forked copy of a worker cannot call functions of the manager's");
      return;
    }
  if (g_atomic_int_get (&self->ended))
    {
      malt_request_return_new_error (request, G_IO_ERROR, G_IO_ERROR_CLOSED,
                                     "the worker is to stop, and the manager calls no functions for it any more");
      return;
    }
  if (!malt_call_body_write (self->data->arena, MALT_PEER_MANAGER, malt_request_get_function (request),
                             malt_request_get_arguments (request), malt_request_get_keywords (request),
                             self->max_body, self->max_value, &frame, &value, &body, &message, &error))
    {
      malt_request_return_error (request, error);
      return;
    }

  if (body != NULL)
    was_sent = send_call (self, request, frame.flags, g_bytes_get_data (body, NULL), g_bytes_get_size (body), &value);
  else
    was_sent = send_call (self, request, frame.flags, message.data, message.size, &value);

  if (!was_sent)
    {
      WaitingCall *call = g_new (WaitingCall, 1);

      if (body == NULL)
        body = malt_message_take_bytes (&message);
      *call = (WaitingCall) { g_object_ref (request), frame.flags, g_steal_pointer (&body), value };
      g_mutex_lock (&self->lock);
      g_queue_push_tail (&self->waiting_calls, call);
      g_mutex_unlock (&self->lock);
      /* There may be room since. */
      send_waiting (self);
    }

  malt_message_clear (&message);
}

/* With the write lock, so that the manager does not hear of it before the call itself.  One that
 * waits to be sent has no id, and will not be sent. */
static void
drop_host_call (MaltRequest *request,
                gpointer     user_data)
{
  MaltService *self = user_data;
  gboolean is_sent;
  guint64 id;

  if (!self->may_cancel || g_atomic_int_get (&self->ended) || malt_service_is_copy ())
    return;

  g_mutex_lock (&self->write_lock);
  g_mutex_lock (&self->lock);
  id = malt_request_get_id (request);
  is_sent = id != 0 && g_hash_table_lookup (self->host_calls, GSIZE_TO_POINTER (id)) == request;
  g_mutex_unlock (&self->lock);
  if (is_sent)
    malt_service_write_frame_locked (self, MALT_FRAME_HOST_CANCEL, 0, id, NULL, 0);
  g_mutex_unlock (&self->write_lock);
  /* It has to be read also while the thread that would read runs the function. */
  if (is_sent)
    malt_service_send_control (self, MALT_FRAME_HOST_CANCEL, id);
}

/* What the manager answers.  With the reader's role. */
void
malt_service_take_answer (MaltService     *self,
                          const MaltFrame *frame,
                          gconstpointer    data,
                          GBytes          *body)
{
  g_autoptr (MaltRequest) request = NULL;
  g_autoptr (GVariant) value = NULL;
  g_autoptr (GError) error = NULL;
  GError *failure = NULL;
  gboolean is_good;

  if (frame->type == MALT_FRAME_HOST_ERROR)
    {
      failure = malt_message_read_host_error (data, frame->length, &error);
      is_good = failure != NULL;
    }
  else if ((frame->flags & MALT_FRAME_IN_ARENA) != 0)
    is_good = malt_large_value_take (self->data->view, MALT_PEER_MANAGER, data, frame->length,
                                     self->max_value, &value, NULL, &error);
  else
    is_good = malt_message_read_value (data, frame->length, body, &value, &error);
  if (!is_good)
    malt_service_fail ("%s", error->message);

  g_mutex_lock (&self->lock);
  g_hash_table_steal_extended (self->host_calls, GSIZE_TO_POINTER (frame->id), NULL, (gpointer *) &request);
  if (request != NULL)
    self->host_size -= weigh (request);
  g_mutex_unlock (&self->lock);
  if (request == NULL)
    malt_service_fail ("a frame of type %s answers call %" G_GUINT64_FORMAT ", which is not under way",
                       malt_frame_type_name (frame->type), frame->id);

  if (failure != NULL)
    malt_request_return_error (request, failure);
  else
    malt_request_return_value (request, value);
  send_waiting (self);
}

static void
wait_for_host (const gint   *done,
               GCancellable *cancellable,
               gpointer      user_data)
{
  malt_service_wait (user_data, done, -1, cancellable, NULL);
}

static void
wake_for_host (const gint *done,
               gpointer    user_data)
{
  malt_service_wake (user_data, done);
}

/* Whether the request is one of which the manager has not yet had the answer.  With the
 * write lock, so that it does not get the answer before what is said of it. */
static gboolean
is_unfinished (MaltService *self,
               MaltRequest *request)
{
  gboolean result;

  g_mutex_lock (&self->lock);
  result = malt_id_table_lookup (&self->unfinished, malt_request_get_id (request)) == request;
  g_mutex_unlock (&self->lock);

  return result;
}

static void
report_progress (MaltRequest *request,
                 double       fraction,
                 const char  *text,
                 gpointer     user_data)
{
  MaltService *self = user_data;
  g_autoptr (GBytes) body = NULL;

  if (!self->may_speak || g_atomic_int_get (&self->ended) || malt_service_is_copy ())
    return;

  body = malt_message_new_progress (fraction, text);
  g_mutex_lock (&self->write_lock);
  if (is_unfinished (self, request))
    malt_service_write_frame_locked (self, MALT_FRAME_PROGRESS, 0, malt_request_get_id (request),
                                     g_bytes_get_data (body, NULL), g_bytes_get_size (body));
  g_mutex_unlock (&self->write_lock);
}

static gboolean
report_output (MaltRequest   *request,
               int            stream,
               gconstpointer  data,
               gsize          size,
               gpointer       user_data)
{
  MaltService *self = user_data;
  const guint8 *bytes = data;
  gsize n;

  if ((self->streams & 1u << stream) == 0 || g_atomic_int_get (&self->ended) || malt_service_is_copy ())
    return FALSE;

  if (request != NULL && (malt_request_get_flags (request) & MALT_REQUEST_FLAGS_NO_REPLY) != 0)
    request = NULL;

  for (; size > 0; bytes += n, size -= n)
    {
      n = MIN (size, MALT_LIMIT_OUTPUT_FRAME);
      g_mutex_lock (&self->write_lock);
      malt_service_write_frame_locked (self, MALT_FRAME_OUTPUT, stream == STDERR_FILENO ? MALT_FRAME_STDERR : 0,
                                       request != NULL && is_unfinished (self, request)
                                         ? malt_request_get_id (request) : 0,
                                       bytes, n);
      g_mutex_unlock (&self->write_lock);
    }

  return TRUE;
}

static const MaltRuntimeHost runtime_host = {
  .call = call_host,
  .wait = wait_for_host,
  .wake = wake_for_host,
  .progress = report_progress,
  .output = report_output,
  .drop = drop_host_call,
};

/* Before the runtime is started. */
void
malt_service_be_host (MaltService *self)
{
  self->host_calls = g_hash_table_new_full (NULL, NULL, NULL, g_object_unref);
  malt_runtime_set_host (self->runtime, &runtime_host, self, NULL);
}

/* Nothing more comes: ends the calls that have no answer. */
void
malt_service_drop_calls (MaltService *self)
{
  g_autoptr (GHashTable) host_calls = NULL;
  GHashTableIter iter;
  gpointer request;
  WaitingCall *call;

  g_mutex_lock (&self->lock);
  host_calls = g_steal_pointer (&self->host_calls);
  self->host_calls = g_hash_table_new_full (NULL, NULL, NULL, g_object_unref);
  g_mutex_unlock (&self->lock);

  g_hash_table_iter_init (&iter, host_calls);
  while (g_hash_table_iter_next (&iter, NULL, &request))
    malt_request_return_new_error (request, G_IO_ERROR, G_IO_ERROR_CLOSED, "the worker is to stop");

  for (;;)
    {
      g_mutex_lock (&self->lock);
      call = g_queue_pop_head (&self->waiting_calls);
      g_mutex_unlock (&self->lock);
      if (call == NULL)
        break;
      malt_request_return_new_error (call->request, G_IO_ERROR, G_IO_ERROR_CLOSED, "the worker is to stop");
      waiting_call_free (call);
    }
}
