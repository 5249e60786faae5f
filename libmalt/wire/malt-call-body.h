/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-frame.h"
#include "malt-large-value.h"
#include "malt-message.h"

G_BEGIN_DECLS

/* The bodies of calls, whichever side makes them: with the arguments, or with where these are in
 * the arena.  See malt-message.h on @data and @body. */

gboolean  malt_call_body_read  (MaltArenaView    *view,
                                MaltPeer          peer,
                                const MaltFrame  *frame,
                                gconstpointer     data,
                                GBytes           *body,
                                gsize             max_value,
                                const char      **function,
                                GVariant        **arguments,
                                GVariant        **keywords,
                                GError          **error);

/* What a call of the program's functions counts for while it is unanswered, besides one. */
gsize     malt_call_body_weigh (GVariant         *arguments,
                                GVariant         *keywords);

/* What was written is @body, where the arguments are in the arena, and else @message. */
gboolean  malt_call_body_write (MaltArena        *arena,
                                MaltPeer          peer,
                                const char       *function,
                                GVariant         *arguments,
                                GVariant         *keywords,
                                gsize             max_body,
                                gsize             max_value,
                                MaltFrame        *frame,
                                MaltLargeValue   *value,
                                GBytes          **body,
                                MaltMessage      *message,
                                GError          **error);

G_END_DECLS
