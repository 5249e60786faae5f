/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Milliseconds to a deadline, a monotonic time or -1 for none, as poll() wants them. */
static inline int
malt_deadline_time_left (gint64 deadline)
{
  gint64 left;

  if (deadline < 0)
    return -1;

  left = MAX (0, deadline - g_get_monotonic_time ());
  return (int) MIN ((left + 999) / 1000, G_MAXINT);
}

G_END_DECLS
