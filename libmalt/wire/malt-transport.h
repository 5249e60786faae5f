/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <glib.h>
#include <sys/uio.h>

#include "malt-arena.h"
#include "malt-arena-view.h"

G_BEGIN_DECLS

/* How bytes get from one end to the other.  The connection and the service know
 * only this; a socket is one way, a ring in shared memory another.
 *
 * Nothing here blocks, but malt_transport_await_room(): what cannot go on gives
 * MALT_IO_AGAIN.  One thread at a time may send, and one receive; who receives also
 * spins, arms and disarms.
 *
 * Waiting for something to receive goes in three steps.  malt_transport_spin() may find
 * it soon, without a system call.  malt_transport_arm() has the other end tell `fd` of
 * what it sends from then on, and says whether there is something already.  When `fd` is
 * readable, or the wait was given up, malt_transport_disarm() takes all that back. */

typedef enum
{
  MALT_IO_DONE,    /* some bytes went */
  MALT_IO_AGAIN,   /* wait */
  MALT_IO_CLOSED,  /* the other end is gone */
  MALT_IO_FAILED,  /* see the error */
} MaltIo;

typedef struct _MaltTransport MaltTransport;

typedef struct
{
  MaltIo   (* send)           (MaltTransport       *self,
                               const struct iovec  *vectors,
                               gsize                n_vectors,
                               gsize               *sent,
                               GError             **error);
  MaltIo   (* receive)        (MaltTransport       *self,
                               gpointer             buffer,
                               gsize                size,
                               gsize               *received,
                               GError             **error);
  /* These may be NULL, where the descriptor tells everything by itself. */
  gboolean (* spin)           (MaltTransport       *self);
  gboolean (* arm)            (MaltTransport       *self);
  void     (* disarm)         (MaltTransport       *self,
                               gboolean             is_readable);
  gboolean (* want_room)      (MaltTransport       *self);
  MaltIo   (* take_room)      (MaltTransport       *self);
  void     (* set_crowded)    (MaltTransport       *self,
                               gboolean             crowded);
  void     (* stop_receiving) (MaltTransport       *self);
  void     (* shutdown)       (MaltTransport       *self);
  void     (* close)          (MaltTransport       *self);
  void     (* free)           (MaltTransport       *self);
} MaltTransportClass;

struct _MaltTransport
{
  const MaltTransportClass *klass;
  int                       fd;      /* readable when there is something to receive, once armed */
  int                       room_fd; /* tells by `room_events` when there is room to send, once wanted */
  short                     room_events;
  gboolean                  tells_end; /* `room_fd` is what tells that the other end has gone */

  /* Where large values are put for the other end, and where those that it sends are; neither,
   * if they have to go with the rest.  Set before there is another end; the first stays, the
   * second until malt_transport_close(). */
  MaltArena                *arena;
  MaltArenaView            *view;
};

MaltIo   malt_transport_send           (MaltTransport       *self,
                                        const struct iovec  *vectors,
                                        gsize                n_vectors,
                                        gsize               *sent,
                                        GError             **error);
MaltIo   malt_transport_receive        (MaltTransport       *self,
                                        gpointer             buffer,
                                        gsize                size,
                                        gsize               *received,
                                        GError             **error);
gboolean malt_transport_spin           (MaltTransport       *self);
gboolean malt_transport_arm            (MaltTransport       *self);
void     malt_transport_disarm         (MaltTransport       *self,
                                        gboolean             is_readable);
gboolean malt_transport_want_room      (MaltTransport       *self);
MaltIo   malt_transport_take_room      (MaltTransport       *self);
void     malt_transport_await_room     (MaltTransport       *self);
void     malt_transport_set_crowded    (MaltTransport       *self,
                                        gboolean             crowded);
void     malt_transport_stop_receiving (MaltTransport       *self);
void     malt_transport_shutdown       (MaltTransport       *self);
void     malt_transport_close          (MaltTransport       *self);
void     malt_transport_free           (MaltTransport       *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (MaltTransport, malt_transport_free)

G_END_DECLS
