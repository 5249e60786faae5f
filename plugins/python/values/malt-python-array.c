/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-python-array.h"

#include <string.h>

#include "malt-python-view.h"

/* Arrays of numbers between Python and Python: they keep their shape, type and order, and
 * become what they were.  Their bytes are copied at once, or not at all.
 *
 * The form has members of fixed size without gaps, then bytes: whatever the other end writes
 * there at whatever time is such a value, so that it can be read where it lies.  Each member
 * is read once and then checked. */

#define MAX_DIMENSIONS 8

/* What the array is in Python. */
enum
{
  IS_NUMPY,
  IS_ARRAY,      /* array.array */
  IS_MEMORYVIEW, /* and whatever else has the buffer protocol */
  IS_BYTEARRAY,
};

enum
{
  FORTRAN = 1 << 0, /* the first index changes first */
};

/* As it lies in the value, in the byte order of the machine. */
typedef struct
{
  guint8  kind;         /* as NumPy has it: b, i, u, f or c */
  guint8  item_size;
  guint8  n_dimensions;
  guint8  flags;
  guint32 container;
  guint64 shape[MAX_DIMENSIONS];
} Header;

G_STATIC_ASSERT (sizeof (Header) == 72);

/* The kind of the elements by the format of the struct module; 0 if they are something else. */
static guint8
kind_of (const char *format,
         Py_ssize_t  size)
{
  static const char kinds[] = "?b" "bi" "hi" "ii" "li" "qi" "ni" "Bu" "Hu" "Iu" "Lu" "Qu" "Nu" "ef" "ff" "df";
  guint i;

  if (format == NULL)
    return 'u';
  if (*format == '@' || *format == '=' || *format == (G_BYTE_ORDER == G_LITTLE_ENDIAN ? '<' : '>'))
    format++;

  if (g_str_equal (format, "Zf") || g_str_equal (format, "Zd"))
    return 'c';
  if (format[0] == '\0' || format[1] != '\0')
    return 0;
  for (i = 0; kinds[i] != '\0'; i += 2)
    if (*format == kinds[i])
      return (guint8) kinds[i + 1];

  return 0;
}

/* Exactly of a type in a module that is loaded. */
static gboolean
is_of (PyObject   *object,
       const char *type_name)
{
  return g_str_equal (Py_TYPE (object)->tp_name, type_name);
}

static int
container_of (PyObject *object)
{
  if (is_of (object, "numpy.ndarray"))
    return IS_NUMPY;
  if (is_of (object, "array.array"))
    return IS_ARRAY;
  if (PyByteArray_CheckExact (object))
    return IS_BYTEARRAY;

  /* A subclass of NumPy's array is more than its numbers, as a masked array is. */
  return PyObject_HasAttrString ((PyObject *) Py_TYPE (object), "__array_finalize__") ? -1 : IS_MEMORYVIEW;
}

static void
release_view (gpointer data)
{
  PyGILState_STATE gil_state = PyGILState_Ensure ();

  PyBuffer_Release (data);
  PyGILState_Release (gil_state);
  g_free (data);
}

/* The elements in order; takes the view.  %NULL with an exception set. */
static GBytes *
take_bytes (Py_buffer *view,
            char       order,
            gboolean   may_share)
{
  gboolean in_order = PyBuffer_IsContiguous (view, order);
  gsize size = (gsize) view->len;
  gpointer copy = NULL;

  if (in_order && may_share)
    return g_bytes_new_with_free_func (view->buf, size, release_view, view);

  copy = g_try_malloc (MAX (size, 1));
  if (copy == NULL)
    PyErr_NoMemory ();
  else if (in_order)
    memcpy (copy, view->buf, size);
  else if (PyBuffer_ToContiguous (copy, view, view->len, order) < 0)
    g_clear_pointer (&copy, g_free);

  PyBuffer_Release (view);
  g_free (view);
  return copy != NULL ? g_bytes_new_take (copy, size) : NULL;
}

static GVariant *
build (const Header *header,
       GBytes       *bytes)
{
  GVariant *members[5 + MAX_DIMENSIONS + 1];
  guint n = 0, i;

  members[n++] = g_variant_new_byte (header->kind);
  members[n++] = g_variant_new_byte (header->item_size);
  members[n++] = g_variant_new_byte (header->n_dimensions);
  members[n++] = g_variant_new_byte (header->flags);
  members[n++] = g_variant_new_uint32 (header->container);
  for (i = 0; i < MAX_DIMENSIONS; i++)
    members[n++] = g_variant_new_uint64 (header->shape[i]);
  members[n++] = g_variant_new_from_bytes (G_VARIANT_TYPE_BYTESTRING, bytes, TRUE);

  return g_variant_new_tuple (members, n);
}

/* Returns a floating reference; %NULL with an exception set, or without if the object has no
 * such form. */
GVariant *
malt_python_array_to_variant (PyObject         *object,
                              MaltPythonValues  how)
{
  Header header = { .container = (guint32) container_of (object) };
  Py_buffer *view = g_new0 (Py_buffer, 1);
  g_autoptr (GBytes) bytes = NULL;
  int i;

  if ((int) header.container < 0 || PyObject_GetBuffer (object, view, PyBUF_FULL_RO) < 0)
    {
      /* An array of objects, of dates; a memoryview that was released. */
      if (PyErr_Occurred () && PyErr_ExceptionMatches (PyExc_Exception))
        PyErr_Clear ();
      g_free (view);
      return NULL;
    }

  header.kind = kind_of (view->format, view->itemsize);
  if (header.kind == 0 || view->itemsize > 16 || view->ndim > MAX_DIMENSIONS ||
      (header.container != IS_NUMPY && view->ndim == 0) ||
      (header.container == IS_ARRAY && (view->format == NULL || *view->format == 'u')))
    {
      PyBuffer_Release (view);
      g_free (view);
      return NULL;
    }

  header.item_size = (guint8) view->itemsize;
  header.n_dimensions = (guint8) view->ndim;
  for (i = 0; i < view->ndim; i++)
    header.shape[i] = (guint64) view->shape[i];
  if (header.container == IS_NUMPY && !PyBuffer_IsContiguous (view, 'C') && PyBuffer_IsContiguous (view, 'F'))
    header.flags = FORTRAN;

  bytes = take_bytes (view, header.flags == FORTRAN ? 'F' : 'C', (how & MALT_PYTHON_VALUES_SHARE) != 0);
  return bytes != NULL ? build (&header, bytes) : NULL;
}

/* The other way. */

/* Copies the header, which may change meanwhile, and finds the bytes behind it. */
static gconstpointer
read_header (GVariant *value,
             Header   *header,
             gsize    *size)
{
  const guint8 *data = g_variant_get_data (value);
  gsize whole = g_variant_get_size (value);

  if (data == NULL || whole < sizeof *header)
    return NULL;

  memcpy (header, data, sizeof *header);
  *size = whole - sizeof *header;
  return data + sizeof *header;
}

/* The format of the struct module; %NULL if there is none. */
static const char *
format_of (const Header *header)
{
  static const struct { guint8 kind; guint8 size; const char *format; } formats[] = {
    { 'b', 1, "?" }, { 'i', 1, "b" }, { 'i', 2, "h" }, { 'i', 4, "i" }, { 'i', 8, "q" }, { 'u', 1, "B" },
    { 'u', 2, "H" }, { 'u', 4, "I" }, { 'u', 8, "Q" }, { 'f', 2, "e" }, { 'f', 4, "f" }, { 'f', 8, "d" },
    { 'c', 8, "Zf" }, { 'c', 16, "Zd" },
  };
  guint i;

  for (i = 0; i < G_N_ELEMENTS (formats); i++)
    if (header->kind == formats[i].kind && header->item_size == formats[i].size)
      return formats[i].format;

  return NULL;
}

/* Whether header and bytes fit together. */
static gboolean
check_header (const Header  *header,
              gsize          size,
              GError       **error)
{
  guint64 n = header->item_size;
  gboolean fits = TRUE;
  guint i;

  for (i = 0; i < header->n_dimensions && i < MAX_DIMENSIONS; i++)
    fits = fits && header->shape[i] <= G_MAXSSIZE && g_uint64_checked_mul (&n, n, header->shape[i]);

  if (format_of (header) != NULL && header->n_dimensions <= MAX_DIMENSIONS &&
      (header->flags & ~(guint) FORTRAN) == 0 && header->container <= IS_BYTEARRAY &&
      (header->container == IS_NUMPY || header->n_dimensions == 1 || header->container == IS_MEMORYVIEW) &&
      fits && n == size)
    return TRUE;

  g_set_error (error, MALT_ERROR, MALT_ERROR_SERIALIZATION,
               "cannot take an array of %" G_GSIZE_FORMAT " bytes, of kind %u, %u bytes each, %u dimensions, flags %u "
               "and container %u", size, header->kind, header->item_size, header->n_dimensions, header->flags,
               header->container);
  return FALSE;
}

static PyObject *
shape_of (const Header *header)
{
  PyObject *shape = PyTuple_New (header->n_dimensions);
  guint i;

  for (i = 0; shape != NULL && i < header->n_dimensions; i++)
    {
      PyObject *length = PyLong_FromUnsignedLongLong (header->shape[i]);

      if (length == NULL)
        Py_CLEAR (shape);
      else
        PyTuple_SET_ITEM (shape, (Py_ssize_t) i, length);
    }

  return shape;
}

/* Bytes that stay where they are, or in memory of their own that can be written. */
static PyObject *
get_bytes (GVariant         *value,
           gconstpointer     data,
           gsize             size,
           MaltPythonValues  how)
{
  if ((how & MALT_PYTHON_VALUES_VIEWS) != 0)
    return malt_python_view_new_bytes (value, data, size);

  return malt_python_bytearray_new (data, size);
}

/* An array of NumPy; its memory is NumPy's own if it is a copy, which can be had in large
 * pages. */
static PyObject *
make_numpy (const Header     *header,
            GVariant         *value,
            gconstpointer     data,
            gsize             size,
            MaltPythonValues  how)
{
  g_autoptr (PyObject) numpy = PyImport_ImportModule ("numpy");
  g_autoptr (PyObject) shape = shape_of (header);
  g_autofree char *type = g_strdup_printf ("%c%u", header->kind, header->item_size);
  const char *order = (header->flags & FORTRAN) != 0 ? "F" : "C";
  g_autoptr (PyObject) array = NULL;
  Py_buffer view;

  if (numpy == NULL || shape == NULL)
    return NULL;

  if ((how & MALT_PYTHON_VALUES_VIEWS) != 0 && size > 0)
    {
      g_autoptr (PyObject) bytes = malt_python_view_new_bytes (value, data, size);
      g_autoptr (PyObject) class = bytes != NULL ? PyObject_GetAttrString (numpy, "ndarray") : NULL;

      return class != NULL ? PyObject_CallFunction (class, "OsOiOs", shape, type, bytes, 0, Py_None, order) : NULL;
    }

  array = PyObject_CallMethod (numpy, "empty", "Oss", shape, type, order);
  if (array == NULL || PyObject_GetBuffer (array, &view, PyBUF_ANY_CONTIGUOUS | PyBUF_WRITABLE) < 0)
    return NULL;

  if ((gsize) view.len == size)
    {
      Py_BEGIN_ALLOW_THREADS
      memcpy (view.buf, data, size);
      Py_END_ALLOW_THREADS
    }
  PyBuffer_Release (&view);

  return g_steal_pointer (&array);
}

static PyObject *
make_array (const Header *header,
            PyObject     *bytes)
{
  const char *format = format_of (header);
  g_autoptr (PyObject) module = PyImport_ImportModule ("array");
  g_autoptr (PyObject) array = NULL;
  g_autoptr (PyObject) answer = NULL;

  array = module != NULL ? PyObject_CallMethod (module, "array", "s", format) : NULL;
  answer = array != NULL ? PyObject_CallMethod (array, "frombytes", "O", bytes) : NULL;

  return answer != NULL ? g_steal_pointer (&array) : NULL;
}

static PyObject *
make_memoryview (const Header *header,
                 PyObject     *bytes)
{
  g_autoptr (PyObject) view = PyMemoryView_FromObject (bytes);
  g_autoptr (PyObject) shape = shape_of (header);

  if (view == NULL || shape == NULL)
    return NULL;

  /* A memoryview cannot be of no elements in several dimensions. */
  if (PyObject_Length (bytes) == 0 || header->n_dimensions == 1)
    return PyObject_CallMethod (view, "cast", "s", format_of (header));
  return PyObject_CallMethod (view, "cast", "sO", format_of (header), shape);
}

/* A new reference; %NULL with an exception or @error set. */
PyObject *
malt_python_array_from_variant (GVariant          *value,
                                MaltPythonValues   how,
                                GError           **error)
{
  g_autoptr (PyObject) bytes = NULL;
  gconstpointer data;
  Header header;
  gsize size;

  data = read_header (value, &header, &size);
  if (data == NULL)
    {
      g_set_error_literal (error, MALT_ERROR, MALT_ERROR_SERIALIZATION, "cannot take an array without a header");
      return NULL;
    }
  if (!check_header (&header, size, error))
    return NULL;

  if (header.container == IS_NUMPY)
    return make_numpy (&header, value, data, size, how);

  bytes = get_bytes (value, data, size, header.container == IS_MEMORYVIEW ? how : how & ~(guint) MALT_PYTHON_VALUES_VIEWS);
  if (bytes == NULL || header.container == IS_BYTEARRAY)
    return g_steal_pointer (&bytes);
  if (header.container == IS_ARRAY)
    return make_array (&header, bytes);
  return make_memoryview (&header, bytes);
}
