/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <glib.h>
#include <unistd.h>

G_BEGIN_DECLS

/* As g_clear_fd() of GLib 2.76, but that it tells nobody of errors. */
static inline void
malt_clear_fd (int *fd)
{
  if (*fd >= 0)
    close (*fd);
  *fd = -1;
}

G_END_DECLS
