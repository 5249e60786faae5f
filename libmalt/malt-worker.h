/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#if !defined(MALT_INSIDE) && !defined(MALT_COMPILATION)
#error "Only <malt.h> can be included directly."
#endif

#include "malt-types.h"

G_BEGIN_DECLS

#define MALT_TYPE_WORKER (malt_worker_get_type ())

/**
 * MALT_WORKER_EXTENSION_POINT:
 *
 * The name of the extension point that backends implement; the name of the
 * extension is the name of the backend.
 *
 * Since: 1.0
 */
#define MALT_WORKER_EXTENSION_POINT "malt-worker"

/**
 * MALT_TIMEOUT_DEFAULT:
 *
 * As the deadline of a call: [property@Malt.Launcher:call-timeout].
 *
 * Since: 1.0
 */
#define MALT_TIMEOUT_DEFAULT (-1)

/**
 * MALT_TIMEOUT_NONE:
 *
 * As the deadline of a call: no deadline.
 *
 * Since: 1.0
 */
#define MALT_TIMEOUT_NONE 2147483647

MALT_AVAILABLE_IN_1_0
G_DECLARE_DERIVABLE_TYPE (MaltWorker, malt_worker, MALT, WORKER, GObject)

/**
 * MaltHostFunction:
 * @request: what the worker's code asks for: its arguments are
 *   [method@Malt.Request.get_arguments] and [method@Malt.Request.get_keywords]
 * @user_data: what the function was exported with
 *
 * A function of the program that the code of a worker may call; see
 * [method@Malt.Worker.export_function].
 *
 * It finishes the request with [method@Malt.Request.return_value],
 * [method@Malt.Request.return_error] or [method@Malt.Request.return_exception]: before it
 * returns, or later and on any thread, if it keeps a reference.  The worker's code waits for
 * that.  A request that is dropped ends with an error.
 *
 * When nobody waits for the function any more, [method@Malt.Request.get_cancellable] becomes
 * cancelled: the worker has ended, or its object is gone, or what waits was cancelled, interrupted
 * or ran into its deadline.  What is returned then is for nobody, and is to be returned all the
 * same.  While the function runs it is cancelled on a thread of the library's, so that one that
 * blocks can be ended by that; once it has returned, in the main context in which the worker was
 * made.  [signal@Gio.Cancellable::cancelled] is emitted there.
 *
 * Since: 1.0
 */
typedef void (* MaltHostFunction) (MaltRequest *request,
                                   gpointer     user_data);

/**
 * MaltWorkerClass:
 * @start: starts the worker, and finishes the request when it is ready or has
 *   failed.  The default finishes it at once.
 * @submit: takes a request on its way, and finishes it now or later.
 * @cancel: asks the worker to give up a request: withdraw it with
 *   [method@Malt.Request.return_withdrawn] if it has not started, else tell the
 *   code behind it.  The default cancels the request's own cancellable.
 * @interrupt: breaks off what runs behind a request, or whatever runs now where
 *   the request is %NULL.  The default does nothing.
 * @stop: asks the worker politely to end.  The default is @kill with `SIGTERM`.
 * @kill: ends the worker as the signal would.  When it has ended, by this or
 *   otherwise, the backend calls [method@Malt.Worker.report_terminated].
 * @any_thread: whether the functions of this class may be called on any thread; if
 *   not, they are called in the main context in which the worker was made.
 * @wait: (skip): blocks the calling thread until a request is done,
 *   `malt_worker_has_errands()` says that the thread is wanted elsewhere, or a monotonic time
 *   has come, unless that is -1; reads replies itself meanwhile.  %NULL to be waited for by the
 *   library.  Only with @any_thread.
 * @wake: (skip): makes @wait look again whether its request is done.
 * @post: (skip): takes on its way a call of which nobody is to hear, and gives whether it
 *   could; %NULL to get such calls through @submit, as requests with
 *   `MALT_REQUEST_FLAGS_NO_REPLY`.  Only with @any_thread, and called only while the
 *   worker runs.  The function is valid UTF-8, the arguments are a tuple and the keyword
 *   arguments an `a{sv}`, or %NULL for none; errors need not name the worker.
 * @new_buffer: (skip): gives room for an argument, as `malt_worker_new_buffer()`
 *   does, or %NULL if it has none that is better than the program's own memory.  Only with
 *   @any_thread.
 * @listen: (skip): has what the worker's code says of its own accord, such as calls of the
 *   program's functions, be read in a main context from now on, also while no result is
 *   awaited there.  %NULL if nobody has to read for that.  Only with @any_thread; called at most once,
 *   while the worker runs, with the context in which it was made, which is there until the
 *   worker is finalized.
 * @take_back: (skip): withdraws a request if it has not begun, with
 *   [method@Malt.Request.return_withdrawn], and else leaves it alone; with %NULL for a
 *   request nothing happens.  Gives whether the worker can do such things; %NULL if none can.  Only with
 *   @any_thread, on any thread.
 * @turned: (skip): called on a thread that blocks in the context of the backends, before it waits
 *   for what is next to be run there.  For languages that have something to do then, such as
 *   JavaScript what waits for promises.  Not with @any_thread.
 * @thread: (skip): the only thread on which workers of the class can be made, where its language
 *   has just one; %NULL for any.  Not with @any_thread.
 *
 * A backend implements these.  Only @submit and @kill have no default.
 *
 * Since: 1.0
 */
struct _MaltWorkerClass
{
  GObjectClass parent_class;

  void     (* start)     (MaltWorker  *self,
                          MaltRequest *request);
  void     (* submit)    (MaltWorker  *self,
                          MaltRequest *request);
  void     (* cancel)    (MaltWorker  *self,
                          MaltRequest *request);
  void     (* interrupt) (MaltWorker  *self,
                          MaltRequest *request);
  void     (* stop)      (MaltWorker  *self);
  void     (* kill)      (MaltWorker  *self,
                          int          signum);

  gboolean    any_thread;

  void     (* wait)      (MaltWorker  *self,
                          MaltRequest *request,
                          gint64       deadline);
  void     (* wake)      (MaltWorker  *self,
                          MaltRequest *request);
  gboolean (* post)      (MaltWorker  *self,
                          const char  *function,
                          GVariant    *arguments,
                          GVariant    *keywords,
                          GError     **error);
  GBytes * (* new_buffer) (MaltWorker *self,
                          gsize        size,
                          gpointer    *data);
  void     (* listen)    (MaltWorker   *self,
                          GMainContext *context);
  gboolean (* take_back) (MaltWorker  *self,
                          MaltRequest *request);
  void     (* turned)    (void);
  GThread    *thread;

  /*< private >*/
  gpointer padding[6];
};

/* Calling */

MALT_AVAILABLE_IN_1_0
GVariant       *malt_worker_remote_call_fetch  (MaltWorker           *self,
                                                const char           *function,
                                                GVariant             *arguments,
                                                GVariant             *keywords,
                                                int                   timeout_msec,
                                                GCancellable         *cancellable,
                                                GError              **error);
MALT_AVAILABLE_IN_1_0
gboolean        malt_worker_remote_call_wait   (MaltWorker           *self,
                                                const char           *function,
                                                GVariant             *arguments,
                                                GVariant             *keywords,
                                                int                   timeout_msec,
                                                GCancellable         *cancellable,
                                                GError              **error);
MALT_AVAILABLE_IN_1_0
void            malt_worker_remote_call_async  (MaltWorker           *self,
                                                const char           *function,
                                                GVariant             *arguments,
                                                GVariant             *keywords,
                                                int                   timeout_msec,
                                                GCancellable         *cancellable,
                                                GAsyncReadyCallback   callback,
                                                gpointer              user_data);
MALT_AVAILABLE_IN_1_0
GVariant       *malt_worker_remote_call_finish (MaltWorker           *self,
                                                GAsyncResult         *result,
                                                GError              **error);
MALT_AVAILABLE_IN_1_0
gboolean        malt_worker_remote_do          (MaltWorker           *self,
                                                const char           *function,
                                                GVariant             *arguments,
                                                GVariant             *keywords,
                                                GError              **error);
MALT_AVAILABLE_IN_1_0
GVariant       *malt_worker_remote_eval_fetch  (MaltWorker           *self,
                                                const char           *module,
                                                const char           *source,
                                                int                   timeout_msec,
                                                GCancellable         *cancellable,
                                                GError              **error);
MALT_AVAILABLE_IN_1_0
gboolean        malt_worker_remote_eval_wait   (MaltWorker           *self,
                                                const char           *module,
                                                const char           *source,
                                                int                   timeout_msec,
                                                GCancellable         *cancellable,
                                                GError              **error);
MALT_AVAILABLE_IN_1_0
void            malt_worker_remote_eval_async  (MaltWorker           *self,
                                                const char           *module,
                                                const char           *source,
                                                int                   timeout_msec,
                                                GCancellable         *cancellable,
                                                GAsyncReadyCallback   callback,
                                                gpointer              user_data);
MALT_AVAILABLE_IN_1_0
GVariant       *malt_worker_remote_eval_finish (MaltWorker           *self,
                                                GAsyncResult         *result,
                                                GError              **error);

MALT_AVAILABLE_IN_1_0
MaltChannel    *malt_worker_open_channel       (MaltWorker           *self,
                                                const char           *module,
                                                const char           *expression,
                                                int                   timeout_msec,
                                                GCancellable         *cancellable,
                                                GError              **error);
MALT_AVAILABLE_IN_1_0
void            malt_worker_open_channel_async (MaltWorker           *self,
                                                const char           *module,
                                                const char           *expression,
                                                int                   timeout_msec,
                                                GCancellable         *cancellable,
                                                GAsyncReadyCallback   callback,
                                                gpointer              user_data);
MALT_AVAILABLE_IN_1_0
MaltChannel    *malt_worker_open_channel_finish (MaltWorker          *self,
                                                GAsyncResult         *result,
                                                GError              **error);

MALT_AVAILABLE_IN_1_0
GBytes         *malt_worker_new_buffer         (MaltWorker           *self,
                                                gsize                 size,
                                                gpointer             *data);

MALT_AVAILABLE_IN_1_0
guint64         malt_worker_get_last_request_id (MaltWorker          *self);

/* Being called */

MALT_AVAILABLE_IN_1_0
void            malt_worker_export_function    (MaltWorker           *self,
                                                const char           *name,
                                                const GVariantType   *arguments_type,
                                                MaltHostFunction      function,
                                                gpointer              user_data,
                                                GDestroyNotify        destroy);
MALT_AVAILABLE_IN_1_0
void            malt_worker_set_fallback_context (MaltWorker         *self,
                                                GMainContext         *context);
MALT_AVAILABLE_IN_1_0
gboolean        malt_worker_unexport_function  (MaltWorker           *self,
                                                const char           *name);

/* Lifecycle */

MALT_AVAILABLE_IN_1_0
gboolean        malt_worker_is_running         (MaltWorker           *self);
MALT_AVAILABLE_IN_1_0
void            malt_worker_interrupt          (MaltWorker           *self);
MALT_AVAILABLE_IN_1_0
MaltStopResult  malt_worker_stop               (MaltWorker           *self,
                                                int                   exit_timeout_msec,
                                                int                   term_timeout_msec,
                                                GCancellable         *cancellable,
                                                GError              **error);
MALT_AVAILABLE_IN_1_0
void            malt_worker_stop_async         (MaltWorker           *self,
                                                int                   exit_timeout_msec,
                                                int                   term_timeout_msec,
                                                GCancellable         *cancellable,
                                                GAsyncReadyCallback   callback,
                                                gpointer              user_data);
MALT_AVAILABLE_IN_1_0
MaltStopResult  malt_worker_stop_finish        (MaltWorker           *self,
                                                GAsyncResult         *result,
                                                GError              **error);
MALT_AVAILABLE_IN_1_0
void            malt_worker_kill               (MaltWorker           *self,
                                                int                   signum);

/* What it is */

MALT_AVAILABLE_IN_1_0
MaltLauncher   *malt_worker_get_launcher       (MaltWorker           *self);
MALT_AVAILABLE_IN_1_0
char           *malt_worker_dup_name           (MaltWorker           *self);
MALT_AVAILABLE_IN_1_0
int             malt_worker_get_pid            (MaltWorker           *self);
MALT_AVAILABLE_IN_1_0
MaltExitInfo   *malt_worker_get_exit_info      (MaltWorker           *self);
MALT_AVAILABLE_IN_1_0
GInputStream   *malt_worker_get_stdout_pipe    (MaltWorker           *self);
MALT_AVAILABLE_IN_1_0
GInputStream   *malt_worker_get_stderr_pipe    (MaltWorker           *self);

/* For backends */

MALT_AVAILABLE_IN_1_0
gboolean        malt_worker_register           (const char           *name,
                                                GType                 type,
                                                GError              **error);
MALT_AVAILABLE_IN_1_0
GMainContext   *malt_get_library_context       (void);
MALT_AVAILABLE_IN_1_0
void            malt_worker_set_pid            (MaltWorker           *self,
                                                int                   pid);
MALT_AVAILABLE_IN_1_0
void            malt_worker_set_pipes          (MaltWorker           *self,
                                                GInputStream         *stdout_pipe,
                                                GInputStream         *stderr_pipe);
MALT_AVAILABLE_IN_1_0
void            malt_worker_report_progress    (MaltWorker           *self,
                                                MaltRequest          *request,
                                                double                fraction,
                                                const char           *text);
MALT_AVAILABLE_IN_1_0
void            malt_worker_report_output      (MaltWorker           *self,
                                                MaltRequest          *request,
                                                int                   stream,
                                                GBytes               *bytes);
MALT_AVAILABLE_IN_1_0
gsize           malt_worker_get_unheard_output (MaltWorker           *self);
MALT_AVAILABLE_IN_1_0
void            malt_worker_handle_host_call   (MaltWorker           *self,
                                                MaltRequest          *request,
                                                gboolean              stalls);
MALT_AVAILABLE_IN_1_0
void            malt_worker_call_exported_async (MaltWorker          *self,
                                                const char           *function,
                                                GVariant             *arguments,
                                                GVariant             *keywords,
                                                gboolean              stalls,
                                                GCancellable         *cancellable,
                                                GAsyncReadyCallback   callback,
                                                gpointer              user_data);
MALT_AVAILABLE_IN_1_0
GVariant       *malt_worker_call_exported_finish (MaltWorker         *self,
                                                GAsyncResult         *result,
                                                GError              **error);
MALT_AVAILABLE_IN_1_0
void            malt_worker_drop_host_call     (MaltWorker           *self,
                                                GCancellable         *cancellable);
MALT_AVAILABLE_IN_1_0
gboolean        malt_worker_has_errands        (MaltWorker           *self);
MALT_AVAILABLE_IN_1_0
void            malt_worker_report_terminated  (MaltWorker           *self,
                                                MaltExitInfo         *exit_info);

G_END_DECLS
