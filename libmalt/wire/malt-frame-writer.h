/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-frame.h"
#include "malt-transport.h"

G_BEGIN_DECLS

MaltIo malt_frame_write (MaltTransport  *transport,
                         const guint8    header[MALT_FRAME_HEADER_SIZE],
                         gconstpointer   body,
                         gsize           body_size,
                         gsize          *done,
                         GError        **error);

G_END_DECLS
