/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <malt.h>

G_BEGIN_DECLS

typedef struct _MaltBar MaltBar;

MaltBar *malt_bar_new  (MaltWorker *worker);
void     malt_bar_free (MaltBar    *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (MaltBar, malt_bar_free)

G_END_DECLS
