/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <malt.h>

#include "test-case.h"
#include "test-process.h"
#include "test-watchdog.h"

/* However a manager ends, no worker and no child of a worker survives it. */

typedef struct
{
  const TestVariant *variant;
  const char        *how;
} Death;

static void
test_death (gconstpointer data)
{
  const Death *death = data;
  g_autofree char *program = NULL;
  g_autofree char *number = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (GArray) pidfds = g_array_new (FALSE, FALSE, sizeof (int));
  const char *argv[4] = { NULL };
  GPid manager;
  int output, pidfd;
  guint i;
  FILE *lines;
  char line[64];

  test_watchdog_start ();

  /* Orphans become children of this process, so that their ends can be seen. */
  prctl (PR_SET_CHILD_SUBREAPER, 1);

  program = g_test_build_filename (G_TEST_BUILT, "programs", "dying-manager", NULL);
  number = g_strdup_printf ("%d", (int) (death->variant - test_variants));
  argv[0] = program;
  argv[1] = number;
  argv[2] = death->how;
  g_spawn_async_with_pipes (NULL, (char **) argv, NULL, G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL,
                            &manager, NULL, &output, NULL, &error);
  g_assert_no_error (error);

  lines = fdopen (output, "r");
  while (fgets (line, sizeof line, lines) != NULL && !g_str_has_prefix (line, "ready"))
    {
      int pid = (int) g_ascii_strtoll (line, NULL, 10);

      /* Those of a manager that has already ended may be gone by now. */
      g_assert_cmpint (pid, >, 1);
      pidfd = g_str_has_suffix (death->how, "SIGKILL") ? test_pidfd_open (pid) : test_pidfd_try (pid);
      if (pidfd >= 0)
        g_array_append_val (pidfds, pidfd);
    }
  g_assert_true (g_str_has_prefix (line, "ready"));

  if (g_str_has_suffix (death->how, "SIGKILL"))
    {
      g_assert_cmpuint (pidfds->len, ==, 6);
      /* The worker that has no reference any more ends by itself. */
      if (g_str_equal (death->how, "unref-SIGKILL"))
        test_pidfd_await (dup (g_array_index (pidfds, int, 0)));
      kill (manager, SIGKILL);
    }

  for (i = 0; i < pidfds->len; i++)
    test_pidfd_await (g_array_index (pidfds, int, i));

  /* Nobody is left at all: neither a worker nor a helper nor what they started. */
  while (waitpid (-1, NULL, 0) > 0)
    ;

  fclose (lines);
  g_spawn_close_pid (manager);
  test_watchdog_stop ();
}

int
main (int argc, char **argv)
{
  static const char * const hows[] = { "return", "exit", "_exit", "abort", "unref", "SIGKILL", "unref-SIGKILL" };
  static Death deaths[16 * G_N_ELEMENTS (hows)];
  gsize i, j, n = 0;

  g_assert_cmpuint (test_n_variants, <=, 16);
  test_case_init (&argc, &argv, "manager-death");

  for (i = 0; i < test_n_variants; i++)
    for (j = 0; j < G_N_ELEMENTS (hows); j++)
      if (test_variant_cannot (&test_variants[i], TEST_NEEDS_PROCESS) == NULL &&
          test_case_is_tested (&test_variants[i]))
        {
          g_autofree char *path = NULL;
          Death *death = &deaths[n++];

          *death = (Death) { &test_variants[i], hows[j] };
          path = g_strdup_printf ("/conformance/%s/manager-death/%s", test_variants[i].name, hows[j]);
          g_test_add_data_func (path, death, test_death);
        }

  return g_test_run ();
}
