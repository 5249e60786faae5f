/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <glib.h>

#include "malt-frame.h"
#include "malt-transport.h"

G_BEGIN_DECLS

typedef struct _MaltFrameReader MaltFrameReader;

MaltFrameReader *malt_frame_reader_new   (gsize             max_value);
void             malt_frame_reader_free  (MaltFrameReader  *self);
gboolean         malt_frame_reader_has_more (MaltFrameReader *self);
MaltIo           malt_frame_reader_next  (MaltFrameReader  *self,
                                          MaltTransport    *transport,
                                          MaltFrame        *frame,
                                          gconstpointer    *data,
                                          GBytes          **body,
                                          GError          **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (MaltFrameReader, malt_frame_reader_free)

G_END_DECLS
