/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-host-calls.h"

#include "malt-request-private.h"
#include "malt-worker-private.h"

/* Functions of the program that a worker's code has called and that are not answered, and how
 * they hear that nobody waits for them: by their requests' cancellables.
 *
 * A backend says that of one call (malt_worker_drop_host_call()); of all of them the worker's end
 * says it, or that of the worker object, whatever the backend.
 *
 * The request is the program's, and is answered also by being dropped.  So it is only its
 * cancellable that is kept here, from before anybody else has it.
 *
 * Cancelling runs code of the program's.  It is done without locks, and on no thread that reads
 * from a worker or ends one.  If the function has returned, and is to answer later, that is an
 * errand for the thread that made the worker.  If it runs, it may be on that very thread, or block
 * another one for which that thread waits; so a thread of a pool cancels at once. */

typedef enum
{
  STATE_WAITING,  /* nobody has got round to calling the function */
  STATE_RUNNING,
  STATE_RETURNED,
} State;

struct _MaltHostCall
{
  gatomicrefcount       ref_count;   /* the answer has one, who calls the function, and the table */

  /* Immutable. */
  MaltHostCalls        *calls;       /* owned */
  GCancellable         *cancellable; /* owned */
  MaltRequestResponder  responder;   /* the backend's */
  gpointer              responder_data;

  /* Guarded by the lock of calls. */
  State                 state;
  gboolean              is_dropped;
};

/* A worker has one, and each call a reference to it: the answer must not need the worker. */
struct _MaltHostCalls
{
  gatomicrefcount  ref_count;

  GMutex           lock;   /* may be taken with the worker's calls_lock */
  GHashTable      *table;  /* guarded by lock: GCancellable, not owned → MaltHostCall, owned */
};

/* That a cancellable is to be cancelled where the worker was made. */
typedef struct
{
  MaltErrand    errand;
  MaltDelivery  delivery;
  GMainContext *context;     /* owned */
  GCancellable *cancellable; /* owned */
} CancelErrand;

MaltHostCalls *
malt_host_calls_new (void)
{
  MaltHostCalls *self = g_new0 (MaltHostCalls, 1);

  g_atomic_ref_count_init (&self->ref_count);
  g_mutex_init (&self->lock);
  self->table = g_hash_table_new_full (NULL, NULL, NULL, (GDestroyNotify) malt_host_call_unref);

  return self;
}

void
malt_host_calls_unref (MaltHostCalls *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;

  g_hash_table_unref (self->table);
  g_mutex_clear (&self->lock);
  g_free (self);
}

void
malt_host_call_unref (MaltHostCall *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;

  g_object_unref (self->cancellable);
  malt_host_calls_unref (self->calls);
  g_free (self);
}

/* On any thread. */
static void
answered_cb (MaltRequest *request,
             GVariant    *value,
             GError      *error,
             gpointer     user_data)
{
  g_autoptr (MaltHostCall) self = user_data;
  gboolean was_listed;

  g_mutex_lock (&self->calls->lock);
  was_listed = g_hash_table_steal (self->calls->table, self->cancellable);
  g_mutex_unlock (&self->calls->lock);

  if (was_listed)
    malt_host_call_unref (self);
  self->responder (request, value, error, self->responder_data);
}

/* The worker's code has called the function.  The caller, who is to call it, gets a reference. */
MaltHostCall *
malt_host_calls_add (MaltHostCalls *self,
                     MaltRequest   *request)
{
  MaltHostCall *call = g_new0 (MaltHostCall, 1);

  g_atomic_ref_count_init (&call->ref_count);
  g_atomic_ref_count_inc (&call->ref_count); /* the table's */
  g_atomic_ref_count_inc (&call->ref_count); /* the answer's */
  g_atomic_ref_count_inc (&self->ref_count);
  call->calls = self;
  call->cancellable = g_object_ref (malt_request_get_cancellable (request));
  call->responder = malt_request_exchange_responder (request, answered_cb, call, &call->responder_data);

  g_mutex_lock (&self->lock);
  g_hash_table_insert (self->table, call->cancellable, call);
  g_mutex_unlock (&self->lock);

  return call;
}

/* The function is about to be called.  FALSE if nobody waits for it any more. */
gboolean
malt_host_call_enter (MaltHostCall *self)
{
  gboolean is_dropped;

  g_mutex_lock (&self->calls->lock);
  is_dropped = self->is_dropped;
  self->state = STATE_RUNNING;
  g_mutex_unlock (&self->calls->lock);

  return !is_dropped;
}

/* It has returned. */
void
malt_host_call_leave (MaltHostCall *self)
{
  g_mutex_lock (&self->calls->lock);
  self->state = STATE_RETURNED;
  g_mutex_unlock (&self->calls->lock);
}

static void
cancel_errand_free (CancelErrand *self)
{
  g_main_context_unref (self->context);
  g_object_unref (self->cancellable);
  g_free (self);
}

static void
cancel_errand_run (MaltErrand *errand,
                   MaltWorker *worker)
{
  CancelErrand *self = (CancelErrand *) errand;

  g_cancellable_cancel (self->cancellable);
  cancel_errand_free (self);
}

static void
cancel_delivered (MaltDelivery *delivery)
{
  CancelErrand *self = (CancelErrand *) ((char *) delivery - G_STRUCT_OFFSET (CancelErrand, delivery));

  g_main_context_push_thread_default (self->context);
  g_cancellable_cancel (self->cancellable);
  g_main_context_pop_thread_default (self->context);
  cancel_errand_free (self);
}

/* The worker object has gone, of which the function need know nothing. */
static void
cancel_errand_drop (MaltErrand *errand)
{
  CancelErrand *self = (CancelErrand *) errand;

  malt_deliver (&self->delivery, self->context);
}

static void
cancel_in_pool (gpointer data,
                gpointer user_data)
{
  g_autoptr (GCancellable) cancellable = data;

  g_cancellable_cancel (cancellable);
}

static GThreadPool *
get_pool (void)
{
  static GThreadPool *pool;

  if (g_once_init_enter (&pool))
    g_once_init_leave (&pool, g_thread_pool_new (cancel_in_pool, NULL, -1, FALSE, NULL));

  return pool;
}

/* Notes that nobody waits any more; gives whether the function is to hear of it. */
static gboolean
drop_locked (MaltHostCall *self,
             State        *state)
{
  gboolean was_dropped = self->is_dropped;

  self->is_dropped = TRUE;
  *state = self->state;

  return !was_dropped && self->state != STATE_WAITING;
}

/* Takes the cancellable. */
static void
tell (MaltWorker   *worker,
      GCancellable *cancellable,
      State         state)
{
  MaltWorkerPrivate *priv = malt_worker_get_private (worker);
  CancelErrand *errand;

  if (state == STATE_RUNNING)
    {
      g_thread_pool_push (get_pool (), cancellable, NULL);
      return;
    }

  errand = g_new0 (CancelErrand, 1);
  errand->errand.run = cancel_errand_run;
  errand->errand.drop = cancel_errand_drop;
  errand->delivery.func = cancel_delivered;
  errand->context = g_main_context_ref (priv->context);
  errand->cancellable = cancellable;

  g_mutex_lock (&priv->calls_lock);
  malt_errands_push_locked (worker, MALT_ERRAND_EVENT, &errand->errand);
  g_mutex_unlock (&priv->calls_lock);
  malt_errands_pass_on (worker);
}

/* The worker has ended, or its object is disposed of, and takes no more calls.  On any thread. */
void
malt_host_calls_end (MaltWorker *worker)
{
  MaltHostCalls *self = malt_worker_get_private (worker)->host_calls;
  g_autoptr (GPtrArray) calls = g_ptr_array_new_with_free_func ((GDestroyNotify) malt_host_call_unref);
  GHashTableIter iter;
  gpointer call;
  guint i;

  g_mutex_lock (&self->lock);
  g_hash_table_iter_init (&iter, self->table);
  while (g_hash_table_iter_next (&iter, NULL, &call))
    {
      g_ptr_array_add (calls, call);
      g_hash_table_iter_steal (&iter);
    }
  g_mutex_unlock (&self->lock);

  for (i = 0; i < calls->len; i++)
    {
      MaltHostCall *ended = g_ptr_array_index (calls, i);
      gboolean is_to_hear;
      State state;

      g_mutex_lock (&self->lock);
      is_to_hear = drop_locked (ended, &state);
      g_mutex_unlock (&self->lock);
      if (is_to_hear)
        tell (worker, g_object_ref (ended->cancellable), state);
    }
}

/**
 * malt_worker_drop_host_call: (skip)
 * @self: a worker
 * @cancellable: [method@Malt.Request.get_cancellable] of what `malt_worker_handle_host_call()`
 *   was given
 *
 * Says that nobody waits any more for a function that the worker's code has called, so that its
 * cancellable becomes cancelled; for backends.  It is not called any more if it was not yet.  If
 * the call is answered already nothing happens.
 *
 * Of all calls the library says that itself when the worker ends.
 *
 * On any thread.  Does not block, and runs no code of the program's: that is done in the main
 * context in which the worker was made, or on a thread of the library's while the function runs.
 *
 * Since: 1.0
 */
void
malt_worker_drop_host_call (MaltWorker   *self,
                            GCancellable *cancellable)
{
  g_autoptr (GCancellable) kept = NULL;
  MaltHostCalls *calls;
  MaltHostCall *call;
  State state;

  g_return_if_fail (MALT_IS_WORKER (self));
  g_return_if_fail (G_IS_CANCELLABLE (cancellable));

  calls = malt_worker_get_private (self)->host_calls;
  g_mutex_lock (&calls->lock);
  call = g_hash_table_lookup (calls->table, cancellable);
  if (call != NULL && drop_locked (call, &state))
    kept = g_object_ref (cancellable);
  g_mutex_unlock (&calls->lock);

  if (kept != NULL)
    tell (self, g_steal_pointer (&kept), state);
}
