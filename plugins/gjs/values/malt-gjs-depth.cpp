/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-gjs-depth.h"

#include <string.h>

#include "malt-gjs-dictionary.h"
#include "malt-limits.h"

G_STATIC_ASSERT (MALT_GJS_MAX_DEPTH == MALT_LIMIT_DEPTH - 1);
G_STATIC_ASSERT (MALT_GJS_MAX_ARGUMENT_DEPTH == MALT_LIMIT_DEPTH - 3);
G_STATIC_ASSERT (MALT_GJS_MAX_KEYWORD_DEPTH == MALT_LIMIT_DEPTH - 4);

/* Says that the value is deeper than a message can hold it. */
void
malt_gjs_depth_fail (const MaltGjsPlace  *place,
                     int                  depth,
                     int                  max_depth,
                     GError             **error)
{
  malt_gjs_place_fail (place, error,
                       "cannot convert a value that is %d containers deep (limit %d; an object or a Map counts as "
                       "three, an array of different types and null as two; text, such as JSON.stringify() makes, "
                       "has no such limit)", depth, max_depth);
}

/* It is so deep.  False if that is too deep. */
bool
malt_gjs_depth_reached (MaltGjsConversion  *self,
                        int                 depth,
                        const MaltGjsPlace *place)
{
  self->deepest = depth;
  if (depth <= self->max_depth)
    return true;

  malt_gjs_depth_fail (place, depth, self->max_depth, self->error);
  return false;
}

/* GVariants that were given. */

static int
depth_of_type (const GVariantType *type)
{
  const GVariantType *member;
  int deepest = 0;

  if (g_variant_type_is_basic (type))
    return 0;
  if (g_variant_type_is_variant (type))
    return 1;
  if (g_variant_type_is_array (type) || g_variant_type_is_maybe (type))
    return 1 + depth_of_type (g_variant_type_element (type));

  for (member = g_variant_type_first (type); member != NULL; member = g_variant_type_next (member))
    deepest = MAX (deepest, depth_of_type (member));
  return 1 + deepest;
}

static bool measure_variants (MaltGjsConversion  *self,
                              GVariant           *value,
                              int                 n_around,
                              const MaltGjsPlace *place);

static bool
measure_child (MaltGjsConversion  *self,
               GVariant           *value,
               gsize               i,
               int                 n_around,
               const MaltGjsPlace *place)
{
  g_autoptr (GVariant) child = g_variant_get_child_value (value, i);

  if (g_variant_is_of_type (value, G_VARIANT_TYPE_VARIANT) &&
      !malt_gjs_depth_reach (self, n_around + 1 + depth_of_type (g_variant_get_type (child)), place))
    return false;

  return malt_gjs_count_values (self, 1, place) && measure_variants (self, child, n_around + 1, place);
}

/* What is in the variants that a value has, which itself is inside so many containers. */
static bool
measure_variants (MaltGjsConversion  *self,
                  GVariant           *value,
                  int                 n_around,
                  const MaltGjsPlace *place)
{
  MaltGjsDictionaryReader reader;
  MaltGjsDictionaryEntry entry = {};
  bool is_dictionary;
  gsize n, i;

  if (strchr (g_variant_get_type_string (value), 'v') == NULL)
    return true;

  n = g_variant_n_children (value);
  is_dictionary = malt_gjs_dictionary_reader_init (&reader, value);
  for (i = 0; i < n; i++)
    {
      /* Most of what is in one is known to be no container without making a GVariant of it. */
      if (is_dictionary)
        malt_gjs_dictionary_reader_get (&reader, i, &entry);

      if ((entry.type == 0 || entry.type == 'v') && !measure_child (self, value, i, n_around, place))
        return false;
    }

  return true;
}

/* Counts a value that is one already.  Of one that is not in normal form, which cannot be sent
 * anyway, what is in variants is not counted. */
bool
malt_gjs_depth_measure (MaltGjsConversion  *self,
                        GVariant           *value,
                        const MaltGjsPlace *place)
{
  const GVariantType *type = g_variant_get_type (value);
  g_autoptr (GVariant) trusted = NULL;
  g_autoptr (GBytes) bytes = NULL;

  if (!malt_gjs_depth_reach (self, depth_of_type (type), place))
    return false;
  if (strchr (g_variant_get_type_string (value), 'v') == NULL || !g_variant_is_normal_form (value))
    return true;

  /* To get a child of one that is not known to be normal may take a look at all before it. */
  bytes = g_variant_get_data_as_bytes (value);
  trusted = g_variant_take_ref (g_variant_new_from_bytes (type, bytes, TRUE));
  return measure_variants (self, trusted, 0, place);
}
