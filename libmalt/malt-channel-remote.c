/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-channel-op.h"

#include "wire/malt-limits.h"

/* What comes over the link of a channel, from its other end.  Who brings it may find that this
 * end has just left on another thread, and has no link any more. */

/* An item.  @size is that of its bytes. */
gboolean
malt_channel_core_receive (MaltChannelCore *self,
                           GVariant        *value,
                           gsize            size)
{
  guint cost = malt_channel_cost (size);
  gboolean allowed;

  g_mutex_lock (&self->lock);
  allowed = self->allowance > 0 && !self->is_finished;
  if (allowed)
    {
      self->allowance -= cost;
      self->n_put++;
      /* What the other end has put before it knew that this one is closed comes too late. */
      if (self->is_remote || !self->is_closed)
        {
          malt_channel_items_push (&self->items, g_variant_ref (value), cost);
          malt_channel_core_serve_locked (self);
        }
    }
  malt_channel_core_unlock (self);

  return allowed;
}

/* Drops what the other end has taken of what was sent. */
static void
take_off_locked (MaltChannelCore  *self,
                 guint             cost,
                 MaltChannelItems *taken)
{
  while (cost > 0 && self->sent.n > 0)
    {
      MaltChannelItem item = malt_channel_items_pop (&self->sent);

      /* One that is just being sent is the last. */
      cost -= item.cost > 0 ? MIN (cost, item.cost) : cost;
      malt_channel_items_push (taken, item.value, 0);
    }
}

/* What it costs to send something is known only when that is done, and its credit can be back
 * before. */
static gint64
max_credit_locked (MaltChannelCore *self)
{
  return (gint64) self->window + (self->is_sending ? malt_channel_cost (MALT_LIMIT_BODY_SIZE) : 0);
}

/* The other end has taken so much of what was sent.  If @link is no more that of the channel,
 * nothing happens. */
gboolean
malt_channel_core_credit (MaltChannelCore *self,
                          MaltChannelLink *link,
                          guint            cost)
{
  MaltChannelItems taken = { 0 };
  gboolean allowed;

  g_mutex_lock (&self->lock);
  allowed = self->link == NULL || !self->is_remote || self->credit + cost <= max_credit_locked (self);
  /* Who has left has counted all already. */
  if (allowed && self->link == link && !self->is_leaving)
    {
      self->credit += cost;
      if (!self->is_remote)
        {
          self->all_taken += cost;
          take_off_locked (self, cost, &taken);
        }
      malt_channel_core_serve_locked (self);
    }
  malt_channel_core_unlock (self);

  malt_channel_items_clear (&taken);
  return allowed;
}

/* The other end is closed. */
gboolean
malt_channel_core_closed (MaltChannelCore *self)
{
  gboolean allowed;

  g_mutex_lock (&self->lock);
  allowed = !self->is_finished;
  if (!self->is_closed)
    {
      self->is_closed = TRUE;
      malt_channel_core_fail_ops_locked (self, MALT_CHANNEL_PUT);
      malt_channel_core_serve_locked (self);
    }
  malt_channel_core_unlock (self);

  return allowed;
}

/* Nothing more comes from the other end. */
void
malt_channel_core_finished (MaltChannelCore *self)
{
  g_mutex_lock (&self->lock);
  self->is_closed = self->is_finished = TRUE;
  malt_channel_core_fail_ops_locked (self, MALT_CHANNEL_PUT);
  malt_channel_core_serve_locked (self);
  malt_channel_core_unlock (self);
}

/* A probe was answered. */
gboolean
malt_channel_core_probed (MaltChannelCore *self,
                          gboolean         is_ready)
{
  MaltChannelOp *op;
  gboolean allowed;

  g_mutex_lock (&self->lock);
  allowed = self->n_probed != self->n_probes;
  if (allowed)
    {
      self->n_probed++;
      while ((op = g_queue_peek_head (&self->ops[MALT_CHANNEL_PROBE])) != NULL && op->serial <= self->n_probed)
        {
          op->is_ready = is_ready;
          malt_channel_core_settle_locked (self, op);
        }
    }
  malt_channel_core_unlock (self);

  return allowed;
}

/* What was not taken here is wanted where the queue is. */
gboolean
malt_channel_core_recalled (MaltChannelCore *self)
{
  MaltChannelItems items = { 0 };
  gboolean allowed;

  g_mutex_lock (&self->lock);
  allowed = self->link == NULL || self->is_granted;
  if (allowed && self->link != NULL)
    {
      items = self->items;
      self->items = (MaltChannelItems) { 0 };
      self->is_granted = self->is_finished = FALSE;
      self->allowance = 0;
      self->taken = self->grant_due = self->more_due = 0;
      self->link->klass->give_back (self->link, self->all_taken);
      /* Whoever waits here gets what is left by those who wait there. */
      self->reach = CLAMP (malt_channel_core_n_waiting_locked (self), 1, (guint) self->window);
      malt_channel_core_want_locked (self, malt_channel_core_n_waiting_locked (self));
    }
  malt_channel_core_unlock (self);

  malt_channel_items_clear (&items);
  return allowed;
}

/* Where the queue is. */

/* Whether there is something to take, now or once all has come that the other end had put when
 * it asked. */
gboolean
malt_channel_core_answer_probe (MaltChannelCore *self,
                                guint32          n_put)
{
  gboolean is_ready;

  g_mutex_lock (&self->lock);
  is_ready = self->items.n > 0 || self->n_put != n_put;
  g_mutex_unlock (&self->lock);

  return is_ready;
}

/* So many more wait at the other end. */
void
malt_channel_core_wanted (MaltChannelCore *self,
                          MaltChannelLink *link,
                          guint            number)
{
  g_mutex_lock (&self->lock);
  if (self->link == link && !self->is_leaving)
    self->wanted += MIN (number, G_MAXINT32 - MIN (self->wanted, G_MAXINT32));
  malt_channel_core_serve_locked (self);
  malt_channel_core_unlock (self);
}

/* The other end may be sent so much more ahead of what is taken there. */
void
malt_channel_core_credit_more (MaltChannelCore *self,
                               MaltChannelLink *link,
                               guint            cost)
{
  g_mutex_lock (&self->lock);
  if (self->link == link && !self->is_leaving)
    {
      self->credit += cost;
      malt_channel_core_serve_locked (self);
    }
  malt_channel_core_unlock (self);
}

/* The other end has given back all but so much. */
void
malt_channel_core_given_back (MaltChannelCore *self,
                              MaltChannelLink *link,
                              guint32          taken)
{
  MaltChannelItems items = { 0 };

  g_mutex_lock (&self->lock);
  if (self->link == link && !self->is_leaving)
    {
      take_off_locked (self, taken - self->all_taken, &items);
      self->all_taken = taken;
      malt_channel_core_take_back_locked (self);
      malt_channel_core_serve_locked (self);
    }
  malt_channel_core_unlock (self);

  malt_channel_items_clear (&items);
}

/* @is_leaving: the other end has left, and the link is about to go. */
MaltChannelLink *
malt_channel_core_ref_link (MaltChannelCore *self,
                            gboolean        *is_leaving)
{
  MaltChannelLink *link;

  g_mutex_lock (&self->lock);
  link = self->link;
  *is_leaving = self->is_leaving;
  if (link != NULL)
    link->klass->ref (link);
  g_mutex_unlock (&self->lock);

  return link;
}

/* Takes the link, of which there is none yet.  What the other end has for credit. */
guint
malt_channel_core_set_link (MaltChannelCore *self,
                            MaltChannelLink *link)
{
  guint credit;

  g_mutex_lock (&self->lock);
  g_assert (self->link == NULL);
  self->link = link;
  self->all_taken = 0;
  self->n_put = 0;
  self->credit = 0;
  self->allowance = credit = malt_channel_core_room_locked (self);
  self->close_due = self->is_closed;
  self->left_due = self->is_leaving = FALSE;
  self->has_finished = FALSE;
  self->wanted = 0;
  self->is_recalling = FALSE;
  g_mutex_unlock (&self->lock);

  return credit;
}

/* The other end has left, after it has taken so much in all, of which it may not have said
 * all.  The rest goes back to where it was. */
void
malt_channel_core_left (MaltChannelCore *self,
                        guint32          taken)
{
  MaltChannelItems items = { 0 };

  g_mutex_lock (&self->lock);
  take_off_locked (self, taken - self->all_taken, &items);
  self->left_due = self->is_leaving = TRUE;
  malt_channel_core_serve_locked (self);
  malt_channel_core_unlock (self);

  malt_channel_items_clear (&items);
}
