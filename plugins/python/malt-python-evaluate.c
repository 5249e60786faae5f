/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-python-evaluate.h"

#include "malt-python-module-name.h"
#include "malt-python-source.h"

/* Evaluating source: its statements, then the expression at its end, whose value is that
 * of the evaluation.  Either may await at its top level, and is a coroutine then. */

/* FALSE with an exception or @error set. */
gboolean
malt_python_code_init (MaltPythonCode  *self,
                       const char      *module,
                       const char      *source,
                       GError         **error)
{
  self->names = malt_python_get_namespace (module, error);

  return self->names != NULL &&
         malt_python_source_parse (source, &self->body, &self->expression);
}

void
malt_python_code_clear (MaltPythonCode *self)
{
  Py_CLEAR (self->body);
  Py_CLEAR (self->expression);
  Py_CLEAR (self->names);
}

/* Runs up to the end, or up to the first coroutine, which is returned to be awaited; what
 * is left is for the next call.  Returns a new reference, or %NULL with an exception. */
PyObject *
malt_python_code_run (MaltPythonCode *self,
                      gboolean       *awaits)
{
  g_autoptr (PyObject) body = g_steal_pointer (&self->body);
  g_autoptr (PyObject) expression = NULL;
  PyObject *value;

  if (body != NULL)
    {
      value = PyEval_EvalCode (body, self->names, self->names);
      *awaits = (((PyCodeObject *) body)->co_flags & CO_COROUTINE) != 0;
      if (value == NULL || *awaits)
        return value;
      Py_DECREF (value);
    }

  expression = g_steal_pointer (&self->expression);
  if (expression != NULL)
    {
      *awaits = (((PyCodeObject *) expression)->co_flags & CO_COROUTINE) != 0;
      return PyEval_EvalCode (expression, self->names, self->names);
    }

  *awaits = FALSE;
  Py_RETURN_NONE;
}
