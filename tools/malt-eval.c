/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "malt-command.h"
#include "malt-options.h"
#include "malt-run.h"

/* malt eval: source in, value out. */

typedef struct
{
  MaltOptions worker;
  char       *module;
  char       *file;
  char      **code;
} EvalOptions;

static void
eval_options_clear (EvalOptions *self)
{
  malt_options_clear (&self->worker);
  g_clear_pointer (&self->module, g_free);
  g_clear_pointer (&self->file, g_free);
  g_clear_pointer (&self->code, g_strfreev);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (EvalOptions, eval_options_clear)

typedef struct
{
  const char *module;
  const char *source;
  int         timeout_msec;
} Eval;

static GVariant *
eval (MaltSession  *session,
      gpointer      user_data,
      GError      **error)
{
  const Eval *self = user_data;

  return malt_session_eval (session, self->module, self->source, self->timeout_msec, error);
}

static char *
read_standard_input (gsize   *length,
                     GError **error)
{
  g_autoptr (GString) text = g_string_new (NULL);
  char buffer[4096];
  gsize n;

  while ((n = fread (buffer, 1, sizeof buffer, stdin)) > 0)
    g_string_append_len (text, buffer, n);

  if (ferror (stdin))
    {
      g_set_error (error, G_FILE_ERROR, g_file_error_from_errno (errno),
                   "cannot read standard input: %s", g_strerror (errno));
      return NULL;
    }

  *length = text->len;
  return g_string_free (g_steal_pointer (&text), FALSE);
}

static char *
read_source (EvalOptions  *options,
             GError      **error)
{
  const char *code = options->code != NULL ? options->code[0] : NULL;
  g_autofree char *source = NULL;
  gsize length = 0;

  /* What is on the command line has been looked at already. */
  if (code != NULL && strcmp (code, "-") != 0)
    return g_strdup (code);

  if (options->file == NULL || strcmp (options->file, "-") == 0)
    source = read_standard_input (&length, error);
  else
    g_file_get_contents (options->file, &source, &length, error);
  if (source == NULL)
    return NULL;

  if (!g_utf8_validate_len (source, length, NULL))
    {
      g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_INVAL,
                   "%s is not UTF-8 text",
                   options->file != NULL ? options->file : "standard input");
      return NULL;
    }

  return g_steal_pointer (&source);
}

static GOptionContext *
make_context (EvalOptions *options)
{
  GOptionEntry entries[] =
    {
      { "module", 'm', 0, G_OPTION_ARG_FILENAME, &options->module,
        "Evaluate in this module, not in the main one", "MODULE" },
      { "file", 'f', 0, G_OPTION_ARG_FILENAME, &options->file,
        "Read the source from a file", "FILE" },
      { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &options->code, NULL, NULL },
      G_OPTION_ENTRY_NULL
    };
  GOptionContext *context = g_option_context_new ("CODE | -f FILE | -");

  g_option_context_set_summary (context,
    "Evaluates source in a new worker, and prints the value of its last expression\n"
    "as one line of JSON; nothing if it has no value.  With - the source is what\n"
    "comes on standard input.  What the code itself prints goes where the command's\n"
    "output goes, and a traceback to standard error.\n"
    "\n"
    "The worker starts in the current directory, with its own small environment and\n"
    "nothing on standard input.  Ctrl-C interrupts the code; pressed again, it kills\n"
    "the worker.");
  g_option_context_set_description (context,
    "Examples:\n"
    "  malt eval 'sum(range(10))'\n"
    "  malt eval --timeout 2.5 -f script.py\n"
    "  echo 'import sys; sys.version' | malt eval -\n"
    "  malt eval -- '-1'\n"
    "\n"
    MALT_HELP_STATUS);

  malt_options_add_worker (&options->worker, context);
  g_option_context_add_main_entries (context, entries, NULL);
  malt_options_add_timeout (&options->worker, context);
  return context;
}

MaltStatus
malt_command_eval (int    argc,
                   char **argv)
{
  g_auto (EvalOptions) options = { 0 };
  g_autoptr (GOptionContext) context = make_context (&options);
  g_autoptr (MaltLauncher) launcher = NULL;
  g_autofree char *source = NULL;
  g_autoptr (GError) error = NULL;
  Eval self;

  if (!g_option_context_parse (context, &argc, &argv, &error))
    return malt_report_usage ("%s", error->message);

  if (options.code == NULL && options.file == NULL)
    return malt_report_usage ("no source to evaluate");
  if (options.code != NULL && (options.file != NULL || options.code[1] != NULL))
    return malt_report_usage ("more than one source to evaluate");

  launcher = malt_options_dup_launcher (&options.worker, &error);
  if (launcher == NULL || !malt_options_get_timeout (&options.worker, &self.timeout_msec, &error))
    return malt_report_usage ("%s", error->message);

  source = read_source (&options, &error);
  if (source == NULL)
    return malt_report_usage ("%s", error->message);

  self.module = options.module;
  self.source = source;
  return malt_run (launcher, eval, &self);
}
