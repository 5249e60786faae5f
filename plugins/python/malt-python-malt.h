/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-python.h"

G_BEGIN_DECLS

/* The worker that the calling thread serves, or %NULL. */
MaltPython *malt_python_current    (void);

gboolean    malt_python_malt_begin (MaltPython  *self,
                                    GError     **error);
void        malt_python_malt_end   (MaltPython  *self);

G_END_DECLS
