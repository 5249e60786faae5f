/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-channel-op.h"

#include "malt-error.h"

/* A queue of values with two ends, of which one may be in another process.
 *
 * The queue itself is in one process.  Where it is, `items` are what is in it, at most
 * `capacity` (and what the other end had credit for).  In the other process `items` are
 * those that have come from there ahead of who takes them, and what is put is sent at once,
 * or waits.
 *
 * Each end sends only as long as it has credit.  To the remote end that is given as far as
 * there is room in the queue; to the other one, as soon as somebody wants something at the
 * remote end, for a window of items, and again when half of it was taken.  So the remote end
 * may be sent more than it takes.  That must neither keep values from those who want them
 * where the queue is, nor give them later ones before:
 *
 *   - What the remote end has put itself does not go back there, but for who says that he
 *     waits for that (`wanted`).
 *   - Items that were sent stay in `sent`, the first part of the queue, until the other end
 *     has said that they were taken.  While there are any, nobody takes what is behind them:
 *     if somebody wants to, what was not taken is recalled.  It also comes back if the other
 *     end leaves, which that does too when it has taken the last one.
 *   - An end from which something was recalled shares the queue.  So it has less sent ahead
 *     at first (`reach`), and twice as much each time that half of it was taken.
 *
 * Whatever cannot be done at once is a MaltChannelOp.  Whenever anything has changed,
 * serve_locked() does what can be done now.  It sends without the lock, one thread at a
 * time, which `is_sending` says; so nobody waits at the lock for the other process. */

/* Life. */

static MaltChannelCore *
core_new (guint capacity)
{
  MaltChannelCore *self = g_new0 (MaltChannelCore, 1);

  g_atomic_ref_count_init (&self->ref_count);
  g_mutex_init (&self->lock);
  self->capacity = capacity;
  self->window = (gint) MIN (capacity, MALT_CHANNEL_WINDOW);
  self->reach = (guint) self->window;

  return self;
}

/* A queue in this process. */
MaltChannelCore *
malt_channel_core_new (guint capacity)
{
  return core_new (capacity);
}

/* The end of one that is in another process.  Takes the link. */
MaltChannelCore *
malt_channel_core_new_remote (guint            capacity,
                              guint            credit,
                              MaltChannelLink *link)
{
  MaltChannelCore *self = core_new (capacity);

  self->is_remote = TRUE;
  self->link = link;
  self->credit = credit;

  return self;
}

MaltChannelCore *
malt_channel_core_ref (MaltChannelCore *self)
{
  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

void
malt_channel_core_unref (MaltChannelCore *self)
{
  guint i;

  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;

  for (i = 0; i < MALT_CHANNEL_N_OPS; i++)
    g_assert (self->ops[i].length == 0);
  if (self->link != NULL)
    self->link->klass->unref (self->link);
  malt_channel_items_clear (&self->items);
  malt_channel_items_clear (&self->sent);
  g_clear_error (&self->end);
  g_mutex_clear (&self->lock);
  g_free (self);
}

guint
malt_channel_core_get_capacity (MaltChannelCore *self)
{
  return self->capacity;
}

/* As much as there is room for, so that what comes finds a place. */
guint
malt_channel_core_room_locked (MaltChannelCore *self)
{
  return self->is_closed || self->items.n >= self->capacity
         ? 0 : MIN (self->capacity - self->items.n, (guint) self->window);
}

/* Where the queue is: gives the other end credit for the room that there is, but not for each
 * place on its own, unless it has none. */
static void
grant_room_locked (MaltChannelCore *self)
{
  gint64 missing = (gint64) malt_channel_core_room_locked (self) - self->allowance;

  if (missing > 0 && (missing * 2 >= self->window || self->allowance <= 0) && malt_channel_core_room_locked (self) > 0)
    self->grant_due = (guint) missing;
}

/* Whether this end needs the other one no more. */
static gboolean
has_to_leave_locked (MaltChannelCore *self)
{
  return self->is_remote && self->link != NULL &&
         (self->n_handles == 0 || (self->is_finished && self->items.n == 0));
}

/* Gives the link, to be dropped without the lock, if this end has left. */
static MaltChannelLink *
try_leave_locked (MaltChannelCore *self)
{
  if (has_to_leave_locked (self) && self->link->klass->leave (self->link, self->all_taken))
    return malt_channel_core_steal_link_locked (self);

  return NULL;
}

/* Gives the lock back, and then what has to be granted. */
void
malt_channel_core_unlock (MaltChannelCore *self)
{
  MaltChannelLink *link = self->link;
  guint cost, more, wanted = self->want_due;

  if (G_UNLIKELY (self->is_finished))
    {
      link = try_leave_locked (self);
      g_mutex_unlock (&self->lock);
      if (link != NULL)
        link->klass->unref (link);
      return;
    }

  if (link != NULL && !self->is_remote)
    grant_room_locked (self);
  cost = self->grant_due;
  more = self->more_due;

  if (G_LIKELY ((cost | more | wanted) == 0 || link == NULL))
    {
      g_mutex_unlock (&self->lock);
      return;
    }

  self->grant_due = self->more_due = self->want_due = 0;
  self->allowance += (gint64) cost + more;
  link->klass->ref (link);

  /* At the remote end it does not block, and is in its order with what is given back. */
  if (!self->is_remote)
    g_mutex_unlock (&self->lock);
  if (cost > 0)
    link->klass->grant (link, cost);
  if (more > 0)
    link->klass->grant_more (link, more);
  if (wanted > 0)
    link->klass->want (link, wanted);
  if (self->is_remote)
    g_mutex_unlock (&self->lock);

  link->klass->unref (link);
}

/* What is to be told. */

/* Whether nothing more is to be had, now that there is nothing. */
gboolean
malt_channel_core_is_over_locked (MaltChannelCore *self)
{
  return self->end != NULL || (self->is_remote ? self->is_finished : self->is_closed && self->sent.n == 0);
}

GError *
malt_channel_core_error_locked (MaltChannelCore *self)
{
  if (self->end != NULL)
    return g_error_copy (self->end);

  return g_error_new_literal (G_IO_ERROR, G_IO_ERROR_CLOSED, "the channel is closed");
}

/* The operation is done, or has failed if it has an error. */
void
malt_channel_core_settle_locked (MaltChannelCore *self,
                                 MaltChannelOp   *op)
{
  if (op->is_queued)
    {
      g_queue_unlink (&self->ops[op->kind], &op->link);
      op->is_queued = FALSE;
    }
  malt_channel_op_settled_locked (op, self);
}

void
malt_channel_core_fail_ops_locked (MaltChannelCore   *self,
                                   MaltChannelOpKind  kind)
{
  MaltChannelOp *op;

  while ((op = g_queue_peek_head (&self->ops[kind])) != NULL)
    {
      if (kind == MALT_CHANNEL_PUT)
        g_clear_pointer (&op->value, g_variant_unref);
      op->error = malt_channel_core_error_locked (self);
      malt_channel_core_settle_locked (self, op);
    }
}

/* What can be done. */

/* Takes the next item.  There is one. */
GVariant *
malt_channel_core_pop_locked (MaltChannelCore *self)
{
  MaltChannelItem item = malt_channel_items_pop (&self->items);

  if (self->is_remote && self->link != NULL)
    {
      self->taken += item.cost;
      self->all_taken += item.cost;
      if (self->taken * 2 >= self->reach)
        {
          guint more = MIN (self->reach, (guint) self->window - self->reach);

          self->grant_due += self->taken;
          self->taken = 0;
          self->more_due += more;
          self->reach += more;
        }
    }

  return item.value;
}

/* So many more at this end want something from the other's queue. */
void
malt_channel_core_want_locked (MaltChannelCore *self,
                               guint            n)
{
  if (!self->is_remote || self->link == NULL || n == 0)
    return;

  if (self->has_put)
    self->want_due += n;
  if (self->is_granted)
    return;

  self->is_granted = TRUE;
  self->more_due += self->reach;
}

/* Whether the first item is here for who takes it: what was sent comes before. */
gboolean
malt_channel_core_has_next_locked (MaltChannelCore *self)
{
  return self->items.n > 0 && self->sent.n == 0;
}

/* How many wait for items. */
guint
malt_channel_core_n_waiting_locked (MaltChannelCore *self)
{
  return self->ops[MALT_CHANNEL_TAKE].length + self->ops[MALT_CHANNEL_WAIT].length;
}

static void
hand_over_locked (MaltChannelCore *self)
{
  MaltChannelOp *op;

  while (malt_channel_core_has_next_locked (self) && (op = g_queue_peek_head (&self->ops[MALT_CHANNEL_TAKE])) != NULL)
    {
      op->value = malt_channel_core_pop_locked (self);
      malt_channel_core_settle_locked (self, op);
    }
  while (self->items.n > 0 && (op = g_queue_peek_head (&self->ops[MALT_CHANNEL_WAIT])) != NULL)
    malt_channel_core_settle_locked (self, op);
}

/* Of those who have come first. */
static gboolean
let_in_locked (MaltChannelCore *self)
{
  MaltChannelOp *op;
  gboolean any = FALSE;

  while (self->items.n < self->capacity && (op = g_queue_peek_head (&self->ops[MALT_CHANNEL_PUT])) != NULL)
    {
      malt_channel_items_push (&self->items, g_steal_pointer (&op->value), 0);
      malt_channel_core_settle_locked (self, op);
      any = TRUE;
    }

  return any;
}

/* There is nothing, neither here nor sent: who would not wait goes. */
static void
dismiss_hasty_locked (MaltChannelCore   *self,
                      MaltChannelOpKind  kind)
{
  GList *link, *next;

  for (link = self->ops[kind].head; link != NULL; link = next)
    {
      MaltChannelOp *op = link->data;

      next = link->next;
      if (!op->is_hasty)
        continue;

      op->error = g_error_new_literal (MALT_ERROR, MALT_ERROR_TIMEOUT, "there is nothing to take");
      malt_channel_core_settle_locked (self, op);
    }
}

/* Does what can be done, with the lock, which is not held all the time. */
void
malt_channel_core_serve_locked (MaltChannelCore *self)
{
  gboolean any;

  do
    {
      hand_over_locked (self);
      any = malt_channel_core_send_next_locked (self);
      if (!self->is_remote)
        any |= let_in_locked (self);
    }
  while (any);

  if (self->items.n > 0)
    return;

  if (malt_channel_core_is_over_locked (self))
    {
      malt_channel_core_fail_ops_locked (self, MALT_CHANNEL_TAKE);
      malt_channel_core_fail_ops_locked (self, MALT_CHANNEL_WAIT);
    }
  else if (!self->is_remote && self->sent.n == 0)
    {
      dismiss_hasty_locked (self, MALT_CHANNEL_TAKE);
      dismiss_hasty_locked (self, MALT_CHANNEL_WAIT);
    }
}

void
malt_channel_core_serve (MaltChannelCore *self)
{
  g_mutex_lock (&self->lock);
  malt_channel_core_serve_locked (self);
  malt_channel_core_unlock (self);
}

/* Its ends. */

void
malt_channel_core_close (MaltChannelCore *self)
{
  g_mutex_lock (&self->lock);
  if (!self->is_closed)
    {
      self->is_closed = TRUE;
      self->close_due = self->link != NULL;
      malt_channel_core_fail_ops_locked (self, MALT_CHANNEL_PUT);
      malt_channel_core_serve_locked (self);
    }
  malt_channel_core_unlock (self);
}

gboolean
malt_channel_core_is_closed (MaltChannelCore *self)
{
  gboolean result;

  g_mutex_lock (&self->lock);
  result = self->is_closed;
  g_mutex_unlock (&self->lock);

  return result;
}

/* The link is of no more use.  What it was given for what is under way is not given back. */
MaltChannelLink *
malt_channel_core_steal_link_locked (MaltChannelCore *self)
{
  MaltChannelOp *op;

  self->close_due = FALSE;
  self->taken = self->grant_due = self->more_due = self->want_due = 0;
  while ((op = g_queue_peek_head (&self->ops[MALT_CHANNEL_PROBE])) != NULL)
    malt_channel_core_settle_locked (self, op);

  return g_steal_pointer (&self->link);
}

/* The worker has ended: what is here can still be taken, then there is the error. */
void
malt_channel_core_end (MaltChannelCore *self,
                       const GError    *error)
{
  MaltChannelLink *link = NULL;

  g_mutex_lock (&self->lock);
  if (self->end == NULL && !self->is_finished && !(self->is_closed && !self->is_remote && self->items.n == 0))
    {
      self->end = g_error_copy (error);
      self->is_closed = TRUE;
      malt_channel_core_fail_ops_locked (self, MALT_CHANNEL_PUT);
      malt_channel_core_serve_locked (self);
    }
  /* Afterwards, as those who wait are woken by it. */
  link = malt_channel_core_steal_link_locked (self);
  malt_channel_core_unlock (self);

  if (link != NULL)
    link->klass->unref (link);
}

/* Nothing comes from the other process any more, and nothing goes there; who is to be told
 * what will hear of that from malt_channel_core_end(). */
void
malt_channel_core_unlink (MaltChannelCore *self)
{
  MaltChannelLink *link;

  g_mutex_lock (&self->lock);
  link = malt_channel_core_steal_link_locked (self);
  malt_channel_core_unlock (self);

  if (link != NULL)
    link->klass->unref (link);
}

/* Handles. */

void
malt_channel_core_add_handle (MaltChannelCore *self)
{
  g_mutex_lock (&self->lock);
  self->n_handles++;
  g_mutex_unlock (&self->lock);
}

/* If nobody has a handle, or all was taken, this end is needed no more. */
void
malt_channel_core_try_leave (MaltChannelCore *self)
{
  MaltChannelLink *link;

  g_mutex_lock (&self->lock);
  link = try_leave_locked (self);
  g_mutex_unlock (&self->lock);

  if (link != NULL)
    link->klass->unref (link);
}

/* With a reference. */
void
malt_channel_core_drop_handle (MaltChannelCore *self)
{
  g_mutex_lock (&self->lock);
  self->n_handles--;
  g_mutex_unlock (&self->lock);

  malt_channel_core_try_leave (self);
}

/* Whether nobody has to hear of the end of its worker. */
gboolean
malt_channel_core_is_needless (MaltChannelCore *self)
{
  gboolean result;

  g_mutex_lock (&self->lock);
  result = self->n_handles == 0 || self->end != NULL || self->is_finished;
  g_mutex_unlock (&self->lock);

  return result;
}
