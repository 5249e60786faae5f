/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-gjs.h"

void  malt_gjs_memory_catch_crashes (void);

void  malt_gjs_memory_begin         (MaltGjsEngine *engine,
                                     guint64        limit);
void  malt_gjs_memory_end           (MaltGjsEngine *engine);
char *malt_gjs_memory_check         (MaltGjsEngine *engine);
void  malt_gjs_memory_settle        (MaltGjsEngine *engine);
