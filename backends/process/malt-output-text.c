/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-output-text.h"

/* What a worker prints, made fit for a terminal and for messages: valid UTF-8 in which
 * nothing moves the cursor, changes a colour or answers for the user. */

static gboolean
is_plain (char byte)
{
  return ((guchar) byte >= 0x20 && (guchar) byte < 0x7f) || byte == '\n' || byte == '\t';
}

static gboolean
is_control (gunichar character)
{
  return character < 0x20 || (character >= 0x7f && character < 0xa0);
}

/* Appends text in which control characters but newline and tab are written as \x1b,
 * and each byte that is not UTF-8 as U+FFFD.  A carriage return before a newline is
 * left out. */
void
malt_output_text_append_escaped (GString    *output,
                                 const char *text,
                                 gsize       size)
{
  const char *end = text + size;
  const char *plain = text;

  while (text < end)
    {
      gunichar character;
      const char *next;

      if (is_plain (*text))
        {
          text++;
          continue;
        }

      character = *text == '\0' ? 0 : g_utf8_get_char_validated (text, end - text);
      if (character == (gunichar) -1 || character == (gunichar) -2)
        {
          g_string_append_len (output, plain, text - plain);
          g_string_append (output, "\357\277\275");
          plain = ++text;
          continue;
        }

      next = text + g_unichar_to_utf8 (character, NULL);
      if (is_control (character))
        {
          g_string_append_len (output, plain, text - plain);
          if (character != '\r' || next == end || *next != '\n')
            g_string_append_printf (output, "\\x%02x", (guint) character);
          plain = next;
        }
      text = next;
    }

  g_string_append_len (output, plain, text - plain);
}

/* Counts the bytes at the end that are the beginning of a character whose rest is yet
 * to come: 0 to 3. */
gsize
malt_output_text_count_incomplete (const char *text,
                                   gsize       size)
{
  gsize n;

  for (n = 1; n <= 3 && n <= size; n++)
    {
      guchar byte = (guchar) text[size - n];

      if (byte >= 0xc0)
        {
          gsize length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;

          return n < length ? n : 0;
        }
      if (byte < 0x80)
        return 0;
    }

  return 0;
}
