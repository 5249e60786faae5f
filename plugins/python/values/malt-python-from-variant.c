/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-python-from-variant.h"

#include <string.h>

#include "malt-python-array.h"
#include "malt-python-tag.h"
#include "malt-python-view.h"

/* From GVariant to Python, as docs/values.md has it.  The depth of a GVariant is
 * bounded, so recursion is. */

#define DEFINE_LIST_FROM(name, ctype, convert) \
  static PyObject * \
  list_from_##name (gconstpointer data, \
                    gsize         n) \
  { \
    const ctype *items = data; \
    PyObject *list = PyList_New ((Py_ssize_t) n); \
    gsize i; \
    \
    for (i = 0; list != NULL && i < n; i++) \
      { \
        PyObject *item = convert (items[i]); \
        \
        if (item == NULL) \
          Py_CLEAR (list); \
        else \
          PyList_SET_ITEM (list, (Py_ssize_t) i, item); \
      } \
    \
    return list; \
  }

DEFINE_LIST_FROM (boolean, guint8, PyBool_FromLong)
DEFINE_LIST_FROM (int16, gint16, PyLong_FromLong)
DEFINE_LIST_FROM (uint16, guint16, PyLong_FromLong)
DEFINE_LIST_FROM (int32, gint32, PyLong_FromLong)
DEFINE_LIST_FROM (uint32, guint32, PyLong_FromUnsignedLong)
DEFINE_LIST_FROM (int64, gint64, PyLong_FromLongLong)
DEFINE_LIST_FROM (uint64, guint64, PyLong_FromUnsignedLongLong)
DEFINE_LIST_FROM (double, gdouble, PyFloat_FromDouble)

static PyObject *
from_string (GVariant *value)
{
  gsize length;
  const char *text = g_variant_get_string (value, &length);

  return PyUnicode_FromStringAndSize (text, (Py_ssize_t) length);
}

static PyObject *
from_maybe (GVariant          *value,
            MaltPythonValues   how,
            GError           **error)
{
  g_autoptr (GVariant) child = g_variant_get_maybe (value);

  if (child == NULL)
    Py_RETURN_NONE;

  return malt_python_from_variant (child, how, error);
}

static PyObject *
from_dictionary (GVariant          *value,
                 MaltPythonValues   how,
                 GError           **error)
{
  g_autoptr (PyObject) dict = PyDict_New ();
  gsize n = g_variant_n_children (value);
  gsize i;

  for (i = 0; dict != NULL && i < n; i++)
    {
      g_autoptr (GVariant) entry = g_variant_get_child_value (value, i);
      g_autoptr (GVariant) key_variant = g_variant_get_child_value (entry, 0);
      g_autoptr (GVariant) item_variant = g_variant_get_child_value (entry, 1);
      g_autoptr (PyObject) key = malt_python_from_variant (key_variant, how, error);
      g_autoptr (PyObject) item = key != NULL ? malt_python_from_variant (item_variant, how, error) : NULL;

      if (item == NULL || PyDict_SetItem (dict, key, item) < 0)
        return NULL;
    }

  return g_steal_pointer (&dict);
}

static PyObject *
from_strings (GVariant *value)
{
  gsize n, i;
  g_autofree const char **texts = g_variant_get_strv (value, &n);
  g_autoptr (PyObject) list = PyList_New ((Py_ssize_t) n);

  for (i = 0; list != NULL && i < n; i++)
    {
      PyObject *item = PyUnicode_FromString (texts[i]);

      if (item == NULL)
        return NULL;
      PyList_SET_ITEM (list, (Py_ssize_t) i, item);
    }

  return g_steal_pointer (&list);
}

static PyObject *
from_array (GVariant          *value,
            MaltPythonValues   how,
            GError           **error)
{
  const char *type = g_variant_get_type_string (value);
  g_autoptr (PyObject) list = NULL;
  gconstpointer data;
  gsize n, i;

  /* Where both ends are Python, what was an array of numbers there says so. */
  if ((how & MALT_PYTHON_VALUES_VIEWS) != 0 && type[1] != '\0' &&
      strchr ((how & MALT_PYTHON_VALUES_OBJECTS) != 0 ? "y" : "ybnqiuxtd", type[1]) != NULL)
    return malt_python_view_new (value);

  switch (type[1])
    {
    case 'y':
      data = g_variant_get_fixed_array (value, &n, 1);
      return malt_python_bytes_new (data, n);
    case 'b':
      data = g_variant_get_fixed_array (value, &n, 1);
      return list_from_boolean (data, n);
    case 'n':
      data = g_variant_get_fixed_array (value, &n, 2);
      return list_from_int16 (data, n);
    case 'q':
      data = g_variant_get_fixed_array (value, &n, 2);
      return list_from_uint16 (data, n);
    case 'i':
      data = g_variant_get_fixed_array (value, &n, 4);
      return list_from_int32 (data, n);
    case 'u':
      data = g_variant_get_fixed_array (value, &n, 4);
      return list_from_uint32 (data, n);
    case 'x':
      data = g_variant_get_fixed_array (value, &n, 8);
      return list_from_int64 (data, n);
    case 't':
      data = g_variant_get_fixed_array (value, &n, 8);
      return list_from_uint64 (data, n);
    case 'd':
      data = g_variant_get_fixed_array (value, &n, 8);
      return list_from_double (data, n);
    case 's':
      return from_strings (value);
    case '{':
      return from_dictionary (value, how, error);
    default:
      break;
    }

  n = g_variant_n_children (value);
  list = PyList_New ((Py_ssize_t) n);
  for (i = 0; list != NULL && i < n; i++)
    {
      g_autoptr (GVariant) child = g_variant_get_child_value (value, i);
      PyObject *item = malt_python_from_variant (child, how, error);

      if (item == NULL)
        return NULL;
      PyList_SET_ITEM (list, (Py_ssize_t) i, item);
    }

  return g_steal_pointer (&list);
}

static PyObject *
from_tuple (GVariant          *value,
            MaltPythonValues   how,
            GError           **error)
{
  gsize n = g_variant_n_children (value);
  g_autoptr (PyObject) tuple = PyTuple_New ((Py_ssize_t) n);
  gsize i;

  for (i = 0; tuple != NULL && i < n; i++)
    {
      g_autoptr (GVariant) child = g_variant_get_child_value (value, i);
      PyObject *item = malt_python_from_variant (child, how, error);

      if (item == NULL)
        return NULL;
      PyTuple_SET_ITEM (tuple, (Py_ssize_t) i, item);
    }

  return g_steal_pointer (&tuple);
}

/* Returns a new reference, or %NULL with an exception or @error set.  With views arrays of
 * numbers become views of the value.  GIL held. */
PyObject *
malt_python_from_variant (GVariant          *value,
                          MaltPythonValues   how,
                          GError           **error)
{
  switch (g_variant_classify (value))
    {
    case G_VARIANT_CLASS_BOOLEAN:
      return PyBool_FromLong (g_variant_get_boolean (value));
    case G_VARIANT_CLASS_BYTE:
      return PyLong_FromLong (g_variant_get_byte (value));
    case G_VARIANT_CLASS_INT16:
      return PyLong_FromLong (g_variant_get_int16 (value));
    case G_VARIANT_CLASS_UINT16:
      return PyLong_FromLong (g_variant_get_uint16 (value));
    case G_VARIANT_CLASS_INT32:
      return PyLong_FromLong (g_variant_get_int32 (value));
    case G_VARIANT_CLASS_UINT32:
      return PyLong_FromUnsignedLong (g_variant_get_uint32 (value));
    case G_VARIANT_CLASS_INT64:
      return PyLong_FromLongLong (g_variant_get_int64 (value));
    case G_VARIANT_CLASS_UINT64:
      return PyLong_FromUnsignedLongLong (g_variant_get_uint64 (value));
    case G_VARIANT_CLASS_DOUBLE:
      return PyFloat_FromDouble (g_variant_get_double (value));
    case G_VARIANT_CLASS_STRING:
    case G_VARIANT_CLASS_OBJECT_PATH:
    case G_VARIANT_CLASS_SIGNATURE:
      return from_string (value);
    case G_VARIANT_CLASS_VARIANT:
      {
        g_autoptr (GVariant) child = g_variant_get_variant (value);

        return malt_python_from_variant (child, how, error);
      }
    case G_VARIANT_CLASS_MAYBE:
      return from_maybe (value, how, error);
    case G_VARIANT_CLASS_ARRAY:
      return from_array (value, how, error);
    case G_VARIANT_CLASS_TUPLE:
      if ((how & MALT_PYTHON_VALUES_OBJECTS) != 0)
        {
          if (g_variant_is_of_type (value, G_VARIANT_TYPE (MALT_PYTHON_TAG_TYPE)))
            return malt_python_tag_decode (value, how, error);
          if (g_variant_is_of_type (value, G_VARIANT_TYPE (MALT_PYTHON_ARRAY_TYPE)))
            return malt_python_array_from_variant (value, how, error);
        }
      return from_tuple (value, how, error);
    case G_VARIANT_CLASS_DICT_ENTRY:
      return from_tuple (value, how, error);
    case G_VARIANT_CLASS_HANDLE:
    default:
      g_set_error (error, MALT_ERROR, MALT_ERROR_SERIALIZATION,
                   "a value of type '%s' has no counterpart in Python",
                   g_variant_get_type_string (value));
      return NULL;
    }
}

/* The positional arguments of most calls are few numbers and short texts.  These are read
 * from the serialised tuple as it is, instead of making a GVariant of each.
 *
 * What is not in order there, as GVariant allows, is left to GVariant. */

#define SIMPLE_TYPES "bnqiuxtdys"

typedef struct
{
  const guint8 *data;
  gsize         size;        /* without the offsets at the end */
  gsize         position;
  const guint8 *offsets;     /* after the next one */
  guint         offset_size;
} TupleReader;

/* The next number, %NULL if there is none. */
static gconstpointer
read_number (TupleReader *self,
             gsize        size)
{
  gsize start = (self->position + size - 1) & ~(size - 1);

  if (start + size > self->size)
    return NULL;

  self->position = start + size;
  return self->data + start; /* which GVariant sees to be aligned */
}

static PyObject *
read_text (TupleReader *self,
           gboolean     is_last)
{
  const guint8 *text = self->data + self->position;
  guint64 end = 0;
  gsize length;

  if (is_last)
    {
      end = self->size;
    }
  else
    {
      self->offsets -= self->offset_size;
      memcpy (&end, self->offsets, self->offset_size);
      end = GUINT64_FROM_LE (end);
    }

  if (end <= self->position || end > self->size)
    return NULL;

  length = (gsize) end - self->position - 1;
  self->position = (gsize) end;
  if (text[length] != '\0' || memchr (text, '\0', length) != NULL)
    return NULL;

  return PyUnicode_DecodeUTF8 ((const char *) text, (Py_ssize_t) length, NULL);
}

static PyObject *
read_member (TupleReader *self,
             char         type,
             gboolean     is_last)
{
  gconstpointer item;

#define NUMBER(ctype, convert) \
  ((item = read_number (self, sizeof (ctype))) != NULL ? convert (*(const ctype *) item) : NULL)

  switch (type)
    {
    case 'b':
      return NUMBER (guint8, PyBool_FromLong);
    case 'y':
      return NUMBER (guint8, PyLong_FromLong);
    case 'n':
      return NUMBER (gint16, PyLong_FromLong);
    case 'q':
      return NUMBER (guint16, PyLong_FromLong);
    case 'i':
      return NUMBER (gint32, PyLong_FromLong);
    case 'u':
      return NUMBER (guint32, PyLong_FromUnsignedLong);
    case 'x':
      return NUMBER (gint64, PyLong_FromLongLong);
    case 't':
      return NUMBER (guint64, PyLong_FromUnsignedLongLong);
    case 'd':
      return NUMBER (double, PyFloat_FromDouble);
    case 's':
    default:
      return read_text (self, is_last);
    }

#undef NUMBER
}

/* A new reference, or %NULL, with or without an exception, if it cannot be had so. */
static PyObject *
read_tuple (GVariant   *value,
            const char *types,
            gsize       n)
{
  TupleReader reader = { g_variant_get_data (value), g_variant_get_size (value), 0, NULL, 1 };
  g_autoptr (PyObject) tuple = PyTuple_New ((Py_ssize_t) n);
  gsize n_texts = 0, i;

  while (reader.offset_size < 8 && reader.size >> (8 * reader.offset_size) != 0)
    reader.offset_size *= 2;
  for (i = 0; i + 1 < n; i++)
    n_texts += types[i] == 's';
  if (tuple == NULL || reader.data == NULL || n_texts * reader.offset_size > reader.size)
    return NULL;
  reader.offsets = reader.data + reader.size;
  reader.size -= n_texts * reader.offset_size;

  for (i = 0; i < n; i++)
    {
      PyObject *member = read_member (&reader, types[i], i + 1 == n);

      if (member == NULL)
        return NULL;
      PyTuple_SET_ITEM (tuple, (Py_ssize_t) i, member);
    }

  return g_steal_pointer (&tuple);
}

/* The positional arguments of a call, as malt_python_from_variant() has them. */
PyObject *
malt_python_from_arguments (GVariant          *arguments,
                            MaltPythonValues   how,
                            GError           **error)
{
  const char *types = g_variant_get_type_string (arguments) + 1;
  gsize n = strspn (types, SIMPLE_TYPES);
  PyObject *tuple;

  if (n > 0 && types[n] == ')')
    {
      tuple = read_tuple (arguments, types, n);
      if (tuple != NULL)
        return tuple;
      PyErr_Clear ();
    }

  return malt_python_from_variant (arguments, how, error);
}
