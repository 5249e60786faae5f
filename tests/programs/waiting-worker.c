/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <malt.h>

#include "malt-registry.h"
#include "malt-service-private.h"

/* A worker whose code waits with malt_service_wait(), for words that other code of it
 * sets: its runtime is for that only. */

#define WAITING_TYPE_RUNTIME (waiting_runtime_get_type ())
G_DECLARE_FINAL_TYPE (WaitingRuntime, waiting_runtime, WAITING, RUNTIME, MaltRuntime)

struct _WaitingRuntime
{
  MaltRuntime parent_instance;
};

G_DEFINE_FINAL_TYPE (WaitingRuntime, waiting_runtime, MALT_TYPE_RUNTIME)

#define N_WORDS 32
#define BEGUN   16 /* what is added for the word that tells that "wait" has begun */

static gint words[N_WORDS]; /* atomic */

/* What one call is to do, on whatever thread. */
typedef struct
{
  MaltRequest *request;
  gint64       word;
  gint64       number; /* milliseconds, or another word */
} Work;

static Work *
work_new (MaltRequest *request)
{
  Work *self = g_new0 (Work, 1);

  self->request = g_object_ref (request);
  g_variant_get (malt_request_get_arguments (request), "(xx)", &self->word, &self->number);
  g_assert (self->word >= 0 && self->word < N_WORDS);

  return self;
}

static void
work_free (Work *self)
{
  g_object_unref (self->request);
  g_free (self);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Work, work_free)

static void
set (gint64 word)
{
  g_atomic_int_set (&words[word], TRUE);
  malt_service_wake (malt_service_get (), &words[word]);
}

/* Waits for the word, for as many milliseconds or, if they are negative, without end. */
static void
wait_for_word (Work *work)
{
  gint64 deadline = work->number < 0 ? -1 : g_get_monotonic_time () + work->number * 1000;
  g_autoptr (GError) error = NULL;

  if (malt_service_wait (malt_service_get (), &words[work->word], deadline,
                         malt_request_get_cancellable (work->request), &error))
    malt_request_return_value (work->request, NULL);
  else
    malt_request_return_error (work->request, g_steal_pointer (&error));
}

static gpointer
wait_thread (gpointer user_data)
{
  g_autoptr (Work) work = user_data;

  wait_for_word (work);
  return NULL;
}

static gboolean
wait_cb (gpointer user_data)
{
  g_autoptr (Work) work = user_data;

  wait_for_word (work);
  return G_SOURCE_REMOVE;
}

/* Sets a word as soon as another one is. */
static gpointer
relay_thread (gpointer user_data)
{
  g_autoptr (Work) work = user_data;

  if (malt_service_wait (malt_service_get (), &words[work->word], -1, NULL, NULL))
    set (work->number);
  return NULL;
}

/* Sets a word once its time has passed. */
static gpointer
alarm_thread (gpointer user_data)
{
  static const gint never;
  g_autoptr (Work) work = user_data;
  g_autoptr (GError) error = NULL;

  malt_service_wait (malt_service_get (), &never, g_get_monotonic_time () + work->number * 1000, NULL, &error);
  if (g_error_matches (error, MALT_ERROR, MALT_ERROR_TIMEOUT))
    set (work->word);
  return NULL;
}

static void
in_thread (MaltRequest *request,
           GThreadFunc  func)
{
  g_thread_unref (g_thread_new ("work", func, work_new (request)));
}

static void
waiting_runtime_handle (MaltRuntime *runtime,
                        MaltRequest *request)
{
  static gint64 n_handled;
  const char *name = malt_request_get_function (request);
  g_autoptr (Work) work = NULL;

  if (g_str_equal (name, "count"))
    {
      malt_request_return_value (request, g_variant_new_int64 (++n_handled));
      return;
    }

  work = work_new (request);
  if (g_str_equal (name, "wait"))
    {
      set ((work->word + BEGUN) % N_WORDS);
      wait_for_word (work);
      return;
    }

  if (g_str_equal (name, "wait-in-thread") || g_str_equal (name, "wait-in-callback"))
    {
      malt_request_defer (request);
      if (g_str_equal (name, "wait-in-thread"))
        in_thread (request, wait_thread);
      else
        g_idle_add (wait_cb, g_steal_pointer (&work));
      return;
    }

  if (g_str_equal (name, "relay"))
    in_thread (request, relay_thread);
  else if (g_str_equal (name, "alarm"))
    in_thread (request, alarm_thread);
  else if (g_str_equal (name, "set"))
    set (work->word);
  malt_request_return_value (request, NULL);
}

static void
waiting_runtime_class_init (WaitingRuntimeClass *klass)
{
  MALT_RUNTIME_CLASS (klass)->handle = waiting_runtime_handle;
}

static void
waiting_runtime_init (WaitingRuntime *self)
{
}

int
main (int    argc,
      char **argv)
{
  if (!malt_registry_register (MALT_MODULE_KIND_RUNTIME, "waiting", WAITING_TYPE_RUNTIME, NULL))
    return 2;

  malt_run_as_worker (argc, argv);
  return 1;
}
