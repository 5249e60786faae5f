/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <malt.h>

G_BEGIN_DECLS

#define MALT_TYPE_PYTHON_RUNTIME (malt_python_runtime_get_type ())

G_DECLARE_FINAL_TYPE (MaltPythonRuntime, malt_python_runtime, MALT, PYTHON_RUNTIME, MaltRuntime)

G_END_DECLS
