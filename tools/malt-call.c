/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>

#include "malt-command.h"
#include "malt-json-read.h"
#include "malt-options.h"
#include "malt-run.h"

/* malt call: a function by its name, with arguments in JSON. */

typedef struct
{
  MaltOptions worker;
  char      **keywords;
  /* The function and its arguments. */
  char      **words;
} CallOptions;

static void
call_options_clear (CallOptions *self)
{
  malt_options_clear (&self->worker);
  g_clear_pointer (&self->keywords, g_strfreev);
  g_clear_pointer (&self->words, g_strfreev);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (CallOptions, call_options_clear)

typedef struct
{
  const char *function;
  GVariant   *arguments;
  GVariant   *keywords;
  int         timeout_msec;
} Call;

static GVariant *
call (MaltSession  *session,
      gpointer      user_data,
      GError      **error)
{
  const Call *self = user_data;

  return malt_session_call (session, self->function, self->arguments, self->keywords,
                            self->timeout_msec, error);
}

/* So that -1 is an argument and not an option. */
static char **
shield_negative_numbers (int    argc,
                         char **argv)
{
  char **shielded = g_new0 (char *, argc + 1);
  int i;

  for (i = 0; i < argc; i++)
    {
      if (argv[i][0] == '-' && g_ascii_isdigit (argv[i][1]))
        shielded[i] = g_strconcat (" ", argv[i], NULL);
      else
        shielded[i] = g_strdup (argv[i]);
    }

  return shielded;
}

static const char *
unshield (const char *word)
{
  return g_str_has_prefix (word, " -") ? word + 1 : word;
}

static GVariant *
read_arguments (char   **texts,
                GError **error)
{
  g_auto (GVariantBuilder) builder = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE_TUPLE);
  guint i;

  for (i = 0; texts[i] != NULL; i++)
    {
      const char *text = unshield (texts[i]);
      g_autoptr (GError) reason = NULL;
      GVariant *value = malt_json_read (text, &reason);

      if (value == NULL)
        {
          g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                       "argument %u %s: %s", i + 1, reason->message, text);
          return NULL;
        }
      g_variant_builder_add_value (&builder, value);
    }

  return g_variant_ref_sink (g_variant_builder_end (&builder));
}

/* An empty dictionary if there are none; in the order in which they were given, which
 * Python code can see. */
static GVariant *
read_keywords (char   **texts,
               GError **error)
{
  g_auto (GVariantBuilder) builder = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE_VARDICT);
  g_autoptr (GHashTable) names = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);

  for (; texts != NULL && *texts != NULL; texts++)
    {
      const char *equals = strchr (*texts, '=');
      g_autofree char *name = NULL;
      g_autoptr (GError) reason = NULL;
      GVariant *value;

      if (equals == NULL || equals == *texts)
        {
          g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                       "--kw wants NAME=JSON, not '%s'", *texts);
          return NULL;
        }

      name = g_strndup (*texts, equals - *texts);
      if (g_hash_table_contains (names, name))
        {
          g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                       "keyword argument '%s' is given twice", name);
          return NULL;
        }

      value = malt_json_read (equals + 1, &reason);
      if (value == NULL)
        {
          g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                       "keyword argument '%s' %s: %s", name, reason->message, equals + 1);
          return NULL;
        }
      g_variant_builder_add (&builder, "{sv}", name, value);
      g_hash_table_add (names, g_steal_pointer (&name));
    }

  return g_variant_ref_sink (g_variant_builder_end (&builder));
}

static GOptionContext *
make_context (CallOptions *options)
{
  GOptionEntry entries[] =
    {
      { "kw", 'k', 0, G_OPTION_ARG_FILENAME_ARRAY, &options->keywords,
        "Pass a keyword argument; may be repeated", "NAME=JSON" },
      { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &options->words, NULL, NULL },
      G_OPTION_ENTRY_NULL
    };
  GOptionContext *context = g_option_context_new ("FUNCTION [JSON…]");

  g_option_context_set_summary (context,
    "Calls a function in a new worker, and prints what it returns as one line of\n"
    "JSON; nothing if that is nothing.  The function is named as the runtime spells\n"
    "it: module.function in Python, module:function in C (native).  Each argument is\n"
    "a JSON value: an integer, a number, true, false, null, \"text\", an array or an\n"
    "object; {\"$bytes\": \"aGVsbG8=\"} stands for the bytes of a base64 text.\n"
    "\n"
    "The worker starts in the current directory, with its own small environment and\n"
    "nothing on standard input.  Ctrl-C interrupts the code; pressed again, it kills\n"
    "the worker.");
  g_option_context_set_description (context,
    "Examples:\n"
    "  malt call math.hypot 3 4\n"
    "  malt call builtins.sorted '[3, -1, 2]' --kw reverse=true\n"
    "  malt call os.path.basename '\"/a/b\"'\n"
    "  malt call -r native -p ./modules statistics:mean '[1.5, 2.5]'\n"
    "\n"
    MALT_HELP_STATUS);

  malt_options_add_worker (&options->worker, context);
  g_option_context_add_main_entries (context, entries, NULL);
  malt_options_add_timeout (&options->worker, context);
  return context;
}

MaltStatus
malt_command_call (int    argc,
                   char **argv)
{
  g_auto (CallOptions) options = { 0 };
  g_autoptr (GOptionContext) context = make_context (&options);
  g_auto (GStrv) words = shield_negative_numbers (argc, argv);
  g_autoptr (MaltLauncher) launcher = NULL;
  g_autoptr (GVariant) arguments = NULL;
  g_autoptr (GVariant) keywords = NULL;
  g_autoptr (GError) error = NULL;
  Call self;

  if (!g_option_context_parse_strv (context, &words, &error))
    return malt_report_usage ("%s", error->message);

  if (options.words == NULL)
    return malt_report_usage ("no function to call");

  arguments = read_arguments (options.words + 1, &error);
  if (arguments == NULL)
    return malt_report_usage ("%s", error->message);

  keywords = read_keywords (options.keywords, &error);
  if (keywords == NULL)
    return malt_report_usage ("%s", error->message);

  launcher = malt_options_dup_launcher (&options.worker, &error);
  if (launcher == NULL || !malt_options_get_timeout (&options.worker, &self.timeout_msec, &error))
    return malt_report_usage ("%s", error->message);

  self.function = options.words[0];
  self.arguments = arguments;
  self.keywords = g_variant_n_children (keywords) > 0 ? keywords : NULL;
  return malt_run (launcher, call, &self);
}
