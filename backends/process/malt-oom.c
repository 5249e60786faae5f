/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-oom.h"

#include <string.h>

#include "malt-cgroup.h"

/* Whether the kernel ended a process because memory ran out.  It tells nobody which
 * one: its victim dies of a SIGKILL like any other, and a counter goes up.  The counter
 * of our own cgroup is the better one; that of the machine also counts processes that
 * are none of our business. */

#define MACHINE_COUNTERS "/proc/vmstat"

static char *
find_cgroup_counters (void)
{
  g_autofree char *folder = malt_cgroup_dup_folder ();
  g_autofree char *path = folder != NULL ? g_strconcat (folder, "/memory.events", NULL) : NULL;

  return path != NULL && g_file_test (path, G_FILE_TEST_IS_REGULAR) ? g_steal_pointer (&path) : NULL;
}

static const char *
get_counters (void)
{
  static gsize counters;

  if (g_once_init_enter (&counters))
    {
      char *path = find_cgroup_counters ();

      if (path == NULL)
        path = g_strdup (MACHINE_COUNTERS);
      g_once_init_leave (&counters, (gsize) path);
    }

  return (const char *) counters;
}

/* Counts such kills up to now; MALT_OOM_UNKNOWN if that cannot be read. */
guint64
malt_oom_count_kills (void)
{
  g_autofree char *contents = NULL;
  const char *line;

  if (!g_file_get_contents (get_counters (), &contents, NULL, NULL))
    return MALT_OOM_UNKNOWN;

  line = g_str_has_prefix (contents, "oom_kill ") ? contents : strstr (contents, "\noom_kill ");
  if (line == NULL)
    return MALT_OOM_UNKNOWN;

  return g_ascii_strtoull (strchr (line, ' '), NULL, 10);
}

/* Tells whether there was such a kill, since that many were counted at the start of a
 * worker, that no other worker's death was put down to; and puts this one's down to
 * it. */
gboolean
malt_oom_claim_kill (guint64 kills_at_start)
{
  static GMutex lock;
  static guint64 claimed; /* under lock: the counter as far as it has been used up */
  guint64 kills = malt_oom_count_kills ();
  guint64 used;
  gboolean found;

  g_mutex_lock (&lock);
  used = MAX (claimed, kills_at_start);
  found = kills != MALT_OOM_UNKNOWN && kills > used;
  if (found)
    claimed = used + 1;
  g_mutex_unlock (&lock);

  return found;
}
