/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-gi-memory.h"
#include "malt-gi-type.h"

/* From GVariants to arguments.  What is allocated goes to @memory, as what is given away
 * or not, according to the transfer. */

gboolean malt_gi_is_nothing (GVariant          *value);

gboolean malt_gi_read       (const MaltGiType  *type,
                             GVariant          *value,
                             GITransfer         transfer,
                             MaltGiMemory      *memory,
                             GIArgument        *argument,
                             gsize             *length,
                             GError           **error);
