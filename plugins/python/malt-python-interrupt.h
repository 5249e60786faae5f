/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-python.h"

G_BEGIN_DECLS

gboolean malt_python_run_begin (MaltPython    *self,
                                MaltPythonRun *run);
gboolean malt_python_run_end   (MaltPython    *self,
                                MaltPythonRun *outer);
void     malt_python_run_enter (MaltPython    *self,
                                MaltPythonRun *run);

gboolean  malt_python_set_waiting  (MaltPython   *self,
                                    GCancellable *waiting);
gboolean  malt_python_shield_begin (MaltPython *self);
gboolean  malt_python_shield_end   (MaltPython *self);
gboolean  malt_python_shield_finish (MaltPython *self,
                                     gboolean    succeeded);
PyObject *malt_python_import       (MaltPython *self,
                                    const char *name);

void     malt_python_interrupt (MaltPython    *self,
                                MaltRequest   *request);
void     malt_python_cancel    (MaltPython    *self,
                                MaltRequest   *request);

void     malt_python_check_signals (void);

G_END_DECLS
