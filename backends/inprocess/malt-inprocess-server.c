/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-inprocess-server.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* So many requests are begun one after the other before those that wait for something
 * get their turn; else a full queue could hold them up for ever. */
#define MAX_IN_A_ROW 64

/* Where the server is in its life; it only ever goes down this list.
 *
 * NEW: there is no thread yet.
 * SERVING: the thread makes the runtime and takes requests.
 * STOPPING: the thread ends after what it runs now, and reports that.
 * KILLED: the end is being reported by whoever kills the worker; the thread may still
 *   run, but takes nothing down before that is done.
 * ENDED: the end has been reported.  If the worker was killed the thread may still be
 *   inside a function that it cannot leave: nobody waits for it, it touches nothing but
 *   this struct, and frees it when the function returns. */
typedef enum
{
  STATE_NEW,
  STATE_SERVING,
  STATE_STOPPING,
  STATE_KILLED,
  STATE_ENDED,
} State;

/* Shared by the worker object and the thread, each of which holds a reference.  The
 * thread has no strong reference to the worker, or the worker's last unref would
 * never come. */
struct _MaltInprocessServer
{
  gatomicrefcount  ref_count;
  MaltWeakWorker  *worker;      /* immutable */

  /* Set before the thread is made, not changed after. */
  char            *runtime_name;
  char           **search_path;
  GVariant        *options;

  GMutex           lock;
  GCond            changed;     /* the state did, or visitors went down to none */
  State            state;       /* (mutex lock) */
  int              wake_fd;     /* (mutex lock) eventfd: the thread is to look at queue
                                   and state; -1 if there is no thread */
  GQueue           queue;       /* (mutex lock) of MaltRequest, owned */
  MaltRequest     *current;     /* (mutex lock) (owned) what the thread runs now */
  MaltRuntime     *runtime;     /* (mutex lock) (owned) while others may call it */
  guint            visitors;    /* (mutex lock) calls into runtime from other threads */
  GHashTable      *host_calls;  /* (mutex lock) MaltRequest of the runtime, not owned: those that
                                   the program has not answered → GCancellable, owned, of the one
                                   that the program was given */
};

static void
wake_locked (MaltInprocessServer *self)
{
  const guint64 one = 1;

  if (self->wake_fd < 0)
    return;

  /* It can only fail if the counter is full, and then the thread is awake. */
  while (write (self->wake_fd, &one, sizeof one) < 0 && errno == EINTR)
    ;
}

static void
forget_wakes (MaltInprocessServer *self)
{
  guint64 count;

  while (read (self->wake_fd, &count, sizeof count) < 0 && errno == EINTR)
    ;
}

MaltInprocessServer *
malt_inprocess_server_new (MaltWorker *worker)
{
  MaltInprocessServer *self = g_new0 (MaltInprocessServer, 1);

  g_atomic_ref_count_init (&self->ref_count);
  self->worker = malt_weak_worker_new (worker);
  self->wake_fd = -1;
  g_mutex_init (&self->lock);
  g_cond_init (&self->changed);
  g_queue_init (&self->queue);
  self->host_calls = g_hash_table_new_full (NULL, NULL, NULL, g_object_unref);

  return self;
}

MaltInprocessServer *
malt_inprocess_server_ref (MaltInprocessServer *self)
{
  g_atomic_ref_count_inc (&self->ref_count);

  return self;
}

void
malt_inprocess_server_unref (MaltInprocessServer *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;

  g_assert (self->wake_fd < 0);
  g_assert (self->queue.length == 0 && self->current == NULL && self->runtime == NULL);

  malt_weak_worker_unref (self->worker);
  g_free (self->runtime_name);
  g_strfreev (self->search_path);
  g_clear_pointer (&self->options, g_variant_unref);
  g_hash_table_unref (self->host_calls);
  g_mutex_clear (&self->lock);
  g_cond_clear (&self->changed);
  g_free (self);
}

/* Calling the runtime from other threads.  The runtime is not stopped while anybody
 * is between enter() and leave(). */

static MaltRuntime *
enter (MaltInprocessServer *self)
{
  MaltRuntime *runtime;

  g_mutex_lock (&self->lock);
  runtime = self->runtime;
  if (runtime != NULL)
    self->visitors++;
  g_mutex_unlock (&self->lock);

  return runtime;
}

static void
leave (MaltInprocessServer *self)
{
  g_mutex_lock (&self->lock);
  if (--self->visitors == 0)
    g_cond_signal (&self->changed);
  g_mutex_unlock (&self->lock);
}

void
malt_inprocess_server_cancel (MaltInprocessServer *self,
                              MaltRequest         *request)
{
  MaltRuntime *runtime = enter (self);

  if (runtime == NULL)
    return;

  malt_runtime_cancel (runtime, request);
  leave (self);
}

/* Gives what the thread is about to begin, or if nothing is under way takes the latest out of
 * the queue. */
static void
find_early (MaltInprocessServer  *self,
            MaltRequest         **next,
            MaltRequest         **queued)
{
  g_mutex_lock (&self->lock);
  if (self->current != NULL && !malt_request_is_done (self->current))
    *next = !malt_request_has_begun (self->current) ? g_object_ref (self->current) : NULL;
  else if (self->runtime != NULL && !malt_runtime_has_unfinished (self->runtime))
    *queued = g_queue_pop_tail (&self->queue);
  g_mutex_unlock (&self->lock);
}

void
malt_inprocess_server_interrupt (MaltInprocessServer *self,
                                 MaltRequest         *request)
{
  g_autoptr (MaltRequest) next = NULL;
  g_autoptr (MaltRequest) queued = NULL;
  MaltRuntime *runtime;

  if (request == NULL)
    find_early (self, &next, &queued);
  else if (malt_inprocess_server_withdraw (self, request))
    queued = g_object_ref (request);

  if (queued != NULL)
    malt_request_return_new_error (queued, MALT_ERROR, MALT_ERROR_INTERRUPTED,
                                   "the request was interrupted before it started");

  runtime = queued == NULL ? enter (self) : NULL;
  if (runtime == NULL)
    return;

  malt_runtime_interrupt (runtime, next != NULL ? next : request);
  leave (self);
}

/* Breaks off what runs now, and nothing that waits.  Naming the request reaches it also
 * in the moment between the queue and the runtime. */
static void
interrupt_current (MaltInprocessServer *self)
{
  g_autoptr (MaltRequest) current = NULL;

  g_mutex_lock (&self->lock);
  if (self->current != NULL)
    current = g_object_ref (self->current);
  g_mutex_unlock (&self->lock);

  if (current != NULL)
    malt_inprocess_server_interrupt (self, current);
}

/* What the code that runs asks of the program: the worker object hears it at once, and what
 * it answers comes to the thread that waits without anybody's help. */

/* A call that the program has not answered. */
typedef struct
{
  MaltInprocessServer *server;  /* owned */
  MaltRequest         *request; /* owned: the runtime's */
} HostCall;

static void
host_answer_cb (MaltRequest *request,
                GVariant    *value,
                GError      *error,
                gpointer     user_data)
{
  HostCall *call = user_data;
  g_autoptr (MaltInprocessServer) self = call->server;
  g_autoptr (MaltRequest) inner = call->request;
  g_autoptr (GVariant) own_value G_GNUC_UNUSED = value;
  g_autoptr (GCancellable) cancellable G_GNUC_UNUSED = NULL;

  g_mutex_lock (&self->lock);
  g_hash_table_steal_extended (self->host_calls, inner, NULL, (gpointer *) &cancellable);
  g_mutex_unlock (&self->lock);

  if (error != NULL)
    malt_request_return_error (inner, error);
  else
    malt_request_return_value (inner, value);
  g_free (call);
}

/* The program gets a request of its own, which it may drop, and keep when nobody waits any
 * more. */
static void
host_call (MaltRequest *request,
           gboolean     stalls,
           gpointer     user_data)
{
  MaltInprocessServer *self = user_data;
  g_autoptr (MaltWorker) worker = malt_weak_worker_get (self->worker);

  if (worker != NULL)
    {
      g_autoptr (MaltRequest) outer = NULL;
      HostCall *call = g_new (HostCall, 1);

      *call = (HostCall) { malt_inprocess_server_ref (self), g_object_ref (request) };
      outer = malt_request_new_host_call (malt_request_get_function (request),
                                          malt_request_get_arguments (request),
                                          malt_request_get_keywords (request),
                                          host_answer_cb, call);
      g_mutex_lock (&self->lock);
      g_hash_table_insert (self->host_calls, request, g_object_ref (malt_request_get_cancellable (outer)));
      g_mutex_unlock (&self->lock);
      malt_worker_handle_host_call (worker, outer, stalls);
    }
  else
    malt_request_return_new_error (request, G_IO_ERROR, G_IO_ERROR_CLOSED, "the program has dropped this worker");
}

static void
host_drop (MaltRequest *request,
           gpointer     user_data)
{
  MaltInprocessServer *self = user_data;
  g_autoptr (GCancellable) cancellable = NULL;
  g_autoptr (MaltWorker) worker = NULL;

  g_mutex_lock (&self->lock);
  cancellable = g_hash_table_lookup (self->host_calls, request);
  if (cancellable != NULL)
    g_object_ref (cancellable);
  g_mutex_unlock (&self->lock);

  if (cancellable != NULL)
    worker = malt_weak_worker_get (self->worker);
  if (worker != NULL)
    malt_worker_drop_host_call (worker, cancellable);
}

static void
host_progress (MaltRequest *request,
               double       fraction,
               const char  *text,
               gpointer     user_data)
{
  MaltInprocessServer *self = user_data;
  g_autoptr (MaltWorker) worker = malt_weak_worker_get (self->worker);

  if (worker != NULL)
    malt_worker_report_progress (worker, request, fraction, text);
}

static const MaltRuntimeHost runtime_host = {
  .call = host_call,
  .progress = host_progress,
  .drop = host_drop,
};

/* The thread. */

static gboolean
start_runtime (MaltInprocessServer  *self,
               GError              **error)
{
  g_autoptr (MaltRuntime) runtime = NULL;

  runtime = malt_runtime_new (self->runtime_name, FALSE,
                              (const char * const *) self->search_path, error);
  if (runtime == NULL)
    return FALSE;

  malt_runtime_set_host (runtime, &runtime_host, malt_inprocess_server_ref (self),
                         (GDestroyNotify) malt_inprocess_server_unref);
  if (!malt_runtime_start (runtime, self->options, error))
    return FALSE;

  g_mutex_lock (&self->lock);
  self->runtime = g_steal_pointer (&runtime);
  g_mutex_unlock (&self->lock);

  return TRUE;
}

static void
stop_runtime (MaltInprocessServer *self)
{
  g_autoptr (MaltRuntime) runtime = NULL;

  g_mutex_lock (&self->lock);
  /* What waits in the runtime is dropped with it, and must have failed by then for the
   * right reason. */
  while (self->state == STATE_KILLED)
    g_cond_wait (&self->changed, &self->lock);
  runtime = g_steal_pointer (&self->runtime);
  while (self->visitors > 0)
    g_cond_wait (&self->changed, &self->lock);
  g_mutex_unlock (&self->lock);

  malt_runtime_stop (runtime);
}

/* Makes the next request the current one, unless there is none.  The server holds it
 * while it runs.  In a pause none is taken, and the wait that follows is a short one.
 * FALSE if there are to be no more. */
static gboolean
take_next (MaltInprocessServer *self,
           gboolean             pause)
{
  g_autoptr (MaltRequest) last = NULL;
  gboolean serving;

  g_mutex_lock (&self->lock);
  last = g_steal_pointer (&self->current);
  serving = self->state == STATE_SERVING;
  if (serving && !pause)
    self->current = g_queue_pop_head (&self->queue);
  if (pause)
    wake_locked (self);
  g_mutex_unlock (&self->lock);

  return serving;
}

static void
serve (MaltInprocessServer *self)
{
  guint in_a_row = 0;

  /* Only this thread changes what it reads here, so it needs no lock. */
  while (take_next (self, in_a_row == MAX_IN_A_ROW))
    {
      if (self->current != NULL)
        {
          if (!malt_request_is_done (self->current))
            malt_runtime_handle (self->runtime, self->current);
          in_a_row++;
        }
      else
        {
          malt_runtime_wait (self->runtime, self->wake_fd);
          forget_wakes (self);
          in_a_row = 0;
        }
    }
}

/* Says that the worker has ended, which fails all of its requests; in dispose there is
 * nobody left to hear it.  A thread that ends on its own ends well; it has no other exit
 * code. */
static void
report (MaltInprocessServer *self,
        MaltExitKind         kind,
        int                  signum)
{
  g_autoptr (MaltWorker) worker = malt_weak_worker_get (self->worker);
  g_autoptr (MaltExitInfo) exit_info = NULL;

  if (worker == NULL)
    return;

  exit_info = g_object_new (MALT_TYPE_EXIT_INFO,
                            "kind", kind,
                            "exit-code", signum == 0 ? 0 : -1,
                            "signal", signum,
                            NULL);
  malt_worker_report_terminated (worker, exit_info);
}

/* Drops the requests that will not run, once they have failed. */
static void
drop_queue (MaltInprocessServer *self)
{
  GQueue queue;

  g_mutex_lock (&self->lock);
  queue = self->queue;
  g_queue_init (&self->queue);
  g_mutex_unlock (&self->lock);

  g_queue_clear_full (&queue, g_object_unref);
}

typedef struct
{
  MaltInprocessServer *server;
  MaltRequest         *request; /* until it is finished */
  GMainContext        *context; /* the thread's own */
} Start;

static void
start_free (Start *start)
{
  malt_inprocess_server_unref (start->server);
  g_clear_object (&start->request);
  g_main_context_unref (start->context);
  g_free (start);
}

static gpointer
thread_main (gpointer data)
{
  Start *start = data;
  MaltInprocessServer *self = start->server;
  GError *error = NULL;
  gboolean unreported;

  g_main_context_push_thread_default (start->context);

  if (start_runtime (self, &error))
    {
      malt_request_return_value (start->request, NULL);
      g_clear_object (&start->request);
      serve (self);
      stop_runtime (self);
    }
  else
    {
      malt_request_return_error (start->request, error);
    }

  g_main_context_pop_thread_default (start->context);

  g_mutex_lock (&self->lock);
  unreported = self->state == STATE_SERVING || self->state == STATE_STOPPING;
  if (unreported)
    self->state = STATE_ENDED;
  close (self->wake_fd);
  self->wake_fd = -1;
  g_mutex_unlock (&self->lock);

  if (unreported)
    report (self, MALT_EXIT_KIND_STOPPED, 0);
  drop_queue (self);
  start_free (start);

  return NULL;
}

/* A context for the thread, and the descriptor with which to wake it.  FALSE with
 * @error set if the system has no more descriptors. */
static gboolean
open_descriptors (int           *wake_fd,
                  GMainContext **context,
                  GError       **error)
{
  int fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  int spare = fd >= 0 ? eventfd (0, EFD_CLOEXEC) : -1;

  if (spare < 0)
    {
      g_set_error (error, MALT_ERROR, MALT_ERROR_START,
                   "an in-process worker could not open an eventfd: %s", g_strerror (errno));
      if (fd >= 0)
        close (fd);
      return FALSE;
    }

  /* GLib ends the program if it has no descriptor for a context; so see first that
   * there is one. */
  close (spare);
  *context = g_main_context_new ();
  *wake_fd = fd;

  return TRUE;
}

/* Makes the thread, which finishes @request when the runtime is ready or has failed.
 * If there is no thread it is left to the caller, with @error set. */
gboolean
malt_inprocess_server_start (MaltInprocessServer  *self,
                             MaltLauncher         *launcher,
                             MaltRequest          *request,
                             GError              **error)
{
  g_autoptr (GError) reason = NULL;
  g_autoptr (GThread) thread = NULL;
  GMainContext *context;
  Start *start;
  gboolean stopped;
  int wake_fd;

  if (!open_descriptors (&wake_fd, &context, error))
    return FALSE;

  self->runtime_name = g_strdup (malt_launcher_get_runtime (launcher));
  self->search_path = g_strdupv ((char **) malt_launcher_get_search_path (launcher));
  self->options = malt_launcher_get_runtime_options (launcher);
  if (self->options != NULL)
    g_variant_ref (self->options);

  start = g_new (Start, 1);
  start->server = malt_inprocess_server_ref (self);
  start->request = g_object_ref (request);
  start->context = context;

  /* Under the lock, so that a worker that was stopped by now gets no thread, and one
   * that is stopped a moment later has one that sees it. */
  g_mutex_lock (&self->lock);
  stopped = self->state != STATE_NEW;
  if (!stopped)
    thread = g_thread_try_new ("malt-inprocess", thread_main, start, &reason);
  if (thread != NULL)
    {
      self->state = STATE_SERVING;
      self->wake_fd = wake_fd;
    }
  g_mutex_unlock (&self->lock);

  if (thread != NULL)
    return TRUE;

  start_free (start);
  close (wake_fd);
  if (stopped)
    g_set_error (error, MALT_ERROR, MALT_ERROR_TERMINATED, "the worker was stopped before it had started");
  else
    g_set_error (error, MALT_ERROR, MALT_ERROR_START,
                 "an in-process worker could not start its thread: %s", reason->message);
  return FALSE;
}

/* Puts the request at the end of the queue; FALSE if no more are taken. */
gboolean
malt_inprocess_server_push (MaltInprocessServer *self,
                            MaltRequest         *request)
{
  gboolean serving;

  g_mutex_lock (&self->lock);
  serving = self->state == STATE_SERVING;
  if (serving)
    {
      g_queue_push_tail (&self->queue, g_object_ref (request));
      wake_locked (self);
    }
  g_mutex_unlock (&self->lock);

  return serving;
}

/* Takes the request out of the queue; FALSE if it is not there (any more). */
gboolean
malt_inprocess_server_withdraw (MaltInprocessServer *self,
                                MaltRequest         *request)
{
  gboolean was_there;

  g_mutex_lock (&self->lock);
  was_there = g_queue_remove (&self->queue, request);
  g_mutex_unlock (&self->lock);

  if (was_there)
    g_object_unref (request);

  return was_there;
}

/* Asks the thread to end; it reports that when it does. */
void
malt_inprocess_server_stop (MaltInprocessServer *self)
{
  State before;

  g_mutex_lock (&self->lock);
  before = self->state;
  if (before == STATE_NEW)
    self->state = STATE_ENDED;
  else if (before == STATE_SERVING)
    self->state = STATE_STOPPING;
  wake_locked (self);
  g_mutex_unlock (&self->lock);

  if (before == STATE_NEW)
    report (self, MALT_EXIT_KIND_STOPPED, 0);
  else if (before == STATE_SERVING)
    interrupt_current (self);
}

/* Reports the end at once, and lets the thread go: it ends when it can. */
void
malt_inprocess_server_kill (MaltInprocessServer *self,
                            int                  signum)
{
  State before;

  g_mutex_lock (&self->lock);
  before = self->state;
  if (before < STATE_KILLED)
    self->state = STATE_KILLED;
  g_mutex_unlock (&self->lock);

  if (before >= STATE_KILLED)
    return;

  /* Whoever was to stop counts as stopped, whatever it took. */
  report (self, before == STATE_STOPPING ? MALT_EXIT_KIND_STOPPED : MALT_EXIT_KIND_SIGNALLED, signum);

  g_mutex_lock (&self->lock);
  self->state = STATE_ENDED;
  g_cond_signal (&self->changed);
  wake_locked (self);
  g_mutex_unlock (&self->lock);
  drop_queue (self);

  /* Nobody waits for what it runs now; but it may as well stop. */
  malt_inprocess_server_interrupt (self, NULL);
}
