/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <malt.h>

#include "test-asserts.h"
#include "test-case.h"

/* What a worker may not do with channels.  It is ended, and the manager is none the worse. */

static MaltWorker *
spawn_rubbish (const char *mode)
{
  g_autoptr (MaltLauncher) launcher = malt_launcher_new ("process", "native");
  g_autofree char *program = g_test_build_filename (G_TEST_BUILT, "programs", "rubbish-channels", NULL);
  g_autoptr (GError) error = NULL;
  MaltWorker *worker;

  malt_launcher_set_program (launcher, program);
  malt_launcher_set_stderr (launcher, MALT_OUTPUT_DISCARD);
  malt_launcher_setenv (launcher, "RUBBISH", mode);
  worker = malt_launcher_spawn (launcher, NULL, &error);
  g_assert_no_error (error);
  return worker;
}

static void
assert_breach (MaltWorker *worker,
               GError     *error,
               const char *pattern)
{
  g_autoptr (GError) own = error;
  g_autoptr (GError) failure = NULL;
  MaltExitInfo *exit_info;

  if (!g_error_matches (own, MALT_ERROR, MALT_ERROR_TERMINATED)) /* what comes too late */
    test_assert_error (own, MALT_ERROR, MALT_ERROR_PROTOCOL, pattern);

  malt_worker_stop (worker, MALT_TIMEOUT_NONE, MALT_TIMEOUT_NONE, NULL, &failure);
  g_assert_no_error (failure);
  exit_info = malt_worker_get_exit_info (worker);
  g_assert_cmpint (malt_exit_info_get_kind (exit_info), ==, MALT_EXIT_KIND_CONNECTION_LOST);
  test_assert_match (malt_exit_info_get_reason (exit_info), pattern);
}

typedef struct
{
  const char *mode;
  const char *pattern;
} Breach;

static const Breach openings[] = {
  { "zero-id", "*a channel has the id 0, the capacity 10 and the credit 0*" },
  { "zero-capacity", "*the capacity 0*" },
  { "much-capacity", "*the capacity 2147483648*" },
  { "much-credit", "*the credit 11*" },
  { "window", "*channel 1, *gives too much credit*" },
  { "short-body", "*a body is not valid*" },
  { "unknown-request", "*channel 1, the answer to request 1001, answers a request that is for none*" },
};

static void
test_openings (void)
{
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (openings); i++)
    {
      g_autoptr (MaltWorker) worker = spawn_rubbish (openings[i].mode);
      GError *error = NULL;

      g_test_message ("%s", openings[i].mode);
      g_assert_null (malt_worker_open_channel (worker, NULL, "x", -1, NULL, &error));
      assert_breach (worker, error, openings[i].pattern);
    }
}

/* That is only an expression that gave something else. */
static void
test_value (void)
{
  g_autoptr (MaltWorker) worker = spawn_rubbish ("value");
  g_autoptr (GError) error = NULL;

  g_assert_null (malt_worker_open_channel (worker, NULL, "x", -1, NULL, &error));
  test_assert_error (error, MALT_ERROR, MALT_ERROR_SERIALIZATION, "*a value of type x instead of a channel*");
  g_assert_true (malt_worker_is_running (worker));
}

static const Breach breaches[] = {
  { "item-unasked", "*more items came for channel 1 than it may send*" },
  { "items", "*more items came for channel 1 than it may send*" },
  { "large-items", "*more items came for channel 1 than it may send*" },
  { "item-elsewhere", "*a frame of type item is about channel 7 and number 0, which is not open*" },
  { "item-number", "*channel 1 and number 1, which cannot be*" },
  { "item-body", "*a body is not valid*" },
  { "item-after-finish", "*type item for channel 1 came after its end*" },
  { "finish-twice", "*type finish for channel 1 came after its end*" },
  { "item-control", "*type item came on the control road*" },
  { "credit", "*type credit for channel 1 came when it may not*" },
  { "credit-zero", "*channel 1 and number 0, which cannot be*" },
  { "credit-huge", "*type credit for channel 1 came when it may not*" },
  { "probe", "*type probe for channel 1 came when it may not*" },
  { "probe-number", "*channel 1 and number 2, which cannot be*" },
  { "credit-more", "*type credit for channel 1 came when it may not*" },
  { "recall", "*type recall for channel 1 came when it may not*" },
  { "recall-number", "*channel 1 and number 1, which cannot be*" },
  { "leave", "*type leave for channel 1 came when it may not*" },
  { "close-elsewhere", "*type close is about channel 2 and number 0, which is not open*" },
  { "want", "*may not send a frame of type want now*" },
  { "return", "*may not send a frame of type return now*" },
  { "open", "*may not send a frame of type open now*" },
};

static void
test_breaches (void)
{
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (breaches); i++)
    {
      g_autoptr (MaltWorker) worker = spawn_rubbish (breaches[i].mode);
      g_autoptr (MaltChannel) channel = NULL;
      GError *error = NULL;

      g_test_message ("%s", breaches[i].mode);
      channel = malt_worker_open_channel (worker, NULL, "x", -1, NULL, &error);
      if (channel != NULL) /* else it was that quick */
        {
          if (g_str_has_suffix (breaches[i].mode, "items")) /* which have credit for some */
            malt_channel_wait (channel, -1, NULL, NULL);
          g_assert_null (malt_worker_remote_call_fetch (worker, "f", NULL, NULL, -1, NULL, &error));
        }
      assert_breach (worker, error, breaches[i].pattern);
    }
}

static const Breach seconds[] = {
  { "second:other-capacity", "*channel 1, *of another capacity than before*" },
  { "second:credit-again", "*channel 1, *gives too much credit*" },
  { "second:used-id", "*channel 1, *has an id that was used before*" },
};

static void
test_second (void)
{
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (seconds); i++)
    {
      g_autoptr (MaltWorker) worker = spawn_rubbish (seconds[i].mode);
      g_autoptr (MaltChannel) channel = NULL;
      GError *error = NULL;

      g_test_message ("%s", seconds[i].mode);
      channel = malt_worker_open_channel (worker, NULL, "x", -1, NULL, &error);
      g_assert_no_error (error);
      if (g_str_equal (seconds[i].mode, "second:used-id"))
        {
          /* Which the worker is told to have no more. */
          g_assert_null (malt_channel_take (channel, -1, NULL, &error));
          test_assert_error (error, G_IO_ERROR, G_IO_ERROR_CLOSED, "*");
        }
      g_assert_null (malt_worker_open_channel (worker, NULL, "x", -1, NULL, &error));
      assert_breach (worker, error, seconds[i].pattern);
    }
}

static void
test_for_a_call (void)
{
  g_autoptr (MaltWorker) worker = spawn_rubbish ("second:for-a-call");
  g_autoptr (MaltChannel) channel = NULL;
  GError *error = NULL;

  channel = malt_worker_open_channel (worker, NULL, "x", -1, NULL, &error);
  g_assert_no_error (error);
  g_assert_null (malt_worker_remote_call_fetch (worker, "f", NULL, NULL, -1, NULL, &error));
  assert_breach (worker, error, "*channel 2, the answer to request 2, answers a request that is for none*");
}

/* That somebody should look for a recall is no breach if there is none. */
static void
test_nothing_recalled (void)
{
  g_autoptr (MaltWorker) worker = spawn_rubbish ("second:nothing-recalled");
  g_autoptr (MaltChannel) channel = NULL;
  g_autoptr (GVariant) value = NULL;
  g_autoptr (GError) error = NULL;

  channel = malt_worker_open_channel (worker, NULL, "x", -1, NULL, &error);
  g_assert_no_error (error);
  value = malt_worker_remote_call_fetch (worker, "f", NULL, NULL, -1, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpint (g_variant_get_int64 (value), ==, 1);
  g_assert_true (malt_worker_is_running (worker));
}

/* A worker that knows of no channels is not asked. */
static void
test_unknown (void)
{
  g_autoptr (MaltLauncher) launcher = malt_launcher_new ("process", "native");
  g_autofree char *program = g_test_build_filename (G_TEST_BUILT, "programs", "rubbish-worker", NULL);
  g_autoptr (MaltWorker) worker = NULL;
  g_autoptr (GError) error = NULL;

  malt_launcher_set_program (launcher, program);
  malt_launcher_setenv (launcher, "RUBBISH", "reply:twice");
  worker = malt_launcher_spawn (launcher, NULL, &error);
  g_assert_no_error (error);
  g_assert_null (malt_worker_open_channel (worker, NULL, "x", -1, NULL, &error));
  test_assert_error (error, MALT_ERROR, MALT_ERROR_NOT_SUPPORTED, "*the worker has no channels");
}

int
main (int    argc,
      char **argv)
{
  test_case_init (&argc, &argv, "bad-channels");

  test_case_add_once ("openings", test_openings);
  test_case_add_once ("value", test_value);
  test_case_add_once ("breaches", test_breaches);
  test_case_add_once ("second", test_second);
  test_case_add_once ("for-a-call", test_for_a_call);
  test_case_add_once ("nothing-recalled", test_nothing_recalled);
  test_case_add_once ("unknown", test_unknown);

  return g_test_run ();
}
