/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-arena.h"
#include "malt-arena-view.h"

G_BEGIN_DECLS

/* Values that lie in an arena while the frame that brings them says only where. */

/* Below this it is cheaper to send them along. */
#define MALT_LARGE_VALUE_SIZE (16u * 1024)

/* Who is at the other end of the arena, and so who may write what this end reads. */
typedef enum
{
  MALT_PEER_WORKER,  /* anything may come from it, at any time */
  MALT_PEER_MANAGER, /* to be trusted, and it reads only */
} MaltPeer;

/* One sending of a value, which this end keeps until it is sent. */
typedef struct
{
  MaltArena *arena;
  guint32    slot;
} MaltLargeValue;

GBytes   *malt_large_value_new_buffer (MaltArena *arena,
                                       gsize      size,
                                       gpointer  *data);

gboolean  malt_large_value_put   (MaltLargeValue  *self,
                                  MaltArena       *arena,
                                  MaltPeer         peer,
                                  GVariant        *value,
                                  GBytes          *rest,
                                  gsize            max_size,
                                  GBytes         **body,
                                  GError         **error);
void      malt_large_value_send  (MaltLargeValue  *self);
void      malt_large_value_clear (MaltLargeValue  *self);

gboolean  malt_large_value_take  (MaltArenaView   *view,
                                  MaltPeer         peer,
                                  gconstpointer    body,
                                  gsize            body_size,
                                  gsize            max_size,
                                  GVariant       **value,
                                  gsize           *rest,
                                  GError         **error);

G_END_DECLS
