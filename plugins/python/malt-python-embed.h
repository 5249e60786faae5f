/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <malt.h>

G_BEGIN_DECLS

/* Python is used by one module, which another loads when a worker starts: this is all
 * that the second knows of the first.  Nothing here needs Python's headers. */

typedef struct _MaltPython MaltPython;

/* The functions of MaltRuntimeClass, on the same threads, and a lifetime.  What stop()
 * has left may be freed on any thread. */
typedef struct
{
  MaltPython *(* new)       (MaltRuntime  *runtime);
  void        (* free)      (MaltPython   *self);

  gboolean    (* start)     (MaltPython   *self,
                             GVariant     *options,
                             GError      **error);
  void        (* handle)    (MaltPython   *self,
                             MaltRequest  *request);
  void        (* wait)      (MaltPython   *self,
                             int           fd);
  void        (* cancel)    (MaltPython   *self,
                             MaltRequest  *request);
  void        (* interrupt) (MaltPython   *self,
                             MaltRequest  *request);
  void        (* stop)      (MaltPython   *self);
} MaltPythonEmbed;

#define MALT_PYTHON_EMBED_FILE   "malt-python-embed.so"
#define MALT_PYTHON_EMBED_SYMBOL "malt_python_embed"

extern __attribute__ ((visibility ("default"))) const MaltPythonEmbed malt_python_embed;

G_END_DECLS
