/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-registry.h"

#include <errno.h>
#include <gmodule.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#include "malt-debug.h"
#include "malt-error.h"
#include "malt-runtime.h"
#include "malt-worker.h"

/* Which backends and runtimes there are, and where they come from.
 *
 * They are extensions of two GIO extension points.  A module's file tells by its name
 * what it has, libmalt-backend-NAME.so or libmalt-runtime-NAME.so, so that nothing is
 * loaded but what is asked for.  Modules stay loaded. */

#define ABI_SYMBOL "malt_module_abi"

typedef struct
{
  const char *point;
  const char *prefix; /* of the file name */
  const char *what;
} Kind;

static const Kind kinds[] = {
  [MALT_MODULE_KIND_BACKEND] = { MALT_WORKER_EXTENSION_POINT, "libmalt-backend-", "backend" },
  [MALT_MODULE_KIND_RUNTIME] = { MALT_RUNTIME_EXTENSION_POINT, "libmalt-runtime-", "runtime" },
};

/* GIO does not lock its extension points.  Loading a module may register one. */
static GRecMutex registry_lock;
/* Guarded by registry_lock. */
static char **module_path;
static GHashTable *loaded; /* path → GIOModule, in use for good */

static GType
base_type (MaltModuleKind kind)
{
  return kind == MALT_MODULE_KIND_BACKEND ? MALT_TYPE_WORKER : MALT_TYPE_RUNTIME;
}

static GIOExtensionPoint *
get_point_locked (MaltModuleKind kind)
{
  GIOExtensionPoint *point = g_io_extension_point_lookup (kinds[kind].point);

  if (point == NULL)
    {
      point = g_io_extension_point_register (kinds[kind].point);
      g_io_extension_point_set_required_type (point, base_type (kind));
    }

  return point;
}

static const char * const *
get_path_locked (void)
{
  if (module_path == NULL)
    {
      g_autoptr (GStrvBuilder) builder = g_strv_builder_new ();
      const char *variable = getauxval (AT_SECURE) ? NULL : g_getenv ("MALT_MODULE_PATH");
      g_auto (GStrv) directories = g_strsplit (variable != NULL ? variable : "", ":", -1);
      gsize i;

      for (i = 0; directories[i] != NULL; i++)
        if (g_path_is_absolute (directories[i]))
          g_strv_builder_add (builder, directories[i]);
      g_strv_builder_add (builder, MALT_MODULE_DIRECTORY);
      module_path = g_strv_builder_end (builder);
    }

  return (const char * const *) module_path;
}

/* A file that is there but cannot be looked at counts, so that it is said why. */
static gboolean
is_there (const char *path)
{
  struct stat info;

  return stat (path, &info) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

/* Who may write a file may run code in us. */
static gboolean
check_owner (const char  *path,
             GError     **error)
{
  struct stat info;

  if (stat (path, &info) < 0)
    {
      int code = errno;

      g_set_error (error, MALT_ERROR, MALT_ERROR_NOT_FOUND, "%s: %s", path, g_strerror (code));
      return FALSE;
    }
  if (info.st_uid != 0 && info.st_uid != geteuid ())
    {
      g_set_error (error, MALT_ERROR, MALT_ERROR_NOT_FOUND,
                   "%s belongs to user %u, neither root nor this one", path, (guint) info.st_uid);
      return FALSE;
    }
  if ((info.st_mode & S_IWOTH) != 0 ||
      ((info.st_mode & S_IWGRP) != 0 && info.st_gid != 0 && info.st_gid != getegid ()))
    {
      g_set_error (error, MALT_ERROR, MALT_ERROR_NOT_FOUND, "%s can be written by others", path);
      return FALSE;
    }

  return TRUE;
}

/* Looks at the module's numbers before anything of it is called.  It is open then, so that
 * whoever opens it next need not load it a second time. */
static GModule *
open_module (const char  *path,
             GError     **error)
{
  g_autoptr (GError) local_error = NULL;
  GModule *module = NULL;
  const guint *abi = NULL;

  module = g_module_open_full (path, G_MODULE_BIND_LAZY | G_MODULE_BIND_LOCAL, &local_error);
  if (module == NULL)
    {
      g_set_error (error, MALT_ERROR, MALT_ERROR_NOT_FOUND, "%s", local_error->message);
      return NULL;
    }

  if (!g_module_symbol (module, ABI_SYMBOL, (gpointer *) &abi) || abi == NULL)
    g_set_error (error, MALT_ERROR, MALT_ERROR_NOT_FOUND, "%s has no symbol " ABI_SYMBOL, path);
  else if (abi[0] != MALT_MODULE_ABI || abi[1] != sizeof (MaltWorkerClass) || abi[2] != sizeof (MaltRuntimeClass))
    g_set_error (error, MALT_ERROR, MALT_ERROR_NOT_FOUND,
                 "%s was built for module ABI %u (%u, %u), this is %u (%u, %u)", path, abi[0], abi[1], abi[2],
                 MALT_MODULE_ABI, (guint) sizeof (MaltWorkerClass), (guint) sizeof (MaltRuntimeClass));
  else
    return module;

  g_module_close (module);
  return NULL;
}

static gboolean
load_locked (const char  *directory,
             const char  *path,
             GError     **error)
{
  GIOModule *module;
  GModule *opened;
  gboolean is_used;

  /* A module may have both; GIO wants to know the points first. */
  get_point_locked (MALT_MODULE_KIND_BACKEND);
  get_point_locked (MALT_MODULE_KIND_RUNTIME);

  if (loaded == NULL)
    loaded = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  if (g_hash_table_contains (loaded, path))
    return TRUE;

  if (!check_owner (directory, error) || !check_owner (path, error))
    return FALSE;

  opened = open_module (path, error);
  if (opened == NULL)
    return FALSE;

  module = g_io_module_new (path);
  is_used = g_type_module_use (G_TYPE_MODULE (module));
  g_module_close (opened);
  if (!is_used)
    {
      g_set_error (error, MALT_ERROR, MALT_ERROR_NOT_FOUND, "%s has no g_io_module_load()", path);
      g_object_unref (module);
      return FALSE;
    }

  g_hash_table_insert (loaded, g_strdup (path), module);
  MALT_DEBUG (MODULE, "loaded %s", path);
  return TRUE;
}

static gboolean
is_module_name (const char *name)
{
  return *name != '\0' && strspn (name, "abcdefghijklmnopqrstuvwxyz0123456789-_") == strlen (name);
}

static GIOExtension *
find_locked (MaltModuleKind  kind,
             const char     *name,
             GError        **error)
{
  GIOExtensionPoint *point = get_point_locked (kind);
  GIOExtension *extension = g_io_extension_point_get_extension_by_name (point, name);
  const char * const *path = get_path_locked ();
  g_autofree char *file = g_strconcat (kinds[kind].prefix, name, ".so", NULL);
  g_autoptr (GString) why = g_string_new (NULL);
  gsize i;

  for (i = 0; extension == NULL && is_module_name (name) && path[i] != NULL; i++)
    {
      g_autofree char *full = g_build_filename (path[i], file, NULL);
      g_autoptr (GError) local_error = NULL;

      if (!is_there (full))
        continue;
      if (load_locked (path[i], full, &local_error))
        {
          extension = g_io_extension_point_get_extension_by_name (point, name);
          if (extension == NULL)
            g_string_append_printf (why, "; %s does not implement it", full);
        }
      else
        g_string_append_printf (why, "; %s", local_error->message);
    }

  if (extension == NULL && why->len > 0)
    g_set_error (error, MALT_ERROR, MALT_ERROR_NOT_FOUND, "the %s \"%s\" cannot be loaded%s",
                 kinds[kind].what, name, why->str);
  else if (extension == NULL)
    {
      g_autofree char *places = g_strjoinv (", ", (char **) path);

      g_set_error (error, MALT_ERROR, MALT_ERROR_NOT_FOUND, "there is no %s \"%s\" (no %s in %s)",
                   kinds[kind].what, name, file, places);
    }

  return extension;
}

/* Whether the type has the functions that have no default. */
static gboolean
check_functions (MaltModuleKind   kind,
                 GType            type,
                 GError         **error)
{
  g_autoptr (GTypeClass) klass = NULL;
  const char *missing = NULL;

  if (kind != MALT_MODULE_KIND_BACKEND)
    return TRUE;

  klass = g_type_class_ref (type);
  if (MALT_WORKER_CLASS (klass)->submit == NULL)
    missing = "submit";
  else if (MALT_WORKER_CLASS (klass)->kill == NULL)
    missing = "kill";
  if (missing == NULL)
    return TRUE;

  g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "%s is no backend: it has no function %s",
               g_type_name (type), missing);
  return FALSE;
}

/* The type behind a name, or G_TYPE_INVALID with @error set.  On any thread. */
GType
malt_registry_lookup (MaltModuleKind   kind,
                      const char      *name,
                      GError         **error)
{
  GIOExtension *extension;
  GType type = G_TYPE_INVALID;

  g_rec_mutex_lock (&registry_lock);
  extension = find_locked (kind, name, error);
  if (extension != NULL)
    type = g_io_extension_get_type (extension);
  g_rec_mutex_unlock (&registry_lock);

  return type != G_TYPE_INVALID && check_functions (kind, type, error) ? type : G_TYPE_INVALID;
}

gboolean
malt_registry_register (MaltModuleKind   kind,
                        const char      *name,
                        GType            type,
                        GError         **error)
{
  GIOExtensionPoint *point;
  gboolean exists;

  if (!is_module_name (name))
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                   "\"%s\" is no name for a %s: lower-case letters, digits, - and _ make one",
                   name, kinds[kind].what);
      return FALSE;
    }
  if (!g_type_is_a (type, base_type (kind)) || G_TYPE_IS_ABSTRACT (type))
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                   "%s is no type that can be made and is derived from %s",
                   type != G_TYPE_INVALID ? g_type_name (type) : "the invalid type",
                   g_type_name (base_type (kind)));
      return FALSE;
    }

  if (!check_functions (kind, type, error))
    return FALSE;

  g_rec_mutex_lock (&registry_lock);
  point = get_point_locked (kind);
  exists = g_io_extension_point_get_extension_by_name (point, name) != NULL;
  if (!exists)
    g_io_extension_point_implement (kinds[kind].point, type, name, 0);
  g_rec_mutex_unlock (&registry_lock);

  if (exists)
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_EXISTS, "there is a %s \"%s\" already", kinds[kind].what, name);

  return !exists;
}

/* Listing. */

static int
compare_modules (gconstpointer a,
                 gconstpointer b,
                 gpointer      user_data)
{
  MaltModule *first = (MaltModule *) a, *second = (MaltModule *) b;

  if (malt_module_get_kind (first) != malt_module_get_kind (second))
    return (int) malt_module_get_kind (first) - (int) malt_module_get_kind (second);

  return strcmp (malt_module_get_name (first), malt_module_get_name (second));
}

static gboolean
is_listed (GListStore     *store,
           MaltModuleKind  kind,
           const char     *name)
{
  guint i;

  for (i = 0; i < g_list_model_get_n_items (G_LIST_MODEL (store)); i++)
    {
      g_autoptr (MaltModule) module = g_list_model_get_item (G_LIST_MODEL (store), i);

      if (malt_module_get_kind (module) == kind && g_str_equal (malt_module_get_name (module), name))
        return TRUE;
    }

  return FALSE;
}

static void
list_file_locked (GListStore     *store,
                  MaltModuleKind  kind,
                  const char     *directory,
                  const char     *file)
{
  g_autoptr (MaltModule) module = NULL;
  g_autofree char *name = NULL;
  g_autofree char *path = NULL;
  GError *error = NULL;

  if (!g_str_has_prefix (file, kinds[kind].prefix) || !g_str_has_suffix (file, ".so"))
    return;

  name = g_strndup (file + strlen (kinds[kind].prefix),
                    strlen (file) - strlen (kinds[kind].prefix) - strlen (".so"));
  if (!is_module_name (name) || is_listed (store, kind, name))
    return;

  path = g_build_filename (directory, file, NULL);
  if (load_locked (directory, path, &error) &&
      g_io_extension_point_get_extension_by_name (get_point_locked (kind), name) == NULL)
    error = g_error_new (MALT_ERROR, MALT_ERROR_NOT_FOUND, "%s does not implement \"%s\"", path, name);

  module = malt_module_new (kind, name, path, error);
  g_list_store_insert_sorted (store, module, compare_modules, NULL);
}

static void
list_registered_locked (GListStore     *store,
                        MaltModuleKind  kind)
{
  GList *link;

  for (link = g_io_extension_point_get_extensions (get_point_locked (kind)); link != NULL; link = link->next)
    {
      const char *name = g_io_extension_get_name (link->data);
      g_autoptr (MaltModule) module = NULL;

      if (is_listed (store, kind, name))
        continue;
      module = malt_module_new (kind, name, NULL, NULL);
      g_list_store_insert_sorted (store, module, compare_modules, NULL);
    }
}

/* Puts a MaltModule for everything that can be found into @store. */
void
malt_registry_list (GListStore *store)
{
  const char * const *path;
  gsize i;

  g_rec_mutex_lock (&registry_lock);

  path = get_path_locked ();
  for (i = 0; path[i] != NULL; i++)
    {
      g_autoptr (GDir) directory = g_dir_open (path[i], 0, NULL);
      const char *file;

      while (directory != NULL && (file = g_dir_read_name (directory)) != NULL)
        {
          list_file_locked (store, MALT_MODULE_KIND_BACKEND, path[i], file);
          list_file_locked (store, MALT_MODULE_KIND_RUNTIME, path[i], file);
        }
    }
  list_registered_locked (store, MALT_MODULE_KIND_BACKEND);
  list_registered_locked (store, MALT_MODULE_KIND_RUNTIME);

  g_rec_mutex_unlock (&registry_lock);
}
