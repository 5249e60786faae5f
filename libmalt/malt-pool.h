/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#if !defined(MALT_INSIDE) && !defined(MALT_COMPILATION)
#error "Only <malt.h> can be included directly."
#endif

#include "malt-types.h"

G_BEGIN_DECLS

#define MALT_TYPE_POOL (malt_pool_get_type ())

/**
 * MaltPoolItemFunc:
 * @self: the pool
 * @index: which item it is, from 0
 * @value: (nullable): the value, `mv` nothing where there is none; %NULL if it failed
 * @error: (nullable): why it failed; %NULL if it did not
 * @user_data: what was given with the function
 *
 * Is told what came of one item of a map.
 *
 * Since: 1.0
 */
typedef void (* MaltPoolItemFunc) (MaltPool     *self,
                                   guint         index,
                                   GVariant     *value,
                                   const GError *error,
                                   gpointer      user_data);

MALT_AVAILABLE_IN_1_0
G_DECLARE_FINAL_TYPE (MaltPool, malt_pool, MALT, POOL, GObject)

MALT_AVAILABLE_IN_1_0
MaltPool     *malt_pool_new                (MaltLauncher           *launcher,
                                            guint                   max_workers);

/* Calling */

MALT_AVAILABLE_IN_1_0
GVariant     *malt_pool_remote_call_fetch  (MaltPool               *self,
                                            const char             *function,
                                            GVariant               *arguments,
                                            GVariant               *keywords,
                                            MaltPoolCallFlags       flags,
                                            int                     timeout_msec,
                                            GCancellable           *cancellable,
                                            GError                **error);
MALT_AVAILABLE_IN_1_0
void          malt_pool_remote_call_async  (MaltPool               *self,
                                            const char             *function,
                                            GVariant               *arguments,
                                            GVariant               *keywords,
                                            MaltPoolCallFlags       flags,
                                            int                     timeout_msec,
                                            GCancellable           *cancellable,
                                            GAsyncReadyCallback     callback,
                                            gpointer                user_data);
MALT_AVAILABLE_IN_1_0
GVariant     *malt_pool_remote_call_finish (MaltPool               *self,
                                            GAsyncResult           *result,
                                            GError                **error);
MALT_AVAILABLE_IN_1_0
gboolean      malt_pool_remote_do          (MaltPool               *self,
                                            const char             *function,
                                            GVariant               *arguments,
                                            GVariant               *keywords,
                                            GError                **error);
MALT_AVAILABLE_IN_1_0
GVariant     *malt_pool_remote_eval_fetch  (MaltPool               *self,
                                            const char             *module,
                                            const char             *source,
                                            MaltPoolCallFlags       flags,
                                            int                     timeout_msec,
                                            GCancellable           *cancellable,
                                            GError                **error);
MALT_AVAILABLE_IN_1_0
void          malt_pool_remote_eval_async  (MaltPool               *self,
                                            const char             *module,
                                            const char             *source,
                                            MaltPoolCallFlags       flags,
                                            int                     timeout_msec,
                                            GCancellable           *cancellable,
                                            GAsyncReadyCallback     callback,
                                            gpointer                user_data);
MALT_AVAILABLE_IN_1_0
GVariant     *malt_pool_remote_eval_finish (MaltPool               *self,
                                            GAsyncResult           *result,
                                            GError                **error);

MALT_AVAILABLE_IN_1_0
GVariant     *malt_pool_map                (MaltPool               *self,
                                            const char             *function,
                                            GVariant               *items,
                                            MaltPoolCallFlags       flags,
                                            int                     timeout_msec,
                                            GCancellable           *cancellable,
                                            MaltPoolItemFunc        item_func,
                                            gpointer                item_data,
                                            GError                **error);
MALT_AVAILABLE_IN_1_0
void          malt_pool_map_async          (MaltPool               *self,
                                            const char             *function,
                                            GVariant               *items,
                                            MaltPoolCallFlags       flags,
                                            int                     timeout_msec,
                                            GCancellable           *cancellable,
                                            MaltPoolItemFunc        item_func,
                                            gpointer                item_data,
                                            GDestroyNotify          item_destroy,
                                            GAsyncReadyCallback     callback,
                                            gpointer                user_data);
MALT_AVAILABLE_IN_1_0
GVariant     *malt_pool_map_finish         (MaltPool               *self,
                                            GAsyncResult           *result,
                                            GError                **error);

MALT_AVAILABLE_IN_1_0
gboolean      malt_pool_wait_room          (MaltPool               *self,
                                            GCancellable           *cancellable,
                                            GError                **error);
MALT_AVAILABLE_IN_1_0
void          malt_pool_wait_room_async    (MaltPool               *self,
                                            GCancellable           *cancellable,
                                            GAsyncReadyCallback     callback,
                                            gpointer                user_data);
MALT_AVAILABLE_IN_1_0
gboolean      malt_pool_wait_room_finish   (MaltPool               *self,
                                            GAsyncResult           *result,
                                            GError                **error);

/* Lifecycle */

MALT_AVAILABLE_IN_1_0
gboolean      malt_pool_shutdown           (MaltPool               *self,
                                            MaltPoolShutdownFlags   flags,
                                            GCancellable           *cancellable,
                                            GError                **error);
MALT_AVAILABLE_IN_1_0
void          malt_pool_shutdown_async     (MaltPool               *self,
                                            MaltPoolShutdownFlags   flags,
                                            GCancellable           *cancellable,
                                            GAsyncReadyCallback     callback,
                                            gpointer                user_data);
MALT_AVAILABLE_IN_1_0
gboolean      malt_pool_shutdown_finish    (MaltPool               *self,
                                            GAsyncResult           *result,
                                            GError                **error);

/* What it is */

MALT_AVAILABLE_IN_1_0
MaltLauncher *malt_pool_get_launcher       (MaltPool               *self);
MALT_AVAILABLE_IN_1_0
guint         malt_pool_get_max_workers    (MaltPool               *self);
MALT_AVAILABLE_IN_1_0
guint         malt_pool_get_n_workers      (MaltPool               *self);
MALT_AVAILABLE_IN_1_0
guint         malt_pool_get_n_queued       (MaltPool               *self);
MALT_AVAILABLE_IN_1_0
guint         malt_pool_get_n_running      (MaltPool               *self);
MALT_AVAILABLE_IN_1_0
guint64       malt_pool_get_n_done         (MaltPool               *self);
MALT_AVAILABLE_IN_1_0
guint64       malt_pool_get_n_failed       (MaltPool               *self);
MALT_AVAILABLE_IN_1_0
guint64       malt_pool_get_n_restarts     (MaltPool               *self);

G_END_DECLS
