/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-python-answer.h"

#include "malt-python-channel.h"
#include "malt-python-error.h"
#include "malt-python-output.h"
#include "malt-python-to-variant.h"

/* From what Python code returned or raised to the end of its request. */

/* Makes the answer from @value, a reference that it takes, or if that is %NULL from the
 * error in @answer or else from the exception that is set.  GIL held, in the run, because
 * code of the user may be called. */
void
malt_python_answer_make (MaltPython       *self,
                         MaltPythonAnswer *answer,
                         MaltPythonRun    *run,
                         PyObject         *value)
{
  MaltRequestFlags flags = malt_request_get_flags (run->request);
  MaltChannel *channel;

  if (value != NULL && malt_request_get_kind (run->request) == MALT_REQUEST_KIND_CHANNEL)
    {
      channel = malt_python_channel_peek (value);
      if (channel != NULL)
        answer->channel = g_object_ref (channel);
      else
        g_set_error (&answer->error, MALT_ERROR, MALT_ERROR_SERIALIZATION,
                     "the expression gave a '%s' instead of a channel", Py_TYPE (value)->tp_name);
    }
  else if (value != NULL && (flags & (MALT_REQUEST_FLAGS_NO_VALUE | MALT_REQUEST_FLAGS_NO_REPLY)) == 0)
    {
      /* In a process of our own the answer is sent, and so serialised, with the GIL.  What
       * would let other threads run in between is done now. */
      malt_python_output_flush ();
      answer->value = malt_python_to_variant (value, self->own_process ? self->values | MALT_PYTHON_VALUES_SHARE : self->values,
                                              &answer->error);
    }
  Py_XDECREF (value);

  if (answer->error == NULL && PyErr_Occurred ())
    answer->error = malt_python_error_take (self, run);
}

/* Ends the request.  In the application's process without the GIL: it may take locks of
 * the application. */
void
malt_python_answer_send (MaltPythonAnswer *answer,
                         MaltRequest      *request)
{
  if (answer->error != NULL)
    malt_request_return_error (request, g_steal_pointer (&answer->error));
  else if (answer->channel != NULL)
    {
      malt_request_return_channel (request, answer->channel);
      g_clear_object (&answer->channel);
    }
  else
    malt_request_return_value (request, g_steal_pointer (&answer->value));
}

/* The same, with the GIL, which is given away meanwhile where it has to be. */
void
malt_python_answer_send_with_gil (MaltPython       *self,
                                  MaltPythonAnswer *answer,
                                  MaltRequest      *request)
{
  PyThreadState *state = self->own_process ? NULL : PyEval_SaveThread ();

  malt_python_answer_send (answer, request);
  if (state != NULL)
    PyEval_RestoreThread (state);
}
