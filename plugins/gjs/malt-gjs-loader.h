/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-gjs-embed.h"

G_BEGIN_DECLS

const MaltGjsEmbed *malt_gjs_load (GError **error);

G_END_DECLS
