/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test-home.h"

/* A thread that runs a main context for as long as the program does, as the main
 * thread of an application would. */

typedef struct
{
  MaltLauncher *launcher;
  MaltWorker   *worker;
  GError       *error;
  GMutex        lock;
  GCond         cond;
  gboolean      done; /* guarded by lock */
} Spawn;

static gpointer
home_thread (gpointer data)
{
  GMainContext *context = data;

  g_main_context_push_thread_default (context);
  for (;;)
    g_main_context_iteration (context, TRUE);

  return NULL;
}

static GMainContext *
get_home (void)
{
  static GMainContext *home;

  if (g_once_init_enter (&home))
    {
      GMainContext *context = g_main_context_new ();

      g_thread_unref (g_thread_new ("home", home_thread, context));
      g_once_init_leave (&home, context);
    }

  return home;
}

static void
spawned_cb (GObject      *source,
            GAsyncResult *result,
            gpointer      user_data)
{
  Spawn *spawn = user_data;

  g_mutex_lock (&spawn->lock);
  spawn->worker = malt_launcher_spawn_finish (spawn->launcher, result, &spawn->error);
  spawn->done = TRUE;
  g_cond_signal (&spawn->cond);
  g_mutex_unlock (&spawn->lock);
}

static gboolean
spawn_cb (gpointer user_data)
{
  Spawn *spawn = user_data;

  malt_launcher_spawn_async (spawn->launcher, NULL, spawned_cb, spawn);
  return G_SOURCE_REMOVE;
}

/* Starts a worker that lives in that thread's context. */
MaltWorker *
test_home_spawn (MaltLauncher  *launcher,
                 GError       **error)
{
  Spawn spawn = { .launcher = launcher };

  g_mutex_init (&spawn.lock);
  g_cond_init (&spawn.cond);
  g_main_context_invoke (get_home (), spawn_cb, &spawn);

  g_mutex_lock (&spawn.lock);
  while (!spawn.done)
    g_cond_wait (&spawn.cond, &spawn.lock);
  g_mutex_unlock (&spawn.lock);

  g_mutex_clear (&spawn.lock);
  g_cond_clear (&spawn.cond);
  if (spawn.error != NULL)
    g_propagate_error (error, spawn.error);
  return spawn.worker;
}

typedef struct
{
  GSourceFunc func;
  gpointer    user_data;
  GMutex      lock;
  GCond       cond;
  gboolean    done; /* guarded by lock */
} Invoke;

static gboolean
invoke_cb (gpointer user_data)
{
  Invoke *invoke = user_data;

  invoke->func (invoke->user_data);
  g_mutex_lock (&invoke->lock);
  invoke->done = TRUE;
  g_cond_signal (&invoke->cond);
  g_mutex_unlock (&invoke->lock);

  return G_SOURCE_REMOVE;
}

/* Has the function called there, and waits until it has returned. */
void
test_home_invoke (GSourceFunc func,
                  gpointer    user_data)
{
  Invoke invoke = { .func = func, .user_data = user_data };

  g_mutex_init (&invoke.lock);
  g_cond_init (&invoke.cond);
  g_main_context_invoke (get_home (), invoke_cb, &invoke);

  g_mutex_lock (&invoke.lock);
  while (!invoke.done)
    g_cond_wait (&invoke.cond, &invoke.lock);
  g_mutex_unlock (&invoke.lock);

  g_mutex_clear (&invoke.lock);
  g_cond_clear (&invoke.cond);
}

/* The other way: workers that live in the default main context, on the thread of the tests. */
static GThread *home_thread_here;
static void (* home_turned) (void);

/* Has them live here from now on; the function is called whenever a test waits. */
void
test_home_be (void (* turned) (void))
{
  home_thread_here = g_thread_self ();
  home_turned = turned;
}

/* Whether they live on this thread. */
gboolean
test_home_is_here (void)
{
  return home_thread_here == g_thread_self ();
}

/* What the main loop of a program would do, for tests that wait without running one. */
void
test_home_turn (void)
{
  if (!test_home_is_here ())
    return;

  while (g_main_context_iteration (NULL, FALSE))
    ;
  home_turned ();
}
