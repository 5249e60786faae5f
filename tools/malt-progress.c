/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-progress.h"

#include "malt-bar.h"

/* A bar for what has many parts: how many are done, how fast, and how long it will take.
 * Where standard error is no terminal it is nothing. */

#define PERIOD   100    /* milliseconds between two looks */

struct _MaltProgress
{
  MaltBar  *bar;          /* owned */
  gboolean  is_changed;
  gint64    begun;        /* monotonic */
  guint     timer;
  guint64   n_done;
  guint64   n_failed;
  double    fraction;     /* below 0 if it is not known */
};

static char *
describe_time (double seconds)
{
  guint64 s = (guint64) (seconds + 0.5);

  if (s >= 3600)
    return g_strdup_printf ("%" G_GUINT64_FORMAT ":%02d:%02d", s / 3600, (int) (s / 60 % 60), (int) (s % 60));

  return g_strdup_printf ("%d:%02d", (int) (s / 60), (int) (s % 60));
}

/* What the line says, but for the bar, after so many seconds. */
static char *
describe (guint64 n_done,
          guint64 n_failed,
          double  fraction,
          double  seconds)
{
  GString *text = g_string_new (NULL);
  double rate = seconds > 0 ? (double) (n_done + n_failed) / seconds : 0;

  g_string_append_printf (text, "%" G_GUINT64_FORMAT " done", n_done);
  if (n_failed > 0)
    g_string_append_printf (text, ", %" G_GUINT64_FORMAT " failed", n_failed);
  if (rate > 0)
    g_string_append_printf (text, rate < 10 ? ", %.1f/s" : ", %.0f/s", rate);
  if (fraction > 0.001 && fraction < 1)
    {
      g_autofree char *left = describe_time (seconds / fraction * (1 - fraction));

      g_string_append_printf (text, ", %s left", left);
    }

  return g_string_free (text, FALSE);
}

static void
show (MaltProgress *self)
{
  double seconds = (double) (g_get_monotonic_time () - self->begun) / G_USEC_PER_SEC;
  g_autofree char *text = describe (self->n_done, self->n_failed, self->fraction, seconds);

  malt_bar_draw (self->bar, self->fraction, text);
  self->is_changed = FALSE;
}

static gboolean
look_cb (gpointer user_data)
{
  MaltProgress *self = user_data;

  if (self->is_changed)
    show (self);
  return G_SOURCE_CONTINUE;
}

MaltProgress *
malt_progress_new (void)
{
  MaltProgress *self = g_new0 (MaltProgress, 1);

  self->bar = malt_bar_new ();
  self->begun = g_get_monotonic_time ();
  self->fraction = -1;
  if (malt_bar_is_terminal (self->bar))
    self->timer = g_timeout_add (PERIOD, look_cb, self);

  return self;
}

/* Takes it off the terminal, so that something else can be printed; it comes back. */
void
malt_progress_hide (MaltProgress *self)
{
  if (malt_bar_erase (self->bar))
    self->is_changed = TRUE;
}

void
malt_progress_free (MaltProgress *self)
{
  if (self->timer != 0)
    g_source_remove (self->timer);
  malt_bar_free (self->bar);
  g_free (self);
}

/* @fraction: how much of it is done; below 0 if that is not known */
void
malt_progress_set (MaltProgress *self,
                   guint64       n_done,
                   guint64       n_failed,
                   double        fraction)
{
  self->n_done = n_done;
  self->n_failed = n_failed;
  self->fraction = fraction;
  self->is_changed = TRUE;
}
