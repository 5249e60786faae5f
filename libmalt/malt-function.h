/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#if !defined(MALT_INSIDE) && !defined(MALT_COMPILATION)
#error "Only <malt.h> can be included directly."
#endif

#include "malt-types.h"

G_BEGIN_DECLS

/**
 * MaltFunction:
 * @request: the request; hold a reference to it and call
 *   [method@Malt.Request.defer] to answer later
 * @arguments: the positional arguments, a tuple
 * @cancellable: becomes cancelled when the call is cancelled, its deadline
 *   passes, or it is interrupted
 * @user_data: what the function was registered with, or %NULL
 * @error: return location for an error
 *
 * A C function that the `native` runtime can call by its name.
 *
 * It runs on the worker's serving thread, one call at a time, in the order in
 * which the calls were made.  What takes long should look at @cancellable.  The
 * keyword arguments are [method@Malt.Request.get_keywords].
 *
 * Returns: (nullable) (transfer full): the value, which may be floating; %NULL
 *   with @error set; or %NULL without it, for a function without a value and for
 *   one that has deferred its answer
 *
 * Since: 1.0
 */
typedef GVariant *(* MaltFunction) (MaltRequest   *request,
                                    GVariant      *arguments,
                                    GCancellable  *cancellable,
                                    gpointer       user_data,
                                    GError       **error);

/**
 * MALT_FUNCTION: (skip)
 * @name: the name, without quotes
 *
 * Begins the definition of a function in a loadable module of the `native`
 * runtime; it is called as `"module:name"`.
 *
 * ```c
 * MALT_FUNCTION (answer)
 * { return g_variant_new_int64 (42); }
 * ```
 *
 * Its parameters are those of [callback@Malt.Function]: `request`, `arguments`,
 * `cancellable`, `user_data` (always %NULL) and `error`.
 *
 * Since: 1.0
 */
#define MALT_FUNCTION(name) \
  __attribute__ ((visibility ("default"))) \
  GVariant *malt_function_##name (MaltRequest   *request, \
                                  GVariant      *arguments, \
                                  GCancellable  *cancellable, \
                                  gpointer       user_data, \
                                  GError       **error); \
  GVariant *malt_function_##name (MaltRequest   *request     G_GNUC_UNUSED, \
                                  GVariant      *arguments   G_GNUC_UNUSED, \
                                  GCancellable  *cancellable G_GNUC_UNUSED, \
                                  gpointer       user_data   G_GNUC_UNUSED, \
                                  GError       **error       G_GNUC_UNUSED)

MALT_AVAILABLE_IN_1_0
void         malt_register_function (const char      *name,
                                     MaltFunction     function,
                                     gpointer         user_data,
                                     GDestroyNotify   destroy);
MALT_AVAILABLE_IN_1_0
MaltFunction malt_lookup_function   (const char      *name,
                                     gpointer        *user_data);

G_END_DECLS
