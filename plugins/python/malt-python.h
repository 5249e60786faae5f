/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-python-object.h"

#include <pthread.h>

#include "malt-python-embed.h"

G_BEGIN_DECLS

typedef struct _MaltPythonSource MaltPythonSource;
typedef struct _MaltPythonTask   MaltPythonTask;

/* A stretch of time in which Python code runs for a request, or (without a request)
 * in which the loop runs callbacks that belong to none. */
typedef struct
{
  MaltRequest *request;     /* the holder of the run keeps it alive */

  /* Atomic. */
  gint         interrupted; /* there was at least one interrupt */
  gint         cancelled;   /* it was asked to give up */
} MaltPythonRun;

/* Python as one worker sees it: the interpreter is the process's, but each worker has
 * its own serving thread, asyncio loop and requests.  Lock order: GIL, then lock. */
struct _MaltPython
{
  /* Immutable once started. */
  MaltRuntime   *runtime;      /* not owned: it owns this */
  gboolean       own_process;  /* Python's main thread is ours, and SIGINT */
  MaltPythonValues values;     /* what becomes of values on their way */
  pthread_t      thread;       /* the serving thread */
  unsigned long  thread_ident; /* the same, for Python */
  PyThreadState *thread_state; /* of the serving thread */

  /* The serving thread only. */
  PyThreadState *state;        /* its Python state while it does not hold the GIL, or %NULL */
  gint64         gil_since;    /* since when it has had the GIL, monotonic */
  guint          n_in_a_row;   /* requests, since the loop has run last */
  GMainContext  *context;      /* runs in wait() */
  MaltPythonSource *source;    /* in context: the descriptors that wait() waits for; or %NULL */

  /* The serving thread only, with the GIL. */
  PyObject      *loop;         /* the asyncio loop; %NULL until something awaits */
  PyObject      *loop_stop;    /* its stop() */
  int            loop_fd;      /* the descriptor that stops it, or -1 outside of wait() */
  GQueue         host_calls;   /* of MaltPythonHostCall, that coroutines await */
  MaltPythonRun  background;   /* running while the loop runs, between requests' steps */

  int            wake_fd;      /* eventfd: tasks in asked */
  gint           arriving;     /* atomic: handle() has a request that has not begun to run; ends
                                  under lock */

  GMutex         lock;
  /* Guarded by lock. */
  MaltPythonRun *running;      /* what runs now, or %NULL */
  gboolean       arriving_hit; /* what arrives is interrupted */
  gint64         background_since; /* when background began to run last, monotonic */
  guint64        step;         /* counts what has run, to tell one from the next */
  guint64        raising;      /* the step into which a thread is about to send an interrupt, or 0 */
  gboolean       signalled;    /* an interrupt was sent into what runs now */
  gint64         nudge_usec;   /* until the next nudge, or 0 if no thread nudges */
  GCond          nudge_cond;   /* signalled changes, or there was one more interrupt */
  gboolean       shielded;     /* none may be sent now */
  gboolean       shield_hit;   /* but one was to be */
  GHashTable    *tasks;        /* MaltRequest → MaltPythonTask (owned): suspended coroutines */
  GQueue         order;        /* the same, in the order in which they began */
  GQueue         asked;        /* those that are to be cancelled by the serving thread */
  GQueue         host_answers; /* of MaltPythonHostCall: what their loop is to hear of */
  gboolean       host_ended;   /* nobody awaits any any more */
  GCancellable  *waiting;      /* not owned: what ends the wait that the serving thread is in */
};

G_END_DECLS
