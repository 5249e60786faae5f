/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-python-interpreter.h"

#include <signal.h>

#include "malt-python-nudge.h"
#include "malt-python-output.h"

/* The interpreter of the process, and the serving thread's place in it.
 *
 * In a process of our own it is begun and ended with the runtime.  In the application's
 * it is the application's, if that is written in Python or has begun one; else the first
 * worker begins it, and it stays: Python cannot be begun twice without leaks. */

/* Whether the application's interpreter is on its way out, when no thread may enter. */
gboolean
malt_python_interpreter_ends (void)
{
#if PY_VERSION_HEX >= 0x030d0000
  return !Py_IsInitialized () || Py_IsFinalizing ();
#else
  return !Py_IsInitialized () || _Py_IsFinalizing ();
#endif
}

static gboolean
check_status (PyStatus   status,
              GError   **error)
{
  if (!PyStatus_Exception (status))
    return TRUE;

  g_set_error (error, MALT_ERROR, MALT_ERROR_START, "Python did not start: %s",
               status.err_msg != NULL ? status.err_msg : "it exited");
  return FALSE;
}

/* The program whose Python this is: that of the environment, from where Python finds
 * the rest as it does when it is started there. */
static char *
find_program (const MaltPythonOptions  *options,
              GError                  **error)
{
  const char *folder = options->virtual_environment;
  g_autofree char *config = NULL;
  g_autofree char *packages = NULL;
  char *version;

  if (folder == NULL)
    return g_file_test (MALT_PYTHON_PROGRAM, G_FILE_TEST_IS_EXECUTABLE) ? g_strdup (MALT_PYTHON_PROGRAM) : NULL;

  config = g_build_filename (folder, "pyvenv.cfg", NULL);
  if (!g_file_test (config, G_FILE_TEST_IS_REGULAR))
    {
      g_set_error (error, MALT_ERROR, MALT_ERROR_NOT_FOUND,
                   "'%s' is not a virtual environment: it has no pyvenv.cfg", folder);
      return NULL;
    }

  version = g_strdup_printf ("python%d.%d", PY_MAJOR_VERSION, PY_MINOR_VERSION);
  packages = g_build_filename (folder, "lib", version, "site-packages", NULL);
  g_free (version);
  if (!g_file_test (packages, G_FILE_TEST_IS_DIR))
    {
      g_set_error (error, MALT_ERROR, MALT_ERROR_NOT_SUPPORTED,
                   "the virtual environment '%s' is not for Python %d.%d",
                   folder, PY_MAJOR_VERSION, PY_MINOR_VERSION);
      return NULL;
    }

  return g_canonicalize_filename ("bin/python", folder);
}

static gboolean
configure (PyConfig                 *config,
           gboolean                  own_process,
           const MaltPythonOptions  *options,
           GError                  **error)
{
  g_autofree char *program = NULL;
  GError *local_error = NULL;
  PyStatus status;

  config->parse_argv = 0;
  config->install_signal_handlers = own_process;

  program = find_program (options, &local_error);
  if (local_error != NULL)
    {
      g_propagate_error (error, local_error);
      return FALSE;
    }

  /* sys.argv is as it is in an interactive session. */
  status = PyWideStringList_Append (&config->argv, L"");
  if (!PyStatus_Exception (status) && program != NULL)
    status = PyConfig_SetBytesString (config, &config->executable, program);
  /* What is printed is for people, and never fails. */
  if (!PyStatus_Exception (status) && g_getenv ("PYTHONIOENCODING") == NULL)
    {
      status = PyConfig_SetString (config, &config->stdio_encoding, L"utf-8");
      if (!PyStatus_Exception (status))
        status = PyConfig_SetString (config, &config->stdio_errors, L"backslashreplace");
    }

  return check_status (status, error);
}

/* Begins the interpreter.  The thread has the GIL then. */
static gboolean
initialize (gboolean                  own_process,
            const MaltPythonOptions  *options,
            GError                  **error)
{
  PyConfig config;
  gboolean result;

  PyConfig_InitPythonConfig (&config);
  result = configure (&config, own_process, options, error) &&
           check_status (Py_InitializeFromConfig (&config), error);
  PyConfig_Clear (&config);

  return result;
}

/* SIGINT is how a worker's code is interrupted.  Python takes it only if it is not
 * ignored, as it is in the background of a shell. */
static void
prepare_signals (void)
{
  sigset_t set;

  signal (SIGINT, SIG_DFL);
  sigemptyset (&set);
  sigaddset (&set, SIGINT);
  malt_python_nudge_prepare ();
  pthread_sigmask (SIG_UNBLOCK, &set, NULL);
}

/* Puts the search path in front of sys.path, without what is there already. */
static gboolean
prepend_search_path (MaltPython  *self,
                     GError     **error)
{
  const char * const *folders = malt_runtime_get_search_path (self->runtime);
  PyObject *path = PySys_GetObject ("path");
  Py_ssize_t position = 0;
  gsize i;

  for (i = 0; folders != NULL && folders[i] != NULL; i++)
    {
      g_autoptr (PyObject) folder = PyUnicode_DecodeFSDefault (folders[i]);
      int is_there;

      if (folder == NULL || path == NULL || !PyList_Check (path))
        break;

      is_there = self->own_process ? 0 : PySequence_Contains (path, folder);
      if (is_there < 0 || (is_there == 0 && PyList_Insert (path, position++, folder) < 0))
        break;
    }

  if (folders != NULL && folders[i] != NULL)
    {
      PyErr_Clear ();
      g_set_error (error, MALT_ERROR, MALT_ERROR_START, "cannot put '%s' into sys.path", folders[i]);
      return FALSE;
    }

  return TRUE;
}

static gboolean
enter_own (const MaltPythonOptions  *options,
           GError                  **error)
{
  prepare_signals ();
  if (!initialize (TRUE, options, error))
    return FALSE;

  malt_python_output_begin ();
  return TRUE;
}

typedef struct
{
  const MaltPythonOptions  *options;
  GError                  **error;
} Initialization;

static gpointer
initialize_thread (gpointer data)
{
  Initialization *self = data;

  if (!initialize (FALSE, self->options, self->error))
    return GINT_TO_POINTER (FALSE);

  malt_python_output_begin ();

  /* No thread has this id, so nothing that is meant for a later thread, which may have
   * the id of this one, finds this state. */
  PyThreadState_Get ()->thread_id = 0;
  PyEval_SaveThread ();

  return GINT_TO_POINTER (TRUE);
}

/* Begins the interpreter in a thread that ends at once.  Python's first thread state has
 * to stay, and the thread of no worker does. */
static gboolean
initialize_shared (const MaltPythonOptions  *options,
                   GError                  **error)
{
  static GMutex lock; /* so that two workers do not both begin */
  Initialization initialization = { options, error };
  gboolean result = TRUE;
  GThread *thread;

  g_mutex_lock (&lock);
  if (!Py_IsInitialized ())
    {
      thread = g_thread_try_new ("malt-python", initialize_thread, &initialization, error);
      result = thread != NULL && GPOINTER_TO_INT (g_thread_join (thread));
    }
  g_mutex_unlock (&lock);

  return result;
}

static gboolean
enter_shared (const MaltPythonOptions  *options,
              GError                  **error)
{
  if (options->virtual_environment != NULL)
    {
      g_set_error_literal (error, MALT_ERROR, MALT_ERROR_NOT_SUPPORTED,
                           "a virtual environment needs a worker in a process of its own");
      return FALSE;
    }

  if (!initialize_shared (options, error))
    return FALSE;

  if (malt_python_interpreter_ends ())
    {
      g_set_error_literal (error, MALT_ERROR, MALT_ERROR_START, "the application's Python is about to end");
      return FALSE;
    }

  PyGILState_Ensure ();
  return TRUE;
}

/* Begins the interpreter if need be, and gives the thread a state in it, which is kept in
 * @self until it leaves: as if PyGILState_Ensure() had been called once. */
gboolean
malt_python_interpreter_enter (MaltPython               *self,
                               const MaltPythonOptions  *options,
                               GError                  **error)
{
  if (!(self->own_process ? enter_own (options, error) : enter_shared (options, error)))
    return FALSE;

  self->thread = pthread_self ();
  self->thread_ident = PyThread_get_thread_ident ();
  self->thread_state = PyThreadState_Get ();
  if (!prepend_search_path (self, error))
    {
      malt_python_interpreter_leave (self);
      return FALSE;
    }

  self->state = PyEval_SaveThread ();
  return TRUE;
}

/* The GIL.
 *
 * In a process of our own the serving thread keeps it from one request to the next, and
 * gives it away where it waits.  While requests keep coming, Python's other threads would
 * get it only if byte code is run, which asks for whom it is wanted; so then it is given
 * away from time to time too.
 *
 * In the application's process it is given away after each request, because what runs
 * there in between is not ours. */

/* As long as a thread runs if others want to: Python's default, its switch interval. */
#define TURN_USEC 5000

void
malt_python_gil_take (MaltPython *self)
{
  if (self->state == NULL)
    return;

  PyEval_RestoreThread (g_steal_pointer (&self->state));
  self->gil_since = g_get_monotonic_time ();
}

void
malt_python_gil_leave (MaltPython *self)
{
  if (self->state == NULL)
    self->state = PyEval_SaveThread ();
}

/* Lets other threads have their turn, if there are any and it is theirs.  GIL held. */
void
malt_python_gil_share (MaltPython *self)
{
  /* New threads are put in front of the others. */
  if (PyInterpreterState_ThreadHead (PyThreadState_GetInterpreter (self->thread_state)) == self->thread_state)
    return;

  if (g_get_monotonic_time () - self->gil_since >= TURN_USEC)
    {
      malt_python_gil_leave (self);
      malt_python_gil_take (self);
    }
}

/* GIL held; not held afterwards. */
void
malt_python_interpreter_leave (MaltPython *self)
{
  self->state = NULL;

  /* The state goes with the thread, or an asynchronous exception for a later thread of
   * the same id would find it. */
  if (self->own_process)
    Py_FinalizeEx ();
  else
    PyGILState_Release (PyGILState_UNLOCKED);
}
