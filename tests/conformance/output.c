/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>

#include <malt.h>

#include "test-asserts.h"
#include "test-case.h"

/* What a worker prints, in each of the ways that it can go. */

#define MEGABYTES 10

/* Everything that a stream gives until its end. */
static GBytes *
read_all (GInputStream *stream)
{
  g_autoptr (GOutputStream) memory = g_memory_output_stream_new_resizable ();
  g_autoptr (GError) error = NULL;

  g_output_stream_splice (memory, stream, G_OUTPUT_STREAM_SPLICE_CLOSE_TARGET, NULL, &error);
  g_assert_no_error (error);
  return g_memory_output_stream_steal_as_bytes (G_MEMORY_OUTPUT_STREAM (memory));
}

static gpointer
read_thread (gpointer data)
{
  return read_all (data);
}

typedef struct
{
  GThread *threads[2];
} Readers;

/* A worker whose streams are read by two threads while it is called. */
static Readers
start_piped (TestCase *self)
{
  Readers readers;
  GInputStream *out, *err;

  malt_launcher_set_stdout (self->launcher, MALT_OUTPUT_PIPE);
  malt_launcher_set_stderr (self->launcher, MALT_OUTPUT_PIPE);
  self->worker = test_case_spawn (self);

  out = malt_worker_get_stdout_pipe (self->worker);
  err = malt_worker_get_stderr_pipe (self->worker);
  g_assert_true (G_IS_INPUT_STREAM (out));
  g_assert_true (G_IS_INPUT_STREAM (err));
  readers.threads[0] = g_thread_new ("stdout", read_thread, out);
  readers.threads[1] = g_thread_new ("stderr", read_thread, err);
  return readers;
}

static void
stop_piped (TestCase  *self,
            Readers    readers,
            GBytes   **out,
            GBytes   **err)
{
  g_autoptr (GError) error = NULL;

  malt_worker_stop (self->worker, -1, -1, NULL, &error);
  g_assert_no_error (error);
  *out = g_thread_join (readers.threads[0]);
  *err = g_thread_join (readers.threads[1]);
}

static void
assert_bytes (GBytes     *bytes,
              const char *text)
{
  g_assert_cmpmem (g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes), text, strlen (text));
}

static void
test_pipe (TestCase *self)
{
  Readers readers = start_piped (self);
  g_autoptr (GBytes) out = NULL, err = NULL;

  g_variant_unref (test_case_call (self, "print", g_variant_new ("(s)", "to stdout")));
  g_variant_unref (test_case_call (self, "print_error", g_variant_new ("(s)", "to stderr")));
  stop_piped (self, readers, &out, &err);
  assert_bytes (out, "to stdout");
  assert_bytes (err, "to stderr");
}

/* As the language prints it, in the character set of the user. */
static void
test_pipe_text (TestCase *self)
{
  Readers readers = start_piped (self);
  g_autoptr (GBytes) out = NULL, err = NULL;

  g_variant_unref (test_case_call (self, "print_text", g_variant_new ("(s)", "Gr\303\274\303\237e \342\202\254")));
  stop_piped (self, readers, &out, &err);
  assert_bytes (out, "Gr\303\274\303\237e \342\202\254\n");
}

static void
test_pipe_large (TestCase *self)
{
  Readers readers = start_piped (self);
  g_autoptr (GBytes) out = NULL, err = NULL;
  const char *data;
  gsize size, i;

  g_variant_unref (test_case_call (self, "print_many",
                                   g_variant_new ("(xs)", (gint64) MEGABYTES * 1024 * 128, "12345678")));
  test_case_assert_usable (self);
  stop_piped (self, readers, &out, &err);

  data = g_bytes_get_data (out, &size);
  g_assert_cmpuint (size, ==, MEGABYTES * 1024 * 1024);
  for (i = 0; i < size; i++)
    g_assert_cmpint (data[i], ==, '1' + (int) (i % 8));
  g_assert_cmpuint (g_bytes_get_size (err), ==, 0);
}

static GVariant *
all_bytes (void)
{
  guint8 bytes[256];
  gsize i;

  for (i = 0; i < sizeof bytes; i++)
    bytes[i] = (guint8) i;
  return g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, bytes, sizeof bytes, 1);
}

static void
test_pipe_binary (TestCase *self)
{
  Readers readers = start_piped (self);
  g_autoptr (GBytes) out = NULL, err = NULL;
  const guint8 *data;
  gsize size, i;

  g_variant_unref (test_case_call (self, "print_bytes", g_variant_new ("(@ay)", all_bytes ())));
  stop_piped (self, readers, &out, &err);
  data = g_bytes_get_data (out, &size);
  g_assert_cmpuint (size, ==, 256);
  for (i = 0; i < size; i++)
    g_assert_cmpuint (data[i], ==, i);
}

/* Neither a stream that nobody reads nor one that is closed harms the manager. */
static void
test_pipe_closed (TestCase *self)
{
  g_autoptr (GError) error = NULL;

  malt_launcher_set_stdout (self->launcher, MALT_OUTPUT_PIPE);
  malt_launcher_set_stderr (self->launcher, MALT_OUTPUT_PIPE);
  self->worker = test_case_spawn (self);

  g_input_stream_close (malt_worker_get_stderr_pipe (self->worker), NULL, &error);
  g_assert_no_error (error);
  test_case_assert_usable (self);
}

/* Discarded, but the end of it is kept for a post-mortem. */
static void
test_discard (TestCase *self)
{
  g_autoptr (GError) error = NULL;

  malt_launcher_set_stdout (self->launcher, MALT_OUTPUT_DISCARD);
  malt_launcher_set_stderr (self->launcher, MALT_OUTPUT_DISCARD);
  self->worker = test_case_spawn (self);

  g_variant_unref (test_case_call (self, "print_many",
                                   g_variant_new ("(xs)", (gint64) MEGABYTES * 1024 * 128, "12345678")));
  g_variant_unref (test_case_call (self, "print_error", g_variant_new ("(s)", "its last words")));
  g_assert_null (malt_worker_remote_call_fetch (self->worker, test_case_function (self, "exit"),
                                                g_variant_new ("(x)", G_GINT64_CONSTANT (3)), NULL,
                                                MALT_TIMEOUT_NONE, NULL, &error));
  test_assert_error (error, MALT_ERROR, MALT_ERROR_TERMINATED, "*");
  test_assert_match (malt_exit_info_get_stderr (malt_worker_get_exit_info (self->worker)),
                     "*its last words*");
  g_assert_null (malt_worker_get_stdout_pipe (self->worker));
}

/* A worker that prints what looks like frames, or anything else, disturbs nothing. */
static void
test_no_protocol (TestCase *self)
{
  malt_launcher_set_stdout (self->launcher, MALT_OUTPUT_DISCARD);
  malt_launcher_set_stderr (self->launcher, MALT_OUTPUT_DISCARD);
  self->worker = test_case_spawn (self);

  g_variant_unref (test_case_call (self, "print_bytes", g_variant_new ("(@ay)", all_bytes ())));
  g_variant_unref (test_case_call (self, "print", g_variant_new ("(s)", "malt\001\002\003\004")));
  test_case_assert_usable (self);
}

/* Runs a manager of its own, and gives what it printed. */
static void
run_manager (TestCase    *self,
             const char  *mode,
             const char  *function,
             const char  *arguments,
             GBytes     **out,
             GBytes     **err)
{
  g_autofree char *program = g_test_build_filename (G_TEST_BUILT, "programs", "output-manager", NULL);
  g_autofree char *number = g_strdup_printf ("%d", (int) (self->variant - test_variants));
  g_autoptr (GSubprocess) manager = NULL;
  g_autoptr (GError) error = NULL;

  manager = g_subprocess_new (G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_PIPE,
                              &error, program, number, mode, function, arguments, NULL);
  g_assert_no_error (error);
  g_subprocess_communicate (manager, NULL, NULL, out, err, &error);
  g_assert_no_error (error);
  if (!g_subprocess_get_if_exited (manager) || g_subprocess_get_exit_status (manager) != 0)
    g_error ("the manager failed: %.*s", (int) g_bytes_get_size (*err),
             (const char *) g_bytes_get_data (*err, NULL));
}

/* The lines of @bytes without their prefixes, each of which has to be there. */
static char **
split_lines (GBytes *bytes)
{
  g_autofree char *text = g_strndup (g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes));
  char **lines;
  gsize i;

  g_assert_true (g_str_has_suffix (text, "\n"));
  text[strlen (text) - 1] = '\0';
  lines = g_strsplit (text, "\n", -1);

  for (i = 0; lines[i] != NULL; i++)
    {
      const char *end;
      char *line = lines[i];

      test_assert_match (line, "?Worker *");
      end = strstr (line, "]: ");
      g_assert_nonnull (end);
      lines[i] = g_strdup (end + strlen ("]: "));
      g_free (line);
    }

  return lines;
}

static void
test_forward (TestCase *self)
{
  g_autoptr (GBytes) out = NULL, err = NULL;
  g_auto (GStrv) lines = NULL;

  run_manager (self, "forward", "print", "('one\\ntwo\\n\\nfour\\n',)", &out, &err);
  lines = split_lines (out);
  g_assert_cmpuint (g_strv_length (lines), ==, 4);
  g_assert_cmpstr (lines[0], ==, "one");
  g_assert_cmpstr (lines[1], ==, "two");
  g_assert_cmpstr (lines[2], ==, "");
  g_assert_cmpstr (lines[3], ==, "four");
  g_assert_cmpuint (g_bytes_get_size (err), ==, 0);
}

/* A last line without its end gets one. */
static void
test_forward_no_newline (TestCase *self)
{
  g_autoptr (GBytes) out = NULL, err = NULL;
  g_auto (GStrv) lines = NULL;

  run_manager (self, "forward", "print_error", "('one\\ntwo',)", &out, &err);
  lines = split_lines (err);
  g_assert_cmpuint (g_strv_length (lines), ==, 2);
  g_assert_cmpstr (lines[0], ==, "one");
  g_assert_cmpstr (lines[1], ==, "two");
  g_assert_cmpuint (g_bytes_get_size (out), ==, 0);
}

/* Lines of both streams come whole, and in order within each. */
static void
assert_both_lines (GBytes *bytes)
{
  g_auto (GStrv) lines = split_lines (bytes);
  guint i;

  g_assert_cmpuint (g_strv_length (lines), ==, 500);
  for (i = 0; i < 500; i++)
    {
      g_autofree char *expected = g_strdup_printf ("line %u", i);

      g_assert_cmpstr (lines[i], ==, expected);
    }
}

static void
test_forward_interleaved (TestCase *self)
{
  g_autoptr (GBytes) out = NULL, err = NULL;

  run_manager (self, "forward", "print_both", "(int64 500, int64 0, 'line')", &out, &err);
  assert_both_lines (out);
  assert_both_lines (err);
}

/* A line without an end: all of it arrives, and the manager does not hold all of it. */
static void
test_forward_endless_line (TestCase *self)
{
  g_autoptr (GBytes) out = NULL, err = NULL;
  g_autofree char *arguments = NULL;
  g_auto (GStrv) lines = NULL;
  gsize i, j, total = 0;

  arguments = g_strdup_printf ("(int64 %d, '12345678')", MEGABYTES * 1024 * 128);
  run_manager (self, "forward", "print_many", arguments, &out, &err);
  lines = split_lines (out);
  for (i = 0; lines[i] != NULL; i++)
    for (j = 0; lines[i][j] != '\0'; j++)
      g_assert_cmpint (lines[i][j], ==, '1' + (int) (total++ % 8));
  g_assert_cmpuint (total, ==, MEGABYTES * 1024 * 1024);
}

/* What is no text arrives as it is where it goes to a file or a pipe. */
static void
test_forward_binary (TestCase *self)
{
  g_autoptr (GBytes) out = NULL, err = NULL;
  g_autoptr (GVariant) bytes = g_variant_ref_sink (g_variant_new ("(@ay)", all_bytes ()));
  g_autofree char *arguments = g_variant_print (bytes, TRUE);
  const guint8 *data, *second_line;
  gsize size, i;

  run_manager (self, "forward", "print_bytes", arguments, &out, &err);
  data = g_bytes_get_data (out, &size);
  g_assert_cmpuint (data[size - 1], ==, '\n');
  second_line = memchr (data, '\n', size);
  g_assert_nonnull (second_line);
  for (i = 0; i < '\n'; i++)
    g_assert_cmpuint (second_line[(gssize) i - '\n'], ==, i);
  for (i = '\n' + 1; i < 256; i++)
    g_assert_cmpuint (data[size - 257 + i], ==, i);
}

static void
test_inherit (TestCase *self)
{
  g_autoptr (GBytes) out = NULL, err = NULL;

  run_manager (self, "inherit", "print", "('one\\ntwo',)", &out, &err);
  assert_bytes (out, "one\ntwo");
  g_assert_cmpuint (g_bytes_get_size (err), ==, 0);
}

static void
test_discard_is_quiet (TestCase *self)
{
  g_autoptr (GBytes) out = NULL, err = NULL;

  run_manager (self, "discard", "print_both", "(int64 500, int64 0, 'line')", &out, &err);
  g_assert_cmpuint (g_bytes_get_size (out), ==, 0);
  g_assert_cmpuint (g_bytes_get_size (err), ==, 0);
}

int
main (int argc, char **argv)
{
  test_case_init (&argc, &argv, "output");

  test_case_add_idle ("pipe", TEST_NEEDS_PROCESS, test_pipe);
  test_case_add_idle ("pipe-text", TEST_NEEDS_PROCESS, test_pipe_text);
  test_case_add_idle ("pipe-large", TEST_NEEDS_PROCESS, test_pipe_large);
  test_case_add_idle ("pipe-binary", TEST_NEEDS_PROCESS, test_pipe_binary);
  test_case_add_idle ("pipe-closed", TEST_NEEDS_PROCESS, test_pipe_closed);
  test_case_add_idle ("discard", TEST_NEEDS_PROCESS, test_discard);
  test_case_add_idle ("discard-is-quiet", TEST_NEEDS_PROCESS, test_discard_is_quiet);
  test_case_add_idle ("no-protocol", TEST_NEEDS_PROCESS, test_no_protocol);
  test_case_add_idle ("forward", TEST_NEEDS_PROCESS, test_forward);
  test_case_add_idle ("forward-no-newline", TEST_NEEDS_PROCESS, test_forward_no_newline);
  test_case_add_idle ("forward-interleaved", TEST_NEEDS_PROCESS, test_forward_interleaved);
  test_case_add_idle ("forward-endless-line", TEST_NEEDS_PROCESS, test_forward_endless_line);
  test_case_add_idle ("forward-binary", TEST_NEEDS_PROCESS, test_forward_binary);
  test_case_add_idle ("inherit", TEST_NEEDS_PROCESS, test_inherit);

  return g_test_run ();
}
