/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-binding.h"

#include <math.h>

#include "malt-python-tag.h"

/* Calls whose results are put into concurrent.futures.Future objects.
 *
 * They begin on the thread that submits them.  One thread for the whole program reads what comes
 * of them, in a main context of its own, so that nobody has to run a loop.  It takes the GIL only
 * to put results where they belong, and then as many as there are by then: threads of Python that
 * compute let it have the GIL once in 5 ms.
 *
 * A thread that waits for a future does not wait for all that: it reads the answer itself, as one
 * does that blocks in a call, and puts it into the future. */

typedef enum
{
  UNDER_WAY,
  HAS_ENDED, /* and is in the queue of those that are done */
  IS_TAKEN,  /* by a thread that puts the result into the future, or has done so */
} State;

/* What a future has while its call is under way, to wait for it and to cancel it. */
typedef struct
{
  PyObject_HEAD

  /* Guarded by the GIL; until the future has its result. */
  MaltBindingJob  job;
  PyObject       *worker;  /* (owned): or a pool */
  PyObject       *future;  /* (owned) */
  PyObject       *tasks;   /* (owned) (nullable): of an executor, the set of futures that has this one */

  MaltPending    *pending; /* (owned): guarded by the GIL, %NULL until it has begun */

  /* Guarded by lock. */
  State           state;
  GList           link;
  gint           *waiter;  /* atomic, on the stack of the thread that waits: ends its wait; or %NULL */
  gboolean        is_cancelled;

  /* From when it has ended owned by who takes it. */
  GVariant       *value;
  GError         *error;
} Submission;

static GMutex lock;
/* Guarded by lock. */
static GQueue done = G_QUEUE_INIT;   /* of Submission (owned) */
static GSList *dropped;              /* of PyObject (owned) */
static guint n_waits_in_callbacks;   /* on the thread that brings what ends: see bring_meanwhile() */
static gboolean ending;

/* Set once, with the GIL, and then immutable. */
static GMainContext *context;
static GThread *thread;

/* What this thread waits for, or begins, on its stack. */
typedef struct
{
  Submission *submission;
  gboolean    is_taken;    /* its end was told on this thread, which puts the result into the future */
} Await;

static __thread Await *awaited;

/* Names that are looked up; guarded by the GIL. */
static PyObject *names[9];
enum { STATE, RESULT, CALL, CONDITION, CALLBACKS, SET_RESULT, SET_EXCEPTION, TRANSLATE, MAKE_EXCEPTION };

/* FALSE with an exception set. */
static gboolean
make_names (void)
{
  static const char *const texts[] = {
    "_state", "_result", "_malt_call", "_condition", "_done_callbacks", "_malt_set_result", "_malt_set_exception",
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

/* Puts the result of a call that this thread has taken into the future.  May drop the last
 * reference. */
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
  if (PyObject_SetAttr (self->future, names[CALL], Py_None) < 0)
    PyErr_WriteUnraisable (self->future);
  if (self->tasks != NULL && PySet_Discard (self->tasks, self->future) < 0)
    PyErr_WriteUnraisable (self->future);

  malt_binding_job_clear (&self->job);
  Py_CLEAR (self->worker);
  Py_CLEAR (self->future);
  Py_CLEAR (self->tasks);
  /* That of what has told of the end. */
  Py_DECREF (self);
}

/* On any thread, with the GIL or without. */
static void
ended_cb (GVariant *value,
          GError   *error,
          gpointer  user_data)
{
  Submission *self = user_data;
  gboolean wakes;

  g_mutex_lock (&lock);
  self->value = value;
  self->error = error;
  if (awaited != NULL && awaited->submission == self)
    {
      self->state = IS_TAKEN;
      awaited->is_taken = TRUE;
      wakes = n_waits_in_callbacks > 0; /* perhaps for this one */
    }
  else
    {
      self->state = HAS_ENDED;
      wakes = done.length == 0;
      g_queue_push_tail_link (&done, &self->link);
    }
  g_mutex_unlock (&lock);

  if (wakes && !g_main_context_is_owner (context))
    g_main_context_wakeup (context);
}

/* One that is done, for this thread to put its result into the future; or %NULL. */
static Submission *
take_next (void)
{
  Submission *self = NULL;
  GList *link;

  g_mutex_lock (&lock);
  link = g_queue_pop_head_link (&done);
  if (link != NULL)
    {
      self = link->data;
      self->state = IS_TAKEN;
    }
  g_mutex_unlock (&lock);

  return self;
}

static void
drop_all (void)
{
  GSList *list;

  g_mutex_lock (&lock);
  list = g_steal_pointer (&dropped);
  g_mutex_unlock (&lock);

  g_slist_free_full (list, (GDestroyNotify) Py_DecRef);
}

/* Drops a reference soon.  On any thread, with the GIL or without, and also after the interpreter's
 * end, when nobody drops it: what the library still has then it may let go at any time. */
void
malt_binding_drop_later (gpointer object)
{
  g_mutex_lock (&lock);
  dropped = g_slist_prepend (dropped, object);
  g_mutex_unlock (&lock);

  g_main_context_wakeup (context);
}

static void
resolve_all (void)
{
  PyGILState_STATE gil_state = PyGILState_Ensure ();
  Submission *self;

  while ((self = take_next ()) != NULL)
    resolve (self);
  drop_all ();

  PyGILState_Release (gil_state);
}

/* Whether there is something to do; FALSE when it is time to end. */
static gboolean
look (gboolean *any)
{
  gboolean go_on;

  g_mutex_lock (&lock);
  *any = done.length > 0 || dropped != NULL;
  go_on = !ending;
  g_mutex_unlock (&lock);

  return go_on;
}

static gpointer
run_thread (gpointer data)
{
  gboolean any;

  g_main_context_push_thread_default (context);

  while (look (&any))
    {
      if (any)
        resolve_all ();
      else
        g_main_context_iteration (context, TRUE);
    }

  g_main_context_pop_thread_default (context);
  return NULL;
}

/* So large that copying it should not keep others from the GIL. */
#define LARGE_SIZE (64 * 1024)

/* TRUE if it has ended at once, and this thread is to put the result into the future. */
static gboolean
begin (Submission *self)
{
  gboolean is_large = self->job.arguments != NULL && g_variant_get_size (self->job.arguments) > LARGE_SIZE;
  /* Functions of the program may be connected to a cancellable, and hold it while they run. */
  PyThreadState *thread_state = is_large || self->job.cancellable != NULL ? PyEval_SaveThread () : NULL;
  Await await = { .submission = self }, *outer = awaited;
  MaltPending *pending;

  /* An executor has locks now that it needs when it is told of failures. */
  if (self->tasks == NULL)
    awaited = &await;
  pending = malt_binding_job_begin (&self->job, context, ended_cb, self);
  awaited = outer;

  if (thread_state != NULL)
    PyEval_RestoreThread (thread_state);
  self->pending = pending;

  return await.is_taken;
}

/* Whether it has ended, and is this thread's now; @is_under_way tells whether it has not. */
static gboolean
take (Submission *self,
      gboolean   *is_under_way)
{
  gboolean is_mine;

  g_mutex_lock (&lock);
  is_mine = self->state == HAS_ENDED;
  if (is_mine)
    {
      g_queue_unlink (&done, &self->link);
      self->state = IS_TAKEN;
    }
  *is_under_way = self->state == UNDER_WAY;
  g_mutex_unlock (&lock);

  return is_mine;
}

/* Takes a job and begins it.  @tasks is the set of futures of an executor, or %NULL.  FALSE with
 * an exception set. */
gboolean
malt_binding_submit_job (MaltBindingJob *job,
                         PyObject       *future,
                         PyObject       *worker,
                         PyObject       *tasks)
{
  Submission *self = PyObject_New (Submission, &malt_binding_submission_type);

  if (self == NULL)
    return FALSE;

  self->job = *job;
  *job = (MaltBindingJob) { 0 };
  self->worker = Py_NewRef (worker);
  self->future = Py_NewRef (future);
  self->tasks = Py_XNewRef (tasks);
  self->pending = NULL;
  self->state = UNDER_WAY;
  self->link = (GList) { .data = self };
  self->waiter = NULL;
  self->is_cancelled = FALSE;
  self->value = NULL;
  self->error = NULL;

  if (!make_names () || PyObject_SetAttr (future, names[CALL], (PyObject *) self) < 0 ||
      (tasks != NULL && PySet_Add (tasks, future) < 0))
    {
      Py_DECREF (self);
      return FALSE;
    }

  if (context == NULL)
    {
      context = g_main_context_new ();
      thread = g_thread_new ("malt-python", run_thread, NULL);
    }

  /* One for who is told of its end. */
  Py_INCREF (self);
  if (begin (self))
    resolve (self);
  Py_DECREF (self);

  return TRUE;
}

static void
submission_dealloc (PyObject *object)
{
  Submission *self = (Submission *) object;

  malt_binding_job_clear (&self->job);
  g_clear_pointer (&self->pending, malt_pending_unref);
  g_clear_pointer (&self->value, g_variant_unref);
  g_clear_error (&self->error);
  Py_CLEAR (self->worker);
  Py_CLEAR (self->future);
  Py_CLEAR (self->tasks);
  PyObject_Free (self);
}

/* cancel(): the future is cancelled; its call is to end, and nobody to wait for that. */
static PyObject *
submission_cancel (PyObject *object,
                   PyObject *unused)
{
  Submission *self = (Submission *) object;
  gboolean wakes;

  if (!malt_binding_is_own_process ())
    Py_RETURN_NONE;

  g_mutex_lock (&lock);
  self->is_cancelled = TRUE;
  if (self->waiter != NULL)
    g_atomic_int_set (self->waiter, TRUE);
  wakes = n_waits_in_callbacks > 0;
  g_mutex_unlock (&lock);
  if (wakes)
    g_main_context_wakeup (context);

  if (self->pending != NULL)
    {
      Py_INCREF (self);
      Py_BEGIN_ALLOW_THREADS
      malt_pending_cancel (self->pending);
      malt_pending_wake (self->pending);
      Py_END_ALLOW_THREADS
      Py_DECREF (self);
    }

  Py_RETURN_NONE;
}

/* Waits, if nobody else does.  Without the GIL. */
static gboolean
wait_once (Submission *self,
           gint64      deadline,
           gint       *is_wanted)
{
  gboolean may_wait, has_waited;

  g_mutex_lock (&lock);
  may_wait = self->waiter == NULL && !self->is_cancelled;
  if (may_wait)
    self->waiter = is_wanted;
  g_mutex_unlock (&lock);
  if (!may_wait)
    return FALSE;

  has_waited = malt_pending_wait (self->pending, deadline, is_wanted);

  g_mutex_lock (&lock);
  self->waiter = NULL;
  g_mutex_unlock (&lock);

  return has_waited;
}

static gboolean
is_under_way (Submission *self)
{
  gboolean result;

  g_mutex_lock (&lock);
  result = self->state == UNDER_WAY && !self->is_cancelled;
  g_mutex_unlock (&lock);

  return result;
}

static gboolean
wake_cb (gpointer user_data)
{
  return G_SOURCE_REMOVE;
}

static void
count_waits_in_callbacks (int n)
{
  g_mutex_lock (&lock);
  n_waits_in_callbacks += (guint) n;
  g_mutex_unlock (&lock);
}

/* A callback waits, on the thread on which all that nobody waits for is brought: that goes on
 * meanwhile, or nobody would bring this one.  If another thread brings it, or cancels it, that
 * wakes this one. */
static void
bring_meanwhile (Submission *self,
                 gint64      deadline)
{
  GSource *timer = g_timeout_source_new (0);

  g_source_set_static_name (timer, "[malt] a wait in a callback");
  g_source_set_callback (timer, wake_cb, NULL, NULL);
  g_source_set_ready_time (timer, deadline);
  g_source_attach (timer, context);
  count_waits_in_callbacks (1);

  for (;;)
    {
      Submission *other;

      /* This one too, if it has ended just now. */
      while ((other = take_next ()) != NULL)
        resolve (other);
      if (!is_under_way (self) || (deadline >= 0 && g_get_monotonic_time () >= deadline))
        break;

      Py_BEGIN_ALLOW_THREADS
      g_main_context_iteration (context, TRUE);
      Py_END_ALLOW_THREADS
    }

  count_waits_in_callbacks (-1);
  g_source_destroy (timer);
  g_source_unref (timer);
}

/* Waits until this thread has put the result into the future, the deadline has passed, or some
 * other thread is to bring it.  FALSE with an exception set. */
static gboolean
wait_for (Submission *self,
          gint64      deadline)
{
  Await await = { .submission = self }, *outer = awaited;
  gboolean is_interrupted = FALSE, waits;

  do
    {
      MaltBindingWait wait;
      gboolean goes_on;

      waits = FALSE;
      await.is_taken = take (self, &goes_on);
      if (!goes_on || self->pending == NULL || (deadline >= 0 && g_get_monotonic_time () >= deadline))
        break;
      if (!malt_binding_wait_begin_for (&wait, self->pending))
        return FALSE;

      awaited = &await;
      waits = wait_once (self, deadline, &wait.is_wanted);
      awaited = outer;
      is_interrupted = malt_binding_wait_end (&wait, !await.is_taken);
    }
  while (waits && !await.is_taken && !is_interrupted);

  if (await.is_taken)
    {
      PyObject *exception = is_interrupted ? malt_python_take_exception () : NULL;

      resolve (self);
      if (exception != NULL)
        malt_python_give_exception (exception);
    }
  else if (!is_interrupted && g_main_context_is_owner (context))
    bring_meanwhile (self, deadline);

  return !is_interrupted;
}

/* What Python can wait for as well. */
#define MAX_SECONDS 1e9

/* wait(timeout): waits for at most so many seconds, None for ever, and returns how many are left.
 * The future has its result then, or it is to be waited for in another way. */
static PyObject *
submission_wait (PyObject *object,
                 PyObject *timeout)
{
  gint64 deadline = -1;

  if (!malt_binding_check_process ())
    return NULL;
  if (timeout != Py_None)
    {
      double seconds = PyFloat_AsDouble (timeout);

      if (seconds == -1 && PyErr_Occurred ())
        return NULL;
      if (!(seconds > 0 && seconds < MAX_SECONDS))
        return Py_NewRef (timeout);
      deadline = g_get_monotonic_time () + (gint64) ceil (seconds * G_USEC_PER_SEC);
    }

  if (!wait_for ((Submission *) object, deadline))
    return NULL;
  if (deadline < 0)
    Py_RETURN_NONE;
  return PyFloat_FromDouble ((double) MAX (0, deadline - g_get_monotonic_time ()) / G_USEC_PER_SEC);
}

static PyMethodDef submission_methods[] = {
  { "cancel", submission_cancel, METH_NOARGS, NULL },
  { "wait", submission_wait, METH_O, NULL },
  { NULL, NULL, 0, NULL }
};

PyTypeObject malt_binding_submission_type = {
  PyVarObject_HEAD_INIT (NULL, 0)
  .tp_name = "gi.overrides._malt._native.Submission",
  .tp_doc = "A call that a future is for.",
  .tp_basicsize = sizeof (Submission),
  .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
  .tp_dealloc = submission_dealloc,
  .tp_methods = submission_methods,
};

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
      g_mutex_unlock (&lock);
      g_main_context_wakeup (context);
      g_thread_join (g_steal_pointer (&thread));
      Py_END_ALLOW_THREADS
    }

  Py_RETURN_NONE;
}
