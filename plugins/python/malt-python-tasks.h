/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-python.h"

G_BEGIN_DECLS

PyObject *malt_python_tasks_getattr (PyObject *module,
                                     PyObject *name);

G_END_DECLS
