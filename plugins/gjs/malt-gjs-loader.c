/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-gjs-loader.h"

#include <dlfcn.h>

/* SpiderMonkey is large, and of no use to a program whose workers are processes or that
 * only lists its runtimes.  So what is linked against it is a module of its own, which is
 * loaded from here. */

static const MaltGjsEmbed *
load_embed (GError **error)
{
  g_autofree char *folder = NULL;
  g_autofree char *path = NULL;
  const MaltGjsEmbed *embed;
  void *module;
  Dl_info info;

  if (!dladdr ((const void *) load_embed, &info))
    {
      g_set_error_literal (error, MALT_ERROR, MALT_ERROR_START, "cannot find the folder of the GJS runtime");
      return NULL;
    }

  folder = g_path_get_dirname (info.dli_fname);
  path = g_build_filename (folder, MALT_GJS_EMBED_FILE, NULL);

  module = dlopen (path, RTLD_NOW | RTLD_LOCAL);
  embed = module != NULL ? dlsym (module, MALT_GJS_EMBED_SYMBOL) : NULL;
  if (embed == NULL)
    g_set_error (error, MALT_ERROR, MALT_ERROR_START, "cannot load the GJS runtime: %s", dlerror ());

  return embed;
}

/* Loads GJS and what uses it, once in a process.  On any thread. */
const MaltGjsEmbed *
malt_gjs_load (GError **error)
{
  static GMutex lock;
  static const MaltGjsEmbed *embed; /* guarded by lock */
  const MaltGjsEmbed *result;

  g_mutex_lock (&lock);
  if (embed == NULL)
    embed = load_embed (error);
  result = embed;
  g_mutex_unlock (&lock);

  return result;
}
