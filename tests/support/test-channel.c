/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test-channel.h"

#include "test-asserts.h"

const char *
test_channel_function (TestCase   *self,
                       const char *name)
{
  g_autofree char *full = g_strconcat (test_case_is (self, "native") ? "native-channels:" :
                                       test_case_is (self, "gjs") ? "gjs_channels." : "python_channels.",
                                       name, NULL);

  return g_intern_string (full);
}

GVariant *
test_channel_call (TestCase   *self,
                   const char *name,
                   GVariant   *arguments)
{
  g_autoptr (GError) error = NULL;
  GVariant *value;

  value = malt_worker_remote_call_fetch (self->worker, test_channel_function (self, name), arguments, NULL,
                                         MALT_TIMEOUT_NONE, NULL, &error);
  g_assert_no_error (error);
  return value;
}

void
test_channel_do (TestCase   *self,
                 const char *name,
                 GVariant   *arguments)
{
  g_variant_unref (test_channel_call (self, name, arguments));
}

TestAnswer *
test_channel_start (TestCase   *self,
                    const char *name,
                    GVariant   *arguments)
{
  return test_answer_call (self->worker, test_channel_function (self, name), arguments, MALT_TIMEOUT_NONE, NULL);
}

MaltChannel *
test_channel_try_open (TestCase    *self,
                       const char  *name,
                       GError     **error)
{
  g_autofree char *expression = NULL;

  if (test_case_is (self, "native"))
    return malt_worker_open_channel (self->worker, NULL, test_channel_function (self, name), -1, NULL, error);

  if (g_str_equal (name, "fresh"))
    return malt_worker_open_channel (self->worker, NULL, test_case_source (self, "malt.Channel(3)", "new Channel(3)"),
                                     -1, NULL, error);

  expression = g_strdup_printf ("channels['%s']", name);
  return malt_worker_open_channel (self->worker, test_case_source (self, "python_channels", "gjs_channels"),
                                   expression, -1, NULL, error);
}

MaltChannel *
test_channel_open (TestCase   *self,
                   const char *name)
{
  g_autoptr (GError) error = NULL;
  MaltChannel *channel = test_channel_try_open (self, name, &error);

  g_assert_no_error (error);
  g_assert_true (MALT_IS_CHANNEL (channel));
  return channel;
}

/* Makes a channel in the worker, and opens it. */
MaltChannel *
test_channel_make (TestCase   *self,
                   const char *name,
                   gint64      capacity)
{
  test_channel_do (self, "make", g_variant_new ("(sx)", name, capacity));
  return test_channel_open (self, name);
}

void
test_channel_put (MaltChannel *channel,
                  gint64       number)
{
  g_autoptr (GError) error = NULL;

  malt_channel_put (channel, g_variant_new_int64 (number), -1, NULL, &error);
  g_assert_no_error (error);
}

gint64
test_channel_take (MaltChannel *channel)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) value = malt_channel_take (channel, -1, NULL, &error);

  g_assert_no_error (error);
  g_assert_cmpstr (g_variant_get_type_string (value), ==, "x");
  return g_variant_get_int64 (value);
}

/* There is nothing more to take. */
void
test_channel_assert_closed (MaltChannel *channel)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (malt_channel_take (channel, -1, NULL, &error));
  test_assert_error (error, G_IO_ERROR, G_IO_ERROR_CLOSED, "the channel is closed");
  g_assert_true (malt_channel_is_closed (channel));
}

/* A number as test_assert_value() has it. */
const char *
test_channel_text (gint64 number)
{
  g_autofree char *text = g_strdup_printf ("int64 %" G_GINT64_FORMAT, number);

  return g_intern_string (text);
}
