/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-gjs.h"

GError *malt_gjs_error_new     (MaltGjsEngine   *engine,
                                JS::HandleValue  thrown);
GError *malt_gjs_error_take    (MaltGjsEngine   *engine);
char   *malt_gjs_error_message (JSContext       *cx);
