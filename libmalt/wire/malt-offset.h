/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <glib.h>
#include <string.h>

G_BEGIN_DECLS

/* Where the parts of a container end, in the serialised form of GVariant. */

/* Where a part begins that is aligned to 8. */
static inline gsize
malt_offset_align (gsize position)
{
  return (position + 7) & ~(gsize) 7;
}

/* Offsets are little-endian, and as wide as the size of their container asks for, which
 * includes them.  For a container that is there already, @n_offsets is 0. */
static inline guint
malt_offset_size_for (gsize size,
                      gsize n_offsets)
{
  guint offset_size = 1;

  while (offset_size < 8 && size + n_offsets * offset_size > G_MAXUINT64 >> (64 - 8 * offset_size))
    offset_size *= 2;

  return offset_size;
}

static inline void
malt_offset_write (guint8 *to,
                   gsize   offset,
                   guint   offset_size)
{
  guint64 bytes = GUINT64_TO_LE ((guint64) offset);

  memcpy (to, &bytes, offset_size);
}

static inline gsize
malt_offset_read (const guint8 *from,
                  guint         offset_size)
{
  guint64 bytes = 0;

  memcpy (&bytes, from, offset_size);
  return (gsize) GUINT64_FROM_LE (bytes);
}

G_END_DECLS
