/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <malt.h>

G_BEGIN_DECLS

/* One output stream of one worker, on its way to the manager's or to nowhere. */
typedef struct _MaltOutputPump MaltOutputPump;

MaltOutputPump *malt_output_pump_new      (int              fd,
                                           int              target,
                                           MaltOutput       mode,
                                           int              pid,
                                           MaltWeakWorker  *worker,
                                           GMainContext    *context,
                                           GError         **error);
MaltOutputPump *malt_output_pump_ref      (MaltOutputPump  *self);
void            malt_output_pump_unref    (MaltOutputPump  *self);
void            malt_output_pump_drain    (MaltOutputPump  *self);
char           *malt_output_pump_dup_tail (MaltOutputPump  *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (MaltOutputPump, malt_output_pump_unref)

G_END_DECLS
