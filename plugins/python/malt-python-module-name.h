/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-python.h"

G_BEGIN_DECLS

PyObject *malt_python_get_namespace (const char  *module,
                                     GError     **error);
PyObject *malt_python_find_module   (PyObject    *name);

G_END_DECLS
