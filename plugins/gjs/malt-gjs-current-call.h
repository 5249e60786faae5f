/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-gjs.h"

MaltRequest  *malt_gjs_current_call_find (MaltGjsEngine          *engine);
bool          malt_gjs_current_call_new  (MaltGjsEngine          *engine,
                                          JS::MutableHandleValue  handle);
GCancellable *malt_gjs_current_call_peek (JS::HandleValue         handle);
