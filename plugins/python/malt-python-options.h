/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-python-object.h"

G_BEGIN_DECLS

typedef struct
{
  char             *virtual_environment; /* a directory, or %NULL */
  MaltPythonValues  values;              /* what `buffers` and `objects` mean */
} MaltPythonOptions;

gboolean malt_python_options_parse (MaltPythonOptions  *self,
                                    GVariant           *options,
                                    GError            **error);
void     malt_python_options_clear (MaltPythonOptions  *self);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (MaltPythonOptions, malt_python_options_clear)

G_END_DECLS
