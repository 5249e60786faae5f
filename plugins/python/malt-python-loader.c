/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-python-loader.h"

#include <dlfcn.h>
#include <string.h>

/* There must be one Python in a process.  A program that is itself Python may have
 * libpython built in and not load it as a library; a module that is linked against the
 * library would then bring a second interpreter along, with its own idea of None.
 *
 * So the module that uses Python is not linked against it.  It is loaded from here,
 * after Python's symbols are in the process: those of the program if it has any, else
 * those of the library.  Extension modules of Python need them to be global as well. */

typedef const char *(* GetVersionFunc) (void);

static gboolean
ensure_symbols (GError **error)
{
  GetVersionFunc get_version;
  const char *version;

  get_version = (GetVersionFunc) dlsym (RTLD_DEFAULT, "Py_GetVersion");
  if (get_version == NULL)
    {
      /* By its soname first, so that one that was loaded privately is found again. */
      if (dlopen (MALT_PYTHON_LIBRARY, RTLD_NOW | RTLD_GLOBAL) == NULL &&
          dlopen (MALT_PYTHON_LIBRARY_PATH, RTLD_NOW | RTLD_GLOBAL) == NULL)
        {
          g_set_error (error, MALT_ERROR, MALT_ERROR_START, "cannot load Python: %s", dlerror ());
          return FALSE;
        }

      get_version = (GetVersionFunc) dlsym (RTLD_DEFAULT, "Py_GetVersion");
      if (get_version == NULL)
        {
          g_set_error (error, MALT_ERROR, MALT_ERROR_START, "%s is not Python", MALT_PYTHON_LIBRARY);
          return FALSE;
        }
    }

  /* "3.11.2 (main, …": the layout of objects is that of a minor version. */
  version = get_version ();
  if (!g_str_has_prefix (version, MALT_PYTHON_VERSION ".") &&
      !g_str_has_prefix (version, MALT_PYTHON_VERSION "+"))
    {
      g_set_error (error, MALT_ERROR, MALT_ERROR_NOT_SUPPORTED,
                   "the Python of this process is %.*s, and the runtime was built for " MALT_PYTHON_VERSION,
                   (int) strcspn (version, " "), version);
      return FALSE;
    }

  return TRUE;
}

static const MaltPythonEmbed *
load_embed (GError **error)
{
  g_autofree char *folder = NULL;
  g_autofree char *path = NULL;
  const MaltPythonEmbed *embed;
  void *module;
  Dl_info info;

  if (!dladdr ((const void *) load_embed, &info))
    {
      g_set_error_literal (error, MALT_ERROR, MALT_ERROR_START, "cannot find the folder of the Python runtime");
      return NULL;
    }

  folder = g_path_get_dirname (info.dli_fname);
  path = g_build_filename (folder, MALT_PYTHON_EMBED_FILE, NULL);

  module = dlopen (path, RTLD_NOW | RTLD_LOCAL);
  embed = module != NULL ? dlsym (module, MALT_PYTHON_EMBED_SYMBOL) : NULL;
  if (embed == NULL)
    g_set_error (error, MALT_ERROR, MALT_ERROR_START, "cannot load the Python runtime: %s", dlerror ());

  return embed;
}

/* Loads Python and what uses it, once in a process.  On any thread. */
const MaltPythonEmbed *
malt_python_load (GError **error)
{
  static GMutex lock;
  static const MaltPythonEmbed *embed; /* guarded by lock */
  const MaltPythonEmbed *result;

  g_mutex_lock (&lock);
  if (embed == NULL && ensure_symbols (error))
    embed = load_embed (error);
  result = embed;
  g_mutex_unlock (&lock);

  return result;
}
