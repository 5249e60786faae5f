/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <malt.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "malt-descriptor.h"
#include "malt-oom.h"
#include "malt-standard-stream.h"
#include "malt-start.h"

/* Starting a process.  Two programs share the work: what posix_spawn() can do without
 * running code of ours in a copy of a process with threads is done here (descriptors,
 * session, default signals), and malt-start does the rest before it becomes the
 * worker's program. */

/* Copies made to get out of the way of 0 to MALT_START_STATUS_FD go here and above. */
#define FIRST_FREE_FD 10

G_STATIC_ASSERT (FIRST_FREE_FD > MALT_START_STATUS_FD);

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

/* One end each way, for the time of the spawn. */
typedef struct
{
  int null;
  int data;
  int control;
  int stdout_end;
  int stderr_end;
  int status_end;
} WorkerEnds;

static void
worker_ends_clear (WorkerEnds *ends)
{
  malt_clear_fd (&ends->null);
  malt_clear_fd (&ends->data);
  malt_clear_fd (&ends->control);
  malt_clear_fd (&ends->stdout_end);
  malt_clear_fd (&ends->stderr_end);
  malt_clear_fd (&ends->status_end);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (WorkerEnds, worker_ends_clear)

static gboolean
fail (GError     **error,
      const char  *program,
      const char  *step,
      int          code)
{
  const char *reason;

  switch (code)
    {
    case EMFILE:
      reason = "the manager has no free descriptors";
      break;
    case ENFILE:
      reason = "the system has no free descriptors";
      break;
    case EAGAIN:
      reason = "no more processes can be started";
      break;
    default:
      reason = g_strerror (code);
      break;
    }

  g_set_error (error, MALT_ERROR, MALT_ERROR_START,
               "could not start '%s': could not %s: %s", program, step, reason);
  return FALSE;
}

/* Moves a descriptor of ours out of the way of those that the worker will have, and of
 * the standard streams of a manager that was started without. */
static gboolean
move_away (int *fd)
{
  int copy;

  if (*fd >= FIRST_FREE_FD)
    return TRUE;

  copy = fcntl (*fd, F_DUPFD_CLOEXEC, FIRST_FREE_FD);
  if (copy < 0)
    return FALSE;

  close (*fd);
  *fd = copy;
  return TRUE;
}

static gboolean
open_null (int *end)
{
  do
    *end = open ("/dev/null", O_RDWR | O_CLOEXEC);
  while (*end < 0 && errno == EINTR);

  return *end >= 0 && move_away (end);
}

static gboolean
copy_descriptor (int  fd,
                 int *end)
{
  if (fd < 0)
    return TRUE;

  *end = fcntl (fd, F_DUPFD_CLOEXEC, FIRST_FREE_FD);
  return *end >= 0;
}

/* The worker's end blocks, as programs expect; the two do not share that flag. */
static gboolean
open_pipe (int *read_end,
           int *write_end)
{
  int ends[2];

  if (pipe2 (ends, O_CLOEXEC) < 0)
    return FALSE;

  *read_end = ends[0];
  *write_end = ends[1];

  return move_away (read_end) && move_away (write_end) &&
         fcntl (*read_end, F_SETFL, O_NONBLOCK) == 0;
}

static gboolean
open_ends (const MaltSpawnOptions  *options,
           MaltSpawned             *spawned,
           WorkerEnds              *ends,
           GError                 **error)
{
  if (!open_null (&ends->null))
    return fail (error, options->program, "open /dev/null", errno);

  if (!copy_descriptor (options->data_fd, &ends->data) ||
      !copy_descriptor (options->control_fd, &ends->control))
    return fail (error, options->program, "copy a descriptor", errno);

  if ((options->stdout_stream == MALT_SPAWN_STREAM_PIPE &&
       !open_pipe (&spawned->stdout_fd, &ends->stdout_end)) ||
      (options->stderr_stream == MALT_SPAWN_STREAM_PIPE &&
       !open_pipe (&spawned->stderr_fd, &ends->stderr_end)) ||
      !open_pipe (&spawned->status_fd, &ends->status_end))
    return fail (error, options->program, "make a pipe", errno);

  return TRUE;
}

/* The number that an output stream of the worker is copied from. */
static int
choose_output (MaltSpawnStream   stream,
               const WorkerEnds *ends,
               int               end,
               int               standard)
{
  if (stream == MALT_SPAWN_STREAM_PIPE)
    return end;
  if (stream == MALT_SPAWN_STREAM_INHERIT && malt_standard_stream_exists (standard))
    return standard;
  return ends->null;
}

/* Every source but an inherited stream, which stays where it is, is FIRST_FREE_FD or
 * more, so none is overwritten before its turn. */
static int
add_file_actions (posix_spawn_file_actions_t *actions,
                  const MaltSpawnOptions     *options,
                  const WorkerEnds           *ends)
{
  const int sources[] = {
    [STDIN_FILENO] = ends->null,
    [STDOUT_FILENO] = choose_output (options->stdout_stream, ends, ends->stdout_end, STDOUT_FILENO),
    [STDERR_FILENO] = choose_output (options->stderr_stream, ends, ends->stderr_end, STDERR_FILENO),
    [MALT_START_DATA_FD] = ends->data,
    [MALT_START_CONTROL_FD] = ends->control,
    [MALT_START_STATUS_FD] = ends->status_end,
  };
  int code = 0;
  int i;

  for (i = 0; code == 0 && i < (int) G_N_ELEMENTS (sources); i++)
    code = sources[i] >= 0 ? posix_spawn_file_actions_adddup2 (actions, sources[i], i)
                           : posix_spawn_file_actions_addclose (actions, i);

  if (code == 0)
    code = posix_spawn_file_actions_addclosefrom_np (actions, G_N_ELEMENTS (sources));

  return code;
}

static int
set_attributes (posix_spawnattr_t      *attributes,
                const MaltSpawnOptions *options)
{
  short flags = POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK;
  sigset_t signals;
  int code;

  if (!options->share_process_group)
    flags |= POSIX_SPAWN_SETSID;

  code = posix_spawnattr_setflags (attributes, flags);
  if (code == 0)
    {
      sigfillset (&signals);
      code = posix_spawnattr_setsigdefault (attributes, &signals);
    }
  if (code == 0)
    {
      sigemptyset (&signals);
      code = posix_spawnattr_setsigmask (attributes, &signals);
    }

  return code;
}

static int
spawn_helper (const MaltSpawnOptions *options,
              const WorkerEnds       *ends,
              pid_t                  *pid)
{
  g_autoptr(GPtrArray) argv = g_ptr_array_new ();
  g_autofree char *death_signal = g_strdup_printf ("%d", options->death_signal);
  g_autofree char *manager = g_strdup_printf ("%d", (int) getpid ());
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  int code;
  gsize i;

  g_ptr_array_add (argv, (gpointer) options->helper);
  g_ptr_array_add (argv, death_signal);
  g_ptr_array_add (argv, manager);
  g_ptr_array_add (argv, (gpointer) (options->directory != NULL ? options->directory : "/"));
  g_ptr_array_add (argv, (gpointer) options->program);
  for (i = 0; options->argv[i] != NULL; i++)
    g_ptr_array_add (argv, (gpointer) options->argv[i]);
  g_ptr_array_add (argv, NULL);

  code = posix_spawn_file_actions_init (&actions);
  if (code != 0)
    return code;

  code = posix_spawnattr_init (&attributes);
  if (code == 0)
    {
      code = set_attributes (&attributes, options);
      if (code == 0)
        code = add_file_actions (&actions, options, ends);
      if (code == 0)
        code = posix_spawn (pid, options->helper, &actions, &attributes,
                            (char **) argv->pdata, (char **) options->environment);
      posix_spawnattr_destroy (&attributes);
    }

  posix_spawn_file_actions_destroy (&actions);
  return code;
}

/* Whether the descriptor is of a child of ours that nobody has reaped: if another part
 * of the program did in the meantime, the number could be somebody else's by now. */
static gboolean
is_our_child (int pidfd)
{
  siginfo_t info;

  return waitid ((idtype_t) P_PIDFD, (id_t) pidfd, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

static gboolean
open_pidfd (const MaltSpawnOptions  *options,
            MaltSpawned             *spawned,
            GError                 **error)
{
  int code;

  spawned->pidfd = (int) syscall (SYS_pidfd_open, spawned->pid, 0);
  if (spawned->pidfd >= 0 && is_our_child (spawned->pidfd))
    return TRUE;

  code = errno;
  if (code == ESRCH || code == ECHILD)
    {
      /* It ended at once.  If it was the helper that did, it has said why. */
      if (malt_spawn_read_status (spawned->status_fd, options->program, options->directory,
                                  error) == MALT_SPAWN_STATE_FAILED)
        return FALSE;

      g_set_error (error, MALT_ERROR, MALT_ERROR_START,
                   "could not start '%s': it ended, and another part of the program took its exit status",
                   options->program);
      return FALSE;
    }

  /* Still ours, as it was not reaped: nobody else has its number. */
  kill (spawned->pid, SIGKILL);
  while (waitpid (spawned->pid, NULL, 0) < 0 && errno == EINTR)
    continue;

  return fail (error, options->program, "open a pidfd", code);
}

/* Starts a program.  When this returns, the helper runs; whether the program does is
 * told by malt_spawn_read_status().
 *
 * It blocks for as long as the kernel needs to load the helper.  With a death signal
 * it has to be called on a thread that lives as long as the worker may, as the kernel
 * sends the signal when that very thread ends.
 *
 * On failure nothing is left behind, and the error is MALT_ERROR_START. */
gboolean
malt_spawn (const MaltSpawnOptions  *options,
            MaltSpawned             *spawned,
            GError                 **error)
{
  g_auto(WorkerEnds) ends = { -1, -1, -1, -1, -1, -1 };
  MaltSpawned result = MALT_SPAWNED_INIT;
  struct rusage usage;
  int code;

  g_assert (g_path_is_absolute (options->helper));
  g_assert (g_path_is_absolute (options->program));
  g_assert (options->argv != NULL && options->argv[0] != NULL);
  g_assert (options->environment != NULL);

  result.oom_kills = malt_oom_count_kills ();

  if (!open_ends (options, &result, &ends, error))
    {
      malt_spawned_clear (&result);
      return FALSE;
    }

  code = spawn_helper (options, &ends, &result.pid);
  if (code != 0)
    {
      fail (error, options->program, "run the start helper", code);
      malt_spawned_clear (&result);
      return FALSE;
    }

  /* The worker has its own; this leaves room for the pidfd if there was none. */
  worker_ends_clear (&ends);

  if (!open_pidfd (options, &result, error))
    {
      malt_spawned_clear (&result);
      return FALSE;
    }

  /* Until it ran the helper it was in our memory, which the kernel counts as its. */
  if (getrusage (RUSAGE_SELF, &usage) == 0)
    result.inherited_peak = (guint64) usage.ru_maxrss * 1024;

  *spawned = result;
  return TRUE;
}

static const char *
describe_step (int step)
{
  switch (step)
    {
    case MALT_START_STEP_ARGUMENTS:
      return "read the start helper's arguments";
    case MALT_START_STEP_DESCRIPTORS:
      return "close descriptors";
    case MALT_START_STEP_SIGNALS:
      return "reset signals";
    case MALT_START_STEP_DEATH_SIGNAL:
      return "set the parent-death signal";
    case MALT_START_STEP_MANAGER:
      return "find the manager";
    case MALT_START_STEP_LIMITS:
      return "set resource limits";
    case MALT_START_STEP_PRIVILEGES:
      return "give up new privileges";
    default:
      return "take an unknown step";
    }
}

static void
set_status_error (GError                **error,
                  const MaltStartStatus  *status,
                  const char             *program,
                  const char             *directory)
{
  if (status->step == MALT_START_STEP_DIRECTORY)
    {
      g_autofree char *step = g_strdup_printf ("enter the working directory '%s'", directory);

      fail (error, program, step, status->error);
    }
  else if (status->step != MALT_START_STEP_EXECUTE)
    {
      fail (error, program, describe_step (status->step), status->error);
    }
  else if (status->error == ENOENT && g_file_test (program, G_FILE_TEST_EXISTS))
    {
      g_set_error (error, MALT_ERROR, MALT_ERROR_START,
                   "could not start '%s': the interpreter or loader that it names does not exist", program);
    }
  else if (status->error == ENOENT || status->error == ENOTDIR)
    {
      g_set_error (error, MALT_ERROR, MALT_ERROR_NOT_FOUND,
                   "there is no program '%s'", program);
    }
  else
    {
      fail (error, program, "execute it", status->error);
    }
}

/* Reads what the start helper says, without blocking.  STARTED means that the program
 * runs or that the helper was killed, which the pidfd tells.  FAILED sets the error,
 * MALT_ERROR_NOT_FOUND for a program that does not exist and else MALT_ERROR_START;
 * the process ends by itself then. */
MaltSpawnState
malt_spawn_read_status (int          status_fd,
                        const char  *program,
                        const char  *directory,
                        GError     **error)
{
  MaltStartStatus status;
  ssize_t n;

  do
    n = read (status_fd, &status, sizeof status);
  while (n < 0 && errno == EINTR);

  if (n == 0)
    return MALT_SPAWN_STATE_STARTED;

  if (n < 0 && errno == EAGAIN)
    return MALT_SPAWN_STATE_STARTING;

  if (n != (ssize_t) sizeof status)
    fail (error, program, "read what the start helper says", n < 0 ? errno : EBADMSG);
  else
    set_status_error (error, &status, program, directory != NULL ? directory : "/");

  return MALT_SPAWN_STATE_FAILED;
}

/* Closes the descriptors that are left; the caller takes one over by setting its field
 * to -1. */
void
malt_spawned_clear (MaltSpawned *spawned)
{
  malt_clear_fd (&spawned->pidfd);
  malt_clear_fd (&spawned->status_fd);
  malt_clear_fd (&spawned->stdout_fd);
  malt_clear_fd (&spawned->stderr_fd);
  spawned->pid = -1;
}
