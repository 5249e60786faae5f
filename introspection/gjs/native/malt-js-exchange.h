/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-js.h"

G_BEGIN_DECLS

/* What was given and not yet taken.  Owned by the thread that runs JavaScript. */
typedef struct
{
  GObject  *object;
  GObject  *worker;  /* beside a request of it */
  GVariant *variant;
  GError   *error;
} MaltJsExchange;

extern MaltJsExchange malt_js_exchange;

G_END_DECLS
