/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-bar.h"

#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "malt-output.h"

/* A line on the terminal that tells how far something is: a bar, and a text.  It is one line
 * of standard error, and is gone afterwards.  Where that is no terminal there is none. */

#define ERASE      "\r\033[K"
#define BAR_WIDTH  30
#define USUAL_WIDTH 80
/* A terminal need not be faster than an eye. */
#define PAUSE_USEC (50 * 1000)

struct _MaltBar
{
  gboolean    is_terminal;
  MaltWorker *worker;     /* owned, that is followed */
  gulong      handler;
  gboolean    is_drawn;
  gint64      drawn_at;
};

static guint
get_width (void)
{
  struct winsize size = { 0 };

  return ioctl (STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : USUAL_WIDTH;
}

/* In one line, which does not reach the last column. */
static void
append_text (GString    *line,
             const char *text,
             guint       width)
{
  g_autofree char *escaped = malt_output_escape (text);
  glong used = g_utf8_strlen (line->str, -1);
  const char *c;

  g_strdelimit (escaped, "\n\t", ' ');
  for (c = escaped; *c != '\0' && used + 1 < (glong) width; c = g_utf8_next_char (c), used++)
    g_string_append_unichar (line, g_utf8_get_char (c));
}

static char *
make_line (double      fraction,
           const char *text,
           guint       width)
{
  g_autoptr (GString) line = g_string_new (NULL);
  guint i;

  if (fraction >= 0 && width > BAR_WIDTH + 10)
    {
      g_string_append_c (line, '[');
      for (i = 0; i < BAR_WIDTH; i++)
        g_string_append_c (line, i < (guint) (fraction * BAR_WIDTH + 0.5) ? '#' : '.');
      g_string_append (line, "] ");
    }
  if (fraction >= 0)
    g_string_append_printf (line, "%3d %% ", (int) (fraction * 100));
  append_text (line, text, width);

  return g_string_free (g_steal_pointer (&line), FALSE);
}

MaltBar *
malt_bar_new (void)
{
  MaltBar *self = g_new0 (MaltBar, 1);

  self->is_terminal = isatty (STDERR_FILENO);

  return self;
}

/* Erases it. */
void
malt_bar_free (MaltBar *self)
{
  if (self->worker != NULL)
    g_signal_handler_disconnect (self->worker, self->handler);
  malt_bar_erase (self);
  g_clear_object (&self->worker);
  g_free (self);
}

gboolean
malt_bar_is_terminal (MaltBar *self)
{
  return self->is_terminal;
}

/* @fraction: how much is done; below 0 if that is not known, and there is only the text
 * @text: may have anything in it */
void
malt_bar_draw (MaltBar    *self,
               double      fraction,
               const char *text)
{
  g_autofree char *line = NULL;

  if (!self->is_terminal)
    return;

  line = make_line (MIN (fraction, 1), text, get_width ());
  fprintf (stderr, ERASE "%s", line);
  fflush (stderr);
  self->is_drawn = TRUE;
  self->drawn_at = g_get_monotonic_time ();
}

/* Takes it off the terminal, so that something else can be printed.  FALSE if it was not
 * there. */
gboolean
malt_bar_erase (MaltBar *self)
{
  if (!self->is_drawn)
    return FALSE;

  fputs (ERASE, stderr);
  fflush (stderr);
  self->is_drawn = FALSE;

  return TRUE;
}

static void
progress_cb (MaltWorker *worker,
             guint64     request_id,
             double      fraction,
             const char *text,
             MaltBar    *self)
{
  if (!self->is_drawn || fraction >= 1 || g_get_monotonic_time () - self->drawn_at >= PAUSE_USEC)
    malt_bar_draw (self, fraction, text);
}

/* Has it tell what the worker says of how far it has got. */
void
malt_bar_follow (MaltBar    *self,
                 MaltWorker *worker)
{
  g_assert (self->worker == NULL);

  if (!self->is_terminal)
    return;

  self->worker = g_object_ref (worker);
  self->handler = g_signal_connect (worker, "progress", G_CALLBACK (progress_cb), self);
}
