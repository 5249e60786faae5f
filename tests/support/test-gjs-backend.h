/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define TEST_GJS_BACKEND "collecting"

void test_gjs_backend_register (void);

G_END_DECLS
