/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test-watchdog.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Catches a test that hangs, and says which one it was.  It is the only time that
 * a test looks at, and far longer than any test takes. */
#define WATCHDOG_SEC (TEST_SANITIZED ? 400 : 120)

static const char *path;

static void
alarm_cb (int signum)
{
  static const char text[] = "\nBail out! the watchdog ended a test that hangs: ";
  ssize_t ignored;

  ignored = write (STDERR_FILENO, text, sizeof text - 1);
  ignored = write (STDERR_FILENO, path, strlen (path));
  ignored = write (STDERR_FILENO, "\n", 1);
  (void) ignored;
  abort ();
}

/* The running test is watched from here on. */
void
test_watchdog_start (void)
{
  path = g_test_get_path ();
  signal (SIGALRM, alarm_cb);
  alarm (WATCHDOG_SEC);
}

void
test_watchdog_stop (void)
{
  alarm (0);
}
