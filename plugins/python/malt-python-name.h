/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-python.h"

G_BEGIN_DECLS

typedef struct _MaltPythonName MaltPythonName;

/* A dotted name, cut into its parts. */
struct _MaltPythonName
{
  PyObject       *text;
  PyObject       *parts;  /* a tuple of interned strings */
  MaltPythonName *first;  /* the first part, if there are others */
  PyObject       *module; /* a weak reference to the module of this name, once it was whole */
};

MaltPythonName *malt_python_name_get        (const char     *text);
void            malt_python_name_release    (MaltPythonName *self);
void            malt_python_names_forget    (void);

PyObject       *malt_python_name_join       (MaltPythonName *self,
                                             Py_ssize_t      n);
PyObject       *malt_python_name_get_module (MaltPythonName *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (MaltPythonName, malt_python_name_release)

G_END_DECLS
