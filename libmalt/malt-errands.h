/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-call.h"
#include "malt-worker.h"

G_BEGIN_DECLS

/* What has come from a worker and is to be told to the program, or asked of it: see
 * malt-errands.c.  Embedded in what it is about, which either function frees. */
typedef struct _MaltErrand MaltErrand;

struct _MaltErrand
{
  void  (* run)  (MaltErrand *self,
                  MaltWorker *worker);
  void  (* drop) (MaltErrand *self);
  GList    link;
};

typedef enum
{
  MALT_ERRAND_CALL,  /* for any thread that blocks */
  MALT_ERRAND_EVENT, /* for the thread that made the worker */
  MALT_N_ERRANDS
} MaltErrandKind;

/* Part of a worker. */
typedef struct
{
  gint     due;                    /* atomic, changed under calls_lock: of which kinds there are some */

  /* Guarded by calls_lock. */
  GQueue   queues[MALT_N_ERRANDS]; /* of MaltErrand */
  guint    n_free[MALT_N_ERRANDS]; /* threads that block and would run them */
  guint    n_busy;                 /* calls whose thread made the worker, and runs one of them */
  gboolean is_delivered;           /* the worker's context is to run what is there */
  gboolean is_fallback_due;        /* the fallback context is to look after it */
  guint    n_jobs;                 /* threads that run calls, with a fallback context */
  gboolean is_unattended;          /* the fallback context's: nobody has run the worker's own */
  GMainContext *fallback;          /* set once; NULL if there is none: see malt-fallback.c */
} MaltErrands;

/* Tells threads from each other. */
gpointer   malt_errands_here         (void);
/* Notes what tells whether this thread, which waits and runs no errands, is wanted; and gives
 * what did before. */
const gint *malt_errands_set_wanted  (const gint     *is_wanted);
/* Notes on which call this thread blocks, and gives the one before. */
MaltCall  *malt_errands_set_call     (MaltCall       *call);

void       malt_errands_push_locked  (MaltWorker     *worker,
                                      MaltErrandKind  kind,
                                      MaltErrand     *errand);
MaltErrand *malt_errands_pop         (MaltWorker     *worker,
                                      MaltErrandKind  kind);
void       malt_errands_pass_on      (MaltWorker     *worker);

void       malt_errands_enter_locked (MaltCall       *call);
gboolean   malt_errands_leave_locked (MaltCall       *call);
gboolean   malt_errands_are_due_locked (MaltCall     *call);
void       malt_errands_run          (MaltCall       *call);

void       malt_errands_drop_calls   (MaltWorker     *worker);
void       malt_errands_clear        (MaltWorker     *worker);

/* Whether a thread that blocks looks there, now or when it has run what it runs. */
gboolean   malt_errands_are_awaited_locked (MaltWorker     *worker,
                                            MaltErrandKind  kind);

/* malt-fallback.c */
void       malt_fallback_begin       (MaltWorker     *worker);

G_END_DECLS
