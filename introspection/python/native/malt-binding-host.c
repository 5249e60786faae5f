/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-binding.h"

#include "malt-python-from-variant.h"
#include "malt-python-to-variant.h"

/* Functions of the program that a worker's code may call.
 *
 * They run where the library calls them: on a thread that blocks in a call of the worker, or in
 * a main loop.  Most programs in Python have none, so a thread of the binding's stands in for
 * it (see malt_worker_set_fallback_context()).  What belongs to an asyncio loop goes there. */

typedef struct
{
  PyObject         *function; /* (owned) */
  PyObject         *runner;   /* (owned) (nullable): (token, args, kwargs), finishes it later */
  MaltPythonValues  values;
} Export;

static gint is_ending;        /* atomic: the interpreter is about to end */

/* Without the GIL or with it. */
static void
export_free (gpointer data)
{
  Export *self = data;
  PyGILState_STATE gil_state;

  /* After its end the interpreter has nothing that could be freed. */
  if (g_atomic_int_get (&is_ending) || !malt_binding_is_own_process ())
    return;

  gil_state = PyGILState_Ensure ();
  Py_CLEAR (self->function);
  Py_CLEAR (self->runner);
  PyGILState_Release (gil_state);
  g_free (self);
}

static char *
dup_type_name (PyObject *exception)
{
  PyObject *type = (PyObject *) Py_TYPE (exception);
  g_autoptr (PyObject) module = PyObject_GetAttrString (type, "__module__");
  g_autoptr (PyObject) name = PyObject_GetAttrString (type, "__qualname__");
  const char *module_text = module != NULL && PyUnicode_Check (module) ? PyUnicode_AsUTF8 (module) : NULL;
  const char *text = name != NULL && PyUnicode_Check (name) ? PyUnicode_AsUTF8 (name) : NULL;

  PyErr_Clear ();
  if (text == NULL)
    return g_strdup (Py_TYPE (exception)->tp_name);
  return module_text == NULL || strcmp (module_text, "builtins") == 0 ? g_strdup (text)
                                                                      : g_strconcat (module_text, ".", text, NULL);
}

/* What the worker is told of an exception: not where it was raised, which is none of its
 * business.  Takes the exception. */
static void
return_exception (MaltRequest *request,
                  PyObject    *exception)
{
  g_autofree char *type = dup_type_name (exception);
  g_autoptr (PyObject) text = PyObject_Str (exception);
  g_autoptr (PyObject) without_nul = NULL;
  g_autoptr (PyObject) bytes = NULL;

  if (text != NULL)
    without_nul = PyObject_CallMethod (text, "replace", "s#s", "\0", (Py_ssize_t) 1, "\\x00");
  if (without_nul != NULL)
    bytes = PyUnicode_AsEncodedString (without_nul, "utf-8", "backslashreplace");
  PyErr_Clear ();
  malt_request_return_exception (request, type, bytes != NULL ? PyBytes_AS_STRING (bytes) : "", NULL);

  /* Ctrl-C in the function is for the whole of the call in which it runs. */
  if (PyErr_GivenExceptionMatches (exception, PyExc_KeyboardInterrupt))
    malt_binding_wait_break_off ();
  Py_DECREF (exception);
}

static void
return_value (MaltRequest      *request,
              PyObject         *value,
              MaltPythonValues  values)
{
  GError *error = NULL;
  GVariant *variant = malt_python_to_variant (value, values, &error);

  if (variant != NULL)
    {
      g_variant_ref_sink (variant);
      malt_request_return_value (request, variant);
      g_variant_unref (variant);
    }
  else if (error != NULL)
    {
      g_prefix_error (&error, "the value of %s(): ", malt_request_get_function (request));
      malt_request_return_error (request, error);
    }
  else
    return_exception (request, malt_python_take_exception ());
}

/* The arguments for Python.  FALSE when the request has its error. */
static gboolean
get_arguments (MaltRequest      *request,
               MaltPythonValues  values,
               PyObject        **args,
               PyObject        **kwargs)
{
  GVariant *keywords = malt_request_get_keywords (request);
  GError *error = NULL;

  *kwargs = NULL;
  *args = malt_python_from_arguments (malt_request_get_arguments (request), values, &error);
  if (*args != NULL && keywords != NULL)
    *kwargs = malt_python_from_variant (keywords, values, &error);
  if (*args != NULL && (keywords == NULL || *kwargs != NULL))
    return TRUE;

  Py_CLEAR (*args);
  if (error != NULL)
    {
      g_prefix_error (&error, "%s(): ", malt_request_get_function (request));
      malt_request_return_error (request, error);
    }
  else
    return_exception (request, malt_python_take_exception ());
  return FALSE;
}

/* What the runner is given, to finish the request with. */
typedef struct
{
  MaltRequest      *request; /* (owned): dropped, it ends with an error */
  MaltPythonValues  values;
} Token;

static void
token_free (PyObject *capsule)
{
  Token *self = PyCapsule_GetPointer (capsule, "malt.request");

  g_object_unref (self->request);
  g_free (self);
}

static PyObject *
token_new (MaltRequest      *request,
           MaltPythonValues  values)
{
  Token *self = g_new (Token, 1);
  PyObject *capsule;

  self->request = g_object_ref (request);
  self->values = values;
  capsule = PyCapsule_New (self, "malt.request", token_free);
  if (capsule == NULL)
    {
      g_object_unref (self->request);
      g_free (self);
    }

  return capsule;
}

static void
call (const Export *self,
      MaltRequest  *request)
{
  g_autoptr (PyObject) function = Py_NewRef (self->function);
  g_autoptr (PyObject) args = NULL;
  g_autoptr (PyObject) kwargs = NULL;
  g_autoptr (PyObject) token = NULL;
  g_autoptr (PyObject) value = NULL;

  if (!get_arguments (request, self->values, &args, &kwargs))
    return;

  if (self->runner == NULL)
    value = PyObject_Call (function, args, kwargs);
  else
    {
      token = token_new (request, self->values);
      if (token != NULL)
        value = PyObject_CallFunctionObjArgs (self->runner, token, args, kwargs != NULL ? kwargs : Py_None, NULL);
    }

  if (value == NULL)
    return_exception (request, malt_python_take_exception ());
  else if (self->runner == NULL)
    return_value (request, value, self->values);
}

static void
host_cb (MaltRequest *request,
         gpointer     user_data)
{
  PyGILState_STATE gil_state;

  if (g_atomic_int_get (&is_ending))
    {
      malt_request_return_new_error (request, G_IO_ERROR, G_IO_ERROR_CLOSED, "the program is about to end");
      return;
    }

  gil_state = PyGILState_Ensure ();
  call (user_data, request);
  PyGILState_Release (gil_state);
}

/* (token, value, exception or None) */
PyObject *
malt_binding_host_finish (PyObject *module,
                          PyObject *args)
{
  PyObject *capsule, *value, *exception;
  Token *token;

  if (!PyArg_ParseTuple (args, "OOO", &capsule, &value, &exception))
    return NULL;
  token = PyCapsule_GetPointer (capsule, "malt.request");
  if (token == NULL)
    return NULL;

  if (malt_request_is_done (token->request))
    ;
  else if (exception != Py_None)
    return_exception (token->request, Py_NewRef (exception));
  else
    return_value (token->request, value, token->values);

  Py_RETURN_NONE;
}

/* (worker, name, type of the arguments or None, function, runner or None, is_plain): is_plain
 * takes and gives nothing but what GVariant has types for. */
PyObject *
malt_binding_host_export (PyObject *module,
                          PyObject *args)
{
  PyObject *worker_object, *function, *runner;
  const char *name, *type_text;
  g_autofree GVariantType *type = NULL;
  MaltPythonValues values;
  MaltWorker *worker;
  int is_plain;
  Export *self;

  if (!PyArg_ParseTuple (args, "OszOOp", &worker_object, &name, &type_text, &function, &runner, &is_plain))
    return NULL;
  worker = malt_binding_get_worker (worker_object);
  if (worker == NULL || !malt_binding_get_values (worker_object, G_OBJECT (worker), &values))
    return NULL;
  if (*name == '\0')
    {
      PyErr_SetString (PyExc_ValueError, "the name of the function is empty");
      return NULL;
    }
  if (!PyCallable_Check (function))
    {
      PyErr_Format (PyExc_TypeError, "the function has to be callable, not '%s'", Py_TYPE (function)->tp_name);
      return NULL;
    }
  if (type_text != NULL)
    {
      if (!g_variant_type_string_is_valid (type_text) || *type_text != '(')
        {
          PyErr_Format (PyExc_ValueError, "the type of the arguments is '%s', which is no type of a tuple", type_text);
          return NULL;
        }
      type = g_variant_type_new (type_text);
    }

  self = g_new0 (Export, 1);
  self->function = Py_NewRef (function);
  self->runner = runner != Py_None ? Py_NewRef (runner) : NULL;
  self->values = is_plain ? MALT_PYTHON_VALUES_PLAIN : values & ~(MaltPythonValues) MALT_PYTHON_VALUES_VIEWS;
  malt_binding_events_begin (worker);

  Py_BEGIN_ALLOW_THREADS
  malt_worker_export_function (worker, name, type, host_cb, self, export_free);
  Py_END_ALLOW_THREADS

  Py_RETURN_NONE;
}

/* Where events are told if nobody runs a main loop. */

static GMutex events_lock;
/* Guarded by events_lock. */
static GMainContext *events_context;
static gboolean events_have_ended;
static GCond events_cond;

static gpointer
run_events (gpointer data)
{
  while (!g_atomic_int_get (&is_ending))
    g_main_context_iteration (data, TRUE);

  g_mutex_lock (&events_lock);
  events_have_ended = TRUE;
  g_cond_signal (&events_cond);
  g_mutex_unlock (&events_lock);

  return NULL;
}

/* Has what comes from the worker of its own accord be told, main loop or not. */
void
malt_binding_events_begin (MaltWorker *worker)
{
  g_mutex_lock (&events_lock);
  if (events_context == NULL)
    {
      events_context = g_main_context_new ();
      g_thread_unref (g_thread_new ("malt-python-events", run_events, events_context));
    }
  g_mutex_unlock (&events_lock);

  malt_worker_set_fallback_context (worker, events_context);
}

PyObject *
malt_binding_events_begin_method (PyObject *module,
                                  PyObject *object)
{
  MaltWorker *worker = malt_binding_get_worker (object);

  if (worker == NULL)
    return NULL;

  malt_binding_events_begin (worker);
  Py_RETURN_NONE;
}

/* At the interpreter's exit: nothing takes the GIL any more.  A handler that hangs is not
 * waited for long. */
PyObject *
malt_binding_events_end (PyObject *module,
                         PyObject *unused)
{
  gint64 deadline = g_get_monotonic_time () + G_TIME_SPAN_SECOND;

  if (!malt_binding_is_own_process ())
    Py_RETURN_NONE;

  g_atomic_int_set (&is_ending, TRUE);
  Py_BEGIN_ALLOW_THREADS
  g_mutex_lock (&events_lock);
  if (events_context != NULL)
    {
      g_main_context_wakeup (events_context);
      while (!events_have_ended && g_cond_wait_until (&events_cond, &events_lock, deadline))
        ;
    }
  g_mutex_unlock (&events_lock);
  Py_END_ALLOW_THREADS

  Py_RETURN_NONE;
}
