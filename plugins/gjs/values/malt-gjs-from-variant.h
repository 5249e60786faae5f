/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-gjs-js.h"

bool malt_gjs_from_variant   (JSContext                *cx,
                              GVariant                 *value,
                              JS::MutableHandleValue    result);
bool malt_gjs_from_arguments (JSContext                *cx,
                              GVariant                 *arguments,
                              JS::RootedValueVector    &result);
