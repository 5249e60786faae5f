/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/* SpiderMonkey and GLib, for C++ files.  What differs between the versions of SpiderMonkey
 * is in malt-gjs-compat.h. */

#include <js-config.h>

#include <jsapi.h>
#include <jsfriendapi.h>

#include <malt.h>
