/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-message.h"

#include <string.h>

#include "malt-limits.h"
#include "malt-text.h"
#include "malt-value-scan.h"

#define CALL_TYPE  "(sva{sv})"
#define EVAL_TYPE  "(mss)"
#define VALUE_TYPE "v"
#define ERROR_TYPE "(yumsmsms)" /* domain, code, type, message, traceback */

/* How the domains of errors are written. */
enum
{
  DOMAIN_MALT,
  DOMAIN_IO,
};

/* A trusted variant of a body that was checked: GLib need not look at it again. */
static GVariant *
parse (GBytes      *body,
       const char  *type_string,
       GError     **error)
{
  const GVariantType *type = G_VARIANT_TYPE (type_string);
  g_autoptr (GBytes) bytes = body != NULL ? g_bytes_ref (body) : g_bytes_new_static ("", 0);
  g_autofree char *reason = NULL;
  gconstpointer data;
  gsize size;

  data = g_bytes_get_data (bytes, &size);
  if (!malt_value_scan (type, data, size, &reason))
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "a body is not valid: %s", reason);
      return NULL;
    }

  return g_variant_ref_sink (g_variant_new_from_bytes (type, bytes, TRUE));
}

/* Whether a body that was built here is one that the other end will take.  Fails with
 * MALT_ERROR_SERIALIZATION; @what is what the body holds. */
gboolean
malt_message_check (GVariant    *body,
                    const char  *what,
                    gsize        max_size,
                    GError     **error)
{
  gsize size = g_variant_get_size (body);
  g_autofree char *reason = NULL;

  if (size > max_size)
    g_set_error (error, MALT_ERROR, MALT_ERROR_SERIALIZATION,
                 "the %s is of %" G_GSIZE_FORMAT " bytes (limit %" G_GSIZE_FORMAT ")", what, size, max_size);
  else if (!malt_value_scan (g_variant_get_type (body), g_variant_get_data (body), size, &reason))
    g_set_error (error, MALT_ERROR, MALT_ERROR_SERIALIZATION, "the %s cannot cross: %s", what, reason);
  else
    return TRUE;

  return FALSE;
}

GVariant *
malt_message_new_call (const char *function,
                       GVariant   *arguments,
                       GVariant   *keywords)
{
  GVariant *children[3];

  children[0] = g_variant_new_string (function);
  children[1] = g_variant_new_variant (arguments);
  children[2] = keywords != NULL ? keywords : g_variant_new_array (G_VARIANT_TYPE ("{sv}"), NULL, 0);

  return g_variant_new_tuple (children, G_N_ELEMENTS (children));
}

gboolean
malt_message_parse_call (GBytes     *body,
                         char      **function,
                         GVariant  **arguments,
                         GVariant  **keywords,
                         GError    **error)
{
  g_autoptr (GVariant) call = parse (body, CALL_TYPE, error);

  if (call == NULL)
    return FALSE;

  g_variant_get (call, "(sv@a{sv})", function, arguments, keywords);
  if (g_variant_type_is_tuple (g_variant_get_type (*arguments)))
    return TRUE;

  g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
               "the arguments of a call are of type %s instead of a tuple",
               g_variant_get_type_string (*arguments));
  g_clear_pointer (function, g_free);
  g_clear_pointer (arguments, g_variant_unref);
  g_clear_pointer (keywords, g_variant_unref);
  return FALSE;
}

GVariant *
malt_message_new_eval (const char *module,
                       const char *source)
{
  return g_variant_new (EVAL_TYPE, module, source);
}

gboolean
malt_message_parse_eval (GBytes  *body,
                         char   **module,
                         char   **source,
                         GError **error)
{
  g_autoptr (GVariant) eval = parse (body, EVAL_TYPE, error);

  if (eval == NULL)
    return FALSE;

  g_variant_get (eval, EVAL_TYPE, module, source);
  return TRUE;
}

/* A value of %NULL is nothing. */
GVariant *
malt_message_new_value (GVariant *value)
{
  return g_variant_new_variant (value != NULL ? value : g_variant_new_maybe (G_VARIANT_TYPE_VARIANT, NULL));
}

GVariant *
malt_message_parse_value (GBytes  *body,
                          GError **error)
{
  g_autoptr (GVariant) boxed = parse (body, VALUE_TYPE, error);

  return boxed != NULL ? g_variant_get_variant (boxed) : NULL;
}

/* Errors of domains that the other end does not know must have been turned into
 * remote exceptions before. */
GVariant *
malt_message_new_error (const GError *failure)
{
  g_autofree char *type = malt_remote_error_dup_type (failure);
  g_autofree char *message = malt_remote_error_dup_message (failure);
  g_autofree char *traceback = malt_remote_error_dup_traceback (failure);
  g_autofree char *cut_type = malt_text_cut (type, MALT_LIMIT_TYPE_STRING);
  g_autofree char *cut_message = malt_text_cut (message != NULL ? message : failure->message,
                                                MALT_LIMIT_ERROR_TEXT);
  g_autofree char *cut_traceback = malt_text_cut (traceback, MALT_LIMIT_TRACEBACK);

  g_assert (failure->domain == MALT_ERROR || failure->domain == G_IO_ERROR);

  return g_variant_new (ERROR_TYPE,
                        (guchar) (failure->domain == MALT_ERROR ? DOMAIN_MALT : DOMAIN_IO),
                        (guint32) failure->code,
                        cut_type, cut_message, cut_traceback);
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
