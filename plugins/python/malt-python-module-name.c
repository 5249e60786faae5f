/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-python-module-name.h"

#include <string.h>

#include "malt-python-name.h"

/* From the name of a module to the module. */

/* Whether the exception that is set says that there is no module of this name, rather
 * than that something went wrong in the module or that it lacks another one. */
static gboolean
is_not_found (PyObject *name)
{
  g_autoptr (PyObject) exception = NULL;
  g_autoptr (PyObject) missing = NULL;
  g_autoptr (PyObject) below = NULL;
  gboolean result = FALSE;

  if (!PyErr_ExceptionMatches (PyExc_ModuleNotFoundError))
    return FALSE;

  exception = malt_python_take_exception ();
  missing = PyObject_GetAttrString (exception, "name");
  if (missing != NULL && PyUnicode_Check (missing))
    {
      /* The module itself or a package that it would be in. */
      below = PyUnicode_FromFormat ("%U.", missing);
      result = PyUnicode_Compare (missing, name) == 0 ||
               (below != NULL && PyUnicode_Tailmatch (name, below, 0, PY_SSIZE_T_MAX, -1) == 1);
    }
  PyErr_Clear ();

  malt_python_give_exception (g_steal_pointer (&exception));
  return result;
}

/* Imports a module.  Returns a new reference; %NULL without an exception if there is
 * none of that name, with one if it cannot be imported. */
PyObject *
malt_python_find_module (PyObject *name)
{
  PyObject *module = PyImport_GetModule (name);

  /* None stands there to forbid an import. */
  if (module != NULL && module != Py_None)
    return module;
  Py_CLEAR (module);
  if (PyErr_Occurred ())
    return NULL;

  module = PyImport_Import (name);
  if (module == NULL && is_not_found (name))
    PyErr_Clear ();

  if (module == NULL)
    return NULL;

  /* What is imported by the name "a.b" is a. */
  Py_DECREF (module);
  return PyImport_GetModule (name);
}

/* Makes an empty module, and makes it known also to the package that it is in. */
static PyObject *
make_module (const char *name)
{
  g_autoptr (PyObject) module = Py_XNewRef (PyImport_AddModule (name));
  g_autoptr (PyObject) parent_name = NULL;
  g_autoptr (PyObject) parent = NULL;
  const char *dot = strrchr (name, '.');

  if (module == NULL ||
      PyDict_SetItemString (PyModule_GetDict (module), "__builtins__", PyEval_GetBuiltins ()) < 0)
    return NULL;

  if (dot != NULL)
    {
      g_autofree char *parent_text = g_strndup (name, (gsize) (dot - name));

      parent_name = PyUnicode_FromString (parent_text);
      parent = parent_name != NULL ? malt_python_find_module (parent_name) : NULL;
      if (parent == NULL && !PyErr_Occurred ())
        parent = make_module (parent_text);
      if (parent == NULL || PyObject_SetAttrString (parent, dot + 1, module) < 0)
        return NULL;
    }

  return g_steal_pointer (&module);
}

/* The main module, which is there unless somebody has taken it away.  A new reference, or
 * %NULL with an exception. */
PyObject *
malt_python_get_main_module (void)
{
  static PyObject *name; /* for as long as the process; guarded by the GIL */
  PyObject *module = NULL;

  if (name == NULL)
    name = PyUnicode_InternFromString ("__main__");
  if (name != NULL)
    module = PyDict_GetItemWithError (PyImport_GetModuleDict (), name);
  if (module == NULL && !PyErr_Occurred ())
    module = PyImport_AddModule ("__main__");

  return Py_XNewRef (module);
}

/* Gets the names of a module (%NULL: the main one), which is imported or, if there is
 * none, made.  Importing comes first: an empty "json" would hide the real one from
 * everybody.  Returns a new reference to a dictionary, or %NULL with an exception or
 * @error set.  GIL held. */
PyObject *
malt_python_get_namespace (const char  *module,
                           GError     **error)
{
  g_autoptr (MaltPythonName) name = NULL;
  g_autoptr (PyObject) object = NULL;

  if (module == NULL)
    {
      object = malt_python_get_main_module ();
    }
  else
    {
      name = malt_python_name_get (module);
      if (name == NULL)
        {
          if (!PyErr_Occurred ())
            g_set_error (error, MALT_ERROR, MALT_ERROR_NOT_FOUND, "'%s' is not the name of a module", module);
          return NULL;
        }

      object = malt_python_name_get_module (name);
      /* None stands there to forbid an import. */
      if (object == Py_None)
        Py_CLEAR (object);
      if (object == NULL && !PyErr_Occurred ())
        object = malt_python_find_module (name->text);
      if (object == NULL && !PyErr_Occurred ())
        object = make_module (module);
    }

  if (object == NULL)
    return NULL;

  /* Anything can be put into sys.modules. */
  if (!PyModule_Check (object))
    {
      g_set_error (error, MALT_ERROR, MALT_ERROR_NOT_FOUND, "'%s' is not a module but a '%s'",
                   module != NULL ? module : "__main__", Py_TYPE (object)->tp_name);
      return NULL;
    }

  return Py_NewRef (PyModule_GetDict (object));
}
