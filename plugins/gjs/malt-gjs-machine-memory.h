/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <glib.h>

guint64 malt_gjs_machine_memory (void);
