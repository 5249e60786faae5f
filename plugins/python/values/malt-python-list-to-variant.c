/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-python-conversion.h"

#include <string.h>

/* Lists of one scalar type, without a step through GVariant for each element.  These
 * return %NULL with neither exception nor reason if the list is of something else. */

static GVariant *
take_array (const char *type,
            gpointer    data,
            gsize       size)
{
  return g_variant_new_from_data (G_VARIANT_TYPE (type), data, size, TRUE, g_free, data);
}

GVariant *
malt_conversion_of_ints (MaltConversion *self,
                         PyObject       *list)
{
  Py_ssize_t n = PyList_GET_SIZE (list);
  g_autofree gint64 *numbers = g_try_new (gint64, n);
  Py_ssize_t i;
  int overflow;

  if (numbers == NULL)
    {
      PyErr_NoMemory ();
      return NULL;
    }

  /* No code of the user runs here: the number is taken as it is, also of a subclass. */
  for (i = 0; i < n; i++)
    {
      PyObject *item = PyList_GET_ITEM (list, i);

      if (!PyLong_Check (item) || PyBool_Check (item) || malt_conversion_is_special (self, item))
        return NULL;
      numbers[i] = PyLong_AsLongLongAndOverflow (item, &overflow);
      if (overflow != 0)
        return NULL;
    }

  return take_array ("ax", g_steal_pointer (&numbers), (gsize) n * sizeof (gint64));
}

GVariant *
malt_conversion_of_floats (PyObject *list)
{
  Py_ssize_t n = PyList_GET_SIZE (list);
  g_autofree double *numbers = g_try_new (double, n);
  Py_ssize_t i;

  if (numbers == NULL)
    {
      PyErr_NoMemory ();
      return NULL;
    }

  for (i = 0; i < n; i++)
    {
      PyObject *item = PyList_GET_ITEM (list, i);

      if (!PyFloat_Check (item))
        return NULL;
      numbers[i] = PyFloat_AS_DOUBLE (item);
    }

  return take_array ("ad", g_steal_pointer (&numbers), (gsize) n * sizeof (double));
}

GVariant *
malt_conversion_of_bools (PyObject *list)
{
  Py_ssize_t n = PyList_GET_SIZE (list);
  g_autofree guint8 *values = g_try_malloc ((gsize) n);
  Py_ssize_t i;

  if (values == NULL)
    {
      PyErr_NoMemory ();
      return NULL;
    }

  for (i = 0; i < n; i++)
    {
      PyObject *item = PyList_GET_ITEM (list, i);

      if (!PyBool_Check (item))
        return NULL;
      values[i] = item == Py_True;
    }

  return take_array ("ab", g_steal_pointer (&values), (gsize) n);
}

static void
write_offset (guint8 *position,
              guint   offset_size,
              guint64 offset)
{
  guint64 little_endian = GUINT64_TO_LE (offset);

  /* GVariant's offsets are little-endian, whatever the machine. */
  memcpy (position, &little_endian, offset_size);
}

/* The form of an "as": the texts with their NULs, then where each of them ends, in as
 * many bytes as the size of the whole asks for. */
GVariant *
malt_conversion_of_strs (MaltConversion *self,
                         PyObject       *list)
{
  Py_ssize_t n = PyList_GET_SIZE (list);
  guint offset_size = 1;
  gsize size = 0, end = 0, total;
  Py_ssize_t i, length;
  const char *text;
  guint8 *data;

  for (i = 0; i < n; i++)
    {
      PyObject *item = PyList_GET_ITEM (list, i);

      if (!PyUnicode_Check (item) || malt_conversion_is_special (self, item))
        return NULL;
      text = malt_conversion_get_text (self, item, &length);
      if (text == NULL)
        {
          if ((self->how & MALT_PYTHON_VALUES_OBJECTS) == 0)
            malt_conversion_at_index (self, i);
          else
            g_clear_pointer (&self->reason, g_free);
          return NULL;
        }
      size += (gsize) length + 1;
    }

  while (offset_size < 8 &&
         size + (gsize) n * offset_size > (G_GUINT64_CONSTANT (1) << (8 * offset_size)) - 1)
    offset_size *= 2;

  total = size + (gsize) n * offset_size;
  data = g_try_malloc (total);
  if (data == NULL)
    {
      PyErr_NoMemory ();
      return NULL;
    }

  for (i = 0; i < n; i++)
    {
      /* It has been made above and is kept by the object. */
      text = PyUnicode_AsUTF8AndSize (PyList_GET_ITEM (list, i), &length);
      memcpy (data + end, text, (gsize) length + 1);
      end += (gsize) length + 1;
      write_offset (data + size + (gsize) i * offset_size, offset_size, end);
    }

  return take_array ("as", data, total);
}
