/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "../malt-native-introspection.h"

#include <dlfcn.h>
#include <string.h>

#include "malt-gi-call.h"
#include "malt-gi-function.h"
#include "malt-gi-methods.h"
#include "malt-gi-nearest.h"

/* Finds introspected functions by their names.
 *
 * There is one repository in a process, as there can only be one version of a library, and
 * what was found of it stays.  It is not the default one, which others may use meanwhile. */

static GMutex lock;
/* Guarded by lock. */
static GIRepository *repository;
static GHashTable *functions;    /* name → MaltGiFunction, both there for good */
static GHashTable *folders;      /* those that are searched; a set of their paths */

/* "Namespace[@version].[Type.]function", taken apart. */
typedef struct
{
  char *namespace_;
  char *version;    /* NULL if it is left open */
  char *type;       /* NULL for a function of the namespace itself */
  char *function;
} Name;

static void
name_clear (Name *self)
{
  g_free (self->namespace_);
  g_free (self->version);
  g_free (self->type);
  g_free (self->function);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Name, name_clear)

static gsize
span_identifier (const char *text)
{
  if (!g_ascii_isalpha (*text) && *text != '_')
    return 0;

  return strspn (text, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "_");
}

/* The part after a dot, which may be the last one. */
static char *
next_part (const char **text)
{
  gsize length;
  char *part;

  if (**text != '.')
    return NULL;

  length = span_identifier (*text + 1);
  if (length == 0)
    return NULL;

  part = g_strndup (*text + 1, length);
  *text += 1 + length;
  return part;
}

/* FALSE if it does not have the form of such a name. */
static gboolean
name_parse (Name       *self,
            const char *text)
{
  gsize length = span_identifier (text);

  if (length == 0)
    return FALSE;
  self->namespace_ = g_strndup (text, length);
  text += length;

  if (*text == '@')
    {
      length = strspn (text + 1, G_CSET_DIGITS ".");
      /* The dot before the function is not of the version. */
      while (length > 0 && text[length] == '.')
        length--;
      if (length == 0)
        return FALSE;
      self->version = g_strndup (text + 1, length);
      text += 1 + length;
    }

  self->function = next_part (&text);
  if (*text == '.')
    {
      self->type = g_steal_pointer (&self->function);
      self->function = next_part (&text);
    }

  return self->function != NULL && *text == '\0';
}

static gboolean
ensure_repository_locked (GError **error)
{
  void *other;

  if (repository != NULL)
    return TRUE;

  other = dlopen (MALT_GI_OTHER_LIBRARY, RTLD_LAZY | RTLD_NOLOAD);
  if (other != NULL)
    {
      dlclose (other);
      g_set_error (error, MALT_ERROR, MALT_ERROR_NOT_SUPPORTED,
                   "introspected functions cannot be called in this process, which uses %s",
                   MALT_GI_OTHER_LIBRARY);
      return FALSE;
    }

  repository = gi_repository_new ();
  functions = g_hash_table_new (g_str_hash, g_str_equal);
  folders = g_hash_table_new (g_str_hash, g_str_equal);
  return TRUE;
}

/* The first one is searched first. */
static void
add_folders_locked (const char * const *search_path)
{
  for (guint i = g_strv_length ((char **) search_path); i > 0; i--)
    if (!g_hash_table_contains (folders, search_path[i - 1]))
      {
        g_hash_table_add (folders, g_strdup (search_path[i - 1]));
        gi_repository_prepend_search_path (repository, search_path[i - 1]);
        gi_repository_prepend_library_path (repository, search_path[i - 1]);
      }
}

/* That a namespace is not there, or is, and cannot be loaded: with what is loaded already, perhaps. */
static void
set_not_loaded_locked (const Name    *name,
                       const GError  *reason,
                       GError       **error)
{
  g_auto (GStrv) versions = NULL;
  g_autofree char *wanted = NULL;
  g_autofree char *others = NULL;
  gsize n;

  versions = gi_repository_enumerate_versions (repository, name->namespace_, &n);
  wanted = g_strconcat (name->namespace_, name->version != NULL ? " of version " : NULL, name->version, NULL);

  if (n > 0 && (name->version == NULL || g_strv_contains ((const char * const *) versions, name->version)))
    {
      g_set_error (error, MALT_ERROR, MALT_ERROR_NOT_FOUND, "the namespace %s cannot be loaded: %s",
                   wanted, reason->message);
      return;
    }

  others = n > 0 ? g_strjoinv (", ", versions) : NULL;
  g_set_error (error, MALT_ERROR, MALT_ERROR_NOT_FOUND, "there is no namespace %s%s%s%s: %s", wanted,
               others != NULL ? " (there is version " : "", others != NULL ? others : "",
               others != NULL ? ")" : "", reason->message);
}

/* The namespace is loaded, in the version that is wanted. */
static gboolean
require_locked (const Name  *name,
                GError     **error)
{
  const char *loaded = NULL;
  g_autoptr (GError) reason = NULL;

  if (gi_repository_is_registered (repository, name->namespace_, NULL))
    loaded = gi_repository_get_version (repository, name->namespace_);
  if (loaded != NULL && (name->version == NULL || strcmp (loaded, name->version) == 0))
    return TRUE;
  if (loaded != NULL)
    {
      g_set_error (error, MALT_ERROR, MALT_ERROR_NOT_FOUND,
                   "version %s of the namespace %s cannot be used in this worker, which uses version %s of it",
                   name->version, name->namespace_, loaded);
      return FALSE;
    }

  if (gi_repository_require (repository, name->namespace_, name->version,
                             GI_REPOSITORY_LOAD_FLAG_NONE, &reason) != NULL)
    return TRUE;

  set_not_loaded_locked (name, reason, error);
  return FALSE;
}

/* NULL with what is most like it in @nearest. */
static GIFunctionInfo *
find_in_type (GIBaseInfo    *info,
              MaltGiNearest *nearest)
{
  guint n = malt_gi_get_n_methods (info);

  for (guint i = 0; i < n; i++)
    {
      GIFunctionInfo *method = malt_gi_get_method (info, i);
      const char *name = gi_base_info_get_name (GI_BASE_INFO (method));

      if (strcmp (name, nearest->wanted) == 0)
        return method;
      malt_gi_nearest_look (nearest, name);
      gi_base_info_unref (method);
    }

  return NULL;
}

/* Among the functions of a namespace, or its types. */
static void
look_in_namespace_locked (const Name    *name,
                          MaltGiNearest *nearest)
{
  guint n = gi_repository_get_n_infos (repository, name->namespace_);

  for (guint i = 0; i < n; i++)
    {
      GIBaseInfo *info = gi_repository_get_info (repository, name->namespace_, i);

      if (name->type == NULL ? GI_IS_FUNCTION_INFO (info) : malt_gi_get_n_methods (info) > 0)
        malt_gi_nearest_look (nearest, gi_base_info_get_name (info));
      gi_base_info_unref (info);
    }
}

/* There is no such thing as was looked for, with what is most like it. */
static void G_GNUC_PRINTF (3, 4)
set_missing (GError        **error,
             MaltGiNearest  *nearest,
             const char     *format,
             ...)
{
  va_list arguments;
  g_autofree char *what = NULL;

  va_start (arguments, format);
  what = g_strdup_vprintf (format, arguments);
  va_end (arguments);

  g_set_error (error, MALT_ERROR, MALT_ERROR_NOT_FOUND, "%s '%s'%s%s%s", what, nearest->wanted,
               nearest->name != NULL ? "; there is '" : "", nearest->name != NULL ? nearest->name : "",
               nearest->name != NULL ? "'" : "");
  g_clear_pointer (&nearest->name, g_free);
}

static GIFunctionInfo *
find_info_locked (const Name  *name,
                  GError     **error)
{
  const char *version = gi_repository_get_version (repository, name->namespace_);
  const char *first = name->type != NULL ? name->type : name->function;
  GIBaseInfo *info = gi_repository_find_by_name (repository, name->namespace_, first);
  MaltGiNearest nearest = malt_gi_nearest (info == NULL ? first : name->function);
  GIFunctionInfo *function = NULL;

  if (info == NULL)
    {
      look_in_namespace_locked (name, &nearest);
      set_missing (error, &nearest, "the namespace %s %s has no %s", name->namespace_, version,
                   name->type != NULL ? "type" : "function");
      return NULL;
    }

  if (name->type != NULL)
    function = find_in_type (info, &nearest);
  else if (GI_IS_FUNCTION_INFO (info))
    function = GI_FUNCTION_INFO (gi_base_info_ref (info));
  gi_base_info_unref (info);

  if (function != NULL)
    g_clear_pointer (&nearest.name, g_free);
  else if (name->type != NULL)
    set_missing (error, &nearest, "the type %s.%s %s has no function", name->namespace_, first, version);
  else
    g_set_error (error, MALT_ERROR, MALT_ERROR_NOT_FOUND, "%s.%s in the namespace %s %s is not a function",
                 name->namespace_, first, name->namespace_, version);

  return function;
}

static MaltGiFunction *
find_locked (const char          *text,
             const char * const  *search_path,
             GError             **error)
{
  g_auto (Name) name = { NULL, NULL, NULL, NULL };
  GIFunctionInfo *info;
  MaltGiFunction *function;

  if (!name_parse (&name, text))
    {
      g_set_error (error, MALT_ERROR, MALT_ERROR_NOT_FOUND,
                   "'%s' is not the name of an introspected function", text);
      return NULL;
    }
  if (!ensure_repository_locked (error))
    return NULL;

  add_folders_locked (search_path);
  if (!require_locked (&name, error))
    return NULL;
  function = g_hash_table_lookup (functions, text);
  if (function != NULL)
    return function;

  info = find_info_locked (&name, error);
  if (info == NULL)
    return NULL;
  function = malt_gi_function_new (info, text, error);
  gi_base_info_unref (info);
  if (function != NULL)
    g_hash_table_insert (functions, function->name, function);

  return function;
}

MaltFunction
malt_native_introspection_find (const char          *name,
                                const char * const  *search_path,
                                gpointer            *user_data,
                                GError             **error)
{
  MaltGiFunction *function;

  g_mutex_lock (&lock);
  function = find_locked (name, search_path, error);
  g_mutex_unlock (&lock);

  *user_data = function;
  return function != NULL ? malt_gi_call : NULL;
}
