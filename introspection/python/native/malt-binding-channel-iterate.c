/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-binding.h"

/* for and async for over a Malt.Channel.
 *
 * A value that is there already is given to `async for` by an awaitable that has it, so that
 * nothing is asked of the loop.  But a worker may put faster than the loop's turns last, so
 * now and then one is asked for all the same. */

/* How many values are given at once, before others have their turn. */
#define MAX_AT_ONCE 64

typedef struct
{
  PyObject_HEAD

  PyObject *channel;   /* (owned) */
  guint     n_at_once;
} Iterator;

/* An awaitable, and its own iterator, which is at its end at once. */
typedef struct
{
  PyObject_HEAD

  PyObject *value; /* (owned): %NULL once it was awaited */
} Ready;

static PyTypeObject ready_type;

static PyObject *
ready_await (PyObject *object)
{
  return Py_NewRef (object);
}

static PySendResult
ready_send (PyObject  *object,
            PyObject  *argument,
            PyObject **result)
{
  Ready *self = (Ready *) object;

  *result = g_steal_pointer (&self->value);
  if (*result != NULL)
    return PYGEN_RETURN;

  PyErr_SetString (PyExc_RuntimeError, "what was taken has been awaited already");
  return PYGEN_ERROR;
}

static PyObject *
ready_next (PyObject *object)
{
  g_autoptr (PyObject) value = NULL;
  g_autoptr (PyObject) stop = NULL;

  if (ready_send (object, Py_None, &value) == PYGEN_ERROR)
    return NULL;

  /* Not PyErr_SetObject(): a tuple would become the arguments. */
  stop = PyObject_CallOneArg (PyExc_StopIteration, value);
  if (stop != NULL)
    PyErr_SetObject (PyExc_StopIteration, stop);
  return NULL;
}

static void
ready_dealloc (PyObject *object)
{
  Py_CLEAR (((Ready *) object)->value);
  PyObject_Free (object);
}

static PyAsyncMethods ready_async = {
  .am_await = ready_await,
  .am_send = ready_send,
};

static PyTypeObject ready_type = {
  PyVarObject_HEAD_INIT (NULL, 0)
  .tp_name = "gi.overrides._malt._native.Ready",
  .tp_doc = "An awaitable that has its value.",
  .tp_basicsize = sizeof (Ready),
  .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
  .tp_dealloc = ready_dealloc,
  .tp_as_async = &ready_async,
  .tp_iter = PyObject_SelfIter,
  .tp_iternext = ready_next,
};

/* Takes the value, which may be %NULL with an exception set. */
static PyObject *
ready_new (PyObject *value)
{
  Ready *self = value != NULL ? PyObject_New (Ready, &ready_type) : NULL;

  if (self == NULL)
    Py_XDECREF (value);
  else
    self->value = value;
  return (PyObject *) self;
}

static PyObject *
iterator_next (PyObject *object)
{
  return malt_binding_channel_next (((Iterator *) object)->channel);
}

static PyObject *
iterator_next_async (PyObject *object)
{
  Iterator *self = (Iterator *) object;
  MaltChannel *channel = malt_binding_get_channel (self->channel);
  g_autoptr (GVariant) value = NULL;
  gboolean gives_way;

  if (channel == NULL)
    return NULL;

  gives_way = ++self->n_at_once == MAX_AT_ONCE;
  if (gives_way)
    self->n_at_once = 0;
  else
    value = malt_channel_try_take (channel);
  if (value != NULL)
    return ready_new (malt_binding_channel_to_python (channel, value));

  return PyObject_CallFunctionObjArgs (malt_binding.channel_next, self->channel, gives_way ? Py_True : Py_False, NULL);
}

static void
iterator_dealloc (PyObject *object)
{
  Py_CLEAR (((Iterator *) object)->channel);
  PyObject_Free (object);
}

static PyAsyncMethods iterator_async = {
  .am_aiter = ready_await,
  .am_anext = iterator_next_async,
};

static PyTypeObject iterator_type = {
  PyVarObject_HEAD_INIT (NULL, 0)
  .tp_name = "gi.overrides._malt._native.ChannelIterator",
  .tp_doc = "Takes from a channel until it is closed and empty.",
  .tp_basicsize = sizeof (Iterator),
  .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
  .tp_dealloc = iterator_dealloc,
  .tp_as_async = &iterator_async,
  .tp_iter = PyObject_SelfIter,
  .tp_iternext = iterator_next,
};

/* Channel.__iter__() and Channel.__aiter__() */
PyObject *
malt_binding_channel_iterate (PyObject *channel,
                              PyObject *unused)
{
  Iterator *self;

  if (PyType_Ready (&iterator_type) < 0 || PyType_Ready (&ready_type) < 0)
    return NULL;

  self = PyObject_New (Iterator, &iterator_type);
  if (self != NULL)
    {
      self->channel = Py_NewRef (channel);
      self->n_at_once = 0;
    }
  return (PyObject *) self;
}

/* (channel): a tuple with what has come already, or None. */
PyObject *
malt_binding_channel_try_take (PyObject *module,
                               PyObject *object)
{
  MaltChannel *channel = malt_binding_get_channel (object);
  g_autoptr (GVariant) value = NULL;
  PyObject *item;

  if (channel == NULL)
    return NULL;
  value = malt_channel_try_take (channel);
  if (value == NULL)
    Py_RETURN_NONE;

  item = malt_binding_channel_to_python (channel, value);
  return item != NULL ? Py_BuildValue ("(N)", item) : NULL;
}
