/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-message.h"

#include <string.h>

#include "malt-kept-types.h"
#include "malt-limits.h"
#include "malt-offset.h"
#include "malt-text.h"
#include "malt-value-scan.h"

#define CALL_TYPE    "(sva{sv})"
#define EVAL_TYPE    "(mss)"
#define VALUE_TYPE   "v"
#define CHANNEL_TYPE "(uuu)"      /* id, capacity, credit */
#define ERROR_TYPE   "(yumsmsms)" /* domain, code, type, message, traceback */
#define PROGRESS_TYPE "(ds)"
#define NOTHING_TYPE "mv"
#define EMPTY_TYPE   "()"

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

/* A value that is to be written as a variant. */
typedef struct
{
  GVariant   *child;       /* NULL for a constant one */
  const char *type;
  gsize       type_size;
  gsize       child_size;
} Boxed;

static Boxed
box (GVariant *child)
{
  const char *type = g_variant_get_type_string (child);

  malt_kept_types_add (type);
  return (Boxed) { child, type, strlen (type), g_variant_get_size (child) };
}

/* An empty tuple is of one byte, which is zero. */
static Boxed
box_arguments (GVariant *arguments)
{
  if (arguments == NULL || strcmp (g_variant_get_type_string (arguments), EMPTY_TYPE) == 0)
    return (Boxed) { NULL, EMPTY_TYPE, strlen (EMPTY_TYPE), 1 };

  return box (arguments);
}

static gsize
size_of_boxed (const Boxed *self)
{
  return self->child_size + 1 + self->type_size;
}

static void
write_boxed (guint8      *to,
             const Boxed *self)
{
  if (self->child != NULL)
    g_variant_store (self->child, to);
  else
    memset (to, 0, self->child_size);
  to[self->child_size] = 0;
  memcpy (to + self->child_size + 1, self->type, self->type_size);
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

/* A value that lies in bytes that were scanned, and keeps their body or has a copy.  It is
 * trusted: GLib need not look at it again.  The type needs no zero byte after it, as it
 * ends by itself. */
static GVariant *
slice (const guint8 *data,
       GBytes       *body,
       const char   *type,
       gsize         begin,
       gsize         end)
{
  g_autoptr (GBytes) bytes = NULL;
  GVariant *value;

  if (body != NULL)
    bytes = g_bytes_new_from_bytes (body, begin, end - begin);
  else
    bytes = g_bytes_new (end > begin ? data + begin : NULL, end - begin);

  value = g_variant_take_ref (g_variant_new_from_bytes (AS_TYPE (type), bytes, TRUE));
  malt_kept_types_add (g_variant_get_type_string (value));
  return value;
}

/* Room for a body, unless it is too large. */
static guint8 *
allocate (MaltMessage  *self,
          const char   *what,
          gsize         size,
          gsize         max_size,
          GError      **error)
{
  if (size > max_size)
    {
      g_set_error (error, MALT_ERROR, MALT_ERROR_SERIALIZATION,
                   "the %s is of %" G_GSIZE_FORMAT " bytes (limit %" G_GSIZE_FORMAT ")", what, size, max_size);
      return NULL;
    }

  self->block = size > sizeof self->small ? g_malloc (size) : NULL;
  self->size = size;
  self->data = self->block != NULL ? self->block : self->small;

  return (guint8 *) self->data;
}

/* Whether it is seen at once that a variant is good. */
static gboolean
is_plain_variant (const guint8 *data,
                  gsize         size)
{
  const guint8 *zero = size > 0 ? memrchr (data, 0, size) : NULL;

  return zero != NULL &&
         malt_value_is_plain ((const char *) zero + 1, (gsize) (data + size - zero) - 1, data, (gsize) (zero - data));
}

/* Zero bytes up to where a member that is aligned to 8 begins. */
static gboolean
is_padded (const guint8 *data,
           gsize         end)
{
  for (; (end & 7) != 0; end++)
    if (data[end] != 0)
      return FALSE;

  return TRUE;
}

/* Whether it is seen at once that a call is good: it is small enough for offsets of one
 * byte, and has no keywords.  A body that is not may be good all the same. */
static gboolean
is_plain_call (const guint8 *data,
               gsize         size)
{
  gsize function_end, arguments_begin, arguments_end;

  if (size < 4 || size > G_MAXUINT8)
    return FALSE;

  function_end = data[size - 1];
  arguments_end = data[size - 2];
  arguments_begin = malt_offset_align (function_end);

  return function_end > 0 && arguments_begin < arguments_end && malt_offset_align (arguments_end) == size - 2 &&
         data[function_end - 1] == 0 && malt_text_is_valid ((const char *) data, function_end - 1) &&
         is_padded (data, function_end) && is_padded (data, arguments_end) &&
         is_plain_variant (data + arguments_begin, arguments_end - arguments_begin);
}

/* Whether this end would take the body. */
static gboolean
is_good (const char    *type,
         gconstpointer  data,
         gsize          size,
         char         **reason)
{
  if (*type == '(' && type[1] == 's' ? is_plain_call (data, size) : *type == 'v' && is_plain_variant (data, size))
    return TRUE;

  return malt_value_scan (AS_TYPE (type), data, size, reason);
}

/* Whether the other end will take the body: it looks at it in the same way. */
static gboolean
check (MaltMessage  *self,
       const char   *what,
       const char   *type,
       GError      **error)
{
  g_autofree char *reason = NULL;

  if (is_good (type, self->data, self->size, &reason))
    return TRUE;

  g_set_error (error, MALT_ERROR, MALT_ERROR_SERIALIZATION, "the %s cannot cross: %s", what, reason);
  malt_message_clear (self);
  return FALSE;
}

/* What is read from a body afterwards is what was looked at, as nobody else has it. */
static gboolean
scan (gconstpointer  data,
      gsize          size,
      const char    *type,
      GError       **error)
{
  g_autofree char *reason = NULL;

  if (is_good (type, data, size, &reason))
    return TRUE;

  g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "a body is not valid: %s", reason);
  return FALSE;
}

void
malt_message_clear (MaltMessage *self)
{
  g_clear_pointer (&self->block, g_free);
}

GBytes *
malt_message_take_bytes (MaltMessage *self)
{
  if (self->block == NULL)
    return g_bytes_new (self->data, self->size);

  return g_bytes_new_take (g_steal_pointer (&self->block), self->size);
}

gboolean
malt_message_write_call (MaltMessage  *self,
                         const char   *function,
                         GVariant     *arguments,
                         GVariant     *keywords,
                         gsize         max_size,
                         GError      **error)
{
  const char *what = "call with its arguments";
  Boxed boxed = box_arguments (arguments);
  gsize function_end = strlen (function) + 1;
  gsize arguments_begin = malt_offset_align (function_end);
  gsize arguments_end = arguments_begin + size_of_boxed (&boxed);
  gsize keywords_begin = malt_offset_align (arguments_end);
  gsize keywords_end = keywords_begin + (keywords != NULL ? g_variant_get_size (keywords) : 0);
  guint offset_size = malt_offset_size_for (keywords_end, 2);
  guint8 *data = allocate (self, what, keywords_end + 2 * offset_size, max_size, error);

  if (data == NULL)
    return FALSE;

  memcpy (data, function, function_end);
  memset (data + function_end, 0, arguments_begin - function_end);
  write_boxed (data + arguments_begin, &boxed);
  memset (data + arguments_end, 0, keywords_begin - arguments_end);
  if (keywords != NULL)
    g_variant_store (keywords, data + keywords_begin);
  malt_offset_write (data + keywords_end, arguments_end, offset_size);
  malt_offset_write (data + keywords_end + offset_size, function_end, offset_size);

  return check (self, what, CALL_TYPE, error);
}

GBytes *
malt_message_new_call (const char  *function,
                       GVariant    *arguments,
                       GVariant    *keywords,
                       gsize        max_size,
                       GError     **error)
{
  MaltMessage message;

  return malt_message_write_call (&message, function, arguments, keywords, max_size, error)
         ? malt_message_take_bytes (&message) : NULL;
}

gboolean
malt_message_read_call (gconstpointer   data,
                        gsize           size,
                        GBytes         *body,
                        const char    **function,
                        GVariant      **arguments,
                        GVariant      **keywords,
                        GError        **error)
{
  const guint8 *bytes = data;
  gsize function_end, arguments_begin, arguments_end, keywords_begin, keywords_end;
  guint offset_size;
  Variant boxed;

  if (!scan (data, size, CALL_TYPE, error))
    return FALSE;

  offset_size = malt_offset_size_for (size, 0);
  keywords_end = size - 2 * offset_size;
  arguments_end = malt_offset_read (bytes + keywords_end, offset_size);
  function_end = malt_offset_read (bytes + keywords_end + offset_size, offset_size);
  arguments_begin = malt_offset_align (function_end);
  keywords_begin = malt_offset_align (arguments_end);

  boxed = read_variant (bytes, arguments_begin, arguments_end);
  if (*boxed.type != '(')
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                   "the arguments of a call are of type %.*s instead of a tuple",
                   (int) boxed.type_size, boxed.type);
      return FALSE;
    }

  *function = (const char *) data;
  *arguments = NULL;
  if (!is_type (&boxed, EMPTY_TYPE))
    *arguments = slice (bytes, body, boxed.type, arguments_begin, boxed.child_end);
  *keywords = NULL;
  if (keywords_begin < keywords_end)
    *keywords = slice (bytes, body, "a{sv}", keywords_begin, keywords_end);

  return TRUE;
}

gboolean
malt_message_write_eval (MaltMessage  *self,
                         const char   *module,
                         const char   *source,
                         gsize         max_size,
                         GError      **error)
{
  const char *what = "source";
  gsize module_end = module != NULL ? strlen (module) + 2 : 0;
  gsize source_end = module_end + strlen (source) + 1;
  guint offset_size = malt_offset_size_for (source_end, 1);
  guint8 *data = allocate (self, what, source_end + offset_size, max_size, error);

  if (data == NULL)
    return FALSE;

  if (module != NULL)
    {
      memcpy (data, module, module_end - 1);
      data[module_end - 1] = 0;
    }
  memcpy (data + module_end, source, source_end - module_end);
  malt_offset_write (data + source_end, module_end, offset_size);

  return check (self, what, EVAL_TYPE, error);
}

gboolean
malt_message_read_eval (gconstpointer   data,
                        gsize           size,
                        const char    **module,
                        const char    **source,
                        GError        **error)
{
  const guint8 *bytes = data;
  gsize module_end;
  guint offset_size;

  if (!scan (data, size, EVAL_TYPE, error))
    return FALSE;

  offset_size = malt_offset_size_for (size, 0);
  module_end = malt_offset_read (bytes + size - offset_size, offset_size);

  *module = module_end > 0 ? (const char *) bytes : NULL;
  *source = (const char *) bytes + module_end;
  return TRUE;
}

#define NOTHING      "\0" NOTHING_TYPE
#define NOTHING_SIZE (sizeof NOTHING - 1)

gboolean
malt_message_write_value (MaltMessage  *self,
                          GVariant     *value,
                          gsize         max_size,
                          GError      **error)
{
  const char *what = "value";
  Boxed boxed;
  guint8 *data;

  if (value == NULL)
    {
      self->data = NOTHING;
      self->size = NOTHING_SIZE;
      self->block = NULL;
      return TRUE;
    }

  boxed = box (value);
  data = allocate (self, what, size_of_boxed (&boxed), max_size, error);
  if (data == NULL)
    return FALSE;

  write_boxed (data, &boxed);
  return check (self, what, VALUE_TYPE, error);
}

gboolean
malt_message_read_value (gconstpointer   data,
                         gsize           size,
                         GBytes         *body,
                         GVariant      **value,
                         GError        **error)
{
  Variant boxed;

  *value = NULL;
  if (size == NOTHING_SIZE && memcmp (data, NOTHING, NOTHING_SIZE) == 0)
    return TRUE;
  if (!scan (data, size, VALUE_TYPE, error))
    return FALSE;

  boxed = read_variant (data, 0, size);
  *value = slice (data, body, boxed.type, 0, boxed.child_end);

  return TRUE;
}

gboolean
malt_message_check_value (GVariant  *value,
                          gsize      max_size,
                          GError   **error)
{
  Boxed boxed = box (value);
  MaltMessage message;

  if (size_of_boxed (&boxed) <= max_size &&
      malt_value_is_plain (boxed.type, boxed.type_size, g_variant_get_data (value), boxed.child_size))
    return TRUE;
  if (!malt_message_write_value (&message, value, max_size, error))
    return FALSE;

  malt_message_clear (&message);
  return TRUE;
}

/* Numbers of 32 bits, which have no padding. */
void
malt_message_write_channel (MaltMessage *self,
                            guint32      id,
                            guint        capacity,
                            guint        credit)
{
  guint32 numbers[3] = { id, capacity, credit };

  memcpy (allocate (self, "channel", sizeof numbers, sizeof numbers, NULL), numbers, sizeof numbers);
}

gboolean
malt_message_read_channel (gconstpointer   data,
                           gsize           size,
                           guint32        *id,
                           guint          *capacity,
                           guint          *credit,
                           GError        **error)
{
  guint32 numbers[3];

  if (!scan (data, size, CHANNEL_TYPE, error))
    return FALSE;

  memcpy (numbers, data, sizeof numbers);
  *id = numbers[0];
  *capacity = numbers[1];
  *credit = numbers[2];
  if (*id != 0 && *capacity != 0 && *capacity <= G_MAXINT32 && *credit <= *capacity)
    return TRUE;

  g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
               "a channel has the id %u, the capacity %u and the credit %u", *id, *capacity, *credit);
  return FALSE;
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

/* For what is not worth reading by hand. */
static GVariant *
read_variant_of_type (gconstpointer   data,
                      gsize           size,
                      const char     *type,
                      GError        **error)
{
  return scan (data, size, type, error) ? slice (data, NULL, type, 0, size) : NULL;
}

static GError *
read_error (gconstpointer   data,
            gsize           size,
            gboolean        any_code,
            GError        **error)
{
  g_autoptr (GVariant) variant = read_variant_of_type (data, size, ERROR_TYPE, error);
  guchar domain;
  guint32 code;
  g_autofree char *type = NULL;
  g_autofree char *message = NULL;
  g_autofree char *traceback = NULL;

  if (variant == NULL)
    return NULL;

  g_variant_get (variant, ERROR_TYPE, &domain, &code, &type, &message, &traceback);
  if (any_code ? domain > DOMAIN_IO || code > (domain == DOMAIN_IO ? (guint32) G_IO_ERROR_NO_SUCH_DEVICE
                                                                   : (guint32) MALT_ERROR_NOT_FOUND)
               : !is_code_allowed (domain, code))
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                   "an error is of the unknown domain %u or code %u", domain, code);
      return NULL;
    }

  if (domain == DOMAIN_MALT)
    return malt_remote_error_new ((MaltError) code, type, message, traceback);

  return g_error_new_literal (G_IO_ERROR, (int) code, message != NULL ? message : "");
}

/* Gives the failure that the body tells of, or %NULL with @error set when the body
 * itself is wrong. */
GError *
malt_message_read_error (gconstpointer   data,
                         gsize           size,
                         GError        **error)
{
  return read_error (data, size, FALSE, error);
}

GError *
malt_message_read_host_error (gconstpointer   data,
                              gsize           size,
                              GError        **error)
{
  return read_error (data, size, TRUE, error);
}

GBytes *
malt_message_new_progress (double      fraction,
                           const char *text)
{
  g_autofree char *cut_text = malt_text_cut (text, MALT_LIMIT_PROGRESS_TEXT);
  g_autoptr (GVariant) body = g_variant_ref_sink (g_variant_new (PROGRESS_TYPE, fraction, cut_text));

  return g_variant_get_data_as_bytes (body);
}

gboolean
malt_message_read_progress (gconstpointer   data,
                            gsize           size,
                            double         *fraction,
                            char          **text,
                            GError        **error)
{
  g_autoptr (GVariant) variant = read_variant_of_type (data, size, PROGRESS_TYPE, error);

  if (variant == NULL)
    return FALSE;

  g_variant_get_child (variant, 0, "d", fraction);
  if (*fraction != -1 && !(*fraction >= 0 && *fraction <= 1))
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                   "progress is said to be %g, which is neither from 0 to 1 nor -1", *fraction);
      return FALSE;
    }

  g_variant_get_child (variant, 1, "s", text);
  return TRUE;
}

GVariant *
malt_message_read_dictionary (gconstpointer   data,
                              gsize           size,
                              GError        **error)
{
  return read_variant_of_type (data, size, "a{sv}", error);
}
