/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-pool-private.h"

#include "malt-backend-context.h"
#include "malt-launcher.h"
#include "malt-registry.h"

/* Workers of a backend that lives in the main context in which its workers were made: for those of
 * a pool that is its home, in which the pool was made.
 *
 * They are started in the context that the backends there have for themselves, and what becomes of
 * the start is told there.  A thread of the home that blocks, for its turn in the queue or
 * something else, waits as other threads do, but runs that context meanwhile, as whatever it waits
 * for needs that very thread. */

/* Of a thread that waits so. */
struct _MaltPoolBlocked
{
  MaltBackendContext *backends;
  MaltWorkerClass    *klass;
  GSource            *timer;    /* for the deadline, or NULL */
};

/* The class of such workers; %NULL if the pool has others. */
static MaltWorkerClass *
ref_bound_class (MaltPoolCore *core)
{
  const char *backend = malt_launcher_get_backend (core->options.launcher);
  GType type = backend != NULL ? malt_registry_lookup (MALT_MODULE_KIND_BACKEND, backend, NULL) : G_TYPE_INVALID;
  MaltWorkerClass *klass;

  if (type == G_TYPE_INVALID)
    return NULL;

  klass = g_type_class_ref (type);
  if (!klass->any_thread)
    return klass;

  g_type_class_unref (klass);
  return NULL;
}

/* Where its workers are started. */
GMainContext *
malt_pool_home_ref_start_context (MaltPoolCore *core)
{
  MaltWorkerClass *klass = ref_bound_class (core);
  MaltBackendContext *backends;
  GMainContext *context;

  if (klass == NULL)
    return g_main_context_ref (malt_pool_get_context ());

  backends = malt_backend_context_get (core->home);
  context = g_main_context_ref (malt_backend_context_peek (backends));
  malt_backend_context_unref (backends);
  g_type_class_unref (klass);
  return context;
}

static gboolean
is_late_cb (gpointer user_data)
{
  return G_SOURCE_REMOVE;
}

/* Begins to wait.  %NULL if there is no need: the current thread is not at home, or another one
 * that is runs what it waits for. */
MaltPoolBlocked *
malt_pool_home_begin_blocking (MaltPoolCore *core,
                               gint64        deadline)
{
  MaltBackendContext *backends;
  MaltWorkerClass *klass;
  MaltPoolBlocked *self;

  if (core->home_thread != g_thread_self () && !g_main_context_is_owner (core->home))
    return NULL;
  klass = ref_bound_class (core);
  if (klass == NULL)
    return NULL;

  backends = malt_backend_context_get (core->home);
  if (!malt_backend_context_enter (backends))
    {
      malt_backend_context_unref (backends);
      g_type_class_unref (klass);
      return NULL;
    }

  self = g_new0 (MaltPoolBlocked, 1);
  self->backends = backends;
  self->klass = klass;
  if (deadline != 0)
    {
      self->timer = g_timeout_source_new (0);
      g_source_set_static_name (self->timer, "[malt] deadline in a pool's queue");
      g_source_set_callback (self->timer, is_late_cb, NULL, NULL);
      g_source_set_ready_time (self->timer, deadline);
      g_source_attach (self->timer, malt_backend_context_peek (backends));
    }

  g_mutex_lock (&core->lock);
  if (core->n_blocked++ == 0)
    core->blocked = malt_pool_home_ref_context (self);
  g_mutex_unlock (&core->lock);

  return self;
}

/* Whoever waits so looks again. */
void
malt_pool_home_wake_locked (MaltPoolCore *core)
{
  if (core->n_blocked > 0)
    g_main_context_wakeup (core->blocked);
}

/* To wake up the thread from others that do not change the core. */
GMainContext *
malt_pool_home_ref_context (MaltPoolBlocked *self)
{
  return self != NULL ? g_main_context_ref (malt_backend_context_peek (self->backends)) : NULL;
}

/* Waits until something has happened.  With a lock, which is given up meanwhile. */
void
malt_pool_home_wait (MaltPoolBlocked *self,
                     GMutex          *lock)
{
  g_mutex_unlock (lock);
  malt_worker_class_run_blocked (self->klass, malt_backend_context_peek (self->backends));
  g_mutex_lock (lock);
}

void
malt_pool_home_end_blocking (MaltPoolCore    *core,
                             MaltPoolBlocked *self)
{
  if (self == NULL)
    return;

  g_mutex_lock (&core->lock);
  if (--core->n_blocked == 0)
    g_clear_pointer (&core->blocked, g_main_context_unref);
  g_mutex_unlock (&core->lock);

  if (self->timer != NULL)
    {
      g_source_destroy (self->timer);
      g_source_unref (self->timer);
    }
  malt_backend_context_leave (self->backends);
  malt_backend_context_unref (self->backends);
  g_type_class_unref (self->klass);
  g_free (self);
}
