/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <malt.h>

G_BEGIN_DECLS

#define MOCK_TYPE_WORKER (mock_worker_get_type ())

G_DECLARE_FINAL_TYPE (MockWorker, mock_worker, MOCK, WORKER, MaltWorker)

G_END_DECLS
