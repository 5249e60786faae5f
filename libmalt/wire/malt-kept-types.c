/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-kept-types.h"

/* Values of the types that are kept, which have no bytes.  Of the whole process; what is in
 * here stays, so that there is nothing to lock, and so that there cannot be much of it: a
 * type whose place is taken is not kept. */
#define N_PLACES 64

static GVariant *kept[N_PLACES];

static guint
place_of (const char *type)
{
  guint hash = 0;

  for (; *type != '\0'; type++)
    hash = hash * 33 + (guint8) *type;

  return hash % N_PLACES;
}

/* From now on, it costs less to make a value of this type.  On any thread. */
void
malt_kept_types_add (const char *type)
{
  GVariant **place;
  GVariant *empty;

  /* Those of one character are never forgotten. */
  if (type[1] == '\0')
    return;

  place = &kept[place_of (type)];
  if (G_LIKELY (g_atomic_pointer_get (place) != NULL))
    return;

  empty = g_variant_ref_sink (g_variant_new_from_data ((const GVariantType *) type, NULL, 0, FALSE, NULL, NULL));
  if (!g_atomic_pointer_compare_and_exchange (place, NULL, empty))
    g_variant_unref (empty);
}
