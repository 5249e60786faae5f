/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <malt.h>

G_BEGIN_DECLS

typedef struct _MaltBar MaltBar;

MaltBar *malt_bar_new         (void);
void     malt_bar_free        (MaltBar    *self);
gboolean malt_bar_is_terminal (MaltBar    *self);
void     malt_bar_draw        (MaltBar    *self,
                               double      fraction,
                               const char *text);
gboolean malt_bar_erase       (MaltBar    *self);
void     malt_bar_follow      (MaltBar    *self,
                               MaltWorker *worker);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (MaltBar, malt_bar_free)

G_END_DECLS
