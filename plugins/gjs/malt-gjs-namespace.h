/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-gjs.h"

void      malt_gjs_namespace_begin  (MaltGjsEngine            *engine);
void      malt_gjs_namespace_end    (MaltGjsEngine            *engine);

JSObject *malt_gjs_namespace_peek   (MaltGjsEngine            *engine,
                                     const char               *name);
bool      malt_gjs_namespace_ensure (MaltGjs                  *gjs,
                                     const char               *name,
                                     JS::MutableHandleObject   scope,
                                     JS::MutableHandleValue    promise,
                                     GError                  **error);
bool      malt_gjs_namespace_load   (MaltGjs                  *gjs,
                                     const char               *name,
                                     JS::MutableHandleValue    promise);
bool      malt_gjs_namespace_loaded (MaltGjsEngine            *engine,
                                     JS::HandleValue           loaded);
