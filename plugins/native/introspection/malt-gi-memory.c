/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-gi-memory.h"

void
malt_gi_memory_init (MaltGiMemory *self)
{
  self->more = NULL;
  self->n_first = 0;
}

/* Returns @data, which is freed when the call is over. */
gpointer
malt_gi_memory_add (MaltGiMemory   *self,
                    gpointer        data,
                    GDestroyNotify  free_func,
                    gboolean        is_given)
{
  MaltGiPiece piece = { data, free_func, is_given };

  if (self->n_first < MALT_GI_MEMORY_INLINE)
    {
      self->first[self->n_first++] = piece;
    }
  else
    {
      if (self->more == NULL)
        self->more = g_array_new (FALSE, FALSE, sizeof (MaltGiPiece));
      g_array_append_val (self->more, piece);
    }

  return data;
}

static void
free_pieces (MaltGiPiece *pieces,
             guint        n,
             gboolean     is_called)
{
  for (guint i = 0; i < n; i++)
    if (!is_called || !pieces[i].is_given)
      pieces[i].free (pieces[i].data);
}

/* In the order in which they were added. */
void
malt_gi_memory_clear (MaltGiMemory *self,
                      gboolean      is_called)
{
  free_pieces (self->first, self->n_first, is_called);
  if (self->more != NULL)
    {
      free_pieces ((MaltGiPiece *) (gpointer) self->more->data, self->more->len, is_called);
      g_array_unref (self->more);
    }
  malt_gi_memory_init (self);
}
