/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-library-thread.h"

#include "malt-worker.h"
#include "wire/malt-fork.h"

/* The one thread of the library's own.  It starts processes, because a worker is
 * killed by the kernel when the thread that started it ends; it notices their deaths,
 * and it counts the time of deadlines.  It runs nobody else's code, and lives as long
 * as the program.
 *
 * It is not in a copy of the program that fork() makes, nor can one be started there: nobody
 * knows in which state the copy found what the thread and others were at. */
static GMainContext *library_context;
static guint library_generation; /* of the process that has the thread; see malt-fork.c */

/* Whether there was one, before this process was forked off. */
gboolean
malt_library_thread_is_gone (void)
{
  return g_atomic_pointer_get (&library_context) != NULL && library_generation != malt_fork_get_generation ();
}

static gpointer
run_library_thread (gpointer user_data)
{
  GMainContext *context = user_data;

  g_main_context_push_thread_default (context);
  for (;;)
    g_main_context_iteration (context, TRUE);

  return NULL;
}

/**
 * malt_get_library_context: (skip)
 *
 * Gets the main context of the library's own thread, which runs always.
 *
 * It is for backends: to watch descriptors and processes, and to start processes from a
 * thread that lives as long as the program.  Nothing that blocks and nothing foreign
 * may run there.
 *
 * Returns: (transfer none): the context
 *
 * Since: 1.0
 */
GMainContext *
malt_get_library_context (void)
{
  if (g_once_init_enter (&library_context))
    {
      GMainContext *context = g_main_context_new ();

      library_generation = malt_fork_get_generation ();
      g_thread_unref (g_thread_new ("malt", run_library_thread, context));
      g_once_init_leave (&library_context, context);
    }

  return library_context;
}
