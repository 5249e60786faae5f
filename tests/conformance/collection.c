/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <signal.h>

#include <malt.h>

#include "test-asserts.h"
#include "test-case.h"

/* Workers and requests that a language with a garbage collector has.
 *
 * It is told when somebody else takes the first reference to such an object and when he drops the
 * last, by a toggle reference.  On another thread than the language's, the collector's lock is
 * needed for that, as in GJS; and while that is held, the collector drops what it has found, whose
 * disposal may want any lock that is taken there.  So here whoever is told waits until a thread
 * that plays the collector has dropped something of each kind. */

/* How long a collection may take at most. */
#define HANG_SECONDS 60

/* It lives as long as the program: who is told may be so when the object is released already. */
static struct
{
  GThread   *language; /* the thread that has the objects */
  GThread   *thread;
  GMutex     lock;
  GCond      changed;
  guint      n_wanted;
  guint      n_done;
  GPtrArray *garbage;  /* of GObject: what is not dropped yet */
} collector;

static void
drop_weakly_known (void)
{
  GObject *object = g_object_new (G_TYPE_OBJECT, NULL);
  GWeakRef weak;

  g_weak_ref_init (&weak, object);
  g_object_unref (object);
  g_weak_ref_clear (&weak);
}

static gpointer
collect_thread (gpointer data)
{
  g_mutex_lock (&collector.lock);
  while (TRUE)
    {
      g_autoptr (GObject) garbage = NULL;

      if (collector.n_done == collector.n_wanted)
        {
          g_cond_wait (&collector.changed, &collector.lock);
          continue;
        }

      if (collector.garbage->len > 0)
        garbage = g_ptr_array_steal_index (collector.garbage, 0);
      g_mutex_unlock (&collector.lock);
      drop_weakly_known ();
      g_clear_object (&garbage);
      g_mutex_lock (&collector.lock);
      collector.n_done++;
      g_cond_broadcast (&collector.changed);
    }

  return NULL;
}

static void
begin_to_collect (void)
{
  collector.language = g_thread_self ();
  collector.garbage = g_ptr_array_new_with_free_func (g_object_unref);
  collector.thread = g_thread_new ("collector", collect_thread, NULL);
}

/* How often it has run since it was asked last. */
static guint
count_collections (void)
{
  static guint n_known;
  guint n;

  g_mutex_lock (&collector.lock);
  n = collector.n_done - n_known;
  n_known = collector.n_done;
  g_mutex_unlock (&collector.lock);

  return n;
}

static void
toggle_cb (gpointer  data,
           GObject  *object,
           gboolean  is_last)
{
  gint64 deadline = g_get_monotonic_time () + HANG_SECONDS * G_TIME_SPAN_SECOND;
  guint wanted;

  if (g_thread_self () == collector.thread || g_thread_self () == collector.language)
    return;

  g_mutex_lock (&collector.lock);
  wanted = ++collector.n_wanted;
  g_cond_broadcast (&collector.changed);
  while ((gint) (wanted - collector.n_done) > 0)
    if (!g_cond_wait_until (&collector.changed, &collector.lock, deadline))
      g_error ("what is dropped wants a lock of who has to wait for that, with the %s reference to a %s",
               is_last ? "last" : "second", G_OBJECT_TYPE_NAME (object));
  g_mutex_unlock (&collector.lock);
}

/* The language has the only reference. */
static void
take (gpointer object)
{
  g_object_add_toggle_ref (object, toggle_cb, NULL);
  g_object_unref (object);
}

static void
release (gpointer object)
{
  g_object_remove_toggle_ref (object, toggle_cb, NULL);
}

/* The language has dropped it. */
static void
add_garbage (gpointer object)
{
  g_mutex_lock (&collector.lock);
  g_ptr_array_add (collector.garbage, object);
  g_mutex_unlock (&collector.lock);
}

static void
drop_garbage (void)
{
  g_autoptr (GPtrArray) garbage = NULL;

  g_mutex_lock (&collector.lock);
  garbage = g_steal_pointer (&collector.garbage);
  collector.garbage = g_ptr_array_new_with_free_func (g_object_unref);
  g_mutex_unlock (&collector.lock);
}

static void
keep (MaltRequest *request,
      gpointer     user_data)
{
  g_ptr_array_add (user_data, g_object_ref (request));
}

/* Has the worker call a function of the program's, without anything that holds the worker. */
static void
call_keep (TestCase  *self,
           GPtrArray *kept)
{
  g_autoptr (GError) error = NULL;
  guint n = kept->len + 1;

  malt_worker_remote_do (self->worker, test_case_function (self, "host_later"),
                         g_variant_new ("(sv)", "keep", g_variant_new ("()")), NULL, &error);
  g_assert_no_error (error);
  while (kept->len < n)
    g_main_context_iteration (NULL, TRUE);
}

/* A worker dies whose code has called functions that have not answered. */
static void
test_death (TestCase *self)
{
  g_autoptr (GPtrArray) kept = g_ptr_array_new_with_free_func (g_object_unref);
  MaltRequest *request;

  malt_worker_export_function (self->worker, "keep", NULL, keep, kept, NULL);
  while (kept->len < 5)
    call_keep (self, kept);

  while (kept->len > 1)
    add_garbage (g_ptr_array_steal_index (kept, 1));
  add_garbage (test_case_spawn (self));
  request = g_ptr_array_steal_index (kept, 0);
  take (request);
  take (self->worker);

  malt_worker_kill (self->worker, SIGKILL);
  while (malt_worker_is_running (self->worker) ||
         (test_case_is (self, "process") &&
          !g_cancellable_is_cancelled (malt_request_get_cancellable (request))))
    if (!g_main_context_iteration (NULL, FALSE))
      g_usleep (1000);
  if (test_case_is (self, "process"))
    g_assert_cmpuint (count_collections (), >, 0);

  release (request);
  release (g_steal_pointer (&self->worker));
  drop_garbage ();
}

/* A function is called by code for which nobody waits. */
static void
test_host_call (TestCase *self)
{
  g_autoptr (GPtrArray) kept = g_ptr_array_new_with_free_func (g_object_unref);
  guint i;

  malt_worker_export_function (self->worker, "keep", NULL, keep, kept, NULL);
  call_keep (self, kept);
  add_garbage (test_case_spawn (self));
  add_garbage (g_ptr_array_steal_index (kept, 0));
  take (self->worker);

  for (i = 0; i < 3; i++)
    call_keep (self, kept);
  g_object_ref (self->worker);
  release (self->worker);
  test_case_assert_usable (self);
  for (i = 0; i < kept->len; i++)
    malt_request_return_value (g_ptr_array_index (kept, i), NULL);
  drop_garbage ();
}

static void
count_cb (MaltWorker *worker,
          guint64     request_id,
          int         stream,
          GBytes     *bytes,
          guint      *n_bytes)
{
  *n_bytes += (guint) g_bytes_get_size (bytes);
}

/* What it prints is told on the library's thread, unless the runtime sends it. */
static void
test_output (TestCase *self)
{
  guint n_bytes = 0;
  guint i;

  malt_launcher_set_stdout (self->launcher, MALT_OUTPUT_SIGNAL);
  self->worker = test_case_spawn (self);
  g_signal_connect (self->worker, "output", G_CALLBACK (count_cb), &n_bytes);
  for (i = 0; i < 3; i++)
    add_garbage (test_case_spawn (self));
  take (self->worker);

  for (i = 0; i < 5; i++)
    {
      g_autoptr (GError) error = NULL;

      malt_worker_remote_do (self->worker, test_case_function (self, "print"), g_variant_new ("(s)", "word\n"), NULL,
                             &error);
      g_assert_no_error (error);
      while (n_bytes < 5 * (i + 1))
        g_main_context_iteration (NULL, TRUE);
    }
  if (test_case_is (self, "native"))
    g_assert_cmpuint (count_collections (), >, 0);
  g_object_ref (self->worker);
  release (self->worker);
  drop_garbage ();
}

/* It is started and stopped while the language has it; what stops it is told on other threads. */
static void
test_stop (TestCase *self)
{
  g_autoptr (GError) error = NULL;
  guint i;

  for (i = 0; i < 3; i++)
    add_garbage (test_case_spawn (self));
  take (self->worker);
  g_assert_cmpint (malt_worker_stop (self->worker, 20000, 20000, NULL, &error), ==, MALT_STOP_RESULT_WAS_RUNNING);
  g_assert_no_error (error);
  release (g_steal_pointer (&self->worker));
  drop_garbage ();
}

int
main (int argc, char **argv)
{
  test_case_init (&argc, &argv, "collection");
  begin_to_collect ();

  test_case_add ("death", TEST_NEEDS_HOST, test_death);
  test_case_add ("host-call", TEST_NEEDS_HOST, test_host_call);
  test_case_add_idle ("output", TEST_NEEDS_PROCESS, test_output);
  test_case_add ("stop", TEST_NEEDS_NOTHING, test_stop);

  return g_test_run ();
}
