/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-ring.h"

#include <string.h>

/* Order of memory.  The producer writes bytes, then releases head; the consumer acquires
 * head, then reads bytes, then releases tail.  Where one end sets a flag and then looks at
 * a counter while the other moves the counter and then looks at the flag, both have a full
 * fence in between, so that at least one of them sees what the other did. */

static inline guint32
load (const guint32 *word)
{
  return __atomic_load_n (word, __ATOMIC_ACQUIRE);
}

static inline void
store (guint32 *word,
       guint32  value)
{
  __atomic_store_n (word, value, __ATOMIC_RELEASE);
}

static inline void
fence (void)
{
#if defined (__SANITIZE_THREAD__)
  /* Which does not know fences, and does not build with them.  An exchange is one as well
   * where it runs; it is of nobody else's word, so that it hides nothing. */
  guint32 word = 0;

  __atomic_exchange_n (&word, 1, __ATOMIC_SEQ_CST);
#else
  __atomic_thread_fence (__ATOMIC_SEQ_CST);
#endif
}

void
malt_ring_end_init (MaltRingEnd   *self,
                    MaltRingWords *words,
                    gpointer       bytes,
                    guint32        capacity)
{
  g_assert (capacity >= MALT_RING_MIN_CAPACITY && capacity <= MALT_RING_MAX_CAPACITY);
  g_assert ((capacity & (capacity - 1)) == 0);

  *self = (MaltRingEnd) { .words = words, .bytes = bytes, .capacity = capacity };
}

/* The producer's end. */

static gsize
room (const MaltRingEnd *self)
{
  return self->capacity - (self->own - self->other);
}

/* Looks how far the consumer is.  FALSE if it cannot be there. */
static gboolean
look_at_tail (MaltRingEnd *self)
{
  guint32 tail = load (&self->words->tail);

  if (self->own - tail > self->capacity)
    return FALSE;

  self->other = tail;
  return TRUE;
}

static void
copy_in (MaltRingEnd  *self,
         guint32       position,
         const guint8 *from,
         gsize         size)
{
  gsize begin = position & (self->capacity - 1);
  gsize first = MIN (size, self->capacity - begin);

  memcpy (self->bytes + begin, from, first);
  if (size > first)
    memcpy (self->bytes, from + first, size - first);
}

/* Puts in what there is room for, all of it at once for the consumer, and tells how many
 * bytes that was, perhaps none.  FALSE if the consumer's counter is impossible. */
gboolean
malt_ring_put (MaltRingEnd        *self,
               const struct iovec *vectors,
               gsize               n_vectors,
               gsize              *n_put)
{
  gsize wanted = 0, available;
  guint32 head = self->own;
  gsize i;

  *n_put = 0;
  for (i = 0; i < n_vectors; i++)
    wanted += vectors[i].iov_len;

  if (room (self) < wanted && !look_at_tail (self))
    return FALSE;

  available = room (self);
  for (i = 0; i < n_vectors && available > 0; i++)
    {
      gsize n = MIN (vectors[i].iov_len, available);

      copy_in (self, head, vectors[i].iov_base, n);
      head += (guint32) n;
      available -= n;
    }

  *n_put = head - self->own;
  self->own = head;
  store (&self->words->head, head);
  return TRUE;
}

/* After something was put in: whether the consumer sleeps, and is now this end's to wake. */
gboolean
malt_ring_take_sleeper (MaltRingEnd *self)
{
  fence ();
  return load (&self->words->sleeps) != 0 &&
         __atomic_exchange_n (&self->words->sleeps, 0, __ATOMIC_ACQ_REL) != 0;
}

/* Asks to be woken when there is room.  FALSE if there is some already, or the consumer's
 * counter is impossible, as the next attempt to put something in will tell. */
gboolean
malt_ring_want_room (MaltRingEnd *self)
{
  store (&self->words->wants_room, 1);
  fence ();
  return look_at_tail (self) && room (self) == 0;
}

/* The consumer's end. */

gboolean
malt_ring_has_bytes (MaltRingEnd *self)
{
  return self->other != self->own || load (&self->words->head) != self->own;
}

/* How far the producer is, if it can be there. */
guint32
malt_ring_get_head (MaltRingEnd *self)
{
  guint32 head = load (&self->words->head);

  return head - self->own <= self->capacity ? head : self->own;
}

/* Takes out up to @size bytes, perhaps none, and tells how many.  The producer is asked
 * whether it wants room only when the ring has become half empty once more: it waits only
 * when the ring is full.  FALSE if its counter is impossible. */
gboolean
malt_ring_get (MaltRingEnd *self,
               gpointer     to,
               gsize        size,
               gsize       *n_got,
               gboolean    *wants_room)
{
  guint32 half = self->capacity / 2;
  guint32 tail = self->own;
  gsize begin, first, n;

  *n_got = 0;
  *wants_room = FALSE;
  if (self->other - tail < size)
    {
      guint32 head = load (&self->words->head);

      if (head - tail > self->capacity)
        return FALSE;
      self->other = head;
    }

  n = MIN (size, self->other - tail);
  begin = tail & (self->capacity - 1);
  first = MIN (n, self->capacity - begin);
  memcpy (to, self->bytes + begin, first);
  if (n > first)
    memcpy ((guint8 *) to + first, self->bytes, n - first);

  *n_got = n;
  self->own = tail + (guint32) n;
  store (&self->words->tail, self->own);

  if (self->own / half != tail / half)
    {
      fence ();
      *wants_room = load (&self->words->wants_room) != 0 &&
                    __atomic_exchange_n (&self->words->wants_room, 0, __ATOMIC_ACQ_REL) != 0;
    }
  return TRUE;
}

/* Asks to be woken when there is something to take out.  FALSE if there is already. */
gboolean
malt_ring_sleep (MaltRingEnd *self)
{
  store (&self->words->sleeps, 1);
  fence ();
  return !malt_ring_has_bytes (self);
}

/* Need not be woken any more. */
void
malt_ring_wake (MaltRingEnd *self)
{
  store (&self->words->sleeps, 0);
}

/* Whether the consumer sleeps; from either end. */
gboolean
malt_ring_is_asleep (MaltRingEnd *self)
{
  return load (&self->words->sleeps) != 0;
}
