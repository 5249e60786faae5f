/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-python-name.h"

#include "malt-python-object.h"

/* Names of modules and functions.
 *
 * What a name stands for is looked up anew each time, because anybody may bind it to
 * something else at any time.  What can be kept is the name in the form in which Python
 * looks it up, and which module was found to be whole, which takes longer than to find
 * it.
 *
 * One table for the process, guarded by the GIL. */

/* Names that come from somewhere else each time must not fill the memory. */
#define N_NAMES 1024

static GHashTable *names; /* text → MaltPythonName (owned) */

static void
name_clear (gpointer data)
{
  MaltPythonName *self = data;

  Py_CLEAR (self->text);
  Py_CLEAR (self->parts);
  Py_CLEAR (self->module);
  g_clear_pointer (&self->first, malt_python_name_release);
}

void
malt_python_name_release (MaltPythonName *self)
{
  g_rc_box_release_full (self, name_clear);
}

/* A tuple of the parts; %NULL without an exception if one of them is empty. */
static PyObject *
split (const char *text)
{
  g_auto (GStrv) parts = g_strsplit (text, ".", -1);
  Py_ssize_t n = (Py_ssize_t) g_strv_length (parts);
  g_autoptr (PyObject) tuple = NULL;
  PyObject *part;
  Py_ssize_t i;

  for (i = 0; i < n; i++)
    if (*parts[i] == '\0')
      return NULL;
  if (n == 0)
    return NULL;

  tuple = PyTuple_New (n);
  for (i = 0; tuple != NULL && i < n; i++)
    {
      part = PyUnicode_InternFromString (parts[i]);
      if (part == NULL)
        return NULL;
      PyTuple_SET_ITEM (tuple, i, part);
    }

  return g_steal_pointer (&tuple);
}

static MaltPythonName *
name_new (const char *text)
{
  g_autoptr (MaltPythonName) self = g_rc_box_new0 (MaltPythonName);

  self->parts = split (text);
  if (self->parts == NULL)
    return NULL;

  self->text = PyUnicode_InternFromString (text);
  if (self->text == NULL)
    return NULL;

  if (PyTuple_GET_SIZE (self->parts) > 1)
    {
      self->first = malt_python_name_get (PyUnicode_AsUTF8 (PyTuple_GET_ITEM (self->parts, 0)));
      if (self->first == NULL)
        return NULL;
    }

  return g_steal_pointer (&self);
}

/* A reference to the name; %NULL if it is not one, or with an exception set.  GIL held. */
MaltPythonName *
malt_python_name_get (const char *text)
{
  MaltPythonName *self;

  if (names == NULL)
    names = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, (GDestroyNotify) malt_python_name_release);

  self = g_hash_table_lookup (names, text);
  if (self != NULL)
    return g_rc_box_acquire (self);

  self = name_new (text);
  if (self != NULL)
    {
      if (g_hash_table_size (names) >= N_NAMES)
        g_hash_table_remove_all (names);
      g_hash_table_insert (names, g_strdup (text), g_rc_box_acquire (self));
    }

  return self;
}

/* The first @n parts, joined again. */
PyObject *
malt_python_name_join (MaltPythonName *self,
                       Py_ssize_t      n)
{
  g_autoptr (PyObject) dot = PyUnicode_FromString (".");
  g_autoptr (PyObject) slice = PyTuple_GetSlice (self->parts, 0, n);

  return dot != NULL && slice != NULL ? PyUnicode_Join (dot, slice) : NULL;
}

/* The module of that name, or what else stands there, if it is imported already.  If
 * another thread is just about to import it, that is waited for.  A new reference; %NULL
 * without an exception if there is none. */
PyObject *
malt_python_name_get_module (MaltPythonName *self)
{
  PyObject *module = PyDict_GetItemWithError (PyImport_GetModuleDict (), self->text);

  if (module == NULL)
    return NULL;
  if (self->module != NULL && malt_python_refers_to (self->module, module))
    return Py_NewRef (module);

  module = PyImport_GetModule (self->text);
  if (module != NULL && PyModule_Check (module))
    {
      Py_XSETREF (self->module, PyWeakref_NewRef (module, NULL));
      PyErr_Clear ();
    }

  return module;
}

/* Before Python ends. */
void
malt_python_names_forget (void)
{
  g_clear_pointer (&names, g_hash_table_unref);
}
