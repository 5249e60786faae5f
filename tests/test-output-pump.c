/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <malt.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "malt-limits.h"
#include "malt-output-pump.h"
#include "malt-output-text.h"
#include "malt-output-writer.h"
#include "test-watchdog.h"

#define MIB (1024 * 1024)

/* --- The manager's standard streams, caught --- */

typedef struct
{
  int      fd; /* STDOUT_FILENO or STDERR_FILENO */
  int      saved;
  int      read_end;
  GThread *thread;
} Capture;

static gpointer
capture_thread (gpointer data)
{
  Capture *capture = data;
  GString *text = g_string_new (NULL);
  char buffer[64 * 1024];
  ssize_t n;

  /* A terminal whose other side is closed fails with EIO. */
  while ((n = read (capture->read_end, buffer, sizeof buffer)) > 0)
    g_string_append_len (text, buffer, n);

  return text;
}

static void
capture_start (Capture *capture)
{
  capture->thread = g_thread_new ("capture", capture_thread, capture);
}

/* Puts the end of something in the place of a standard stream. */
static void
capture_redirect (Capture *capture,
                  int      fd,
                  int      read_end,
                  int      write_end)
{
  capture->fd = fd;
  capture->read_end = read_end;
  capture->thread = NULL;
  capture->saved = fcntl (fd, F_DUPFD_CLOEXEC, 10);
  g_assert_cmpint (capture->saved, >=, 0);
  g_assert_cmpint (dup2 (write_end, fd), ==, fd);
  close (write_end);
}

static void
capture_pipe (Capture *capture,
              int      fd)
{
  int ends[2];

  g_assert_cmpint (pipe2 (ends, O_CLOEXEC), ==, 0);
  capture_redirect (capture, fd, ends[0], ends[1]);
}

static void
capture_terminal (Capture *capture,
                  int      fd)
{
  struct termios settings;
  int ends[2];

  g_assert_cmpint (openpty (&ends[0], &ends[1], NULL, NULL, NULL), ==, 0);
  g_assert_cmpint (tcgetattr (ends[1], &settings), ==, 0);
  cfmakeraw (&settings);
  g_assert_cmpint (tcsetattr (ends[1], TCSANOW, &settings), ==, 0);
  capture_redirect (capture, fd, ends[0], ends[1]);
}

static GString *
capture_stop (Capture *capture)
{
  GString *text;

  if (capture->thread == NULL)
    capture_start (capture);

  g_assert_true (malt_output_writer_flush (60000));
  g_assert_cmpint (dup2 (capture->saved, capture->fd), ==, capture->fd);
  close (capture->saved);
  text = g_thread_join (capture->thread);
  close (capture->read_end);

  return text;
}

static void
capture_stop_and_compare (Capture    *capture,
                          const char *expected)
{
  GString *text = capture_stop (capture);

  g_assert_cmpstr (text->str, ==, expected);
  g_assert_cmpuint (text->len, ==, strlen (expected));
  g_string_free (text, TRUE);
}

/* --- A worker's stream --- */

typedef struct
{
  GMainContext   *context;
  MaltOutputPump *pump;
  int             read_end; /* the pump's, which closes it at the end */
  int             write_end;
} Stream;

static void
stream_init (Stream     *stream,
             int         target,
             MaltOutput  mode,
             int         pid)
{
  g_autoptr(GError) error = NULL;
  int ends[2];

  g_assert_cmpint (pipe2 (ends, O_CLOEXEC), ==, 0);
  g_assert_cmpint (fcntl (ends[0], F_SETFL, O_NONBLOCK), ==, 0);
  g_assert_cmpint (fcntl (ends[1], F_SETFL, O_NONBLOCK), ==, 0);
  stream->context = g_main_context_new ();
  stream->read_end = ends[0];
  stream->write_end = ends[1];
  stream->pump = malt_output_pump_new (ends[0], target, mode, pid, NULL, stream->context, &error);
  g_assert_no_error (error);
  g_assert_nonnull (stream->pump);
}

static void
stream_iterate (Stream *stream)
{
  while (g_main_context_iteration (stream->context, FALSE))
    continue;
}

/* Prints as a worker would, and lets the pump read it. */
static void
stream_print (Stream     *stream,
              const char *text,
              gssize      size)
{
  gsize left = size < 0 ? strlen (text) : (gsize) size;

  while (left > 0)
    {
      ssize_t n = write (stream->write_end, text, MIN (left, 32 * 1024));

      if (n < 0)
        {
          g_assert_cmpint (errno, ==, EAGAIN);
          g_main_context_iteration (stream->context, TRUE);
          continue;
        }

      stream_iterate (stream);
      text += n;
      left -= (gsize) n;
    }
}

static void
stream_end (Stream *stream)
{
  if (stream->write_end >= 0)
    close (stream->write_end);

  while (fcntl (stream->read_end, F_GETFD) >= 0)
    g_main_context_iteration (stream->context, TRUE);

  g_clear_pointer (&stream->pump, malt_output_pump_unref);
  g_main_context_unref (stream->context);
}

/* --- Lines --- */

static void
test_lines (void)
{
  Capture capture;
  Stream stream;

  capture_pipe (&capture, STDOUT_FILENO);
  stream_init (&stream, STDOUT_FILENO, MALT_OUTPUT_FORWARD, 42);
  stream_print (&stream, "one\ntwo\n\n", -1);
  stream_print (&stream, "th", -1);
  stream_print (&stream, "re", -1);
  stream_print (&stream, "e\nfour", -1);
  stream_print (&stream, "\r\nno end", -1);
  stream_end (&stream);
  capture_stop_and_compare (&capture,
                            "[Worker 42]: one\n[Worker 42]: two\n[Worker 42]: \n[Worker 42]: three\n"
                            "[Worker 42]: four\r\n[Worker 42]: no end\n");
}

static void
test_silent (void)
{
  Capture capture;
  Stream stream;

  capture_pipe (&capture, STDOUT_FILENO);
  stream_init (&stream, STDOUT_FILENO, MALT_OUTPUT_FORWARD, 42);
  stream_end (&stream);
  capture_stop_and_compare (&capture, "");
}

static void
test_interleaved (void)
{
  Capture capture;
  Stream a, b;

  capture_pipe (&capture, STDOUT_FILENO);
  stream_init (&a, STDOUT_FILENO, MALT_OUTPUT_FORWARD, 1);
  stream_init (&b, STDOUT_FILENO, MALT_OUTPUT_FORWARD, 2);
  stream_print (&a, "be", -1);
  stream_print (&b, "all of b\nrest of ", -1);
  stream_print (&a, "ginning and end of a\n", -1);
  stream_print (&b, "b\n", -1);
  stream_end (&a);
  stream_end (&b);
  capture_stop_and_compare (&capture,
                            "[Worker 2]: all of b\n[Worker 1]: beginning and end of a\n[Worker 2]: rest of b\n");
}

static void
test_binary (void)
{
  g_autoptr(GString) expected = g_string_new ("[Worker 7]: ");
  Capture capture;
  Stream stream;
  GString *text;
  char all[256];
  int i;

  for (i = 0; i < 256; i++)
    all[i] = (char) i;
  g_string_append_len (expected, all, (gssize) '\n' + 1);
  g_string_append (expected, "[Worker 7]: ");
  g_string_append_len (expected, &all['\n' + 1], 255 - '\n');
  g_string_append_c (expected, '\n');

  capture_pipe (&capture, STDERR_FILENO);
  stream_init (&stream, STDERR_FILENO, MALT_OUTPUT_FORWARD, 7);
  stream_print (&stream, all, sizeof all);
  stream_end (&stream);
  text = capture_stop (&capture);

  g_assert_cmpmem (text->str, text->len, expected->str, expected->len);
  g_string_free (text, TRUE);
}

/* Counts what comes out without keeping it, and checks that it is one line. */
static gpointer
check_long_line (gpointer data)
{
  const char *prefix = "[Worker 3]: ";
  Capture *capture = data;
  gsize *size = g_new0 (gsize, 1);
  char buffer[64 * 1024];
  ssize_t n;

  while ((n = read (capture->read_end, buffer, sizeof buffer)) > 0)
    {
      ssize_t i;

      for (i = 0; i < n; i++, (*size)++)
        if (buffer[i] != (*size < strlen (prefix) ? prefix[*size] : 'x') && buffer[i] != '\n')
          g_error ("unexpected %c after %" G_GSIZE_FORMAT " bytes", buffer[i], *size);
    }

  return size;
}

static void
test_long_line (void)
{
  const gsize size = 10 * MIB;
  g_autofree char *block = g_strnfill (32 * 1024, 'x');
  g_autofree gsize *found = NULL;
  struct rusage before, after;
  GThread *reader;
  Capture capture;
  Stream stream;
  gsize i;

  g_test_summary ("10 MB without a newline come out with one prefix, and are not held in memory");

  capture_pipe (&capture, STDOUT_FILENO);
  reader = g_thread_new ("check", check_long_line, &capture);
  getrusage (RUSAGE_SELF, &before);

  stream_init (&stream, STDOUT_FILENO, MALT_OUTPUT_FORWARD, 3);
  for (i = 0; i < size; i += 32 * 1024)
    stream_print (&stream, block, 32 * 1024);
  stream_end (&stream);
  g_assert_true (malt_output_writer_flush (60000));

  getrusage (RUSAGE_SELF, &after);
  dup2 (capture.saved, STDOUT_FILENO);
  close (capture.saved);
  found = g_thread_join (reader);
  close (capture.read_end);

  g_assert_cmpuint (*found, ==, strlen ("[Worker 3]: ") + size + 1);
  /* In KiB. */
  if (!TEST_SANITIZED)
    g_assert_cmpint (after.ru_maxrss - before.ru_maxrss, <, 4 * 1024);
}

static void
append_filled (GString *string,
               gsize    size,
               char     character)
{
  g_autofree char *filled = g_strnfill (size, character);

  g_string_append_len (string, filled, (gssize) size);
}

static void
check_broken_line (int other_target)
{
  const char *break_text = "\n[Worker 2]: short\n[Worker 1]: ";
  const gsize size = 96 * 1024;
  g_autofree char *long_text = g_strnfill (size, 'a');
  int other_saved = dup (other_target);
  Capture capture;
  Stream a, b;
  GString *text;
  const char *rest;
  gsize first;

  capture_pipe (&capture, STDOUT_FILENO);
  g_assert_cmpint (dup2 (STDOUT_FILENO, other_target), ==, other_target);
  capture_start (&capture);

  stream_init (&a, STDOUT_FILENO, MALT_OUTPUT_FORWARD, 1);
  stream_init (&b, other_target, MALT_OUTPUT_FORWARD, 2);
  stream_print (&a, long_text, (gssize) size);
  stream_print (&b, "short\n", -1);
  stream_print (&a, "end\nnext\n", -1);
  stream_end (&a);
  stream_end (&b);

  g_assert_true (malt_output_writer_flush (60000));
  dup2 (other_saved, other_target);
  close (other_saved);
  text = capture_stop (&capture);

  /* Where the line is broken is up to the sizes of the reads. */
  g_assert_true (g_str_has_prefix (text->str, "[Worker 1]: "));
  rest = text->str + strlen ("[Worker 1]: ");
  first = strspn (rest, "a");
  g_assert_cmpuint (first, >=, 64 * 1024);
  rest += first;
  g_assert_true (g_str_has_prefix (rest, break_text));
  rest += strlen (break_text);
  g_assert_cmpuint (first + strspn (rest, "a"), ==, size);
  g_assert_cmpstr (rest + strspn (rest, "a"), ==, "end\n[Worker 1]: next\n");
  g_string_free (text, TRUE);
}

static void
test_broken_line (void)
{
  g_test_summary ("A worker that does not end its line cannot silence another");
  check_broken_line (STDOUT_FILENO);
}

static void
test_broken_line_other_stream (void)
{
  g_test_summary ("The same, where standard output and standard error are one file");
  check_broken_line (STDERR_FILENO);
}

/* A long line that others break is not followed by an empty one. */
static void
test_broken_line_end (void)
{
  const gsize size = 64 * 1024;
  g_autofree char *long_text = g_strnfill (size, 'a');
  g_autoptr(GString) expected = g_string_new ("[Worker 1]: ");
  Capture capture;
  Stream a, b;

  append_filled (expected, size, 'a');
  g_string_append (expected, "\n[Worker 2]: short\n[Worker 1]: next\n");

  capture_pipe (&capture, STDOUT_FILENO);
  capture_start (&capture);
  stream_init (&a, STDOUT_FILENO, MALT_OUTPUT_FORWARD, 1);
  stream_init (&b, STDOUT_FILENO, MALT_OUTPUT_FORWARD, 2);
  stream_print (&a, long_text, (gssize) size);
  stream_print (&b, "short\n", -1);
  stream_print (&a, "\nnext\n", -1);
  stream_print (&a, long_text, (gssize) size);
  stream_end (&b);
  stream_end (&a);

  g_string_append (expected, "[Worker 1]: ");
  append_filled (expected, size, 'a');
  g_string_append (expected, "\n");
  capture_stop_and_compare (&capture, expected->str);
}

/* --- Terminals --- */

static void
test_terminal (void)
{
  Capture capture;
  Stream out, err;

  capture_terminal (&capture, STDOUT_FILENO);
  stream_init (&out, STDOUT_FILENO, MALT_OUTPUT_FORWARD, 5);
  stream_print (&out, "plain\n\033[2Jcleared\a\n", -1);
  stream_print (&out, "tab\tcrlf\r\nover\rwritten\n", -1);
  stream_print (&out, "gr\303\274n \342\202", -1);
  stream_print (&out, "\254 \302\233c1 \377\n", -1);
  stream_end (&out);
  capture_stop_and_compare (&capture,
                            "\033[34m[Worker 5]:\033[0m plain\n"
                            "\033[34m[Worker 5]:\033[0m \\x1b[2Jcleared\\x07\n"
                            "\033[34m[Worker 5]:\033[0m tab\tcrlf\n"
                            "\033[34m[Worker 5]:\033[0m over\\x0dwritten\n"
                            "\033[34m[Worker 5]:\033[0m gr\303\274n \342\202\254 \\x9bc1 \357\277\275\n");

  capture_terminal (&capture, STDERR_FILENO);
  stream_init (&err, STDERR_FILENO, MALT_OUTPUT_FORWARD, 5);
  stream_print (&err, "bad", -1);
  stream_end (&err);
  capture_stop_and_compare (&capture, "\033[33m[Worker 5]:\033[0m bad\n");
}

/* Pieces of a long line do not cut characters in two. */
static void
test_terminal_long_line (void)
{
  const char *prefix = "\033[34m[Worker 5]:\033[0m ";
  g_autoptr(GString) line = g_string_new ("x");
  Capture capture;
  Stream stream;
  GString *text;

  while (line->len < 300 * 1024)
    g_string_append (line, "\342\202\254");

  capture_terminal (&capture, STDOUT_FILENO);
  capture_start (&capture);
  stream_init (&stream, STDOUT_FILENO, MALT_OUTPUT_FORWARD, 5);
  stream_print (&stream, line->str, (gssize) line->len);
  stream_end (&stream);
  text = capture_stop (&capture);

  g_string_prepend (line, prefix);
  g_string_append_c (line, '\n');
  g_assert_cmpmem (text->str, text->len, line->str, line->len);
  g_string_free (text, TRUE);
}

static void
test_escape (void)
{
  static const struct
  {
    const char *text;
    gsize       size;
    const char *escaped;
  } cases[] = {
    { "", 0, "" },
    { "a\0b", 3, "a\\x00b" },
    { "\r\n\r", 3, "\n\\x0d" },
    { "\177\033", 2, "\\x7f\\x1b" },
    { "\302\200\302\237\302\240", 6, "\\x80\\x9f\302\240" },
    { "\300\200", 2, "\357\277\275\357\277\275" },
    { "\355\240\200", 3, "\357\277\275\357\277\275\357\277\275" },
    { "\360\237\230\200", 4, "\360\237\230\200" },
    { "\360\237\230", 3, "\357\277\275\357\277\275\357\277\275" },
    { "\364\220\200\200", 4, "\357\277\275\357\277\275\357\277\275\357\277\275" },
    { "%s%n", 4, "%s%n" },
  };
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr(GString) output = g_string_new (NULL);

      malt_output_text_append_escaped (output, cases[i].text, cases[i].size);
      g_assert_cmpstr (output->str, ==, cases[i].escaped);
    }

  g_assert_cmpuint (malt_output_text_count_incomplete ("", 0), ==, 0);
  g_assert_cmpuint (malt_output_text_count_incomplete ("a", 1), ==, 0);
  g_assert_cmpuint (malt_output_text_count_incomplete ("a\303", 2), ==, 1);
  g_assert_cmpuint (malt_output_text_count_incomplete ("\303\274", 2), ==, 0);
  g_assert_cmpuint (malt_output_text_count_incomplete ("\342\202", 2), ==, 2);
  g_assert_cmpuint (malt_output_text_count_incomplete ("\360\237\230", 3), ==, 3);
  g_assert_cmpuint (malt_output_text_count_incomplete ("\200\200\200\200", 4), ==, 0);
}

/* --- The tail --- */

static void
assert_tail (Stream     *stream,
             const char *expected)
{
  g_autofree char *tail = malt_output_pump_dup_tail (stream->pump);

  g_assert_cmpstr (tail, ==, expected);
}

static void
test_tail (void)
{
  g_autoptr(GString) expected = g_string_new ("(the end of 1000009 bytes)\n");
  g_autofree char *filled = g_strnfill (MIB, 'y');
  g_autofree char *invalid = g_strnfill (MIB, '\377');
  g_autofree char *tail = NULL;
  Capture capture;
  Stream stream;

  capture_pipe (&capture, STDERR_FILENO);

  stream_init (&stream, STDERR_FILENO, MALT_OUTPUT_DISCARD, 1);
  assert_tail (&stream, "");
  stream_print (&stream, "caf\303\251 \033[1m\n", -1);
  assert_tail (&stream, "caf\303\251 \\x1b[1m\n");
  stream_end (&stream);

  stream_init (&stream, STDERR_FILENO, MALT_OUTPUT_DISCARD, 1);
  stream_print (&stream, filled, MALT_LIMIT_CAPTURED_OUTPUT);
  filled[MALT_LIMIT_CAPTURED_OUTPUT] = '\0';
  assert_tail (&stream, filled);
  filled[MALT_LIMIT_CAPTURED_OUTPUT] = 'y';
  stream_print (&stream, filled, 1000000 - MALT_LIMIT_CAPTURED_OUTPUT);
  stream_print (&stream, "the end\n\n", -1);
  append_filled (expected, MALT_LIMIT_CAPTURED_OUTPUT - 64 - 9, 'y');
  g_string_append (expected, "the end\n\n");
  assert_tail (&stream, expected->str);
  stream_end (&stream);

  stream_init (&stream, STDERR_FILENO, MALT_OUTPUT_DISCARD, 1);
  stream_print (&stream, invalid, MIB);
  tail = malt_output_pump_dup_tail (stream.pump);
  g_assert_true (g_utf8_validate (tail, -1, NULL));
  g_assert_cmpuint (strlen (tail), <=, MALT_LIMIT_CAPTURED_OUTPUT);
  stream_end (&stream);

  capture_stop_and_compare (&capture, "");
}

static void
test_drain (void)
{
  Capture capture;
  Stream stream;

  g_test_summary ("At a death, what the pipe holds is read at once");

  capture_pipe (&capture, STDERR_FILENO);
  stream_init (&stream, STDERR_FILENO, MALT_OUTPUT_FORWARD, 1);
  malt_output_pump_drain (stream.pump);
  g_assert_cmpint (write (stream.write_end, "last words", 10), ==, 10);
  assert_tail (&stream, "");
  malt_output_pump_drain (stream.pump);
  assert_tail (&stream, "last words");
  close (stream.write_end);
  stream.write_end = -1;
  malt_output_pump_drain (stream.pump);
  g_assert_cmpint (fcntl (stream.read_end, F_GETFD), ==, -1);
  malt_output_pump_drain (stream.pump);
  stream_end (&stream);
  capture_stop_and_compare (&capture, "[Worker 1]: last words\n");
}

static gpointer
print_forever (gpointer data)
{
  Stream *stream = data;
  char block[4096];

  memset (block, 'z', sizeof block);
  while (write (stream->write_end, block, sizeof block) >= 0 || errno == EAGAIN)
    continue;

  return NULL;
}

/* A process that a worker left behind prints all the time. */
static void
test_drain_bounded (void)
{
  g_autofree char *tail = NULL;
  GThread *thread;
  Stream stream;
  gint64 begin;

  stream_init (&stream, STDOUT_FILENO, MALT_OUTPUT_DISCARD, 1);
  signal (SIGPIPE, SIG_IGN);
  thread = g_thread_new ("print", print_forever, &stream);
  begin = g_get_monotonic_time ();
  while (g_get_monotonic_time () < begin + G_USEC_PER_SEC / 10)
    malt_output_pump_drain (stream.pump);
  tail = malt_output_pump_dup_tail (stream.pump);
  g_assert_cmpuint (strlen (tail), >, 0);

  /* The writer sees EPIPE when the pump's end goes. */
  g_clear_pointer (&stream.pump, malt_output_pump_unref);
  g_main_context_unref (stream.context);
  g_thread_join (thread);
  close (stream.write_end);
  signal (SIGPIPE, SIG_DFL);
}

/* --- Flow --- */

static void
test_goes_on (void)
{
  Capture capture;
  Stream stream;

  g_test_summary ("Output is forwarded to its end when the worker object is gone");

  capture_pipe (&capture, STDOUT_FILENO);
  stream_init (&stream, STDOUT_FILENO, MALT_OUTPUT_FORWARD, 1);
  g_clear_pointer (&stream.pump, malt_output_pump_unref);
  stream_print (&stream, "still\nhere", -1);
  stream_end (&stream);
  capture_stop_and_compare (&capture, "[Worker 1]: still\n[Worker 1]: here\n");
}

static void
test_back_pressure (void)
{
  g_autofree char *block = g_strnfill (4095, 'b');
  g_autofree char *line = g_strconcat (block, "\n", NULL);
  gsize accepted = 0;
  gint64 longest = 0;
  Capture capture;
  Stream stream;
  GString *text;
  int idle = 0;

  g_test_summary ("A manager's standard output that nobody reads stops the worker, not the library");

  capture_pipe (&capture, STDOUT_FILENO);
  stream_init (&stream, STDOUT_FILENO, MALT_OUTPUT_FORWARD, 1);

  while (idle < 100)
    {
      ssize_t n = write (stream.write_end, line, 4096);
      gint64 begin = g_get_monotonic_time ();

      stream_iterate (&stream);
      longest = MAX (longest, g_get_monotonic_time () - begin);
      if (n > 0)
        accepted += (gsize) n;
      else
        idle++;
      g_assert_cmpint (n < 0 ? errno : EAGAIN, ==, EAGAIN);
      g_assert_cmpuint (accepted, <, 2 * MIB);
    }

  g_assert_cmpuint (accepted, >=, MALT_LIMIT_FORWARDED_OUTPUT);
  g_assert_false (malt_output_writer_flush (10));

  /* At a death the rest of the pipe is read all the same. */
  malt_output_pump_drain (stream.pump);
  g_assert_cmpint (write (stream.write_end, "last\n", 5), ==, 5);
  malt_output_pump_drain (stream.pump);

  capture_start (&capture);
  stream_end (&stream);
  text = capture_stop (&capture);
  g_assert_cmpuint (text->len, ==, accepted + accepted / 4096 * strlen ("[Worker 1]: ") +
                                   strlen ("[Worker 1]: last\n"));
  g_assert_true (g_str_has_suffix (text->str, "b\n[Worker 1]: last\n"));
  g_test_message ("took %" G_GSIZE_FORMAT " bytes, longest iteration %" G_GINT64_FORMAT " µs", accepted, longest);
  g_string_free (text, TRUE);
}

static gpointer
read_slowly (gpointer data)
{
  Capture *capture = data;
  gsize *total = g_new0 (gsize, 1);
  char buffer[10000];
  ssize_t n;

  while ((n = read (capture->read_end, buffer, sizeof buffer)) > 0)
    {
      *total += (gsize) n;
      g_usleep (100);
    }

  return total;
}

static void
test_nonblocking_stdout (void)
{
  g_autofree char *block = g_strnfill (999, 'n');
  g_autofree char *line = g_strconcat (block, "\n", NULL);
  g_autofree gsize *total = NULL;
  Capture capture;
  GThread *reader;
  Stream stream;
  int i;

  capture_pipe (&capture, STDOUT_FILENO);
  g_assert_cmpint (fcntl (STDOUT_FILENO, F_SETFL, O_NONBLOCK), ==, 0);
  reader = g_thread_new ("slow", read_slowly, &capture);
  stream_init (&stream, STDOUT_FILENO, MALT_OUTPUT_FORWARD, 1);
  for (i = 0; i < 2000; i++)
    stream_print (&stream, line, 1000);
  stream_end (&stream);
  g_assert_true (malt_output_writer_flush (60000));
  dup2 (capture.saved, STDOUT_FILENO);
  close (capture.saved);
  total = g_thread_join (reader);
  close (capture.read_end);
  g_assert_cmpuint (*total, ==, 2000 * (1000 + strlen ("[Worker 1]: ")));
}

static void
forward_something (void)
{
  Stream stream;

  stream_init (&stream, STDOUT_FILENO, MALT_OUTPUT_FORWARD, 1);
  stream_print (&stream, "something\n", -1);
  stream_end (&stream);
  g_assert_true (malt_output_writer_flush (60000));
}

static void
test_broken_stdout (void)
{
  Capture capture;
  int ends[2];
  char byte;

  g_test_summary ("A manager's standard output that is closed, or broken, or none, costs nothing but the output");

  if (!g_test_subprocess ())
    {
      g_test_trap_subprocess (NULL, 0, G_TEST_SUBPROCESS_INHERIT_STDERR);
      g_test_trap_assert_passed ();
      return;
    }

  signal (SIGPIPE, SIG_DFL);

  capture_pipe (&capture, STDOUT_FILENO);
  close (capture.read_end);
  forward_something ();
  forward_something ();

  close (STDOUT_FILENO);
  forward_something ();

  /* Something of the program's own has the number. */
  g_assert_cmpint (dup2 (STDERR_FILENO, STDOUT_FILENO), ==, STDOUT_FILENO);
  g_assert_cmpint (pipe2 (ends, O_CLOEXEC | O_NONBLOCK), ==, 0);
  g_assert_cmpint (dup3 (ends[1], STDOUT_FILENO, O_CLOEXEC), ==, STDOUT_FILENO);
  forward_something ();
  g_assert_cmpint (read (ends[0], &byte, 1), ==, -1);
  g_assert_cmpint (errno, ==, EAGAIN);

  _exit (0);
}

/* --- The end of the program --- */

/* Forks a process that runs this, with its standard output in a pipe, and gives the
 * other end. */
static pid_t
fork_manager (void (*function) (void),
              int   *output)
{
  int ends[2];
  pid_t pid;

  g_assert_cmpint (pipe2 (ends, O_CLOEXEC), ==, 0);
  pid = fork ();
  g_assert_cmpint (pid, >=, 0);
  if (pid == 0)
    {
      dup2 (ends[1], STDOUT_FILENO);
      close (ends[1]);
      close (ends[0]);
      alarm (30);
      function ();
      exit (0);
    }

  close (ends[1]);
  *output = ends[0];
  return pid;
}

static void
assert_exited_well (pid_t pid)
{
  int status;

  g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
  g_assert_true (WIFEXITED (status));
  g_assert_cmpint (WEXITSTATUS (status), ==, 0);
}

static void
print_and_exit (void)
{
  g_autofree char *block = g_strnfill (300 * 1024 - 1, 'e');
  Stream stream;

  stream_init (&stream, STDOUT_FILENO, MALT_OUTPUT_FORWARD, 1);
  stream_print (&stream, block, 300 * 1024 - 1);
  stream_print (&stream, "\n", 1);
  exit (0);
}

static gpointer
run_context (gpointer data)
{
  for (;;)
    g_main_context_iteration (data, TRUE);

  return NULL;
}

/* Short lines take the longest, and only so much time is given; a sanitizer needs more. */
#define N_UNREAD (TEST_SANITIZED ? 8 * 1024 : 64 * 1024)

/* The worker runs on, and what it printed has not been read. */
static void
exit_after_print (void)
{
  g_autofree char *block = g_strnfill (N_UNREAD - 1, '\n');
  Stream stream;

  stream_init (&stream, STDOUT_FILENO, MALT_OUTPUT_FORWARD, 1);
  g_thread_unref (g_thread_new ("context", run_context, stream.context));
  g_assert_cmpint (write (stream.write_end, block, N_UNREAD - 1), ==, N_UNREAD - 1);
  g_assert_cmpint (write (stream.write_end, "x", 1), ==, 1);
  exit (0);
}

/* It has been read, and is no whole line. */
static void
exit_after_prompt (void)
{
  Stream stream;
  int unread;

  stream_init (&stream, STDOUT_FILENO, MALT_OUTPUT_FORWARD, 1);
  g_thread_unref (g_thread_new ("context", run_context, stream.context));
  g_assert_cmpint (write (stream.write_end, "x", 1), ==, 1);
  do
    {
      g_usleep (1000);
      g_assert_cmpint (ioctl (stream.read_end, FIONREAD, &unread), ==, 0);
    }
  while (unread > 0);
  exit (0);
}

static gpointer
keep_printing (gpointer data)
{
  Stream stream;

  stream_init (&stream, STDOUT_FILENO, MALT_OUTPUT_FORWARD, 1);
  for (;;)
    stream_print (&stream, "and again\n", -1);

  return NULL;
}

static void
print_while_exiting (void)
{
  int i;

  for (i = 0; i < 4; i++)
    g_thread_unref (g_thread_new ("print", keep_printing, NULL));
  g_usleep (5000);
  exit (0);
}

/* The leak sanitizer asks at the end of a process whether to leave it alone.  In a copy of
 * one with threads it has to: the copy has what they held, but not them. */
static gboolean is_copy;

int __lsan_is_turned_off (void);

int
__lsan_is_turned_off (void)
{
  return is_copy;
}

static void
fork_with_output_queued (void)
{
  pid_t pid;
  gint64 begin;
  g_autofree char *block = g_strnfill (300 * 1024, 'f');
  Stream stream;

  stream_init (&stream, STDOUT_FILENO, MALT_OUTPUT_FORWARD, 1);
  stream_print (&stream, block, 300 * 1024);

  begin = g_get_monotonic_time ();
  pid = fork ();
  if (pid == 0)
    {
      is_copy = TRUE;
      exit (0);
    }
  assert_exited_well (pid);
  /* A sanitizer sleeps at the end for reasons of its own. */
  if (!TEST_SANITIZED)
    g_assert_cmpint (g_get_monotonic_time () - begin, <, G_USEC_PER_SEC / 2);
  _exit (0);
}

/* These fork, so they need a process in which no thread holds a lock: one where the
 * library has not been used. */
static void
test_exit (void)
{
  gint64 begin;
  int output;
  int i;

  g_test_summary ("What workers have printed at a normal exit is written, if somebody reads, and else given up soon");

  if (!g_test_subprocess ())
    {
      g_test_trap_subprocess (NULL, 0, G_TEST_SUBPROCESS_INHERIT_STDERR);
      g_test_trap_assert_passed ();
      return;
    }

  {
    Capture capture = { .fd = -1 };
    pid_t pid = fork_manager (print_and_exit, &output);
    GString *text;

    g_usleep (50000);
    capture.read_end = output;
    text = capture_thread (&capture);
    assert_exited_well (pid);
    g_assert_cmpuint (text->len, ==, strlen ("[Worker 1]: ") + 300 * 1024);
    g_string_free (text, TRUE);
    close (output);
  }

  for (i = 0; i < 10; i++)
    {
      Capture capture = { .fd = -1 };
      pid_t pid = fork_manager (exit_after_print, &output);
      GString *text;

      capture.read_end = output;
      text = capture_thread (&capture);
      assert_exited_well (pid);
      g_assert_cmpuint (text->len, ==, N_UNREAD * strlen ("[Worker 1]: \n") + 1);
      g_assert_true (g_str_has_suffix (text->str, "\n[Worker 1]: x\n"));
      g_string_free (text, TRUE);
      close (output);
    }

  {
    Capture capture = { .fd = -1 };
    pid_t pid = fork_manager (exit_after_prompt, &output);
    GString *text;

    capture.read_end = output;
    text = capture_thread (&capture);
    assert_exited_well (pid);
    g_assert_cmpstr (text->str, ==, "[Worker 1]: x\n");
    g_string_free (text, TRUE);
    close (output);
  }

  {
    pid_t pid = fork_manager (print_and_exit, &output);

    begin = g_get_monotonic_time ();
    assert_exited_well (pid);
    g_assert_cmpint (g_get_monotonic_time () - begin, <, 5 * G_USEC_PER_SEC);
    close (output);
  }

  for (i = 0; i < 20; i++)
    {
      Capture capture = { .fd = -1 };
      pid_t pid = fork_manager (print_while_exiting, &output);

      capture.read_end = output;
      g_string_free (capture_thread (&capture), TRUE);
      assert_exited_well (pid);
      close (output);
    }

  {
    pid_t pid = fork_manager (fork_with_output_queued, &output);

    assert_exited_well (pid);
    close (output);
  }

  _exit (0);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/output/lines", test_lines);
  g_test_add_func ("/output/silent", test_silent);
  g_test_add_func ("/output/interleaved", test_interleaved);
  g_test_add_func ("/output/binary", test_binary);
  g_test_add_func ("/output/long-line", test_long_line);
  g_test_add_func ("/output/broken-line", test_broken_line);
  g_test_add_func ("/output/broken-line/other-stream", test_broken_line_other_stream);
  g_test_add_func ("/output/broken-line/end", test_broken_line_end);
  g_test_add_func ("/output/terminal", test_terminal);
  g_test_add_func ("/output/terminal/long-line", test_terminal_long_line);
  g_test_add_func ("/output/escape", test_escape);
  g_test_add_func ("/output/tail", test_tail);
  g_test_add_func ("/output/drain", test_drain);
  g_test_add_func ("/output/drain/bounded", test_drain_bounded);
  g_test_add_func ("/output/goes-on", test_goes_on);
  g_test_add_func ("/output/back-pressure", test_back_pressure);
  g_test_add_func ("/output/nonblocking-stdout", test_nonblocking_stdout);
  g_test_add_func ("/output/broken-stdout", test_broken_stdout);
  g_test_add_func ("/output/exit", test_exit);

  return g_test_run ();
}
