/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-output-writer.h"

#include <errno.h>
#include <malt.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "malt-limits.h"
#include "malt-standard-stream.h"

/* The one writer of what all workers print to the manager's standard output and
 * standard error.  Writing there can block for as long as somebody does not read, so it
 * happens on a thread of its own; between it and the readers is a bounded queue, which
 * makes them wait when it is full.
 *
 * Lines do not mix.  Whoever has put out the beginning of a line (a very long one comes
 * in pieces) owns the stream until its end; but as a worker that never ends its line
 * must not silence the others, they may take the stream away: the line is broken there,
 * and its next piece begins with the prefix again. */

typedef struct
{
  int      fd;
  GString *text;
} Chunk;

static GMutex writer_lock;
static GCond writer_filled;
static GCond writer_progressed;

/* All under writer_lock. */
static GQueue writer_queue = G_QUEUE_INIT; /* of Chunk */
static guint64 writer_queued;              /* bytes that ever were in the queue */
static guint64 writer_written;             /* those that are done with */
static GSList *writer_waiting;             /* of GSource: readers to wake when there is room */
static guint64 writer_line_owner[3];       /* by descriptor: who is inside a line, or 0 */
static gboolean writer_running;

static void
chunk_free (Chunk *chunk)
{
  g_string_free (chunk->text, TRUE);
  g_free (chunk);
}

/* A broken pipe is reported to the thread that writes.  It is blocked in this one, and
 * taken away again, so that no handler of the program hears of it. */
static void
drop_pipe_signal (void)
{
  const struct timespec now = { 0, 0 };
  sigset_t pipe_signal;

  sigemptyset (&pipe_signal);
  sigaddset (&pipe_signal, SIGPIPE);
  while (sigtimedwait (&pipe_signal, NULL, &now) < 0 && errno == EINTR)
    continue;
}

/* What cannot be written is dropped: there is nowhere else for it to go. */
static void
write_all (int            fd,
           const GString *text)
{
  gsize written = 0;

  if (!malt_standard_stream_exists (fd))
    return;

  while (written < text->len)
    {
      ssize_t n = write (fd, text->str + written, text->len - written);

      if (n >= 0)
        {
          written += (gsize) n;
        }
      else if (errno == EAGAIN)
        {
          struct pollfd poll_fd = { .fd = fd, .events = POLLOUT };

          poll (&poll_fd, 1, -1);
        }
      else if (errno != EINTR)
        {
          if (errno == EPIPE)
            drop_pipe_signal ();
          return;
        }
    }
}

static void
wake_reader (gpointer data)
{
  GSource *source = data;

  g_source_set_ready_time (source, 0);
  g_source_unref (source);
}

static gpointer
run_writer (gpointer user_data)
{
  sigset_t all;

  sigfillset (&all);
  pthread_sigmask (SIG_BLOCK, &all, NULL);

  for (;;)
    {
      GSList *waiting = NULL;
      Chunk *chunk;

      g_mutex_lock (&writer_lock);
      while ((chunk = g_queue_pop_head (&writer_queue)) == NULL)
        g_cond_wait (&writer_filled, &writer_lock);
      g_mutex_unlock (&writer_lock);

      write_all (chunk->fd, chunk->text);

      g_mutex_lock (&writer_lock);
      writer_written += chunk->text->len;
      if (writer_queued - writer_written <= MALT_LIMIT_FORWARDED_OUTPUT / 2)
        waiting = g_steal_pointer (&writer_waiting);
      g_cond_broadcast (&writer_progressed);
      g_mutex_unlock (&writer_lock);

      chunk_free (chunk);
      g_slist_free_full (waiting, wake_reader);
    }

  return NULL;
}

/* Makes sure that there is a writer.  It fails with MALT_ERROR_START if the system has no
 * more threads. */
gboolean
malt_output_writer_start (GError **error)
{
  g_autoptr(GError) thread_error = NULL;
  gboolean running;

  g_mutex_lock (&writer_lock);

  if (!writer_running)
    {
      GThread *thread = g_thread_try_new ("malt-output", run_writer, NULL, &thread_error);

      if (thread != NULL)
        {
          g_thread_unref (thread);
          writer_running = TRUE;
        }
    }
  running = writer_running;

  g_mutex_unlock (&writer_lock);

  if (!running)
    g_set_error (error, MALT_ERROR, MALT_ERROR_START,
                 "could not start the thread that forwards output: %s", thread_error->message);
  return running;
}

static void
queue_text_locked (int      fd,
                   GString *text)
{
  Chunk *chunk = g_new (Chunk, 1);

  chunk->fd = fd;
  chunk->text = text;
  writer_queued += text->len;
  g_queue_push_tail (&writer_queue, chunk);
  g_cond_signal (&writer_filled);
}

static gboolean
is_same_file (int a,
              int b)
{
  struct stat a_stat, b_stat;

  return a == b ||
         (fstat (a, &a_stat) == 0 && fstat (b, &b_stat) == 0 &&
          a_stat.st_dev == b_stat.st_dev && a_stat.st_ino == b_stat.st_ino);
}

/* Ends the lines of others that show up where fd does: a terminal is often both
 * streams. */
static void
break_lines_locked (int     fd,
                    guint64 owner)
{
  int i;

  for (i = 0; i < (int) G_N_ELEMENTS (writer_line_owner); i++)
    if (writer_line_owner[i] != 0 && (i != fd || writer_line_owner[i] != owner) &&
        is_same_file (i, fd))
      {
        queue_text_locked (i, g_string_new ("\n"));
        writer_line_owner[i] = 0;
      }
}

/* Queues text for fd, which is standard output or standard error; takes the text.  The
 * owner is any number but 0 that is the same for all text of one stream of one worker.
 *
 * The text is whole lines with their prefixes; if it continues, it begins inside a line
 * of its owner, and if it is open, it ends inside one.  The prefix is for a line that
 * was broken in the meantime. */
void
malt_output_writer_put (int         fd,
                        guint64     owner,
                        const char *prefix,
                        gboolean    continues,
                        gboolean    open,
                        GString    *text)
{
  g_assert (fd == STDOUT_FILENO || fd == STDERR_FILENO);

  g_mutex_lock (&writer_lock);

  break_lines_locked (fd, owner);

  if (continues && writer_line_owner[fd] != owner)
    {
      /* Of a broken line the end alone would be an empty line. */
      if (text->str[0] == '\n')
        g_string_erase (text, 0, 1);
      else
        g_string_prepend (text, prefix);
    }

  queue_text_locked (fd, text);
  writer_line_owner[fd] = open ? owner : 0;

  g_mutex_unlock (&writer_lock);
}

/* Completes the line that the owner has begun, if nobody else has. */
void
malt_output_writer_end_line (int     fd,
                             guint64 owner)
{
  g_mutex_lock (&writer_lock);

  if (writer_line_owner[fd] == owner)
    {
      queue_text_locked (fd, g_string_new ("\n"));
      writer_line_owner[fd] = 0;
    }

  g_mutex_unlock (&writer_lock);
}

/* Tells whether a reader has to wait because the queue is full.  If so, the ready time of
 * its source is set when there is room again. */
gboolean
malt_output_writer_wait (GSource *source)
{
  gboolean full;

  g_mutex_lock (&writer_lock);
  full = writer_queued - writer_written >= MALT_LIMIT_FORWARDED_OUTPUT;
  if (full)
    writer_waiting = g_slist_prepend (writer_waiting, g_source_ref (source));
  g_mutex_unlock (&writer_lock);

  return full;
}

/* Blocks until everything that is queued now is written, or the time is over. */
gboolean
malt_output_writer_flush (int timeout_msec)
{
  gint64 end = g_get_monotonic_time () + (gint64) timeout_msec * 1000;
  gboolean flushed;
  guint64 queued;

  g_mutex_lock (&writer_lock);
  queued = writer_queued;
  while (writer_written < queued && g_cond_wait_until (&writer_progressed, &writer_lock, end))
    continue;
  flushed = writer_written >= queued;
  g_mutex_unlock (&writer_lock);

  return flushed;
}
