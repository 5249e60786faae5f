/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-gjs-task.h"

bool malt_gjs_call (MaltGjs                 *gjs,
                    MaltRequest             *request,
                    JS::MutableHandleValue   value,
                    MaltGjsThen             *then,
                    GError                 **error);
