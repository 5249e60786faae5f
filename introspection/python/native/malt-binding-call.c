/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-binding.h"

/* Blocking calls. */

/* Runs the job, which it clears. */
static PyObject *
run (MaltBindingJob *job,
     PyObject       *worker)
{
  MaltBindingWait wait;
  GVariant *value = NULL;
  GError *error = NULL;
  PyObject *result = NULL;
  gboolean interrupted = TRUE;

  /* Which of its workers is to be interrupted only the pool knows. */
  if (job->pool != NULL && job->cancellable == NULL)
    job->cancellable = g_cancellable_new ();

  if (malt_binding_wait_begin (&wait, job->worker, job->cancellable))
    {
      value = malt_binding_job_run (job, &error);
      interrupted = malt_binding_wait_end (&wait, error != NULL);
    }

  if (!interrupted)
    result = malt_binding_job_result (job, worker, value, error);
  else
    {
      g_clear_error (&error);
      g_clear_pointer (&value, g_variant_unref);
    }

  malt_binding_job_clear (job);
  return result;
}

/* Looks at the arguments of a function whose first one is the function to be called.  FALSE
 * with an exception set. */
gboolean
malt_binding_take_keywords (PyObject *const  *args,
                            Py_ssize_t        n_args,
                            PyObject         *names,
                            const char       *what,
                            PyObject        **keywords)
{
  g_autoptr (PyObject) dict = NULL;
  Py_ssize_t i;

  if (n_args < 1)
    {
      PyErr_Format (PyExc_TypeError, "%s() needs the function as its first argument", what);
      return FALSE;
    }
  if (names == NULL || PyTuple_GET_SIZE (names) == 0)
    return TRUE;

  dict = PyDict_New ();
  for (i = 0; dict != NULL && i < PyTuple_GET_SIZE (names); i++)
    if (PyDict_SetItem (dict, PyTuple_GET_ITEM (names, i), args[n_args + i]) < 0)
      return FALSE;

  *keywords = g_steal_pointer (&dict);
  return *keywords != NULL;
}

/* Worker.call (function, /, *args, **kwargs) */
static PyObject *
worker_call (PyObject        *self,
             PyObject *const *args,
             Py_ssize_t       n_args,
             PyObject        *names)
{
  g_autoptr (PyObject) keywords = NULL;
  MaltBindingJob job = { 0 };

  if (!malt_binding_take_keywords (args, n_args, names, "call", &keywords))
    return NULL;

  if (!malt_binding_job_init_call (&job, self, args[0], args + 1, n_args - 1, keywords, MALT_PYTHON_VALUES_SHARE))
    {
      malt_binding_job_clear (&job);
      return NULL;
    }

  return run (&job, self);
}

/* Worker.eval (source, *, module=None, timeout=None, cancellable=None) */
static PyObject *
worker_eval (PyObject *self,
             PyObject *args,
             PyObject *keywords)
{
  static const char *names[] = { "source", "module", "timeout", "cancellable", NULL };
  PyObject *source, *module = Py_None, *seconds = Py_None, *cancellable = Py_None;
  MaltBindingJob job = { 0 };

  if (!PyArg_ParseTupleAndKeywords (args, keywords, "O|$OOO:eval", (char **) names, &source, &module, &seconds, &cancellable))
    return NULL;

  if (!malt_binding_job_init_eval (&job, self, module, source) ||
      !malt_binding_job_set_limits (&job, seconds, cancellable))
    {
      malt_binding_job_clear (&job);
      return NULL;
    }

  return run (&job, self);
}

PyDoc_STRVAR (call_doc,
"call($self, function, /, *args, **kwargs)\n"
"--\n"
"\n"
"Call a function in the worker, wait for it and return its value.\n"
"\n"
"The function is a name as the worker's language spells it ('math.factorial'), or a\n"
"Python function, which is called by its name where the worker can import it and else\n"
"sent as source. All keyword arguments go to the function; use options() for a timeout.\n"
"\n"
"Raises RemoteException for an exception in the worker, TerminatedWorkerException if the\n"
"worker is gone, SerializationError for a value that cannot cross.");

PyDoc_STRVAR (submit_doc,
"submit($self, function, /, *args, **kwargs)\n"
"--\n"
"\n"
"Call a function in the worker and return a concurrent.futures.Future.\n"
"\n"
"Does not block, and needs no loop. The arguments are those of call(); what is wrong with\n"
"them is an exception of the future.");

PyDoc_STRVAR (eval_doc,
"eval($self, source, *, module=None, timeout=None, cancellable=None)\n"
"--\n"
"\n"
"Run source in the worker, wait for it and return the value of its last expression.\n"
"\n"
"The module says in which namespace; by default that is the main one. The timeout is in\n"
"seconds; by default it is the launcher's. The cancellable is a Gio.Cancellable.\n"
"\n"
"Raises what call() raises, and TimeoutError.");

PyMethodDef malt_binding_calling_methods[] = {
  { "call", (PyCFunction) (gpointer) worker_call, METH_FASTCALL | METH_KEYWORDS, call_doc },
  { "submit", (PyCFunction) (gpointer) malt_binding_worker_submit, METH_FASTCALL | METH_KEYWORDS, submit_doc },
  { "eval", (PyCFunction) (gpointer) worker_eval, METH_VARARGS | METH_KEYWORDS, eval_doc },
  { NULL, NULL, 0, NULL }
};

/* A job as the Python half passes it. */
PyObject *
malt_binding_run (PyObject *module,
                  PyObject *args)
{
  MaltBindingJob job = { 0 };

  if (!malt_binding_job_parse (&job, args, MALT_PYTHON_VALUES_SHARE))
    {
      malt_binding_job_clear (&job);
      return NULL;
    }

  return run (&job, PyTuple_GET_ITEM (args, 0));
}

/* The same for a call of which nobody is to hear. */
PyObject *
malt_binding_do (PyObject *module,
                 PyObject *args)
{
  MaltBindingJob job = { 0 };
  GError *error = NULL;
  gboolean done = FALSE;

  if (malt_binding_job_parse (&job, args, MALT_PYTHON_VALUES_PLAIN))
    {
      Py_BEGIN_ALLOW_THREADS
      done = malt_binding_job_do (&job, &error);
      Py_END_ALLOW_THREADS
      if (error != NULL)
        malt_binding_raise (error, PyTuple_GET_ITEM (args, 0));
    }

  malt_binding_job_clear (&job);
  return done ? Py_NewRef (Py_True) : NULL;
}
