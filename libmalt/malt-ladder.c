/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-debug.h"
#include "malt-error-private.h"
#include "malt-launcher.h"
#include "malt-request-private.h"
#include "malt-worker-private.h"

#include <signal.h>

/* The ladder that a call climbs when it is cancelled or its deadline passes: give up,
 * please; be interrupted; then, if the launcher allows it, the worker is killed, else
 * the caller is let go.  Each rung has its time.  All of it happens on the library
 * context; what belongs to a call is in MaltCall.
 *
 * Deadlines are in one list, watched by one source whose time is never later than the
 * earliest of them.  A call that ends in time leaves the list and leaves the source
 * alone, so that deadlines cost the calls that keep them next to nothing. */

/* After SIGKILL nothing but a kernel that hangs keeps a process. */
#define KILL_MSEC 5000

static GMutex ladder_lock;
/* Guarded by ladder_lock. */
static GQueue deadlines = G_QUEUE_INIT; /* of MaltCall, not owned, in no order */
static GSource *deadline_source;

static void climb (MaltCall *call, MaltCallFate fate);

static gboolean
next_rung_cb (gpointer user_data)
{
  climb (user_data, MALT_CALL_GOES_ON);
  return G_SOURCE_REMOVE;
}

static void
arm_locked (MaltCall *call,
            int       msec)
{
  GSource *source = g_timeout_source_new ((guint) msec);

  g_source_set_static_name (source, "[malt] ladder");
  g_source_set_callback (source, next_rung_cb, malt_call_ref (call), (GDestroyNotify) malt_call_unref);
  g_source_attach (source, malt_get_library_context ());
  g_assert (call->rung_source == NULL);
  call->rung_source = source;
}

/* Climbs one rung.  A @fate is given with the first. */
static void
climb (MaltCall     *call,
       MaltCallFate  fate)
{
  MaltWorkerPrivate *priv = malt_worker_get_private (call->worker);
  g_autoptr (MaltRequest) request = NULL;
  g_autoptr (GSource) spent = NULL;
  MaltRung rung = MALT_RUNG_NONE;

  g_mutex_lock (&priv->calls_lock);
  spent = g_steal_pointer (&call->rung_source);
  if (call->request != NULL && (fate == MALT_CALL_GOES_ON || call->fate == MALT_CALL_GOES_ON))
    {
      request = g_object_ref (call->request);
      if (fate != MALT_CALL_GOES_ON)
        call->fate = fate;

      if (call->rung == MALT_RUNG_NONE && call->kind != MALT_REQUEST_KIND_START)
        {
          rung = MALT_RUNG_CANCELLED;
          arm_locked (call, malt_launcher_get_cancel_timeout (priv->launcher));
        }
      else if (call->rung == MALT_RUNG_CANCELLED)
        {
          rung = MALT_RUNG_INTERRUPTED;
          arm_locked (call, malt_launcher_get_interrupt_timeout (priv->launcher));
        }
      else if (call->rung != MALT_RUNG_KILLED &&
               (call->kind == MALT_REQUEST_KIND_START ||
                malt_launcher_get_kill_on_timeout (priv->launcher)))
        {
          rung = MALT_RUNG_KILLED;
          priv->was_killed = TRUE;
          arm_locked (call, KILL_MSEC);
        }
      else
        rung = MALT_RUNG_ABANDONED;

      call->rung = rung;
    }
  else if (spent != NULL && call->request != NULL)
    call->rung_source = g_steal_pointer (&spent); /* the ladder is being climbed already */
  g_mutex_unlock (&priv->calls_lock);

  switch (rung)
    {
    case MALT_RUNG_CANCELLED:
      malt_worker_invoke_cancel (call->worker, request);
      break;
    case MALT_RUNG_INTERRUPTED:
      malt_worker_invoke_interrupt (call->worker, request);
      break;
    case MALT_RUNG_KILLED:
      malt_worker_invoke_kill (call->worker, SIGKILL);
      break;
    case MALT_RUNG_ABANDONED:
      malt_call_abandon (call, NULL);
      break;
    case MALT_RUNG_NONE:
    case MALT_RUNG_WITHDRAWN:
    default:
      break;
    }
}

static gboolean
cancelled_on_library_cb (gpointer user_data)
{
  climb (user_data, MALT_CALL_CANCELLED);
  return G_SOURCE_REMOVE;
}

/* Has the call climb as if its cancellable were cancelled.  On any thread, with a reference. */
void
malt_ladder_cancel (MaltCall *call)
{
  g_autoptr (GSource) source = g_idle_source_new ();

  g_source_set_static_name (source, "[malt] cancelled");
  g_source_set_priority (source, G_PRIORITY_DEFAULT);
  g_source_set_callback (source, cancelled_on_library_cb, malt_call_ref (call),
                         (GDestroyNotify) malt_call_unref);
  g_source_attach (source, malt_get_library_context ());
}

/* In whatever thread cancels; it may not do more than pass that on. */
static void
cancelled_cb (GCancellable *cancellable,
              gpointer      user_data)
{
  malt_ladder_cancel (user_data);
}

static gboolean
deadline_source_dispatch (GSource     *source,
                          GSourceFunc  callback,
                          gpointer     user_data)
{
  gint64 now = g_source_get_time (source);
  g_autoptr (GPtrArray) overdue = g_ptr_array_new_with_free_func ((GDestroyNotify) malt_call_unref);
  gint64 next = -1;
  GList *link, *following;
  guint i;

  g_mutex_lock (&ladder_lock);
  for (link = deadlines.head; link != NULL; link = following)
    {
      MaltCall *call = link->data;

      following = link->next;
      if (call->deadline <= now)
        {
          g_queue_unlink (&deadlines, link);
          call->deadline = 0;
          g_ptr_array_add (overdue, malt_call_ref (call));
        }
      else if (next == -1 || call->deadline < next)
        next = call->deadline;
    }
  g_source_set_ready_time (source, next);
  g_mutex_unlock (&ladder_lock);

  for (i = 0; i < overdue->len; i++)
    climb (g_ptr_array_index (overdue, i), MALT_CALL_TIMED_OUT);

  return G_SOURCE_CONTINUE;
}

static GSourceFuncs deadline_source_funcs = {
  .dispatch = deadline_source_dispatch,
};

static void
watch_deadline (MaltCall *call)
{
  gint64 deadline = g_get_monotonic_time () + (call->timeout_msec - call->waited_msec) * (gint64) 1000;
  gint64 ready;

  g_mutex_lock (&ladder_lock);
  if (deadline_source == NULL)
    {
      deadline_source = g_source_new (&deadline_source_funcs, sizeof (GSource));
      g_source_set_static_name (deadline_source, "[malt] deadlines");
      g_source_attach (deadline_source, malt_get_library_context ());
    }
  call->deadline = deadline;
  g_queue_push_tail_link (&deadlines, &call->deadline_link);
  ready = g_source_get_ready_time (deadline_source);
  if (ready == -1 || deadline < ready)
    g_source_set_ready_time (deadline_source, deadline);
  g_mutex_unlock (&ladder_lock);
}

/* The call has begun: watches for what may make it climb.  It may have ended already,
 * because its worker has, and then have left before it enters. */
void
malt_ladder_enter (MaltCall *call)
{
  MaltWorkerPrivate *priv = malt_worker_get_private (call->worker);
  gulong cancelled_id = 0;
  gboolean ended;

  if (call->cancellable != NULL)
    cancelled_id = g_cancellable_connect (call->cancellable, G_CALLBACK (cancelled_cb),
                                          malt_call_ref (call), (GDestroyNotify) malt_call_unref);
  if (call->timeout_msec != MALT_TIMEOUT_NONE)
    watch_deadline (call);

  g_mutex_lock (&priv->calls_lock);
  ended = call->request == NULL;
  if (!ended)
    call->cancelled_id = cancelled_id;
  g_mutex_unlock (&priv->calls_lock);

  if (!ended)
    return;
  malt_ladder_leave (call);
  if (cancelled_id != 0)
    g_cancellable_disconnect (call->cancellable, cancelled_id);
}

/* The call has ended, and somebody takes its result: looks at the cancellable no more. */
void
malt_ladder_forget (MaltCall *call)
{
  MaltWorkerPrivate *priv = malt_worker_get_private (call->worker);
  gulong cancelled_id;

  if (call->cancellable == NULL)
    return;

  g_mutex_lock (&priv->calls_lock);
  cancelled_id = call->cancelled_id;
  call->cancelled_id = 0;
  g_mutex_unlock (&priv->calls_lock);

  if (cancelled_id != 0)
    g_cancellable_disconnect (call->cancellable, cancelled_id);
}

/* The call ends, and its deadline is no more: before anybody can take its result and let
 * it go. */
void
malt_ladder_leave_deadline (MaltCall *call)
{
  g_mutex_lock (&ladder_lock);
  if (call->deadline != 0)
    g_queue_unlink (&deadlines, &call->deadline_link);
  call->deadline = 0;
  g_mutex_unlock (&ladder_lock);
}

/* The call has ended: nothing climbs any more.  The cancellable is let go later, by the
 * thread that takes the result, because that can block. */
void
malt_ladder_leave (MaltCall *call)
{
  MaltWorkerPrivate *priv = malt_worker_get_private (call->worker);
  g_autoptr (GSource) source = NULL;

  if (call->timeout_msec != MALT_TIMEOUT_NONE)
    malt_ladder_leave_deadline (call);

  g_mutex_lock (&priv->calls_lock);
  source = g_steal_pointer (&call->rung_source);
  g_mutex_unlock (&priv->calls_lock);

  if (source != NULL)
    g_source_destroy (source);
}

static const char *
rung_text (MaltRung rung)
{
  switch (rung)
    {
    case MALT_RUNG_WITHDRAWN:
      return "it was withdrawn before it started";
    case MALT_RUNG_CANCELLED:
      return "it gave up when asked";
    case MALT_RUNG_INTERRUPTED:
      return "it was interrupted";
    case MALT_RUNG_KILLED:
      return "the worker was killed";
    case MALT_RUNG_NONE:
    case MALT_RUNG_ABANDONED:
    default:
      return "it could not be interrupted and may still run";
    }
}

/* Makes the error of a call that was on the ladder when it ended.  Takes what it ended
 * with, which is of interest only where the worker was to start. */
GError *
malt_ladder_explain (MaltCall *call,
                     GError   *error,
                     gboolean  withdrawn)
{
  MaltWorkerPrivate *priv = malt_worker_get_private (call->worker);
  g_autofree char *name = malt_worker_dup_name (call->worker);
  g_autofree char *what = NULL;
  g_autofree char *message = NULL;
  g_autoptr (GError) own = error;
  gboolean starting = call->kind == MALT_REQUEST_KIND_START;
  MaltCallFate fate;
  MaltRung rung;

  g_mutex_lock (&priv->calls_lock);
  fate = call->fate;
  rung = withdrawn ? MALT_RUNG_WITHDRAWN : call->rung;
  g_mutex_unlock (&priv->calls_lock);

  if (fate == MALT_CALL_CANCELLED)
    what = g_strdup (starting ? "the start was cancelled" : "the call was cancelled");
  else
    what = g_strdup_printf (starting ? "it was not ready within %g s" : "the call did not end within %g s",
                            call->timeout_msec / 1000.0);

  message = g_strdup_printf ("%s: %s; %s%s%s", name, what, rung_text (rung),
                             starting && own != NULL ? ": " : "",
                             starting && own != NULL ? own->message : "");

  if (fate == MALT_CALL_CANCELLED)
    return malt_error_new_rung (G_IO_ERROR, G_IO_ERROR_CANCELLED, rung, message);

  return malt_error_new_rung (MALT_ERROR, starting ? MALT_ERROR_START : MALT_ERROR_TIMEOUT, rung, message);
}
