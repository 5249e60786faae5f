/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-python-tasks.h"

#include "malt-python-tasks-source.h"

/* The module malt.tasks, which most workers do not need: it is made when it is first asked
 * for. */

static PyObject *
make_module (void)
{
  PyObject *modules = PyImport_GetModuleDict ();
  g_autoptr (PyObject) code = NULL;
  g_autoptr (PyObject) module = NULL;
  g_autoptr (PyObject) result = NULL;
  PyObject *known = PyDict_GetItemString (modules, "malt.tasks");
  PyObject *dict;

  if (known != NULL)
    return Py_NewRef (known);

  code = Py_CompileString (malt_python_tasks, "<malt tasks>", Py_file_input);
  module = code != NULL ? PyModule_New ("malt.tasks") : NULL;
  if (module == NULL)
    return NULL;

  dict = PyModule_GetDict (module);
  if (PyDict_SetItemString (dict, "__builtins__", PyEval_GetBuiltins ()) < 0)
    return NULL;
  result = PyEval_EvalCode (code, dict, dict);
  if (result == NULL || PyDict_SetItemString (modules, "malt.tasks", module) < 0)
    return NULL;

  return g_steal_pointer (&module);
}

/* `__getattr__` of the module `malt`: for names that it has not. */
PyObject *
malt_python_tasks_getattr (PyObject *module,
                           PyObject *name)
{
  g_autoptr (PyObject) tasks = NULL;

  if (!PyUnicode_Check (name) || PyUnicode_CompareWithASCIIString (name, "tasks") != 0)
    {
      PyErr_Format (PyExc_AttributeError, "module 'malt' has no attribute %R", name);
      return NULL;
    }

  tasks = make_module ();
  if (tasks == NULL || PyObject_SetAttr (module, name, tasks) < 0)
    return NULL;

  return g_steal_pointer (&tasks);
}
