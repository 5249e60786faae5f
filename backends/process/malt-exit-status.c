/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-exit-status.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "malt-oom.h"

/* How a worker process ended: asking the kernel, and saying it in the words that all
 * backends share. */

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

static gint64
to_usec (const struct timeval *time)
{
  return (gint64) time->tv_sec * G_USEC_PER_SEC + time->tv_usec;
}

/* Reaps a process if it has ended, and never blocks.  Returns FALSE, and leaves status
 * alone, if it has not.  A process that was reaped by another part of the program, or
 * by the kernel because SIGCHLD is ignored, has ended with a status that nobody knows. */
gboolean
malt_exit_status_reap (int             pidfd,
                       MaltExitStatus *status)
{
  siginfo_t info = { 0 };
  struct rusage usage = { 0 };
  long result;

  /* The C library's waitid() leaves out the last argument. */
  do
    result = syscall (SYS_waitid, P_PIDFD, pidfd, &info, WEXITED | WNOHANG, &usage);
  while (result < 0 && errno == EINTR);

  if (result == 0 && info.si_pid == 0)
    return FALSE;

  *status = (MaltExitStatus) { 0 };
  if (result < 0)
    return TRUE;

  status->known = TRUE;
  status->code = info.si_code;
  status->status = info.si_status;
  status->user_time = to_usec (&usage.ru_utime);
  status->system_time = to_usec (&usage.ru_stime);
  status->peak_memory = (guint64) usage.ru_maxrss * 1024;

  return TRUE;
}

static gboolean
was_sent (const MaltExitCircumstances *circumstances,
          int                          signum)
{
  return (circumstances->signals_sent & MALT_EXIT_SIGNAL_BIT (signum)) != 0;
}

/* Says in one word how it ended. */
MaltExitKind
malt_exit_status_get_kind (const MaltExitStatus        *status,
                           const MaltExitCircumstances *circumstances,
                           gboolean                     oom_killed)
{
  if (circumstances->connection_lost)
    return MALT_EXIT_KIND_CONNECTION_LOST;

  if (!status->known)
    return MALT_EXIT_KIND_UNKNOWN;

  if (status->code == CLD_EXITED && status->status == MALT_EXIT_CODE_OUT_OF_MEMORY)
    return MALT_EXIT_KIND_OUT_OF_MEMORY;

  if (status->code == CLD_EXITED)
    return circumstances->stop_requested && status->status == 0 ? MALT_EXIT_KIND_STOPPED
                                                                : MALT_EXIT_KIND_EXITED;

  if (circumstances->stop_requested && was_sent (circumstances, status->status))
    return MALT_EXIT_KIND_STOPPED;

  switch (status->status)
    {
    case SIGKILL:
      return oom_killed ? MALT_EXIT_KIND_OUT_OF_MEMORY : MALT_EXIT_KIND_SIGNALLED;
    case SIGXCPU:
    case SIGXFSZ:
      return MALT_EXIT_KIND_LIMIT;
    case SIGSYS:
      return MALT_EXIT_KIND_FORBIDDEN_SYSTEM_CALL;
    default:
      return MALT_EXIT_KIND_SIGNALLED;
    }
}

static const char *
get_reason (const MaltExitStatus        *status,
            const MaltExitCircumstances *circumstances,
            MaltExitKind                 kind)
{
  switch (kind)
    {
    case MALT_EXIT_KIND_CONNECTION_LOST:
      return circumstances->protocol_failure;
    case MALT_EXIT_KIND_UNKNOWN:
      return status->traced ? "the process that traces it keeps its exit status"
                            : "another part of the program took its exit status";
    case MALT_EXIT_KIND_LIMIT:
      return status->status == SIGXCPU ? "processor time" : "size of a file";
    case MALT_EXIT_KIND_STOPPED:
    case MALT_EXIT_KIND_EXITED:
    case MALT_EXIT_KIND_SIGNALLED:
    case MALT_EXIT_KIND_OUT_OF_MEMORY:
    case MALT_EXIT_KIND_FORBIDDEN_SYSTEM_CALL:
    default:
      return NULL;
    }
}

static gboolean
was_killed_for_memory (const MaltExitStatus        *status,
                       const MaltExitCircumstances *circumstances)
{
  return status->known && status->code != CLD_EXITED && status->status == SIGKILL &&
         !was_sent (circumstances, SIGKILL) &&
         malt_oom_claim_kill (circumstances->oom_kills);
}

/* Makes the exit info; stderr_tail, which may be NULL, has to be UTF-8.  A worker that
 * was ended for its memory counts once, so this is called once for each. */
MaltExitInfo *
malt_exit_status_to_info (const MaltExitStatus        *status,
                          const MaltExitCircumstances *circumstances,
                          const char                  *stderr_tail)
{
  gboolean oom_killed = was_killed_for_memory (status, circumstances);
  MaltExitKind kind = malt_exit_status_get_kind (status, circumstances, oom_killed);
  gboolean exited = status->known && status->code == CLD_EXITED;
  gboolean signalled = status->known && status->code != CLD_EXITED;

  /* A process takes over the peak of the memory that it shared with the manager until
   * it ran its first program.  One that never had more than that hides behind it. */
  guint64 peak = status->peak_memory > circumstances->inherited_peak ? status->peak_memory : 0;

  return g_object_new (MALT_TYPE_EXIT_INFO,
                       "kind", kind,
                       "exit-code", exited ? status->status : -1,
                       "signal", signalled ? status->status : 0,
                       "core-dumped", signalled && status->code == CLD_DUMPED,
                       "reason", get_reason (status, circumstances, kind),
                       "stderr", stderr_tail,
                       "user-time", status->user_time,
                       "system-time", status->system_time,
                       "peak-memory", peak,
                       NULL);
}
