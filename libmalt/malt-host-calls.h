/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-request.h"
#include "malt-worker.h"

G_BEGIN_DECLS

/* What the code of a worker has called of the program's, until it is answered: see
 * malt-host-calls.c. */
typedef struct _MaltHostCalls MaltHostCalls;
typedef struct _MaltHostCall MaltHostCall;

MaltHostCalls *malt_host_calls_new   (void);
void           malt_host_calls_unref (MaltHostCalls *self);

MaltHostCall  *malt_host_calls_add   (MaltHostCalls *self,
                                      MaltRequest   *request);
void           malt_host_calls_end   (MaltWorker    *worker);

void           malt_host_call_unref  (MaltHostCall  *self);
gboolean       malt_host_call_enter  (MaltHostCall  *self);
void           malt_host_call_leave  (MaltHostCall  *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (MaltHostCall, malt_host_call_unref)

G_END_DECLS
