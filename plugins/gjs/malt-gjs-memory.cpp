/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-gjs-memory.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <js/Exception.h>
#include <js/GCAPI.h>
#include <js/Interrupt.h>
#include <js/MemoryCallbacks.h>
#include <js/PropertyAndElement.h>

#include <mozilla/Assertions.h>

#include "malt-gjs-growth.h"
#include "malt-gjs-machine-memory.h"

/* The memory of JavaScript, in a process of our own.
 *
 * SpiderMonkey bounds its own heap, but not the memory that its values have beside it, such as
 * the bytes of typed arrays.  It keeps count of both, and collects garbage when they have
 * grown; what it does not see growing is looked at beside it.  When it has collected, and more
 * is in use than may be, an exception is raised in what runs, as for an interrupt.
 *
 * What is in use then may stay: all that follows can run that does not want much more.  Code
 * that goes on to take memory gets the exception again, and when that was of no use the process
 * ends.  It also ends where SpiderMonkey has no memory for what cannot fail.  It exits with the
 * code that says why. */

/* If nothing else is said, JavaScript may have this part of the memory that there is.  What it
 * has grows by about half from one collection to the next. */
#define DEFAULT_PART 2

/* SpiderMonkey's own heap is never larger than so many times of what may be in use. */
#define HEAP_FACTOR 2

/* When the process has grown by that part of what may be in use, it is time to collect. */
#define GROWTH_PART 2

/* What has been told of, and that much of what may be in use, can stay. */
#define SLACK_PART 16

struct _MaltGjsMemory
{
  JS::PersistentRootedObject info; /* SpiderMonkey's, that says how much is in use */
  MaltGjsGrowth *growth;
  guint64  limit;                  /* bytes that may be */

  guint64  excess;                 /* what code has been told of that is too much and still in use; or 0 */
  gboolean is_due;                 /* there was a collection since the last look */
  gboolean was_refused;            /* code has got no memory since the last time that we collected */
};

static void
finalize_cb (JS::GCContext    *gc,
             JSFinalizeStatus  status,
             void             *data)
{
  MaltGjsEngine *engine = (MaltGjsEngine *) data;

  if (status != JSFINALIZE_COLLECTION_END)
    return;

  engine->memory->is_due = TRUE;
  JS_RequestInterruptCallback (engine->cx);
}

static void
refused_cb (JSContext *cx,
            void      *data)
{
  ((MaltGjsEngine *) data)->memory->was_refused = TRUE;
}

/* In the realm; @limit is 0 for the default. */
void
malt_gjs_memory_begin (MaltGjsEngine *engine,
                       guint64        limit)
{
  JSContext *cx = engine->cx;
  MaltGjsMemory *self = new MaltGjsMemory ();

  self->limit = limit != 0 ? limit : malt_gjs_machine_memory () / DEFAULT_PART;
  self->info.init (cx, js::gc::NewMemoryInfoObject (cx));
  self->growth = malt_gjs_growth_new (engine);
  engine->memory = self;

  JS_SetGCParameter (cx, JSGC_MAX_BYTES, (uint32_t) MIN (self->limit * HEAP_FACTOR, (guint64) G_MAXUINT32));
  JS_AddFinalizeCallback (cx, finalize_cb, engine);
  JS::SetOutOfMemoryCallback (cx, refused_cb, engine);
}

void
malt_gjs_memory_end (MaltGjsEngine *engine)
{
  if (engine->memory == NULL)
    return;

  malt_gjs_growth_free (engine->memory->growth);
  JS_RemoveFinalizeCallback (engine->cx, finalize_cb);
  JS::SetOutOfMemoryCallback (engine->cx, nullptr, nullptr);
  delete engine->memory;
  engine->memory = NULL;
}

static guint64
get_bytes (JSContext        *cx,
           JS::HandleObject  info,
           const char       *name)
{
  JS::RootedValue value (cx);

  if (!JS_GetProperty (cx, info, name, &value))
    JS_ClearPendingException (cx);
  return value.isNumber () ? (guint64) value.toNumber () : 0;
}

static guint64
measure (MaltGjsEngine *engine)
{
  JSContext *cx = engine->cx;
  JS::RootedObject info (cx, engine->memory->info);

  if (!info)
    return 0;

  JSAutoRealm realm (cx, info);

  return get_bytes (cx, info, "gcBytes") + get_bytes (cx, info, "mallocBytes");
}

static void
collect (MaltGjsEngine *engine)
{
  JS_GC (engine->cx);
  malt_gjs_growth_settle (engine->memory->growth);
  engine->memory->is_due = FALSE;
}

/* Ends the process.  Also in a signal handler. */
static void
end_process (const char *reason)
{
  static const char prefix[] = "out of memory: ";
  gssize written G_GNUC_UNUSED;

  written = write (STDERR_FILENO, prefix, sizeof prefix - 1);
  written = write (STDERR_FILENO, reason, strlen (reason));
  written = write (STDERR_FILENO, "\n", 1);
  _exit (MALT_EXIT_CODE_OUT_OF_MEMORY);
}

/* Whether code may have what is in use. */
static gboolean
may_have (MaltGjsMemory *self,
          guint64        used)
{
  if (used <= self->limit)
    self->excess = 0;
  if (self->excess == 0)
    return used <= self->limit;
  if (used > self->excess + self->limit / SLACK_PART)
    return FALSE;

  self->excess = MIN (self->excess, used);
  return TRUE;
}

/* What code is to be told that has taken more than it may; else %NULL. */
char *
malt_gjs_memory_check (MaltGjsEngine *engine)
{
  MaltGjsMemory *self = engine->memory;
  gboolean has_grown;
  guint64 used;

  if (self == NULL)
    return NULL;
  has_grown = malt_gjs_growth_look (self->growth, self->limit / GROWTH_PART);
  if (!has_grown && !self->is_due)
    return NULL;

  self->is_due = FALSE;
  if (!has_grown && may_have (self, measure (engine)))
    return NULL;

  /* There may be garbage among it. */
  collect (engine);
  used = measure (engine);
  if (may_have (self, used))
    return NULL;

  if (self->excess == 0)
    self->excess = used;
  else if (used / 2 >= self->excess)
    end_process ("the code went on to take memory when it had got none");

  self->was_refused = TRUE;
  return g_strdup_printf ("out of memory: JavaScript uses %.1f MB, and may use %.1f MB",
                          (double) used / 1e6, (double) self->limit / 1e6);
}

/* Nothing runs now: what code has left that got no memory is freed.  SpiderMonkey does not do
 * so by itself before a minute has passed since the last time. */
void
malt_gjs_memory_settle (MaltGjsEngine *engine)
{
  MaltGjsMemory *self = engine->memory;

  if (self == NULL || !self->was_refused)
    return;

  self->was_refused = FALSE;
  collect (engine);
  may_have (self, measure (engine));
}

/* Those that have no memory for what cannot fail end the process.  SpiderMonkey leaves a reason,
 * and reads from nowhere; GLib writes a message to its log. */

#define SPIDERMONKEY_REASON "[unhandlable oom]"
#define GLIB_REASON         "failed to allocate"

static struct sigaction next_action;

static void
crashed_cb (int signum)
{
  const char *reason = gMozCrashReason;

  if (reason != NULL && strncmp (reason, SPIDERMONKEY_REASON, strlen (SPIDERMONKEY_REASON)) == 0)
    end_process (reason);

  /* It happens again, and is for whoever was to know of it before. */
  sigaction (signum, &next_action, NULL);
}

static void
glib_error_cb (const char     *domain,
               GLogLevelFlags  level,
               const char     *message,
               gpointer        user_data)
{
  if (message != NULL && strstr (message, GLIB_REASON) != NULL)
    end_process (message);

  g_log_default_handler (domain, level, message, user_data);
}

/* Has these ends say why.  In a process of our own, before SpiderMonkey has a handler for the
 * signal, which calls this one. */
void
malt_gjs_memory_catch_crashes (void)
{
  struct sigaction action = {};

  action.sa_handler = crashed_cb;
  action.sa_flags = SA_ONSTACK;
  sigemptyset (&action.sa_mask);
  sigaction (SIGSEGV, &action, &next_action);

  g_log_set_handler ("GLib", (GLogLevelFlags) (G_LOG_LEVEL_ERROR | G_LOG_FLAG_FATAL | G_LOG_FLAG_RECURSION),
                     glib_error_cb, NULL);
}
