/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-pool.h"
#include "malt-pool-brake.h"
#include "malt-result.h"
#include "malt-worker-private.h"

G_BEGIN_DECLS

typedef struct _MaltPoolBlocked MaltPoolBlocked;
typedef struct _MaltPoolCore    MaltPoolCore;
typedef struct _MaltPoolJob     MaltPoolJob;
typedef struct _MaltPoolMember  MaltPoolMember;
typedef struct _MaltPoolWaiter  MaltPoolWaiter;

/* What a pool was made with. */
typedef struct
{
  MaltLauncher *launcher;              /* a copy of the pool's own */
  guint         max_workers;
  guint         min_workers;
  guint         queue_length;
  int           idle_timeout;          /* milliseconds, -1 for never */
  guint         max_calls_per_worker;  /* 0 for no limit */
  guint         calls_per_worker;
  guint         calls_ahead;
  guint         retries;
  int           crash_limit;           /* -1 for no limit */
  int           crash_window;          /* milliseconds */
  char         *initializer;
  GVariant     *initializer_arguments;
} MaltPoolOptions;

/* What to call, as the caller says it.  The texts of a blocking call are the caller's. */
typedef struct
{
  MaltRequestKind   kind;
  const char       *text;              /* the function or the source */
  const char       *module;
  GVariant         *arguments;         /* not floating */
  GVariant         *keywords;
  MaltPoolCallFlags flags;
} MaltPoolCall;

/* Somebody who waits for a worker: a thread, on its stack, or a job. */
typedef struct
{
  /* Immutable. */
  MaltPoolJob    *job;                 /* NULL for a thread */

  /* Guarded by the core's lock. */
  GList           link;                /* in the queue */
  guint64         sequence;            /* in which they came, from 1; 0 until they have */
  gboolean        is_queued;
  GCond           cond;                /* of a thread, as the rest */
  MaltPoolMember *member;              /* owned: what it was given */
  GError         *error;               /* owned: why it gets none */
  gboolean        is_cancelled;
} MaltPoolEntry;

typedef enum
{
  MALT_POOL_OPEN,
  MALT_POOL_CLOSING,                   /* takes no calls, and finishes those that it has */
  MALT_POOL_STOPPING,                  /* begins none either */
  MALT_POOL_CLOSED,                    /* and has no workers any more */
} MaltPoolState;

/* What a pool consists of, but the object: it lives as long as its workers do, jobs and
 * threads keep it by the object.  See malt-pool-core.c. */
struct _MaltPoolCore
{
  gatomicrefcount  ref_count;

  GWeakRef         weak_pool;          /* for what has to find out whether there still is one */

  /* Immutable after construction. */
  MaltPoolOptions  options;
  GMainContext    *home;               /* in which the pool was made */
  GThread         *home_thread;
  guint            generation;         /* of the process in which it was made; see malt-fork.c */

  GMutex           lock;

  /* Guarded by lock. */
  MaltPool        *pool;               /* not owned; NULL once it is disposed */
  MaltPoolState    state;
  GQueue           queue;              /* of MaltPoolEntry, not owned */
  guint64          last_sequence;
  guint            n_jobs_queued;      /* of these, with a bound */
  guint            n_timed;            /* and jobs with a deadline */
  GQueue           members;            /* of MaltPoolMember, owned; all that are not GONE */
  GQueue           ready;              /* of those, READY and with room; the least busy first,
                                          and of the idle ones the last to become so */
  guint            n_starting;
  guint            n_usable;           /* STARTING or READY */
  guint            n_ahead;            /* calls that workers have beyond calls_per_worker */
  gboolean         wants_more;         /* somebody had to share a worker */
  gboolean         start_has_failed;   /* the last one that ended */
  MaltPoolBrake    brake;
  GError          *cause;              /* of the last death or failed start */
  GError          *stop_error;         /* of a worker that could not be stopped */
  GSource         *timer;              /* for deadlines in the queue, idle workers, and the brake */
  GQueue           waiters;            /* of MaltPoolWaiter, owned */
  guint            n_blocked;          /* threads that wait at home: see malt-pool-home.c */
  GMainContext    *blocked;            /* owned: which they run meanwhile; NULL if there are none */
  guint            n_running;
  guint            n_to_replace;       /* workers that died and were not replaced */
  guint64          n_done;
  guint64          n_failed;
  guint64          n_restarts;
};

/* What is to be done once the lock is given up: see malt_pool_core_act(). */
typedef struct
{
  GPtrArray *begin;                    /* of MaltPoolMember, owned, which have been given jobs */
  GQueue     fail;                     /* of MaltPoolJob, with their errors */
  GPtrArray *start;                    /* of MaltPoolMember, owned */
  GPtrArray *stop;                     /* the same */
  GPtrArray *cancel;                   /* of GCancellable, owned */
  GPtrArray *take_back;                /* of MaltWorker, owned */
  GQueue     tell;                     /* of MaltPoolWaiter, owned */
} MaltPoolActions;

#define MALT_POOL_ACTIONS_INIT { NULL, G_QUEUE_INIT, NULL, NULL, NULL, NULL, G_QUEUE_INIT }

/* The core. */
MaltPoolCore   *malt_pool_core_new              (MaltPool          *pool);
void            malt_pool_core_open             (MaltPoolCore      *self);
MaltPoolCore   *malt_pool_core_ref              (MaltPoolCore      *self);
void            malt_pool_core_unref            (MaltPoolCore      *self);
void            malt_pool_core_dispose          (MaltPoolCore      *self);
char           *malt_pool_core_dup_name         (MaltPoolCore      *self);
gboolean        malt_pool_core_check_process    (MaltPoolCore      *self,
                                                 GError           **error);
GError         *malt_pool_core_new_closed_error (MaltPoolCore      *self);
GError         *malt_pool_core_new_brake_error_locked
                                                (MaltPoolCore      *self);
void            malt_pool_core_enqueue_locked   (MaltPoolCore      *self,
                                                 MaltPoolEntry     *entry,
                                                 gboolean           first);
void            malt_pool_core_dequeue_locked   (MaltPoolCore      *self,
                                                 MaltPoolEntry     *entry);
void            malt_pool_core_fail_all_locked  (MaltPoolCore      *self,
                                                 const GError      *error,
                                                 MaltPoolActions   *actions);
void            malt_pool_core_schedule_locked  (MaltPoolCore      *self,
                                                 MaltPoolActions   *actions);
void            malt_pool_core_act              (MaltPoolCore      *self,
                                                 MaltPoolActions   *actions);
void            malt_pool_core_wake_at_locked   (MaltPoolCore      *self,
                                                 gint64             time);
void            malt_pool_core_close            (MaltPoolCore      *self,
                                                 MaltPoolShutdownFlags
                                                                    flags);

/* A worker of the pool. */
MaltPoolMember *malt_pool_member_new_locked     (MaltPoolCore      *core);
MaltPoolMember *malt_pool_member_ref            (MaltPoolMember    *self);
void            malt_pool_member_unref          (MaltPoolMember    *self);
MaltWorker     *malt_pool_member_get_worker     (MaltPoolMember    *self);
gboolean        malt_pool_member_takes_back     (MaltPoolMember    *self);
void            malt_pool_member_start          (MaltPoolMember    *self);
void            malt_pool_member_stop           (MaltPoolMember    *self);
gboolean        malt_pool_member_is_idle_locked (MaltPoolMember    *self);
void            malt_pool_member_take_locked    (MaltPoolMember    *self);
MaltPoolMember *malt_pool_member_find_ahead_locked
                                                (MaltPoolCore      *core);
void            malt_pool_member_give_locked    (MaltPoolMember    *self,
                                                 GList             *link,
                                                 MaltPoolActions   *actions);
void            malt_pool_member_begin          (MaltPoolMember    *self,
                                                 MaltPoolActions   *actions);
gint64          malt_pool_member_look_locked    (MaltPoolMember    *self,
                                                 gint64             now,
                                                 MaltPoolActions   *actions);
void            malt_pool_member_lose_locked    (MaltPoolMember    *self,
                                                 MaltPoolJob       *job,
                                                 GList             *link);
void            malt_pool_member_free_locked    (MaltPoolMember    *self,
                                                 const MaltAttempt *attempt,
                                                 MaltPoolActions   *actions);
void            malt_pool_member_retire_locked  (MaltPoolMember    *self,
                                                 MaltPoolActions   *actions);
gint64          malt_pool_member_expire_locked  (MaltPoolMember    *self,
                                                 gint64             now,
                                                 MaltPoolActions   *actions);
void            malt_pool_member_dispose_locked (MaltPoolMember    *self,
                                                 GPtrArray         *dropped,
                                                 MaltPoolActions   *actions);

guint           malt_pool_member_count_locked   (MaltPoolCore      *core);

/* A call for which no thread waits.  The function takes job, value and error. */
typedef void (* MaltPoolJobFunc) (MaltPoolJob *job,
                                  GVariant    *value,
                                  GError      *error,
                                  gpointer     user_data);

void            malt_pool_job_submit            (MaltPoolCore      *core,
                                                 const MaltPoolCall
                                                                   *call,
                                                 int                timeout_msec,
                                                 GCancellable      *cancellable,
                                                 GCancellable      *own,
                                                 MaltPoolJobFunc    func,
                                                 gpointer           user_data);
void            malt_pool_job_submit_for        (MaltPoolCore      *core,
                                                 const MaltPoolCall
                                                                   *call,
                                                 int                timeout_msec,
                                                 GCancellable      *cancellable,
                                                 MaltResult        *result);
MaltPoolJob    *malt_pool_job_new_joinable      (MaltPoolCore      *core,
                                                 const MaltPoolCall
                                                                   *call,
                                                 int                timeout_msec,
                                                 GCancellable      *cancellable,
                                                 GMainContext      *context,
                                                 MaltPoolJobFunc    func,
                                                 gpointer           user_data);
void            malt_pool_job_begin_joinable    (MaltPoolJob       *self);
MaltCall       *malt_pool_job_ref_call          (MaltPoolJob       *self);
void            malt_pool_job_cancel            (MaltPoolJob       *self);
void            malt_pool_job_cancel_all        (MaltPoolCore      *core,
                                                 GCancellable      *own);
gboolean        malt_pool_job_try               (MaltPoolCore      *core,
                                                 const MaltPoolCall
                                                                   *call,
                                                 MaltPoolJobFunc    func,
                                                 gpointer           user_data,
                                                 GDestroyNotify     destroy,
                                                 GError           **error);
MaltPoolJob    *malt_pool_job_ref               (MaltPoolJob       *self);
void            malt_pool_job_unref             (MaltPoolJob       *self);
void            malt_pool_job_give_locked       (MaltPoolJob       *self,
                                                 MaltPoolMember    *member,
                                                 MaltPoolActions   *actions);
void            malt_pool_job_fail_locked       (MaltPoolJob       *self,
                                                 GError            *error,
                                                 MaltPoolActions   *actions);
gint64          malt_pool_job_expire_locked     (MaltPoolJob       *self,
                                                 gint64             now,
                                                 MaltPoolActions   *actions);
void            malt_pool_job_begin             (MaltPoolJob       *self,
                                                 MaltPoolActions   *actions);
guint64         malt_pool_job_get_lost_id       (MaltPoolJob       *self);
void            malt_pool_job_settle_locked     (MaltPoolJob       *self,
                                                 gboolean           has_begun,
                                                 MaltPoolActions   *actions);
void            malt_pool_job_finish            (MaltPoolJob       *self,
                                                 GVariant          *value,
                                                 GError            *error);
gboolean        malt_pool_job_is_bounded        (MaltPoolJob       *self);
gboolean        malt_pool_job_is_timed          (MaltPoolJob       *self);

/* Calls. */
MaltPoolCall    malt_pool_call_make             (const char        *function,
                                                 GVariant          *arguments,
                                                 GVariant          *keywords,
                                                 MaltPoolCallFlags  flags);
MaltPoolCall    malt_pool_call_make_eval        (const char        *module,
                                                 const char        *source,
                                                 MaltPoolCallFlags  flags);
int             malt_pool_call_get_timeout      (MaltPoolCore      *core,
                                                 int                timeout_msec);
MaltRequest    *malt_pool_call_new_request      (const MaltPoolCall
                                                                   *self,
                                                 GError           **error);
GVariant       *malt_pool_call_run              (MaltPoolCore      *core,
                                                 const MaltPoolCall
                                                                   *call,
                                                 int                timeout_msec,
                                                 GCancellable      *cancellable,
                                                 GError           **error);
gboolean        malt_pool_call_is_valid         (const MaltPoolCall
                                                                   *self,
                                                 GError           **error);
gboolean        malt_pool_call_may_retry        (const MaltPoolCall
                                                                   *self,
                                                 const MaltAttempt *attempt,
                                                 const GError      *error);
GError         *malt_pool_call_new_timeout      (MaltPoolCore      *core,
                                                 int                timeout_msec);
GError         *malt_pool_call_new_cancelled    (MaltPoolCore      *core);

/* Who waits for something else than a call. */
typedef enum
{
  MALT_POOL_WAITS_FOR_ROOM,
  MALT_POOL_WAITS_FOR_END,
} MaltPoolWaitFor;

gboolean        malt_pool_waiter_run            (MaltPoolCore      *core,
                                                 MaltPoolWaitFor    what,
                                                 GCancellable      *cancellable,
                                                 GError           **error);
void            malt_pool_waiter_run_async      (MaltPoolCore      *core,
                                                 MaltPoolWaitFor    what,
                                                 GCancellable      *cancellable,
                                                 MaltResult        *result);
void            malt_pool_waiter_look_locked    (MaltPoolCore      *core,
                                                 MaltPoolActions   *actions);
void            malt_pool_waiter_tell           (MaltPoolWaiter    *self);

/* Workers that live in the pool's home. */
GMainContext   *malt_pool_home_ref_start_context
                                                (MaltPoolCore      *core);
MaltPoolBlocked
               *malt_pool_home_begin_blocking   (MaltPoolCore      *core,
                                                 gint64             deadline);
GMainContext   *malt_pool_home_ref_context      (MaltPoolBlocked   *self);
void            malt_pool_home_wait             (MaltPoolBlocked   *self,
                                                 GMutex            *lock);
void            malt_pool_home_wake_locked      (MaltPoolCore      *core);
void            malt_pool_home_end_blocking     (MaltPoolCore      *core,
                                                 MaltPoolBlocked   *self);

/* The object. */
MaltPoolCore   *malt_pool_get_core              (MaltPool          *self);
void            malt_pool_install_properties    (GObjectClass      *klass);
void            malt_pool_complete_options      (MaltPoolOptions   *options);
void            malt_pool_emit_locked           (MaltPoolCore      *core,
                                                 MaltWorker        *worker,
                                                 gboolean           is_added);

GMainContext   *malt_pool_get_context           (void);
gboolean        malt_pool_thread_is_gone        (void);
void            malt_pool_invoke                (GMainContext      *context,
                                                 GSourceFunc        func,
                                                 gpointer           user_data,
                                                 GDestroyNotify     destroy);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (MaltPoolCore, malt_pool_core_unref)

G_END_DECLS
