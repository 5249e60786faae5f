/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-binding.h"

#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

/* A main context that somebody else's loop runs, as that of asyncio does.
 *
 * All that the context waits for is in one epoll descriptor.  When that can be read, or the
 * time that step() has given is over, or something was begun, step() is to be called. */

/* How often one step goes round before the loop has its turn again. */
#define MAX_TURNS 16

/* Outlives the Python object while calls are under way. */
struct _MaltBindingLoop
{
  gatomicrefcount  ref_count;
  GMainContext    *context;

  /* The thread that runs the context. */
  guint            n_calls;   /* under way */
  gboolean         orphaned;  /* nobody wants results any more */
};

typedef struct
{
  PyObject_HEAD

  MaltBindingLoop *loop;
  int              epoll_fd;
  GPollFD         *fds;      /* as they are in the epoll descriptor */
  int              n_fds;
} Context;

void
malt_binding_loop_unref (MaltBindingLoop *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;

  g_main_context_unref (self->context);
  g_free (self);
}

/* A call begins whose result arrives in a context; for None in the thread-default one, and then
 * there is no loop.  FALSE with an exception set. */
gboolean
malt_binding_loop_begin_call (PyObject         *object,
                              MaltBindingLoop **loop)
{
  *loop = NULL;
  if (object == Py_None)
    return TRUE;
  if (!PyObject_TypeCheck (object, &malt_binding_context_type))
    {
      PyErr_SetString (PyExc_TypeError, "the context has to be a Context or None");
      return FALSE;
    }

  *loop = ((Context *) object)->loop;
  g_atomic_ref_count_inc (&(*loop)->ref_count);
  (*loop)->n_calls++;

  return TRUE;
}

/* It has ended.  Whether anybody wants the result.  On the thread that runs the context. */
gboolean
malt_binding_loop_end_call (MaltBindingLoop *self)
{
  self->n_calls--;
  return !self->orphaned;
}

GMainContext *
malt_binding_loop_get_context (MaltBindingLoop *self)
{
  return self->context;
}

/* Asks the context what it waits for.  The result is to be freed. */
static GPollFD *
query (GMainContext *context,
       int           max_priority,
       int          *timeout,
       int          *n)
{
  int room = 8;

  for (;;)
    {
      GPollFD *fds = g_new0 (GPollFD, room);

      *n = g_main_context_query (context, max_priority, timeout, fds, room);
      if (*n <= room)
        return fds;

      room = *n;
      g_free (fds);
    }
}

/* One turn; whether anything was ready. */
static gboolean
turn (GMainContext *context)
{
  g_autofree GPollFD *fds = NULL;
  int max_priority, timeout, n;
  gboolean ready;

  g_main_context_prepare (context, &max_priority);
  fds = query (context, max_priority, &timeout, &n);
  while (poll ((struct pollfd *) fds, (nfds_t) n, 0) < 0 && errno == EINTR)
    ;
  ready = g_main_context_check (context, max_priority, fds, n);
  if (ready)
    g_main_context_dispatch (context);

  return ready;
}

static guint32
to_epoll (gushort events)
{
  return ((events & G_IO_IN) != 0 ? EPOLLIN : 0u) | ((events & G_IO_OUT) != 0 ? EPOLLOUT : 0u) |
         ((events & G_IO_PRI) != 0 ? EPOLLPRI : 0u);
}

/* Which of the descriptors are the same one: GLib may name one several times. */
static guint32
events_of (const GPollFD *fds,
           int            n,
           int            fd)
{
  guint32 events = 0;
  int i;

  for (i = 0; i < n; i++)
    if (fds[i].fd == fd)
      events |= to_epoll (fds[i].events);

  return events;
}

static gboolean
has_fd (const GPollFD *fds,
        int            n,
        int            fd)
{
  int i;

  for (i = 0; i < n; i++)
    if (fds[i].fd == fd)
      return TRUE;

  return FALSE;
}

/* Brings the epoll descriptor in line with what the context waits for.  Takes @fds. */
static void
watch (Context *self,
       GPollFD *fds,
       int      n)
{
  int i;

  for (i = 0; i < self->n_fds; i++)
    if (!has_fd (fds, n, self->fds[i].fd))
      epoll_ctl (self->epoll_fd, EPOLL_CTL_DEL, self->fds[i].fd, NULL);

  for (i = 0; i < n; i++)
    {
      int fd = fds[i].fd;
      struct epoll_event event = { .events = events_of (fds, n, fd), .data.fd = fd };

      if (has_fd (fds, i, fd))
        continue;

      /* Each time: a descriptor that was closed has left the epoll descriptor, and its number
       * may be another one's. */
      if (epoll_ctl (self->epoll_fd, EPOLL_CTL_MOD, fd, &event) < 0 && errno == ENOENT)
        epoll_ctl (self->epoll_fd, EPOLL_CTL_ADD, fd, &event);
    }

  g_free (self->fds);
  self->fds = fds;
  self->n_fds = n;
}

/* Does what is ready.  Returns in how many milliseconds there is more to do without anything
 * to be read, -1 for never. */
static PyObject *
context_step (PyObject *object,
              PyObject *unused)
{
  Context *self = (Context *) object;
  GMainContext *context = self->loop->context;
  GPollFD *fds;
  int max_priority, timeout, turns = 0, n;
  gboolean acquired;

  Py_BEGIN_ALLOW_THREADS
  acquired = g_main_context_acquire (context);
  if (acquired)
    {
      while (turn (context) && ++turns < MAX_TURNS)
        ;
      g_main_context_prepare (context, &max_priority);
      fds = query (context, G_MAXINT, &timeout, &n);
      watch (self, fds, n);
      g_main_context_release (context);
    }
  Py_END_ALLOW_THREADS

  if (!acquired)
    {
      PyErr_SetString (PyExc_RuntimeError, "the loop of this context runs in another thread");
      return NULL;
    }

  return PyLong_FromLong (turns == MAX_TURNS ? 0 : timeout);
}

/* (function, *args): calls the function with the context as the thread-default one. */
static PyObject *
context_run (PyObject *object,
             PyObject *args)
{
  GMainContext *context = ((Context *) object)->loop->context;
  g_autoptr (PyObject) rest = NULL;
  PyObject *result;

  if (PyTuple_GET_SIZE (args) < 1)
    {
      PyErr_SetString (PyExc_TypeError, "run() needs a function");
      return NULL;
    }
  rest = PyTuple_GetSlice (args, 1, PyTuple_GET_SIZE (args));
  if (rest == NULL)
    return NULL;

  g_main_context_push_thread_default (context);
  result = PyObject_Call (PyTuple_GET_ITEM (args, 0), rest, NULL);
  g_main_context_pop_thread_default (context);

  return result;
}

static PyObject *
context_fileno (PyObject *object,
                PyObject *unused)
{
  return PyLong_FromLong (((Context *) object)->epoll_fd);
}

/* Calls that are under way hold their workers, and must come to their ends. */
static gpointer
run_orphaned (gpointer data)
{
  MaltBindingLoop *self = data;

  g_main_context_push_thread_default (self->context);
  while (self->n_calls > 0)
    g_main_context_iteration (self->context, TRUE);
  g_main_context_pop_thread_default (self->context);
  malt_binding_loop_unref (self);

  return NULL;
}

static PyObject *
context_new (PyTypeObject *type,
             PyObject     *args,
             PyObject     *keywords)
{
  Context *self = (Context *) type->tp_alloc (type, 0);

  if (self == NULL)
    return NULL;

  self->epoll_fd = epoll_create1 (EPOLL_CLOEXEC);
  if (self->epoll_fd < 0)
    {
      PyErr_SetFromErrno (PyExc_OSError);
      Py_DECREF (self);
      return NULL;
    }

  self->loop = g_new0 (MaltBindingLoop, 1);
  g_atomic_ref_count_init (&self->loop->ref_count);
  /* Whoever attaches a source wakes it, also while nobody is in it: the epoll descriptor is
   * waited for all the time. */
  self->loop->context = g_main_context_new_with_flags (G_MAIN_CONTEXT_FLAGS_OWNERLESS_POLLING);

  return (PyObject *) self;
}

static void
context_dealloc (PyObject *object)
{
  Context *self = (Context *) object;
  MaltBindingLoop *loop = g_steal_pointer (&self->loop);

  if (self->epoll_fd >= 0)
    close (self->epoll_fd);
  g_free (self->fds);

  if (loop != NULL && loop->n_calls > 0 && malt_binding_is_own_process ())
    {
      loop->orphaned = TRUE;
      g_thread_unref (g_thread_new ("malt-python-end", run_orphaned, loop));
    }
  else if (loop != NULL)
    malt_binding_loop_unref (loop);

  Py_TYPE (object)->tp_free (object);
}

static PyMethodDef context_methods[] = {
  { "fileno", context_fileno, METH_NOARGS, NULL },
  { "run", context_run, METH_VARARGS, NULL },
  { "step", context_step, METH_NOARGS, NULL },
  { NULL, NULL, 0, NULL }
};

PyTypeObject malt_binding_context_type = {
  PyVarObject_HEAD_INIT (NULL, 0)
  .tp_name = "gi.overrides._malt._native.Context",
  .tp_doc = "A main context that somebody else's loop runs.",
  .tp_basicsize = sizeof (Context),
  .tp_flags = Py_TPFLAGS_DEFAULT,
  .tp_new = context_new,
  .tp_dealloc = context_dealloc,
  .tp_methods = context_methods,
};
