/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <gio/gio.h>
#include <sys/types.h>

G_BEGIN_DECLS

/* Where a standard stream of the worker leads. */
typedef enum
{
  MALT_SPAWN_STREAM_NULL,
  MALT_SPAWN_STREAM_PIPE,
  MALT_SPAWN_STREAM_INHERIT,
} MaltSpawnStream;

typedef struct
{
  const char         *helper;      /* absolute path of malt-start */
  const char         *program;     /* absolute path */
  const char * const *argv;        /* what the program is called, and its arguments */
  const char * const *environment; /* all of it */
  const char         *directory;   /* to work in; NULL is / */
  /* The worker's ends of its connection, or -1.  They stay the caller's. */
  int                 data_fd;
  int                 control_fd;
  MaltSpawnStream     stdout_stream;
  MaltSpawnStream     stderr_stream;
  /* A member of the manager's process group and session, not a leader of its own. */
  gboolean            share_process_group;
  /* What the worker gets when the calling thread ends, and with it the manager; 0 is
   * nothing. */
  int                 death_signal;
} MaltSpawnOptions;

/* A process, as its parent holds it.  Every descriptor is close-on-exec; those that
 * can be read are non-blocking. */
typedef struct
{
  pid_t   pid;
  int     pidfd;
  int     status_fd; /* for malt_spawn_read_status() */
  int     stdout_fd; /* the end to read from, or -1 */
  int     stderr_fd;
  guint64 inherited_peak; /* for MaltExitCircumstances */
  guint64 oom_kills;
} MaltSpawned;

#define MALT_SPAWNED_INIT { .pid = -1, .pidfd = -1, .status_fd = -1, .stdout_fd = -1, .stderr_fd = -1 }

/* How far a start has come. */
typedef enum
{
  MALT_SPAWN_STATE_STARTING,
  MALT_SPAWN_STATE_STARTED,
  MALT_SPAWN_STATE_FAILED,
} MaltSpawnState;

gboolean       malt_spawn             (const MaltSpawnOptions  *options,
                                       MaltSpawned             *spawned,
                                       GError                 **error);
MaltSpawnState malt_spawn_read_status (int                      status_fd,
                                       const char              *program,
                                       const char              *directory,
                                       GError                 **error);
void           malt_spawned_clear     (MaltSpawned             *spawned);

G_END_DECLS
