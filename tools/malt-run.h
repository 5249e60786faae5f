/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-report.h"
#include "malt-session.h"

G_BEGIN_DECLS

/* What is to be done with the worker; gives its value. */
typedef GVariant *(* MaltRunFunc) (MaltSession  *session,
                                   gpointer      user_data,
                                   GError      **error);

MaltStatus malt_run         (MaltLauncher *launcher,
                             MaltRunFunc   function,
                             gpointer      user_data);
gboolean   malt_print_value (GVariant     *value);

G_END_DECLS
