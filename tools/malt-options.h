/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <malt.h>

#include "malt-report.h"

G_BEGIN_DECLS

/* What the commands that run a worker take from their command line. */
typedef struct
{
  char  *runtime;
  char  *backend;
  char **search_path;
  char **environment;
  char  *timeout;
} MaltOptions;

void          malt_options_clear          (MaltOptions     *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (MaltOptions, malt_options_clear)

void          malt_options_add_worker     (MaltOptions     *self,
                                           GOptionContext  *context);
void          malt_options_add_timeout    (MaltOptions     *self,
                                           GOptionContext  *context);

MaltLauncher *malt_options_dup_launcher   (MaltOptions     *self,
                                           GError         **error);
gboolean      malt_options_get_timeout    (MaltOptions     *self,
                                           int             *timeout_msec,
                                           GError         **error);

G_END_DECLS
