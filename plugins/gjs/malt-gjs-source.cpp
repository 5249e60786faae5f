/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-gjs-source.h"

#include "malt-gjs-embed-private.h"
#include "malt-gjs-interrupt.h"
#include "malt-gjs-rejection.h"
#include "malt-gjs-task.h"

/* What other threads want of the one that is JavaScript's: sources in its main context.
 *
 * Requests and what they leave behind take turns with whatever else the context has to do.
 * Interrupts go before all of that: code may run the context itself, within a source that keeps
 * those behind it from being looked at, as that of GJS for promises does.  The first source is
 * also the one that always sees when the context begins to dispatch. */

/* So many posted requests are run before other sources have their turn. */
#define REQUESTS_IN_A_ROW 64

typedef struct
{
  MaltGjs     *gjs;
  MaltRuntime *runtime; /* (owned): keeps gjs */
  MaltRequest *request; /* (owned) */
  gboolean     hit;     /* it was interrupted; guarded by the engine's lock */
} MaltGjsPosted;

static void
posted_free (MaltGjsPosted *self)
{
  g_object_unref (self->request);
  g_object_unref (self->runtime);
  g_free (self);
}

typedef struct
{
  GSource        source;
  MaltGjsEngine *engine;
} MaltGjsSource;

/* The first request that was posted and may begin, or %NULL. */
static GList *
find_posted_locked (MaltGjsEngine *self)
{
  GList *link = self->running == NULL ? self->posted.head : NULL;

  while (link != NULL && ((MaltGjsPosted *) link->data)->gjs->n_loading > 0)
    link = link->next;

  return link;
}

/* Interrupts. */

static gboolean
is_urgent_due_locked (MaltGjsEngine *self)
{
  return self->asked.length > 0 || self->break_due;
}

static gboolean
urgent_prepare (GSource *source,
                int     *timeout)
{
  MaltGjsEngine *self = ((MaltGjsSource *) source)->engine;
  gboolean is_due;

  *timeout = -1;
  self->n_in_a_row = 0;
  malt_gjs_interrupt_settle (self);

  g_mutex_lock (&self->lock);
  if (!malt_gjs_interrupt_is_nested (self))
    {
      self->busy_since = -1;
      self->background_hit = FALSE;
    }
  is_due = is_urgent_due_locked (self);
  g_mutex_unlock (&self->lock);

  return is_due;
}

static gboolean
urgent_check (GSource *source)
{
  MaltGjsEngine *self = ((MaltGjsSource *) source)->engine;
  gboolean is_due;

  g_mutex_lock (&self->lock);
  if (!malt_gjs_interrupt_is_nested (self))
    self->busy_since = g_get_monotonic_time ();
  is_due = is_urgent_due_locked (self);
  g_mutex_unlock (&self->lock);

  return is_due;
}

static gboolean
urgent_dispatch (GSource     *source,
                 GSourceFunc  callback,
                 gpointer     user_data)
{
  MaltGjsEngine *self = ((MaltGjsSource *) source)->engine;

  malt_gjs_tasks_deliver (self);
  malt_gjs_interrupt_leave_loop (self);

  return G_SOURCE_CONTINUE;
}

static GSourceFuncs urgent_funcs = {
  .prepare = urgent_prepare,
  .check = urgent_check,
  .dispatch = urgent_dispatch,
};

/* Requests. */

static gboolean
source_check (GSource *source)
{
  MaltGjsEngine *self = ((MaltGjsSource *) source)->engine;
  gboolean is_due;

  g_mutex_lock (&self->lock);
  is_due = find_posted_locked (self) != NULL || malt_gjs_rejection_is_due (self);
  g_mutex_unlock (&self->lock);

  return is_due;
}

static gboolean
source_prepare (GSource *source,
                int     *timeout)
{
  *timeout = -1;
  return source_check (source);
}

/* A request of the worker is about to run. */
static void
begin_locked (MaltGjs  *gjs,
              gboolean  hit)
{
  gjs->engine->beginning = gjs;
  gjs->engine->beginning_hit = hit;
}

/* Likewise, of one that was not posted: from now on an interrupt finds it. */
void
malt_gjs_source_begin (MaltGjs *gjs)
{
  g_mutex_lock (&gjs->engine->lock);
  begin_locked (gjs, FALSE);
  g_mutex_unlock (&gjs->engine->lock);
}

/* It has ended already, and does not. */
static void
forget_beginning (MaltGjsEngine *self)
{
  g_mutex_lock (&self->lock);
  self->beginning = NULL;
  g_mutex_unlock (&self->lock);
}

static MaltGjsPosted *
take_posted (MaltGjsEngine *self)
{
  MaltGjsPosted *posted = NULL;
  GList *link;

  g_mutex_lock (&self->lock);
  link = find_posted_locked (self);
  if (link != NULL)
    {
      posted = (MaltGjsPosted *) link->data;
      posted->gjs->n_posted--;
      begin_locked (posted->gjs, posted->hit);
      g_queue_delete_link (&self->posted, link);
    }
  g_mutex_unlock (&self->lock);

  return posted;
}

static void
run_posted (MaltGjsEngine *self)
{
  MaltGjsPosted *posted;
  guint i;

  for (i = 0; i < REQUESTS_IN_A_ROW && (posted = take_posted (self)) != NULL; i++)
    {
      if (!malt_request_is_done (posted->request))
        malt_gjs_run_request (posted->gjs, posted->request);
      else
        forget_beginning (self);
      posted_free (posted);
    }
}

static void
report_rejections (MaltGjsEngine *self)
{
  if (!malt_gjs_rejection_is_due (self))
    return;

  JSAutoRealm realm (self->cx, self->global);

  malt_gjs_rejection_report (self);
}

static gboolean
source_dispatch (GSource     *source,
                 GSourceFunc  callback,
                 gpointer     user_data)
{
  MaltGjsEngine *self = ((MaltGjsSource *) source)->engine;

  g_atomic_pointer_set (&self->thread, g_thread_self ());
  report_rejections (self);
  run_posted (self);

  return G_SOURCE_CONTINUE;
}

static GSourceFuncs source_funcs = {
  .prepare = source_prepare,
  .check = source_check,
  .dispatch = source_dispatch,
};

static GSource *
attach (MaltGjsEngine *self,
        GSourceFuncs  *funcs,
        const char    *name,
        int            priority)
{
  GSource *source = g_source_new (funcs, sizeof (MaltGjsSource));

  g_source_set_static_name (source, name);
  g_source_set_priority (source, priority);
  /* Code may run the context itself. */
  g_source_set_can_recurse (source, TRUE);
  ((MaltGjsSource *) source)->engine = self;
  g_source_attach (source, self->main_context);

  return source;
}

void
malt_gjs_source_attach (MaltGjsEngine *self)
{
  self->urgent_source = attach (self, &urgent_funcs, "[malt] GJS interrupts", G_MININT);
  self->source = attach (self, &source_funcs, "[malt] GJS worker", G_PRIORITY_DEFAULT);
}

void
malt_gjs_source_detach (MaltGjsEngine *self)
{
  g_source_destroy (self->urgent_source);
  g_source_destroy (self->source);
  g_clear_pointer (&self->urgent_source, g_source_unref);
  g_clear_pointer (&self->source, g_source_unref);
}

/* Has the thread see what was queued for it. */
void
malt_gjs_source_wake (MaltGjsEngine *self)
{
  g_main_context_wakeup (self->main_context);
}

/* Whether a request has to wait until those before it have their modules. */
gboolean
malt_gjs_source_is_held (MaltGjs *gjs)
{
  gboolean is_held;

  g_mutex_lock (&gjs->engine->lock);
  is_held = gjs->n_loading > 0 || gjs->n_posted > 0;
  g_mutex_unlock (&gjs->engine->lock);

  return is_held;
}

/* Posts a request of a worker whose serving thread is not the engine's, or that has to wait. */
void
malt_gjs_source_post (MaltGjs     *gjs,
                      MaltRequest *request)
{
  MaltGjsEngine *self = gjs->engine;
  MaltGjsPosted *posted = g_new0 (MaltGjsPosted, 1);

  posted->gjs = gjs;
  posted->runtime = (MaltRuntime *) g_object_ref (gjs->runtime);
  posted->request = (MaltRequest *) g_object_ref (request);

  g_mutex_lock (&self->lock);
  g_queue_push_tail (&self->posted, posted);
  gjs->n_posted++;
  g_mutex_unlock (&self->lock);
  malt_gjs_source_wake (self);
}

/* Interrupts the first request of a worker that is on its way to the thread. */
gboolean
malt_gjs_source_hit_posted_locked (MaltGjs *gjs)
{
  GList *link;

  if (gjs->engine->beginning == gjs && !gjs->engine->beginning_hit)
    {
      gjs->engine->beginning_hit = TRUE;
      return TRUE;
    }

  for (link = gjs->engine->posted.head; link != NULL; link = link->next)
    {
      MaltGjsPosted *posted = (MaltGjsPosted *) link->data;

      if (posted->gjs == gjs && !posted->hit)
        {
          posted->hit = TRUE;
          return TRUE;
        }
    }

  return FALSE;
}

/* Takes back a request, or all of a worker, that has not begun; FALSE if there is none.  On
 * any thread. */
gboolean
malt_gjs_source_withdraw (MaltGjs     *gjs,
                          MaltRequest *request)
{
  MaltGjsEngine *self = gjs->engine;
  GQueue withdrawn = G_QUEUE_INIT;
  MaltGjsPosted *posted;
  GList *link, *next;
  gboolean is_there;

  g_mutex_lock (&self->lock);
  for (link = self->posted.head; link != NULL; link = next)
    {
      next = link->next;
      posted = (MaltGjsPosted *) link->data;
      if (posted->gjs == gjs && (request == NULL || posted->request == request))
        {
          g_queue_unlink (&self->posted, link);
          g_queue_push_tail_link (&withdrawn, link);
          gjs->n_posted--;
        }
    }
  g_mutex_unlock (&self->lock);

  is_there = withdrawn.length > 0;
  while ((posted = (MaltGjsPosted *) g_queue_pop_head (&withdrawn)) != NULL)
    {
      if (!malt_request_is_done (posted->request))
        malt_request_return_withdrawn (posted->request);
      posted_free (posted);
    }

  return is_there;
}
