/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-gjs-machine-memory.h"

#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "malt-cgroup.h"

/* How much memory the process can have at most: what the machine has, less if it or its
 * control group is limited. */

static guint64
get_physical (void)
{
  long pages = sysconf (_SC_PHYS_PAGES);
  long page_size = sysconf (_SC_PAGESIZE);

  return pages > 0 && page_size > 0 ? (guint64) pages * (guint64) page_size : G_MAXUINT64;
}

static guint64
get_limit (__rlimit_resource_t resource)
{
  struct rlimit limit;

  return getrlimit (resource, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY ? limit.rlim_cur : G_MAXUINT64;
}

/* The least of the group and those that it is in. */
static guint64
get_group_limit (void)
{
  g_autofree char *folder = malt_cgroup_dup_folder ();
  guint64 least = G_MAXUINT64;

  while (folder != NULL && strlen (folder) >= strlen (MALT_CGROUP_ROOT))
    {
      g_autofree char *file = g_strconcat (folder, "/memory.max", NULL);
      g_autofree char *text = NULL;

      if (g_file_get_contents (file, &text, NULL, NULL) && g_ascii_isdigit (*text))
        least = MIN (least, g_ascii_strtoull (text, NULL, 10));
      *strrchr (folder, '/') = '\0';
    }

  return least;
}

/* In bytes. */
guint64
malt_gjs_machine_memory (void)
{
  guint64 memory = get_physical ();

  memory = MIN (memory, get_limit (RLIMIT_AS));
  memory = MIN (memory, get_limit (RLIMIT_DATA));
  return MIN (memory, get_group_limit ());
}
