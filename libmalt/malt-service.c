/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-service.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "malt-debug.h"
#include "malt-error.h"
#include "malt-request-private.h"
#include "malt-runtime.h"
#include "wire/malt-fork.h"
#include "wire/malt-frame-reader.h"
#include "wire/malt-frame-writer.h"
#include "wire/malt-large-value.h"
#include "wire/malt-limits.h"
#include "wire/malt-message.h"
#include "wire/malt-ring-transport.h"
#include "wire/malt-socket-transport.h"

/* The worker's side of a connection: takes requests off the data road, hands them to the
 * runtime, and writes down how they end.
 *
 * Two threads.  The serving thread (the main one) reads the data road, and runs the
 * runtime.  The control thread reads the control road, whatever the serving thread is
 * doing: it cancels, interrupts and stops, and when the manager is gone it ends the
 * process and everything in its process group.  A reply is written by whichever thread
 * finishes the request.
 *
 * A worker trusts its manager; on a malformed frame it says so and exits. */

#define DATA_FD     3
#define CONTROL_FD  4

typedef struct
{
  /* Immutable once both threads run. */
  MaltRuntime     *runtime;
  MaltTransport   *data;
  MaltTransport   *control;
  gsize            max_body;
  gsize            max_value;    /* in the arena */

  /* Owned by the serving thread. */
  MaltFrameReader *reader;

  GMutex           write_lock;   /* held while a frame is written to the data road */

  GMutex           lock;
  /* Guarded by lock. */
  guint64          started_id;   /* the last request that was handed to the runtime */
  GHashTable      *unfinished;   /* id → MaltRequest, not owned */
  GHashTable      *withdrawn;    /* ids that must not be started */
  guint64          interrupted_id; /* one that was interrupted before it came */
  gboolean         is_stopping;  /* the manager has asked for that */
} MaltService;

/* The process that serves; see malt-fork.c. */
static guint generation;

static gboolean
is_copy (void)
{
  return generation != malt_fork_get_generation ();
}

/* Where the process group is its own, sees to it that what this process has started ends
 * with it, now that it ends by itself.  The manager does so as well, but may die in the
 * moment between that end and its own notice of it: after the last reference to a worker
 * was dropped at the end of a program that moment is likely.  Nothing can end all of a
 * group but itself, so that a process is left behind that does, and goes with it.
 *
 * What this process has not started itself has only the manager, as after a crash. */
static void
end_group_afterwards (void)
{
  struct pollfd fd = { .events = POLLIN };
  siginfo_t child;
  sigset_t all;

  if (is_copy () || getpgrp () != getpid () ||
      waitid (P_ALL, 0, &child, WEXITED | WNOHANG | WNOWAIT | __WALL) < 0)
    return;

  fd.fd = (int) syscall (SYS_pidfd_open, getpid (), 0);
  if (fd.fd < 0 || _Fork () != 0)
    return;

  sigfillset (&all);
  sigprocmask (SIG_SETMASK, &all, NULL);
  while (poll (&fd, 1, -1) < 0 && errno == EINTR)
    continue;
  kill (0, SIGKILL);
  _exit (EXIT_FAILURE);
}

static void
fail (const char *format,
      ...) G_GNUC_PRINTF (1, 2) G_GNUC_NORETURN;

static void
fail (const char *format,
      ...)
{
  g_autofree char *text = NULL;
  va_list arguments;

  va_start (arguments, format);
  text = g_strdup_vprintf (format, arguments);
  va_end (arguments);

  g_printerr ("%s: %s\n", g_get_prgname (), text);
  end_group_afterwards ();
  _exit (EXIT_FAILURE);
}

/* Code that forks has to see to it that its copy ends or becomes another program.  One that
 * comes back here instead would answer in the worker's place. */
static void
check_copy (void)
{
  if (G_UNLIKELY (is_copy ()))
    fail ("a forked copy of the worker came back from the code that made it, and ends here");
}

/* Ends this process and, where the process group is its own, all that it has started.
 * Also in a signal handler. */
static void
end_everything (void)
{
  if (getpgrp () == getpid ())
    kill (0, SIGKILL);
  _exit (EXIT_FAILURE);
}

static void
manager_died_cb (int signum)
{
  end_everything ();
}

/* Writing. */

/* Writes a frame, waiting for room.  On any thread. */
static void
send_frame (MaltService   *self,
            MaltFrameType  type,
            guint16        flags,
            guint64        id,
            gconstpointer  body,
            gsize          size)
{
  g_autoptr (GError) error = NULL;
  MaltFrame frame = { .type = type, .flags = flags, .id = id, .length = (guint32) size };
  guint8 header[MALT_FRAME_HEADER_SIZE];
  gsize done = 0;
  MaltIo io;

  check_copy ();
  malt_frame_encode (&frame, header);
  g_mutex_lock (&self->write_lock);
  while ((io = malt_frame_write (self->data, header, body, size, &done, &error)) == MALT_IO_AGAIN)
    malt_transport_await_room (self->data);
  g_mutex_unlock (&self->write_lock);

  /* With the manager gone the control thread ends the process. */
  if (io == MALT_IO_FAILED)
    fail ("%s", error->message);
}

/* Takes the body. */
static void
send_bytes (MaltService   *self,
            MaltFrameType  type,
            guint16        flags,
            guint64        id,
            GBytes        *body)
{
  send_frame (self, type, flags, id, g_bytes_get_data (body, NULL), g_bytes_get_size (body));
  g_bytes_unref (body);
}

/* How requests end. */

static GBytes *
allocate (gsize     size,
          gpointer *data,
          gpointer  user_data)
{
  MaltService *self = user_data;

  return malt_large_value_new_buffer (self->data->arena, size, data);
}

/* Puts a large value into the arena and sends where it is.  FALSE without an error if it is
 * none, or there is no room for it. */
static gboolean
send_large_value (MaltService  *self,
                  guint64       id,
                  GVariant     *value,
                  GError      **error)
{
  MaltArena *arena = self->data->arena;
  MaltLargeValue large;
  GBytes *body;

  if (arena == NULL || value == NULL || g_variant_get_size (value) < MALT_LARGE_VALUE_SIZE ||
      !malt_large_value_put (&large, arena, MALT_PEER_MANAGER, value, NULL, self->max_value, &body, error))
    return FALSE;

  malt_large_value_send (&large);
  send_bytes (self, MALT_FRAME_VALUE, MALT_FRAME_IN_ARENA, id, body);
  return TRUE;
}

/* Takes nothing; FALSE with an error if the value cannot cross. */
static gboolean
send_value (MaltService  *self,
            guint64       id,
            GVariant     *value,
            GError      **error)
{
  g_autoptr (GError) failure = NULL;
  MaltMessage message;

  if (send_large_value (self, id, value, &failure))
    return TRUE;
  if (failure != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&failure));
      return FALSE;
    }

  if (!malt_message_write_value (&message, value, self->max_body, error))
    return FALSE;

  send_frame (self, MALT_FRAME_VALUE, 0, id, message.data, message.size);
  malt_message_clear (&message);
  return TRUE;
}

/* Takes value and error. */
static void
respond (MaltRequest *request,
         GVariant    *value,
         GError      *error,
         gpointer     user_data)
{
  MaltService *self = user_data;
  g_autoptr (GVariant) own_value = value;
  g_autoptr (GError) own_error = error;
  guint64 id = malt_request_get_id (request);

  g_mutex_lock (&self->lock);
  g_hash_table_remove (self->unfinished, GSIZE_TO_POINTER (id));
  g_mutex_unlock (&self->lock);

  if ((malt_request_get_flags (request) & MALT_REQUEST_FLAGS_NO_REPLY) != 0)
    return;

  if ((malt_request_get_flags (request) & MALT_REQUEST_FLAGS_NO_VALUE) != 0)
    g_clear_pointer (&own_value, g_variant_unref);

  if (own_error == NULL && send_value (self, id, own_value, &own_error))
    return;

  send_bytes (self, MALT_FRAME_ERROR, 0, id, malt_message_new_error (own_error));
}

/* The control thread. */

static MaltRequest *
ref_unfinished (MaltService *self,
                guint64      id)
{
  MaltRequest *request;

  g_mutex_lock (&self->lock);
  request = g_hash_table_lookup (self->unfinished, GSIZE_TO_POINTER (id));
  if (request != NULL)
    g_object_ref (request);
  g_mutex_unlock (&self->lock);

  return request;
}

static void
cancel (MaltService *self,
        guint64      id)
{
  g_autoptr (MaltRequest) request = NULL;
  gboolean withdrawn;

  g_mutex_lock (&self->lock);
  withdrawn = id > self->started_id && g_hash_table_add (self->withdrawn, GSIZE_TO_POINTER (id));
  g_mutex_unlock (&self->lock);

  if (withdrawn)
    {
      MaltFrame frame = { .type = MALT_FRAME_WITHDRAWN, .id = id };
      guint8 header[MALT_FRAME_HEADER_SIZE];
      gsize done = 0;

      malt_frame_encode (&frame, header);
      while (malt_frame_write (self->control, header, NULL, 0, &done, NULL) == MALT_IO_AGAIN)
        malt_transport_await_room (self->control);
      return;
    }

  request = ref_unfinished (self, id);
  if (request != NULL)
    malt_runtime_cancel (self->runtime, request);
}

/* The latest unfinished request up to @id. */
static MaltRequest *
ref_latest_unfinished (MaltService *self,
                       guint64      id)
{
  MaltRequest *latest = NULL;
  GHashTableIter iter;
  gpointer request;

  g_mutex_lock (&self->lock);
  g_hash_table_iter_init (&iter, self->unfinished);
  while (g_hash_table_iter_next (&iter, NULL, &request))
    if (malt_request_get_id (request) <= id &&
        (latest == NULL || malt_request_get_id (request) > malt_request_get_id (latest)))
      latest = request;
  if (latest != NULL)
    g_object_ref (latest);
  g_mutex_unlock (&self->lock);

  return latest;
}

/* An interrupt of whatever runs must not hit what was not yet under way when the manager
 * asked for it, and must hit what was, even if it has yet to come: neither road waits for
 * the other. */
static void
interrupt (MaltService     *self,
           const MaltFrame *frame)
{
  g_autoptr (MaltRequest) request = NULL;
  gboolean up_to_date, is_early;

  g_mutex_lock (&self->lock);
  up_to_date = self->started_id <= frame->id;
  is_early = self->started_id < frame->id && g_hash_table_size (self->unfinished) == 0;
  if (is_early)
    self->interrupted_id = frame->id;
  g_mutex_unlock (&self->lock);
  if (is_early)
    return;

  if ((frame->flags & MALT_FRAME_UP_TO) == 0)
    request = ref_unfinished (self, frame->id);
  else
    request = ref_latest_unfinished (self, frame->id);
  if (request == NULL)
    return;

  if ((frame->flags & MALT_FRAME_UP_TO) != 0 && up_to_date)
    malt_runtime_interrupt (self->runtime, NULL);
  else
    malt_runtime_interrupt (self->runtime, request);
}

/* The serving thread finds the end of the data road, once it is not busy; what it is
 * busy with is interrupted. */
static void
stop (MaltService *self)
{
  g_mutex_lock (&self->lock);
  self->is_stopping = TRUE;
  g_mutex_unlock (&self->lock);

  malt_transport_stop_receiving (self->data);
  malt_runtime_interrupt (self->runtime, NULL);
}

static gpointer
run_control_thread (gpointer user_data)
{
  MaltService *self = user_data;

  for (;;)
    {
      struct pollfd fd = { .fd = self->control->fd, .events = POLLIN };
      guint8 header[MALT_FRAME_HEADER_SIZE];
      g_autoptr (GError) error = NULL;
      g_autofree char *reason = NULL;
      MaltFrame frame;
      gsize n = 0;
      MaltIo io;

      poll (&fd, 1, -1);
      io = malt_transport_receive (self->control, header, sizeof header, &n, &error);
      if (io == MALT_IO_AGAIN)
        continue;
      if (io == MALT_IO_CLOSED)
        end_everything ();
      if (io == MALT_IO_FAILED)
        fail ("%s", error->message);
      if (n != sizeof header)
        fail ("a part of a frame came on the control road");
      if (!malt_frame_decode (header, &frame, &reason))
        fail ("%s", reason);

      MALT_DEBUG (WIRE, "worker: %s for request %" G_GUINT64_FORMAT, malt_frame_type_name (frame.type), frame.id);
      switch (frame.type)
        {
        case MALT_FRAME_CANCEL:
          cancel (self, frame.id);
          break;
        case MALT_FRAME_INTERRUPT:
          interrupt (self, &frame);
          break;
        case MALT_FRAME_STOP:
          stop (self);
          break;
        default:
          fail ("a frame of type %s came on the control road", malt_frame_type_name (frame.type));
        }
    }

  return NULL;
}

/* The serving thread. */

/* Waits for something to read: awake, if it comes soon; else asleep, while the runtime goes
 * on with what it has. */
static void
wait_for_data (MaltService *self)
{
  struct pollfd fd = { .fd = self->data->fd, .events = POLLIN };

  if (malt_transport_spin (self->data) || malt_transport_arm (self->data))
    return;

  if (self->runtime != NULL)
    malt_runtime_wait (self->runtime, self->data->fd);
  else
    poll (&fd, 1, -1);
  malt_transport_disarm (self->data, TRUE);
}

/* Reads a frame, letting the runtime go on while there is none.  FALSE when the manager
 * has closed the road. */
static gboolean
read_frame (MaltService    *self,
            MaltFrame      *frame,
            gconstpointer  *data,
            GBytes        **body)
{
  for (;;)
    {
      g_autoptr (GError) error = NULL;

      check_copy ();
      switch (malt_frame_reader_next (self->reader, self->data, frame, data, body, &error))
        {
        case MALT_IO_DONE:
          return TRUE;
        case MALT_IO_CLOSED:
          return FALSE;
        case MALT_IO_FAILED:
          fail ("%s", error->message);
        case MALT_IO_AGAIN:
        default:
          wait_for_data (self);
        }
    }
}

static MaltRequest *
request_from_frame (MaltService     *self,
                    const MaltFrame *frame,
                    gconstpointer    data,
                    GBytes          *body)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) large_arguments = NULL;
  gsize size = frame->length, rest;
  g_autoptr (GVariant) arguments = NULL;
  g_autoptr (GVariant) keywords = NULL;
  const char *name, *source;
  MaltRequestFlags flags = MALT_REQUEST_FLAGS_NONE;

  if ((frame->flags & MALT_FRAME_NO_VALUE) != 0)
    flags |= MALT_REQUEST_FLAGS_NO_VALUE;
  if ((frame->flags & MALT_FRAME_NO_REPLY) != 0)
    flags |= MALT_REQUEST_FLAGS_NO_REPLY;

  if (frame->type == MALT_FRAME_CALL && (frame->flags & MALT_FRAME_IN_ARENA) != 0)
    {
      if (!malt_large_value_take (self->data->view, MALT_PEER_MANAGER, data, size, self->max_value,
                                  &large_arguments, &rest, &error))
        fail ("%s", error->message);
      if (!g_variant_type_is_tuple (g_variant_get_type (large_arguments)))
        fail ("the arguments of a call are of type %s instead of a tuple",
              g_variant_get_type_string (large_arguments));
      data = (const guint8 *) data + rest;
      size -= rest;
      body = NULL;
    }

  if (frame->type == MALT_FRAME_CALL)
    {
      if (!malt_message_read_call (data, size, body, &name, &arguments, &keywords, &error))
        fail ("%s", error->message);

      return malt_request_new_call (name, large_arguments != NULL ? large_arguments : arguments,
                                    keywords, flags);
    }

  if (frame->type != MALT_FRAME_EVAL)
    fail ("a frame of type %s came where a request was due", malt_frame_type_name (frame->type));

  if (!malt_message_read_eval (data, size, &name, &source, &error))
    fail ("%s", error->message);

  return malt_request_new_eval (name, source, flags);
}

static void
handle_frame (MaltService     *self,
              const MaltFrame *frame,
              gconstpointer    data,
              GBytes          *body)
{
  MaltRequest *request = request_from_frame (self, frame, data, body);
  gboolean withdrawn, interrupted;

  malt_request_set_id (request, frame->id);
  malt_request_set_responder (request, respond, self);
  malt_request_set_allocator (request, allocate, self);

  g_mutex_lock (&self->lock);
  if (frame->id <= self->started_id)
    fail ("request %" G_GUINT64_FORMAT " came after request %" G_GUINT64_FORMAT, frame->id, self->started_id);
  self->started_id = frame->id;
  withdrawn = g_hash_table_remove (self->withdrawn, GSIZE_TO_POINTER (frame->id));
  interrupted = self->interrupted_id == frame->id;
  if (!withdrawn)
    g_hash_table_insert (self->unfinished, GSIZE_TO_POINTER (frame->id), request);
  g_mutex_unlock (&self->lock);

  if (withdrawn)
    malt_request_abandon (request);
  else if (interrupted)
    malt_request_return_error (request,
                               malt_remote_error_new (MALT_ERROR_INTERRUPTED, NULL,
                                                      "the request was interrupted before it started", NULL));
  else
    malt_runtime_handle (self->runtime, request);

  malt_request_release (request);
}

/* Goes on over the rings that the manager hands over when it has heard the hello. */
static void
take_ring (MaltService *self)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (MaltTransport) socket_transport = self->data;

  self->data = malt_ring_transport_receive (malt_socket_transport_steal_fd (socket_transport), &error);
  if (self->data == NULL)
    fail ("%s", error->message);
}

/* Makes and starts the runtime that the hello names, and tells the manager. */
static void
say_hello (MaltService *self)
{
  g_autoptr (GBytes) body = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) hello = NULL;
  g_autoptr (GVariant) options = NULL;
  g_autofree const char **search_path = NULL;
  g_auto (GVariantDict) dictionary = { 0 };
  g_auto (GVariantDict) answer = { 0 };
  g_autoptr (GVariant) said = NULL;
  gconstpointer data;
  const char *name = NULL;
  guint64 max_value_size = MALT_LIMIT_VALUE_SIZE;
  gboolean has_ring = FALSE;
  MaltFrame frame;

  if (!read_frame (self, &frame, &data, &body))
    end_everything ();
  if (frame.type != MALT_FRAME_HELLO)
    fail ("a frame of type %s came instead of a hello", malt_frame_type_name (frame.type));
  hello = malt_message_read_dictionary (data, frame.length, &error);
  if (hello == NULL)
    fail ("%s", error->message);

  g_variant_dict_init (&dictionary, hello);
  g_variant_dict_lookup (&dictionary, "runtime", "&s", &name);
  g_variant_dict_lookup (&dictionary, "search-path", "^a&s", &search_path);
  g_variant_dict_lookup (&dictionary, "max-value-size", "t", &max_value_size);
  g_variant_dict_lookup (&dictionary, "ring", "b", &has_ring);
  options = g_variant_dict_lookup_value (&dictionary, "options", G_VARIANT_TYPE_VARDICT);
  if (name == NULL)
    fail ("the hello names no runtime");
  self->max_body = MIN (max_value_size, MALT_LIMIT_BODY_SIZE);
  self->max_value = MIN (max_value_size, MALT_LIMIT_VALUE_SIZE);

  self->runtime = malt_runtime_new (name, TRUE, search_path, &error);
  if (self->runtime == NULL || !malt_runtime_start (self->runtime, options, &error))
    {
      if (error->domain != MALT_ERROR && error->domain != G_IO_ERROR)
        {
          GError *foreign = g_steal_pointer (&error);

          error = g_error_new_literal (MALT_ERROR, MALT_ERROR_START, foreign->message);
          g_error_free (foreign);
        }
      send_bytes (self, MALT_FRAME_FAILED, 0, 0, malt_message_new_error (error));
      exit (EXIT_FAILURE);
    }

  g_variant_dict_init (&answer, NULL);
  g_variant_dict_insert (&answer, "pid", "u", (guint32) getpid ());
  g_variant_dict_insert (&answer, "runtime", "s", name);
  g_variant_dict_insert (&answer, "ring", "b", has_ring);
  said = g_variant_ref_sink (g_variant_dict_end (&answer));
  send_bytes (self, MALT_FRAME_HELLO, 0, 0, g_variant_get_data_as_bytes (said));

  if (has_ring)
    take_ring (self);
}

static gboolean
was_asked_to_stop (MaltService *self)
{
  gboolean result;

  g_mutex_lock (&self->lock);
  result = self->is_stopping;
  g_mutex_unlock (&self->lock);

  return result;
}

static gboolean
is_manager_gone (MaltService *self)
{
  struct pollfd fd = { .fd = self->control->fd, .events = 0 };

  return poll (&fd, 1, 0) > 0 && (fd.revents & (POLLHUP | POLLERR)) != 0;
}

static void
serve (MaltService *self)
{
  g_autoptr (GThread) control_thread = NULL;
  MaltFrame frame;

  say_hello (self);

  control_thread = g_thread_new ("malt-control", run_control_thread, self);
  for (;;)
    {
      g_autoptr (GBytes) body = NULL;
      gconstpointer data;

      if (!read_frame (self, &frame, &data, &body))
        break;
      handle_frame (self, &frame, data, body);
    }

  /* The end of the road can be seen here before the control thread sees that of its own:
   * if nobody has asked for it, or nobody is there any more, what this worker has started
   * must not outlive it.  A manager that is there sees to that itself. */
  if (!was_asked_to_stop (self))
    end_everything ();
  malt_runtime_stop (self->runtime);
  if (is_manager_gone (self))
    end_everything ();
}

/* When the kernel says that the manager has died, and nobody has looked at the control
 * road yet: even the tightest loop has to let a signal in. */
static void
watch_manager (void)
{
  struct sigaction action = { .sa_handler = manager_died_cb };
  int signum = 0;

  if (prctl (PR_GET_PDEATHSIG, &signum) == 0 && signum > 0 && signum != SIGKILL)
    sigaction (signum, &action, NULL);
}

static gboolean
is_socket (int fd)
{
  int type;
  socklen_t size = sizeof type;

  return getsockopt (fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM;
}

/* Whether this is what the manager has given to its worker.  It is for nobody that the
 * worker starts, which would hear or say what is not its business. */
static gboolean
take_socket (int fd)
{
  return is_socket (fd) && fcntl (fd, F_SETFD, FD_CLOEXEC) == 0;
}

/**
 * malt_run_as_worker: (skip)
 * @argc: what main() was given
 * @argv: what main() was given
 *
 * Makes a program its own worker.  If this process was started as a worker, it serves
 * its manager and then exits; else the function returns at once.
 *
 * It belongs at the top of main(), after [func@Malt.register_function] has been called
 * for each function that a worker can run.  A launcher whose program is
 * `MALT_PROGRAM_SELF` then starts the same program again as a worker.
 *
 * ```c
 * int
 * main (int argc, char **argv)
 * {
 *   malt_register_function ("slow", slow, NULL, NULL);
 *   malt_run_as_worker (argc, argv);
 *   …
 * ```
 *
 * Since: 1.0
 */
void
malt_run_as_worker (int    argc,
                    char **argv)
{
  MaltService *self;

  if (argc < 2 || strcmp (argv[1], MALT_WORKER_ARGUMENT) != 0)
    return;

  if (g_get_prgname () == NULL)
    {
      g_autofree char *name = g_path_get_basename (argv[0]);

      g_set_prgname (name);
    }
  if (!take_socket (DATA_FD) || !take_socket (CONTROL_FD))
    fail ("this is a worker, to be started by its manager with two sockets as descriptors %d and %d",
          DATA_FD, CONTROL_FD);

  watch_manager ();
  generation = malt_fork_get_generation ();
  atexit (end_group_afterwards);

  self = g_new0 (MaltService, 1);
  g_mutex_init (&self->lock);
  g_mutex_init (&self->write_lock);
  self->unfinished = g_hash_table_new (NULL, NULL);
  self->withdrawn = g_hash_table_new (NULL, NULL);
  self->data = malt_socket_transport_new (DATA_FD);
  self->control = malt_socket_transport_new (CONTROL_FD);
  self->reader = malt_frame_reader_new (MALT_LIMIT_BODY_SIZE);

  serve (self);

  exit (EXIT_SUCCESS);
}
