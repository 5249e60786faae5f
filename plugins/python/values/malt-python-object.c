/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-python-object.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* From here on the first use of memory costs more than to copy into it, unless its pages are
 * large ones. */
#define LARGE_SIZE (4 * 1024 * 1024)

/* Copies into an object that nobody else knows yet. */
static void
fill (char          *to,
      gconstpointer  data,
      gsize          size)
{
  guintptr page = (guintptr) sysconf (_SC_PAGESIZE);
  guintptr begin = ((guintptr) to + page - 1) & ~(page - 1);

  if (size < LARGE_SIZE)
    {
      if (size > 0)
        memcpy (to, data, size);
      return;
    }

  /* Advice only. */
  madvise ((gpointer) begin, ((guintptr) to + size - begin) & ~(page - 1), MADV_HUGEPAGE);

  Py_BEGIN_ALLOW_THREADS
  memcpy (to, data, size);
  Py_END_ALLOW_THREADS
}

PyObject *
malt_python_bytes_new (gconstpointer data,
                       gsize         size)
{
  PyObject *bytes = PyBytes_FromStringAndSize (NULL, (Py_ssize_t) size);

  if (bytes != NULL)
    fill (PyBytes_AS_STRING (bytes), data, size);
  return bytes;
}

PyObject *
malt_python_bytearray_new (gconstpointer data,
                           gsize         size)
{
  PyObject *bytes = PyByteArray_FromStringAndSize (NULL, (Py_ssize_t) size);

  if (bytes != NULL)
    fill (PyByteArray_AS_STRING (bytes), data, size);
  return bytes;
}

/* A copy that is none of Python's objects; %NULL with an exception set.  GIL held, which others
 * may get meanwhile. */
GBytes *
malt_python_copy_new (gconstpointer data,
                      gsize         size)
{
  gpointer copy = size > 0 ? g_try_malloc (size) : NULL;

  if (copy == NULL && size > 0)
    {
      PyErr_NoMemory ();
      return NULL;
    }

  fill (copy, data, size);
  return g_bytes_new_take (copy, size);
}

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

#if PY_VERSION_HEX >= 0x030d0000

gboolean
malt_python_refers_to (PyObject *weak_reference,
                       PyObject *object)
{
  g_autoptr (PyObject) found = NULL;

  return PyWeakref_GetRef (weak_reference, &found) == 1 && found == object;
}

#else

gboolean
malt_python_refers_to (PyObject *weak_reference,
                       PyObject *object)
{
  return PyWeakref_GET_OBJECT (weak_reference) == object;
}

#endif
