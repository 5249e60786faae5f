/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <malt.h>

#include "malt-frame-reader.h"
#include "malt-transport.h"

G_BEGIN_DECLS

typedef struct _MaltConnection MaltConnection;

/* Called once, on any thread, without locks, when nothing more can come from the
 * worker: with what it did wrong, or with %NULL when it only closed its end. */
typedef void (* MaltConnectionLost) (const char *reason,
                                     gpointer    user_data);

MaltConnection *malt_connection_new       (MaltTransport       *transport,
                                           MaltFrameReader     *reader,
                                           int                  control_fd,
                                           guint64              max_value_size,
                                           MaltConnectionLost   lost,
                                           gpointer             user_data,
                                           GDestroyNotify       destroy,
                                           GError             **error);
void            malt_connection_set_worker (MaltConnection     *self,
                                           MaltWeakWorker      *worker,
                                           gboolean             may_speak,
                                           guint                streams);
MaltConnection *malt_connection_ref       (MaltConnection      *self);
void            malt_connection_unref     (MaltConnection      *self);

void            malt_connection_submit    (MaltConnection      *self,
                                           MaltRequest         *request);
gboolean        malt_connection_post      (MaltConnection      *self,
                                           const char          *function,
                                           GVariant            *arguments,
                                           GVariant            *keywords,
                                           GError             **error);
GBytes         *malt_connection_new_buffer (MaltConnection     *self,
                                           gsize                size,
                                           gpointer            *data);
void            malt_connection_wait      (MaltConnection      *self,
                                           MaltWorker          *worker,
                                           MaltRequest         *request,
                                           gint64               deadline);
void            malt_connection_listen    (MaltConnection      *self,
                                           GMainContext        *context);
void            malt_connection_unlisten  (MaltConnection      *self);
void            malt_connection_wake      (MaltConnection      *self);
void            malt_connection_cancel    (MaltConnection      *self,
                                           MaltRequest         *request);
gboolean        malt_connection_take_back (MaltConnection      *self,
                                           MaltRequest         *request);
void            malt_connection_allow_taking_back (MaltConnection *self);
void            malt_connection_interrupt (MaltConnection      *self,
                                           MaltRequest         *request);
void            malt_connection_allow_channels (MaltConnection *self);
void            malt_connection_stop      (MaltConnection      *self);
void            malt_connection_close     (MaltConnection      *self);
const char     *malt_connection_get_breach
                                          (MaltConnection      *self);
void            malt_connection_clear     (MaltConnection      *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (MaltConnection, malt_connection_unref)

G_END_DECLS
