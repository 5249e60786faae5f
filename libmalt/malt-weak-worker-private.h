/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-weak-worker.h"

G_BEGIN_DECLS

MaltWeakWorker *malt_weak_worker_make  (MaltWorker     *worker);
void            malt_weak_worker_clear (MaltWeakWorker *self);

G_END_DECLS
