/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-python-interrupt.h"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "malt-python-nudge.h"
#include "malt-python-task.h"

/* Interrupts and cancellation, which come from other threads.
 *
 * What Python code runs for whom is noted in MaltPython.running, under the lock, around
 * every stretch of it: run_begin() or run_enter(), run_end().  An interrupt looks there
 * under the same lock, so it hits what it was meant for or nothing.
 *
 * In a process of our own the serving thread is Python's main thread, and an interrupt
 * is a real SIGINT to that thread: system calls return, and Python's handler raises
 * KeyboardInterrupt.  The signal is sent with the lock held.  So when run_end() has the
 * lock, every signal of this run is at least pending in the kernel.
 *
 * In the application's process signals are the application's, and an interrupt is
 * Python's asynchronous exception for the serving thread.  It is raised between two byte
 * codes, so it cannot break off a call that blocks in C, such as time.sleep().  Setting
 * it needs the GIL, for which the interrupting thread must not wait; so a helper thread
 * does it, and sees whether the same step still runs.
 *
 * A coroutine that is suspended is cancelled by its loop: the request is put into a list
 * and the loop is woken, neither of which needs the GIL. */

/* How long a callback of no request runs before it can be interrupted: longer than one of a busy
 * machine waits for a processor. */
#define HOG_USEC (100 * 1000)

/* Lets Python handle signals that came when no code of a request ran.  GIL held. */
void
malt_python_check_signals (void)
{
  while (PyErr_CheckSignals () < 0)
    {
      if (PyErr_ExceptionMatches (PyExc_KeyboardInterrupt))
        PyErr_Clear ();
      else
        PyErr_WriteUnraisable (NULL);
    }
}

static void
set_running_locked (MaltPython    *self,
                    MaltPythonRun *run)
{
  self->running = run;
  self->step++;
  if (run == &self->background)
    self->background_since = g_get_monotonic_time ();
}

/* Python code runs from now on.  GIL held. */
void
malt_python_run_enter (MaltPython    *self,
                       MaltPythonRun *run)
{
  g_mutex_lock (&self->lock);
  set_running_locked (self, run);
  g_mutex_unlock (&self->lock);
}

/* Begins with a request.  FALSE if it was interrupted on its way here; run_end() is to
 * be called all the same.  GIL held. */
gboolean
malt_python_run_begin (MaltPython    *self,
                       MaltPythonRun *run)
{
  gboolean hit;

  g_mutex_lock (&self->lock);
  set_running_locked (self, run);
  hit = self->arriving_hit;
  self->arriving_hit = FALSE;
  g_atomic_int_set (&self->arriving, FALSE);
  g_mutex_unlock (&self->lock);

  /* Whoever interrupts this request first marks it, then looks what runs: so at least one
   * of us sees the other. */
  return !hit && !malt_request_is_interrupted (run->request);
}

/* Drops an interrupt that came too late to be raised.  TRUE if there was one. */
static gboolean
drop_signal (void)
{
  PyObject *exception = malt_python_take_exception ();
  gboolean dropped = FALSE;

  /* The signal is pending, but the kernel delivers it only on the way back from a
   * system call or a clock tick.  Any system call will do. */
  syscall (SYS_getpid);

  while (PyErr_CheckSignals () < 0)
    {
      if (PyErr_ExceptionMatches (PyExc_KeyboardInterrupt))
        {
          PyErr_Clear ();
          dropped = TRUE;
        }
      else
        {
          PyErr_WriteUnraisable (NULL);
        }
    }

  malt_python_give_exception (exception);
  return dropped;
}

/* Python code runs no longer, or @outer does again.  TRUE if an interrupt was dropped,
 * because it came after the last byte code.  GIL held. */
gboolean
malt_python_run_end (MaltPython    *self,
                     MaltPythonRun *outer)
{
  gboolean dropped = FALSE;
  gboolean signalled;

  g_mutex_lock (&self->lock);
  signalled = self->signalled;
  self->signalled = FALSE;
  if (signalled)
    malt_python_nudge_end_locked (self);
  set_running_locked (self, outer);
  if (signalled && !self->own_process)
    {
      dropped = PyThreadState_Get ()->async_exc != NULL;
      PyThreadState_SetAsyncExc (self->thread_ident, NULL);
    }
  g_mutex_unlock (&self->lock);

  if (signalled && self->own_process)
    dropped = drop_signal ();

  return dropped;
}

/* Code of Python itself that would be left in pieces if it were broken off, such as a
 * package that is half imported, is run between these two.  Either returns FALSE, with
 * KeyboardInterrupt set, if there was an interrupt.  GIL held, no exception set. */
gboolean
malt_python_shield_begin (MaltPython *self)
{
  gboolean signalled, hit;

  g_mutex_lock (&self->lock);
  self->shielded = TRUE;
  self->shield_hit = FALSE;
  signalled = self->signalled;
  hit = signalled && !self->own_process && PyThreadState_Get ()->async_exc != NULL;
  if (hit)
    PyThreadState_SetAsyncExc (self->thread_ident, NULL);
  g_mutex_unlock (&self->lock);

  if (signalled && self->own_process)
    hit = drop_signal ();
  if (!hit)
    return TRUE;

  malt_python_shield_end (self);
  PyErr_SetNone (PyExc_KeyboardInterrupt);
  return FALSE;
}

gboolean
malt_python_shield_end (MaltPython *self)
{
  gboolean hit;

  g_mutex_lock (&self->lock);
  self->shielded = FALSE;
  hit = self->shield_hit;
  g_mutex_unlock (&self->lock);

  if (hit)
    PyErr_SetNone (PyExc_KeyboardInterrupt);
  return !hit;
}

/* The same after what has set an exception if it has failed, which is not heard of then if there was
 * an interrupt.  FALSE with an exception. */
gboolean
malt_python_shield_finish (MaltPython *self,
                           gboolean    succeeded)
{
  g_autoptr (PyObject) exception = NULL;

  if (succeeded)
    return malt_python_shield_end (self);

  exception = malt_python_take_exception ();
  if (malt_python_shield_end (self))
    malt_python_give_exception (g_steal_pointer (&exception));
  return FALSE;
}

/* Imports a module of Python's own, whole.  A new reference, or %NULL with an exception. */
PyObject *
malt_python_import (MaltPython *self,
                    const char *name)
{
  g_autoptr (PyObject) module = NULL;

  if (!malt_python_shield_begin (self))
    return NULL;

  module = PyImport_ImportModule (name);
  return malt_python_shield_finish (self, module != NULL) ? g_steal_pointer (&module) : NULL;
}

/* What runs now may be waiting in the library, where no signal is looked at.  Whoever
 * cancels what the wait ends with runs nothing but our own handler. */
static void
break_wait_locked (MaltPython *self)
{
  if (self->waiting != NULL)
    g_cancellable_cancel (self->waiting);
}

/* The serving thread begins to wait, or ends with %NULL.  FALSE, with an exception, if it was
 * interrupted.  GIL held. */
gboolean
malt_python_set_waiting (MaltPython   *self,
                         GCancellable *waiting)
{
  gboolean signalled, hit;

  g_mutex_lock (&self->lock);
  self->waiting = waiting;
  signalled = self->signalled;
  hit = signalled && !self->own_process && PyThreadState_Get ()->async_exc != NULL;
  if (hit)
    PyThreadState_SetAsyncExc (self->thread_ident, NULL);
  g_mutex_unlock (&self->lock);

  if (hit)
    {
      PyErr_SetNone (PyExc_KeyboardInterrupt);
      return FALSE;
    }

  /* See drop_signal(). */
  if (signalled && self->own_process)
    syscall (SYS_getpid);
  return PyErr_CheckSignals () == 0;
}

typedef struct
{
  MaltPython  *python;
  MaltRuntime *runtime; /* (owned): keeps python */
  MaltRequest *request; /* (owned) (nullable) */
  guint64      step;
} Raise;

/* Whether the serving thread is just where Python locks what it imports.  Broken off there it may
 * keep a lock for which all imports of the program wait.  GIL held. */
static gboolean
is_importing (MaltPython *self)
{
  PyObject *function = PySys_GetObject ("_current_frames");
  g_autoptr (PyObject) frames = function != NULL ? PyObject_CallNoArgs (function) : NULL;
  g_autoptr (PyObject) ident = PyLong_FromUnsignedLong (self->thread_ident);
  g_autoptr (PyObject) code = NULL;
  g_autoptr (PyObject) name = NULL;
  PyObject *frame = NULL;

  if (frames != NULL && ident != NULL)
    frame = PyDict_GetItemWithError (frames, ident);
  if (frame != NULL)
    code = PyObject_GetAttrString (frame, "f_code");
  if (code != NULL)
    name = PyObject_GetAttrString (code, "co_filename");
  PyErr_Clear ();

  return name != NULL && PyUnicode_Check (name) &&
         PyUnicode_CompareWithASCIIString (name, "<frozen importlib._bootstrap>") == 0;
}

/* FALSE if that cannot be done just now.  GIL held. */
static gboolean
try_to_raise (Raise *raise_)
{
  MaltPython *self = raise_->python;
  gboolean is_held_up = is_importing (self);

  g_mutex_lock (&self->lock);
  is_held_up = is_held_up && self->running != NULL && self->step == raise_->step && !self->shielded;
  if (is_held_up)
    {
      g_mutex_unlock (&self->lock);
      return FALSE;
    }

  if (self->raising == raise_->step)
    self->raising = 0;
  if (self->running != NULL && self->step == raise_->step)
    {
      g_atomic_int_set (&self->running->interrupted, TRUE);
      self->shield_hit = self->shielded;
      self->signalled |= !self->shielded;
      if (!self->shielded)
        PyThreadState_SetAsyncExc (self->thread_ident, PyExc_KeyboardInterrupt);
      break_wait_locked (self);
    }
  else if (raise_->request != NULL)
    {
      /* It was a coroutine's step; what is suspended now can still be cancelled. */
      malt_python_task_ask_locked (self, raise_->request, TRUE);
    }
  g_mutex_unlock (&self->lock);

  return TRUE;
}

/* How long it waits for an import to get on, of which nobody tells. */
#define IMPORT_USEC 1000

static gpointer
raise_thread (gpointer data)
{
  g_autofree Raise *raise_ = data;
  PyGILState_STATE gil_state = PyGILState_Ensure ();

  while (!try_to_raise (raise_))
    {
      Py_BEGIN_ALLOW_THREADS
      g_usleep (IMPORT_USEC);
      Py_END_ALLOW_THREADS
    }

  PyGILState_Release (gil_state);

  g_clear_object (&raise_->request);
  g_object_unref (raise_->runtime);
  return NULL;
}

/* Breaks off what runs now. */
static void
signal_locked (MaltPython *self)
{
  Raise *raise_;
  GThread *thread;

  if (self->own_process)
    {
      g_atomic_int_set (&self->running->interrupted, TRUE);
      self->shield_hit = self->shielded;
      self->signalled |= !self->shielded;
      if (!self->shielded)
        {
          pthread_kill (self->thread, SIGINT);
          malt_python_nudge_begin_locked (self);
        }
      break_wait_locked (self);
      return;
    }

  if (self->raising == self->step)
    return;

  raise_ = g_new0 (Raise, 1);
  raise_->python = self;
  raise_->runtime = g_object_ref (self->runtime);
  g_set_object (&raise_->request, self->running->request);
  raise_->step = self->step;

  thread = g_thread_try_new ("malt-interrupt", raise_thread, raise_, NULL);
  if (thread != NULL)
    {
      self->raising = self->step;
      g_thread_unref (thread);
      return;
    }

  /* The system has no more threads: then this interrupt is lost, as one is that comes
   * too late.  The references are dropped, none of them can be the last. */
  g_clear_object (&raise_->request);
  g_object_unref (raise_->runtime);
  g_free (raise_);
}

void
malt_python_interrupt (MaltPython  *self,
                       MaltRequest *request)
{
  MaltPythonRun *running;

  g_mutex_lock (&self->lock);

  running = self->running;
  if (running != NULL && running->request != NULL && (request == NULL || request == running->request))
    signal_locked (self);
  /* It may have to wait for the GIL before it runs. */
  else if (running == NULL && request == NULL && g_atomic_int_get (&self->arriving))
    self->arriving_hit = TRUE;
  /* A callback that does not end keeps the loop from cancelling what waits, so a second
   * interrupt is for the callback.  One that ends at once is let alone, and so is the
   * loop itself, which would forget what it is about to do. */
  else if (!malt_python_task_ask_locked (self, request, TRUE) && running == &self->background &&
           g_get_monotonic_time () - self->background_since > HOG_USEC)
    signal_locked (self);

  g_mutex_unlock (&self->lock);
}

/* Only coroutines can be asked to give up. */
void
malt_python_cancel (MaltPython  *self,
                    MaltRequest *request)
{
  g_mutex_lock (&self->lock);
  malt_python_task_ask_locked (self, request, FALSE);
  g_mutex_unlock (&self->lock);
}
