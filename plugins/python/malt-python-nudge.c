/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-python-nudge.h"

#include <signal.h>

/* An interrupt that comes just as code begins to wait.
 *
 * Python only notes in its handler that there was a SIGINT, and raises KeyboardInterrupt between
 * two byte codes or when a system call was broken off by it.  If the signal comes after the last
 * byte code and before the system call, it is noted and the call blocks all the same, in
 * time.sleep() for as long as that was told.  So the serving thread is nudged with a signal that
 * does nothing but break off system calls: Python then looks whether it has noted anything, and
 * waits on if it has not.
 *
 * How long it takes from the last byte code to the system call nobody knows, nor does Python tell
 * that it has looked.  So it is nudged for as long as it runs what was interrupted, but ever more
 * seldom: a lost interrupt is noticed before twice the time is over, and code that has caught the
 * exception and goes on for a day is nudged some thirty times. */

#define FIRST_USEC 1000

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

static gpointer
nudge_thread (gpointer data)
{
  g_autoptr (MaltRuntime) runtime G_GNUC_UNUSED = NULL;
  MaltPython *self = data;

  runtime = self->runtime;
  g_mutex_lock (&self->lock);
  while (self->signalled)
    {
      gint64 end = g_get_monotonic_time () + self->nudge_usec;

      /* Woken, it looks anew: something else may run, or have been interrupted once more. */
      if (g_cond_wait_until (&self->nudge_cond, &self->lock, end) || !self->signalled)
        continue;

      pthread_kill (self->thread, get_signal ());
      self->nudge_usec *= 2;
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

  self->nudge_usec = FIRST_USEC;
  if (is_nudging)
    {
      g_cond_signal (&self->nudge_cond);
      return;
    }

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

/* What was interrupted runs no longer. */
void
malt_python_nudge_end_locked (MaltPython *self)
{
  if (self->nudge_usec > 0)
    g_cond_signal (&self->nudge_cond);
}
