/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <malt.h>

/* A worker of the native runtime that finds the introspected libraries of the tests. */

MaltWorker *introspected_worker_new    (const char  *backend);
void        introspected_worker_retire (MaltWorker  *worker);

/* @arguments: the text of a tuple */
GVariant   *introspected_call          (MaltWorker  *worker,
                                        const char  *function,
                                        const char  *arguments,
                                        GError     **error);

/* For a test with a worker of each backend, which is its fixture. */
typedef struct
{
  MaltWorker *worker;
} Introspected;

void        introspected_add           (const char  *path,
                                        void      (* func) (Introspected *, gconstpointer));

/* That there is this value. */
void        introspected_expect        (MaltWorker  *worker,
                                        const char  *function,
                                        const char  *arguments,
                                        const char  *value);
