/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#if !defined(MALT_INSIDE) && !defined(MALT_COMPILATION)
#error "Only <malt.h> can be included directly."
#endif

#include "malt-types.h"

G_BEGIN_DECLS

#define MALT_TYPE_RUNTIME (malt_runtime_get_type ())

/**
 * MALT_RUNTIME_EXTENSION_POINT:
 *
 * The name of the extension point that runtimes implement; the name of the
 * extension is the name of the runtime.
 *
 * Since: 1.0
 */
#define MALT_RUNTIME_EXTENSION_POINT "malt-runtime"

MALT_AVAILABLE_IN_1_0
G_DECLARE_DERIVABLE_TYPE (MaltRuntime, malt_runtime, MALT, RUNTIME, GObject)

/**
 * MaltRuntimeClass:
 * @start: makes the runtime ready; on the serving thread, once, before anything
 *   else.  The default does nothing.
 * @handle: begins with a request, and finishes it now or later with
 *   [method@Malt.Request.return_value] or [method@Malt.Request.return_error]; on
 *   the serving thread.
 * @wait: blocks until a descriptor can be read, and lets what the runtime has
 *   under way go on meanwhile; on the serving thread.  The default runs the
 *   thread-default main context.
 * @cancel: asks the code behind a request to give up; on any thread.  The default
 *   cancels the request's [method@Malt.Request.get_cancellable].
 * @interrupt: breaks off the code behind a request, or behind what runs now where
 *   the request is %NULL; on any thread.  The default marks the request as
 *   interrupted and cancels its cancellable.  It does nothing when nothing runs.
 * @stop: ends the runtime; on the serving thread, once, after everything else.
 *   The default does nothing.
 *
 * A runtime implements these.
 *
 * Since: 1.0
 */
struct _MaltRuntimeClass
{
  GObjectClass parent_class;

  gboolean (* start)     (MaltRuntime  *self,
                          GVariant     *options,
                          GError      **error);
  void     (* handle)    (MaltRuntime  *self,
                          MaltRequest  *request);
  void     (* wait)      (MaltRuntime  *self,
                          int           fd);
  void     (* cancel)    (MaltRuntime  *self,
                          MaltRequest  *request);
  void     (* interrupt) (MaltRuntime  *self,
                          MaltRequest  *request);
  void     (* stop)      (MaltRuntime  *self);

  /*< private >*/
  gpointer padding[12];
};

MALT_AVAILABLE_IN_1_0
MaltRuntime        *malt_runtime_new             (const char          *name,
                                                  gboolean             own_process,
                                                  const char * const  *search_path,
                                                  GError             **error);
MALT_AVAILABLE_IN_1_0
gboolean            malt_runtime_is_own_process  (MaltRuntime         *self);
MALT_AVAILABLE_IN_1_0
const char * const *malt_runtime_get_search_path (MaltRuntime         *self);

MALT_AVAILABLE_IN_1_0
gboolean            malt_runtime_start           (MaltRuntime         *self,
                                                  GVariant            *options,
                                                  GError             **error);
MALT_AVAILABLE_IN_1_0
void                malt_runtime_handle          (MaltRuntime         *self,
                                                  MaltRequest         *request);
MALT_AVAILABLE_IN_1_0
void                malt_runtime_wait            (MaltRuntime         *self,
                                                  int                  fd);
MALT_AVAILABLE_IN_1_0
void                malt_runtime_cancel          (MaltRuntime         *self,
                                                  MaltRequest         *request);
MALT_AVAILABLE_IN_1_0
void                malt_runtime_interrupt       (MaltRuntime         *self,
                                                  MaltRequest         *request);
MALT_AVAILABLE_IN_1_0
void                malt_runtime_stop            (MaltRuntime         *self);
MALT_AVAILABLE_IN_1_0
gboolean            malt_runtime_has_unfinished  (MaltRuntime         *self);

G_END_DECLS
