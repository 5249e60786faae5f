/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <glib-object.h>

#if defined (__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#endif

G_BEGIN_DECLS

/* Used objects of one kind that a thread keeps to use them again, without a lock.  There is
 * a static __thread pointer for each kind, NULL at first.  What is kept is destroyed when
 * the thread ends. */
typedef struct _MaltSpares MaltSpares;

/* As many as are worth the memory: a thread that has more calls under way at once makes
 * the others anew. */
#define MALT_SPARES_MAX 2048

struct _MaltSpares
{
  MaltSpares    **spares;     /* that points to this */
  MaltSpares     *next;       /* kind, of the same thread */
  GDestroyNotify  destroy;
  guint           n;
  gpointer        items[MALT_SPARES_MAX];
};

MaltSpares *malt_spares_new (MaltSpares     **spares,
                             GDestroyNotify   destroy);

/* The one that was given last, or %NULL. */
static inline gpointer
malt_spares_take (MaltSpares **spares)
{
  MaltSpares *self = *spares;

  return self != NULL && self->n > 0 ? self->items[--self->n] : NULL;
}

/* Whether nothing is left of whoever has used an object, but the reference of the caller: no
 * other one, and no data, weak reference or closure that goes with the object. */
static inline gboolean
malt_spares_is_unused (GObject *object)
{
  if (g_atomic_int_get ((gint *) &object->ref_count) != 1 || g_atomic_pointer_get (&object->qdata) != NULL)
    return FALSE;

#if defined (__SANITIZE_THREAD__)
  /* It does not see that GLib counts atomically, and what the others did thus comes before this. */
  __tsan_acquire (object);
#endif
  return TRUE;
}

/* FALSE if it is not kept. */
static inline gboolean
malt_spares_give (MaltSpares     **spares,
                  gpointer         item,
                  GDestroyNotify   destroy)
{
  MaltSpares *self = *spares != NULL ? *spares : malt_spares_new (spares, destroy);

  if (self == NULL || self->n == MALT_SPARES_MAX)
    return FALSE;

  self->items[self->n++] = item;
  return TRUE;
}

G_END_DECLS
