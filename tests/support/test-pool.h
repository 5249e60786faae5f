/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "test-case.h"

G_BEGIN_DECLS

/* A call to a pool whose answer a test waits for.  It belongs to the thread-default main
 * context in which it was made. */
typedef struct _TestPoolAnswer TestPoolAnswer;

MaltPool       *test_pool_new            (TestCase           *self,
                                          const char         *first_property,
                                          ...) G_GNUC_NULL_TERMINATED;
void            test_pool_retire         (MaltPool           *pool);

GVariant       *test_pool_call           (MaltPool           *pool,
                                          const char         *function,
                                          GVariant           *arguments);
void            test_pool_assert_usable  (TestCase           *self,
                                          MaltPool           *pool);
TestPoolAnswer *test_pool_start          (MaltPool           *pool,
                                          const char         *function,
                                          GVariant           *arguments,
                                          MaltPoolCallFlags   flags,
                                          int                 timeout_msec,
                                          GCancellable       *cancellable);
gboolean        test_pool_answer_is_there
                                         (TestPoolAnswer     *self);
GVariant       *test_pool_answer_wait    (TestPoolAnswer     *self,
                                          GError            **error);
void            test_pool_answer_fails   (TestPoolAnswer     *self,
                                          GQuark              domain,
                                          int                 code,
                                          const char         *pattern);

void            test_pool_await          (MaltPool           *pool,
                                          const char         *property,
                                          guint               value);
guint64         test_pool_get            (MaltPool           *pool,
                                          const char         *property);

G_END_DECLS
