/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-python-call.h"

#include "malt-python-from-variant.h"
#include "malt-python-module-name.h"
#include "malt-python-name.h"

/* Calling a function by its name. */

/* An attribute, or %NULL without an exception if there is no such. */
static PyObject *
get_attribute (PyObject *object,
               PyObject *name)
{
  PyObject *attribute = PyObject_GetAttr (object, name);

  if (attribute == NULL && PyErr_ExceptionMatches (PyExc_AttributeError))
    PyErr_Clear ();

  return attribute;
}

/* Goes from the object that the first part names to the one that all of them name,
 * importing modules on the way.  %NULL with an exception; or without one, and
 * @missing is the index of the part that is not there. */
static PyObject *
walk (PyObject       *first,
      MaltPythonName *name,
      Py_ssize_t     *missing)
{
  g_autoptr (PyObject) object = Py_NewRef (first);
  Py_ssize_t i;

  for (i = 1; i < PyTuple_GET_SIZE (name->parts); i++)
    {
      PyObject *next = get_attribute (object, PyTuple_GET_ITEM (name->parts, i));

      if (next == NULL && !PyErr_Occurred () && PyModule_Check (object))
        {
          g_autoptr (PyObject) module_name = malt_python_name_join (name, i + 1);

          if (module_name != NULL)
            next = malt_python_find_module (module_name);
        }
      if (next == NULL)
        {
          *missing = i;
          return NULL;
        }

      Py_SETREF (object, next);
    }

  return g_steal_pointer (&object);
}

/* The name of a module that is there wins, as everywhere; then a name of the main
 * module; then what can be imported; and a name without a dot is builtin at last.
 * Returns a new reference, or %NULL with an exception or @error set. */
static PyObject *
find_function (const char  *text,
               GError     **error)
{
  g_autoptr (MaltPythonName) name = malt_python_name_get (text);
  g_autoptr (PyObject) object = NULL;
  g_autoptr (PyObject) main_module = NULL;
  PyObject *first;
  Py_ssize_t missing = 0;
  PyObject *function = NULL;

  if (name == NULL)
    {
      if (!PyErr_Occurred ())
        g_set_error (error, MALT_ERROR, MALT_ERROR_NOT_FOUND, "'%s' is not the name of a function", text);
      return NULL;
    }

  main_module = malt_python_get_main_module ();
  if (main_module == NULL)
    return NULL;

  first = PyTuple_GET_ITEM (name->parts, 0);
  if (name->first == NULL)
    {
      function = get_attribute (main_module, first);
      if (function == NULL && !PyErr_Occurred ())
        function = Py_XNewRef (PyDict_GetItemWithError (PyEval_GetBuiltins (), first));
      if (function == NULL && !PyErr_Occurred ())
        g_set_error (error, MALT_ERROR, MALT_ERROR_NOT_FOUND,
                     "there is no function '%s' in __main__ or builtins", text);
      return function;
    }

  object = malt_python_name_get_module (name->first);
  if (object == NULL && !PyErr_Occurred ())
    object = get_attribute (main_module, first);
  if (object != NULL)
    function = walk (object, name, &missing);
  if (function != NULL || PyErr_Occurred ())
    return function;

  if (object == NULL || !PyModule_Check (object))
    {
      g_autoptr (PyObject) module = malt_python_find_module (first);

      if (module != NULL && module != object)
        {
          Py_XSETREF (object, g_steal_pointer (&module));
          function = walk (object, name, &missing);
        }
      if (function != NULL || PyErr_Occurred ())
        return function;
    }

  if (object == NULL)
    {
      g_set_error (error, MALT_ERROR, MALT_ERROR_NOT_FOUND,
                   "there is no module '%s' for '%s'", PyUnicode_AsUTF8 (first), text);
    }
  else
    {
      g_autoptr (PyObject) path = malt_python_name_join (name, missing);
      const char *path_text = path != NULL ? PyUnicode_AsUTF8 (path) : NULL;

      PyErr_Clear ();
      g_set_error (error, MALT_ERROR, MALT_ERROR_NOT_FOUND, "'%s' has no attribute '%s'",
                   path_text != NULL ? path_text : text,
                   PyUnicode_AsUTF8 (PyTuple_GET_ITEM (name->parts, missing)));
    }

  return NULL;
}

static gboolean
is_awaitable (PyObject *value)
{
  PyAsyncMethods *methods = Py_TYPE (value)->tp_as_async;

  return PyCoro_CheckExact (value) || (methods != NULL && methods->am_await != NULL);
}

/* Calls what the request names.  Returns a new reference to its value, which is to be
 * awaited if @awaits; or %NULL with an exception or @error set.  GIL held, in the run. */
PyObject *
malt_python_call (MaltPython   *self,
                  MaltRequest  *request,
                  gboolean     *awaits,
                  GError      **error)
{
  GVariant *arguments = malt_request_get_arguments (request);
  GVariant *keywords = malt_request_get_keywords (request);
  const char *name = malt_request_get_function (request);
  MaltPythonValues how = self->values;
  g_autoptr (PyObject) function = NULL;
  g_autoptr (PyObject) positional = NULL;
  g_autoptr (PyObject) named = NULL;
  PyObject *value;

  function = find_function (name, error);
  if (function == NULL)
    return NULL;

  if (!PyCallable_Check (function))
    {
      g_set_error (error, MALT_ERROR, MALT_ERROR_NOT_FOUND, "'%s' is not a function but a '%s'",
                   name, Py_TYPE (function)->tp_name);
      return NULL;
    }

  /* In a process of its own they come serialised. */
  positional = self->own_process ? malt_python_from_arguments (arguments, how, error)
                                 : malt_python_from_variant (arguments, how, error);
  if (positional == NULL)
    return NULL;

  if (keywords != NULL && g_variant_n_children (keywords) > 0)
    {
      named = malt_python_from_variant (keywords, how, error);
      if (named == NULL)
        return NULL;
    }

  value = PyObject_Call (function, positional, named);
  *awaits = value != NULL && is_awaitable (value);
  return value;
}
