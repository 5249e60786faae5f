/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <signal.h>
#include <string.h>

#include <malt.h>

#include "test-answer.h"
#include "test-asserts.h"
#include "test-case.h"
#include "test-home.h"
#include "test-mark.h"
#include "test-process.h"
#include "test-thread.h"

/* Functions of the program that a worker's code calls. */

/* What the functions of these tests have seen. */
typedef struct
{
  MaltWorker  *worker;
  GThread     *thread;   /* on which it ran last */
  gint         n_calls;  /* atomic */
  GPtrArray   *kept;     /* of MaltRequest, for later */
  GMutex       lock;     /* guards it, where there are threads */
  GError      *error;
} Host;

static void
host_init (Host     *self,
           TestCase *test)
{
  *self = (Host) { .worker = test->worker, .kept = g_ptr_array_new_with_free_func (g_object_unref) };
  g_mutex_init (&self->lock);
}

static void
host_clear (Host *self)
{
  g_ptr_array_unref (self->kept);
  g_clear_error (&self->error);
  g_mutex_clear (&self->lock);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Host, host_clear)

/* (x) → x, one more */
static void
increment (MaltRequest *request,
           gpointer     user_data)
{
  Host *self = user_data;
  gint64 number;

  self->thread = g_thread_self ();
  g_atomic_int_inc (&self->n_calls);
  g_variant_get (malt_request_get_arguments (request), "(x)", &number);
  malt_request_return_value (request, g_variant_new_int64 (number + 1));
}

/* Whatever it is given */
static void
give_back (MaltRequest *request,
           gpointer     user_data)
{
  GVariant *arguments = malt_request_get_arguments (request);
  g_autoptr (GVariant) value = NULL;

  if (g_variant_n_children (arguments) > 0)
    value = g_variant_get_child_value (arguments, 0);
  malt_request_return_value (request, value);
}

static void
keep (MaltRequest *request,
      gpointer     user_data)
{
  Host *self = user_data;

  g_mutex_lock (&self->lock);
  g_ptr_array_add (self->kept, g_object_ref (request));
  g_atomic_int_inc (&self->n_calls);
  g_mutex_unlock (&self->lock);
}

static void
drop (MaltRequest *request,
      gpointer     user_data)
{
}

static void
raise_exception (MaltRequest *request,
                 gpointer     user_data)
{
  malt_request_return_exception (request, "KeyError", "no such key", "at line 7");
}

static void
return_foreign_error (MaltRequest *request,
                      gpointer     user_data)
{
  malt_request_return_error (request, g_error_new (G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_PARSE, "cannot parse it"));
}

static void
return_timeout (MaltRequest *request,
                gpointer     user_data)
{
  malt_request_return_error (request, g_error_new (MALT_ERROR, MALT_ERROR_TIMEOUT, "another worker took too long"));
}

static void
export (TestCase         *self,
        const char       *name,
        const char       *type,
        MaltHostFunction  function,
        gpointer          user_data)
{
  malt_worker_export_function (self->worker, name, type != NULL ? G_VARIANT_TYPE (type) : NULL,
                               function, user_data, NULL);
}

static GVariant *
host_arguments (const char *name,
                GVariant   *arguments)
{
  return g_variant_new ("(sv)", name, arguments);
}

/* Asserts on how a call of a function fails in the worker. */
static void
assert_fails (TestCase   *self,
              const char *name,
              GVariant   *arguments,
              const char *domain,
              int         code,
              const char *type,
              const char *pattern)
{
  g_autoptr (GVariant) value = test_case_call (self, "host_error", host_arguments (name, arguments));
  g_autofree const char **strings = g_variant_get_strv (value, NULL);
  g_autofree char *code_text = g_strdup_printf ("%d", code);

  g_assert_cmpstr (strings[0], ==, domain);
  g_assert_cmpstr (strings[1], ==, code_text);
  g_assert_cmpstr (strings[2], ==, type);
  test_assert_match (strings[3], pattern);
}

/* It runs on the thread that blocks, and no main loop is needed. */
static void
test_blocking (TestCase *self)
{
  g_auto (Host) host;

  host_init (&host, self);
  export (self, "increment", "(x)", increment, &host);
  test_assert_value (test_case_call (self, "host", host_arguments ("increment", g_variant_new ("(x)", G_GINT64_CONSTANT (41)))),
                     "int64 42");
  g_assert_true (host.thread == g_thread_self ());
  g_assert_cmpint (host.n_calls, ==, 1);
  test_case_assert_usable (self);
}

static void
test_many (TestCase *self)
{
  g_auto (Host) host;
  gint64 i;

  host_init (&host, self);
  export (self, "increment", "(x)", increment, &host);
  for (i = 0; i < 200; i++)
    {
      g_autoptr (GVariant) value = test_case_call (self, "host", host_arguments ("increment", g_variant_new ("(x)", i)));

      g_assert_cmpint (g_variant_get_int64 (value), ==, i + 1);
    }
  g_assert_cmpint (host.n_calls, ==, 200);
}

/* Else it runs in the main context in which the worker was made. */
static void
test_asynchronous (TestCase *self)
{
  g_autoptr (GError) error = NULL;
  g_auto (Host) host;
  TestAnswer *answer;

  host_init (&host, self);
  export (self, "increment", NULL, increment, &host);
  answer = test_answer_call (self->worker, test_case_function (self, "host"),
                             host_arguments ("increment", g_variant_new ("(x)", G_GINT64_CONSTANT (1))),
                             MALT_TIMEOUT_NONE, NULL);
  g_assert_cmpint (host.n_calls, ==, 0);
  test_assert_value (test_answer_wait (answer, &error), "int64 2");
  g_assert_no_error (error);
  g_assert_true (host.thread == g_thread_self ());
}

/* Also where nobody awaits anything of the worker. */
static void
test_unawaited (TestCase *self)
{
  g_autoptr (GError) error = NULL;
  g_auto (Host) host;

  host_init (&host, self);
  export (self, "increment", NULL, increment, &host);
  malt_worker_remote_do (self->worker, test_case_function (self, "host"),
                         host_arguments ("increment", g_variant_new ("(x)", G_GINT64_CONSTANT (1))), NULL, &error);
  g_assert_no_error (error);
  while (g_atomic_int_get (&host.n_calls) == 0)
    g_main_context_iteration (NULL, TRUE);
  test_case_assert_usable (self);
}

/* Code that waits for a function does not hold up the next call, if it need not. */
static void
test_later (TestCase *self)
{
  g_autoptr (GError) error = NULL;
  g_auto (Host) host;
  TestAnswer *answer;

  host_init (&host, self);
  export (self, "keep", "()", keep, &host);
  answer = test_answer_call (self->worker, test_case_function (self, "host_later"),
                             host_arguments ("keep", g_variant_new ("()")), MALT_TIMEOUT_NONE, NULL);
  while (host.kept->len == 0)
    g_main_context_iteration (NULL, TRUE);
  test_case_assert_usable (self);
  g_assert_false (test_answer_is_there (answer));

  malt_request_return_value (g_ptr_array_index (host.kept, 0), g_variant_new_string ("late"));
  test_assert_value (test_answer_wait (answer, &error), "'late'");
  g_assert_no_error (error);
}

static gpointer
finish_thread (gpointer data)
{
  g_autoptr (MaltRequest) request = data;

  malt_request_return_value (request, g_variant_new_string ("from elsewhere"));
  return NULL;
}

static void
finish_elsewhere (MaltRequest *request,
                  gpointer     user_data)
{
  g_thread_unref (g_thread_new ("finish", finish_thread, g_object_ref (request)));
}

static void
test_finished_elsewhere (TestCase *self)
{
  export (self, "elsewhere", NULL, finish_elsewhere, NULL);
  test_assert_value (test_case_call (self, "host", host_arguments ("elsewhere", g_variant_new ("()"))),
                     "'from elsewhere'");
}

static void
test_failing (TestCase *self)
{
  export (self, "raise", NULL, raise_exception, NULL);
  export (self, "foreign", NULL, return_foreign_error, NULL);
  export (self, "timeout", NULL, return_timeout, NULL);
  export (self, "drop", NULL, drop, NULL);

  assert_fails (self, "raise", g_variant_new ("()"), "malt", MALT_ERROR_REMOTE, "KeyError", "no such key");
  assert_fails (self, "foreign", g_variant_new ("()"), "malt", MALT_ERROR_REMOTE, "g-key-file-error-quark(1)",
                "cannot parse it");
  assert_fails (self, "timeout", g_variant_new ("()"), "malt", MALT_ERROR_TIMEOUT, "",
                "another worker took too long");
  assert_fails (self, "drop", g_variant_new ("()"), "malt", MALT_ERROR_REMOTE, "DroppedRequest", "*");
  test_case_assert_usable (self);
}

/* Nothing can be called that was not given, or was taken back. */
static void
test_unknown (TestCase *self)
{
  g_auto (Host) host;

  host_init (&host, self);
  assert_fails (self, "increment", g_variant_new ("(x)", G_GINT64_CONSTANT (1)), "malt", MALT_ERROR_NOT_FOUND, "",
                "*no function 'increment'*");

  export (self, "increment", NULL, increment, &host);
  g_assert_false (malt_worker_unexport_function (self->worker, "decrement"));
  assert_fails (self, "Increment", g_variant_new ("()"), "malt", MALT_ERROR_NOT_FOUND, "", "*'Increment'*");

  g_assert_true (malt_worker_unexport_function (self->worker, "increment"));
  g_assert_false (malt_worker_unexport_function (self->worker, "increment"));
  assert_fails (self, "increment", g_variant_new ("(x)", G_GINT64_CONSTANT (1)), "malt", MALT_ERROR_NOT_FOUND, "",
                "*no function 'increment'*");
  g_assert_cmpint (host.n_calls, ==, 0);
}

static void
count_cb (gpointer user_data)
{
  g_atomic_int_inc ((gint *) user_data);
}

static gboolean
are_three (gpointer data)
{
  return g_atomic_int_get ((gint *) data) == 3;
}

static void
test_replaced (TestCase *self)
{
  gint n_destroyed = 0; /* atomic */

  malt_worker_export_function (self->worker, "f", NULL, raise_exception, &n_destroyed, count_cb);
  malt_worker_export_function (self->worker, "f", NULL, give_back, &n_destroyed, count_cb);
  g_assert_cmpint (n_destroyed, ==, 1);
  test_assert_value (test_case_call (self, "host", host_arguments ("f", g_variant_new ("(x)", G_GINT64_CONSTANT (1)))),
                     "int64 1");
  malt_worker_unexport_function (self->worker, "f");
  g_assert_cmpint (n_destroyed, ==, 2);

  /* The last reference may be that of the thread which reports the worker's end. */
  malt_worker_export_function (self->worker, "f", NULL, give_back, &n_destroyed, count_cb);
  test_case_retire (g_steal_pointer (&self->worker));
  test_await (are_three, &n_destroyed);
}

static void
test_types (TestCase *self)
{
  g_auto (Host) host;

  host_init (&host, self);
  export (self, "increment", "(x)", increment, &host);
  assert_fails (self, "increment", g_variant_new ("(s)", "one"), "io", G_IO_ERROR_INVALID_ARGUMENT, "",
                "*'increment' takes (x), not (s)*");
  assert_fails (self, "increment", g_variant_new ("()"), "io", G_IO_ERROR_INVALID_ARGUMENT, "",
                "*'increment' takes (x), not ()*");
  g_assert_cmpint (host.n_calls, ==, 0);
}

static void
give_keywords (MaltRequest *request,
               gpointer     user_data)
{
  GVariant *keywords = malt_request_get_keywords (request);

  malt_request_return_value (request, keywords != NULL ? g_variant_lookup_value (keywords, "b", NULL) : NULL);
}

static void
test_keywords (TestCase *self)
{
  g_autoptr (GVariant) value = NULL;
  g_autoptr (GError) error = NULL;

  export (self, "keywords", NULL, give_keywords, NULL);
  value = malt_worker_remote_call_fetch (self->worker, test_case_function (self, "host"),
                                         host_arguments ("keywords", g_variant_new ("()")),
                                         g_variant_new_parsed ("{'a': <int64 1>, 'b': <'two'>}"),
                                         MALT_TIMEOUT_NONE, NULL, &error);
  g_assert_no_error (error);
  test_assert_value (g_steal_pointer (&value), "'two'");
}

/* Large values, both ways, and such as fit in no frame. */
static void
test_large (TestCase *self)
{
  const gsize sizes[] = { 1000, 20000, 1000000, 40000000 };
  gsize i;

  export (self, "give_back", "(ay)", give_back, NULL);
  for (i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      g_autofree guint8 *bytes = g_malloc (sizes[i]);
      g_autoptr (GVariant) value = NULL;
      GVariant *array;
      gsize n;
      const guint8 *back;

      memset (bytes, 'a' + (int) i, sizes[i]);
      array = g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, bytes, sizes[i], 1);
      value = test_case_call (self, "host", host_arguments ("give_back", g_variant_new_tuple (&array, 1)));
      back = g_variant_get_fixed_array (value, &n, 1);
      g_assert_cmpmem (back, n, bytes, sizes[i]);
    }
}

static void
give_deep (MaltRequest *request,
           gpointer     user_data)
{
  GVariant *value = g_variant_new_string ("deep down");
  guint i;

  for (i = 0; i < 40; i++)
    value = g_variant_new_variant (value);
  malt_request_return_value (request, value);
}

/* A value that cannot cross is the worker's error, and nobody's end. */
static void
test_unconvertible (TestCase *self)
{
  export (self, "deep", NULL, give_deep, NULL);
  assert_fails (self, "deep", g_variant_new ("()"), "malt", MALT_ERROR_SERIALIZATION, "", "*cannot cross*");
  test_case_assert_usable (self);
}

/* The function calls back while the worker waits for it. */
static void
call_back (MaltRequest *request,
           gpointer     user_data)
{
  Host *self = user_data;
  g_autoptr (GVariant) value = NULL;

  value = malt_worker_remote_call_fetch (self->worker, "whatever", NULL, NULL, MALT_TIMEOUT_NONE, NULL, &self->error);
  g_assert_null (value);
  malt_request_return_value (request, g_variant_new_string (self->error->message));
}

/* It would wait for ever, and is told so. */
static void
test_stalled (TestCase *self)
{
  g_auto (Host) host;
  g_autoptr (GVariant) value = NULL;

  host_init (&host, self);
  export (self, "call_back", NULL, call_back, &host);
  value = test_case_call (self, "host", host_arguments ("call_back", g_variant_new ("()")));
  test_assert_error (host.error, MALT_ERROR, MALT_ERROR_NOT_SUPPORTED, "*waits for the function 'call_back'*");
  test_case_assert_usable (self);
}

static void
call_back_first (MaltRequest *request,
                 gpointer     user_data)
{
  TestCase *self = user_data;

  malt_request_return_value (request, g_variant_new_string ("done"));
  test_case_assert_usable (self);
}

/* Once it has finished its request there is nothing to wait for. */
static void
test_not_stalled (TestCase *self)
{
  export (self, "call_back", NULL, call_back_first, self);
  test_assert_value (test_case_call (self, "host", host_arguments ("call_back", g_variant_new ("()"))), "'done'");
}

static void
call_back_meanwhile (MaltRequest *request,
                     gpointer     user_data)
{
  TestCase *self = user_data;

  test_case_assert_usable (self);
  malt_request_return_value (request, g_variant_new_string ("meanwhile"));
}

/* Code that only awaits the function leaves its worker free to be called. */
static void
test_call_meanwhile (TestCase *self)
{
  export (self, "call_back", NULL, call_back_meanwhile, self);
  test_assert_value (test_case_call (self, "host_later", host_arguments ("call_back", g_variant_new ("()"))),
                     "'meanwhile'");
}

static void
call_later (MaltRequest *request,
            gpointer     user_data)
{
  TestCase *self = user_data;

  test_answer_call (self->worker, test_case_function (self, "nothing"), NULL, MALT_TIMEOUT_NONE, NULL);
  malt_request_return_value (request, NULL);
}

static GVariant *nested_value;

/* A function that calls another worker, whose code calls a function, and so on. */
static void
nest (MaltRequest *request,
      gpointer     user_data)
{
  TestCase *outer = user_data;
  g_autoptr (MaltLauncher) launcher = test_case_new_launcher (outer->variant);
  TestCase inner = { outer->variant, launcher, NULL };
  gint64 depth;

  g_variant_get (malt_request_get_arguments (request), "(x)", &depth);
  if (depth == 0)
    {
      malt_request_return_value (request, g_variant_new_int64 (1));
      return;
    }

  inner.worker = test_case_spawn (&inner);
  malt_worker_export_function (inner.worker, "nest", NULL, nest, &inner, NULL);
  nested_value = test_case_call (&inner, "host", host_arguments ("nest", g_variant_new ("(x)", depth - 1)));
  malt_request_return_value (request, g_variant_new_int64 (1 + g_variant_get_int64 (nested_value)));
  g_variant_unref (nested_value);
  test_case_retire (inner.worker);
}

static void
test_nested (TestCase *self)
{
  export (self, "nest", "(x)", nest, self);
  test_assert_value (test_case_call (self, "host", host_arguments ("nest", g_variant_new ("(x)", G_GINT64_CONSTANT (3)))),
                     "int64 4");
}

/* Requests that come while the worker waits for a function begin afterwards, in order. */
static void
test_queued (TestCase *self)
{
  g_autoptr (GError) error = NULL;
  g_auto (Host) host;
  TestAnswer *answers[3];
  TestAnswer *first;
  guint i;

  host_init (&host, self);
  export (self, "keep", NULL, keep, &host);
  export (self, "call_later", NULL, call_later, self);
  first = test_answer_call (self->worker, test_case_function (self, "host"),
                            host_arguments ("keep", g_variant_new ("()")), MALT_TIMEOUT_NONE, NULL);
  for (i = 0; i < G_N_ELEMENTS (answers); i++)
    answers[i] = test_answer_call (self->worker, test_case_function (self, "add"),
                                   g_variant_new ("(xx)", (gint64) i, G_GINT64_CONSTANT (1)), MALT_TIMEOUT_NONE, NULL);
  while (host.kept->len == 0)
    g_main_context_iteration (NULL, TRUE);
  for (i = 0; i < G_N_ELEMENTS (answers); i++)
    g_assert_false (test_answer_is_there (answers[i]));

  malt_request_return_value (g_ptr_array_index (host.kept, 0), NULL);
  g_variant_unref (test_answer_wait (first, &error));
  g_assert_no_error (error);
  for (i = 0; i < G_N_ELEMENTS (answers); i++)
    {
      g_autofree char *text = g_strdup_printf ("int64 %u", i + 1);

      test_assert_value (test_answer_wait (answers[i], &error), text);
      g_assert_no_error (error);
    }
}

/* From many threads of the worker, more than may be under way at a time. */
static void
test_threads (TestCase *self)
{
  g_auto (Host) host;

  host_init (&host, self);
  export (self, "increment", "(x)", increment, &host);
  test_assert_value (test_case_call (self, "host_in_threads", g_variant_new ("(sxx)", "increment", G_GINT64_CONSTANT (8),
                                                                             G_GINT64_CONSTANT (50))),
                     "int64 80200");
  g_assert_cmpint (host.n_calls, ==, 400);
}

static void
length (MaltRequest *request,
        gpointer     user_data)
{
  Host *self = user_data;
  g_autoptr (GVariant) array = g_variant_get_child_value (malt_request_get_arguments (request), 0);

  g_atomic_int_inc (&self->n_calls);
  malt_request_return_value (request, g_variant_new_int64 ((gint64) g_variant_n_children (array)));
}

/* Of large arguments fewer may be under way; the others wait for their turn. */
static void
test_large_threads (TestCase *self)
{
  g_auto (Host) host;

  host_init (&host, self);
  export (self, "length", "(ay)", length, &host);
  test_assert_value (test_case_call (self, "host_large_in_threads",
                                     g_variant_new ("(sx)", "length", G_GINT64_CONSTANT (12000000))),
                     "int64 96000000");
  g_assert_cmpint (host.n_calls, ==, 8);
}

/* More than may be under way wait, and those that nobody awaits count as well. */
static void
test_crowd (TestCase *self)
{
  g_auto (Host) host;
  guint i;

  host_init (&host, self);
  export (self, "keep", NULL, keep, &host);
  g_variant_unref (test_case_call (self, "host_begin", g_variant_new ("(sx)", "keep", G_GINT64_CONSTANT (200))));
  for (i = 0; i < 200; i++)
    {
      while (host.kept->len == 0)
        g_main_context_iteration (NULL, TRUE);
      if (test_case_is (self, "process"))
        g_assert_cmpuint (host.kept->len, <=, 64);
      malt_request_return_value (g_ptr_array_index (host.kept, 0), NULL);
      g_ptr_array_remove_index (host.kept, 0);
    }
  test_case_assert_usable (self);
  g_assert_cmpint (host.n_calls, ==, 200);
}

/* A function that never answers does not keep a deadline from being met. */
static void
test_deadline (TestCase *self)
{
  g_autoptr (GError) error = NULL;
  g_auto (Host) host;

  test_case_spawn_to_interrupt (self);
  host_init (&host, self);
  export (self, "keep", NULL, keep, &host);
  test_case_assert_usable (self);
  g_assert_null (malt_worker_remote_call_fetch (self->worker, test_case_function (self, "host"),
                                                host_arguments ("keep", g_variant_new ("()")), NULL, 1500, NULL, &error));
  g_assert_error (error, MALT_ERROR, MALT_ERROR_TIMEOUT);
  g_assert_cmpint (host.n_calls, ==, 1);
  test_case_assert_usable (self);

  /* The answer that comes now is for nobody. */
  malt_request_return_value (g_ptr_array_index (host.kept, 0), NULL);
  test_case_assert_usable (self);
}

static void
test_interrupt (TestCase *self)
{
  g_autoptr (GError) error = NULL;
  g_auto (Host) host;
  TestAnswer *answer;
  guint i;

  host_init (&host, self);
  export (self, "keep", NULL, keep, &host);
  for (i = 0; i < 2; i++)
    {
      answer = test_answer_call (self->worker, test_case_function (self, i == 0 ? "host" : "host_later"),
                                 host_arguments ("keep", g_variant_new ("()")), MALT_TIMEOUT_NONE, NULL);
      while (host.kept->len == i)
        g_main_context_iteration (NULL, TRUE);
      malt_worker_interrupt (self->worker);
      g_assert_null (test_answer_wait (answer, &error));
      g_assert_error (error, MALT_ERROR, MALT_ERROR_INTERRUPTED);
      g_clear_error (&error);
    }
  test_case_assert_usable (self);
}

static void
test_cancelled (TestCase *self)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;
  g_auto (Host) host;
  TestAnswer *answer;

  test_case_spawn_to_interrupt (self);
  host_init (&host, self);
  export (self, "keep", NULL, keep, &host);
  answer = test_answer_call (self->worker, test_case_function (self, "host"),
                             host_arguments ("keep", g_variant_new ("()")), MALT_TIMEOUT_NONE, cancellable);
  while (host.kept->len == 0)
    g_main_context_iteration (NULL, TRUE);
  g_cancellable_cancel (cancellable);
  g_assert_null (test_answer_wait (answer, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  test_case_assert_usable (self);
}

/* A worker that waits for a function stops when it is asked to. */
static void
test_stop (TestCase *self)
{
  g_autoptr (GError) error = NULL;
  g_auto (Host) host;
  TestAnswer *answer;

  host_init (&host, self);
  export (self, "keep", NULL, keep, &host);
  answer = test_answer_call (self->worker, test_case_function (self, "host"),
                             host_arguments ("keep", g_variant_new ("()")), MALT_TIMEOUT_NONE, NULL);
  while (host.kept->len == 0)
    g_main_context_iteration (NULL, TRUE);

  test_case_retire (g_object_ref (self->worker));
  g_assert_null (test_answer_wait (answer, &error));
  g_assert_error (error, MALT_ERROR, MALT_ERROR_TERMINATED);

  /* Nobody waits for it any more. */
  malt_request_return_value (g_ptr_array_index (host.kept, 0), NULL);
}

static void
stop_worker (MaltRequest *request,
             gpointer     user_data)
{
  Host *self = user_data;

  malt_worker_stop (self->worker, -1, -1, NULL, &self->error);
  malt_request_return_value (request, NULL);
}

/* Also by the function itself. */
static void
test_stop_within (TestCase *self)
{
  g_autoptr (GError) error = NULL;
  g_auto (Host) host;

  host_init (&host, self);
  export (self, "stop", NULL, stop_worker, &host);
  g_assert_null (malt_worker_remote_call_fetch (self->worker, test_case_function (self, "host"),
                                                host_arguments ("stop", g_variant_new ("()")), NULL,
                                                MALT_TIMEOUT_NONE, NULL, &error));
  g_assert_error (error, MALT_ERROR, MALT_ERROR_TERMINATED);
  g_assert_no_error (host.error);
  g_assert_false (malt_worker_is_running (self->worker));
}

static void
kill_worker (MaltRequest *request,
             gpointer     user_data)
{
  Host *self = user_data;

  keep (request, user_data);
  malt_worker_kill (self->worker, SIGKILL);
}

/* A worker that dies with calls under way: who keeps them can find out, and answers that are
 * late are for nobody. */
static void
test_death (TestCase *self)
{
  g_autoptr (GError) error = NULL;
  g_auto (Host) host;
  MaltRequest *request;

  host_init (&host, self);
  export (self, "kill", NULL, kill_worker, &host);
  g_assert_null (malt_worker_remote_call_fetch (self->worker, test_case_function (self, "host"),
                                                host_arguments ("kill", g_variant_new ("()")), NULL,
                                                MALT_TIMEOUT_NONE, NULL, &error));
  g_assert_error (error, MALT_ERROR, MALT_ERROR_TERMINATED);

  request = g_ptr_array_index (host.kept, 0);
  while (!g_cancellable_is_cancelled (malt_request_get_cancellable (request)))
    g_main_context_iteration (NULL, TRUE);
  malt_request_return_value (request, g_variant_new_string ("too late"));
}

/* A worker whose call nobody has begun with dies, and so does the call. */
static void
test_death_before (TestCase *self)
{
  g_autoptr (GError) error = NULL;
  g_auto (Host) host;

  host_init (&host, self);
  export (self, "increment", NULL, increment, &host);
  malt_worker_remote_do (self->worker, test_case_function (self, "host"),
                         host_arguments ("increment", g_variant_new ("(x)", G_GINT64_CONSTANT (1))), NULL, &error);
  g_assert_no_error (error);
  malt_worker_kill (self->worker, SIGKILL);
  malt_worker_stop (self->worker, -1, -1, NULL, &error);
  g_assert_no_error (error);
  while (g_main_context_iteration (NULL, FALSE))
    continue;
  g_assert_cmpint (host.n_calls, <=, 1);
}

static gpointer
blocking_thread (gpointer data)
{
  TestCase *self = data;

  return test_case_call (self, "host", host_arguments ("increment", g_variant_new ("(x)", G_GINT64_CONSTANT (1))));
}

typedef struct
{
  TestCase *test;
  GThread  *thread;
} Blocker;

static gpointer
known_thread (gpointer data)
{
  Blocker *self = data;

  self->thread = g_thread_self ();
  return blocking_thread (self->test);
}

/* A thread that blocks runs it itself, whatever the main context does. */
static void
test_thread_blocks (TestCase *self)
{
  Blocker blocker = { .test = self };
  g_auto (Host) host;
  TestThread *thread;

  host_init (&host, self);
  export (self, "increment", NULL, increment, &host);
  thread = test_thread_new ("blocks", known_thread, &blocker);
  test_assert_value (test_thread_join (thread), "int64 2");
  g_assert_true (host.thread == blocker.thread);
}

/* Several of them at once. */
static void
test_threads_block (TestCase *self)
{
  TestThread *threads[4];
  g_auto (Host) host;
  guint i;

  host_init (&host, self);
  export (self, "increment", NULL, increment, &host);
  for (i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = test_thread_new ("blocks", blocking_thread, self);
  for (i = 0; i < G_N_ELEMENTS (threads); i++)
    test_assert_value (test_thread_join (threads[i]), "int64 2");
  g_assert_cmpint (host.n_calls, ==, G_N_ELEMENTS (threads));
}

static gboolean
is_gone (gpointer data)
{
  return *(gpointer *) data == NULL;
}

/* The last reference goes while a call waits for its main context. */
static void
test_dropped (TestCase *self)
{
  g_autoptr (GError) error = NULL;
  gpointer worker = self->worker;
  g_auto (Host) host;

  host_init (&host, self);
  export (self, "increment", NULL, increment, &host);
  malt_worker_remote_do (self->worker, test_case_function (self, "host"),
                         host_arguments ("increment", g_variant_new ("(x)", G_GINT64_CONSTANT (1))), NULL, &error);
  g_assert_no_error (error);
  test_case_assert_usable (self);
  g_object_add_weak_pointer (worker, &worker);
  g_clear_object (&self->worker);
  if (test_home_is_here ()) /* something has to be collected first */
    test_await (is_gone, &worker);
  g_assert_null (worker);
  while (g_main_context_iteration (NULL, FALSE))
    continue;
}

int
main (int argc, char **argv)
{
  test_case_init (&argc, &argv, "host-functions");

  test_case_add ("blocking", TEST_NEEDS_HOST, test_blocking);
  test_case_add ("many", TEST_NEEDS_HOST, test_many);
  test_case_add ("asynchronous", TEST_NEEDS_HOST, test_asynchronous);
  test_case_add ("unawaited", TEST_NEEDS_HOST, test_unawaited);
  test_case_add ("later", TEST_NEEDS_HOST, test_later);
  test_case_add ("finished-elsewhere", TEST_NEEDS_HOST, test_finished_elsewhere);
  test_case_add ("failing", TEST_NEEDS_HOST, test_failing);
  test_case_add ("unknown", TEST_NEEDS_HOST, test_unknown);
  test_case_add ("replaced", TEST_NEEDS_HOST, test_replaced);
  test_case_add ("types", TEST_NEEDS_HOST, test_types);
  test_case_add ("keywords", TEST_NEEDS_HOST, test_keywords);
  test_case_add ("large", TEST_NEEDS_HOST, test_large);
  test_case_add ("unconvertible", TEST_NEEDS_HOST | TEST_NEEDS_PROCESS, test_unconvertible);
  test_case_add ("stalled", TEST_NEEDS_HOST, test_stalled);
  test_case_add ("not-stalled", TEST_NEEDS_HOST, test_not_stalled);
  test_case_add ("call-meanwhile", TEST_NEEDS_HOST, test_call_meanwhile);
  test_case_add ("nested", TEST_NEEDS_HOST | TEST_NEEDS_SEVERAL, test_nested);
  test_case_add ("queued", TEST_NEEDS_HOST, test_queued);
  test_case_add ("threads", TEST_NEEDS_HOST | TEST_NEEDS_THREADS, test_threads);
  test_case_add ("large-threads", TEST_NEEDS_HOST | TEST_NEEDS_THREADS, test_large_threads);
  test_case_add ("crowd", TEST_NEEDS_HOST, test_crowd);
  test_case_add_idle ("deadline", TEST_NEEDS_HOST, test_deadline);
  test_case_add ("interrupt", TEST_NEEDS_HOST, test_interrupt);
  test_case_add_idle ("cancelled", TEST_NEEDS_HOST, test_cancelled);
  test_case_add ("stop", TEST_NEEDS_HOST, test_stop);
  test_case_add ("stop-within", TEST_NEEDS_HOST, test_stop_within);
  test_case_add ("death", TEST_NEEDS_HOST | TEST_NEEDS_PROCESS, test_death);
  test_case_add ("death-before", TEST_NEEDS_HOST | TEST_NEEDS_PROCESS, test_death_before);
  test_case_add ("thread-blocks", TEST_NEEDS_HOST, test_thread_blocks);
  test_case_add ("threads-block", TEST_NEEDS_HOST, test_threads_block);
  test_case_add ("dropped", TEST_NEEDS_HOST, test_dropped);

  return g_test_run ();
}
