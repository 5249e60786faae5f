/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <stdio.h>
#include <string.h>

#include "malt-command.h"
#include "malt-continuation.h"
#include "malt-lines.h"
#include "malt-options.h"
#include "malt-output.h"
#include "malt-run.h"

/* malt repl: a worker to talk to. */

#define PROMPT      ">>> "
#define MORE_PROMPT "... "

/* How often Ctrl-C interrupts before it kills: what the worker knows is worth more
 * here than in a command that ends anyway. */
#define PATIENCE 2

typedef struct
{
  MaltSession *session;
  MaltLines   *lines;
  const char  *module;
  /* What was typed, and not evaluated yet. */
  GString     *source;
  /* Whether it was said that the worker is gone. */
  gboolean     is_end_reported;
} Repl;

static GOptionContext *
make_context (MaltOptions  *options,
              char        **module)
{
  GOptionEntry entries[] =
    {
      { "module", 'm', 0, G_OPTION_ARG_FILENAME, module,
        "Evaluate in this module, not in the main one", "MODULE" },
      G_OPTION_ENTRY_NULL
    };
  GOptionContext *context = g_option_context_new (NULL);

  g_option_context_set_summary (context,
    "Reads source line by line, evaluates it in one worker, and prints the value of\n"
    "each expression as a line of JSON.\n"
    "\n"
    "A statement goes on over several lines until it is complete: Python code as in\n"
    "Python's own prompt, other languages where a line ends with a backslash.\n"
    "\n"
    "Ctrl-C clears the line, or interrupts what is being evaluated; the third time,\n"
    "it kills the worker.  A worker that died is reported, and replaced by a new\n"
    "one, which knows nothing of what the old one did.  Ctrl-D leaves.\n"
    "\n"
    "Lines can be edited as in other programs that use readline, and are kept in\n"
    "~/.local/state/malt/history.  Without a terminal there are no prompts and no\n"
    "history.");
  g_option_context_set_description (context,
    "Exit status:\n"
    "  0    there were no more lines\n"
    "  1    a value could not be written\n"
    "  2    the command line is wrong\n"
    "  4    a worker did not start\n"
    "  130  Ctrl-C, where it could not be for a line or an evaluation");

  malt_options_add_worker (options, context);
  g_option_context_add_main_entries (context, entries, NULL);
  return context;
}

/* Says that the worker is gone, unless a call has said so. */
static void
report_end (Repl *self)
{
  MaltWorker *worker = malt_session_get_worker (self->session);
  MaltExitInfo *exit_info = malt_worker_get_exit_info (worker);
  g_autofree char *name = NULL;
  g_autofree char *how = NULL;
  g_autofree char *text = NULL;

  if (self->is_end_reported || exit_info == NULL)
    return;
  self->is_end_reported = TRUE;

  name = malt_worker_dup_name (worker);
  how = malt_exit_info_to_string (exit_info);
  text = g_strdup_printf ("%s %s", name, how);
  malt_lines_interject (self->lines, text);
}

/* Starts a worker, where there is none or it is gone. */
static MaltStatus
ensure_worker (Repl *self)
{
  g_autoptr (MaltWorker) old = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *name = NULL;

  g_set_object (&old, malt_session_get_worker (self->session));
  if (old != NULL && malt_worker_is_running (old))
    return MALT_STATUS_OK;

  if (old != NULL)
    {
      g_signal_handlers_disconnect_by_data (old, self);
      report_end (self);
    }

  if (!malt_session_start (self->session, &error))
    return malt_report_start_error (error);
  if (malt_session_take_interrupt (self->session))
    return MALT_STATUS_INTERRUPTED;

  self->is_end_reported = FALSE;
  g_signal_connect_swapped (malt_session_get_worker (self->session), "terminated",
                            G_CALLBACK (report_end), self);

  name = malt_worker_dup_name (malt_session_get_worker (self->session));
  if (old != NULL)
    malt_report ("%s takes its place", name);
  else if (malt_lines_is_interactive (self->lines))
    printf ("%s; Ctrl-D leaves\n", name);

  return MALT_STATUS_OK;
}

/* The status is that of the repl, which goes on after an evaluation that failed. */
static MaltStatus
evaluate (Repl *self)
{
  g_autoptr (GVariant) value = NULL;
  g_autoptr (GError) error = NULL;
  MaltStatus status = MALT_STATUS_OK;

  /* The error says more than the signal, whichever comes first. */
  self->is_end_reported = TRUE;
  value = malt_session_eval (self->session, self->module, self->source->str,
                             MALT_TIMEOUT_NONE, &error);
  if (value == NULL)
    self->is_end_reported = malt_report_call_error (error) == MALT_STATUS_DIED;
  else if (malt_print_value (value))
    self->is_end_reported = FALSE;
  else
    status = MALT_STATUS_FAILED;

  return malt_session_take_interrupt (self->session) ? MALT_STATUS_INTERRUPTED : status;
}

static gboolean
is_blank (const char *text)
{
  return text[strspn (text, " \t\r\n")] == '\0';
}

/* Evaluates it, with what came before it, unless more is to come. */
static MaltStatus
take_line (Repl       *self,
           const char *line)
{
  MaltStatus status = MALT_STATUS_OK;

  if (self->source->len > 0)
    g_string_append_c (self->source, '\n');
  g_string_append (self->source, line);

  if (!is_blank (self->source->str))
    {
      gboolean wants_more = malt_continuation_wants_more (self->session, self->source);

      if (malt_session_take_interrupt (self->session))
        status = MALT_STATUS_INTERRUPTED;
      else if (wants_more)
        return MALT_STATUS_OK;
      else
        status = evaluate (self);
    }

  g_string_truncate (self->source, 0);
  return status;
}

static MaltStatus
take_what_came (Repl           *self,
                MaltLineResult  result,
                const char     *line)
{
  MaltStatus status = MALT_STATUS_OK;

  switch (result)
    {
    case MALT_LINE_READ:
      /* It may have gone while nobody was typing. */
      status = ensure_worker (self);
      return status == MALT_STATUS_OK ? take_line (self, line) : status;

    case MALT_LINE_END:
      /* A script need not end with the empty line that completes a block. */
      if (self->source->len > 0 && !malt_lines_is_interactive (self->lines))
        status = evaluate (self);
      return status;

    case MALT_LINE_INVALID:
      malt_report ("not UTF-8 text");
      break;

    case MALT_LINE_CLEARED:
    default:
      status = MALT_STATUS_INTERRUPTED;
      break;
    }

  g_string_truncate (self->source, 0);
  return status;
}

static MaltStatus
talk (Repl *self)
{
  MaltLineResult result = MALT_LINE_READ;
  MaltStatus status = MALT_STATUS_OK;

  do
    {
      g_autofree char *line = NULL;

      status = ensure_worker (self);
      if (status != MALT_STATUS_OK)
        return status;

      result = malt_lines_read (self->lines, self->source->len > 0 ? MORE_PROMPT : PROMPT, &line);

      status = take_what_came (self, result, line);
      /* For a person Ctrl-C is for what runs now, for a script the whole of it. */
      if (status == MALT_STATUS_INTERRUPTED && malt_lines_is_interactive (self->lines))
        status = MALT_STATUS_OK;
    }
  while (status == MALT_STATUS_OK && result != MALT_LINE_END);

  return status;
}

static void
clear_line (gpointer user_data)
{
  malt_lines_clear (user_data);
}

MaltStatus
malt_command_repl (int    argc,
                   char **argv)
{
  g_auto (MaltOptions) options = { 0 };
  g_autofree char *module = NULL;
  g_autoptr (GOptionContext) context = make_context (&options, &module);
  g_autoptr (MaltLauncher) launcher = NULL;
  g_autoptr (MaltSession) session = NULL;
  g_autoptr (MaltLines) lines = NULL;
  g_autoptr (GString) source = g_string_new (NULL);
  g_autoptr (GError) error = NULL;
  Repl self = { 0 };
  MaltStatus status;

  if (!g_option_context_parse (context, &argc, &argv, &error))
    return malt_report_usage ("%s", error->message);
  if (argc > 1)
    return malt_report_usage ("unexpected argument '%s'", argv[1]);

  launcher = malt_options_dup_launcher (&options, &error);
  if (launcher == NULL)
    return malt_report_usage ("%s", error->message);

  session = malt_session_new (launcher, PATIENCE);
  lines = malt_lines_new ();

  self.session = session;
  self.lines = lines;
  self.module = module;
  self.source = source;
  malt_session_set_idle_func (session, clear_line, lines);
  status = talk (&self);

  /* Nobody need be told of an end that was asked for. */
  self.is_end_reported = TRUE;
  malt_session_set_idle_func (session, NULL, NULL);
  malt_session_stop (session);
  return status;
}
