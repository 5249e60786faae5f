/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-exit-info.h"

G_BEGIN_DECLS

void malt_exit_info_set_requests (MaltExitInfo  *self,
                                  char         **requests);

G_END_DECLS
