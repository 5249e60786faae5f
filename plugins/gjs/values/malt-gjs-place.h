/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-gjs-js.h"

/* Where a value is that is converted: a list on the stack, from the inside to the outside. */
typedef enum
{
  MALT_GJS_PLACE_ARGUMENT,
  MALT_GJS_PLACE_KEYWORDS, /* whose keys are arguments, too */
  MALT_GJS_PLACE_ITEM,
  MALT_GJS_PLACE_KEY,
} MaltGjsPlaceKind;

typedef struct _MaltGjsPlace MaltGjsPlace;

struct _MaltGjsPlace
{
  const MaltGjsPlace *outer;
  MaltGjsPlaceKind    kind;
  gsize               index; /* of an argument or item, from 0 */
  const char         *key;
};

void malt_gjs_place_fail (const MaltGjsPlace  *self,
                          GError             **error,
                          const char          *format,
                          ...) G_GNUC_PRINTF (3, 4);
