/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-gjs-js.h"

bool      malt_gjs_is_buffer         (JSObject         *object);
GVariant *malt_gjs_buffer_to_variant (JS::HandleObject  object,
                                      gboolean          share);
