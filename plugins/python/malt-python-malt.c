/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-python-malt.h"

#include "malt-python-channel.h"
#include "malt-python-host.h"
#include "malt-python-tasks.h"

/* The module `malt`, by which code that runs in a worker uses what the library has for it.
 * It is there without being imported, as a name that everybody may hide. */

static __thread MaltPython *current;

MaltPython *
malt_python_current (void)
{
  return current;
}

static PyMethodDef methods[] = {
  { "__getattr__", malt_python_tasks_getattr, METH_O, NULL },
  { NULL, NULL, 0, NULL }
};

static struct PyModuleDef module_def = {
  PyModuleDef_HEAD_INIT,
  .m_name = "malt",
  .m_doc = "What the code of a worker can use of libmalt.",
  .m_size = -1,
  .m_methods = methods,
};

static PyObject *
new_module (void)
{
  g_autoptr (PyObject) module = PyModule_Create (&module_def);
  PyObject *channel = malt_python_channel_get_type ();
  PyObject *closed = malt_python_channel_get_closed ();

  if (module == NULL || !malt_python_host_add (module) ||
      channel == NULL || PyModule_AddObjectRef (module, "Channel", channel) < 0 ||
      closed == NULL || PyModule_AddObjectRef (module, "ChannelClosed", closed) < 0)
    return NULL;

  return g_steal_pointer (&module);
}

/* The application may have a module of that name. */
static gboolean
install (void)
{
  PyObject *modules = PyImport_GetModuleDict ();
  PyObject *builtins = PyEval_GetBuiltins ();
  g_autoptr (PyObject) module = NULL;

  if (PyDict_GetItemString (modules, "malt") != NULL)
    return TRUE;

  module = new_module ();
  if (module == NULL || PyDict_SetItemString (modules, "malt", module) < 0)
    return FALSE;

  return PyDict_GetItemString (builtins, "malt") != NULL || PyDict_SetItemString (builtins, "malt", module) == 0;
}

/* On the serving thread, with the GIL. */
gboolean
malt_python_malt_begin (MaltPython  *self,
                        GError     **error)
{
  current = self;
  malt_python_host_begin (self);
  if (install ())
    return TRUE;

  PyErr_Clear ();
  g_set_error_literal (error, MALT_ERROR, MALT_ERROR_START, "cannot make the module 'malt'");
  return FALSE;
}

void
malt_python_malt_end (MaltPython *self)
{
  malt_python_host_end (self);
  current = NULL;
  if (self->own_process)
    malt_python_channel_forget ();
}
