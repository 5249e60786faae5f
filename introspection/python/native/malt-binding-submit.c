/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-binding.h"

#include "malt-python-tag.h"

/* Calls whose results are put into concurrent.futures.Future objects.
 *
 * One thread for the whole program begins them and gets what comes of them, in a main context
 * of its own, so that nobody has to run a loop.  It takes the GIL only to put results where
 * they belong, and then as many as there are by then: threads of Python that compute let it
 * have the GIL once in 5 ms. */

typedef struct
{
  MaltBindingJob  job;
  PyObject       *worker; /* (owned): or a pool */
  PyObject       *future; /* (owned) */
  PyObject       *tasks;  /* (owned) (nullable): of an executor, the set of futures that has this one */
  gint            begun;  /* atomic: it was handed to the worker */

  /* The thread's, once it is done. */
  GVariant       *value;
  GError         *error;

  GList           link;
} Submission;

static GMutex lock;
static GCond flushed;
/* Guarded by lock. */
static GQueue queue = G_QUEUE_INIT;  /* of Submission: to be begun */
static gboolean ending;

static gint n_queued;                /* atomic: in the queue, or just being begun */

/* Set once, with the GIL, and then immutable. */
static GMainContext *context;
static GThread *thread;

/* The thread's. */
static GQueue done = G_QUEUE_INIT;   /* of Submission */

/* With the GIL. */
static void
submission_free (Submission *self)
{
  malt_binding_job_clear (&self->job);
  g_clear_pointer (&self->value, g_variant_unref);
  g_clear_error (&self->error);
  Py_CLEAR (self->worker);
  Py_CLEAR (self->future);
  Py_CLEAR (self->tasks);
  g_free (self);
}

/* Names that are looked up; guarded by the GIL. */
static PyObject *names[9];
enum { STATE, RESULT, CANCEL, CONDITION, CALLBACKS, SET_RESULT, SET_EXCEPTION, TRANSLATE, MAKE_EXCEPTION };

/* FALSE with an exception set. */
static gboolean
make_names (void)
{
  static const char *const texts[] = {
    "_state", "_result", "_malt_cancel", "_condition", "_done_callbacks", "_malt_set_result", "_malt_set_exception",
    "translate", "make_exception"
  };
  guint i;

  for (i = 0; i < G_N_ELEMENTS (names); i++)
    {
      if (names[i] == NULL)
        names[i] = PyUnicode_InternFromString (texts[i]);
      if (names[i] == NULL)
        return FALSE;
    }

  return TRUE;
}

/* Whether an attribute was made for the future itself. */
static gboolean
has_own (PyObject *dict,
         PyObject *name)
{
  return PyDict_GetItemWithError (dict, name) != NULL;
}

/* Puts the result into a future for which nobody has waited, which has no callbacks and was not
 * cancelled: the whole of that is one step for Python code.  FALSE if it is another one, or
 * with an exception set. */
static gboolean
resolve_quietly (PyObject *future,
                 PyObject *value)
{
  static PyObject *finished; /* guarded by the GIL */
  g_autoptr (PyObject) dict = PyObject_GenericGetDict (future, NULL);

  if (finished == NULL)
    finished = PyUnicode_InternFromString ("FINISHED");
  if (dict == NULL || finished == NULL)
    return FALSE;
  if (has_own (dict, names[CONDITION]) || has_own (dict, names[CALLBACKS]) || has_own (dict, names[STATE]))
    return FALSE;

  return PyDict_SetItem (dict, names[RESULT], value) == 0 && PyDict_SetItem (dict, names[STATE], finished) == 0;
}

/* Whether a task has failed: its value is then a tuple that is none of a tag. */
static gboolean
is_failure (Submission *self)
{
  return self->tasks != NULL && self->value != NULL && g_variant_is_of_type (self->value, G_VARIANT_TYPE_TUPLE) &&
         !g_variant_is_of_type (self->value, G_VARIANT_TYPE (MALT_PYTHON_TAG_TYPE));
}

/* The exception that is set, as executors have it. */
static PyObject *
take_task_exception (Submission *self)
{
  g_autoptr (PyObject) exception = malt_python_take_exception ();
  PyObject *translation;

  if (self->tasks == NULL)
    return g_steal_pointer (&exception);

  translation = PyObject_CallMethodOneArg (self->tasks, names[TRANSLATE], exception);
  return translation != NULL ? translation : malt_python_take_exception ();
}

static void
resolve (Submission *self)
{
  g_autoptr (PyObject) value = NULL;
  g_autoptr (PyObject) answer = NULL;
  g_autoptr (PyObject) exception = NULL;
  gboolean has_failed = is_failure (self);

  value = malt_binding_job_result (&self->job, self->worker, g_steal_pointer (&self->value),
                                   g_steal_pointer (&self->error));
  if (value != NULL && has_failed)
    {
      exception = PyObject_CallMethodOneArg (self->tasks, names[MAKE_EXCEPTION], value);
      if (exception == NULL)
        exception = malt_python_take_exception ();
      answer = PyObject_CallMethodOneArg (self->future, names[SET_EXCEPTION], exception);
    }
  else if (value == NULL)
    {
      exception = take_task_exception (self);
      answer = PyObject_CallMethodOneArg (self->future, names[SET_EXCEPTION], exception);
    }
  else if (resolve_quietly (self->future, value))
    answer = Py_NewRef (Py_None);
  else if (!PyErr_Occurred ())
    answer = PyObject_CallMethodOneArg (self->future, names[SET_RESULT], value);

  if (answer == NULL)
    PyErr_WriteUnraisable (self->future);
  if (PyObject_SetAttr (self->future, names[CANCEL], Py_None) < 0)
    PyErr_WriteUnraisable (self->future);
  if (self->tasks != NULL && PySet_Discard (self->tasks, self->future) < 0)
    PyErr_WriteUnraisable (self->future);
}

static void
resolve_all (void)
{
  PyGILState_STATE gil_state = PyGILState_Ensure ();
  GList *link;

  while ((link = g_queue_pop_head_link (&done)) != NULL)
    {
      resolve (link->data);
      submission_free (link->data);
    }

  PyGILState_Release (gil_state);
}

static void
done_cb (GObject      *source,
         GAsyncResult *result,
         gpointer      user_data)
{
  Submission *self = user_data;

  self->value = malt_binding_job_finish (&self->job, result, &self->error);
  g_queue_push_tail_link (&done, &self->link);
}

/* Begins what is in the queue; FALSE when it is time to end. */
static gboolean
begin_all (void)
{
  GQueue taken;
  GList *link;
  gboolean go_on;

  g_mutex_lock (&lock);
  taken = queue;
  g_queue_init (&queue);
  go_on = !ending;
  g_mutex_unlock (&lock);

  if (taken.length == 0 || !go_on)
    return go_on;

  while ((link = g_queue_pop_head_link (&taken)) != NULL)
    {
      Submission *self = link->data;

      g_atomic_int_set (&self->begun, TRUE);
      malt_binding_job_start (&self->job, done_cb, self);
      g_atomic_int_add (&n_queued, -1);
    }

  g_mutex_lock (&lock);
  g_cond_broadcast (&flushed);
  g_mutex_unlock (&lock);

  return TRUE;
}

static gpointer
run_thread (gpointer data)
{
  g_main_context_push_thread_default (context);

  while (begin_all ())
    {
      if (done.length > 0)
        resolve_all ();
      else
        g_main_context_iteration (context, TRUE);
    }

  g_main_context_pop_thread_default (context);
  return NULL;
}

/* Waits until all that was submitted has been handed to its worker, so that a blocking call
 * does not overtake it.  With the GIL, which others get meanwhile. */
void
malt_binding_submit_flush (void)
{
  if (G_LIKELY (g_atomic_int_get (&n_queued) == 0))
    return;

  Py_BEGIN_ALLOW_THREADS
  g_mutex_lock (&lock);
  while (g_atomic_int_get (&n_queued) > 0 && !ending)
    g_cond_wait (&flushed, &lock);
  g_mutex_unlock (&lock);
  Py_END_ALLOW_THREADS
}

/* Takes a job and puts it into the queue.  @tasks is the set of futures of an executor, or
 * %NULL.  FALSE with an exception set. */
static gboolean
enqueue (MaltBindingJob *job,
         PyObject       *future,
         PyObject       *worker,
         PyObject       *tasks)
{
  Submission *self = g_new0 (Submission, 1);
  g_autoptr (PyObject) capsule = NULL;
  gboolean was_empty;

  self->link.data = self;
  self->job = *job;
  *job = (MaltBindingJob) { 0 };
  if (self->job.cancellable == NULL)
    self->job.cancellable = g_cancellable_new ();
  self->future = Py_NewRef (future);
  self->worker = Py_NewRef (worker);
  self->tasks = Py_XNewRef (tasks);

  capsule = malt_binding_cancellable_new (self->job.cancellable);
  if (!make_names () || capsule == NULL || PyObject_SetAttr (future, names[CANCEL], capsule) < 0 ||
      (tasks != NULL && PySet_Add (tasks, future) < 0))
    {
      submission_free (self);
      return FALSE;
    }

  if (context == NULL)
    {
      context = g_main_context_new ();
      thread = g_thread_new ("malt-python", run_thread, NULL);
    }

  g_atomic_int_inc (&n_queued);
  g_mutex_lock (&lock);
  was_empty = queue.length == 0;
  g_queue_push_tail_link (&queue, &self->link);
  g_mutex_unlock (&lock);
  if (was_empty)
    g_main_context_wakeup (context);

  return TRUE;
}

/* Whether it is None or a set of futures, %NULL for the former.  FALSE with an exception
 * set. */
static gboolean
get_tasks (PyObject  *object,
           PyObject **tasks)
{
  *tasks = object != Py_None ? object : NULL;
  if (*tasks == NULL || PySet_Check (object))
    return TRUE;

  PyErr_Format (PyExc_TypeError, "the tasks have to be a set, not '%s'", Py_TYPE (object)->tp_name);
  return FALSE;
}

/* (future, tasks or None, *job).  Errors are the caller's. */
PyObject *
malt_binding_submit (PyObject *module,
                     PyObject *args)
{
  g_autoptr (PyObject) rest = NULL;
  MaltBindingJob job = { 0 };
  PyObject *tasks;
  gboolean queued;

  if (PyTuple_GET_SIZE (args) < 3)
    {
      PyErr_SetString (PyExc_TypeError, "submit() needs a future, tasks and what is to be done");
      return NULL;
    }
  rest = PyTuple_GetSlice (args, 2, PyTuple_GET_SIZE (args));
  if (rest == NULL || !get_tasks (PyTuple_GET_ITEM (args, 1), &tasks))
    return NULL;

  queued = malt_binding_job_parse (&job, rest, MALT_PYTHON_VALUES_PLAIN) &&
           enqueue (&job, PyTuple_GET_ITEM (args, 0), PyTuple_GET_ITEM (rest, 0), tasks);
  malt_binding_job_clear (&job);

  return queued ? Py_NewRef (Py_None) : NULL;
}

/* A copy of a buffer, floating; %NULL with an exception set. */
static GVariant *
pack_buffer (PyObject *object)
{
  g_autoptr (GBytes) bytes = NULL;
  Py_buffer view;

  if (PyObject_GetBuffer (object, &view, PyBUF_SIMPLE) < 0)
    return NULL;

  bytes = malt_python_copy_new (view.buf, (gsize) view.len);
  PyBuffer_Release (&view);

  return bytes != NULL ? g_variant_new_from_bytes (G_VARIANT_TYPE_BYTESTRING, bytes, TRUE) : NULL;
}

/* The arguments of a function that takes what pickle has made: bytes, and a list of buffers.
 * %NULL with an exception set. */
static GVariant *
pack_task (PyObject *data,
           PyObject *buffers)
{
  GVariant *first = pack_buffer (data);
  GVariantBuilder builder;
  Py_ssize_t i;

  if (first == NULL)
    return NULL;

  g_variant_builder_init (&builder, G_VARIANT_TYPE ("aay"));
  for (i = 0; i < PyList_GET_SIZE (buffers); i++)
    {
      GVariant *buffer = pack_buffer (PyList_GET_ITEM (buffers, i));

      if (buffer == NULL)
        {
          g_variant_builder_clear (&builder);
          g_variant_unref (first);
          return NULL;
        }
      g_variant_builder_add_value (&builder, buffer);
    }

  return g_variant_ref_sink (g_variant_new ("(@ay@aay)", first, g_variant_builder_end (&builder)));
}

/* (future, tasks, pool, name of the function, bytes, list of buffers, seconds or None): a task
 * of an executor.  Errors are the caller's. */
PyObject *
malt_binding_submit_task (PyObject *module,
                          PyObject *args)
{
  PyObject *future, *tasks, *pool, *data, *buffers, *seconds;
  MaltBindingJob job = { .timeout_msec = MALT_TIMEOUT_DEFAULT };
  const char *name;
  MaltPool *c_pool;
  gboolean queued;

  if (!PyArg_ParseTuple (args, "OO!OsO!O!O", &future, &PySet_Type, &tasks, &pool, &name, &PyBytes_Type, &data,
                         &PyList_Type, &buffers, &seconds))
    return NULL;
  c_pool = malt_binding_get_pool (pool);
  if (c_pool == NULL || !malt_binding_get_values (pool, G_OBJECT (c_pool), &job.values))
    return NULL;

  job.pool = g_object_ref (c_pool);
  job.flags = MALT_POOL_CALL_FLAGS_TIME_RUN;
  job.values &= ~(guint) MALT_PYTHON_VALUES_VIEWS;
  job.function = g_strdup (name);
  job.arguments = pack_task (data, buffers);
  queued = job.arguments != NULL && malt_binding_job_set_limits (&job, seconds, Py_None) &&
           enqueue (&job, future, pool, tasks);
  malt_binding_job_clear (&job);

  return queued ? Py_NewRef (Py_None) : NULL;
}

/* Worker.submit (function, /, *args, **kwargs), and of pools: a future, also where it fails at once. */
PyObject *
malt_binding_worker_submit (PyObject        *self,
                            PyObject *const *args,
                            Py_ssize_t       n_args,
                            PyObject        *keyword_names)
{
  g_autoptr (PyObject) future = NULL;
  g_autoptr (PyObject) keywords = NULL;
  MaltBindingJob job = { 0 };
  gboolean queued;

  if (!malt_binding_take_keywords (args, n_args, keyword_names, "submit", &keywords))
    return NULL;
  future = PyObject_CallNoArgs (malt_binding.future_type);
  if (future == NULL)
    return NULL;

  queued = malt_binding_job_init_call (&job, self, args[0], args + 1, n_args - 1, keywords,
                                       MALT_PYTHON_VALUES_PLAIN) &&
           enqueue (&job, future, self, NULL);
  malt_binding_job_clear (&job);

  if (!queued)
    {
      g_autoptr (PyObject) exception = NULL;
      g_autoptr (PyObject) answer = NULL;

      if (!PyErr_ExceptionMatches (PyExc_Exception))
        return NULL;
      exception = malt_python_take_exception ();
      answer = make_names () ? PyObject_CallMethodOneArg (future, names[SET_EXCEPTION], exception) : NULL;
      if (answer == NULL)
        return NULL;
    }

  return g_steal_pointer (&future);
}

/* At the interpreter's exit: the thread takes the GIL no more. */
PyObject *
malt_binding_submit_end (PyObject *module,
                         PyObject *unused)
{
  if (thread != NULL && malt_binding_is_own_process ())
    {
      Py_BEGIN_ALLOW_THREADS
      g_mutex_lock (&lock);
      ending = TRUE;
      g_cond_broadcast (&flushed);
      g_mutex_unlock (&lock);
      g_main_context_wakeup (context);
      g_thread_join (g_steal_pointer (&thread));
      Py_END_ALLOW_THREADS
    }

  Py_RETURN_NONE;
}
