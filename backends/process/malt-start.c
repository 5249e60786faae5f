/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The first program of every worker process:
 *
 *     malt-start DEATH-SIGNAL MANAGER-PID DIRECTORY PROGRAM ARGV0 [ARGUMENT…]
 *
 * It brings the process into the state that a worker starts from, and becomes
 * PROGRAM, which is called ARGV0, in DIRECTORY and with its own environment.  It
 * exists because nothing of this may run in a forked copy of a process with threads,
 * and because posix_spawn() has no word for most of it.
 *
 * DEATH-SIGNAL is what the kernel sends when the manager ends; 0 is nothing.
 *
 * A step that fails is written to MALT_START_STATUS_FD as a MaltStartStatus.  That
 * descriptor is close-on-exec, so end-of-file without one says that PROGRAM runs. */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "malt-start.h"

#define EXIT_NOT_STARTED 127

static void fail (MaltStartStep step,
                  int           error) __attribute__ ((noreturn));

static void
fail (MaltStartStep step,
      int           error)
{
  MaltStartStatus status = { (int) step, error };
  ssize_t n;

  /* Less than PIPE_BUF, so all of it or nothing.  If nobody reads, nobody needs it. */
  do
    n = write (MALT_START_STATUS_FD, &status, sizeof status);
  while (n < 0 && errno == EINTR);

  _exit (EXIT_NOT_STARTED);
}

static long
parse_number (const char *text)
{
  char *end;
  long number;

  errno = 0;
  number = strtol (text, &end, 10);
  if (errno != 0 || end == text || *end != '\0' || number < 0)
    fail (MALT_START_STEP_ARGUMENTS, EINVAL);

  return number;
}

static void
close_other_descriptors (void)
{
  if (fcntl (MALT_START_STATUS_FD, F_SETFD, FD_CLOEXEC) < 0 ||
      close_range (MALT_START_STATUS_FD + 1, ~0U, 0) < 0)
    fail (MALT_START_STEP_DESCRIPTORS, errno);
}

static void
reset_signals (void)
{
  /* A kernel sigaction of zeros, larger than on any architecture, is SIG_DFL with no
   * flags and an empty mask.  The C library's own function would refuse the two
   * signals it keeps to itself, which its posix_spawn() leaves ignored. */
  static const unsigned long default_action[16];
  sigset_t none;
  int i;

  for (i = 1; i < _NSIG; i++)
    if (i != SIGKILL && i != SIGSTOP &&
        syscall (SYS_rt_sigaction, i, default_action, NULL, (_NSIG - 1) / 8) < 0)
      fail (MALT_START_STEP_SIGNALS, errno);

  sigemptyset (&none);
  if (sigprocmask (SIG_SETMASK, &none, NULL) < 0)
    fail (MALT_START_STEP_SIGNALS, errno);
}

static void
follow_manager (int   death_signal,
                pid_t manager)
{
  if (death_signal == 0)
    return;

  if (prctl (PR_SET_PDEATHSIG, (unsigned long) death_signal, 0, 0, 0) < 0)
    fail (MALT_START_STEP_DEATH_SIGNAL, errno);

  /* A manager that ended before the line above sends no signal any more. */
  if (getppid () != manager)
    fail (MALT_START_STEP_MANAGER, ESRCH);
}

static void
restrict_process (void)
{
  static const struct rlimit no_core = { 0, 0 };

  if (setrlimit (RLIMIT_CORE, &no_core) < 0)
    fail (MALT_START_STEP_LIMITS, errno);

  umask (077);

  if (prctl (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
    fail (MALT_START_STEP_PRIVILEGES, errno);
}

int
main (int    argc,
      char **argv)
{
  if (argc < 6)
    fail (MALT_START_STEP_ARGUMENTS, EINVAL);

  close_other_descriptors ();
  reset_signals ();
  follow_manager ((int) parse_number (argv[1]), (pid_t) parse_number (argv[2]));
  restrict_process ();

  if (chdir (argv[3]) < 0)
    fail (MALT_START_STEP_DIRECTORY, errno);

  execve (argv[4], argv + 5, environ);
  fail (MALT_START_STEP_EXECUTE, errno);
}
