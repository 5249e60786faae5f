/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <stdio.h>

/* A worker program that gives up at once, and says why. */
int
main (int argc, char **argv)
{
  fprintf (stderr, "first line\nno luck today");
  return 7;
}
