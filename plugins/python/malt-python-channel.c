/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-python-channel.h"

#include <math.h>

#include "malt-python-from-variant.h"
#include "malt-python-host.h"
#include "malt-python-interrupt.h"
#include "malt-python-malt.h"
#include "malt-python-to-variant.h"

/* malt.Channel: a MaltChannel for Python.
 *
 * Whoever blocks does so without the GIL.  On the serving thread an interrupt ends that, by
 * the cancellable with which it waits.
 *
 * In a coroutine of the worker's loop, take_async() waits until there is something, which
 * takes nothing, and then takes it at once, so that a coroutine that is cancelled meanwhile
 * loses nothing.  GLib's context, in which the loop waits, is told. */

typedef struct
{
  PyObject_HEAD

  MaltChannel      *channel; /* (owned) */
  MaltPythonValues  values;  /* how they cross, on whatever thread that is */
} Channel;

static PyTypeObject channel_type;

/* malt.ChannelClosed; and the coroutine functions, made when they are needed. */
static PyObject *closed_type;
static PyObject *take_async;
static PyObject *next_async;
static PyObject *put_async;

static const char helpers[] =
  "async def take_async(channel):\n"
  "    while True:\n"
  "        await channel._wait_async()\n"
  "        try:\n"
  "            return channel.take(0)\n"
  "        except TimeoutError:\n"
  "            pass\n"
  "\n"
  "async def next_async(channel, closed=None):\n"
  "    try:\n"
  "        return await take_async(channel)\n"
  "    except closed:\n"
  "        raise StopAsyncIteration from None\n"
  "\n"
  "async def put_async(channel, value):\n"
  "    await channel._put_async(value)\n";

/* Errors. */

/* A borrowed reference, or %NULL with an exception. */
PyObject *
malt_python_channel_get_closed (void)
{
  if (closed_type == NULL)
    closed_type = PyErr_NewExceptionWithDoc ("malt.ChannelClosed", "The channel is closed.", NULL, NULL);

  return closed_type;
}

/* Raises what the library says, as far as it has a counterpart. */
static void
set_exception (const GError *error)
{
  PyObject *type = PyExc_RuntimeError;

  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CLOSED))
    type = malt_python_channel_get_closed ();
  else if (g_error_matches (error, MALT_ERROR, MALT_ERROR_TIMEOUT))
    type = PyExc_TimeoutError;
  else if (g_error_matches (error, MALT_ERROR, MALT_ERROR_SERIALIZATION))
    type = PyExc_TypeError;

  if (type != NULL)
    PyErr_SetString (type, error->message);
}

/* Blocking. */

/* Seconds, or None for no end. */
static gboolean
parse_timeout (PyObject *object,
               int      *timeout_msec)
{
  double timeout;

  *timeout_msec = -1;
  if (object == NULL || object == Py_None)
    return TRUE;

  timeout = PyFloat_AsDouble (object);
  if (timeout == -1 && PyErr_Occurred ())
    return FALSE;
  if (!(timeout >= 0))
    {
      PyErr_SetString (PyExc_ValueError, "a timeout cannot be negative");
      return FALSE;
    }

  *timeout_msec = (int) ceil (MIN (timeout, 1e6) * 1000);
  return TRUE;
}

typedef enum
{
  TAKE,
  WAIT,
  PUT,
} What;

/* Does it, without the GIL.  FALSE with @error set. */
static gboolean
run_once (MaltChannel   *channel,
          What           what,
          GVariant     **value,
          int            timeout_msec,
          GCancellable  *cancellable,
          GError       **error)
{
  gboolean done;

  Py_BEGIN_ALLOW_THREADS
  switch (what)
    {
    case PUT:
      done = malt_channel_put (channel, *value, timeout_msec, cancellable, error);
      break;
    case WAIT:
      done = malt_channel_wait (channel, timeout_msec, cancellable, error);
      break;
    case TAKE:
    default:
      *value = malt_channel_take (channel, timeout_msec, cancellable, error);
      done = *value != NULL;
    }
  Py_END_ALLOW_THREADS

  return done;
}

/* FALSE with an exception set.  GIL held. */
static gboolean
run (Channel   *self,
     What       what,
     GVariant **value,
     int        timeout_msec)
{
  g_autoptr (MaltChannel) channel = g_object_ref (self->channel);
  MaltPython *python = malt_python_current ();
  gint64 deadline = timeout_msec < 0 ? -1 : g_get_monotonic_time () + (gint64) timeout_msec * 1000;
  gboolean done = FALSE, again = TRUE;

  while (again)
    {
      g_autoptr (GCancellable) cancellable = python != NULL && timeout_msec != 0 ? g_cancellable_new () : NULL;
      g_autoptr (GError) error = NULL;

      if (cancellable != NULL && !malt_python_set_waiting (python, cancellable))
        {
          g_mutex_lock (&python->lock);
          python->waiting = NULL;
          g_mutex_unlock (&python->lock);
          return FALSE;
        }
      done = run_once (channel, what, value, timeout_msec, cancellable, &error);
      if (cancellable != NULL)
        {
          g_mutex_lock (&python->lock);
          python->waiting = NULL;
          g_mutex_unlock (&python->lock);
        }

      /* An interrupt for which the code has a handler that raises nothing ends no wait. */
      again = !done && g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
      if (again && !malt_python_set_waiting (python, NULL))
        return FALSE;
      if (!done && !again)
        set_exception (error);
      if (deadline >= 0)
        timeout_msec = (int) MAX (0, (deadline - g_get_monotonic_time () + 999) / 1000);
    }

  return done;
}

static PyObject *
to_python (PyObject *channel,
           GVariant *value)
{
  g_autoptr (GError) error = NULL;
  PyObject *object = malt_python_from_variant (value, ((Channel *) channel)->values, &error);

  if (object == NULL && error != NULL)
    set_exception (error);
  return object;
}

/* A value that is to be put, or %NULL with an exception. */
static GVariant *
from_python (PyObject *channel,
             PyObject *object)
{
  g_autoptr (GError) error = NULL;
  GVariant *value = malt_python_to_variant (object, ((Channel *) channel)->values, &error);

  if (value == NULL && error != NULL)
    set_exception (error);
  return value != NULL ? g_variant_ref_sink (value) : NULL;
}

static PyObject *
channel_take (PyObject *object,
              PyObject *args,
              PyObject *keywords)
{
  static const char * const names[] = { "timeout", NULL };
  g_autoptr (GVariant) value = NULL;
  PyObject *timeout = NULL;
  int timeout_msec;

  if (!PyArg_ParseTupleAndKeywords (args, keywords, "|O:take", (char **) names, &timeout) ||
      !parse_timeout (timeout, &timeout_msec) || !run ((Channel *) object, TAKE, &value, timeout_msec))
    return NULL;

  return to_python (object, value);
}

static PyObject *
channel_wait (PyObject *object,
              PyObject *args,
              PyObject *keywords)
{
  static const char * const names[] = { "timeout", NULL };
  PyObject *timeout = NULL;
  int timeout_msec;

  if (!PyArg_ParseTupleAndKeywords (args, keywords, "|O:wait", (char **) names, &timeout) ||
      !parse_timeout (timeout, &timeout_msec) || !run ((Channel *) object, WAIT, NULL, timeout_msec))
    return NULL;

  Py_RETURN_NONE;
}

static PyObject *
channel_put (PyObject *object,
             PyObject *args,
             PyObject *keywords)
{
  static const char * const names[] = { "value", "timeout", NULL };
  g_autoptr (GVariant) value = NULL;
  PyObject *item, *timeout = NULL;
  int timeout_msec;

  if (!PyArg_ParseTupleAndKeywords (args, keywords, "O|O:put", (char **) names, &item, &timeout) ||
      !parse_timeout (timeout, &timeout_msec) || (value = from_python (object, item)) == NULL ||
      !run ((Channel *) object, PUT, &value, timeout_msec))
    return NULL;

  Py_RETURN_NONE;
}

static PyObject *
channel_next (PyObject *object)
{
  g_autoptr (GVariant) value = NULL;

  if (run ((Channel *) object, TAKE, &value, -1))
    return to_python (object, value);

  if (closed_type != NULL && PyErr_ExceptionMatches (closed_type))
    PyErr_Clear ();
  return NULL;
}

static PyObject *
channel_is_ready (PyObject *object,
                  PyObject *unused G_GNUC_UNUSED)
{
  return PyBool_FromLong (malt_channel_is_ready (((Channel *) object)->channel));
}

/* To close can send something. */
static PyObject *
channel_close (PyObject *object,
               PyObject *unused G_GNUC_UNUSED)
{
  g_autoptr (MaltChannel) channel = g_object_ref (((Channel *) object)->channel);

  Py_BEGIN_ALLOW_THREADS
  malt_channel_close (channel);
  Py_END_ALLOW_THREADS

  Py_RETURN_NONE;
}

static PyObject *
channel_get_closed (PyObject *object,
                    void     *unused G_GNUC_UNUSED)
{
  return PyBool_FromLong (malt_channel_is_closed (((Channel *) object)->channel));
}

static PyObject *
channel_get_capacity (PyObject *object,
                      void     *unused G_GNUC_UNUSED)
{
  return PyLong_FromUnsignedLong (malt_channel_get_capacity (((Channel *) object)->channel));
}

/* Coroutines. */

/* What a future of the loop waits for. */
typedef struct
{
  PyObject     *future;      /* (owned) */
  GCancellable *cancellable; /* (owned) */
  What          what;
} Awaited;

static void
awaited_cb (GObject      *source,
            GAsyncResult *result,
            gpointer      user_data)
{
  Awaited *self = user_data;
  g_autoptr (GError) error = NULL;
  PyGILState_STATE gil_state;
  PyObject *outcome = NULL;
  gboolean done;

  if (self->what == PUT)
    done = malt_channel_put_finish (MALT_CHANNEL (source), result, &error);
  else
    done = malt_channel_wait_finish (MALT_CHANNEL (source), result, &error);

  gil_state = PyGILState_Ensure ();
  if (done)
    outcome = PyObject_CallMethod (self->future, "set_result", "O", Py_None);
  else if (!g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    {
      g_autoptr (PyObject) exception = NULL;

      set_exception (error);
      exception = malt_python_take_exception ();
      outcome = PyObject_CallMethod (self->future, "set_exception", "O", exception);
    }
  /* Nobody may wait for it any more. */
  if (outcome == NULL)
    PyErr_Clear ();
  Py_XDECREF (outcome);
  Py_DECREF (self->future);
  PyGILState_Release (gil_state);

  g_object_unref (self->cancellable);
  g_free (self);
}

static void
capsule_free (PyObject *capsule)
{
  g_object_unref (PyCapsule_GetPointer (capsule, NULL));
}

/* The future is done, or was cancelled. */
static PyObject *
future_done (PyObject *capsule,
             PyObject *future G_GNUC_UNUSED)
{
  GCancellable *cancellable = PyCapsule_GetPointer (capsule, NULL);

  if (cancellable == NULL)
    return NULL;

  g_cancellable_cancel (cancellable);
  Py_RETURN_NONE;
}

static PyMethodDef future_done_method = { "future_done", future_done, METH_O, NULL };

/* Starts to wait, or to put a value, and gives the future that tells the end of it. */
static PyObject *
start_awaiting (Channel  *self,
                What      what,
                GVariant *value)
{
  MaltPython *python = malt_python_current ();
  g_autoptr (PyObject) asyncio = PyImport_ImportModule ("asyncio");
  g_autoptr (PyObject) loop = asyncio != NULL ? PyObject_CallMethod (asyncio, "get_running_loop", NULL) : NULL;
  g_autoptr (PyObject) future = NULL;
  g_autoptr (PyObject) capsule = NULL;
  g_autoptr (PyObject) callback = NULL;
  g_autoptr (PyObject) added = NULL;
  GCancellable *cancellable;
  Awaited *awaited;

  if (loop == NULL)
    return NULL;
  if (python == NULL || loop != python->loop)
    {
      PyErr_SetString (PyExc_RuntimeError, "a channel can be awaited in the worker's own event loop only");
      return NULL;
    }

  cancellable = g_cancellable_new ();
  capsule = PyCapsule_New (cancellable, NULL, capsule_free);
  if (capsule == NULL)
    {
      g_object_unref (cancellable);
      return NULL;
    }

  if ((callback = PyCFunction_New (&future_done_method, capsule)) == NULL ||
      (future = PyObject_CallMethod (loop, "create_future", NULL)) == NULL ||
      (added = PyObject_CallMethod (future, "add_done_callback", "O", callback)) == NULL)
    return NULL;

  awaited = g_new (Awaited, 1);
  *awaited = (Awaited) { Py_NewRef (future), g_object_ref (cancellable), what };
  if (what == PUT)
    malt_channel_put_async (self->channel, value, cancellable, awaited_cb, awaited);
  else
    malt_channel_wait_async (self->channel, cancellable, awaited_cb, awaited);

  return g_steal_pointer (&future);
}

static PyObject *
channel_start_wait (PyObject *object,
                    PyObject *unused G_GNUC_UNUSED)
{
  return start_awaiting ((Channel *) object, WAIT, NULL);
}

static PyObject *
channel_start_put (PyObject *object,
                   PyObject *item)
{
  g_autoptr (GVariant) value = from_python (object, item);

  return value != NULL ? start_awaiting ((Channel *) object, PUT, value) : NULL;
}

static gboolean
ensure_helpers (void)
{
  g_autoptr (PyObject) names = NULL;
  g_autoptr (PyObject) code = NULL;
  g_autoptr (PyObject) result = NULL;
  g_autoptr (PyObject) defaults = NULL;

  if (take_async != NULL)
    return TRUE;

  if ((names = PyDict_New ()) == NULL || malt_python_channel_get_closed () == NULL ||
      (code = Py_CompileString (helpers, "<malt>", Py_file_input)) == NULL ||
      PyDict_SetItemString (names, "__builtins__", PyEval_GetBuiltins ()) < 0 ||
      (result = PyEval_EvalCode (code, names, names)) == NULL ||
      (defaults = PyTuple_Pack (1, closed_type)) == NULL ||
      PyFunction_SetDefaults (PyDict_GetItemString (names, "next_async"), defaults) < 0)
    return FALSE;

  next_async = Py_NewRef (PyDict_GetItemString (names, "next_async"));
  put_async = Py_NewRef (PyDict_GetItemString (names, "put_async"));
  take_async = Py_NewRef (PyDict_GetItemString (names, "take_async"));
  return TRUE;
}

static PyObject *
channel_take_async (PyObject *object,
                    PyObject *unused G_GNUC_UNUSED)
{
  return ensure_helpers () ? PyObject_CallOneArg (take_async, object) : NULL;
}

static PyObject *
channel_put_async (PyObject *object,
                   PyObject *item)
{
  return ensure_helpers () ? PyObject_CallFunctionObjArgs (put_async, object, item, NULL) : NULL;
}

static PyObject *
channel_next_async (PyObject *object)
{
  return ensure_helpers () ? PyObject_CallOneArg (next_async, object) : NULL;
}

/* The type. */

static PyObject *
channel_new (PyTypeObject *type,
             PyObject     *args,
             PyObject     *keywords)
{
  static const char * const names[] = { "capacity", NULL };
  Py_ssize_t capacity;
  Channel *self;

  if (!PyArg_ParseTupleAndKeywords (args, keywords, "n:Channel", (char **) names, &capacity))
    return NULL;
  if (capacity < 1 || capacity > G_MAXINT32)
    {
      PyErr_Format (PyExc_ValueError, "the capacity of a channel is 1 to %d, not %zd", G_MAXINT32, capacity);
      return NULL;
    }

  self = (Channel *) type->tp_alloc (type, 0);
  if (self != NULL)
    {
      MaltPython *python;

      malt_python_host_current_request (&python);
      self->channel = malt_channel_new ((guint) capacity);
      self->values = python != NULL ? python->values : MALT_PYTHON_VALUES_PLAIN;
    }
  return (PyObject *) self;
}

static void
channel_dealloc (PyObject *object)
{
  g_clear_object (&((Channel *) object)->channel);
  Py_TYPE (object)->tp_free (object);
}

static PyObject *
channel_repr (PyObject *object)
{
  MaltChannel *channel = ((Channel *) object)->channel;

  return PyUnicode_FromFormat ("<malt.Channel of capacity %u%s at %p>", malt_channel_get_capacity (channel),
                               malt_channel_is_closed (channel) ? ", closed" : "", object);
}

#define KEYWORD_METHOD(function) ((PyCFunction) (void (*) (void)) (function))

static PyMethodDef channel_methods[] = {
  { "put", KEYWORD_METHOD (channel_put), METH_VARARGS | METH_KEYWORDS,
    "put(value, timeout=None)\n--\n\nPut a value, as soon as there is room; wait for that at most so many seconds." },
  { "take", KEYWORD_METHOD (channel_take), METH_VARARGS | METH_KEYWORDS,
    "take(timeout=None)\n--\n\nTake the next value, as soon as there is one; wait for that at most so many seconds." },
  { "wait", KEYWORD_METHOD (channel_wait), METH_VARARGS | METH_KEYWORDS,
    "wait(timeout=None)\n--\n\nWait until there is something to take, and leave it there." },
  { "is_ready", channel_is_ready, METH_NOARGS, "is_ready()\n--\n\nWhether there is something to take." },
  { "close", channel_close, METH_NOARGS,
    "close()\n--\n\nAllow no more values. Those that are inside can still be taken." },
  { "put_async", channel_put_async, METH_O,
    "put_async(value)\n--\n\nThe same as put(), to be awaited in the worker's event loop." },
  { "take_async", channel_take_async, METH_NOARGS,
    "take_async()\n--\n\nThe same as take(), to be awaited in the worker's event loop." },
  { "_wait_async", channel_start_wait, METH_NOARGS, NULL },
  { "_put_async", channel_start_put, METH_O, NULL },
  { NULL, NULL, 0, NULL }
};

static PyGetSetDef channel_properties[] = {
  { "capacity", channel_get_capacity, NULL, "How many values there is room for.", NULL },
  { "closed", channel_get_closed, NULL, "Whether nothing more can be put.", NULL },
  { NULL, NULL, NULL, NULL, NULL }
};

static PyAsyncMethods channel_async_methods = {
  .am_aiter = PyObject_SelfIter,
  .am_anext = channel_next_async,
};

static PyTypeObject channel_type = {
  PyVarObject_HEAD_INIT (NULL, 0)
  .tp_name = "malt.Channel",
  .tp_doc = "Channel(capacity)\n--\n\n"
            "A queue of values with room for so many, of which the manager can have the other end.\n\n"
            "Iterating over it takes what comes, until it is closed.",
  .tp_basicsize = sizeof (Channel),
  .tp_flags = Py_TPFLAGS_DEFAULT,
  .tp_new = channel_new,
  .tp_dealloc = channel_dealloc,
  .tp_repr = channel_repr,
  .tp_as_async = &channel_async_methods,
  .tp_iter = PyObject_SelfIter,
  .tp_iternext = channel_next,
  .tp_methods = channel_methods,
  .tp_getset = channel_properties,
};

/* A borrowed reference, or %NULL with an exception.  GIL held, as in all of these. */
PyObject *
malt_python_channel_get_type (void)
{
  return PyType_Ready (&channel_type) == 0 ? (PyObject *) &channel_type : NULL;
}

/* The channel, not a reference to it, or %NULL if the object is none. */
MaltChannel *
malt_python_channel_peek (PyObject *object)
{
  return PyObject_TypeCheck (object, &channel_type) ? ((Channel *) object)->channel : NULL;
}

/* The interpreter is about to end. */
void
malt_python_channel_forget (void)
{
  Py_CLEAR (closed_type);
  Py_CLEAR (take_async);
  Py_CLEAR (put_async);
  Py_CLEAR (next_async);
}
