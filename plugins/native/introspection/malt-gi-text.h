/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-gi-compat.h"

/* Text and file names. */

GVariant *malt_gi_write_text     (const char  *text,
                                  GError     **error);
GVariant *malt_gi_write_filename (const char  *name);
char     *malt_gi_read_text      (GVariant    *value,
                                  GError     **error);
char     *malt_gi_read_filename  (GVariant    *value,
                                  GError     **error);
gboolean  malt_gi_read_unichar   (GVariant    *value,
                                  gunichar    *character,
                                  GError     **error);
GVariant *malt_gi_write_unichar  (gunichar     character,
                                  GError     **error);
