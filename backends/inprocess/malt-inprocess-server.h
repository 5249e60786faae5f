/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <malt.h>

G_BEGIN_DECLS

/* The thread behind an in-process worker, with its queue.  Every function may be
 * called on any thread and none of them blocks. */
typedef struct _MaltInprocessServer MaltInprocessServer;

MaltInprocessServer *malt_inprocess_server_new       (MaltWorker          *worker);
MaltInprocessServer *malt_inprocess_server_ref       (MaltInprocessServer *self);
void                 malt_inprocess_server_unref     (MaltInprocessServer *self);

gboolean             malt_inprocess_server_start     (MaltInprocessServer *self,
                                                      MaltLauncher        *launcher,
                                                      MaltRequest         *request,
                                                      GError             **error);
gboolean             malt_inprocess_server_push      (MaltInprocessServer *self,
                                                      MaltRequest         *request);
gboolean             malt_inprocess_server_withdraw  (MaltInprocessServer *self,
                                                      MaltRequest         *request);
void                 malt_inprocess_server_cancel    (MaltInprocessServer *self,
                                                      MaltRequest         *request);
void                 malt_inprocess_server_interrupt (MaltInprocessServer *self,
                                                      MaltRequest         *request);
void                 malt_inprocess_server_stop      (MaltInprocessServer *self);
void                 malt_inprocess_server_kill      (MaltInprocessServer *self,
                                                      int                  signum);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (MaltInprocessServer, malt_inprocess_server_unref)

G_END_DECLS
