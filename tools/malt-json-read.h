/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

GVariant *malt_json_read (const char  *text,
                          GError     **error);

G_END_DECLS
