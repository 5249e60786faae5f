/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-binding.h"

/* The progress of one call, told to a function. */

struct _MaltBindingProgress
{
  gatomicrefcount ref_count;

  /* Immutable. */
  MaltWorker *worker;   /* (owned) */
  gulong      handler;
  gpointer    told;     /* Told */
};

/* The handler's, which may just run when it is disconnected. */
typedef struct
{
  PyObject *callback;   /* (owned): (fraction or None, text) */
  GMutex    lock;
  guint64   id;         /* guarded by lock: of the request; 0 until it is known */
} Told;

static void
told_free (gpointer  data,
           GClosure *closure)
{
  Told *self = data;
  PyGILState_STATE gil_state = PyGILState_Ensure ();

  Py_CLEAR (self->callback);
  PyGILState_Release (gil_state);
  g_mutex_clear (&self->lock);
  g_free (self);
}

static void
progress_cb (MaltWorker *worker,
             guint64     id,
             double      fraction,
             const char *text,
             gpointer    user_data)
{
  Told *self = user_data;
  PyGILState_STATE gil_state;
  PyObject *fraction_object, *answer;
  guint64 own;

  g_mutex_lock (&self->lock);
  own = self->id;
  g_mutex_unlock (&self->lock);
  /* A blocking call tells on its own thread. */
  if (id != (own != 0 ? own : malt_worker_get_last_request_id (worker)))
    return;

  gil_state = PyGILState_Ensure ();
  fraction_object = fraction >= 0 ? PyFloat_FromDouble (fraction) : Py_NewRef (Py_None);
  answer = fraction_object != NULL ? PyObject_CallFunction (self->callback, "Os", fraction_object, text) : NULL;
  if (answer == NULL && PyErr_ExceptionMatches (PyExc_KeyboardInterrupt) && malt_binding_wait_break_off ())
    PyErr_Clear ();
  else if (answer == NULL)
    PyErr_WriteUnraisable (self->callback);
  Py_XDECREF (answer);
  Py_XDECREF (fraction_object);
  PyGILState_Release (gil_state);
}

MaltBindingProgress *
malt_binding_progress_new (MaltWorker *worker,
                           PyObject   *callback)
{
  MaltBindingProgress *self = g_new0 (MaltBindingProgress, 1);
  Told *told = g_new0 (Told, 1);

  g_atomic_ref_count_init (&self->ref_count);
  g_mutex_init (&told->lock);
  told->callback = Py_NewRef (callback);
  malt_binding_events_begin (worker);
  self->worker = g_object_ref (worker);
  self->told = told;
  self->handler = g_signal_connect_data (worker, "progress", G_CALLBACK (progress_cb), told, told_free,
                                         G_CONNECT_DEFAULT);

  return self;
}

/* For whoever begins the call, which may end, and be cleared elsewhere, before it is noted that it
 * has begun.  %NULL for %NULL. */
MaltBindingProgress *
malt_binding_progress_ref (MaltBindingProgress *self)
{
  if (self != NULL)
    g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

/* The call has begun on this thread, and goes on elsewhere. */
void
malt_binding_progress_begun (MaltBindingProgress *self)
{
  Told *told = self->told;

  g_mutex_lock (&told->lock);
  told->id = malt_worker_get_last_request_id (self->worker);
  g_mutex_unlock (&told->lock);
}

/* With the GIL or without. */
void
malt_binding_progress_unref (MaltBindingProgress *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;

  g_signal_handler_disconnect (self->worker, self->handler);
  g_object_unref (self->worker);
  g_free (self);
}
