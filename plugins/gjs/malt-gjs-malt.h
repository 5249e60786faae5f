/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-gjs.h"

JSObject      *malt_gjs_malt_new_natives (MaltGjsEngine *engine);
MaltGjsEngine *malt_gjs_malt_get_engine  (JS::CallArgs  &args);
GCancellable  *malt_gjs_malt_ref_cancellable (MaltGjsEngine *engine);
MaltGjs       *malt_gjs_malt_ref_current (MaltGjsEngine *engine,
                                          MaltRequest  **request);
