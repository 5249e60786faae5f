/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-gjs-runtime.h"

#include "malt-gjs-embed.h"
#include "malt-gjs-loader.h"

/* MaltGjsRuntime:
 *
 * The `gjs` runtime: JavaScript with GObject Introspection, by GJS, in the worker's process.
 *
 * The class is here, and GJS is behind MaltGjsEmbed, which is loaded when the first worker
 * starts. */

struct _MaltGjsRuntime
{
  MaltRuntime parent_instance;

  /* Set when it starts, not changed after; %NULL if it never did. */
  const MaltGjsEmbed *embed;
  MaltGjs            *gjs;
};

G_DEFINE_FINAL_TYPE (MaltGjsRuntime, malt_gjs_runtime, MALT_TYPE_RUNTIME)

static gboolean
malt_gjs_runtime_start (MaltRuntime  *runtime,
                        GVariant     *options,
                        GError      **error)
{
  MaltGjsRuntime *self = MALT_GJS_RUNTIME (runtime);

  self->embed = malt_gjs_load (error);
  if (self->embed == NULL)
    return FALSE;

  self->gjs = self->embed->create (runtime);
  return self->embed->start (self->gjs, options, error);
}

static void
malt_gjs_runtime_handle (MaltRuntime *runtime,
                         MaltRequest *request)
{
  MaltGjsRuntime *self = MALT_GJS_RUNTIME (runtime);

  self->embed->handle (self->gjs, request);
}

static void
malt_gjs_runtime_cancel (MaltRuntime *runtime,
                         MaltRequest *request)
{
  MaltGjsRuntime *self = MALT_GJS_RUNTIME (runtime);

  /* So that code that looks at it sees it, also if the request is still on its way. */
  MALT_RUNTIME_CLASS (malt_gjs_runtime_parent_class)->cancel (runtime, request);
  self->embed->cancel (self->gjs, request);
}

static void
malt_gjs_runtime_interrupt (MaltRuntime *runtime,
                            MaltRequest *request)
{
  MaltGjsRuntime *self = MALT_GJS_RUNTIME (runtime);

  if (request != NULL)
    MALT_RUNTIME_CLASS (malt_gjs_runtime_parent_class)->interrupt (runtime, request);
  self->embed->interrupt (self->gjs, request);
}

static void
malt_gjs_runtime_stop (MaltRuntime *runtime)
{
  MaltGjsRuntime *self = MALT_GJS_RUNTIME (runtime);

  self->embed->stop (self->gjs);
}

static void
malt_gjs_runtime_finalize (GObject *object)
{
  MaltGjsRuntime *self = MALT_GJS_RUNTIME (object);

  if (self->gjs != NULL)
    self->embed->destroy (self->gjs);

  G_OBJECT_CLASS (malt_gjs_runtime_parent_class)->finalize (object);
}

static void
malt_gjs_runtime_class_init (MaltGjsRuntimeClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  MaltRuntimeClass *runtime_class = MALT_RUNTIME_CLASS (klass);

  object_class->finalize = malt_gjs_runtime_finalize;

  runtime_class->start = malt_gjs_runtime_start;
  runtime_class->handle = malt_gjs_runtime_handle;
  runtime_class->cancel = malt_gjs_runtime_cancel;
  runtime_class->interrupt = malt_gjs_runtime_interrupt;
  runtime_class->stop = malt_gjs_runtime_stop;
}

static void
malt_gjs_runtime_init (MaltGjsRuntime *self)
{
}
