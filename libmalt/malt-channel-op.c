/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-channel-op.h"

#include "malt-error.h"
#include "malt-service-private.h"
#include "malt-worker.h"
#include "wire/malt-limits.h"
#include "wire/malt-message.h"

/* Who puts, takes and waits: threads that block, and tasks.
 *
 * A thread that waits for what is in another process reads the connection to it meanwhile,
 * as it does in a blocking call; one of a worker, that its manager may bring what it waits
 * for.  Tasks have their main contexts read. */

/* How long is waited for a thread of the other process that has nothing to do but to answer:
 * what it has, or what it gives back. */
#define ANSWER_MSEC 5000

/* Threads. */

/* What the operation is about is done, or its error is set.  With the lock. */
void
malt_channel_op_settled_locked (MaltChannelOp   *self,
                                MaltChannelCore *core)
{
  MaltChannelLink *link = self->waits_on;

  switch (self->way)
    {
    case MALT_CHANNEL_BY_TASK:
      if (link != NULL)
        link->klass->forget (link, g_task_get_context (self->task));
      malt_deliver (&self->delivery, g_task_get_context (self->task));
      break;

    case MALT_CHANNEL_BY_LINK:
      link->klass->ref (link);
      g_atomic_int_set (&self->done, TRUE);
      link->klass->wake (link, &self->done);
      link->klass->unref (link);
      break;

    case MALT_CHANNEL_BY_SERVICE:
      g_atomic_int_set (&self->done, TRUE);
      malt_service_wake (malt_service_get (), &self->done);
      break;

    case MALT_CHANNEL_BY_COND:
    default:
      g_atomic_int_set (&self->done, TRUE);
      g_cond_signal (&self->cond);
    }
}

static void
enqueue_locked (MaltChannelCore *core,
                MaltChannelOp   *op)
{
  op->link.data = op;
  g_queue_push_tail_link (&core->ops[op->kind], &op->link);
  op->is_queued = TRUE;
  if (core->is_remote && core->link != NULL)
    {
      op->waits_on = core->link;
      op->waits_on->klass->ref (op->waits_on);
    }
  if (op->kind == MALT_CHANNEL_TAKE || op->kind == MALT_CHANNEL_WAIT)
    malt_channel_core_want_locked (core, 1);
  else if (op->kind == MALT_CHANNEL_PUT && core->is_remote && !core->has_put)
    {
      /* Those who wait already may have this as well. */
      core->has_put = TRUE;
      core->want_due += malt_channel_core_n_waiting_locked (core);
    }
}

typedef struct
{
  MaltChannelCore *core;
  MaltChannelOp   *op;
} Cancelling;

/* On any thread. */
static void
cancelled_cb (GCancellable *cancellable,
              gpointer      user_data)
{
  Cancelling *cancelling = user_data;
  MaltChannelCore *core = cancelling->core;
  MaltChannelOp *op = cancelling->op;

  g_mutex_lock (&core->lock);
  if (op->is_queued)
    {
      g_cancellable_set_error_if_cancelled (cancellable, &op->error);
      malt_channel_core_settle_locked (core, op);
    }
  g_mutex_unlock (&core->lock);
}

/* Blocks a thread that has nothing to read. */
static gboolean
wait_for_cond (MaltChannelCore  *core,
               MaltChannelOp    *op,
               gint64            deadline,
               GCancellable     *cancellable,
               GError          **error)
{
  Cancelling cancelling = { core, op };
  gboolean in_time = TRUE;
  gulong handler = 0;

  if (cancellable != NULL)
    handler = g_cancellable_connect (cancellable, G_CALLBACK (cancelled_cb), &cancelling, NULL);

  g_mutex_lock (&core->lock);
  while (in_time && !g_atomic_int_get (&op->done))
    {
      if (deadline < 0)
        g_cond_wait (&op->cond, &core->lock);
      else
        in_time = g_cond_wait_until (&op->cond, &core->lock, deadline);
    }
  g_mutex_unlock (&core->lock);

  if (handler != 0)
    g_cancellable_disconnect (cancellable, handler);
  if (g_atomic_int_get (&op->done))
    return TRUE;

  g_set_error_literal (error, MALT_ERROR, MALT_ERROR_TIMEOUT, "the time has passed");
  return FALSE;
}

static gboolean
wait_for_op (MaltChannelCore  *core,
             MaltChannelOp    *op,
             gint64            deadline,
             GCancellable     *cancellable,
             GError          **error)
{
  switch (op->way)
    {
    case MALT_CHANNEL_BY_LINK:
      return op->waits_on->klass->wait (op->waits_on, &op->done, deadline, cancellable, error);
    case MALT_CHANNEL_BY_SERVICE:
      return malt_service_wait (malt_service_get (), &op->done, deadline, cancellable, error);
    case MALT_CHANNEL_BY_COND:
    case MALT_CHANNEL_BY_TASK:
    default:
      return wait_for_cond (core, op, deadline, cancellable, error);
    }
}

static gboolean
is_endless (int timeout_msec)
{
  return timeout_msec < 0 || timeout_msec == MALT_TIMEOUT_NONE;
}

/* Blocks until the operation is done, its time has passed or it was cancelled; in the last
 * moment it may be done all the same.  With the lock, which it gives back. */
static gboolean
run_and_unlock (MaltChannelCore  *core,
                MaltChannelOp    *op,
                int               timeout_msec,
                GCancellable     *cancellable,
                GError          **error)
{
  int patience = op->is_hasty ? ANSWER_MSEC : timeout_msec;
  gint64 deadline = is_endless (patience) ? -1 : g_get_monotonic_time () + (gint64) patience * 1000;
  g_autoptr (GError) failure = NULL;
  gboolean done;

  enqueue_locked (core, op);
  if (op->waits_on != NULL)
    op->way = MALT_CHANNEL_BY_LINK;
  else if (!core->is_remote && malt_service_get () != NULL)
    op->way = MALT_CHANNEL_BY_SERVICE;
  malt_channel_core_serve_locked (core);
  malt_channel_core_unlock (core);

  done = g_atomic_int_get (&op->done) || wait_for_op (core, op, deadline, cancellable, &failure);
  if (!done)
    {
      g_mutex_lock (&core->lock);
      if (op->is_queued)
        {
          g_queue_unlink (&core->ops[op->kind], &op->link);
          op->is_queued = FALSE;
          g_clear_pointer (&op->value, g_variant_unref);
          op->error = g_steal_pointer (&failure);
          g_atomic_int_set (&op->done, TRUE);
        }
      g_mutex_unlock (&core->lock);

      /* Else another thread is just sending it. */
      while (!g_atomic_int_get (&op->done))
        wait_for_op (core, op, -1, NULL, NULL);
    }

  if (op->waits_on != NULL)
    op->waits_on->klass->unref (op->waits_on);
  if (op->error == NULL)
    return TRUE;

  if (g_error_matches (op->error, MALT_ERROR, MALT_ERROR_TIMEOUT))
    {
      g_clear_error (&op->error);
      g_set_error (error, MALT_ERROR, MALT_ERROR_TIMEOUT, "the channel %s within %d ms",
                   op->kind == MALT_CHANNEL_PUT ? "had no room" : "had nothing to take", timeout_msec);
    }
  else
    g_propagate_error (error, g_steal_pointer (&op->error));
  return FALSE;
}

/* Whether the value can go to another process, wherever it goes first. */
static gboolean
check_value (GVariant  *value,
             GError   **error)
{
  MaltService *service = malt_service_get ();

  return malt_message_check_value (value, service != NULL ? service->max_body : MALT_LIMIT_BODY_SIZE, error);
}

/* Whether the operation can only fail, or is done already. */
static gboolean
fail_early_locked (MaltChannelCore    *core,
                   MaltChannelOpKind   kind,
                   GError            **error)
{
  if (kind == MALT_CHANNEL_PUT ? !core->is_closed : core->items.n > 0 || !malt_channel_core_is_over_locked (core))
    return FALSE;

  g_propagate_error (error, malt_channel_core_error_locked (core));
  return TRUE;
}

/* Puts the value at once, where nobody has come before and there is room.  Takes it then. */
static gboolean
put_at_once_locked (MaltChannelCore *self,
                    GVariant        *value)
{
  if (self->is_remote || self->is_closed || self->ops[MALT_CHANNEL_PUT].length > 0 ||
      self->items.n >= self->capacity)
    return FALSE;

  malt_channel_items_push (&self->items, value, 0);
  if (self->link != NULL || self->ops[MALT_CHANNEL_TAKE].length > 0 || self->ops[MALT_CHANNEL_WAIT].length > 0)
    malt_channel_core_serve_locked (self);

  return TRUE;
}

gboolean
malt_channel_core_put (MaltChannelCore  *self,
                       GVariant         *value,
                       int               timeout_msec,
                       GCancellable     *cancellable,
                       GError          **error)
{
  MaltChannelOp op = { .kind = MALT_CHANNEL_PUT };

  if (g_cancellable_set_error_if_cancelled (cancellable, error) || !check_value (value, error))
    return FALSE;

  g_mutex_lock (&self->lock);
  if (fail_early_locked (self, MALT_CHANNEL_PUT, error))
    {
      malt_channel_core_unlock (self);
      return FALSE;
    }

  g_variant_ref (value);
  if (put_at_once_locked (self, value))
    {
      malt_channel_core_unlock (self);
      return TRUE;
    }

  op.value = value;
  return run_and_unlock (self, &op, timeout_msec, cancellable, error);
}

/* Asks the process that has the queue whether there is something to take, and waits for the
 * answer.  With the lock, which it gives back. */
static gboolean
probe_and_unlock (MaltChannelCore *self)
{
  MaltChannelOp op = { .kind = MALT_CHANNEL_PROBE };

  op.serial = ++self->n_probes;
  self->link->klass->probe (self->link, self->n_put);
  run_and_unlock (self, &op, ANSWER_MSEC, NULL, NULL);
  g_clear_error (&op.error);

  return op.is_ready;
}

/* Has what is there come, for who does not wait for it.  With the lock. */
static void
fetch_locked (MaltChannelCore *self)
{
  malt_channel_core_want_locked (self, 1);
  /* What is granted goes when the lock is given back, and before the probe. */
  malt_channel_core_unlock (self);

  g_mutex_lock (&self->lock);
  if (self->link == NULL)
    return;

  probe_and_unlock (self);
  g_mutex_lock (&self->lock);
}

/* Whether what there may be is at the other end, and comes back if it is wanted here. */
static gboolean
is_lent_locked (MaltChannelCore *self)
{
  return !self->is_remote && self->sent.n > 0;
}

/* Takes the next value if it is here, and is nobody else's. */
static GVariant *
take_at_once_locked (MaltChannelCore *self)
{
  GVariant *value;

  if (!malt_channel_core_has_next_locked (self) || self->ops[MALT_CHANNEL_TAKE].length > 0)
    return NULL;

  value = malt_channel_core_pop_locked (self);
  /* There may be room for somebody now, or an end. */
  if (!self->is_remote && (self->ops[MALT_CHANNEL_PUT].length > 0 || self->link != NULL))
    malt_channel_core_serve_locked (self);

  return value;
}

GVariant *
malt_channel_core_try_take (MaltChannelCore *self)
{
  GVariant *value;

  g_mutex_lock (&self->lock);
  value = take_at_once_locked (self);
  malt_channel_core_unlock (self);

  return value;
}

GVariant *
malt_channel_core_take (MaltChannelCore  *self,
                        int               timeout_msec,
                        GCancellable     *cancellable,
                        GError          **error)
{
  MaltChannelOp op = { .kind = MALT_CHANNEL_TAKE };

  if (g_cancellable_set_error_if_cancelled (cancellable, error))
    return NULL;

  g_mutex_lock (&self->lock);
  if (timeout_msec == 0 && self->items.n == 0 && self->is_remote && self->link != NULL && !self->is_finished)
    fetch_locked (self);
  op.value = take_at_once_locked (self);
  if (op.value != NULL)
    {
      malt_channel_core_unlock (self);
      return op.value;
    }
  if (fail_early_locked (self, MALT_CHANNEL_TAKE, error))
    {
      malt_channel_core_unlock (self);
      return NULL;
    }

  op.is_hasty = timeout_msec == 0 && is_lent_locked (self);
  return run_and_unlock (self, &op, timeout_msec, cancellable, error) ? op.value : NULL;
}

gboolean
malt_channel_core_wait (MaltChannelCore  *self,
                        int               timeout_msec,
                        GCancellable     *cancellable,
                        GError          **error)
{
  MaltChannelOp op = { .kind = MALT_CHANNEL_WAIT };
  gboolean is_ready;

  if (g_cancellable_set_error_if_cancelled (cancellable, error))
    return FALSE;

  g_mutex_lock (&self->lock);
  is_ready = self->items.n > 0;
  if (is_ready || fail_early_locked (self, MALT_CHANNEL_WAIT, error))
    {
      malt_channel_core_unlock (self);
      return is_ready;
    }

  op.is_hasty = timeout_msec == 0 && is_lent_locked (self);
  return run_and_unlock (self, &op, timeout_msec, cancellable, error);
}

/* Whether there is something to take. */
gboolean
malt_channel_core_is_ready (MaltChannelCore *self)
{
  MaltChannelOp op = { .kind = MALT_CHANNEL_WAIT, .is_hasty = TRUE };
  gboolean is_ready;

  g_mutex_lock (&self->lock);
  is_ready = self->items.n > 0;
  if (!is_ready && self->is_remote && self->link != NULL && !self->is_finished)
    return probe_and_unlock (self);
  if (!is_ready && is_lent_locked (self))
    return run_and_unlock (self, &op, 0, NULL, NULL);
  malt_channel_core_unlock (self);

  return is_ready;
}

/* Tasks. */

static void
op_unref (MaltChannelOp *self)
{
  if (!g_atomic_int_dec_and_test (&self->ref_count))
    return;

  if (self->waits_on != NULL)
    self->waits_on->klass->unref (self->waits_on);
  g_clear_pointer (&self->value, g_variant_unref);
  g_clear_error (&self->error);
  g_object_unref (self->task);
  malt_channel_core_unref (self->core);
  g_free (self);
}

static void
task_cancelled_cb (GCancellable *cancellable,
                   gpointer      user_data)
{
  MaltChannelOp *op = user_data;
  Cancelling cancelling = { op->core, op };

  cancelled_cb (cancellable, &cancelling);
}

/* In its main context. */
static void
deliver (MaltDelivery *delivery)
{
  MaltChannelOp *self = (MaltChannelOp *) ((char *) delivery - G_STRUCT_OFFSET (MaltChannelOp, delivery));
  gulong handler;

  g_mutex_lock (&self->core->lock);
  handler = self->handler;
  self->handler = 0;
  g_atomic_int_set (&self->done, TRUE);
  g_mutex_unlock (&self->core->lock);
  if (handler != 0)
    g_cancellable_disconnect (g_task_get_cancellable (self->task), handler);

  if (self->error != NULL)
    g_task_return_error (self->task, g_steal_pointer (&self->error));
  else if (self->kind == MALT_CHANNEL_TAKE)
    g_task_return_pointer (self->task, g_steal_pointer (&self->value), (GDestroyNotify) g_variant_unref);
  else
    g_task_return_boolean (self->task, TRUE);

  op_unref (self);
}

/* Has the cancellable of the task end it, if it is not done by then. */
static void
watch_cancellable (MaltChannelOp *self)
{
  GCancellable *cancellable = g_task_get_cancellable (self->task);
  gboolean is_late;
  gulong handler;

  if (cancellable == NULL)
    return;

  g_atomic_int_inc (&self->ref_count);
  handler = g_cancellable_connect (cancellable, G_CALLBACK (task_cancelled_cb), self, (GDestroyNotify) op_unref);
  if (handler == 0)
    return;

  g_mutex_lock (&self->core->lock);
  is_late = g_atomic_int_get (&self->done);
  if (!is_late)
    self->handler = handler;
  g_mutex_unlock (&self->core->lock);
  if (is_late)
    g_cancellable_disconnect (cancellable, handler);
}

/* Takes value and task. */
static void
run_task (MaltChannelCore   *core,
          MaltChannelOpKind  kind,
          GVariant          *value,
          GTask             *task)
{
  MaltChannelOp *op = g_new0 (MaltChannelOp, 1);
  GError *error = NULL;

  /* What was taken is not to be lost. */
  g_task_set_check_cancellable (task, FALSE);

  op->kind = kind;
  op->way = MALT_CHANNEL_BY_TASK;
  op->ref_count = 2;
  op->core = malt_channel_core_ref (core);
  op->task = task;
  op->value = value;
  op->delivery.func = deliver;

  if (!g_cancellable_set_error_if_cancelled (g_task_get_cancellable (task), &error) &&
      kind == MALT_CHANNEL_PUT)
    check_value (value, &error);

  g_mutex_lock (&core->lock);
  if (error != NULL || fail_early_locked (core, kind, &error))
    {
      op->error = error;
      malt_channel_op_settled_locked (op, core);
    }
  else
    {
      enqueue_locked (core, op);
      if (op->waits_on != NULL)
        op->waits_on->klass->await (op->waits_on, g_task_get_context (task));
      malt_channel_core_serve_locked (core);
    }
  malt_channel_core_unlock (core);

  watch_cancellable (op);
  op_unref (op);
}

void
malt_channel_core_put_task (MaltChannelCore *self,
                            GVariant        *value,
                            GTask           *task)
{
  run_task (self, MALT_CHANNEL_PUT, g_variant_ref (value), task);
}

void
malt_channel_core_take_task (MaltChannelCore *self,
                             GTask           *task)
{
  run_task (self, MALT_CHANNEL_TAKE, NULL, task);
}

void
malt_channel_core_wait_task (MaltChannelCore *self,
                             GTask           *task)
{
  run_task (self, MALT_CHANNEL_WAIT, NULL, task);
}
