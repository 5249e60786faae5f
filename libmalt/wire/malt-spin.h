/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Waiting actively for the other end, as far as that has shown to pay.
 *
 * A wait that is over before the limit saves both ends a system call and a wake-up, which
 * cost more than the limit.  One that is not has wasted it, and where processors are scarce
 * has kept the other end from running: so the more of them have failed in a row, the more
 * waits go by before it is tried again.  Owned by whoever waits; it has no lock. */

typedef struct
{
  gint64 limit;     /* nanoseconds, 0 for never */
  guint  n_to_skip; /* waits, before the next attempt */
  guint  n_skipped; /* after the last attempt that failed; 0 if it did not */
} MaltSpin;

typedef gboolean (* MaltSpinFunc) (gpointer user_data);

void     malt_spin_init       (MaltSpin     *self,
                               guint         limit_usec);
gboolean malt_spin_until      (MaltSpin     *self,
                               MaltSpinFunc  is_over,
                               gpointer      user_data);

guint    malt_spin_count_cpus (void);

G_END_DECLS
