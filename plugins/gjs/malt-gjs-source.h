/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-gjs.h"

void     malt_gjs_source_attach            (MaltGjsEngine *engine);
void     malt_gjs_source_detach            (MaltGjsEngine *engine);
void     malt_gjs_source_wake              (MaltGjsEngine *engine);
gboolean malt_gjs_source_is_held           (MaltGjs       *gjs);
void     malt_gjs_source_post              (MaltGjs       *gjs,
                                            MaltRequest   *request);
void     malt_gjs_source_begin             (MaltGjs       *gjs);
gboolean malt_gjs_source_hit_posted_locked (MaltGjs       *gjs);
gboolean malt_gjs_source_withdraw          (MaltGjs       *gjs,
                                            MaltRequest   *request);
