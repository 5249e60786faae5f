/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <malt.h>
#include <signal.h>

/* A backend that takes calls of which nobody hears without a request, and what the library
 * sees to before and after. */

#define POSTING_TYPE_WORKER (posting_worker_get_type ())
G_DECLARE_FINAL_TYPE (PostingWorker, posting_worker, POSTING, WORKER, MaltWorker)

struct _PostingWorker
{
  MaltWorker  parent_instance;

  char       *function;   /* of the last one */
  GVariant   *arguments;
  GVariant   *keywords;
  guint       n_posted;
  guint       n_submitted;
  gboolean    is_full;
};

G_DEFINE_FINAL_TYPE (PostingWorker, posting_worker, MALT_TYPE_WORKER)

static void
posting_worker_submit (MaltWorker  *worker,
                       MaltRequest *request)
{
  POSTING_WORKER (worker)->n_submitted++;
  malt_request_return_value (request, NULL);
}

static gboolean
posting_worker_post (MaltWorker  *worker,
                     const char  *function,
                     GVariant    *arguments,
                     GVariant    *keywords,
                     GError     **error)
{
  PostingWorker *self = POSTING_WORKER (worker);

  if (self->is_full)
    {
      g_set_error_literal (error, MALT_ERROR, MALT_ERROR_SERIALIZATION, "it is full");
      return FALSE;
    }

  self->n_posted++;
  g_free (self->function);
  self->function = g_strdup (function);
  g_clear_pointer (&self->arguments, g_variant_unref);
  g_clear_pointer (&self->keywords, g_variant_unref);
  self->arguments = arguments != NULL ? g_variant_ref (arguments) : NULL;
  self->keywords = keywords != NULL ? g_variant_ref (keywords) : NULL;
  return TRUE;
}

static void
posting_worker_kill (MaltWorker *worker,
                     int         signum)
{
  g_autoptr (MaltExitInfo) exit_info = malt_exit_info_new (MALT_EXIT_KIND_STOPPED, 0);

  malt_worker_report_terminated (worker, exit_info);
}

static void
posting_worker_finalize (GObject *object)
{
  PostingWorker *self = POSTING_WORKER (object);

  g_free (self->function);
  g_clear_pointer (&self->arguments, g_variant_unref);
  g_clear_pointer (&self->keywords, g_variant_unref);

  G_OBJECT_CLASS (posting_worker_parent_class)->finalize (object);
}

static void
posting_worker_class_init (PostingWorkerClass *klass)
{
  MaltWorkerClass *worker_class = MALT_WORKER_CLASS (klass);

  G_OBJECT_CLASS (klass)->finalize = posting_worker_finalize;
  worker_class->submit = posting_worker_submit;
  worker_class->kill = posting_worker_kill;
  worker_class->post = posting_worker_post;
  worker_class->any_thread = TRUE;
}

static void
posting_worker_init (PostingWorker *self)
{
}

static PostingWorker *
start (void)
{
  g_autoptr (MaltLauncher) launcher = malt_launcher_new ("posting", NULL);
  g_autoptr (GError) error = NULL;
  MaltWorker *worker = malt_launcher_spawn (launcher, NULL, &error);

  g_assert_no_error (error);
  return POSTING_WORKER (worker);
}

static void
test_taken (void)
{
  g_autoptr (PostingWorker) self = start ();
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) value = NULL;

  g_assert_true (malt_worker_remote_do (MALT_WORKER (self), "f", NULL, NULL, &error));
  g_assert_no_error (error);
  g_assert_cmpstr (self->function, ==, "f");
  g_assert_null (self->arguments);
  g_assert_null (self->keywords);

  g_assert_true (malt_worker_remote_do (MALT_WORKER (self), "g", g_variant_new ("(i)", 3),
                                        g_variant_new_parsed ("{'a': <1>}"), &error));
  g_assert_no_error (error);
  g_assert_cmpstr (g_variant_get_type_string (self->arguments), ==, "(i)");
  g_assert_cmpuint (g_variant_n_children (self->keywords), ==, 1);
  g_assert_cmpuint (self->n_posted, ==, 2);
  g_assert_cmpuint (self->n_submitted, ==, 0);

  /* Where somebody waits there is a request. */
  value = malt_worker_remote_call_fetch (MALT_WORKER (self), "f", NULL, NULL, -1, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (self->n_submitted, ==, 1);
}

static void
test_refused (void)
{
  g_autoptr (PostingWorker) self = start ();
  g_autoptr (GError) invalid = NULL;
  g_autoptr (GError) full = NULL;
  g_autoptr (GError) stopped = NULL;

  g_assert_false (malt_worker_remote_do (MALT_WORKER (self), "f", g_variant_new_int32 (1), NULL, &invalid));
  g_assert_error (invalid, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);

  self->is_full = TRUE;
  g_assert_false (malt_worker_remote_do (MALT_WORKER (self), "f", NULL, NULL, &full));
  g_assert_error (full, MALT_ERROR, MALT_ERROR_SERIALIZATION);
  g_assert_cmpstr (full->message, ==, "posting worker (native) with PID 0: it is full");

  malt_worker_kill (MALT_WORKER (self), SIGKILL);
  g_assert_false (malt_worker_remote_do (MALT_WORKER (self), "f", NULL, NULL, &stopped));
  g_assert_error (stopped, MALT_ERROR, MALT_ERROR_TERMINATED);
  g_assert_cmpuint (self->n_posted, ==, 0);
}

int
main (int    argc,
      char **argv)
{
  g_autoptr (GError) error = NULL;

  g_test_init (&argc, &argv, NULL);
  malt_worker_register ("posting", POSTING_TYPE_WORKER, &error);
  g_assert_no_error (error);

  g_test_add_func ("/post/taken", test_taken);
  g_test_add_func ("/post/refused", test_refused);

  return g_test_run ();
}
