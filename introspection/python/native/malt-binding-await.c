/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-binding.h"

/* What goes on while nobody waits, and calls back with a value or an exception. */

/* With the GIL. */
static void
await_free (MaltBindingAwait *self)
{
  g_clear_object (&self->cancellable);
  Py_CLEAR (self->callback);
  g_clear_pointer (&self->loop, malt_binding_loop_unref);
  self->free (self);
}

static void
done_cb (GObject      *source,
         GAsyncResult *result,
         gpointer      user_data)
{
  MaltBindingAwait *self = user_data;
  PyGILState_STATE gil_state = PyGILState_Ensure ();
  gboolean is_wanted = self->loop == NULL || malt_binding_loop_end_call (self->loop);
  g_autoptr (PyObject) object = self->finish (self, source, result, is_wanted);

  if (is_wanted)
    {
      g_autoptr (PyObject) exception = object == NULL ? malt_python_take_exception () : NULL;
      g_autoptr (PyObject) answer = PyObject_CallFunctionObjArgs (self->callback, object != NULL ? object : Py_None,
                                                                  exception != NULL ? exception : Py_None, NULL);

      if (answer == NULL)
        PyErr_WriteUnraisable (self->callback);
    }

  Py_CLEAR (object);
  await_free (self);
  PyGILState_Release (gil_state);
}

/* Begins it, and returns what cancels it; or %NULL with an exception set.  Takes @self.  The
 * callback is called with a value or an exception where the context runs, or where the
 * thread-default main context does if that is None. */
PyObject *
malt_binding_await (MaltBindingAwait *self,
                    PyObject         *callback,
                    PyObject         *context)
{
  g_autoptr (GMainContext) own = NULL;
  PyObject *capsule;

  if (self->cancellable == NULL)
    self->cancellable = g_cancellable_new ();
  capsule = malt_binding_cancellable_new (self->cancellable);
  if (capsule == NULL || !malt_binding_loop_begin_call (context, &self->loop))
    {
      Py_XDECREF (capsule);
      await_free (self);
      return NULL;
    }
  self->callback = Py_NewRef (callback);
  if (self->loop != NULL)
    own = g_main_context_ref (malt_binding_loop_get_context (self->loop));

  Py_BEGIN_ALLOW_THREADS
  if (own != NULL)
    g_main_context_push_thread_default (own);
  self->begin (self, done_cb, self);
  /* Now it may have been freed by another thread that runs the context. */
  if (own != NULL)
    g_main_context_pop_thread_default (own);
  Py_END_ALLOW_THREADS

  return capsule;
}

/* Calls and evaluations. */

typedef struct
{
  MaltBindingAwait  await;
  MaltBindingJob    job;
  PyObject         *worker; /* (owned) */
} Start;

static void
start_begin (MaltBindingAwait    *await,
             GAsyncReadyCallback  callback,
             gpointer             user_data)
{
  malt_binding_job_start (&((Start *) await)->job, callback, user_data);
}

static PyObject *
start_finish (MaltBindingAwait *await,
              GObject          *source,
              GAsyncResult     *result,
              gboolean          is_wanted)
{
  Start *self = (Start *) await;
  GError *error = NULL;
  GVariant *value = malt_binding_job_finish (&self->job, result, &error);

  if (is_wanted)
    return malt_binding_job_result (&self->job, self->worker, value, error);

  g_clear_error (&error);
  g_clear_pointer (&value, g_variant_unref);
  return NULL;
}

static void
start_free (MaltBindingAwait *await)
{
  Start *self = (Start *) await;

  malt_binding_job_clear (&self->job);
  Py_CLEAR (self->worker);
  g_free (self);
}

/* (callback, context or None, *job): begins a call, and returns what cancels it. */
PyObject *
malt_binding_start (PyObject *module,
                    PyObject *args)
{
  g_autoptr (PyObject) rest = NULL;
  Start *self;

  if (PyTuple_GET_SIZE (args) < 3)
    {
      PyErr_SetString (PyExc_TypeError, "start() needs a callback, a context and what is to be done");
      return NULL;
    }
  rest = PyTuple_GetSlice (args, 2, PyTuple_GET_SIZE (args));
  if (rest == NULL)
    return NULL;

  self = g_new0 (Start, 1);
  self->await.begin = start_begin;
  self->await.finish = start_finish;
  self->await.free = start_free;
  if (!malt_binding_job_parse (&self->job, rest, MALT_PYTHON_VALUES_PLAIN))
    {
      start_free (&self->await);
      return NULL;
    }
  self->await.cancellable = self->job.cancellable != NULL ? g_object_ref (self->job.cancellable) : g_cancellable_new ();
  if (self->job.cancellable == NULL)
    self->job.cancellable = g_object_ref (self->await.cancellable);
  self->worker = Py_NewRef (PyTuple_GET_ITEM (rest, 0));

  return malt_binding_await (&self->await, PyTuple_GET_ITEM (args, 0), PyTuple_GET_ITEM (args, 1));
}
