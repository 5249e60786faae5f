/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-module.h"

G_BEGIN_DECLS

GType       malt_registry_lookup     (MaltModuleKind       kind,
                                      const char          *name,
                                      GError             **error);
gboolean    malt_registry_register   (MaltModuleKind       kind,
                                      const char          *name,
                                      GType                type,
                                      GError             **error);
void        malt_registry_list       (GListStore          *store);

MaltModule *malt_module_new          (MaltModuleKind       kind,
                                      const char          *name,
                                      const char          *path,
                                      GError              *error);

G_END_DECLS
