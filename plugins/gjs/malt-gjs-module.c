/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-gjs-runtime.h"

MALT_DEFINE_MODULE_ABI

_MALT_EXTERN void   g_io_module_load   (GIOModule *module);
_MALT_EXTERN void   g_io_module_unload (GIOModule *module);
_MALT_EXTERN char **g_io_module_query  (void);

void
g_io_module_load (GIOModule *module)
{
  g_type_module_use (G_TYPE_MODULE (module));

  g_io_extension_point_implement (MALT_RUNTIME_EXTENSION_POINT, MALT_TYPE_GJS_RUNTIME, "gjs", 0);
}

/* The module stays: its type is static, and so is GJS. */
void
g_io_module_unload (GIOModule *module G_GNUC_UNUSED)
{
}

char **
g_io_module_query (void)
{
  const char *extension_points[] = { MALT_RUNTIME_EXTENSION_POINT, NULL };

  return g_strdupv ((char **) extension_points);
}
