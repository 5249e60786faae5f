/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-python-object.h"

G_BEGIN_DECLS

PyObject *malt_python_from_variant   (GVariant          *value,
                                      MaltPythonValues   how,
                                      GError           **error);
PyObject *malt_python_from_arguments (GVariant          *arguments,
                                      MaltPythonValues   how,
                                      GError           **error);

G_END_DECLS
