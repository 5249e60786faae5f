/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-delivery.h"

#include <time.h>

/* How results get to the main contexts in which they are awaited.
 *
 * An idle source per result would cost each its own allocation, attachment and wake-up.
 * Here every such context has one source, made when the first result is delivered, and
 * a queue.  What is queued keeps the context alive (by its call or result), so that a context
 * that goes has nothing left in its queue.
 *
 * Workers can deliver without end, and what is of lower priority, such as what a toolkit draws,
 * would wait as long.  So all other sources of the context get a turn now and then.  If those of
 * our own priority do not let it come, there is a pause in its place. */

#define TURN_USEC  (4 * 1000)  /* from one turn of the others to the next */
#define PAUSE_USEC (16 * 1000) /* how long their turn is waited for: a frame, at 60 Hz */

typedef struct
{
  GSource  source;

  /* Owned by the thread that runs the context. */
  GQueue   taken;      /* of MaltDelivery: what it has taken and not yet done */
  gint64   turned;     /* when the others had their turn last, monotonic */
  gint64   paused;     /* since when they have it, or 0 */
  gboolean has_turn;   /* there is a source that ends it */

  gint     is_due;     /* atomic: there is something in the queue */

  /* Guarded by deliveries_lock. */
  GQueue   queue;      /* of MaltDelivery */
} MaltDeliverySource;

static GMutex deliveries_lock;
/* Guarded by deliveries_lock: GMainContext → MaltDeliverySource, none owned.  A source
 * belongs to its context, and takes itself off when it goes with it. */
static GHashTable *delivery_sources;

/* It is looked at with each delivery, and need not be more exact than the kernel's clock ticks. */
static gint64
get_time (void)
{
  struct timespec now;

  clock_gettime (CLOCK_MONOTONIC_COARSE, &now);
  return now.tv_sec * (gint64) G_USEC_PER_SEC + now.tv_nsec / 1000;
}

static gboolean
is_due (MaltDeliverySource *self)
{
  return self->taken.length > 0 || g_atomic_int_get (&self->is_due);
}

static void
end_turn (MaltDeliverySource *self)
{
  self->turned = get_time ();
  self->paused = 0;
}

/* All that is ready has been run, as this has the priority of what is run last. */
static gboolean
turned_cb (gpointer user_data)
{
  MaltDeliverySource *self = user_data; /* which goes with the context, as this does */

  self->has_turn = FALSE;
  end_turn (self);
  return G_SOURCE_REMOVE;
}

/* Gives the others their turn if they have waited for it. */
static void
begin_turn (MaltDeliverySource *self)
{
  gint64 now = get_time ();
  GSource *source;

  if (self->paused != 0 || now - self->turned < TURN_USEC)
    return;

  self->paused = now;
  if (self->has_turn)
    return;

  self->has_turn = TRUE;
  source = g_idle_source_new ();
  g_source_set_static_name (source, "[malt] turn of the others");
  g_source_set_can_recurse (source, TRUE);
  g_source_set_callback (source, turned_cb, self, NULL);
  g_source_attach (source, g_source_get_context (&self->source));
  g_source_unref (source);
}

/* For how long they have it yet, in microseconds. */
static gint64
get_pause (MaltDeliverySource *self)
{
  return self->paused != 0 ? MAX (self->paused + PAUSE_USEC - get_time (), 0) : 0;
}

static gboolean
delivery_source_check (GSource *source)
{
  MaltDeliverySource *self = (MaltDeliverySource *) source;

  return is_due (self) && get_pause (self) == 0;
}

static gboolean
delivery_source_prepare (GSource *source,
                         int     *timeout)
{
  MaltDeliverySource *self = (MaltDeliverySource *) source;
  gint64 pause;

  *timeout = -1;
  if (!is_due (self))
    return FALSE;

  begin_turn (self);
  pause = get_pause (self);
  if (pause > 0)
    *timeout = (int) (pause / 1000 + 1);
  return pause == 0;
}

/* Takes all that is in the queue. */
static void
take_deliveries (MaltDeliverySource *self)
{
  g_mutex_lock (&deliveries_lock);
  if (self->taken.length == 0)
    {
      self->taken = self->queue;
      g_queue_init (&self->queue);
    }
  while (self->queue.length > 0)
    g_queue_push_tail_link (&self->taken, g_queue_pop_head_link (&self->queue));
  g_atomic_int_set (&self->is_due, FALSE);
  g_mutex_unlock (&deliveries_lock);
}

/* Delivers what was there when it began, or as much of it as there is time for.  What comes of that
 * waits, so that other sources of the same priority are dispatched, too.  Code that runs the loop
 * finds the rest. */
static gboolean
delivery_source_dispatch (GSource     *source,
                          GSourceFunc  callback,
                          gpointer     user_data)
{
  MaltDeliverySource *self = (MaltDeliverySource *) source;
  guint n;

  if (self->paused != 0)
    end_turn (self);

  take_deliveries (self);
  for (n = self->taken.length; n > 0 && self->taken.length > 0; n--)
    {
      MaltDelivery *delivery = g_queue_pop_head_link (&self->taken)->data;

      delivery->func (delivery);
      if (is_due (self))
        begin_turn (self);
      if (self->paused != 0)
        break;
    }

  return G_SOURCE_CONTINUE;
}

/* The table may have another one for the address already. */
static gboolean
is_source (gpointer key,
           gpointer value,
           gpointer source)
{
  return value == source;
}

static void
delivery_source_finalize (GSource *source)
{
  g_mutex_lock (&deliveries_lock);
  g_assert (((MaltDeliverySource *) source)->queue.length == 0);
  g_assert (((MaltDeliverySource *) source)->taken.length == 0);
  g_hash_table_foreach_remove (delivery_sources, is_source, source);
  g_mutex_unlock (&deliveries_lock);
}

static GSourceFuncs delivery_source_funcs = {
  .prepare = delivery_source_prepare,
  .check = delivery_source_check,
  .dispatch = delivery_source_dispatch,
  .finalize = delivery_source_finalize,
};

static MaltDeliverySource *
source_of_context_locked (GMainContext *context)
{
  MaltDeliverySource *self;

  if (delivery_sources == NULL)
    delivery_sources = g_hash_table_new (NULL, NULL);

  /* GLib destroys the sources of a context that goes, frees the context, and only then lets go of
   * the sources: meanwhile another context can be at its address. */
  self = g_hash_table_lookup (delivery_sources, context);
  if (self == NULL || g_source_is_destroyed ((GSource *) self))
    {
      GSource *source = g_source_new (&delivery_source_funcs, sizeof (MaltDeliverySource));

      g_source_set_static_name (source, "[malt] delivery");
      g_source_set_can_recurse (source, TRUE);
      self = (MaltDeliverySource *) source;
      g_hash_table_insert (delivery_sources, context, self);
      g_source_attach (source, context);
      g_source_unref (source);
    }

  return self;
}

/* Has the delivery done in the context, in the order in which deliveries were made, and
 * never from within this call.  On any thread. */
void
malt_deliver (MaltDelivery *delivery,
              GMainContext *context)
{
  MaltDeliverySource *source;
  gboolean was_due;

  delivery->link = (GList) { .data = delivery };

  g_mutex_lock (&deliveries_lock);
  source = source_of_context_locked (context);
  was_due = source->queue.length > 0;
  g_queue_push_tail_link (&source->queue, &delivery->link);
  g_atomic_int_set (&source->is_due, TRUE);

  /* Whoever made the first one due has woken the context, or runs it.  Without the lock the
   * context could go with what is delivered. */
  if (!was_due && !g_main_context_is_owner (context))
    g_main_context_wakeup (context);
  g_mutex_unlock (&deliveries_lock);
}
