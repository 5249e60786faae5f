/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <gio/gio.h>

#include "malt-types.h"

G_BEGIN_DECLS

/* What is behind a MaltChannel: see malt-channel-core.c.  The functions that are marked as
 * available are for the connection, of which a backend has a copy of its own; the header is
 * not installed. */

typedef struct _MaltChannelCore MaltChannelCore;
typedef struct _MaltChannelLink MaltChannelLink;

/* How many units of credit either end gives at most; an item costs one, and one more for each
 * MALT_CHANNEL_UNIT_SIZE bytes of it. */
#define MALT_CHANNEL_WINDOW    1024u
#define MALT_CHANNEL_UNIT_SIZE (16u * 1024)

/* The way to the other end of a channel, in another process.  What sends in turn is called
 * without the core's lock, and `grant` where the queue is, too; the others with it, and they do
 * not block and do not call the core. */
typedef struct
{
  /* Sends an item, and says what it costs.  One thread at a time. */
  gboolean (* send)   (MaltChannelLink  *self,
                       GVariant         *value,
                       guint            *cost,
                       GError          **error);
  /* Nothing more is put at this end; behind what was sent.  In turn with `send`. */
  void     (* close)  (MaltChannelLink  *self);
  /* The other end may send so much more; at the end without the queue it is what was taken. */
  void     (* grant)  (MaltChannelLink  *self,
                       guint             cost);
  void     (* unref)  (MaltChannelLink  *self);
  void     (* ref)    (MaltChannelLink  *self);

  /* Only where the queue is, in turn with `send`: the other end is to give back what it has
   * not taken; nothing more comes from it; the leave of the other end is confirmed, and the
   * link leaves the core. */
  void     (* recall) (MaltChannelLink  *self);
  void     (* finish) (MaltChannelLink  *self);
  void     (* left)   (MaltChannelLink  *self);

  /* Only at the end without the queue: so much more may be sent ahead; so many more wait to
   * take something, of which `grant` says nothing; whether there is something is asked, with
   * all that was sent so far; what was not taken is given back, or the channel needed no
   * more, and in all so much was taken; it may be too early to leave. */
  void     (* grant_more) (MaltChannelLink *self,
                       guint             cost);
  void     (* want)   (MaltChannelLink  *self,
                       guint             number);
  void     (* probe)  (MaltChannelLink  *self,
                       guint32           n_put);
  void     (* give_back) (MaltChannelLink *self,
                       guint32           taken);
  gboolean (* leave)  (MaltChannelLink  *self,
                       guint32           taken);
  /* Waiting, as malt_service_wait() and malt_service_wake() do, and for a main context. */
  gboolean (* wait)   (MaltChannelLink  *self,
                       const gint       *done,
                       gint64            deadline,
                       GCancellable     *cancellable,
                       GError          **error);
  void     (* wake)   (MaltChannelLink  *self,
                       const gint       *done);
  void     (* await)  (MaltChannelLink  *self,
                       GMainContext     *context);
  void     (* forget) (MaltChannelLink  *self,
                       GMainContext     *context);
} MaltChannelLinkClass;

struct _MaltChannelLink
{
  const MaltChannelLinkClass *klass;
};

static inline guint
malt_channel_cost (gsize size)
{
  return (guint) (1 + size / MALT_CHANNEL_UNIT_SIZE);
}

MaltChannelCore *malt_channel_core_new        (guint              capacity);
MALT_AVAILABLE_IN_1_0
MaltChannelCore *malt_channel_core_new_remote (guint              capacity,
                                               guint              credit,
                                               MaltChannelLink   *link);
MALT_AVAILABLE_IN_1_0
MaltChannelCore *malt_channel_core_ref        (MaltChannelCore   *self);
MALT_AVAILABLE_IN_1_0
void             malt_channel_core_unref      (MaltChannelCore   *self);

MALT_AVAILABLE_IN_1_0
guint            malt_channel_core_get_capacity (MaltChannelCore *self);
void             malt_channel_core_add_handle   (MaltChannelCore *self);
void             malt_channel_core_drop_handle  (MaltChannelCore *self);
gboolean         malt_channel_core_is_needless  (MaltChannelCore *self);

/* What a MaltChannel does. */
gboolean         malt_channel_core_put        (MaltChannelCore   *self,
                                               GVariant          *value,
                                               int                timeout_msec,
                                               GCancellable      *cancellable,
                                               GError           **error);
GVariant        *malt_channel_core_take       (MaltChannelCore   *self,
                                               int                timeout_msec,
                                               GCancellable      *cancellable,
                                               GError           **error);
GVariant        *malt_channel_core_try_take   (MaltChannelCore   *self);
gboolean         malt_channel_core_wait       (MaltChannelCore   *self,
                                               int                timeout_msec,
                                               GCancellable      *cancellable,
                                               GError           **error);
/* These take the task. */
void             malt_channel_core_put_task   (MaltChannelCore   *self,
                                               GVariant          *value,
                                               GTask             *task);
void             malt_channel_core_take_task  (MaltChannelCore   *self,
                                               GTask             *task);
void             malt_channel_core_wait_task  (MaltChannelCore   *self,
                                               GTask             *task);
gboolean         malt_channel_core_is_ready   (MaltChannelCore   *self);
void             malt_channel_core_close      (MaltChannelCore   *self);
gboolean         malt_channel_core_is_closed  (MaltChannelCore   *self);
void             malt_channel_core_end        (MaltChannelCore   *self,
                                               const GError      *error);

/* What comes over the link.  FALSE if the other end may not do that now. */
MALT_AVAILABLE_IN_1_0
gboolean         malt_channel_core_receive    (MaltChannelCore   *self,
                                               GVariant          *value,
                                               gsize              size);
MALT_AVAILABLE_IN_1_0
gboolean         malt_channel_core_credit     (MaltChannelCore   *self,
                                               MaltChannelLink   *link,
                                               guint              cost);
void             malt_channel_core_credit_more (MaltChannelCore  *self,
                                               MaltChannelLink   *link,
                                               guint              cost);
MALT_AVAILABLE_IN_1_0
gboolean         malt_channel_core_closed     (MaltChannelCore   *self);
MALT_AVAILABLE_IN_1_0
void             malt_channel_core_finished   (MaltChannelCore   *self);
MALT_AVAILABLE_IN_1_0
gboolean         malt_channel_core_probed     (MaltChannelCore   *self,
                                               gboolean           is_ready);
MALT_AVAILABLE_IN_1_0
gboolean         malt_channel_core_recalled   (MaltChannelCore   *self);
MALT_AVAILABLE_IN_1_0
void             malt_channel_core_try_leave  (MaltChannelCore   *self);
MALT_AVAILABLE_IN_1_0
void             malt_channel_core_unlink     (MaltChannelCore   *self);

/* Where the queue is. */
MaltChannelLink *malt_channel_core_ref_link   (MaltChannelCore   *self,
                                               gboolean          *is_leaving);
guint            malt_channel_core_set_link   (MaltChannelCore   *self,
                                               MaltChannelLink   *link);
/* Nothing happens if @link is no more that of the channel. */
void             malt_channel_core_wanted     (MaltChannelCore   *self,
                                               MaltChannelLink   *link,
                                               guint              number);
void             malt_channel_core_given_back (MaltChannelCore   *self,
                                               MaltChannelLink   *link,
                                               guint32            taken);
gboolean         malt_channel_core_answer_probe (MaltChannelCore *self,
                                               guint32            n_put);
void             malt_channel_core_left       (MaltChannelCore   *self,
                                               guint32            taken);
void             malt_channel_core_serve      (MaltChannelCore   *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (MaltChannelCore, malt_channel_core_unref)

G_END_DECLS
