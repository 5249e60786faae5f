/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* See malt-id-table.c.  All of it is its functions', and the caller's lock's. */
typedef struct
{
  struct
  {
    guint64 id;             /* 0: nothing is here */
    gpointer item;
  }          *places;
  guint64     mask;         /* their number, a power of two, less one */
  guint       n_placed;
  GHashTable *others;       /* those whose place was taken; NULL until there are any */
} MaltIdTable;

void     malt_id_table_init   (MaltIdTable *self);
void     malt_id_table_clear  (MaltIdTable *self);

guint    malt_id_table_size   (MaltIdTable *self);
void     malt_id_table_insert (MaltIdTable *self,
                               guint64      id,
                               gpointer     item);
gpointer malt_id_table_lookup (MaltIdTable *self,
                               guint64      id);
gpointer malt_id_table_steal  (MaltIdTable *self,
                               guint64      id);
void     malt_id_table_foreach (MaltIdTable *self,
                                GFunc        func,
                                gpointer     user_data);

G_END_DECLS
