/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-python-object.h"

G_BEGIN_DECLS

PyObject *malt_python_view_new       (GVariant      *value);
PyObject *malt_python_view_new_bytes (GVariant      *value,
                                      gconstpointer  data,
                                      gsize          size);

G_END_DECLS
