/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <malt.h>

G_BEGIN_DECLS

#define MALT_TYPE_NATIVE_RUNTIME (malt_native_runtime_get_type ())

G_DECLARE_FINAL_TYPE (MaltNativeRuntime, malt_native_runtime, MALT, NATIVE_RUNTIME, MaltRuntime)

G_END_DECLS
