/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-python.h"

G_BEGIN_DECLS

guint    malt_python_wait_context (MaltPython *self,
                                   int         first_fd,
                                   int         second_fd,
                                   gint64      timeout_usec);
gboolean malt_python_is_readable  (int         fd);
void     malt_python_wait_clear   (MaltPython *self);

G_END_DECLS
