/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-runtime.h"

G_BEGIN_DECLS

/* What a runtime asks of whoever drives it: see malt-runtime-host.c. */
typedef struct
{
  /* Immutable once started. */
  const MaltRuntimeHost *klass;    /* or NULL */
  gpointer               user_data;
  GDestroyNotify         destroy;
  GThread               *code_thread; /* while it waits no request begins; only compared */
} MaltHost;

MaltHost *malt_runtime_get_host (MaltRuntime *self);

void malt_runtime_forget (MaltRuntime *self,
                          MaltRequest *request);

G_END_DECLS
