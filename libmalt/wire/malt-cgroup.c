/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-cgroup.h"

#include <string.h>

/* Returns: (transfer full) (nullable): where the kernel has the control group of this process
 * in the unified hierarchy, below MALT_CGROUP_ROOT; %NULL if it is in none */
char *
malt_cgroup_dup_folder (void)
{
  g_autofree char *memberships = NULL;
  const char *membership;

  if (!g_file_get_contents ("/proc/self/cgroup", &memberships, NULL, NULL))
    return NULL;

  membership = g_str_has_prefix (memberships, "0::/") ? memberships : strstr (memberships, "\n0::/");
  if (membership == NULL)
    return NULL;

  membership = strchr (membership, '/');
  return g_strdup_printf (MALT_CGROUP_ROOT "%.*s", (int) strcspn (membership, "\n"), membership);
}
