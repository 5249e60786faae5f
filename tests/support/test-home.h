/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <malt.h>

G_BEGIN_DECLS

MaltWorker *test_home_spawn (MaltLauncher  *launcher,
                             GError       **error);

void        test_home_invoke (GSourceFunc    func,
                              gpointer       user_data);

void        test_home_be     (void        (* turned) (void));
gboolean    test_home_is_here (void);
void        test_home_turn   (void);

G_END_DECLS
