/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-gi-type.h"

/* How values lie in memory, and in containers of pointers. */

gsize    malt_gi_type_get_stride   (const MaltGiType *self);
void     malt_gi_type_store        (const MaltGiType *self,
                                    const GIArgument *argument,
                                    gpointer          memory);
void     malt_gi_type_load         (const MaltGiType *self,
                                    gpointer          memory,
                                    GIArgument       *argument);

gboolean malt_gi_type_is_zero      (const MaltGiType *self,
                                    gconstpointer     memory);

gboolean malt_gi_type_is_behind    (const MaltGiType *self);
gpointer malt_gi_type_to_pointer   (const MaltGiType *self,
                                    const GIArgument *argument);
void     malt_gi_type_from_pointer (const MaltGiType *self,
                                    gpointer          pointer,
                                    GIArgument       *argument);
