/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <malt.h>

G_BEGIN_DECLS

/* What is to be started, as a launcher says: checked, complete, and without a need to
 * look at the program's environment any more. */
typedef struct
{
  char       *helper;
  char       *program;
  char      **argv;
  char      **environment;
  char       *directory;     /* NULL is / */
  gboolean    share_process_group;
  MaltOutput  stdout_output;
  MaltOutput  stderr_output;
  guint64     max_value_size;
  guint       ring_size;     /* bytes, 0 for none */
  guint       spin_limit;    /* microseconds */
  guint       streams;       /* of which signals tell: bits 1 << descriptor */
  GVariant   *hello;         /* a{sv} */
} MaltProcessPlan;

MaltProcessPlan *malt_process_plan_new  (MaltLauncher     *launcher,
                                         GError          **error);
void             malt_process_plan_free (MaltProcessPlan  *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (MaltProcessPlan, malt_process_plan_free)

G_END_DECLS
