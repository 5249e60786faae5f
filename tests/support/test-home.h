/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <malt.h>

G_BEGIN_DECLS

MaltWorker *test_home_spawn (MaltLauncher  *launcher,
                             GError       **error);

void        test_home_invoke (GSourceFunc    func,
                              gpointer       user_data);

G_END_DECLS
