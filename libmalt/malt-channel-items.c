/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-channel-op.h"

/* The queue of a channel, by itself. */

static void
grow (MaltChannelItems *self)
{
  guint size = MAX (self->size * 2, 8), i;
  MaltChannelItem *items = g_new (MaltChannelItem, size);

  for (i = 0; i < self->n; i++)
    items[i] = self->items[(self->head + i) & (self->size - 1)];
  g_free (self->items);
  self->items = items;
  self->size = size;
  self->head = 0;
}

/* Takes a reference to the value. */
void
malt_channel_items_push (MaltChannelItems *self,
                         GVariant         *value,
                         guint             cost)
{
  if (self->n == self->size)
    grow (self);
  self->items[(self->head + self->n++) & (self->size - 1)] = (MaltChannelItem) { value, cost };
}

void
malt_channel_items_push_first (MaltChannelItems *self,
                               GVariant         *value)
{
  if (self->n == self->size)
    grow (self);
  self->head = (self->head + self->size - 1) & (self->size - 1);
  self->items[self->head] = (MaltChannelItem) { value, 0 };
  self->n++;
}

MaltChannelItem
malt_channel_items_pop (MaltChannelItems *self)
{
  MaltChannelItem item = self->items[self->head];

  self->head = (self->head + 1) & (self->size - 1);
  self->n--;
  return item;
}

MaltChannelItem
malt_channel_items_pop_last (MaltChannelItems *self)
{
  return self->items[(self->head + --self->n) & (self->size - 1)];
}

void
malt_channel_items_clear (MaltChannelItems *self)
{
  while (self->n > 0)
    g_variant_unref (malt_channel_items_pop (self).value);
  g_clear_pointer (&self->items, g_free);
  self->size = 0;
}
