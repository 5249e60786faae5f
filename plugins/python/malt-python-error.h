/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-python.h"

G_BEGIN_DECLS

GError *malt_python_error_take  (MaltPython          *self,
                                 const MaltPythonRun *run);
void    malt_python_error_print (MaltPython          *self);

G_END_DECLS
