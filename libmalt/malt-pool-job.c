/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-pool-private.h"

#include "malt-error.h"

/* A call to a pool for which no thread waits.
 *
 * It waits in the queue until it is given a worker, begins on whatever thread that happens,
 * and ends on the pools' thread, which reads its reply; or on a thread that has come to wait for
 * it, if it is a joinable one.  Where its worker was lost it goes
 * back to the head of the queue, if it may.  Its function is told once what came of it, on
 * any thread, without the lock.
 *
 * A deadline is looked after here as long as the job is in the queue; as soon as it has a
 * worker that is for the ladder (see malt-ladder.c).  With a cancellable it is the same, but
 * what climbs the ladder is one of the job's own, which is cancelled on the pools' thread: to
 * disconnect from the caller's can block, and nobody but the caller shall wait for that. */
struct _MaltPoolJob
{
  gatomicrefcount  ref_count;

  /* Immutable once it is submitted. */
  MaltPoolCore    *core;
  MaltPoolCall     call;           /* all of it owned */
  int              timeout_msec;   /* MALT_TIMEOUT_NONE for none */
  gint64           deadline;       /* monotonic; 0 for none that counts in the queue */
  GCancellable    *cancellable;    /* the caller's; NULL if there is none, as the next two */
  gulong           cancelled_id;
  GCancellable    *own;            /* of the call to the worker */
  gboolean         is_bounded;
  gboolean         is_joinable;
  MaltPoolJobFunc  func;
  gpointer         user_data;
  GMainContext    *context;        /* owned, in which a joinable one with the caller's cancellable
                                      is told, else NULL */

  /* Guarded by the core's lock. */
  MaltPoolEntry    entry;
  MaltCall        *made;           /* owned: of a joinable one, as long as it is under way */

  gint             is_cancelled;   /* atomic, changed under the core's lock */

  /* Owned by whoever begins or finishes it. */
  MaltPoolMember  *member;         /* that it was given */
  guint64          lost_id;        /* on its way to a worker that has ended; 0 if it was not sent */
  guint            n_retries;
  GVariant        *value;          /* with which it will be finished, or one of these */
  GError          *error;
  MaltResult      *result;         /* of a call with one, until it is returned */
  MaltDelivery     delivery;
};

MaltPoolJob *
malt_pool_job_ref (MaltPoolJob *self)
{
  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

void
malt_pool_job_unref (MaltPoolJob *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;

  g_assert (self->member == NULL);
  g_assert (!self->entry.is_queued);

  g_free ((char *) self->call.text);
  g_free ((char *) self->call.module);
  g_clear_pointer (&self->call.arguments, g_variant_unref);
  g_clear_pointer (&self->call.keywords, g_variant_unref);
  g_clear_object (&self->cancellable);
  g_clear_object (&self->own);
  g_clear_pointer (&self->context, g_main_context_unref);
  g_clear_error (&self->error);
  g_assert (self->value == NULL && self->result == NULL);
  malt_pool_core_unref (self->core);
  g_free (self);
}

static gboolean
is_cancelled (MaltPoolJob *self)
{
  return g_atomic_int_get (&self->is_cancelled) || g_cancellable_is_cancelled (self->cancellable);
}

gboolean
malt_pool_job_is_bounded (MaltPoolJob *self)
{
  return self->is_bounded;
}

/* Whether its deadline may pass in the queue. */
gboolean
malt_pool_job_is_timed (MaltPoolJob *self)
{
  return self->deadline != 0;
}

/* It is told in a context, where what it has of the caller can be let go. */
static void
tell_there (MaltDelivery *delivery)
{
  MaltPoolJob *self = (MaltPoolJob *) ((char *) delivery - G_STRUCT_OFFSET (MaltPoolJob, delivery));

  if (self->cancelled_id != 0)
    g_cancellable_disconnect (self->cancellable, self->cancelled_id);
  self->func (self, g_steal_pointer (&self->value), g_steal_pointer (&self->error), self->user_data);
}

/* Tells what came of it.  Takes the job. */
void
malt_pool_job_finish (MaltPoolJob *self,
                      GVariant    *value,
                      GError      *error)
{
  if (value == NULL && error == NULL)
    error = g_steal_pointer (&self->error);

  if (G_LIKELY (self->context == NULL))
    {
      self->func (self, value, error, self->user_data);
      return;
    }

  self->value = value;
  self->error = error;
  self->delivery.func = tell_there;
  malt_deliver (&self->delivery, self->context);
}

/* It is to be finished with the error, which is taken. */
void
malt_pool_job_fail_locked (MaltPoolJob     *self,
                           GError          *error,
                           MaltPoolActions *actions)
{
  self->error = error;
  g_queue_push_tail_link (&actions->fail, &self->entry.link);
}

static void
leave_queue_locked (MaltPoolJob     *self,
                    GError          *error,
                    MaltPoolActions *actions)
{
  malt_pool_core_dequeue_locked (self->core, &self->entry);
  self->core->n_failed++;
  malt_pool_job_fail_locked (self, error, actions);
}

/* Its deadline may have passed while it is in the queue.  Returns when it will, or -1. */
gint64
malt_pool_job_expire_locked (MaltPoolJob     *self,
                             gint64           now,
                             MaltPoolActions *actions)
{
  if (self->deadline == 0)
    return -1;
  if (self->deadline > now)
    return self->deadline;

  leave_queue_locked (self, malt_pool_call_new_timeout (self->core, self->timeout_msec), actions);
  return -1;
}

/* Takes it out of the queue, or has its call climb the ladder.  On any thread, without locks. */
void
malt_pool_job_cancel (MaltPoolJob *self)
{
  g_autoptr (MaltPoolCore) core = malt_pool_core_ref (self->core);
  MaltPoolActions actions = MALT_POOL_ACTIONS_INIT;
  g_autoptr (MaltCall) made = NULL;

  g_mutex_lock (&core->lock);
  g_atomic_int_set (&self->is_cancelled, TRUE);
  if (self->made != NULL)
    made = malt_call_ref (self->made);
  if (self->entry.is_queued)
    {
      leave_queue_locked (self, malt_pool_call_new_cancelled (core), &actions);
      malt_pool_core_schedule_locked (core, &actions);
    }
  g_mutex_unlock (&core->lock);

  malt_pool_core_act (core, &actions);
  if (made != NULL)
    malt_ladder_cancel (made);
}

static gboolean
cancelled_on_pool_cb (gpointer user_data)
{
  MaltPoolJob *self = user_data;

  malt_pool_job_cancel (self);
  g_cancellable_cancel (self->own);
  return G_SOURCE_REMOVE;
}

/* Takes jobs that are not awaited one by one out of the queue.  On the pools' thread. */
void
malt_pool_job_cancel_all (MaltPoolCore *core,
                          GCancellable *own)
{
  MaltPoolActions actions = MALT_POOL_ACTIONS_INIT;
  GList *link, *next;

  g_mutex_lock (&core->lock);
  for (link = core->queue.head; link != NULL; link = next)
    {
      MaltPoolJob *self = ((MaltPoolEntry *) link->data)->job;

      next = link->next;
      if (self != NULL && self->own == own)
        leave_queue_locked (self, malt_pool_call_new_cancelled (core), &actions);
    }
  malt_pool_core_schedule_locked (core, &actions);
  g_mutex_unlock (&core->lock);

  malt_pool_core_act (core, &actions);
  g_cancellable_cancel (own);
}

/* In whatever thread cancels; it may not do more than pass that on. */
static void
cancelled_cb (GCancellable *cancellable,
              gpointer      user_data)
{
  malt_pool_invoke (malt_pool_get_context (), cancelled_on_pool_cb, malt_pool_job_ref (user_data),
                    (GDestroyNotify) malt_pool_job_unref);
}

/* It is given a worker. */
void
malt_pool_job_give_locked (MaltPoolJob     *self,
                           MaltPoolMember  *member,
                           MaltPoolActions *actions)
{
  g_assert (self->member == NULL);
  self->member = malt_pool_member_ref (member);
  malt_pool_member_give_locked (member, &self->entry.link, actions);
}

/* Gives its worker back, and puts it into the queue again, if it may, or says that it is
 * over. */
static gboolean
give_back_locked (MaltPoolJob        *self,
                  const MaltAttempt  *attempt,
                  gboolean            succeeded,
                  gboolean            again,
                  MaltPoolMember    **member,
                  MaltPoolActions    *actions)
{
  MaltPoolCore *core = self->core;

  *member = g_steal_pointer (&self->member);
  malt_pool_member_free_locked (*member, attempt, actions);

  again = again && core->state < MALT_POOL_STOPPING && !is_cancelled (self);
  if (again)
    {
      malt_pool_core_enqueue_locked (core, &self->entry, TRUE);
      if (self->deadline != 0)
        malt_pool_core_wake_at_locked (core, self->deadline);
    }
  else if (succeeded)
    {
      core->n_done++;
      malt_pool_brake_ease (&core->brake);
    }
  else
    core->n_failed++;

  malt_pool_core_schedule_locked (core, actions);
  return again;
}

/* Whether it has come back because its worker is no more, and not because it was to end. */
static gboolean
is_lost (const MaltAttempt *attempt,
         const GError      *error)
{
  return attempt->rung == MALT_RUNG_NONE && (g_error_matches (error, MALT_ERROR, MALT_ERROR_TERMINATED) ||
                                             g_error_matches (error, MALT_ERROR, MALT_ERROR_PROTOCOL));
}

/* It waits until all that its worker had have come back.  Takes the error. */
static void
lose (MaltPoolJob       *self,
      const MaltAttempt *attempt,
      GError            *error)
{
  g_autoptr (MaltPoolCore) core = malt_pool_core_ref (self->core);
  MaltPoolActions actions = MALT_POOL_ACTIONS_INIT;
  MaltPoolMember *member;

  g_mutex_lock (&core->lock);
  self->error = error;
  member = g_steal_pointer (&self->member);
  malt_pool_member_lose_locked (member, self, &self->entry.link);
  malt_pool_member_free_locked (member, attempt, &actions);
  malt_pool_core_schedule_locked (core, &actions);
  g_mutex_unlock (&core->lock);

  malt_pool_member_unref (member);
  malt_pool_core_act (core, &actions);
}

guint64
malt_pool_job_get_lost_id (MaltPoolJob *self)
{
  return self->lost_id;
}

/* Its worker has ended.  If it has not begun, or may be made twice, it goes to another one. */
void
malt_pool_job_settle_locked (MaltPoolJob     *self,
                             gboolean         has_begun,
                             MaltPoolActions *actions)
{
  MaltPoolCore *core = self->core;
  MaltAttempt attempt = { .rung = MALT_RUNG_NONE };
  gboolean again = !has_begun;

  if (has_begun && self->n_retries < core->options.retries &&
      malt_pool_call_may_retry (&self->call, &attempt, self->error))
    {
      self->n_retries++;
      again = TRUE;
    }

  if (again && core->state < MALT_POOL_STOPPING && !is_cancelled (self))
    {
      g_clear_error (&self->error);
      malt_pool_core_enqueue_locked (core, &self->entry, TRUE);
      if (self->deadline != 0)
        malt_pool_core_wake_at_locked (core, self->deadline);
      return;
    }

  core->n_failed++;
  malt_pool_job_fail_locked (self, g_steal_pointer (&self->error), actions);
}

/* The call of a joinable one that is under way, if there is one. */
MaltCall *
malt_pool_job_ref_call (MaltPoolJob *self)
{
  MaltCall *call;

  g_mutex_lock (&self->core->lock);
  call = self->made != NULL ? malt_call_ref (self->made) : NULL;
  g_mutex_unlock (&self->core->lock);

  return call;
}

static void
forget_call (MaltPoolJob *self)
{
  MaltCall *call;

  g_mutex_lock (&self->core->lock);
  call = g_steal_pointer (&self->made);
  g_mutex_unlock (&self->core->lock);

  malt_call_unref (call);
}

/* Its call has ended, on the pools' thread or one that has joined it.  Takes the call. */
static void
ended_cb (MaltCall *call)
{
  MaltPoolJob *self = call->owner;
  g_autoptr (MaltPoolCore) core = malt_pool_core_ref (self->core);
  MaltPoolActions actions = MALT_POOL_ACTIONS_INIT;
  MaltAttempt attempt = {
    .rung = call->rung,
    .is_withdrawn = call->is_withdrawn && call->fate == MALT_CALL_GOES_ON,
  };
  MaltPoolMember *member;
  GError *error = NULL;
  gboolean again;
  GVariant *value;

  self->lost_id = call->request_id;
  value = malt_call_propagate (call, &error);
  malt_call_unref (call);
  if (self->is_joinable)
    forget_call (self);

  if (malt_pool_member_takes_back (self->member) && is_lost (&attempt, error))
    {
      lose (self, &attempt, error);
      return;
    }

  again = attempt.is_withdrawn;
  if (!again)
    again = self->n_retries < core->options.retries && malt_pool_call_may_retry (&self->call, &attempt, error);
  if (again && !attempt.is_withdrawn)
    self->n_retries++;

  g_mutex_lock (&core->lock);
  again = give_back_locked (self, &attempt, value != NULL, again, &member, &actions);
  g_mutex_unlock (&core->lock);
  malt_pool_member_unref (member);

  if (attempt.is_withdrawn && !again)
    {
      g_error_free (error);
      error = is_cancelled (self) ? malt_pool_call_new_cancelled (core) : malt_pool_core_new_closed_error (core);
    }

  /* The next one is on its way before this one is told. */
  malt_pool_core_act (core, &actions);
  if (again)
    g_error_free (error);
  else
    malt_pool_job_finish (self, value, error);
}

/* Why it is not worth beginning; or NULL. */
static GError *
find_obstacle (MaltPoolJob *self,
               int         *waited_msec)
{
  gint64 left;

  *waited_msec = 0;
  if (is_cancelled (self))
    return malt_pool_call_new_cancelled (self->core);
  if (self->deadline == 0)
    return NULL;

  left = (self->deadline - g_get_monotonic_time () + 999) / 1000;
  *waited_msec = self->timeout_msec - (int) CLAMP (left, 0, self->timeout_msec);
  return left <= 0 && self->timeout_msec > 0 ? malt_pool_call_new_timeout (self->core, self->timeout_msec) : NULL;
}

/* FALSE if its worker does not take it.  Takes the request. */
static gboolean
make_call (MaltPoolJob *self,
           MaltRequest *request,
           int          waited_msec)
{
  MaltCall *call = malt_worker_new_owned_call (malt_pool_member_get_worker (self->member), request, self->timeout_msec,
                                               self->own, malt_pool_get_context (), ended_cb, self);
  g_autoptr (MaltCall) kept = NULL;
  gboolean begun;

  call->waited_msec = waited_msec;
  call->may_be_taken_back = TRUE;
  if (!self->is_joinable)
    return malt_worker_begin_owned_call (call, request, NULL);

  /* Both may end right away, and be no more. */
  kept = malt_call_ref (call);
  malt_pool_job_ref (self);
  g_mutex_lock (&self->core->lock);
  self->made = malt_call_ref (call);
  g_mutex_unlock (&self->core->lock);

  begun = malt_worker_begin_owned_call (call, request, NULL);
  if (!begun)
    forget_call (self);
  /* Until it has begun it climbs no ladder, and whoever has cancelled it then has done so in vain. */
  else if (g_atomic_int_get (&self->is_cancelled))
    malt_ladder_cancel (kept);
  malt_pool_job_unref (self);
  return begun;
}

/* Begins it with the worker that it was given. */
void
malt_pool_job_begin (MaltPoolJob     *self,
                     MaltPoolActions *actions)
{
  MaltPoolCore *core = self->core;
  MaltAttempt attempt = { 0 };
  MaltRequest *request = NULL;
  MaltPoolMember *member;
  GError *error;
  gboolean again;

  error = find_obstacle (self, &attempt.waited_msec);
  if (error == NULL)
    request = malt_pool_call_new_request (&self->call, &error);
  if (request != NULL && make_call (self, request, attempt.waited_msec))
    return;

  /* Another worker may take what this one has refused. */
  attempt.is_refused = request != NULL;
  g_mutex_lock (&core->lock);
  again = give_back_locked (self, &attempt, FALSE, attempt.is_refused, &member, actions);
  g_mutex_unlock (&core->lock);
  malt_pool_member_unref (member);
  if (again)
    return;

  if (error == NULL)
    error = is_cancelled (self) ? malt_pool_call_new_cancelled (core) : malt_pool_core_new_closed_error (core);
  malt_pool_job_finish (self, NULL, error);
}

/* Why the core does not take it; or NULL. */
static GError *
find_refusal_locked (MaltPoolJob *self)
{
  MaltPoolCore *core = self->core;
  g_autofree char *name = NULL;

  if (core->state != MALT_POOL_OPEN)
    return malt_pool_core_new_closed_error (core);
  /* Who cancels has said so before the handler looks for it in the queue. */
  if (is_cancelled (self))
    return malt_pool_call_new_cancelled (core);
  if (!self->is_bounded || core->n_jobs_queued < core->options.queue_length || core->ready.length > 0)
    return NULL;

  name = malt_pool_core_dup_name (core);
  return g_error_new (G_IO_ERROR, G_IO_ERROR_BUSY, "%s: %u calls wait for a worker, which is as many as may",
                      name, core->n_jobs_queued);
}

static MaltPoolJob *
job_new (MaltPoolCore       *core,
         const MaltPoolCall *call,
         int                 timeout_msec,
         GCancellable       *cancellable,
         GCancellable       *own,
         gboolean            is_bounded,
         MaltPoolJobFunc     func,
         gpointer            user_data)
{
  MaltPoolJob *self = g_new0 (MaltPoolJob, 1);

  g_atomic_ref_count_init (&self->ref_count);
  self->core = malt_pool_core_ref (core);
  self->call = (MaltPoolCall) {
    .kind = call->kind,
    .text = g_strdup (call->text),
    .module = g_strdup (call->module),
    .arguments = call->arguments != NULL ? g_variant_ref (call->arguments) : NULL,
    .keywords = call->keywords != NULL ? g_variant_ref (call->keywords) : NULL,
    .flags = call->flags,
  };
  self->timeout_msec = malt_pool_call_get_timeout (core, timeout_msec);
  if (self->timeout_msec != MALT_TIMEOUT_NONE && (call->flags & MALT_POOL_CALL_FLAGS_TIME_RUN) == 0)
    self->deadline = g_get_monotonic_time () + self->timeout_msec * (gint64) 1000;
  g_set_object (&self->cancellable, cancellable);
  g_set_object (&self->own, own);
  self->is_bounded = is_bounded;
  self->func = func;
  self->user_data = user_data;
  self->entry.job = self;
  self->entry.link.data = &self->entry;

  return self;
}

/* Puts it into the queue, or says why not.  Takes the job where it is in the queue. */
static GError *
enter_queue (MaltPoolJob *self)
{
  g_autoptr (MaltPoolCore) core = malt_pool_core_ref (self->core);
  MaltPoolActions actions = MALT_POOL_ACTIONS_INIT;
  GError *refusal;

  g_mutex_lock (&core->lock);
  refusal = find_refusal_locked (self);
  if (refusal == NULL)
    {
      malt_pool_core_enqueue_locked (core, &self->entry, FALSE);
      malt_pool_core_schedule_locked (core, &actions);
      if (self->entry.is_queued && self->deadline != 0)
        malt_pool_core_wake_at_locked (core, self->deadline);
    }
  g_mutex_unlock (&core->lock);

  malt_pool_core_act (core, &actions);
  return refusal;
}

/* Takes the job. */
static void
submit (MaltPoolJob *self)
{
  GError *refusal = enter_queue (self);

  if (refusal != NULL)
    malt_pool_job_finish (self, NULL, refusal);
}

/* Has a call made, which is copied, and @func told what came of it; perhaps before this
 * returns.  It is one of many: who submits them sees to malt_pool_job_cancel_all() when the
 * cancellable is cancelled. */
void
malt_pool_job_submit (MaltPoolCore       *core,
                      const MaltPoolCall *call,
                      int                 timeout_msec,
                      GCancellable       *cancellable,
                      GCancellable       *own,
                      MaltPoolJobFunc     func,
                      gpointer            user_data)
{
  submit (job_new (core, call, timeout_msec, cancellable, own, FALSE, func, user_data));
}

/* The same for a call that nobody awaits.  FALSE if it was not taken; then nothing is told,
 * and the data destroyed. */
gboolean
malt_pool_job_try (MaltPoolCore        *core,
                   const MaltPoolCall  *call,
                   MaltPoolJobFunc      func,
                   gpointer             user_data,
                   GDestroyNotify       destroy,
                   GError             **error)
{
  MaltPoolJob *self = job_new (core, call, MALT_TIMEOUT_NONE, NULL, NULL, TRUE, func, user_data);
  GError *refusal = enter_queue (self);

  if (refusal == NULL)
    return TRUE;

  malt_pool_job_unref (self);
  destroy (user_data);
  g_propagate_error (error, refusal);
  return FALSE;
}

static void
return_result (MaltDelivery *delivery)
{
  MaltPoolJob *self = (MaltPoolJob *) ((char *) delivery - G_STRUCT_OFFSET (MaltPoolJob, delivery));

  /* The handler keeps the job. */
  if (self->cancelled_id != 0)
    g_cancellable_disconnect (self->cancellable, self->cancelled_id);
  malt_result_return (g_steal_pointer (&self->result), g_steal_pointer (&self->value),
                      g_steal_pointer (&self->error));
  malt_pool_job_unref (self);
}

static void
tell_result (MaltPoolJob *self,
             GVariant    *value,
             GError      *error,
             gpointer     user_data)
{
  self->value = value;
  self->error = error;
  self->delivery.func = return_result;
  malt_deliver (&self->delivery, malt_result_get_context (self->result));
}

/* The handler keeps the job until that was told. */
static void
watch_cancellable (MaltPoolJob *self)
{
  if (self->cancellable != NULL && !g_cancellable_is_cancelled (self->cancellable))
    self->cancelled_id = g_cancellable_connect (self->cancellable, G_CALLBACK (cancelled_cb), malt_pool_job_ref (self),
                                                (GDestroyNotify) malt_pool_job_unref);
}

/* The same for a result, which is taken, and returned in its context; what the job was given
 * is dropped there too. */
void
malt_pool_job_submit_for (MaltPoolCore       *core,
                          const MaltPoolCall *call,
                          int                 timeout_msec,
                          GCancellable       *cancellable,
                          MaltResult         *result)
{
  g_autoptr (GCancellable) own = cancellable != NULL ? g_cancellable_new () : NULL;
  MaltPoolJob *self = job_new (core, call, timeout_msec, cancellable, own, TRUE, tell_result, NULL);

  self->result = result;
  watch_cancellable (self);
  submit (self);
}

/* A call for which a thread may come to wait, which is told where it is known what came of it;
 * with a cancellable in the context, because there it is let go.  The data is destroyed by the
 * function. */
MaltPoolJob *
malt_pool_job_new_joinable (MaltPoolCore       *core,
                            const MaltPoolCall *call,
                            int                 timeout_msec,
                            GCancellable       *cancellable,
                            GMainContext       *context,
                            MaltPoolJobFunc     func,
                            gpointer            user_data)
{
  g_autoptr (GCancellable) own = cancellable != NULL ? g_cancellable_new () : NULL;
  MaltPoolJob *self = job_new (core, call, timeout_msec, cancellable, own, TRUE, func, user_data);

  self->is_joinable = TRUE;
  if (cancellable != NULL)
    self->context = g_main_context_ref (context);

  return self;
}

/* Perhaps it ends before this returns. */
void
malt_pool_job_begin_joinable (MaltPoolJob *self)
{
  watch_cancellable (self);
  submit (malt_pool_job_ref (self));
}
