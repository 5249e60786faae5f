/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-gjs-machine-memory.h"

#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* How much memory the process can have at most: what the machine has, less if it or its
 * control group is limited. */

#define CGROUP_ROOT "/sys/fs/cgroup"

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

/* The path of the process's group in the unified hierarchy; %NULL if it is in none. */
static char *
get_group (void)
{
  g_autofree char *text = NULL;
  char *line;

  if (!g_file_get_contents ("/proc/self/cgroup", &text, NULL, NULL))
    return NULL;

  line = g_str_has_prefix (text, "0::/") ? text : strstr (text, "\n0::/");
  if (line == NULL)
    return NULL;

  line = strchr (line, '/');
  return g_strndup (line, strcspn (line, "\n"));
}

/* The least of the group and those that it is in. */
static guint64
get_group_limit (void)
{
  g_autofree char *group = get_group ();
  guint64 least = G_MAXUINT64;
  char *slash;

  while (group != NULL)
    {
      g_autofree char *file = g_strconcat (CGROUP_ROOT, group, "/memory.max", NULL);
      g_autofree char *text = NULL;

      if (g_file_get_contents (file, &text, NULL, NULL) && g_ascii_isdigit (*text))
        least = MIN (least, g_ascii_strtoull (text, NULL, 10));

      slash = strrchr (group, '/');
      if (slash == NULL)
        return least;
      *slash = '\0';
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
