/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

/* What the manager and the start helper agree on.  The helper includes this without
 * GLib. */

/* Where a worker finds its descriptors, after the three standard streams. */
#define MALT_START_DATA_FD    3
#define MALT_START_CONTROL_FD 4
/* Only the helper has this one; it closes when the worker's program starts. */
#define MALT_START_STATUS_FD  5

/* What the helper does, in this order. */
typedef enum
{
  MALT_START_STEP_ARGUMENTS = 1,
  MALT_START_STEP_DESCRIPTORS,
  MALT_START_STEP_SIGNALS,
  MALT_START_STEP_DEATH_SIGNAL,
  MALT_START_STEP_MANAGER,
  MALT_START_STEP_LIMITS,
  MALT_START_STEP_PRIVILEGES,
  MALT_START_STEP_DIRECTORY,
  MALT_START_STEP_EXECUTE,
} MaltStartStep;

/* What it writes to the status descriptor when a step fails. */
typedef struct
{
  int step;
  int error; /* an errno */
} MaltStartStatus;
