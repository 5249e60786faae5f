/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-gi-memory.h"

/* GValues. */

gboolean  malt_gi_read_value  (GVariant      *value,
                               gboolean       is_given,
                               MaltGiMemory  *memory,
                               GIArgument    *argument,
                               GError       **error);
GVariant *malt_gi_write_value (const GValue  *value,
                               GError       **error);
