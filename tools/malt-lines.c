/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-lines.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gunixinputstream.h>
#include <glib-unix.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <readline/history.h>
#include <readline/readline.h>

#include "malt-output.h"
#include "malt-report.h"

/* Where the lines of the repl come from: a person at a terminal, with readline's
 * editing and history, or else whatever standard input is, without prompts.
 *
 * Both wait in the default main context, so that a worker's end is noticed at the
 * prompt; Ctrl-C is for the session, which says so.  Readline knows one terminal only,
 * so there can be one of these. */

#define HISTORY_LENGTH 1000

struct _MaltLines
{
  gboolean          is_interactive;
  /* Not interactive. */
  GDataInputStream *stream;
  GCancellable     *cancellable;
  /* Interactive; NULL if no history can be kept. */
  char             *history_path;
  /* Of the read that is under way. */
  MaltLineResult    result;
  char             *line;
  gboolean          is_done;
  gboolean          is_editing;
};

/* Readline's line callback has no user data. */
static MaltLines *the_lines;

static char *
open_history (void)
{
  g_autofree char *directory = g_build_filename (g_get_user_state_dir (), "malt", NULL);
  g_autofree char *path = g_build_filename (directory, "history", NULL);
  int fd = -1;

  if (g_mkdir_with_parents (directory, 0700) == 0)
    fd = g_open (path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

  if (fd < 0)
    {
      malt_report ("no history is kept: %s: %s", path, g_strerror (errno));
      return NULL;
    }

  close (fd);
  return g_steal_pointer (&path);
}

static void
init_readline (MaltLines *self)
{
  rl_readline_name = "malt";
  /* Its handlers only take note, until the next key: GLib waits, not readline. */
  rl_catch_signals = 0;
  rl_initialize ();
  /* There are no file names to complete. */
  rl_bind_key ('\t', rl_insert);

  using_history ();
  stifle_history (HISTORY_LENGTH);
  self->history_path = open_history ();
  if (self->history_path != NULL)
    read_history (self->history_path);
}

/* Makes ready to read lines from standard input. */
MaltLines *
malt_lines_new (void)
{
  MaltLines *self = g_new0 (MaltLines, 1);

  self->is_interactive = isatty (STDIN_FILENO) && isatty (STDOUT_FILENO);
  if (self->is_interactive)
    {
      init_readline (self);
    }
  else
    {
      g_autoptr (GInputStream) input = g_unix_input_stream_new (STDIN_FILENO, FALSE);

      self->stream = g_data_input_stream_new (input);
    }

  return self;
}

void
malt_lines_free (MaltLines *self)
{
  if (self->history_path != NULL)
    history_truncate_file (self->history_path, HISTORY_LENGTH);

  g_clear_object (&self->stream);
  g_clear_object (&self->cancellable);
  g_clear_pointer (&self->history_path, g_free);
  g_clear_pointer (&self->line, g_free);
  g_free (self);
}

/* The line goes into the file at once: a repl may end in many ways. */
static void
remember_line (MaltLines  *self,
               const char *line)
{
  HIST_ENTRY *last = history_length > 0 ? history_get (history_base + history_length - 1) : NULL;

  if (*line == '\0' || (last != NULL && g_strcmp0 (last->line, line) == 0))
    return;

  add_history (line);
  if (self->history_path != NULL)
    append_history (1, self->history_path);
}

static void
finish (MaltLines      *self,
        MaltLineResult  result)
{
  self->result = result;
  self->is_done = TRUE;
}

static void
finish_line (MaltLines *self,
             char      *line,
             gsize      length)
{
  if (g_utf8_validate_len (line, length, NULL))
    {
      self->line = line;
      finish (self, MALT_LINE_READ);
    }
  else
    {
      g_free (line);
      finish (self, MALT_LINE_INVALID);
    }
}

/* Called by readline with the complete line, which is ours then. */
static void
line_cb (char *line)
{
  MaltLines *self = the_lines;

  rl_callback_handler_remove ();
  self->is_editing = FALSE;

  if (line == NULL)
    {
      fputc ('\n', stdout);
      fflush (stdout);
      finish (self, MALT_LINE_END);
      return;
    }

  remember_line (self, line);
  finish_line (self, g_strdup (line), strlen (line));
  free (line);
}

static gboolean
key_cb (int          fd,
        GIOCondition condition,
        gpointer     user_data)
{
  MaltLines *self = user_data;

  if (self->is_editing)
    rl_callback_read_char ();

  return G_SOURCE_CONTINUE;
}

/* Ends as the signal would have ended it, but not before the terminal is as it
 * was. */
static void
end_by_signal (int signum)
{
  rl_callback_handler_remove ();
  signal (signum, SIG_DFL);
  raise (signum);
}

static gboolean
term_cb (gpointer user_data)
{
  end_by_signal (SIGTERM);
  return G_SOURCE_CONTINUE;
}

static gboolean
hup_cb (gpointer user_data)
{
  end_by_signal (SIGHUP);
  return G_SOURCE_CONTINUE;
}

static void
edit_line (MaltLines  *self,
           const char *prompt)
{
  guint sources[3];
  guint i;

  sources[0] = g_unix_fd_add (STDIN_FILENO, G_IO_IN | G_IO_HUP | G_IO_ERR, key_cb, self);
  sources[1] = g_unix_signal_add (SIGTERM, term_cb, self);
  sources[2] = g_unix_signal_add (SIGHUP, hup_cb, self);

  the_lines = self;
  self->is_editing = TRUE;
  rl_callback_handler_install (prompt, line_cb);

  while (!self->is_done)
    g_main_context_iteration (NULL, TRUE);

  for (i = 0; i < G_N_ELEMENTS (sources); i++)
    g_source_remove (sources[i]);
}

static void
line_read_cb (GObject      *source,
              GAsyncResult *result,
              gpointer      user_data)
{
  MaltLines *self = user_data;
  g_autoptr (GError) error = NULL;
  gsize length = 0;
  char *line = g_data_input_stream_read_line_finish (self->stream, result, &length, &error);

  if (line != NULL)
    {
      finish_line (self, line, length);
    }
  else if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    {
      finish (self, MALT_LINE_CLEARED);
    }
  else
    {
      if (error != NULL)
        malt_report ("cannot read standard input: %s", error->message);
      finish (self, MALT_LINE_END);
    }
}

static void
read_line (MaltLines *self)
{
  g_clear_object (&self->cancellable);
  self->cancellable = g_cancellable_new ();

  g_data_input_stream_read_line_async (self->stream, G_PRIORITY_DEFAULT, self->cancellable,
                                       line_read_cb, self);
  while (!self->is_done)
    g_main_context_iteration (NULL, TRUE);
}

/* Reads a line, without its end, into @line; that is NULL unless MALT_LINE_READ is
 * returned.  The default main context runs meanwhile.
 * @prompt: what to show before the line, on a terminal */
MaltLineResult
malt_lines_read (MaltLines   *self,
                 const char  *prompt,
                 char       **line)
{
  g_assert (self->line == NULL);

  self->is_done = FALSE;
  if (self->is_interactive)
    edit_line (self, prompt);
  else
    read_line (self);

  *line = g_steal_pointer (&self->line);
  return self->result;
}

/* Ends the read that is under way, with MALT_LINE_CLEARED. */
void
malt_lines_clear (MaltLines *self)
{
  if (self->is_editing)
    {
      fputs ("^C\n", stdout);
      fflush (stdout);
      /* Forgets the line, also one that is being searched for. */
      rl_free_line_state ();
      rl_callback_sigcleanup ();
      rl_callback_handler_remove ();
      self->is_editing = FALSE;
      finish (self, MALT_LINE_CLEARED);
    }
  else if (self->cancellable != NULL)
    {
      g_cancellable_cancel (self->cancellable);
    }
}

/* Prints a message, above the line that is being edited if one is. */
void
malt_lines_interject (MaltLines  *self,
                      const char *text)
{
  if (self->is_editing)
    rl_clear_visible_line ();

  malt_report ("%s", text);

  if (self->is_editing)
    {
      rl_on_new_line ();
      rl_redisplay ();
    }
}

/* Whether there is a person at a terminal. */
gboolean
malt_lines_is_interactive (MaltLines *self)
{
  return self->is_interactive;
}
