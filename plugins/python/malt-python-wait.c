/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-python-wait.h"

#include <poll.h>

/* Waiting for descriptors, while GLib's sources of the serving thread run.
 *
 * The source for the descriptors stays in the context from one wait to the next.  It is
 * never dispatched: it only has the context poll for them, and what came of it is read
 * afterwards.  What it polls for is changed by the thread that owns the context, before
 * it polls, so nobody has to be woken for that. */

struct _MaltPythonSource
{
  GSource source;
  GPollFD fds[2];
  gint64  deadline; /* monotonic, or -1 */
};

static gboolean
python_source_prepare (GSource *source,
                       int     *timeout_msec)
{
  MaltPythonSource *self = (MaltPythonSource *) source;
  gint64 left;

  *timeout_msec = -1;
  if (self->deadline >= 0)
    {
      left = MAX (0, self->deadline - g_get_monotonic_time ());
      *timeout_msec = (int) MIN ((left + 999) / 1000, G_MAXINT);
    }

  return FALSE;
}

static gboolean
python_source_dispatch (GSource     *source G_GNUC_UNUSED,
                        GSourceFunc  callback G_GNUC_UNUSED,
                        gpointer     user_data G_GNUC_UNUSED)
{
  return G_SOURCE_CONTINUE;
}

static GSourceFuncs python_source_funcs = {
  .prepare = python_source_prepare,
  .dispatch = python_source_dispatch,
};

void
malt_python_wait_clear (MaltPython *self)
{
  if (self->source == NULL)
    return;

  g_source_destroy ((GSource *) self->source);
  g_source_unref ((GSource *) self->source);
  self->source = NULL;
}

/* The source, for these two descriptors; -1 for none leaves a place as it is. */
static MaltPythonSource *
ensure_source (MaltPython *self,
               const int   fds[2])
{
  MaltPythonSource *source = self->source;
  gsize i;

  if (source == NULL || fds[0] != source->fds[0].fd || (fds[1] >= 0 && fds[1] != source->fds[1].fd))
    {
      malt_python_wait_clear (self);
      source = (MaltPythonSource *) g_source_new (&python_source_funcs, sizeof (MaltPythonSource));
      g_source_set_static_name ((GSource *) source, "[malt] Python worker");
      for (i = 0; i < G_N_ELEMENTS (source->fds); i++)
        {
          source->fds[i].fd = fds[i];
          if (fds[i] >= 0)
            g_source_add_poll ((GSource *) source, &source->fds[i]);
        }
      g_source_attach ((GSource *) source, self->context);
      self->source = source;
    }

  for (i = 0; i < G_N_ELEMENTS (source->fds); i++)
    {
      source->fds[i].events = fds[i] >= 0 ? G_IO_IN : 0;
      source->fds[i].revents = 0;
    }

  return source;
}

static guint
poll_fds (const int fds[2],
          gint64    timeout_usec)
{
  struct pollfd pollfds[2] = { { fds[0], POLLIN, 0 }, { fds[1], POLLIN, 0 } };
  int timeout_msec = timeout_usec < 0 ? -1 : (int) MIN ((timeout_usec + 999) / 1000, G_MAXINT);

  if (poll (pollfds, 2, timeout_msec) <= 0)
    return 0;

  return (pollfds[0].revents != 0 ? 1 : 0) | (pollfds[1].revents != 0 ? 2 : 0);
}

gboolean
malt_python_is_readable (int fd)
{
  const int fds[2] = { fd, -1 };

  return poll_fds (fds, 0) != 0;
}

/* Waits until one of two descriptors (the second may be -1) can be read, the time (-1:
 * none) has passed, or a signal or a GLib source has run.  Returns which can be read: 1
 * for the first, 2 for the second, added.  GIL not held. */
guint
malt_python_wait_context (MaltPython *self,
                          int         first_fd,
                          int         second_fd,
                          gint64      timeout_usec)
{
  const int fds[2] = { first_fd, second_fd };
  MaltPythonSource *source;

  /* A thread of the user's may run the context.  Our source would then wake that thread
   * instead of this one, so without a context of our own we do without. */
  if (!g_main_context_acquire (self->context))
    {
      malt_python_wait_clear (self);
      return poll_fds (fds, timeout_usec);
    }

  source = ensure_source (self, fds);
  source->deadline = timeout_usec >= 0 ? g_get_monotonic_time () + timeout_usec : -1;
  g_main_context_iteration (self->context, timeout_usec != 0);
  g_main_context_release (self->context);

  return (source->fds[0].revents != 0 ? 1 : 0) | (source->fds[1].revents != 0 ? 2 : 0);
}
