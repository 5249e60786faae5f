/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-binding.h"

#define NO_IMPORT_PYGOBJECT
#include <pygobject.h>

/* Errors of the library as exceptions, which the Python half makes of what is known. */

/* A text, or None.  A worker's text is UTF-8 by now, but may have been cut. */
static PyObject *
to_text (const char *text)
{
  if (text == NULL)
    Py_RETURN_NONE;

  return PyUnicode_DecodeUTF8 (text, (Py_ssize_t) strlen (text), "replace");
}

static PyObject *
take_text (char *text)
{
  PyObject *object = to_text (text);

  g_free (text);
  return object;
}

static PyObject *
get_details (const GError *error)
{
  MaltExitInfo *exit_info;
  PyObject *exit_object;

  if (error->domain != MALT_ERROR)
    Py_RETURN_NONE;

  exit_info = malt_remote_error_get_exit_info (error);
  exit_object = exit_info != NULL ? pygobject_new (G_OBJECT (exit_info)) : Py_NewRef (Py_None);
  if (exit_object == NULL)
    return NULL;

  return Py_BuildValue ("(NNNNNi)",
                        take_text (malt_remote_error_dup_type (error)),
                        take_text (malt_remote_error_dup_message (error)),
                        take_text (malt_remote_error_dup_traceback (error)),
                        take_text (malt_remote_error_dup_worker (error)),
                        exit_object,
                        (int) malt_remote_error_get_rung (error));
}

/* A new reference to the exception for an error, which it takes; %NULL with an exception
 * set.  @worker is whose error it is, or %NULL; or a pool, of which the message tells. */
PyObject *
malt_binding_error_to_python (GError   *error,
                              PyObject *worker)
{
  g_autoptr (GError) owned = error;
  g_autoptr (PyObject) message = to_text (owned->message);
  g_autoptr (PyObject) details = get_details (error);

  if (message == NULL || details == NULL)
    return NULL;
  if (worker != NULL && malt_binding_is_pool (worker))
    worker = NULL;

  return PyObject_CallFunction (malt_binding.make_error, "siOOO", g_quark_to_string (error->domain), error->code,
                                message, worker != NULL ? worker : Py_None, details);
}

/* Sets the exception for an error, which it takes. */
void
malt_binding_raise (GError   *error,
                    PyObject *worker)
{
  g_autoptr (PyObject) exception = malt_binding_error_to_python (error, worker);

  if (exception != NULL)
    PyErr_SetObject ((PyObject *) Py_TYPE (exception), exception);
}
