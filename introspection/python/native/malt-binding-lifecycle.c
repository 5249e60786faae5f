/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-binding.h"

#define NO_IMPORT_PYGOBJECT
#include <pygobject.h>

/* Starting and stopping, which Ctrl-C breaks off as it does calls. */

static GCancellable *
get_or_make_cancellable (PyObject *object)
{
  GCancellable *cancellable;

  if (!malt_binding_get_cancellable (object, &cancellable))
    return NULL;

  return cancellable != NULL ? cancellable : g_cancellable_new ();
}

/* (launcher, cancellable or None): the worker. */
PyObject *
malt_binding_spawn (PyObject *module,
                    PyObject *args)
{
  PyObject *launcher, *cancellable_object;
  g_autoptr (GCancellable) cancellable = NULL;
  g_autoptr (MaltWorker) worker = NULL;
  MaltBindingWait wait;
  GError *error = NULL;

  if (!PyArg_ParseTuple (args, "OO", &launcher, &cancellable_object) || !malt_binding_check_process ())
    return NULL;
  if (!g_type_is_a (pyg_type_from_object ((PyObject *) Py_TYPE (launcher)), MALT_TYPE_LAUNCHER))
    {
      PyErr_SetString (PyExc_TypeError, "expected a Malt.Launcher");
      return NULL;
    }
  cancellable = get_or_make_cancellable (cancellable_object);
  if (cancellable == NULL)
    return NULL;

  if (!malt_binding_wait_begin (&wait, NULL, cancellable))
    return NULL;
  worker = malt_launcher_spawn (MALT_LAUNCHER (pygobject_get (launcher)), cancellable, &error);

  if (malt_binding_wait_end (&wait, error != NULL))
    {
      g_clear_error (&error);
      return NULL;
    }
  if (worker == NULL)
    {
      malt_binding_raise (error, NULL);
      return NULL;
    }

  return pygobject_new (G_OBJECT (worker));
}

/* (worker, milliseconds, milliseconds, cancellable or None): a MaltStopResult. */
PyObject *
malt_binding_stop (PyObject *module,
                   PyObject *args)
{
  PyObject *worker_object, *cancellable_object;
  g_autoptr (GCancellable) cancellable = NULL;
  g_autoptr (MaltWorker) worker = NULL;
  int exit_msec, term_msec;
  MaltStopResult stopped;
  MaltBindingWait wait;
  GError *error = NULL;

  if (!PyArg_ParseTuple (args, "OiiO", &worker_object, &exit_msec, &term_msec, &cancellable_object))
    return NULL;
  worker = malt_binding_get_worker (worker_object);
  if (worker == NULL)
    return NULL;
  g_object_ref (worker);
  cancellable = get_or_make_cancellable (cancellable_object);
  if (cancellable == NULL)
    return NULL;

  if (!malt_binding_wait_begin (&wait, NULL, cancellable))
    return NULL;
  stopped = malt_worker_stop (worker, exit_msec, term_msec, cancellable, &error);

  if (malt_binding_wait_end (&wait, error != NULL))
    {
      g_clear_error (&error);
      return NULL;
    }
  if (error != NULL)
    {
      malt_binding_raise (error, worker_object);
      return NULL;
    }

  return PyLong_FromLong ((long) stopped);
}

/* (pool, MaltPoolShutdownFlags, wait, cancellable or None).  Without waiting the pool is shut
 * down too. */
PyObject *
malt_binding_shut_down (PyObject *module,
                        PyObject *args)
{
  PyObject *pool_object, *cancellable_object;
  g_autoptr (GCancellable) cancellable = NULL;
  g_autoptr (MaltPool) pool = NULL;
  int flags, waits;
  MaltBindingWait wait;
  GError *error = NULL;
  gboolean done;

  if (!PyArg_ParseTuple (args, "OipO", &pool_object, &flags, &waits, &cancellable_object))
    return NULL;
  pool = malt_binding_get_pool (pool_object);
  if (pool == NULL)
    return NULL;
  g_object_ref (pool);
  cancellable = waits ? get_or_make_cancellable (cancellable_object) : g_cancellable_new ();
  if (cancellable == NULL)
    return NULL;

  if (!malt_binding_wait_begin (&wait, NULL, cancellable))
    return NULL;
  if (!waits)
    g_cancellable_cancel (cancellable);
  done = malt_pool_shutdown (pool, (MaltPoolShutdownFlags) flags, cancellable, &error);

  if (malt_binding_wait_end (&wait, waits && !done))
    {
      g_clear_error (&error);
      return NULL;
    }
  if (!done && waits)
    {
      malt_binding_raise (error, NULL);
      return NULL;
    }

  g_clear_error (&error);
  return PyBool_FromLong (done);
}
