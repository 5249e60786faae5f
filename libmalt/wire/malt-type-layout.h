/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* How the values of one type lie in memory.  A type string has one cell for each
 * of its characters; the cell where a type begins describes it, those of closing
 * brackets are not set.  The first element or member of the container at a cell is
 * described by the cell after it, what follows a type by the cell @length further. */
typedef struct
{
  guint16 fixed_size; /* of every value, or 0 when the sizes differ */
  guint8  alignment;  /* a mask: the alignment, less one */
  guint8  length;     /* of the type, in characters */
  guint8  is_free;    /* any bytes of that size are a valid value: no booleans,
                         no padding */
} MaltTypeCell;

gboolean malt_type_layout_parse (const char    *string,
                                 gsize          length,
                                 MaltTypeCell  *cells,
                                 guint         *depth);

G_END_DECLS
