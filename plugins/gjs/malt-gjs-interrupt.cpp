/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-gjs-interrupt.h"

#include <js/Exception.h>
#include <js/Warnings.h>

#include "malt-gjs-engine.h"
#include "malt-gjs-memory.h"
#include "malt-gjs-rejection.h"
#include "malt-gjs-source.h"
#include "malt-gjs-task.h"
#include "malt-gjs-text.h"

/* Interrupts and cancellation, which come from other threads.
 *
 * An interrupt of what runs is noted in its run, and SpiderMonkey is asked to call back at
 * the next loop or function, which raises an exception if it is still noted then.  It may
 * be late: then it is dropped with the run.
 *
 * What has taken too much memory is broken off in the same way.
 *
 * Code that waits in a main loop that it runs itself is woken, and the loop is left; what
 * waits in the library for a channel or the program has a cancellable.  A request that
 * waits for a promise is ended without asking its code, of which nothing runs. */

/* How long what belongs to no request may keep the thread busy before it is broken off. */
#define HOG_USEC (20 * 1000)

/* The engine of the process that there is; the callback has no other way to it. */
static MaltGjsEngine *the_engine;

/* Since when what runs now belongs to no request, or 0 if it does. */
static gint64
get_background_since_locked (MaltGjsEngine *self)
{
  return self->running != NULL ? self->running->answered : MAX (self->busy_since, 0);
}

/* Whether what runs now is called by a main loop that code runs. */
static gboolean
is_called_back_locked (MaltGjsEngine *self)
{
  if (self->running != NULL)
    return g_main_depth () > self->running->depth;
  return self->own_process && g_main_depth () > 1;
}

/* Whether an interrupt is to be raised now, in what runs or in the background.  What belongs
 * to no request is given its time first: so long it is looked at again and again. */
static gboolean
take_hit (MaltGjsEngine *self)
{
  gboolean *hit;
  gboolean is_due, is_early;
  gint64 since;

  g_mutex_lock (&self->lock);
  since = get_background_since_locked (self);
  hit = self->running != NULL ? &self->running->hit : &self->background_hit;
  is_early = *hit && since > 0 && g_get_monotonic_time () - since <= HOG_USEC;
  is_due = *hit && !is_early;
  if (is_due)
    {
      /* An exception of a callback ends in the loop that has called it: so that is left, too. */
      *hit = is_called_back_locked (self);
      self->break_due = *hit;
      if (self->running != NULL)
        self->running->was_raised = TRUE;
    }
  g_mutex_unlock (&self->lock);

  if (is_early)
    JS_RequestInterruptCallback (self->cx);
  return is_due;
}

/* An exception that was raised has ended in a promise that nobody awaits.  What promises have made
 * due may go on all the same, without end. */
void
malt_gjs_interrupt_lost (MaltGjsEngine *self)
{
  MaltGjsRun *run = self->running; /* which no other thread changes */

  if (run == NULL || !run->is_draining || run->lost_since != 0)
    return;

  run->lost_since = g_get_monotonic_time ();
  JS_RequestInterruptCallback (self->cx);
}

/* Whether it has gone on for so long that another one is to be raised. */
static gboolean
take_lost (MaltGjsEngine *self)
{
  MaltGjsRun *run = self->running;

  if (run == NULL || run->lost_since == 0)
    return FALSE;

  if (g_get_monotonic_time () - run->lost_since <= HOG_USEC)
    {
      JS_RequestInterruptCallback (self->cx);
      return FALSE;
    }

  run->lost_since = 0;
  if (!malt_gjs_rejection_take_interruption (self))
    return FALSE; /* somebody awaits it by now */

  run->was_lost = TRUE;
  return TRUE;
}

/* Has SpiderMonkey not warn that a script was stopped. */
static void
be_quiet (MaltGjsEngine *self)
{
  if (self->is_quiet)
    return;

  self->reporter = JS::SetWarningReporter (self->cx, nullptr);
  self->is_quiet = TRUE;
}

/* Sets an exception that a function of glue.js makes; @message may be %NULL.  In the realm of
 * whatever is interrupted. */
static void
raise (MaltGjsEngine *self,
       const char    *function,
       const char    *message)
{
  JSContext *cx = self->cx;
  JS::RootedValueArray<1> args (cx);
  JS::RootedValue exception (cx);
  bool was_enabled = JS_DisableInterruptCallback (cx);
  bool is_made;

  {
    JSAutoRealm realm (cx, self->global);
    JSString *text = message != NULL ? malt_gjs_text_new (cx, message, -1) : nullptr;

    if (text != nullptr)
      args[0].setString (text);
    is_made = malt_gjs_engine_glue (self, function, args, &exception);
    if (is_made && message == NULL)
      self->interruption = &exception.toObject ();
  }

  if (is_made && JS_WrapValue (cx, &exception))
    JS_SetPendingException (cx, exception, JS::ExceptionStackBehavior::DoNotCapture);
  else if (message == NULL)
    {
      /* There was no memory for it.  Code that ends without one cannot catch it either. */
      JS_ClearPendingException (cx);
      self->was_cut_off = TRUE;
    }
  JS_ResetInterruptCallback (cx, was_enabled);
}

static bool
interrupt_cb (JSContext *cx)
{
  MaltGjsEngine *self = the_engine;
  g_autofree char *exhaustion = NULL;

  if (self == NULL || self->cx != cx)
    return true;

  malt_gjs_tasks_deliver (self);
  exhaustion = malt_gjs_memory_check (self);
  if (exhaustion == NULL && !take_hit (self) && !take_lost (self))
    return true;

  be_quiet (self);
  if (exhaustion == NULL)
    {
      raise (self, "interruption", NULL);
      return false;
    }

  raise (self, "exhaustion", exhaustion);
  /* There may be an interrupt, too. */
  JS_RequestInterruptCallback (cx);
  return false;
}

/* An application of the code has started, which mostly runs it next. */
static gboolean
started_cb (GSignalInvocationHint *hint,
            guint                  n_values,
            const GValue          *values,
            gpointer               user_data)
{
  MaltGjsEngine *self = (MaltGjsEngine *) user_data;

  g_weak_ref_set (&self->application, g_value_get_object (&values[0]));
  return TRUE;
}

void
malt_gjs_interrupt_begin (MaltGjsEngine *self)
{
  the_engine = self;
  JS_AddInterruptCallback (self->cx, interrupt_cb);

  /* In a program's process its own application is none of ours. */
  g_weak_ref_init (&self->application, NULL);
  if (self->own_process)
    {
      self->application_class = (GTypeClass *) g_type_class_ref (G_TYPE_APPLICATION);
      self->started_hook = g_signal_add_emission_hook (g_signal_lookup ("startup", G_TYPE_APPLICATION), 0,
                                                       started_cb, self, NULL);
    }
}

void
malt_gjs_interrupt_end (MaltGjsEngine *self)
{
  malt_gjs_interrupt_settle (self);
  the_engine = NULL;

  if (self->application_class != NULL)
    g_signal_remove_emission_hook (g_signal_lookup ("startup", G_TYPE_APPLICATION), self->started_hook);
  g_clear_pointer (&self->application_class, g_type_class_unref);
  g_weak_ref_clear (&self->application);
}

/* Nothing runs that an exception from here is still on its way through: SpiderMonkey warns again. */
void
malt_gjs_interrupt_settle (MaltGjsEngine *self)
{
  self->was_cut_off = FALSE;
  malt_gjs_memory_settle (self);
  if (!self->is_quiet)
    return;

  JS::SetWarningReporter (self->cx, self->reporter);
  self->is_quiet = FALSE;
}

/* Whether code runs a main loop within the one that runs it, where that keeps the thread from
 * serving anybody.  On the engine's thread. */
gboolean
malt_gjs_interrupt_is_nested (MaltGjsEngine *self)
{
  return self->own_process && g_main_depth () > 0;
}

/* g_application_run() is a main loop that nobody else can quit. */
static void
leave_application (MaltGjsEngine *self)
{
  g_autoptr (GApplication) application = (GApplication *) g_weak_ref_get (&self->application);

  if (application != NULL)
    g_application_quit (application);
}

/* Leaves a main loop that code runs and that is to be interrupted.  On the engine's thread,
 * within that loop. */
void
malt_gjs_interrupt_leave_loop (MaltGjsEngine *self)
{
  gboolean is_due;
  bool was_enabled;

  g_mutex_lock (&self->lock);
  is_due = self->break_due;
  self->break_due = FALSE;
  is_due = is_due && (self->running != NULL ? self->running->hit : self->background_hit);
  g_mutex_unlock (&self->lock);

  if (!is_due)
    return;

  JSAutoRealm realm (self->cx, self->global);
  JS::RootedValue is_left (self->cx);

  was_enabled = JS_DisableInterruptCallback (self->cx);
  if (!malt_gjs_engine_glue (self, "leaveLoop", JS::HandleValueArray::empty (), &is_left))
    JS_ClearPendingException (self->cx);
  JS_ResetInterruptCallback (self->cx, was_enabled);

  if (!is_left.isTrue ())
    leave_application (self);
  JS_RequestInterruptCallback (self->cx);
}

/* Code runs for a request from now on.  TRUE if that was interrupted on its way here. */
gboolean
malt_gjs_run_enter (MaltGjsRun *run)
{
  MaltGjsEngine *self = run->gjs->engine;
  gboolean is_hit;

  run->depth = g_main_depth ();
  g_mutex_lock (&self->lock);
  is_hit = self->beginning == run->gjs && self->beginning_hit;
  self->beginning = NULL;
  run->outer = self->running;
  self->running = run;
  g_mutex_unlock (&self->lock);

  return is_hit;
}

/* The request is about to be answered, and what promises have made due may still run.  An
 * interrupt that comes after the answer is not for that request. */
void
malt_gjs_run_answered (MaltGjsRun *run)
{
  MaltGjsEngine *self = run->gjs->engine;

  g_mutex_lock (&self->lock);
  run->answered = g_get_monotonic_time ();
  run->hit = FALSE;
  g_mutex_unlock (&self->lock);
}

/* The request has been interrupted, which ended its script, perhaps, but nothing of what that
 * has begun: promises that never come to an end would hold up the thread for ever. */
void
malt_gjs_run_interrupt_rest (MaltGjsRun *run)
{
  MaltGjsEngine *self = run->gjs->engine;

  if (self->is_adopted)
    return;

  g_mutex_lock (&self->lock);
  run->hit = TRUE;
  g_mutex_unlock (&self->lock);
  JS_RequestInterruptCallback (self->cx);
}

/* It runs no longer.  TRUE if there was an interrupt that it has not seen. */
gboolean
malt_gjs_run_leave (MaltGjsRun *run)
{
  MaltGjsEngine *self = run->gjs->engine;
  gboolean is_late, outer_hit;

  malt_gjs_interrupt_settle (self);

  g_mutex_lock (&self->lock);
  g_assert (self->running == run);
  self->running = run->outer;
  is_late = run->hit;
  run->hit = FALSE;
  outer_hit = run->outer != NULL && run->outer->hit;
  if (!outer_hit)
    self->break_due = FALSE;
  g_mutex_unlock (&self->lock);

  if (outer_hit)
    JS_RequestInterruptCallback (self->cx);

  return is_late;
}

/* The engine's thread is about to wait for something that @waiting ends; %NULL when it has. */
void
malt_gjs_set_waiting (MaltGjsEngine *self,
                      GCancellable  *waiting)
{
  g_mutex_lock (&self->lock);
  self->waiting = waiting;
  g_mutex_unlock (&self->lock);
}

static void
hit_run_locked (MaltGjsEngine *self,
                MaltGjsRun    *run)
{
  run->hit = TRUE;
  self->break_due = TRUE;
  /* Before the wait ends, so that whoever has waited finds it. */
  JS_RequestInterruptCallback (self->cx);
  if (self->waiting != NULL)
    g_cancellable_cancel (self->waiting);
}

/* What belongs to no request, where all code is that of workers.  A wait that blocks is ended
 * here, as nothing looks at it later. */
static void
hit_background_locked (MaltGjsEngine *self)
{
  gint64 since = get_background_since_locked (self);

  if (self->is_adopted || since == 0)
    return;

  if (self->running != NULL)
    self->running->hit = TRUE;
  else
    self->background_hit = TRUE;
  if (self->own_process)
    self->break_due = TRUE;

  if (self->waiting != NULL && g_get_monotonic_time () - since > HOG_USEC)
    g_cancellable_cancel (self->waiting);
}

static MaltGjsRun *
find_run_locked (MaltGjs     *gjs,
                 MaltRequest *request)
{
  MaltGjsRun *run;

  for (run = gjs->engine->running; run != NULL; run = run->outer)
    if (run->answered == 0 && (request != NULL ? run->request == request : run->gjs == gjs))
      break;

  return run;
}

/* The engine of a worker with a process of its own goes when that stops, and SpiderMonkey with
 * it, while other threads may still want to interrupt or cancel something. */
static GMutex closing_lock;

/* From now on there is nothing to interrupt.  On the engine's thread, before the engine ends. */
void
malt_gjs_interrupt_close (MaltGjs *gjs)
{
  g_mutex_lock (&closing_lock);
  gjs->is_closed = TRUE;
  g_mutex_unlock (&closing_lock);
}

static void
interrupt (MaltGjs     *gjs,
           MaltRequest *request)
{
  MaltGjsEngine *self = gjs->engine;
  MaltGjsRun *run;

  g_mutex_lock (&self->lock);
  run = find_run_locked (gjs, request);
  if (run != NULL)
    hit_run_locked (self, run);
  else
    {
      /* One that is posted and named is marked already. */
      if (request != NULL || gjs->n_loading > 0 || !malt_gjs_source_hit_posted_locked (gjs))
        malt_gjs_task_ask_locked (gjs, request, TRUE);
      hit_background_locked (self);
    }
  g_mutex_unlock (&self->lock);

  JS_RequestInterruptCallback (self->cx);
  malt_gjs_source_wake (self);
}

static void
cancel (MaltGjs     *gjs,
        MaltRequest *request)
{
  MaltGjsEngine *self = gjs->engine;
  gboolean is_asked;

  if (malt_gjs_source_withdraw (gjs, request))
    return;

  g_mutex_lock (&self->lock);
  is_asked = malt_gjs_task_ask_locked (gjs, request, FALSE);
  g_mutex_unlock (&self->lock);

  if (!is_asked)
    return;

  JS_RequestInterruptCallback (self->cx);
  malt_gjs_source_wake (self);
}

/* Breaks off a request, or what runs now.  On any thread. */
void
malt_gjs_interrupt (MaltGjs     *gjs,
                    MaltRequest *request)
{
  g_mutex_lock (&closing_lock);
  if (!gjs->is_closed)
    interrupt (gjs, request);
  g_mutex_unlock (&closing_lock);
}

/* Lets go of a request that waits for a promise.  On any thread. */
void
malt_gjs_cancel (MaltGjs     *gjs,
                 MaltRequest *request)
{
  if (!gjs->own_process)
    {
      cancel (gjs, request);
      return;
    }

  g_mutex_lock (&closing_lock);
  if (!gjs->is_closed)
    cancel (gjs, request);
  g_mutex_unlock (&closing_lock);
}
