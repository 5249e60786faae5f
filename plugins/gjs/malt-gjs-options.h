/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-gjs.h"

gboolean malt_gjs_options_parse (MaltGjs   *gjs,
                                 GVariant  *options,
                                 GError   **error);
