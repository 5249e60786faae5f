/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-python.h"

G_BEGIN_DECLS

void malt_python_output_begin (void);
void malt_python_output_tell  (MaltPython *self);
void malt_python_output_flush (void);
void malt_python_output_end   (void);

G_END_DECLS
