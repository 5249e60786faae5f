/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-gjs.h"

/* What is to be done when the promise of a request is fulfilled. */
typedef enum
{
  MALT_GJS_THEN_ANSWER, /* answer with its value */
  MALT_GJS_THEN_REPEAT, /* a module has been loaded: begin again */
} MaltGjsThen;

bool         malt_gjs_task_start              (MaltGjs          *gjs,
                                               MaltRequest      *request,
                                               JS::HandleObject  promise,
                                               MaltGjsThen       then);
gboolean     malt_gjs_task_ask_locked         (MaltGjs          *gjs,
                                               MaltRequest      *request,
                                               gboolean          interrupt);
MaltRequest *malt_gjs_task_ref_only           (MaltGjsEngine    *engine,
                                               MaltGjs         **gjs);
MaltRequest *malt_gjs_task_ref_by_cancellable (MaltGjsEngine    *engine,
                                               GCancellable     *cancellable);
gboolean     malt_gjs_tasks_are_given_up      (MaltGjsEngine    *engine);
void         malt_gjs_tasks_deliver           (MaltGjsEngine    *engine);
void         malt_gjs_tasks_drop              (MaltGjs          *gjs,
                                               const char       *reason);
