/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-js-binding.h"

#include <js/HeapAPI.h>
#include <js/Stack.h>

/* Backends that are written in JavaScript.  The library calls the functions of their class,
 * which GJS has put there, and which are not JavaScript's to run at any time: not when it has
 * ended, not on another thread, and not in the collector, which drops workers and has them asked
 * to stop by that.  And what they leave to be done after an `await` is done by the main loop of
 * the program only, which a thread that blocks does not run.
 *
 * So others take the place of these functions, and call them where that can be. */

/* Those of a class in whose place others are.  With its type, for ever. */
static GQuark
functions_quark (void)
{
  return g_quark_from_static_string ("malt-js-functions");
}

static const MaltWorkerClass *
get_functions (GType type)
{
  gpointer functions = nullptr;

  for (; functions == nullptr && type != G_TYPE_INVALID; type = g_type_parent (type))
    functions = g_type_get_qdata (type, functions_quark ());

  return static_cast<const MaltWorkerClass *> (functions);
}

static bool
can_run (void)
{
  return malt_js_get_context () != nullptr && malt_js_is_thread () && !JS::RuntimeHeapIsCollecting ();
}

/* Runs what waits for promises.  Not within a function of JavaScript that does not wait, unless
 * @is_within says so. */
static void
run_jobs (bool is_within)
{
  JSContext *cx = malt_js_get_context ();

  if (cx == nullptr)
    return;

  JSAutoRealm realm (cx, malt_js_get_hooks ());
  JS::RootedObject caller (cx);

  if (!is_within && !JS::CaptureCurrentStack (cx, &caller, JS::StackCapture (JS::MaxFrames (1))))
    JS_ClearPendingException (cx);
  else if (!caller)
    js::RunJobs (cx);
}

template <typename... Arguments>
static bool
call (void (* MaltWorkerClass::*function) (MaltWorker *, Arguments...),
      MaltWorker                            *worker,
      Arguments                              ...arguments)
{
  if (!can_run ())
    return false;

  malt_js_finish_sweeping ();
  (get_functions (G_OBJECT_TYPE (worker))->*function) (worker, arguments...);
  run_jobs (false);
  return true;
}

static void
refuse (MaltRequest *request)
{
  malt_request_return_new_error (request, MALT_ERROR, MALT_ERROR_NOT_SUPPORTED,
                                 "the backend's JavaScript cannot be run here");
}

static void
guarded_start (MaltWorker  *worker,
               MaltRequest *request)
{
  if (!call (&MaltWorkerClass::start, worker, request))
    refuse (request);
}

static void
guarded_submit (MaltWorker  *worker,
                MaltRequest *request)
{
  if (!call (&MaltWorkerClass::submit, worker, request))
    refuse (request);
}

static void
guarded_cancel (MaltWorker  *worker,
                MaltRequest *request)
{
  call (&MaltWorkerClass::cancel, worker, request);
}

static void
guarded_interrupt (MaltWorker  *worker,
                   MaltRequest *request)
{
  call (&MaltWorkerClass::interrupt, worker, request);
}

static void
guarded_stop (MaltWorker *worker)
{
  call (&MaltWorkerClass::stop, worker);
}

static void
guarded_kill (MaltWorker *worker,
              int         signum)
{
  call (&MaltWorkerClass::kill, worker, signum);
}

static void
turned (void)
{
  if (!can_run ())
    return;

  malt_js_finish_sweeping ();
  run_jobs (true);
}

/* Puts a function in the place of another one, which is kept; that of a parent may be there
 * already. */
template <typename Function>
static void
replace (MaltWorkerClass             *klass,
         MaltWorkerClass             *kept,
         const MaltWorkerClass       *parents,
         Function MaltWorkerClass::*  member,
         Function                     function)
{
  if (klass->*member == function)
    kept->*member = parents->*member;
  klass->*member = function;
}

/**
 * malt_js_guard_class:
 * @type: a subclass of #MaltWorker that GJS has made
 *
 * Sees to it that the functions of a backend are called only where JavaScript can run, and that
 * what they leave for later is done also while a thread blocks.
 */
void
malt_js_guard_class (GType type)
{
  const MaltWorkerClass *parents = get_functions (type);
  MaltWorkerClass *klass, *kept;

  if (g_type_get_qdata (type, functions_quark ()) != nullptr)
    return;

  klass = static_cast<MaltWorkerClass *> (g_type_class_ref (type)); /* it stays */
  kept = g_new (MaltWorkerClass, 1);
  *kept = *klass;
  replace (klass, kept, parents, &MaltWorkerClass::start, guarded_start);
  replace (klass, kept, parents, &MaltWorkerClass::submit, guarded_submit);
  replace (klass, kept, parents, &MaltWorkerClass::cancel, guarded_cancel);
  replace (klass, kept, parents, &MaltWorkerClass::interrupt, guarded_interrupt);
  replace (klass, kept, parents, &MaltWorkerClass::stop, guarded_stop);
  replace (klass, kept, parents, &MaltWorkerClass::kill, guarded_kill);
  klass->turned = turned;
  klass->thread = g_thread_self ();
  g_type_set_qdata (type, functions_quark (), kept);
}
