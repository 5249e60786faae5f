/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-spares.h"

/* As many as are worth the memory: a thread that has more calls under way at once makes
 * the others anew. */
#define MAX_SPARES 256

/* Sanitizers are to see each object for itself, and when it is used after its end. */
#if defined (__SANITIZE_ADDRESS__) || defined (__SANITIZE_THREAD__)
#define KEEPS_SPARES FALSE
#elif defined (__has_feature)
#if __has_feature (address_sanitizer) || __has_feature (thread_sanitizer)
#define KEEPS_SPARES FALSE
#endif
#endif
#ifndef KEEPS_SPARES
#define KEEPS_SPARES TRUE
#endif

typedef struct
{
  GDestroyNotify destroy;
  guint          n;
  gpointer       items[MAX_SPARES];
} Spares;

/* The one that was given last, or %NULL. */
gpointer
malt_spares_take (GPrivate *spares)
{
  Spares *self = g_private_get (spares);

  return self != NULL && self->n > 0 ? self->items[--self->n] : NULL;
}

/* FALSE if there is no room for it. */
gboolean
malt_spares_give (GPrivate       *spares,
                  gpointer        item,
                  GDestroyNotify  destroy)
{
  Spares *self = g_private_get (spares);

  if (self == NULL && KEEPS_SPARES)
    {
      self = g_new (Spares, 1);
      self->destroy = destroy;
      self->n = 0;
      g_private_set (spares, self);
    }
  if (self == NULL || self->n == MAX_SPARES)
    return FALSE;

  self->items[self->n++] = item;
  return TRUE;
}

void
malt_spares_free (gpointer data)
{
  Spares *self = data;

  while (self->n > 0)
    self->destroy (self->items[--self->n]);
  g_free (self);
}
