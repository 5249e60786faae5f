/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-gjs.h"

MaltGjsEngine *malt_gjs_engine_get      (gboolean                     own_process,
                                         GError                     **error);
gboolean       malt_gjs_engine_prepare  (MaltGjsEngine               *self,
                                         GError                     **error);
void           malt_gjs_engine_end      (MaltGjsEngine               *self);
bool           malt_gjs_engine_glue     (MaltGjsEngine               *self,
                                         const char                  *name,
                                         const JS::HandleValueArray  &arguments,
                                         JS::MutableHandleValue       result);
bool           malt_gjs_engine_rewrite  (MaltGjsEngine               *self,
                                         const JS::HandleValueArray  &arguments,
                                         JS::MutableHandleValue       result);
