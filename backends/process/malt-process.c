/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-process.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gunixinputstream.h>
#include <glib-unix.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "malt-debug.h"
#include "malt-descriptor.h"
#include "malt-exit-status.h"
#include "malt-fork.h"
#include "malt-frame-writer.h"
#include "malt-limits.h"
#include "malt-message.h"
#include "malt-output-pump.h"
#include "malt-ring-transport.h"
#include "malt-socket-transport.h"
#include "malt-spawn.h"

/* A worker's process, from before it exists until nothing of it is left.
 *
 * It begins as a plan.  On the library context it is spawned, and sent a hello; then the
 * first of these decides: its hello (the start request is answered, and the connection
 * takes over the data road), its refusal, the start helper's report that something went
 * wrong, or its death.  A start that has failed is answered when the process is gone and
 * has said all that it has to say on its standard error.
 *
 * Its death is what the pidfd says, and nothing else: a child may keep its sockets open,
 * and a process that only closes its connection is given a moment to die by itself.  Then
 * its process group is ended, what it has sent is read to the end and delivered, and the
 * worker object, if there is still one, reports it.
 *
 * Sources on the library context hold a reference each. */

/* How long a process that has closed its connection may take to die. */
#define CLOSED_MSEC 1000
/* How long a process whose worker object is gone may take to stop. */
#define LET_GO_MSEC 5000

/* How long the tracer of a dead process, such as a debugger, may take to let go of it; and
 * how often it is looked whether it has, when nobody waits for that any more. */
#define TRACED_MSEC 200
#define REAP_LATER_MSEC 2000

#define DEATH_SIGNAL SIGHUP

struct _MaltProcess
{
  gatomicrefcount  ref_count;

  /* Immutable. */
  MaltWeakWorker  *worker;
  guint            generation;  /* see malt-fork.c */
  /* Set once, when it is started. */
  MaltProcessPlan *plan;
  /* Set once, before the start request is answered. */
  MaltConnection  *connection;

  /* Owned by the library context. */
  MaltRequest     *start_request;  /* until it is answered */
  GError          *start_error;    /* what it will be answered with */
  MaltTransport   *transport;      /* until the connection takes it over, as the two below */
  MaltTransport   *ring;           /* until it takes the transport's place */
  MaltFrameReader *reader;
  int              control_fd;
  int              status_fd;
  int              stderr_fd;      /* only until it is handed out */
  GSource         *status_source;
  GSource         *hello_source;
  GSource         *exit_source;
  GSource         *kill_source;    /* a moment's grace */
  gboolean         is_closed;      /* it has closed its connection */
  MaltOutputPump  *stdout_pump;
  MaltOutputPump  *stderr_pump;
  guint64          inherited_peak;
  guint64          oom_kills;

  GMutex           lock;
  /* Guarded by lock: whether and how the process can be sent signals. */
  int              pidfd;          /* -1 before it exists and after it was reaped */
  pid_t            pid;
  guint64          signals_sent;
  gboolean         stop_requested;
  gboolean         connection_lost;
  char            *protocol_failure;
};

static MaltProcess *
malt_process_ref (MaltProcess *self)
{
  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

static void
malt_process_unref (MaltProcess *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;

  g_assert (self->pidfd == -1);
  g_assert (self->start_request == NULL);

  g_clear_pointer (&self->connection, malt_connection_unref);
  g_clear_pointer (&self->plan, malt_process_plan_free);
  g_clear_error (&self->start_error);
  g_free (self->protocol_failure);
  malt_weak_worker_unref (self->worker);
  g_mutex_clear (&self->lock);
  g_free (self);
}

MaltProcess *
malt_process_new (MaltWorker *worker)
{
  MaltProcess *self = g_new0 (MaltProcess, 1);

  g_atomic_ref_count_init (&self->ref_count);
  g_mutex_init (&self->lock);
  self->worker = malt_weak_worker_new (worker);
  self->generation = malt_fork_get_generation ();
  self->control_fd = self->status_fd = self->stderr_fd = self->pidfd = -1;

  return self;
}

static GSource *
attach (MaltProcess *self,
        GSource     *source,
        const char  *name,
        GSourceFunc  func)
{
  g_source_set_static_name (source, name);
  g_source_set_callback (source, func, malt_process_ref (self), (GDestroyNotify) malt_process_unref);
  g_source_attach (source, malt_get_library_context ());

  return source;
}

static void
detach (GSource **source)
{
  if (*source != NULL)
    {
      g_source_destroy (*source);
      g_clear_pointer (source, g_source_unref);
    }
}

/* Signals. */

/* A copy of the manager that was forked has the same descriptors, and drops its objects
 * when it exits; the worker is not its to end, and the lock is in whatever state it was. */
static gboolean
is_forked_copy (MaltProcess *self)
{
  return self->generation != malt_fork_get_generation ();
}

/* Sends the signal, if there is still somebody to get it.  SIGKILL goes to everything in
 * the process group, and keeps a process from being started that does not exist yet.  On
 * any thread. */
void
malt_process_kill (MaltProcess *self,
                   int          signum)
{
  if (is_forked_copy (self))
    return;

  g_mutex_lock (&self->lock);
  self->signals_sent |= MALT_EXIT_SIGNAL_BIT (signum);
  if (self->pidfd != -1)
    {
      if (signum == SIGKILL && !self->plan->share_process_group)
        kill (-self->pid, SIGKILL); /* not reaped, so that the number is still its own */
      syscall (SYS_pidfd_send_signal, self->pidfd, signum, NULL, 0);
      if (signum == SIGTERM)
        syscall (SYS_pidfd_send_signal, self->pidfd, SIGCONT, NULL, 0);
      MALT_DEBUG (PROCESS, "sent signal %d to %d", signum, (int) self->pid);
    }
  g_mutex_unlock (&self->lock);
}

static gboolean
is_killed (MaltProcess *self)
{
  gboolean result;

  g_mutex_lock (&self->lock);
  result = (self->signals_sent & MALT_EXIT_SIGNAL_BIT (SIGKILL)) != 0;
  g_mutex_unlock (&self->lock);

  return result;
}

static gboolean
kill_cb (gpointer user_data)
{
  MaltProcess *self = user_data;

  g_clear_pointer (&self->kill_source, g_source_unref);
  if (self->is_closed)
    {
      g_mutex_lock (&self->lock);
      self->connection_lost = TRUE;
      g_mutex_unlock (&self->lock);
    }
  malt_process_kill (self, SIGKILL);

  return G_SOURCE_REMOVE;
}

/* Kills the process unless it dies by itself soon. */
static void
kill_later (MaltProcess *self,
            guint        msec)
{
  if (self->kill_source == NULL && self->exit_source != NULL)
    self->kill_source = attach (self, g_timeout_source_new (msec), "[malt] grace", kill_cb);
}

/* Losing the connection. */

typedef struct
{
  MaltProcess *process;
  char        *reason;
} Loss;

static void
loss_free (Loss *loss)
{
  malt_process_unref (loss->process);
  g_free (loss->reason);
  g_free (loss);
}

static void
note_breach (MaltProcess *self,
             const char  *reason)
{
  g_mutex_lock (&self->lock);
  self->connection_lost = TRUE;
  if (self->protocol_failure == NULL)
    self->protocol_failure = g_strdup (reason);
  g_mutex_unlock (&self->lock);
}

static gboolean
lost_on_library_cb (gpointer user_data)
{
  Loss *loss = user_data;
  MaltProcess *self = loss->process;

  if (self->exit_source == NULL)
    return G_SOURCE_REMOVE;

  if (loss->reason == NULL)
    {
      /* Most likely it is dying right now, and its exit status will tell. */
      self->is_closed = TRUE;
      kill_later (self, CLOSED_MSEC);
      return G_SOURCE_REMOVE;
    }

  note_breach (self, loss->reason);
  malt_process_kill (self, SIGKILL);

  return G_SOURCE_REMOVE;
}

static void
lost_cb (const char *reason,
         gpointer    user_data)
{
  Loss *loss = g_new (Loss, 1);

  *loss = (Loss) { malt_process_ref (user_data), g_strdup (reason) };
  g_main_context_invoke_full (malt_get_library_context (), G_PRIORITY_DEFAULT, lost_on_library_cb,
                              loss, (GDestroyNotify) loss_free);
}

/* What becomes of a start.  All of it on the library context. */

/* Gives the start up.  Takes the error; the request is answered once the process is
 * gone. */
static void
fail_start (MaltProcess *self,
            GError      *error)
{
  if (self->start_error == NULL)
    self->start_error = error;
  else
    g_error_free (error);

  detach (&self->status_source);
  detach (&self->hello_source);
  malt_process_kill (self, SIGKILL);
}

static gboolean
status_cb (int           fd,
           GIOCondition  condition,
           gpointer      user_data)
{
  MaltProcess *self = user_data;
  GError *error = NULL;

  switch (malt_spawn_read_status (fd, self->plan->program,
                                  self->plan->directory != NULL ? self->plan->directory : "/", &error))
    {
    case MALT_SPAWN_STATE_STARTING:
      return G_SOURCE_CONTINUE;
    case MALT_SPAWN_STATE_FAILED:
      fail_start (self, error);
      return G_SOURCE_REMOVE;
    case MALT_SPAWN_STATE_STARTED:
    default:
      detach (&self->status_source);
      malt_clear_fd (&self->status_fd);
      return G_SOURCE_REMOVE;
    }
}

/* Goes on over the ring, if the worker has said that it will. */
static gboolean
hand_over_ring (MaltProcess  *self,
                GVariant     *hello,
                GError      **error)
{
  g_autoptr (MaltTransport) ring = g_steal_pointer (&self->ring);
  gboolean wants_ring = FALSE;

  if (ring == NULL || !g_variant_lookup (hello, "ring", "b", &wants_ring) || !wants_ring)
    return TRUE;

  if (malt_frame_reader_has_more (self->reader))
    {
      g_set_error (error, MALT_ERROR, MALT_ERROR_START,
                   "%s does not speak the protocol: something came between its hello and the ring",
                   self->plan->program);
      return FALSE;
    }
  if (!malt_ring_transport_hand_over (ring, self->transport->fd, error))
    return FALSE;

  malt_socket_transport_steal_fd (self->transport);
  malt_transport_free (self->transport);
  self->transport = g_steal_pointer (&ring);
  return TRUE;
}

static void
finish_start (MaltProcess *self,
              GVariant    *hello)
{
  g_autoptr (MaltRequest) request = NULL;
  gboolean may_speak = FALSE;
  gboolean has_channels = FALSE, takes_back = FALSE;
  GError *error = NULL;

  if (!hand_over_ring (self, hello, &error))
    {
      fail_start (self, error);
      return;
    }

  self->connection = malt_connection_new (g_steal_pointer (&self->transport),
                                          g_steal_pointer (&self->reader),
                                          self->control_fd,
                                          self->plan->max_value_size,
                                          lost_cb, malt_process_ref (self),
                                          (GDestroyNotify) malt_process_unref,
                                          &error);
  self->control_fd = -1;
  if (self->connection == NULL)
    {
      fail_start (self, error);
      return;
    }

  g_variant_lookup (hello, "host", "b", &may_speak);
  malt_connection_set_worker (self->connection, self->worker, may_speak, may_speak ? self->plan->streams : 0);
  if (g_variant_lookup (hello, "channels", "b", &has_channels) && has_channels)
    malt_connection_allow_channels (self->connection);
  if (g_variant_lookup (hello, "unbegun", "b", &takes_back) && takes_back)
    malt_connection_allow_taking_back (self->connection);

  detach (&self->hello_source);
  detach (&self->status_source);
  malt_clear_fd (&self->status_fd);
  malt_clear_fd (&self->stderr_fd);
  request = g_steal_pointer (&self->start_request);
  malt_request_return_value (request, NULL);
}

static gboolean
hello_cb (int           fd,
          GIOCondition  condition,
          gpointer      user_data)
{
  MaltProcess *self = user_data;
  g_autoptr (GBytes) body = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) hello = NULL;
  GError *refusal = NULL;
  gconstpointer data;
  MaltFrame frame;

  switch (malt_frame_reader_next (self->reader, self->transport, &frame, &data, &body, &error))
    {
    case MALT_IO_AGAIN:
      return G_SOURCE_CONTINUE;
    case MALT_IO_CLOSED:
      detach (&self->hello_source);
      self->is_closed = TRUE;
      kill_later (self, CLOSED_MSEC);
      return G_SOURCE_REMOVE;
    case MALT_IO_FAILED:
      break;
    case MALT_IO_DONE:
    default:
      if (frame.type == MALT_FRAME_HELLO)
        hello = malt_message_read_dictionary (data, frame.length, &error);
      else if (frame.type == MALT_FRAME_FAILED)
        refusal = malt_message_read_error (data, frame.length, &error);
      else
        g_set_error (&error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                     "a frame of type %s came instead of a hello", malt_frame_type_name (frame.type));
    }

  if (refusal != NULL)
    fail_start (self, refusal);
  else if (hello != NULL)
    finish_start (self, hello);
  else
    fail_start (self, g_error_new (MALT_ERROR, MALT_ERROR_START,
                                   "%s does not speak the protocol: %s", self->plan->program, error->message));

  return G_SOURCE_REMOVE;
}

/* The end of a process. */

/* What the process has printed on its standard error, as far as it was not handed out. */
static char *
dup_stderr_tail (MaltProcess *self)
{
  char buffer[4096];
  gssize n;

  if (self->stderr_pump != NULL)
    return malt_output_pump_dup_tail (self->stderr_pump);
  if (self->stderr_fd == -1)
    return NULL;

  n = read (self->stderr_fd, buffer, sizeof buffer);
  return n > 0 ? g_utf8_make_valid (buffer, n) : NULL;
}

/* Answers a start request that has failed. */
static void
answer_failed_start (MaltProcess  *self,
                     MaltExitInfo *exit_info)
{
  g_autoptr (MaltRequest) request = g_steal_pointer (&self->start_request);
  const char *tail = malt_exit_info_get_stderr (exit_info);
  g_autofree char *text = tail != NULL ? g_strchomp (g_strdup (tail)) : NULL;
  g_autofree char *how = NULL;
  GError *error = g_steal_pointer (&self->start_error);

  if (error == NULL)
    {
      how = malt_exit_info_to_string (exit_info);
      error = g_error_new (MALT_ERROR, MALT_ERROR_START, "%s %s before it was ready", self->plan->program, how);
    }
  if (text != NULL && *text != '\0')
    {
      g_autofree char *message = g_steal_pointer (&error->message);

      error->message = g_strdup_printf ("%s; it printed: %s", message, text);
    }

  malt_request_return_error (request, error);
}

static MaltExitInfo *
make_exit_info (MaltProcess          *self,
                const MaltExitStatus *status)
{
  g_autofree char *tail = dup_stderr_tail (self);
  MaltExitCircumstances circumstances;

  g_mutex_lock (&self->lock);
  circumstances = (MaltExitCircumstances) {
    .stop_requested = self->stop_requested,
    .signals_sent = self->signals_sent,
    .connection_lost = self->connection_lost,
    .protocol_failure = self->protocol_failure,
    .inherited_peak = self->inherited_peak,
    .oom_kills = self->oom_kills,
  };
  g_mutex_unlock (&self->lock);

  return malt_exit_status_to_info (status, &circumstances, tail);
}

/* Reaps it, after ending what it has started while its number is still taken. */
static gboolean
reap (MaltProcess    *self,
      MaltExitStatus *status)
{
  gboolean reaped;

  g_mutex_lock (&self->lock);
  if (!self->plan->share_process_group)
    kill (-self->pid, SIGKILL);
  reaped = malt_exit_status_reap (self->pidfd, status);
  if (reaped)
    malt_clear_fd (&self->pidfd);
  g_mutex_unlock (&self->lock);

  return reaped;
}

/* It may have ended before it could be killed for a breach. */
static void
close_connection (MaltProcess *self)
{
  const char *breach;

  malt_connection_close (self->connection);
  breach = malt_connection_get_breach (self->connection);
  if (breach != NULL)
    note_breach (self, breach);
}

static void
report_exit (MaltProcess          *self,
             const MaltExitStatus *status)
{
  g_autoptr (MaltExitInfo) exit_info = NULL;
  g_autoptr (MaltWorker) worker = NULL;

  /* It may have said why before it went. */
  if (self->status_source != NULL)
    status_cb (self->status_fd, G_IO_IN, self);
  if (self->hello_source != NULL)
    hello_cb (self->transport->fd, G_IO_IN, self);
  if (self->hello_source != NULL) /* the first time it may only say that it has to look */
    hello_cb (self->transport->fd, G_IO_IN, self);

  detach (&self->status_source);
  detach (&self->hello_source);
  detach (&self->kill_source);
  g_clear_pointer (&self->exit_source, g_source_unref);

  if (self->connection != NULL)
    close_connection (self);
  if (self->stdout_pump != NULL)
    malt_output_pump_drain (self->stdout_pump);
  if (self->stderr_pump != NULL)
    malt_output_pump_drain (self->stderr_pump);

  exit_info = make_exit_info (self, status);
  MALT_DEBUG (PROCESS, "%d has ended", (int) self->pid);

  g_clear_pointer (&self->stdout_pump, malt_output_pump_unref);
  g_clear_pointer (&self->stderr_pump, malt_output_pump_unref);
  g_clear_pointer (&self->transport, malt_transport_free);
  g_clear_pointer (&self->ring, malt_transport_free);
  g_clear_pointer (&self->reader, malt_frame_reader_free);
  malt_clear_fd (&self->control_fd);
  malt_clear_fd (&self->status_fd);
  malt_clear_fd (&self->stderr_fd);

  if (self->start_request != NULL)
    answer_failed_start (self, exit_info);
  else
    {
      worker = malt_weak_worker_get (self->worker);
      if (worker != NULL)
        malt_worker_report_terminated (worker, exit_info);
      malt_connection_clear (self->connection);
    }
}

/* Reaps a process that is of no more interest. */
static gboolean
reap_later_cb (gpointer user_data)
{
  int pidfd = GPOINTER_TO_INT (user_data);
  MaltExitStatus status;

  if (!malt_exit_status_reap (pidfd, &status))
    return G_SOURCE_CONTINUE;

  close (pidfd);
  return G_SOURCE_REMOVE;
}

/* It is dead, but whoever traces it does not let go of it. */
static gboolean
traced_cb (gpointer user_data)
{
  MaltProcess *self = user_data;
  MaltExitStatus status = { .traced = TRUE };

  if (!reap (self, &status))
    {
      g_autoptr (GSource) source = g_timeout_source_new (REAP_LATER_MSEC);

      g_mutex_lock (&self->lock);
      g_source_set_static_name (source, "[malt] reap later");
      g_source_set_callback (source, reap_later_cb, GINT_TO_POINTER (self->pidfd), NULL);
      self->pidfd = -1;
      g_mutex_unlock (&self->lock);
      g_source_attach (source, malt_get_library_context ());
    }

  report_exit (self, &status);
  return G_SOURCE_REMOVE;
}

static gboolean
exited_cb (int           fd,
           GIOCondition  condition,
           gpointer      user_data)
{
  MaltProcess *self = user_data;
  MaltExitStatus status;

  if (reap (self, &status))
    report_exit (self, &status);
  else
    {
      /* The descriptor would say the same again and again. */
      g_clear_pointer (&self->exit_source, g_source_unref);
      self->exit_source = attach (self, g_timeout_source_new (TRACED_MSEC), "[malt] traced", traced_cb);
    }

  return G_SOURCE_REMOVE;
}

/* Starting it. */

/* The hello is far smaller than what a socket has room for. */
static gboolean
send_hello (MaltProcess  *self,
            GError      **error)
{
  guint8 header[MALT_FRAME_HEADER_SIZE];
  gsize size = g_variant_get_size (self->plan->hello);
  MaltFrame frame = { .type = MALT_FRAME_HELLO, .length = (guint32) size };
  gsize done = 0;

  malt_frame_encode (&frame, header);
  switch (malt_frame_write (self->transport, header, g_variant_get_data (self->plan->hello), size,
                            &done, error))
    {
    case MALT_IO_FAILED:
      return FALSE;
    case MALT_IO_AGAIN:
      g_set_error (error, MALT_ERROR, MALT_ERROR_START,
                   "the hello could not be sent: %" G_GSIZE_FORMAT " of %" G_GSIZE_FORMAT " bytes went",
                   done, sizeof header + size);
      return FALSE;
    case MALT_IO_CLOSED: /* it has ended already, and will be asked how */
    case MALT_IO_DONE:
    default:
      return TRUE;
    }
}

/* Here, while the process comes up, it costs no time. */
static gboolean
make_ring (MaltProcess  *self,
           GError      **error)
{
  if (self->plan->ring_size == 0)
    return TRUE;

  self->ring = malt_ring_transport_new (self->plan->ring_size, self->plan->spin_limit, error);
  return self->ring != NULL;
}

static MaltSpawnStream
stream_of_output (MaltOutput output)
{
  return output == MALT_OUTPUT_INHERIT ? MALT_SPAWN_STREAM_INHERIT : MALT_SPAWN_STREAM_PIPE;
}

static gboolean
make_socket_pair (int      fds[2],
                  GError **error)
{
  int code;

  if (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0)
    return TRUE;

  code = errno;
  if (code == EMFILE || code == ENFILE)
    g_set_error (error, MALT_ERROR, MALT_ERROR_START,
                 "the manager has no free descriptors for a connection: %s", g_strerror (code));
  else
    g_set_error (error, MALT_ERROR, MALT_ERROR_START, "could not make a socket pair: %s", g_strerror (code));
  return FALSE;
}

static gboolean
spawn (MaltProcess  *self,
       MaltSpawned  *spawned,
       int           data[2],
       int           control[2],
       GError      **error)
{
  MaltSpawnOptions options = {
    .helper = self->plan->helper,
    .program = self->plan->program,
    .argv = (const char * const *) self->plan->argv,
    .environment = (const char * const *) self->plan->environment,
    .directory = self->plan->directory,
    .stdout_stream = stream_of_output (self->plan->stdout_output),
    .stderr_stream = stream_of_output (self->plan->stderr_output),
    .share_process_group = self->plan->share_process_group,
    .death_signal = DEATH_SIGNAL,
  };

  if (is_killed (self))
    {
      g_set_error_literal (error, MALT_ERROR, MALT_ERROR_START, "it was killed before it was started");
      return FALSE;
    }
  if (!make_socket_pair (data, error) || !make_socket_pair (control, error))
    return FALSE;

  options.data_fd = data[1];
  options.control_fd = control[1];
  return malt_spawn (&options, spawned, error);
}

/* Begins to read one of the process's output streams, or hands it out.  Takes the
 * descriptor, which is -1 if there is none. */
static gboolean
take_stream (MaltProcess     *self,
             int              fd,
             int              target,
             MaltOutput       output,
             MaltOutputPump **pump,
             GInputStream   **stream,
             GError         **error)
{
  if (fd == -1)
    return TRUE;

  if (output == MALT_OUTPUT_PIPE)
    {
      *stream = g_unix_input_stream_new (fd, TRUE);
      return TRUE;
    }

  *pump = malt_output_pump_new (fd, target, output, (int) self->pid, self->worker,
                                malt_get_library_context (), error);
  return *pump != NULL;
}

static gboolean
take_streams (MaltProcess  *self,
              MaltSpawned  *spawned,
              GError      **error)
{
  g_autoptr (MaltWorker) worker = malt_weak_worker_get (self->worker);
  g_autoptr (GInputStream) stdout_pipe = NULL;
  g_autoptr (GInputStream) stderr_pipe = NULL;
  int stdout_fd = spawned->stdout_fd, stderr_fd = spawned->stderr_fd;

  spawned->stdout_fd = spawned->stderr_fd = -1;
  if (self->plan->stderr_output == MALT_OUTPUT_PIPE && stderr_fd != -1)
    self->stderr_fd = fcntl (stderr_fd, F_DUPFD_CLOEXEC, 0);

  if (!take_stream (self, stdout_fd, STDOUT_FILENO, self->plan->stdout_output,
                    &self->stdout_pump, &stdout_pipe, error))
    {
      malt_clear_fd (&stderr_fd);
      return FALSE;
    }
  if (!take_stream (self, stderr_fd, STDERR_FILENO, self->plan->stderr_output,
                    &self->stderr_pump, &stderr_pipe, error))
    return FALSE;

  if (worker != NULL)
    malt_worker_set_pipes (worker, stdout_pipe, stderr_pipe);

  return TRUE;
}

static gboolean
start_on_library_cb (gpointer user_data)
{
  MaltProcess *self = user_data;
  g_autoptr (MaltWorker) worker = malt_weak_worker_get (self->worker);
  MaltSpawned spawned = MALT_SPAWNED_INIT;
  int data[2] = { -1, -1 }, control[2] = { -1, -1 };
  GError *error = NULL;
  gboolean ok;

  ok = spawn (self, &spawned, data, control, &error);
  malt_clear_fd (&data[1]);
  malt_clear_fd (&control[1]);
  if (!ok)
    {
      g_autoptr (MaltRequest) request = g_steal_pointer (&self->start_request);

      malt_clear_fd (&data[0]);
      malt_clear_fd (&control[0]);
      malt_request_return_error (request, error);
      return G_SOURCE_REMOVE;
    }

  MALT_DEBUG (PROCESS, "started %s as %d", self->plan->program, (int) spawned.pid);
  g_mutex_lock (&self->lock);
  self->pid = spawned.pid;
  self->pidfd = spawned.pidfd;
  g_mutex_unlock (&self->lock);
  self->status_fd = spawned.status_fd;
  self->inherited_peak = spawned.inherited_peak;
  self->oom_kills = spawned.oom_kills;
  self->transport = malt_socket_transport_new (data[0]);
  malt_socket_refuse_descriptors (data[0]);
  self->reader = malt_frame_reader_new (MIN (self->plan->max_value_size, MALT_LIMIT_BODY_SIZE));
  self->control_fd = control[0];
  if (worker != NULL)
    malt_worker_set_pid (worker, (int) self->pid);

  self->exit_source = attach (self, g_unix_fd_source_new (self->pidfd, G_IO_IN), "[malt] exit",
                              G_SOURCE_FUNC (exited_cb));
  self->status_source = attach (self, g_unix_fd_source_new (self->status_fd, G_IO_IN), "[malt] status",
                                G_SOURCE_FUNC (status_cb));
  self->hello_source = attach (self, g_unix_fd_source_new (self->transport->fd, G_IO_IN), "[malt] hello",
                               G_SOURCE_FUNC (hello_cb));

  if (!take_streams (self, &spawned, &error) || !send_hello (self, &error) || !make_ring (self, &error))
    fail_start (self, error);

  return G_SOURCE_REMOVE;
}

/* Starts the process; the request is finished when it is ready or has failed.  Takes the
 * plan. */
void
malt_process_start (MaltProcess     *self,
                    MaltProcessPlan *plan,
                    MaltRequest     *request)
{
  self->plan = plan;
  self->start_request = g_object_ref (request);
  g_main_context_invoke_full (malt_get_library_context (), G_PRIORITY_DEFAULT, start_on_library_cb,
                              malt_process_ref (self), (GDestroyNotify) malt_process_unref);
}

/* The connection of a process that is ready.  On any thread. */
MaltConnection *
malt_process_get_connection (MaltProcess *self)
{
  return self->connection;
}

/* Asks the process to end.  On any thread. */
void
malt_process_stop (MaltProcess *self)
{
  if (is_forked_copy (self))
    return;

  g_mutex_lock (&self->lock);
  self->stop_requested = TRUE;
  g_mutex_unlock (&self->lock);

  if (self->connection != NULL)
    malt_connection_stop (self->connection);
}

static gboolean
let_go_on_library_cb (gpointer user_data)
{
  kill_later (user_data, LET_GO_MSEC);
  return G_SOURCE_REMOVE;
}

/* The worker object is gone, which has asked the process to end: sees to it that it does.
 * Takes the reference. */
void
malt_process_let_go (MaltProcess *self)
{
  if (is_forked_copy (self))
    return;

  g_main_context_invoke_full (malt_get_library_context (), G_PRIORITY_DEFAULT, let_go_on_library_cb,
                              self, (GDestroyNotify) malt_process_unref);
}
