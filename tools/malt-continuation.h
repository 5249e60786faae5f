/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-session.h"

G_BEGIN_DECLS

gboolean malt_continuation_wants_more (MaltSession *session,
                                       GString     *source);

G_END_DECLS
