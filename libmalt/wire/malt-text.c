/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-text.h"

#include <string.h>

/* Room for the word about what was left out. */
#define MARK_SIZE 48

#define EACH_BYTE(value) (G_MAXUINT64 / 0xff * (value))

/* Whether the text is valid UTF-8 without zero bytes, as g_utf8_validate_len() says.  Most
 * are of ASCII letters, of which it looks at eight at a time. */
gboolean
malt_text_is_valid (const char *text,
                    gsize       length)
{
  gsize done;

  for (done = 0; length - done >= 8; done += 8)
    {
      guint64 letters;

      /* The subtraction borrows into the upper bit of a byte that is zero, and of none
       * below the first such. */
      memcpy (&letters, text + done, 8);
      if (((letters | (letters - EACH_BYTE (0x01))) & EACH_BYTE (0x80)) != 0)
        return g_utf8_validate_len (text + done, length - done, NULL);
    }

  for (; done < length; done++)
    if ((signed char) text[done] <= 0)
      return g_utf8_validate_len (text + done, length - done, NULL);

  return TRUE;
}

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
