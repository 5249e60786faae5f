/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-worker-private.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

#include "malt-launcher.h"
#include "malt-request-private.h"
#include "wire/malt-limits.h"
#include "wire/malt-text.h"

/* What signals tell of a worker while it runs: how far its code has got, and what it prints.
 *
 * Both are errands (see malt-errands.c) until somebody has heard of them, and however much
 * comes meanwhile they take no more than a bounded room: of the progress of a request only
 * the latest is kept, and of so many requests, which can have ended by then; output that is
 * too much is lost, of which a note is kept. */

/* What a piece of output costs beside its bytes. */
#define OUTPUT_OVERHEAD 256

enum
{
  SIGNAL_PROGRESS,
  SIGNAL_OUTPUT,
  N_SIGNALS
};

static guint signals[N_SIGNALS];

typedef struct
{
  MaltErrand  errand;
  guint64     id;

  /* Guarded by calls_lock while it is in the table. */
  double      fraction;
  char       *text;
} Progress;

typedef struct
{
  MaltErrand  errand;
  guint64     id;
  int         stream;
  GBytes     *bytes;  /* NULL for a note of what is lost */

  /* Guarded by calls_lock while it is in output_lost. */
  guint64     n_lost;
} Output;

/* Progress. */

static void
progress_drop (MaltErrand *errand)
{
  Progress *self = (Progress *) errand;

  g_free (self->text);
  g_free (self);
}

static void
progress_run (MaltErrand *errand,
              MaltWorker *worker)
{
  Progress *self = (Progress *) errand;
  MaltWorkerPrivate *priv = malt_worker_get_private (worker);

  g_mutex_lock (&priv->calls_lock);
  g_hash_table_remove (priv->progress, &self->id);
  priv->progress_size -= strlen (self->text);
  g_mutex_unlock (&priv->calls_lock);

  g_signal_emit (worker, signals[SIGNAL_PROGRESS], 0, self->id, self->fraction, self->text);
  progress_drop (errand);
}

/**
 * malt_worker_report_progress:
 * @self: a worker
 * @request: a request of this worker's that is under way
 * @fraction: how much of it is done, from 0 to 1, or -1 if that is not known
 * @text: (nullable): what it is doing, for people; UTF-8
 *
 * Says how far a request has got; for backends.  [signal@Malt.Worker::progress] tells it on, if
 * somebody listens.  What is said before that has happened replaces what was said earlier, so that it may be
 * said often.  Nothing happens if the request is done.
 *
 * On any thread.  Does not block, and runs no code of the program's.
 *
 * Since: 1.0
 */
void
malt_worker_report_progress (MaltWorker  *self,
                             MaltRequest *request,
                             double       fraction,
                             const char  *text)
{
  MaltWorkerPrivate *priv;
  Progress *progress;
  gboolean is_new;
  guint64 id;

  g_return_if_fail (MALT_IS_WORKER (self));
  g_return_if_fail (MALT_IS_REQUEST (request));
  g_return_if_fail (text == NULL || g_utf8_validate (text, -1, NULL));

  priv = malt_worker_get_private (self);
  id = malt_request_get_serial (request);
  if (id == 0 || malt_request_is_done (request) ||
      !g_signal_has_handler_pending (self, signals[SIGNAL_PROGRESS], 0, FALSE))
    return;

  g_mutex_lock (&priv->calls_lock);
  if (priv->progress == NULL)
    priv->progress = g_hash_table_new (g_int64_hash, g_int64_equal);
  progress = g_hash_table_lookup (priv->progress, &id);
  is_new = progress == NULL;
  if (is_new && g_hash_table_size (priv->progress) >= MALT_LIMIT_UNHEARD_REQUESTS)
    {
      g_mutex_unlock (&priv->calls_lock);
      return;
    }
  if (is_new)
    {
      progress = g_new0 (Progress, 1);
      progress->errand.run = progress_run;
      progress->errand.drop = progress_drop;
      progress->id = id;
      g_hash_table_insert (priv->progress, &progress->id, progress);
      malt_errands_push_locked (self, MALT_ERRAND_EVENT, &progress->errand);
    }
  else
    {
      priv->progress_size -= strlen (progress->text);
      g_free (progress->text);
    }

  progress->fraction = isnan (fraction) || fraction < 0 ? -1 : MIN (fraction, 1);
  progress->text = malt_text_cut (text, MALT_LIMIT_PROGRESS_TEXT);
  /* Thousands of requests do not all need a text. */
  if (progress->text == NULL || priv->progress_size + strlen (progress->text) > MALT_LIMIT_UNHEARD_PROGRESS)
    {
      g_free (progress->text);
      progress->text = g_strdup ("");
    }
  priv->progress_size += strlen (progress->text);
  g_mutex_unlock (&priv->calls_lock);

  if (is_new)
    malt_errands_pass_on (self);
}

/* Output. */

static void
output_drop (MaltErrand *errand)
{
  Output *self = (Output *) errand;

  g_clear_pointer (&self->bytes, g_bytes_unref);
  g_free (self);
}

static void
output_run (MaltErrand *errand,
            MaltWorker *worker)
{
  Output *self = (Output *) errand;
  MaltWorkerPrivate *priv = malt_worker_get_private (worker);

  g_mutex_lock (&priv->calls_lock);
  if (self->bytes != NULL)
    priv->output_size -= g_bytes_get_size (self->bytes) + OUTPUT_OVERHEAD;
  else
    priv->output_lost[self->stream - STDOUT_FILENO] = NULL;
  g_mutex_unlock (&priv->calls_lock);

  if (self->bytes == NULL)
    {
      char *note = g_strdup_printf ("\n(%" G_GUINT64_FORMAT " bytes of output were lost: nobody took them in time)\n",
                                    self->n_lost);

      self->bytes = g_bytes_new_take (note, strlen (note));
    }

  g_signal_emit (worker, signals[SIGNAL_OUTPUT], 0, self->id, self->stream, self->bytes);
  output_drop (errand);
}

static Output *
output_push_locked (MaltWorker *worker,
                    guint64     id,
                    int         stream,
                    GBytes     *bytes)
{
  Output *self = g_new0 (Output, 1);

  self->errand.run = output_run;
  self->errand.drop = output_drop;
  self->id = id;
  self->stream = stream;
  self->bytes = bytes != NULL ? g_bytes_ref (bytes) : NULL;
  malt_errands_push_locked (worker, MALT_ERRAND_EVENT, &self->errand);

  return self;
}

/**
 * malt_worker_report_output:
 * @self: a worker
 * @request: (nullable): the request whose code has printed it, if that is known
 * @stream: 1 for standard output, 2 for standard error
 * @bytes: what was printed
 *
 * Says what the worker has printed; for backends, where the launcher asks for
 * `MALT_OUTPUT_SIGNAL`.  [signal@Malt.Worker::output] tells it on, if somebody listens.
 *
 * Whoever can wait should do so while [method@Malt.Worker.get_unheard_output] is large: what is
 * more than 16 MiB is lost.
 *
 * On any thread.  Does not block, and runs no code of the program's.
 *
 * Since: 1.0
 */
void
malt_worker_report_output (MaltWorker  *self,
                           MaltRequest *request,
                           int          stream,
                           GBytes      *bytes)
{
  MaltWorkerPrivate *priv;
  Output *lost;
  gsize size;

  g_return_if_fail (MALT_IS_WORKER (self));
  g_return_if_fail (request == NULL || MALT_IS_REQUEST (request));
  g_return_if_fail (stream == STDOUT_FILENO || stream == STDERR_FILENO);
  g_return_if_fail (bytes != NULL);

  priv = malt_worker_get_private (self);
  size = g_bytes_get_size (bytes);
  if (size == 0 || !g_signal_has_handler_pending (self, signals[SIGNAL_OUTPUT], 0, FALSE))
    return;

  g_mutex_lock (&priv->calls_lock);
  lost = priv->output_lost[stream - STDOUT_FILENO];
  if (lost == NULL && priv->output_size < MALT_LIMIT_UNHEARD_OUTPUT)
    {
      output_push_locked (self, request != NULL ? malt_request_get_serial (request) : 0, stream, bytes);
      priv->output_size += size + OUTPUT_OVERHEAD;
    }
  else
    {
      if (lost == NULL)
        lost = priv->output_lost[stream - STDOUT_FILENO] = output_push_locked (self, 0, stream, NULL);
      lost->n_lost += size;
    }
  g_mutex_unlock (&priv->calls_lock);

  malt_errands_pass_on (self);
}

/**
 * malt_worker_get_unheard_output:
 * @self: a worker
 *
 * Gets how much of what [method@Malt.Worker.report_output] was given nobody has been told yet;
 * for backends.  On any thread.
 *
 * Returns: a number of bytes
 *
 * Since: 1.0
 */
gsize
malt_worker_get_unheard_output (MaltWorker *self)
{
  MaltWorkerPrivate *priv;
  gsize size;

  g_return_val_if_fail (MALT_IS_WORKER (self), 0);

  priv = malt_worker_get_private (self);
  g_mutex_lock (&priv->calls_lock);
  size = priv->output_size;
  g_mutex_unlock (&priv->calls_lock);

  return size;
}

/* The class. */

/* Has what the worker's code says by itself be read in the context in which the worker was
 * made, or the one that stands in for it.  Before the worker runs, nothing: that is for set_running(), or for the next. */
void
malt_worker_begin_listening (MaltWorker *self)
{
  MaltWorkerPrivate *priv = malt_worker_get_private (self);
  MaltWorkerClass *klass = MALT_WORKER_GET_CLASS (self);
  GMainContext *context;
  gboolean begins;

  if (klass->listen == NULL)
    return;

  g_mutex_lock (&priv->calls_lock);
  begins = priv->state == MALT_WORKER_RUNNING && !priv->listens;
  priv->listens |= begins;
  context = priv->errands.fallback != NULL ? priv->errands.fallback : priv->context;
  g_mutex_unlock (&priv->calls_lock);

  if (begins)
    klass->listen (self, context);
}

void
malt_worker_add_events (MaltWorkerClass *klass)
{
  /**
   * MaltWorker::progress:
   * @self: the worker
   * @request_id: which call it is about, as
   *   [method@Malt.Worker.get_last_request_id] says after it has begun
   * @fraction: how much of it is done, from 0 to 1, or -1 if its code does not know
   * @text: what its code is doing, as it says; it can be empty
   *
   * Emitted when the code of a call has said how far it has got.  What it says faster than
   * it can be told is left out, but for the latest.
   *
   * It is emitted on the thread that made the worker, if that blocks in a call of the
   * worker; else in the main context that was the thread-default one where the worker was
   * made.
   *
   * Since: 1.0
   */
  signals[SIGNAL_PROGRESS] =
    g_signal_new ("progress", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                  G_TYPE_NONE, 3, G_TYPE_UINT64, G_TYPE_DOUBLE, G_TYPE_STRING);

  /**
   * MaltWorker::output:
   * @self: the worker
   * @request_id: the call whose code has printed it, as
   *   [method@Malt.Worker.get_last_request_id] says after it has begun; 0 if that is not known
   * @stream: 1 for standard output, 2 for standard error
   * @bytes: what was printed
   *
   * Emitted when the worker has printed something, if
   * [property@Malt.Launcher:stdout] or [property@Malt.Launcher:stderr] is
   * `MALT_OUTPUT_SIGNAL`.  The bytes come as they were written: they need be neither lines nor
   * UTF-8.  Those of one stream and request are in order.
   *
   * It is emitted on the thread that made the worker, if that blocks in a call of the
   * worker; else in the main context that was the thread-default one where the worker was
   * made.
   *
   * Since: 1.0
   */
  signals[SIGNAL_OUTPUT] =
    g_signal_new ("output", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                  G_TYPE_NONE, 3, G_TYPE_UINT64, G_TYPE_INT, G_TYPE_BYTES);
}

/**
 * malt_worker_get_last_request_id:
 * @self: a worker
 *
 * Gets the number of the request that the calling thread has begun last, for
 * [signal@Malt.Worker::progress] and [signal@Malt.Worker::output]: called after
 * [method@Malt.Worker.remote_call_async] or [method@Malt.Worker.remote_eval_async] it is that of
 * the call just begun, and called by a handler of a signal while the thread blocks, that of the
 * call in which it blocks.  Each call of a worker has a number of its own.
 *
 * Returns: the number, 0 if this thread has begun no request, or has begun one with another
 *   worker since; [method@Malt.Worker.remote_do] has none
 *
 * Since: 1.0
 */
guint64
malt_worker_get_last_request_id (MaltWorker *self)
{
  g_return_val_if_fail (MALT_IS_WORKER (self), 0);

  return malt_call_get_last_id (self);
}
