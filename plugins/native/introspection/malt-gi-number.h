/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-gi-compat.h"

/* Numbers in and out, with their ranges; and what a value is without its wrapping. */

GVariant   *malt_gi_unwrap            (GVariant       *value);
gboolean    malt_gi_mismatch          (GVariant       *value,
                                       const char     *wanted,
                                       GError        **error);

gboolean    malt_gi_is_number         (GVariant       *value);
gboolean    malt_gi_read_int64        (GVariant       *value,
                                       const char     *name,
                                       gint64         *number,
                                       GError        **error);
gboolean    malt_gi_read_number       (GVariant       *value,
                                       GITypeTag       tag,
                                       GIArgument     *argument,
                                       GError        **error);
gboolean    malt_gi_read_numbers      (GVariant       *array,
                                       GITypeTag       tag,
                                       gpointer        memory,
                                       gsize           size,
                                       GError        **error);
gboolean    malt_gi_set_integer       (GITypeTag       tag,
                                       gint64          number,
                                       const char     *name,
                                       GIArgument     *argument,
                                       GError        **error);
void        malt_gi_set_bits          (GITypeTag       tag,
                                       guint64         bits,
                                       GIArgument     *argument);
gint64      malt_gi_get_integer       (GITypeTag       tag,
                                       const GIArgument *argument);

GVariant   *malt_gi_write_number      (GITypeTag       tag,
                                       const GIArgument *argument);
const char *malt_gi_number_signature  (GITypeTag       tag);
gboolean    malt_gi_number_is_same    (GITypeTag       tag);
