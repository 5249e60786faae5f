/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-python.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "malt-python-answer.h"
#include "malt-python-call.h"
#include "malt-python-evaluate.h"
#include "malt-python-interpreter.h"
#include "malt-python-interrupt.h"
#include "malt-python-loop.h"
#include "malt-python-malt.h"
#include "malt-python-name.h"
#include "malt-python-options.h"
#include "malt-python-output.h"
#include "malt-python-source.h"
#include "malt-python-task.h"
#include "malt-python-wait.h"

/* The road of a request through the runtime. */

/* How many requests that are there already go before coroutines that have begun. */
#define REQUESTS_IN_A_ROW 64

static MaltPython *
malt_python_new (MaltRuntime *runtime)
{
  MaltPython *self = g_new0 (MaltPython, 1);

  self->runtime = runtime;
  self->own_process = malt_runtime_is_own_process (runtime);
  self->loop_fd = -1;
  self->wake_fd = -1;
  g_mutex_init (&self->lock);
  g_cond_init (&self->nudge_cond);
  self->tasks = g_hash_table_new (NULL, NULL);

  return self;
}

static void
malt_python_free (MaltPython *self)
{
  g_assert (self->loop == NULL);

  g_clear_pointer (&self->context, g_main_context_unref);
  g_clear_pointer (&self->tasks, g_hash_table_unref);
  if (self->wake_fd >= 0)
    close (self->wake_fd);
  g_cond_clear (&self->nudge_cond);
  g_mutex_clear (&self->lock);
  g_free (self);
}

static gboolean
malt_python_start (MaltPython  *self,
                   GVariant    *options,
                   GError     **error)
{
  g_auto (MaltPythonOptions) parsed = { NULL, MALT_PYTHON_VALUES_PLAIN };

  if (!malt_python_options_parse (&parsed, options, error))
    return FALSE;
  self->values = parsed.values;

  self->wake_fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (self->wake_fd < 0)
    {
      g_set_error (error, MALT_ERROR, MALT_ERROR_START, "cannot make an eventfd: %s", g_strerror (errno));
      return FALSE;
    }

  self->context = g_main_context_ref_thread_default ();

  if (!malt_python_interpreter_enter (self, &parsed, error))
    return FALSE;

  malt_python_gil_take (self);
  malt_python_output_tell (self);
  if (!malt_python_malt_begin (self, error))
    {
      malt_python_interpreter_leave (self);
      return FALSE;
    }
  malt_python_gil_leave (self);

  return TRUE;
}

/* What a request is to do, up to its end or its first await.  %NULL with an exception or
 * @error set. */
static PyObject *
execute (MaltPython      *self,
         MaltRequest     *request,
         MaltPythonCode  *code,
         gboolean        *awaits,
         GError         **error)
{
  if (malt_request_get_kind (request) == MALT_REQUEST_KIND_CALL)
    return malt_python_call (self, request, awaits, error);

  if (!malt_python_code_init (code, malt_request_get_module (request), malt_request_get_source (request), error))
    return NULL;

  return malt_python_code_run (code, awaits);
}

/* Runs a request.  TRUE if it awaits something, else @answer is set.  GIL held. */
static gboolean
run_request (MaltPython       *self,
             MaltRequest      *request,
             MaltPythonAnswer *answer)
{
  MaltPythonRun run = { request, FALSE, FALSE };
  MaltPythonCode code = { NULL, NULL, NULL };
  g_autoptr (PyObject) awaitable = NULL;
  PyObject *value = NULL;
  gboolean awaits = FALSE;
  gboolean started = FALSE;

  if (malt_python_run_begin (self, &run))
    {
      value = execute (self, request, &code, &awaits, &answer->error);
      if (value != NULL && awaits)
        {
          awaitable = g_steal_pointer (&value);
          started = malt_python_task_start (self, request, awaitable, &code);
        }
    }
  else
    {
      run.interrupted = TRUE;
      PyErr_SetNone (PyExc_KeyboardInterrupt);
    }

  if (!started)
    malt_python_answer_make (self, answer, &run, value);
  malt_python_code_clear (&code);
  malt_python_output_flush ();

  if (malt_python_run_end (self, NULL) && started)
    {
      g_mutex_lock (&self->lock);
      malt_python_task_ask_locked (self, request, TRUE);
      g_mutex_unlock (&self->lock);
    }

  return started;
}

static void
malt_python_handle (MaltPython  *self,
                    MaltRequest *request)
{
  MaltPythonAnswer answer = { NULL, NULL, NULL };
  gboolean awaits;

  if (!self->own_process && malt_python_interpreter_ends ())
    {
      malt_request_return_new_error (request, MALT_ERROR, MALT_ERROR_TERMINATED,
                                     "the application's Python is about to end");
      return;
    }

  g_atomic_int_set (&self->arriving, TRUE);
  malt_request_set_begun (request);
  malt_python_gil_take (self);
  malt_python_check_signals ();
  awaits = run_request (self, request, &answer);
  /* What begins now begins before the next request does; and what has begun goes on although
   * there always is a next one. */
  if (awaits || (self->loop != NULL && ++self->n_in_a_row >= REQUESTS_IN_A_ROW))
    {
      self->n_in_a_row = 0;
      malt_python_loop_run_once (self);
    }

  if (!self->own_process)
    malt_python_gil_leave (self);
  if (!awaits)
    malt_python_answer_send (&answer, request);
  if (self->own_process)
    malt_python_gil_share (self);
}

static void
malt_python_wait (MaltPython *self,
                  int         fd)
{
  self->n_in_a_row = 0;
  if (self->loop != NULL && (self->own_process || !malt_python_interpreter_ends ()))
    {
      malt_python_gil_take (self);
      malt_python_loop_run_until (self, fd);
      if (!self->own_process)
        malt_python_gil_leave (self);
      if (self->loop != NULL)
        return;
    }

  malt_python_gil_leave (self);
  while (malt_python_wait_context (self, fd, -1, -1) == 0)
    {
      if (!self->own_process)
        continue;

      /* Perhaps it was a signal for which the user's code has a handler. */
      malt_python_gil_take (self);
      malt_python_check_signals ();
      malt_python_gil_leave (self);
    }
}

static void
malt_python_stop (MaltPython *self)
{
  malt_python_wait_clear (self);

  if (!self->own_process && malt_python_interpreter_ends ())
    return;

  malt_python_gil_take (self);
  malt_python_tasks_drop (self, "the worker was stopped");
  malt_python_loop_close (self);
  malt_python_output_flush ();
  malt_python_malt_end (self);
  if (self->own_process)
    {
      malt_python_sources_forget ();
      malt_python_names_forget ();
      malt_python_output_end ();
    }
  malt_python_interpreter_leave (self);
}

const MaltPythonEmbed malt_python_embed = {
  malt_python_new,
  malt_python_free,
  malt_python_start,
  malt_python_handle,
  malt_python_wait,
  malt_python_cancel,
  malt_python_interrupt,
  malt_python_stop,
};
