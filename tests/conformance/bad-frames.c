/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <malt.h>

#include "malt-frame.h"
#include "test-asserts.h"
#include "test-case.h"
#include "test-process.h"

/* Frames that the protocol does not allow, in both directions.  A worker that sends one
 * is ended, and the manager is none the worse; a worker that gets one exits, and says
 * why. */

static MaltWorker *
spawn_rubbish (const char *mode)
{
  g_autoptr (MaltLauncher) launcher = malt_launcher_new ("process", "native");
  g_autofree char *program = g_test_build_filename (G_TEST_BUILT, "programs", "rubbish-worker", NULL);
  g_autofree char *full_mode = g_strconcat ("reply:", mode, NULL);
  g_autoptr (GError) error = NULL;
  MaltWorker *worker;

  malt_launcher_set_program (launcher, program);
  malt_launcher_set_stderr (launcher, MALT_OUTPUT_DISCARD);
  if (g_str_has_prefix (mode, "says-output") && !g_str_has_suffix (mode, "unasked"))
    malt_launcher_set_stdout (launcher, MALT_OUTPUT_SIGNAL);
  malt_launcher_setenv (launcher, "RUBBISH", full_mode);
  worker = malt_launcher_spawn (launcher, NULL, &error);
  g_assert_no_error (error);
  return worker;
}

/* What a worker answers to its first call, and what the manager says to that. */
static const struct
{
  const char *mode;
  const char *pattern;
} replies[] = {
  { "magic", "*a frame begins with 0x746c614d instead of \"malt\"*" },
  { "version", "*protocol version 99 instead of 1*" },
  { "type", "*unknown type 77*" },
  { "flags", "*unknown flags 0x0080*" },
  { "no-id", "*type value has the request id 0*" },
  { "unknown-id", "*answers request 1001, which is not under way*" },
  { "length", "*type value has a body of 4294967280 bytes (limit *)*" },
  { "no-body", "*a body is not valid*" },
  { "body", "*a body is not valid*" },
  { "body-bool", "*a body is not valid*" },
  { "error-body", "*a body is not valid*" },
  { "error-code", "*code 77*" },
  { "error-domain", "*domain 9*" },
  { "second-hello", "*hello*" },
  { "request", "*eval*" },
  { "descriptor-count", "*1 descriptors*" },
  { "reserved", "*ends its header with 0x0001*" },
  { "control-reply", "*value*control road*" },
  { "control-withdrawn", "*type withdrawn answers request 1, which nobody cancelled*" },
  { "control-text", "*" },
  { "host-call-unasked", "*may not send a frame of type host-call now*" },
  { "says-host-value", "*may not send a frame of type host-value now*" },
  { "says-host-call-0", "*type host-call has the request id 0*" },
  { "says-host-call-body", "*a body is not valid*" },
  { "says-host-call-arguments", "*the arguments of a call are of type x instead of a tuple*" },
  { "says-host-call-no-name", "*has no name*" },
  { "says-host-call-arena", "*in an arena, and there is none*" },
  { "says-host-call-flags", "*unknown flags 0x0002*" },
  { "says-host-call-length", "*type host-call has a body of 4294967280 bytes (limit *)*" },
  { "says-host-call-twice", "*call 1 of * may not be made: its number is not greater*" },
  { "says-host-call-flood", "*call * of * may not be made: too many are not yet answered*" },
  { "host-cancel-unasked", "*may not send a frame of type host-cancel now*" },
  { "says-host-cancel-unknown", "*host-cancel is about call 1, which was not made*" },
  { "says-host-cancel-0", "*type host-cancel has the request id 0*" },
  { "says-host-cancel-length", "*type host-cancel has a body of 4 bytes (limit 0)*" },
  { "says-progress-unknown", "*progress is about request 1001, which is not under way*" },
  { "says-progress-fraction", "*progress is said to be 1.5*" },
  { "says-progress-nan", "*progress is said to be *nan*" },
  { "says-progress-text", "*a body is not valid*" },
  { "says-progress-length", "*type progress has a body of 100000 bytes (limit *)*" },
  { "says-output-unknown", "*output is about request 1001, which is not under way*" },
  { "says-output-length", "*type output has a body of 65537 bytes (limit 65536)*" },
  { "says-output-unasked", "*output came for descriptor 1, for which nobody has asked*" },
};

static void
test_replies (void)
{
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (replies); i++)
    {
      MaltWorker *worker = spawn_rubbish (replies[i].mode);
      g_autoptr (GError) error = NULL;
      MaltExitInfo *exit_info;

      g_test_message ("%s", replies[i].mode);
      g_assert_null (malt_worker_remote_call_fetch (worker, "f", NULL, NULL, MALT_TIMEOUT_NONE,
                                                    NULL, &error));
      test_assert_error (error, MALT_ERROR, MALT_ERROR_PROTOCOL, replies[i].pattern);

      g_assert_false (malt_worker_is_running (worker));
      exit_info = malt_worker_get_exit_info (worker);
      g_assert_cmpint (malt_exit_info_get_kind (exit_info), ==, MALT_EXIT_KIND_CONNECTION_LOST);
      test_assert_match (malt_exit_info_get_reason (exit_info), replies[i].pattern);
      g_object_unref (worker);
    }
}

static void
await_end (MaltWorker *worker)
{
  g_autoptr (GError) error = NULL;

  malt_worker_stop (worker, MALT_TIMEOUT_NONE, MALT_TIMEOUT_NONE, NULL, &error);
  g_assert_no_error (error);
}

static void
keep (MaltRequest *request,
      gpointer     user_data)
{
  g_ptr_array_add (user_data, g_object_ref (request));
}

/* One more than may be unanswered. */
static void
test_too_many_calls (void)
{
  g_autoptr (MaltWorker) worker = spawn_rubbish ("says-host-call-65");
  g_autoptr (GPtrArray) kept = g_ptr_array_new_with_free_func (g_object_unref);
  g_autoptr (GError) error = NULL;
  guint i;

  malt_worker_export_function (worker, "f", NULL, keep, kept, NULL);
  g_assert_null (malt_worker_remote_call_fetch (worker, "g", NULL, NULL, MALT_TIMEOUT_NONE, NULL, &error));
  test_assert_error (error, MALT_ERROR, MALT_ERROR_PROTOCOL, "*call 65 of * may not be made: too many*");

  /* The answers of those that have begun are for nobody. */
  g_assert_cmpuint (kept->len, <=, 64);
  for (i = 0; i < kept->len; i++)
    malt_request_return_value (g_ptr_array_index (kept, i), NULL);
}

static void
count_cb (GCancellable *cancellable,
          gpointer      user_data)
{
  g_atomic_int_inc ((gint *) user_data);
}

static void
count_cancelled (MaltRequest *request,
                 gpointer     user_data)
{
  g_cancellable_connect (malt_request_get_cancellable (request), G_CALLBACK (count_cb), user_data, NULL);
  malt_request_return_value (request, NULL);
}

/* That nobody waits may be said again and again, also of what is answered, and piles up nothing. */
static void
test_cancels_often (void)
{
  g_autoptr (MaltWorker) worker = spawn_rubbish ("says-host-cancel-often");
  static gint n_cancelled; /* atomic */
  g_autoptr (GError) error = NULL;
  GVariant *value;

  malt_worker_export_function (worker, "f", NULL, count_cancelled, &n_cancelled, NULL);
  value = malt_worker_remote_call_fetch (worker, "g", NULL, NULL, MALT_TIMEOUT_NONE, NULL, &error);
  g_assert_no_error (error);
  test_assert_value (value, "int64 42");
  g_assert_true (malt_worker_is_running (worker));
  malt_worker_stop (worker, 0, 0, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpint (g_atomic_int_get (&n_cancelled), <=, 1);
}

/* The first answer counts, the second breaks the protocol. */
static void
test_answers_twice (void)
{
  g_autoptr (MaltWorker) worker = spawn_rubbish ("twice");
  g_autoptr (GError) error = NULL;
  GVariant *value;

  value = malt_worker_remote_call_fetch (worker, "f", NULL, NULL, MALT_TIMEOUT_NONE, NULL, &error);
  g_assert_no_error (error);
  test_assert_value (value, "int64 42");

  /* What comes next hears of it, or is too late already. */
  g_assert_null (malt_worker_remote_call_fetch (worker, "f", NULL, NULL, MALT_TIMEOUT_NONE, NULL,
                                                &error));
  if (!g_error_matches (error, MALT_ERROR, MALT_ERROR_TERMINATED))
    test_assert_error (error, MALT_ERROR, MALT_ERROR_PROTOCOL, "*which is not under way*");

  await_end (worker);
  test_assert_match (malt_exit_info_get_reason (malt_worker_get_exit_info (worker)),
                     "*which is not under way*");
}

/* Ended by itself in the middle of a frame: that is an exit like others. */
static void
test_half_a_frame (void)
{
  g_autoptr (MaltWorker) worker = spawn_rubbish ("half-and-exit");
  g_autoptr (GError) error = NULL;

  g_assert_null (malt_worker_remote_call_fetch (worker, "f", NULL, NULL, MALT_TIMEOUT_NONE, NULL,
                                                &error));
  test_assert_error (error, MALT_ERROR, MALT_ERROR_TERMINATED, "*code 0*");
}

/* What was whole before the end is delivered. */
static void
test_whole_frame (void)
{
  guint i;

  for (i = 0; i < 20; i++)
    {
      g_autoptr (MaltWorker) worker = spawn_rubbish ("whole-and-exit");
      g_autoptr (GError) error = NULL;
      GVariant *value;

      value = malt_worker_remote_call_fetch (worker, "f", NULL, NULL, MALT_TIMEOUT_NONE, NULL,
                                             &error);
      g_assert_no_error (error);
      test_assert_value (value, "int64 42");
    }
}

static void
test_closes (void)
{
  g_autoptr (MaltWorker) worker = spawn_rubbish ("closes");
  g_autoptr (GError) error = NULL;

  g_assert_null (malt_worker_remote_call_fetch (worker, "f", NULL, NULL, MALT_TIMEOUT_NONE, NULL,
                                                &error));
  test_assert_error (error, MALT_ERROR, MALT_ERROR_TERMINATED, "*closed its connection*");
  g_assert_cmpint (malt_exit_info_get_kind (malt_worker_get_exit_info (worker)), ==,
                   MALT_EXIT_KIND_CONNECTION_LOST);
}

/* A dead worker that is kept from being reaped is dead all the same, and costs nothing. */
static void
test_traced (void)
{
  g_autoptr (MaltWorker) worker = spawn_rubbish ("traced-exit");
  g_autoptr (GError) error = NULL;
  gint64 start = g_get_monotonic_time ();
  MaltExitInfo *exit_info;

  g_assert_null (malt_worker_remote_call_fetch (worker, "f", NULL, NULL, MALT_TIMEOUT_NONE, NULL,
                                                &error));
  g_assert_error (error, MALT_ERROR, MALT_ERROR_TERMINATED);
  await_end (worker);
  exit_info = malt_worker_get_exit_info (worker);
  if (malt_exit_info_get_exit_code (exit_info) == 6)
    {
      g_test_skip ("processes may not trace each other here");
      return;
    }

  g_assert_cmpint (g_get_monotonic_time () - start, <, 3 * G_USEC_PER_SEC);
  g_assert_cmpint (malt_exit_info_get_kind (exit_info), ==, MALT_EXIT_KIND_UNKNOWN);
  test_assert_match (malt_exit_info_get_reason (exit_info), "*traces it*");
}

/* A descriptor that nobody asked for is closed, or was not even let through. */
static void
test_descriptor (void)
{
  g_autoptr (MaltWorker) worker = spawn_rubbish ("descriptor");
  g_autoptr (GError) error = NULL;
  TestHoldings before = test_get_holdings ();

  g_assert_null (malt_worker_remote_call_fetch (worker, "f", NULL, NULL, MALT_TIMEOUT_NONE, NULL,
                                                &error));
  if (!g_error_matches (error, MALT_ERROR, MALT_ERROR_PROTOCOL))
    test_assert_error (error, MALT_ERROR, MALT_ERROR_TERMINATED, "*code 4*");
  await_end (worker);
  g_assert_cmpuint (test_get_holdings ().descriptors, <=, before.descriptors);
}

/* A real worker, and this program in its manager's place. */

typedef struct
{
  GSubprocess *process;
  int          data;
  int          control;
} Raw;

static void
raw_start (Raw *self)
{
  g_autoptr (GSubprocessLauncher) launcher = NULL;
  g_autoptr (GError) error = NULL;
  int data[2], control[2];

  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, data), ==, 0);
  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, control), ==, 0);

  launcher = g_subprocess_launcher_new (G_SUBPROCESS_FLAGS_STDERR_PIPE);
  g_subprocess_launcher_take_fd (launcher, data[1], 3);
  g_subprocess_launcher_take_fd (launcher, control[1], 4);
  self->process = g_subprocess_launcher_spawn (launcher, &error, g_getenv ("MALT_TEST_WORKER"),
                                               MALT_WORKER_ARGUMENT, NULL);
  g_assert_no_error (error);
  self->data = data[0];
  self->control = control[0];
}

static void
raw_send (int           fd,
          gconstpointer bytes,
          gsize         size)
{
  g_assert_cmpint (send (fd, bytes, size, MSG_NOSIGNAL), ==, (gssize) size);
}

static void
raw_send_frame (int           fd,
                MaltFrameType type,
                guint64       id,
                gconstpointer body,
                gsize         size)
{
  guint8 header[MALT_FRAME_HEADER_SIZE];
  MaltFrame frame = { .type = (guint8) type, .id = id, .length = (guint32) size };

  malt_frame_encode (&frame, header);
  raw_send (fd, header, sizeof header);
  if (size > 0)
    raw_send (fd, body, size);
}

static void
raw_send_variant (int            fd,
                  MaltFrameType  type,
                  guint64        id,
                  GVariant      *body)
{
  g_autoptr (GVariant) owned = g_variant_ref_sink (body);

  raw_send_frame (fd, type, id, g_variant_get_data (owned), g_variant_get_size (owned));
}

static void
raw_hello (Raw *self)
{
  GVariantBuilder builder;
  guint8 header[MALT_FRAME_HEADER_SIZE];
  g_autofree char *reason = NULL;
  g_autofree char *body = NULL;
  MaltFrame frame;

  g_variant_builder_init (&builder, G_VARIANT_TYPE_VARDICT);
  g_variant_builder_add (&builder, "{sv}", "runtime", g_variant_new_string ("native"));
  raw_send_variant (self->data, MALT_FRAME_HELLO, 0, g_variant_builder_end (&builder));

  g_assert_cmpint (recv (self->data, header, sizeof header, MSG_WAITALL), ==, sizeof header);
  g_assert_true (malt_frame_decode (header, &frame, &reason));
  g_assert_cmpint (frame.type, ==, MALT_FRAME_HELLO);
  body = g_malloc (frame.length);
  g_assert_cmpint (recv (self->data, body, frame.length, MSG_WAITALL), ==, frame.length);
}

/* It exits by itself with a word about why, and not by a signal. */
static void
raw_expect_exit (Raw        *self,
                 const char *pattern)
{
  g_autoptr (GBytes) output = NULL;
  g_autofree char *text = NULL;
  g_autoptr (GError) error = NULL;

  g_subprocess_communicate (self->process, NULL, NULL, NULL, &output, &error);
  g_assert_no_error (error);
  text = g_strndup (g_bytes_get_data (output, NULL), g_bytes_get_size (output));
  test_assert_match (text, pattern);
  g_assert_true (g_subprocess_get_if_exited (self->process));
  g_assert_cmpint (g_subprocess_get_exit_status (self->process), ==, 1);

  close (self->data);
  close (self->control);
  g_object_unref (self->process);
}

/* A frame with one byte of its header in another way. */
static void
raw_send_spoiled (int           fd,
                  MaltFrameType type,
                  guint64       id,
                  gsize         offset,
                  guint8        byte)
{
  guint8 header[MALT_FRAME_HEADER_SIZE];
  MaltFrame frame = { .type = (guint8) type, .id = id };

  malt_frame_encode (&frame, header);
  header[offset] = byte;
  raw_send (fd, header, sizeof header);
}

static void
test_to_worker_header (void)
{
  static const struct
  {
    gsize       offset;
    guint8      byte;
    const char *pattern;
  } headers[] = {
    { 0, 'M', "*a frame begins with*" },
    { 4, 99, "*protocol version 99*" },
    { 5, 0, "*unknown type 0*" },
    { 5, 77, "*unknown type 77*" },
    { 6, 0x80, "*unknown flags 0x0080*" },
    { 8, 0, "*has the request id 0*" },
    { 19, 0xff, "*a body of * bytes (limit *)*" },
    { 20, 1, "*announces 1 descriptors*" },
    { 22, 1, "*ends its header with*" },
  };
  gsize i;
  Raw raw;

  for (i = 0; i < G_N_ELEMENTS (headers); i++)
    {
      raw_start (&raw);
      raw_hello (&raw);
      raw_send_spoiled (raw.data, MALT_FRAME_EVAL, 1, headers[i].offset, headers[i].byte);
      raw_expect_exit (&raw, headers[i].pattern);
    }
}

static void
test_to_worker_body (void)
{
  Raw raw;

  raw_start (&raw);
  raw_hello (&raw);
  raw_send_frame (raw.data, MALT_FRAME_EVAL, 1, "\001\002\003", 3);
  raw_expect_exit (&raw, "*a body is not valid*");

  raw_start (&raw);
  raw_hello (&raw);
  raw_send_frame (raw.data, MALT_FRAME_CALL, 1, "", 0);
  raw_expect_exit (&raw, "*a body is not valid*");

  raw_start (&raw);
  raw_hello (&raw);
  raw_send_variant (raw.data, MALT_FRAME_CALL, 1, g_variant_new_parsed ("('f', <int64 5>, @a{sv} {})"));
  raw_expect_exit (&raw, "*the arguments of a call are of type x instead of a tuple*");
}

static void
test_to_worker_hello (void)
{
  Raw raw;

  raw_start (&raw);
  raw_send (raw.data, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", 35);
  raw_expect_exit (&raw, "*a frame begins with*");

  raw_start (&raw);
  raw_send_frame (raw.data, MALT_FRAME_HELLO, 0, "\001\002\003", 3);
  raw_expect_exit (&raw, "*a body is not valid*");

  raw_start (&raw);
  raw_send_variant (raw.data, MALT_FRAME_HELLO, 0, g_variant_new_parsed ("@a{sv} {}"));
  raw_expect_exit (&raw, "*the hello names no runtime*");

  raw_start (&raw);
  raw_send_variant (raw.data, MALT_FRAME_EVAL, 1, g_variant_new ("(mss)", NULL, "1"));
  raw_expect_exit (&raw, "*eval*instead of a hello*");
}

static void
test_to_worker_order (void)
{
  Raw raw;

  /* Neither the same id again nor one from before. */
  raw_start (&raw);
  raw_hello (&raw);
  raw_send_variant (raw.data, MALT_FRAME_EVAL, 5, g_variant_new ("(mss)", NULL, "1"));
  raw_send_variant (raw.data, MALT_FRAME_EVAL, 4, g_variant_new ("(mss)", NULL, "1"));
  raw_expect_exit (&raw, "*request 4 came after request 5*");

  /* What belongs on the other road, or to the other side. */
  raw_start (&raw);
  raw_hello (&raw);
  raw_send_frame (raw.data, MALT_FRAME_STOP, 0, NULL, 0);
  raw_expect_exit (&raw, "*stop came where a request was due*");

  raw_start (&raw);
  raw_hello (&raw);
  raw_send_variant (raw.data, MALT_FRAME_VALUE, 1, g_variant_new_variant (g_variant_new_int64 (1)));
  raw_expect_exit (&raw, "*value came where a request was due*");

  raw_start (&raw);
  raw_hello (&raw);
  raw_send_variant (raw.data, MALT_FRAME_HOST_VALUE, 1, g_variant_new_variant (g_variant_new_int64 (1)));
  raw_expect_exit (&raw, "*host-value answers call 1, which is not under way*");

  raw_start (&raw);
  raw_hello (&raw);
  raw_send_variant (raw.data, MALT_FRAME_PROGRESS, 1, g_variant_new ("(ds)", 0.5, ""));
  raw_expect_exit (&raw, "*progress came where a request was due*");

  raw_start (&raw);
  raw_hello (&raw);
  raw_send_frame (raw.control, MALT_FRAME_EVAL, 1, NULL, 0);
  raw_expect_exit (&raw, "*eval came on the control road*");

  raw_start (&raw);
  raw_hello (&raw);
  raw_send (raw.control, "something else entirely", 23);
  raw_expect_exit (&raw, "*a part of a frame came on the control road*");
}

/* Cancelling what is not there is no mistake: it may have ended meanwhile. */
static void
test_to_worker_harmless (void)
{
  Raw raw;
  guint8 byte;

  raw_start (&raw);
  raw_hello (&raw);
  raw_send_variant (raw.data, MALT_FRAME_EVAL, 1, g_variant_new ("(mss)", NULL, "1"));
  g_assert_cmpint (recv (raw.data, &byte, 1, MSG_PEEK), ==, 1);
  raw_send_frame (raw.control, MALT_FRAME_CANCEL, 1, NULL, 0);
  raw_send_frame (raw.control, MALT_FRAME_STOP, 0, NULL, 0);
  {
    g_autoptr (GError) error = NULL;

    g_subprocess_wait_check (raw.process, NULL, &error);
    g_assert_no_error (error);
  }
  close (raw.data);
  close (raw.control);
  g_object_unref (raw.process);
}

/* Started by hand, it says what it is. */
static void
test_by_hand (void)
{
  g_autoptr (GSubprocess) process = NULL;
  g_autofree char *output = NULL;
  g_autoptr (GError) error = NULL;

  process = g_subprocess_new (G_SUBPROCESS_FLAGS_STDERR_PIPE, &error, g_getenv ("MALT_TEST_WORKER"),
                              MALT_WORKER_ARGUMENT, NULL);
  g_assert_no_error (error);
  g_subprocess_communicate_utf8 (process, NULL, NULL, NULL, &output, &error);
  g_assert_no_error (error);
  test_assert_match (output, "*this is a worker, to be started by its manager*");
  g_assert_cmpint (g_subprocess_get_exit_status (process), ==, 1);
}

/* Gives its body. */
static GBytes *
raw_expect_frame (int           fd,
                  MaltFrameType type,
                  guint64       id)
{
  guint8 header[MALT_FRAME_HEADER_SIZE];
  g_autofree char *reason = NULL;
  MaltFrame frame;
  char *body;

  g_assert_cmpint (recv (fd, header, sizeof header, MSG_WAITALL), ==, sizeof header);
  g_assert_true (malt_frame_decode (header, &frame, &reason));
  g_assert_cmpint (frame.type, ==, type);
  g_assert_cmpuint (frame.id, ==, id);

  body = g_malloc (frame.length);
  if (frame.length > 0)
    g_assert_cmpint (recv (fd, body, frame.length, MSG_WAITALL), ==, frame.length);
  return g_bytes_new_take (body, frame.length);
}

/* An interrupt comes before the request that is to be interrupted, and the one after it was
 * withdrawn: it is for the first all the same, as nothing else is left. */
static void
test_early_interrupt (void)
{
  guint8 header[MALT_FRAME_HEADER_SIZE];
  MaltFrame interrupt = { .type = MALT_FRAME_INTERRUPT, .flags = MALT_FRAME_UP_TO, .id = 2 };
  g_autoptr (GBytes) body = NULL;
  g_autoptr (GVariant) error = NULL;
  guint32 code;
  Raw raw;

  raw_start (&raw);
  raw_hello (&raw);
  raw_send_frame (raw.control, MALT_FRAME_CANCEL, 2, NULL, 0);
  g_bytes_unref (raw_expect_frame (raw.control, MALT_FRAME_WITHDRAWN, 2));
  malt_frame_encode (&interrupt, header);
  raw_send (raw.control, header, sizeof header);
  /* The answer to this one says that it has seen the interrupt. */
  raw_send_frame (raw.control, MALT_FRAME_CANCEL, 3, NULL, 0);
  g_bytes_unref (raw_expect_frame (raw.control, MALT_FRAME_WITHDRAWN, 3));

  raw_send_variant (raw.data, MALT_FRAME_CALL, 1,
                    g_variant_new ("(sv@a{sv})", "native-functions:spin", g_variant_new_tuple (NULL, 0),
                                   g_variant_new_array (G_VARIANT_TYPE ("{sv}"), NULL, 0)));
  body = raw_expect_frame (raw.data, MALT_FRAME_ERROR, 1);
  error = g_variant_ref_sink (g_variant_new_from_bytes (G_VARIANT_TYPE ("(yumsmsms)"), body, FALSE));
  g_variant_get_child (error, 1, "u", &code);
  g_assert_cmpuint (code, ==, MALT_ERROR_INTERRUPTED);

  g_subprocess_force_exit (raw.process);
  g_assert_true (g_subprocess_wait (raw.process, NULL, NULL));
  close (raw.data);
  close (raw.control);
  g_object_unref (raw.process);
}

int
main (int argc, char **argv)
{
  test_case_init (&argc, &argv, "bad-frames");

  test_case_add_once ("from-worker/replies", test_replies);
  test_case_add_once ("from-worker/answers-twice", test_answers_twice);
  test_case_add_once ("from-worker/too-many-calls", test_too_many_calls);
  test_case_add_once ("from-worker/cancels-often", test_cancels_often);
  test_case_add_once ("from-worker/half-a-frame", test_half_a_frame);
  test_case_add_once ("from-worker/whole-frame", test_whole_frame);
  test_case_add_once ("from-worker/closes", test_closes);
  test_case_add_once ("from-worker/traced", test_traced);
  test_case_add_once ("from-worker/descriptor", test_descriptor);
  test_case_add_once ("to-worker/header", test_to_worker_header);
  test_case_add_once ("to-worker/body", test_to_worker_body);
  test_case_add_once ("to-worker/hello", test_to_worker_hello);
  test_case_add_once ("to-worker/order", test_to_worker_order);
  test_case_add_once ("to-worker/early-interrupt", test_early_interrupt);
  test_case_add_once ("to-worker/harmless", test_to_worker_harmless);
  test_case_add_once ("to-worker/by-hand", test_by_hand);

  return g_test_run ();
}
