/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-gjs.h"

void     malt_gjs_rejection_begin             (MaltGjsEngine *engine);
void     malt_gjs_rejection_end               (MaltGjsEngine *engine);
gboolean malt_gjs_rejection_is_due            (MaltGjsEngine *engine);
gboolean malt_gjs_rejection_take_interruption (MaltGjsEngine *engine);
void     malt_gjs_rejection_report            (MaltGjsEngine *engine);
