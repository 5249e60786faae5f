/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-transport.h"

G_BEGIN_DECLS

MaltTransport *malt_socket_transport_new      (int            fd);
int            malt_socket_transport_steal_fd (MaltTransport *self);

void           malt_socket_refuse_descriptors (int            fd);

G_END_DECLS
