/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-python-tag.h"

#include "malt-python-from-variant.h"
#include "malt-python-objects.h"

/* Values that GVariant has no type for, whose forms are in objects.py. */

/* A function of objects.py, borrowed; %NULL with an exception set. */
static PyObject *
get_function (const char *name)
{
  static PyObject *functions; /* guarded by the GIL; %NULL until they are needed */
  g_autoptr (PyObject) dict = NULL;
  g_autoptr (PyObject) code = NULL;
  g_autoptr (PyObject) text = NULL;
  g_autoptr (PyObject) result = NULL;
  PyObject *function;

  if (functions == NULL)
    {
      code = Py_CompileString (malt_python_objects, "<malt objects>", Py_file_input);
      text = code != NULL ? PyUnicode_FromString ("malt.objects") : NULL;
      dict = text != NULL ? PyDict_New () : NULL;
      if (dict == NULL ||
          PyDict_SetItemString (dict, "__builtins__", PyEval_GetBuiltins ()) < 0 ||
          PyDict_SetItemString (dict, "__name__", text) < 0)
        return NULL;

      result = PyEval_EvalCode (code, dict, dict);
      if (result == NULL)
        return NULL;
      /* Imports let other threads run. */
      if (functions == NULL)
        functions = g_steal_pointer (&dict);
    }

  function = PyDict_GetItemString (functions, name);
  if (function == NULL && !PyErr_Occurred ())
    PyErr_Format (PyExc_SystemError, "objects.py has no %s()", name);
  return function;
}

/* The type and text of an exception. */
char *
malt_python_describe (PyObject *exception)
{
  g_autoptr (PyObject) object = PyObject_Str (exception);
  const char *text = object != NULL ? PyUnicode_AsUTF8 (object) : NULL;
  char *description = g_strdup_printf ("%s: %s", Py_TYPE (exception)->tp_name, text != NULL ? text : "?");

  PyErr_Clear ();
  return description;
}

static gboolean
take_pair (PyObject  *pair,
           char     **tag,
           PyObject **content)
{
  const char *path;
  PyObject *object;

  if (!PyArg_ParseTuple (pair, "sO", &path, &object))
    return FALSE;

  *tag = g_strdup (path);
  *content = Py_NewRef (object);
  return TRUE;
}

/* The tag and what stands for the value, if it is to be only for members of enumerations; *@tag stays %NULL if nothing does.  FALSE with an
 * exception set. */
gboolean
malt_python_tag_encode (PyObject  *object,
                        gboolean   only_enum,
                        char     **tag,
                        PyObject **content)
{
  PyObject *function = get_function ("encode");
  g_autoptr (PyObject) pair = function != NULL ? PyObject_CallFunctionObjArgs (function, object, only_enum ? Py_True : Py_False, NULL)
                                              : NULL;

  if (pair == NULL)
    return FALSE;

  return pair == Py_None || take_pair (pair, tag, content);
}

/* The same for any object.  FALSE with @problem if it cannot be pickled, or with an exception
 * set. */
gboolean
malt_python_tag_pickle (PyObject  *object,
                        char     **tag,
                        PyObject **content,
                        char     **problem)
{
  PyObject *function = get_function ("encode_pickle");
  g_autoptr (PyObject) pair = function != NULL ? PyObject_CallOneArg (function, object) : NULL;
  g_autoptr (PyObject) exception = NULL;

  if (pair != NULL)
    return take_pair (pair, tag, content);
  if (function == NULL || !PyErr_ExceptionMatches (PyExc_Exception))
    return FALSE;

  exception = malt_python_take_exception ();
  *problem = malt_python_describe (exception);
  return FALSE;
}

/* A new reference to the value behind a tag; %NULL with an exception or @error set.  A worker's
 * word is not taken: what the value is made by is looked up here, and bad content is an
 * error. */
PyObject *
malt_python_tag_decode (GVariant          *value,
                        MaltPythonValues   how,
                        GError           **error)
{
  g_autoptr (GVariant) inner = NULL;
  g_autoptr (PyObject) content = NULL;
  g_autoptr (PyObject) exception = NULL;
  g_autofree char *description = NULL;
  gboolean is_pickle, may_import = (how & MALT_PYTHON_VALUES_IMPORT) != 0;
  gboolean may_unpickle = (how & MALT_PYTHON_VALUES_PICKLE) != 0;
  PyObject *function, *result;
  const char *path;

  g_variant_get (value, "(&ov)", &path, &inner);
  is_pickle = g_str_equal (path, "/malt/pickle");
  if (!is_pickle || may_unpickle)
    {
      /* What is pickled is copied when it is unpickled. */
      how = is_pickle ? how | MALT_PYTHON_VALUES_VIEWS : how & ~(guint) MALT_PYTHON_VALUES_VIEWS;
      content = malt_python_from_variant (inner, how, error);
      if (content == NULL)
        return NULL;
    }

  function = get_function ("decode");
  result = function == NULL ? NULL
                            : PyObject_CallFunction (function, "sOOO", path, content != NULL ? content : Py_None,
                                                     may_import ? Py_True : Py_False,
                                                     may_unpickle ? Py_True : Py_False);
  if (result != NULL || function == NULL || !PyErr_ExceptionMatches (PyExc_Exception))
    return result;

  exception = malt_python_take_exception ();
  description = malt_python_describe (exception);
  g_set_error (error, MALT_ERROR, MALT_ERROR_SERIALIZATION, "cannot take a value with the tag %s: %s", path, description);
  return NULL;
}
