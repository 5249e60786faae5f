/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-transport.h"

G_BEGIN_DECLS

MaltTransport *malt_socket_transport_new (int fd);

G_END_DECLS
