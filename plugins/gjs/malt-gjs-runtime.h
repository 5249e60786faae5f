/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <malt.h>

G_BEGIN_DECLS

#define MALT_TYPE_GJS_RUNTIME (malt_gjs_runtime_get_type ())

G_DECLARE_FINAL_TYPE (MaltGjsRuntime, malt_gjs_runtime, MALT, GJS_RUNTIME, MaltRuntime)

G_END_DECLS
