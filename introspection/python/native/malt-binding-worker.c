/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-binding.h"

#define NO_IMPORT_PYGOBJECT
#include <pygobject.h>

/* From PyGObject's wrappers to what they wrap. */

/* The worker behind an object, which keeps it; or %NULL with an exception set. */
MaltWorker *
malt_binding_get_worker (PyObject *object)
{
  GObject *worker;

  if (!PyObject_TypeCheck (object, malt_binding.worker_type))
    {
      PyErr_Format (PyExc_TypeError, "expected a Malt.Worker, not '%s'", Py_TYPE (object)->tp_name);
      return NULL;
    }
  if (!malt_binding_check_process ())
    return NULL;

  worker = pygobject_get (object);
  if (worker == NULL)
    {
      PyErr_SetString (PyExc_TypeError, "the worker has not been initialized");
      return NULL;
    }

  return MALT_WORKER (worker);
}

gboolean
malt_binding_is_pool (PyObject *object)
{
  return PyObject_TypeCheck (object, malt_binding.pool_type);
}

/* The same for a pool. */
MaltPool *
malt_binding_get_pool (PyObject *object)
{
  GObject *pool;

  if (!malt_binding_is_pool (object))
    {
      PyErr_Format (PyExc_TypeError, "expected a Malt.Pool, not '%s'", Py_TYPE (object)->tp_name);
      return NULL;
    }
  if (!malt_binding_check_process ())
    return NULL;

  pool = pygobject_get (object);
  if (pool == NULL)
    {
      PyErr_SetString (PyExc_TypeError, "the pool has not been initialized");
      return NULL;
    }

  return MALT_POOL (pool);
}

static GQuark
values_quark (void)
{
  static GQuark quark;

  if (G_UNLIKELY (quark == 0))
    quark = g_quark_from_static_string ("malt-python-values");
  return quark;
}

/* Remembers how values cross to what the object stands for, and back. */
void
malt_binding_set_values (GObject          *object,
                         MaltPythonValues  values)
{
  /* Never 0, which is "not known". */
  g_object_set_qdata (object, values_quark (), (gpointer) ((gsize) values | (gsize) MALT_PYTHON_VALUES_WORDS));
}

/* FALSE if nobody has said that. */
gboolean
malt_binding_known_values (GObject          *object,
                           MaltPythonValues *values)
{
  gsize known = (gsize) g_object_get_qdata (object, values_quark ());

  *values = (MaltPythonValues) known;
  return known != 0;
}

/* How values cross to the worker, or the pool's, and back, which is asked for once.  FALSE with
 * an exception set. */
gboolean
malt_binding_get_values (PyObject         *object,
                         GObject          *target,
                         MaltPythonValues *values)
{
  PyObject *answer;
  long number;

  if (malt_binding_known_values (target, values))
    return TRUE;

  answer = PyObject_CallOneArg (malt_binding.get_values, object);
  if (answer == NULL)
    return FALSE;
  number = PyLong_AsLong (answer);
  Py_DECREF (answer);
  if (number == -1 && PyErr_Occurred ())
    return FALSE;

  malt_binding_set_values (target, (MaltPythonValues) number);
  return malt_binding_known_values (target, values);
}

/* Whether a wrapper has its object already: it has, where C code made the object. */
PyObject *
malt_binding_has_object (PyObject *module,
                         PyObject *object)
{
  if (!PyObject_TypeCheck (object, malt_binding.worker_type))
    Py_RETURN_FALSE;

  return PyBool_FromLong (pygobject_get (object) != NULL);
}

static void
capsule_free (PyObject *capsule)
{
  g_object_unref (PyCapsule_GetPointer (capsule, "malt.cancellable"));
}

/* What cancel() takes; it is no wrapper of PyGObject's, which would cost more than the call. */
PyObject *
malt_binding_cancellable_new (GCancellable *cancellable)
{
  PyObject *capsule = PyCapsule_New (cancellable, "malt.cancellable", capsule_free);

  if (capsule != NULL)
    g_object_ref (cancellable);
  return capsule;
}

PyObject *
malt_binding_cancel (PyObject *module,
                     PyObject *capsule)
{
  GCancellable *cancellable = PyCapsule_GetPointer (capsule, "malt.cancellable");

  if (cancellable == NULL)
    return NULL;

  g_object_ref (cancellable);
  Py_BEGIN_ALLOW_THREADS
  g_cancellable_cancel (cancellable);
  g_object_unref (cancellable);
  Py_END_ALLOW_THREADS

  Py_RETURN_NONE;
}
