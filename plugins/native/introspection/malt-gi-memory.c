/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-gi-memory.h"

#include <string.h>

void
malt_gi_memory_init (MaltGiMemory *self)
{
  self->more = NULL;
  self->n_first = 0;
}

static void
add_piece (MaltGiMemory *self,
           MaltGiPiece   piece)
{
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
}

/* Returns @data, which is freed when the call is over. */
gpointer
malt_gi_memory_add (MaltGiMemory   *self,
                    gpointer        data,
                    GDestroyNotify  free_func,
                    gboolean        is_given)
{
  add_piece (self, (MaltGiPiece) { data, 1, free_func, is_given });
  return data;
}

char *
malt_gi_memory_add_text (MaltGiMemory *self,
                         char         *text,
                         gboolean      is_given)
{
  add_piece (self, (MaltGiPiece) { text, strlen (text) + 1, g_free, is_given });
  return text;
}

static MaltGiPiece *
get_more (const MaltGiMemory *self)
{
  return self->more != NULL ? (MaltGiPiece *) (gpointer) self->more->data : NULL;
}

static gboolean
keep_one (MaltGiPiece   *pieces,
          guint          n,
          gconstpointer  pointer)
{
  for (guint i = 0; i < n; i++)
    {
      gsize offset = (gsize) pointer - (gsize) pieces[i].data;

      if (offset < pieces[i].size && (offset > 0 || !pieces[i].is_given))
        {
          pieces[i].is_given = FALSE;
          return TRUE;
        }
    }

  return FALSE;
}

/* Whether a pointer is to what the function only looks at, or into what it was given, so that
 * it cannot be freed.  What it is into stays ours. */
gboolean
malt_gi_memory_keep (MaltGiMemory  *self,
                     gconstpointer  pointer)
{
  return keep_one (self->first, self->n_first, pointer) ||
         (self->more != NULL && keep_one (get_more (self), self->more->len, pointer));
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
      free_pieces (get_more (self), self->more->len, is_called);
      g_array_unref (self->more);
    }
  malt_gi_memory_init (self);
}
