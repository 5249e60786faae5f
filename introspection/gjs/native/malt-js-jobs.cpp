/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-js-binding.h"

#include <js/CallAndConstruct.h>
#include <js/GCVector.h>
#include <js/Promise.h>

/* What waits for a promise goes on in a job, which SpiderMonkey gives to a queue when the promise is
 * settled.  The queue of GJS makes up what its log would say of each job, of its promise and of
 * what has come of that, also where nothing is logged, which takes as long as the rest of a call.
 *
 * So a queue of our own is in place of it from when one of our promises is settled until all that
 * follows from that is done.  It does what that of GJS does, in the same order, and runs no job
 * within another.  GJS has its turn afterwards, in which it warns of promises that nobody looks
 * after.  If its own queue has any jobs, which come first, or is running them, that is used. */

static void retire_later (void);

namespace {

class OwnQueue final : public JS::JobQueue
{
public:
  OwnQueue (JSContext    *cx,
            JS::JobQueue *queue)
    : gjs (queue), jobs (cx)
  {
  }

#if MOZJS_MAJOR_VERSION >= 140
  bool
  getHostDefinedData (JSContext              *cx,
                      JS::MutableHandleObject data) const override
  {
    data.set (JS::CurrentGlobalOrNull (cx));
    return true;
  }
#else
  JSObject *
  getIncumbentGlobal (JSContext *cx) override
  {
    return JS::CurrentGlobalOrNull (cx);
  }
#endif

  bool
  enqueuePromiseJob (JSContext        *cx,
                     JS::HandleObject  promise,
                     JS::HandleObject  job,
                     JS::HandleObject  site,
                     JS::HandleObject  global) override
  {
    JS::JobQueueMayNotBeEmpty (cx);
    return jobs.append (job);
  }

  void runJobs (JSContext *cx) override;
  void hand_over (JSContext *cx);

  bool
  empty () const override
  {
    return jobs.empty ();
  }

#if MOZJS_MAJOR_VERSION >= 128
  bool
  isDrainingStopped () const override
  {
    return !is_draining;
  }
#endif

  JS::JobQueue *const gjs;
  bool                is_in_place = false;
  bool                is_broken_off = false; /* what is left is handed over when the main loop goes on */

protected:
  js::UniquePtr<SavedJobQueue> saveJobQueue (JSContext *cx) override;

private:
  typedef JS::StackGCVector<JSObject *> Jobs;

  /* What debuggers run meanwhile has jobs of its own. */
  class Saved final : public SavedJobQueue
  {
  public:
    Saved (JSContext *cx,
           OwnQueue  *queue)
      : self (queue), jobs (cx, std::move (queue->jobs.get ())), was_draining (queue->is_draining)
    {
      self->jobs.get () = Jobs (cx);
      self->is_draining = false;
    }

    ~Saved () override
    {
      self->jobs.get () = std::move (jobs.get ());
      self->is_draining = was_draining;
    }

  private:
    OwnQueue                   *self;
    JS::PersistentRooted<Jobs>  jobs;
    bool                        was_draining;
  };

  JS::PersistentRootedVector<JSObject *> jobs; /* nullptr is one that has run */
  bool                                   is_draining = false;
};

void
OwnQueue::runJobs (JSContext *cx)
{
  JS::RootedObject job (cx);
  JS::RootedValue ignored (cx);
  size_t i;

  if (is_draining || is_broken_off)
    return;

  is_draining = true;
  for (i = 0; i < jobs.length (); i++)
    {
      job = jobs[i];
      if (!job)
        continue;

      jobs[i].set (nullptr);
      JSAutoRealm realm (cx, job);
      if (JS::Call (cx, JS::UndefinedHandleValue, job, JS::HandleValueArray::empty (), &ignored))
        continue;

      if (JS_IsExceptionPending (cx))
        {
          malt_js_log_exception (cx);
          continue;
        }

      /* It has ended by what cannot be caught.  Most probably the program exits, and then GJS ends it
       * before the main loop goes on. */
      is_broken_off = true;
      retire_later ();
      break;
    }
  if (!is_broken_off)
    jobs.clear ();
  is_draining = false;
}

/* Leaves what has not run to GJS. */
void
OwnQueue::hand_over (JSContext *cx)
{
  JS::RootedObject job (cx);
  size_t i;

  for (i = 0; i < jobs.length (); i++)
    {
      job = jobs[i];
      if (job && !gjs->enqueuePromiseJob (cx, nullptr, job, nullptr, nullptr))
        JS_ClearPendingException (cx);
    }
  jobs.clear ();
}

js::UniquePtr<JS::JobQueue::SavedJobQueue>
OwnQueue::saveJobQueue (JSContext *cx)
{
  auto saved = js::MakeUnique<Saved> (cx, this);

  if (!saved)
    JS_ReportOutOfMemory (cx);
  return saved;
}

} // namespace

/* Owned by the thread that runs JavaScript; goes with its context. */
static OwnQueue *own;

/* The program goes on: only GJS knows why, and whether any job is to run. */
static gboolean
retire_cb (gpointer user_data)
{
  JSContext *cx = malt_js_get_context ();

  if (cx == nullptr || own == nullptr)
    return G_SOURCE_REMOVE;

  g_warning ("What has waited for a promise was ended by what cannot be caught");
  own->hand_over (cx);
  malt_js_close_jobs ();
  malt_js_run_jobs (cx);
  return G_SOURCE_REMOVE;
}

static void
retire_later (void)
{
  GSource *source = g_idle_source_new ();

  g_source_set_static_name (source, "[malt] reactions");
  g_source_set_priority (source, MALT_JS_PRIORITY);
  g_source_set_callback (source, retire_cb, nullptr, nullptr);
  g_source_attach (source, nullptr);
  g_source_unref (source);
}

void
malt_js_open_jobs (JSContext *cx)
{
  /* GJS is the queue itself.  Nobody knows for versions that there are not yet. */
#if MOZJS_MAJOR_VERSION <= 140
  own = new OwnQueue (cx, static_cast<JS::JobQueue *> (JS_GetContextPrivate (cx)));
#endif
}

void
malt_js_close_jobs (void)
{
  g_clear_pointer (&own, [] (OwnQueue *queue) { delete queue; });
}

MaltJsJobs::MaltJsJobs (JSContext *context)
  : cx (context), has_begun (own != nullptr && !own->is_in_place && (own->is_broken_off || own->gjs->empty ()))
{
  if (!has_begun)
    return;

  own->is_in_place = true;
  JS::SetJobQueue (cx, own);
}

MaltJsJobs::~MaltJsJobs ()
{
  if (has_begun)
    {
      own->runJobs (cx);
      JS::SetJobQueue (cx, own->gjs);
      own->is_in_place = false;
    }
  malt_js_run_jobs (cx);
}
