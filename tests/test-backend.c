/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <malt.h>

#include "test-asserts.h"
#include "test-process.h"
#include "test-watchdog.h"

/* What backends are promised, with one that may be called on any thread and whose worker does
 * what a test wants within the very function: it ends in the call of "end", and tells how far
 * it has got in that of "tick". */
#define FRAIL_TYPE_WORKER (frail_worker_get_type ())

G_DECLARE_FINAL_TYPE (FrailWorker, frail_worker, FRAIL, WORKER, MaltWorker)

struct _FrailWorker
{
  MaltWorker parent_instance;
};

G_DEFINE_FINAL_TYPE (FrailWorker, frail_worker, MALT_TYPE_WORKER)

static MaltPool *pool;
static int n_finalized; /* atomic */

static void
frail_worker_end (MaltWorker   *worker,
                  MaltExitKind  kind,
                  int           status)
{
  g_autoptr (MaltExitInfo) exit_info = malt_exit_info_new (kind, status);

  malt_worker_report_terminated (worker, exit_info);
}

static gboolean
has_no_workers (gpointer data)
{
  return malt_pool_get_n_workers (pool) == 0;
}

static void
frail_worker_submit (MaltWorker  *worker,
                     MaltRequest *request)
{
  const char *function = malt_request_get_function (request);

  if (g_str_equal (function, "tick"))
    malt_worker_report_progress (worker, request, 0.5, "tick");
  if (!g_str_equal (function, "end"))
    {
      malt_request_return_value (request, NULL);
      return;
    }

  frail_worker_end (worker, MALT_EXIT_KIND_EXITED, 1);

  /* The pool knows it no more, and has the time to drop it. */
  test_await (has_no_workers, NULL);
  g_usleep (20000);
  g_assert_cmpint (g_atomic_int_get (&n_finalized), ==, 0);
}

static void
frail_worker_stop (MaltWorker *worker)
{
  frail_worker_end (worker, MALT_EXIT_KIND_STOPPED, 0);
}

static void
frail_worker_kill (MaltWorker *worker,
                   int         signum)
{
  frail_worker_end (worker, MALT_EXIT_KIND_SIGNALLED, signum);
}

static void
frail_worker_finalize (GObject *object)
{
  g_atomic_int_inc (&n_finalized);

  G_OBJECT_CLASS (frail_worker_parent_class)->finalize (object);
}

static void
frail_worker_class_init (FrailWorkerClass *klass)
{
  MaltWorkerClass *worker_class = MALT_WORKER_CLASS (klass);

  G_OBJECT_CLASS (klass)->finalize = frail_worker_finalize;
  worker_class->submit = frail_worker_submit;
  worker_class->stop = frail_worker_stop;
  worker_class->kill = frail_worker_kill;
  worker_class->any_thread = TRUE;
}

static void
frail_worker_init (FrailWorker *self)
{
}

static gboolean
is_finalized (gpointer data)
{
  return g_atomic_int_get (&n_finalized) == 1;
}

static void
ended_cb (GObject      *source,
          GAsyncResult *result,
          gpointer      user_data)
{
  g_assert_null (malt_pool_remote_call_finish (MALT_POOL (source), result, user_data));
}

/* The worker ends, and its call with it, while the call is still being submitted on a thread
 * that is not the one on which calls end: it lives until that is over. */
static void
test_end_in_submit (void)
{
  g_autoptr (MaltLauncher) launcher = malt_launcher_new ("frail", NULL);
  g_autoptr (GVariant) value = NULL;
  g_autoptr (GError) error = NULL;

  test_watchdog_start ();
  pool = malt_pool_new (launcher, 1);
  value = malt_pool_remote_call_fetch (pool, "nothing", NULL, NULL, MALT_POOL_CALL_FLAGS_NONE, MALT_TIMEOUT_NONE, NULL,
                                       &error);
  g_assert_no_error (error);
  malt_pool_remote_call_async (pool, "end", NULL, NULL, MALT_POOL_CALL_FLAGS_NONE, MALT_TIMEOUT_NONE, NULL, ended_cb,
                               &error);
  while (error == NULL)
    g_main_context_iteration (NULL, TRUE);
  test_assert_error (error, MALT_ERROR, MALT_ERROR_TERMINATED, "*");
  test_await (is_finalized, NULL);

  g_assert_true (malt_pool_shutdown (pool, MALT_POOL_SHUTDOWN_FLAGS_NONE, NULL, &error));
  g_assert_no_error (error);
  g_clear_object (&pool);
  test_watchdog_stop ();
}

/* More calls than there may be of whose progress nobody has heard. */
#define N_TICKS 70000

static void
tick (MaltWorker *worker)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (malt_worker_remote_call_wait (worker, "tick", NULL, NULL, MALT_TIMEOUT_NONE, NULL, &error));
  g_assert_no_error (error);
}

static gpointer
tick_thread (gpointer data)
{
  guint i;

  for (i = 0; i < N_TICKS; i++)
    tick (data);
  return NULL;
}

static void
progress_cb (MaltWorker *worker,
             guint64     id,
             double      fraction,
             const char *text,
             gpointer    user_data)
{
  guint *n = user_data;

  ++*n;
}

/* A program that does not run its main context for long, and calls from another thread. */
static void
test_unheard_progress (void)
{
  g_autoptr (MaltLauncher) launcher = malt_launcher_new ("frail", NULL);
  g_autoptr (MaltWorker) worker = NULL;
  g_autoptr (GError) error = NULL;
  guint n = 0, n_before;

  test_watchdog_start ();
  worker = malt_launcher_spawn (launcher, NULL, &error);
  g_assert_no_error (error);
  g_signal_connect (worker, "progress", G_CALLBACK (progress_cb), &n);
  g_thread_join (g_thread_new ("ticks", tick_thread, worker));
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_assert_cmpuint (n, >, 0);
  g_assert_cmpuint (n, <, N_TICKS);

  /* Once they are told there is room again. */
  n_before = n;
  tick (worker);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_assert_cmpuint (n, ==, n_before + 1);
  malt_worker_stop (worker, -1, -1, NULL, &error);
  g_assert_no_error (error);
  test_watchdog_stop ();
}

int
main (int    argc,
      char **argv)
{
  g_autoptr (GError) error = NULL;

  g_test_init (&argc, &argv, NULL);
  malt_worker_register ("frail", FRAIL_TYPE_WORKER, &error);
  g_assert_no_error (error);

  g_test_add_func ("/backend/end-in-submit", test_end_in_submit);
  g_test_add_func ("/backend/unheard-progress", test_unheard_progress);

  return g_test_run ();
}
