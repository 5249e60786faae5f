/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-binding.h"


#define NO_IMPORT_PYGOBJECT
#include <pygobject.h>

#include "malt-python-from-variant.h"
#include "malt-python-to-variant.h"

/* Malt.Channel: putting and taking with values of Python.
 *
 * What has come already is taken with the GIL, which costs a lock; and what there is room for
 * is put without Ctrl-C being heard of meanwhile.  Only who has to wait pays for that. */

/* The channel behind an object, which keeps it; or %NULL with an exception set. */
MaltChannel *
malt_binding_get_channel (PyObject *object)
{
  GObject *channel;

  if (!PyObject_TypeCheck (object, malt_binding.channel_type))
    {
      PyErr_Format (PyExc_TypeError, "expected a Malt.Channel, not '%s'", Py_TYPE (object)->tp_name);
      return NULL;
    }
  if (!malt_binding_check_process ())
    return NULL;

  channel = pygobject_get (object);
  if (channel == NULL)
    {
      PyErr_SetString (PyExc_TypeError, "the channel has not been initialized");
      return NULL;
    }

  return MALT_CHANNEL (channel);
}

/* How values cross.  Those of a channel within this program need not be trusted. */
static MaltPythonValues
get_values (MaltChannel *channel)
{
  MaltPythonValues values;

  if (!malt_binding_known_values (G_OBJECT (channel), &values))
    values = MALT_PYTHON_VALUES_OBJECTS | MALT_PYTHON_VALUES_WORDS;
  return values;
}

/* Sets the exception for an error, which it takes. */
void
malt_binding_raise_of_channel (GError *error)
{
  g_autoptr (PyObject) exception = NULL;

  if (!g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CLOSED))
    {
      malt_binding_raise (error, NULL);
      return;
    }

  exception = PyObject_CallFunction (malt_binding.channel_closed, "ssi", error->message,
                                     g_quark_to_string (error->domain), error->code);
  g_error_free (error);
  if (exception != NULL)
    PyErr_SetObject (malt_binding.channel_closed, exception);
}

/* A new reference, or %NULL with an exception set. */
PyObject *
malt_binding_channel_to_python (MaltChannel *channel,
                                GVariant    *value)
{
  GError *error = NULL;
  PyObject *object = malt_python_from_variant (value, get_values (channel), &error);

  if (object == NULL && error != NULL)
    malt_binding_raise (error, NULL);
  return object;
}

/* A value that is to be put, or %NULL with an exception set. */
GVariant *
malt_binding_channel_from_python (MaltChannel *channel,
                                  PyObject    *object)
{
  GError *error = NULL;
  GVariant *value = malt_python_to_variant (object, get_values (channel), &error);

  if (value != NULL)
    return g_variant_ref_sink (value);
  if (error != NULL)
    malt_binding_raise (error, NULL);
  return NULL;
}

typedef enum
{
  TAKE,
  PUT,
  WAIT
} What;

/* FALSE with @error set.  Without the GIL. */
static gboolean
run_once (MaltChannel   *channel,
          What           what,
          GVariant     **value,
          int            timeout_msec,
          GCancellable  *cancellable,
          GError       **error)
{
  switch (what)
    {
    case PUT:
      return malt_channel_put (channel, *value, timeout_msec, cancellable, error);
    case WAIT:
      return malt_channel_wait (channel, timeout_msec, cancellable, error);
    case TAKE:
    default:
      *value = malt_channel_take (channel, timeout_msec, cancellable, error);
      return *value != NULL;
    }
}

/* Does it as far as nobody has to wait for that.  FALSE with an error, or without one if
 * that would be to wait. */
static gboolean
run_at_once (MaltChannel  *channel,
             What          what,
             GVariant    **value,
             GError      **error)
{
  gboolean done;

  if (what == TAKE)
    return (*value = malt_channel_try_take (channel)) != NULL;
  if (what == WAIT)
    return FALSE;

  Py_BEGIN_ALLOW_THREADS
  done = malt_channel_put (channel, *value, 0, NULL, error);
  Py_END_ALLOW_THREADS
  if (!done && g_error_matches (*error, MALT_ERROR, MALT_ERROR_TIMEOUT))
    g_clear_error (error);

  return done;
}

/* FALSE with an exception set. */
static gboolean
run (MaltChannel  *channel,
     What          what,
     GVariant    **value,
     int           timeout_msec,
     GCancellable *given)
{
  g_autoptr (MaltChannel) own = NULL;
  g_autoptr (GCancellable) cancellable = NULL;
  MaltBindingWait wait;
  GError *error = NULL;
  gboolean done, interrupted;

  done = !g_cancellable_is_cancelled (given) && run_at_once (channel, what, value, &error);
  if (done)
    return TRUE;
  if (error != NULL)
    {
      malt_binding_raise_of_channel (error);
      return FALSE;
    }

  own = g_object_ref (channel);
  cancellable = given != NULL ? g_object_ref (given) : g_cancellable_new ();
  if (!malt_binding_wait_begin (&wait, NULL, cancellable))
    return FALSE;
  done = run_once (channel, what, value, timeout_msec, cancellable, &error);
  interrupted = malt_binding_wait_end (&wait, error != NULL);

  if (interrupted)
    g_clear_error (&error);
  else if (!done)
    malt_binding_raise_of_channel (error);
  if (interrupted && done && what == TAKE)
    g_clear_pointer (value, g_variant_unref);

  return done && !interrupted;
}

/* Seconds, or None for no end.  FALSE with an exception set. */
static gboolean
parse_timeout (PyObject *object,
               int      *timeout_msec)
{
  *timeout_msec = MALT_TIMEOUT_NONE;
  if (object == NULL || object == Py_None)
    return TRUE;

  return malt_binding_get_timeout (object, timeout_msec);
}

/* What a method is called with: (value, timeout=None, *, cancellable=None), the value only
 * where there is one. */
typedef struct
{
  MaltChannel  *channel;
  PyObject     *value;
  int           timeout_msec;
  GCancellable *cancellable; /* (owned) (nullable) */
} Arguments;

/* FALSE with an exception set, and nothing has to be freed. */
static gboolean
parse_arguments (Arguments       *self,
                 PyObject        *object,
                 PyObject *const *args,
                 Py_ssize_t       n_args,
                 PyObject        *names,
                 gboolean         has_value)
{
  static const char *const texts[] = { "value", "timeout", "cancellable" };
  PyObject *items[G_N_ELEMENTS (texts)] = { NULL };
  Py_ssize_t first = has_value ? 0 : 1, i;
  guint k;

  *self = (Arguments) { .channel = malt_binding_get_channel (object) };
  if (self->channel == NULL)
    return FALSE;
  if (n_args > 2 - first)
    {
      PyErr_Format (PyExc_TypeError, "there are at most %zd positional arguments, not %zd", 2 - first, n_args);
      return FALSE;
    }

  for (i = 0; i < n_args; i++)
    items[first + i] = args[i];
  for (i = 0; names != NULL && i < PyTuple_GET_SIZE (names); i++)
    {
      PyObject *name = PyTuple_GET_ITEM (names, i);

      for (k = (guint) first; k < G_N_ELEMENTS (texts); k++)
        if (PyUnicode_CompareWithASCIIString (name, texts[k]) == 0)
          break;
      if (k == G_N_ELEMENTS (texts) || items[k] != NULL)
        {
          PyErr_Format (PyExc_TypeError, "there is no argument %R, or it is there twice", name);
          return FALSE;
        }
      items[k] = args[n_args + i];
    }

  if (has_value && items[0] == NULL)
    {
      PyErr_SetString (PyExc_TypeError, "the value to be put is missing");
      return FALSE;
    }
  self->value = items[0];

  return parse_timeout (items[1], &self->timeout_msec) &&
         (items[2] == NULL || malt_binding_get_cancellable (items[2], &self->cancellable));
}

static PyObject *
channel_put (PyObject        *object,
             PyObject *const *args,
             Py_ssize_t       n_args,
             PyObject        *names)
{
  g_autoptr (GVariant) value = NULL;
  Arguments arguments;
  gboolean done;

  if (!parse_arguments (&arguments, object, args, n_args, names, TRUE))
    return NULL;

  value = malt_binding_channel_from_python (arguments.channel, arguments.value);
  done = value != NULL && run (arguments.channel, PUT, &value, arguments.timeout_msec, arguments.cancellable);
  g_clear_object (&arguments.cancellable);

  return done ? Py_NewRef (Py_None) : NULL;
}

static PyObject *
channel_take (PyObject        *object,
              PyObject *const *args,
              Py_ssize_t       n_args,
              PyObject        *names)
{
  g_autoptr (GVariant) value = NULL;
  Arguments arguments;
  gboolean done;

  if (!parse_arguments (&arguments, object, args, n_args, names, FALSE))
    return NULL;

  done = run (arguments.channel, TAKE, &value, arguments.timeout_msec, arguments.cancellable);
  g_clear_object (&arguments.cancellable);

  return done ? malt_binding_channel_to_python (arguments.channel, value) : NULL;
}

static PyObject *
channel_wait (PyObject        *object,
              PyObject *const *args,
              Py_ssize_t       n_args,
              PyObject        *names)
{
  Arguments arguments;
  gboolean done;

  if (!parse_arguments (&arguments, object, args, n_args, names, FALSE))
    return NULL;

  done = run (arguments.channel, WAIT, NULL, arguments.timeout_msec, arguments.cancellable);
  g_clear_object (&arguments.cancellable);

  return done ? Py_NewRef (Py_None) : NULL;
}

static PyObject *
channel_is_ready (PyObject *object,
                  PyObject *unused)
{
  g_autoptr (MaltChannel) channel = malt_binding_get_channel (object);
  gboolean is_ready;

  if (channel == NULL)
    return NULL;

  g_object_ref (channel);
  Py_BEGIN_ALLOW_THREADS
  is_ready = malt_channel_is_ready (channel);
  Py_END_ALLOW_THREADS

  return PyBool_FromLong (is_ready);
}

static PyObject *
channel_close (PyObject *object,
               PyObject *unused)
{
  g_autoptr (MaltChannel) channel = malt_binding_get_channel (object);

  if (channel == NULL)
    return NULL;

  g_object_ref (channel);
  Py_BEGIN_ALLOW_THREADS
  malt_channel_close (channel);
  Py_END_ALLOW_THREADS

  Py_RETURN_NONE;
}

/* Takes the next value, however long that takes; a new reference, or %NULL without an
 * exception if the channel is closed, or with one. */
PyObject *
malt_binding_channel_next (PyObject *object)
{
  MaltChannel *channel = malt_binding_get_channel (object);
  g_autoptr (GVariant) value = NULL;

  if (channel == NULL)
    return NULL;
  if (run (channel, TAKE, &value, MALT_TIMEOUT_NONE, NULL))
    return malt_binding_channel_to_python (channel, value);

  if (PyErr_ExceptionMatches (malt_binding.channel_closed))
    PyErr_Clear ();
  return NULL;
}

PyDoc_STRVAR (put_doc,
"put($self, value, timeout=None, *, cancellable=None)\n"
"--\n"
"\n"
"Put a value into the channel, and wait for room, at most so many seconds.\n"
"\n"
"Raises ChannelClosed, TimeoutError, SerializationError for a value that cannot cross,\n"
"TerminatedWorkerException if the worker has ended; then nothing was put.");

PyDoc_STRVAR (take_doc,
"take($self, timeout=None, *, cancellable=None)\n"
"--\n"
"\n"
"Take the next value, and wait for one, at most so many seconds.\n"
"\n"
"Raises ChannelClosed if the channel is closed and empty, TimeoutError, and\n"
"TerminatedWorkerException if the worker has ended and what had come is taken.");

PyDoc_STRVAR (wait_doc,
"wait($self, timeout=None, *, cancellable=None)\n"
"--\n"
"\n"
"Wait until there is something to take, at most so many seconds, and leave it there.");

PyDoc_STRVAR (is_ready_doc,
"is_ready($self)\n"
"--\n"
"\n"
"Whether there is something to take. If nothing has come the worker is asked.");

PyDoc_STRVAR (close_doc,
"close($self)\n"
"--\n"
"\n"
"Close the channel at both ends: no more can be put, what is inside can still be taken.");

PyMethodDef malt_binding_channel_methods[] = {
  { "put", (PyCFunction) (gpointer) channel_put, METH_FASTCALL | METH_KEYWORDS, put_doc },
  { "take", (PyCFunction) (gpointer) channel_take, METH_FASTCALL | METH_KEYWORDS, take_doc },
  { "wait", (PyCFunction) (gpointer) channel_wait, METH_FASTCALL | METH_KEYWORDS, wait_doc },
  { "is_ready", channel_is_ready, METH_NOARGS, is_ready_doc },
  { "close", channel_close, METH_NOARGS, close_doc },
  { "__iter__", malt_binding_channel_iterate, METH_NOARGS, NULL },
  { "__aiter__", malt_binding_channel_iterate, METH_NOARGS, NULL },
  { NULL, NULL, 0, NULL }
};
