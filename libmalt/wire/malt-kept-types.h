/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* GLib describes a type of containers to itself when the first value of it is made, and
 * forgets that with the last one: a program whose calls come one after the other pays for it
 * with each of them, which is a sixth of what a small call costs its worker. */

void malt_kept_types_add (const char *type);

G_END_DECLS
