/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* What the value scanner should say of these bytes, according to GLib: whether they
 * are in normal form, and the value then within the limits of type strings and depth
 * (not of the number of values).  Slow, for small values. */
gboolean value_oracle_accepts (const GVariantType *type,
                               gconstpointer       data,
                               gsize               size);

/* Compares, and ends the program with a report when the two differ.  Copies the bytes
 * to memory of just that size first.  Gives what both said. */
gboolean value_oracle_compare (const GVariantType *type,
                               gconstpointer       data,
                               gsize               size);

G_END_DECLS
