/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-worker.h"

G_BEGIN_DECLS

typedef struct _MaltStop MaltStop;

MaltStop       *malt_stop_new       (MaltWorker    *worker,
                                     int            exit_timeout_msec,
                                     int            term_timeout_msec,
                                     GTask         *task);
void            malt_stop_let_go    (MaltStop      *self);
void            malt_stop_begin     (MaltStop      *self,
                                     GCancellable  *cancellable);
MaltStopResult  malt_stop_run       (MaltStop      *self,
                                     GCancellable  *cancellable,
                                     GError       **error);
MaltStop       *malt_stop_pop_locked (GQueue       *stops);
void            malt_stop_ended     (MaltStop      *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (MaltStop, malt_stop_let_go)

G_END_DECLS
