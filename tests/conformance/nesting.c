/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <malt.h>

#include "test-answer.h"
#include "test-asserts.h"
#include "test-case.h"

/* Workers that are managers of workers of their own. */

static void
test_deep (TestCase *self)
{
  /* What a worker process needs to find this build; none of it is inherited. */
  static const char * const names[] = { "GI_TYPELIB_PATH", "LD_LIBRARY_PATH", "MALT_MODULE_PATH" };
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (names); i++)
    if (test_case_is (self, "process") && g_getenv (names[i]) != NULL)
      malt_launcher_setenv (self->launcher, names[i], g_getenv (names[i]));
  self->worker = test_case_spawn (self);

  test_assert_value (test_case_call (self, "nested", g_variant_new ("(x)", G_GINT64_CONSTANT (3))),
                     "int64 3");
  test_case_assert_usable (self);
}

int
main (int argc, char **argv)
{
  test_case_init (&argc, &argv, "nesting");

  test_case_add_idle ("three-deep", TEST_NEEDS_NESTING, test_deep);

  return g_test_run ();
}
