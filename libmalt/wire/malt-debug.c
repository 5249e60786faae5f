/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-debug.h"

#include <unistd.h>

static const GDebugKey keys[] = {
  { "call", MALT_DEBUG_CALL },
  { "wire", MALT_DEBUG_WIRE },
  { "process", MALT_DEBUG_PROCESS },
  { "module", MALT_DEBUG_MODULE },
};

gint malt_debug_flags = -1;

/* For those whose bit is set. */
gboolean
malt_debug_is_on (MaltDebugFlags category)
{
  if (g_atomic_int_get (&malt_debug_flags) == -1)
    g_atomic_int_set (&malt_debug_flags,
                      (gint) g_parse_debug_string (g_getenv ("MALT_DEBUG"), keys, G_N_ELEMENTS (keys)));

  return ((guint) g_atomic_int_get (&malt_debug_flags) & category) != 0;
}

void
malt_debug_print (const char *category,
                  const char *format,
                  ...)
{
  g_autofree char *name = g_ascii_strdown (category, -1);
  g_autofree char *text = NULL;
  va_list arguments;

  va_start (arguments, format);
  text = g_strdup_vprintf (format, arguments);
  va_end (arguments);

  g_printerr ("malt[%d] %s: %s\n", (int) getpid (), name, text);
}
