/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <malt.h>

G_BEGIN_DECLS

/* References that go out of scope are dropped; the GIL must be held then. */
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PyObject, Py_DecRef)

/* How values cross. */
typedef enum
{
  MALT_PYTHON_VALUES_PLAIN = 0,
  MALT_PYTHON_VALUES_SHARE = 1 << 0, /* to GVariant: buffers are kept instead of copied, and
                                        are as they are when the value is read */
  MALT_PYTHON_VALUES_VIEWS = 1 << 1, /* from GVariant: arrays of numbers become views of it */
  MALT_PYTHON_VALUES_WORDS = 1 << 2, /* errors say in words where a value is */
  MALT_PYTHON_VALUES_OBJECTS = 1 << 3, /* also what GVariant has no type for: both ends are Python */
  MALT_PYTHON_VALUES_PICKLE = 1 << 4, /* and any object, by pickle; only if the other end is trusted */
  MALT_PYTHON_VALUES_IMPORT = 1 << 5, /* from GVariant: modules that are named are imported */
} MaltPythonValues;

PyObject *malt_python_bytes_new      (gconstpointer data,
                                      gsize         size);
PyObject *malt_python_bytearray_new  (gconstpointer data,
                                      gsize         size);

GBytes   *malt_python_copy_new       (gconstpointer data,
                                      gsize         size);

/* An exception that is taken out of the thread state: a normalised object with its
 * traceback, or %NULL. */
PyObject *malt_python_take_exception (void);
void      malt_python_give_exception (PyObject *exception);

gboolean  malt_python_refers_to      (PyObject *weak_reference,
                                      PyObject *object);

G_END_DECLS
