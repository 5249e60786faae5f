/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-python.h"

G_BEGIN_DECLS

/* What is still to be run of an evaluation. */
typedef struct
{
  PyObject *body;       /* code, or %NULL if there is none or it has run */
  PyObject *expression; /* code, or %NULL */
  PyObject *names;      /* the namespace; %NULL if this is no evaluation */
} MaltPythonCode;

gboolean  malt_python_code_init  (MaltPythonCode  *self,
                                  const char      *module,
                                  const char      *source,
                                  GError         **error);
PyObject *malt_python_code_run   (MaltPythonCode  *self,
                                  gboolean        *awaits);
void      malt_python_code_clear (MaltPythonCode  *self);

G_END_DECLS
