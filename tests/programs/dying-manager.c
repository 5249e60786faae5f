/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <malt.h>

#include "test-case.h"
#include "test-gjs-backend.h"
#include "test-home.h"
#include "test-mark.h"

/* dying-manager VARIANT HOW
 *
 * Starts workers that are at work and have children of their own, prints the PIDs of
 * all, and then ends in one of several ways without stopping any of them. */

#define N_WORKERS 3

static void
ignore_cb (GObject      *source,
           GAsyncResult *result,
           gpointer      user_data)
{
  g_autoptr (GError) error = NULL;

  malt_worker_remote_call_finish (MALT_WORKER (source), result, &error);
}

static gpointer
start_thread (gpointer data)
{
  return test_case_spawn (data);
}

int
main (int argc, char **argv)
{
  TestCase test = { &test_variants[atoi (argv[1])], NULL, NULL };
  const char *how = argv[2];
  GPtrArray *workers = g_ptr_array_new ();
  guint i;

  if (test_case_is (&test, TEST_GJS_BACKEND))
    test_gjs_backend_register ();
  test.launcher = test_case_new_launcher (test.variant);

  for (i = 0; i < N_WORKERS; i++)
    {
      g_autoptr (GVariant) child = NULL;
      g_autofree char *mark = test_mark_new ();

      /* The last from a thread that ends: its worker outlives it, and only it. */
      if (i == N_WORKERS - 1 && test_variant_cannot (test.variant, TEST_NEEDS_ANYWHERE) == NULL)
        test.worker = g_thread_join (g_thread_new ("starts", start_thread, &test));
      else
        test.worker = test_case_spawn (&test);
      g_ptr_array_add (workers, test.worker);

      child = test_case_call (&test, "fork_child", NULL);
      printf ("%d\n%d\n", malt_worker_get_pid (test.worker), (int) g_variant_get_int64 (child));

      /* The first is idle, the others are busy. */
      if (i > 0)
        {
          malt_worker_remote_call_async (test.worker, test_case_function (&test, "spin"),
                                         g_variant_new ("(s)", mark), NULL, MALT_TIMEOUT_NONE,
                                         NULL, ignore_cb, NULL);
          test_mark_await (mark);
        }
    }

  printf ("ready\n");
  fflush (stdout);
  /* The marks' folder goes here, where no end of this program can leave it behind. */
  test_mark_clear ();

  if (strcmp (how, "return") == 0)
    return 0;
  else if (strcmp (how, "exit") == 0)
    exit (0);
  else if (strcmp (how, "_exit") == 0)
    _exit (0);
  else if (strcmp (how, "abort") == 0)
    {
      signal (SIGABRT, SIG_DFL);
      abort ();
    }
  else if (strcmp (how, "unref") == 0)
    {
      g_ptr_array_set_free_func (workers, g_object_unref);
      g_ptr_array_unref (workers);
      return 0;
    }
  else if (strcmp (how, "unref-SIGKILL") == 0)
    {
      /* The idle one stops while nobody can take notice. */
      g_object_unref (workers->pdata[0]);
      test_home_turn (); /* which collects it, where somebody has to */
      kill (getpid (), SIGSTOP);
    }

  for (;;)
    pause ();
}
