/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "mock-worker.h"

#include <signal.h>

/* A backend made of nothing but a main context: it holds the library to what it
 * promises to those that are written in Python or JavaScript.  Its functions run
 * in the context in which the worker was made (or in the one that stands in for it
 * during a blocking call), and it answers from there. */

struct _MockWorker
{
  MaltWorker     parent_instance;

  GMainContext  *context;   /* in which it was made */
  GThread       *thread;    /* on which it was made; only compared */
  GPtrArray     *pending;   /* of Pending: submitted and not answered */
  GVariant      *state;     /* what "set" has put there */
};

typedef struct
{
  MockWorker  *worker;  /* unowned: the worker ends all of its own */
  MaltRequest *request;
  GSource     *source;  /* or NULL: never answers */
} Pending;

G_DEFINE_FINAL_TYPE (MockWorker, mock_worker, MALT_TYPE_WORKER)

/* In the context in which the worker was made, or on its thread where that waits for
 * the worker in a blocking call. */
static void
assert_at_home (MockWorker *self)
{
  g_assert_true (g_main_context_is_owner (self->context) || g_thread_self () == self->thread);
}

static void
pending_free (gpointer data)
{
  Pending *pending = data;

  if (pending->source != NULL)
    {
      g_source_destroy (pending->source);
      g_source_unref (pending->source);
    }
  g_object_unref (pending->request);
  g_free (pending);
}

static void
mock_worker_end (MockWorker   *self,
                 MaltExitKind  kind,
                 int           status)
{
  g_autoptr (MaltExitInfo) exit_info = malt_exit_info_new (kind, status);

  assert_at_home (self);
  malt_worker_report_terminated (MALT_WORKER (self), exit_info);
  g_ptr_array_set_size (self->pending, 0);
}

static gboolean
answer_cb (gpointer user_data)
{
  Pending *pending = user_data;
  g_autoptr (MockWorker) self = g_object_ref (pending->worker);
  g_autoptr (MaltRequest) request = g_object_ref (pending->request);
  const char *function = malt_request_get_function (request);
  GVariant *arguments = malt_request_get_arguments (request);

  g_ptr_array_remove_fast (self->pending, pending);

  if (malt_request_get_kind (request) == MALT_REQUEST_KIND_EVAL)
    malt_request_return_new_error (request, MALT_ERROR, MALT_ERROR_NOT_SUPPORTED,
                                   "the mock does not evaluate source");
  else if (malt_request_get_kind (request) == MALT_REQUEST_KIND_CHANNEL)
    malt_request_return_new_error (request, MALT_ERROR, MALT_ERROR_NOT_SUPPORTED, "the mock has no channels");
  else if (g_str_equal (function, "add"))
    {
      gint64 a, b;

      g_variant_get (arguments, "(xx)", &a, &b);
      malt_request_return_value (request, g_variant_new_int64 (a + b));
    }
  else if (g_str_equal (function, "echo"))
    {
      g_autoptr (GVariant) first = g_variant_get_child_value (arguments, 0);

      malt_request_return_value (request, first);
    }
  else if (g_str_equal (function, "later"))
    {
      g_autoptr (GVariant) value = g_variant_get_child_value (arguments, 1);

      malt_request_return_value (request, value);
    }
  else if (g_str_equal (function, "put"))
    {
      g_clear_pointer (&self->state, g_variant_unref);
      self->state = g_variant_get_child_value (arguments, 0);
      malt_request_return_value (request, NULL);
    }
  else if (g_str_equal (function, "get"))
    malt_request_return_value (request, self->state);
  else if (g_str_equal (function, "exit"))
    mock_worker_end (self, MALT_EXIT_KIND_EXITED, 1);
  else if (g_str_equal (function, "nothing") || g_str_equal (function, "sleep"))
    malt_request_return_value (request, NULL);
  else if (g_str_equal (function, "fail"))
    {
      const char *text;

      g_variant_get (arguments, "(&s)", &text);
      malt_request_return_error (request,
                                 malt_remote_error_new (MALT_ERROR_REMOTE, "MockError", text, NULL));
    }
  else
    malt_request_return_new_error (request, MALT_ERROR, MALT_ERROR_NOT_FOUND,
                                   "no function '%s'", function);

  return G_SOURCE_REMOVE;
}

static void
mock_worker_submit (MaltWorker  *worker,
                    MaltRequest *request)
{
  MockWorker *self = MOCK_WORKER (worker);
  const char *function = malt_request_get_function (request);
  Pending *pending = g_new0 (Pending, 1);

  assert_at_home (self);

  pending->worker = self;
  pending->request = g_object_ref (request);
  g_ptr_array_add (self->pending, pending);

  if (g_strcmp0 (function, "spin") == 0 || g_strcmp0 (function, "later_never") == 0)
    return;

  if (g_strcmp0 (function, "sleep") == 0 || g_strcmp0 (function, "later") == 0)
    {
      g_autoptr (GVariant) msec = g_variant_get_child_value (malt_request_get_arguments (request), 0);

      pending->source = g_timeout_source_new ((guint) g_variant_get_int64 (msec));
    }
  else
    {
      pending->source = g_idle_source_new ();
      g_source_set_priority (pending->source, G_PRIORITY_DEFAULT);
    }

  g_source_set_callback (pending->source, answer_cb, pending, NULL);
  g_source_attach (pending->source, g_main_context_get_thread_default ());
}

static void
mock_worker_cancel (MaltWorker  *worker,
                    MaltRequest *request)
{
  MockWorker *self = MOCK_WORKER (worker);
  guint i;

  assert_at_home (self);

  for (i = 0; i < self->pending->len; i++)
    {
      Pending *pending = g_ptr_array_index (self->pending, i);

      if (pending->request == request)
        {
          g_ptr_array_remove_index_fast (self->pending, i);
          malt_request_return_new_error (request, G_IO_ERROR, G_IO_ERROR_CANCELLED,
                                         "the mock gave up");
          return;
        }
    }
}

/* The latest, where no request is named. */
static void
mock_worker_interrupt (MaltWorker  *worker,
                       MaltRequest *request)
{
  MockWorker *self = MOCK_WORKER (worker);
  guint i;

  assert_at_home (self);

  for (i = self->pending->len; i > 0; i--)
    {
      Pending *pending = g_ptr_array_index (self->pending, i - 1);

      if (request == NULL || pending->request == request)
        {
          g_autoptr (MaltRequest) found = g_object_ref (pending->request);

          g_ptr_array_remove_index (self->pending, i - 1);
          malt_request_return_error (found,
                                     malt_remote_error_new (MALT_ERROR_INTERRUPTED, "MockInterrupt",
                                                            "the mock was interrupted", NULL));
          return;
        }
    }
}

static void
mock_worker_stop (MaltWorker *worker)
{
  mock_worker_end (MOCK_WORKER (worker), MALT_EXIT_KIND_STOPPED, 0);
}

static void
mock_worker_kill (MaltWorker *worker,
                  int         signum)
{
  mock_worker_end (MOCK_WORKER (worker), MALT_EXIT_KIND_SIGNALLED, signum);
}

static void
mock_worker_finalize (GObject *object)
{
  MockWorker *self = MOCK_WORKER (object);

  g_ptr_array_unref (self->pending);
  g_main_context_unref (self->context);
  g_clear_pointer (&self->state, g_variant_unref);

  G_OBJECT_CLASS (mock_worker_parent_class)->finalize (object);
}

static void
mock_worker_class_init (MockWorkerClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  MaltWorkerClass *worker_class = MALT_WORKER_CLASS (klass);

  object_class->finalize = mock_worker_finalize;

  worker_class->submit = mock_worker_submit;
  worker_class->cancel = mock_worker_cancel;
  worker_class->interrupt = mock_worker_interrupt;
  worker_class->stop = mock_worker_stop;
  worker_class->kill = mock_worker_kill;
  worker_class->any_thread = FALSE;
}

static void
mock_worker_init (MockWorker *self)
{
  self->context = g_main_context_ref_thread_default ();
  self->thread = g_thread_self ();
  self->pending = g_ptr_array_new_with_free_func (pending_free);
}
