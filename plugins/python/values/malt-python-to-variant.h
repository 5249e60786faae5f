/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-python-object.h"

G_BEGIN_DECLS

GVariant *malt_python_to_variant           (PyObject          *object,
                                            MaltPythonValues   how,
                                            GError           **error);
GVariant *malt_python_arguments_to_variant (PyObject *const   *arguments,
                                            Py_ssize_t         n_arguments,
                                            Py_ssize_t         n_hidden,
                                            MaltPythonValues   how,
                                            GError           **error);
GVariant *malt_python_keywords_to_variant  (PyObject          *keywords,
                                            MaltPythonValues   how,
                                            GError           **error);

G_END_DECLS
