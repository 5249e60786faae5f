/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-native-introspection.h"

#include "malt-native-loader.h"

#include <dlfcn.h>

static MaltNativeIntrospectionFind
load (GError **error)
{
  g_autofree char *folder = NULL;
  g_autofree char *path = NULL;
  MaltNativeIntrospectionFind find = NULL;
  void *module = NULL;
  Dl_info info;

  if (dladdr ((const void *) load, &info))
    {
      folder = g_path_get_dirname (info.dli_fname);
      path = g_build_filename (folder, MALT_NATIVE_INTROSPECTION_FILE, NULL);
      module = dlopen (path, RTLD_NOW | RTLD_LOCAL);
    }
  if (module != NULL)
    find = (MaltNativeIntrospectionFind) dlsym (module, MALT_NATIVE_INTROSPECTION_SYMBOL);
  if (find == NULL)
    g_set_error (error, MALT_ERROR, MALT_ERROR_NOT_FOUND,
                 "introspected functions cannot be called here: %s", dlerror ());

  return find;
}

/* On any thread. */
MaltFunction
malt_native_find_introspected (const char          *name,
                               const char * const  *search_path,
                               gpointer            *user_data,
                               GError             **error)
{
  static GMutex lock;
  static MaltNativeIntrospectionFind found; /* guarded by lock */
  MaltNativeIntrospectionFind find;

  g_mutex_lock (&lock);
  if (found == NULL)
    found = load (error);
  find = found;
  g_mutex_unlock (&lock);

  return find != NULL ? find (name, search_path, user_data, error) : NULL;
}
