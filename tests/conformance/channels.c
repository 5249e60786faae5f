/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <malt.h>

#include "test-asserts.h"
#include "test-case.h"
#include "test-channel.h"
#include "test-thread.h"

/* Channels: what one end puts, the other takes, in its order and once. */

static void
test_order (TestCase *self)
{
  g_autoptr (MaltChannel) a = test_channel_make (self, "a", 1000);
  g_autoptr (MaltChannel) b = test_channel_make (self, "b", 1000);
  gint64 i;

  g_assert_cmpuint (malt_channel_get_capacity (a), ==, 1000);
  for (i = 0; i < 300; i++)
    test_channel_put (a, i);
  for (i = 0; i < 300; i++)
    test_assert_value (test_channel_call (self, "take", g_variant_new ("(s)", "a")), test_channel_text (i));

  for (i = 0; i < 300; i++)
    test_channel_do (self, "put", g_variant_new ("(sv)", "b", g_variant_new_int64 (i)));
  for (i = 0; i < 300; i++)
    g_assert_cmpint (test_channel_take (b), ==, i);
}

/* Both ends of one channel put and take. */
static void
test_both_ways (TestCase *self)
{
  g_autoptr (MaltChannel) channel = test_channel_make (self, "a", 10);
  gint64 i;

  for (i = 0; i < 100; i++)
    {
      test_channel_put (channel, i);
      test_assert_value (test_channel_call (self, "take", g_variant_new ("(s)", "a")), test_channel_text (i));
      test_channel_do (self, "put", g_variant_new ("(sv)", "a", g_variant_new_int64 (-i)));
      g_assert_cmpint (test_channel_take (channel), ==, -i);
    }

  /* What is put here can also be taken here. */
  for (i = 0; i < 10; i++)
    test_channel_put (channel, i);
  for (i = 0; i < 10; i++)
    g_assert_cmpint (test_channel_take (channel), ==, i);
}

static void
test_stream (TestCase *self)
{
  g_autoptr (MaltChannel) channel = test_channel_make (self, "a", 7);
  TestAnswer *producer, *consumer;
  g_autoptr (MaltChannel) other = NULL;
  g_autoptr (GError) error = NULL;
  gint64 i;

  producer = test_channel_start (self, "produce", g_variant_new ("(sxx)", "a", (gint64) 0, (gint64) 3000));
  for (i = 0; i < 3000; i++)
    g_assert_cmpint (test_channel_take (channel), ==, i);
  g_assert_null (malt_channel_take (channel, -1, NULL, &error));
  test_assert_error (error, G_IO_ERROR, G_IO_ERROR_CLOSED, "the channel is closed");
  test_assert_value (test_answer_wait (producer, &error), "@mv nothing");

  other = test_channel_make (self, "b", 7);
  consumer = test_channel_start (self, "sum", g_variant_new ("(s)", "b"));
  for (i = 0; i < 3000; i++)
    test_channel_put (other, i);
  malt_channel_close (other);
  test_assert_value (test_answer_wait (consumer, &error), "int64 4498500");
}

static gpointer
put_thread (gpointer user_data)
{
  gint64 i;

  for (i = 0; i < 2000; i++)
    test_channel_put (user_data, i);
  malt_channel_close (user_data);
  return NULL;
}

/* A thread of the worker, and one of the manager. */
static void
test_echo (TestCase *self)
{
  g_autoptr (MaltChannel) a = test_channel_make (self, "a", 5);
  g_autoptr (MaltChannel) b = test_channel_make (self, "b", 3);
  TestThread *thread;
  gint64 i;

  test_channel_do (self, "echo", g_variant_new ("(ss)", "a", "b"));
  thread = test_thread_new ("put", put_thread, a);
  for (i = 0; i < 2000; i++)
    {
      g_assert_cmpint (test_channel_take (b), ==, i);
      /* Calls go on meanwhile. */
      if (i % 100 == 0)
        test_case_assert_usable (self);
    }
  test_channel_assert_closed (b);
  test_thread_join (thread);
}

static void
test_back_pressure (TestCase *self)
{
  g_autoptr (MaltChannel) a = test_channel_make (self, "a", 2);
  g_autoptr (MaltChannel) b = test_channel_make (self, "b", 2);
  g_autoptr (GError) error = NULL;
  guint i;

  for (i = 0; i < 3; i++)
    test_assert_value (test_channel_call (self, "try_put", g_variant_new ("(sx)", "a", (gint64) i)),
                       i < 2 ? "true" : "false");
  g_assert_cmpint (test_channel_take (a), ==, 0);
  g_assert_cmpint (test_channel_take (a), ==, 1);

  for (i = 0; i < 3; i++)
    {
      g_assert_true (malt_channel_put (b, g_variant_new_int64 (i), 10, NULL, &error) == (i < 2));
      g_assert_true ((error != NULL) == (i == 2));
    }
  test_assert_error (error, MALT_ERROR, MALT_ERROR_TIMEOUT, "the channel had no room within 10 ms");
  test_assert_value (test_channel_call (self, "take", g_variant_new ("(s)", "b")), "int64 0");
  test_channel_put (b, 2);
  test_assert_value (test_channel_call (self, "take", g_variant_new ("(s)", "b")), "int64 1");
  test_assert_value (test_channel_call (self, "take", g_variant_new ("(s)", "b")), "int64 2");
}

static void
test_ready (TestCase *self)
{
  g_autoptr (MaltChannel) channel = test_channel_make (self, "a", 3);
  g_autoptr (GError) error = NULL;

  g_assert_false (malt_channel_is_ready (channel));
  test_assert_value (test_channel_call (self, "is_ready", g_variant_new ("(s)", "a")), "false");
  test_channel_do (self, "put", g_variant_new ("(sv)", "a", g_variant_new_int64 (1)));
  g_assert_true (malt_channel_is_ready (channel));
  test_assert_value (test_channel_call (self, "is_ready", g_variant_new ("(s)", "a")), "true");
  test_assert_value (test_channel_call (self, "try_take", g_variant_new ("(s)", "a")), "int64 1");
  g_assert_false (malt_channel_is_ready (channel));
  test_assert_value (test_channel_call (self, "try_take", g_variant_new ("(s)", "a")), "@mv nothing");

  g_assert_false (malt_channel_wait (channel, 1, NULL, &error));
  test_assert_error (error, MALT_ERROR, MALT_ERROR_TIMEOUT, "the channel had nothing to take within 1 ms");
  test_channel_do (self, "put", g_variant_new ("(sv)", "a", g_variant_new_int64 (2)));
  g_assert_true (malt_channel_wait (channel, -1, NULL, &error));
  g_assert_true (malt_channel_wait (channel, 0, NULL, &error));
  g_assert_cmpint (test_channel_take (channel), ==, 2);

  /* What the manager has put itself is there for it too. */
  test_channel_put (channel, 3);
  g_assert_true (malt_channel_is_ready (channel));
  g_assert_cmpint (test_channel_take (channel), ==, 3);
}

static void
test_many (TestCase *self)
{
  MaltChannel *channels[200];
  guint i, j;

  for (i = 0; i < G_N_ELEMENTS (channels); i++)
    channels[i] = test_channel_open (self, "fresh");
  for (j = 0; j < 3; j++)
    for (i = 0; i < G_N_ELEMENTS (channels); i++)
      test_channel_put (channels[i], i * 3 + j);
  for (j = 0; j < 3; j++)
    for (i = 0; i < G_N_ELEMENTS (channels); i++)
      g_assert_cmpint (test_channel_take (channels[i]), ==, i * 3 + j);
  for (i = 0; i < G_N_ELEMENTS (channels); i++)
    {
      if (i % 2 == 0)
        malt_channel_close (channels[i]);
      g_object_unref (channels[i]);
    }
}

static void
test_large (TestCase *self)
{
  g_autoptr (MaltChannel) a = test_channel_make (self, "a", 100);
  g_autoptr (MaltChannel) b = test_channel_make (self, "b", 100);
  const gsize size = 3000000;
  g_autofree guint8 *data = g_malloc (size);
  g_autoptr (GVariant) bytes = NULL;
  g_autoptr (GError) error = NULL;
  guint i;

  for (i = 0; i < size; i++)
    data[i] = (guint8) (i % 251);
  bytes = g_variant_ref_sink (g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, data, size, 1));
  test_channel_do (self, "echo", g_variant_new ("(ss)", "a", "b"));
  for (i = 0; i < 12; i++)
    {
      malt_channel_put (a, bytes, -1, NULL, &error);
      g_assert_no_error (error);
    }
  malt_channel_close (a);
  for (i = 0; i < 12; i++)
    {
      g_autoptr (GVariant) value = malt_channel_take (b, -1, NULL, &error);

      g_assert_no_error (error);
      g_assert_cmpstr (g_variant_get_type_string (value), ==, "ay");
      g_assert_cmpmem (g_variant_get_data (value), g_variant_get_size (value), data, size);
    }
  test_channel_assert_closed (b);
}

typedef struct
{
  MaltChannel *channel;
  gint64       sum; /* owned by the thread until it is joined */
} Taker;

static gpointer
take_thread (gpointer user_data)
{
  Taker *taker = user_data;
  g_autoptr (GError) error = NULL;
  GVariant *value;

  while ((value = malt_channel_take (taker->channel, -1, NULL, &error)) != NULL)
    {
      taker->sum += g_variant_get_int64 (value);
      g_variant_unref (value);
    }
  test_assert_error (error, G_IO_ERROR, G_IO_ERROR_CLOSED, "*");
  return NULL;
}

static void
test_threads (TestCase *self)
{
  g_autoptr (MaltChannel) channel = test_channel_make (self, "a", 10);
  TestThread *threads[4];
  Taker takers[4];
  gint64 sum = 0;
  guint i;

  for (i = 0; i < G_N_ELEMENTS (threads); i++)
    {
      takers[i] = (Taker) { channel, 0 };
      threads[i] = test_thread_new ("take", take_thread, &takers[i]);
    }
  test_channel_do (self, "produce", g_variant_new ("(sxx)", "a", (gint64) 0, (gint64) 2000));
  for (i = 0; i < G_N_ELEMENTS (threads); i++)
    {
      test_thread_join (threads[i]);
      sum += takers[i].sum;
    }
  g_assert_cmpint (sum, ==, 1999000);
}

static void
count_cb (GObject      *source,
          GAsyncResult *result,
          gpointer      user_data)
{
  g_autoptr (GError) error = NULL;
  gint64 *next = user_data;
  gint64 value;

  if (g_async_result_is_tagged (result, malt_channel_put_async))
    {
      g_assert_true (malt_channel_put_finish (MALT_CHANNEL (source), result, &error));
    }
  else
    {
      g_autoptr (GVariant) taken = malt_channel_take_finish (MALT_CHANNEL (source), result, &error);

      value = g_variant_get_int64 (taken);
      g_assert_cmpint (value, ==, *next);
    }
  g_assert_no_error (error);
  ++*next;
}

static void
test_async (TestCase *self)
{
  g_autoptr (MaltChannel) a = test_channel_make (self, "a", 4);
  g_autoptr (MaltChannel) b = test_channel_make (self, "b", 4);
  gint64 n_put = 0, n_taken = 0, i;

  test_channel_do (self, "echo", g_variant_new ("(ss)", "a", "b"));
  for (i = 0; i < 200; i++)
    {
      malt_channel_take_async (b, NULL, count_cb, &n_taken);
      malt_channel_put_async (a, g_variant_new_int64 (i), NULL, count_cb, &n_put);
    }
  while (n_taken < 200 || n_put < 200)
    g_main_context_iteration (NULL, TRUE);
  malt_channel_close (a);
  test_channel_assert_closed (b);
}

/* Coroutines put and take, and others run meanwhile. */
static void
test_coroutines (TestCase *self)
{
  g_autoptr (MaltChannel) a = test_channel_make (self, "a", 3);
  g_autoptr (MaltChannel) b = test_channel_make (self, "b", 3);
  TestAnswer *consumer, *producer, *taker;
  g_autoptr (GError) error = NULL;
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  gint64 i;

  if (test_case_is (self, "native"))
    {
      g_test_skip ("C has no coroutines");
      return;
    }

  consumer = test_channel_start (self, "sum_async", g_variant_new ("(s)", "a"));
  producer = test_channel_start (self, "produce_async", g_variant_new ("(sxx)", "b", (gint64) 0, (gint64) 500));
  for (i = 0; i < 500; i++)
    {
      test_channel_put (a, i);
      g_assert_cmpint (test_channel_take (b), ==, i);
      if (i % 100 == 0)
        test_case_assert_usable (self);
    }
  malt_channel_close (a);
  test_channel_assert_closed (b);
  test_assert_value (test_answer_wait (consumer, &error), "int64 124750");
  test_assert_value (test_answer_wait (producer, &error), "@mv nothing");

  /* One that is cancelled takes nothing. */
  g_clear_object (&a);
  a = test_channel_make (self, "a", 3);
  taker = test_answer_call (self->worker, test_channel_function (self, "take_async"), g_variant_new ("(s)", "a"),
                            MALT_TIMEOUT_NONE, cancellable);
  test_case_assert_usable (self);
  g_cancellable_cancel (cancellable);
  g_assert_null (test_answer_wait (taker, &error));
  test_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED, "*");
  test_channel_put (a, 1);
  test_assert_value (test_channel_call (self, "take_async", g_variant_new ("(s)", "a")), "int64 1");
}

static void
test_not_supported (TestCase *self)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (malt_worker_open_channel (self->worker, NULL, "a", -1, NULL, &error));
  test_assert_error (error, MALT_ERROR, MALT_ERROR_NOT_SUPPORTED, "*no channels*");
}

int
main (int    argc,
      char **argv)
{
  test_case_init (&argc, &argv, "channels");

  test_case_add ("order", TEST_NEEDS_CHANNELS, test_order);
  test_case_add ("both-ways", TEST_NEEDS_CHANNELS, test_both_ways);
  test_case_add ("stream", TEST_NEEDS_CHANNELS, test_stream);
  test_case_add ("echo", TEST_NEEDS_CHANNELS, test_echo);
  test_case_add ("back-pressure", TEST_NEEDS_CHANNELS, test_back_pressure);
  test_case_add ("ready", TEST_NEEDS_CHANNELS, test_ready);
  test_case_add ("many", TEST_NEEDS_CHANNELS, test_many);
  test_case_add ("large", TEST_NEEDS_CHANNELS, test_large);
  test_case_add ("threads", TEST_NEEDS_CHANNELS, test_threads);
  test_case_add ("async", TEST_NEEDS_CHANNELS, test_async);
  test_case_add ("coroutines", TEST_NEEDS_CHANNELS, test_coroutines);
  test_case_add ("not-supported", TEST_NEEDS_NO_CHANNELS, test_not_supported);

  return g_test_run ();
}
