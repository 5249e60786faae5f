/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test-answer.h"

struct _TestAnswer
{
  GMainContext *context;
  GThread      *thread;
  GVariant     *value;
  GError       *error;
  gboolean      done;
  guint         serial;  /* 1 for the first answer of the process */
};

static int last_serial; /* atomic */

static TestAnswer *
test_answer_new (void)
{
  TestAnswer *self = g_new0 (TestAnswer, 1);

  self->context = g_main_context_ref_thread_default ();
  self->thread = g_thread_self ();
  return self;
}

static void
test_answer_take (TestAnswer *self,
                  GVariant   *value)
{
  g_assert_true (self->thread == g_thread_self ());
  g_assert_false (self->done);
  g_assert_true ((value != NULL) != (self->error != NULL));

  self->value = value;
  self->done = TRUE;
  self->serial = 1 + (guint) g_atomic_int_add (&last_serial, 1);
}

static void
call_cb (GObject      *source,
         GAsyncResult *result,
         gpointer      user_data)
{
  TestAnswer *self = user_data;

  test_answer_take (self, malt_worker_remote_call_finish (MALT_WORKER (source), result,
                                                          &self->error));
}

TestAnswer *
test_answer_call (MaltWorker   *worker,
                  const char   *function,
                  GVariant     *arguments,
                  int           timeout_msec,
                  GCancellable *cancellable)
{
  TestAnswer *self = test_answer_new ();

  malt_worker_remote_call_async (worker, function, arguments, NULL, timeout_msec,
                                 cancellable, call_cb, self);
  /* The callback never comes before the function has returned. */
  g_assert_false (self->done);
  return self;
}

static void
eval_cb (GObject      *source,
         GAsyncResult *result,
         gpointer      user_data)
{
  TestAnswer *self = user_data;

  test_answer_take (self, malt_worker_remote_eval_finish (MALT_WORKER (source), result,
                                                          &self->error));
}

TestAnswer *
test_answer_eval (MaltWorker   *worker,
                  const char   *module,
                  const char   *source,
                  int           timeout_msec,
                  GCancellable *cancellable)
{
  TestAnswer *self = test_answer_new ();

  malt_worker_remote_eval_async (worker, module, source, timeout_msec, cancellable,
                                 eval_cb, self);
  g_assert_false (self->done);
  return self;
}

/* Whether it has arrived; lets it arrive where it only has to be dispatched. */
gboolean
test_answer_is_there (TestAnswer *self)
{
  while (!self->done && g_main_context_iteration (self->context, FALSE))
    ;
  return self->done;
}

/* When the answer came among all of the process. */
guint
test_answer_get_serial (TestAnswer *self)
{
  g_assert_true (self->done);
  return self->serial;
}

/* Runs the main context until the answer is there, and frees @self. */
GVariant *
test_answer_wait (TestAnswer  *self,
                  GError     **error)
{
  GVariant *value;

  while (!self->done)
    g_main_context_iteration (self->context, TRUE);

  value = self->value;
  if (self->error != NULL)
    g_propagate_error (error, self->error);
  g_main_context_unref (self->context);
  g_free (self);
  return value;
}
