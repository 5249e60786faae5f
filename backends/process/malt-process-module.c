/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-process-worker.h"

#define EXPORT __attribute__ ((visibility ("default")))

EXPORT void   g_io_module_load   (GIOModule *module);
EXPORT void   g_io_module_unload (GIOModule *module);
EXPORT char **g_io_module_query  (void);

MALT_DEFINE_MODULE_ABI

void
g_io_module_load (GIOModule *module)
{
  g_type_module_use (G_TYPE_MODULE (module)); /* for good */
  g_io_extension_point_implement (MALT_WORKER_EXTENSION_POINT, MALT_TYPE_PROCESS_WORKER, "process", 0);
}

void
g_io_module_unload (GIOModule *module)
{
}

char **
g_io_module_query (void)
{
  const char *points[] = { MALT_WORKER_EXTENSION_POINT, NULL };

  return g_strdupv ((char **) points);
}
