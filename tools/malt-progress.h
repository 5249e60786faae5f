/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct _MaltProgress MaltProgress;

MaltProgress *malt_progress_new      (void);
void          malt_progress_free     (MaltProgress *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (MaltProgress, malt_progress_free)

void          malt_progress_set      (MaltProgress *self,
                                      guint64       n_done,
                                      guint64       n_failed,
                                      double        fraction);
void          malt_progress_hide     (MaltProgress *self);

G_END_DECLS
