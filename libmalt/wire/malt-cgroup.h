/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define MALT_CGROUP_ROOT "/sys/fs/cgroup"

char *malt_cgroup_dup_folder (void);

G_END_DECLS
