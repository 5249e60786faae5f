/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-python.h"

G_BEGIN_DECLS

/* How a request ends: at most one of them is set. */
typedef struct
{
  GVariant    *value;
  MaltChannel *channel; /* owned; of a request for one */
  GError      *error;
} MaltPythonAnswer;

void malt_python_answer_make          (MaltPython       *self,
                                       MaltPythonAnswer *answer,
                                       MaltPythonRun    *run,
                                       PyObject         *value);
void malt_python_answer_send          (MaltPythonAnswer *answer,
                                       MaltRequest      *request);
void malt_python_answer_send_with_gil (MaltPython       *self,
                                       MaltPythonAnswer *answer,
                                       MaltRequest      *request);

G_END_DECLS
