/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-pool-brake.h"

/* Keeps a pool from starting one worker after the other that ends at once: no more are
 * started while more than so many have ended within the window.  As the window moves on it
 * lets go by itself. */

void
malt_pool_brake_init (MaltPoolBrake *self,
                      int            limit,
                      int            window_msec)
{
  self->limit = limit;
  self->window = window_msec * (gint64) 1000;
  g_queue_init (&self->times);
}

void
malt_pool_brake_clear (MaltPoolBrake *self)
{
  g_queue_clear_full (&self->times, g_free);
}

static void
forget_old (MaltPoolBrake *self,
            gint64         now)
{
  while (self->times.length > 0 && *(gint64 *) self->times.head->data <= now - self->window)
    g_free (g_queue_pop_head (&self->times));
}

/* A worker has died or failed to start. */
void
malt_pool_brake_count (MaltPoolBrake *self,
                       gint64         now)
{
  if (self->limit < 0)
    return;

  /* One more than the limit is all that it takes to know, so no more are kept. */
  forget_old (self, now);
  if (self->times.length > (guint) self->limit)
    g_free (g_queue_pop_head (&self->times));
  g_queue_push_tail (&self->times, g_memdup2 (&now, sizeof now));
}

/* Whether no worker may be started now. */
gboolean
malt_pool_brake_is_on (MaltPoolBrake *self,
                       gint64         now)
{
  if (self->limit < 0)
    return FALSE;

  forget_old (self, now);
  return self->times.length > (guint) self->limit;
}
