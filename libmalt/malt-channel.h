/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#if !defined(MALT_INSIDE) && !defined(MALT_COMPILATION)
#error "Only <malt.h> can be included directly."
#endif

#include "malt-types.h"

G_BEGIN_DECLS

#define MALT_TYPE_CHANNEL (malt_channel_get_type ())

MALT_AVAILABLE_IN_1_0
G_DECLARE_FINAL_TYPE (MaltChannel, malt_channel, MALT, CHANNEL, GObject)

MALT_AVAILABLE_IN_1_0
MaltChannel *malt_channel_new          (guint                 capacity);
MALT_AVAILABLE_IN_1_0
guint        malt_channel_get_capacity (MaltChannel          *self);

MALT_AVAILABLE_IN_1_0
gboolean     malt_channel_put          (MaltChannel          *self,
                                        GVariant             *value,
                                        int                   timeout_msec,
                                        GCancellable         *cancellable,
                                        GError              **error);
MALT_AVAILABLE_IN_1_0
void         malt_channel_put_async    (MaltChannel          *self,
                                        GVariant             *value,
                                        GCancellable         *cancellable,
                                        GAsyncReadyCallback   callback,
                                        gpointer              user_data);
MALT_AVAILABLE_IN_1_0
gboolean     malt_channel_put_finish   (MaltChannel          *self,
                                        GAsyncResult         *result,
                                        GError              **error);

MALT_AVAILABLE_IN_1_0
GVariant    *malt_channel_take         (MaltChannel          *self,
                                        int                   timeout_msec,
                                        GCancellable         *cancellable,
                                        GError              **error);
MALT_AVAILABLE_IN_1_0
GVariant    *malt_channel_try_take     (MaltChannel          *self);
MALT_AVAILABLE_IN_1_0
void         malt_channel_take_async   (MaltChannel          *self,
                                        GCancellable         *cancellable,
                                        GAsyncReadyCallback   callback,
                                        gpointer              user_data);
MALT_AVAILABLE_IN_1_0
GVariant    *malt_channel_take_finish  (MaltChannel          *self,
                                        GAsyncResult         *result,
                                        GError              **error);

MALT_AVAILABLE_IN_1_0
gboolean     malt_channel_wait         (MaltChannel          *self,
                                        int                   timeout_msec,
                                        GCancellable         *cancellable,
                                        GError              **error);
MALT_AVAILABLE_IN_1_0
void         malt_channel_wait_async   (MaltChannel          *self,
                                        GCancellable         *cancellable,
                                        GAsyncReadyCallback   callback,
                                        gpointer              user_data);
MALT_AVAILABLE_IN_1_0
gboolean     malt_channel_wait_finish  (MaltChannel          *self,
                                        GAsyncResult         *result,
                                        GError              **error);

MALT_AVAILABLE_IN_1_0
gboolean     malt_channel_is_ready     (MaltChannel          *self);
MALT_AVAILABLE_IN_1_0
void         malt_channel_close        (MaltChannel          *self);
MALT_AVAILABLE_IN_1_0
gboolean     malt_channel_is_closed    (MaltChannel          *self);

G_END_DECLS
