/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <glib.h>

#include "malt-limits.h"

G_BEGIN_DECLS

/* Shared memory in which large values cross, one way and to one peer.  This is the
 * writing end, which allocates; see malt-arena-view.h for the reading one. */

typedef struct _MaltArena MaltArena;

int        malt_arena_create_memory  (gsize            size,
                                      GError         **error);
int        malt_arena_open_read_only (int              fd,
                                      GError         **error);
gpointer   malt_arena_map_memory     (int              fd,
                                      gsize            size,
                                      int              protection,
                                      GError         **error);

MaltArena *malt_arena_new            (int              fd,
                                      gsize            size,
                                      const guint32   *released,
                                      gpointer         owner,
                                      GDestroyNotify   destroy,
                                      GError         **error);
MaltArena *malt_arena_ref            (MaltArena       *self);
void       malt_arena_unref          (MaltArena       *self);
void       malt_arena_retire         (MaltArena       *self);

gpointer   malt_arena_allocate       (MaltArena       *self,
                                      gsize            size,
                                      guint32         *slot) G_GNUC_WARN_UNUSED_RESULT;
void       malt_arena_ref_slot       (MaltArena       *self,
                                      guint32          slot);
void       malt_arena_unref_slot     (MaltArena       *self,
                                      guint32          slot);
void       malt_arena_send           (MaltArena       *self,
                                      guint32          slot);

guint64    malt_arena_offset         (MaltArena       *self,
                                      gconstpointer    data);
gboolean   malt_arena_find           (MaltArena       *self,
                                      gconstpointer    data,
                                      gsize            size,
                                      guint32         *slot,
                                      guint64         *offset);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (MaltArena, malt_arena_unref)

G_END_DECLS
