/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-python-task.h"

#include <errno.h>
#include <unistd.h>

#include "malt-python-answer.h"
#include "malt-python-host.h"
#include "malt-python-interrupt.h"
#include "malt-python-loop.h"
#include "malt-python-output.h"

/* A request that awaits.
 *
 * MaltPythonTask is a Python object, a coroutine around the user's one, which an asyncio
 * task drives.  It notes for whom code runs during each step, and when the user's
 * coroutine ends in whatever way it finishes the request and ends quietly.  So asyncio
 * never sees an exception of the user's, among which KeyboardInterrupt and SystemExit
 * would stop the loop. */

enum
{
  ASK_CANCEL    = 1 << 0,
  ASK_INTERRUPT = 1 << 1,
};

struct _MaltPythonTask
{
  PyObject_HEAD

  /* Serving thread, with the GIL. */
  MaltPython     *python;   /* %NULL once it is finished */
  MaltRequest    *request;  /* (owned) */
  PyObject       *inner;    /* what is awaited now: a coroutine or an iterator */
  PyObject       *task;     /* the asyncio task, which holds a reference to this */
  MaltPythonCode  code;     /* what is to run after it */

  MaltPythonRun   run;

  /* Guarded by MaltPython.lock. */
  guint           asked;    /* and the serving thread has not yet seen it */
  GList           order;    /* link in MaltPython.order */
  GList           asking;   /* link in MaltPython.asked, if asked */
};

static PyTypeObject task_type;

/* Takes it out of the tables, which gives up their reference. */
static void
task_remove (MaltPythonTask *self)
{
  MaltPython *python = g_steal_pointer (&self->python);

  if (python == NULL)
    return;

  g_mutex_lock (&python->lock);
  if (self->asked != 0)
    g_queue_unlink (&python->asked, &self->asking);
  self->asked = 0;
  g_queue_unlink (&python->order, &self->order);
  g_hash_table_steal (python->tasks, self->request);
  g_mutex_unlock (&python->lock);

  Py_CLEAR (self->task);
  Py_DECREF (self);
}

static void
task_dealloc (PyObject *object)
{
  MaltPythonTask *self = (MaltPythonTask *) object;

  Py_CLEAR (self->inner);
  malt_python_code_clear (&self->code);
  g_clear_object (&self->request);
  Py_TYPE (object)->tp_free (object);
}

/* What to send to in order to await something.  A new reference. */
static PyObject *
get_iterator (PyObject *awaitable)
{
  if (PyCoro_CheckExact (awaitable))
    return Py_NewRef (awaitable);

  return Py_TYPE (awaitable)->tp_as_async->am_await (awaitable);
}

/* An iterator says by an exception with what it has ended. */
static PySendResult
take_return_value (PyObject **result)
{
  g_autoptr (PyObject) stop = NULL;

  if (!PyErr_ExceptionMatches (PyExc_StopIteration))
    return PYGEN_ERROR;

  stop = malt_python_take_exception ();
  *result = PyObject_GetAttrString (stop, "value");
  return *result != NULL ? PYGEN_RETURN : PYGEN_ERROR;
}

/* Sends a value, or throws an exception if there is one, as "yield from" does. */
static PySendResult
resume (PyObject  *iterator,
        PyObject  *value,
        PyObject  *exception,
        PyObject **result)
{
  g_autoptr (PyObject) method = NULL;

  if (exception == NULL)
    return PyIter_Send (iterator, value, result);

  method = PyObject_GetAttrString (iterator, "throw");
  if (method == NULL)
    {
      malt_python_give_exception (Py_NewRef (exception));
      *result = NULL;
      return PYGEN_ERROR;
    }

  *result = PyObject_CallOneArg (method, exception);
  return *result != NULL ? PYGEN_NEXT : take_return_value (result);
}

/* Goes on with what is awaited, and with what comes after it. */
static PySendResult
advance (MaltPythonTask  *self,
         PyObject        *value,
         PyObject        *exception,
         PyObject       **result)
{
  PySendResult status = resume (self->inner, value, exception, result);
  gboolean awaits;

  while (status == PYGEN_RETURN && (self->code.body != NULL || self->code.expression != NULL))
    {
      Py_CLEAR (*result);
      *result = malt_python_code_run (&self->code, &awaits);
      if (*result == NULL)
        return PYGEN_ERROR;
      if (!awaits)
        return PYGEN_RETURN;

      Py_SETREF (self->inner, *result);
      status = resume (self->inner, Py_None, NULL, result);
    }

  return status;
}

/* Whether it was interrupted while it was suspended, and is about to go on before that
 * could be delivered.  It may never await again. */
static gboolean
take_interrupt (MaltPythonTask *self)
{
  MaltPython *python = self->python;
  gboolean interrupted;

  g_mutex_lock (&python->lock);
  interrupted = (self->asked & ASK_INTERRUPT) != 0;
  if (interrupted)
    {
      self->asked &= ~(guint) ASK_INTERRUPT;
      if (self->asked == 0)
        g_queue_unlink (&python->asked, &self->asking);
    }
  g_mutex_unlock (&python->lock);

  return interrupted;
}

/* One step of the request.  Returns what asyncio is to wait for, or %NULL at the end. */
static PyObject *
step (MaltPythonTask *self,
      PyObject       *value,
      PyObject       *exception)
{
  MaltPython *python = self->python;
  MaltPythonRun *outer;
  MaltPythonAnswer answer = { NULL, NULL, NULL };
  g_autoptr (PyObject) interrupt = NULL;
  PyObject *result = NULL;
  PySendResult status;
  gboolean dropped;

  if (python == NULL)
    return NULL;

  outer = python->running;
  malt_python_run_enter (python, &self->run);
  if (exception == NULL && take_interrupt (self))
    exception = interrupt = PyObject_CallNoArgs (PyExc_KeyboardInterrupt);
  status = advance (self, value, exception, &result);
  if (status != PYGEN_NEXT)
    malt_python_answer_make (python, &answer, &self->run, status == PYGEN_RETURN ? result : NULL);
  malt_python_output_flush ();
  dropped = malt_python_run_end (python, outer);

  if (status == PYGEN_NEXT)
    {
      /* It came after the last byte code of this step, and the request goes on. */
      if (dropped)
        {
          g_mutex_lock (&python->lock);
          malt_python_task_ask_locked (python, self->request, TRUE);
          g_mutex_unlock (&python->lock);
        }
      return result;
    }

  Py_INCREF (self);
  task_remove (self);
  malt_python_host_run_ended (python, &self->run, g_atomic_int_get (&self->run.interrupted) ||
                                                  g_atomic_int_get (&self->run.cancelled));
  malt_python_answer_send_with_gil (python, &answer, self->request);
  Py_DECREF (self);

  return NULL;
}

static PySendResult
task_am_send (PyObject  *object,
              PyObject  *value,
              PyObject **result)
{
  *result = step ((MaltPythonTask *) object, value, NULL);
  if (*result != NULL)
    return PYGEN_NEXT;

  *result = Py_NewRef (Py_None);
  return PYGEN_RETURN;
}

static PyObject *
step_or_stop (PyObject *object,
              PyObject *value,
              PyObject *exception)
{
  PyObject *result = step ((MaltPythonTask *) object, value, exception);

  if (result == NULL)
    PyErr_SetNone (PyExc_StopIteration);
  return result;
}

static PyObject *
task_send (PyObject *object,
           PyObject *value)
{
  return step_or_stop (object, value, NULL);
}

static PyObject *
task_iternext (PyObject *object)
{
  return step_or_stop (object, Py_None, NULL);
}

/* throw (exception), or the old way: throw (type, value, traceback). */
static PyObject *
task_throw (PyObject *object,
            PyObject *args)
{
  PyObject *type, *value = NULL, *traceback = NULL;
  g_autoptr (PyObject) exception = NULL;

  if (!PyArg_UnpackTuple (args, "throw", 1, 3, &type, &value, &traceback))
    return NULL;

  if (PyExceptionInstance_Check (type))
    exception = Py_NewRef (type);
  else if (value != NULL && PyExceptionInstance_Check (value))
    exception = Py_NewRef (value);
  else
    exception = value == NULL || value == Py_None ? PyObject_CallNoArgs (type) : PyObject_CallOneArg (type, value);
  if (exception == NULL)
    return NULL;
  if (!PyExceptionInstance_Check (exception))
    {
      PyErr_SetString (PyExc_TypeError, "exceptions must derive from BaseException");
      return NULL;
    }

  return step_or_stop (object, NULL, exception);
}

static PyObject *
task_close (PyObject *object G_GNUC_UNUSED,
            PyObject *unused G_GNUC_UNUSED)
{
  Py_RETURN_NONE;
}

static PyMethodDef task_methods[] = {
  { "send", task_send, METH_O, NULL },
  { "throw", task_throw, METH_VARARGS, NULL },
  { "close", task_close, METH_NOARGS, NULL },
  { NULL, NULL, 0, NULL }
};

static PyAsyncMethods task_async_methods = {
  .am_await = Py_NewRef,
  .am_send = task_am_send,
};

static PyTypeObject task_type = {
  PyVarObject_HEAD_INIT (NULL, 0)
  .tp_name = "malt.Request",
  .tp_basicsize = sizeof (MaltPythonTask),
  .tp_dealloc = task_dealloc,
  .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
  .tp_as_async = &task_async_methods,
  .tp_iter = PyObject_SelfIter,
  .tp_iternext = task_iternext,
  .tp_methods = task_methods,
};

/* Python would warn of a coroutine that was never awaited.  With an exception, which stays. */
static void
close_unawaited (PyObject *awaitable)
{
  PyObject *exception = malt_python_take_exception ();
  g_autoptr (PyObject) result = NULL;

  if (PyCoro_CheckExact (awaitable))
    result = PyObject_CallMethod (awaitable, "close", NULL);
  PyErr_Clear ();
  malt_python_give_exception (exception);
}

/* Gives what is to be awaited, and the code after it, to the loop.  It begins when the
 * loop runs.  FALSE with an exception set.  GIL held. */
gboolean
malt_python_task_start (MaltPython     *python,
                        MaltRequest    *request,
                        PyObject       *awaitable,
                        MaltPythonCode *code)
{
  g_autoptr (PyObject) object = NULL;
  MaltPythonTask *self;

  if (PyType_Ready (&task_type) < 0 || !malt_python_loop_ensure (python))
    {
      close_unawaited (awaitable);
      return FALSE;
    }

  self = PyObject_New (MaltPythonTask, &task_type);
  if (self == NULL)
    return FALSE;
  memset ((char *) self + sizeof (PyObject), 0, sizeof *self - sizeof (PyObject));
  object = (PyObject *) self;

  self->request = g_object_ref (request);
  self->run.request = self->request;
  self->order.data = self;
  self->asking.data = self;
  self->inner = get_iterator (awaitable);
  if (self->inner == NULL)
    return FALSE;

  /* If an interrupt ends it half way, there may be a task all the same, of which nothing comes. */
  self->task = PyObject_CallMethod (python->loop, "create_task", "O", object);
  if (self->task == NULL)
    {
      close_unawaited (awaitable);
      return FALSE;
    }

  self->code = *code;
  *code = (MaltPythonCode) { NULL, NULL, NULL };

  g_mutex_lock (&python->lock);
  self->python = python;
  g_hash_table_insert (python->tasks, self->request, Py_NewRef (object));
  g_queue_push_tail_link (&python->order, &self->order);
  /* Cancelled on its way here. */
  if (g_cancellable_is_cancelled (malt_request_get_cancellable (request)))
    malt_python_task_ask_locked (python, request, FALSE);
  g_mutex_unlock (&python->lock);

  return TRUE;
}

/* Has the serving thread cancel a task: that of the request, or the latest one if that is
 * %NULL.  FALSE if there is none, or if that was asked already and not yet done.  On any
 * thread, without the GIL. */
gboolean
malt_python_task_ask_locked (MaltPython  *python,
                             MaltRequest *request,
                             gboolean     interrupt)
{
  const guint64 one = 1;
  MaltPythonTask *self;
  guint ask = interrupt ? ASK_INTERRUPT : ASK_CANCEL;

  self = request != NULL ? g_hash_table_lookup (python->tasks, request) : g_queue_peek_tail (&python->order);
  if (self == NULL || (self->asked & ask) != 0)
    return FALSE;

  if (self->asked == 0)
    g_queue_push_tail_link (&python->asked, &self->asking);
  self->asked |= ask;
  if (interrupt)
    g_atomic_int_set (&self->run.interrupted, TRUE);
  else
    g_atomic_int_set (&self->run.cancelled, TRUE);

  /* It can only fail if the counter is full, and then the loop is awake. */
  while (write (python->wake_fd, &one, sizeof one) < 0 && errno == EINTR)
    ;
  return TRUE;
}

/* Cancels what was asked for, and sets the futures of what was answered.  GIL held, in the
 * loop. */
void
malt_python_tasks_deliver (MaltPython *python)
{
  guint64 count;
  MaltPythonTask *self;
  PyObject *result;

  while (read (python->wake_fd, &count, sizeof count) < 0 && errno == EINTR)
    ;

  for (;;)
    {
      g_autoptr (PyObject) task = NULL;

      g_mutex_lock (&python->lock);
      self = g_queue_peek_head (&python->asked);
      if (self != NULL)
        {
          g_queue_unlink (&python->asked, &self->asking);
          self->asked = 0;
          task = Py_XNewRef (self->task);
        }
      g_mutex_unlock (&python->lock);

      if (self == NULL)
        break;

      result = task != NULL ? PyObject_CallMethod (task, "cancel", NULL) : NULL;
      if (result == NULL)
        PyErr_Clear ();
      Py_XDECREF (result);
    }

  malt_python_host_deliver (python);
}

/* Ends all requests that await, and their coroutines.  GIL held. */
void
malt_python_tasks_drop (MaltPython *python,
                        const char *reason)
{
  MaltPythonTask *self;

  while ((self = g_queue_peek_head (&python->order)) != NULL)
    {
      g_autoptr (PyObject) object G_GNUC_UNUSED = Py_NewRef ((PyObject *) self);
      g_autoptr (PyObject) result = NULL;
      MaltPythonAnswer answer = { NULL, NULL, NULL };

      /* Else asyncio complains when the task goes. */
      if (self->task != NULL)
        PyObject_SetAttrString (self->task, "_log_destroy_pending", Py_False);
      PyErr_Clear ();

      task_remove (self);
      answer.error = g_error_new (MALT_ERROR, MALT_ERROR_TERMINATED, "%s while the call waited", reason);
      malt_python_answer_send_with_gil (python, &answer, self->request);

      /* So that its "finally" is run. */
      result = PyObject_CallMethod (self->inner, "close", NULL);
      PyErr_Clear ();
      malt_python_host_run_ended (python, &self->run, TRUE);
    }
}
