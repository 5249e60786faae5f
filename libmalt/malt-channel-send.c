/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-channel-op.h"

/* What an end of a channel sends to the other one, in turn. */

/* Sends without the lock.  `is_sending` is TRUE from begin to end, so that what is sent stays
 * in its order; TRUE at the end if the link is still that of the core. */
static MaltChannelLink *
begin_sending_locked (MaltChannelCore *self)
{
  MaltChannelLink *link = self->link;

  self->is_sending = TRUE;
  link->klass->ref (link);
  malt_channel_core_unlock (self);

  return link;
}

static gboolean
end_sending (MaltChannelCore *self,
             MaltChannelLink *link)
{
  gboolean is_current;

  g_mutex_lock (&self->lock);
  is_current = self->link == link;
  if (!is_current)
    g_mutex_unlock (&self->lock);
  link->klass->unref (link);
  if (!is_current)
    g_mutex_lock (&self->lock);
  self->is_sending = FALSE;

  return is_current;
}

/* Sends what is first in the queue.  If the other end leaves meanwhile it goes back, so it is
 * among those that were sent from the begin. */
static void
send_item_locked (MaltChannelCore *self)
{
  g_autoptr (GVariant) value = g_variant_ref (malt_channel_core_pop_locked (self));
  g_autoptr (GError) error = NULL;
  MaltChannelItem *last;
  MaltChannelLink *link;
  guint cost = 0;

  malt_channel_items_push (&self->sent, value, 0);
  link = begin_sending_locked (self);
  if (!link->klass->send (link, value, &cost, &error))
    g_critical ("a value that was put into a channel could not be sent: %s", error->message);
  if (!end_sending (self, link))
    return;

  self->credit -= cost;
  if (self->wanted > 0)
    self->wanted--;
  if (self->sent.n == 0)
    return;

  /* Else it is taken already. */
  last = &self->sent.items[(self->sent.head + self->sent.n - 1) & (self->sent.size - 1)];
  if (last->value == value && last->cost == 0)
    last->cost = cost;
}

/* Sends what the first of those puts who wait. */
static void
send_put_locked (MaltChannelCore *self)
{
  MaltChannelOp *op = g_queue_pop_head_link (&self->ops[MALT_CHANNEL_PUT])->data;
  g_autoptr (GVariant) value = g_steal_pointer (&op->value);
  MaltChannelLink *link;
  GError *error = NULL;
  guint cost = 0;

  op->is_queued = FALSE;
  self->n_put++;
  link = begin_sending_locked (self);
  link->klass->send (link, value, &cost, &error);
  /* Its credit may have come back already. */
  if (end_sending (self, link))
    self->credit = MIN (self->credit - cost, self->window);

  op->error = error;
  malt_channel_core_settle_locked (self, op);
}

/* Calls one of the other functions of the link that send. */
static void
send_locked (MaltChannelCore *self,
             void          (* func) (MaltChannelLink *))
{
  MaltChannelLink *link = begin_sending_locked (self);

  func (link);
  end_sending (self, link);
}

/* Puts what was sent and not taken back to where it was. */
void
malt_channel_core_take_back_locked (MaltChannelCore *self)
{
  while (self->sent.n > 0)
    malt_channel_items_push_first (&self->items, malt_channel_items_pop_last (&self->sent).value);
  self->credit = 0;
  self->wanted = 0;
  self->is_recalling = self->has_finished = FALSE;
}

/* Whether the next item may be sent. */
static gboolean
may_send_item_locked (MaltChannelCore *self)
{
  return self->items.n > 0 && self->credit > 0 && !self->is_recalling &&
         (self->items.items[self->items.head].cost == 0 || self->wanted > 0);
}

/* Whether somebody waits here for what was sent and not taken, or for what comes behind it. */
static gboolean
has_to_recall_locked (MaltChannelCore *self)
{
  return self->sent.n > 0 && !self->is_recalling && malt_channel_core_n_waiting_locked (self) > 0;
}

/* Sends what is next, if it may.  FALSE if there is nothing. */
gboolean
malt_channel_core_send_next_locked (MaltChannelCore *self)
{
  if (self->link == NULL || self->is_sending)
    return FALSE;

  if (self->left_due)
    {
      guint i;

      self->left_due = FALSE;
      malt_channel_core_take_back_locked (self);
      for (i = 0; i < self->items.n; i++)
        self->items.items[(self->items.head + i) & (self->items.size - 1)].cost = 0;
      send_locked (self, self->link->klass->left);
    }
  else if (self->is_remote && self->ops[MALT_CHANNEL_PUT].length > 0 && self->credit > 0)
    send_put_locked (self);
  else if (!self->is_remote && has_to_recall_locked (self))
    {
      self->is_recalling = TRUE;
      send_locked (self, self->link->klass->recall);
    }
  else if (!self->is_remote && may_send_item_locked (self))
    send_item_locked (self);
  else if (!self->is_remote && self->is_closed && self->items.n == 0 && !self->is_recalling && !self->has_finished)
    {
      self->has_finished = TRUE;
      self->close_due = FALSE;
      send_locked (self, self->link->klass->finish);
    }
  else if (self->close_due)
    {
      self->close_due = FALSE;
      send_locked (self, self->link->klass->close);
    }
  else
    return FALSE;

  return TRUE;
}
