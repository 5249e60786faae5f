/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <malt.h>

G_BEGIN_DECLS

/* What the kernel says about a process that has ended. */
typedef struct
{
  gboolean known;       /* FALSE if another part of the program took it */
  gboolean traced;      /* not known, as a tracer keeps it */
  int      code;        /* CLD_EXITED, CLD_KILLED or CLD_DUMPED */
  int      status;      /* exit code or signal */
  gint64   user_time;   /* µs, with the processes that it waited for */
  gint64   system_time;
  guint64  peak_memory; /* bytes */
} MaltExitStatus;

/* What the manager knows about it. */
typedef struct
{
  gboolean    stop_requested;   /* the worker was asked to end, in whatever way */
  guint64     signals_sent;     /* MALT_EXIT_SIGNAL_BIT() of each that we sent */
  gboolean    connection_lost;  /* we ended it because the connection failed */
  const char *protocol_failure; /* what was wrong with what it sent, if that was why */
  guint64     inherited_peak;   /* from MaltSpawned */
  guint64     oom_kills;        /* from MaltSpawned */
} MaltExitCircumstances;

#define MALT_EXIT_SIGNAL_BIT(signum) (G_GUINT64_CONSTANT (1) << ((signum) - 1))

gboolean      malt_exit_status_reap     (int                          pidfd,
                                         MaltExitStatus              *status);
MaltExitKind  malt_exit_status_get_kind (const MaltExitStatus        *status,
                                         const MaltExitCircumstances *circumstances,
                                         gboolean                     oom_killed);
MaltExitInfo *malt_exit_status_to_info  (const MaltExitStatus        *status,
                                         const MaltExitCircumstances *circumstances,
                                         const char                  *stderr_tail);

G_END_DECLS
