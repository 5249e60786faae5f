/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-output.h"

#include <errno.h>
#include <unistd.h>

#include "malt-report.h"

/* What the command writes.  Text is UTF-8 and goes out as such whatever the locale
 * says (g_print() would replace what the locale lacks), so that the bytes on a pipe
 * are the same everywhere. */

/* Makes a text, which may come from a worker, harmless to a terminal: control
 * characters, apart from line ends and tabs, become escape sequences, and so do bytes
 * that are not UTF-8. */
char *
malt_output_escape (const char *text)
{
  GString *escaped = g_string_new (NULL);

  while (*text != '\0')
    {
      gunichar c = g_utf8_get_char_validated (text, -1);
      const char *next;

      if (c == (gunichar) -1 || c == (gunichar) -2)
        {
          g_string_append_printf (escaped, "\\x%02x", (guchar) *text++);
          continue;
        }

      next = g_utf8_next_char (text);
      if (c == '\n' || c == '\t' || (c >= 0x20 && c < 0x7f) || c > 0x9f)
        g_string_append_len (escaped, text, next - text);
      else if (c < 0x80)
        g_string_append_printf (escaped, "\\x%02x", c);
      else
        g_string_append_printf (escaped, "\\u%04x", c);
      text = next;
    }

  return g_string_free (escaped, FALSE);
}

/* Writes a text: escaped if it goes to a terminal, as it is otherwise. */
void
malt_output_text (FILE       *stream,
                  const char *text)
{
  if (isatty (fileno (stream)))
    {
      g_autofree char *escaped = malt_output_escape (text);

      fputs (escaped, stream);
    }
  else
    {
      fputs (text, stream);
    }
}

/* Brings what was written to standard output on its way, and reports if that or an
 * earlier write failed.
 *
 * Where the reader of a pipe has gone, SIGPIPE has ended the command before it gets
 * here, as it does with most commands, unless whoever started it had that signal
 * ignored. */
gboolean
malt_output_flush (void)
{
  errno = 0;
  if (fflush (stdout) == 0 && !ferror (stdout))
    return TRUE;

  malt_report ("cannot write to standard output: %s",
               g_strerror (errno != 0 ? errno : EIO));
  clearerr (stdout);
  return FALSE;
}
