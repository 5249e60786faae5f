/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#if !defined(MALT_INSIDE) && !defined(MALT_COMPILATION)
#error "Only <malt.h> can be included directly."
#endif

#include "malt-types.h"

G_BEGIN_DECLS

#define MALT_TYPE_MODULE (malt_module_get_type ())

/**
 * MALT_MODULE_ABI: (skip)
 *
 * The number of the contract between the library and its modules; a module of
 * another number is not loaded.
 *
 * Since: 1.0
 */
#define MALT_MODULE_ABI 1

/**
 * MALT_DEFINE_MODULE_ABI: (skip)
 *
 * Says, in a module, which contract it was built for.  Every module has this line
 * once, beside its `g_io_module_load()`.
 *
 * Since: 1.0
 */
#define MALT_DEFINE_MODULE_ABI \
  extern const guint malt_module_abi[3]; \
  __attribute__ ((visibility ("default"))) \
  const guint malt_module_abi[3] = \
    { MALT_MODULE_ABI, sizeof (MaltWorkerClass), sizeof (MaltRuntimeClass) };

MALT_AVAILABLE_IN_1_0
G_DECLARE_FINAL_TYPE (MaltModule, malt_module, MALT, MODULE, GObject)

MALT_AVAILABLE_IN_1_0
MaltModuleKind  malt_module_get_kind  (MaltModule      *self);
MALT_AVAILABLE_IN_1_0
const char     *malt_module_get_name  (MaltModule      *self);
MALT_AVAILABLE_IN_1_0
const char     *malt_module_get_path  (MaltModule      *self);
MALT_AVAILABLE_IN_1_0
const GError   *malt_module_get_error (MaltModule      *self);

MALT_AVAILABLE_IN_1_0
GListModel     *malt_list_modules     (void);

G_END_DECLS
