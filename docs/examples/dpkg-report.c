/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Which packages take most of this machine's disk?  A Python worker finds out while the
 * main loop of this program goes on undisturbed; then the worker is interrupted, and
 * another one is lost.  gcc dpkg-report.c $(pkg-config --cflags --libs malt-1) */

#include <malt.h>

static const char parser[] =
  "import asyncio, ctypes; packages = []\n"
  "for stanza in open ('/var/lib/dpkg/status', encoding='utf-8').read ().split ('\\n\\n'):\n"
  "  fields = dict (line.split (': ', 1) for line in stanza.split ('\\n') if ': ' in line)\n"
  "  if fields.get ('Status', '').endswith (' installed'):\n"
  "    packages.append ((fields['Package'], int (fields.get ('Installed-Size', 0))))\n"
  "packages.sort (key=lambda package: -package[1])\n"
  "(len (packages), packages[:10])\n";

/* How long the main loop was kept from a source that is due every millisecond. */
static gint64 last_tick, longest_pause, step_began;

static gboolean
tick_cb (gpointer user_data)
{
  gint64 now = g_get_monotonic_time ();

  longest_pause = MAX (longest_pause, now - last_tick);
  last_tick = now;
  return G_SOURCE_CONTINUE;
}

static void
begin_step (const char *title)
{
  g_print ("\n%s\n", title);
  last_tick = step_began = g_get_monotonic_time ();
  longest_pause = 0;
}

#define report(format, ...) \
  g_print ("  %8.1f ms  " format "\n", \
           (double) (g_get_monotonic_time () - step_began) / 1000, __VA_ARGS__)

static void
result_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  *(GAsyncResult **) user_data = g_object_ref (result);
}

/* Runs the main loop until a result is there. */
static GAsyncResult *
await (GAsyncResult **result)
{
  while (*result == NULL)
    g_main_context_iteration (NULL, TRUE);
  return *result;
}

static MaltWorker *
start_worker (MaltLauncher *launcher)
{
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;
  MaltWorker *worker;

  malt_launcher_spawn_async (launcher, NULL, result_cb, &result);
  worker = malt_launcher_spawn_finish (launcher, await (&result), &error);
  if (worker == NULL)
    g_error ("%s", error->message);
  report ("started, with PID %d", malt_worker_get_pid (worker));
  return worker;
}

/* The value of an evaluation; an error that nobody asks for ends the program. */
static GVariant *
evaluate (MaltWorker *worker, const char *source, GError **error)
{
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) unexpected = NULL;
  GVariant *value;

  malt_worker_remote_eval_async (worker, NULL, source, MALT_TIMEOUT_NONE, NULL, result_cb, &result);
  value = malt_worker_remote_eval_finish (worker, await (&result), error != NULL ? error : &unexpected);
  if (unexpected != NULL)
    g_error ("%s", unexpected->message);
  return value;
}

static gboolean
interrupt_cb (gpointer user_data)
{
  step_began = g_get_monotonic_time ();
  malt_worker_interrupt (user_data);
  return G_SOURCE_REMOVE;
}

int
main (int argc, char **argv)
{
  static const char * const doomed[] = { "await asyncio.sleep (60)", "await asyncio.sleep (90)",
                                         "ctypes.string_at (0)" };
  g_autoptr (MaltLauncher) launcher = malt_launcher_new ("process", "python");
  g_autoptr (MaltWorker) worker = NULL, other = NULL;
  g_autoptr (GVariant) found = NULL, packages = NULL, answer = NULL, said = NULL;
  g_autofree char *type = NULL;
  GAsyncResult *lost[G_N_ELEMENTS (doomed)] = { NULL };
  GError *error = NULL;
  const char *name;
  gint64 count, kibibytes;
  gsize i;

  g_timeout_add (1, tick_cb, NULL);

  begin_step ("1. A worker parses this machine's list of packages while the main loop runs");
  worker = start_worker (launcher);
  found = evaluate (worker, parser, NULL);
  g_variant_get (found, "(x@a(sx))", &count, &packages);
  report ("%" G_GINT64_FORMAT " packages are installed; the largest are", count);
  for (i = 0; i < g_variant_n_children (packages); i++)
    {
      g_variant_get_child (packages, i, "(&sx)", &name, &kibibytes);
      g_print ("               %-44s %8.1f MiB\n", name, (double) kibibytes / 1024);
    }
  report ("the main loop's longest pause was %.1f ms", (double) longest_pause / 1000);

  begin_step ("2. A computation that never ends is interrupted");
  g_timeout_add (250, interrupt_cb, worker);
  evaluate (worker, "while True: pass", &error);
  type = malt_remote_error_dup_type (error);
  report ("after the interrupt it ended: %s", type);
  g_clear_error (&error);
  answer = evaluate (worker, "6 * 7", NULL);
  report ("the worker goes on: 6 * 7 = %" G_GINT64_FORMAT, g_variant_get_int64 (answer));

  begin_step ("3. A worker crashes in the middle of three calls");
  for (i = 0; i < G_N_ELEMENTS (doomed); i++)
    malt_worker_remote_eval_async (worker, NULL, doomed[i], MALT_TIMEOUT_NONE, NULL, result_cb, &lost[i]);
  for (i = 0; i < G_N_ELEMENTS (doomed); i++)
    {
      malt_worker_remote_eval_finish (worker, await (&lost[i]), &error);
      report ("%s\n               %s", doomed[i], error->message);
      g_clear_error (&error);
      g_object_unref (lost[i]);
    }

  begin_step ("4. The program goes on with a new worker");
  other = start_worker (launcher);
  said = evaluate (other, "'all is well'", NULL);
  report ("it says: %s", g_variant_get_string (said, NULL));
  return 0;
}
