/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-python-view.h"

#include <string.h>

#include "malt-python-object.h"

/* Arrays of numbers as they were received, without a copy.
 *
 * What Python code gets is a memoryview, which it knows how to use.  The object here is
 * only what the memoryview is of: it keeps the GVariant. */

typedef struct
{
  PyObject_HEAD

  GVariant   *value;  /* (owned) */
  gpointer    data;   /* inside of the value; %NULL if there are no elements */
  char        format[2];
  Py_ssize_t  size;   /* of an element */
  Py_ssize_t  n;
} View;

static int
view_get_buffer (PyObject  *object,
                 Py_buffer *buffer,
                 int        flags)
{
  View *self = (View *) object;

  if (PyBuffer_FillInfo (buffer, object, self->data != NULL ? self->data : self, self->n * self->size, TRUE, flags) < 0)
    return -1;

  buffer->itemsize = self->size;
  if ((flags & PyBUF_FORMAT) == PyBUF_FORMAT)
    buffer->format = self->format;
  if ((flags & PyBUF_ND) == PyBUF_ND)
    buffer->shape = &self->n;
  if ((flags & PyBUF_STRIDES) == PyBUF_STRIDES)
    buffer->strides = &self->size;

  return 0;
}

static void
view_dealloc (PyObject *object)
{
  View *self = (View *) object;

  g_clear_pointer (&self->value, g_variant_unref);
  Py_TYPE (object)->tp_free (object);
}

static PyBufferProcs view_buffer_procs = {
  .bf_getbuffer = view_get_buffer,
};

/* Copies, in memory that is quick to get. */

static PyObject *
view_to_bytes (PyObject *object,
               PyObject *unused)
{
  View *self = (View *) object;

  return malt_python_bytes_new (self->data, (gsize) (self->n * self->size));
}

static PyObject *
view_to_bytearray (PyObject *object,
                   PyObject *unused)
{
  View *self = (View *) object;

  return malt_python_bytearray_new (self->data, (gsize) (self->n * self->size));
}

static PyMethodDef view_methods[] = {
  { "tobytes", view_to_bytes, METH_NOARGS, NULL },
  { "tobytearray", view_to_bytearray, METH_NOARGS, NULL },
  { NULL, NULL, 0, NULL }
};

static PyTypeObject view_type = {
  PyVarObject_HEAD_INIT (NULL, 0)
  .tp_name = "malt.Buffer",
  .tp_basicsize = sizeof (View),
  .tp_dealloc = view_dealloc,
  .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
  .tp_as_buffer = &view_buffer_procs,
  .tp_methods = view_methods,
};

static PyObject *
new_view (GVariant      *value,
          gconstpointer  data,
          char           format,
          gsize          size,
          gsize          n)
{
  g_autoptr (PyObject) object = NULL;
  View *self;

  if (PyType_Ready (&view_type) < 0)
    return NULL;

  self = PyObject_New (View, &view_type);
  if (self == NULL)
    return NULL;
  object = (PyObject *) self;

  self->value = g_variant_ref (value);
  self->data = (gpointer) data;
  self->format[0] = format;
  self->format[1] = '\0';
  self->size = (Py_ssize_t) size;
  self->n = (Py_ssize_t) n;

  return PyMemoryView_FromObject (object);
}

/* A memoryview of bytes that are in a value, or %NULL with an exception.  GIL held. */
PyObject *
malt_python_view_new_bytes (GVariant      *value,
                            gconstpointer  data,
                            gsize          size)
{
  return new_view (value, data, 'B', 1, size);
}

/* A memoryview of an array of numbers, or %NULL with an exception.  GIL held. */
PyObject *
malt_python_view_new (GVariant *value)
{
  /* Of GVariant, of the struct module, and the size of an element. */
  static const char types[] = "ybnqiuxtd", formats[] = "B?hHiIqQd", sizes[] = "112244888";
  gsize i = (gsize) (strchr (types, g_variant_get_type_string (value)[1]) - types);
  gsize size = (gsize) (sizes[i] - '0');

  return new_view (value, g_variant_get_data (value), formats[i], size, g_variant_get_size (value) / size);
}
