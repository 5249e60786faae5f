/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-json-check.h"

#include <errno.h>
#include <json-glib/json-glib.h>
#include <math.h>
#include <string.h>

/* Whether a text is JSON that has a value here.
 *
 * json-glib reads all of JSON, and more: comments, `'text'`, `0x10`, `var x = 1`.
 * It also takes an integer that does not fit 64 bits for another one, and cuts a
 * string at `\u0000`.  On a command line each of these is more likely a mistake, so
 * what json-glib is to read is held against RFC 8259 first. */

/* Bounds the recursion; a value that is nested as deep cannot cross anyway. */
#define MAX_DEPTH 32

typedef struct
{
  const char *text;
  const char *at;
  guint       depth;
} Checker;

static gboolean check_value (Checker  *self,
                             GError  **error);

/* The messages go on after the name of what was to be JSON. */

static gboolean
fail (Checker     *self,
      const char  *message,
      GError     **error)
{
  g_set_error (error, JSON_PARSER_ERROR, JSON_PARSER_ERROR_PARSE,
               "is not valid JSON, %s at byte %" G_GSIZE_FORMAT,
               message, (gsize) (self->at - self->text) + 1);
  return FALSE;
}

static gboolean
refuse (Checker     *self,
        const char  *what,
        GError     **error)
{
  g_set_error (error, JSON_PARSER_ERROR, JSON_PARSER_ERROR_INVALID_DATA,
               "has %s at byte %" G_GSIZE_FORMAT,
               what, (gsize) (self->at - self->text) + 1);
  return FALSE;
}

static void
skip_space (Checker *self)
{
  self->at += strspn (self->at, " \t\n\r");
}

static gboolean
skip_char (Checker *self,
           char     c)
{
  if (*self->at != c)
    return FALSE;

  self->at++;
  return TRUE;
}

static gboolean
skip_digits (Checker *self)
{
  const char *first = self->at;

  while (g_ascii_isdigit (*self->at))
    self->at++;

  return self->at > first;
}

static gboolean
check_number (Checker  *self,
              GError  **error)
{
  const char *first = self->at;
  const char *last;
  gboolean is_integer = TRUE;

  skip_char (self, '-');
  if (!skip_char (self, '0') && !skip_digits (self))
    return fail (self, "expected a digit", error);

  if (skip_char (self, '.'))
    {
      is_integer = FALSE;
      if (!skip_digits (self))
        return fail (self, "expected a digit", error);
    }

  if (skip_char (self, 'e') || skip_char (self, 'E'))
    {
      is_integer = FALSE;
      if (!skip_char (self, '+'))
        skip_char (self, '-');
      if (!skip_digits (self))
        return fail (self, "expected a digit", error);
    }

  last = self->at;
  self->at = first;
  errno = 0;
  if (is_integer)
    {
      g_ascii_strtoll (first, NULL, 10);
      if (errno == ERANGE)
        return refuse (self, "an integer that does not fit 64 bits", error);
    }
  else if (!isfinite (g_ascii_strtod (first, NULL)))
    {
      return refuse (self, "a number that is too large for a double", error);
    }

  self->at = last;
  return TRUE;
}

/* The four digits of a \u escape; -1 where there are none. */
static int
read_hex (Checker *self)
{
  int code = 0;
  int i;

  for (i = 0; i < 4; i++)
    {
      if (!g_ascii_isxdigit (self->at[i]))
        return -1;
      code = code * 16 + g_ascii_xdigit_value (self->at[i]);
    }

  self->at += 4;
  return code;
}

static gboolean
check_escape (Checker  *self,
              GError  **error)
{
  int code;

  if (*self->at != '\0' && strchr ("\"\\/bfnrt", *self->at) != NULL)
    {
      self->at++;
      return TRUE;
    }

  if (!skip_char (self, 'u'))
    return fail (self, "expected an escape sequence of JSON", error);

  code = read_hex (self);
  if (code < 0)
    return fail (self, "expected four hexadecimal digits", error);
  if (code == 0)
    return refuse (self, "a string with a null character", error);
  if (code >= 0xdc00 && code <= 0xdfff)
    return fail (self, "there is half a surrogate pair", error);
  if (code >= 0xd800 && code <= 0xdbff)
    {
      if (!skip_char (self, '\\') || !skip_char (self, 'u'))
        return fail (self, "there is half a surrogate pair", error);
      code = read_hex (self);
      if (code < 0xdc00 || code > 0xdfff)
        return fail (self, "there is half a surrogate pair", error);
    }

  return TRUE;
}

static gboolean
check_string (Checker  *self,
              GError  **error)
{
  if (!skip_char (self, '"'))
    return fail (self, "expected a string", error);

  while (!skip_char (self, '"'))
    {
      if (*self->at == '\0')
        return fail (self, "expected the end of the string", error);
      if ((guchar) *self->at < 0x20)
        return fail (self, "there is a control character in a string", error);
      if (*self->at++ == '\\' && !check_escape (self, error))
        return FALSE;
    }

  return TRUE;
}

static gboolean
check_member (Checker  *self,
              GError  **error)
{
  skip_space (self);
  if (!check_string (self, error))
    return FALSE;

  skip_space (self);
  if (!skip_char (self, ':'))
    return fail (self, "expected ':'", error);

  return check_value (self, error);
}

static gboolean
check_container (Checker   *self,
                 char       end,
                 gboolean (* check_item) (Checker *, GError **),
                 GError   **error)
{
  if (++self->depth > MAX_DEPTH)
    return refuse (self, "an array or object inside too many others", error);

  self->at++;
  skip_space (self);
  if (!skip_char (self, end))
    {
      for (;;)
        {
          if (!check_item (self, error))
            return FALSE;
          if (skip_char (self, end))
            break;
          if (!skip_char (self, ','))
            return fail (self, end == ']' ? "expected ',' or ']'" : "expected ',' or '}'", error);
        }
    }

  self->depth--;
  return TRUE;
}

static gboolean
check_literal (Checker  *self,
               GError  **error)
{
  static const char * const literals[] = { "true", "false", "null" };
  guint i;

  for (i = 0; i < G_N_ELEMENTS (literals); i++)
    {
      if (g_str_has_prefix (self->at, literals[i]))
        {
          self->at += strlen (literals[i]);
          return TRUE;
        }
    }

  return fail (self, "expected a value", error);
}

/* With the white space on both sides of it. */
static gboolean
check_value (Checker  *self,
             GError  **error)
{
  gboolean is_valid;

  skip_space (self);

  if (*self->at == '{')
    is_valid = check_container (self, '}', check_member, error);
  else if (*self->at == '[')
    is_valid = check_container (self, ']', check_value, error);
  else if (*self->at == '"')
    is_valid = check_string (self, error);
  else if (*self->at == '-' || g_ascii_isdigit (*self->at))
    is_valid = check_number (self, error);
  else
    is_valid = check_literal (self, error);

  skip_space (self);
  return is_valid;
}

/* Whether a text is one JSON value, each of its integers fits 64 bits with a sign, and
 * each string can be one of GVariant's. */
gboolean
malt_json_check (const char  *text,
                 GError     **error)
{
  Checker self = { text, text, 0 };

  if (!g_utf8_validate (text, -1, &self.at))
    return fail (&self, "expected UTF-8", error);

  self.at = text;
  if (!check_value (&self, error))
    return FALSE;

  if (*self.at != '\0')
    return fail (&self, "expected nothing more", error);

  return TRUE;
}
