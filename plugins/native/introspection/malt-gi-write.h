/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-gi-type.h"

/* From results to GVariants. */

/* The length of what tells it itself. */
#define MALT_GI_NO_LENGTH (-1)

GVariant *malt_gi_write         (const MaltGiType  *type,
                                 const GIArgument  *argument,
                                 gssize             length,
                                 GError           **error);
GVariant *malt_gi_write_nothing (void);
GVariant *malt_gi_write_empty   (const MaltGiType  *array);

gsize     malt_gi_count         (const MaltGiType  *type,
                                 gconstpointer      array,
                                 gssize             length);
gboolean  malt_gi_array_is_sound (const MaltGiType *type,
                                  GArray           *array);
