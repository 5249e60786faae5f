/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-gi-memory.h"
#include "malt-gi-type.h"

/* Arrays, lists and hash tables: the part of malt-gi-read.h that has many elements. */

gboolean malt_gi_read_sequence (const MaltGiType  *type,
                                GVariant          *value,
                                GITransfer         transfer,
                                MaltGiMemory      *memory,
                                GIArgument        *argument,
                                gsize             *length,
                                GError           **error);
gboolean malt_gi_read_hash     (const MaltGiType  *type,
                                GVariant          *value,
                                GITransfer         transfer,
                                MaltGiMemory      *memory,
                                GIArgument        *argument,
                                GError           **error);

void     malt_gi_clear_text    (gpointer           element);
