/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* A mark is a file that does not exist until one side makes it and the other waits
 * for it: how code in a worker says that it runs, and is told to end. */

char *test_mark_new   (void);
void  test_mark_make  (const char *mark);
void  test_mark_await (const char *mark);
void  test_mark_clear (void);

G_END_DECLS
