/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-js-binding.h"

#include <js/GCAPI.h>
#include <js/HeapAPI.h>

/* The collector of SpiderMonkey works in steps, between which a program goes on.  But GJS before
 * 1.82 takes the time between two steps of sweeping for sweeping itself: then it calls no closure
 * of JavaScript, warns of that, and what was to be called is lost, be it the handler of a signal
 * or the function of a class.
 *
 * So the rest is swept before the main loop goes on, at the end of what the library calls itself,
 * and before a signal of the library is heard. */

static bool is_watched, is_due;

/* Not in the collector. */
void
malt_js_finish_sweeping (void)
{
  JSContext *cx = malt_js_get_context ();

  if (is_watched && cx != nullptr && !JS::RuntimeHeapIsCollecting () && JS::IsIncrementalGCInProgress (cx))
    JS::FinishIncrementalGC (cx, JS::GCReason::API);
}

static gboolean
finish_cb (gpointer user_data)
{
  is_due = false;
  malt_js_finish_sweeping ();
  return G_SOURCE_REMOVE;
}

/* Has what waits for promises go on, after which what is called in the same turn of the main loop is
 * not lost either. */
void
malt_js_run_jobs (JSContext *cx)
{
  js::RunJobs (cx);
  if (is_due)
    malt_js_finish_sweeping ();
}

/* JSFinalizeCallback: within the collector, so that nothing but this can be done.  It may go on in
 * another step from here on, long before it is at the end. */
static void
sweeping_cb (JS::GCContext    *gc,
             JSFinalizeStatus  status,
             void             *data)
{
  GSource *source;

  if (status != JSFINALIZE_GROUP_START || is_due)
    return;

  is_due = true;
  source = g_idle_source_new ();
  g_source_set_static_name (source, "[malt] sweeping");
  g_source_set_priority (source, MALT_JS_PRIORITY);
  g_source_set_callback (source, finish_cb, nullptr, nullptr);
  g_source_attach (source, nullptr);
  g_source_unref (source);
}

/* watchCollector() */
bool
malt_js_watch_collector (JSContext *cx,
                         unsigned   argc,
                         JS::Value *vp)
{
  JS::CallArgs args = JS::CallArgsFromVp (argc, vp);

  is_watched = true;
  args.rval ().setUndefined ();
  return JS_AddFinalizeCallback (cx, sweeping_cb, nullptr);
}

/**
 * malt_js_guard:
 * @object: a worker or pool
 *
 * Sees to it that signals of an object are heard at any time, by handlers that are connected
 * after this.
 */
void
malt_js_guard (GObject *object)
{
  static const char *const names[] = { "terminated", "progress", "output", "worker-added", "worker-removed" };
  static GQuark quark;
  gsize i;

  if (quark == 0)
    quark = g_quark_from_static_string ("malt-js-guard");
  if (g_object_get_qdata (object, quark) != nullptr)
    return;

  g_object_set_qdata (object, quark, GINT_TO_POINTER (TRUE));
  for (i = 0; i < G_N_ELEMENTS (names); i++)
    if (g_signal_lookup (names[i], G_OBJECT_TYPE (object)) != 0)
      g_signal_connect_swapped (object, names[i], G_CALLBACK (malt_js_finish_sweeping), nullptr);
  g_signal_connect_swapped (object, "notify", G_CALLBACK (malt_js_finish_sweeping), nullptr);
}

/**
 * malt_js_link:
 * @from: a cancellable
 * @to: another one
 *
 * Has a cancellable cancelled with another one, on whatever thread that is.
 */
void
malt_js_link (GCancellable *from,
              GCancellable *to)
{
  g_signal_connect_object (from, "cancelled", G_CALLBACK (g_cancellable_cancel), to, G_CONNECT_SWAPPED);
  if (g_cancellable_is_cancelled (from))
    g_cancellable_cancel (to);
}
