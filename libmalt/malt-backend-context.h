/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* The main context of the backends that live in another one: see malt-backend-context.c. */
typedef struct _MaltBackendContext MaltBackendContext;

MaltBackendContext *malt_backend_context_get   (GMainContext       *home);
void                malt_backend_context_join  (MaltBackendContext *self,
                                                GMainContext       *context);
MaltBackendContext *malt_backend_context_ref   (MaltBackendContext *self);
void                malt_backend_context_unref (MaltBackendContext *self);

GMainContext       *malt_backend_context_peek  (MaltBackendContext *self);
gboolean            malt_backend_context_enter (MaltBackendContext *self);
void                malt_backend_context_leave (MaltBackendContext *self);

G_END_DECLS
