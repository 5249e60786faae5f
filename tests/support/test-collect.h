/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <malt.h>

G_BEGIN_DECLS

void test_collect_garbage (MaltWorker *worker,
                           const char *backend,
                           const char *runtime);

G_END_DECLS
