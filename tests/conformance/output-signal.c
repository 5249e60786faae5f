/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>

#include <malt.h>

#include "test-answer.h"
#include "test-asserts.h"
#include "test-case.h"

/* What a worker prints, as its signal tells it. */

typedef struct
{
  GString *text[3]; /* by stream */
  guint64  id[3];   /* of the last of it */
  GThread *thread;
} Heard;

static void
heard_init (Heard *self)
{
  *self = (Heard) { .text = { NULL, g_string_new (NULL), g_string_new (NULL) } };
}

static void
heard_clear (Heard *self)
{
  g_string_free (self->text[1], TRUE);
  g_string_free (self->text[2], TRUE);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Heard, heard_clear)

static void
output_cb (MaltWorker *worker,
           guint64     request_id,
           int         stream,
           GBytes     *bytes,
           Heard      *self)
{
  g_assert_cmpint (stream, >=, 1);
  g_assert_cmpint (stream, <=, 2);
  g_assert_cmpuint (g_bytes_get_size (bytes), >, 0);
  g_string_append_len (self->text[stream], g_bytes_get_data (bytes, NULL), (gssize) g_bytes_get_size (bytes));
  self->id[stream] = request_id;
  self->thread = g_thread_self ();
}

static void
start (TestCase *self,
       Heard    *heard)
{
  heard_init (heard);
  malt_launcher_set_stdout (self->launcher, MALT_OUTPUT_SIGNAL);
  malt_launcher_set_stderr (self->launcher, MALT_OUTPUT_SIGNAL);
  self->worker = test_case_spawn (self);
  g_signal_connect (self->worker, "output", G_CALLBACK (output_cb), heard);
}

static void
await (Heard      *self,
       int         stream,
       const char *text)
{
  while (self->text[stream]->len < strlen (text))
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpstr (self->text[stream]->str, ==, text);
}

static void
test_streams (TestCase *self)
{
  g_auto (Heard) heard;

  start (self, &heard);
  g_variant_unref (test_case_call (self, "print", g_variant_new ("(s)", "to you\n")));
  g_variant_unref (test_case_call (self, "print_error", g_variant_new ("(s)", "and you")));
  await (&heard, 1, "to you\n");
  await (&heard, 2, "and you");
  g_assert_true (heard.thread == g_thread_self ());
  test_case_assert_usable (self);
}

/* Where the runtime knows whose it is, it says so, also of coroutines. */
static void
test_attributed (TestCase *self)
{
  static const char * const sources[][2] = {
    { "print('here')", "print('here')" },
    { "import asyncio; await asyncio.sleep(0.01); print('here')",
      "await new Promise(r => setTimeout(r, 10)); print('here')" },
  };
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (sources); i++)
    {
      g_autoptr (GError) error = NULL;
      g_auto (Heard) heard;
      TestAnswer *answer;
      guint64 id;

      start (self, &heard);
      answer = test_answer_eval (self->worker, NULL, test_case_source (self, sources[i][0], sources[i][1]),
                                 MALT_TIMEOUT_NONE, NULL);
      id = malt_worker_get_last_request_id (self->worker);
      g_variant_unref (test_answer_wait (answer, &error));
      g_assert_no_error (error);
      await (&heard, 1, "here\n"); /* which has come by now */
      g_assert_cmpuint (heard.id[1], ==, id);
      g_assert_cmpuint (id, !=, 0);
      test_case_retire (g_steal_pointer (&self->worker));
    }
}

/* What is nobody's, or goes past the runtime, comes all the same. */
static void
test_unattributed (TestCase *self)
{
  static const char * const python[] = {
    "import os; os.write(1, b'direct\\n')",
    "import subprocess; subprocess.run(['/bin/echo', 'direct']); None",
    "import threading; t = threading.Thread(target=print, args=('direct',)); t.start(); t.join()",
    "import os\n"
    "if os.fork() == 0:\n"
    "    print('direct', flush=True)\n"
    "    os._exit(0)\n"
    "os.wait(); None",
    NULL,
  };
  static const char * const javascript[] = {
    "const {Gio} = imports.gi; new Gio.UnixOutputStream({fd: 1}).write('direct\\n', null)",
    "const {Gio} = imports.gi; Gio.Subprocess.new(['/bin/echo', 'direct'], 0).wait(null)",
    NULL,
  };
  const char * const *sources = test_case_is (self, "gjs") ? javascript : python;
  gsize i;

  for (i = 0; sources[i] != NULL; i++)
    {
      g_auto (Heard) heard;

      start (self, &heard);
      g_variant_unref (test_case_eval (self, sources[i]));
      await (&heard, 1, "direct\n");
      g_assert_cmpuint (heard.id[1], ==, 0);
      test_case_retire (g_steal_pointer (&self->worker));
    }
}

/* One stream can be told and the other not. */
static void
test_one (TestCase *self)
{
  g_auto (Heard) heard;

  heard_init (&heard);
  malt_launcher_set_stdout (self->launcher, MALT_OUTPUT_SIGNAL);
  malt_launcher_set_stderr (self->launcher, MALT_OUTPUT_DISCARD);
  self->worker = test_case_spawn (self);
  g_signal_connect (self->worker, "output", G_CALLBACK (output_cb), &heard);
  g_variant_unref (test_case_call (self, "print_error", g_variant_new ("(s)", "unheard")));
  g_variant_unref (test_case_call (self, "print", g_variant_new ("(s)", "heard")));
  await (&heard, 1, "heard");
  g_assert_cmpuint (heard.text[2]->len, ==, 0);
}

/* A megabyte, which is more than any pipe or ring holds. */
static void
test_much (TestCase *self)
{
  g_autofree char *line = g_strnfill (1024, 'x');
  g_auto (Heard) heard;

  start (self, &heard);
  g_variant_unref (test_case_call (self, "print_many", g_variant_new ("(xs)", G_GINT64_CONSTANT (1024), line)));
  while (heard.text[1]->len < 1024 * 1024)
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpuint (heard.text[1]->len, ==, 1024 * 1024);
  g_assert_cmpuint (strspn (heard.text[1]->str, "x"), ==, 1024 * 1024);
}

static gpointer
print_thread (gpointer data)
{
  TestCase *self = data;
  g_autofree char *line = g_strnfill (1024 * 1024, 'x');

  g_variant_unref (test_case_call (self, "print_many", g_variant_new ("(xs)", G_GINT64_CONSTANT (40), line)));
  return NULL;
}

/* What is more than is kept for a program that does not listen is lost, and it is told how
 * much that was. */
static void
test_lost (TestCase *self)
{
  g_auto (Heard) heard;
  const char *note;
  guint64 lost;

  start (self, &heard);
  g_thread_join (g_thread_new ("prints", print_thread, self));
  test_case_retire (g_object_ref (self->worker)); /* all has been read then */
  while ((note = strchr (heard.text[1]->str, '(')) == NULL)
    g_main_context_iteration (NULL, TRUE);

  test_assert_match (note, "(* bytes of output were lost: *");
  lost = g_ascii_strtoull (note + 1, NULL, 10);
  g_assert_cmpuint (strspn (heard.text[1]->str, "x") + lost, ==, 40 * 1024 * 1024);
}

static void
test_unlistened (TestCase *self)
{
  malt_launcher_set_stdout (self->launcher, MALT_OUTPUT_SIGNAL);
  self->worker = test_case_spawn (self);
  g_variant_unref (test_case_call (self, "print", g_variant_new ("(s)", "nobody hears this")));
  test_case_assert_usable (self);
}

static void
test_refused (TestCase *self)
{
  g_autoptr (GError) error = NULL;

  if (test_case_is (self, "process"))
    {
      g_test_skip ("it can");
      return;
    }

  malt_launcher_set_stdout (self->launcher, MALT_OUTPUT_SIGNAL);
  g_assert_null (malt_launcher_spawn (self->launcher, NULL, &error));
  g_assert_error (error, MALT_ERROR, MALT_ERROR_NOT_SUPPORTED);
}

int
main (int argc, char **argv)
{
  test_case_init (&argc, &argv, "output-signal");

  test_case_add_idle ("streams", TEST_NEEDS_PROCESS, test_streams);
  test_case_add_idle ("attributed", TEST_NEEDS_PROCESS | TEST_NEEDS_EVAL, test_attributed);
  test_case_add_idle ("unattributed", TEST_NEEDS_PROCESS | TEST_NEEDS_EVAL, test_unattributed);
  test_case_add_idle ("one", TEST_NEEDS_PROCESS, test_one);
  test_case_add_idle ("much", TEST_NEEDS_PROCESS, test_much);
  test_case_add_idle ("lost", TEST_NEEDS_PROCESS | TEST_NEEDS_FREE, test_lost);
  test_case_add_idle ("unlistened", TEST_NEEDS_PROCESS, test_unlistened);
  test_case_add_idle ("refused", TEST_NEEDS_RUNTIME, test_refused);

  return g_test_run ();
}
