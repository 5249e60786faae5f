/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-python-object.h"

G_BEGIN_DECLS

/* An array of numbers that is to be one again in Python; see docs/values.md. */
#define MALT_PYTHON_ARRAY_TYPE "(yyyyuttttttttay)"

GVariant *malt_python_array_to_variant   (PyObject         *object,
                                          MaltPythonValues  how);
PyObject *malt_python_array_from_variant (GVariant          *value,
                                          MaltPythonValues   how,
                                          GError           **error);

G_END_DECLS
