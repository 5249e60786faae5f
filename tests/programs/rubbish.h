/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <glib.h>

#include "malt-frame.h"

/* Frames by hand, for workers that break the protocol.  What fails ends the program. */

void      rubbish_put       (int            fd,
                             gconstpointer  bytes,
                             gsize          size);
MaltFrame rubbish_get_frame (int            fd);
void      rubbish_put_frame (int            fd,
                             MaltFrameType  type,
                             guint64        id,
                             GVariant      *body);
