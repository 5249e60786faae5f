/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* The exit statuses of the command. */
typedef enum
{
  MALT_STATUS_OK          = 0,
  MALT_STATUS_FAILED      = 1,
  MALT_STATUS_USAGE       = 2,
  MALT_STATUS_DIED        = 3,
  MALT_STATUS_START       = 4,
  MALT_STATUS_TIMEOUT     = 5,
  MALT_STATUS_INTERRUPTED = 130,
} MaltStatus;

void       malt_report             (const char   *format,
                                    ...) G_GNUC_PRINTF (1, 2);
MaltStatus malt_report_usage       (const char   *format,
                                    ...) G_GNUC_PRINTF (1, 2);
MaltStatus malt_report_start_error (const GError *error);
MaltStatus malt_report_call_error  (const GError *error);

G_END_DECLS
