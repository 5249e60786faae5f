/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <malt.h>

#include "malt-request-private.h"
#include "malt-result.h"

/* Requests and results are used again; nobody may notice. */

static void
count_cb (MaltRequest *request,
          GVariant    *value,
          GError      *error,
          gpointer     user_data)
{
  guint *n = user_data;

  ++*n;
  g_clear_pointer (&value, g_variant_unref);
  g_clear_error (&error);
}

static MaltRequest *
new_request (guint *n_answers)
{
  MaltRequest *self = malt_request_new_call ("module:function", NULL, NULL, MALT_REQUEST_FLAGS_NONE);

  malt_request_set_responder (self, count_cb, n_answers);
  return self;
}

static void
assert_new (MaltRequest *self)
{
  g_assert_cmpuint (malt_request_get_id (self), ==, 0);
  g_assert_cmpint (malt_request_get_kind (self), ==, MALT_REQUEST_KIND_CALL);
  g_assert_cmpint (malt_request_get_flags (self), ==, MALT_REQUEST_FLAGS_NONE);
  g_assert_cmpstr (malt_request_get_function (self), ==, "module:function");
  g_assert_null (malt_request_get_module (self));
  g_assert_null (malt_request_get_source (self));
  g_assert_cmpuint (g_variant_n_children (malt_request_get_arguments (self)), ==, 0);
  g_assert_null (malt_request_get_keywords (self));
  g_assert_null (malt_request_get_context (self));
  g_assert_false (malt_request_is_done (self));
  g_assert_false (malt_request_is_interrupted (self));
  g_assert_false (malt_request_is_deferred (self));
  g_assert_false (malt_request_is_withdrawn (self));
  g_assert_false (g_cancellable_is_cancelled (malt_request_get_cancellable (self)));
}

static void
test_clean (void)
{
  guint i, n_answers = 0;

  for (i = 0; i < 10; i++)
    {
      MaltRequest *self = new_request (&n_answers);
      MaltRequest *eval;

      assert_new (self);
      malt_request_set_context (self, g_main_context_default (), FALSE);
      malt_request_set_id (self, 7);
      malt_request_interrupt (self);
      malt_request_return_withdrawn (self);
      if (i % 2 == 0)
        g_cancellable_cancel (malt_request_get_cancellable (self));
      malt_request_release (self);

      eval = malt_request_new_eval ("module", "a source that is longer than what a request has room for by itself",
                                    MALT_REQUEST_FLAGS_NO_VALUE);
      g_assert_null (malt_request_get_arguments (eval));
      g_assert_cmpstr (malt_request_get_module (eval), ==, "module");
      malt_request_abandon (eval);
      malt_request_release (eval);
    }

  g_assert_cmpuint (n_answers, ==, 10);
}

/* Who has a reference keeps what it had. */
static void
test_kept (void)
{
  guint n_answers = 0;
  MaltRequest *self = new_request (&n_answers);
  g_autoptr (MaltRequest) kept = g_object_ref (self);
  g_autoptr (GCancellable) cancellable = g_object_ref (malt_request_get_cancellable (self));
  MaltRequest *other;

  malt_request_return_value (self, NULL);
  malt_request_release (self);
  other = new_request (&n_answers);
  g_assert_true (other != kept);
  g_assert_true (malt_request_get_cancellable (other) != cancellable);
  g_assert_true (malt_request_is_done (kept));
  g_assert_cmpstr (malt_request_get_function (kept), ==, "module:function");
  malt_request_release (other);
}

static void
gone_cb (gpointer data)
{
  *(gboolean *) data = TRUE;
}

static void
cancelled_cb (GCancellable *cancellable,
              gpointer      data)
{
  *(gboolean *) data = TRUE;
}

/* What belongs to the object goes when the object should. */
static void
test_data (void)
{
  guint n_answers = 0;
  gboolean is_gone = FALSE, is_cancelled = FALSE;
  MaltRequest *self = new_request (&n_answers);
  MaltRequest *weak = self;
  GCancellable *cancellable = malt_request_get_cancellable (self);

  g_object_set_data_full (G_OBJECT (self), "data", &is_gone, gone_cb);
  g_object_add_weak_pointer (G_OBJECT (self), (gpointer *) &weak);
  g_cancellable_connect (cancellable, G_CALLBACK (cancelled_cb), &is_cancelled, NULL);
  malt_request_return_value (self, NULL);
  malt_request_release (self);
  g_assert_true (is_gone);
  g_assert_null (weak);

  /* A handler that was left is not called for the next one. */
  self = new_request (&n_answers);
  cancellable = malt_request_get_cancellable (self);
  g_cancellable_connect (cancellable, G_CALLBACK (cancelled_cb), &is_cancelled, NULL);
  malt_request_return_value (self, NULL);
  malt_request_release (self);
  self = new_request (&n_answers);
  g_cancellable_cancel (malt_request_get_cancellable (self));
  g_assert_false (is_cancelled);
  malt_request_return_value (self, NULL);
  malt_request_release (self);
}

/* It is answered all the same, and once. */
static void
test_dropped (void)
{
  guint n_answers = 0;

  malt_request_release (new_request (&n_answers));
  g_assert_cmpuint (n_answers, ==, 1);
  g_object_unref (new_request (&n_answers));
  g_assert_cmpuint (n_answers, ==, 2);
}

static gpointer
run_thread (gpointer data)
{
  guint i, n_answers = 0;

  for (i = 0; i < 1000; i++)
    {
      MaltRequest *self = new_request (&n_answers);

      assert_new (self);
      malt_request_return_value (self, NULL);
      malt_request_release (self);
    }

  return GUINT_TO_POINTER (n_answers);
}

/* What a thread has kept goes with it, which a sanitizer sees. */
static void
test_threads (void)
{
  GThread *threads[4];
  guint i;

  for (i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("requests", run_thread, NULL);
  for (i = 0; i < G_N_ELEMENTS (threads); i++)
    g_assert_cmpuint (GPOINTER_TO_UINT (g_thread_join (threads[i])), ==, 1000);
}

/* Whoever of two is the last to go ends what the other has used. */

typedef struct
{
  MaltRequest *request; /* (atomic) that the other thread is to go from */
} Shared;

static gpointer
go_thread (gpointer data)
{
  Shared *shared = data;
  guint i;

  for (i = 0; i < 20000; i++)
    {
      MaltRequest *self;

      while ((self = g_atomic_pointer_get (&shared->request)) == NULL)
        g_thread_yield ();
      g_atomic_pointer_set (&shared->request, NULL);
      g_assert_cmpstr (malt_request_get_function (self), ==, "module:function");
      malt_request_release (self);
    }

  return NULL;
}

static void
test_shared (void)
{
  Shared shared = { NULL };
  GThread *thread = g_thread_new ("goes", go_thread, &shared);
  guint i, n_answers = 0;

  for (i = 0; i < 20000; i++)
    {
      MaltRequest *self = new_request (&n_answers);

      malt_request_return_value (self, NULL);
      g_atomic_pointer_set (&shared.request, g_object_ref (self));
      while (g_atomic_pointer_get (&shared.request) != NULL)
        g_thread_yield ();
      g_assert_cmpstr (malt_request_get_function (self), ==, "module:function");
      malt_request_release (self);
    }
  g_thread_join (thread);
  g_assert_cmpuint (n_answers, ==, 20000);
}

/* What goes with one that is kept may need another one at once. */

static void
new_request_cb (gpointer data)
{
  static guint n_answers;
  MaltRequest **made = data;

  *made = new_request (&n_answers);
  assert_new (*made);
  malt_request_set_context (*made, g_main_context_default (), FALSE);
}

static void
test_nested_request (void)
{
  MaltRequest *self, *made = NULL;
  g_autoptr (GBytes) bytes = g_bytes_new_with_free_func ("bytes", 5, new_request_cb, &made);
  GVariant *argument = g_variant_new_from_bytes (G_VARIANT_TYPE_BYTESTRING, bytes, TRUE);

  g_clear_pointer (&bytes, g_bytes_unref);
  self = malt_request_new_eval ("module", "source", MALT_REQUEST_FLAGS_NONE);
  malt_request_abandon (self);
  malt_request_release (self);

  self = malt_request_new_call ("module:other", g_variant_new_tuple (&argument, 1), NULL, MALT_REQUEST_FLAGS_NONE);
  malt_request_set_context (self, g_main_context_default (), FALSE);
  malt_request_abandon (self);
  malt_request_release (self);
  g_assert_nonnull (made);
  g_assert_cmpstr (malt_request_get_function (made), ==, "module:function");
  g_assert_true (malt_request_get_context (made) == g_main_context_default ());
  malt_request_return_value (made, NULL);
  malt_request_release (made);
}

static void
result_cb (GObject      *source,
           GAsyncResult *result,
           gpointer      user_data)
{
  g_autoptr (GVariant) value = malt_result_finish (result, source, NULL);

  g_assert_nonnull (value);
  *(char **) user_data = g_variant_print (value, FALSE);
}

typedef struct
{
  GObject *source;
  char    *text;
} Nested;

static void
new_result_cb (gpointer data)
{
  Nested *nested = data;

  malt_result_return_later (malt_result_new (nested->source, new_result_cb, result_cb, &nested->text),
                            g_variant_ref_sink (g_variant_new_string ("nested")), NULL);
}

static void
test_nested_result (void)
{
  g_autoptr (GObject) other = g_object_new (G_TYPE_OBJECT, NULL);
  GObject *source = g_object_new (G_TYPE_OBJECT, NULL);
  Nested nested = { other, NULL };
  MaltResult *self = malt_result_new (source, test_nested_result, NULL, NULL);

  g_object_set_data_full (source, "nested", &nested, new_result_cb);
  g_object_unref (source);
  malt_result_return (self, g_variant_ref_sink (g_variant_new_string ("outer")), NULL);
  while (nested.text == NULL)
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpstr (nested.text, ==, "'nested'");
  g_free (nested.text);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/request/clean", test_clean);
  g_test_add_func ("/request/kept", test_kept);
  g_test_add_func ("/request/data", test_data);
  g_test_add_func ("/request/dropped", test_dropped);
  g_test_add_func ("/request/threads", test_threads);
  g_test_add_func ("/request/shared", test_shared);
  g_test_add_func ("/request/nested", test_nested_request);
  g_test_add_func ("/result/nested", test_nested_result);

  return g_test_run ();
}
