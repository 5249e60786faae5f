/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-fork.h"

#include <pthread.h>

/* Written in a new process only, while it has one thread. */
static guint generation;

static void
forked_cb (void)
{
  generation++;
}

static void __attribute__ ((constructor))
watch (void)
{
  pthread_atfork (NULL, NULL, forked_cb);
}

/* How many times fork() was called on the way to this process.  What two processes share
 * (rings, arenas, sockets, workers) belongs to the one that made it: who keeps the number
 * with such a thing sees later whether this is still that process, or a copy of it that has
 * no business there. */
guint
malt_fork_get_generation (void)
{
  return generation;
}
