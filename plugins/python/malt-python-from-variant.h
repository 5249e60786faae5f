/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-python.h"

G_BEGIN_DECLS

PyObject *malt_python_from_variant   (GVariant  *value,
                                      gboolean   views,
                                      GError   **error);
PyObject *malt_python_from_arguments (GVariant  *arguments,
                                      gboolean   views,
                                      GError   **error);

G_END_DECLS
