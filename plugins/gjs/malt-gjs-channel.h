/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-gjs.h"

bool         malt_gjs_channel_define (MaltGjsEngine    *engine,
                                      JS::HandleObject  natives);
MaltChannel *malt_gjs_channel_peek   (JS::HandleValue   value);
