/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* Something that is to be done in a main context: embedded in what it is about. */
typedef struct _MaltDelivery MaltDelivery;

struct _MaltDelivery
{
  void  (* func) (MaltDelivery *self);
  GList    link;
};

void malt_deliver (MaltDelivery *delivery,
                   GMainContext *context);

G_END_DECLS
