/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-binding.h"

#include <math.h>

#define NO_IMPORT_PYGOBJECT
#include <pygobject.h>

#include "malt-python-from-variant.h"
#include "malt-python-to-variant.h"

/* What is to be called or evaluated, from Python's objects to the functions of the library
 * and back. */

/* A copy of a text that can be a C string; %NULL with an exception set. */
static char *
dup_text (PyObject   *object,
          const char *what)
{
  const char *text;
  Py_ssize_t size;

  if (!PyUnicode_Check (object))
    {
      PyErr_Format (PyExc_TypeError, "%s has to be a str, not '%s'", what, Py_TYPE (object)->tp_name);
      return NULL;
    }

  text = PyUnicode_AsUTF8AndSize (object, &size);
  if (text == NULL)
    return NULL;
  if (strlen (text) != (gsize) size)
    {
      PyErr_Format (PyExc_ValueError, "%s has a NUL character", what);
      return NULL;
    }

  return g_strndup (text, (gsize) size);
}

/* @worker, here and below, is a worker or a pool. */
static gboolean
init (MaltBindingJob *self,
      PyObject       *worker)
{
  MaltWorker *c_worker;
  MaltPool *c_pool;

  *self = (MaltBindingJob) { .timeout_msec = MALT_TIMEOUT_DEFAULT };
  if (malt_binding_is_pool (worker))
    {
      c_pool = malt_binding_get_pool (worker);
      if (c_pool == NULL || !malt_binding_get_values (worker, G_OBJECT (c_pool), &self->values))
        return FALSE;

      self->pool = g_object_ref (c_pool);
      return TRUE;
    }

  c_worker = malt_binding_get_worker (worker);
  if (c_worker == NULL || !malt_binding_get_values (worker, G_OBJECT (c_worker), &self->values))
    return FALSE;

  self->worker = g_object_ref (c_worker);
  return TRUE;
}

/* The variant behind a GLib.Variant; %NULL if the object is something else. */
static GVariant *
get_variant (PyObject *object)
{
  return PyObject_TypeCheck (object, malt_binding.variant_type) ? pyg_pointer_get (object, GVariant) : NULL;
}

/* Sets the name of the function; @first becomes the arguments that come before the caller's, or
 * stays %NULL.  FALSE with an exception set. */
static gboolean
set_function (MaltBindingJob  *self,
              PyObject        *worker,
              PyObject        *function,
              PyObject       **first)
{
  g_autoptr (PyObject) found = NULL;
  PyObject *name, *arguments;

  if (PyUnicode_Check (function))
    {
      self->function = dup_text (function, "the name of the function");
      return self->function != NULL;
    }
  if (!PyCallable_Check (function))
    {
      PyErr_Format (PyExc_TypeError, "the function has to be a name or a callable, not '%s'",
                    Py_TYPE (function)->tp_name);
      return FALSE;
    }

  found = PyObject_CallFunctionObjArgs (malt_binding.find_function, worker, function, NULL);
  if (found == NULL || !PyArg_ParseTuple (found, "UO!", &name, &PyTuple_Type, &arguments))
    return FALSE;
  if (PyTuple_GET_SIZE (arguments) > 0)
    *first = Py_NewRef (arguments);

  self->function = dup_text (name, "the name of the function");
  return self->function != NULL;
}

/* Sets an exception if there is an error. */
static gboolean
take_converted (GVariant **to,
                GVariant  *value,
                GError    *error,
                PyObject  *worker)
{
  if (value != NULL)
    {
      *to = g_variant_ref_sink (value);
      return TRUE;
    }

  if (error != NULL)
    malt_binding_raise (error, worker);
  return FALSE;
}

/* FALSE with an exception set. */
static gboolean
convert_arguments (MaltBindingJob   *self,
                   PyObject         *worker,
                   PyObject         *first,
                   PyObject *const  *arguments,
                   Py_ssize_t        n_arguments,
                   MaltPythonValues  how)
{
  Py_ssize_t n_first = first != NULL ? PyTuple_GET_SIZE (first) : 0;
  g_autofree PyObject **all = NULL;
  GError *error = NULL;
  GVariant *value;

  if (n_first + n_arguments == 0)
    return TRUE;

  if (n_first > 0)
    {
      all = g_new (PyObject *, n_first + n_arguments);
      memcpy (all, &PyTuple_GET_ITEM (first, 0), sizeof *all * (gsize) n_first);
      if (n_arguments > 0)
        memcpy (all + n_first, arguments, sizeof *all * (gsize) n_arguments);
      arguments = all;
    }

  value = malt_python_arguments_to_variant (arguments, n_first + n_arguments, n_first, how | self->values, &error);
  return take_converted (&self->arguments, value, error, worker);
}

/* @keywords is a dictionary, or %NULL.  @how says how arguments are converted beside what
 * the worker says.  FALSE with an exception set; the job is to be cleared in any case. */
gboolean
malt_binding_job_init_call (MaltBindingJob   *self,
                            PyObject         *worker,
                            PyObject         *function,
                            PyObject *const  *arguments,
                            Py_ssize_t        n_arguments,
                            PyObject         *keywords,
                            MaltPythonValues  how)
{
  g_autoptr (PyObject) first = NULL;
  GError *error = NULL;
  GVariant *value;

  if (!init (self, worker) || !set_function (self, worker, function, &first) ||
      !convert_arguments (self, worker, first, arguments, n_arguments, how))
    return FALSE;

  if (keywords != NULL && PyDict_GET_SIZE (keywords) > 0)
    {
      value = malt_python_keywords_to_variant (keywords, how | self->values, &error);
      if (!take_converted (&self->keywords, value, error, worker))
        return FALSE;
    }

  return TRUE;
}

/* @module may be None.  FALSE with an exception set; the job is to be cleared in any case. */
gboolean
malt_binding_job_init_eval (MaltBindingJob *self,
                            PyObject       *worker,
                            PyObject       *module,
                            PyObject       *source)
{
  if (!init (self, worker))
    return FALSE;

  if (module != Py_None)
    {
      self->module = dup_text (module, "the name of the module");
      if (self->module == NULL)
        return FALSE;
    }

  self->source = dup_text (source, "the source");
  return self->source != NULL;
}

static gboolean
set_arguments (MaltBindingJob   *self,
               PyObject         *worker,
               PyObject         *first,
               PyObject         *arguments,
               MaltPythonValues  how)
{
  GVariant *variant = get_variant (arguments);
  g_autoptr (PyObject) sequence = NULL;

  if (arguments == Py_None)
    return convert_arguments (self, worker, first, NULL, 0, how);
  if (variant != NULL)
    {
      if (first != NULL)
        {
          PyErr_SetString (PyExc_TypeError, "a function that is sent as source takes no GLib.Variant as its arguments");
          return FALSE;
        }
      self->arguments = g_variant_ref (variant);
      return TRUE;
    }
  if (!PyTuple_Check (arguments) && !PyList_Check (arguments))
    {
      PyErr_Format (PyExc_TypeError, "the arguments have to be a tuple, a list or a GLib.Variant, not '%s'",
                    Py_TYPE (arguments)->tp_name);
      return FALSE;
    }

  /* A list may change while it is converted. */
  sequence = PySequence_Tuple (arguments);
  if (sequence == NULL)
    return FALSE;
  return convert_arguments (self, worker, first, &PyTuple_GET_ITEM (sequence, 0), PyTuple_GET_SIZE (sequence), how);
}

static gboolean
set_keywords (MaltBindingJob   *self,
              PyObject         *worker,
              PyObject         *keywords,
              MaltPythonValues  how)
{
  GVariant *variant = get_variant (keywords);
  PyObject *key, *value;
  Py_ssize_t position = 0;
  GError *error = NULL;

  if (keywords == Py_None)
    return TRUE;
  if (variant != NULL)
    {
      self->keywords = g_variant_ref (variant);
      return TRUE;
    }
  if (!PyDict_Check (keywords))
    {
      PyErr_Format (PyExc_TypeError, "the keyword arguments have to be a dict or a GLib.Variant, not '%s'",
                    Py_TYPE (keywords)->tp_name);
      return FALSE;
    }
  while (PyDict_Next (keywords, &position, &key, &value))
    if (!PyUnicode_Check (key))
      {
        PyErr_Format (PyExc_TypeError, "keyword arguments have names of type str, not '%s'", Py_TYPE (key)->tp_name);
        return FALSE;
      }

  variant = malt_python_keywords_to_variant (keywords, how | self->values, &error);
  return take_converted (&self->keywords, variant, error, worker);
}

/* What the Python half passes for a job of either kind:
 * (worker or pool, function or None, arguments, keywords, module, source, seconds, cancellable,
 * flags, progress=None), the flags those of a pool's calls.  FALSE with an exception set; the
 * job is to be cleared in any case. */
gboolean
malt_binding_job_parse (MaltBindingJob   *self,
                        PyObject         *args,
                        MaltPythonValues  how)
{
  PyObject *worker, *function, *arguments, *keywords, *module, *source, *seconds, *cancellable;
  g_autoptr (PyObject) first = NULL;
  PyObject *progress = Py_None;
  int flags = 0;

  *self = (MaltBindingJob) { 0 };
  if (!PyArg_ParseTuple (args, "OOOOOOOOi|O", &worker, &function, &arguments, &keywords, &module, &source, &seconds,
                         &cancellable, &flags, &progress))
    return FALSE;

  if (function == Py_None)
    {
      if (!malt_binding_job_init_eval (self, worker, module, source))
        return FALSE;
    }
  else if (!init (self, worker) || !set_function (self, worker, function, &first) ||
           !set_arguments (self, worker, first, arguments, how) || !set_keywords (self, worker, keywords, how))
    return FALSE;

  self->flags = (MaltPoolCallFlags) flags;
  self->no_value = (flags & MALT_POOL_CALL_FLAGS_NO_VALUE) != 0;
  if (progress != Py_None)
    self->progress = malt_binding_progress_new (self->worker, progress);
  return malt_binding_job_set_limits (self, seconds, cancellable);
}

/* A new reference to the object behind a Gio.Cancellable, %NULL for None.  FALSE with an
 * exception set. */
gboolean
malt_binding_get_cancellable (PyObject      *object,
                              GCancellable **cancellable)
{
  *cancellable = NULL;
  if (object == Py_None)
    return TRUE;

  if (!g_type_is_a (pyg_type_from_object ((PyObject *) Py_TYPE (object)), G_TYPE_CANCELLABLE))
    {
      PyErr_Clear ();
      PyErr_Format (PyExc_TypeError, "the cancellable has to be a Gio.Cancellable, not '%s'", Py_TYPE (object)->tp_name);
      return FALSE;
    }

  *cancellable = G_CANCELLABLE (g_object_ref (pygobject_get (object)));
  return TRUE;
}

/* A number of seconds, as the library counts them.  FALSE with an exception set. */
gboolean
malt_binding_get_timeout (PyObject *object,
                          int      *timeout_msec)
{
  double seconds = PyFloat_AsDouble (object);

  if (seconds == -1 && PyErr_Occurred ())
    {
      if (PyErr_ExceptionMatches (PyExc_TypeError))
        PyErr_Format (PyExc_TypeError, "the timeout has to be a number of seconds, not '%s'", Py_TYPE (object)->tp_name);
      return FALSE;
    }
  if (isnan (seconds) || seconds < 0)
    {
      PyErr_Format (PyExc_ValueError, "the timeout has to be a number of seconds that is not negative, not %R", object);
      return FALSE;
    }

  *timeout_msec = seconds < MALT_TIMEOUT_NONE / 1000 ? (int) ceil (seconds * 1000) : MALT_TIMEOUT_NONE;
  return TRUE;
}

/* The deadline in seconds, None for the launcher's; and a Gio.Cancellable or None.  FALSE
 * with an exception set. */
gboolean
malt_binding_job_set_limits (MaltBindingJob *self,
                             PyObject       *seconds,
                             PyObject       *cancellable)
{
  if (seconds != Py_None && !malt_binding_get_timeout (seconds, &self->timeout_msec))
    return FALSE;

  return malt_binding_get_cancellable (cancellable, &self->cancellable);
}

/* With the GIL or without. */
void
malt_binding_job_clear (MaltBindingJob *self)
{
  g_clear_object (&self->worker);
  g_clear_object (&self->pool);
  g_clear_pointer (&self->function, g_free);
  g_clear_pointer (&self->arguments, g_variant_unref);
  g_clear_pointer (&self->keywords, g_variant_unref);
  g_clear_pointer (&self->module, g_free);
  g_clear_pointer (&self->source, g_free);
  g_clear_object (&self->cancellable);
  g_clear_pointer (&self->progress, malt_binding_progress_unref);
}

/* Blocks until it is done.  Without the GIL.  %NULL without an error if there was to be no
 * value. */
GVariant *
malt_binding_job_run (MaltBindingJob  *self,
                      GError         **error)
{
  GVariant *value;

  if (self->pool != NULL)
    {
      value = self->function != NULL ? malt_pool_remote_call_fetch (self->pool, self->function, self->arguments,
                                                                    self->keywords, self->flags, self->timeout_msec,
                                                                    self->cancellable, error)
                                     : malt_pool_remote_eval_fetch (self->pool, self->module, self->source,
                                                                    self->flags, self->timeout_msec,
                                                                    self->cancellable, error);
      if (self->no_value)
        g_clear_pointer (&value, g_variant_unref);
      return value;
    }

  if (self->function != NULL && self->no_value)
    malt_worker_remote_call_wait (self->worker, self->function, self->arguments, self->keywords,
                                  self->timeout_msec, self->cancellable, error);
  else if (self->function != NULL)
    return malt_worker_remote_call_fetch (self->worker, self->function, self->arguments, self->keywords,
                                          self->timeout_msec, self->cancellable, error);
  else if (self->no_value)
    malt_worker_remote_eval_wait (self->worker, self->module, self->source, self->timeout_msec, self->cancellable,
                                  error);
  else
    return malt_worker_remote_eval_fetch (self->worker, self->module, self->source, self->timeout_msec,
                                          self->cancellable, error);

  return NULL;
}

/* Begins it, for @func to be told what came of it, as malt_worker_remote_call_begin() says; then
 * somebody else may clear the job.  With the GIL or without. */
MaltPending *
malt_binding_job_begin (MaltBindingJob  *self,
                        GMainContext    *context,
                        MaltPendingFunc  func,
                        gpointer         user_data)
{
  MaltRequestFlags flags = self->no_value ? MALT_REQUEST_FLAGS_NO_VALUE : MALT_REQUEST_FLAGS_NONE;
  g_autoptr (MaltBindingProgress) progress = malt_binding_progress_ref (self->progress);
  MaltPending *pending;

  if (self->pool != NULL)
    return self->function != NULL
             ? malt_pool_remote_call_begin (self->pool, self->function, self->arguments, self->keywords, self->flags,
                                            self->timeout_msec, self->cancellable, context, func, user_data)
             : malt_pool_remote_eval_begin (self->pool, self->module, self->source, self->flags,
                                            self->timeout_msec, self->cancellable, context, func, user_data);

  pending = self->function != NULL
              ? malt_worker_remote_call_begin (self->worker, self->function, self->arguments, self->keywords, flags,
                                               self->timeout_msec, self->cancellable, context, func, user_data)
              : malt_worker_remote_eval_begin (self->worker, self->module, self->source, flags, self->timeout_msec,
                                               self->cancellable, context, func, user_data);
  if (progress != NULL)
    malt_binding_progress_begun (progress);
  return pending;
}

/* Does not block.  The callback may clear the job, before this returns if another thread runs the
 * context.  With the GIL or without. */
void
malt_binding_job_start (MaltBindingJob      *self,
                        GAsyncReadyCallback  callback,
                        gpointer             user_data)
{
  g_autoptr (MaltBindingProgress) progress = malt_binding_progress_ref (self->progress);

  if (self->pool != NULL && self->function != NULL)
    malt_pool_remote_call_async (self->pool, self->function, self->arguments, self->keywords, self->flags,
                                 self->timeout_msec, self->cancellable, callback, user_data);
  else if (self->pool != NULL)
    malt_pool_remote_eval_async (self->pool, self->module, self->source, self->flags, self->timeout_msec,
                                 self->cancellable, callback, user_data);
  else if (self->function != NULL)
    malt_worker_remote_call_async (self->worker, self->function, self->arguments, self->keywords,
                                   self->timeout_msec, self->cancellable, callback, user_data);
  else
    malt_worker_remote_eval_async (self->worker, self->module, self->source, self->timeout_msec,
                                   self->cancellable, callback, user_data);

  if (progress != NULL)
    malt_binding_progress_begun (progress);
}

/* In the callback.  With the GIL or without. */
GVariant *
malt_binding_job_finish (MaltBindingJob  *self,
                         GAsyncResult    *result,
                         GError         **error)
{
  if (self->pool != NULL)
    return self->function != NULL ? malt_pool_remote_call_finish (self->pool, result, error)
                                  : malt_pool_remote_eval_finish (self->pool, result, error);

  return self->function != NULL ? malt_worker_remote_call_finish (self->worker, result, error)
                                : malt_worker_remote_eval_finish (self->worker, result, error);
}

/* The same for a call of which nobody is to hear.  Without the GIL. */
gboolean
malt_binding_job_do (MaltBindingJob  *self,
                     GError         **error)
{
  if (self->pool != NULL)
    return malt_pool_remote_do (self->pool, self->function, self->arguments, self->keywords, error);

  return malt_worker_remote_do (self->worker, self->function, self->arguments, self->keywords, error);
}

/* A new reference to what came of it, or %NULL with an exception set.  Takes value and
 * error. */
PyObject *
malt_binding_job_result (MaltBindingJob *self,
                         PyObject       *worker,
                         GVariant       *value,
                         GError         *error)
{
  g_autoptr (GVariant) owned G_GNUC_UNUSED = value;
  GError *conversion_error = NULL;
  PyObject *result;

  if (error != NULL)
    {
      malt_binding_raise (error, worker);
      return NULL;
    }
  if (self->no_value)
    Py_RETURN_TRUE;

  result = malt_python_from_variant (owned, self->values, &conversion_error);
  if (result == NULL && conversion_error != NULL)
    malt_binding_raise (conversion_error, worker);
  return result;
}
