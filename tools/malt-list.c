/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <json-glib/json-glib.h>
#include <malt.h>
#include <stdio.h>
#include <string.h>

#include "malt-command.h"
#include "malt-output.h"

/* malt list: which modules there are. */

static const char *
kind_to_string (MaltModuleKind kind)
{
  switch (kind)
    {
    case MALT_MODULE_KIND_BACKEND:
      return "backend";
    case MALT_MODULE_KIND_RUNTIME:
      return "runtime";
    default:
      g_assert_not_reached ();
    }
}

/* A type that the program itself registered came from no file. */
static char *
dup_display_path (MaltModule *module)
{
  const char *path = malt_module_get_path (module);

  return path != NULL ? g_filename_display_name (path) : NULL;
}

static char *
make_table (GListModel *modules)
{
  GString *table = g_string_new (NULL);
  guint n_modules = g_list_model_get_n_items (modules);
  int width = strlen ("NAME");
  guint i;

  for (i = 0; i < n_modules; i++)
    {
      g_autoptr (MaltModule) module = g_list_model_get_item (modules, i);

      width = MAX (width, (int) g_utf8_strlen (malt_module_get_name (module), -1));
    }

  g_string_append_printf (table, "%-8s %-*s %-6s %s\n", "KIND", width, "NAME", "STATE", "FILE");

  for (i = 0; i < n_modules; i++)
    {
      g_autoptr (MaltModule) module = g_list_model_get_item (modules, i);
      g_autofree char *path = dup_display_path (module);
      const GError *error = malt_module_get_error (module);
      const char *name = malt_module_get_name (module);
      /* printf() pads by bytes. */
      int padding = width - (int) g_utf8_strlen (name, -1);

      g_string_append_printf (table, "%-8s %s%*s %-6s %s\n",
                              kind_to_string (malt_module_get_kind (module)),
                              name, padding, "",
                              error == NULL ? "ok" : "failed",
                              path != NULL ? path : "-");
      if (error != NULL)
        g_string_append_printf (table, "%*s%s\n", 8 + 1 + width + 1 + 6 + 1, "", error->message);
    }

  return g_string_free (table, FALSE);
}

static void
add_string_member (JsonBuilder *builder,
                   const char  *name,
                   const char  *value)
{
  json_builder_set_member_name (builder, name);
  if (value != NULL)
    json_builder_add_string_value (builder, value);
  else
    json_builder_add_null_value (builder);
}

static char *
make_json (GListModel *modules)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  g_autoptr (JsonNode) root = NULL;
  g_autofree char *json = NULL;
  guint i;

  json_builder_begin_array (builder);
  for (i = 0; i < g_list_model_get_n_items (modules); i++)
    {
      g_autoptr (MaltModule) module = g_list_model_get_item (modules, i);
      g_autofree char *path = dup_display_path (module);
      const GError *error = malt_module_get_error (module);

      json_builder_begin_object (builder);
      add_string_member (builder, "kind", kind_to_string (malt_module_get_kind (module)));
      add_string_member (builder, "name", malt_module_get_name (module));
      add_string_member (builder, "file", path);
      add_string_member (builder, "error", error != NULL ? error->message : NULL);
      json_builder_end_object (builder);
    }
  json_builder_end_array (builder);

  root = json_builder_get_root (builder);
  json = json_to_string (root, FALSE);
  return g_strconcat (json, "\n", NULL);
}

static GOptionContext *
make_context (gboolean *as_json)
{
  GOptionEntry entries[] =
    {
      { "json", 0, 0, G_OPTION_ARG_NONE, as_json,
        "Print a JSON array of objects with kind, name, file and error", NULL },
      G_OPTION_ENTRY_NULL
    };
  GOptionContext *context = g_option_context_new (NULL);

  g_option_context_set_summary (context,
    "Lists the backends (where code can run) and the runtimes (the languages it can\n"
    "be in), the file of each, and why one could not be loaded.\n"
    "\n"
    "They are looked for in the directories that MALT_MODULE_PATH names, separated\n"
    "by colons, and then where libmalt is installed.");
  g_option_context_set_description (context,
    "Exit status:\n"
    "  0  there is at least one backend or runtime, loaded or not\n"
    "  1  there is none\n"
    "  2  the command line is wrong");
  g_option_context_add_main_entries (context, entries, NULL);
  return context;
}

MaltStatus
malt_command_list (int    argc,
                   char **argv)
{
  gboolean as_json = FALSE;
  g_autoptr (GOptionContext) context = make_context (&as_json);
  g_autoptr (GListModel) modules = NULL;
  g_autofree char *text = NULL;
  g_autoptr (GError) error = NULL;

  if (!g_option_context_parse (context, &argc, &argv, &error))
    return malt_report_usage ("%s", error->message);
  if (argc > 1)
    return malt_report_usage ("unexpected argument '%s'", argv[1]);

  modules = malt_list_modules ();
  text = as_json ? make_json (modules) : make_table (modules);

  malt_output_text (stdout, text);
  if (!malt_output_flush ())
    return MALT_STATUS_FAILED;

  if (g_list_model_get_n_items (modules) == 0)
    {
      malt_report ("no backend or runtime is installed");
      return MALT_STATUS_FAILED;
    }

  return MALT_STATUS_OK;
}
