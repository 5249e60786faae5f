/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <malt.h>

G_BEGIN_DECLS

/* GJS is used by one module, which another loads when a worker starts: this is all that
 * the second knows of the first.  Nothing here needs GJS's headers. */

typedef struct _MaltGjs MaltGjs;

/* The functions of MaltRuntimeClass, on the same threads, and a lifetime.  What stop() has
 * left may be freed on any thread.  While the worker waits, the thread-default main
 * context is all that has to run, so there is no wait(). */
typedef struct
{
  MaltGjs  *(* create)    (MaltRuntime  *runtime);
  void      (* destroy)   (MaltGjs      *self);

  gboolean  (* start)     (MaltGjs      *self,
                           GVariant     *options,
                           GError      **error);
  void      (* handle)    (MaltGjs      *self,
                           MaltRequest  *request);
  void      (* cancel)    (MaltGjs      *self,
                           MaltRequest  *request);
  void      (* interrupt) (MaltGjs      *self,
                           MaltRequest  *request);
  void      (* stop)      (MaltGjs      *self);
} MaltGjsEmbed;

#define MALT_GJS_EMBED_FILE   "malt-gjs-embed.so"
#define MALT_GJS_EMBED_SYMBOL "malt_gjs_embed"

extern __attribute__ ((visibility ("default"))) const MaltGjsEmbed malt_gjs_embed;

G_END_DECLS
