/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-gjs.h"

#include "malt-gjs-answer.h"
#include "malt-gjs-embed-private.h"
#include "malt-gjs-engine.h"
#include "malt-gjs-interrupt.h"
#include "malt-gjs-options.h"
#include "malt-gjs-output.h"
#include "malt-gjs-rejection.h"
#include "malt-gjs-source.h"
#include "malt-gjs-task.h"

/* The road of a request through the runtime. */

/* So many requests that are there already go before what the main context has to do. */
#define REQUESTS_IN_A_ROW 64

static MaltGjs *
malt_gjs_create (MaltRuntime *runtime)
{
  MaltGjs *self = g_new0 (MaltGjs, 1);

  self->runtime = runtime;
  self->own_process = malt_runtime_is_own_process (runtime);

  return self;
}

static void
malt_gjs_destroy (MaltGjs *self)
{
  g_free (self);
}

static gboolean
malt_gjs_start (MaltGjs   *self,
                GVariant  *options,
                GError   **error)
{
  if (!malt_gjs_options_parse (self, options, error))
    return FALSE;

  self->engine = malt_gjs_engine_get (self->own_process, error);
  if (self->engine == NULL)
    return FALSE;
  if (!self->own_process)
    {
      if (self->engine->has_thread)
        malt_runtime_set_code_thread (self->runtime, self->engine->thread);
      return TRUE;
    }

  self->engine->only = self;
  if (!malt_gjs_engine_prepare (self->engine, error))
    return FALSE;
  malt_gjs_output_begin (self);
  return TRUE;
}

/* Runs a request, until it ends or waits.  On the engine's thread. */
void
malt_gjs_run_request (MaltGjs     *self,
                      MaltRequest *request)
{
  MaltGjsEngine *engine = self->engine;
  MaltGjsRun run = { self, request };
  MaltGjsAnswer answer = {};
  gboolean is_late, is_lost;

  if (!engine->is_ready && !malt_gjs_engine_prepare (engine, &answer.error))
    {
      malt_gjs_answer_send (&answer, request);
      return;
    }

  JSAutoRealm realm (engine->cx, engine->global);

  /* Whoever interrupts this request first marks it, then looks what runs: so at least one
   * of us sees the other. */
  if (malt_gjs_run_enter (&run) || malt_request_is_interrupted (request))
    answer.error = malt_remote_error_new (MALT_ERROR_INTERRUPTED, "InterruptedError", "interrupted before it began", NULL);
  else
    malt_gjs_answer_execute (&answer, &run);
  /* The value may refer to what JavaScript has, so before anything else of it runs. */
  if (!answer.is_pending)
    malt_gjs_run_answered (&run);
  if (g_error_matches (answer.error, MALT_ERROR, MALT_ERROR_INTERRUPTED))
    malt_gjs_run_interrupt_rest (&run);
  malt_gjs_answer_send (&answer, request);
  run.is_draining = TRUE;
  js::RunJobs (engine->cx);
  is_lost = run.was_raised && (malt_gjs_rejection_take_interruption (engine) || run.was_lost);
  malt_gjs_rejection_report (engine);

  is_late = malt_gjs_run_leave (&run);
  if (answer.is_pending && (is_late || is_lost))
    {
      g_mutex_lock (&engine->lock);
      malt_gjs_task_ask_locked (self, request, TRUE);
      g_mutex_unlock (&engine->lock);
      malt_gjs_tasks_deliver (engine);
    }
}

static void
malt_gjs_handle (MaltGjs     *self,
                 MaltRequest *request)
{
  gboolean is_held = malt_gjs_source_is_held (self);

  if (!self->own_process || is_held)
    {
      malt_gjs_source_post (self, request);
    }
  else
    {
      malt_gjs_source_begin (self);
      malt_request_set_begun (request);
      malt_gjs_run_request (self, request);
    }

  /* What has begun goes on although there always is a next request. */
  if (self->own_process && (is_held || ++self->engine->n_in_a_row >= REQUESTS_IN_A_ROW))
    {
      self->engine->n_in_a_row = 0;
      g_main_context_iteration (self->engine->main_context, FALSE);
    }
}

static void
malt_gjs_stop (MaltGjs *self)
{
  malt_gjs_tasks_drop (self, "the worker was stopped");
  malt_gjs_source_withdraw (self, NULL);
  if (!self->own_process)
    return;

  malt_gjs_interrupt_close (self);
  malt_gjs_engine_end (self->engine);
}

const MaltGjsEmbed malt_gjs_embed = {
  malt_gjs_create,
  malt_gjs_destroy,
  malt_gjs_start,
  malt_gjs_handle,
  malt_gjs_cancel,
  malt_gjs_interrupt,
  malt_gjs_stop,
};
