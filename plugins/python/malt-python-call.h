/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-python.h"

G_BEGIN_DECLS

PyObject *malt_python_call (MaltPython   *self,
                            MaltRequest  *request,
                            gboolean     *awaits,
                            GError      **error);

G_END_DECLS
