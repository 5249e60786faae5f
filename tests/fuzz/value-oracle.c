/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "value-oracle.h"

#include <stdlib.h>
#include <string.h>

#include "malt-limits.h"
#include "malt-value-scan.h"

static guint
type_depth (const GVariantType *type)
{
  const GVariantType *member;
  guint depth = 0;

  if (g_variant_type_is_basic (type))
    return 0;

  if (g_variant_type_equal (type, G_VARIANT_TYPE_VARIANT))
    return 1;

  if (g_variant_type_is_array (type) || g_variant_type_is_maybe (type))
    return 1 + type_depth (g_variant_type_element (type));

  for (member = g_variant_type_first (type); member != NULL; member = g_variant_type_next (member))
    {
      guint member_depth = type_depth (member);

      depth = MAX (depth, member_depth);
    }

  return 1 + depth;
}

static gboolean
is_type_within_limits (const GVariantType *type,
                       guint               around)
{
  return memchr (g_variant_type_peek_string (type), 'h', g_variant_type_get_string_length (type)) == NULL &&
         g_variant_type_get_string_length (type) <= MALT_LIMIT_TYPE_STRING &&
         around + type_depth (type) <= MALT_LIMIT_DEPTH;
}

/* Enough of a value to walk through all of it. */
#define SMALL_SIZE 256

/* Whether the types of all variants inside are within the limits.  Goes through small
 * values to the end, since a trusted value has to bear that. */
static gboolean
is_within_limits (GVariant *value,
                  guint     around)
{
  gsize n_children;
  gsize i;

  if (!g_variant_is_container (value))
    return TRUE;

  if (g_variant_get_size (value) > SMALL_SIZE && strchr (g_variant_get_type_string (value), 'v') == NULL)
    return TRUE;

  n_children = g_variant_n_children (value);
  for (i = 0; i < n_children; i++)
    {
      g_autoptr (GVariant) child = g_variant_get_child_value (value, i);

      if (g_variant_is_of_type (value, G_VARIANT_TYPE_VARIANT) &&
          !is_type_within_limits (g_variant_get_type (child), around + 1))
        return FALSE;

      if (!is_within_limits (child, around + 1))
        return FALSE;
    }

  return TRUE;
}

gboolean
value_oracle_accepts (const GVariantType *type,
                      gconstpointer       data,
                      gsize               size)
{
  g_autoptr (GVariant) untrusted = NULL;
  g_autoptr (GVariant) trusted = NULL;

  if (!is_type_within_limits (type, 0))
    return FALSE;

  untrusted = g_variant_ref_sink (g_variant_new_from_data (type, data, size, FALSE, NULL, NULL));
  if (!g_variant_is_normal_form (untrusted))
    return FALSE;

  trusted = g_variant_ref_sink (g_variant_new_from_data (type, data, size, TRUE, NULL, NULL));
  return is_within_limits (trusted, 0);
}

gboolean
value_oracle_compare (const GVariantType *type,
                      gconstpointer       data,
                      gsize               size)
{
  /* Without memory for no bytes, as GBytes has none. */
  g_autofree guint8 *copy = g_memdup2 (data, size);
  g_autofree char *type_string = g_variant_type_dup_string (type);
  g_autofree char *reason = NULL;
  gboolean scanned = malt_value_scan (type, copy, size, &reason);
  gboolean expected = value_oracle_accepts (type, copy, size);
  gsize i;

  if (scanned != expected)
    {
      g_printerr ("of type %s, the scanner says %s, GLib %s:", type_string,
                  scanned ? "good" : reason, expected ? "good" : "bad");
      for (i = 0; i < size; i++)
        g_printerr (" %02x", copy[i]);
      g_printerr ("\n");
      abort ();
    }

  if (scanned != (reason == NULL) || (reason != NULL && !g_utf8_validate (reason, -1, NULL)))
    {
      g_printerr ("of type %s, the scanner says %s and gives the reason %s\n", type_string,
                  scanned ? "good" : "bad", reason != NULL ? reason : "(none)");
      abort ();
    }

  return scanned;
}
