/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-session.h"

#include <glib-unix.h>
#include <signal.h>
#include <unistd.h>

#include "malt-report.h"

/* A worker, as the person at the keyboard has it: one thing is done at a time, each
 * function below comes back when that is done, and Ctrl-C meanwhile goes where it
 * should.  It works on the default main context. */

typedef enum
{
  DOING_NOTHING,
  STARTING,
  CALLING,
  STOPPING,
} Doing;

struct _MaltSession
{
  MaltLauncher        *launcher;
  MaltWorker          *worker;
  Doing                doing;
  GCancellable        *cancellable;

  guint                sigint_id;
  /* How often Ctrl-C interrupts one call; once more ends the worker. */
  guint                patience;
  /* How often it came since the last thing began. */
  guint                interrupts;
  /* Whether it came at all since that was asked last. */
  gboolean             was_interrupted;
  MaltSessionIdleFunc  idle_func;
  gpointer             idle_data;
};

static void
interrupt_call (MaltSession *self)
{
  if (self->interrupts <= self->patience)
    malt_worker_interrupt (self->worker);
  else if (self->interrupts == self->patience + 1)
    malt_worker_kill (self->worker, SIGKILL);
  else
    /* A worker in our own process cannot be ended by others. */
    _exit (MALT_STATUS_INTERRUPTED);
}

static void
interrupt_stop (MaltSession *self)
{
  if (self->interrupts == 1)
    malt_worker_kill (self->worker, SIGKILL);
  else
    _exit (MALT_STATUS_INTERRUPTED);
}

static gboolean
sigint_cb (gpointer user_data)
{
  MaltSession *self = user_data;

  if (self->doing != DOING_NOTHING)
    {
      self->interrupts++;
      self->was_interrupted = TRUE;
    }

  switch (self->doing)
    {
    case STARTING:
      g_cancellable_cancel (self->cancellable);
      break;
    case CALLING:
      interrupt_call (self);
      break;
    case STOPPING:
      interrupt_stop (self);
      break;
    case DOING_NOTHING:
    default:
      if (self->idle_func != NULL)
        self->idle_func (self->idle_data);
      break;
    }

  return G_SOURCE_CONTINUE;
}

/* Makes a session, which has no worker yet.  From now on, and until it is freed, Ctrl-C
 * does not end the command.
 * @patience: how often Ctrl-C interrupts one call before it ends the worker */
MaltSession *
malt_session_new (MaltLauncher *launcher,
                  guint         patience)
{
  MaltSession *self = g_new0 (MaltSession, 1);

  self->launcher = g_object_ref (launcher);
  self->patience = patience;
  self->sigint_id = g_unix_signal_add (SIGINT, sigint_cb, self);
  return self;
}

void
malt_session_free (MaltSession *self)
{
  g_source_remove (self->sigint_id);
  g_clear_object (&self->cancellable);
  g_clear_object (&self->worker);
  g_clear_object (&self->launcher);
  g_free (self);
}

/* Who else waits in the default main context hears of Ctrl-C in this way, and not by a
 * signal handler of its own: that could miss one that came shortly before. */
void
malt_session_set_idle_func (MaltSession         *self,
                            MaltSessionIdleFunc  func,
                            gpointer             user_data)
{
  self->idle_func = func;
  self->idle_data = user_data;
}

static void
begin (MaltSession *self,
       Doing        what)
{
  self->doing = what;
  self->interrupts = 0;
}

static void
done_cb (GObject      *source,
         GAsyncResult *result,
         gpointer      user_data)
{
  GAsyncResult **slot = user_data;

  *slot = g_object_ref (result);
}

static void
wait_for_result (MaltSession   *self,
                 GAsyncResult **slot)
{
  while (*slot == NULL)
    g_main_context_iteration (NULL, TRUE);

  self->doing = DOING_NOTHING;
}

/* Starts the worker, in the place of one that was there. */
gboolean
malt_session_start (MaltSession  *self,
                    GError      **error)
{
  g_autoptr (GAsyncResult) result = NULL;

  g_clear_object (&self->worker);
  g_clear_object (&self->cancellable);
  self->cancellable = g_cancellable_new ();

  begin (self, STARTING);
  malt_launcher_spawn_async (self->launcher, self->cancellable, done_cb, &result);
  wait_for_result (self, &result);

  self->worker = malt_launcher_spawn_finish (self->launcher, result, error);
  return self->worker != NULL;
}

/* Calls a function: [method@Malt.Worker.remote_call_fetch]. */
GVariant *
malt_session_call (MaltSession  *self,
                   const char   *function,
                   GVariant     *arguments,
                   GVariant     *keywords,
                   int           timeout_msec,
                   GError      **error)
{
  g_autoptr (GAsyncResult) result = NULL;

  begin (self, CALLING);
  malt_worker_remote_call_async (self->worker, function, arguments, keywords, timeout_msec,
                                 NULL, done_cb, &result);
  wait_for_result (self, &result);

  return malt_worker_remote_call_finish (self->worker, result, error);
}

/* Evaluates source: [method@Malt.Worker.remote_eval_fetch]. */
GVariant *
malt_session_eval (MaltSession  *self,
                   const char   *module,
                   const char   *source,
                   int           timeout_msec,
                   GError      **error)
{
  g_autoptr (GAsyncResult) result = NULL;

  begin (self, CALLING);
  malt_worker_remote_eval_async (self->worker, module, source, timeout_msec,
                                 NULL, done_cb, &result);
  wait_for_result (self, &result);

  return malt_worker_remote_eval_finish (self->worker, result, error);
}

/* Ends the worker: politely, unless Ctrl-C comes. */
void
malt_session_stop (MaltSession *self)
{
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;

  if (self->worker == NULL || !malt_worker_is_running (self->worker))
    return;

  begin (self, STOPPING);
  malt_worker_stop_async (self->worker, MALT_TIMEOUT_DEFAULT, MALT_TIMEOUT_DEFAULT,
                          NULL, done_cb, &result);
  wait_for_result (self, &result);

  if (malt_worker_stop_finish (self->worker, result, &error) == MALT_STOP_RESULT_FAILED)
    malt_report ("%s", error->message);
}

MaltWorker *
malt_session_get_worker (MaltSession *self)
{
  return self->worker;
}

/* Tells whether Ctrl-C came, during whatever was done since this was asked last. */
gboolean
malt_session_take_interrupt (MaltSession *self)
{
  gboolean was_interrupted = self->was_interrupted;

  self->was_interrupted = FALSE;
  return was_interrupted;
}
