/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <stdlib.h>

#include <malt.h>

#include "test-case.h"
#include "test-gjs-backend.h"

/* output-manager VARIANT MODE FUNCTION ARGUMENTS
 *
 * Calls a function of a worker whose output is forwarded or inherited, so that a test
 * can look at this program's own. */
int
main (int argc, char **argv)
{
  TestCase test = { &test_variants[atoi (argv[1])], NULL, NULL };
  g_autoptr (GVariant) arguments = NULL;
  g_autoptr (GError) error = NULL;
  MaltOutput mode = g_str_equal (argv[2], "inherit") ? MALT_OUTPUT_INHERIT
                  : g_str_equal (argv[2], "discard") ? MALT_OUTPUT_DISCARD
                  : MALT_OUTPUT_FORWARD;

  if (test_case_is (&test, TEST_GJS_BACKEND))
    test_gjs_backend_register ();

  arguments = g_variant_parse (NULL, argv[4], NULL, NULL, &error);
  g_assert_no_error (error);

  test.launcher = test_case_new_launcher (test.variant);
  malt_launcher_set_stdout (test.launcher, mode);
  malt_launcher_set_stderr (test.launcher, mode);
  test.worker = test_case_spawn (&test);

  g_variant_unref (test_case_call (&test, argv[3], arguments));

  test_case_retire (test.worker);
  g_object_unref (test.launcher);
  return 0;
}
