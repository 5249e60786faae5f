/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-gjs-text.h"

#include <string.h>

#include <js/CharacterEncoding.h>
#include <js/String.h>

static char *
latin1_to_utf8 (const JS::Latin1Char *chars,
                gsize                 length,
                gsize                *size)
{
  gsize n_wide = 0;
  gsize i;
  char *text, *end;

  for (i = 0; i < length; i++)
    n_wide += chars[i] >> 7;

  text = end = (char *) g_malloc (length + n_wide + 1);
  if (n_wide == 0)
    {
      memcpy (text, chars, length);
      end += length;
    }
  else
    {
      for (i = 0; i < length; i++)
        end += g_unichar_to_utf8 (chars[i], end);
    }
  *end = '\0';
  *size = (gsize) (end - text);

  return text;
}

/* What is no character becomes "\udXXX" if @escapes, and else ends the text: then *@where
 * says where it is. */
static char *
utf16_to_utf8 (const char16_t *chars,
               gsize           length,
               gboolean        escapes,
               gsize          *size,
               gsize          *where)
{
  GString *text = g_string_sized_new (length + length / 2);
  gsize i;

  *where = length;
  for (i = 0; i < length; i++)
    {
      gunichar c = chars[i];

      if (c >= 0xd800 && c < 0xdc00 && i + 1 < length && chars[i + 1] >= 0xdc00 && chars[i + 1] < 0xe000)
        {
          c = 0x10000 + ((c - 0xd800) << 10) + (chars[i + 1] - 0xdc00u);
          i++;
        }
      else if (c >= 0xd800 && c < 0xe000)
        {
          if (!escapes)
            {
              *where = i;
              break;
            }
          g_string_append_printf (text, "\\u%04x", (guint) c);
          continue;
        }

      if (c < 0x80)
        g_string_append_c (text, (char) c);
      else
        g_string_append_unichar (text, c);
    }

  *size = text->len;
  return g_string_free (text, FALSE);
}

static char *
to_utf8 (JSContext        *cx,
         JS::HandleString  string,
         gboolean          escapes,
         gsize            *size,
         gsize            *where)
{
  gsize length;

  if (JS_EnsureLinearString (cx, string) == nullptr)
    return NULL;

  JS::AutoCheckCannotGC no_gc (cx);
  if (JS::StringHasLatin1Chars (string))
    {
      const JS::Latin1Char *chars = JS_GetLatin1StringCharsAndLength (cx, no_gc, string, &length);

      *where = length;
      return latin1_to_utf8 (chars, length, size);
    }

  const char16_t *chars = JS_GetTwoByteStringCharsAndLength (cx, no_gc, string, &length);

  return utf16_to_utf8 (chars, length, escapes, size, where);
}

/* The text of @string and its length in bytes; or %NULL with a flaw and the place of it, or
 * without a flaw and with an exception, if there was no memory. */
char *
malt_gjs_text_to_utf8 (JSContext        *cx,
                       JS::HandleString  string,
                       gsize            *size,
                       MaltGjsFlaw      *flaw,
                       gsize            *where)
{
  g_autofree char *text = to_utf8 (cx, string, FALSE, size, where);
  const char *nul;

  *flaw = MALT_GJS_TEXT_SOUND;
  if (text == NULL)
    return NULL;

  if (*where < JS_GetStringLength (string))
    {
      *flaw = MALT_GJS_TEXT_SURROGATE;
      return NULL;
    }

  nul = (const char *) memchr (text, 0, *size);
  if (nul != NULL)
    {
      *flaw = MALT_GJS_TEXT_NUL;
      *where = (gsize) g_utf8_strlen (text, nul - text);
      return NULL;
    }

  return (char *) g_steal_pointer (&text);
}

/* Any text as a C string: what such a one cannot hold is escaped.  %NULL, and no exception,
 * if there is no memory for it. */
char *
malt_gjs_text_escape (JSContext        *cx,
                      JS::HandleString  string)
{
  gsize size, where;
  g_autofree char *text = to_utf8 (cx, string, TRUE, &size, &where);
  GString *escaped;
  gsize i;

  if (text == NULL)
    {
      JS_ClearPendingException (cx);
      return NULL;
    }
  if (memchr (text, 0, size) == NULL)
    return (char *) g_steal_pointer (&text);

  escaped = g_string_sized_new (size);
  for (i = 0; i < size; i++)
    {
      if (text[i] != '\0')
        g_string_append_c (escaped, text[i]);
      else
        g_string_append (escaped, "\\0");
    }

  return g_string_free (escaped, FALSE);
}

/* A string of UTF-8; %NULL with an exception. */
JSString *
malt_gjs_text_new (JSContext  *cx,
                   const char *text,
                   gssize      size)
{
  return JS_NewStringCopyUTF8N (cx, JS::UTF8Chars (text, size >= 0 ? (gsize) size : strlen (text)));
}
