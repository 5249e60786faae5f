/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-launcher.h"

G_BEGIN_DECLS

MaltLauncher *malt_launcher_copy (MaltLauncher *self);

G_END_DECLS
