/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-gjs.h"

void malt_gjs_run_request (MaltGjs     *gjs,
                           MaltRequest *request);
