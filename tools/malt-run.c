/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-run.h"

#include <signal.h>
#include <stdio.h>

#include "malt-bar.h"
#include "malt-json-write.h"
#include "malt-output.h"

/* A worker for one call: started, asked, and stopped again. */

/* Prints a value as a line of JSON, and nothing if it is the nothing of a call without
 * a value.  Returns whether it could be written. */
gboolean
malt_print_value (GVariant *value)
{
  g_autofree char *json = NULL;

  if (g_variant_is_of_type (value, G_VARIANT_TYPE ("mv")) && g_variant_n_children (value) == 0)
    return TRUE;

  json = malt_json_write (value);
  fputs (json, stdout);
  fputc ('\n', stdout);
  return malt_output_flush ();
}

/* Starts a worker, does one thing with it, prints the value, and stops the worker. */
MaltStatus
malt_run (MaltLauncher *launcher,
          MaltRunFunc   function,
          gpointer      user_data)
{
  g_autoptr (MaltSession) session = malt_session_new (launcher, 1);
  g_autoptr (GVariant) value = NULL;
  g_autoptr (GError) error = NULL;
  MaltStatus status = MALT_STATUS_OK;

  if (!malt_session_start (session, &error))
    return malt_report_start_error (error);

  /* Too late for the start, but in time for the rest. */
  if (malt_session_take_interrupt (session))
    {
      status = MALT_STATUS_INTERRUPTED;
    }
  else
    {
      MaltBar *bar = malt_bar_new ();

      malt_bar_follow (bar, malt_session_get_worker (session));
      value = function (session, user_data, &error);
      malt_bar_free (bar);
      if (value == NULL)
        status = malt_report_call_error (error);
      else if (!malt_print_value (value))
        status = MALT_STATUS_FAILED;
    }

  /* One that let its deadline pass is not asked politely. */
  if (status == MALT_STATUS_TIMEOUT)
    malt_worker_kill (malt_session_get_worker (session), SIGKILL);
  malt_session_stop (session);

  /* Also if the code made something else of it: a script around us wants to know
   * that Ctrl-C was pressed. */
  if (malt_session_take_interrupt (session))
    status = MALT_STATUS_INTERRUPTED;

  return status;
}
