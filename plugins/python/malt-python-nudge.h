/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-python.h"

G_BEGIN_DECLS

void malt_python_nudge_prepare      (void);
void malt_python_nudge_begin_locked (MaltPython *self);
void malt_python_nudge_end_locked   (MaltPython *self);

G_END_DECLS
