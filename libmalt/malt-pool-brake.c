/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-pool-brake.h"

/* Keeps a pool from starting one worker after the other that ends at once: no more are
 * started while more than so many have ended within the window.  As the window moves on it
 * lets go by itself.
 *
 * Workers that die of their calls are counted only as long as no call goes well: calls that
 * are bad among others that are not do not keep the others from being made. */

void
malt_pool_brake_init (MaltPoolBrake *self,
                      int            limit,
                      int            window_msec)
{
  self->limit = limit;
  self->window = window_msec * (gint64) 1000;
  g_queue_init (&self->times);
  g_queue_init (&self->call_times);
}

void
malt_pool_brake_clear (MaltPoolBrake *self)
{
  g_queue_clear_full (&self->times, g_free);
  g_queue_clear_full (&self->call_times, g_free);
}

static void
forget_old (GQueue *times,
            gint64  begin)
{
  while (times->length > 0 && *(gint64 *) times->head->data <= begin)
    g_free (g_queue_pop_head (times));
}

/* A worker has died or failed to start. */
void
malt_pool_brake_count (MaltPoolBrake *self,
                       gint64         now,
                       gboolean       during_call)
{
  GQueue *times = during_call ? &self->call_times : &self->times;

  if (self->limit < 0)
    return;

  /* One more than the limit is all that it takes to know, so no more are kept. */
  forget_old (times, now - self->window);
  if (times->length > (guint) self->limit)
    g_free (g_queue_pop_head (times));
  g_queue_push_tail (times, g_memdup2 (&now, sizeof now));
}

/* A call went well. */
void
malt_pool_brake_ease (MaltPoolBrake *self)
{
  if (G_UNLIKELY (self->call_times.length > 0))
    g_queue_clear_full (&self->call_times, g_free);
}

/* Whether no worker may be started now. */
gboolean
malt_pool_brake_is_on (MaltPoolBrake *self,
                       gint64         now)
{
  if (self->limit < 0)
    return FALSE;

  forget_old (&self->times, now - self->window);
  forget_old (&self->call_times, now - self->window);
  return self->times.length + self->call_times.length > (guint) self->limit;
}

/* When it will let go, if it is on: when so many have become old that no more than the limit
 * are left. */
gint64
malt_pool_brake_get_end (MaltPoolBrake *self)
{
  guint n = self->times.length + self->call_times.length - (guint) self->limit;
  const GList *without = self->times.head, *during = self->call_times.head;
  gint64 last = 0;

  for (; n > 0; n--)
    {
      const GList **oldest = without != NULL &&
                             (during == NULL || *(gint64 *) without->data <= *(gint64 *) during->data) ? &without
                                                                                                     : &during;

      last = *(gint64 *) (*oldest)->data;
      *oldest = (*oldest)->next;
    }

  return last + self->window;
}
