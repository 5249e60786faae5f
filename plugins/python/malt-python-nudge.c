/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-python-nudge.h"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

/* An interrupt that comes just as code begins to wait.
 *
 * Python only notes in its handler that there was a SIGINT, and raises KeyboardInterrupt between
 * two byte codes or when a system call was broken off by it.  If the signal comes after the last
 * byte code and before the system call, it is noted and the call blocks all the same, in
 * time.sleep() for as long as that was told.  So the serving thread is nudged with a signal that
 * does nothing but break off system calls: Python then looks whether it has noted anything, and
 * waits on if it has not.
 *
 * How long it takes from the last byte code to the system call nobody knows.  So it is nudged until
 * Python has looked, or what was interrupted runs no longer.  Python makes pending calls where it
 * looks for signals, so the first of these after the signal says that it has. */

#define FIRST_USEC 1000
#define LAST_USEC  (512 * 1000)

static int
get_signal (void)
{
  return SIGRTMAX; /* no constant */
}

static void
nudged_cb (int signum)
{
}

/* In a process of its own. */
void
malt_python_nudge_prepare (void)
{
  struct sigaction action = { .sa_handler = nudged_cb }; /* without SA_RESTART */

  sigaction (get_signal (), &action, NULL);
}

/* Python looks.  GIL held, on its main thread. */
static int
look_cb (void *data)
{
  MaltPython *self = data; /* which is there for longer than the interpreter */

  g_mutex_lock (&self->lock);
  self->look_asked = FALSE;
  self->unseen = FALSE;
  g_mutex_unlock (&self->lock);

  /* The kernel delivers what has been sent at a system call, if it has not yet. */
  syscall (SYS_getpid);
  return PyErr_CheckSignals ();
}

static gpointer
nudge_thread (gpointer data)
{
  g_autoptr (MaltRuntime) runtime G_GNUC_UNUSED = NULL;
  MaltPython *self = data;

  runtime = self->runtime;
  g_mutex_lock (&self->lock);
  while (self->signalled && self->unseen)
    {
      guint usec = self->nudge_usec;

      /* There may be too many already, of others. */
      if (!self->look_asked)
        self->look_asked = Py_AddPendingCall (look_cb, self) == 0;

      self->nudge_usec = MIN (usec * 2, LAST_USEC);
      g_mutex_unlock (&self->lock);
      g_usleep (usec);
      g_mutex_lock (&self->lock);
      if (self->signalled && self->unseen)
        pthread_kill (self->thread, get_signal ());
    }
  self->nudge_usec = 0;
  g_mutex_unlock (&self->lock);

  return NULL;
}

/* A SIGINT was sent into what runs now. */
void
malt_python_nudge_begin_locked (MaltPython *self)
{
  gboolean is_nudging = self->nudge_usec > 0;
  GThread *thread;

  self->unseen = TRUE;
  self->nudge_usec = FIRST_USEC;
  if (is_nudging)
    return;

  g_object_ref (self->runtime);
  thread = g_thread_try_new ("malt-nudge", nudge_thread, self, NULL);
  if (thread != NULL)
    {
      g_thread_unref (thread);
      return;
    }

  /* The system has no more threads. */
  self->nudge_usec = 0;
  g_object_unref (self->runtime);
}
