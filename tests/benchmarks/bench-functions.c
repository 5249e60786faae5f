/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <malt.h>
#include <string.h>

/* The functions that the benchmarks call through the native runtime.  Those in Python are
 * in bench-worker.c, by the same names. */

/* → nothing */
MALT_FUNCTION (nothing)
{
  return NULL;
}

/* → nothing, but not at once */
MALT_FUNCTION (late)
{
  g_usleep (1000);
  return NULL;
}

/* (x) → x, one more */
MALT_FUNCTION (increment)
{
  gint64 x;

  g_variant_get (arguments, "(x)", &x);
  return g_variant_new_int64 (x + 1);
}

/* (x) → ay, so many bytes of the worker's own, which it has already */
MALT_FUNCTION (own_bytes)
{
  static GVariant *all;
  gint64 size;
  gsize n;
  gconstpointer data;

  g_variant_get (arguments, "(x)", &size);
  if (all == NULL || g_variant_get_size (all) < (gsize) size)
    {
      gpointer fresh = g_malloc ((gsize) size);

      memset (fresh, 7, (gsize) size);
      g_clear_pointer (&all, g_variant_unref);
      all = g_variant_ref_sink (g_variant_new_from_data (G_VARIANT_TYPE_BYTESTRING,
                                                         fresh, (gsize) size, TRUE, g_free, fresh));
    }

  data = g_variant_get_fixed_array (all, &n, 1);
  return g_variant_new_from_data (G_VARIANT_TYPE_BYTESTRING, data, (gsize) size, TRUE,
                                  (GDestroyNotify) g_variant_unref, g_variant_ref (all));
}

/* (x) → ay, so many bytes that were made where the manager can read them */
MALT_FUNCTION (arena_bytes)
{
  static GBytes *all;
  gint64 size;
  gpointer data;

  g_variant_get (arguments, "(x)", &size);
  if (all == NULL || g_bytes_get_size (all) != (gsize) size)
    {
      g_clear_pointer (&all, g_bytes_unref);
      all = malt_request_new_buffer (request, (gsize) size, &data);
      memset (data, 7, (gsize) size);
    }

  return g_variant_new_from_bytes (G_VARIANT_TYPE_BYTESTRING, all, TRUE);
}

/* (ay) → ay, the same */
MALT_FUNCTION (echo)
{
  return g_variant_get_child_value (arguments, 0);
}

/* (ay) → x, how many */
MALT_FUNCTION (count)
{
  g_autoptr (GVariant) array = g_variant_get_child_value (arguments, 0);
  gsize n;

  g_variant_get_fixed_array (array, &n, 1);
  return g_variant_new_int64 ((gint64) n);
}

/* Channels.  Each is made with the thread that is at its end in the worker. */

static MaltChannel *down, *up;

static gpointer
numbers_thread (gpointer user_data)
{
  g_autoptr (MaltChannel) channel = user_data;
  gint64 i = 0;

  while (malt_channel_put (channel, g_variant_new_int64 (i), -1, NULL, NULL))
    i++;
  return NULL;
}

MALT_FUNCTION (numbers)
{
  g_autoptr (MaltChannel) channel = malt_channel_new (1000);

  malt_request_return_channel (request, channel);
  g_thread_unref (g_thread_new ("numbers", numbers_thread, g_object_ref (channel)));
  return NULL;
}

/* Takes what comes, and gives back what is not zero. */
static gpointer
down_thread (gpointer user_data)
{
  GVariant *value;

  while ((value = malt_channel_take (down, -1, NULL, NULL)) != NULL)
    {
      if (g_variant_get_int64 (value) != 0)
        malt_channel_put (up, value, -1, NULL, NULL);
      g_variant_unref (value);
    }
  return NULL;
}

MALT_FUNCTION (down)
{
  if (down == NULL)
    {
      down = malt_channel_new (1000);
      up = malt_channel_new (1000);
      g_thread_unref (g_thread_new ("down", down_thread, NULL));
    }
  malt_request_return_channel (request, down);
  return NULL;
}

MALT_FUNCTION (up)
{
  malt_request_return_channel (request, up);
  return NULL;
}
