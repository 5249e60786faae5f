/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-transport.h"

G_BEGIN_DECLS

MaltTransport *malt_ring_transport_new       (guint32         capacity,
                                              guint           spin_usec,
                                              GError        **error);
gboolean       malt_ring_transport_hand_over (MaltTransport  *transport,
                                              int             socket_fd,
                                              GError        **error);
MaltTransport *malt_ring_transport_receive   (int             socket_fd,
                                              GError        **error);

G_END_DECLS
