/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-report.h"

#include <malt.h>
#include <stdio.h>

#include "malt-output.h"

/* Errors to text on standard error and to an exit status. */

static void
report_text (const char *text)
{
  g_autofree char *line = g_strdup_printf ("%s: %s\n", g_get_prgname (), text);

  /* What was printed before stays before. */
  fflush (stdout);
  malt_output_text (stderr, line);
}

/* Prints a message after the name of the command. */
void
malt_report (const char *format,
             ...)
{
  g_autofree char *text = NULL;
  va_list args;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);

  report_text (text);
}

/* Reports that the command line cannot be followed. */
MaltStatus
malt_report_usage (const char *format,
                   ...)
{
  g_autofree char *text = NULL;
  g_autofree char *hint = NULL;
  va_list args;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);

  hint = g_strdup_printf ("Try '%s --help'.\n", g_get_prgname ());

  report_text (text);
  malt_output_text (stderr, hint);
  return MALT_STATUS_USAGE;
}

/* Reports that there is no worker. */
MaltStatus
malt_report_start_error (const GError *error)
{
  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    {
      report_text ("interrupted");
      return MALT_STATUS_INTERRUPTED;
    }

  report_text (error->message);
  return MALT_STATUS_START;
}

/* A traceback is the whole story; where there is none, the message tells it. */
static void
report_exception (const GError *error)
{
  g_autofree char *traceback = malt_remote_error_dup_traceback (error);

  if (traceback == NULL || *traceback == '\0')
    {
      report_text (error->message);
      return;
    }

  fflush (stdout);
  malt_output_text (stderr, traceback);
  if (!g_str_has_suffix (traceback, "\n"))
    fputc ('\n', stderr);
}

/* Reports that a call, or an evaluation, gave no value. */
MaltStatus
malt_report_call_error (const GError *error)
{
  if (error->domain == MALT_ERROR)
    {
      switch ((MaltError) error->code)
        {
        case MALT_ERROR_REMOTE:
          report_exception (error);
          return MALT_STATUS_FAILED;

        case MALT_ERROR_INTERRUPTED:
          report_exception (error);
          return MALT_STATUS_INTERRUPTED;

        case MALT_ERROR_TERMINATED:
        case MALT_ERROR_PROTOCOL:
          report_text (error->message);
          return MALT_STATUS_DIED;

        case MALT_ERROR_TIMEOUT:
          report_text (error->message);
          return MALT_STATUS_TIMEOUT;

        case MALT_ERROR_START:
        case MALT_ERROR_SERIALIZATION:
        case MALT_ERROR_NOT_SUPPORTED:
        case MALT_ERROR_NOT_FOUND:
        default:
          break;
        }
    }

  report_text (error->message);
  return MALT_STATUS_FAILED;
}
