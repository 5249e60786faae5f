/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct _TestThread TestThread;

TestThread *test_thread_new  (const char  *name,
                              GThreadFunc  func,
                              gpointer     data);
gpointer    test_thread_join (TestThread  *self);

G_END_DECLS
