/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-python-object.h"

G_BEGIN_DECLS

/* A value of Python on its way to a GVariant: how it may become one, and what is in the way
 * if it cannot. */
typedef struct
{
  MaltPythonValues  how;
  guint             max_depth; /* of the containers of the GVariant */
  char             *reason;  /* what is wrong, or %NULL */
  char             *problem; /* why it cannot be pickled either, or %NULL */
  GString          *where;   /* what leads to it, put together from its end; or %NULL */
  guint             nesting; /* of those of Python */
} MaltConversion;

/* Whether it may be more than the number or text that it is, as members of an enumeration
 * are: their classes have a class of their own. */
static inline gboolean
malt_conversion_is_special (MaltConversion *self,
                            PyObject       *object)
{
  return (self->how & MALT_PYTHON_VALUES_OBJECTS) != 0 && !Py_IS_TYPE ((PyObject *) Py_TYPE (object), &PyType_Type);
}

GVariant   *malt_conversion_refuse    (MaltConversion *self,
                                       const char     *format,
                                       ...) G_GNUC_PRINTF (2, 3);
void        malt_conversion_at        (MaltConversion *self,
                                       const char     *word,
                                       const char     *name);
void        malt_conversion_at_index  (MaltConversion *self,
                                       Py_ssize_t      index);
void        malt_conversion_at_key    (MaltConversion *self,
                                       const char     *word,
                                       PyObject       *key);
const char *malt_conversion_get_text  (MaltConversion *self,
                                       PyObject       *object,
                                       Py_ssize_t     *size);
void        malt_conversion_finish    (MaltConversion *self,
                                       gboolean        failed,
                                       GError        **error);
GVariant   *malt_conversion_of_ints   (MaltConversion *self,
                                       PyObject       *list);
GVariant   *malt_conversion_of_floats (PyObject       *list);
GVariant   *malt_conversion_of_bools  (PyObject       *list);
GVariant   *malt_conversion_of_strs   (MaltConversion *self,
                                       PyObject       *list);

G_END_DECLS
