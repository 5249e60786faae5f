/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-delivery.h"

/* How results get to the main contexts in which they are awaited.
 *
 * An idle source per result would cost each its own allocation, attachment and wake-up.
 * Here every such context has one source, made when the first result is delivered, and
 * a queue.  What is queued keeps the context alive (by its GTask), so that a context
 * that goes has nothing left in its queue. */

typedef struct
{
  GSource source;

  /* Guarded by deliveries_lock. */
  GQueue  queue; /* of MaltDelivery */
} MaltDeliverySource;

static GMutex deliveries_lock;
/* Guarded by deliveries_lock: GMainContext → MaltDeliverySource, none owned.  A source
 * belongs to its context, and takes itself off when it goes with it. */
static GHashTable *delivery_sources;

static gboolean
delivery_source_check (GSource *source)
{
  MaltDeliverySource *self = (MaltDeliverySource *) source;
  gboolean ready;

  g_mutex_lock (&deliveries_lock);
  ready = self->queue.length > 0;
  g_mutex_unlock (&deliveries_lock);

  return ready;
}

static gboolean
delivery_source_prepare (GSource *source,
                         int     *timeout)
{
  *timeout = -1;
  return delivery_source_check (source);
}

/* Delivers what was there when it began; what comes of that waits for the next turn, so
 * that other sources get theirs.  Code that runs the loop finds the rest in the queue. */
static gboolean
delivery_source_dispatch (GSource     *source,
                          GSourceFunc  callback,
                          gpointer     user_data)
{
  MaltDeliverySource *self = (MaltDeliverySource *) source;
  guint n;

  g_mutex_lock (&deliveries_lock);
  for (n = self->queue.length; n > 0 && self->queue.length > 0; n--)
    {
      MaltDelivery *delivery = g_queue_pop_head_link (&self->queue)->data;

      g_mutex_unlock (&deliveries_lock);
      delivery->func (delivery);
      g_mutex_lock (&deliveries_lock);
    }
  g_mutex_unlock (&deliveries_lock);

  return G_SOURCE_CONTINUE;
}

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

  self = g_hash_table_lookup (delivery_sources, context);
  if (self == NULL)
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
  delivery->link = (GList) { .data = delivery };

  g_mutex_lock (&deliveries_lock);
  g_queue_push_tail_link (&source_of_context_locked (context)->queue, &delivery->link);
  g_mutex_unlock (&deliveries_lock);

  if (!g_main_context_is_owner (context))
    g_main_context_wakeup (context);
}
