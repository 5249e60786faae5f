/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <malt.h>

G_BEGIN_DECLS

/* What a running test of one runtime has: a worker, and its backend. */
extern MaltWorker *test_runtime_worker;
extern const char *test_runtime_backend;

void      test_runtime_add         (const char *runtime,
                                    const char *subject,
                                    const char *name,
                                    const char *options,
                                    GTestFunc   func);

gboolean  test_runtime_is_process  (void);
GVariant *test_runtime_eval        (const char *module,
                                    const char *source);
void      test_runtime_assert_eval (const char *source,
                                    const char *expected);
void      test_runtime_interrupt_until_usable (void);
GError   *test_runtime_eval_error  (const char *module,
                                    const char *source);
GVariant *test_runtime_call        (const char *function,
                                    const char *arguments);
GError   *test_runtime_call_error  (const char *function,
                                    const char *arguments);

G_END_DECLS
