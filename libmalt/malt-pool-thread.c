/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-pool-private.h"

#include "wire/malt-fork.h"

/* The thread of all pools.  It starts and stops their workers, reads the replies to calls
 * of which no thread waits, counts how long they wait, and hands out the workers that
 * become free.
 *
 * It is there so that a worker does not stay taken because a caller does not get round to
 * run its main loop, perhaps as it waits for a worker itself; and it is not the library's
 * thread, because values are decoded here, which takes time.  Foreign code never runs. */
static gpointer
run_pool_thread (gpointer user_data)
{
  GMainContext *context = user_data;

  g_main_context_push_thread_default (context);
  for (;;)
    g_main_context_iteration (context, TRUE);

  return NULL;
}

static guint generation; /* of the process whose thread it is, plus one; atomic */

/* Whether there was such a thread in the process of which this one is a copy. */
gboolean
malt_pool_thread_is_gone (void)
{
  guint mine = (guint) g_atomic_int_get ((gint *) &generation);

  return mine != 0 && mine != malt_fork_get_generation () + 1;
}

/* The main context of that thread. */
GMainContext *
malt_pool_get_context (void)
{
  static GMainContext *pool_context;

  if (g_once_init_enter (&pool_context))
    {
      GMainContext *context = g_main_context_new ();

      g_atomic_int_set ((gint *) &generation, (gint) malt_fork_get_generation () + 1);
      g_thread_unref (g_thread_new ("malt-pool", run_pool_thread, context));
      g_once_init_leave (&pool_context, context);
    }

  return pool_context;
}

/* Has the function called once in the context, and never from within this call. */
void
malt_pool_invoke (GMainContext   *context,
                  GSourceFunc     func,
                  gpointer        user_data,
                  GDestroyNotify  destroy)
{
  g_autoptr (GSource) source = g_idle_source_new ();

  g_source_set_static_name (source, "[malt] pool");
  g_source_set_priority (source, G_PRIORITY_DEFAULT);
  g_source_set_callback (source, func, user_data, destroy);
  g_source_attach (source, context);
}
