/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <malt.h>

/* The program that becomes a worker, for runtimes that are modules. */
int
main (int    argc,
      char **argv)
{
  malt_run_as_worker (argc, argv);

  g_printerr ("%s is started by programs that use libmalt; it is of no use by itself\n", argv[0]);
  return 2;
}
