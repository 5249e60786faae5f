/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-python.h"

G_BEGIN_DECLS

gboolean malt_python_source_parse    (const char  *source,
                                      PyObject   **body,
                                      PyObject   **expression);
void     malt_python_sources_publish (void);
void     malt_python_sources_forget  (void);

G_END_DECLS
