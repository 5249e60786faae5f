/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-gjs-conversion.h"

/* How many containers of GVariant are inside each other in what is made of a value; see
 * docs/values.md. */

/* As many as a message may have, less those around the value: a variant; of an argument those of
 * `(sva{sv})`, the variant and the tuple of all, or the dictionary of the keywords. */
#define MALT_GJS_MAX_DEPTH           31
#define MALT_GJS_MAX_ARGUMENT_DEPTH  29
#define MALT_GJS_MAX_KEYWORD_DEPTH   28

#define MALT_GJS_DEPTH_OF_NOTHING    2 /* maybe, variant */
#define MALT_GJS_DEPTH_OF_ARRAY      1 /* and a variant around each element if their types differ */
#define MALT_GJS_DEPTH_OF_DICTIONARY 3 /* array, entry, variant */

void malt_gjs_depth_fail    (const MaltGjsPlace  *place,
                             int                  depth,
                             int                  max_depth,
                             GError             **error);
bool malt_gjs_depth_reached (MaltGjsConversion   *self,
                             int                  depth,
                             const MaltGjsPlace  *place);
bool malt_gjs_depth_measure (MaltGjsConversion   *self,
                             GVariant            *value,
                             const MaltGjsPlace  *place);

/* Counts what is so many containers.  False if that is too deep. */
static inline bool
malt_gjs_depth_reach (MaltGjsConversion  *self,
                      int                 n_containers,
                      const MaltGjsPlace *place)
{
  int depth = self->depth + n_containers;

  return depth <= self->deepest || malt_gjs_depth_reached (self, depth, place);
}
