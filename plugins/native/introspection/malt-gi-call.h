/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <malt.h>

/* Calls the MaltGiFunction that is its @user_data; a MaltFunction. */
GVariant *malt_gi_call (MaltRequest   *request,
                        GVariant      *arguments,
                        GCancellable  *cancellable,
                        gpointer       user_data,
                        GError       **error);
