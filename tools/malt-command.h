/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <glib.h>

#include "malt-report.h"

G_BEGIN_DECLS

/* The commands of the command.  Each takes its own part of the command line, whose
 * first word is the name of the command, and gives the exit status. */

MaltStatus malt_command_call (int    argc,
                              char **argv);
MaltStatus malt_command_eval (int    argc,
                              char **argv);
MaltStatus malt_command_list (int    argc,
                              char **argv);
MaltStatus malt_command_map  (int    argc,
                              char **argv);
MaltStatus malt_command_repl (int    argc,
                              char **argv);

/* For the help of those that run a worker. */
#define MALT_HELP_STATUS \
  "Exit status:\n" \
  "  0    the call gave a value, or ended without one\n" \
  "  1    it failed: an exception, a function that is not there, a value that\n" \
  "       cannot cross, or a value that could not be written\n" \
  "  2    the command line is wrong, or a file it names cannot be read\n" \
  "  3    the worker died\n" \
  "  4    the worker did not start\n" \
  "  5    the time was up\n" \
  "  130  Ctrl-C"

G_END_DECLS
