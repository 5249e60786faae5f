/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-text.h"

#include <string.h>

/* Room for the word about what was left out. */
#define MARK_SIZE 48

/* At most @limit bytes of the text, as valid UTF-8, with a word about what was left out; a
 * text that was cut before stays as it is.  %NULL gives %NULL. */
char *
malt_text_cut (const char *text,
               gsize       limit)
{
  gsize length;
  const char *end;

  if (text == NULL)
    return NULL;

  length = strlen (text);
  if (length <= limit + MARK_SIZE)
    return g_utf8_make_valid (text, (gssize) length);

  end = g_utf8_find_prev_char (text, text + limit);
  if (end == NULL)
    end = text + limit;

  {
    g_autofree char *begin = g_utf8_make_valid (text, end - text);

    return g_strdup_printf ("%s… (%" G_GSIZE_FORMAT " bytes more)", begin, length - (gsize) (end - text));
  }
}
