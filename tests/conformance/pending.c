/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <signal.h>

#include <malt.h>

#include "test-asserts.h"
#include "test-case.h"
#include "test-home.h"
#include "test-pool.h"
#include "test-process.h"
#include "test-thread.h"

/* Calls that go on, for which threads may come to wait. */

static GMainContext *attended;
static GMutex lock;

/* What is heard of one. */
typedef struct
{
  /* Guarded by lock. */
  guint     n;      /* how often */
  GVariant *value;
  GError   *error;
  GThread  *thread; /* that was told */
} Hearing;

static gpointer
run_attended (gpointer data)
{
  for (;;)
    g_main_context_iteration (attended, TRUE);

  return NULL;
}

static GMainContext *
get_attended (void)
{
  if (attended == NULL)
    {
      attended = g_main_context_new ();
      g_thread_unref (g_thread_new ("attended", run_attended, NULL));
    }

  return attended;
}

static void
hear (GVariant *value,
      GError   *error,
      gpointer  user_data)
{
  Hearing *self = user_data;

  g_mutex_lock (&lock);
  self->n++;
  self->value = value;
  self->error = error;
  self->thread = g_thread_self ();
  g_mutex_unlock (&lock);
}

static gboolean
is_heard (gpointer data)
{
  Hearing *self = data;
  gboolean heard;

  g_mutex_lock (&lock);
  heard = self->n > 0;
  g_mutex_unlock (&lock);

  return heard;
}

static void
await (Hearing *self)
{
  test_await (is_heard, self);
  g_mutex_lock (&lock);
  g_assert_cmpuint (self->n, ==, 1);
  g_mutex_unlock (&lock);
}

static void
assert_value (Hearing    *self,
              const char *expected)
{
  await (self);
  g_assert_no_error (self->error);
  test_assert_value (g_steal_pointer (&self->value), expected);
}

static void
assert_error (Hearing    *self,
              GQuark      domain,
              int         code)
{
  await (self);
  test_assert_error (self->error, domain, code, "*");
}

static MaltPending *
begin (TestCase     *self,
       const char   *function,
       GVariant     *arguments,
       GCancellable *cancellable,
       Hearing      *hearing)
{
  return malt_worker_remote_call_begin (self->worker, test_case_function (self, function), arguments, NULL,
                                        MALT_REQUEST_FLAGS_NONE, MALT_TIMEOUT_NONE, cancellable, get_attended (),
                                        hear, hearing);
}

static GVariant *
two (gint64 a,
     gint64 b)
{
  return g_variant_new ("(xx)", a, b);
}

/* Nobody waits. */
static void
test_unawaited (TestCase *self)
{
  Hearing hearings[100] = { 0 };
  gint64 i;

  for (i = 0; i < (gint64) G_N_ELEMENTS (hearings); i++)
    {
      g_autoptr (MaltPending) pending G_GNUC_UNUSED = begin (self, "add", two (i, 1), NULL, &hearings[i]);
    }
  for (i = 0; i < (gint64) G_N_ELEMENTS (hearings); i++)
    {
      g_autofree char *expected = g_strdup_printf ("int64 %" G_GINT64_FORMAT, i + 1);

      assert_value (&hearings[i], expected);
    }
}

/* Who waits is told, if the worker's backend lets him. */
static void
test_waits (TestCase *self)
{
  gint never = FALSE;
  gint64 i;

  for (i = 0; i < 200; i++)
    {
      Hearing hearing = { 0 };
      g_autoptr (MaltPending) pending = begin (self, "add", two (i, 1), NULL, &hearing);
      g_autofree char *expected = g_strdup_printf ("int64 %" G_GINT64_FORMAT, i + 1);

      if (malt_pending_wait (pending, -1, &never))
        {
          g_assert_true (is_heard (&hearing));
          g_assert_true (hearing.thread == g_thread_self ());
        }
      assert_value (&hearing, expected);
      g_assert_false (malt_pending_wait (pending, -1, &never));
    }
}

/* The one that waits reads for others too, and hands the role on. */
static void
test_mixed (TestCase *self)
{
  Hearing early = { 0 }, late = { 0 };
  g_autoptr (MaltPending) slow = begin (self, "later", two (50, 1), NULL, &late);
  g_autoptr (MaltPending) quick G_GNUC_UNUSED = begin (self, "add", two (1, 1), NULL, &early);
  gint never = FALSE;

  malt_pending_wait (slow, -1, &never);
  assert_value (&late, "int64 1");
  assert_value (&early, "int64 2");
  test_case_assert_usable (self);
}

static void
test_deadline (TestCase *self)
{
  Hearing hearing = { 0 };
  g_autoptr (MaltPending) pending = begin (self, "later_never", NULL, NULL, &hearing);
  gint never = FALSE;
  guint i;

  for (i = 0; i < 3; i++)
    {
      malt_pending_wait (pending, g_get_monotonic_time () + 5000, &never);
      g_assert_false (is_heard (&hearing));
    }

  /* It is told of all the same. */
  malt_pending_cancel (pending);
  assert_error (&hearing, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  test_case_assert_usable (self);
}

typedef struct
{
  MaltPending *pending;
  gint         is_wanted;
  gint         is_over;
} Wait;

static gpointer
wait_thread (gpointer data)
{
  Wait *wait = data;

  malt_pending_wait (wait->pending, -1, &wait->is_wanted);
  g_atomic_int_set (&wait->is_over, TRUE);
  return NULL;
}

/* Broken off, at whatever time; then the context is told. */
static void
test_wake (TestCase *self)
{
  guint i;

  for (i = 0; i < 20; i++)
    {
      Hearing hearing = { 0 };
      g_autoptr (MaltPending) pending = begin (self, "later", two (20, 1), NULL, &hearing);
      Wait wait = { .pending = pending };
      TestThread *thread = test_thread_new ("wait", wait_thread, &wait);

      if (i % 2 == 0)
        g_usleep (500);
      g_atomic_int_set (&wait.is_wanted, TRUE);
      malt_pending_wake (pending);
      test_thread_join (thread);
      g_assert_true (wait.is_over);
      assert_value (&hearing, "int64 1");
    }
}

/* Of several threads one waits. */
static void
test_several (TestCase *self)
{
  Hearing hearing = { 0 };
  g_autoptr (MaltPending) pending = begin (self, "later", two (20, 1), NULL, &hearing);
  Wait waits[4];
  TestThread *threads[G_N_ELEMENTS (waits)];
  guint i;

  for (i = 0; i < G_N_ELEMENTS (waits); i++)
    {
      waits[i] = (Wait) { .pending = pending };
      threads[i] = test_thread_new ("wait", wait_thread, &waits[i]);
    }
  for (i = 0; i < G_N_ELEMENTS (waits); i++)
    test_thread_join (threads[i]);
  assert_value (&hearing, "int64 1");
}

static void
test_cancel (TestCase *self)
{
  gint never = FALSE;
  guint i;

  for (i = 0; i < 4; i++)
    {
      g_autoptr (GCancellable) cancellable = i % 2 == 0 ? g_cancellable_new () : NULL;
      Hearing hearing = { 0 };
      g_autoptr (MaltPending) pending = begin (self, "later_never", NULL, cancellable, &hearing);

      if (cancellable != NULL)
        g_cancellable_cancel (cancellable);
      else
        malt_pending_cancel (pending);
      if (i / 2 == 0)
        malt_pending_wait (pending, -1, &never);
      assert_error (&hearing, G_IO_ERROR, G_IO_ERROR_CANCELLED);
      malt_pending_cancel (pending);
      test_case_assert_usable (self);
    }
}

static void
test_bad (TestCase *self)
{
  g_autoptr (GCancellable) cancelled = g_cancellable_new ();
  gint never = FALSE;
  struct
  {
    const char   *function;
    GCancellable *cancellable;
    GQuark        domain;
    int           code;
  } cases[] = {
    { "", NULL, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT },
    { "add", cancelled, G_IO_ERROR, G_IO_ERROR_CANCELLED },
    { "no such function", NULL, MALT_ERROR, MALT_ERROR_NOT_FOUND },
  };
  guint i;

  g_cancellable_cancel (cancelled);
  for (i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      Hearing hearing = { 0 };
      g_autoptr (MaltPending) pending =
        malt_worker_remote_call_begin (self->worker, cases[i].function, NULL, NULL, MALT_REQUEST_FLAGS_NONE,
                                       MALT_TIMEOUT_NONE, cases[i].cancellable, get_attended (), hear, &hearing);

      malt_pending_wait (pending, -1, &never);
      assert_error (&hearing, cases[i].domain, cases[i].code);
    }
  test_case_assert_usable (self);
}

/* The worker ends while a thread waits, or before. */
static void
test_death (TestCase *self)
{
  Hearing hearing = { 0 }, after = { 0 };
  g_autoptr (MaltPending) pending = begin (self, "later_never", NULL, NULL, &hearing);
  g_autoptr (MaltPending) none = NULL;
  Wait wait = { .pending = pending };
  TestThread *thread = test_thread_new ("wait", wait_thread, &wait);

  malt_worker_kill (self->worker, SIGKILL);
  test_thread_join (thread);
  assert_error (&hearing, MALT_ERROR, MALT_ERROR_TERMINATED);

  while (malt_worker_is_running (self->worker))
    g_main_context_iteration (NULL, TRUE);
  none = begin (self, "add", two (1, 1), NULL, &after);
  g_assert_false (malt_pending_wait (none, -1, &wait.is_wanted));
  assert_error (&after, MALT_ERROR, MALT_ERROR_TERMINATED);
}

static MaltPending *
begin_in_pool (TestCase   *self,
               MaltPool   *pool,
               const char *function,
               GVariant   *arguments,
               Hearing    *hearing)
{
  return malt_pool_remote_call_begin (pool, test_case_function (self, function), arguments, NULL,
                                      MALT_POOL_CALL_FLAGS_NONE, MALT_TIMEOUT_NONE, NULL, get_attended (), hear,
                                      hearing);
}

/* Those that wait for a worker, and those that have one; the next begins as one ends. */
static void
test_pool (TestCase *self)
{
  MaltPool *pool = test_pool_new (self, "launcher", self->launcher, "max-workers", 1, NULL);
  Hearing hearings[50] = { 0 };
  g_autoptr (GPtrArray) pending = g_ptr_array_new_with_free_func ((GDestroyNotify) malt_pending_unref);
  gint never = FALSE;
  gint64 i;

  for (i = 0; i < (gint64) G_N_ELEMENTS (hearings); i++)
    g_ptr_array_add (pending, begin_in_pool (self, pool, "add", two (i, 1), &hearings[i]));
  for (i = 0; i < (gint64) G_N_ELEMENTS (hearings); i++)
    {
      g_autofree char *expected = g_strdup_printf ("int64 %" G_GINT64_FORMAT, i + 1);

      malt_pending_wait (pending->pdata[i], -1, &never);
      assert_value (&hearings[i], expected);
    }
  for (i = 0; i < 50; i++)
    {
      Hearing hearing = { 0 };
      g_autoptr (MaltPending) one = begin_in_pool (self, pool, "add", two (1, 1), &hearing);

      malt_pending_wait (one, -1, &never);
      assert_value (&hearing, "int64 2");
    }
  g_assert_cmpuint (test_pool_get (pool, "n-done"), ==, 100);
  test_pool_retire (pool);
}

/* In the queue, and under way. */
static void
test_pool_cancel (TestCase *self)
{
  MaltPool *pool = test_pool_new (self, "launcher", self->launcher, "max-workers", 1, NULL);
  Hearing first = { 0 }, second = { 0 };
  g_autoptr (MaltPending) runs = begin_in_pool (self, pool, "later_never", NULL, &first);
  g_autoptr (MaltPending) waits = begin_in_pool (self, pool, "add", two (1, 1), &second);
  gint never = FALSE;

  malt_pending_cancel (waits);
  assert_error (&second, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  test_pool_await (pool, "n-running", 1);
  malt_pending_cancel (runs);
  malt_pending_wait (runs, -1, &never);
  assert_error (&first, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  test_pool_assert_usable (self, pool);
  test_pool_retire (pool);
}

/* At whatever time: in the queue, as it is given a worker by the one before, or under way. */
static void
test_pool_cancel_as_it_begins (TestCase *self)
{
  MaltPool *pool = test_pool_new (self, "launcher", self->launcher, "max-workers", 1, NULL);
  guint i;

  for (i = 0; i < 500; i++)
    {
      Hearing first = { 0 }, second = { 0 };
      g_autoptr (MaltPending) before G_GNUC_UNUSED = begin_in_pool (self, pool, "add", two (1, 1), &first);
      g_autoptr (MaltPending) pending = begin_in_pool (self, pool, "later_never", NULL, &second);

      while (i % 2 == 0 && !is_heard (&first))
        test_home_turn ();
      g_usleep (i % 20 * 5);
      malt_pending_cancel (pending);
      assert_value (&first, "int64 2");
      assert_error (&second, G_IO_ERROR, G_IO_ERROR_CANCELLED);
    }
  test_pool_assert_usable (self, pool);
  test_pool_retire (pool);
}

int
main (int argc, char **argv)
{
  test_case_init (&argc, &argv, "pending");

  test_case_add ("unawaited", TEST_NEEDS_NOTHING, test_unawaited);
  test_case_add ("waits", TEST_NEEDS_NOTHING, test_waits);
  test_case_add ("mixed", TEST_NEEDS_NOTHING, test_mixed);
  test_case_add ("deadline", TEST_NEEDS_NOTHING, test_deadline);
  test_case_add ("wake", TEST_NEEDS_NOTHING, test_wake);
  test_case_add ("several", TEST_NEEDS_NOTHING, test_several);
  test_case_add ("cancel", TEST_NEEDS_NOTHING, test_cancel);
  test_case_add ("bad", TEST_NEEDS_NOTHING, test_bad);
  test_case_add ("death", TEST_NEEDS_PROCESS, test_death);
  test_case_add_idle ("pool", TEST_NEEDS_NOTHING, test_pool);
  test_case_add_idle ("pool-cancel", TEST_NEEDS_NOTHING, test_pool_cancel);
  test_case_add_idle ("pool-cancel-as-it-begins", TEST_NEEDS_NOTHING, test_pool_cancel_as_it_begins);

  return g_test_run ();
}
