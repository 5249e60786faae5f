/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Used objects of one kind that a thread keeps to use them again: those that it has taken
 * and given back itself, so that there is no lock.  Freed when the thread ends. */

#define MALT_SPARES_INIT G_PRIVATE_INIT (malt_spares_free)

gpointer malt_spares_take (GPrivate       *spares);
gboolean malt_spares_give (GPrivate       *spares,
                           gpointer        item,
                           GDestroyNotify  destroy);
void     malt_spares_free (gpointer        data);

G_END_DECLS
