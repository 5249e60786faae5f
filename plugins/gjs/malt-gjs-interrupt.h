/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-gjs.h"

void     malt_gjs_interrupt_begin      (MaltGjsEngine *engine);
void     malt_gjs_interrupt_end        (MaltGjsEngine *engine);
void     malt_gjs_interrupt_settle     (MaltGjsEngine *engine);
void     malt_gjs_interrupt_leave_loop (MaltGjsEngine *engine);

gboolean malt_gjs_run_enter            (MaltGjsRun    *run);
void     malt_gjs_run_answered         (MaltGjsRun    *run);
gboolean malt_gjs_run_leave            (MaltGjsRun    *run);

bool     malt_gjs_set_waiting          (MaltGjsEngine *engine,
                                        GCancellable  *waiting);

void     malt_gjs_interrupt_close      (MaltGjs       *gjs);
void     malt_gjs_interrupt            (MaltGjs       *gjs,
                                        MaltRequest   *request);
void     malt_gjs_cancel               (MaltGjs       *gjs,
                                        MaltRequest   *request);
