/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-python.h"

G_BEGIN_DECLS

PyObject *malt_python_from_variant   (GVariant  *value,
                                      GError   **error);
PyObject *malt_python_from_arguments (GVariant  *arguments,
                                      GError   **error);

G_END_DECLS
