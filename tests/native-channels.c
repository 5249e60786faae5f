/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Channels that the tests open through the native runtime, and what is done with them in the
 * worker.  The type of its arguments is beside each function; the first one is the letter of
 * a channel. */

#include <malt.h>

#include <signal.h>
#include <unistd.h>

#define N_CHANNELS 4

static GMutex lock;
static MaltChannel *channels[N_CHANNELS]; /* (mutex lock) a to d */

static MaltChannel *
ref_channel (GVariant  *arguments,
             GError   **error)
{
  MaltChannel *channel = NULL;
  const char *name;

  g_variant_get_child (arguments, 0, "&s", &name);
  g_assert (name[0] >= 'a' && name[0] < 'a' + N_CHANNELS && name[1] == '\0');

  g_mutex_lock (&lock);
  if (channels[name[0] - 'a'] != NULL)
    channel = g_object_ref (channels[name[0] - 'a']);
  g_mutex_unlock (&lock);

  if (channel == NULL)
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND, "channel %s was not made", name);
  return channel;
}

static gint64
number (GVariant *arguments,
        gsize     i)
{
  gint64 value;

  g_variant_get_child (arguments, i, "x", &value);
  return value;
}

/* (sx): the capacity */
MALT_FUNCTION (make)
{
  const char *name;

  g_variant_get_child (arguments, 0, "&s", &name);
  g_mutex_lock (&lock);
  g_clear_object (&channels[name[0] - 'a']);
  channels[name[0] - 'a'] = malt_channel_new ((guint) number (arguments, 1));
  g_mutex_unlock (&lock);
  return NULL;
}

static GVariant *
give (MaltRequest  *request,
      const char   *name,
      GError      **error)
{
  g_autoptr (GVariant) arguments = g_variant_ref_sink (g_variant_new ("(s)", name));
  g_autoptr (MaltChannel) channel = ref_channel (arguments, error);

  if (channel != NULL)
    malt_request_return_channel (request, channel);
  return NULL;
}

/* Expressions. */

MALT_FUNCTION (a)
{
  return give (request, "a", error);
}

MALT_FUNCTION (b)
{
  return give (request, "b", error);
}

MALT_FUNCTION (fresh)
{
  g_autoptr (MaltChannel) channel = malt_channel_new (3);

  malt_request_return_channel (request, channel);
  return NULL;
}

/* Is full of the numbers from 0 to 999. */
MALT_FUNCTION (numbers)
{
  g_autoptr (MaltChannel) channel = malt_channel_new (1000);
  gint64 i;

  for (i = 0; i < 1000; i++)
    malt_channel_put (channel, g_variant_new_int64 (i), -1, NULL, NULL);
  malt_request_return_channel (request, channel);
  return NULL;
}

MALT_FUNCTION (no_channel)
{
  return g_variant_new_string ("no channel");
}

/* What is done with them. */

/* (sv) */
MALT_FUNCTION (put)
{
  g_autoptr (MaltChannel) channel = ref_channel (arguments, error);
  g_autoptr (GVariant) value = NULL;

  if (channel == NULL)
    return NULL;

  g_variant_get_child (arguments, 1, "v", &value);
  malt_channel_put (channel, value, -1, cancellable, error);
  return NULL;
}

/* (sx) → b: an integer, if there is room */
MALT_FUNCTION (try_put)
{
  g_autoptr (MaltChannel) channel = ref_channel (arguments, error);

  if (channel == NULL)
    return NULL;

  return g_variant_new_boolean (malt_channel_put (channel, g_variant_new_int64 (number (arguments, 1)), 0,
                                                  cancellable, NULL));
}

/* (sx): bytes, as many */
MALT_FUNCTION (put_bytes)
{
  g_autoptr (MaltChannel) channel = ref_channel (arguments, error);
  gsize size = (gsize) number (arguments, 1);
  guint8 *data;

  if (channel == NULL)
    return NULL;

  data = g_malloc0 (size);
  malt_channel_put (channel, g_variant_new_from_data (G_VARIANT_TYPE_BYTESTRING, data, size, TRUE, g_free, data),
                    -1, cancellable, error);
  return NULL;
}

/* (s) → * */
MALT_FUNCTION (take)
{
  g_autoptr (MaltChannel) channel = ref_channel (arguments, error);

  return channel != NULL ? malt_channel_take (channel, -1, cancellable, error) : NULL;
}

/* (ss): takes, and makes the mark then */
MALT_FUNCTION (take_and_mark)
{
  g_autoptr (MaltChannel) channel = ref_channel (arguments, error);
  g_autoptr (GVariant) value = channel != NULL ? malt_channel_take (channel, -1, cancellable, error) : NULL;
  const char *mark;

  g_variant_get_child (arguments, 1, "&s", &mark);
  if (value != NULL)
    g_file_set_contents (mark, "", 0, error);
  return NULL;
}

/* (s) → * or nothing */
MALT_FUNCTION (try_take)
{
  g_autoptr (MaltChannel) channel = ref_channel (arguments, error);

  return channel != NULL ? malt_channel_take (channel, 0, cancellable, NULL) : NULL;
}

/* (s) → b */
MALT_FUNCTION (is_ready)
{
  g_autoptr (MaltChannel) channel = ref_channel (arguments, error);

  return channel != NULL ? g_variant_new_boolean (malt_channel_is_ready (channel)) : NULL;
}

/* (s) → b */
MALT_FUNCTION (is_closed)
{
  g_autoptr (MaltChannel) channel = ref_channel (arguments, error);

  return channel != NULL ? g_variant_new_boolean (malt_channel_is_closed (channel)) : NULL;
}

/* (s) */
MALT_FUNCTION (close)
{
  g_autoptr (MaltChannel) channel = ref_channel (arguments, error);

  if (channel != NULL)
    malt_channel_close (channel);
  return NULL;
}

/* (s) → x: the sum of what comes until the channel is closed */
MALT_FUNCTION (sum)
{
  g_autoptr (MaltChannel) channel = ref_channel (arguments, error);
  g_autoptr (GError) failure = NULL;
  GVariant *value;
  gint64 total = 0;

  if (channel == NULL)
    return NULL;

  while ((value = malt_channel_take (channel, -1, cancellable, &failure)) != NULL)
    {
      total += g_variant_get_int64 (value);
      g_variant_unref (value);
    }
  if (g_error_matches (failure, G_IO_ERROR, G_IO_ERROR_CLOSED))
    return g_variant_new_int64 (total);

  g_propagate_error (error, g_steal_pointer (&failure));
  return NULL;
}

/* (sxx): numbers from the first, as many, then it is closed */
MALT_FUNCTION (produce)
{
  g_autoptr (MaltChannel) channel = ref_channel (arguments, error);
  gint64 i;

  if (channel == NULL)
    return NULL;

  for (i = 0; i < number (arguments, 2); i++)
    if (!malt_channel_put (channel, g_variant_new_int64 (number (arguments, 1) + i), -1, cancellable, error))
      return NULL;
  malt_channel_close (channel);
  return NULL;
}

typedef struct
{
  MaltChannel *from;
  MaltChannel *to;
} Echo;

static gpointer
echo_thread (gpointer user_data)
{
  Echo *echo = user_data;
  GVariant *value;

  while ((value = malt_channel_take (echo->from, -1, NULL, NULL)) != NULL)
    {
      malt_channel_put (echo->to, value, -1, NULL, NULL);
      g_variant_unref (value);
    }
  malt_channel_close (echo->to);

  g_object_unref (echo->from);
  g_object_unref (echo->to);
  g_free (echo);
  return NULL;
}

/* (ss): a thread that puts what comes from the first into the second */
MALT_FUNCTION (echo)
{
  g_autoptr (GVariant) second = g_variant_ref_sink (g_variant_new_tuple ((GVariant *[]) {
                                                                           g_variant_get_child_value (arguments, 1)
                                                                         }, 1));
  Echo *echo = g_new (Echo, 1);

  echo->from = ref_channel (arguments, NULL);
  echo->to = ref_channel (second, NULL);
  g_thread_unref (g_thread_new ("echo", echo_thread, echo));
  return NULL;
}

/* (sx): as many numbers, and dies */
MALT_FUNCTION (put_and_die)
{
  g_autoptr (MaltChannel) channel = ref_channel (arguments, error);
  gint64 i;

  for (i = 0; channel != NULL && i < number (arguments, 1); i++)
    malt_channel_put (channel, g_variant_new_int64 (i), -1, cancellable, NULL);
  kill (getpid (), SIGKILL);
  return NULL;
}
