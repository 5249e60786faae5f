/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-gi-compat.h"

/* What is allocated for the arguments of one call.  Each piece is freed by itself, a
 * container without what is in it.  What is given away to the function is only freed if the
 * function was never called. */

#define MALT_GI_MEMORY_INLINE 12

typedef struct
{
  gpointer       data;
  gsize          size;      /* of text in bytes, with its end; else 1 */
  GDestroyNotify free;
  gboolean       is_given;
} MaltGiPiece;

typedef struct
{
  MaltGiPiece  first[MALT_GI_MEMORY_INLINE];
  GArray      *more;     /* of MaltGiPiece; NULL until it is needed */
  guint        n_first;
} MaltGiMemory;

void     malt_gi_memory_init     (MaltGiMemory   *self);
void     malt_gi_memory_clear    (MaltGiMemory   *self,
                                  gboolean        is_called);

gpointer malt_gi_memory_add      (MaltGiMemory   *self,
                                  gpointer        data,
                                  GDestroyNotify  free_func,
                                  gboolean        is_given);
char    *malt_gi_memory_add_text (MaltGiMemory   *self,
                                  char           *text,
                                  gboolean        is_given);
gboolean malt_gi_memory_keep     (MaltGiMemory   *self,
                                  gconstpointer   pointer);
