/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-binding.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <signal.h>
#include <unistd.h>

/* Ctrl-C while Python's main thread waits for a worker.
 *
 * Python's own signal handler notes a signal, and does what is to be done when the main
 * thread runs Python code again; here that is after the call.  Until then it writes the
 * number of the signal to a descriptor, that of signal.set_wakeup_fd().  Ours is one that the
 * library's thread reads, which then interrupts the worker's code.  So the call ends, and
 * Python raises KeyboardInterrupt.
 *
 * The first Ctrl-C interrupts, a second one in the same call kills the worker.
 *
 * A signal that Python has dealt with before the call must not reach it, even if the library's
 * thread reads of it late; and one that comes when Python looks no more, but before the call
 * is noted here, must not be lost.  So whoever begins to wait reads what was announced so far,
 * and if there is something, has Python look again.
 *
 * The descriptor stays in place, so that a call costs nothing.  Others may replace it, as
 * main loops do while they run: whether it is still there is looked at once in a while, and
 * while it is somebody else's it is exchanged for each wait. */

/* How long the descriptor is trusted to be in place, in microseconds. */
#define TRUSTED_USEC 1000

static unsigned long main_thread;
static int pipe_fds[2] = { -1, -1 };

/* The main thread's. */
static PyObject *set_wakeup_fd;  /* signal.set_wakeup_fd */
static gint64 looked_at;         /* when the descriptor was looked at, monotonic */
static gboolean is_foreign;      /* it was another one then */

/* Never taken by a thread that has the GIL: it is held while the library is called, which
 * may run code of PyGObject's that takes the GIL. */
static GMutex wait_lock;
/* Guarded by wait_lock. */
static MaltBindingWait *waiting; /* the wait of the main thread, or %NULL */
static guint64 last_serial;
static guint8 seen[64];          /* signals that were read and not passed on */
static guint n_seen;
static gboolean is_missed;       /* signals were read that ended no wait */

/* Whether Python would raise KeyboardInterrupt, or end a loop that is to end then.  A handler
 * of the program's own may have other plans, and is called when the call has ended. */
static gboolean
is_to_break_off (void)
{
  PyGILState_STATE gil_state = PyGILState_Ensure ();
  PyObject *module = PyImport_ImportModule ("gi.overrides._malt.interrupts");
  PyObject *answer = module != NULL ? PyObject_CallMethod (module, "breaks_off", NULL) : NULL;
  gboolean result = answer != NULL && PyObject_IsTrue (answer) > 0;

  PyErr_Clear ();
  Py_XDECREF (answer);
  Py_XDECREF (module);
  PyGILState_Release (gil_state);

  return result;
}

/* Reads what signals came; gives how many of them were SIGINT, and in @n_all all of them. */
static guint
read_signals_locked (guint *n_all)
{
  guint8 number;
  guint n = 0;

  *n_all = 0;
  while (read (pipe_fds[0], &number, 1) == 1)
    {
      n += number == SIGINT;
      (*n_all)++;
      if (n_seen < sizeof seen)
        seen[n_seen++] = number;
    }

  return n;
}

/* Ends a wait by what its kind is for. */
static void
end_wait_locked (gboolean breaks_off)
{
  if (waiting->pending != NULL)
    {
      waiting->n_presses += breaks_off;
      g_atomic_int_set (&waiting->is_wanted, TRUE);
      malt_pending_wake (waiting->pending);
      return;
    }

  if (waiting->worker == NULL)
    g_cancellable_cancel (waiting->cancellable);
  else if (waiting->n_presses == 0)
    malt_worker_interrupt (waiting->worker);
  else
    malt_worker_kill (waiting->worker, SIGKILL);
  waiting->n_presses++;
}

/* On the library's thread, without the GIL. */
static gboolean
signalled_cb (int          fd,
              GIOCondition condition,
              gpointer     user_data)
{
  gboolean is_for_all = FALSE, breaks_off;
  guint64 serial = 0;
  guint n, n_all;

  g_mutex_lock (&wait_lock);
  n = read_signals_locked (&n_all);
  if (waiting != NULL)
    is_for_all = waiting->pending != NULL && n_all > 0;
  if (waiting != NULL && (n > 0 || is_for_all))
    serial = waiting->serial;
  else if (n_all > 0)
    is_missed = TRUE;
  g_mutex_unlock (&wait_lock);
  if (serial == 0)
    return G_SOURCE_CONTINUE;

  breaks_off = n > 0 && is_to_break_off ();
  if (!breaks_off && !is_for_all)
    return G_SOURCE_CONTINUE;

  /* With the lock, so that it cannot meet the next call. */
  g_mutex_lock (&wait_lock);
  if (waiting != NULL && waiting->serial == serial)
    end_wait_locked (breaks_off);
  g_mutex_unlock (&wait_lock);

  return G_SOURCE_CONTINUE;
}

/* On the main thread, when the module is imported there.  FALSE with an exception set. */
gboolean
malt_binding_signals_init (void)
{
  g_autoptr (PyObject) threading = PyImport_ImportModule ("threading");
  g_autoptr (PyObject) thread = threading != NULL ? PyObject_CallMethod (threading, "main_thread", NULL) : NULL;
  g_autoptr (PyObject) signal_module = NULL;
  g_autoptr (PyObject) ident = thread != NULL ? PyObject_GetAttrString (thread, "ident") : NULL;
  GError *error = NULL;

  if (ident == NULL)
    return FALSE;
  main_thread = PyLong_AsUnsignedLong (ident);
  if (PyErr_Occurred ())
    return FALSE;

  signal_module = PyImport_ImportModule ("signal");
  set_wakeup_fd = signal_module != NULL ? PyObject_GetAttrString (signal_module, "set_wakeup_fd") : NULL;
  if (set_wakeup_fd == NULL)
    return FALSE;

  if (!g_unix_open_pipe (pipe_fds, FD_CLOEXEC, &error) ||
      !g_unix_set_fd_nonblocking (pipe_fds[0], TRUE, &error) ||
      !g_unix_set_fd_nonblocking (pipe_fds[1], TRUE, &error))
    {
      PyErr_SetString (PyExc_OSError, error->message);
      g_error_free (error);
      return FALSE;
    }

  return TRUE;
}

static void
watch (void)
{
  static gboolean watching; /* guarded by the GIL */
  GSource *source;

  if (watching)
    return;

  watching = TRUE;
  source = g_unix_fd_source_new (pipe_fds[0], G_IO_IN);
  g_source_set_static_name (source, "[malt] Python signals");
  g_source_set_callback (source, G_SOURCE_FUNC (signalled_cb), NULL, NULL);
  g_source_attach (source, malt_get_library_context ());
  g_source_unref (source);
}

/* Returns the one before; -1 is none. */
static int
exchange_fd (int fd)
{
  static PyObject *names; /* guarded by the GIL */
  g_autoptr (PyObject) number = PyLong_FromLong (fd);
  g_autoptr (PyObject) answer = NULL;
  int before;

  if (names == NULL)
    names = Py_BuildValue ("(s)", "warn_on_full_buffer");
  if (names != NULL && number != NULL)
    {
      PyObject *const arguments[] = { number, Py_False };

      answer = PyObject_Vectorcall (set_wakeup_fd, arguments, 1, names);
    }

  before = answer != NULL ? (int) PyLong_AsLong (answer) : -1;
  /* It fails if the one to be put back was closed meanwhile; then there is none. */
  PyErr_Clear ();
  return before;
}

/* In a forked copy of the program, whose signals are not to be announced to the first one. */
void
malt_binding_signals_after_fork (void)
{
  int before;

  if (looked_at == 0)
    return;

  before = exchange_fd (-1);
  if (before >= 0 && before != pipe_fds[1])
    exchange_fd (before);
}

/* What was announced so far is nobody else's business. */
static void
forget_signals (void)
{
  guint n_all;

  Py_BEGIN_ALLOW_THREADS
  g_mutex_lock (&wait_lock);
  if (waiting == NULL)
    {
      read_signals_locked (&n_all);
      is_missed |= n_all > 0;
      n_seen = 0;
    }
  g_mutex_unlock (&wait_lock);
  Py_END_ALLOW_THREADS
}

/* Sees to it that signals are announced to us; gives the descriptor to be put back, or -1. */
static int
take_fd (void)
{
  gint64 now = g_get_monotonic_time ();
  int before;

  if (!is_foreign && now - looked_at < TRUSTED_USEC)
    return -1;

  watch ();
  looked_at = now;
  forget_signals ();
  before = exchange_fd (pipe_fds[1]);
  is_foreign = before >= 0 && before != pipe_fds[1];

  return is_foreign ? before : -1;
}

/* Takes the signals that nobody has read, which must not meet the next wait, and passes those
 * that came on to whoever had asked to be told of them. */
static void
pass_signals_on (int fd)
{
  PyObject *exception = malt_python_take_exception ();
  guint8 passed[sizeof seen];
  guint n, n_all;

  Py_BEGIN_ALLOW_THREADS
  g_mutex_lock (&wait_lock);
  read_signals_locked (&n_all);
  n = n_seen;
  memcpy (passed, seen, n);
  n_seen = 0;
  g_mutex_unlock (&wait_lock);

  /* What its reader has no room for is lost, as it would be for Python. */
  if (fd >= 0 && n > 0)
    while (write (fd, passed, n) < 0 && errno == EINTR)
      ;
  Py_END_ALLOW_THREADS

  malt_python_give_exception (exception);
}

/* Notes that the main thread waits.  TRUE if signals were announced before, which Python may
 * have dealt with or not.  Without the GIL. */
static gboolean
enter (MaltBindingWait *self)
{
  guint n_all;
  gboolean any;

  g_mutex_lock (&wait_lock);
  read_signals_locked (&n_all);
  any = n_all > 0 || is_missed;
  is_missed = FALSE;
  self->serial = ++last_serial;
  self->outer = waiting;
  waiting = self;
  g_mutex_unlock (&wait_lock);

  return any;
}

/* Without the GIL. */
static void
leave (MaltBindingWait *self)
{
  g_mutex_lock (&wait_lock);
  waiting = self->outer;
  g_mutex_unlock (&wait_lock);
}

/* Enters the wait once Python has dealt with all signals that came before.  FALSE with an
 * exception set. */
static gboolean
look_and_enter (MaltBindingWait *self)
{
  for (;;)
    {
      if (PyErr_CheckSignals () < 0)
        return FALSE;

      self->thread_state = PyEval_SaveThread ();
      if (!enter (self))
        return TRUE;
      leave (self);
      PyEval_RestoreThread (self->thread_state);
    }
}

/* How many waits of this thread there are within each other. */
static __thread guint n_waits;
/* The main thread's: code that ran in a wait was broken off by Ctrl-C. */
static gboolean is_broken_off;

/* Code that runs in a wait has met with KeyboardInterrupt, and cannot raise it: has the wait
 * do so.  FALSE if there is none. */
gboolean
malt_binding_wait_break_off (void)
{
  if (n_waits == 0 || PyThread_get_thread_ident () != main_thread)
    return FALSE;

  is_broken_off = TRUE;
  return TRUE;
}

/* (): whether this thread blocks in a call, and runs what the call's worker wants. */
PyObject *
malt_binding_is_waiting (PyObject *module,
                         PyObject *unused)
{
  return PyBool_FromLong (n_waits > 0);
}

/* Before a thread waits.  Gives the GIL away; or FALSE, with the GIL and the exception of a signal's handler,
 * and then there is no wait that has to be ended. */
static gboolean
wait_begin (MaltBindingWait *self,
            MaltWorker      *worker,
            GCancellable    *cancellable,
            MaltPending     *pending)
{
  self->is_wanted = FALSE;
  self->active = pipe_fds[0] >= 0 && PyThread_get_thread_ident () == main_thread;
  n_waits++;
  if (!self->active)
    {
      self->thread_state = PyEval_SaveThread ();
      return TRUE;
    }

  self->worker = worker;
  self->cancellable = cancellable;
  self->pending = pending;
  self->n_presses = 0;
  self->outer_fd = take_fd ();
  if (look_and_enter (self))
    return TRUE;

  n_waits--;
  if (self->outer_fd >= 0)
    {
      exchange_fd (self->outer_fd);
      pass_signals_on (self->outer_fd);
    }
  return FALSE;
}

/* The wait is for the worker, whose code a Ctrl-C interrupts; or for something else that the
 * cancellable breaks off. */
gboolean
malt_binding_wait_begin (MaltBindingWait *self,
                         MaltWorker      *worker,
                         GCancellable    *cancellable)
{
  return wait_begin (self, worker, cancellable, NULL);
}

/* The wait is for a call that goes on: a signal ends the wait, so that Python deals with it, and
 * the caller waits again. */
gboolean
malt_binding_wait_begin_for (MaltBindingWait *self,
                             MaltPending     *pending)
{
  return wait_begin (self, NULL, NULL, pending);
}

/* When the wait is over: takes the GIL back.  TRUE if there is an exception now, by which the
 * call is to end: KeyboardInterrupt, or what else the program's handlers have raised. */
gboolean
malt_binding_wait_end (MaltBindingWait *self,
                       gboolean         failed)
{
  gboolean raised;

  n_waits--;
  if (self->active)
    leave (self);
  PyEval_RestoreThread (self->thread_state);
  if (!self->active)
    return FALSE;

  if (self->outer_fd >= 0)
    exchange_fd (self->outer_fd);
  raised = PyErr_CheckSignals () < 0;
  if (raised || self->n_presses > 0 || self->is_wanted || self->outer_fd >= 0)
    pass_signals_on (self->outer_fd);

  /* A handler that only makes a note, as that of a main loop does. */
  if (!raised && ((failed && self->n_presses > 0) || is_broken_off))
    {
      PyErr_SetNone (PyExc_KeyboardInterrupt);
      raised = TRUE;
    }
  is_broken_off = FALSE;

  return raised;
}
