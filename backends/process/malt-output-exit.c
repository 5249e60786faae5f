/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-output-exit.h"

#include <stdlib.h>
#include <unistd.h>

#include "malt-output-writer.h"

/* The end of the program, when it is a normal one.  Workers may still run, and end with
 * it.  What they have printed lies in their pipes, some of it from before the reply to
 * the last call, and is expected to come out.  So each source that forwards is asked to
 * empty its pipe once more, where it always does, and then the writer to write it all;
 * neither for longer than a short time. */

#define READ_MSEC  1000
#define WRITE_MSEC 1000

static GMutex exit_lock;
static GCond exit_progressed;

/* All under exit_lock. */
static GHashTable *exit_watched; /* set of GSource (unowned) */
static GHashTable *exit_awaited; /* set of those that have yet to empty their pipes */
static pid_t exit_pid;

static void
forward_at_exit (void)
{
  gint64 end = g_get_monotonic_time () + READ_MSEC * 1000;
  GHashTableIter iter;
  gpointer source;

  /* In a forked copy of the program there are no threads to do it, and the lock is in
   * whatever state it was. */
  if (getpid () != exit_pid)
    return;

  g_mutex_lock (&exit_lock);

  g_hash_table_iter_init (&iter, exit_watched);
  while (g_hash_table_iter_next (&iter, &source, NULL))
    {
      g_hash_table_add (exit_awaited, source);
      g_source_set_ready_time (source, 0);
    }

  while (g_hash_table_size (exit_awaited) > 0 &&
         g_cond_wait_until (&exit_progressed, &exit_lock, end))
    continue;

  g_mutex_unlock (&exit_lock);

  malt_output_writer_flush (WRITE_MSEC);
}

/* Begins to ask a source at the end; its ready time is set then.  The source calls
 * malt_output_exit_unwatch() when it is finalized at the latest. */
void
malt_output_exit_watch (GSource *source)
{
  g_mutex_lock (&exit_lock);

  if (exit_watched == NULL)
    {
      exit_watched = g_hash_table_new (NULL, NULL);
      exit_awaited = g_hash_table_new (NULL, NULL);
      exit_pid = getpid ();
      atexit (forward_at_exit);
    }
  g_hash_table_add (exit_watched, source);

  g_mutex_unlock (&exit_lock);
}

static void
stop_awaiting_locked (GSource *source)
{
  if (g_hash_table_remove (exit_awaited, source))
    g_cond_signal (&exit_progressed);
}

/* Ends that, if it was begun. */
void
malt_output_exit_unwatch (GSource *source)
{
  g_mutex_lock (&exit_lock);
  if (exit_watched != NULL && g_hash_table_remove (exit_watched, source))
    stop_awaiting_locked (source);
  g_mutex_unlock (&exit_lock);
}

/* Whether the program ends and waits for this source. */
gboolean
malt_output_exit_is_awaited (GSource *source)
{
  gboolean awaited;

  g_mutex_lock (&exit_lock);
  awaited = exit_awaited != NULL && g_hash_table_contains (exit_awaited, source);
  g_mutex_unlock (&exit_lock);

  return awaited;
}

/* Tells that the source has done what it was asked for. */
void
malt_output_exit_done (GSource *source)
{
  g_mutex_lock (&exit_lock);
  stop_awaiting_locked (source);
  g_mutex_unlock (&exit_lock);
}
