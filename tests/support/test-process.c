/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test-process.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "test-home.h"

static guint
count_entries (const char *path)
{
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  guint n = 0;

  g_assert_nonnull (dir);
  while (g_dir_read_name (dir) != NULL)
    n++;
  return n;
}

static guint
count_children (void)
{
  g_autoptr (GDir) dir = g_dir_open ("/proc", 0, NULL);
  const char *name;
  guint n = 0;

  g_assert_nonnull (dir);
  while ((name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = NULL;
      g_autofree char *text = NULL;
      const char *after_name;
      int parent;

      if (!g_ascii_isdigit (name[0]))
        continue;

      path = g_strdup_printf ("/proc/%s/stat", name);
      if (!g_file_get_contents (path, &text, NULL, NULL))
        continue; /* it has ended meanwhile */

      after_name = strrchr (text, ')');
      if (after_name != NULL && sscanf (after_name, ") %*c %d", &parent) == 1 && parent == getpid ())
        n++;
    }

  return n;
}

TestHoldings
test_get_holdings (void)
{
  TestHoldings holdings;

  /* The folder that is read is itself an open descriptor, in both counts. */
  holdings.descriptors = count_entries ("/proc/self/fd");
  holdings.threads = count_entries ("/proc/self/task");
  holdings.children = count_children ();
  return holdings;
}

/* -1 if there is no such process. */
int
test_pidfd_try (int pid)
{
  return (int) syscall (SYS_pidfd_open, pid, 0);
}

int
test_pidfd_open (int pid)
{
  int pidfd = test_pidfd_try (pid);

  if (pidfd < 0)
    g_error ("cannot open a pidfd of process %d: %s", pid, g_strerror (errno));
  return pidfd;
}

/* Waits until the process has ended, and closes the descriptor. */
void
test_pidfd_await (int pidfd)
{
  struct pollfd pollfd = { pidfd, POLLIN, 0 };
  int result;

  do
    {
      test_home_turn ();
      result = poll (&pollfd, 1, 10);
    }
  while (result == 0 || (result < 0 && errno == EINTR));

  g_assert_cmpint (result, ==, 1);
  close (pidfd);
}

/* Waits until @condition holds, for what nothing tells of by itself. */
void
test_await (TestCondition condition,
            gpointer      data)
{
  while (!condition (data))
    {
      test_home_turn ();
      g_usleep (1000);
    }
}
