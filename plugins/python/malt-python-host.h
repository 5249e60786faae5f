/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-python.h"

G_BEGIN_DECLS

/* Puts host, host_async, HostError, progress and cancelled into the module. */
gboolean     malt_python_host_add             (PyObject    *module);

void         malt_python_host_begin           (MaltPython  *self);
void         malt_python_host_deliver         (MaltPython  *self);
void         malt_python_host_run_ended       (MaltPython          *self,
                                               const MaltPythonRun *run,
                                               gboolean             is_broken_off);
void         malt_python_host_end             (MaltPython  *self);

/* The request whose code the calling thread runs, or %NULL; and the worker to which it
 * belongs, or %NULL if it is not known.  GIL held. */
MaltRequest *malt_python_host_current_request (MaltPython **python);

G_END_DECLS
