/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#if !defined(MALT_INSIDE) && !defined(MALT_COMPILATION)
#error "Only <malt.h> can be included directly."
#endif

#include "malt-request.h"
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
 *   the request is %NULL, which may belong to no request any more; on any thread.
 *   The default marks the request as interrupted and cancels its cancellable.  It
 *   does nothing when nothing runs.
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

/**
 * MaltRuntimeHost: (skip)
 * @call: begins with a call of a function of the program's, and finishes the request now or
 *   later; `stalls` says that no other request begins before that.  On any thread.
 * @wait: blocks until a word is TRUE or the cancellable, of which there may be none, is
 *   cancelled, or the worker is about to end.  On any thread.  %NULL where nobody has to read
 *   meanwhile.
 * @wake: says that a word which @wait may wait for is TRUE now.  On any thread.
 * @progress: tells how far a request has got.  On any thread.
 * @output: tells what the code behind a request, or behind none, has printed, and gives whether it
 *   did; if not, it is to be printed as usual.  On any thread.  %NULL where it is never wanted.
 * @drop: hears that nobody waits any more for a function that was called with @call, and whose
 *   request was not finished.  On any thread.  %NULL where nobody is to be told.
 *
 * What a runtime can ask of whoever drives it, on behalf of the code that it runs.
 *
 * Since: 1.0
 */
typedef struct
{
  void     (* call)     (MaltRequest   *request,
                         gboolean       stalls,
                         gpointer       user_data);
  void     (* wait)     (const gint    *done,
                         GCancellable  *cancellable,
                         gpointer       user_data);
  void     (* wake)     (const gint    *done,
                         gpointer       user_data);
  void     (* progress) (MaltRequest   *request,
                         double         fraction,
                         const char    *text,
                         gpointer       user_data);
  gboolean (* output)   (MaltRequest   *request,
                         int            stream,
                         gconstpointer  data,
                         gsize          size,
                         gpointer       user_data);
  void     (* drop)     (MaltRequest   *request,
                         gpointer       user_data);

  /*< private >*/
  gpointer padding[7];
} MaltRuntimeHost;

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

/* The manager, for the code that it runs */

MALT_AVAILABLE_IN_1_0
void                malt_runtime_set_host        (MaltRuntime           *self,
                                                  const MaltRuntimeHost *host,
                                                  gpointer               user_data,
                                                  GDestroyNotify         destroy);
MALT_AVAILABLE_IN_1_0
GVariant           *malt_runtime_call_host       (MaltRuntime           *self,
                                                  const char            *function,
                                                  GVariant              *arguments,
                                                  GVariant              *keywords,
                                                  GCancellable          *cancellable,
                                                  GError               **error);
MALT_AVAILABLE_IN_1_0
void                malt_runtime_set_code_thread (MaltRuntime           *self,
                                                  GThread               *thread);
MALT_AVAILABLE_IN_1_0
MaltRequest        *malt_runtime_begin_host_call (MaltRuntime           *self,
                                                  const char            *function,
                                                  GVariant              *arguments,
                                                  GVariant              *keywords,
                                                  MaltHostAnswer         answer,
                                                  gpointer               user_data);
MALT_AVAILABLE_IN_1_0
gboolean            malt_runtime_drop_host_call  (MaltRuntime           *self,
                                                  MaltRequest           *request);
MALT_AVAILABLE_IN_1_0
void                malt_runtime_call_host_async (MaltRuntime           *self,
                                                  const char            *function,
                                                  GVariant              *arguments,
                                                  GVariant              *keywords,
                                                  GCancellable          *cancellable,
                                                  GAsyncReadyCallback    callback,
                                                  gpointer               user_data);
MALT_AVAILABLE_IN_1_0
GVariant           *malt_runtime_call_host_finish (MaltRuntime          *self,
                                                  GAsyncResult          *result,
                                                  GError               **error);
MALT_AVAILABLE_IN_1_0
gboolean            malt_runtime_report_output   (MaltRuntime           *self,
                                                  MaltRequest           *request,
                                                  int                    stream,
                                                  gconstpointer          data,
                                                  gsize                  size);

G_END_DECLS
