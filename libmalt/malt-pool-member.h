/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-pool-private.h"

G_BEGIN_DECLS

typedef enum
{
  MALT_POOL_MEMBER_STARTING,
  MALT_POOL_MEMBER_READY,
  MALT_POOL_MEMBER_RETIRING,
  MALT_POOL_MEMBER_LOST,
  MALT_POOL_MEMBER_GONE,
} MaltPoolMemberState;

struct _MaltPoolMember
{
  gatomicrefcount     ref_count;

  /* Immutable. */
  MaltPoolCore       *core;
  GCancellable       *start_cancellable;

  /* Owned by whoever starts it. */
  MaltWorker         *started;         /* until its initializer has run */

  /* Guarded by the core's lock. */
  MaltPoolMemberState state;
  gboolean            start_is_begun;
  MaltWorker         *worker;          /* set once it is READY; immutable while it has calls */
  GList               link;            /* in the core's members */
  GList               ready_link;      /* in the core's list of those who are ready */
  gboolean            is_listed;       /* there */
  gboolean            is_stopping;     /* was stopped, or will be now */
  gboolean            is_noted;        /* that it has died */
  gboolean            is_announced;    /* by a signal */
  guint               n_running;
  guint               n_calls;
  GQueue              given;           /* of MaltPoolJob, not owned, which it has not been told of */
  gboolean            is_told;         /* a thread is just telling it of them */
  gint64              idle_since;

  /* The same; of one that can be given calls ahead. */
  gboolean            takes_back;      /* what it has not begun; immutable once it is READY */
  gint64              moved_at;        /* when it was last seen to begin with a call */
  gint64              usual_usec;      /* that a call takes; -1 if that is not known */
  gboolean            has_culprit;     /* one of its calls is known to have been its end */
  GQueue              lost;            /* of MaltPoolJob, owned: what it had when it ended */
};

void     malt_pool_member_list_locked         (MaltPoolMember      *self);
gboolean malt_pool_member_has_room_locked     (MaltPoolMember      *self);
void     malt_pool_member_note_death_locked   (MaltPoolMember      *self,
                                               gboolean             during_call);
void     malt_pool_member_note_loss_locked    (MaltPoolMember      *self,
                                               GError              *cause,
                                               gboolean             during_call);
void     malt_pool_member_leave_usable_locked (MaltPoolMember      *self,
                                               MaltPoolMemberState  state);
void     malt_pool_member_remove_locked       (MaltPoolMember      *self);
void     malt_pool_member_note_idle_locked    (MaltPoolMember      *self);
void     malt_pool_member_ended_cb            (MaltWorker          *worker,
                                               gpointer             user_data);

G_END_DECLS
