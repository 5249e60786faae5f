/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-gjs-place.h"

#include <stdarg.h>
#include <string.h>

/* More of a key than this says nothing, and leaves no room for the rest. */
#define MAX_KEY 60

static void
append_key (GString    *text,
            const char *what,
            const char *key)
{
  bool is_long = g_utf8_strlen (key, -1) > MAX_KEY;
  const char *end = is_long ? g_utf8_offset_to_pointer (key, MAX_KEY) : key + strlen (key);

  g_string_append_printf (text, "%s '%.*s%s'", what, (int) (end - key), key, is_long ? "…" : "");
}

static void
append (const MaltGjsPlace *self,
        GString            *text)
{
  bool is_keyword = self->outer != NULL && self->outer->kind == MALT_GJS_PLACE_KEYWORDS;

  if (self->outer != NULL && !is_keyword)
    {
      append (self->outer, text);
      g_string_append (text, ", ");
    }

  switch (self->kind)
    {
    case MALT_GJS_PLACE_ARGUMENT:
      g_string_append_printf (text, "argument %" G_GSIZE_FORMAT, self->index + 1);
      break;
    case MALT_GJS_PLACE_KEYWORDS:
      g_string_append (text, "keywords");
      break;
    case MALT_GJS_PLACE_ITEM:
      g_string_append_printf (text, "item %" G_GSIZE_FORMAT, self->index);
      break;
    case MALT_GJS_PLACE_KEY:
    default:
      append_key (text, is_keyword ? "argument" : "key", self->key);
    }
}

/* Sets an error that says where it was; the place is %NULL for the value as a whole. */
void
malt_gjs_place_fail (const MaltGjsPlace  *self,
                     GError             **error,
                     const char          *format,
                     ...)
{
  g_autofree char *reason = NULL;
  GString *text = g_string_new (NULL);
  va_list arguments;

  va_start (arguments, format);
  reason = g_strdup_vprintf (format, arguments);
  va_end (arguments);

  if (self != NULL)
    {
      append (self, text);
      g_string_append (text, ": ");
    }
  g_string_append (text, reason);

  g_set_error_literal (error, MALT_ERROR, MALT_ERROR_SERIALIZATION, text->str);
  g_string_free (text, TRUE);
}
