/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-spares.h"

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

static void
free_spares (gpointer data)
{
  MaltSpares *self = data;

  while (self != NULL)
    {
      MaltSpares *next = self->next;

      *self->spares = NULL;
      while (self->n > 0)
        self->destroy (self->items[--self->n]);
      g_free (self);
      self = next;
    }
}

/* Those of the current thread. */
static GPrivate first = G_PRIVATE_INIT (free_spares);

/* %NULL where nothing is kept. */
MaltSpares *
malt_spares_new (MaltSpares     **spares,
                 GDestroyNotify   destroy)
{
  MaltSpares *self;

  if (!KEEPS_SPARES)
    return NULL;

  self = g_new (MaltSpares, 1);
  self->spares = spares;
  self->next = g_private_get (&first);
  self->destroy = destroy;
  self->n = 0;
  g_private_set (&first, self);
  *spares = self;

  return self;
}
