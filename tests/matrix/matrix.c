/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A manager in C: every case of cases.json with workers of each runtime. */

#include <malt.h>

#include <math.h>
#include <string.h>

#include <json-glib/json-glib.h>

#include "test-answer.h"
#include "test-asserts.h"
#include "test-case.h"
#include "test-channel.h"
#include "test-watchdog.h"

static JsonObject *cases;

/* The source of what a language sends or sees; NULL if it does not. */
static const char *
part (JsonObject *row,
      const char *column,
      const char *name)
{
  JsonNode *node = json_object_get_member (row, column);

  if (node == NULL || JSON_NODE_HOLDS_VALUE (node))
    return node != NULL ? json_node_get_string (node) : NULL;

  return json_object_get_string_member_with_default (json_node_get_object (node), name, NULL);
}

/* Whether the runtime is in a list of the row's, or what holds if there is no list. */
static gboolean
lists (JsonObject *row,
       const char *list,
       TestCase   *self,
       gboolean    otherwise)
{
  JsonArray *array;
  guint i;

  if (!json_object_has_member (row, list))
    return otherwise;

  array = json_object_get_array_member (row, list);
  for (i = 0; i < json_array_get_length (array); i++)
    if (g_str_equal (json_array_get_string_element (array, i), self->variant->runtime))
      return TRUE;
  return FALSE;
}

static GVariant *
call_check (TestCase    *self,
            const char  *name,
            GVariant    *arguments,
            GError     **error)
{
  JsonObject *names = json_object_get_object_member (json_object_get_object_member (cases, "runtimes"),
                                                     self->variant->runtime);
  g_autofree char *function = g_strconcat (json_object_get_string_member (names, "checks"), name, NULL);

  return malt_worker_remote_call_fetch (self->worker, function, arguments, NULL, MALT_TIMEOUT_DEFAULT, NULL, error);
}

static GVariant *
parse (const char *text)
{
  g_autoptr (GError) error = NULL;
  GVariant *value = g_variant_parse (NULL, text, NULL, NULL, &error);

  g_assert_no_error (error);
  return value;
}

/* Returns: what has gone wrong, or %NULL */
static char *
check_value (TestCase   *self,
             JsonObject *row)
{
  const char *runtime = self->variant->runtime;
  const char *sent = part (row, "variant", "sent");
  const char *seen = sent;
  g_autoptr (GVariant) value = NULL, back = NULL, expected = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *text = NULL;

  if (sent == NULL || !lists (row, "runtimes", self, TRUE))
    return NULL;

  value = parse (sent);
  if (lists (row, "refused by", self, FALSE))
    {
      back = malt_worker_remote_call_fetch (self->worker, test_case_function (self, "echo"),
                                            g_variant_new_tuple (&value, 1), NULL, MALT_TIMEOUT_DEFAULT, NULL, &error);
      if (g_error_matches (error, MALT_ERROR, MALT_ERROR_SERIALIZATION))
        return NULL;
      return g_strdup_printf ("was not refused: %s", error != NULL ? error->message : "it came back");
    }

  back = call_check (self, "expect",
                     g_variant_new ("(@*s)", value,
                                    part (row, test_case_is (self, "native") ? "variant" : runtime, "seen")),
                     &error);
  if (back == NULL)
    return g_strdup (error->message);

  if (json_object_has_member (row, "back"))
    {
      JsonObject *changes = json_object_get_object_member (row, "back");

      if (json_object_has_member (changes, runtime))
        seen = json_object_get_string_member_with_default (json_object_get_object_member (changes, runtime),
                                                           "variant", sent);
    }
  expected = parse (seen);
  if (g_variant_equal (back, expected))
    return NULL;

  text = g_variant_print (back, TRUE);
  return g_strdup_printf ("%.500s came back instead of %s", text, seen);
}

static void
test_values (TestCase   *self,
             const char *name)
{
  JsonArray *rows = json_object_get_array_member (cases, name);
  guint i;

  for (i = 0; i < json_array_get_length (rows); i++)
    {
      JsonObject *row = json_array_get_object_element (rows, i);
      g_autofree char *failure = check_value (self, row);

      if (failure != NULL)
        {
          g_test_message ("%s: %s", json_object_get_string_member (row, "name"), failure);
          g_test_fail ();
        }
    }
}

static void
test_exception (TestCase   *self,
                const char *name)
{
  JsonObject *exception = json_object_get_object_member (cases, name);
  JsonObject *expected = json_object_get_object_member (exception, self->variant->runtime);
  JsonArray *parts = json_object_get_array_member (expected, "traceback");
  const char *text = json_object_get_string_member (exception, "text");
  g_autoptr (GError) error = NULL;
  g_autofree char *type = NULL, *message = NULL, *traceback = NULL, *worker = NULL, *worker_name = NULL;
  const char *rest;
  guint i;

  g_assert_null (malt_worker_remote_call_fetch (self->worker,
                                                test_case_function (self, json_object_get_string_member (exception, "function")),
                                                g_variant_new ("(s)", text), NULL, MALT_TIMEOUT_DEFAULT, NULL, &error));
  g_assert_error (error, MALT_ERROR, MALT_ERROR_REMOTE);

  type = malt_remote_error_dup_type (error);
  message = malt_remote_error_dup_message (error);
  traceback = malt_remote_error_dup_traceback (error);
  worker = malt_remote_error_dup_worker (error);
  worker_name = malt_worker_dup_name (self->worker);
  g_assert_cmpstr (type, ==, json_object_get_string_member (expected, "type"));
  g_assert_cmpstr (message, ==, text);
  g_assert_cmpstr (worker, ==, worker_name);

  rest = traceback;
  for (i = 0; i < json_array_get_length (parts); i++)
    {
      const char *part_of_traceback = json_array_get_string_element (parts, i);

      g_assert_nonnull (rest);
      rest = strstr (rest, part_of_traceback);
      if (rest == NULL)
        g_error ("there is no '%s' where it should be in: %s", part_of_traceback, traceback);
    }
}

static void
test_interrupt (TestCase   *self,
                const char *name)
{
  const char *function = json_object_get_string_member (json_object_get_object_member (cases, name),
                                                        self->variant->runtime);
  guint i;

  for (i = 0; i < 2; i++)
    {
      TestAnswer *answer = test_case_start (self, function, MALT_TIMEOUT_NONE, NULL);
      g_autoptr (GError) error = NULL;

      malt_worker_interrupt (self->worker);
      g_assert_null (test_answer_wait (answer, &error));
      g_assert_error (error, MALT_ERROR, MALT_ERROR_INTERRUPTED);
      test_case_assert_usable (self);
    }
}

typedef struct
{
  MaltChannel *channel;
  gint64       count;
} Putting;

static gpointer
put_thread (gpointer data)
{
  Putting *self = data;
  gint64 i;

  for (i = 0; i < self->count; i++)
    test_channel_put (self->channel, i);
  malt_channel_close (self->channel);
  return NULL;
}

static void
test_channel (TestCase   *self,
              const char *name)
{
  JsonObject *channel = json_object_get_object_member (cases, name);
  gint64 count = json_object_get_int_member (channel, "count");
  gint64 capacity = json_object_get_int_member (channel, "capacity");
  g_autoptr (MaltChannel) there = test_channel_make (self, "a", capacity);
  g_autoptr (MaltChannel) back = test_channel_make (self, "b", capacity);
  g_autoptr (GError) error = NULL;
  Putting putting = { there, count };
  GThread *thread;
  gint64 i;

  test_channel_do (self, "echo", g_variant_new ("(ss)", "a", "b"));
  thread = g_thread_new ("put", put_thread, &putting);
  for (i = 0; i < count; i++)
    g_assert_cmpint (test_channel_take (back), ==, i);
  g_thread_join (thread);

  test_channel_assert_closed (back);
  g_assert_false (malt_channel_put (there, g_variant_new_int64 (1), -1, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CLOSED);
}

/* The arrays of the other managers, made in C. */

static GVariant *
new_bytes (void)
{
  gsize n = 1 << 21, i;
  guint32 *words = g_new (guint32, n);

  for (i = 0; i < n; i++)
    words[i] = (guint32) i * 2654435761u;
  return g_variant_new_from_data (G_VARIANT_TYPE_BYTESTRING, words, n * sizeof *words, TRUE, g_free, words);
}

static GVariant *
new_doubles (void)
{
  gsize n = 1000000, i;
  double *numbers = g_new (double, n);

  for (i = 0; i < n; i++)
    numbers[i] = -sqrt ((double) i);
  return g_variant_new_from_data (G_VARIANT_TYPE ("ad"), numbers, n * sizeof *numbers, TRUE, g_free, numbers);
}

static void
test_large (TestCase   *self,
            const char *name)
{
  JsonObject *large = json_object_get_object_member (json_object_get_object_member (cases, "large"), name);
  const char *expected = json_object_get_string_member (large, "sha256");
  g_autoptr (GVariant) value = g_variant_ref_sink (g_str_equal (name, "bytes") ? new_bytes () : new_doubles ());
  g_autofree char *digest = g_compute_checksum_for_data (G_CHECKSUM_SHA256, g_variant_get_data (value),
                                                         g_variant_get_size (value));
  g_autoptr (GVariant) digest_there = NULL, back = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_cmpstr (digest, ==, expected);
  digest_there = call_check (self, "digest", g_variant_new_tuple (&value, 1), &error);
  g_assert_no_error (error);
  g_assert_cmpstr (g_variant_get_string (digest_there, NULL), ==, expected);
  back = test_case_call (self, "echo", g_variant_new_tuple (&value, 1));
  g_assert_true (g_variant_equal (back, value));
}

static const struct
{
  const char *path;
  const char *name;
  TestNeeds   needs;
  void        (* func) (TestCase   *self,
                        const char *name);
} subjects[] = {
  { "values", "values", TEST_NEEDS_NOTHING, test_values },
  { "exception", "exception", TEST_NEEDS_NOTHING, test_exception },
  { "interrupt", "interrupt", TEST_NEEDS_QUEUE, test_interrupt },
  { "channel", "channel", TEST_NEEDS_CHANNELS, test_channel },
  { "large-bytes", "bytes", TEST_NEEDS_NOTHING, test_large },
  { "large-doubles", "doubles", TEST_NEEDS_NOTHING, test_large },
};

/* One subject with a worker of one runtime. */
typedef struct
{
  const TestVariant *variant;
  gsize              subject;
} Entry;

static void
run (gconstpointer data)
{
  const Entry *entry = data;
  const char *reason = test_variant_cannot (entry->variant, subjects[entry->subject].needs);
  TestCase self = { entry->variant, NULL, NULL };

  if (reason != NULL)
    {
      g_test_skip (reason);
      return;
    }

  test_watchdog_start ();
  self.launcher = test_case_new_launcher (self.variant);
  test_case_spawn_to_interrupt (&self);
  subjects[entry->subject].func (&self, subjects[entry->subject].name);
  test_case_assert_usable (&self);
  test_case_retire (self.worker);
  g_object_unref (self.launcher);
  test_watchdog_stop ();
}

int
main (int argc, char **argv)
{
  g_autoptr (JsonParser) parser = json_parser_new ();
  g_autoptr (GError) error = NULL;
  g_autofree char *path = NULL;
  gsize i, j;

  test_case_init (&argc, &argv, "matrix");
  path = g_test_build_filename (G_TEST_DIST, "matrix", "cases.json", NULL);
  json_parser_load_from_file (parser, path, &error);
  g_assert_no_error (error);
  cases = json_node_get_object (json_parser_get_root (parser));

  for (i = 0; i < test_n_variants; i++)
    for (j = 0; j < G_N_ELEMENTS (subjects) && g_str_equal (test_variants[i].backend, "process"); j++)
      {
        g_autofree char *test_path = g_strdup_printf ("/c/%s/%s", test_variants[i].runtime, subjects[j].path);
        Entry *entry = g_new (Entry, 1);

        *entry = (Entry) { &test_variants[i], j };
        g_test_add_data_func_full (test_path, entry, run, g_free);
      }

  return g_test_run ();
}
