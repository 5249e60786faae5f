/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-error.h"

G_BEGIN_DECLS

GError *malt_error_with_worker    (GError       *error,
                                   const char   *worker_name);
GError *malt_error_new_terminated (const char   *worker_name,
                                   MaltExitInfo *exit_info,
                                   gboolean      under_way);
GError *malt_error_new_ended      (const char   *worker_name,
                                   MaltExitInfo *exit_info);
GError *malt_error_new_stopped    (const char   *worker_name,
                                   const char   *what);
GError *malt_error_new_rung       (GQuark        domain,
                                   int           code,
                                   MaltRung      rung,
                                   const char   *message);

G_END_DECLS
