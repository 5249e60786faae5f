/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-python-call.h"

#include <string.h>

#include "malt-python-from-variant.h"
#include "malt-python-module-name.h"

/* Calling a function by its name.
 *
 * The name is looked up anew for every call, because anybody may bind it to something
 * else at any time; so it is only cut into its parts once. */

#define N_NAMES 1024

static GHashTable *names; /* name → tuple of interned parts (owned).  Guarded by the GIL. */

static void
drop_reference (gpointer object)
{
  Py_DECREF ((PyObject *) object);
}

static PyObject *
split_name (const char  *name,
            GError     **error)
{
  g_auto (GStrv) parts = g_strsplit (name, ".", -1);
  Py_ssize_t n = (Py_ssize_t) g_strv_length (parts);
  g_autoptr (PyObject) tuple = NULL;
  PyObject *part;
  Py_ssize_t i;

  for (i = 0; i < n; i++)
    if (*parts[i] == '\0')
      break;
  if (n == 0 || i < n)
    {
      g_set_error (error, MALT_ERROR, MALT_ERROR_NOT_FOUND, "'%s' is not the name of a function", name);
      return NULL;
    }

  tuple = PyTuple_New (n);
  for (i = 0; tuple != NULL && i < n; i++)
    {
      part = PyUnicode_InternFromString (parts[i]);
      if (part == NULL)
        return NULL;
      PyTuple_SET_ITEM (tuple, i, part);
    }

  return g_steal_pointer (&tuple);
}

static PyObject *
get_parts (const char  *name,
           GError     **error)
{
  PyObject *parts;

  if (names == NULL)
    names = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, drop_reference);

  parts = g_hash_table_lookup (names, name);
  if (parts != NULL)
    return Py_NewRef (parts);

  parts = split_name (name, error);
  if (parts != NULL)
    {
      /* Names that come from somewhere else each time must not fill the memory. */
      if (g_hash_table_size (names) >= N_NAMES)
        g_hash_table_remove_all (names);
      g_hash_table_insert (names, g_strdup (name), Py_NewRef (parts));
    }

  return parts;
}

/* The first @n parts, joined again. */
static PyObject *
join_parts (PyObject   *parts,
            Py_ssize_t  n)
{
  g_autoptr (PyObject) dot = PyUnicode_FromString (".");
  g_autoptr (PyObject) slice = PyTuple_GetSlice (parts, 0, n);

  return dot != NULL && slice != NULL ? PyUnicode_Join (dot, slice) : NULL;
}

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
walk (PyObject   *first,
      PyObject   *parts,
      Py_ssize_t *missing)
{
  g_autoptr (PyObject) object = Py_NewRef (first);
  Py_ssize_t i;

  for (i = 1; i < PyTuple_GET_SIZE (parts); i++)
    {
      PyObject *next = get_attribute (object, PyTuple_GET_ITEM (parts, i));

      if (next == NULL && !PyErr_Occurred () && PyModule_Check (object))
        {
          g_autoptr (PyObject) name = join_parts (parts, i + 1);

          if (name != NULL)
            next = malt_python_find_module (name);
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
find_function (const char  *name,
               GError     **error)
{
  g_autoptr (PyObject) parts = get_parts (name, error);
  g_autoptr (PyObject) object = NULL;
  PyObject *main_module = PyImport_AddModule ("__main__");
  PyObject *first;
  gboolean has_dot;
  Py_ssize_t missing = 0;
  PyObject *function = NULL;

  if (parts == NULL || main_module == NULL)
    return NULL;

  first = PyTuple_GET_ITEM (parts, 0);
  has_dot = PyTuple_GET_SIZE (parts) > 1;

  if (!has_dot)
    {
      function = get_attribute (main_module, first);
      if (function == NULL && !PyErr_Occurred ())
        function = Py_XNewRef (PyDict_GetItemWithError (PyEval_GetBuiltins (), first));
      if (function == NULL && !PyErr_Occurred ())
        g_set_error (error, MALT_ERROR, MALT_ERROR_NOT_FOUND,
                     "there is no function '%s' in __main__ or builtins", name);
      return function;
    }

  object = PyImport_GetModule (first);
  if (object == NULL && !PyErr_Occurred ())
    object = get_attribute (main_module, first);
  if (object != NULL)
    function = walk (object, parts, &missing);
  if (function != NULL || PyErr_Occurred ())
    return function;

  if (object == NULL || !PyModule_Check (object))
    {
      g_autoptr (PyObject) module = malt_python_find_module (first);

      if (module != NULL && module != object)
        {
          Py_XSETREF (object, g_steal_pointer (&module));
          function = walk (object, parts, &missing);
        }
      if (function != NULL || PyErr_Occurred ())
        return function;
    }

  if (object == NULL)
    {
      g_set_error (error, MALT_ERROR, MALT_ERROR_NOT_FOUND,
                   "there is no module '%s' for '%s'", PyUnicode_AsUTF8 (first), name);
    }
  else
    {
      g_autoptr (PyObject) path = join_parts (parts, missing);
      const char *path_text = path != NULL ? PyUnicode_AsUTF8 (path) : NULL;

      PyErr_Clear ();
      g_set_error (error, MALT_ERROR, MALT_ERROR_NOT_FOUND, "'%s' has no attribute '%s'",
                   path_text != NULL ? path_text : name, PyUnicode_AsUTF8 (PyTuple_GET_ITEM (parts, missing)));
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
malt_python_call (MaltRequest  *request,
                  gboolean     *awaits,
                  GError      **error)
{
  GVariant *arguments = malt_request_get_arguments (request);
  GVariant *keywords = malt_request_get_keywords (request);
  const char *name = malt_request_get_function (request);
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

  positional = malt_python_from_variant (arguments, error);
  if (positional == NULL)
    return NULL;

  if (keywords != NULL && g_variant_n_children (keywords) > 0)
    {
      named = malt_python_from_variant (keywords, error);
      if (named == NULL)
        return NULL;
    }

  value = PyObject_Call (function, positional, named);
  *awaits = value != NULL && is_awaitable (value);
  return value;
}
