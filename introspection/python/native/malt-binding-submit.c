/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-binding.h"

/* What is submitted, from Python's objects to a job for malt-binding-future.c. */

/* Whether it is None or a set of futures, %NULL for the former.  FALSE with an exception
 * set. */
static gboolean
get_tasks (PyObject  *object,
           PyObject **tasks)
{
  *tasks = object != Py_None ? object : NULL;
  if (*tasks == NULL || PySet_Check (object))
    return TRUE;

  PyErr_Format (PyExc_TypeError, "the tasks have to be a set, not '%s'", Py_TYPE (object)->tp_name);
  return FALSE;
}

/* (future, tasks or None, *job).  Errors are the caller's. */
PyObject *
malt_binding_submit (PyObject *module,
                     PyObject *args)
{
  g_autoptr (PyObject) rest = NULL;
  MaltBindingJob job = { 0 };
  PyObject *tasks;
  gboolean begun;

  if (PyTuple_GET_SIZE (args) < 3)
    {
      PyErr_SetString (PyExc_TypeError, "submit() needs a future, tasks and what is to be done");
      return NULL;
    }
  rest = PyTuple_GetSlice (args, 2, PyTuple_GET_SIZE (args));
  if (rest == NULL || !get_tasks (PyTuple_GET_ITEM (args, 1), &tasks))
    return NULL;

  begun = malt_binding_job_parse (&job, rest, MALT_PYTHON_VALUES_PLAIN) &&
           malt_binding_submit_job (&job, PyTuple_GET_ITEM (args, 0), PyTuple_GET_ITEM (rest, 0), tasks);
  malt_binding_job_clear (&job);

  return begun ? Py_NewRef (Py_None) : NULL;
}

/* Less than that is copied. */
#define MIN_SHARED (64 * 1024)

/* Whose bytes it has, if they can never be written; or %NULL. */
static PyObject *
find_bytes (PyObject *object)
{
  if (PyMemoryView_Check (object))
    object = PyMemoryView_GET_BUFFER (object)->obj;

  return object != NULL && PyBytes_Check (object) ? object : NULL;
}

/* What is in a buffer now, floating; %NULL with an exception set. */
static GVariant *
pack_buffer (PyObject *object)
{
  PyObject *owner = find_bytes (object);
  g_autoptr (GBytes) bytes = NULL;
  Py_buffer view;

  if (PyObject_GetBuffer (object, &view, PyBUF_SIMPLE) < 0)
    return NULL;

  if (owner != NULL && view.len >= MIN_SHARED)
    bytes = g_bytes_new_with_free_func (view.buf, (gsize) view.len, malt_binding_drop_later, Py_NewRef (owner));
  else
    bytes = malt_python_copy_new (view.buf, (gsize) view.len);
  PyBuffer_Release (&view);

  return bytes != NULL ? g_variant_new_from_bytes (G_VARIANT_TYPE_BYTESTRING, bytes, TRUE) : NULL;
}

/* The arguments of a function that takes what pickle has made: bytes, and a list of buffers.
 * %NULL with an exception set. */
static GVariant *
pack_task (PyObject *data,
           PyObject *buffers)
{
  GVariant *first = pack_buffer (data);
  GVariantBuilder builder;
  Py_ssize_t i;

  if (first == NULL)
    return NULL;

  g_variant_builder_init (&builder, G_VARIANT_TYPE ("aay"));
  for (i = 0; i < PyList_GET_SIZE (buffers); i++)
    {
      GVariant *buffer = pack_buffer (PyList_GET_ITEM (buffers, i));

      if (buffer == NULL)
        {
          g_variant_builder_clear (&builder);
          g_variant_unref (first);
          return NULL;
        }
      g_variant_builder_add_value (&builder, buffer);
    }

  return g_variant_ref_sink (g_variant_new ("(@ay@aay)", first, g_variant_builder_end (&builder)));
}

/* (future, tasks, pool, name of the function, bytes, list of buffers, seconds or None): a task
 * of an executor.  Errors are the caller's. */
PyObject *
malt_binding_submit_task (PyObject *module,
                          PyObject *args)
{
  PyObject *future, *tasks, *pool, *data, *buffers, *seconds;
  MaltBindingJob job = { .timeout_msec = MALT_TIMEOUT_DEFAULT };
  const char *name;
  MaltPool *c_pool;
  gboolean begun;

  if (!PyArg_ParseTuple (args, "OO!OsO!O!O", &future, &PySet_Type, &tasks, &pool, &name, &PyBytes_Type, &data,
                         &PyList_Type, &buffers, &seconds))
    return NULL;
  c_pool = malt_binding_get_pool (pool);
  if (c_pool == NULL || !malt_binding_get_values (pool, G_OBJECT (c_pool), &job.values))
    return NULL;

  job.pool = g_object_ref (c_pool);
  job.flags = MALT_POOL_CALL_FLAGS_TIME_RUN;
  job.values &= ~(guint) MALT_PYTHON_VALUES_VIEWS;
  job.function = g_strdup (name);
  job.arguments = pack_task (data, buffers);
  begun = job.arguments != NULL && malt_binding_job_set_limits (&job, seconds, Py_None) &&
           malt_binding_submit_job (&job, future, pool, tasks);
  malt_binding_job_clear (&job);

  return begun ? Py_NewRef (Py_None) : NULL;
}

/* Worker.submit (function, /, *args, **kwargs), and of pools: a future, also where it fails at once. */
PyObject *
malt_binding_worker_submit (PyObject        *self,
                            PyObject *const *args,
                            Py_ssize_t       n_args,
                            PyObject        *keyword_names)
{
  g_autoptr (PyObject) future = NULL;
  g_autoptr (PyObject) keywords = NULL;
  MaltBindingJob job = { 0 };
  gboolean begun;

  if (!malt_binding_take_keywords (args, n_args, keyword_names, "submit", &keywords))
    return NULL;
  future = PyObject_CallNoArgs (malt_binding.future_type);
  if (future == NULL)
    return NULL;

  begun = malt_binding_job_init_call (&job, self, args[0], args + 1, n_args - 1, keywords,
                                       MALT_PYTHON_VALUES_PLAIN) &&
           malt_binding_submit_job (&job, future, self, NULL);
  malt_binding_job_clear (&job);

  if (!begun)
    {
      g_autoptr (PyObject) exception = NULL;
      g_autoptr (PyObject) answer = NULL;

      if (!PyErr_ExceptionMatches (PyExc_Exception))
        return NULL;
      exception = malt_python_take_exception ();
      answer = PyObject_CallMethod (future, "_malt_set_exception", "O", exception);
      if (answer == NULL)
        return NULL;
    }

  return g_steal_pointer (&future);
}
