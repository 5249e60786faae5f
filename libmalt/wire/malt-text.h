/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

gboolean  malt_text_is_valid (const char *text,
                              gsize       length);
char     *malt_text_cut      (const char *text,
                              gsize       limit);

G_END_DECLS
