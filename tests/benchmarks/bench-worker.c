/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bench-worker.h"

/* Workers, and calls into them that have to succeed. */

static const char python_functions[] =
  "_own = b''\n"
  "x = 1\n"
  "def nothing(): pass\n"
  "def increment(x): return x + 1\n"
  "def echo(data): return data\n"
  "def count(data): return len(data)\n"
  "def own_bytes(size):\n"
  "  global _own\n"
  "  if len(_own) != size:\n"
  "    _own = bytes([7]) * size\n"
  "  return _own\n";

static const char gjs_functions[] =
  "var x = 1, own = new Uint8Array(0);\n"
  "var nothing = () => {};\n"
  "var increment = x => x + 1;\n"
  "var echo = data => data;\n"
  "var count = data => data.length;\n"
  "var own_bytes = size => own.length === size ? own : own = new Uint8Array(size).fill(7);\n";

void
bench_check (GError     *error,
             const char *what)
{
  if (error != NULL)
    {
      g_printerr ("%s: %s\n", what, error->message);
      exit (EXIT_FAILURE);
    }
}

static gboolean
has_runtime (MaltWorker *worker,
             const char *name)
{
  return g_str_equal (malt_launcher_get_runtime (malt_worker_get_launcher (worker)), name);
}

/* Starts a worker and nothing else: in one that runs a language there is nothing to call yet
 * but what that has itself. */
MaltWorker *
bench_spawn (const Bench *self)
{
  const char *search_path[] = { g_getenv ("MALT_BENCH_MODULES"), NULL };
  g_autoptr (MaltLauncher) launcher = malt_launcher_new ("process", self->runtime);
  g_autoptr (GError) error = NULL;
  MaltWorker *worker;

  malt_launcher_set_search_path (launcher, search_path);
  worker = malt_launcher_spawn (launcher, NULL, &error);
  bench_check (error, "start");

  return worker;
}

/* Starts a worker, which has the functions of bench-functions.c. */
MaltWorker *
bench_start (const Bench *self)
{
  MaltWorker *worker = bench_spawn (self);
  g_autoptr (GError) error = NULL;

  if (!has_runtime (worker, "native"))
    {
      malt_worker_remote_eval_wait (worker, NULL,
                                    has_runtime (worker, "gjs") ? gjs_functions : python_functions,
                                    -1, NULL, &error);
      bench_check (error, "definitions");
    }

  return worker;
}

void
bench_stop (MaltWorker *worker)
{
  g_autoptr (GError) error = NULL;

  malt_worker_stop (worker, -1, -1, NULL, &error);
  bench_check (error, "stop");
  g_object_unref (worker);
}

/* The name by which a worker knows one of the functions.  It is to be asked for once, not
 * for each call. */
const char *
bench_function (MaltWorker *worker,
                const char *name)
{
  g_autofree char *full = NULL;

  if (!has_runtime (worker, "native"))
    return name;

  full = g_strconcat ("bench-functions:", name, NULL);
  return g_intern_string (full);
}

/* @name: from bench_function() */
GVariant *
bench_call (MaltWorker *worker,
            const char *name,
            GVariant   *arguments)
{
  g_autoptr (GError) error = NULL;
  GVariant *value;

  value = malt_worker_remote_call_fetch (worker, name, arguments, NULL, -1, NULL, &error);
  bench_check (error, name);
  return value;
}

/* Without arguments, and the value is not looked at. */
void
bench_call_plain (MaltWorker *worker,
                  const char *name)
{
  g_variant_unref (bench_call (worker, name, NULL));
}
