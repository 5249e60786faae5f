/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-python-buffer.h"

#include <string.h>

/* Arrays of numbers of whatever library, through Python's buffer protocol.  Where an
 * element of the buffer is also one of a GVariant array, they are copied at once, or not
 * at all if what is made is serialised before anybody can change the buffer. */

/* Below this a copy costs less. */
#define MIN_SHARED 4096

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

/* What the elements of an array are taken from, one after the other. */
typedef struct
{
  Layout        layout;
  const guint8 *next;
  GBytes       *shared; /* (nullable): where @next is, if the array may keep it */
} Source;

/* An array of the next @n elements; %NULL with an exception if memory is short. */
static GVariant *
make_row (Source *self,
          gsize   n,
          gsize   size)
{
  const GVariantType *type = G_VARIANT_TYPE (self->layout.type);
  gconstpointer from = self->next;
  gpointer data;

  self->next += n * size;

  if (self->layout.widen == NULL && self->shared != NULL)
    {
      const guint8 *begin = g_bytes_get_data (self->shared, NULL);
      g_autoptr (GBytes) bytes = g_bytes_new_from_bytes (self->shared, (gsize) ((const guint8 *) from - begin), n * size);

      return g_variant_new_from_bytes (type, bytes, TRUE);
    }

  data = g_try_malloc_n (n, self->layout.size);
  if (data == NULL && n > 0)
    {
      PyErr_NoMemory ();
      return NULL;
    }

  if (self->layout.widen != NULL)
    self->layout.widen (data, from, n);
  else if (n > 0)
    memcpy (data, from, n * self->layout.size);

  return g_variant_new_from_data (type, data, n * self->layout.size, TRUE, g_free, data);
}

/* The array of a dimension and all after it. */
static GVariant *
make_array (Source          *self,
            const Py_buffer *view,
            int              dimension)
{
  gsize n = (gsize) view->shape[dimension];
  g_autofree GVariant **rows = NULL;
  g_autofree char *levels = NULL;
  g_autofree char *row_type = NULL;
  gsize i;

  if (dimension == view->ndim - 1)
    return make_row (self, n, (gsize) view->itemsize);

  rows = g_try_new (GVariant *, n);
  if (rows == NULL && n > 0)
    {
      PyErr_NoMemory ();
      return NULL;
    }

  for (i = 0; i < n; i++)
    {
      rows[i] = make_array (self, view, dimension + 1);
      if (rows[i] == NULL)
        {
          while (i > 0)
            g_variant_unref (rows[--i]);
          return NULL;
        }
    }

  levels = g_strnfill ((gsize) (view->ndim - dimension - 2), 'a');
  row_type = g_strconcat (levels, self->layout.type, NULL);
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

/* On any thread, with the GIL or without. */
static void
release_view (gpointer data)
{
  PyGILState_STATE gil_state = PyGILState_Ensure ();

  PyBuffer_Release (data);
  PyGILState_Release (gil_state);
  g_free (data);
}

/* Puts the elements into a row. */
static GBytes *
copy_view (Py_buffer *view)
{
  gpointer copy = g_try_malloc ((gsize) view->len);

  if (copy == NULL && view->len > 0)
    {
      PyErr_NoMemory ();
      return NULL;
    }
  if (PyBuffer_ToContiguous (copy, view, view->len, 'C') < 0)
    {
      g_free (copy);
      return NULL;
    }

  return g_bytes_new_take (copy, (gsize) view->len);
}

/* @whole holds the view, and may become part of the value if it is not %NULL. */
static GVariant *
convert_view (Py_buffer  *view,
              GBytes     *whole,
              guint      *depth,
              char      **problem)
{
  g_autoptr (GBytes) copy = NULL;
  Source source = { .next = view->buf };

  if (!find_layout (view, &source.layout))
    {
      *problem = g_strdup_printf ("its elements, of format '%s' and %" G_GSSIZE_FORMAT " bytes, are not numbers "
                                  "of this machine", view->format != NULL ? view->format : "B",
                                  (gssize) view->itemsize);
      return NULL;
    }

  if (view->ndim == 0)
    {
      *depth = 0;
      return make_scalar (&source.layout, view->buf);
    }

  *depth = (guint) view->ndim;
  if (view->ndim > 16)
    {
      *problem = g_strdup_printf ("it has %d dimensions (limit 16)", view->ndim);
      return NULL;
    }

  if (!PyBuffer_IsContiguous (view, 'C'))
    {
      copy = copy_view (view);
      if (copy == NULL)
        return NULL;
      source.next = g_bytes_get_data (copy, NULL);
    }

  source.shared = copy != NULL ? copy : whole;
  return make_array (&source, view, 0);
}

/* Returns a floating reference and how many containers are inside each other; %NULL with
 * @problem set if its elements cannot be sent, or with an exception set.  What is made may
 * hold on to the buffer if it @may_share it. */
GVariant *
malt_python_buffer_to_variant (PyObject  *object,
                               gboolean   may_share,
                               guint     *depth,
                               char     **problem)
{
  Py_buffer *view = g_new0 (Py_buffer, 1);
  g_autoptr (GBytes) whole = NULL;
  PyObject *exception;
  PyObject *text;

  if (PyObject_GetBuffer (object, view, PyBUF_FULL_RO) < 0)
    {
      g_free (view);

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

  whole = g_bytes_new_with_free_func (view->buf, (gsize) view->len, release_view, view);
  return convert_view (view, may_share && view->len >= MIN_SHARED ? whole : NULL, depth, problem);
}

static void
release_bytes (gpointer data)
{
  PyGILState_STATE gil_state = PyGILState_Ensure ();

  Py_DECREF ((PyObject *) data);
  PyGILState_Release (gil_state);
}

/* Returns a floating reference. */
GVariant *
malt_python_bytes_to_variant (PyObject *object,
                              gboolean  may_share)
{
  gpointer data = PyBytes_AS_STRING (object);
  gsize size = (gsize) PyBytes_GET_SIZE (object);
  g_autoptr (GBytes) bytes = NULL;

  if (may_share && size >= MIN_SHARED)
    bytes = g_bytes_new_with_free_func (data, size, release_bytes, Py_NewRef (object));
  else
    bytes = g_bytes_new (data, size);

  return g_variant_new_from_bytes (G_VARIANT_TYPE_BYTESTRING, bytes, TRUE);
}
