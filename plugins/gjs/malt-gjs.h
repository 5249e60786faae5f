/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "malt-gjs-js.h"

#include <gjs/gjs.h>

#include <js/Warnings.h>

#include "malt-gjs-embed.h"

typedef struct _MaltGjsEngine MaltGjsEngine;
typedef struct _MaltGjsRun    MaltGjsRun;
typedef struct _MaltGjsRejections MaltGjsRejections;
typedef struct _MaltGjsMemory MaltGjsMemory;
typedef struct _MaltGjsGrowth MaltGjsGrowth;

/* One worker, as JavaScript sees it. */
struct _MaltGjs
{
  /* Immutable once started. */
  MaltRuntime   *runtime;      /* not owned: it owns this */
  MaltGjsEngine *engine;       /* %NULL if it has not started */
  gboolean       own_process;  /* the serving thread is the engine's */
  guint64        heap_size;    /* the option; 0 for the default */

  gboolean       is_closed;    /* guarded by closing_lock: nobody else may use the engine any more */

  /* Guarded by the engine's lock. */
  gboolean       is_stopped;
  guint          n_loading;    /* requests that wait for their module; later ones wait too */
  guint          n_posted;     /* requests in the engine's `posted` */
};

/* A stretch of time in which code runs for a request; on the stack of the engine's thread. */
struct _MaltGjsRun
{
  MaltGjs     *gjs;
  MaltRequest *request;     /* the holder of the run keeps it alive */
  MaltGjsRun  *outer;       /* within which it runs, if any; changed under the lock */
  int          depth;       /* of main contexts, when it began */

  /* Guarded by the engine's lock. */
  gboolean     hit;         /* an interrupt is to be raised */
  gint64       answered;    /* when its request was answered, monotonic: what still runs is nobody's; or 0 */
  gboolean     was_raised;  /* an interrupt was */

  /* The engine's thread only. */
  gboolean     is_draining; /* its code has returned, and what promises have made due runs */
  gint64       lost_since;  /* when an interrupt ended in a promise that nobody awaits, or 0 */
  gboolean     was_lost;    /* one did, and what promises have made due went on */
};

/* GJS, of which there is one in a process: in one of our own the serving thread's; else that
 * of the program if it has one, or one with a thread of its own, for all workers.
 *
 * JavaScript is bound to its thread.  Requests of workers whose serving thread is another
 * one are posted to it, and run by its main context.
 *
 * What runs for whom is noted in `running`, under the lock, around every stretch of code.
 * An interrupt looks there under the same lock, so it hits what it was meant for or
 * nothing. */
struct _MaltGjsEngine
{
  /* Immutable. */
  gboolean              own_process;
  GjsContext           *context;
  JSContext            *cx;
  GMainContext         *main_context; /* of its thread */
  gboolean              is_adopted;   /* the context is the program's */
  gboolean              has_thread;   /* the thread is the engine's own, and not the program's main one */
  MaltGjs              *only;         /* the worker, if the process is its own; else %NULL */

  GThread              *thread;       /* atomic: its thread, once it has run */

  /* The engine's thread only. */
  gboolean              is_ready;     /* the rest is there */
  JS::PersistentRootedObject global;
  JS::PersistentRootedObject glue;    /* functions of glue.js, by name */
  JS::PersistentRootedObject rewriting; /* likewise of rewriting.js */
  JS::PersistentRootedObject priv;    /* where imports of evaluated code start */
  JS::PersistentRootedObject interruption; /* the latest exception that an interrupt has raised */
  GHashTable           *scripts;      /* sources → scripts */
  GHashTable           *namespaces;   /* names → their objects */
  MaltGjsMemory        *memory;       /* what it may use; %NULL in a program's process */
  MaltGjsRejections    *rejections;   /* promises that nobody awaits; %NULL if GJS looks after them */
  guint                 n_evaluated;
  guint                 n_in_a_row;   /* requests since the main context has run last */
  JS::WarningReporter   reporter;     /* put aside, while SpiderMonkey would warn of an interrupt */
  gboolean              is_quiet;     /* it is */
  gboolean              was_cut_off;  /* what runs was broken off, and there was no memory for an exception */

  GWeakRef              application;  /* GApplication: the latest of the code that has started */
  GTypeClass           *application_class; /* (owned): kept for the hook; %NULL in a program's process */
  gulong                started_hook; /* sets `application` */

  GSource              *urgent_source; /* in main_context: what goes before all others */
  GSource              *source;       /* likewise: what others want of the thread */

  GMutex                lock;
  /* Guarded by lock. */
  MaltGjsRun           *running;      /* what runs now, or %NULL */
  GQueue                posted;       /* of MaltGjsPosted: requests of other threads */
  MaltGjs              *beginning;    /* whose request is about to run; or %NULL */
  gboolean              beginning_hit; /* it was interrupted */
  GHashTable           *tasks;        /* number → MaltGjsTask (owned): requests that wait for a promise */
  GQueue                order;        /* the same, in the order in which they began */
  GQueue                asked;        /* those that are to be ended by the engine's thread */
  guint64               last_task;
  guint                 n_given_up;   /* requests that waited and were ended, of which code may still go on */
  GCancellable         *waiting;      /* not owned: what ends the wait that the thread is in */
  gint64                busy_since;   /* since when the context dispatches, or -1 while it does not;
                                         in a process of our own the outermost that is run */
  gboolean              background_hit; /* what it dispatches is to be broken off */
  gboolean              break_due;    /* a main loop that code runs is to be left */
};
