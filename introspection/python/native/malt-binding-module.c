/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-binding.h"

#include <pygobject.h>

#include "malt-python-from-variant.h"
#include "malt-python-to-variant.h"

MaltBinding malt_binding;

static gboolean
take (PyObject   *hooks,
      const char *name,
      gpointer    to)
{
  PyObject *object = PyDict_GetItemString (hooks, name);

  if (object == NULL)
    {
      PyErr_Format (PyExc_TypeError, "init() misses '%s'", name);
      return FALSE;
    }

  *(PyObject **) to = Py_NewRef (object);
  return TRUE;
}

/* FALSE with an exception set. */
static gboolean
add_methods (PyTypeObject *type,
             PyMethodDef  *methods)
{
  PyMethodDef *method;

  for (method = methods; method->ml_name != NULL; method++)
    {
      g_autoptr (PyObject) descriptor = PyDescr_NewMethod (type, method);

      if (descriptor == NULL || PyObject_SetAttrString ((PyObject *) type, method->ml_name, descriptor) < 0)
        return FALSE;
    }

  return TRUE;
}

/* Tells what the Python half has; also puts the methods that are here into its classes. */
static PyObject *
init (PyObject *module,
      PyObject *args,
      PyObject *hooks)
{
  if (hooks == NULL || malt_binding.worker_type != NULL)
    {
      PyErr_SetString (PyExc_TypeError, "init() is to be called once, with keywords");
      return NULL;
    }
  if (!take (hooks, "worker_type", &malt_binding.worker_type) ||
      !take (hooks, "pool_type", &malt_binding.pool_type) ||
      !take (hooks, "variant_type", &malt_binding.variant_type) ||
      !take (hooks, "make_error", &malt_binding.make_error) ||
      !take (hooks, "find_function", &malt_binding.find_function) ||
      !take (hooks, "future_type", &malt_binding.future_type) ||
      !take (hooks, "get_values", &malt_binding.get_values) ||
      !take (hooks, "channel_type", &malt_binding.channel_type) ||
      !take (hooks, "channel_closed", &malt_binding.channel_closed) ||
      !take (hooks, "channel_next", &malt_binding.channel_next))
    return NULL;

  if (!add_methods (malt_binding.worker_type, malt_binding_calling_methods) ||
      !add_methods (malt_binding.pool_type, malt_binding_calling_methods) ||
      !add_methods (malt_binding.channel_type, malt_binding_channel_methods) || !malt_binding_signals_init ())
    return NULL;
  Py_RETURN_NONE;
}

/* (variant, worker): a GLib.Variant as a Python value. */
static PyObject *
unpack (PyObject *module,
        PyObject *args)
{
  PyObject *variant, *worker;
  MaltPythonValues values;
  MaltWorker *c_worker;
  GError *error = NULL;
  PyObject *result;

  if (!PyArg_ParseTuple (args, "O!O", malt_binding.variant_type, &variant, &worker))
    return NULL;
  c_worker = malt_binding_get_worker (worker);
  if (c_worker == NULL || !malt_binding_get_values (worker, G_OBJECT (c_worker), &values))
    return NULL;

  result = malt_python_from_variant (pyg_pointer_get (variant, GVariant), values, &error);
  if (result == NULL && error != NULL)
    malt_binding_raise (error, worker);
  return result;
}

/* (tuple, MaltPythonValues): the arguments of a call as a GLib.Variant. */
static PyObject *
pack (PyObject *module,
      PyObject *args)
{
  PyObject *tuple;
  int values;
  GError *error = NULL;
  GVariant *variant;
  GValue value = G_VALUE_INIT;
  PyObject *result;

  if (!PyArg_ParseTuple (args, "O!i", &PyTuple_Type, &tuple, &values))
    return NULL;

  variant = malt_python_arguments_to_variant (&PyTuple_GET_ITEM (tuple, 0), PyTuple_GET_SIZE (tuple), 0,
                                              (MaltPythonValues) values | MALT_PYTHON_VALUES_WORDS, &error);
  if (variant == NULL)
    {
      if (error != NULL)
        malt_binding_raise (error, NULL);
      return NULL;
    }

  g_value_init (&value, G_TYPE_VARIANT);
  g_value_set_variant (&value, variant);
  result = pyg_value_as_pyobject (&value, TRUE);
  g_value_unset (&value);

  return result;
}

static PyMethodDef functions[] = {
  { "init", (PyCFunction) (gpointer) init, METH_VARARGS | METH_KEYWORDS, NULL },
  { "after_fork", malt_binding_after_fork, METH_O, NULL },
  { "before_fork", malt_binding_before_fork, METH_NOARGS, NULL },
  { "cancel", malt_binding_cancel, METH_O, NULL },
  { "channel_open", malt_binding_channel_open, METH_VARARGS, NULL },
  { "channel_open_start", malt_binding_channel_open_start, METH_VARARGS, NULL },
  { "channel_start", malt_binding_channel_start, METH_VARARGS, NULL },
  { "channel_try_take", malt_binding_channel_try_take, METH_O, NULL },
  { "check_process", malt_binding_check_process_method, METH_NOARGS, NULL },
  { "do", malt_binding_do, METH_VARARGS, NULL },
  { "events_begin", malt_binding_events_begin_method, METH_O, NULL },
  { "events_end", malt_binding_events_end, METH_NOARGS, NULL },
  { "has_object", malt_binding_has_object, METH_O, NULL },
  { "host_export", malt_binding_host_export, METH_VARARGS, NULL },
  { "host_finish", malt_binding_host_finish, METH_VARARGS, NULL },
  { "is_waiting", malt_binding_is_waiting, METH_NOARGS, NULL },
  { "note_pool", malt_binding_note_pool, METH_O, NULL },
  { "note_worker", malt_binding_note_worker, METH_O, NULL },
  { "pack", pack, METH_VARARGS, NULL },
  { "run", malt_binding_run, METH_VARARGS, NULL },
  { "shut_down", malt_binding_shut_down, METH_VARARGS, NULL },
  { "spawn", malt_binding_spawn, METH_VARARGS, NULL },
  { "start", malt_binding_start, METH_VARARGS, NULL },
  { "stop", malt_binding_stop, METH_VARARGS, NULL },
  { "submit", malt_binding_submit, METH_VARARGS, NULL },
  { "submit_task", malt_binding_submit_task, METH_VARARGS, NULL },
  { "submit_end", malt_binding_submit_end, METH_NOARGS, NULL },
  { "unpack", unpack, METH_VARARGS, NULL },
  { NULL, NULL, 0, NULL }
};

static PyModuleDef definition = {
  PyModuleDef_HEAD_INIT,
  .m_name = "gi.overrides._malt._native",
  .m_size = -1,
  .m_methods = functions,
};

PyMODINIT_FUNC PyInit__native (void);

G_MODULE_EXPORT PyMODINIT_FUNC
PyInit__native (void)
{
  g_autoptr (PyObject) pygobject = pygobject_init (3, 42, 0);
  PyObject *module;

  if (pygobject == NULL || PyType_Ready (&malt_binding_context_type) < 0 ||
      PyType_Ready (&malt_binding_submission_type) < 0)
    return NULL;

  module = PyModule_Create (&definition);
  if (module == NULL ||
      PyModule_AddObjectRef (module, "Context", (PyObject *) &malt_binding_context_type) < 0)
    {
      Py_XDECREF (module);
      return NULL;
    }

  return module;
}
