/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <malt.h>
#include <signal.h>

#include "test-asserts.h"

/* Channels within one process, and a backend that hands channels on. */

static void
put (MaltChannel *channel,
     gint64       number)
{
  g_autoptr (GError) error = NULL;

  malt_channel_put (channel, g_variant_new_int64 (number), -1, NULL, &error);
  g_assert_no_error (error);
}

static gint64
take (MaltChannel *channel)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) value = malt_channel_take (channel, -1, NULL, &error);

  g_assert_no_error (error);
  return g_variant_get_int64 (value);
}

static void
test_local (void)
{
  g_autoptr (MaltChannel) channel = malt_channel_new (2);
  g_autoptr (GError) error = NULL;
  guint capacity;
  gint64 i;

  g_object_get (channel, "capacity", &capacity, NULL);
  g_assert_cmpuint (capacity, ==, 2);
  g_assert_cmpuint (malt_channel_get_capacity (channel), ==, 2);
  g_assert_false (malt_channel_is_ready (channel));
  g_assert_null (malt_channel_take (channel, 0, NULL, &error));
  test_assert_error (error, MALT_ERROR, MALT_ERROR_TIMEOUT, "the channel had nothing to take within 0 ms");

  for (i = 0; i < 100; i++)
    {
      put (channel, 2 * i);
      put (channel, 2 * i + 1);
      g_assert_false (malt_channel_put (channel, g_variant_new_int64 (0), 0, NULL, &error));
      test_assert_error (error, MALT_ERROR, MALT_ERROR_TIMEOUT, "the channel had no room within 0 ms");
      g_assert_cmpint (take (channel), ==, 2 * i);
      g_assert_cmpint (take (channel), ==, 2 * i + 1);
    }

  put (channel, 1);
  g_assert_true (malt_channel_is_ready (channel));
  malt_channel_close (channel);
  malt_channel_close (channel);
  g_assert_false (malt_channel_put (channel, g_variant_new_int64 (0), -1, NULL, &error));
  test_assert_error (error, G_IO_ERROR, G_IO_ERROR_CLOSED, "the channel is closed");
  g_assert_true (malt_channel_wait (channel, -1, NULL, &error));
  g_assert_cmpint (take (channel), ==, 1);
  g_assert_null (malt_channel_take (channel, -1, NULL, &error));
  test_assert_error (error, G_IO_ERROR, G_IO_ERROR_CLOSED, "the channel is closed");
}

/* What is inside goes with the last reference. */
static void
test_drop (void)
{
  g_autoptr (GBytes) bytes = g_bytes_new_static ("abc", 3);
  MaltChannel *channel = malt_channel_new (5);
  GVariant *value = g_variant_ref_sink (g_variant_new_from_bytes (G_VARIANT_TYPE_BYTESTRING, bytes, TRUE));
  g_autoptr (GError) error = NULL;
  guint i;

  for (i = 0; i < 5; i++)
    malt_channel_put (channel, value, -1, NULL, &error);
  g_assert_no_error (error);
  g_object_unref (channel);
  g_assert_true (g_variant_is_floating (value) == FALSE);
  g_variant_unref (value);
}

#define N_THREADS 4
#define N_VALUES  5000

static gpointer
put_thread (gpointer user_data)
{
  gint64 i;

  for (i = 0; i < N_VALUES; i++)
    put (user_data, i);
  return NULL;
}

static gpointer
take_thread (gpointer user_data)
{
  GVariant *value;
  gint64 sum = 0;

  while ((value = malt_channel_take (user_data, -1, NULL, NULL)) != NULL)
    {
      sum += g_variant_get_int64 (value);
      g_variant_unref (value);
    }
  return g_memdup2 (&sum, sizeof sum);
}

static void
test_threads (void)
{
  g_autoptr (MaltChannel) channel = malt_channel_new (3);
  GThread *putters[N_THREADS], *takers[N_THREADS];
  gint64 sum = 0;
  guint i;

  for (i = 0; i < N_THREADS; i++)
    {
      putters[i] = g_thread_new ("put", put_thread, channel);
      takers[i] = g_thread_new ("take", take_thread, channel);
    }
  for (i = 0; i < N_THREADS; i++)
    g_thread_join (putters[i]);
  malt_channel_close (channel);
  for (i = 0; i < N_THREADS; i++)
    {
      g_autofree gint64 *part = g_thread_join (takers[i]);

      sum += *part;
    }
  g_assert_cmpint (sum, ==, (gint64) N_THREADS * N_VALUES * (N_VALUES - 1) / 2);
}

typedef struct
{
  guint  n;
  gint64 expected;
} Count;

static void
taken_cb (GObject      *source,
          GAsyncResult *result,
          gpointer      user_data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) value = malt_channel_take_finish (MALT_CHANNEL (source), result, &error);
  Count *count = user_data;

  g_assert_no_error (error);
  g_assert_cmpint (g_variant_get_int64 (value), ==, count->expected++);
  count->n++;
}

static void
put_cb (GObject      *source,
        GAsyncResult *result,
        gpointer      user_data)
{
  g_autoptr (GError) error = NULL;
  Count *count = user_data;

  g_assert_true (malt_channel_put_finish (MALT_CHANNEL (source), result, &error));
  g_assert_no_error (error);
  count->n++;
}

/* In order, and never before the function has returned. */
static void
test_async (void)
{
  g_autoptr (MaltChannel) channel = malt_channel_new (1);
  Count put_count = { 0, 0 }, take_count = { 0, 0 };
  gint64 i;

  for (i = 0; i < 50; i++)
    malt_channel_put_async (channel, g_variant_new_int64 (i), NULL, put_cb, &put_count);
  for (i = 0; i < 50; i++)
    malt_channel_take_async (channel, NULL, taken_cb, &take_count);
  g_assert_cmpuint (put_count.n, ==, 0);
  g_assert_cmpuint (take_count.n, ==, 0);
  while (put_count.n < 50 || take_count.n < 50)
    g_main_context_iteration (NULL, TRUE);
}

/* A backend that has another worker inside, and hands channels on. */

#define OUTER_TYPE_WORKER (outer_worker_get_type ())
G_DECLARE_FINAL_TYPE (OuterWorker, outer_worker, OUTER, WORKER, MaltWorker)

struct _OuterWorker
{
  MaltWorker  parent_instance;

  MaltWorker *inner;
};

G_DEFINE_FINAL_TYPE (OuterWorker, outer_worker, MALT_TYPE_WORKER)

static void
opened_cb (GObject      *source,
           GAsyncResult *result,
           gpointer      user_data)
{
  g_autoptr (MaltRequest) request = user_data;
  g_autoptr (MaltChannel) channel = NULL;
  GError *error = NULL;

  channel = malt_worker_open_channel_finish (MALT_WORKER (source), result, &error);
  if (channel != NULL)
    malt_request_return_channel (request, channel);
  else
    malt_request_return_error (request, error);
}

static void
outer_worker_submit (MaltWorker  *worker,
                     MaltRequest *request)
{
  OuterWorker *self = OUTER_WORKER (worker);

  if (malt_request_get_kind (request) == MALT_REQUEST_KIND_CHANNEL &&
      !g_str_equal (malt_request_get_source (request), "wrong"))
    malt_worker_open_channel_async (self->inner, malt_request_get_module (request), malt_request_get_source (request),
                                    MALT_TIMEOUT_NONE, NULL, opened_cb, g_object_ref (request));
  else
    malt_request_return_value (request, g_variant_new_string ("text"));
}

static void
outer_worker_kill (MaltWorker *worker,
                   int         signum)
{
  g_autoptr (MaltExitInfo) exit_info = g_object_new (MALT_TYPE_EXIT_INFO, "kind", MALT_EXIT_KIND_SIGNALLED,
                                                     "signal", signum, NULL);

  malt_worker_report_terminated (worker, exit_info);
}

static void
outer_worker_finalize (GObject *object)
{
  g_object_unref (OUTER_WORKER (object)->inner);
  G_OBJECT_CLASS (outer_worker_parent_class)->finalize (object);
}

static void
outer_worker_class_init (OuterWorkerClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = outer_worker_finalize;
  MALT_WORKER_CLASS (klass)->submit = outer_worker_submit;
  MALT_WORKER_CLASS (klass)->kill = outer_worker_kill;
}

static void
outer_worker_init (OuterWorker *self)
{
  g_autoptr (MaltLauncher) launcher = malt_launcher_new ("process", "native");
  const char *search_path[] = { g_getenv ("G_TEST_BUILDDIR"), NULL };
  g_autoptr (GError) error = NULL;

  malt_launcher_set_search_path (launcher, search_path);
  self->inner = malt_launcher_spawn (launcher, NULL, &error);
  g_assert_no_error (error);
}

static void
test_handed_on (void)
{
  g_autoptr (MaltLauncher) launcher = malt_launcher_new ("outer", NULL);
  g_autoptr (MaltWorker) worker = NULL;
  g_autoptr (MaltChannel) channel = NULL;
  g_autoptr (GError) error = NULL;

  malt_worker_register ("outer", OUTER_TYPE_WORKER, &error);
  g_assert_no_error (error);
  worker = malt_launcher_spawn (launcher, NULL, &error);
  g_assert_no_error (error);

  channel = malt_worker_open_channel (worker, NULL, "native-channels:fresh", -1, NULL, &error);
  g_assert_no_error (error);
  put (channel, 1);
  put (channel, 2);
  g_assert_cmpint (take (channel), ==, 1);
  g_assert_cmpint (take (channel), ==, 2);

  g_assert_null (malt_worker_open_channel (worker, NULL, "wrong", -1, NULL, &error));
  test_assert_error (error, MALT_ERROR, MALT_ERROR_SERIALIZATION, "*a value of type s instead of a channel");
  g_assert_null (malt_worker_open_channel (worker, NULL, "native-channels:nix", -1, NULL, &error));
  test_assert_error (error, MALT_ERROR, MALT_ERROR_NOT_FOUND, "*nix*");

  /* It ends with the worker that gave it. */
  malt_worker_kill (worker, SIGKILL);
  g_assert_null (malt_channel_take (channel, -1, NULL, &error));
  test_assert_error (error, MALT_ERROR, MALT_ERROR_TERMINATED, "*outer worker*");
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/channel/local", test_local);
  g_test_add_func ("/channel/drop", test_drop);
  g_test_add_func ("/channel/threads", test_threads);
  g_test_add_func ("/channel/async", test_async);
  g_test_add_func ("/channel/handed-on", test_handed_on);

  return g_test_run ();
}
