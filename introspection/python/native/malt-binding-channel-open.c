/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-binding.h"

#define NO_IMPORT_PYGOBJECT
#include <pygobject.h>

/* Opening channels, and what is awaited of them. */

typedef enum
{
  TAKE,
  PUT,
  WAIT
} What;

/* The Python object for a channel that was opened, which is taken.  It keeps its worker by an
 * attribute, so that the collector knows of that: cycles with both in them can be freed. */
static PyObject *
opened_to_python (MaltChannel      *channel,
                  PyObject         *worker,
                  MaltPythonValues  values)
{
  g_autoptr (MaltChannel) own = channel;
  PyObject *object;

  malt_binding_set_values (G_OBJECT (own), values);
  malt_binding_note (G_OBJECT (own));
  object = pygobject_new (G_OBJECT (own));
  if (object != NULL && PyObject_SetAttrString (object, "_worker", worker) < 0)
    Py_CLEAR (object);
  return object;
}

/* (worker, module or None, expression, seconds, cancellable).  FALSE with an exception set;
 * the job is to be cleared in any case. */
static gboolean
parse_opening (MaltBindingJob *job,
               PyObject       *args)
{
  PyObject *worker, *module, *expression, *seconds, *cancellable;

  *job = (MaltBindingJob) { 0 };
  if (!PyArg_ParseTuple (args, "OOOOO", &worker, &module, &expression, &seconds, &cancellable))
    return FALSE;
  if (!PyUnicode_Check (expression))
    {
      PyErr_Format (PyExc_TypeError, "the expression has to be a str, not '%s'", Py_TYPE (expression)->tp_name);
      return FALSE;
    }

  return malt_binding_job_init_eval (job, worker, module, expression) &&
         malt_binding_job_set_limits (job, seconds, cancellable);
}

PyObject *
malt_binding_channel_open (PyObject *module,
                           PyObject *args)
{
  MaltBindingJob job;
  MaltChannel *channel = NULL;
  MaltBindingWait wait;
  GError *error = NULL;
  PyObject *result = NULL;

  if (!parse_opening (&job, args))
    goto out;
  if (!malt_binding_wait_begin (&wait, job.worker, NULL))
    goto out;
  channel = malt_worker_open_channel (job.worker, job.module, job.source, job.timeout_msec, job.cancellable, &error);
  if (malt_binding_wait_end (&wait, error != NULL))
    {
      g_clear_error (&error);
      g_clear_object (&channel);
    }
  else if (channel != NULL)
    result = opened_to_python (channel, PyTuple_GET_ITEM (args, 0), job.values);
  else
    malt_binding_raise (error, PyTuple_GET_ITEM (args, 0));

out:
  malt_binding_job_clear (&job);
  return result;
}

/* What is awaited. */

typedef struct
{
  MaltBindingAwait  await;

  /* One of the two. */
  MaltBindingJob    opening;
  PyObject         *worker;  /* (owned) */
  MaltChannel      *channel; /* (owned) */

  What              what;
  GVariant         *value;   /* (owned): to be put */
} Awaited;

static void
awaited_free (MaltBindingAwait *await)
{
  Awaited *self = (Awaited *) await;

  malt_binding_job_clear (&self->opening);
  Py_CLEAR (self->worker);
  g_clear_object (&self->channel);
  g_clear_pointer (&self->value, g_variant_unref);
  g_free (self);
}

static void
opening_begin (MaltBindingAwait    *await,
               GAsyncReadyCallback  callback,
               gpointer             user_data)
{
  MaltBindingJob *job = &((Awaited *) await)->opening;

  malt_worker_open_channel_async (job->worker, job->module, job->source, job->timeout_msec, await->cancellable,
                                  callback, user_data);
}

static PyObject *
opening_finish (MaltBindingAwait *await,
                GObject          *source,
                GAsyncResult     *result,
                gboolean          is_wanted)
{
  Awaited *self = (Awaited *) await;
  GError *error = NULL;
  g_autoptr (MaltChannel) channel = malt_worker_open_channel_finish (self->opening.worker, result, &error);

  if (!is_wanted)
    g_clear_error (&error);
  else if (channel != NULL)
    return opened_to_python (g_steal_pointer (&channel), self->worker, self->opening.values);
  else
    malt_binding_raise (error, self->worker);

  return NULL;
}

static void
channel_begin (MaltBindingAwait    *await,
               GAsyncReadyCallback  callback,
               gpointer             user_data)
{
  Awaited *self = (Awaited *) await;

  switch (self->what)
    {
    case PUT:
      malt_channel_put_async (self->channel, self->value, await->cancellable, callback, user_data);
      break;
    case WAIT:
      malt_channel_wait_async (self->channel, await->cancellable, callback, user_data);
      break;
    case TAKE:
    default:
      malt_channel_take_async (self->channel, await->cancellable, callback, user_data);
    }
}

static PyObject *
channel_finish (MaltBindingAwait *await,
                GObject          *source,
                GAsyncResult     *result,
                gboolean          is_wanted)
{
  Awaited *self = (Awaited *) await;
  g_autoptr (GVariant) value = NULL;
  GError *error = NULL;
  gboolean done;

  if (self->what == TAKE)
    done = (value = malt_channel_take_finish (self->channel, result, &error)) != NULL;
  else if (self->what == PUT)
    done = malt_channel_put_finish (self->channel, result, &error);
  else
    done = malt_channel_wait_finish (self->channel, result, &error);

  if (!is_wanted)
    g_clear_error (&error);
  else if (!done)
    malt_binding_raise_of_channel (error);
  else if (self->what == TAKE)
    return malt_binding_channel_to_python (self->channel, value);
  else
    Py_RETURN_NONE;

  return NULL;
}

/* (callback, context, worker, module, expression, seconds, cancellable) */
PyObject *
malt_binding_channel_open_start (PyObject *module,
                                 PyObject *args)
{
  g_autoptr (PyObject) rest = PyTuple_GetSlice (args, 2, PyTuple_GET_SIZE (args));
  Awaited *self;

  if (rest == NULL)
    return NULL;

  self = g_new0 (Awaited, 1);
  self->await.begin = opening_begin;
  self->await.finish = opening_finish;
  self->await.free = awaited_free;
  if (!parse_opening (&self->opening, rest))
    {
      awaited_free (&self->await);
      return NULL;
    }
  self->await.cancellable = g_steal_pointer (&self->opening.cancellable);
  self->worker = Py_NewRef (PyTuple_GET_ITEM (rest, 0));

  return malt_binding_await (&self->await, PyTuple_GET_ITEM (args, 0), PyTuple_GET_ITEM (args, 1));
}

/* (callback, context, channel, "put", "take" or "wait", value, cancellable) */
PyObject *
malt_binding_channel_start (PyObject *module,
                            PyObject *args)
{
  PyObject *callback, *context, *object, *item, *cancellable_object;
  const char *what;
  MaltChannel *channel;
  Awaited *self;

  if (!PyArg_ParseTuple (args, "OOOsOO", &callback, &context, &object, &what, &item, &cancellable_object))
    return NULL;
  channel = malt_binding_get_channel (object);
  if (channel == NULL)
    return NULL;

  self = g_new0 (Awaited, 1);
  self->await.begin = channel_begin;
  self->await.finish = channel_finish;
  self->await.free = awaited_free;
  self->channel = g_object_ref (channel);
  self->what = *what == 'p' ? PUT : *what == 't' ? TAKE : WAIT;
  if (!malt_binding_get_cancellable (cancellable_object, &self->await.cancellable) ||
      (self->what == PUT && (self->value = malt_binding_channel_from_python (channel, item)) == NULL))
    {
      g_clear_object (&self->await.cancellable);
      awaited_free (&self->await);
      return NULL;
    }

  return malt_binding_await (&self->await, callback, context);
}
