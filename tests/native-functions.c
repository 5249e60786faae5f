/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The functions that the tests call through the native runtime.  The type of its
 * arguments is beside each; what others they get is G_IO_ERROR_INVALID_ARGUMENT. */

#include <malt.h>

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static gboolean
check (GVariant    *arguments,
       const char  *type,
       GError     **error)
{
  if (g_variant_is_of_type (arguments, G_VARIANT_TYPE (type)))
    return TRUE;

  g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
               "expected arguments of type %s, got %s", type, g_variant_get_type_string (arguments));
  return FALSE;
}

static gint64
number (GVariant *arguments,
        gsize     i)
{
  gint64 value;

  g_variant_get_child (arguments, i, "x", &value);
  return value;
}

/* Values */

/* (x…) → x */
MALT_FUNCTION (add)
{
  gint64 sum = 0;

  for (gsize i = 0; i < g_variant_n_children (arguments); i++)
    {
      g_autoptr (GVariant) argument = g_variant_get_child_value (arguments, i);

      if (!g_variant_is_of_type (argument, G_VARIANT_TYPE_INT64))
        {
          g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                       "add takes int64 arguments only, got %s", g_variant_get_type_string (argument));
          return NULL;
        }
      if (__builtin_add_overflow (sum, g_variant_get_int64 (argument), &sum))
        {
          g_set_error (error, G_NUMBER_PARSER_ERROR, G_NUMBER_PARSER_ERROR_OUT_OF_BOUNDS,
                       "the sum is larger than an int64");
          return NULL;
        }
    }

  return g_variant_new_int64 (sum);
}

/* The keywords a and b → x */
MALT_FUNCTION (subtract)
{
  GVariant *keywords = malt_request_get_keywords (request);
  gint64 a, b;

  if (keywords == NULL ||
      !g_variant_lookup (keywords, "a", "x", &a) ||
      !g_variant_lookup (keywords, "b", "x", &b))
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                   "subtract takes the keywords a and b, both int64");
      return NULL;
    }

  return g_variant_new_int64 (a - b);
}

/* (*) → the argument itself; with none or several the tuple */
MALT_FUNCTION (echo)
{
  if (g_variant_n_children (arguments) == 1)
    return g_variant_get_child_value (arguments, 0);

  return g_variant_ref (arguments);
}

/* (*s), any value, and the text form of what it should be → the value, if it is that */
MALT_FUNCTION (expect)
{
  g_autoptr (GVariant) value = NULL, expected = NULL;
  g_autofree char *text = NULL;
  const char *source;

  if (!check (arguments, "(*s)", error))
    return NULL;

  g_variant_get (arguments, "(@*&s)", &value, &source);
  expected = g_variant_parse (NULL, source, NULL, NULL, error);
  if (expected == NULL)
    return NULL;
  if (g_variant_equal (value, expected))
    return g_steal_pointer (&value);

  text = g_variant_print (value, TRUE);
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "%.500s is not %s", text, source);
  return NULL;
}

/* (*) → s: the SHA-256 of the value's bytes in memory */
MALT_FUNCTION (digest)
{
  g_autoptr (GVariant) value = NULL;
  g_autofree char *digest = NULL;

  if (!check (arguments, "(*)", error))
    return NULL;

  value = g_variant_get_child_value (arguments, 0);
  digest = g_compute_checksum_for_data (G_CHECKSUM_SHA256, g_variant_get_data (value), g_variant_get_size (value));
  return g_variant_new_string (digest);
}

MALT_FUNCTION (nothing)
{
  return NULL;
}

/* (x) → ay: that many bytes, each the lowest byte of its place */
MALT_FUNCTION (bytes)
{
  gsize size;
  guint8 *data;

  if (!check (arguments, "(x)", error))
    return NULL;

  size = (gsize) number (arguments, 0);
  data = g_try_malloc (size);
  if (data == NULL && size > 0)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_NO_SPACE, "no memory for %" G_GSIZE_FORMAT " bytes", size);
      return NULL;
    }
  for (gsize i = 0; i < size; i++)
    data[i] = (guint8) i;

  return g_variant_new_from_data (G_VARIANT_TYPE_BYTESTRING, data, size, TRUE, g_free, data);
}

/* (ay) → x */
MALT_FUNCTION (length)
{
  g_autoptr (GVariant) array = NULL;

  if (!check (arguments, "(ay)", error))
    return NULL;

  array = g_variant_get_child_value (arguments, 0);
  return g_variant_new_int64 ((gint64) g_variant_n_children (array));
}

/* (x) → that many variants inside each other */
MALT_FUNCTION (deep)
{
  GVariant *value;

  if (!check (arguments, "(x)", error))
    return NULL;

  value = g_variant_new_int64 (7);
  for (gint64 i = number (arguments, 0); i > 0; i--)
    value = g_variant_new_variant (value);

  return value;
}

/* (s), of the error's message: a remote exception; or (sxs), an error of that domain,
 * code and message */
MALT_FUNCTION (fail)
{
  const char *domain, *message;
  gint64 code;

  if (g_variant_is_of_type (arguments, G_VARIANT_TYPE ("(s)")))
    {
      g_variant_get (arguments, "(&s)", &message);
      if (error != NULL)
        *error = malt_remote_error_new (MALT_ERROR_REMOTE, "NativeError", message, NULL);
      return NULL;
    }

  if (!check (arguments, "(sxs)", error))
    return NULL;

  g_variant_get (arguments, "(&sx&s)", &domain, &code, &message);
  g_set_error_literal (error, g_quark_from_string (domain), (int) code, message);
  return NULL;
}

/* What put was given last → get */

static GMutex state_lock;
static GVariant *state;

/* (*) */
MALT_FUNCTION (put)
{
  g_autoptr (GVariant) value = NULL;

  if (!check (arguments, "(*)", error))
    return NULL;

  value = g_variant_get_child_value (arguments, 0);
  g_mutex_lock (&state_lock);
  g_clear_pointer (&state, g_variant_unref);
  state = g_steal_pointer (&value);
  g_mutex_unlock (&state_lock);

  return NULL;
}

MALT_FUNCTION (get)
{
  GVariant *value;

  g_mutex_lock (&state_lock);
  value = state != NULL ? g_variant_ref (state) : NULL;
  g_mutex_unlock (&state_lock);

  return value;
}

/* Taking time */

/* Waits for that long, or for ever if it is negative; FALSE if it was cancelled. */
static gboolean
wait_for (gint64         msec,
          GCancellable  *cancellable,
          GError       **error)
{
  gint64 deadline = g_get_monotonic_time () + msec * 1000;
  GPollFD pollfd;

  if (!g_cancellable_make_pollfd (cancellable, &pollfd))
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, "no descriptor to wait for");
      return FALSE;
    }

  while (!g_cancellable_is_cancelled (cancellable))
    {
      gint64 left = (deadline - g_get_monotonic_time () + 999) / 1000;

      if (msec >= 0 && left <= 0)
        break;
      g_poll (&pollfd, 1, msec < 0 ? -1 : (int) left);
    }
  g_cancellable_release_fd (cancellable);

  return !g_cancellable_set_error_if_cancelled (cancellable, error);
}

/* () or (s): tells the test that the function has begun, by making the file. */
static gboolean
leave_mark (GVariant  *arguments,
            GError   **error)
{
  const char *path;

  if (g_variant_n_children (arguments) == 0)
    return TRUE;
  if (!check (arguments, "(s)", error))
    return FALSE;

  g_variant_get (arguments, "(&s)", &path);
  return g_file_set_contents (path, "", 0, error);
}

static gboolean
spin_until_cancelled (GCancellable  *cancellable,
                      GError       **error)
{
  while (!g_cancellable_is_cancelled (cancellable))
    ;

  return !g_cancellable_set_error_if_cancelled (cancellable, error);
}

/* (x), in milliseconds; gives up when it is cancelled */
MALT_FUNCTION (sleep)
{
  if (check (arguments, "(x)", error))
    wait_for (number (arguments, 0), cancellable, error);

  return NULL;
}

/* () or (s), a file to make when it has begun: sleeps until it is cancelled */
MALT_FUNCTION (sleep_on)
{
  if (leave_mark (arguments, error))
    wait_for (-1, cancellable, error);

  return NULL;
}

/* () or (s), a file to make when it has begun: works until it is cancelled */
MALT_FUNCTION (spin)
{
  if (leave_mark (arguments, error))
    spin_until_cancelled (cancellable, error);

  return NULL;
}

/* () or (s), a file to make when it has begun: works until it is cancelled, and takes
 * that for a value → s */
MALT_FUNCTION (catch)
{
  if (!leave_mark (arguments, error))
    return NULL;

  spin_until_cancelled (cancellable, NULL);
  return g_variant_new_string ("caught");
}

/* () or (s), a file to make when it has begun, or (ss), also one whose making it waits
 * for: works and never looks whether it is cancelled */
MALT_FUNCTION (be_deaf)
{
  const char *begin, *end = NULL;

  if (g_variant_is_of_type (arguments, G_VARIANT_TYPE ("(ss)")))
    {
      g_variant_get (arguments, "(&s&s)", &begin, &end);
      if (!g_file_set_contents (begin, "", 0, error))
        return NULL;
    }
  else if (!leave_mark (arguments, error))
    return NULL;

  while (end == NULL || !g_file_test (end, G_FILE_TEST_EXISTS))
    ;

  return NULL;
}

/* (x), in milliseconds: works so long and never looks whether it is cancelled */
MALT_FUNCTION (spin_deaf)
{
  gint64 deadline;

  if (!check (arguments, "(x)", error))
    return NULL;

  deadline = g_get_monotonic_time () + number (arguments, 0) * 1000;
  while (g_get_monotonic_time () < deadline)
    ;

  return NULL;
}

/* Answering later */

static gpointer
later_thread (gpointer data)
{
  g_autoptr (MaltRequest) request = data;
  GVariant *arguments = malt_request_get_arguments (request);
  g_autoptr (GVariant) value = g_variant_get_child_value (arguments, 1);
  GError *error = NULL;

  if (wait_for (number (arguments, 0), malt_request_get_cancellable (request), &error))
    malt_request_return_value (request, value);
  else
    malt_request_return_error (request, error);

  return NULL;
}

/* (x*), after so many milliseconds, from another thread → the second argument */
MALT_FUNCTION (later)
{
  if (!check (arguments, "(x*)", error))
    return NULL;

  malt_request_defer (request);
  g_thread_unref (g_thread_new ("later", later_thread, g_object_ref (request)));
  return NULL;
}

static gboolean
later_cb (gpointer user_data)
{
  MaltRequest *request = user_data;
  g_autoptr (GVariant) value = g_variant_get_child_value (malt_request_get_arguments (request), 1);

  malt_request_return_value (request, value);
  return G_SOURCE_REMOVE;
}

/* As later, but from the serving thread's main context */
MALT_FUNCTION (later_in_context)
{
  g_autoptr (GSource) source = NULL;

  if (!check (arguments, "(x*)", error))
    return NULL;

  malt_request_defer (request);
  source = g_timeout_source_new ((guint) number (arguments, 0));
  g_source_set_callback (source, later_cb, g_object_ref (request), g_object_unref);
  g_source_attach (source, g_main_context_get_thread_default ());
  return NULL;
}

/* Requests that wait for nothing; here so that a leak checker sees them.  A handler
 * that owned its request would be a cycle. */
static GMutex waiting_lock;
static GPtrArray *waiting;

static void
never_cb (GCancellable *cancellable,
          gpointer      user_data)
{
  MaltRequest *request = user_data;

  malt_request_return_new_error (request, G_IO_ERROR, G_IO_ERROR_CANCELLED, "never was cancelled");

  g_mutex_lock (&waiting_lock);
  g_ptr_array_remove_fast (waiting, request);
  g_mutex_unlock (&waiting_lock);
  g_object_unref (request);
}

/* Only when it is cancelled */
MALT_FUNCTION (later_never)
{
  malt_request_defer (request);

  g_mutex_lock (&waiting_lock);
  if (waiting == NULL)
    waiting = g_ptr_array_new ();
  g_ptr_array_add (waiting, g_object_ref (request));
  g_mutex_unlock (&waiting_lock);

  g_cancellable_connect (cancellable, G_CALLBACK (never_cb), request, NULL);
  return NULL;
}

/* Says that it will answer, and forgets to */
MALT_FUNCTION (later_dropped)
{
  malt_request_defer (request);
  return NULL;
}

/* Says that it will answer later, and fails at once */
MALT_FUNCTION (later_failed)
{
  malt_request_defer (request);
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_BUSY, "it could not begin");
  return NULL;
}

/* Breaking the contract */

MALT_FUNCTION (value_and_error)
{
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_BUSY, "not so");
  return g_variant_new_int64 (1);
}

MALT_FUNCTION (deferred_value)
{
  malt_request_defer (request);
  return g_variant_new_int64 (1);
}

MALT_FUNCTION (answered_twice)
{
  malt_request_return_value (request, g_variant_new_int64 (1));
  return g_variant_new_int64 (2);
}

MALT_FUNCTION (unsound_error)
{
  g_set_error (error, G_IO_ERROR, 98765, "of no known kind");
  return NULL;
}

/* Output */

/* (s), as it is */
MALT_FUNCTION (print)
{
  const char *text;

  if (!check (arguments, "(s)", error))
    return NULL;

  g_variant_get (arguments, "(&s)", &text);
  fputs (text, stdout);
  fflush (stdout);
  return NULL;
}

/* (s), and a new line, in the character set of the user */
MALT_FUNCTION (print_text)
{
  const char *text;

  if (!check (arguments, "(s)", error))
    return NULL;

  g_variant_get (arguments, "(&s)", &text);
  g_print ("%s\n", text);
  return NULL;
}

/* (s), as it is */
MALT_FUNCTION (print_error)
{
  const char *text;

  if (!check (arguments, "(s)", error))
    return NULL;

  g_variant_get (arguments, "(&s)", &text);
  fputs (text, stderr);
  return NULL;
}

/* (xs), the text that many times, without a newline of its own */
MALT_FUNCTION (print_many)
{
  const char *text;
  gint64 count;

  if (!check (arguments, "(xs)", error))
    return NULL;

  g_variant_get (arguments, "(x&s)", &count, &text);
  while (count-- > 0)
    fputs (text, stdout);
  fflush (stdout);
  return NULL;
}

/* (ay) */
MALT_FUNCTION (print_bytes)
{
  g_autoptr (GVariant) array = NULL;
  gconstpointer data;
  gsize size;

  if (!check (arguments, "(ay)", error))
    return NULL;

  array = g_variant_get_child_value (arguments, 0);
  data = g_variant_get_fixed_array (array, &size, 1);
  if (size > 0)
    fwrite (data, 1, size, stdout);
  fflush (stdout);
  return NULL;
}

/* (xxs), that many lines of the text to each of stdout and stderr in turn, with so
 * many microseconds between */
MALT_FUNCTION (print_both)
{
  const char *text;
  gint64 count, pause;

  if (!check (arguments, "(xxs)", error))
    return NULL;

  g_variant_get (arguments, "(xx&s)", &count, &pause, &text);
  for (gint64 i = 0; i < count; i++)
    {
      printf ("%s %" G_GINT64_FORMAT "\n", text, i);
      fflush (stdout);
      fprintf (stderr, "%s %" G_GINT64_FORMAT "\n", text, i);
      if (pause > 0)
        g_usleep ((gulong) pause);
    }
  return NULL;
}

/* The process */

/* Where the compiler cannot know where it is. */
static volatile int * volatile nowhere;

__attribute__ ((no_sanitize ("undefined", "address", "thread"))) static void
write_to_null (void)
{
  *nowhere = 1;
}

/* (x), a signal, or () for a write through a null pointer */
MALT_FUNCTION (crash)
{
  int signum = SIGSEGV;

  if (g_variant_n_children (arguments) > 0)
    {
      if (!check (arguments, "(x)", error))
        return NULL;
      signum = (int) number (arguments, 0);
    }

  /* A sanitizer would turn it into an exit. */
  signal (signum, SIG_DFL);
  if (g_variant_n_children (arguments) > 0)
    raise (signum);
  else
    write_to_null ();

  /* Where the page at zero is mapped, as the thread sanitizer may have it. */
  raise (signum);
  return NULL;
}

/* (s), a file: dies if it is not there, and makes it; else gives 1 */
MALT_FUNCTION (crash_once)
{
  const char *mark;

  if (!check (arguments, "(s)", error))
    return NULL;

  g_variant_get (arguments, "(&s)", &mark);
  if (g_file_test (mark, G_FILE_TEST_EXISTS))
    return g_variant_new_int64 (1);

  if (g_file_set_contents (mark, "", 0, error))
    raise (SIGKILL);
  return NULL;
}

/* (x), the code */
MALT_FUNCTION (exit)
{
  if (!check (arguments, "(x)", error))
    return NULL;

  exit ((int) number (arguments, 0));
}

/* (x), bytes: takes and fills so much memory, and gives it back */
MALT_FUNCTION (allocate)
{
  g_autofree char *memory = NULL;
  gsize size;

  if (!check (arguments, "(x)", error))
    return NULL;

  size = (gsize) number (arguments, 0);
  memory = g_try_malloc (size);
  if (memory == NULL)
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_NO_SPACE, "no memory for %" G_GSIZE_FORMAT " bytes", size);
  else
    memset (memory, 1, size);

  return NULL;
}

MALT_FUNCTION (pid)
{
  return g_variant_new_int64 (getpid ());
}

MALT_FUNCTION (ppid)
{
  return g_variant_new_int64 (getppid ());
}

MALT_FUNCTION (process_group)
{
  return g_variant_new_int64 (getpgrp ());
}

/* A number that is the same on the same thread → t */
MALT_FUNCTION (thread)
{
  return g_variant_new_uint64 ((guint64) (gsize) g_thread_self ());
}

/* → s */
MALT_FUNCTION (working_directory)
{
  g_autofree char *directory = g_get_current_dir ();

  return g_variant_new_string (directory);
}

/* (s), a name → s or nothing; or () → as, all of it */
MALT_FUNCTION (environment)
{
  const char *name, *value;

  if (g_variant_n_children (arguments) == 0)
    {
      g_auto (GStrv) all = g_get_environ ();

      return g_variant_new_strv ((const char * const *) all, -1);
    }

  if (!check (arguments, "(s)", error))
    return NULL;

  g_variant_get (arguments, "(&s)", &name);
  value = g_getenv (name);
  return value != NULL ? g_variant_new_string (value) : NULL;
}

/* → a(is): the open descriptors and what they are */
MALT_FUNCTION (descriptors)
{
  GVariantBuilder builder;
  DIR *folder = opendir ("/proc/self/fd");
  struct dirent *entry;

  if (folder == NULL)
    {
      g_set_error (error, G_IO_ERROR, g_io_error_from_errno (errno), "no /proc/self/fd");
      return NULL;
    }

  g_variant_builder_init (&builder, G_VARIANT_TYPE ("a(is)"));
  while ((entry = readdir (folder)) != NULL)
    {
      g_autofree char *path = g_build_filename ("/proc/self/fd", entry->d_name, NULL);
      g_autofree char *target = g_file_read_link (path, NULL);
      int fd = atoi (entry->d_name);

      if (target != NULL && fd != dirfd (folder))
        g_variant_builder_add (&builder, "(is)", fd, target);
    }
  closedir (folder);

  return g_variant_builder_end (&builder);
}

/* → a{sv} of ai: the signals that are "blocked", "ignored" and "caught" */
MALT_FUNCTION (signal_state)
{
  GVariantBuilder blocked, ignored, caught, all;
  sigset_t mask;

  pthread_sigmask (SIG_SETMASK, NULL, &mask);
  g_variant_builder_init (&blocked, G_VARIANT_TYPE ("ai"));
  g_variant_builder_init (&ignored, G_VARIANT_TYPE ("ai"));
  g_variant_builder_init (&caught, G_VARIANT_TYPE ("ai"));
  for (int signum = 1; signum < NSIG; signum++)
    {
      struct sigaction action;

      if (sigismember (&mask, signum) == 1)
        g_variant_builder_add (&blocked, "i", signum);
      if (sigaction (signum, NULL, &action) < 0)
        continue;
      if (action.sa_handler == SIG_IGN)
        g_variant_builder_add (&ignored, "i", signum);
      else if (action.sa_handler != SIG_DFL)
        g_variant_builder_add (&caught, "i", signum);
    }

  g_variant_builder_init (&all, G_VARIANT_TYPE_VARDICT);
  g_variant_builder_add (&all, "{sv}", "blocked", g_variant_builder_end (&blocked));
  g_variant_builder_add (&all, "{sv}", "ignored", g_variant_builder_end (&ignored));
  g_variant_builder_add (&all, "{sv}", "caught", g_variant_builder_end (&caught));
  return g_variant_builder_end (&all);
}

MALT_FUNCTION (ignore_term)
{
  signal (SIGTERM, SIG_IGN);
  return NULL;
}

/* Starts a program that does nothing for long, in the same process group → x, its pid */
MALT_FUNCTION (fork_child)
{
  char *argv[] = { (char *) "/bin/sleep", (char *) "1000", NULL };
  pid_t pid;
  int result = posix_spawn (&pid, argv[0], NULL, NULL, argv, environ);

  if (result != 0)
    {
      g_set_error (error, G_IO_ERROR, g_io_error_from_errno (result), "%s: %s", argv[0], g_strerror (result));
      return NULL;
    }

  return g_variant_new_int64 (pid);
}

/* (x), a depth: a worker of this worker does the same with one less → x, how deep it
 * got */
MALT_FUNCTION (nested)
{
  g_autoptr (MaltLauncher) launcher = NULL;
  g_autoptr (MaltWorker) worker = NULL;
  g_autoptr (GVariant) value = NULL;
  g_autofree char *function = NULL;
  Dl_info info;
  gint64 depth;

  if (!check (arguments, "(x)", error))
    return NULL;

  depth = number (arguments, 0);
  if (depth <= 0)
    return g_variant_new_int64 (0);

  if (dladdr ((gpointer) malt_function_nested, &info) == 0)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND, "this module has no path");
      return NULL;
    }
  function = g_strdup_printf ("%s:nested", info.dli_fname);

  launcher = malt_launcher_new ("process", "native");
  worker = malt_launcher_spawn (launcher, cancellable, error);
  if (worker == NULL)
    return NULL;

  value = malt_worker_remote_call_fetch (worker, function, g_variant_new ("(x)", depth - 1), NULL,
                                         MALT_TIMEOUT_NONE, cancellable, error);
  if (value == NULL)
    return NULL;

  return g_variant_new_int64 (1 + g_variant_get_int64 (value));
}

/* The manager's functions, and progress */

/* (sv), a function of the manager's and its arguments, a tuple → what it gives */
MALT_FUNCTION (host)
{
  g_autoptr (GVariant) host_arguments = NULL;
  const char *name;

  if (!check (arguments, "(sv)", error))
    return NULL;

  g_variant_get (arguments, "(&sv)", &name, &host_arguments);
  return malt_request_call_host (request, name, host_arguments, malt_request_get_keywords (request), error);
}

/* The same → as; how it failed: domain, code, type and message */
MALT_FUNCTION (host_error)
{
  g_autoptr (GError) failure = NULL;
  g_autoptr (GVariant) value = malt_function_host (request, arguments, cancellable, user_data, &failure);
  g_autofree char *type = NULL;
  g_autofree char *message = NULL;
  const char *strings[5] = { NULL };
  char code[16];

  if (value != NULL)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, "it did not fail");
      return NULL;
    }

  type = malt_remote_error_dup_type (failure);
  message = malt_remote_error_dup_message (failure);
  g_snprintf (code, sizeof code, "%d", failure->code);
  strings[0] = failure->domain == MALT_ERROR ? "malt" : failure->domain == G_IO_ERROR ? "io" : "?";
  strings[1] = code;
  strings[2] = type != NULL ? type : "";
  strings[3] = message != NULL ? message : failure->message;
  return g_variant_new_strv (strings, -1);
}

static void
host_later_cb (GObject      *source,
               GAsyncResult *result,
               gpointer      user_data)
{
  g_autoptr (MaltRequest) request = user_data;
  GError *error = NULL;
  g_autoptr (GVariant) value = malt_request_call_host_finish (request, result, &error);

  if (value != NULL)
    malt_request_return_value (request, value);
  else
    malt_request_return_error (request, error);
}

/* As host, but it does not hold up the next call */
MALT_FUNCTION (host_later)
{
  g_autoptr (GVariant) host_arguments = NULL;
  const char *name;

  if (!check (arguments, "(sv)", error))
    return NULL;

  g_variant_get (arguments, "(&sv)", &name, &host_arguments);
  malt_request_defer (request);
  malt_request_call_host_async (request, name, host_arguments, NULL, host_later_cb, g_object_ref (request));
  return NULL;
}

typedef struct
{
  MaltRequest *request;
  const char  *name;
  gint64       first;
  gint64       count;
  gint64       sum;
  GError      *error;
} HostThread;

static gpointer
host_thread (gpointer data)
{
  HostThread *self = data;

  for (gint64 i = 0; i < self->count && self->error == NULL; i++)
    {
      g_autoptr (GVariant) value = malt_request_call_host (self->request, self->name,
                                                           g_variant_new ("(x)", self->first + i), NULL, &self->error);

      if (value != NULL)
        self->sum += g_variant_get_int64 (value);
    }

  return NULL;
}

/* (sxx), a function of the manager's of (x), how many threads, how often each of them: calls
 * it with 0, 1, … → x, the sum of what it gives */
MALT_FUNCTION (host_in_threads)
{
  HostThread threads[64] = { 0 };
  GThread *handles[G_N_ELEMENTS (threads)];
  const char *name;
  gint64 n_threads, count, sum = 0;

  if (!check (arguments, "(sxx)", error))
    return NULL;

  g_variant_get (arguments, "(&sxx)", &name, &n_threads, &count);
  n_threads = MIN (n_threads, (gint64) G_N_ELEMENTS (threads));
  for (gint64 i = 0; i < n_threads; i++)
    {
      threads[i] = (HostThread) { request, name, i * count, count, 0, NULL };
      handles[i] = g_thread_new ("host", host_thread, &threads[i]);
    }
  for (gint64 i = 0; i < n_threads; i++)
    {
      g_thread_join (handles[i]);
      sum += threads[i].sum;
      if (threads[i].error != NULL && (error == NULL || *error == NULL))
        g_propagate_error (error, g_steal_pointer (&threads[i].error));
      g_clear_error (&threads[i].error);
    }

  return error != NULL && *error != NULL ? NULL : g_variant_new_int64 (sum);
}

static void
ignore_cb (GObject      *source,
           GAsyncResult *result,
           gpointer      user_data)
{
  g_autoptr (GVariant) value G_GNUC_UNUSED = malt_request_call_host_finish (MALT_REQUEST (source), result, NULL);
}

/* (sx), a function of the manager's without arguments, and how often: begins to call it, and
 * does not wait for what it gives */
MALT_FUNCTION (host_begin)
{
  const char *name;
  gint64 count;

  if (!check (arguments, "(sx)", error))
    return NULL;

  g_variant_get (arguments, "(&sx)", &name, &count);
  for (; count > 0; count--)
    malt_request_call_host_async (request, name, NULL, NULL, ignore_cb, NULL);
  return NULL;
}

/* (sx), a function of the manager's of (ay), how many bytes: calls it once in each of eight
 * threads → x, the sum of what it gives */
static gpointer
host_large_thread (gpointer data)
{
  HostThread *self = data;
  g_autoptr (GVariant) value = NULL;
  guint8 *bytes = g_malloc0 ((gsize) self->count);
  GVariant *array = g_variant_new_from_data (G_VARIANT_TYPE_BYTESTRING, bytes, (gsize) self->count, TRUE, g_free, bytes);

  value = malt_request_call_host (self->request, self->name, g_variant_new_tuple (&array, 1), NULL, &self->error);
  if (value != NULL)
    self->sum = g_variant_get_int64 (value);
  return NULL;
}

MALT_FUNCTION (host_large_in_threads)
{
  HostThread threads[8] = { 0 };
  GThread *handles[G_N_ELEMENTS (threads)];
  const char *name;
  gint64 size, sum = 0;
  gsize i;

  if (!check (arguments, "(sx)", error))
    return NULL;

  g_variant_get (arguments, "(&sx)", &name, &size);
  for (i = 0; i < G_N_ELEMENTS (threads); i++)
    {
      threads[i] = (HostThread) { request, name, 0, size, 0, NULL };
      handles[i] = g_thread_new ("host", host_large_thread, &threads[i]);
    }
  for (i = 0; i < G_N_ELEMENTS (threads); i++)
    {
      g_thread_join (handles[i]);
      sum += threads[i].sum;
      if (threads[i].error != NULL && (error == NULL || *error == NULL))
        g_propagate_error (error, g_steal_pointer (&threads[i].error));
      g_clear_error (&threads[i].error);
    }

  return error != NULL && *error != NULL ? NULL : g_variant_new_int64 (sum);
}

/* (ds), what to say of its progress → the same */
MALT_FUNCTION (progress)
{
  const char *text;
  double fraction;

  if (!check (arguments, "(ds)", error))
    return NULL;

  g_variant_get (arguments, "(d&s)", &fraction, &text);
  malt_request_report_progress (request, fraction, text);
  return g_variant_ref (arguments);
}

/* (x), how many steps, of each of which it tells */
MALT_FUNCTION (progress_steps)
{
  if (!check (arguments, "(x)", error))
    return NULL;

  for (gint64 i = 1; i <= number (arguments, 0); i++)
    {
      g_autofree char *text = g_strdup_printf ("step %" G_GINT64_FORMAT, i);

      malt_request_report_progress (request, (double) i / (double) number (arguments, 0), text);
    }
  return NULL;
}
