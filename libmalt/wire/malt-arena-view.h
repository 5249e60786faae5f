/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <glib.h>

#include "malt-limits.h"

G_BEGIN_DECLS

/* The reading end of an arena.  It may be used on any thread. */

typedef struct _MaltArenaView MaltArenaView;

MaltArenaView *malt_arena_view_new     (int               fd,
                                        gsize             size,
                                        guint32          *released,
                                        gpointer          owner,
                                        GDestroyNotify    destroy,
                                        GError          **error);
MaltArenaView *malt_arena_view_ref     (MaltArenaView    *self);
void           malt_arena_view_unref   (MaltArenaView    *self);

GBytes        *malt_arena_view_take    (MaltArenaView    *self,
                                        guint32           slot,
                                        guint64           offset,
                                        guint64           size,
                                        GError          **error);
gboolean       malt_arena_view_copy    (MaltArenaView    *self,
                                        guint32           slot,
                                        guint64           offset,
                                        guint64           size,
                                        gpointer          to,
                                        GError          **error);
void           malt_arena_view_release (MaltArenaView    *self,
                                        guint32           slot);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (MaltArenaView, malt_arena_view_unref)

G_END_DECLS
