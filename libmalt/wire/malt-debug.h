/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* MALT_DEBUG=call,wire,process,module prints one line per change of state to the
 * standard error; "all" prints them all. */

typedef enum
{
  MALT_DEBUG_CALL    = 1 << 0,
  MALT_DEBUG_WIRE    = 1 << 1,
  MALT_DEBUG_PROCESS = 1 << 2,
  MALT_DEBUG_MODULE  = 1 << 3,
} MaltDebugFlags;

/* Atomic: what is printed, or all bits as long as nobody has looked. */
extern gint malt_debug_flags;

gboolean malt_debug_is_on (MaltDebugFlags  category);
void     malt_debug_print (const char     *category,
                           const char     *format,
                           ...) G_GNUC_PRINTF (2, 3);

/* A load and a branch where nothing is printed. */
#define MALT_DEBUG(category, ...) \
  G_STMT_START { \
    if (G_UNLIKELY ((g_atomic_int_get (&malt_debug_flags) & MALT_DEBUG_##category) != 0) && \
        malt_debug_is_on (MALT_DEBUG_##category)) \
      malt_debug_print (#category, __VA_ARGS__); \
  } G_STMT_END

G_END_DECLS
