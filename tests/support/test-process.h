/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* What a process holds of the system's resources. */
typedef struct
{
  guint descriptors;
  guint threads;
  guint children; /* zombies included */
} TestHoldings;

typedef gboolean (* TestCondition) (gpointer data);

TestHoldings test_get_holdings  (void);
int          test_pidfd_try     (int            pid);
int          test_pidfd_open    (int            pid);
void         test_pidfd_await   (int            pidfd);
void         test_await         (TestCondition  condition,
                                 gpointer       data);

G_END_DECLS
