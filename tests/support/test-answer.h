/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <malt.h>

G_BEGIN_DECLS

/* An asynchronous call or evaluation whose answer a test waits for.  It belongs to
 * the thread-default main context in which it was made. */
typedef struct _TestAnswer TestAnswer;

TestAnswer *test_answer_call         (MaltWorker    *worker,
                                      const char    *function,
                                      GVariant      *arguments,
                                      int            timeout_msec,
                                      GCancellable  *cancellable);
TestAnswer *test_answer_eval         (MaltWorker    *worker,
                                      const char    *module,
                                      const char    *source,
                                      int            timeout_msec,
                                      GCancellable  *cancellable);
gboolean    test_answer_is_there     (TestAnswer    *self);
GVariant   *test_answer_wait         (TestAnswer    *self,
                                      GError       **error);
guint       test_answer_get_serial   (TestAnswer    *self);

G_END_DECLS
