/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <malt.h>
#include <signal.h>

#include "test-asserts.h"
#include "test-case.h"
#include "test-channel.h"
#include "test-mark.h"
#include "test-process.h"
#include "test-thread.h"

/* How channels end, and what goes wrong with them. */

static void
test_close_in_worker (TestCase *self)
{
  g_autoptr (MaltChannel) channel = test_channel_make (self, "a", 5);
  g_autoptr (MaltChannel) again = NULL;
  g_autoptr (GError) error = NULL;
  gint64 i;

  for (i = 0; i < 3; i++)
    test_channel_do (self, "put", g_variant_new ("(sv)", "a", g_variant_new_int64 (i)));
  test_channel_do (self, "close", g_variant_new ("(s)", "a"));

  g_assert_false (malt_channel_put (channel, g_variant_new_int64 (1), -1, NULL, &error));
  test_assert_error (error, G_IO_ERROR, G_IO_ERROR_CLOSED, "the channel is closed");
  g_assert_true (malt_channel_is_closed (channel));
  for (i = 0; i < 3; i++)
    g_assert_cmpint (test_channel_take (channel), ==, i);
  test_channel_assert_closed (channel);
  test_channel_assert_closed (channel);
  g_assert_false (malt_channel_is_ready (channel));
  g_assert_false (malt_channel_wait (channel, -1, NULL, &error));
  test_assert_error (error, G_IO_ERROR, G_IO_ERROR_CLOSED, "*");
  malt_channel_close (channel);

  again = test_channel_open (self, "a");
  test_channel_assert_closed (again);
}

static void
test_close_in_manager (TestCase *self)
{
  g_autoptr (MaltChannel) channel = test_channel_make (self, "a", 5);
  g_autoptr (GError) error = NULL;
  gint64 i;

  for (i = 0; i < 3; i++)
    test_channel_put (channel, i);
  malt_channel_close (channel);
  g_assert_true (malt_channel_is_closed (channel));
  g_assert_false (malt_channel_put (channel, g_variant_new_int64 (1), -1, NULL, &error));
  test_assert_error (error, G_IO_ERROR, G_IO_ERROR_CLOSED, "the channel is closed");

  test_assert_value (test_channel_call (self, "sum", g_variant_new ("(s)", "a")), "int64 3");
  test_assert_value (test_channel_call (self, "is_closed", g_variant_new ("(s)", "a")), "true");
  g_assert_null (malt_worker_remote_call_fetch (self->worker, test_channel_function (self, "put"),
                                                g_variant_new ("(sv)", "a", g_variant_new_int64 (1)), NULL,
                                                MALT_TIMEOUT_NONE, NULL, &error));
  g_assert_nonnull (strstr (error->message, "the channel is closed"));
  test_channel_assert_closed (channel);
}

/* Who waits at the other end is told. */
static void
test_close_wakes (TestCase *self)
{
  g_autoptr (MaltChannel) a = test_channel_make (self, "a", 1);
  g_autoptr (MaltChannel) b = test_channel_make (self, "b", 1);
  TestAnswer *taker, *putter;
  g_autoptr (GError) error = NULL;

  taker = test_channel_start (self, "sum", g_variant_new ("(s)", "a"));
  malt_channel_close (a);
  test_assert_value (test_answer_wait (taker, &error), "int64 0");

  test_channel_do (self, "put", g_variant_new ("(sv)", "b", g_variant_new_int64 (7)));
  putter = test_channel_start (self, "put", g_variant_new ("(sv)", "b", g_variant_new_int64 (8)));
  malt_channel_close (b);
  g_assert_null (test_answer_wait (putter, &error));
  g_assert_nonnull (strstr (error->message, "the channel is closed"));
  g_assert_cmpint (test_channel_take (b), ==, 7);
  test_channel_assert_closed (b);
}

static gpointer
take_thread (gpointer user_data)
{
  GError *error = NULL;

  g_assert_null (malt_channel_take (user_data, -1, NULL, &error));
  return error;
}

static void
finish_cb (GObject      *source,
           GAsyncResult *result,
           gpointer      user_data)
{
  *(GAsyncResult **) user_data = g_object_ref (result);
}

static GAsyncResult *
await (GAsyncResult **result)
{
  while (*result == NULL)
    g_main_context_iteration (NULL, TRUE);

  return *result;
}

static gboolean
has_ended (gpointer data)
{
  return malt_worker_get_exit_info (data) != NULL;
}

static void
assert_terminated (TestCase *self,
                   GError   *error)
{
  g_autoptr (GError) own = error;
  MaltExitInfo *exit_info = malt_remote_error_get_exit_info (own);

  test_await (has_ended, self->worker);
  g_assert_true (exit_info == malt_worker_get_exit_info (self->worker));
  test_assert_error (own, MALT_ERROR, MALT_ERROR_TERMINATED, "*worker*");
}

/* Those who wait when the worker dies are told how; what had come can still be taken. */
static void
test_death (TestCase *self)
{
  g_autoptr (MaltChannel) a = test_channel_make (self, "a", 5);
  g_autoptr (MaltChannel) b = test_channel_make (self, "b", 1);
  g_autoptr (GAsyncResult) taken = NULL;
  g_autoptr (GAsyncResult) put = NULL;
  g_autoptr (GAsyncResult) waited = NULL;
  TestThread *threads[3];
  GError *error = NULL;
  guint i;

  for (i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = test_thread_new ("take", take_thread, a);
  malt_channel_take_async (a, NULL, finish_cb, &taken);
  malt_channel_wait_async (a, NULL, finish_cb, &waited);
  test_channel_put (b, 1);
  malt_channel_put_async (b, g_variant_new_int64 (2), NULL, finish_cb, &put);
  test_case_assert_usable (self);

  malt_worker_kill (self->worker, SIGKILL);
  for (i = 0; i < G_N_ELEMENTS (threads); i++)
    assert_terminated (self, test_thread_join (threads[i]));
  g_assert_null (malt_channel_take_finish (a, await (&taken), &error));
  assert_terminated (self, g_steal_pointer (&error));
  g_assert_false (malt_channel_wait_finish (a, await (&waited), &error));
  assert_terminated (self, g_steal_pointer (&error));
  g_assert_false (malt_channel_put_finish (b, await (&put), &error));
  assert_terminated (self, g_steal_pointer (&error));

  /* And those who come too late. */
  g_assert_false (malt_channel_put (a, g_variant_new_int64 (2), -1, NULL, &error));
  assert_terminated (self, g_steal_pointer (&error));
  g_assert_null (malt_channel_take (a, 0, NULL, &error));
  assert_terminated (self, g_steal_pointer (&error));
  g_assert_false (malt_channel_is_ready (a));
  g_assert_true (malt_channel_is_closed (a));
  malt_channel_close (a);
  g_assert_null (test_channel_try_open (self, "a", &error));
  test_assert_error (error, MALT_ERROR, MALT_ERROR_TERMINATED, "*");
}

static void
test_death_in_the_middle (TestCase *self)
{
  g_autoptr (MaltChannel) channel = test_channel_make (self, "a", 100);
  TestAnswer *answer;
  g_autoptr (GError) error = NULL;
  GVariant *value;
  gint64 i = 0;

  answer = test_channel_start (self, "put_and_die", g_variant_new ("(sx)", "a", (gint64) 1000));
  while ((value = malt_channel_take (channel, -1, NULL, &error)) != NULL)
    {
      g_assert_cmpint (g_variant_get_int64 (value), ==, i++);
      g_variant_unref (value);
    }
  /* What it had put and sent is there: all but what was in the queue, and one that was just
   * being sent. */
  g_assert_cmpint (i, >=, 899);
  assert_terminated (self, g_steal_pointer (&error));
  g_assert_null (test_answer_wait (answer, &error));
  test_assert_error (error, MALT_ERROR, MALT_ERROR_TERMINATED, "*");
}

static void
test_stop (TestCase *self)
{
  g_autoptr (MaltChannel) channel = test_channel_make (self, "a", 1);
  TestAnswer *answer = test_channel_start (self, "sum", g_variant_new ("(s)", "a"));
  TestThread *thread = test_thread_new ("take", take_thread, channel);
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (malt_worker_stop (self->worker, 20000, 20000, NULL, &error), ==, MALT_STOP_RESULT_WAS_RUNNING);
  g_assert_no_error (error);
  g_assert_cmpint (malt_exit_info_get_kind (malt_worker_get_exit_info (self->worker)), ==, MALT_EXIT_KIND_STOPPED);
  assert_terminated (self, test_thread_join (thread));
  g_assert_null (test_answer_wait (answer, &error));
  test_assert_error (error, MALT_ERROR, MALT_ERROR_TERMINATED, "*");
}

static gboolean
is_gone (gpointer data)
{
  g_autoptr (GObject) object = g_weak_ref_get (data);

  return object == NULL;
}

/* The channel does not keep its worker; the library's thread may for a moment. */
static void
test_drop_worker (TestCase *self)
{
  MaltWorker *worker = self->worker = test_case_spawn (self);
  g_autoptr (MaltChannel) channel = test_channel_make (self, "a", 1);
  g_autoptr (GError) error = NULL;
  GWeakRef weak;

  g_weak_ref_init (&weak, worker);
  g_clear_object (&self->worker);
  test_await (is_gone, &weak);
  g_weak_ref_clear (&weak);
  g_assert_null (malt_channel_take (channel, -1, NULL, &error));
  test_assert_error (error, MALT_ERROR, MALT_ERROR_TERMINATED, "*");
}

/* A take that is cancelled, or too late, takes nothing. */
static void
test_cancel (TestCase *self)
{
  g_autoptr (MaltChannel) a = test_channel_make (self, "a", 10);
  g_autoptr (MaltChannel) b = test_channel_make (self, "b", 1);
  g_autoptr (GError) error = NULL;
  gint64 i;

  for (i = 0; i < 50; i++)
    {
      g_autoptr (GCancellable) cancellable = g_cancellable_new ();
      g_autoptr (GAsyncResult) result = NULL;
      g_autoptr (GAsyncResult) put G_GNUC_UNUSED = NULL;
      g_autoptr (GVariant) value = NULL;

      malt_channel_take_async (a, cancellable, finish_cb, &result);
      if (i % 2 == 0)
        test_channel_do (self, "put", g_variant_new ("(sv)", "a", g_variant_new_int64 (i)));
      g_cancellable_cancel (cancellable);
      if (i % 2 == 1)
        test_channel_do (self, "put", g_variant_new ("(sv)", "a", g_variant_new_int64 (i)));
      value = malt_channel_take_finish (a, await (&result), &error);
      if (value == NULL)
        {
          test_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED, "*");
          g_assert_cmpint (test_channel_take (a), ==, i);
        }
      else
        g_assert_cmpint (g_variant_get_int64 (value), ==, i);
    }

  g_assert_null (malt_channel_take (a, 5, NULL, &error));
  test_assert_error (error, MALT_ERROR, MALT_ERROR_TIMEOUT, "the channel had nothing to take within 5 ms");
  test_channel_do (self, "put", g_variant_new ("(sv)", "a", g_variant_new_int64 (1)));
  g_assert_cmpint (test_channel_take (a), ==, 1);

  /* A put that is cancelled has put nothing. */
  test_channel_put (b, 1);
  {
    g_autoptr (GCancellable) cancellable = g_cancellable_new ();
    g_autoptr (GAsyncResult) result = NULL;

    malt_channel_put_async (b, g_variant_new_int64 (2), cancellable, finish_cb, &result);
    g_cancellable_cancel (cancellable);
    g_assert_false (malt_channel_put_finish (b, await (&result), &error));
    test_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED, "*");
    g_assert_false (malt_channel_put (b, g_variant_new_int64 (3), -1, cancellable, &error));
    test_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED, "*");
  }
  test_assert_value (test_channel_call (self, "take", g_variant_new ("(s)", "b")), "int64 1");
  test_assert_value (test_channel_call (self, "try_take", g_variant_new ("(s)", "b")), "@mv nothing");
}

static gpointer
cancel_thread (gpointer user_data)
{
  g_cancellable_cancel (user_data);
  return NULL;
}

static void
test_cancel_blocking (TestCase *self)
{
  g_autoptr (MaltChannel) channel = test_channel_make (self, "a", 10);
  g_autoptr (GError) error = NULL;
  guint i;

  for (i = 0; i < 50; i++)
    {
      g_autoptr (GCancellable) cancellable = g_cancellable_new ();
      TestThread *thread = test_thread_new ("cancel", cancel_thread, cancellable);

      g_assert_null (malt_channel_take (channel, -1, cancellable, &error));
      test_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED, "*");
      test_thread_join (thread);
    }
}

/* Code of the worker that waits for a channel can be interrupted, and is told when its time
 * is over. */
static void
test_interrupt (TestCase *self)
{
  g_autoptr (MaltChannel) a = NULL;
  g_autoptr (GError) error = NULL;
  TestAnswer *answer;

  test_case_spawn_to_interrupt (self);
  a = test_channel_make (self, "a", 1);
  answer = test_answer_call (self->worker, test_channel_function (self, "take"), g_variant_new ("(s)", "a"), 50, NULL);
  g_assert_null (test_answer_wait (answer, &error));
  test_assert_error (error, MALT_ERROR, MALT_ERROR_TIMEOUT, "*");
  test_case_assert_usable (self);

  test_channel_put (a, 1);
  test_assert_value (test_channel_call (self, "take", g_variant_new ("(s)", "a")), "int64 1");

  /* The same for one that waits for room. */
  test_channel_put (a, 2);
  answer = test_answer_call (self->worker, test_channel_function (self, "put"),
                             g_variant_new ("(sv)", "a", g_variant_new_int64 (3)), 50, NULL);
  g_assert_null (test_answer_wait (answer, &error));
  test_assert_error (error, MALT_ERROR, MALT_ERROR_TIMEOUT, "*");
  test_assert_value (test_channel_call (self, "take", g_variant_new ("(s)", "a")), "int64 2");
  test_assert_value (test_channel_call (self, "try_take", g_variant_new ("(s)", "a")), "@mv nothing");
}

static void
test_bad_expressions (TestCase *self)
{
  gboolean is_native = test_case_is (self, "native");
  g_autoptr (GError) error = NULL;

  g_assert_null (malt_worker_open_channel (self->worker, NULL, is_native ? "native-channels:nix" : "nix", -1, NULL,
                                           &error));
  g_assert_nonnull (strstr (error->message, "nix"));
  if (is_native)
    test_assert_error (error, MALT_ERROR, MALT_ERROR_NOT_FOUND, "*");
  else
    test_assert_error (error, MALT_ERROR, MALT_ERROR_REMOTE,
                       test_case_source (self, "*NameError*", "*ReferenceError*"));

  g_assert_null (malt_worker_open_channel (self->worker, NULL, is_native ? "native-channels:no_channel" : "'text'",
                                           -1, NULL, &error));
  test_assert_error (error, MALT_ERROR, MALT_ERROR_SERIALIZATION,
                     is_native ? "*a value of type s instead of a channel*" :
                     test_case_source (self, "*a 'str' instead of a channel*", "*a value of the type 'string' instead of a channel*"));
  g_assert_null (malt_worker_open_channel (self->worker, NULL, "", -1, NULL, &error));
  test_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "the expression is empty");
  g_assert_null (malt_worker_open_channel (self->worker, NULL, "\xff", -1, NULL, &error));
  test_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "*not valid UTF-8 at byte 0");

  /* A channel is not a value. */
  g_assert_null (malt_worker_remote_call_fetch (self->worker, is_native ? "native-channels:fresh" :
                                                test_case_source (self, "malt.Channel", "gjs_channels.fresh"),
                                                is_native ? NULL : g_variant_new ("(x)", (gint64) 1), NULL,
                                                MALT_TIMEOUT_NONE, NULL, &error));
  test_assert_error (error, MALT_ERROR, MALT_ERROR_SERIALIZATION, "*");
  test_case_assert_usable (self);
}

static void
test_bad_values (TestCase *self)
{
  g_autoptr (MaltChannel) channel = NULL;
  g_autoptr (GError) error = NULL;
  GVariant *deep = g_variant_new_int64 (1);
  guint i;

  malt_launcher_set_max_value_size (self->launcher, 100000);
  self->worker = test_case_spawn (self);
  channel = test_channel_make (self, "a", 2);

  for (i = 0; i < 40; i++)
    deep = g_variant_new_variant (deep);
  g_assert_false (malt_channel_put (channel, deep, -1, NULL, &error));
  test_assert_error (error, MALT_ERROR, MALT_ERROR_SERIALIZATION, "*cannot cross*");
  g_assert_false (malt_channel_put (channel, g_variant_new_handle (0), -1, NULL, &error));
  test_assert_error (error, MALT_ERROR, MALT_ERROR_SERIALIZATION, "*cannot cross*of type h, and a handle (h)*");

  if (test_case_is (self, "process"))
    {
      g_autofree guint8 *data = g_malloc0 (200000);

      g_assert_false (malt_channel_put (channel, g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, data, 200000, 1), -1,
                                        NULL, &error));
      test_assert_error (error, MALT_ERROR, MALT_ERROR_SERIALIZATION, "*bytes (limit 100000)*");
      g_assert_null (malt_worker_remote_call_fetch (self->worker, test_channel_function (self, "put_bytes"),
                                                    g_variant_new ("(sx)", "a", (gint64) 200000), NULL,
                                                    MALT_TIMEOUT_NONE, NULL, &error));
      g_assert_nonnull (strstr (error->message, "(limit 100000)"));
      g_clear_error (&error);
    }

  test_channel_put (channel, 5);
  test_assert_value (test_channel_call (self, "take", g_variant_new ("(s)", "a")), "int64 5");
  test_case_retire (g_steal_pointer (&self->worker));
}

int
main (int    argc,
      char **argv)
{
  test_case_init (&argc, &argv, "channel-ends");

  test_case_add ("close-in-worker", TEST_NEEDS_CHANNELS, test_close_in_worker);
  test_case_add ("close-in-manager", TEST_NEEDS_CHANNELS, test_close_in_manager);
  test_case_add ("close-wakes", TEST_NEEDS_CHANNELS, test_close_wakes);
  test_case_add ("death", TEST_NEEDS_CHANNELS, test_death);
  test_case_add ("death-in-the-middle", TEST_NEEDS_CHANNELS | TEST_NEEDS_PROCESS, test_death_in_the_middle);
  test_case_add ("stop", TEST_NEEDS_CHANNELS, test_stop);
  test_case_add_idle ("drop-worker", TEST_NEEDS_CHANNELS, test_drop_worker);
  test_case_add ("cancel", TEST_NEEDS_CHANNELS, test_cancel);
  test_case_add ("cancel-blocking", TEST_NEEDS_CHANNELS, test_cancel_blocking);
  test_case_add_idle ("interrupt", TEST_NEEDS_CHANNELS, test_interrupt);
  test_case_add ("bad-expressions", TEST_NEEDS_CHANNELS, test_bad_expressions);
  test_case_add_idle ("bad-values", TEST_NEEDS_CHANNELS, test_bad_values);

  return g_test_run ();
}
