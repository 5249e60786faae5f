/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-gjs-task.h"

/* The file of the code that is the library's own, in stacks. */
#define MALT_GJS_GLUE_FILE "<malt>"

void malt_gjs_evaluate_begin        (MaltGjsEngine          *engine);
bool malt_gjs_evaluate_make_private (MaltGjsEngine          *engine);
void malt_gjs_evaluate_end          (MaltGjsEngine          *engine);

bool malt_gjs_evaluate              (MaltGjs                *gjs,
                                     MaltRequest            *request,
                                     JS::MutableHandleValue  value,
                                     MaltGjsThen            *then,
                                     GError                **error);

int  malt_gjs_evaluate_column       (int                     column);
