/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-python-object.h"

#if PY_VERSION_HEX >= 0x030c0000

PyObject *
malt_python_take_exception (void)
{
  return PyErr_GetRaisedException ();
}

void
malt_python_give_exception (PyObject *exception)
{
  PyErr_SetRaisedException (exception);
}

#else

PyObject *
malt_python_take_exception (void)
{
  PyObject *type, *value, *traceback;

  PyErr_Fetch (&type, &value, &traceback);
  if (type == NULL)
    return NULL;

  PyErr_NormalizeException (&type, &value, &traceback);
  if (traceback != NULL)
    PyException_SetTraceback (value, traceback);
  Py_DECREF (type);
  Py_XDECREF (traceback);

  return value;
}

void
malt_python_give_exception (PyObject *exception)
{
  if (exception != NULL)
    PyErr_Restore (Py_NewRef (Py_TYPE (exception)), exception, PyException_GetTraceback (exception));
}

#endif
