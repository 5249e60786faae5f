/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-python-conversion.h"

#include <string.h>

G_GNUC_PRINTF (2, 3)
GVariant *
malt_conversion_refuse (MaltConversion *self,
                        const char     *format,
                        ...)
{
  va_list args;

  va_start (args, format);
  g_free (self->reason);
  self->reason = g_strdup_vprintf (format, args);
  va_end (args);

  return NULL;
}

/* One step on the way to the value: a subscript, or in words. */
void
malt_conversion_at (MaltConversion *self,
                    const char     *word,
                    const char     *name)
{
  gboolean words = (self->how & MALT_PYTHON_VALUES_WORDS) != 0;
  g_autofree char *step = words ? g_strdup_printf ("%s %s%s", word, name, self->where != NULL ? ", " : "")
                                : g_strdup_printf ("[%s]", name);

  if (self->where == NULL)
    self->where = g_string_new (NULL);
  g_string_prepend (self->where, step);
}

void
malt_conversion_at_index (MaltConversion *self,
                          Py_ssize_t      index)
{
  g_autofree char *text = g_strdup_printf ("%" G_GSSIZE_FORMAT, (gssize) index);

  malt_conversion_at (self, "item", text);
}

/* The key as Python shows it, unless it is long. */
void
malt_conversion_at_key (MaltConversion *self,
                        const char     *word,
                        PyObject       *key)
{
  PyObject *exception = malt_python_take_exception ();
  g_autoptr (PyObject) repr = PyUnicode_Check (key) ? PyUnicode_Type.tp_repr (key)
                                                    : PyLong_Type.tp_repr (key);
  const char *full = repr != NULL ? PyUnicode_AsUTF8 (repr) : NULL;
  g_autofree char *text = NULL;

  if (full == NULL)
    text = g_strdup ("…");
  else if (g_utf8_strlen (full, -1) > 60)
    text = g_strdup_printf ("%.*s…", (int) (g_utf8_offset_to_pointer (full, 60) - full), full);
  else
    text = g_strdup (full);
  malt_conversion_at (self, word, text);

  PyErr_Clear ();
  malt_python_give_exception (exception);
}

/* The text in UTF-8, which belongs to the object; %NULL with an exception or reason set. */
const char *
malt_conversion_get_text (MaltConversion *self,
                          PyObject       *object,
                          Py_ssize_t     *size)
{
  const char *text = PyUnicode_AsUTF8AndSize (object, size);

  if (text == NULL)
    {
      if (PyErr_ExceptionMatches (PyExc_UnicodeEncodeError))
        {
          PyErr_Clear ();
          malt_conversion_refuse (self, "cannot send a text with a lone surrogate");
        }
      return NULL;
    }

  if (memchr (text, 0, (gsize) *size) != NULL)
    {
      malt_conversion_refuse (self, "cannot send a text with a NUL character");
      return NULL;
    }

  return text;
}

/* Ends the conversion. */
void
malt_conversion_finish (MaltConversion *self,
                        gboolean        failed,
                        GError        **error)
{
  g_autofree char *reason = g_steal_pointer (&self->reason);
  g_autofree char *where = self->where != NULL ? g_string_free (self->where, FALSE) : NULL;
  g_autofree char *problem = g_steal_pointer (&self->problem);
  const char *either = problem != NULL ? "; it cannot be pickled either: " : "";

  if (!failed || PyErr_Occurred ())
    return;

  if ((self->how & MALT_PYTHON_VALUES_WORDS) == 0)
    g_set_error (error, MALT_ERROR, MALT_ERROR_SERIALIZATION, "%s%s%s%s%s", reason,
                 where != NULL ? " at " : "", where != NULL ? where : "", either, problem != NULL ? problem : "");
  else
    g_set_error (error, MALT_ERROR, MALT_ERROR_SERIALIZATION, "%s%scannot convert%s%s%s",
                 where != NULL ? where : "", where != NULL ? ": " : "",
                 reason + (g_str_has_prefix (reason, "cannot send") ? strlen ("cannot send") : 0),
                 either, problem != NULL ? problem : "");
}
