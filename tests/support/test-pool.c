/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "test-pool.h"

#include "test-asserts.h"
#include "test-home.h"
#include "test-process.h"

typedef struct
{
  MaltPool   *pool;
  const char *first;
  va_list     rest;
} NewPool;

static gboolean
new_pool_cb (gpointer user_data)
{
  NewPool *new_pool = user_data;

  new_pool->pool = (MaltPool *) g_object_new_valist (MALT_TYPE_POOL, new_pool->first, new_pool->rest);
  return G_SOURCE_REMOVE;
}

/* Makes a pool with these properties.  One whose workers run in the context in which it was
 * made gets a context that is always run, so that tests may block. */
MaltPool *
test_pool_new (TestCase   *self,
               const char *first_property,
               ...)
{
  NewPool new_pool = { .first = first_property };

  va_start (new_pool.rest, first_property);
  if (test_case_is (self, "mock"))
    test_home_invoke (new_pool_cb, &new_pool);
  else
    new_pool_cb (&new_pool);
  va_end (new_pool.rest);

  return new_pool.pool;
}

/* Shuts a pool down that was well, and drops it. */
void
test_pool_retire (MaltPool *pool)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (malt_pool_shutdown (pool, MALT_POOL_SHUTDOWN_FLAGS_NONE, NULL, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (malt_pool_get_n_workers (pool), ==, 0);
  g_assert_cmpuint (malt_pool_get_n_queued (pool), ==, 0);
  g_assert_cmpuint (malt_pool_get_n_running (pool), ==, 0);
  g_object_unref (pool);
}

/* Calls a function that has to succeed. */
GVariant *
test_pool_call (MaltPool   *pool,
                const char *function,
                GVariant   *arguments)
{
  g_autoptr (GError) error = NULL;
  GVariant *value = malt_pool_remote_call_fetch (pool, function, arguments, NULL, MALT_POOL_CALL_FLAGS_NONE,
                                                 MALT_TIMEOUT_DEFAULT, NULL, &error);

  g_assert_no_error (error);
  g_assert_nonnull (value);
  return value;
}

void
test_pool_assert_usable (TestCase *self,
                         MaltPool *pool)
{
  test_assert_value (test_pool_call (pool, test_case_function (self, "add"),
                                     g_variant_new ("(xx)", G_GINT64_CONSTANT (40), G_GINT64_CONSTANT (2))),
                     "int64 42");
}

struct _TestPoolAnswer
{
  GMainContext *context;
  GThread      *thread;
  GVariant     *value;
  GError       *error;
  gboolean      done;
};

static void
called_cb (GObject      *source,
           GAsyncResult *result,
           gpointer      user_data)
{
  TestPoolAnswer *self = user_data;

  g_assert_true (self->thread == g_thread_self ());
  g_assert_false (self->done);
  self->value = malt_pool_remote_call_finish (MALT_POOL (source), result, &self->error);
  g_assert_true ((self->value != NULL) != (self->error != NULL));
  self->done = TRUE;
}

TestPoolAnswer *
test_pool_start (MaltPool          *pool,
                 const char        *function,
                 GVariant          *arguments,
                 MaltPoolCallFlags  flags,
                 int                timeout_msec,
                 GCancellable      *cancellable)
{
  TestPoolAnswer *self = g_new0 (TestPoolAnswer, 1);

  self->context = g_main_context_ref_thread_default ();
  self->thread = g_thread_self ();
  malt_pool_remote_call_async (pool, function, arguments, NULL, flags, timeout_msec, cancellable, called_cb, self);
  /* The callback never comes before the function has returned. */
  g_assert_false (self->done);
  return self;
}

/* Whether it has arrived; lets it arrive where it only has to be dispatched. */
gboolean
test_pool_answer_is_there (TestPoolAnswer *self)
{
  while (!self->done && g_main_context_iteration (self->context, FALSE))
    ;
  return self->done;
}

/* Runs the main context until the answer is there, and frees it. */
GVariant *
test_pool_answer_wait (TestPoolAnswer  *self,
                       GError         **error)
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

void
test_pool_answer_fails (TestPoolAnswer *self,
                        GQuark          domain,
                        int             code,
                        const char     *pattern)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (test_pool_answer_wait (self, &error));
  test_assert_error (error, domain, code, pattern);
}

guint64
test_pool_get (MaltPool   *pool,
               const char *property)
{
  g_auto (GValue) value = G_VALUE_INIT;

  g_value_init (&value, G_TYPE_UINT64);
  g_object_get_property (G_OBJECT (pool), property, &value);
  return g_value_get_uint64 (&value);
}

typedef struct
{
  MaltPool   *pool;
  const char *property;
  guint       value;
} Expectation;

static gboolean
is_met (gpointer data)
{
  const Expectation *expectation = data;

  while (g_main_context_iteration (NULL, FALSE))
    ;
  return test_pool_get (expectation->pool, expectation->property) == expectation->value;
}

/* Waits until a count of the pool has the value. */
void
test_pool_await (MaltPool   *pool,
                 const char *property,
                 guint       value)
{
  Expectation expectation = { pool, property, value };

  test_await (is_met, &expectation);
}
