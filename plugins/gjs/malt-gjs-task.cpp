/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-gjs-task.h"

#include <js/Promise.h>

#include "malt-gjs-answer.h"
#include "malt-gjs-engine.h"
#include "malt-gjs-interrupt.h"

/* Requests that wait for a promise.
 *
 * The functions that SpiderMonkey calls when the promise is settled know the number of their
 * request.  So a request that has been ended meanwhile, by an interrupt or with its worker,
 * is simply not there any more.  Its code may go on until then, and is counted. */

enum
{
  ASK_CANCEL    = 1 << 0,
  ASK_INTERRUPT = 1 << 1,
};

typedef struct
{
  gint64       number;   /* in the table */
  MaltGjs     *gjs;
  MaltRuntime *runtime;  /* (owned): keeps gjs */
  MaltRequest *request;  /* (owned) */
  MaltGjsThen  then;

  /* Guarded by the engine's lock. */
  guint        asked;
  GList        order;    /* link in MaltGjsEngine.order */
  GList        asking;   /* link in MaltGjsEngine.asked, if asked */
} MaltGjsTask;

static void
task_free (MaltGjsTask *self)
{
  g_object_unref (self->request);
  g_object_unref (self->runtime);
  g_free (self);
}

/* Takes it out of the tables. */
static void
remove_locked (MaltGjsEngine *engine,
               MaltGjsTask   *self)
{
  if (self->asked != 0)
    g_queue_unlink (&engine->asked, &self->asking);
  self->asked = 0;
  if (self->then == MALT_GJS_THEN_REPEAT)
    self->gjs->n_loading--;
  g_queue_unlink (&engine->order, &self->order);
  g_hash_table_remove (engine->tasks, &self->number);
}

/* Its request is about to be ended, but not the code that will settle its promise. */
static void
give_up_locked (MaltGjsEngine *engine,
                MaltGjsTask   *self)
{
  remove_locked (engine, self);
  engine->n_given_up++;
}

/* The task of that number, whose promise is settled, and which is the caller's then; or %NULL if
 * it was given up. */
static MaltGjsTask *
take (MaltGjsEngine *engine,
      gint64         number)
{
  MaltGjsTask *self;

  g_mutex_lock (&engine->lock);
  self = (MaltGjsTask *) g_hash_table_lookup (engine->tasks, &number);
  if (self != NULL)
    remove_locked (engine, self);
  else
    engine->n_given_up--;
  g_mutex_unlock (&engine->lock);

  return self;
}

static bool
settle (JSContext *cx,
        unsigned   argc,
        JS::Value *vp,
        gboolean   is_fulfilled)
{
  JS::CallArgs args = JS::CallArgsFromVp (argc, vp);
  JSObject *callee = &args.callee ();
  MaltGjsEngine *engine = (MaltGjsEngine *) js::GetFunctionNativeReserved (callee, 0).toPrivate ();
  gint64 number = (gint64) js::GetFunctionNativeReserved (callee, 1).toNumber ();
  MaltGjsTask *task = take (engine, number);

  args.rval ().setUndefined ();
  if (task != NULL)
    {
      malt_gjs_answer_settled (task->gjs, task->request, task->then, args.get (0), is_fulfilled);
      task_free (task);
    }

  return true;
}

static bool
fulfilled_cb (JSContext *cx,
              unsigned   argc,
              JS::Value *vp)
{
  return settle (cx, argc, vp, TRUE);
}

static bool
rejected_cb (JSContext *cx,
             unsigned   argc,
             JS::Value *vp)
{
  return settle (cx, argc, vp, FALSE);
}

static JSObject *
new_reaction (MaltGjsEngine *engine,
              JSNative       function,
              gint64         number)
{
  JSFunction *reaction = js::NewFunctionWithReserved (engine->cx, function, 1, 0, "settled");
  JSObject *object = reaction != nullptr ? JS_GetFunctionObject (reaction) : nullptr;

  if (object != nullptr)
    {
      js::SetFunctionNativeReserved (object, 0, JS::PrivateValue (engine));
      js::SetFunctionNativeReserved (object, 1, JS::NumberValue ((double) number));
    }
  return object;
}

/* Has the request wait for the promise.  FALSE with an exception. */
bool
malt_gjs_task_start (MaltGjs          *gjs,
                     MaltRequest      *request,
                     JS::HandleObject  promise,
                     MaltGjsThen       then)
{
  MaltGjsEngine *engine = gjs->engine;
  gint64 number = (gint64) ++engine->last_task;
  JS::RootedObject fulfilled (engine->cx, new_reaction (engine, fulfilled_cb, number));
  JS::RootedObject rejected (engine->cx, fulfilled ? new_reaction (engine, rejected_cb, number) : nullptr);
  MaltGjsTask *self;

  if (!rejected || !JS::AddPromiseReactions (engine->cx, promise, fulfilled, rejected))
    return false;

  self = g_new0 (MaltGjsTask, 1);
  self->number = number;
  self->gjs = gjs;
  self->runtime = (MaltRuntime *) g_object_ref (gjs->runtime);
  self->request = (MaltRequest *) g_object_ref (request);
  self->then = then;
  self->order.data = self;
  self->asking.data = self;

  g_mutex_lock (&engine->lock);
  if (then == MALT_GJS_THEN_REPEAT)
    gjs->n_loading++;
  g_hash_table_insert (engine->tasks, &self->number, self);
  g_queue_push_tail_link (&engine->order, &self->order);
  /* It may have been stopped or cancelled on its way here. */
  if (gjs->is_stopped || malt_request_is_interrupted (request))
    malt_gjs_task_ask_locked (gjs, request, TRUE);
  else if (g_cancellable_is_cancelled (malt_request_get_cancellable (request)))
    malt_gjs_task_ask_locked (gjs, request, FALSE);
  g_mutex_unlock (&engine->lock);

  return true;
}

/* Has the engine's thread end a request of the worker that waits: the one that is named, or
 * the latest.  FALSE if there is none, or if that was asked already and not yet done.  On
 * any thread. */
gboolean
malt_gjs_task_ask_locked (MaltGjs     *gjs,
                          MaltRequest *request,
                          gboolean     interrupt)
{
  MaltGjsEngine *engine = gjs->engine;
  MaltGjsTask *self = NULL;
  GList *link;

  for (link = engine->order.tail; link != NULL && self == NULL; link = link->prev)
    {
      MaltGjsTask *task = (MaltGjsTask *) link->data;

      if (task->gjs == gjs && (request == NULL ? task->asked == 0 : task->request == request))
        self = task;
    }
  if (self == NULL || self->asked != 0)
    return FALSE;

  self->asked |= interrupt ? ASK_INTERRUPT : ASK_CANCEL;
  g_queue_push_tail_link (&engine->asked, &self->asking);
  return TRUE;
}

/* Ends those that are to be ended.  On the engine's thread; runs no JavaScript. */
void
malt_gjs_tasks_deliver (MaltGjsEngine *engine)
{
  MaltGjsTask *self;
  guint asked = 0;

  do
    {
      g_mutex_lock (&engine->lock);
      self = (MaltGjsTask *) g_queue_peek_head (&engine->asked);
      if (self != NULL)
        {
          asked = self->asked;
          give_up_locked (engine, self);
        }
      g_mutex_unlock (&engine->lock);

      if (self == NULL)
        return;

      if ((asked & ASK_INTERRUPT) != 0)
        malt_request_return_error (self->request,
                                   malt_remote_error_new (MALT_ERROR_INTERRUPTED, "InterruptedError",
                                                          "interrupted while it waited for a promise", NULL));
      else
        malt_request_return_new_error (self->request, G_IO_ERROR, G_IO_ERROR_CANCELLED,
                                       "the call was cancelled while it waited for a promise");
      /* What it has begun in the library is given up. */
      g_cancellable_cancel (malt_request_get_cancellable (self->request));
      task_free (self);
    }
  while (TRUE);
}

/* A reference to the request that waits, and whose it is, if there is only one; else %NULL. */
MaltRequest *
malt_gjs_task_ref_only (MaltGjsEngine  *engine,
                        MaltGjs       **gjs)
{
  MaltGjsTask *self;
  MaltRequest *request = NULL;

  g_mutex_lock (&engine->lock);
  self = engine->order.length == 1 ? (MaltGjsTask *) engine->order.head->data : NULL;
  if (self != NULL)
    {
      request = (MaltRequest *) g_object_ref (self->request);
      *gjs = self->gjs;
    }
  g_mutex_unlock (&engine->lock);

  return request;
}

/* A reference to the request whose cancellable that is, if it runs or waits; else %NULL. */
MaltRequest *
malt_gjs_task_ref_by_cancellable (MaltGjsEngine *engine,
                                  GCancellable  *cancellable)
{
  MaltRequest *request = NULL;
  MaltGjsRun *run;
  GList *link;

  g_mutex_lock (&engine->lock);
  for (run = engine->running; run != NULL && request == NULL; run = run->outer)
    if (malt_request_get_cancellable (run->request) == cancellable)
      request = (MaltRequest *) g_object_ref (run->request);
  for (link = engine->order.head; link != NULL && request == NULL; link = link->next)
    {
      MaltGjsTask *task = (MaltGjsTask *) link->data;

      if (malt_request_get_cancellable (task->request) == cancellable)
        request = (MaltRequest *) g_object_ref (task->request);
    }
  g_mutex_unlock (&engine->lock);

  return request;
}

static gboolean
is_given_up (MaltRequest *request)
{
  return g_cancellable_is_cancelled (malt_request_get_cancellable (request));
}

/* Whether there are requests whose code may go on, and all of them were given up: of which of
 * them code is after an `await` cannot be told. */
gboolean
malt_gjs_tasks_are_given_up (MaltGjsEngine *engine)
{
  MaltGjsRun *run;
  GList *link;
  guint n_others = 0, n;

  g_mutex_lock (&engine->lock);
  n = engine->n_given_up + engine->order.length;
  for (link = engine->order.head; link != NULL; link = link->next)
    n_others += !is_given_up (((MaltGjsTask *) link->data)->request);
  for (run = engine->running; run != NULL; run = run->outer)
    if (run->answered == 0)
      {
        n++;
        n_others += !is_given_up (run->request);
      }
  g_mutex_unlock (&engine->lock);

  return n > 0 && n_others == 0;
}

/* Ends all requests of a worker that wait.  On any thread. */
void
malt_gjs_tasks_drop (MaltGjs    *gjs,
                     const char *reason)
{
  MaltGjsEngine *engine = gjs->engine;
  GQueue dropped = G_QUEUE_INIT;
  MaltGjsTask *self;
  GList *link, *next;

  g_mutex_lock (&engine->lock);
  gjs->is_stopped = TRUE;
  for (link = engine->order.head; link != NULL; link = next)
    {
      next = link->next;
      self = (MaltGjsTask *) link->data;
      if (self->gjs == gjs)
        {
          give_up_locked (engine, self);
          g_queue_push_tail (&dropped, self);
        }
    }
  g_mutex_unlock (&engine->lock);

  while ((self = (MaltGjsTask *) g_queue_pop_head (&dropped)) != NULL)
    {
      malt_request_return_new_error (self->request, MALT_ERROR, MALT_ERROR_TERMINATED,
                                     "%s while the call waited", reason);
      g_cancellable_cancel (malt_request_get_cancellable (self->request));
      task_free (self);
    }
}
