/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-python.h"

G_BEGIN_DECLS

GVariant *malt_python_to_variant (PyObject  *object,
                                  gboolean   may_share,
                                  GError   **error);

G_END_DECLS
