/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-message.h"

#include <string.h>

#include "malt-limits.h"
#include "malt-text.h"
#include "malt-value-scan.h"

#define CALL_TYPE    "(sva{sv})"
#define EVAL_TYPE    "(mss)"
#define VALUE_TYPE   "v"
#define ERROR_TYPE   "(yumsmsms)" /* domain, code, type, message, traceback */
#define NOTHING_TYPE "mv"

/* G_VARIANT_TYPE() would look at each of these again, and wants a zero byte after them. */
#define AS_TYPE(string) ((const GVariantType *) (string))

/* How the domains of errors are written. */
enum
{
  DOMAIN_MALT,
  DOMAIN_IO,
};

/* The bodies of calls, evaluations and values are written and read here by hand, because
 * they are what every call pays for: GVariant makes a value, and looks up a type, for each
 * of the containers around what the application has given.  It is the serialised form of
 * GVariant nevertheless, byte for byte.
 *
 *   string    its bytes, 0
 *   ms        nothing, or a string, 0
 *   v         the child, 0, the type of the child
 *   tuple     the members, each aligned (v and a{sv} to 8), then, last first, the offsets
 *             where the members end: not of the last, and not of those of fixed size
 *
 * Positions are bytes from the begin of a body, which is aligned itself. */

typedef struct
{
  const char *type;      /* not nul-terminated */
  gsize       type_size;
  gsize       child_end;
} Variant;

static gsize
align (gsize position)
{
  return (position + 7) & ~(gsize) 7;
}

/* Offsets are little-endian, and as wide as the size of their tuple asks for, which
 * includes them.  For a tuple that is there already, @n_offsets is 0. */
static guint
offset_size_for (gsize size,
                 guint n_offsets)
{
  guint offset_size = 1;

  while (offset_size < 8 && size + n_offsets * offset_size > G_MAXUINT64 >> (64 - 8 * offset_size))
    offset_size *= 2;

  return offset_size;
}

static void
write_offset (guint8 *to,
              gsize   offset,
              guint   offset_size)
{
  guint64 bytes = GUINT64_TO_LE ((guint64) offset);

  memcpy (to, &bytes, offset_size);
}

static gsize
read_offset (const guint8 *from,
             guint         offset_size)
{
  guint64 bytes = 0;

  memcpy (&bytes, from, offset_size);
  return (gsize) GUINT64_FROM_LE (bytes);
}

static gsize
size_of_variant (GVariant *child)
{
  return g_variant_get_size (child) + 1 + strlen (g_variant_get_type_string (child));
}

static void
write_variant (guint8   *to,
               GVariant *child)
{
  const char *type = g_variant_get_type_string (child);
  gsize size = g_variant_get_size (child);

  g_variant_store (child, to);
  to[size] = 0;
  memcpy (to + size + 1, type, strlen (type));
}

/* Takes apart a variant that was scanned. */
static Variant
read_variant (const guint8 *data,
              gsize         begin,
              gsize         end)
{
  const guint8 *zero = memrchr (data + begin, 0, end - begin);

  return (Variant) {
    .type = (const char *) zero + 1,
    .type_size = (gsize) (data + end - zero) - 1,
    .child_end = (gsize) (zero - data),
  };
}

static gboolean
is_type (const Variant *self,
         const char    *type)
{
  return self->type_size == strlen (type) && memcmp (self->type, type, self->type_size) == 0;
}

/* A value that lies in a body that was scanned, and keeps it.  It is trusted: GLib need
 * not look at it again.  The type needs no zero byte after it, as it ends by itself. */
static GVariant *
slice (GBytes     *body,
       const char *type,
       gsize       begin,
       gsize       end)
{
  g_autoptr (GBytes) bytes = g_bytes_new_from_bytes (body, begin, end - begin);

  return g_variant_ref_sink (g_variant_new_from_bytes (AS_TYPE (type), bytes, TRUE));
}

/* Room for a body, unless it is too large. */
static guint8 *
allocate (const char  *what,
          gsize        size,
          gsize        max_size,
          GError     **error)
{
  if (size <= max_size)
    return g_malloc (size);

  g_set_error (error, MALT_ERROR, MALT_ERROR_SERIALIZATION,
               "the %s is of %" G_GSIZE_FORMAT " bytes (limit %" G_GSIZE_FORMAT ")", what, size, max_size);
  return NULL;
}

/* Whether the other end will take the body: it looks at it in the same way.  Takes the
 * bytes. */
static GBytes *
check (const char  *what,
       const char  *type,
       guint8      *data,
       gsize        size,
       GError     **error)
{
  g_autofree char *reason = NULL;

  if (malt_value_scan (AS_TYPE (type), data, size, &reason))
    return g_bytes_new_take (data, size);

  g_set_error (error, MALT_ERROR, MALT_ERROR_SERIALIZATION, "the %s cannot cross: %s", what, reason);
  g_free (data);
  return NULL;
}

/* What is read from a body afterwards is what was looked at, as nobody else has it. */
static gboolean
scan (GBytes      *body,
      const char  *type,
      GError     **error)
{
  g_autofree char *reason = NULL;
  gconstpointer data = NULL;
  gsize size = 0;

  if (body != NULL)
    data = g_bytes_get_data (body, &size);
  if (malt_value_scan (AS_TYPE (type), data, size, &reason))
    return TRUE;

  g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "a body is not valid: %s", reason);
  return FALSE;
}

/* For what is not worth reading by hand. */
static GVariant *
parse (GBytes      *body,
       const char  *type,
       GError     **error)
{
  g_autoptr (GBytes) own = body != NULL ? g_bytes_ref (body) : g_bytes_new (NULL, 0);

  return scan (own, type, error) ? slice (own, type, 0, g_bytes_get_size (own)) : NULL;
}

/* @keywords is an a{sv} or %NULL. */
GBytes *
malt_message_new_call (const char  *function,
                       GVariant    *arguments,
                       GVariant    *keywords,
                       gsize        max_size,
                       GError     **error)
{
  const char *what = "call with its arguments";
  gsize function_end = strlen (function) + 1;
  gsize arguments_begin = align (function_end);
  gsize arguments_end = arguments_begin + size_of_variant (arguments);
  gsize keywords_begin = align (arguments_end);
  gsize keywords_end = keywords_begin + (keywords != NULL ? g_variant_get_size (keywords) : 0);
  guint offset_size = offset_size_for (keywords_end, 2);
  gsize size = keywords_end + 2 * offset_size;
  guint8 *data = allocate (what, size, max_size, error);

  if (data == NULL)
    return NULL;

  memcpy (data, function, function_end);
  memset (data + function_end, 0, arguments_begin - function_end);
  write_variant (data + arguments_begin, arguments);
  memset (data + arguments_end, 0, keywords_begin - arguments_end);
  if (keywords != NULL)
    g_variant_store (keywords, data + keywords_begin);
  write_offset (data + keywords_end, arguments_end, offset_size);
  write_offset (data + keywords_end + offset_size, function_end, offset_size);

  return check (what, CALL_TYPE, data, size, error);
}

/* @function lies in the body.  @arguments and @keywords are %NULL when they are empty. */
gboolean
malt_message_parse_call (GBytes      *body,
                         const char **function,
                         GVariant   **arguments,
                         GVariant   **keywords,
                         GError     **error)
{
  gsize function_end, arguments_begin, arguments_end, keywords_begin, keywords_end, size;
  const guint8 *data;
  guint offset_size;
  Variant boxed;

  if (!scan (body, CALL_TYPE, error))
    return FALSE;

  data = g_bytes_get_data (body, &size);
  offset_size = offset_size_for (size, 0);
  keywords_end = size - 2 * offset_size;
  arguments_end = read_offset (data + keywords_end, offset_size);
  function_end = read_offset (data + keywords_end + offset_size, offset_size);
  arguments_begin = align (function_end);
  keywords_begin = align (arguments_end);

  boxed = read_variant (data, arguments_begin, arguments_end);
  if (*boxed.type != '(')
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                   "the arguments of a call are of type %.*s instead of a tuple",
                   (int) boxed.type_size, boxed.type);
      return FALSE;
    }

  *function = (const char *) data;
  *arguments = NULL;
  if (!is_type (&boxed, "()"))
    *arguments = slice (body, boxed.type, arguments_begin, boxed.child_end);
  *keywords = NULL;
  if (keywords_begin < keywords_end)
    *keywords = slice (body, "a{sv}", keywords_begin, keywords_end);

  return TRUE;
}

GBytes *
malt_message_new_eval (const char  *module,
                       const char  *source,
                       gsize        max_size,
                       GError     **error)
{
  const char *what = "source";
  gsize module_end = module != NULL ? strlen (module) + 2 : 0;
  gsize source_end = module_end + strlen (source) + 1;
  guint offset_size = offset_size_for (source_end, 1);
  gsize size = source_end + offset_size;
  guint8 *data = allocate (what, size, max_size, error);

  if (data == NULL)
    return NULL;

  if (module != NULL)
    {
      memcpy (data, module, module_end - 1);
      data[module_end - 1] = 0;
    }
  memcpy (data + module_end, source, source_end - module_end);
  write_offset (data + source_end, module_end, offset_size);

  return check (what, EVAL_TYPE, data, size, error);
}

/* @module, which may be %NULL, and @source lie in the body. */
gboolean
malt_message_parse_eval (GBytes      *body,
                         const char **module,
                         const char **source,
                         GError     **error)
{
  const guint8 *data;
  gsize module_end, size;
  guint offset_size;

  if (!scan (body, EVAL_TYPE, error))
    return FALSE;

  data = g_bytes_get_data (body, &size);
  offset_size = offset_size_for (size, 0);
  module_end = read_offset (data + size - offset_size, offset_size);

  *module = module_end > 0 ? (const char *) data : NULL;
  *source = (const char *) data + module_end;
  return TRUE;
}

/* A value of %NULL is nothing. */
GBytes *
malt_message_new_value (GVariant  *value,
                        gsize      max_size,
                        GError   **error)
{
  const char *what = "value";
  gsize size;
  guint8 *data;

  if (value == NULL)
    return g_bytes_new_static ("\0" NOTHING_TYPE, 1 + strlen (NOTHING_TYPE));

  size = size_of_variant (value);
  data = allocate (what, size, max_size, error);
  if (data == NULL)
    return NULL;

  write_variant (data, value);
  return check (what, VALUE_TYPE, data, size, error);
}

/* @value is %NULL when it is nothing. */
gboolean
malt_message_parse_value (GBytes    *body,
                          GVariant **value,
                          GError   **error)
{
  const guint8 *data;
  Variant boxed;
  gsize size;

  if (!scan (body, VALUE_TYPE, error))
    return FALSE;

  data = g_bytes_get_data (body, &size);
  boxed = read_variant (data, 0, size);
  *value = NULL;
  if (boxed.child_end > 0 || !is_type (&boxed, NOTHING_TYPE))
    *value = slice (body, boxed.type, 0, boxed.child_end);

  return TRUE;
}

/* Errors of domains that the other end does not know must have been turned into
 * remote exceptions before. */
GBytes *
malt_message_new_error (const GError *failure)
{
  g_autoptr (GVariant) body = NULL;
  g_autofree char *type = malt_remote_error_dup_type (failure);
  g_autofree char *message = malt_remote_error_dup_message (failure);
  g_autofree char *traceback = malt_remote_error_dup_traceback (failure);
  g_autofree char *cut_type = malt_text_cut (type, MALT_LIMIT_TYPE_STRING);
  g_autofree char *cut_message = malt_text_cut (message != NULL ? message : failure->message,
                                                MALT_LIMIT_ERROR_TEXT);
  g_autofree char *cut_traceback = malt_text_cut (traceback, MALT_LIMIT_TRACEBACK);

  g_assert (failure->domain == MALT_ERROR || failure->domain == G_IO_ERROR);

  body = g_variant_ref_sink (g_variant_new (ERROR_TYPE,
                                            (guchar) (failure->domain == MALT_ERROR ? DOMAIN_MALT : DOMAIN_IO),
                                            (guint32) failure->code,
                                            cut_type, cut_message, cut_traceback));
  return g_variant_get_data_as_bytes (body);
}

/* What a worker may say of how a request ended: the rest is for the manager to say. */
static gboolean
is_code_allowed (guchar  domain,
                 guint32 code)
{
  if (domain == DOMAIN_IO)
    return code <= G_IO_ERROR_NO_SUCH_DEVICE;

  switch (code)
    {
    case MALT_ERROR_REMOTE:
    case MALT_ERROR_START:
    case MALT_ERROR_SERIALIZATION:
    case MALT_ERROR_INTERRUPTED:
    case MALT_ERROR_NOT_SUPPORTED:
    case MALT_ERROR_NOT_FOUND:
      return domain == DOMAIN_MALT;
    default:
      return FALSE;
    }
}

/* Gives the failure that the body tells of, or %NULL with @error set when the body
 * itself is wrong. */
GError *
malt_message_parse_error (GBytes  *body,
                          GError **error)
{
  g_autoptr (GVariant) variant = parse (body, ERROR_TYPE, error);
  guchar domain;
  guint32 code;
  g_autofree char *type = NULL;
  g_autofree char *message = NULL;
  g_autofree char *traceback = NULL;

  if (variant == NULL)
    return NULL;

  g_variant_get (variant, ERROR_TYPE, &domain, &code, &type, &message, &traceback);
  if (!is_code_allowed (domain, code))
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                   "an error is of the unknown domain %u or code %u", domain, code);
      return NULL;
    }

  if (domain == DOMAIN_MALT)
    return malt_remote_error_new ((MaltError) code, type, message, traceback);

  return g_error_new_literal (G_IO_ERROR, (int) code, message != NULL ? message : "");
}

GVariant *
malt_message_parse_dictionary (GBytes  *body,
                               GError **error)
{
  return parse (body, "a{sv}", error);
}
