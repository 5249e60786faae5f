/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-python-object.h"

G_BEGIN_DECLS

/* What a value is that GVariant has no type for: a tag, and what stands for it. */
#define MALT_PYTHON_TAG_TYPE "(ov)"

gboolean  malt_python_tag_encode   (PyObject  *object,
                                    gboolean   only_enum,
                                    char     **tag,
                                    PyObject **content);
gboolean  malt_python_tag_pickle   (PyObject  *object,
                                    char     **tag,
                                    PyObject **content,
                                    char     **problem);
PyObject *malt_python_tag_decode   (GVariant          *value,
                                    MaltPythonValues   how,
                                    GError           **error);
char     *malt_python_describe     (PyObject          *exception);

G_END_DECLS
