/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-gjs-rejection.h"

#include <js/GCVector.h>
#include <js/Promise.h>

#include "malt-gjs-error.h"
#include "malt-gjs-interrupt.h"

/* Promises that are rejected and that nobody awaits: they are reported on standard error
 * when what promises have made due has run, by when whoever was to await them does.
 *
 * GJS reports them too, but not what was thrown; so where GJS is not the program's it is
 * done here. */

struct _MaltGjsRejections
{
  JS::PersistentRootedObjectVector promises;

  explicit _MaltGjsRejections (JSContext *cx)
    : promises (cx)
  {
  }
};

/* Whether it was rejected by the latest interrupt. */
static bool
is_interruption (MaltGjsEngine    *engine,
                 JS::HandleObject  promise)
{
  JS::RootedValue reason (engine->cx, JS::GetPromiseResult (promise));

  return reason.isObject () && &reason.toObject () == engine->interruption;
}

static void
tracker_cb (JSContext                         *cx,
            bool                               is_muted,
            JS::HandleObject                   promise,
            JS::PromiseRejectionHandlingState  state,
            void                              *data)
{
  MaltGjsEngine *engine = (MaltGjsEngine *) data;
  JS::PersistentRootedObjectVector &promises = engine->rejections->promises;
  gsize i;

  if (state == JS::PromiseRejectionHandlingState::Unhandled)
    {
      /* If there is no memory for it, it is not reported. */
      (void) promises.append (promise);
      if (is_interruption (engine, promise))
        malt_gjs_interrupt_lost (engine);
      return;
    }

  for (i = 0; i < promises.length (); i++)
    if (promises[i] == promise)
      {
        promises.erase (promises.begin () + i);
        return;
      }
}

void
malt_gjs_rejection_begin (MaltGjsEngine *engine)
{
  if (engine->is_adopted)
    return;

  engine->rejections = new MaltGjsRejections (engine->cx);
  JS::SetPromiseRejectionTrackerCallback (engine->cx, tracker_cb, engine);
}

void
malt_gjs_rejection_end (MaltGjsEngine *engine)
{
  JS::SetPromiseRejectionTrackerCallback (engine->cx, nullptr, nullptr);
  delete engine->rejections;
  engine->rejections = NULL;
}

gboolean
malt_gjs_rejection_is_due (MaltGjsEngine *engine)
{
  return engine->rejections != NULL && engine->rejections->promises.length () > 0;
}

/* Whether nobody awaits what the latest interrupt has ended, which then is not reported.  On the
 * engine's thread, in the realm. */
gboolean
malt_gjs_rejection_take_interruption (MaltGjsEngine *engine)
{
  gboolean is_there = FALSE;
  gsize i = 0;

  while (engine->rejections != NULL && i < engine->rejections->promises.length ())
    if (is_interruption (engine, engine->rejections->promises[i]))
      {
        engine->rejections->promises.erase (engine->rejections->promises.begin () + i);
        is_there = TRUE;
      }
    else
      i++;

  return is_there;
}

/* Reports what there is.  On the engine's thread, in the realm. */
void
malt_gjs_rejection_report (MaltGjsEngine *engine)
{
  JS::RootedObject promise (engine->cx);
  JS::RootedValue reason (engine->cx);

  while (malt_gjs_rejection_is_due (engine))
    {
      g_autoptr (GError) error = NULL;
      g_autofree char *traceback = NULL;

      promise = engine->rejections->promises[0];
      engine->rejections->promises.erase (engine->rejections->promises.begin ());
      reason = JS::GetPromiseResult (promise);
      error = malt_gjs_error_new (engine, reason);
      traceback = malt_remote_error_dup_traceback (error);
      g_printerr ("Unhandled promise rejection: %s\n", traceback);
    }
}
