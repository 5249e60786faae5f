/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-python-runtime.h"

#include "malt-python-embed.h"
#include "malt-python-loader.h"

/* MaltPythonRuntime:
 *
 * The `python` runtime: Python in the worker's process.
 *
 * The class is here, and Python is behind MaltPythonEmbed, which is loaded when the
 * first worker starts, so that a program that only lists its runtimes, or whose
 * workers are processes, does not load Python. */

struct _MaltPythonRuntime
{
  MaltRuntime parent_instance;

  /* Set when it starts, not changed after; %NULL if it never did. */
  const MaltPythonEmbed *embed;
  MaltPython            *python;
};

G_DEFINE_FINAL_TYPE (MaltPythonRuntime, malt_python_runtime, MALT_TYPE_RUNTIME)

static gboolean
malt_python_runtime_start (MaltRuntime  *runtime,
                           GVariant     *options,
                           GError      **error)
{
  MaltPythonRuntime *self = MALT_PYTHON_RUNTIME (runtime);

  self->embed = malt_python_load (error);
  if (self->embed == NULL)
    return FALSE;

  self->python = self->embed->new (runtime);
  return self->embed->start (self->python, options, error);
}

static void
malt_python_runtime_handle (MaltRuntime *runtime,
                            MaltRequest *request)
{
  MaltPythonRuntime *self = MALT_PYTHON_RUNTIME (runtime);

  self->embed->handle (self->python, request);
}

static void
malt_python_runtime_wait (MaltRuntime *runtime,
                          int          fd)
{
  MaltPythonRuntime *self = MALT_PYTHON_RUNTIME (runtime);

  self->embed->wait (self->python, fd);
}

static void
malt_python_runtime_cancel (MaltRuntime *runtime,
                            MaltRequest *request)
{
  MaltPythonRuntime *self = MALT_PYTHON_RUNTIME (runtime);

  /* So that handle() sees it if the request is still on its way there. */
  MALT_RUNTIME_CLASS (malt_python_runtime_parent_class)->cancel (runtime, request);
  self->embed->cancel (self->python, request);
}

static void
malt_python_runtime_interrupt (MaltRuntime *runtime,
                               MaltRequest *request)
{
  MaltPythonRuntime *self = MALT_PYTHON_RUNTIME (runtime);

  if (request != NULL)
    MALT_RUNTIME_CLASS (malt_python_runtime_parent_class)->interrupt (runtime, request);
  self->embed->interrupt (self->python, request);
}

static void
malt_python_runtime_stop (MaltRuntime *runtime)
{
  MaltPythonRuntime *self = MALT_PYTHON_RUNTIME (runtime);

  self->embed->stop (self->python);
}

static void
malt_python_runtime_finalize (GObject *object)
{
  MaltPythonRuntime *self = MALT_PYTHON_RUNTIME (object);

  if (self->python != NULL)
    self->embed->free (self->python);

  G_OBJECT_CLASS (malt_python_runtime_parent_class)->finalize (object);
}

static void
malt_python_runtime_class_init (MaltPythonRuntimeClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  MaltRuntimeClass *runtime_class = MALT_RUNTIME_CLASS (klass);

  object_class->finalize = malt_python_runtime_finalize;

  runtime_class->start = malt_python_runtime_start;
  runtime_class->handle = malt_python_runtime_handle;
  runtime_class->wait = malt_python_runtime_wait;
  runtime_class->cancel = malt_python_runtime_cancel;
  runtime_class->interrupt = malt_python_runtime_interrupt;
  runtime_class->stop = malt_python_runtime_stop;
}

static void
malt_python_runtime_init (MaltPythonRuntime *self)
{
}
