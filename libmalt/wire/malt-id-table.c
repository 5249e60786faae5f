/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-id-table.h"

#include <string.h>

/* What is under way, by its id.
 *
 * Ids grow by one, and most of what has them ends in about that order: so an item lies in
 * the place that the last bits of its id name, beside its neighbours, and nothing has to be
 * hashed, compared or allocated.  One that stays for long gets in the way of another once
 * in a while, which then lies in a hash table; the places are doubled before that can be
 * the rule. */

#define MIN_PLACES 64
/* More than these are given back when nothing is left. */
#define KEPT_PLACES 4096

static void
set_places (MaltIdTable *self,
            guint64      n)
{
  self->places = g_malloc0_n (n, sizeof *self->places);
  self->mask = n - 1;
  self->n_placed = 0;
}

void
malt_id_table_init (MaltIdTable *self)
{
  *self = (MaltIdTable) { .n_placed = 0 };
  set_places (self, MIN_PLACES);
}

void
malt_id_table_clear (MaltIdTable *self)
{
  g_clear_pointer (&self->places, g_free);
  g_clear_pointer (&self->others, g_hash_table_unref);
}

guint
malt_id_table_size (MaltIdTable *self)
{
  return self->n_placed + (self->others != NULL ? g_hash_table_size (self->others) : 0);
}

static void
place (MaltIdTable *self,
       guint64      id,
       gpointer     item)
{
  guint64 i = id & self->mask;

  if (self->places[i].id == 0)
    {
      self->places[i].id = id;
      self->places[i].item = item;
      self->n_placed++;
      return;
    }

  if (self->others == NULL)
    self->others = g_hash_table_new (NULL, NULL);
  g_hash_table_insert (self->others, GSIZE_TO_POINTER (id), item);
}

static void
place_cb (gpointer id,
          gpointer item,
          gpointer user_data)
{
  place (user_data, GPOINTER_TO_SIZE (id), item);
}

static void
grow (MaltIdTable *self)
{
  MaltIdTable old = *self;
  guint64 i;

  self->others = NULL;
  set_places (self, (old.mask + 1) * 2);
  for (i = 0; i <= old.mask; i++)
    if (old.places[i].id != 0)
      place (self, old.places[i].id, old.places[i].item);
  if (old.others != NULL)
    g_hash_table_foreach (old.others, place_cb, self);
  malt_id_table_clear (&old);
}

/* @id is not 0, and not in the table. */
void
malt_id_table_insert (MaltIdTable *self,
                      guint64      id,
                      gpointer     item)
{
  g_assert (id != 0);

  if (malt_id_table_size (self) * 2 > self->mask)
    grow (self);
  place (self, id, item);
}

/* Gives the item or %NULL. */
gpointer
malt_id_table_lookup (MaltIdTable *self,
                      guint64      id)
{
  guint64 i = id & self->mask;

  if (id != 0 && self->places[i].id == id)
    return self->places[i].item;

  return self->others != NULL ? g_hash_table_lookup (self->others, GSIZE_TO_POINTER (id)) : NULL;
}

/* Takes the item out, and gives it; or %NULL. */
gpointer
malt_id_table_steal (MaltIdTable *self,
                     guint64      id)
{
  guint64 i = id & self->mask;
  gpointer item = NULL;

  if (id != 0 && self->places[i].id == id)
    {
      item = self->places[i].item;
      self->places[i].id = 0;
      self->n_placed--;
    }
  else if (self->others != NULL)
    {
      g_hash_table_steal_extended (self->others, GSIZE_TO_POINTER (id), NULL, &item);
      if (g_hash_table_size (self->others) == 0)
        g_clear_pointer (&self->others, g_hash_table_unref);
    }

  if (self->mask >= KEPT_PLACES && malt_id_table_size (self) == 0)
    {
      malt_id_table_clear (self);
      malt_id_table_init (self);
    }
  return item;
}

/* Calls @func for each item, in no order.  The table must not be changed meanwhile. */
void
malt_id_table_foreach (MaltIdTable *self,
                       GFunc        func,
                       gpointer     user_data)
{
  GHashTableIter iter;
  gpointer item;
  guint64 i;

  for (i = 0; i <= self->mask; i++)
    if (self->places[i].id != 0)
      func (self->places[i].item, user_data);

  if (self->others == NULL)
    return;
  g_hash_table_iter_init (&iter, self->others);
  while (g_hash_table_iter_next (&iter, NULL, &item))
    func (item, user_data);
}
