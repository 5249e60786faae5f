/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-python-embed.h"

G_BEGIN_DECLS

const MaltPythonEmbed *malt_python_load (GError **error);

G_END_DECLS
