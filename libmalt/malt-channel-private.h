/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-channel.h"
#include "malt-channel-core.h"

G_BEGIN_DECLS

/* Also for the connection, of which a backend has a copy of its own. */
MALT_AVAILABLE_IN_1_0
MaltChannel     *malt_channel_new_for_core (MaltChannelCore *core);
MaltChannelCore *malt_channel_get_core     (MaltChannel     *self);

G_END_DECLS
