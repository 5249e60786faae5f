/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test-collect.h"

#include "test-watchdog.h"

/* JavaScript in the program stays there to its end, and a sanitizer does not look into its heap:
 * what a test has left there as garbage would count as lost.  A worker that has ended, or has
 * something else to do, is left alone. */
void
test_collect_garbage (MaltWorker *worker,
                      const char *backend,
                      const char *runtime)
{
  if (!TEST_SANITIZED || g_strcmp0 (backend, "inprocess") != 0 || g_strcmp0 (runtime, "gjs") != 0)
    return;

  malt_worker_remote_eval_wait (worker, NULL, "imports.system.gc()", 1000, NULL, NULL);
}
