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
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "malt-start.h"
#include "malt-start-system.h"

#define EXIT_NOT_STARTED 127

/* Of the kernel's own signal sets, which have a bit for each signal. */
#define SIGNAL_SET_SIZE ((_NSIG - 1) / 8)

static void
fail (MaltStartStep step,
      long          error)
{
  MaltStartStatus status = { (int) step, (int) error };
  long n;

  /* Less than PIPE_BUF, so all of it or nothing.  If nobody reads, nobody needs it. */
  do
    n = system_call (SYS_write, MALT_START_STATUS_FD, (long) &status, sizeof status, 0, 0);
  while (n == -EINTR);

  for (;;)
    system_call (SYS_exit_group, EXIT_NOT_STARTED, 0, 0, 0, 0);
}

/* Takes the step that a system call is. */
static void
take (MaltStartStep step,
      long          number,
      long          a,
      long          b,
      long          c,
      long          d)
{
  long result = system_call (number, a, b, c, d, 0);

  if (result < 0)
    fail (step, -result);
}

static int
parse_number (const char *text)
{
  long number = 0;
  const char *p;

  for (p = text; *p >= '0' && *p <= '9' && number <= __INT_MAX__; p++)
    number = number * 10 + (*p - '0');
  if (p == text || *p != '\0' || number > __INT_MAX__)
    fail (MALT_START_STEP_ARGUMENTS, EINVAL);

  return (int) number;
}

static void
close_other_descriptors (void)
{
  take (MALT_START_STEP_DESCRIPTORS, SYS_fcntl, MALT_START_STATUS_FD, F_SETFD, FD_CLOEXEC, 0);
  take (MALT_START_STEP_DESCRIPTORS, SYS_close_range, MALT_START_STATUS_FD + 1, ~0U, 0, 0);
}

static void
reset_signals (void)
{
  /* A kernel sigaction of zeros, larger than on any architecture, is SIG_DFL with no
   * flags and an empty mask; and so is a set.  All of them are reset, also the two that
   * the C library keeps to itself, which its posix_spawn() leaves ignored. */
  static const unsigned long nothing[16];
  int i;

  for (i = 1; i < _NSIG; i++)
    if (i != SIGKILL && i != SIGSTOP)
      take (MALT_START_STEP_SIGNALS, SYS_rt_sigaction, i, (long) nothing, 0, SIGNAL_SET_SIZE);

  take (MALT_START_STEP_SIGNALS, SYS_rt_sigprocmask, SIG_SETMASK, (long) nothing, 0, SIGNAL_SET_SIZE);
}

static void
follow_manager (int death_signal,
                int manager)
{
  if (death_signal == 0)
    return;

  take (MALT_START_STEP_DEATH_SIGNAL, SYS_prctl, PR_SET_PDEATHSIG, death_signal, 0, 0);

  /* A manager that ended before the line above sends no signal any more. */
  if (system_call (SYS_getppid, 0, 0, 0, 0, 0) != manager)
    fail (MALT_START_STEP_MANAGER, ESRCH);
}

static void
restrict_process (void)
{
  static const unsigned long long no_core[2]; /* a struct rlimit64 of zeros */

  take (MALT_START_STEP_LIMITS, SYS_prlimit64, 0, RLIMIT_CORE, (long) no_core, 0);
  system_call (SYS_umask, 077, 0, 0, 0, 0);
  take (MALT_START_STEP_PRIVILEGES, SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0);
}

static int
run (int    argc,
     char **argv,
     char **environment)
{
  if (argc < 6)
    fail (MALT_START_STEP_ARGUMENTS, EINVAL);

  close_other_descriptors ();
  reset_signals ();
  follow_manager (parse_number (argv[1]), parse_number (argv[2]));
  restrict_process ();

  take (MALT_START_STEP_DIRECTORY, SYS_chdir, (long) argv[3], 0, 0, 0);
  take (MALT_START_STEP_EXECUTE, SYS_execve, (long) argv[4], (long) (argv + 5), (long) environment, 0);

  return EXIT_NOT_STARTED;
}
