/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <gio/gio.h>

#define MALT_INSIDE
#include "malt-version-macros.h"
#include "malt-types.h"
#include "malt-enum-types.h"
#include "malt-channel.h"
#include "malt-error.h"
#include "malt-exit-info.h"
#include "malt-function.h"
#include "malt-launcher.h"
#include "malt-module.h"
#include "malt-pending.h"
#include "malt-pool.h"
#include "malt-request.h"
#include "malt-runtime.h"
#include "malt-service.h"
#include "malt-weak-worker.h"
#include "malt-worker.h"
#undef MALT_INSIDE
