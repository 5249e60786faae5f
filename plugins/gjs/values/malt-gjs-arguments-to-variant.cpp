/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-gjs-to-variant.h"

#include <string.h>

#include "malt-gjs-conversion.h"
#include "malt-gjs-depth.h"

/* What a function is called with, as GVariants. */

/* So many arguments are gathered without memory of their own. */
#define FEW_ARGUMENTS 8

/* Of GVariants that are inside others, as a tuple of arguments is. */
#define MAX_TYPE_STRING 255

/* Arguments, as a tuple.  There may be containers around it that those of other calls are not in. */
GVariant *
malt_gjs_arguments_to_variant (JSContext                   *cx,
                               const JS::HandleValueArray  &arguments,
                               guint                        n_around,
                               GError                     **error)
{
  MaltGjsConversion conversion (cx, MALT_GJS_MAX_ARGUMENT_DEPTH - (int) n_around, error);
  GVariant *few[FEW_ARGUMENTS];
  g_autofree GVariant **many = NULL;
  GVariant **children = few;
  GVariant *tuple = NULL;
  gsize length = strlen ("()");
  gsize n;

  if (arguments.length () > FEW_ARGUMENTS)
    children = many = g_new (GVariant *, arguments.length ());

  for (n = 0; n < arguments.length (); n++)
    {
      const MaltGjsPlace place = { NULL, MALT_GJS_PLACE_ARGUMENT, n, NULL };

      children[n] = malt_gjs_convert (&conversion, arguments[n], &place);
      if (children[n] == NULL)
        break;
      g_variant_ref_sink (children[n]);

      length += strlen (g_variant_get_type_string (children[n]));
      if (length > MAX_TYPE_STRING)
        {
          g_variant_unref (children[n]);
          g_set_error (error, MALT_ERROR, MALT_ERROR_SERIALIZATION, "cannot send %" G_GSIZE_FORMAT " arguments, the type "
                       "of which is longer than %d characters; an array has no such limit",
                       (gsize) arguments.length (), MAX_TYPE_STRING);
          break;
        }
    }

  if (n == arguments.length ())
    tuple = g_variant_new_tuple (children, n);
  while (n > 0)
    g_variant_unref (children[--n]);

  return tuple;
}

/* Keyword arguments.  The type is another one if they are no object with names. */
GVariant *
malt_gjs_keywords_to_variant (JSContext        *cx,
                              JS::HandleValue   keywords,
                              GError          **error)
{
  const MaltGjsPlace place = { NULL, MALT_GJS_PLACE_KEYWORDS, 0, NULL };
  MaltGjsConversion conversion (cx, MALT_GJS_MAX_KEYWORD_DEPTH, error);

  /* Each is inside of these, and counted on its own. */
  conversion.depth = -MALT_GJS_DEPTH_OF_DICTIONARY;
  return malt_gjs_convert (&conversion, keywords, &place);
}
