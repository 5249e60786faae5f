/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

void     malt_output_exit_watch      (GSource *source);
void     malt_output_exit_unwatch    (GSource *source);
gboolean malt_output_exit_is_awaited (GSource *source);
void     malt_output_exit_done       (GSource *source);

G_END_DECLS
