/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-native-loader.h"

#include <errno.h>
#include <gmodule.h>
#include <string.h>
#include <sys/stat.h>

#define SYMBOL_PREFIX "malt_function_"

/* A function that was found.  Neither those of modules nor those of the program ever
 * change. */
typedef struct
{
  char         *name;      /* as it is called */
  MaltFunction  function;
  gpointer      user_data;
} Found;

struct _MaltNativeLoader
{
  char       **search_path; /* absolute folders */
  GHashTable  *modules;     /* name or path → GModule; they stay resident */
  GHashTable  *functions;   /* name → Found (owned) */
  const Found *last;        /* the function that was called last, likely the next one too */
};

static void
found_free (gpointer data)
{
  Found *self = data;

  g_free (self->name);
  g_free (self);
}

MaltNativeLoader *
malt_native_loader_new (const char * const *search_path)
{
  MaltNativeLoader *self = g_new0 (MaltNativeLoader, 1);
  g_autoptr (GPtrArray) folders = g_ptr_array_new ();

  /* Without a slash the dynamic linker would take a file name for the name of a
   * library and look for it in its own folders. */
  for (gsize i = 0; search_path != NULL && search_path[i] != NULL; i++)
    g_ptr_array_add (folders, g_canonicalize_filename (search_path[i], NULL));
  g_ptr_array_add (folders, NULL);

  self->search_path = (char **) g_ptr_array_steal (folders, NULL);
  self->modules = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  self->functions = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, found_free);

  return self;
}

void
malt_native_loader_free (MaltNativeLoader *self)
{
  g_strfreev (self->search_path);
  g_hash_table_unref (self->modules);
  g_hash_table_unref (self->functions);
  g_free (self);
}

/* The first file of that name in the search path. */
static char *
find_file (MaltNativeLoader  *self,
           const char        *module,
           GError           **error)
{
  static const char * const prefixes[] = { "", "lib" };
  g_autoptr (GString) looked = g_string_new (NULL);

  for (gsize i = 0; self->search_path[i] != NULL; i++)
    {
      for (gsize j = 0; j < G_N_ELEMENTS (prefixes); j++)
        {
          g_autofree char *path = g_strdup_printf ("%s/%s%s." G_MODULE_SUFFIX,
                                                   self->search_path[i], prefixes[j], module);
          struct stat info;

          /* One that cannot be looked at is taken too, and loading it says why. */
          if (stat (path, &info) == 0 || (errno != ENOENT && errno != ENOTDIR))
            return g_steal_pointer (&path);

          g_string_append_printf (looked, "%s%s", looked->len > 0 ? ", " : "", path);
        }
    }

  g_set_error (error, MALT_ERROR, MALT_ERROR_NOT_FOUND,
               "no native module '%s' was found: %s%s", module,
               looked->len > 0 ? "there is no " : "the search path is empty", looked->str);
  return NULL;
}

static GModule *
load_module (MaltNativeLoader  *self,
             const char        *name,
             GError           **error)
{
  g_autofree char *path = NULL;
  g_autoptr (GError) reason = NULL;
  GModule *module;

  if (g_path_is_absolute (name))
    path = g_strdup (name);
  else
    path = find_file (self, name, error);
  if (path == NULL)
    return NULL;

  /* All symbols are bound now: a missing one fails this call, while a lazily bound
   * one would end the process in the middle of another. */
  module = g_module_open_full (path, G_MODULE_BIND_LOCAL, &reason);
  if (module == NULL)
    {
      g_set_error (error, MALT_ERROR, MALT_ERROR_NOT_FOUND,
                   "native module '%s' could not be loaded: %s", path, reason->message);
      return NULL;
    }

  /* A function of it may be running on any thread, or have left a callback. */
  g_module_make_resident (module);
  return module;
}

static GModule *
find_module (MaltNativeLoader  *self,
             const char        *name,
             GError           **error)
{
  GModule *module = g_hash_table_lookup (self->modules, name);

  if (module != NULL)
    return module;

  module = load_module (self, name, error);
  if (module != NULL)
    g_hash_table_insert (self->modules, g_strdup (name), module);

  return module;
}

/* Takes "module:function" apart, at the last colon as a path may contain some. */
static gboolean
split_name (const char  *name,
            char       **module,
            char       **function,
            GError     **error)
{
  const char *colon = strrchr (name, ':');
  g_autofree char *before = g_strndup (name, (gsize) (colon - name));

  if (*before == '\0' || colon[1] == '\0')
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                   "'%s' is not the name of a function: it names no %s", name,
                   *before == '\0' ? "module" : "function after the module");
      return FALSE;
    }

  if (strchr (before, '/') != NULL && !g_path_is_absolute (before))
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                   "native module '%s' is a relative path instead of a name or an absolute path", before);
      return FALSE;
    }

  *module = g_steal_pointer (&before);
  *function = g_strdup (colon + 1);
  return TRUE;
}

static MaltFunction
find_in_module (MaltNativeLoader  *self,
                const char        *name,
                GError           **error)
{
  g_autofree char *module_name = NULL;
  g_autofree char *function_name = NULL;
  g_autofree char *symbol_name = NULL;
  gpointer symbol = NULL;
  GModule *module;

  if (!split_name (name, &module_name, &function_name, error))
    return NULL;

  module = find_module (self, module_name, error);
  if (module == NULL)
    return NULL;

  symbol_name = g_strconcat (SYMBOL_PREFIX, function_name, NULL);
  if (!g_module_symbol (module, symbol_name, &symbol) || symbol == NULL)
    {
      g_set_error (error, MALT_ERROR, MALT_ERROR_NOT_FOUND,
                   "native module '%s' has no function '%s': it exports no symbol '%s'",
                   g_module_name (module), function_name, symbol_name);
      return NULL;
    }

  return (MaltFunction) symbol;
}

static MaltFunction
find_in_program (const char  *name,
                 gpointer    *user_data,
                 GError     **error)
{
  MaltFunction function = malt_lookup_function (name, user_data);

  if (function == NULL)
    g_set_error (error, MALT_ERROR, MALT_ERROR_NOT_FOUND,
                 "the worker's program has no function '%s' "
                 "(one of a module is called as 'module:function')", name);
  return function;
}

/* The name of an introspected function has a dot in it.  What the program has registered by
 * such a name comes first. */
static MaltFunction
find_in_program_or_typelib (MaltNativeLoader  *self,
                            const char        *name,
                            gpointer          *user_data,
                            GError           **error)
{
  MaltFunction function = malt_lookup_function (name, user_data);
  g_autoptr (GError) local_error = NULL;

  if (function != NULL)
    return function;

  function = malt_native_find_introspected (name, (const char * const *) self->search_path,
                                            user_data, &local_error);
  if (g_error_matches (local_error, MALT_ERROR, MALT_ERROR_NOT_FOUND))
    g_prefix_error (&local_error, "the worker's program has no function '%s', and ", name);
  if (local_error != NULL)
    g_propagate_error (error, g_steal_pointer (&local_error));

  return function;
}

MaltFunction
malt_native_loader_find (MaltNativeLoader  *self,
                         const char        *name,
                         gpointer          *user_data,
                         GError           **error)
{
  const Found *found = self->last;

  if (found == NULL || strcmp (found->name, name) != 0)
    found = g_hash_table_lookup (self->functions, name);

  if (found == NULL)
    {
      MaltFunction function;
      Found *new_found;

      *user_data = NULL;
      if (strchr (name, ':') != NULL)
        function = find_in_module (self, name, error);
      else if (strchr (name, '.') != NULL)
        function = find_in_program_or_typelib (self, name, user_data, error);
      else
        function = find_in_program (name, user_data, error);
      if (function == NULL)
        return NULL;

      new_found = g_new (Found, 1);
      *new_found = (Found) { g_strdup (name), function, *user_data };
      g_hash_table_insert (self->functions, new_found->name, new_found);
      found = new_found;
    }

  self->last = found;
  *user_data = found->user_data;
  return found->function;
}
