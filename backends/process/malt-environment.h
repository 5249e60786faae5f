/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

char **malt_environment_new (const char * const  *manager,
                             const char * const  *additions,
                             GError             **error) G_GNUC_WARN_UNUSED_RESULT;

G_END_DECLS
