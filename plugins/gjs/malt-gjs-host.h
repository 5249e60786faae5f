/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-gjs.h"

bool malt_gjs_host_call       (JSContext *cx,
                               unsigned   argc,
                               JS::Value *vp);
bool malt_gjs_host_call_sync  (JSContext *cx,
                               unsigned   argc,
                               JS::Value *vp);
