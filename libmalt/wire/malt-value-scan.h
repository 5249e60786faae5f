/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Whether the bytes are a value of that type in normal form and within the limits of
 * malt-limits.h: the only bytes of a peer of which a trusted GVariant may be made.
 * Says what is wrong in @reason, if not. */
gboolean malt_value_scan     (const GVariantType  *type,
                              gconstpointer        data,
                              gsize                size,
                              char               **reason);

/* Whether it is seen at once that they are.  FALSE says nothing. */
gboolean malt_value_is_plain (const char          *type,
                              gsize                type_length,
                              gconstpointer        data,
                              gsize                size);

G_END_DECLS
