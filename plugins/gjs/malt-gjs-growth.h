/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-gjs.h"

MaltGjsGrowth *malt_gjs_growth_new    (MaltGjsEngine *engine);
void           malt_gjs_growth_free   (MaltGjsGrowth *self);
gboolean       malt_gjs_growth_look   (MaltGjsGrowth *self,
                                       guint64        much);
void           malt_gjs_growth_settle (MaltGjsGrowth *self);
