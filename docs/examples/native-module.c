/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A module of the native runtime.
 *
 * cc -shared -fPIC -o arithmetic.so native-module.c $(pkg-config --cflags --libs malt-1) */

#include <malt.h>

MALT_FUNCTION (answer)
{ return g_variant_new_int64 (42); }

MALT_FUNCTION (add)
{
  gint64 a, b;

  if (!g_variant_is_of_type (arguments, G_VARIANT_TYPE ("(xx)")))
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "add() takes (xx), not %s",
                   g_variant_get_type_string (arguments));
      return NULL;
    }

  g_variant_get (arguments, "(xx)", &a, &b);
  return g_variant_new_int64 ((gint64) ((guint64) a + (guint64) b));
}
