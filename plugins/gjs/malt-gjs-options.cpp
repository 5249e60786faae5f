/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-gjs-options.h"

/* The options of the runtime:
 *
 * - `heap-size` (`t`): how many bytes JavaScript may use, in a worker that is a process. */

/* GJS itself needs some. */
#define MIN_HEAP_SIZE (G_GUINT64_CONSTANT (16) << 20)

/* A number of any type, as bindings make of what their languages have; -1 if it is none. */
static gint64
get_number (GVariant *value)
{
  if (g_variant_is_of_type (value, G_VARIANT_TYPE_INT64))
    return g_variant_get_int64 (value);
  if (g_variant_is_of_type (value, G_VARIANT_TYPE_INT32))
    return g_variant_get_int32 (value);
  if (g_variant_is_of_type (value, G_VARIANT_TYPE_UINT32))
    return g_variant_get_uint32 (value);
  if (g_variant_is_of_type (value, G_VARIANT_TYPE_UINT64))
    return (gint64) MIN (g_variant_get_uint64 (value), (guint64) G_MAXINT64);
  if (g_variant_is_of_type (value, G_VARIANT_TYPE_DOUBLE) && g_variant_get_double (value) < 1e18)
    return (gint64) g_variant_get_double (value);
  return -1;
}

static gboolean
parse_heap_size (MaltGjs   *self,
                 GVariant  *value,
                 GError   **error)
{
  g_autofree char *text = g_variant_print (value, FALSE);
  gint64 size = get_number (value);

  if (!self->own_process)
    {
      g_set_error_literal (error, MALT_ERROR, MALT_ERROR_NOT_SUPPORTED,
                           "the option 'heap-size' of the GJS runtime is for workers that are a process");
      return FALSE;
    }
  if (size < (gint64) MIN_HEAP_SIZE)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                   "the option 'heap-size' of the GJS runtime is %s, and not a number of bytes from %" G_GUINT64_FORMAT " on",
                   text, MIN_HEAP_SIZE);
      return FALSE;
    }

  self->heap_size = (guint64) size;
  return TRUE;
}

/* FALSE with @error set if there is an option that is not known, or not of its type. */
gboolean
malt_gjs_options_parse (MaltGjs   *self,
                        GVariant  *options,
                        GError   **error)
{
  GVariantIter iter;
  const char *name;
  GVariant *value;

  if (options == NULL)
    return TRUE;

  g_variant_iter_init (&iter, options);
  while (g_variant_iter_next (&iter, "{&sv}", &name, &value))
    {
      g_autoptr (GVariant) owned G_GNUC_UNUSED = value;

      if (!g_str_equal (name, "heap-size"))
        {
          g_set_error (error, MALT_ERROR, MALT_ERROR_NOT_FOUND, "the GJS runtime has no option '%s'", name);
          return FALSE;
        }
      if (!parse_heap_size (self, value, error))
        return FALSE;
    }

  return TRUE;
}
