/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <malt.h>

G_BEGIN_DECLS

#define MALT_TYPE_INPROCESS_WORKER (malt_inprocess_worker_get_type ())

G_DECLARE_FINAL_TYPE (MaltInprocessWorker, malt_inprocess_worker, MALT, INPROCESS_WORKER, MaltWorker)

G_END_DECLS
