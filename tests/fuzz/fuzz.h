/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <glib.h>

/* The entry of every fuzz target, for libFuzzer or for fuzz-replay.c. */
int LLVMFuzzerTestOneInput (const guint8 *data,
                            gsize         size);
