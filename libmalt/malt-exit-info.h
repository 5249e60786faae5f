/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#if !defined(MALT_INSIDE) && !defined(MALT_COMPILATION)
#error "Only <malt.h> can be included directly."
#endif

#include "malt-types.h"

G_BEGIN_DECLS

#define MALT_TYPE_EXIT_INFO (malt_exit_info_get_type ())

MALT_AVAILABLE_IN_1_0
G_DECLARE_FINAL_TYPE (MaltExitInfo, malt_exit_info, MALT, EXIT_INFO, GObject)

MALT_AVAILABLE_IN_1_0
MaltExitInfo *malt_exit_info_new              (MaltExitKind        kind,
                                               int                 status);
MALT_AVAILABLE_IN_1_0
MaltExitKind  malt_exit_info_get_kind         (MaltExitInfo       *self);
MALT_AVAILABLE_IN_1_0
int           malt_exit_info_get_exit_code    (MaltExitInfo       *self);
MALT_AVAILABLE_IN_1_0
int           malt_exit_info_get_signal       (MaltExitInfo       *self);
MALT_AVAILABLE_IN_1_0
gboolean      malt_exit_info_get_core_dumped  (MaltExitInfo       *self);
MALT_AVAILABLE_IN_1_0
const char   *malt_exit_info_get_reason       (MaltExitInfo       *self);
MALT_AVAILABLE_IN_1_0
const char   *malt_exit_info_get_stderr       (MaltExitInfo       *self);
MALT_AVAILABLE_IN_1_0
const char * const *
              malt_exit_info_get_requests     (MaltExitInfo       *self);
MALT_AVAILABLE_IN_1_0
gint64        malt_exit_info_get_user_time    (MaltExitInfo       *self);
MALT_AVAILABLE_IN_1_0
gint64        malt_exit_info_get_system_time  (MaltExitInfo       *self);
MALT_AVAILABLE_IN_1_0
guint64       malt_exit_info_get_peak_memory  (MaltExitInfo       *self);
MALT_AVAILABLE_IN_1_0
char         *malt_exit_info_to_string        (MaltExitInfo       *self);

G_END_DECLS
