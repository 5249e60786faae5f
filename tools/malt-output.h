/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <glib.h>
#include <stdio.h>

G_BEGIN_DECLS

char     *malt_output_escape (const char *text);
void      malt_output_text   (FILE       *stream,
                              const char *text);
gboolean  malt_output_flush  (void);

G_END_DECLS
