/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-request.h"
#include "malt-service-private.h"

G_BEGIN_DECLS

/* The channels that the manager has opened. */

void malt_service_answer_channel     (MaltService      *self,
                                      guint64           request_id,
                                      MaltChannel      *channel);
/* A frame about a channel: from the data road, with the reader's role; from the control
 * road. */
void malt_service_take_channel_frame (MaltService      *self,
                                      const MaltFrame  *frame,
                                      gconstpointer     data,
                                      GBytes           *body);
void malt_service_control_channel    (MaltService      *self,
                                      const MaltFrame  *frame);

G_END_DECLS
