/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bench-worker.h"

/* What libmalt costs.  Prints a line of JSON for each figure; bench.py makes a table of
 * them, beside what the machine and other libraries take for the like.
 *
 * bench-malt PEER RUNTIME SECTION...: PEER is the name that the figures are to have. */

static const struct
{
  const char *name;
  void (* run) (const Bench *self);
}
sections[] =
{
  { "bytes", bench_bytes },
  { "calls", bench_calls },
  { "channels", bench_channels },
  { "eval", bench_eval },
  { "idle", bench_idle },
  { "in-place", bench_in_place },
  { "many", bench_many },
  { "starts", bench_starts },
};

static gboolean
run_section (const Bench *self,
             const char  *name)
{
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (sections); i++)
    {
      if (g_str_equal (name, sections[i].name))
        {
          sections[i].run (self);
          return TRUE;
        }
    }

  return FALSE;
}

int
main (int    argc,
      char **argv)
{
  Bench bench;
  int i;

  if (argc < 4)
    {
      g_printerr ("usage: bench-malt PEER RUNTIME SECTION...\n");
      return 2;
    }

  bench.peer = argv[1];
  bench.runtime = argv[2];
  for (i = 3; i < argc; i++)
    {
      if (!run_section (&bench, argv[i]))
        {
          g_printerr ("bench-malt: no section '%s'\n", argv[i]);
          return 2;
        }
    }

  return 0;
}
