/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-python-host.h"

#include <errno.h>
#include <math.h>
#include <unistd.h>

#include "malt-python-from-variant.h"
#include "malt-python-interrupt.h"
#include "malt-python-loop.h"
#include "malt-python-malt.h"
#include "malt-python-to-variant.h"

/* What Python code asks of the manager: malt.host.NAME (…), which blocks, and await
 * malt.host_async.NAME (…) call a function of the program's; malt.progress() tells how far
 * the request has got, and malt.cancelled() whether it should give up.
 *
 * Whoever blocks does so without the GIL.  On the serving thread an interrupt ends that, by the
 * cancellable with which it waits.
 *
 * An answer that a coroutine awaits comes on any thread, without the GIL: it is put into a
 * queue, and the loop is woken to set the future that is awaited. */

/* The workers that this interpreter runs.  Guarded by the GIL. */
static GList *pythons;

static PyObject *host_error_type;

/* A name, perhaps with dots; called, it is a function. */
typedef struct
{
  PyObject_HEAD

  char     *name;     /* or %NULL: the object that has the names */
  gboolean  is_async;
} HostName;

static PyTypeObject host_name_type;

/* An answer to be, which a coroutine awaits.  Of the queues of MaltPython, but the link in
 * host_answers, it is the serving thread's with the GIL. */
struct _MaltPythonHostCall
{
  MaltPython  *python;
  MaltRuntime *runtime;  /* (owned): keeps python */
  MaltRequest *request;  /* (owned) */
  PyObject    *future;   /* (owned), or %NULL when nobody awaits it any more */
  PyObject    *watch;    /* (owned) of the future: a capsule whose context is this, as long as
                            there is a future */
  const MaltPythonRun *run; /* of the coroutine whose step it was, until that has ended; only
                               compared */
  GList        link;     /* in MaltPython.host_calls, while there is a future */

  /* Guarded by MaltPython.lock. */
  GVariant    *value;
  GError      *error;
  GList        answer;   /* link in MaltPython.host_answers */
};

typedef struct _MaltPythonHostCall HostCall;

/* The worker to which the thread belongs: a thread that is none's own is that of the only
 * one. */
static MaltPython *
find_python (void)
{
  MaltPython *self = malt_python_current ();

  if (self == NULL && pythons != NULL && pythons->next == NULL)
    self = pythons->data;
  return self;
}

MaltRequest *
malt_python_host_current_request (MaltPython **python)
{
  MaltPython *self = malt_python_current ();

  *python = find_python ();

  /* Only this thread changes what it reads here, so it needs no lock. */
  return self != NULL && self->running != NULL ? self->running->request : NULL;
}

/* Errors. */

static gboolean
set_attribute (PyObject   *object,
               const char *name,
               PyObject   *value)
{
  gboolean result = value != NULL && PyObject_SetAttrString (object, name, value) == 0;

  Py_XDECREF (value);
  return result;
}

static PyObject *
text_or_none (const char *text)
{
  if (text == NULL)
    Py_RETURN_NONE;

  return PyUnicode_DecodeUTF8 (text, (Py_ssize_t) strlen (text), "replace");
}

/* A new reference to what is to be raised, or %NULL with an exception. */
static PyObject *
new_exception (const GError *error)
{
  g_autofree char *type = malt_remote_error_dup_type (error);
  g_autofree char *message = malt_remote_error_dup_message (error);
  g_autofree char *traceback = malt_remote_error_dup_traceback (error);
  const char *plain = message != NULL ? message : error->message;
  g_autofree char *full = type != NULL ? g_strdup_printf ("%s: %s", type, plain) : g_strdup (plain);
  g_autoptr (PyObject) text = text_or_none (full);
  g_autoptr (PyObject) exception = NULL;

  exception = text != NULL ? PyObject_CallOneArg (host_error_type, text) : NULL;
  if (exception == NULL ||
      !set_attribute (exception, "domain", text_or_none (g_quark_to_string (error->domain))) ||
      !set_attribute (exception, "code", PyLong_FromLong (error->code)) ||
      !set_attribute (exception, "type", text_or_none (type)) ||
      !set_attribute (exception, "message", text_or_none (plain)) ||
      !set_attribute (exception, "traceback", text_or_none (traceback)))
    return NULL;

  return g_steal_pointer (&exception);
}

static void
raise_error (const GError *error)
{
  g_autoptr (PyObject) exception = new_exception (error);

  if (exception != NULL)
    PyErr_SetObject (host_error_type, exception);
}

/* Arguments. */

/* Converts positional and keyword arguments; FALSE with an exception.  The GVariants are
 * owned. */
static gboolean
convert_arguments (MaltPython  *self,
                   const char  *name,
                   PyObject    *args,
                   PyObject    *keywords,
                   GVariant   **arguments_out,
                   GVariant   **keywords_out)
{
  MaltPythonValues how = self->values | MALT_PYTHON_VALUES_WORDS;
  g_autoptr (GError) error = NULL;
  GVariant *arguments, *named = NULL;

  arguments = malt_python_arguments_to_variant (PySequence_Fast_ITEMS (args), PyTuple_GET_SIZE (args), 0, how,
                                                &error);
  if (arguments != NULL)
    arguments = g_variant_take_ref (arguments);
  if (arguments != NULL && keywords != NULL && PyDict_GET_SIZE (keywords) > 0)
    {
      named = malt_python_keywords_to_variant (keywords, how, &error);
      if (named != NULL)
        named = g_variant_take_ref (named);
      else
        g_clear_pointer (&arguments, g_variant_unref);
    }

  if (arguments == NULL && error != NULL)
    PyErr_Format (PyExc_TypeError, "%s(): %s", name, error->message);
  *arguments_out = arguments;
  *keywords_out = named;
  return arguments != NULL;
}

static PyObject *
convert_value (MaltPython *self,
               GVariant   *value)
{
  g_autoptr (GError) error = NULL;
  PyObject *object = malt_python_from_variant (value, self->values & ~(MaltPythonValues) MALT_PYTHON_VALUES_VIEWS, &error);

  if (object == NULL && error != NULL)
    PyErr_SetString (PyExc_TypeError, error->message);
  return object;
}

/* Blocking. */

static GVariant *
call_without_gil (MaltPython    *self,
                  const char    *name,
                  GVariant      *arguments,
                  GVariant      *keywords,
                  GCancellable  *cancellable,
                  GError       **error)
{
  GVariant *value;

  Py_BEGIN_ALLOW_THREADS
  value = malt_runtime_call_host (self->runtime, name, arguments, keywords, cancellable, error);
  Py_END_ALLOW_THREADS

  return value;
}

static PyObject *
call_blocking (MaltPython *self,
               const char *name,
               GVariant   *arguments,
               GVariant   *keywords)
{
  gboolean is_serving = self == malt_python_current ();
  g_autoptr (GCancellable) cancellable = is_serving ? g_cancellable_new () : NULL;
  g_autoptr (GVariant) value = NULL;
  g_autoptr (GError) error = NULL;
  gboolean was_interrupted = FALSE;

  if (!is_serving || malt_python_set_waiting (self, cancellable))
    value = call_without_gil (self, name, arguments, keywords, cancellable, &error);
  else
    was_interrupted = TRUE;
  if (is_serving)
    {
      PyObject *exception = was_interrupted ? malt_python_take_exception () : NULL;

      was_interrupted |= !malt_python_set_waiting (self, NULL);
      if (exception != NULL)
        {
          PyErr_Clear ();
          malt_python_give_exception (exception);
        }
    }

  if (was_interrupted)
    return NULL;
  if (value != NULL)
    return convert_value (self, value);

  /* Nothing but an interrupt cancels it; that it raises nothing is for its handler to say. */
  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED) && cancellable != NULL &&
      g_cancellable_is_cancelled (cancellable))
    PyErr_SetNone (PyExc_KeyboardInterrupt);
  else
    raise_error (error);
  return NULL;
}

/* Awaiting. */

static void
host_call_free (HostCall *self)
{
  g_clear_pointer (&self->value, g_variant_unref);
  g_clear_error (&self->error);
  g_clear_object (&self->request);
  g_object_unref (self->runtime);
  g_free (self);
}

/* On any thread, without the GIL or with it. */
static void
answer_cb (MaltRequest *request,
           GVariant    *value,
           GError      *error,
           gpointer     user_data)
{
  HostCall *self = user_data;
  MaltPython *python = self->python;
  const guint64 one = 1;
  gboolean has_ended;

  g_mutex_lock (&python->lock);
  self->value = value;
  self->error = error;
  has_ended = python->host_ended;
  if (!has_ended)
    {
      g_queue_push_tail_link (&python->host_answers, &self->answer);
      while (write (python->wake_fd, &one, sizeof one) < 0 && errno == EINTR)
        ;
    }
  g_mutex_unlock (&python->lock);

  if (has_ended) /* and has let the future go */
    host_call_free (self);
}

static void
let_future_go (HostCall *self)
{
  if (self->future == NULL)
    return;

  g_queue_unlink (&self->python->host_calls, &self->link);
  PyCapsule_SetContext (self->watch, NULL);
  Py_CLEAR (self->watch);
  Py_CLEAR (self->future);
}

/* Nobody awaits it any more, which the program is told if it has not answered. */
static void
give_up (HostCall *self)
{
  gboolean has_no_answer;

  let_future_go (self);
  Py_BEGIN_ALLOW_THREADS
  has_no_answer = malt_runtime_drop_host_call (self->runtime, self->request);
  Py_END_ALLOW_THREADS

  if (has_no_answer)
    host_call_free (self);
}

/* Called by the loop. */
static PyObject *
future_done (PyObject *watch,
             PyObject *future)
{
  HostCall *self = PyCapsule_GetContext (watch);
  g_autoptr (PyObject) is_cancelled = NULL;

  if (self == NULL)
    Py_RETURN_NONE;

  is_cancelled = PyObject_CallMethod (future, "cancelled", NULL);
  if (is_cancelled == Py_True)
    give_up (self);
  else if (is_cancelled == NULL)
    return NULL;

  Py_RETURN_NONE;
}

static PyMethodDef done_method = { "done", future_done, METH_O, NULL };

/* Has it be heard if the future is cancelled.  FALSE with an exception. */
static gboolean
watch_future (HostCall *self)
{
  g_autoptr (PyObject) callback = NULL;
  g_autoptr (PyObject) result = NULL;

  self->watch = PyCapsule_New (&done_method, NULL, NULL);
  if (self->watch == NULL || PyCapsule_SetContext (self->watch, self) < 0)
    return FALSE;

  callback = PyCFunction_New (&done_method, self->watch);
  if (callback != NULL)
    result = PyObject_CallMethod (self->future, "add_done_callback", "(O)", callback);
  return result != NULL;
}

/* Sets the future, unless nobody awaits it any more.  What goes wrong is nobody's business:
 * its loop is closed. */
static void
set_future (HostCall *self)
{
  g_autoptr (PyObject) done = NULL;
  g_autoptr (PyObject) outcome = NULL;
  g_autoptr (PyObject) result = NULL;
  gboolean is_value = self->value != NULL;

  if (Py_REFCNT (self->future) == 1) /* else Python would complain that nobody has looked at it */
    return;

  done = PyObject_CallMethod (self->future, "done", NULL);
  if (done != NULL && done != Py_True)
    {
      outcome = is_value ? convert_value (self->python, self->value) : new_exception (self->error);
      if (outcome == NULL)
        {
          outcome = malt_python_take_exception ();
          is_value = FALSE;
        }
      if (outcome != NULL)
        result = PyObject_CallMethod (self->future, is_value ? "set_result" : "set_exception", "(O)", outcome);
    }

  PyErr_Clear ();
}

/* Sets the futures of what has been answered.  In the loop, with the GIL. */
void
malt_python_host_deliver (MaltPython *self)
{
  GList *link;

  do
    {
      g_mutex_lock (&self->lock);
      link = g_queue_pop_head_link (&self->host_answers);
      g_mutex_unlock (&self->lock);

      if (link != NULL)
        {
          HostCall *call = link->data;

          if (call->future != NULL)
            set_future (call);
          let_future_go (call);
          host_call_free (call);
        }
    }
  while (link != NULL);
}

static PyObject *
call_async (MaltPython *self,
            const char *name,
            GVariant   *arguments,
            GVariant   *keywords)
{
  g_autoptr (PyObject) future = NULL;
  HostCall *call;

  if (self != malt_python_current ())
    {
      PyErr_SetString (PyExc_RuntimeError, "malt.host_async is for coroutines in the loop of the worker; "
                                           "other threads can call malt.host");
      return NULL;
    }
  /* Only this thread changes it, so it needs no lock. */
  if (self->host_ended)
    {
      PyErr_SetString (PyExc_RuntimeError, "the worker is about to end");
      return NULL;
    }
  if (!malt_python_loop_ensure (self))
    return NULL;
  future = PyObject_CallMethod (self->loop, "create_future", NULL);
  if (future == NULL)
    return NULL;

  call = g_new0 (HostCall, 1);
  call->python = self;
  call->runtime = g_object_ref (self->runtime);
  call->future = Py_NewRef (future);
  call->run = self->running;
  call->link.data = call;
  call->answer.data = call;
  if (!watch_future (call))
    {
      Py_CLEAR (call->watch);
      Py_CLEAR (call->future);
      host_call_free (call);
      return NULL;
    }
  g_queue_push_tail_link (&self->host_calls, &call->link);

  /* An answer that comes at once is delivered by this thread, later. */
  Py_BEGIN_ALLOW_THREADS
  call->request = malt_runtime_begin_host_call (self->runtime, name, arguments, keywords, answer_cb, call);
  Py_END_ALLOW_THREADS

  return g_steal_pointer (&future);
}

/* The names. */

static PyObject *
new_host_name (const char *name,
               gboolean    is_async)
{
  HostName *self = PyObject_New (HostName, &host_name_type);

  if (self != NULL)
    {
      self->name = g_strdup (name);
      self->is_async = is_async;
    }
  return (PyObject *) self;
}

static void
host_name_dealloc (PyObject *object)
{
  g_free (((HostName *) object)->name);
  PyObject_Free (object);
}

static PyObject *
host_name_getattro (PyObject *object,
                    PyObject *name)
{
  HostName *self = (HostName *) object;
  const char *text = PyUnicode_AsUTF8 (name);
  g_autofree char *full = NULL;

  if (text == NULL)
    return NULL;
  /* What Python itself looks for is no function of the program's. */
  if (g_str_has_prefix (text, "__"))
    return PyObject_GenericGetAttr (object, name);

  full = self->name != NULL ? g_strconcat (self->name, ".", text, NULL) : g_strdup (text);
  return new_host_name (full, self->is_async);
}

/* For names that are no attributes. */
static PyObject *
host_name_subscript (PyObject *object,
                     PyObject *name)
{
  HostName *self = (HostName *) object;
  const char *text;

  if (!PyUnicode_Check (name))
    {
      PyErr_Format (PyExc_TypeError, "the name of a function is a str, not %s", Py_TYPE (name)->tp_name);
      return NULL;
    }

  text = PyUnicode_AsUTF8 (name);
  if (text == NULL)
    return NULL;
  if (self->name != NULL)
    return PyErr_Format (PyExc_TypeError, "'%s' is a function of the program's, and has no items", self->name);

  return new_host_name (text, self->is_async);
}

static PyObject *
host_name_repr (PyObject *object)
{
  HostName *self = (HostName *) object;

  return PyUnicode_FromFormat ("<malt.%s%s%s>", self->is_async ? "host_async" : "host",
                               self->name != NULL ? "." : "", self->name != NULL ? self->name : "");
}

static PyObject *
host_name_call (PyObject *object,
                PyObject *args,
                PyObject *keyword_args)
{
  HostName *self = (HostName *) object;
  MaltPython *python = find_python ();
  g_autoptr (GVariant) arguments = NULL;
  g_autoptr (GVariant) keywords = NULL;

  if (self->name == NULL)
    {
      PyErr_Format (PyExc_TypeError, "malt.%s is no function; its attributes are",
                    self->is_async ? "host_async" : "host");
      return NULL;
    }
  if (python == NULL)
    {
      PyErr_SetString (PyExc_RuntimeError, "it is not known which worker this thread belongs to");
      return NULL;
    }
  if (!convert_arguments (python, self->name, args, keyword_args, &arguments, &keywords))
    return NULL;

  return (self->is_async ? call_async : call_blocking) (python, self->name, arguments, keywords);
}

static PyMappingMethods host_name_mapping = {
  .mp_subscript = host_name_subscript,
};

static PyTypeObject host_name_type = {
  PyVarObject_HEAD_INIT (NULL, 0)
  .tp_name = "malt.HostFunction",
  .tp_doc = "A function that the program gives this worker.",
  .tp_basicsize = sizeof (HostName),
  .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
  .tp_dealloc = host_name_dealloc,
  .tp_getattro = host_name_getattro,
  .tp_as_mapping = &host_name_mapping,
  .tp_repr = host_name_repr,
  .tp_call = host_name_call,
};

/* Progress. */

static PyObject *
host_progress (PyObject *module G_GNUC_UNUSED,
               PyObject *args,
               PyObject *keywords)
{
  static char *names[] = { (char *) "fraction", (char *) "text", NULL };
  MaltPython *python;
  MaltRequest *request;
  PyObject *fraction_object = Py_None;
  const char *text = "";
  Py_ssize_t size = 0;
  double fraction = -1;

  if (!PyArg_ParseTupleAndKeywords (args, keywords, "|Os#:progress", names, &fraction_object, &text, &size))
    return NULL;
  if (fraction_object != Py_None)
    {
      fraction = PyFloat_AsDouble (fraction_object);
      if (fraction == -1 && PyErr_Occurred ())
        return NULL;
      if (isnan (fraction) || fraction < 0)
        {
          PyErr_Format (PyExc_ValueError, "the fraction that is done is %R, which is not from 0 to 1; "
                                          "None says that it is not known", fraction_object);
          return NULL;
        }
    }
  if (strlen (text) != (size_t) size)
    {
      PyErr_SetString (PyExc_ValueError, "the text has a zero character in it");
      return NULL;
    }

  request = malt_python_host_current_request (&python);
  if (request != NULL)
    {
      Py_BEGIN_ALLOW_THREADS
      malt_request_report_progress (request, fraction, text);
      Py_END_ALLOW_THREADS
    }

  Py_RETURN_NONE;
}

static PyObject *
host_cancelled (PyObject *module G_GNUC_UNUSED,
                PyObject *unused G_GNUC_UNUSED)
{
  MaltPython *python;
  MaltRequest *request = malt_python_host_current_request (&python);

  return PyBool_FromLong (request != NULL && g_cancellable_is_cancelled (malt_request_get_cancellable (request)));
}

static PyMethodDef host_functions[] = {
  { "progress", (PyCFunction) (void (*) (void)) host_progress, METH_VARARGS | METH_KEYWORDS,
    "progress(fraction=None, text='')\n--\n\n"
    "Tell the program how much of this call is done, from 0 to 1 or None, and what it is doing." },
  { "cancelled", host_cancelled, METH_NOARGS,
    "cancelled()\n--\n\n"
    "Whether this call should give up: its caller has cancelled it, or its deadline has passed." },
  { NULL, NULL, 0, NULL }
};

static gboolean
add (PyObject   *module,
     const char *name,
     PyObject   *object)
{
  gboolean result = object != NULL && PyModule_AddObjectRef (module, name, object) == 0;

  Py_XDECREF (object);
  return result;
}

/* FALSE with an exception set.  GIL held. */
gboolean
malt_python_host_add (PyObject *module)
{
  if (host_error_type == NULL)
    host_error_type = PyErr_NewExceptionWithDoc ("malt.HostError",
                                                 "A function of the program has failed.\n\n"
                                                 "Attributes: domain, code, type, message, traceback.",
                                                 NULL, NULL);

  return host_error_type != NULL && PyType_Ready (&host_name_type) == 0 &&
         PyModule_AddObjectRef (module, "HostError", host_error_type) == 0 &&
         add (module, "host", new_host_name (NULL, FALSE)) &&
         add (module, "host_async", new_host_name (NULL, TRUE)) &&
         PyModule_AddFunctions (module, host_functions) == 0;
}

/* On the serving thread. */
void
malt_python_host_begin (MaltPython *self)
{
  pythons = g_list_prepend (pythons, self);
}

/* A coroutine has ended.  If it was broken off, that may have been before it could await what it
 * had called.  On the serving thread, with the GIL. */
void
malt_python_host_run_ended (MaltPython          *self,
                            const MaltPythonRun *run,
                            gboolean             is_broken_off)
{
  GList *link, *next;

  for (link = self->host_calls.head; link != NULL; link = next)
    {
      HostCall *call = link->data;

      next = link->next;
      if (call->run != run)
        continue;
      call->run = NULL;
      if (is_broken_off && Py_REFCNT (call->future) == 1)
        give_up (call);
    }
}

/* Answers that come from now on are for nobody.  On the serving thread, with the GIL. */
void
malt_python_host_end (MaltPython *self)
{
  GQueue answers;
  GList *link;

  while ((link = self->host_calls.head) != NULL)
    give_up (link->data);

  g_mutex_lock (&self->lock);
  self->host_ended = TRUE;
  answers = self->host_answers;
  g_queue_init (&self->host_answers);
  g_mutex_unlock (&self->lock);

  while ((link = g_queue_pop_head_link (&answers)) != NULL)
    host_call_free (link->data);

  pythons = g_list_remove (pythons, self);
  if (self->own_process)
    Py_CLEAR (host_error_type);
}
