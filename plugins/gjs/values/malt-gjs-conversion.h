/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-gjs-js.h"
#include "malt-gjs-place.h"

/* A value of JavaScript's that becomes a GVariant: what the files of that have in common.
 *
 * Everything here returns a floating reference; or %NULL with the error of the conversion
 * set, which says where it was, or without it and with an exception, of a getter or a proxy
 * of the user's or because there is no memory.  Likewise what returns false. */

#define MALT_GJS_MAX_SAFE_INTEGER 9007199254740991.0

/* A value with more parts cannot cross, not counting numbers and truth values of arrays.  Here
 * it is also what keeps objects that are referred to many times from becoming as many. */
#define MALT_GJS_MAX_VALUES (1u << 22)

/* So many are converted between two looks for an interrupt. */
#define MALT_GJS_VALUES_IN_A_ROW (1u << 16)

struct MaltGjsConversion
{
  JSContext             *cx;
  GError               **error;
  JS::RootedObjectVector ancestors; /* what the value is inside of */
  gsize                  n_values;  /* so far */

  /* Containers of GVariant inside each other: around what is converted, in the deepest place so
   * far, and at most.  An array has none around its elements but itself until it is known
   * whether their types differ. */
  int                    depth;
  int                    deepest;
  int                    max_depth;

  MaltGjsConversion (JSContext *cx_, int max_depth_, GError **error_)
    : cx (cx_), error (error_), ancestors (cx_), n_values (0), depth (0), deepest (0), max_depth (max_depth_)
  {
  }
};

bool      malt_gjs_count_values       (MaltGjsConversion  *self,
                                       gsize               n,
                                       const MaltGjsPlace *place);
bool      malt_gjs_is_whole           (double              number);
char     *malt_gjs_convert_text       (MaltGjsConversion  *self,
                                       JSString           *string,
                                       const char         *what,
                                       gsize              *size,
                                       const MaltGjsPlace *place);
GVariant *malt_gjs_convert_string     (MaltGjsConversion  *self,
                                       JSString           *string,
                                       const MaltGjsPlace *place);
GVariant *malt_gjs_convert            (MaltGjsConversion  *self,
                                       JS::HandleValue     value,
                                       const MaltGjsPlace *place);

/* Containers. */
GVariant *malt_gjs_convert_array      (MaltGjsConversion  *self,
                                       JS::HandleObject    object,
                                       const MaltGjsPlace *place);
GVariant *malt_gjs_convert_set        (MaltGjsConversion  *self,
                                       JS::HandleObject    object,
                                       const MaltGjsPlace *place);
GVariant *malt_gjs_convert_map        (MaltGjsConversion  *self,
                                       JS::HandleObject    object,
                                       const MaltGjsPlace *place);
GVariant *malt_gjs_convert_properties (MaltGjsConversion  *self,
                                       JS::HandleObject    object,
                                       const MaltGjsPlace *place);
