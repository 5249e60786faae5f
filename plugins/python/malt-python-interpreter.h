/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-python.h"
#include "malt-python-options.h"

G_BEGIN_DECLS

gboolean malt_python_interpreter_enter (MaltPython               *self,
                                        const MaltPythonOptions  *options,
                                        GError                  **error);
void     malt_python_interpreter_leave (MaltPython               *self);
gboolean malt_python_interpreter_ends  (void);

void     malt_python_gil_take          (MaltPython               *self);
void     malt_python_gil_leave         (MaltPython               *self);
void     malt_python_gil_share         (MaltPython               *self);

G_END_DECLS
