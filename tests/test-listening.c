/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <malt.h>

#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "test-thread.h"
#include "test-watchdog.h"

/* How main contexts listen to many workers at once: more than they poll themselves. */

#define N_WORKERS 20

/* In the channel that native-channels:numbers gives: more than are read at once. */
#define N_NUMBERS 1000

static MaltWorker *workers[N_WORKERS];

static void
set_up (void)
{
  const char *search_path[] = { g_test_get_dir (G_TEST_BUILT), NULL };
  g_autoptr (MaltLauncher) launcher = malt_launcher_new ("process", "native");
  g_autoptr (GError) error = NULL;
  guint i;

  /* Replies are waited for asleep, so that descriptors tell of them. */
  malt_launcher_set_spin_limit (launcher, 0);
  malt_launcher_set_search_path (launcher, search_path);
  for (i = 0; i < N_WORKERS; i++)
    {
      workers[i] = malt_launcher_spawn (launcher, NULL, &error);
      g_assert_no_error (error);
    }
}

static void
tear_down (void)
{
  guint i;

  for (i = 0; i < N_WORKERS; i++)
    {
      malt_worker_kill (workers[i], SIGKILL);
      g_clear_object (&workers[i]);
    }
}

/* Calls that are awaited in one context. */
typedef struct
{
  guint pending;
  guint n_failed;
} Awaited;

static void
called_cb (GObject      *object,
           GAsyncResult *result,
           gpointer      user_data)
{
  Awaited *awaited = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) value = malt_worker_remote_call_finish (MALT_WORKER (object), result, &error);

  if (value != NULL)
    g_assert_cmpint (g_variant_get_int64 (value), ==, 5);
  else
    awaited->n_failed++;
  awaited->pending--;
}

static void
begin (MaltWorker *worker,
       Awaited    *awaited)
{
  awaited->pending++;
  malt_worker_remote_call_async (worker, "native-functions:add", g_variant_new_parsed ("(int64 2, int64 3)"), NULL,
                                 MALT_TIMEOUT_NONE, NULL, called_cb, awaited);
}

static void
finish (Awaited *awaited)
{
  while (awaited->pending > 0)
    g_main_context_iteration (g_main_context_get_thread_default (), TRUE);
}

static void
call_each (gboolean in_turn)
{
  Awaited awaited = { 0 };
  guint i;

  for (i = 0; i < N_WORKERS; i++)
    {
      begin (workers[i], &awaited);
      if (in_turn)
        finish (&awaited);
    }
  finish (&awaited);
  g_assert_cmpuint (awaited.n_failed, ==, 0);
}

static void
call_all (void)
{
  call_each (FALSE);
}

static void
call_in_turn (void)
{
  call_each (TRUE);
}

static void
call_blocking (MaltWorker *worker)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) value = NULL;

  value = malt_worker_remote_call_fetch (worker, "native-functions:add", g_variant_new_parsed ("(int64 2, int64 3)"),
                                         NULL, MALT_TIMEOUT_NONE, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpint (g_variant_get_int64 (value), ==, 5);
}

static void
test_many (void)
{
  guint i;

  set_up ();
  for (i = 0; i < 20; i++)
    {
      call_all ();
      call_in_turn ();
    }
  tear_down ();
}

/* One that ends while it is listened to is heard of, and the others go on. */
static void
test_end (void)
{
  Awaited awaited = { 0 };
  guint i;

  set_up ();
  call_all ();
  for (i = 0; i < N_WORKERS; i += 5)
    {
      malt_worker_kill (workers[i], SIGSTOP);
      begin (workers[i], &awaited);
      malt_worker_kill (workers[i], SIGKILL);
    }
  finish (&awaited);
  g_assert_cmpuint (awaited.n_failed, ==, N_WORKERS / 5);

  for (i = 0; i < N_WORKERS; i++)
    if (i % 5 != 0)
      begin (workers[i], &awaited);
  finish (&awaited);
  g_assert_cmpuint (awaited.n_failed, ==, N_WORKERS / 5);
  tear_down ();
}

static gpointer
call_in_contexts (gpointer data)
{
  guint i;

  for (i = 0; i < 10; i++)
    {
      g_autoptr (GMainContext) context = g_main_context_new ();

      g_main_context_push_thread_default (context);
      call_all ();
      call_in_turn ();
      g_main_context_pop_thread_default (context);
    }

  return NULL;
}

static gpointer
call_from_thread (gpointer data)
{
  guint i;

  for (i = 0; i < 200; i++)
    call_blocking (workers[i % N_WORKERS]);

  return NULL;
}

/* Contexts that come and go, and threads, listen to the same workers. */
static void
test_contexts (void)
{
  TestThread *threads[3];
  guint i;

  set_up ();
  threads[0] = test_thread_new ("contexts-1", call_in_contexts, NULL);
  threads[1] = test_thread_new ("contexts-2", call_in_contexts, NULL);
  threads[2] = test_thread_new ("blocking", call_from_thread, NULL);
  for (i = 0; i < 10; i++)
    {
      call_all ();
      call_in_turn ();
    }
  for (i = 0; i < G_N_ELEMENTS (threads); i++)
    test_thread_join (threads[i]);
  call_all ();
  tear_down ();
}

/* Where there is no descriptor left for more, each is polled. */
static void
test_no_descriptors (void)
{
  g_autoptr (GMainContext) context = g_main_context_new ();
  struct rlimit limit, none;
  int next;
  guint i;

  set_up ();
  g_assert_cmpint (getrlimit (RLIMIT_NOFILE, &limit), ==, 0);
  none = limit;
  next = dup (STDERR_FILENO);
  g_assert_cmpint (next, !=, -1);
  close (next);
  none.rlim_cur = (rlim_t) next;
  g_main_context_push_thread_default (context);
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &none), ==, 0);
  for (i = 0; i < 5; i++)
    {
      call_all ();
      call_in_turn ();
    }
  g_assert_cmpint (dup (STDERR_FILENO), ==, -1);
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &limit), ==, 0);
  g_main_context_pop_thread_default (context);
  tear_down ();
}

/* A loop that somebody else runs waits for what the context waits for, and has the program's code
 * run meanwhile. */
typedef struct
{
  GMainContext *context;
  int           max_priority;
  int           timeout;
  GPollFD       fds[16];
  int           n_fds;
} OtherLoop;

static void
other_loop_prepare (OtherLoop *self)
{
  g_assert_true (g_main_context_acquire (self->context));
  g_main_context_prepare (self->context, &self->max_priority);
  self->n_fds = g_main_context_query (self->context, self->max_priority, &self->timeout, self->fds,
                                      G_N_ELEMENTS (self->fds));
  g_assert_cmpint (self->n_fds, <=, G_N_ELEMENTS (self->fds));
  g_main_context_release (self->context);
}

static void
other_loop_turn (OtherLoop *self)
{
  g_poll (self->fds, (guint) self->n_fds, self->timeout);
  g_assert_true (g_main_context_acquire (self->context));
  if (g_main_context_check (self->context, self->max_priority, self->fds, self->n_fds))
    g_main_context_dispatch (self->context);
  g_main_context_release (self->context);
  other_loop_prepare (self);
}

static void
taken_cb (GObject      *object,
          GAsyncResult *result,
          gpointer      user_data)
{
  GVariant **value = user_data;
  g_autoptr (GError) error = NULL;

  *value = malt_channel_take_finish (MALT_CHANNEL (object), result, &error);
  g_assert_no_error (error);
}

/* What was read and not yet looked at is found, though no descriptor tells of it. */
static void
test_other_loop (void)
{
  /* Sources that are attached while nobody runs it wake it. */
  g_autoptr (GMainContext) context = g_main_context_new_with_flags (G_MAIN_CONTEXT_FLAGS_OWNERLESS_POLLING);
  OtherLoop loop = { .context = context };
  g_autoptr (MaltChannel) channel = NULL;
  g_autoptr (GError) error = NULL;
  guint i;

  set_up ();
  channel = malt_worker_open_channel (workers[0], NULL, "native-channels:numbers", MALT_TIMEOUT_NONE, NULL, &error);
  g_assert_no_error (error);

  other_loop_prepare (&loop);
  for (i = 0; i < N_NUMBERS; i++)
    {
      g_autoptr (GVariant) value = NULL;

      g_main_context_push_thread_default (context);
      malt_channel_take_async (channel, NULL, taken_cb, &value);
      g_main_context_pop_thread_default (context);
      other_loop_prepare (&loop); /* as something was begun */
      while (value == NULL)
        other_loop_turn (&loop);
      g_assert_cmpint (g_variant_get_int64 (value), ==, i);
    }
  tear_down ();
}

/* How often a context turns. */
typedef struct
{
  GSource source;
  gint    n_turns; /* atomic */
} Counter;

static gboolean
counter_prepare (GSource *source,
                 int     *timeout)
{
  g_atomic_int_inc (&((Counter *) source)->n_turns);
  *timeout = -1;
  return FALSE;
}

static GSourceFuncs counter_funcs = { .prepare = counter_prepare };

typedef struct
{
  GMainContext *context;
  GMainLoop    *loop;
  Counter      *counter;
} Idle;

static gpointer
run_idle (gpointer data)
{
  Idle *idle = data;

  g_main_context_push_thread_default (idle->context);
  call_all (); /* so that it listens to all of them */
  g_main_loop_run (idle->loop);
  g_main_context_pop_thread_default (idle->context);

  return NULL;
}

static gboolean
quit_cb (gpointer loop)
{
  g_main_loop_quit (loop);
  return G_SOURCE_REMOVE;
}

/* A context in which nothing is awaited any more sleeps while threads wait for the same workers:
 * each may wake it for nothing now and then, and not with each of its replies. */
static void
test_idle (void)
{
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autoptr (GMainLoop) loop = g_main_loop_new (context, FALSE);
  GSource *source = g_source_new (&counter_funcs, sizeof (Counter));
  Idle idle = { context, loop, (Counter *) source };
  TestThread *thread;
  int before;
  guint i;

  set_up ();
  g_source_attach (source, context);
  thread = test_thread_new ("idle", run_idle, &idle);
  while (!g_main_loop_is_running (loop))
    g_usleep (1000);

  for (i = 0; i < 10 * N_WORKERS; i++)
    call_blocking (workers[i % N_WORKERS]);
  before = g_atomic_int_get (&idle.counter->n_turns);
  for (i = 0; i < 100 * N_WORKERS; i++)
    call_blocking (workers[i % N_WORKERS]);
  g_assert_cmpint (g_atomic_int_get (&idle.counter->n_turns) - before, <, 10 * N_WORKERS);

  g_main_context_invoke (context, quit_cb, loop);
  test_thread_join (thread);
  g_source_destroy (source);
  g_source_unref (source);
  tear_down ();
}

int
main (int    argc,
      char **argv)
{
  int status;

  g_test_init (&argc, &argv, NULL);
  test_watchdog_start ();

  g_test_add_func ("/listening/many", test_many);
  g_test_add_func ("/listening/end", test_end);
  g_test_add_func ("/listening/contexts", test_contexts);
  g_test_add_func ("/listening/no-descriptors", test_no_descriptors);
  g_test_add_func ("/listening/other-loop", test_other_loop);
  g_test_add_func ("/listening/idle", test_idle);

  status = g_test_run ();
  test_watchdog_stop ();
  return status;
}
