/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-connection.h"
#include "malt-process-plan.h"

G_BEGIN_DECLS

typedef struct _MaltProcess MaltProcess;

MaltProcess    *malt_process_new            (MaltWorker       *worker);
void            malt_process_start          (MaltProcess      *self,
                                             MaltProcessPlan  *plan,
                                             MaltRequest      *request);
MaltConnection *malt_process_get_connection (MaltProcess      *self);
void            malt_process_stop           (MaltProcess      *self);
void            malt_process_kill           (MaltProcess      *self,
                                             int               signum);
void            malt_process_let_go         (MaltProcess      *self);

G_END_DECLS
