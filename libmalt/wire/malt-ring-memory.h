/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-ring.h"

G_BEGIN_DECLS

/* The memory that the two ends of a ring transport share.
 *
 * The manager makes it and seals its size, so that nobody can take pages away from under
 * the other.  It begins as zeroes, belongs to one worker, and goes with it. */

typedef struct
{
  MaltRingWords down;     /* to the worker */
  MaltRingWords up;       /* to the manager */
  guint32       may_spin; /* the manager's word to the worker */
} MaltRingHead;

typedef struct
{
  gatomicrefcount  ref_count;

  /* Immutable. */
  gpointer         base;
  gsize            size;
  guint32          capacity;
  MaltRingHead    *head;
  guint32         *released_down; /* of each arena, see malt-arena.h */
  guint32         *released_up;
  guint8          *down;      /* bytes of the two rings */
  guint8          *up;
} MaltRingMemory;

MaltRingMemory *malt_ring_memory_new   (guint32          capacity,
                                        int             *fd,
                                        GError         **error);
MaltRingMemory *malt_ring_memory_map   (int              fd,
                                        guint32          capacity,
                                        GError         **error);
MaltRingMemory *malt_ring_memory_ref   (MaltRingMemory  *self);
void            malt_ring_memory_unref (MaltRingMemory  *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (MaltRingMemory, malt_ring_memory_unref)

G_END_DECLS
