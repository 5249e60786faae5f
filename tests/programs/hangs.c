/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <stdio.h>
#include <unistd.h>

/* A worker program that never says hello. */
int
main (int argc, char **argv)
{
  fprintf (stderr, "waiting for better times\n");
  for (;;)
    pause ();
}
