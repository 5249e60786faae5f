/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <malt.h>

G_BEGIN_DECLS

MaltWorker *test_home_spawn (MaltLauncher  *launcher,
                             GError       **error);

G_END_DECLS
