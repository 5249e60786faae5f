/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#if !defined(MALT_INSIDE) && !defined(MALT_COMPILATION)
#error "Only <malt.h> can be included directly."
#endif

#include "malt-types.h"

G_BEGIN_DECLS

/**
 * MALT_WORKER_ARGUMENT: (skip)
 *
 * The first argument of a program that is started as a worker.
 *
 * Since: 1.0
 */
#define MALT_WORKER_ARGUMENT "--malt-worker"

MALT_AVAILABLE_IN_1_0
void malt_run_as_worker (int    argc,
                         char **argv);

G_END_DECLS
