/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-gjs-output.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "malt-gjs-malt.h"

/* What code prints, where the manager wants to be told of which request it is: print() and
 * printerr() are GLib's functions of that name, log() and console.log() its log.  Else GLib
 * writes it, to standard output and standard error, at once. */

/* The worker of the process. */
static MaltGjs *the_worker;

static const int descriptors[] = { STDOUT_FILENO, STDERR_FILENO };

/* Tells the manager, or writes.  On any thread: only the engine's knows of which request it
 * is. */
static void
tell (int         fd,
      const char *text,
      gsize       size)
{
  g_autoptr (MaltRequest) request = NULL;

  if (g_atomic_pointer_get (&the_worker->engine->thread) == g_thread_self ())
    malt_gjs_malt_ref_current (the_worker->engine, &request);

  if (!malt_runtime_report_output (the_worker->runtime, request, fd, text, size))
    {
      FILE *stream = fd == STDOUT_FILENO ? stdout : stderr;

      fwrite (text, 1, size, stream);
      fflush (stream);
    }
}

static void
print_cb (const char *text)
{
  tell (STDOUT_FILENO, text, strlen (text));
}

static void
print_error_cb (const char *text)
{
  tell (STDERR_FILENO, text, strlen (text));
}

static GLogWriterOutput
log_cb (GLogLevelFlags   level,
        const GLogField *fields,
        gsize            n_fields,
        gpointer         user_data)
{
  g_autofree char *text = NULL;
  g_autofree char *line = NULL;
  const char *domain = NULL;
  gsize i;

  for (i = 0; i < n_fields; i++)
    if (g_str_equal (fields[i].key, "GLIB_DOMAIN"))
      domain = (const char *) fields[i].value;
  if (g_log_writer_default_would_drop (level, domain))
    return G_LOG_WRITER_HANDLED;

  text = g_log_writer_format_fields (level, fields, n_fields, FALSE);
  line = g_strconcat (text, "\n", NULL);
  tell ((level & (G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL | G_LOG_LEVEL_WARNING | G_LOG_LEVEL_MESSAGE)) != 0
          ? STDERR_FILENO : STDOUT_FILENO, line, strlen (line));

  return G_LOG_WRITER_HANDLED;
}

/* Has the manager told of what is printed, if it wants to be.  In a process of our own. */
void
malt_gjs_output_begin (MaltGjs *gjs)
{
  guint wanted = 0;
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (descriptors); i++)
    if (malt_runtime_report_output (gjs->runtime, NULL, descriptors[i], "", 0))
      wanted |= 1u << descriptors[i];
  if (wanted == 0)
    return;

  the_worker = gjs;
  if ((wanted & (1u << STDOUT_FILENO)) != 0)
    g_set_print_handler (print_cb);
  if ((wanted & (1u << STDERR_FILENO)) != 0)
    g_set_printerr_handler (print_error_cb);
  g_log_set_writer_func (log_cb, NULL, NULL);
}
