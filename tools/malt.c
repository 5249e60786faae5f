/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <locale.h>
#include <malt.h>
#include <stdio.h>
#include <string.h>

#include "malt-command.h"
#include "malt-output.h"

/* The malt command: finds out which of its commands is meant. */

static const struct
{
  const char *name;
  MaltStatus (* run) (int    argc,
                      char **argv);
}
commands[] =
{
  { "eval", malt_command_eval },
  { "call", malt_command_call },
  { "map", malt_command_map },
  { "repl", malt_command_repl },
  { "list", malt_command_list },
};

static GOptionContext *
make_context (gboolean *print_version)
{
  GOptionEntry entries[] =
    {
      { "version", 0, 0, G_OPTION_ARG_NONE, print_version, "Print the version", NULL },
      G_OPTION_ENTRY_NULL
    };
  GOptionContext *context = g_option_context_new ("COMMAND …");

  g_option_context_set_summary (context,
    "Runs code in workers: processes of their own, whose crashes, hangs and output\n"
    "are kept apart.\n"
    "\n"
    "Commands:\n"
    "  eval    Evaluate source, and print its value as JSON\n"
    "  call    Call a function with JSON arguments, and print its value as JSON\n"
    "  map     Call a function for each line of standard input, in several workers\n"
    "  repl    Evaluate line by line, interactively\n"
    "  list    List the backends and runtimes that there are");
  g_option_context_set_description (context,
    "Examples:\n"
    "  malt eval '2 ** 100 % 97'\n"
    "  malt call math.hypot 3 4\n"
    "\n"
    "'malt COMMAND --help' tells more about a command.");

  /* What comes after the command is the command's. */
  g_option_context_set_strict_posix (context, TRUE);
  g_option_context_add_main_entries (context, entries, NULL);
  return context;
}

/* The library takes only UTF-8, and would not say which word was not. */
static int
find_invalid_word (char **argv)
{
  int i;

  for (i = 0; argv[i] != NULL; i++)
    {
      if (!g_utf8_validate (argv[i], -1, NULL))
        return i;
    }

  return 0;
}

int
main (int    argc,
      char **argv)
{
  gboolean print_version = FALSE;
  g_autoptr (GOptionContext) context = make_context (&print_version);
  g_autoptr (GError) error = NULL;
  int invalid;
  gsize i;

  setlocale (LC_ALL, "");
  g_set_prgname ("malt");

  invalid = find_invalid_word (argv);
  if (invalid > 0)
    return malt_report_usage ("word %d of the command line is not UTF-8: %s",
                              invalid + 1, argv[invalid]);

  if (!g_option_context_parse (context, &argc, &argv, &error))
    return malt_report_usage ("%s", error->message);

  if (print_version)
    {
      fputs ("malt " MALT_VERSION_S "\n", stdout);
      return malt_output_flush () ? MALT_STATUS_OK : MALT_STATUS_FAILED;
    }

  /* strict_posix leaves a -- in its place. */
  if (argc > 1 && strcmp (argv[1], "--") == 0)
    {
      argv++;
      argc--;
    }

  if (argc < 2)
    return malt_report_usage ("no command");

  for (i = 0; i < G_N_ELEMENTS (commands); i++)
    {
      if (strcmp (argv[1], commands[i].name) == 0)
        {
          g_autofree char *name = g_strconcat ("malt ", commands[i].name, NULL);

          g_set_prgname (name);
          return commands[i].run (argc - 1, argv + 1);
        }
    }

  return malt_report_usage ("no such command: '%s'", argv[1]);
}
