/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <malt.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* Makes so many calls of one kind into a worker, and prints what that took of what can be
 * counted.  The guards run it twice, with few calls and with many, and look at the
 * difference, in which neither the start nor the end is left.
 *
 * guard-calls [--program PROGRAM] [--stop] [--pause] [--late] KIND N
 *
 * --program: what to start as the worker
 * --stop: end the worker politely; else it dies with this program
 * --pause: wait before each call, until the worker surely sleeps
 * --late: call what takes its time, so that this program surely sleeps meanwhile */

#define LARGE 1000000

/* More than malloc() ever keeps. */
#define HUGE_SIZE 40000000

/* For longer than it takes to fall asleep, also in slow motion. */
#define PAUSE_USEC 1000

/* So many that a main context does not poll them all itself. */
#define N_OTHERS 24

static MaltWorker *worker;
static MaltWorker *others[N_OTHERS];
static const char *function = "bench-functions:nothing";
static gboolean pauses;

static void
check (GError *error)
{
  if (error != NULL)
    {
      fprintf (stderr, "guard-calls: %s\n", error->message);
      exit (EXIT_FAILURE);
    }
}

static void
call (const char *name,
      GVariant   *arguments)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) value = NULL;

  if (pauses)
    g_usleep (PAUSE_USEC);
  value = malt_worker_remote_call_fetch (worker, name, arguments, NULL, -1, NULL, &error);
  check (error);
}

/* The kinds. */

static void
call_blocking (guint n)
{
  while (n-- > 0)
    call (function, NULL);
}

/* The argument is there in C and back in a moment, so that what is counted is how it gets there. */
static void
call_introspected (guint n)
{
  while (n-- > 0)
    call ("GLib.bit_storage", g_variant_new ("(x)", G_GINT64_CONSTANT (1000)));
}

static guint pending;

static void
called_cb (GObject      *object,
           GAsyncResult *result,
           gpointer      user_data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) value G_GNUC_UNUSED = malt_worker_remote_call_finish (MALT_WORKER (object), result, &error);

  check (error);
  pending--;
}

static void
call_in_flight (guint n,
                guint at_once)
{
  for (; n > 0; n -= MIN (n, at_once))
    {
      if (pauses)
        g_usleep (PAUSE_USEC);
      for (pending = 0; pending < MIN (n, at_once); pending++)
        malt_worker_remote_call_async (worker, function, NULL, NULL, -1, NULL, called_cb, NULL);
      while (pending > 0)
        g_main_context_iteration (NULL, TRUE);
    }
}

static void
call_single (guint n)
{
  call_in_flight (n, 1);
}

/* While the context listens to many others as well. */
static void
call_among_others (guint n)
{
  guint i;

  for (i = 0; i < N_OTHERS; i++)
    malt_worker_remote_call_async (others[i], "bench-functions:late", NULL, NULL, -1, NULL, called_cb, NULL);
  for (pending = N_OTHERS; pending > 0; )
    g_main_context_iteration (NULL, TRUE);
  call_single (n);
}

static void
call_pipelined (guint n)
{
  call_in_flight (n, 500);
}

static void
call_and_forget (guint n)
{
  g_autoptr (GError) error = NULL;

  while (n-- > 0)
    {
      malt_worker_remote_do (worker, "bench-functions:nothing", NULL, NULL, &error);
      check (error);
    }
  call ("bench-functions:nothing", NULL);
}

static void
fetch (guint n,
       gsize size)
{
  while (n-- > 0)
    call ("bench-functions:own_bytes", g_variant_new ("(x)", (gint64) size));
}

static void
fetch_large (guint n)
{
  fetch (n, LARGE);
}

static void
fetch_huge (guint n)
{
  fetch (n, HUGE_SIZE);
}

static void
send_bytes (guint n,
            gsize size)
{
  g_autofree guint8 *bytes = g_malloc (size);

  memset (bytes, 3, size);
  while (n-- > 0)
    {
      GVariant *array = g_variant_new_from_data (G_VARIANT_TYPE_BYTESTRING, bytes, size, TRUE, NULL, NULL);

      call ("bench-functions:count", g_variant_new_tuple (&array, 1));
    }
}

static void
send_large (guint n)
{
  send_bytes (n, LARGE);
}

static void
send_huge (guint n)
{
  send_bytes (n, HUGE_SIZE);
}

static const struct
{
  const char *name;
  void (* run) (guint n);
}
kinds[] =
{
  { "blocking", call_blocking },
  { "introspected", call_introspected },
  { "single", call_single },
  { "among-others", call_among_others },
  { "pipelined", call_pipelined },
  { "forgotten", call_and_forget },
  { "fetch", fetch_large },
  { "send", send_large },
  { "fetch-huge", fetch_huge },
  { "send-huge", send_huge },
};

/* What can be counted. */

/* How often the threads of the worker have gone to sleep of their own accord. */
static double
count_worker_sleeps (int pid)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/task", pid);
  g_autoptr (GDir) folder = g_dir_open (path, 0, NULL);
  const char *name;
  double sum = 0;

  while (folder != NULL && (name = g_dir_read_name (folder)) != NULL)
    {
      g_autofree char *file = g_build_filename (path, name, "status", NULL);
      g_autofree char *text = NULL;
      const char *line;

      if (!g_file_get_contents (file, &text, NULL, NULL))
        continue;
      line = strstr (text, "\nvoluntary_ctxt_switches:");
      if (line != NULL)
        sum += g_ascii_strtod (strchr (line, ':') + 1, NULL);
    }

  return sum;
}

static double
count_worker_faults (int pid)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/stat", pid);
  g_autofree char *text = NULL;
  g_auto (GStrv) fields = NULL;

  if (!g_file_get_contents (path, &text, NULL, NULL) || strrchr (text, ')') == NULL)
    return 0;

  /* The state is the third field, and comes first here; the minor faults are the tenth. */
  fields = g_strsplit (strrchr (text, ')') + 2, " ", -1);
  return g_strv_length (fields) > 7 ? g_ascii_strtod (fields[7], NULL) : 0;
}

static void
print_counts (void)
{
  int pid = malt_worker_get_pid (worker);
  struct rusage usage;

  getrusage (RUSAGE_SELF, &usage);
  printf ("{\"manager-pid\": %d, \"worker-pid\": %d, \"manager-sleeps\": %ld, \"worker-sleeps\": %.0f, "
          "\"manager-faults\": %ld, \"worker-faults\": %.0f}\n",
          getpid (), pid, usage.ru_nvcsw, count_worker_sleeps (pid),
          usage.ru_minflt, count_worker_faults (pid));
  fflush (stdout);
}

static MaltWorker *
start (const char *program)
{
  const char *search_path[] = { g_getenv ("MALT_GUARD_MODULES"), NULL };
  g_autoptr (MaltLauncher) launcher = malt_launcher_new ("process", "native");
  g_autoptr (GError) error = NULL;
  MaltWorker *self;

  malt_launcher_set_search_path (launcher, search_path);
  if (program != NULL)
    malt_launcher_set_program (launcher, program);
  self = malt_launcher_spawn (launcher, NULL, &error);
  check (error);

  return self;
}

int
main (int    argc,
      char **argv)
{
  g_autofree char *program = NULL;
  gboolean stop = FALSE, late = FALSE;
  GOptionEntry entries[] =
    {
      { "program", 0, 0, G_OPTION_ARG_FILENAME, &program, "What to start as the worker", "PROGRAM" },
      { "stop", 0, 0, G_OPTION_ARG_NONE, &stop, "End the worker politely", NULL },
      { "pause", 0, 0, G_OPTION_ARG_NONE, &pauses, "Wait before each call", NULL },
      { "late", 0, 0, G_OPTION_ARG_NONE, &late, "Call what takes its time", NULL },
      G_OPTION_ENTRY_NULL
    };
  g_autoptr (GOptionContext) context = g_option_context_new ("KIND N");
  g_autoptr (GError) error = NULL;
  gsize i;

  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error))
    check (error);
  if (argc != 3)
    return 2;

  if (late)
    function = "bench-functions:late";
  worker = start (program);
  for (i = 0; g_str_equal (argv[1], "among-others") && i < N_OTHERS; i++)
    others[i] = start (NULL);
  for (i = 0; i < G_N_ELEMENTS (kinds); i++)
    {
      if (g_str_equal (argv[1], kinds[i].name))
        kinds[i].run ((guint) g_ascii_strtoull (argv[2], NULL, 10));
    }
  print_counts ();

  if (stop)
    malt_worker_stop (worker, -1, -1, NULL, &error);
  check (error);

  /* Under valgrind nobody would notice that the worker has ended. */
  _exit (EXIT_SUCCESS);
}
