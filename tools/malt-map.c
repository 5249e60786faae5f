/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <glib-unix.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "malt-command.h"
#include "malt-json-read.h"
#include "malt-json-write.h"
#include "malt-line-reader.h"
#include "malt-options.h"
#include "malt-output.h"
#include "malt-progress.h"

/* malt map: a function for each line of standard input, in several workers.
 *
 * Lines are read as there is room for them: some more than are being called, so that no
 * worker waits, and no more beyond the oldest that is not printed than fit comfortably into
 * memory. */

#define MAX_UNPRINTED 10000
/* So many failures are listed; the others are only counted. */
#define MAX_LISTED    100

typedef struct
{
  MaltOptions worker;
  char       *jobs;
  gboolean    json;
  gboolean    unordered;
  gboolean    retry;
  char      **words;
} MapOptions;

static void
map_options_clear (MapOptions *self)
{
  malt_options_clear (&self->worker);
  g_clear_pointer (&self->jobs, g_free);
  g_clear_pointer (&self->words, g_strfreev);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (MapOptions, map_options_clear)

/* A line that was read and is not printed. */
typedef struct
{
  guint64   number;      /* from 1 */
  gsize     size;
  gboolean  is_done;
  char     *json;        /* NULL if it failed */
} Line;

typedef struct
{
  guint64  number;
  char    *reason;
} Failure;

typedef struct
{
  const MapOptions *options;
  const char       *function;
  int               timeout_msec;
  guint             n_jobs;
  MaltPool         *pool;
  MaltLineReader   *reader;
  MaltProgress     *progress;
  GCancellable     *cancellable;  /* of all calls */
  GQueue            lines;        /* of Line, owned, in the order of the input */
  GArray           *failures;     /* of Failure, the first that came */
  guint64           n_read;
  guint64           n_done;
  guint64           n_failed;
  guint64           n_dropped;    /* broken off by Ctrl-C or a failed start */
  guint             n_calls;
  guint64           size;         /* of the input, 0 if it is not known */
  guint64           size_done;
  gboolean          is_stopped;   /* nothing more is begun */
  gboolean          is_interrupted;
  MaltStatus        status;       /* why it was stopped */
} Map;

static void pump (Map *self);

static void
line_free (Line *line)
{
  g_free (line->json);
  g_free (line);
}

/* Begins nothing more, and breaks off what was begun. */
static void
stop (Map        *self,
      MaltStatus  status)
{
  if (self->is_stopped)
    return;

  self->is_stopped = TRUE;
  self->status = status;
  malt_line_reader_stop (self->reader);
  g_cancellable_cancel (self->cancellable);
}

/* Printing. */

static void
print_line (Map  *self,
            Line *line)
{
  if (line->json == NULL)
    return;

  malt_progress_hide (self->progress);
  fputs (line->json, stdout);
  fputc ('\n', stdout);
}

/* Prints what can be. */
static void
print_lines (Map *self)
{
  while (self->lines.length > 0 && ((Line *) self->lines.head->data)->is_done)
    {
      Line *line = g_queue_pop_head (&self->lines);

      print_line (self, line);
      line_free (line);
    }
}

static void
count_done (Map  *self,
            Line *line)
{
  self->size_done += line->size;
  malt_progress_set (self->progress, self->n_done, self->n_failed,
                     self->size > 0 ? (double) self->size_done / (double) self->size : -1);
}

/* The line has ended.  Takes the text of its value, NULL if it has none. */
static void
finish_line (Map  *self,
             Line *line,
             char *json)
{
  line->is_done = TRUE;
  line->json = json;
  count_done (self, line);

  if (self->options->unordered)
    {
      g_queue_remove (&self->lines, line);
      print_line (self, line);
      line_free (line);
    }
  else
    print_lines (self);
}

static void
fail_line (Map        *self,
           Line       *line,
           const char *reason)
{
  self->n_failed++;
  if (self->failures->len < MAX_LISTED)
    {
      Failure failure = { line->number, g_strndup (reason, strcspn (reason, "\n")) };

      g_array_append_val (self->failures, failure);
    }
  finish_line (self, line, NULL);
}

/* Calling. */

typedef struct
{
  Map  *map;
  Line *line;
} Call;

static char *
describe_error (const GError *error)
{
  g_autofree char *type = malt_remote_error_dup_type (error);
  g_autofree char *message = malt_remote_error_dup_message (error);

  if (message == NULL)
    return g_strdup (error->message);

  return type == NULL ? g_strdup (message) : *message == '\0' ? g_strdup (type)
                                           : g_strdup_printf ("%s: %s", type, message);
}

/* Whether there was no worker for the call.  What its options lack is found when it starts,
 * and has the same codes as what a call lacks, for which there is a worker. */
static gboolean
is_start_error (Map          *self,
                const GError *error)
{
  return g_error_matches (error, MALT_ERROR, MALT_ERROR_START) ||
         (malt_pool_get_n_workers (self->pool) == 0 &&
          (g_error_matches (error, MALT_ERROR, MALT_ERROR_NOT_FOUND) ||
           g_error_matches (error, MALT_ERROR, MALT_ERROR_NOT_SUPPORTED) ||
           g_error_matches (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT)));
}

static void
called_cb (GObject      *source,
           GAsyncResult *result,
           gpointer      user_data)
{
  g_autofree Call *call = user_data;
  Map *self = call->map;
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) value = malt_pool_remote_call_finish (MALT_POOL (source), result, &error);

  self->n_calls--;
  if (value != NULL)
    {
      self->n_done++;
      finish_line (self, call->line, malt_json_write (value));
      if (!self->is_stopped && !malt_output_flush ())
        stop (self, MALT_STATUS_FAILED);
    }
  else if (self->is_stopped)
    {
      self->n_dropped++;
      finish_line (self, call->line, NULL);
    }
  else if (is_start_error (self, error))
    {
      malt_progress_hide (self->progress);
      self->n_dropped++;
      stop (self, malt_report_start_error (error));
      finish_line (self, call->line, NULL);
    }
  else
    {
      g_autofree char *reason = describe_error (error);

      fail_line (self, call->line, reason);
    }

  pump (self);
}

/* The argument that a line is. */
static GVariant *
read_argument (Map     *self,
               GBytes  *bytes,
               char   **reason)
{
  gsize size;
  const char *data = g_bytes_get_data (bytes, &size);
  g_autofree char *text = g_strndup (size > 0 ? data : "", size);
  g_autoptr (GError) error = NULL;
  GVariant *value;

  if (strlen (text) < size)
    {
      *reason = g_strdup ("it has a null byte");
      return NULL;
    }
  if (!g_utf8_validate (text, -1, NULL))
    {
      *reason = g_strdup ("it is not UTF-8");
      return NULL;
    }
  if (!self->options->json)
    return g_variant_new_take_string (g_steal_pointer (&text));

  value = malt_json_read (text, &error);
  if (value == NULL)
    *reason = g_strdup_printf ("it %s", error->message);
  return value;
}

static void
call_line (Map    *self,
           GBytes *bytes)
{
  g_autofree char *reason = NULL;
  Line *line = g_new0 (Line, 1);
  GVariant *argument;
  Call *call;

  line->number = ++self->n_read;
  line->size = g_bytes_get_size (bytes) + 1;
  g_queue_push_tail (&self->lines, line);

  argument = read_argument (self, bytes, &reason);
  if (argument == NULL)
    {
      fail_line (self, line, reason);
      return;
    }

  call = g_new (Call, 1);
  *call = (Call) { self, line };
  self->n_calls++;
  malt_pool_remote_call_async (self->pool, self->function, g_variant_new_tuple (&argument, 1), NULL,
                               self->options->retry ? MALT_POOL_CALL_FLAGS_RETRY : MALT_POOL_CALL_FLAGS_NONE,
                               self->timeout_msec, self->cancellable, called_cb, call);
}

/* Calls for lines as long as there are some and there is room. */
static void
pump (Map *self)
{
  guint max_calls = self->timeout_msec == MALT_TIMEOUT_NONE ? 2 * self->n_jobs : self->n_jobs;

  while (!self->is_stopped && self->n_calls < max_calls && self->lines.length < MAX_UNPRINTED)
    {
      g_autoptr (GBytes) line = malt_line_reader_take (self->reader);

      if (line == NULL)
        {
          malt_line_reader_want (self->reader);
          break;
        }
      call_line (self, line);
    }
}

static void
read_cb (gpointer user_data)
{
  pump (user_data);
}

/* The first time it ends as soon as it can, the second time at once. */
static gboolean
sigint_cb (gpointer user_data)
{
  Map *self = user_data;

  if (self->is_interrupted)
    _exit (MALT_STATUS_INTERRUPTED);

  self->is_interrupted = TRUE;
  stop (self, MALT_STATUS_INTERRUPTED);
  return G_SOURCE_CONTINUE;
}

static guint64
find_input_size (void)
{
  struct stat status;
  off_t offset;

  if (fstat (STDIN_FILENO, &status) != 0 || !S_ISREG (status.st_mode))
    return 0;

  offset = lseek (STDIN_FILENO, 0, SEEK_CUR);
  return offset >= 0 && status.st_size > offset ? (guint64) (status.st_size - offset) : 0;
}

static void
failure_clear (gpointer data)
{
  g_free (((Failure *) data)->reason);
}

static int
compare_failures (gconstpointer a,
                  gconstpointer b)
{
  return ((const Failure *) a)->number < ((const Failure *) b)->number ? -1 : 1;
}

/* What is left to be said. */
static void
report (Map *self)
{
  const GError *error = malt_line_reader_error (self->reader);
  guint i;

  if (error != NULL)
    malt_report ("cannot read standard input: %s", error->message);
  if (self->n_failed > 0)
    malt_report ("%" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT " lines failed:", self->n_failed, self->n_read);
  g_array_sort (self->failures, compare_failures);
  for (i = 0; i < self->failures->len; i++)
    {
      const Failure *failure = &g_array_index (self->failures, Failure, i);
      g_autofree char *text = g_strdup_printf ("  line %" G_GUINT64_FORMAT ": %s\n", failure->number,
                                               failure->reason);

      malt_output_text (stderr, text);
    }
  if (self->n_failed > self->failures->len)
    fprintf (stderr, "  and %" G_GUINT64_FORMAT " more\n", self->n_failed - self->failures->len);

  if (self->is_interrupted)
    malt_report ("interrupted: %" G_GUINT64_FORMAT " lines done, %" G_GUINT64_FORMAT " failed, %" G_GUINT64_FORMAT
                 " broken off", self->n_done, self->n_failed, self->n_dropped);
}

typedef struct
{
  gboolean  done;
  GError   *error;
} Shutdown;

static void
shut_down_cb (GObject      *source,
              GAsyncResult *result,
              gpointer      user_data)
{
  Shutdown *shutdown = user_data;

  malt_pool_shutdown_finish (MALT_POOL (source), result, &shutdown->error);
  shutdown->done = TRUE;
}

static void
shut_down (Map *self)
{
  Shutdown shutdown = { 0 };

  malt_pool_shutdown_async (self->pool, self->is_stopped ? MALT_POOL_SHUTDOWN_FLAGS_STOP_RUNNING
                                                         : MALT_POOL_SHUTDOWN_FLAGS_NONE,
                            NULL, shut_down_cb, &shutdown);
  while (!shutdown.done)
    g_main_context_iteration (NULL, TRUE);

  if (shutdown.error != NULL)
    malt_report ("%s", shutdown.error->message);
  g_clear_error (&shutdown.error);
}

static MaltStatus
run (Map *self)
{
  guint sigint_id = g_unix_signal_add (SIGINT, sigint_cb, self);
  MaltStatus status;

  self->reader = malt_line_reader_new (STDIN_FILENO, read_cb, self);
  self->progress = malt_progress_new ();
  self->cancellable = g_cancellable_new ();
  self->failures = g_array_new (FALSE, FALSE, sizeof (Failure));
  g_array_set_clear_func (self->failures, failure_clear);
  self->size = find_input_size ();

  pump (self);
  while (self->n_calls > 0 || !malt_line_reader_is_done (self->reader))
    g_main_context_iteration (NULL, TRUE);
  if (!malt_output_flush () && !self->is_stopped)
    stop (self, MALT_STATUS_FAILED);
  shut_down (self);

  g_clear_pointer (&self->progress, malt_progress_free);
  report (self);
  if (self->is_interrupted)
    status = MALT_STATUS_INTERRUPTED;
  else if (self->is_stopped)
    status = self->status;
  else if (malt_line_reader_error (self->reader) != NULL)
    status = MALT_STATUS_USAGE;
  else
    status = self->n_failed > 0 ? MALT_STATUS_FAILED : MALT_STATUS_OK;

  g_source_remove (sigint_id);
  g_queue_clear_full (&self->lines, (GDestroyNotify) line_free);
  g_clear_pointer (&self->failures, g_array_unref);
  g_clear_pointer (&self->reader, malt_line_reader_free);
  g_clear_object (&self->cancellable);
  return status;
}

static GOptionContext *
make_context (MapOptions *options)
{
  GOptionEntry entries[] =
    {
      { "jobs", 'j', 0, G_OPTION_ARG_FILENAME, &options->jobs,
        "Run so many workers [as there are processors]", "N" },
      { "json", 0, 0, G_OPTION_ARG_NONE, &options->json,
        "Lines are JSON values, not text", NULL },
      { "unordered", 'u', 0, G_OPTION_ARG_NONE, &options->unordered,
        "Print results as they come, not in order", NULL },
      { "retry", 0, 0, G_OPTION_ARG_NONE, &options->retry,
        "Try a line again, once, if the worker has died", NULL },
      { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &options->words, NULL, NULL },
      G_OPTION_ENTRY_NULL
    };
  GOptionContext *context = g_option_context_new ("FUNCTION");

  g_option_context_set_summary (context,
    "Calls a function for each line of standard input, in several workers at once,\n"
    "and prints what it returns as one line of JSON each.  The function is named as\n"
    "for 'malt call'; its argument is the line as text, or with --json the value that\n"
    "the line is.\n"
    "\n"
    "A line whose call fails prints nothing and does not keep the others from being\n"
    "called; it is listed at the end.  On a terminal a bar tells how far it is.\n"
    "Ctrl-C breaks off what is being called and tells what was done.");
  g_option_context_set_description (context,
    "Examples:\n"
    "  malt map os.path.basename < paths\n"
    "  seq 1000 | malt map --json -j 4 math.factorial > results\n"
    "\n"
    "Exit status:\n"
    "  0    all lines gave a value\n"
    "  1    lines failed, or results could not be written\n"
    "  2    the command line is wrong, or standard input cannot be read\n"
    "  4    workers do not start, or die one after the other\n"
    "  130  Ctrl-C");

  malt_options_add_worker (&options->worker, context);
  g_option_context_add_main_entries (context, entries, NULL);
  malt_options_add_timeout (&options->worker, context);
  return context;
}

/* As the option says; 0 if it is not given. */
static gboolean
get_n_jobs (const MapOptions  *options,
            guint             *n_jobs,
            GError           **error)
{
  guint64 value = 0;

  *n_jobs = 0;
  if (options->jobs == NULL)
    return TRUE;

  if (!g_ascii_string_to_unsigned (options->jobs, 10, 1, 4096, &value, NULL))
    {
      g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                   "--jobs wants a number from 1 to 4096, not '%s'", options->jobs);
      return FALSE;
    }

  *n_jobs = (guint) value;
  return TRUE;
}

/* So that -j4 is as good as -j 4, which is not GOption's way. */
static char **
split_jobs (int    argc,
            char **argv)
{
  g_autoptr (GStrvBuilder) builder = g_strv_builder_new ();
  int i;

  for (i = 0; i < argc; i++)
    {
      g_autofree char *split = NULL;

      if (g_str_has_prefix (argv[i], "-j") && g_ascii_isdigit (argv[i][2]))
        split = g_strconcat ("--jobs=", argv[i] + 2, NULL);
      g_strv_builder_add (builder, split != NULL ? split : argv[i]);
    }

  return g_strv_builder_end (builder);
}

MaltStatus
malt_command_map (int    argc,
                  char **argv)
{
  g_auto (MapOptions) options = { 0 };
  g_autoptr (GOptionContext) context = make_context (&options);
  g_auto (GStrv) words = split_jobs (argc, argv);
  g_autoptr (MaltLauncher) launcher = NULL;
  g_autoptr (MaltPool) pool = NULL;
  g_autoptr (GError) error = NULL;
  Map self = { .options = &options };
  guint n_jobs;

  if (!g_option_context_parse_strv (context, &words, &error))
    return malt_report_usage ("%s", error->message);

  if (options.words == NULL)
    return malt_report_usage ("no function to call");
  if (options.words[1] != NULL)
    return malt_report_usage ("unexpected argument '%s'", options.words[1]);
  if (*options.words[0] == '\0')
    return malt_report_usage ("the name of the function is empty");

  launcher = malt_options_dup_launcher (&options.worker, &error);
  if (launcher == NULL || !malt_options_get_timeout (&options.worker, &self.timeout_msec, &error) ||
      !get_n_jobs (&options, &n_jobs, &error))
    return malt_report_usage ("%s", error->message);

  /* What lets its deadline pass is not asked for ever. */
  malt_launcher_set_kill_on_timeout (launcher, TRUE);
  pool = malt_pool_new (launcher, n_jobs);
  self.function = options.words[0];
  self.pool = pool;
  self.n_jobs = malt_pool_get_max_workers (pool);
  return run (&self);
}
