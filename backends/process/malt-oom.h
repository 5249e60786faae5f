/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define MALT_OOM_UNKNOWN G_MAXUINT64

guint64  malt_oom_count_kills (void);
gboolean malt_oom_claim_kill  (guint64 kills_at_start);

G_END_DECLS
