/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-python-object.h"

G_BEGIN_DECLS

/* The C half of the Python binding: what is called often, and what needs threads.  Its
 * Python half is in gi/overrides.  Everything here is called with the GIL held, unless it
 * says otherwise. */

/* What the Python half tells when it is imported. */
typedef struct
{
  PyTypeObject *worker_type;   /* Malt.Worker */
  PyTypeObject *pool_type;     /* Malt.Pool */
  PyTypeObject *variant_type;  /* GLib.Variant */
  PyObject     *make_error;    /* (domain, code, message, worker, details) → exception */
  PyObject     *find_function; /* (worker or pool, callable) → (name, arguments that come first) */
  PyObject     *future_type;   /* what submit() gives */
  PyObject     *get_values;    /* (worker or pool) → how values cross, MaltPythonValues */
  PyTypeObject *channel_type;  /* Malt.Channel */
  PyObject     *channel_closed; /* Malt.ChannelClosed */
  PyObject     *channel_next;  /* (channel, gives_way) → awaitable of the next value */
} MaltBinding;

extern MaltBinding malt_binding;

typedef struct _MaltBindingProgress MaltBindingProgress;

/* One call or evaluation that is to be made. */
typedef struct
{
  MaltWorker       *worker;       /* (owned): %NULL if a pool chooses it */
  MaltPool         *pool;         /* (owned): %NULL if it is a worker's */
  MaltPoolCallFlags flags;        /* of a pool */
  MaltPythonValues  values;       /* how what it gives comes back */
  char             *function;     /* (owned): %NULL in an evaluation */
  GVariant         *arguments;    /* (owned) (nullable) */
  GVariant         *keywords;     /* (owned) (nullable) */
  char             *module;       /* (owned) (nullable) */
  char             *source;       /* (owned): %NULL in a call */
  gboolean          no_value;
  int               timeout_msec;
  GCancellable     *cancellable;  /* (owned) (nullable) */
  MaltBindingProgress *progress;  /* (owned) (nullable): who is told of its progress */
} MaltBindingJob;

/* malt-binding-worker.c */
MaltWorker *malt_binding_get_worker  (PyObject         *object);
MaltPool   *malt_binding_get_pool    (PyObject         *object);
gboolean    malt_binding_is_pool     (PyObject         *object);
gboolean    malt_binding_get_values  (PyObject         *object,
                                      GObject          *target,
                                      MaltPythonValues *values);
void        malt_binding_set_values  (GObject          *object,
                                      MaltPythonValues  values);
gboolean    malt_binding_known_values (GObject          *object,
                                      MaltPythonValues *values);
PyObject   *malt_binding_has_object  (PyObject *module,
                                      PyObject *object);
PyObject   *malt_binding_cancellable_new (GCancellable *cancellable);
PyObject   *malt_binding_cancel      (PyObject *module,
                                      PyObject *capsule);

/* malt-binding-error.c */
PyObject *malt_binding_error_to_python (GError   *error,
                                        PyObject *worker);
void      malt_binding_raise           (GError   *error,
                                        PyObject *worker);

/* malt-binding-job.c */
gboolean  malt_binding_job_init_call (MaltBindingJob   *self,
                                      PyObject         *worker,
                                      PyObject         *function,
                                      PyObject *const  *arguments,
                                      Py_ssize_t        n_arguments,
                                      PyObject         *keywords,
                                      MaltPythonValues  how);
gboolean  malt_binding_job_init_eval (MaltBindingJob *self,
                                      PyObject       *worker,
                                      PyObject       *module,
                                      PyObject       *source);
gboolean  malt_binding_job_parse     (MaltBindingJob   *self,
                                      PyObject         *args,
                                      MaltPythonValues  how);
gboolean  malt_binding_get_timeout   (PyObject         *object,
                                      int              *timeout_msec);
gboolean  malt_binding_get_cancellable (PyObject      *object,
                                        GCancellable **cancellable);
gboolean  malt_binding_job_set_limits (MaltBindingJob *self,
                                       PyObject       *seconds,
                                       PyObject       *cancellable);
void      malt_binding_job_clear     (MaltBindingJob   *self);
GVariant *malt_binding_job_run       (MaltBindingJob  *self,
                                      GError         **error);
gboolean  malt_binding_job_do        (MaltBindingJob  *self,
                                      GError         **error);
MaltPending *malt_binding_job_begin  (MaltBindingJob      *self,
                                      GMainContext        *context,
                                      MaltPendingFunc      func,
                                      gpointer             user_data);
void      malt_binding_job_start     (MaltBindingJob      *self,
                                      GAsyncReadyCallback  callback,
                                      gpointer             user_data);
GVariant *malt_binding_job_finish    (MaltBindingJob  *self,
                                      GAsyncResult    *result,
                                      GError         **error);
PyObject *malt_binding_job_result    (MaltBindingJob *self,
                                      PyObject       *worker,
                                      GVariant       *value,
                                      GError         *error);

/* malt-binding-call.c */
gboolean  malt_binding_take_keywords (PyObject *const  *args,
                                      Py_ssize_t        n_args,
                                      PyObject         *names,
                                      const char       *what,
                                      PyObject        **keywords);
extern PyMethodDef malt_binding_calling_methods[]; /* of workers and pools */
PyObject *malt_binding_run           (PyObject *module,
                                      PyObject *args);
PyObject *malt_binding_do            (PyObject *module,
                                      PyObject *args);

/* malt-binding-lifecycle.c */
PyObject *malt_binding_spawn         (PyObject *module,
                                      PyObject *args);
PyObject *malt_binding_stop          (PyObject *module,
                                      PyObject *args);
PyObject *malt_binding_shut_down     (PyObject *module,
                                      PyObject *args);

/* malt-binding-signal.c */

/* A wait for a worker, on the stack of the thread that waits. */
typedef struct _MaltBindingWait MaltBindingWait;
struct _MaltBindingWait
{
  /* The waiting thread only. */
  gboolean         active;    /* it is the main thread */
  PyThreadState   *thread_state;
  int              outer_fd;  /* where signals were announced before */

  /* Guarded by the lock of the waits, once it was entered. */
  MaltWorker      *worker;    /* (nullable): what runs there is interrupted; the caller keeps it */
  GCancellable    *cancellable; /* (nullable): is cancelled instead; the caller keeps it */
  MaltPending     *pending;   /* (nullable): else, all signals end the wait; the caller keeps it */
  MaltBindingWait *outer;     /* the wait in which this one takes place */
  guint64          serial;
  guint            n_presses; /* how often Ctrl-C was pressed */

  gint             is_wanted; /* atomic: of one that signals end, that there was one */
};

gboolean malt_binding_signals_init   (void);
void     malt_binding_signals_after_fork (void);
gboolean malt_binding_wait_break_off (void);
PyObject *malt_binding_is_waiting    (PyObject *module,
                                      PyObject *unused);
gboolean malt_binding_wait_begin     (MaltBindingWait *self,
                                      MaltWorker      *worker,
                                      GCancellable    *cancellable);
gboolean malt_binding_wait_begin_for (MaltBindingWait *self,
                                      MaltPending     *pending);
gboolean malt_binding_wait_end       (MaltBindingWait *self,
                                      gboolean         failed);

/* malt-binding-submit.c */
PyObject *malt_binding_submit        (PyObject *module,
                                      PyObject *args);
PyObject *malt_binding_submit_task   (PyObject *module,
                                      PyObject *args);
PyObject *malt_binding_worker_submit (PyObject        *self,
                                      PyObject *const *args,
                                      Py_ssize_t       n_args,
                                      PyObject        *keyword_names);

/* malt-binding-future.c */
extern PyTypeObject malt_binding_submission_type;
gboolean  malt_binding_submit_job    (MaltBindingJob *job,
                                      PyObject       *future,
                                      PyObject       *worker,
                                      PyObject       *tasks);
void      malt_binding_drop_later    (gpointer        object);
PyObject *malt_binding_submit_end    (PyObject *module,
                                      PyObject *unused);

/* malt-binding-context.c */
typedef struct _MaltBindingLoop MaltBindingLoop;

extern PyTypeObject malt_binding_context_type;
void          malt_binding_loop_unref       (MaltBindingLoop  *self);
gboolean      malt_binding_loop_begin_call  (PyObject         *object,
                                             MaltBindingLoop **loop);
gboolean      malt_binding_loop_end_call    (MaltBindingLoop  *self);
GMainContext *malt_binding_loop_get_context (MaltBindingLoop  *self);

/* malt-binding-await.c */

/* Something asynchronous of the library's; embedded in what it is about. */
typedef struct _MaltBindingAwait MaltBindingAwait;
struct _MaltBindingAwait
{
  /* Without the GIL. */
  void            (* begin)  (MaltBindingAwait    *self,
                              GAsyncReadyCallback  callback,
                              gpointer             user_data);
  /* A new reference, or %NULL with an exception set; if nobody wants the result, it is only to
   * be dropped, and %NULL. */
  PyObject *      (* finish) (MaltBindingAwait    *self,
                              GObject             *source,
                              GAsyncResult        *result,
                              gboolean             is_wanted);
  void            (* free)   (MaltBindingAwait    *self);
  GCancellable    *cancellable; /* (owned) (nullable) */

  PyObject        *callback;    /* (owned): (value, exception) */
  MaltBindingLoop *loop;        /* (owned) (nullable): the thread-default main context if %NULL */
};

PyObject *malt_binding_await         (MaltBindingAwait *self,
                                      PyObject         *callback,
                                      PyObject         *context);
PyObject *malt_binding_start         (PyObject *module,
                                      PyObject *args);

/* malt-binding-channel.c */
extern PyMethodDef malt_binding_channel_methods[];
MaltChannel *malt_binding_get_channel       (PyObject    *object);
void         malt_binding_raise_of_channel  (GError      *error);
PyObject    *malt_binding_channel_to_python (MaltChannel *channel,
                                             GVariant    *value);
GVariant    *malt_binding_channel_from_python (MaltChannel *channel,
                                             PyObject    *object);
PyObject    *malt_binding_channel_next      (PyObject    *object);

/* malt-binding-channel-open.c */
PyObject    *malt_binding_channel_open      (PyObject    *module,
                                             PyObject    *args);
PyObject    *malt_binding_channel_open_start (PyObject   *module,
                                             PyObject    *args);
PyObject    *malt_binding_channel_start     (PyObject    *module,
                                             PyObject    *args);

/* malt-binding-channel-iterate.c */
PyObject    *malt_binding_channel_iterate   (PyObject    *channel,
                                             PyObject    *unused);
PyObject    *malt_binding_channel_try_take  (PyObject    *module,
                                             PyObject    *object);

/* malt-binding-host.c */
PyObject    *malt_binding_host_export       (PyObject    *module,
                                             PyObject    *args);
PyObject    *malt_binding_host_finish       (PyObject    *module,
                                             PyObject    *args);
void         malt_binding_events_begin      (MaltWorker  *worker);
PyObject    *malt_binding_events_begin_method (PyObject  *module,
                                             PyObject    *object);
PyObject    *malt_binding_events_end        (PyObject    *module,
                                             PyObject    *unused);

/* malt-binding-progress.c */
MaltBindingProgress *malt_binding_progress_new (MaltWorker          *worker,
                                                PyObject            *callback);
MaltBindingProgress *malt_binding_progress_ref   (MaltBindingProgress *self);
void                 malt_binding_progress_begun (MaltBindingProgress *self);
void                 malt_binding_progress_unref (MaltBindingProgress *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (MaltBindingProgress, malt_binding_progress_unref)

/* malt-binding-fork.c */
void      malt_binding_note          (GObject  *object);
gboolean  malt_binding_check_process (void);
gboolean  malt_binding_is_own_process (void);
PyObject *malt_binding_check_process_method (PyObject *module,
                                             PyObject *unused);
PyObject *malt_binding_note_pool     (PyObject *module,
                                      PyObject *object);
PyObject *malt_binding_note_worker   (PyObject *module,
                                      PyObject *object);
PyObject *malt_binding_before_fork   (PyObject *module,
                                      PyObject *unused);
PyObject *malt_binding_after_fork    (PyObject *module,
                                      PyObject *in_child);

G_END_DECLS
