/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-python-buffer.h"

#include <string.h>

/* Arrays of numbers of whatever library, through Python's buffer protocol.  Where an
 * element of the buffer is also one of a GVariant array, they are copied at once. */

/* Writes @n elements, widened. */
typedef void (* WidenFunc) (gpointer      to,
                            gconstpointer from,
                            gsize         n);

typedef struct
{
  const char *type;  /* of the array */
  guint       size;  /* of its elements */
  WidenFunc   widen; /* %NULL if they are as in the buffer */
} Layout;

#define DEFINE_WIDEN(name, to_type, from_type) \
  static void \
  widen_##name (gpointer      to, \
                gconstpointer from, \
                gsize         n) \
  { \
    to_type *to_items = to; \
    const guint8 *from_items = from; \
    from_type item; \
    gsize i; \
    \
    for (i = 0; i < n; i++) \
      { \
        memcpy (&item, from_items + i * sizeof item, sizeof item); \
        to_items[i] = (to_type) item; \
      } \
  }

DEFINE_WIDEN (int8, gint16, gint8)
DEFINE_WIDEN (float, double, float)

static void
widen_half (gpointer      to,
            gconstpointer from,
            gsize         n)
{
  double *to_items = to;
  const char *from_items = from;
  gsize i;

  for (i = 0; i < n; i++)
    to_items[i] = PyFloat_Unpack2 (from_items + i * 2, G_BYTE_ORDER == G_LITTLE_ENDIAN);
}

/* What is not zero is true, and GVariant knows only one. */
static void
widen_bool (gpointer      to,
            gconstpointer from,
            gsize         n)
{
  guint8 *to_items = to;
  const guint8 *from_items = from;
  gsize i;

  for (i = 0; i < n; i++)
    to_items[i] = from_items[i] != 0;
}

/* Says what an element is by the struct module's format character and its size, which
 * for "l" and others is the machine's.  FALSE if it is nothing that can be sent. */
static gboolean
find_layout (const Py_buffer *view,
             Layout          *layout)
{
  static const Layout signed_layouts[] = {
    { "an", 2, widen_int8 }, { "an", 2, NULL }, { "ai", 4, NULL }, { "ax", 8, NULL }
  };
  static const Layout unsigned_layouts[] = {
    { "ay", 1, NULL }, { "aq", 2, NULL }, { "au", 4, NULL }, { "at", 8, NULL }
  };
  const char *format = view->format != NULL ? view->format : "B";
  int power;

  if (*format == '@' || *format == '=' || *format == (G_BYTE_ORDER == G_LITTLE_ENDIAN ? '<' : '>'))
    format++;
  else if (view->itemsize == 1 && strchr ("<>!|", *format) != NULL)
    format++;

  if (format[0] == '\0' || format[1] != '\0')
    return FALSE;

  for (power = 0; power < 3 && (1 << power) < view->itemsize; power++)
    ;
  if ((1 << power) != view->itemsize)
    return FALSE;

  if (strchr ("bhilqn", *format) != NULL)
    *layout = signed_layouts[power];
  else if (strchr ("BHILQN", *format) != NULL)
    *layout = unsigned_layouts[power];
  else if (*format == 'c' && power == 0)
    *layout = unsigned_layouts[0];
  else if (*format == 'd' && power == 3)
    *layout = (Layout) { "ad", 8, NULL };
  else if (*format == 'f' && power == 2)
    *layout = (Layout) { "ad", 8, widen_float };
  else if (*format == 'e' && power == 1)
    *layout = (Layout) { "ad", 8, widen_half };
  else if (*format == '?' && power == 0)
    *layout = (Layout) { "ab", 1, widen_bool };
  else
    return FALSE;

  return TRUE;
}

/* An array of the @n elements at @from; %NULL with an exception if memory is short. */
static GVariant *
make_row (const Layout  *layout,
          gconstpointer  from,
          gsize          n)
{
  gpointer data = g_try_malloc_n (n, layout->size);

  if (data == NULL && n > 0)
    {
      PyErr_NoMemory ();
      return NULL;
    }

  if (layout->widen != NULL)
    layout->widen (data, from, n);
  else if (n > 0)
    memcpy (data, from, n * layout->size);

  return g_variant_new_from_data (G_VARIANT_TYPE (layout->type), data, n * layout->size, TRUE, g_free, data);
}

/* The array of a dimension and all after it, which takes its elements from @from on. */
static GVariant *
make_array (const Layout     *layout,
            const Py_buffer  *view,
            int               dimension,
            const guint8    **from)
{
  gsize n = (gsize) view->shape[dimension];
  g_autofree GVariant **rows = NULL;
  g_autofree char *levels = NULL;
  g_autofree char *row_type = NULL;
  GVariant *value;
  gsize i;

  if (dimension == view->ndim - 1)
    {
      value = make_row (layout, *from, n);
      *from += n * (gsize) view->itemsize;
      return value;
    }

  rows = g_try_new (GVariant *, n);
  if (rows == NULL && n > 0)
    {
      PyErr_NoMemory ();
      return NULL;
    }

  for (i = 0; i < n; i++)
    {
      rows[i] = make_array (layout, view, dimension + 1, from);
      if (rows[i] == NULL)
        {
          while (i > 0)
            g_variant_unref (rows[--i]);
          return NULL;
        }
    }

  levels = g_strnfill ((gsize) (view->ndim - dimension - 2), 'a');
  row_type = g_strconcat (levels, layout->type, NULL);
  return g_variant_new_array (G_VARIANT_TYPE (row_type), rows, n);
}

/* A number that has the buffer protocol, as those of NumPy do. */
static GVariant *
make_scalar (const Layout  *layout,
             gconstpointer  from)
{
  union { guint8 y; gint16 n; guint16 q; gint32 i; guint32 u; gint64 x; guint64 t; double d; } item;

  if (layout->widen != NULL)
    layout->widen (&item, from, 1);
  else
    memcpy (&item, from, layout->size);

  switch (layout->type[1])
    {
    case 'b':
      return g_variant_new_boolean (item.y);
    case 'y':
      return g_variant_new_int64 (item.y);
    case 'n':
      return g_variant_new_int64 (item.n);
    case 'q':
      return g_variant_new_int64 (item.q);
    case 'i':
      return g_variant_new_int64 (item.i);
    case 'u':
      return g_variant_new_int64 (item.u);
    case 'x':
      return g_variant_new_int64 (item.x);
    case 't':
      return item.t <= G_MAXINT64 ? g_variant_new_int64 ((gint64) item.t) : g_variant_new_uint64 (item.t);
    case 'd':
    default:
      return g_variant_new_double (item.d);
    }
}

static GVariant *
convert_view (Py_buffer  *view,
              guint      *depth,
              char      **problem)
{
  g_autofree char *copy = NULL;
  const guint8 *from = view->buf;
  Layout layout;

  if (!find_layout (view, &layout))
    {
      *problem = g_strdup_printf ("its elements, of format '%s' and %" G_GSSIZE_FORMAT " bytes, are not numbers "
                                  "of this machine", view->format != NULL ? view->format : "B",
                                  (gssize) view->itemsize);
      return NULL;
    }

  if (view->ndim == 0)
    {
      *depth = 0;
      return make_scalar (&layout, from);
    }

  *depth = (guint) view->ndim;
  if (view->ndim > 16)
    {
      *problem = g_strdup_printf ("it has %d dimensions (limit 16)", view->ndim);
      return NULL;
    }

  if (!PyBuffer_IsContiguous (view, 'C'))
    {
      copy = g_try_malloc ((gsize) view->len);
      if (copy == NULL)
        {
          PyErr_NoMemory ();
          return NULL;
        }
      if (PyBuffer_ToContiguous (copy, view, view->len, 'C') < 0)
        return NULL;
      from = (const guint8 *) copy;
    }

  return make_array (&layout, view, 0, &from);
}

/* Returns a floating reference and how many containers are inside each other; %NULL with
 * @problem set if its elements cannot be sent, or with an exception set. */
GVariant *
malt_python_buffer_to_variant (PyObject  *object,
                               guint     *depth,
                               char     **problem)
{
  Py_buffer view;
  GVariant *value;
  PyObject *exception;
  PyObject *text;

  if (PyObject_GetBuffer (object, &view, PyBUF_FULL_RO) < 0)
    {
      /* It has no buffer now: a memoryview that was released, an array of objects. */
      if (!PyErr_ExceptionMatches (PyExc_Exception))
        return NULL;
      exception = malt_python_take_exception ();
      text = PyObject_Str (exception);
      *problem = g_strdup (text != NULL ? PyUnicode_AsUTF8 (text) : NULL);
      if (*problem == NULL)
        *problem = g_strdup ("it has no buffer");
      Py_XDECREF (text);
      Py_DECREF (exception);
      PyErr_Clear ();
      return NULL;
    }

  value = convert_view (&view, depth, problem);
  PyBuffer_Release (&view);
  return value;
}
