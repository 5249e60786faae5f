/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-transport.h"

G_BEGIN_DECLS

MaltTransport *malt_socket_transport_new                (int            fd);
void           malt_socket_transport_refuse_descriptors (MaltTransport *self);
int            malt_socket_transport_steal_fd           (MaltTransport *self);

G_END_DECLS
