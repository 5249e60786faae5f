/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <malt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* What programs do with their workers besides calling one function after the other.  The
 * workers are this program, started again. */

/* Runs until it is interrupted or cancelled. */
static GVariant *
spin (MaltRequest   *request,
      GVariant      *arguments,
      GCancellable  *cancellable,
      gpointer       user_data,
      GError       **error)
{
  while (!g_cancellable_set_error_if_cancelled (cancellable, error))
    g_usleep (1000);

  return NULL;
}

static GVariant *
fail (MaltRequest   *request,
      GVariant      *arguments,
      GCancellable  *cancellable,
      gpointer       user_data,
      GError       **error)
{
  g_autofree char *text = g_strnfill (1000, 'x');

  g_set_error_literal (error, MALT_ERROR, MALT_ERROR_REMOTE, text);
  return NULL;
}

static GVariant *
nothing (MaltRequest   *request,
         GVariant      *arguments,
         GCancellable  *cancellable,
         gpointer       user_data,
         GError       **error)
{
  return NULL;
}

/* Is never finished, but by being cancelled. */
static GVariant *
wait_for_ever (MaltRequest   *request,
               GVariant      *arguments,
               GCancellable  *cancellable,
               gpointer       user_data,
               GError       **error)
{
  malt_request_defer (g_object_ref (request));

  return NULL;
}

/* Takes a third of a second. */
static GVariant *
nap (MaltRequest   *request,
     GVariant      *arguments,
     GCancellable  *cancellable,
     gpointer       user_data,
     GError       **error)
{
  g_usleep (G_USEC_PER_SEC / 3);

  return NULL;
}

/* Whether what the worker starts has its connection. */
static GVariant *
bequeath (MaltRequest   *request,
          GVariant      *arguments,
          GCancellable  *cancellable,
          gpointer       user_data,
          GError       **error)
{
  return g_variant_new_boolean (system ("test -e /proc/self/fd/3 || test -e /proc/self/fd/4") == 0);
}

static GVariant *
large (MaltRequest   *request,
       GVariant      *arguments,
       GCancellable  *cancellable,
       gpointer       user_data,
       GError       **error)
{
  gsize size = 30 * 1024 * 1024;
  gpointer zeros = g_malloc0 (size);

  return g_variant_new_from_data (G_VARIANT_TYPE_BYTESTRING, zeros, size, TRUE, g_free, zeros);
}

static MaltWorker *
spawn (guint64 max_value_size)
{
  g_autoptr (MaltLauncher) launcher = malt_launcher_new ("process", "native");
  g_autoptr (GError) error = NULL;
  MaltWorker *worker;

  malt_launcher_set_program (launcher, MALT_PROGRAM_SELF);
  if (max_value_size > 0)
    malt_launcher_set_max_value_size (launcher, max_value_size);
  worker = malt_launcher_spawn (launcher, NULL, &error);
  g_assert_no_error (error);

  return worker;
}

static void
assert_usable (MaltWorker *worker)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (malt_worker_remote_call_wait (worker, "nothing", NULL, NULL, MALT_TIMEOUT_NONE, NULL, &error));
  g_assert_no_error (error);
}

static void
assert_withdrawn (MaltWorker *worker)
{
  g_autoptr (GError) error = NULL;

  g_assert_false (malt_worker_remote_call_wait (worker, "nothing", NULL, NULL, 50, NULL, &error));
  g_assert_error (error, MALT_ERROR, MALT_ERROR_TIMEOUT);
  g_assert_cmpint (malt_remote_error_get_rung (error), ==, MALT_RUNG_WITHDRAWN);
}

/* Ends the worker, and with it the calls whose callers have gone, which return in the
 * default main context. */
static void
run_out (MaltWorker *worker)
{
  g_autoptr (GError) error = NULL;

  malt_worker_stop (worker, -1, -1, NULL, &error);
  g_assert_no_error (error);
  while (g_main_context_iteration (NULL, FALSE))
    continue;
}

/* A thread that itself reads from the worker is let go in time, though nothing is to be
 * read before the call ahead has ended. */
static void
test_withdrawn_reader (void)
{
  g_autoptr (MaltWorker) worker = spawn (0);

  malt_worker_remote_call_async (worker, "spin", NULL, NULL, MALT_TIMEOUT_NONE, NULL, NULL, NULL);
  assert_withdrawn (worker);

  malt_worker_interrupt (worker);
  assert_usable (worker);
  run_out (worker);
}

/* The same while there is no room for the call on the connection. */
static void
test_withdrawn_unsent (void)
{
  g_autoptr (MaltWorker) worker = spawn (0);
  g_autoptr (GVariant) zeros_value = NULL;
  gsize size = 40 * 1024 * 1024;
  gpointer zeros = g_malloc0 (size);
  guint i;

  zeros_value = g_variant_ref_sink (g_variant_new_from_data (G_VARIANT_TYPE_BYTESTRING, zeros, size,
                                                             TRUE, g_free, zeros));
  malt_worker_remote_call_async (worker, "spin", NULL, NULL, MALT_TIMEOUT_NONE, NULL, NULL, NULL);
  for (i = 0; i < 3; i++)
    malt_worker_remote_call_async (worker, "nothing", g_variant_new_tuple (&zeros_value, 1), NULL,
                                   MALT_TIMEOUT_NONE, NULL, NULL, NULL);
  assert_withdrawn (worker);

  malt_worker_interrupt (worker);
  assert_usable (worker);
  run_out (worker);
}

/* What a worker says of an error is no value, and its limit another one. */
static void
test_error_beyond_value_size (void)
{
  g_autoptr (MaltWorker) worker = spawn (200);
  g_autoptr (GError) error = NULL;

  g_assert_false (malt_worker_remote_call_wait (worker, "fail", NULL, NULL, MALT_TIMEOUT_NONE, NULL, &error));
  g_assert_error (error, MALT_ERROR, MALT_ERROR_REMOTE);
  assert_usable (worker);
}

static gboolean
quit_cb (gpointer loop)
{
  g_main_loop_quit (loop);

  return G_SOURCE_REMOVE;
}

/* Runs the default main context until a source of high priority ends that. */
static void
run_and_leave (void)
{
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);
  g_autoptr (GSource) source = g_timeout_source_new (50);

  g_source_set_priority (source, G_PRIORITY_HIGH);
  g_source_set_callback (source, quit_cb, loop, NULL);
  g_source_attach (source, NULL);
  g_main_loop_run (loop);
}

static void
answered_cb (GObject      *worker,
             GAsyncResult *result,
             gpointer      user_data)
{
  gboolean *answered = user_data;
  g_autoptr (GVariant) value = NULL;
  g_autoptr (GError) error = NULL;

  value = malt_worker_remote_call_finish (MALT_WORKER (worker), result, &error);
  g_assert_no_error (error);
  *answered = TRUE;
}

static gpointer
call_in_own_context (gpointer worker)
{
  g_autoptr (GMainContext) context = g_main_context_new ();
  gboolean answered = FALSE;

  g_main_context_push_thread_default (context);
  malt_worker_remote_call_async (worker, "nothing", NULL, NULL, MALT_TIMEOUT_NONE, NULL, answered_cb, &answered);
  while (!answered)
    g_main_context_iteration (context, TRUE);
  g_main_context_pop_thread_default (context);

  return NULL;
}

/* A loop that is left while it awaits a reply keeps no other one from reading its own. */
static void
test_loop_left (void)
{
  g_autoptr (MaltWorker) worker = spawn (0);

  malt_worker_remote_call_async (worker, "wait", NULL, NULL, MALT_TIMEOUT_NONE, NULL, NULL, NULL);
  run_and_leave ();
  g_thread_join (g_thread_new ("caller", call_in_own_context, worker));
  run_out (worker);
}

static gint is_napping;

static gpointer
call_often_and_nap (gpointer worker)
{
  g_autoptr (GError) error = NULL;
  guint i;

  for (i = 0; i < 200; i++)
    assert_usable (worker);

  g_atomic_int_set (&is_napping, TRUE);
  malt_worker_remote_call_wait (worker, "nap", NULL, NULL, MALT_TIMEOUT_NONE, NULL, &error);
  g_assert_no_error (error);
  g_atomic_int_set (&is_napping, FALSE);
  g_main_context_wakeup (NULL);

  return NULL;
}

/* While a thread waits for its reply, a loop that awaits another one sleeps. */
static void
test_loop_sleeps (void)
{
  g_autoptr (MaltWorker) worker = spawn (0);
  GThread *caller;
  guint turns = 0;

  malt_worker_remote_call_async (worker, "wait", NULL, NULL, MALT_TIMEOUT_NONE, NULL, NULL, NULL);
  caller = g_thread_new ("caller", call_often_and_nap, worker);
  while (!g_atomic_int_get (&is_napping))
    g_main_context_iteration (NULL, FALSE);
  for (; g_atomic_int_get (&is_napping); turns++)
    g_main_context_iteration (NULL, TRUE);
  g_thread_join (caller);

  g_assert_cmpuint (turns, <, 1000);
  run_out (worker);
}

static void
gone_cb (gpointer  user_data,
         GObject  *worker)
{
  gint *gone = user_data;

  g_atomic_int_set (gone, TRUE);
  g_main_context_wakeup (NULL);
}

/* What nobody waits for can be interrupted too. */
static void
test_interrupt_unheard (void)
{
  g_autoptr (MaltWorker) worker = spawn (0);
  g_autoptr (GError) error = NULL;

  malt_worker_remote_do (worker, "spin", NULL, NULL, &error);
  g_assert_no_error (error);
  malt_worker_interrupt (worker);
  assert_usable (worker);
}

/* A worker that is writing an answer which nobody reads can still be asked to stop. */
static void
test_stop_unread (void)
{
  g_autoptr (MaltWorker) worker = spawn (0);

  malt_worker_remote_call_async (worker, "large", NULL, NULL, MALT_TIMEOUT_NONE, NULL, NULL, NULL);
  run_out (worker);
  g_assert_cmpint (malt_exit_info_get_kind (malt_worker_get_exit_info (worker)), ==, MALT_EXIT_KIND_STOPPED);
  g_assert_cmpint (malt_exit_info_get_exit_code (malt_worker_get_exit_info (worker)), ==, 0);
  g_assert_cmpint (malt_exit_info_get_signal (malt_worker_get_exit_info (worker)), ==, 0);
}

/* An answer that is there counts, even if its caller has not come round to it: nobody is
 * interrupted or killed for it. */
static void
test_answer_unread (void)
{
  g_autoptr (MaltLauncher) launcher = malt_launcher_new ("process", "native");
  g_autoptr (MaltWorker) worker = NULL;
  g_autoptr (GError) error = NULL;

  malt_launcher_set_program (launcher, MALT_PROGRAM_SELF);
  malt_launcher_set_cancel_timeout (launcher, 20);
  malt_launcher_set_interrupt_timeout (launcher, 20);
  malt_launcher_set_kill_on_timeout (launcher, TRUE);
  worker = malt_launcher_spawn (launcher, NULL, &error);
  g_assert_no_error (error);

  malt_worker_remote_call_async (worker, "nothing", NULL, NULL, 50, NULL, NULL, NULL);
  g_usleep (400 * 1000); /* a loop that is busy, longer than the whole ladder is */
  g_assert_true (malt_worker_is_running (worker));
  assert_usable (worker);
  run_out (worker);
}

/* A cancellable that outlives a stop for whose end nobody waits keeps nothing of it. */
static void
test_stop_unheard (void)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  MaltWorker *worker = spawn (0);
  gint gone = FALSE;

  g_object_weak_ref (G_OBJECT (worker), gone_cb, &gone);
  malt_worker_stop_async (worker, -1, -1, cancellable, NULL, NULL);
  g_object_unref (worker);
  while (!g_atomic_int_get (&gone))
    g_main_context_iteration (NULL, TRUE);
}

static void
stopped_cb (GObject      *source,
            GAsyncResult *result,
            gpointer      user_data)
{
  malt_worker_stop_finish (MALT_WORKER (source), result, user_data);
}

/* Gives how many of these are not refused. */
static int
use_in_copy (MaltWorker *worker)
{
  g_autoptr (MaltLauncher) launcher = malt_launcher_new ("process", "native");
  g_autoptr (MaltWorker) other = NULL;
  GError *errors[5] = { NULL };
  int n = 0;
  guint i;

  malt_worker_remote_call_wait (worker, "nothing", NULL, NULL, MALT_TIMEOUT_NONE, NULL, &errors[0]);
  malt_worker_remote_do (worker, "nothing", NULL, NULL, &errors[1]);
  malt_worker_stop (worker, -1, -1, NULL, &errors[2]);
  other = malt_launcher_spawn (launcher, NULL, &errors[3]);
  malt_worker_stop_async (worker, -1, -1, NULL, stopped_cb, &errors[4]);
  while (errors[4] == NULL)
    g_main_context_iteration (NULL, TRUE);
  malt_worker_interrupt (worker);
  malt_worker_kill (worker, SIGKILL);

  for (i = 0; i < G_N_ELEMENTS (errors); i++)
    {
      n += !g_error_matches (errors[i], MALT_ERROR, MALT_ERROR_NOT_SUPPORTED);
      g_clear_error (&errors[i]);
    }

  return n;
}

/* Whether the other threads sleep, so that none of them holds a lock of GLib's. */
static gboolean
is_alone_awake (void)
{
  g_autoptr (GDir) tasks = g_dir_open ("/proc/self/task", 0, NULL);
  gboolean is_alone = TRUE;
  const char *name;

  g_assert_nonnull (tasks);
  while ((name = g_dir_read_name (tasks)) != NULL)
    {
      g_autofree char *file = g_build_filename ("/proc/self/task", name, "stat", NULL);
      g_autofree char *text = NULL;

      if (atoi (name) != getpid () && g_file_get_contents (file, &text, NULL, NULL))
        is_alone = is_alone && g_str_has_prefix (strrchr (text, ')'), ") S");
    }

  return is_alone;
}

/* A copy of the program cannot use the worker, and does not stop it when it drops it. */
static void
test_fork (gconstpointer backend)
{
  g_autoptr (MaltLauncher) launcher = malt_launcher_new (backend, "native");
  g_autoptr (MaltWorker) worker = NULL;
  g_autoptr (GError) error = NULL;
  pid_t pid;
  int status;

  if (strcmp (backend, "process") == 0)
    malt_launcher_set_program (launcher, MALT_PROGRAM_SELF);
  worker = malt_launcher_spawn (launcher, NULL, &error);
  g_assert_no_error (error);

  while (!is_alone_awake ())
    g_usleep (1000);
  pid = fork ();
  g_assert_cmpint (pid, >=, 0);
  if (pid == 0)
    {
      int n = use_in_copy (worker);

      g_clear_object (&worker);
      _exit (n);
    }
  g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
  g_assert_cmpint (status, ==, 0);

  g_assert_true (malt_worker_remote_call_wait (worker, "nap", NULL, NULL, MALT_TIMEOUT_NONE, NULL, &error));
  g_assert_no_error (error);
  assert_usable (worker);
}

/* Programs that a worker starts do not get its connection. */
static void
test_connection_is_private (void)
{
  g_autoptr (MaltWorker) worker = spawn (0);
  g_autoptr (GVariant) value = NULL;
  g_autoptr (GError) error = NULL;

  value = malt_worker_remote_call_fetch (worker, "bequeath", NULL, NULL, MALT_TIMEOUT_NONE, NULL, &error);
  g_assert_no_error (error);
  g_assert_false (g_variant_get_boolean (value));
}

int
main (int    argc,
      char **argv)
{
  malt_register_function ("spin", spin, NULL, NULL);
  malt_register_function ("fail", fail, NULL, NULL);
  malt_register_function ("wait", wait_for_ever, NULL, NULL);
  malt_register_function ("nap", nap, NULL, NULL);
  malt_register_function ("bequeath", bequeath, NULL, NULL);
  malt_register_function ("nothing", nothing, NULL, NULL);
  malt_register_function ("large", large, NULL, NULL);
  malt_run_as_worker (argc, argv);

  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/manager/withdrawn/reader", test_withdrawn_reader);
  g_test_add_func ("/manager/withdrawn/unsent", test_withdrawn_unsent);
  g_test_add_func ("/manager/loop/left", test_loop_left);
  g_test_add_func ("/manager/loop/sleeps", test_loop_sleeps);
  g_test_add_func ("/manager/interrupt-unheard", test_interrupt_unheard);
  g_test_add_func ("/manager/stop-unread", test_stop_unread);
  g_test_add_func ("/manager/answer-unread", test_answer_unread);
  g_test_add_func ("/manager/stop-unheard", test_stop_unheard);
  g_test_add_data_func ("/manager/fork/process", "process", test_fork);
  g_test_add_data_func ("/manager/fork/inprocess", "inprocess", test_fork);
  g_test_add_func ("/manager/connection-is-private", test_connection_is_private);
  g_test_add_func ("/manager/error-beyond-value-size", test_error_beyond_value_size);

  return g_test_run ();
}
