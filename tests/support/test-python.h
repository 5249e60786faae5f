/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "test-runtime.h"

G_BEGIN_DECLS

/* What a running test has: a Python worker, and its backend. */
#define test_python_worker  test_runtime_worker
#define test_python_backend test_runtime_backend

#define test_python_add(subject, name, options, func) \
  test_runtime_add ("python", (subject), (name), (options), (func))

G_END_DECLS
