/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-channel-core.h"
#include "malt-delivery.h"

G_BEGIN_DECLS

/* What is inside of a core, for the files of it: malt-channel-core.c has what happens,
 * malt-channel-op.c who waits for it, malt-channel-send.c what goes to the other end,
 * malt-channel-remote.c what comes from there, and malt-channel-items.c the queue. */

typedef enum
{
  MALT_CHANNEL_TAKE,
  MALT_CHANNEL_WAIT,
  MALT_CHANNEL_PUT,
  MALT_CHANNEL_PROBE,
  MALT_CHANNEL_N_OPS
} MaltChannelOpKind;

/* How one that waits is told. */
typedef enum
{
  MALT_CHANNEL_BY_COND,
  MALT_CHANNEL_BY_SERVICE,
  MALT_CHANNEL_BY_LINK,
  MALT_CHANNEL_BY_TASK,
} MaltChannelWay;

/* Something that could not be done at once: of a thread that blocks, on its stack; or of a
 * task, and then it belongs to itself until it is delivered. */
typedef struct
{
  MaltChannelOpKind  kind;
  MaltChannelWay     way;
  MaltChannelLink   *waits_on;  /* owned by who waits: whose connection he reads, if any */
  gint               done;      /* atomic; set under the lock, and the last thing that is done to
                                   one of a thread */

  /* Guarded by the core's lock, until it is done. */
  GList              link;      /* in `ops` of the core */
  gboolean           is_queued;
  gboolean           is_hasty;  /* does not wait for what nobody has put yet; where the queue is */
  GVariant          *value;     /* that is put, or was taken */
  GError            *error;
  guint              serial;    /* of a probe */
  gboolean           is_ready;  /* its answer */
  GCond              cond;      /* for a thread that has nothing to read */

  /* Of a task. */
  gint               ref_count; /* atomic */
  MaltChannelCore   *core;
  GTask             *task;
  gulong             handler;   /* on its cancellable; owned by whoever made it, then by its
                                   delivery */
  MaltDelivery       delivery;
} MaltChannelOp;

/* Items: a queue that grows with what is in it. */
typedef struct
{
  GVariant *value;
  guint     cost;               /* what the other end has paid for it, or for this one in `sent`; 0
                                   for one that was put here, or is being sent */
} MaltChannelItem;

typedef struct
{
  MaltChannelItem *items;
  guint            size;        /* allocated: 0, or a power of two */
  guint            head;
  guint            n;
} MaltChannelItems;

struct _MaltChannelCore
{
  gatomicrefcount   ref_count;

  /* Immutable. */
  guint             capacity;
  gint              window;     /* units of credit */
  gboolean          is_remote;  /* the queue is in another process */

  GMutex            lock;
  /* Guarded by lock. */
  guint             n_handles;  /* MaltChannel objects */
  MaltChannelItems  items;      /* in the queue; or that have come from it */
  MaltChannelItems  sent;       /* that were sent from the queue and not yet said to be taken */
  GQueue            ops[MALT_CHANNEL_N_OPS];
  gboolean          is_closed;  /* nothing more can be put */
  gboolean          is_finished; /* nothing more comes from the other end's queue */
  GError           *end;        /* what takers are told in the place of that */

  MaltChannelLink  *link;       /* owned; none if there is no other end (any more) */
  gboolean          is_sending; /* some thread is in a function of it that sends in turn */
  gboolean          close_due;  /* close() is to be called */
  gboolean          left_due;   /* left() is */
  gboolean          is_leaving; /* it is, or is being called */
  gboolean          has_finished; /* finish() was */
  gint64            credit;     /* for what this end sends */
  gint64            allowance;  /* for what the other end sends */
  guint             taken;      /* of that, and not yet granted again */
  guint             grant_due;  /* to be granted when the lock is given back */
  guint             more_due;   /* likewise, beyond what was taken */
  guint             reach;      /* what the remote end has sent ahead, of the window */
  gboolean          is_granted; /* it was granted; by the remote end */
  guint             wanted;     /* who waits at the other end also for what it has put itself */
  guint             want_due;   /* to be told the other end when the lock is given back */
  gboolean          has_put;    /* this end has put something; at the remote one */
  gboolean          is_recalling; /* what was sent and not taken is to come back */
  guint32           n_put;      /* items that were sent from the remote end, or came from it */
  guint32           all_taken;  /* all that was ever taken of what came over the link; or, where the
                                   queue is, what the other end has said of that */
  guint             n_probes;   /* that were sent */
  guint             n_probed;   /* and were answered */
};

void            malt_channel_items_push       (MaltChannelItems *self,
                                               GVariant         *value,
                                               guint             cost);
void            malt_channel_items_push_first (MaltChannelItems *self,
                                               GVariant         *value);
MaltChannelItem malt_channel_items_pop        (MaltChannelItems *self);
MaltChannelItem malt_channel_items_pop_last   (MaltChannelItems *self);
void            malt_channel_items_clear      (MaltChannelItems *self);

void      malt_channel_core_serve_locked   (MaltChannelCore *self);
void      malt_channel_core_settle_locked  (MaltChannelCore *self,
                                            MaltChannelOp   *op);
void      malt_channel_core_want_locked    (MaltChannelCore *self,
                                            guint            n);
gboolean  malt_channel_core_has_next_locked (MaltChannelCore *self);
guint     malt_channel_core_n_waiting_locked (MaltChannelCore *self);
gboolean  malt_channel_core_send_next_locked (MaltChannelCore *self);
GVariant *malt_channel_core_pop_locked     (MaltChannelCore *self);
gboolean  malt_channel_core_is_over_locked (MaltChannelCore *self);
GError   *malt_channel_core_error_locked   (MaltChannelCore *self);
void      malt_channel_core_fail_ops_locked  (MaltChannelCore   *self,
                                              MaltChannelOpKind  kind);
guint     malt_channel_core_room_locked      (MaltChannelCore   *self);
void      malt_channel_core_take_back_locked (MaltChannelCore   *self);
MaltChannelLink *
          malt_channel_core_steal_link_locked (MaltChannelCore  *self);
void      malt_channel_core_unlock         (MaltChannelCore *self);

void      malt_channel_op_settled_locked   (MaltChannelOp   *self,
                                            MaltChannelCore *core);

G_END_DECLS
