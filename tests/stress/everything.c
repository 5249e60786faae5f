/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <signal.h>

#include <malt.h>

#include "test-answer.h"
#include "test-asserts.h"
#include "test-case.h"
#include "test-process.h"
#include "test-watchdog.h"

/* Threads that share a few workers, and do anything to them at any time: call, cancel,
 * interrupt, kill, stop, drop and replace.  Each call has to end, once, in one of the
 * ways that are documented; at the end nothing is left. */

#define N_THREADS 16
#define N_WORKERS 4
#define N_ROUNDS  (TEST_SANITIZED ? 60 : 300)

typedef struct
{
  TestCase   *test;
  GMutex      lock;
  MaltWorker *workers[N_WORKERS]; /* guarded by lock */
} Field;

/* A worker that has loaded what will be called: an import that is broken off half-way
 * leaves a Python worker with half a module, and the next call with another error. */
static MaltWorker *
spawn_ready (Field *field)
{
  MaltWorker *worker = test_case_spawn (field->test);
  g_autoptr (GError) error = NULL;

  malt_worker_remote_call_wait (worker, test_case_function (field->test, "nothing"), NULL, NULL,
                                MALT_TIMEOUT_NONE, NULL, &error);
  g_assert_no_error (error);

  return worker;
}

static MaltWorker *
pick (Field *field,
      GRand *random)
{
  int i = g_rand_int_range (random, 0, N_WORKERS);
  g_autoptr (MaltWorker) dead = NULL;
  MaltWorker *worker;

  g_mutex_lock (&field->lock);
  if (!malt_worker_is_running (field->workers[i]))
    {
      dead = field->workers[i];
      field->workers[i] = spawn_ready (field);
    }
  worker = g_object_ref (field->workers[i]);
  g_mutex_unlock (&field->lock);
  return worker;
}

static void
check_end (GVariant *value,
           GError   *error)
{
  g_assert_true ((value != NULL) != (error != NULL));
  if (error != NULL &&
      !g_error_matches (error, MALT_ERROR, MALT_ERROR_TERMINATED) &&
      !g_error_matches (error, MALT_ERROR, MALT_ERROR_INTERRUPTED) &&
      !g_error_matches (error, MALT_ERROR, MALT_ERROR_TIMEOUT) &&
      !g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    g_error ("a call ended with %s, %d: %s", g_quark_to_string (error->domain), error->code,
             error->message);
}

static gpointer
player (gpointer data)
{
  Field *field = data;
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autoptr (GRand) random = NULL;
  static int last_seed; /* atomic */
  guint round;

  g_main_context_push_thread_default (context);
  random = g_rand_new_with_seed ((guint32) g_atomic_int_add (&last_seed, 1));

  for (round = 0; round < N_ROUNDS; round++)
    {
      g_autoptr (MaltWorker) worker = pick (field, random);
      g_autoptr (GCancellable) cancellable = g_cancellable_new ();
      g_autoptr (GError) error = NULL;
      g_autoptr (GVariant) value = NULL;
      const char *later = test_case_function (field->test, "later");
      TestAnswer *answer;
      int i;

      switch (g_rand_int_range (random, 0, 24))
        {
        case 0:
          malt_worker_interrupt (worker);
          break;
        case 1:
          if (test_variant_cannot (field->test->variant, TEST_NEEDS_PROCESS) == NULL)
            malt_worker_kill (worker, SIGKILL);
          break;
        case 2:
          malt_worker_stop (worker, -1, -1, NULL, &error);
          g_assert_no_error (error);
          break;
        case 3:
        case 4:
        case 5:
          answer = test_answer_call (worker, test_case_function (field->test, "later_never"), NULL,
                                     MALT_TIMEOUT_NONE, cancellable);
          g_main_context_iteration (context, FALSE);
          g_cancellable_cancel (cancellable);
          value = test_answer_wait (answer, &error);
          check_end (value, error);
          break;
        case 6:
        case 7:
          value = malt_worker_remote_call_fetch (worker,
                                                 test_case_function (field->test, "later_never"),
                                                 NULL, NULL, g_rand_int_range (random, 0, 10),
                                                 cancellable, &error);
          check_end (value, error);
          break;
        case 8:
        case 9:
        case 10:
          for (i = 0; i < 20; i++)
            malt_worker_remote_do (worker, test_case_function (field->test, "nothing"), NULL, NULL,
                                   NULL);
          break;
        case 11:
        case 12:
        case 13:
        case 14:
          answer = test_answer_call (worker, later,
                                     g_variant_new ("(xx)", (gint64) g_rand_int_range (random, 0, 5),
                                                    (gint64) round),
                                     MALT_TIMEOUT_NONE, cancellable);
          value = test_answer_wait (answer, &error);
          check_end (value, error);
          if (value != NULL)
            g_assert_cmpint (g_variant_get_int64 (value), ==, round);
          break;
        default:
          value = malt_worker_remote_call_fetch (worker, test_case_function (field->test, "add"),
                                                 g_variant_new ("(xx)", (gint64) round,
                                                                G_GINT64_CONSTANT (1)),
                                                 NULL, MALT_TIMEOUT_NONE, cancellable, &error);
          check_end (value, error);
          if (value != NULL)
            g_assert_cmpint (g_variant_get_int64 (value), ==, round + 1);
        }
    }

  g_main_context_pop_thread_default (context);
  return NULL;
}

static void
test_everything (TestCase *self)
{
  Field field = { .test = self };
  GThread *threads[N_THREADS];
  gsize i;

  g_mutex_init (&field.lock);
  for (i = 0; i < N_WORKERS; i++)
    field.workers[i] = spawn_ready (&field);

  for (i = 0; i < N_THREADS; i++)
    threads[i] = g_thread_new ("player", player, &field);
  for (i = 0; i < N_THREADS; i++)
    g_thread_join (threads[i]);

  for (i = 0; i < N_WORKERS; i++)
    g_object_unref (field.workers[i]);
  g_mutex_clear (&field.lock);
}

int
main (int argc, char **argv)
{
  test_case_init (&argc, &argv, "everything");

  test_case_add_idle ("at-once", TEST_NEEDS_RUNTIME, test_everything);

  return g_test_run ();
}
