/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-gjs-task.h"

/* How a request ends, or that it does not yet. */
typedef struct
{
  GVariant    *value;
  MaltChannel *channel;
  GError      *error;
  gboolean     is_pending; /* it waits for a promise */
} MaltGjsAnswer;

void malt_gjs_answer_execute (MaltGjsAnswer    *answer,
                              MaltGjsRun       *run);
void malt_gjs_answer_send    (MaltGjsAnswer    *answer,
                              MaltRequest      *request);
void malt_gjs_answer_settled (MaltGjs          *gjs,
                              MaltRequest      *request,
                              MaltGjsThen       then,
                              JS::HandleValue   value,
                              gboolean          is_fulfilled);
