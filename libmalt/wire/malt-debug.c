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

guint
malt_debug_get_flags (void)
{
  static gsize flags; /* plus one, so that it is never 0 once it is known */

  if (g_once_init_enter (&flags))
    g_once_init_leave (&flags, g_parse_debug_string (g_getenv ("MALT_DEBUG"), keys, G_N_ELEMENTS (keys)) + 1);

  return (guint) flags - 1;
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
