/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-python-error.h"

#include <string.h>

#include "malt-python-interrupt.h"
#include "malt-python-source.h"

/* Exceptions as errors.  Nothing here fails: an exception can have a type, text or
 * traceback that raises when it is looked at, and then that part is replaced. */

/* Any text as a C string: what UTF-8 or a C string cannot hold is escaped.  %NULL, and
 * no exception, if it cannot be had. */
static char *
text_to_string (PyObject *text)
{
  g_autoptr (PyObject) bytes = NULL;
  const char *data;
  Py_ssize_t size, i;
  GString *string;

  if (text == NULL || !PyUnicode_Check (text))
    {
      PyErr_Clear ();
      return NULL;
    }

  bytes = PyUnicode_AsEncodedString (text, "utf-8", "backslashreplace");
  if (bytes == NULL || !PyBytes_Check (bytes))
    {
      PyErr_Clear ();
      return NULL;
    }

  data = PyBytes_AS_STRING (bytes);
  size = PyBytes_GET_SIZE (bytes);
  if (memchr (data, 0, (gsize) size) == NULL)
    return g_strndup (data, (gsize) size);

  string = g_string_sized_new ((gsize) size);
  for (i = 0; i < size; i++)
    {
      if (data[i] != '\0')
        g_string_append_c (string, data[i]);
      else
        g_string_append (string, "\\x00");
    }

  return g_string_free (string, FALSE);
}

/* The name of a type as Python's tracebacks show it: with its module, unless that is
 * the main one or builtins. */
static char *
type_to_string (PyTypeObject *type)
{
  g_autoptr (PyObject) qualified = PyType_GetQualName (type);
  g_autofree char *name = text_to_string (qualified);
  g_autofree char *module_name = NULL;
  const char *dot;
  PyObject *module = NULL;

  if (name == NULL)
    name = g_strdup ("Exception");

  /* Without asking the metatype, which may be anything. */
  if (PyType_HasFeature (type, Py_TPFLAGS_HEAPTYPE))
    {
      module = type->tp_dict != NULL ? PyDict_GetItemString (type->tp_dict, "__module__") : NULL;
      Py_XINCREF (module);
      module_name = text_to_string (module);
      Py_XDECREF (module);
    }
  else
    {
      dot = strrchr (type->tp_name, '.');
      if (dot != NULL)
        module_name = g_strndup (type->tp_name, (gsize) (dot - type->tp_name));
    }

  if (module_name == NULL || g_str_equal (module_name, "builtins") || g_str_equal (module_name, "__main__"))
    return g_steal_pointer (&name);

  return g_strconcat (module_name, ".", name, NULL);
}

static char *
exception_to_string (PyObject *exception)
{
  g_autoptr (PyObject) text = PyObject_Str (exception);
  char *string = text_to_string (text);

  return string != NULL ? string : g_strdup ("<exception str() failed>");
}

/* The traceback with its source lines, causes and notes, without a newline at the end;
 * %NULL if it cannot be made. */
static char *
traceback_to_string (MaltPython *self,
                     PyObject   *exception)
{
  g_autoptr (PyObject) module = NULL;
  g_autoptr (PyObject) lines = NULL;
  g_autoptr (PyObject) empty = NULL;
  g_autoptr (PyObject) text = NULL;
  char *string;

  /* It imports linecache too.  An interrupt meanwhile has nothing left to break off. */
  module = malt_python_import (self, "traceback");
  if (module == NULL && PyErr_ExceptionMatches (PyExc_KeyboardInterrupt))
    {
      PyErr_Clear ();
      module = malt_python_import (self, "traceback");
    }
  PyErr_Clear ();
  malt_python_sources_publish ();
  if (module != NULL)
    lines = PyObject_CallMethod (module, "format_exception", "O", exception);
  if (lines != NULL)
    empty = PyUnicode_New (0, 0);
  if (empty != NULL)
    text = PyUnicode_Join (empty, lines);

  string = text_to_string (text);
  return string != NULL ? g_strchomp (string) : NULL;
}

/* Whether a coroutine was cancelled.  If asyncio has not been imported, nothing was. */
static gboolean
is_cancelled_error (PyObject *exception)
{
  g_autoptr (PyObject) name = PyUnicode_FromString ("asyncio.exceptions");
  g_autoptr (PyObject) module = name != NULL ? PyImport_GetModule (name) : NULL;
  g_autoptr (PyObject) type = module != NULL ? PyObject_GetAttrString (module, "CancelledError") : NULL;
  gboolean result = type != NULL && PyErr_GivenExceptionMatches (exception, type);

  PyErr_Clear ();
  return result;
}

/* Takes the exception that is set.  GIL held, in the run. */
GError *
malt_python_error_take (MaltPython          *self,
                        const MaltPythonRun *run)
{
  g_autoptr (PyObject) exception = malt_python_take_exception ();
  g_autofree char *type = NULL;
  g_autofree char *message = NULL;
  g_autofree char *traceback = NULL;
  MaltError code = MALT_ERROR_REMOTE;

  if (g_atomic_int_get (&run->interrupted))
    {
      if (PyErr_GivenExceptionMatches (exception, PyExc_KeyboardInterrupt) || is_cancelled_error (exception))
        code = MALT_ERROR_INTERRUPTED;
    }
  else if (g_atomic_int_get (&run->cancelled) && is_cancelled_error (exception))
    {
      return g_error_new_literal (G_IO_ERROR, G_IO_ERROR_CANCELLED, "the coroutine was cancelled");
    }

  type = type_to_string (Py_TYPE (exception));
  message = exception_to_string (exception);
  traceback = traceback_to_string (self, exception);

  return malt_remote_error_new (code, type, message, traceback);
}

/* Prints the exception that is set and goes on, also where Python would exit. */
void
malt_python_error_print (MaltPython *self)
{
  PyObject *exception = malt_python_take_exception ();
  g_autofree char *traceback = traceback_to_string (self, exception);
  PyObject *file = PySys_GetObject ("stderr");

  Py_DECREF (exception);
  if (traceback != NULL && file != NULL && file != Py_None &&
      (PyFile_WriteString (traceback, file) < 0 || PyFile_WriteString ("\n", file) < 0))
    PyErr_Clear ();
}
