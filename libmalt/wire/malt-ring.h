/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <glib.h>
#include <sys/uio.h>

G_BEGIN_DECLS

/* A ring of bytes in shared memory, with one producer and one consumer.
 *
 * What is shared is two counters and two flags, each on a cache line of its own so that
 * nobody pays for what he does not look at, and the bytes.  All else is private to the end
 * that uses it: an end knows its own counter itself, and never reads it back; the other's
 * is loaded once, and held against what is possible, before it is used. */

typedef struct
{
  guint32 head;        /* bytes ever put in, modulo 2^32; the producer's */
  guint8  padding_0[60];
  guint32 tail;        /* bytes ever taken out; the consumer's */
  guint8  padding_1[60];
  guint32 sleeps;      /* set by the consumer: wants to be woken; taken by who does it */
  guint8  padding_2[60];
  guint32 wants_room;  /* set by the producer, likewise */
  guint8  padding_3[60];
} MaltRingWords;

typedef struct
{
  /* Immutable. */
  MaltRingWords *words;
  guint8        *bytes;
  guint32        capacity; /* a power of two */

  /* Owned by whoever uses this end. */
  guint32        own;      /* this end's counter */
  guint32        other;    /* the other's, when it was last looked at */
} MaltRingEnd;

#define MALT_RING_MIN_CAPACITY (4u * 1024)
#define MALT_RING_MAX_CAPACITY (16u * 1024 * 1024)

void     malt_ring_end_init     (MaltRingEnd        *self,
                                 MaltRingWords      *words,
                                 gpointer            bytes,
                                 guint32             capacity);

/* The producer's end. */
gboolean malt_ring_put          (MaltRingEnd        *self,
                                 const struct iovec *vectors,
                                 gsize               n_vectors,
                                 gsize              *n_put);
gboolean malt_ring_take_sleeper (MaltRingEnd        *self);
gboolean malt_ring_want_room    (MaltRingEnd        *self);

/* The consumer's end. */
gboolean malt_ring_has_bytes    (MaltRingEnd        *self);
guint32  malt_ring_get_head     (MaltRingEnd        *self);
gboolean malt_ring_get          (MaltRingEnd        *self,
                                 gpointer            to,
                                 gsize               size,
                                 gsize              *n_got,
                                 gboolean           *wants_room);
gboolean malt_ring_sleep        (MaltRingEnd        *self);
void     malt_ring_wake         (MaltRingEnd        *self);
gboolean malt_ring_is_asleep    (MaltRingEnd        *self);

G_END_DECLS
