/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Deaths and failed starts in a window of time.  Guarded by the lock of the pool. */
typedef struct
{
  int     limit;       /* -1 for none */
  gint64  window;      /* microseconds */
  GQueue  times;       /* of gint64, monotonic, owned; the oldest first: without a call */
  GQueue  call_times;  /* the same: during a call, since the last that went well */
} MaltPoolBrake;

void     malt_pool_brake_init   (MaltPoolBrake *self,
                                 int            limit,
                                 int            window_msec);
void     malt_pool_brake_clear  (MaltPoolBrake *self);
void     malt_pool_brake_count  (MaltPoolBrake *self,
                                 gint64         now,
                                 gboolean       during_call);
void     malt_pool_brake_ease   (MaltPoolBrake *self);
gboolean malt_pool_brake_is_on  (MaltPoolBrake *self,
                                 gint64         now);
gint64   malt_pool_brake_get_end (MaltPoolBrake *self);

G_END_DECLS
