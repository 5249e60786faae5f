/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#if !defined(MALT_INSIDE) && !defined(MALT_COMPILATION)
#error "Only <malt.h> can be included directly."
#endif

#include "malt-pool.h"
#include "malt-worker.h"

G_BEGIN_DECLS

/**
 * MaltPending: (skip)
 *
 * A call that goes on, and for which a thread may come to wait: what bindings make futures of.
 *
 * Since: 1.0
 */
typedef struct _MaltPending MaltPending;

/**
 * MaltPendingFunc: (skip)
 * @value: (transfer full) (nullable): the value, or %NULL with @error set
 * @error: (transfer full) (nullable): what went wrong
 * @user_data: what was given with the function
 *
 * Told once what came of a call: on a thread that is in [method@Malt.Pending.wait] for it; else
 * where the call's context is run, or wherever else it has become known, perhaps before the
 * function returns that has begun the call.  It may not block, nor call foreign code.
 *
 * Since: 1.0
 */
typedef void (* MaltPendingFunc) (GVariant *value,
                                  GError   *error,
                                  gpointer  user_data);

MALT_AVAILABLE_IN_1_0
MaltPending *malt_worker_remote_call_begin (MaltWorker        *self,
                                            const char        *function,
                                            GVariant          *arguments,
                                            GVariant          *keywords,
                                            MaltRequestFlags   flags,
                                            int                timeout_msec,
                                            GCancellable      *cancellable,
                                            GMainContext      *context,
                                            MaltPendingFunc    func,
                                            gpointer           user_data);
MALT_AVAILABLE_IN_1_0
MaltPending *malt_worker_remote_eval_begin (MaltWorker        *self,
                                            const char        *module,
                                            const char        *source,
                                            MaltRequestFlags   flags,
                                            int                timeout_msec,
                                            GCancellable      *cancellable,
                                            GMainContext      *context,
                                            MaltPendingFunc    func,
                                            gpointer           user_data);
MALT_AVAILABLE_IN_1_0
MaltPending *malt_pool_remote_call_begin   (MaltPool          *self,
                                            const char        *function,
                                            GVariant          *arguments,
                                            GVariant          *keywords,
                                            MaltPoolCallFlags  flags,
                                            int                timeout_msec,
                                            GCancellable      *cancellable,
                                            GMainContext      *context,
                                            MaltPendingFunc    func,
                                            gpointer           user_data);
MALT_AVAILABLE_IN_1_0
MaltPending *malt_pool_remote_eval_begin   (MaltPool          *self,
                                            const char        *module,
                                            const char        *source,
                                            MaltPoolCallFlags  flags,
                                            int                timeout_msec,
                                            GCancellable      *cancellable,
                                            GMainContext      *context,
                                            MaltPendingFunc    func,
                                            gpointer           user_data);
MALT_AVAILABLE_IN_1_0
gboolean     malt_pending_wait             (MaltPending       *self,
                                            gint64             deadline,
                                            const gint        *is_wanted);
MALT_AVAILABLE_IN_1_0
void         malt_pending_wake             (MaltPending       *self);
MALT_AVAILABLE_IN_1_0
void         malt_pending_cancel           (MaltPending       *self);
MALT_AVAILABLE_IN_1_0
MaltPending *malt_pending_ref              (MaltPending       *self);
MALT_AVAILABLE_IN_1_0
void         malt_pending_unref            (MaltPending       *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (MaltPending, malt_pending_unref)

G_END_DECLS
