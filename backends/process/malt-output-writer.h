/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

gboolean malt_output_writer_start    (GError     **error);
void     malt_output_writer_put      (int          fd,
                                      guint64      owner,
                                      const char  *prefix,
                                      gboolean     continues,
                                      gboolean     open,
                                      GString     *text);
void     malt_output_writer_end_line (int          fd,
                                      guint64      owner);
gboolean malt_output_writer_wait     (GSource     *source);
gboolean malt_output_writer_flush    (int          timeout_msec);

G_END_DECLS
