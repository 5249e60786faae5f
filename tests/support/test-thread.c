/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test-thread.h"

#include "test-home.h"

/* A thread that may need the one that waits for it. */

struct _TestThread
{
  GThread     *thread;
  GThreadFunc  func;
  gpointer     data;
  gint         done; /* atomic */
};

static gpointer
run (gpointer data)
{
  TestThread *self = data;
  gpointer result = self->func (self->data);

  g_atomic_int_set (&self->done, TRUE);
  g_main_context_wakeup (NULL);
  return result;
}

TestThread *
test_thread_new (const char  *name,
                 GThreadFunc  func,
                 gpointer     data)
{
  TestThread *self = g_new0 (TestThread, 1);

  self->func = func;
  self->data = data;
  self->thread = g_thread_new (name, run, self);
  return self;
}

/* Waits until it has ended, and frees it.  If workers live on this thread, the main context in
 * which they do is run meanwhile. */
gpointer
test_thread_join (TestThread *self)
{
  gpointer result;

  while (test_home_is_here () && !g_atomic_int_get (&self->done))
    g_main_context_iteration (NULL, TRUE);

  result = g_thread_join (self->thread);
  g_free (self);
  return result;
}
