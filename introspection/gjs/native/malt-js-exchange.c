/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-js-exchange.h"

MaltJsExchange malt_js_exchange;

/**
 * malt_js_give_object:
 * @object: an object of GJS
 *
 * Gives an object to a function of JavaScript that is called next.
 */
void
malt_js_give_object (GObject *object)
{
  g_set_object (&malt_js_exchange.object, object);
}

/**
 * malt_js_give_variant:
 * @variant: a variant of GJS
 *
 * Gives a variant to a function of JavaScript that is called next.
 */
void
malt_js_give_variant (GVariant *variant)
{
  g_clear_pointer (&malt_js_exchange.variant, g_variant_unref);
  malt_js_exchange.variant = g_variant_ref_sink (variant);
}

/**
 * malt_js_take_object:
 *
 * Takes the object that a function of JavaScript has got.
 *
 * Returns: (transfer full) (nullable): the object
 */
GObject *
malt_js_take_object (void)
{
  return g_steal_pointer (&malt_js_exchange.object);
}

/**
 * malt_js_take_worker:
 *
 * Takes the worker whose request was given.
 *
 * Returns: (transfer full) (nullable): the worker
 */
GObject *
malt_js_take_worker (void)
{
  return g_steal_pointer (&malt_js_exchange.worker);
}

/**
 * malt_js_take_variant:
 *
 * Takes the variant that a function of JavaScript has made.
 *
 * Returns: (transfer full) (nullable): the variant
 */
GVariant *
malt_js_take_variant (void)
{
  return g_steal_pointer (&malt_js_exchange.variant);
}

/**
 * malt_js_take_error:
 * @error: return location for the error
 *
 * Takes the error that a function of JavaScript has left, so that GJS throws it.
 *
 * Returns: %FALSE with @error set, or %TRUE if there is none
 */
gboolean
malt_js_take_error (GError **error)
{
  if (malt_js_exchange.error == NULL)
    return TRUE;

  g_propagate_error (error, g_steal_pointer (&malt_js_exchange.error));
  return FALSE;
}
