/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-output-pump.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "malt-limits.h"
#include "malt-output-exit.h"
#include "malt-output-text.h"
#include "malt-output-writer.h"

/* Reads the standard output or standard error of a worker until its end, in a main
 * context, and never blocks there.  The source that reads keeps the pump alive, so that
 * nothing is lost when the worker object goes first.
 *
 * A line is forwarded when it is whole; what has no newline at the end of the stream
 * gets one.  Of a very long line, pieces are forwarded as they fill the buffer. */

#define BLOCK_SIZE        (16u * 1024)
#define BLOCKS_PER_TURN   4
#define PIECE_SIZE        (64u * 1024)
/* A pipe holds at most this much, unless its owner has the right to more. */
#define DRAIN_LIMIT       (1024u * 1024)
/* Room in the tail for the note of what is missing. */
#define NOTE_SIZE         64

struct _MaltOutputPump
{
  gatomicrefcount ref_count;

  /* Immutable. */
  int         target; /* the manager's descriptor of that name */
  MaltOutput  mode;
  int         pid;
  guint64     id;
  MaltWeakWorker *worker; /* who is told, with MALT_OUTPUT_SIGNAL; or NULL */

  /* Owned by the context's thread. */
  int       fd;     /* -1 after the end */
  GSource  *source; /* (unowned) NULL after the end */
  gpointer  tag;    /* of fd in source; NULL while the writer's queue is full */
  GString  *line;   /* the line that is not whole yet, without pieces already forwarded */
  gboolean  open;   /* pieces of it were */

  /* Guarded by lock. */
  GMutex   lock;
  char    *tail; /* a ring of MALT_LIMIT_CAPTURED_OUTPUT bytes; NULL before the first */
  guint64  seen; /* bytes in all */
};

typedef struct
{
  GSource         base;
  MaltOutputPump *pump;
} PumpSource;

MaltOutputPump *
malt_output_pump_ref (MaltOutputPump *self)
{
  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

/* Gives up a reference.  The pump goes on until the end of the stream. */
void
malt_output_pump_unref (MaltOutputPump *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;

  if (self->fd >= 0)
    close (self->fd);
  g_clear_pointer (&self->worker, malt_weak_worker_unref);
  g_string_free (self->line, TRUE);
  g_free (self->tail);
  g_mutex_clear (&self->lock);
  g_free (self);
}

static void
keep_tail (MaltOutputPump *self,
           const char     *data,
           gsize           size)
{
  g_mutex_lock (&self->lock);

  if (self->tail == NULL)
    self->tail = g_malloc (MALT_LIMIT_CAPTURED_OUTPUT);

  while (size > 0)
    {
      gsize position = self->seen % MALT_LIMIT_CAPTURED_OUTPUT;
      gsize n = MIN (size, MALT_LIMIT_CAPTURED_OUTPUT - position);

      memcpy (self->tail + position, data, n);
      self->seen += n;
      data += n;
      size -= n;
    }

  g_mutex_unlock (&self->lock);
}

/* Text goes to files and pipes as it is, and to terminals as they can take it. */
static void
append_text (GString    *output,
             const char *text,
             gsize       size,
             gboolean    terminal)
{
  if (terminal)
    malt_output_text_append_escaped (output, text, size);
  else
    g_string_append_len (output, text, size);
}

static char *
make_prefix (MaltOutputPump *self,
             gboolean        terminal)
{
  if (!terminal)
    return g_strdup_printf ("[Worker %d]: ", self->pid);

  return g_strdup_printf ("\033[%dm[Worker %d]:\033[0m ",
                          self->target == STDOUT_FILENO ? 34 : 33, self->pid);
}

/* Moves the first bytes of the line that is not whole, and then data, to the output, as
 * a line or a piece of one. */
static void
append_line (MaltOutputPump *self,
             GString        *output,
             const char     *prefix,
             gboolean        terminal,
             const char     *data,
             gsize           size)
{
  if (!self->open)
    g_string_append (output, prefix);

  if (self->line->len > 0)
    {
      g_string_append_len (self->line, data, size);
      append_text (output, self->line->str, self->line->len, terminal);
      g_string_truncate (self->line, 0);
    }
  else
    {
      append_text (output, data, size, terminal);
    }
}

/* Forwards the buffer but for a character at its end whose rest is still to come. */
static void
append_piece (MaltOutputPump *self,
              GString        *output,
              const char     *prefix,
              gboolean        terminal)
{
  gsize rest = malt_output_text_count_incomplete (self->line->str, self->line->len);

  if (!self->open)
    g_string_append (output, prefix);

  append_text (output, self->line->str, self->line->len - rest, terminal);
  g_string_erase (self->line, 0, self->line->len - rest);
  self->open = TRUE;
}

static void
forward (MaltOutputPump *self,
         const char     *data,
         gsize           size)
{
  gboolean terminal = isatty (self->target);
  g_autofree char *prefix = make_prefix (self, terminal);
  GString *output = g_string_sized_new (size);
  gboolean continues = self->open;
  const char *newline;

  while ((newline = memchr (data, '\n', size)) != NULL)
    {
      gsize n = (gsize) (newline + 1 - data);

      append_line (self, output, prefix, terminal, data, n);
      self->open = FALSE;
      data += n;
      size -= n;
    }

  g_string_append_len (self->line, data, size);
  if (self->line->len >= PIECE_SIZE)
    append_piece (self, output, prefix, terminal);

  if (output->len > 0)
    malt_output_writer_put (self->target, self->id, prefix, continues, self->open, output);
  else
    g_string_free (output, TRUE);

  /* Thousands of workers are silent most of the time. */
  if (self->line->len == 0 && self->line->allocated_len > BLOCK_SIZE)
    {
      g_string_free (self->line, TRUE);
      self->line = g_string_new (NULL);
    }
}

/* Gives the last line the newline that it lacks. */
static void
complete_line (MaltOutputPump *self)
{
  if (self->line->len > 0)
    forward (self, "\n", 1);
  else if (self->open)
    malt_output_writer_end_line (self->target, self->id);

  self->open = FALSE;
}

/* Tells the worker object, and so those who listen to it. */
static void
tell (MaltOutputPump *self,
      const char     *data,
      gsize           size)
{
  g_autoptr (MaltWorker) worker = malt_weak_worker_get (self->worker);
  g_autoptr (GBytes) bytes = NULL;

  if (worker == NULL)
    return;

  bytes = g_bytes_new (data, size);
  malt_worker_report_output (worker, NULL, self->target, bytes);
}

static void
end_stream (MaltOutputPump *self)
{
  complete_line (self);
  malt_output_exit_unwatch (self->source);

  if (self->tag != NULL)
    g_source_remove_unix_fd (self->source, g_steal_pointer (&self->tag));
  close (self->fd);
  self->fd = -1;
  /* The reference that it holds may be the last, but not while one of its callers is
   * at work. */
  g_source_destroy (g_steal_pointer (&self->source));
}

/* Reads one block.  Returns how much there was: 0 if there is nothing now, or will be
 * nothing any more, when fd is -1. */
static gsize
read_block (MaltOutputPump *self)
{
  char block[BLOCK_SIZE];
  ssize_t n;

  do
    n = read (self->fd, block, sizeof block);
  while (n < 0 && errno == EINTR);

  if (n < 0 && errno == EAGAIN)
    return 0;

  if (n <= 0)
    {
      end_stream (self);
      return 0;
    }

  keep_tail (self, block, (gsize) n);
  if (self->mode == MALT_OUTPUT_FORWARD)
    forward (self, block, (gsize) n);
  else if (self->mode == MALT_OUTPUT_SIGNAL)
    tell (self, block, (gsize) n);

  return (gsize) n;
}

static gboolean
pump_source_dispatch (GSource     *source,
                      GSourceFunc  callback,
                      gpointer     user_data)
{
  MaltOutputPump *self = ((PumpSource *) source)->pump;
  guint blocks;

  g_source_set_ready_time (source, -1);

  for (blocks = 0; blocks < BLOCKS_PER_TURN; blocks++)
    {
      if (self->mode == MALT_OUTPUT_FORWARD && malt_output_writer_wait (source))
        {
          /* The descriptor goes altogether: a hang-up cannot be masked. */
          if (self->tag != NULL)
            g_source_remove_unix_fd (source, g_steal_pointer (&self->tag));
          return G_SOURCE_CONTINUE;
        }

      if (read_block (self) == 0)
        break;
    }

  if (self->fd < 0)
    return G_SOURCE_REMOVE;

  if (self->tag == NULL)
    self->tag = g_source_add_unix_fd (source, self->fd, G_IO_IN);

  if (malt_output_exit_is_awaited (source))
    {
      if (blocks == BLOCKS_PER_TURN)
        {
          g_source_set_ready_time (source, 0);
        }
      else
        {
          complete_line (self);
          malt_output_exit_done (source);
        }
    }

  return G_SOURCE_CONTINUE;
}

static void
pump_source_finalize (GSource *source)
{
  malt_output_exit_unwatch (source);
  malt_output_pump_unref (((PumpSource *) source)->pump);
}

static GSourceFuncs pump_source_funcs = {
  .dispatch = pump_source_dispatch,
  .finalize = pump_source_finalize,
};

/* Starts to read fd, which has to be non-blocking and is taken over, in the context.  The
 * mode is MALT_OUTPUT_FORWARD, to the manager's STDOUT_FILENO or STDERR_FILENO,
 * MALT_OUTPUT_SIGNAL, of @worker, or MALT_OUTPUT_DISCARD.  It fails with MALT_ERROR_START. */
MaltOutputPump *
malt_output_pump_new (int            fd,
                      int            target,
                      MaltOutput     mode,
                      int            pid,
                      MaltWeakWorker *worker,
                      GMainContext  *context,
                      GError       **error)
{
  static gsize last_id;
  MaltOutputPump *self;
  GSource *source;

  g_assert (mode == MALT_OUTPUT_FORWARD || mode == MALT_OUTPUT_SIGNAL || mode == MALT_OUTPUT_DISCARD);
  g_assert (target == STDOUT_FILENO || target == STDERR_FILENO);

  if (mode == MALT_OUTPUT_FORWARD && !malt_output_writer_start (error))
    {
      close (fd);
      return NULL;
    }

  self = g_new0 (MaltOutputPump, 1);
  g_atomic_ref_count_init (&self->ref_count);
  g_mutex_init (&self->lock);
  self->id = (guint64) g_atomic_pointer_add (&last_id, 1) + 1;
  self->target = target;
  self->mode = mode;
  self->pid = pid;
  self->fd = fd;
  self->worker = worker != NULL ? malt_weak_worker_ref (worker) : NULL;
  self->line = g_string_new (NULL);

  source = g_source_new (&pump_source_funcs, sizeof (PumpSource));
  ((PumpSource *) source)->pump = malt_output_pump_ref (self);
  g_source_set_static_name (source, "[malt] worker output");
  self->source = source;
  self->tag = g_source_add_unix_fd (source, fd, G_IO_IN);
  if (mode == MALT_OUTPUT_FORWARD)
    malt_output_exit_watch (source);
  g_source_attach (source, context);
  g_source_unref (source);

  return self;
}

/* Reads what the pipe holds now, also if the writer's queue is full, so that the tail is
 * complete when a worker has died.  On the context's thread. */
void
malt_output_pump_drain (MaltOutputPump *self)
{
  int available = 0;
  gsize left;

  if (self->fd < 0 || ioctl (self->fd, FIONREAD, &available) < 0)
    return;

  malt_output_pump_ref (self);

  /* A process that the worker left behind may be writing all the time, so no more than
   * was there; and one read more than that, which may find the end. */
  left = CLAMP (available, 0, (int) DRAIN_LIMIT);
  for (;;)
    {
      gsize n = read_block (self);

      if (n == 0 || n > left)
        break;
      left -= n;
    }

  malt_output_pump_unref (self);
}

/* Where the last bytes of a text that are not more than size begin, at a character if
 * it is one. */
static gsize
find_end (const char *text,
          gsize       length,
          gsize       size)
{
  gsize start = length > size ? length - size : 0;
  guint i;

  for (i = 0; i < 3 && start < length && ((guchar) text[start] & 0xc0) == 0x80; i++)
    start++;

  return start;
}

/* Gets the end of what was read, after a note of how much it was if that is not all, as
 * text that is fit for a message: at most MALT_LIMIT_CAPTURED_OUTPUT bytes of UTF-8
 * without control characters but newline and tab.  On any thread. */
char *
malt_output_pump_dup_tail (MaltOutputPump *self)
{
  g_autoptr(GString) bytes = g_string_new (NULL);
  g_autoptr(GString) text = g_string_new (NULL);
  guint64 seen;
  gsize start;

  g_mutex_lock (&self->lock);
  seen = self->seen;
  if (seen <= MALT_LIMIT_CAPTURED_OUTPUT)
    {
      g_string_append_len (bytes, self->tail, (gssize) seen);
    }
  else
    {
      gsize position = seen % MALT_LIMIT_CAPTURED_OUTPUT;

      g_string_append_len (bytes, self->tail + position, MALT_LIMIT_CAPTURED_OUTPUT - position);
      g_string_append_len (bytes, self->tail, position);
    }
  g_mutex_unlock (&self->lock);

  start = seen > bytes->len ? find_end (bytes->str, bytes->len, bytes->len) : 0;
  malt_output_text_append_escaped (text, bytes->str + start, bytes->len - start);

  if (seen == bytes->len && text->len <= MALT_LIMIT_CAPTURED_OUTPUT)
    return g_string_free (g_steal_pointer (&text), FALSE);

  start = find_end (text->str, text->len, MALT_LIMIT_CAPTURED_OUTPUT - NOTE_SIZE);
  return g_strdup_printf ("(the end of %" G_GUINT64_FORMAT " bytes)\n%s", seen, text->str + start);
}
