/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <malt.h>

#include "test-asserts.h"
#include "test-case.h"
#include "test-channel.h"
#include "test-mark.h"

/* One queue of which both ends take: whoever takes gets what was put first, whatever the
 * manager has fetched ahead. */

/* The worker takes the next value, which has to be this one. */
static void
assert_worker_takes (TestCase *self,
                     gint64    number)
{
  test_assert_value (test_channel_call (self, "take", g_variant_new ("(s)", "a")), test_channel_text (number));
}

/* Puts numbers into the queue in the worker. */
static void
put_there (TestCase *self,
           gint64    first,
           gint64    n)
{
  gint64 i;

  for (i = first; i < first + n; i++)
    test_channel_do (self, "put", g_variant_new ("(sv)", "a", g_variant_new_int64 (i)));
}

/* Two handles of one queue. */
static void
test_twice (TestCase *self)
{
  g_autoptr (MaltChannel) first = NULL;
  MaltChannel *second;
  gint64 i;

  first = test_channel_make (self, "a", 20);
  second = test_channel_open (self, "a");
  for (i = 0; i < 10; i++)
    test_channel_do (self, "put", g_variant_new ("(sv)", "a", g_variant_new_int64 (i)));
  for (i = 0; i < 4; i += 2)
    {
      g_assert_cmpint (test_channel_take (first), ==, i);
      g_assert_cmpint (test_channel_take (second), ==, i + 1);
    }
  g_clear_object (&second);
  g_assert_cmpint (test_channel_take (first), ==, 4);

  /* What nobody has taken stays where it was. */
  g_clear_object (&first);
  first = test_channel_open (self, "a");
  g_assert_cmpint (test_channel_take (first), ==, 5);
  g_clear_object (&first);
  for (i = 6; i < 8; i++)
    test_assert_value (test_channel_call (self, "take", g_variant_new ("(s)", "a")), test_channel_text (i));
  first = test_channel_open (self, "a");
  g_assert_cmpint (test_channel_take (first), ==, 8);
  g_assert_cmpint (test_channel_take (first), ==, 9);
}

/* The worker's own code gets what the manager has fetched ahead and not taken. */
static void
test_shared (TestCase *self)
{
  g_autoptr (MaltChannel) channel = test_channel_make (self, "a", 20);
  guint round;
  gint64 i;

  for (round = 0; round < 3; round++)
    {
      for (i = 0; i < 12; i++)
        test_channel_do (self, "put", g_variant_new ("(sv)", "a", g_variant_new_int64 (i)));
      for (i = 0; i < 4; i++)
        g_assert_cmpint (test_channel_take (channel), ==, i);
      for (i = 4; i < 8; i++)
        test_assert_value (test_channel_call (self, "take", g_variant_new ("(s)", "a")), test_channel_text (i));
      for (i = 8; i < 12; i++)
        g_assert_cmpint (test_channel_take (channel), ==, i);
    }
}

/* There is more in the queue behind what was fetched. */
static void
test_behind (TestCase *self)
{
  g_autoptr (MaltChannel) channel = test_channel_make (self, "a", 4);

  put_there (self, 0, 4);
  g_assert_cmpint (test_channel_take (channel), ==, 0);
  put_there (self, 4, 1);
  assert_worker_takes (self, 1);
  assert_worker_takes (self, 2);
  g_assert_cmpint (test_channel_take (channel), ==, 3);
  assert_worker_takes (self, 4);
}

/* Both take in turns that nobody can foresee. */
static void
test_turns (TestCase *self)
{
  g_autoptr (MaltChannel) channel = test_channel_make (self, "a", 100);
  gint64 n_put = 0, i;

  for (i = 0; i < 600; i++)
    {
      if (n_put == i || (n_put < i + 70 && g_random_int_range (0, 3) == 0))
        {
          gint64 n = g_random_int_range (1, 20);

          put_there (self, n_put, n);
          n_put += n;
        }
      if (g_random_int_range (0, 3) == 0)
        assert_worker_takes (self, i);
      else
        g_assert_cmpint (test_channel_take (channel), ==, i);
    }
}

/* Those of the worker who look, or take without waiting, find what was fetched. */
static void
test_no_wait (TestCase *self)
{
  g_autoptr (MaltChannel) channel = test_channel_make (self, "a", 20);

  put_there (self, 0, 3);
  g_assert_cmpint (test_channel_take (channel), ==, 0);
  test_assert_value (test_channel_call (self, "is_ready", g_variant_new ("(s)", "a")), "true");
  test_assert_value (test_channel_call (self, "try_take", g_variant_new ("(s)", "a")), "int64 1");
  g_assert_cmpint (test_channel_take (channel), ==, 2);
  test_assert_value (test_channel_call (self, "is_ready", g_variant_new ("(s)", "a")), "false");
  test_assert_value (test_channel_call (self, "try_take", g_variant_new ("(s)", "a")), "@mv nothing");
}

/* What was fetched of a closed queue is not lost to the worker, and its end is told to both. */
static void
test_closed (TestCase *self)
{
  g_autoptr (MaltChannel) channel = test_channel_make (self, "a", 20);
  g_autoptr (GError) error = NULL;
  TestAnswer *consumer;

  put_there (self, 0, 5);
  g_assert_cmpint (test_channel_take (channel), ==, 0);
  test_channel_do (self, "close", g_variant_new ("(s)", "a"));
  assert_worker_takes (self, 1);
  assert_worker_takes (self, 2);
  g_assert_cmpint (test_channel_take (channel), ==, 3);
  consumer = test_channel_start (self, "sum", g_variant_new ("(s)", "a"));
  test_assert_value (test_answer_wait (consumer, &error), "int64 4");
  test_channel_assert_closed (channel);
}

/* The manager gives back also while nobody in it reads. */
static void
test_nobody_reads (TestCase *self)
{
  g_autoptr (MaltChannel) channel = test_channel_make (self, "a", 20);
  g_autofree char *mark = test_mark_new ();
  g_autoptr (GError) error = NULL;

  put_there (self, 0, 5);
  g_assert_cmpint (test_channel_take (channel), ==, 0);
  malt_worker_remote_do (self->worker, test_channel_function (self, "take_and_mark"),
                         g_variant_new ("(ss)", "a", mark), NULL, &error);
  g_assert_no_error (error);
  test_mark_await (mark);
  g_assert_cmpint (test_channel_take (channel), ==, 2);
}

/* Handles come and go, while threads of the worker take as well: each value is taken once. */
static void
test_handles (TestCase *self)
{
  g_autoptr (GVariant) rest = NULL;
  gint64 n = 0, sum = 0, n_rest, sum_rest;
  gboolean closed = FALSE;
  guint i;

  if (test_case_is (self, "native"))
    {
      g_test_skip ("the functions for this are in Python and JavaScript");
      return;
    }

  test_channel_do (self, "make", g_variant_new ("(sx)", "a", (gint64) 50));
  test_channel_do (self, "share", g_variant_new ("(sx)", "a", (gint64) 10000));
  while (!closed)
    {
      g_autoptr (MaltChannel) channel = test_channel_open (self, "a");

      for (i = g_random_int_range (0, 30); i > 0 && !closed; i--)
        {
          g_autoptr (GError) error = NULL;
          g_autoptr (GVariant) value = malt_channel_take (channel, i % 2 == 0 ? -1 : 0, NULL, &error);

          closed = g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CLOSED);
          if (value != NULL)
            {
              sum += g_variant_get_int64 (value);
              n++;
            }
          else if (!closed)
            test_assert_error (error, MALT_ERROR, MALT_ERROR_TIMEOUT, "*");
        }
    }

  rest = test_channel_call (self, "collect", NULL);
  g_variant_get (rest, "(xx)", &n_rest, &sum_rest);
  g_assert_cmpint (n + n_rest, ==, 10000);
  g_assert_cmpint (sum + sum_rest, ==, 49995000);
}

int
main (int    argc,
      char **argv)
{
  test_case_init (&argc, &argv, "channel-order");

  test_case_add ("twice", TEST_NEEDS_CHANNELS, test_twice);
  test_case_add ("shared", TEST_NEEDS_CHANNELS, test_shared);
  test_case_add ("behind", TEST_NEEDS_CHANNELS, test_behind);
  test_case_add ("turns", TEST_NEEDS_CHANNELS, test_turns);
  test_case_add ("no-wait", TEST_NEEDS_CHANNELS, test_no_wait);
  test_case_add ("closed", TEST_NEEDS_CHANNELS, test_closed);
  test_case_add ("nobody-reads", TEST_NEEDS_CHANNELS, test_nobody_reads);
  test_case_add ("handles", TEST_NEEDS_CHANNELS, test_handles);

  return g_test_run ();
}
