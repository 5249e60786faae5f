/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-python.h"
#include "malt-python-evaluate.h"

G_BEGIN_DECLS

gboolean malt_python_task_start      (MaltPython       *self,
                                      MaltRequest      *request,
                                      PyObject         *awaitable,
                                      MaltPythonCode   *code);
void     malt_python_tasks_drop      (MaltPython       *self,
                                      const char       *reason);

gboolean malt_python_task_ask_locked (MaltPython       *self,
                                      MaltRequest      *request,
                                      gboolean          interrupt);
void     malt_python_tasks_deliver   (MaltPython       *self);

G_END_DECLS
