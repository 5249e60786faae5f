/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#if !defined(MALT_INSIDE) && !defined(MALT_COMPILATION)
#error "Only <malt.h> can be included directly."
#endif

#include "malt-types.h"

G_BEGIN_DECLS

/**
 * MaltWeakWorker: (skip)
 *
 * A weak reference to a worker: what a backend's threads have of it, which may outlive it.
 *
 * It is for threads other than the one that made the worker, where a #GWeakRef can hang the
 * program.  Up to GLib 2.78 `g_weak_ref_get()` holds a lock of all weak references while it takes
 * the strong one; GJS is told of that ([method@GObject.Object.add_toggle_ref]) and waits there
 * until its garbage collector has finished, which may just be dropping an object that has weak
 * references, and so wait for that lock.
 *
 * Since: 1.0
 */
typedef struct _MaltWeakWorker MaltWeakWorker;

MALT_AVAILABLE_IN_1_0
MaltWeakWorker *malt_weak_worker_new   (MaltWorker     *worker);
MALT_AVAILABLE_IN_1_0
MaltWeakWorker *malt_weak_worker_ref   (MaltWeakWorker *self);
MALT_AVAILABLE_IN_1_0
void            malt_weak_worker_unref (MaltWeakWorker *self);
MALT_AVAILABLE_IN_1_0
MaltWorker     *malt_weak_worker_get   (MaltWeakWorker *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (MaltWeakWorker, malt_weak_worker_unref)

G_END_DECLS
