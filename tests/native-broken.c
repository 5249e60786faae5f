/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A module that cannot be loaded: it needs a function that nobody has. */

#include <malt.h>

extern void a_function_that_nobody_has (void);

MALT_FUNCTION (never_called)
{
  a_function_that_nobody_has ();
  return NULL;
}
