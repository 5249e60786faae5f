/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-python.h"

G_BEGIN_DECLS

PyObject *malt_python_find_module     (PyObject    *name);
PyObject *malt_python_get_main_module (void);
PyObject *malt_python_get_namespace   (const char  *module,
                                       GError     **error);

G_END_DECLS
