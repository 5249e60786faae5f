/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-python-object.h"

G_BEGIN_DECLS

GVariant *malt_python_buffer_to_variant (PyObject  *object,
                                         gboolean   may_share,
                                         guint     *depth,
                                         char     **problem);
GVariant *malt_python_bytes_to_variant  (PyObject *object,
                                         gboolean  may_share);

G_END_DECLS
