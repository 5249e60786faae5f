/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-runtime.h"

G_BEGIN_DECLS

void malt_runtime_forget (MaltRuntime *self,
                          MaltRequest *request);

G_END_DECLS
