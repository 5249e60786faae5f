/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-python.h"

G_BEGIN_DECLS

gboolean malt_python_loop_ensure    (MaltPython *self);
void     malt_python_loop_run_once  (MaltPython *self);
void     malt_python_loop_run_until (MaltPython *self,
                                     int         fd);
void     malt_python_loop_close     (MaltPython *self);

G_END_DECLS
