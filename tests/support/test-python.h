/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <malt.h>

G_BEGIN_DECLS

/* What a running test has: a Python worker, and its backend. */
extern MaltWorker *test_python_worker;
extern const char *test_python_backend;

void test_python_add (const char *subject,
                      const char *name,
                      const char *options,
                      GTestFunc   func);

G_END_DECLS
