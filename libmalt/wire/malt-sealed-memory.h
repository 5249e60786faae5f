/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

int malt_sealed_memory_new (const char  *name,
                            gsize        size,
                            gboolean     is_filled,
                            GError     **error);

G_END_DECLS
