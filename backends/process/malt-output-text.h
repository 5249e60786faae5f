/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

void  malt_output_text_append_escaped   (GString    *output,
                                         const char *text,
                                         gsize       size);
gsize malt_output_text_count_incomplete (const char *text,
                                         gsize       size);

G_END_DECLS
