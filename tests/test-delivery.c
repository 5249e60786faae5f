/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <glib.h>

#include "malt-delivery.h"

/* What is delivered to a main context without end, and what else there is in it. */

typedef struct
{
  MaltDelivery  delivery;
  GMainContext *context;
  gulong        usec;      /* how long each takes */
  guint         n_wanted;  /* deliveries, or 0 for one after the other until it is ended */
  gboolean      is_ended;
  guint         n_done;
} Flood;

static void
flood_deliver (MaltDelivery *delivery)
{
  Flood *self = (Flood *) delivery;

  self->n_done++;
  g_usleep (self->usec);
  if (!self->is_ended && self->n_done != self->n_wanted)
    malt_deliver (delivery, self->context);
}

static gboolean
count_cb (gpointer user_data)
{
  guint *n = user_data;

  ++*n;
  return G_SOURCE_CONTINUE;
}

static GSource *
add_counter (GMainContext *context,
             int           priority,
             guint        *n)
{
  GSource *source = g_idle_source_new ();

  g_source_set_priority (source, priority);
  g_source_set_callback (source, count_cb, n, NULL);
  g_source_attach (source, context);
  return source;
}

static void
remove_counter (GSource *source)
{
  g_source_destroy (source);
  g_source_unref (source);
}

/* Ends it, and runs what is there. */
static void
flood_end (Flood *self)
{
  self->is_ended = TRUE;
  while (g_main_context_iteration (self->context, FALSE))
    ;
}

/* What draws has its turn, and so has what is done when there is nothing else to do. */
static void
test_lower_priority (void)
{
  static const int priorities[] = { G_PRIORITY_HIGH_IDLE + 20, G_PRIORITY_DEFAULT_IDLE };
  g_autoptr (GMainContext) context = g_main_context_new ();
  Flood flood = { { .func = flood_deliver }, context, 20, 0, FALSE, 0 };
  guint i;

  malt_deliver (&flood.delivery, context);
  for (i = 0; i < G_N_ELEMENTS (priorities); i++)
    {
      guint n = 0;
      GSource *counter = add_counter (context, priorities[i], &n);

      while (n < 10)
        g_main_context_iteration (context, TRUE);
      remove_counter (counter);
    }

  flood_end (&flood);
  g_assert_cmpuint (flood.n_done, >=, 10);
}

/* What is always ready, and as urgent, does not keep the deliveries from going on. */
static void
test_same_priority (void)
{
  g_autoptr (GMainContext) context = g_main_context_new ();
  Flood flood = { { .func = flood_deliver }, context, 100, 200, FALSE, 0 };
  guint n = 0;
  GSource *counter = add_counter (context, G_PRIORITY_DEFAULT, &n);

  malt_deliver (&flood.delivery, context);
  while (flood.n_done < flood.n_wanted)
    g_main_context_iteration (context, TRUE);
  g_assert_cmpuint (n, >, 0);
  remove_counter (counter);
}

typedef struct
{
  Flood    flood;
  Flood    inner;
  guint   *n_inner;
} Nest;

static void
nest_deliver (MaltDelivery *delivery)
{
  Nest *self = (Nest *) delivery;

  malt_deliver (&self->inner.delivery, self->inner.context);
  while (*self->n_inner < 5)
    g_main_context_iteration (self->inner.context, TRUE);
  self->flood.is_ended = TRUE;
}

/* The same in a loop that a delivery runs. */
static void
test_nested (void)
{
  g_autoptr (GMainContext) context = g_main_context_new ();
  guint n = 0;
  Nest nest = {
    { { .func = nest_deliver }, context, 0, 0, FALSE, 0 },
    { { .func = flood_deliver }, context, 20, 0, FALSE, 0 },
    &n,
  };
  GSource *counter = add_counter (context, G_PRIORITY_DEFAULT_IDLE, &n);

  malt_deliver (&nest.flood.delivery, context);
  while (!nest.flood.is_ended)
    g_main_context_iteration (context, TRUE);
  remove_counter (counter);
  flood_end (&nest.inner);
}

/* A context that goes while the others have their turn. */
static void
test_context_goes (void)
{
  guint i;

  for (i = 0; i < 10; i++)
    {
      GMainContext *context = g_main_context_new ();
      Flood flood = { { .func = flood_deliver }, context, 5000, 1, FALSE, 0 };

      malt_deliver (&flood.delivery, context);
      while (flood.n_done == 0)
        g_main_context_iteration (context, TRUE);
      g_main_context_unref (context);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/delivery/lower-priority", test_lower_priority);
  g_test_add_func ("/delivery/same-priority", test_same_priority);
  g_test_add_func ("/delivery/nested", test_nested);
  g_test_add_func ("/delivery/context-goes", test_context_goes);

  return g_test_run ();
}
