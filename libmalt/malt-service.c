/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-service-private.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "malt-error.h"
#include "wire/malt-fork.h"
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
 * finishes the request, and what code waits for while it runs is read by whoever waits.
 *
 * A worker trusts its manager; on a malformed frame it says so and exits. */

#define DATA_FD     3
#define CONTROL_FD  4

/* The process that serves; see malt-fork.c. */
static guint generation;

/* Whether this is a copy of the worker that its code has forked, and no worker. */
gboolean
malt_service_is_copy (void)
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

  if (malt_service_is_copy () || getpgrp () != getpid () ||
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

/* Says what is wrong with the manager, or with this process, and ends it. */
void
malt_service_fail (const char *format,
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
void
malt_service_check_copy (void)
{
  if (G_UNLIKELY (malt_service_is_copy ()))
    malt_service_fail ("a forked copy of the worker came back from the code that made it, and ends here");
}

/* Ends this process and, where the process group is its own, all that it has started.
 * Also in a signal handler. */
void
malt_service_end_everything (void)
{
  if (getpgrp () == getpid ())
    kill (0, SIGKILL);
  _exit (EXIT_FAILURE);
}

static void
manager_died_cb (int signum)
{
  malt_service_end_everything ();
}

/* The serving thread. */

/* Goes on over the rings that the manager hands over when it has heard the hello. */
static void
take_ring (MaltService *self)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (MaltTransport) socket_transport = self->data;

  self->data = malt_ring_transport_receive (malt_socket_transport_steal_fd (socket_transport), &error);
  if (self->data == NULL)
    malt_service_fail ("%s", error->message);
}

static gboolean
read_hello (MaltService    *self,
            MaltFrame      *frame,
            gconstpointer  *data,
            GBytes        **body)
{
  struct pollfd fd = { .fd = self->data->fd, .events = POLLIN };
  MaltIo io;

  while ((io = malt_service_read_frame (self, frame, data, body)) == MALT_IO_AGAIN)
    poll (&fd, 1, -1);

  return io == MALT_IO_DONE;
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

  if (!read_hello (self, &frame, &data, &body))
    malt_service_end_everything ();
  if (frame.type != MALT_FRAME_HELLO)
    malt_service_fail ("a frame of type %s came instead of a hello", malt_frame_type_name (frame.type));
  hello = malt_message_read_dictionary (data, frame.length, &error);
  if (hello == NULL)
    malt_service_fail ("%s", error->message);

  g_variant_dict_init (&dictionary, hello);
  g_variant_dict_lookup (&dictionary, "runtime", "&s", &name);
  g_variant_dict_lookup (&dictionary, "search-path", "^a&s", &search_path);
  g_variant_dict_lookup (&dictionary, "max-value-size", "t", &max_value_size);
  g_variant_dict_lookup (&dictionary, "ring", "b", &has_ring);
  g_variant_dict_lookup (&dictionary, "host", "b", &self->may_speak);
  g_variant_dict_lookup (&dictionary, "host-cancel", "b", &self->may_cancel);
  g_variant_dict_lookup (&dictionary, "output", "u", &self->streams);
  options = g_variant_dict_lookup_value (&dictionary, "options", G_VARIANT_TYPE_VARDICT);
  if (name == NULL)
    malt_service_fail ("the hello names no runtime");
  self->max_body = MIN (max_value_size, MALT_LIMIT_BODY_SIZE);
  self->max_value = MIN (max_value_size, MALT_LIMIT_VALUE_SIZE);

  self->runtime = malt_runtime_new (name, TRUE, search_path, &error);
  if (self->runtime != NULL)
    malt_service_be_host (self);
  if (self->runtime == NULL || !malt_runtime_start (self->runtime, options, &error))
    {
      if (error->domain != MALT_ERROR && error->domain != G_IO_ERROR)
        {
          GError *foreign = g_steal_pointer (&error);

          error = g_error_new_literal (MALT_ERROR, MALT_ERROR_START, foreign->message);
          g_error_free (foreign);
        }
      malt_service_send_bytes (self, MALT_FRAME_FAILED, 0, 0, malt_message_new_error (error));
      exit (EXIT_FAILURE);
    }

  g_variant_dict_init (&answer, NULL);
  g_variant_dict_insert (&answer, "pid", "u", (guint32) getpid ());
  g_variant_dict_insert (&answer, "runtime", "s", name);
  g_variant_dict_insert (&answer, "ring", "b", has_ring);
  g_variant_dict_insert (&answer, "host", "b", self->may_speak);
  g_variant_dict_insert (&answer, "channels", "b", TRUE);
  g_variant_dict_insert (&answer, "unbegun", "b", TRUE);
  said = g_variant_ref_sink (g_variant_dict_end (&answer));
  malt_service_send_bytes (self, MALT_FRAME_HELLO, 0, 0, g_variant_get_data_as_bytes (said));

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

static int
new_event_fd (void)
{
  int fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);

  if (fd < 0)
    malt_service_fail ("the worker could not make an eventfd: %s", g_strerror (errno));
  return fd;
}

static void
add_to_epoll (int epoll_fd,
              int fd)
{
  struct epoll_event event = { .events = EPOLLIN };

  if (epoll_ctl (epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
    malt_service_fail ("the worker could not watch its connection: %s", g_strerror (errno));
}

/* Makes the descriptors by which threads wait for data and for each other. */
static void
prepare_to_wait (MaltService *self)
{
  self->turn_fd = new_event_fd ();
  self->wake_fd = new_event_fd ();
  self->idle_fd = epoll_create1 (EPOLL_CLOEXEC);
  if (self->idle_fd < 0)
    malt_service_fail ("the worker could not watch its connection: %s", g_strerror (errno));
  add_to_epoll (self->idle_fd, self->data->fd);
  add_to_epoll (self->idle_fd, self->turn_fd);
}

static gpointer
run_control_thread (gpointer user_data)
{
  malt_service_run_control (user_data);
  return NULL;
}

static void
serve (MaltService *self)
{
  g_autoptr (GThread) control_thread = NULL;
  MaltRequest *request;

  say_hello (self);
  prepare_to_wait (self);

  control_thread = g_thread_new ("malt-control", run_control_thread, self);
  while ((request = malt_service_next_request (self)) != NULL)
    malt_service_start_request (self, request);

  /* The end of the road can be seen here before the control thread sees that of its own:
   * if nobody has asked for it, or nobody is there any more, what this worker has started
   * must not outlive it.  A manager that is there sees to that itself. */
  if (!was_asked_to_stop (self))
    malt_service_end_everything ();
  malt_service_drop_calls (self);
  malt_runtime_stop (self->runtime);
  if (is_manager_gone (self))
    malt_service_end_everything ();
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
    malt_service_fail ("this is a worker, to be started by its manager with two sockets as descriptors %d and %d",
          DATA_FD, CONTROL_FD);

  watch_manager ();
  generation = malt_fork_get_generation ();
  atexit (end_group_afterwards);

  self = g_new0 (MaltService, 1);
  g_mutex_init (&self->lock);
  g_mutex_init (&self->write_lock);
  g_cond_init (&self->may_begin);
  malt_id_table_init (&self->unfinished);
  self->withdrawn = g_hash_table_new (NULL, NULL);
  self->data = malt_socket_transport_new (DATA_FD);
  self->control = malt_socket_transport_new (CONTROL_FD);
  self->reader = malt_frame_reader_new (MALT_LIMIT_BODY_SIZE);
  self->serving_thread = g_thread_self ();
  malt_service_set (self);

  serve (self);

  exit (EXIT_SUCCESS);
}
