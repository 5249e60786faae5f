/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-arena-view.h"

#include <gio/gio.h>
#include <string.h>
#include <sys/mman.h>

#include "malt-arena.h"
#include "malt-fork.h"

/* The reading end: the same memory, mapped for reading.  What the other end says of it is
 * compared with its bounds and not with anything else: a peer that names what it has not
 * allocated, or names it twice, is given its own bytes. */
struct _MaltArenaView
{
  /* Immutable after construction. */
  const guint8    *base;
  gsize            size;
  guint32         *released; /* MALT_ARENA_SLOTS words; the reader adds, never looks */
  gpointer         owner;    /* of the words */
  GDestroyNotify   destroy;
  guint            generation; /* see malt-fork.c */

  /* Atomic. */
  gatomicrefcount  ref_count;
};

/* Maps the memory.  @released are MALT_ARENA_SLOTS words in memory that the writer reads;
 * @owner keeps them, and is dropped by @destroy at the end or when this fails.  The
 * descriptor stays the caller's. */
MaltArenaView *
malt_arena_view_new (int              fd,
                     gsize            size,
                     guint32         *released,
                     gpointer         owner,
                     GDestroyNotify   destroy,
                     GError         **error)
{
  gpointer base;
  MaltArenaView *self;

  g_return_val_if_fail (size > 0, NULL);
  g_return_val_if_fail (released != NULL, NULL);

  base = malt_arena_map_memory (fd, size, PROT_READ, error);
  if (base == NULL)
    {
      if (destroy != NULL)
        destroy (owner);
      return NULL;
    }

  self = g_new0 (MaltArenaView, 1);
  g_atomic_ref_count_init (&self->ref_count);
  self->base = base;
  self->size = size;
  self->released = released;
  self->owner = owner;
  self->destroy = destroy;
  self->generation = malt_fork_get_generation ();

  return self;
}

MaltArenaView *
malt_arena_view_ref (MaltArenaView *self)
{
  g_atomic_ref_count_inc (&self->ref_count);

  return self;
}

void
malt_arena_view_unref (MaltArenaView *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;

  munmap ((gpointer) self->base, self->size);
  if (self->destroy != NULL)
    self->destroy (self->owner);
  g_free (self);
}

static gboolean
check_place (MaltArenaView  *self,
             guint32         slot,
             guint64         offset,
             guint64         size,
             GError        **error)
{
  if (slot >= MALT_ARENA_SLOTS)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                   "a value in the arena has the slot %u (limit %u)", slot, MALT_ARENA_SLOTS - 1);
      return FALSE;
    }
  if (offset % 8 != 0)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                   "a value in the arena has the offset %" G_GUINT64_FORMAT ", not a multiple of 8",
                   offset);
      return FALSE;
    }
  if (offset >= self->size)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                   "a value in the arena has the offset %" G_GUINT64_FORMAT " (limit %" G_GSIZE_FORMAT ")",
                   offset, self->size - 1);
      return FALSE;
    }
  if (size > self->size - offset)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                   "a value in the arena has %" G_GUINT64_FORMAT " bytes at the offset %" G_GUINT64_FORMAT
                   " (limit %" G_GUINT64_FORMAT ")",
                   size, offset, self->size - offset);
      return FALSE;
    }

  return TRUE;
}

/* What one GBytes stands for. */
typedef struct
{
  MaltArenaView *view;
  guint32        slot;
} Taken;

static void
taken_free_cb (gpointer data)
{
  Taken *taken = data;

  malt_arena_view_release (taken->view, taken->slot);
  malt_arena_view_unref (taken->view);
  g_free (taken);
}

/* Gives the bytes where they are, which releases the slot when it goes, on whatever thread
 * this is.  They keep the view.  The other end may write them at any time. */
GBytes *
malt_arena_view_take (MaltArenaView  *self,
                      guint32         slot,
                      guint64         offset,
                      guint64         size,
                      GError        **error)
{
  Taken *taken;

  if (!check_place (self, slot, offset, size, error))
    return NULL;

  taken = g_new (Taken, 1);
  taken->view = malt_arena_view_ref (self);
  taken->slot = slot;

  return g_bytes_new_with_free_func (self->base + offset, (gsize) size, taken_free_cb, taken);
}

/* Copies the bytes, and leaves releasing to the caller. */
gboolean
malt_arena_view_copy (MaltArenaView  *self,
                      guint32         slot,
                      guint64         offset,
                      guint64         size,
                      gpointer        to,
                      GError        **error)
{
  if (!check_place (self, slot, offset, size, error))
    return FALSE;

  if (size > 0)
    memcpy (to, self->base + offset, (gsize) size);
  return TRUE;
}

/* Says that a value was read and is needed no more, once for each time that it was sent.
 * @slot was checked by malt_arena_view_copy(). */
void
malt_arena_view_release (MaltArenaView *self,
                         guint32        slot)
{
  g_return_if_fail (slot < MALT_ARENA_SLOTS);

  /* A copy of this process has the value still. */
  if (self->generation != malt_fork_get_generation ())
    return;

  /* An unsigned sum: the word may wrap around. */
  g_atomic_int_add ((int *) &self->released[slot], 1);
}
