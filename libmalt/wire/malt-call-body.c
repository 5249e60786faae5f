/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-call-body.h"

#include "malt-limits.h"

gboolean
malt_call_body_read (MaltArenaView    *view,
                     MaltPeer          peer,
                     const MaltFrame  *frame,
                     gconstpointer     data,
                     GBytes           *body,
                     gsize             max_value,
                     const char      **function,
                     GVariant        **arguments,
                     GVariant        **keywords,
                     GError          **error)
{
  g_autoptr (GVariant) large_arguments = NULL;
  gsize rest;

  if ((frame->flags & MALT_FRAME_IN_ARENA) == 0)
    return malt_message_read_call (data, frame->length, body, function, arguments, keywords, error);

  if (!malt_large_value_take (view, peer, data, frame->length, max_value, &large_arguments, &rest, error))
    return FALSE;
  if (!g_variant_type_is_tuple (g_variant_get_type (large_arguments)))
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                   "the arguments of a call are of type %s instead of a tuple",
                   g_variant_get_type_string (large_arguments));
      return FALSE;
    }
  if (!malt_message_read_call ((const guint8 *) data + rest, frame->length - rest, NULL,
                               function, arguments, keywords, error))
    return FALSE;

  g_clear_pointer (arguments, g_variant_unref);
  *arguments = g_steal_pointer (&large_arguments);
  return TRUE;
}

gsize
malt_call_body_weigh (GVariant *arguments,
                      GVariant *keywords)
{
  gsize size = (arguments != NULL ? g_variant_get_size (arguments) : 0) +
               (keywords != NULL ? g_variant_get_size (keywords) : 0);

  return size > MALT_LIMIT_SMALL_HOST_CALL ? size : 0;
}

gboolean
malt_call_body_write (MaltArena        *arena,
                      MaltPeer          peer,
                      const char       *function,
                      GVariant         *arguments,
                      GVariant         *keywords,
                      gsize             max_body,
                      gsize             max_value,
                      MaltFrame        *frame,
                      MaltLargeValue   *value,
                      GBytes          **body,
                      MaltMessage      *message,
                      GError          **error)
{
  g_autoptr (GBytes) rest = NULL;
  GError *failure = NULL;

  message->block = NULL;
  if (arena == NULL || arguments == NULL || g_variant_get_size (arguments) < MALT_LARGE_VALUE_SIZE)
    return malt_message_write_call (message, function, arguments, keywords, max_body, error);

  rest = malt_message_new_call (function, NULL, keywords, max_body, error);
  if (rest == NULL)
    return FALSE;
  if (malt_large_value_put (value, arena, peer, arguments, rest, max_value, body, &failure))
    {
      frame->flags |= MALT_FRAME_IN_ARENA;
      return TRUE;
    }
  if (failure == NULL) /* there is no room for them */
    return malt_message_write_call (message, function, arguments, keywords, max_body, error);

  g_propagate_error (error, failure);
  return FALSE;
}
