/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <malt.h>

#include "test-answer.h"
#include "test-asserts.h"
#include "test-mark.h"
#include "test-runtime.h"

/* What JavaScript code knows of the call that it belongs to, also after an `await`.  In the
 * program all workers share one JavaScript, so names are each test's own. */

#define TICK "await new Promise(resolve => setTimeout(resolve, 1));"

static TestAnswer *
start (const char   *source,
       GCancellable *cancellable)
{
  return test_answer_eval (test_runtime_worker, NULL, source, MALT_TIMEOUT_NONE, cancellable);
}

static void
assert_cancelled (TestAnswer *answer)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (test_answer_wait (answer, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
}

static void
assert_answer (TestAnswer *answer,
               const char *expected)
{
  g_autoptr (GError) error = NULL;
  GVariant *value = test_answer_wait (answer, &error);

  g_assert_no_error (error);
  test_assert_value (value, expected);
}

static gboolean
has_global (const char *name)
{
  g_autofree char *is_there = g_strdup_printf ("'%s' in globalThis", name);
  g_autoptr (GVariant) value = test_runtime_eval (NULL, is_there);

  return g_variant_get_boolean (value);
}

/* Until that is there, without a call that waits. */
static void
await_global (const char *name,
              const char *expected)
{
  while (!has_global (name))
    g_usleep (1000);
  test_runtime_assert_eval (name, expected);
}

/* A call that was given up goes on until it looks. */
static void
test_cancelled (void)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;
  TestAnswer *answer;
  int timeout;

  answer = start ("globalThis.ca1 = 'begun'; while (!malt.cancelled()) { " TICK " }\nglobalThis.ca2 = 'gave up'", cancellable);
  test_runtime_assert_eval ("ca1", "'begun'");
  g_cancellable_cancel (cancellable);
  assert_cancelled (answer);
  await_global ("ca2", "'gave up'");

  /* So does one whose time is over, or that is interrupted. */
  for (timeout = 20; !has_global ("ca6"); timeout *= 2) /* it may not have begun in time */
    {
      answer = test_answer_eval (test_runtime_worker, NULL,
                                 "globalThis.ca6 = 'begun'; while (!malt.cancelled()) { " TICK " }\nglobalThis.ca3 = 'too late'",
                                 timeout, NULL);
      g_clear_error (&error);
      g_assert_null (test_answer_wait (answer, &error));
      g_assert_error (error, MALT_ERROR, MALT_ERROR_TIMEOUT);
    }
  await_global ("ca3", "'too late'");

  answer = start ("globalThis.ca4 = 'begun'; while (!malt.cancelled()) { " TICK " }\nglobalThis.ca5 = 'broken off'", NULL);
  test_runtime_assert_eval ("ca4", "'begun'");
  malt_worker_interrupt (test_runtime_worker);
  g_clear_error (&error);
  g_assert_null (test_answer_wait (answer, &error));
  g_assert_error (error, MALT_ERROR, MALT_ERROR_INTERRUPTED);
  await_global ("ca5", "'broken off'");
}

/* One that was not is never told that it was, whichever others are there. */
static void
test_several (void)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autofree char *mark = test_mark_new ();
  g_autofree char *source = NULL;
  TestAnswer *given_up, *other;

  other = start ("let se1 = false, se2 = 0; const se3 = malt.currentCall;"
                 "do { " TICK " se2 += malt.cancelled() || se3.cancelled; } while (!se1);\nse2", NULL);
  given_up = start ("const se4 = malt.currentCall; let se5; while (!se4.cancelled) { " TICK " }\n"
                    "se5 = malt.cancelled(); try { se4.throwIfCancelled(); } catch (e) { globalThis.se6 = `${e}`; }", cancellable);
  test_runtime_assert_eval ("se4.cancelled", "false");
  g_cancellable_cancel (cancellable);
  assert_cancelled (given_up);
  await_global ("se6", "'CancelledError: the call was cancelled'");
  test_runtime_assert_eval ("se5", "false");
  test_runtime_assert_eval ("se1 = true", "true");
  assert_answer (other, "int64 0");

  /* Nor what promises call while another one runs. */
  g_clear_object (&cancellable);
  cancellable = g_cancellable_new ();
  other = start ("let se7; await new Promise(resolve => { se7 = resolve; }); malt.cancelled()", NULL);
  source = g_strdup_printf ("const se8 = malt.currentCall; imports.gi.GLib.file_set_contents('%s', '');"
                            "while (!malt.cancelled()) ; se7(); se8.throwIfCancelled()", mark);
  given_up = start (source, cancellable);
  test_mark_await (mark);
  g_cancellable_cancel (cancellable);
  assert_cancelled (given_up);
  assert_answer (other, "false");
}

/* What is kept does no harm. */
static void
test_ended (void)
{
  test_runtime_assert_eval ("const en1 = malt.currentCall; [en1.cancelled, malt.currentCall.cancelled]", "[false, false]");
  test_runtime_assert_eval ("en1.progress(0.5, 'nobody hears'); en1.throwIfCancelled(); en1.cancelled", "false");
  test_runtime_assert_eval ("try { en1.progress(-1); } catch (e) { e.name }", "'Error'");
  test_runtime_assert_eval ("function en2() { return malt.currentCall !== null; }\nen2()", "true");
  test_assert_value (test_runtime_call ("en2", NULL), "true");

  /* After an `await` there is none. */
  test_runtime_assert_eval ("await null; malt.currentCall === null", "true");
  test_runtime_assert_eval (TICK " malt.currentCall === null", "true");
}

static void
progress_cb (MaltWorker *worker,
             guint64     request_id,
             double      fraction,
             const char *text,
             GString    *heard)
{
  g_string_append_printf (heard, "%" G_GUINT64_FORMAT ": %s\n", request_id, text);
}

/* Each tells of itself, although several wait. */
static void
test_progress (void)
{
  g_autofree char *expected = NULL;
  GString *heard = g_string_new (NULL);
  TestAnswer *first, *second;
  guint64 first_id, second_id;

  g_signal_connect (test_runtime_worker, "progress", G_CALLBACK (progress_cb), heard);
  first = start ("const pr1 = malt.currentCall; let pr2; await new Promise(resolve => { pr2 = resolve; });"
                 "pr1.progress(0.5, 'first'); null", NULL);
  first_id = malt_worker_get_last_request_id (test_runtime_worker);
  second = start ("const pr3 = malt.currentCall; let pr4; await new Promise(resolve => { pr4 = resolve; });"
                  "pr3.progress(null, 'second'); null", NULL);
  second_id = malt_worker_get_last_request_id (test_runtime_worker);

  test_runtime_assert_eval ("setTimeout(pr4, 1); null", "@mv nothing");
  assert_answer (second, "@mv nothing");
  test_runtime_assert_eval ("pr3.progress(1, 'after the end'); setTimeout(pr2, 1); null", "@mv nothing");
  assert_answer (first, "@mv nothing");

  expected = g_strdup_printf ("%" G_GUINT64_FORMAT ": second\n%" G_GUINT64_FORMAT ": first\n", second_id, first_id);
  g_assert_cmpstr (heard->str, ==, expected);
  g_signal_handlers_disconnect_by_data (test_runtime_worker, heard);
  g_string_free (heard, TRUE);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  test_runtime_add ("gjs", "gjs-current-call", "cancelled", NULL, test_cancelled);
  test_runtime_add ("gjs", "gjs-current-call", "several", NULL, test_several);
  test_runtime_add ("gjs", "gjs-current-call", "ended", NULL, test_ended);
  test_runtime_add ("gjs", "gjs-current-call", "progress", NULL, test_progress);

  return g_test_run ();
}
