/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-python.h"

G_BEGIN_DECLS

PyObject    *malt_python_channel_get_type   (void);
PyObject    *malt_python_channel_get_closed (void);
MaltChannel *malt_python_channel_peek       (PyObject *object);
void         malt_python_channel_forget     (void);

G_END_DECLS
