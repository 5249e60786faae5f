/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-python-loop.h"

#include <math.h>

#include "malt-python-error.h"
#include "malt-python-interrupt.h"
#include "malt-python-task.h"
#include "malt-python-wait.h"

/* The asyncio loop of a worker, made when something awaits for the first time.
 *
 * It runs in wait(), until there are requests to read, and one round of it in handle(),
 * so that a coroutine begins before the next request.  From then on it always runs in
 * wait(), as there is no telling what user code has left there: tasks, timers, servers.
 *
 * Where the loop waits for its descriptors, GLib's context runs: the selector only adds
 * its own descriptor to it.  So coroutines and GLib's sources run side by side.  The
 * descriptor of the requests is not the loop's but is waited for there too, so that a
 * function may itself run the loop for a while without being stopped by requests.
 *
 * It is not set as the thread's event loop: code that is not a coroutine and runs loops
 * of its own, in the old way or with asyncio.run(), would close it. */

static const char helpers[] =
  "import asyncio, selectors\n"
  "\n"
  "class Selector(selectors.EpollSelector):\n"
  "    def __init__(self, wait):\n"
  "        super().__init__()\n"
  "        self.wait = wait\n"
  "\n"
  "    def select(self, timeout=None):\n"
  "        self.wait(self.fileno(), timeout)\n"
  "        return super().select(0)\n"
  "\n"
  "def make(wait, wake_fd, deliver):\n"
  "    loop = asyncio.SelectorEventLoop(Selector(wait))\n"
  "    loop.add_reader(wake_fd, deliver)\n"
  "    return loop\n"
  "\n"
  "def close(loop):\n"
  "    for task in asyncio.all_tasks(loop):\n"
  "        task._log_destroy_pending = False\n"
  "    loop.close()\n";

static PyObject *
run_helper (const char *name)
{
  g_autoptr (PyObject) names = PyDict_New ();
  g_autoptr (PyObject) code = Py_CompileString (helpers, "<malt>", Py_file_input);
  g_autoptr (PyObject) result = NULL;

  if (names == NULL || code == NULL ||
      PyDict_SetItemString (names, "__builtins__", PyEval_GetBuiltins ()) < 0)
    return NULL;

  result = PyEval_EvalCode (code, names, names);
  return result != NULL ? Py_XNewRef (PyDict_GetItemString (names, name)) : NULL;
}

static MaltPython *
get_python (PyObject *capsule)
{
  return PyCapsule_GetPointer (capsule, NULL);
}

/* In the place of the selector's wait. */
static PyObject *
loop_wait (PyObject        *capsule,
           PyObject *const *args,
           Py_ssize_t       n_args)
{
  MaltPython *self = get_python (capsule);
  gint64 timeout_usec = -1;
  gboolean is_background;
  double timeout;
  guint ready;
  int fd;

  if (self == NULL || n_args != 2)
    return NULL;

  fd = (int) PyLong_AsLong (args[0]);
  if (args[1] != Py_None)
    {
      timeout = PyFloat_AsDouble (args[1]);
      if (timeout == -1 && PyErr_Occurred ())
        return NULL;
      timeout_usec = timeout <= 0 ? 0 : (gint64) ceil (MIN (timeout, 1e9) * G_USEC_PER_SEC);
    }

  /* Usually nothing of Python runs now that could be interrupted; but a request may run
   * the loop itself. */
  is_background = self->running == &self->background;
  if (is_background)
    malt_python_run_end (self, NULL);
  Py_BEGIN_ALLOW_THREADS
  ready = malt_python_wait_context (self, fd, self->loop_fd, timeout_usec);
  Py_END_ALLOW_THREADS
  if (is_background)
    {
      malt_python_check_signals ();
      malt_python_run_enter (self, &self->background);
    }
  else if (PyErr_CheckSignals () < 0)
    {
      return NULL;
    }

  if ((ready & 2) != 0)
    return PyObject_CallNoArgs (self->loop_stop);

  Py_RETURN_NONE;
}

/* Another thread has asked to cancel tasks. */
static PyObject *
loop_deliver (PyObject *capsule,
              PyObject *unused G_GNUC_UNUSED)
{
  MaltPython *self = get_python (capsule);

  if (self == NULL)
    return NULL;

  malt_python_tasks_deliver (self);
  Py_RETURN_NONE;
}

static PyMethodDef wait_method = { "wait", (PyCFunction) (void (*) (void)) loop_wait, METH_FASTCALL, NULL };
static PyMethodDef deliver_method = { "deliver", loop_deliver, METH_NOARGS, NULL };

/* Whether user code has closed the loop; then the next coroutine gets a new one. */
static gboolean
forget_if_closed (MaltPython *self)
{
  g_autoptr (PyObject) closed = PyObject_CallMethod (self->loop, "is_closed", NULL);

  if (closed == NULL)
    PyErr_Clear ();
  if (closed != Py_True)
    return FALSE;

  Py_CLEAR (self->loop);
  Py_CLEAR (self->loop_stop);
  malt_python_tasks_drop (self, "the event loop was closed");
  return TRUE;
}

/* FALSE with an exception set.  GIL held. */
static gboolean
make_loop (MaltPython *self)
{
  g_autoptr (PyObject) make = run_helper ("make");
  g_autoptr (PyObject) capsule = make != NULL ? PyCapsule_New (self, NULL, NULL) : NULL;
  g_autoptr (PyObject) wait = NULL;
  g_autoptr (PyObject) deliver = NULL;
  g_autoptr (PyObject) loop = NULL;

  if (capsule == NULL ||
      (wait = PyCFunction_New (&wait_method, capsule)) == NULL ||
      (deliver = PyCFunction_New (&deliver_method, capsule)) == NULL)
    return FALSE;

  loop = PyObject_CallFunction (make, "OiO", wait, self->wake_fd, deliver);
  if (loop == NULL)
    return FALSE;

  self->loop_stop = PyObject_GetAttrString (loop, "stop");
  if (self->loop_stop == NULL)
    return FALSE;

  self->loop = g_steal_pointer (&loop);
  self->loop_fd = -1;
  return TRUE;
}

/* Makes the loop if there is none, whole.  FALSE with an exception set.  GIL held. */
gboolean
malt_python_loop_ensure (MaltPython *self)
{
  g_autoptr (PyObject) asyncio = NULL;

  if (self->loop != NULL && !forget_if_closed (self))
    return TRUE;

  asyncio = malt_python_import (self, "asyncio");
  return asyncio != NULL && malt_python_shield_begin (self) && malt_python_shield_finish (self, make_loop (self));
}

/* Runs the loop until somebody stops it.  What a callback of no request raises is
 * printed. */
static void
run (MaltPython *self)
{
  PyObject *result;

  if (forget_if_closed (self))
    return;

  malt_python_run_enter (self, &self->background);
  result = PyObject_CallMethod (self->loop, "run_forever", NULL);
  if (result == NULL)
    malt_python_error_print (self);
  malt_python_run_end (self, NULL);
  Py_XDECREF (result);

  forget_if_closed (self);
}

/* Lets everything have its turn that is ready now.  GIL held. */
void
malt_python_loop_run_once (MaltPython *self)
{
  PyObject *handle = PyObject_CallMethod (self->loop, "call_soon", "O", self->loop_stop);

  if (handle == NULL)
    {
      malt_python_error_print (self);
      forget_if_closed (self);
      return;
    }

  Py_DECREF (handle);
  run (self);
}

/* Runs the loop until the descriptor can be read, or there is no loop any more.  GIL
 * held. */
void
malt_python_loop_run_until (MaltPython *self,
                            int         fd)
{
  self->loop_fd = fd;
  while (self->loop != NULL)
    {
      run (self);
      if (malt_python_is_readable (fd))
        break;
    }
  self->loop_fd = -1;
}

/* Ends the loop, and drops what is left in it.  GIL held. */
void
malt_python_loop_close (MaltPython *self)
{
  g_autoptr (PyObject) close_helper = NULL;
  g_autoptr (PyObject) result = NULL;

  if (self->loop == NULL)
    return;

  close_helper = run_helper ("close");
  if (close_helper != NULL)
    result = PyObject_CallFunctionObjArgs (close_helper, self->loop, NULL);
  if (result == NULL)
    malt_python_error_print (self);

  Py_CLEAR (self->loop_stop);
  Py_CLEAR (self->loop);
}
