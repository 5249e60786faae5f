/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* ThreadSanitizer sees only what it has instrumented or intercepts.  GLib of a
 * distribution is neither: its locks are futexes and its reference counts are atomic
 * operations in machine code, so that correct programs look full of races.  This
 * library, linked before GLib in the thread sanitizer's build and there only, stands
 * in for the functions that order one thread after another, and tells the sanitizer
 * what they promise: what happened before a release happened before the acquire that
 * follows it.  It takes no lock of its own and makes nothing ordered that GLib does
 * not document to be ordered.
 *
 * It is linked into each program of that build, into those that do without GLib as well. */

#include <dlfcn.h>
#include <gio/gio.h>
#include <stdlib.h>
#include <string.h>

/* Weak: a program that is not instrumented has none. */
extern void __tsan_acquire (void *address) __attribute__ ((weak));
extern void __tsan_release (void *address) __attribute__ ((weak));

static inline void
acquire (const volatile void *address)
{
  if (__tsan_acquire != NULL && address != NULL)
    __tsan_acquire ((void *) address);
}

static inline void
release (const volatile void *address)
{
  if (__tsan_release != NULL && address != NULL)
    __tsan_release ((void *) address);
}

/* What GLib does with its own memory under its own locks is not looked at: the sanitizer
 * sees the C library's functions that it calls there, and not the locks. */
extern void AnnotateIgnoreReadsBegin (const char *file, int line) __attribute__ ((weak));
extern void AnnotateIgnoreReadsEnd (const char *file, int line) __attribute__ ((weak));
extern void AnnotateIgnoreWritesBegin (const char *file, int line) __attribute__ ((weak));
extern void AnnotateIgnoreWritesEnd (const char *file, int line) __attribute__ ((weak));

static __thread int inside; /* of GLib, by this many of the functions below */

static void
enter_glib (void)
{
  inside++;
  if (AnnotateIgnoreReadsBegin != NULL)
    {
      AnnotateIgnoreReadsBegin (__FILE__, __LINE__);
      AnnotateIgnoreWritesBegin (__FILE__, __LINE__);
    }
}

static void
leave_glib (void)
{
  inside--;
  if (AnnotateIgnoreReadsEnd != NULL)
    {
      AnnotateIgnoreReadsEnd (__FILE__, __LINE__);
      AnnotateIgnoreWritesEnd (__FILE__, __LINE__);
    }
}

/* Around a function of ours that GLib calls. */
static int
leave_glib_wholly (void)
{
  int depth = inside;

  while (inside > 0)
    leave_glib ();
  return depth;
}

static void
return_to_glib (int depth)
{
  while (inside < depth)
    enter_glib ();
}

/* The function that this one stands in for.  Looked up once; a race of two lookups
 * stores the same address twice. */
#define REAL(name) \
  ({ \
    static __typeof__ (&name) real_; \
    __typeof__ (&name) found_ = __atomic_load_n (&real_, __ATOMIC_RELAXED); \
    if (found_ == NULL) \
      { \
        found_ = (__typeof__ (&name)) dlsym (RTLD_NEXT, #name); \
        if (found_ == NULL) \
          abort (); \
        __atomic_store_n (&real_, found_, __ATOMIC_RELAXED); \
      } \
    found_; \
  })

/* Inside of GLib's headers some of these are macros as well. */
#undef g_once_init_enter
#undef g_once_init_leave
#undef g_object_ref
#undef g_atomic_ref_count_inc
#undef g_atomic_ref_count_dec

/* Memory: GLib's own allocator hands pieces from thread to thread in ways that cannot be
 * seen; the C library's, which the sanitizer knows, is used instead.  A worker has an
 * environment of its own, so that it is not enough to set the variable. */
char *
getenv (const char *name)
{
  if (strcmp (name, "G_SLICE") == 0)
    return (char *) "always-malloc";

  return REAL (getenv) (name);
}

/* Locks */

void
g_mutex_lock (GMutex *mutex)
{
  REAL (g_mutex_lock) (mutex);
  acquire (mutex);
}

gboolean
g_mutex_trylock (GMutex *mutex)
{
  gboolean locked = REAL (g_mutex_trylock) (mutex);

  if (locked)
    acquire (mutex);
  return locked;
}

void
g_mutex_unlock (GMutex *mutex)
{
  release (mutex);
  REAL (g_mutex_unlock) (mutex);
}

/* GLib makes what is behind these with their first use, and lets threads compete for it. */

void
g_rec_mutex_lock (GRecMutex *mutex)
{
  enter_glib ();
  REAL (g_rec_mutex_lock) (mutex);
  leave_glib ();
  acquire (mutex);
}

gboolean
g_rec_mutex_trylock (GRecMutex *mutex)
{
  gboolean locked;

  enter_glib ();
  locked = REAL (g_rec_mutex_trylock) (mutex);
  leave_glib ();

  if (locked)
    acquire (mutex);
  return locked;
}

void
g_rec_mutex_unlock (GRecMutex *mutex)
{
  release (mutex);
  REAL (g_rec_mutex_unlock) (mutex);
}

/* A reader's lock also releases: what it read was read before the next writer writes.
 * Readers are not ordered after one another by that: they acquire what writers have
 * released, and writers both. */
void
g_rw_lock_writer_lock (GRWLock *lock)
{
  enter_glib ();
  REAL (g_rw_lock_writer_lock) (lock);
  leave_glib ();
  acquire (lock);
  acquire ((char *) lock + 1);
}

gboolean
g_rw_lock_writer_trylock (GRWLock *lock)
{
  gboolean locked;

  enter_glib ();
  locked = REAL (g_rw_lock_writer_trylock) (lock);
  leave_glib ();

  if (locked)
    {
      acquire (lock);
      acquire ((char *) lock + 1);
    }
  return locked;
}

void
g_rw_lock_writer_unlock (GRWLock *lock)
{
  release (lock);
  REAL (g_rw_lock_writer_unlock) (lock);
}

void
g_rw_lock_reader_lock (GRWLock *lock)
{
  enter_glib ();
  REAL (g_rw_lock_reader_lock) (lock);
  leave_glib ();
  acquire (lock);
}

gboolean
g_rw_lock_reader_trylock (GRWLock *lock)
{
  gboolean locked;

  enter_glib ();
  locked = REAL (g_rw_lock_reader_trylock) (lock);
  leave_glib ();

  if (locked)
    acquire (lock);
  return locked;
}

void
g_rw_lock_reader_unlock (GRWLock *lock)
{
  release ((char *) lock + 1);
  REAL (g_rw_lock_reader_unlock) (lock);
}

void
g_cond_wait (GCond  *cond,
             GMutex *mutex)
{
  release (mutex);
  REAL (g_cond_wait) (cond, mutex);
  acquire (mutex);
}

gboolean
g_cond_wait_until (GCond  *cond,
                   GMutex *mutex,
                   gint64  end_time)
{
  gboolean signalled;

  release (mutex);
  signalled = REAL (g_cond_wait_until) (cond, mutex, end_time);
  acquire (mutex);
  return signalled;
}

gboolean
g_once_init_enter (volatile void *location)
{
  gboolean first = REAL (g_once_init_enter) (location);

  if (!first)
    acquire (location);
  return first;
}

void
g_once_init_leave (volatile void *location,
                   gsize          result)
{
  release (location);
  REAL (g_once_init_leave) (location, result);
}

/* Strings that are there once for the whole program, under a lock that is GLib's own. */

static char interned;

const gchar *
g_intern_string (const gchar *string)
{
  const gchar *result;

  acquire (&interned);
  result = REAL (g_intern_string) (string);
  release (&interned);
  return result;
}

GQuark
g_quark_from_string (const gchar *string)
{
  GQuark quark;

  acquire (&interned);
  quark = REAL (g_quark_from_string) (string);
  release (&interned);
  return quark;
}

/* The lock of GLib's table of error domains is made with the first error, by whichever thread
 * has it, and GLib takes it without coming through here.  It is made before there are threads. */
__attribute__ ((constructor)) static void
make_lock_of_errors (void)
{
  g_error_free (g_error_new_literal (g_quark_from_static_string ("tsan-shim"), 0, ""));
}

/* References: all that was done with one happened before the last of them goes. */

#define DEFINE_COUNTED(prefix, type) \
  void \
  prefix##_unref (type *self) \
  { \
    release (self); \
    acquire (self); \
    REAL (prefix##_unref) (self); \
  }

DEFINE_COUNTED (g_variant, GVariant)
DEFINE_COUNTED (g_bytes, GBytes)
DEFINE_COUNTED (g_main_context, GMainContext)
DEFINE_COUNTED (g_main_loop, GMainLoop)
DEFINE_COUNTED (g_async_queue, GAsyncQueue)
DEFINE_COUNTED (g_array, GArray)
DEFINE_COUNTED (g_closure, GClosure)

/* The others' references end here, so that whoever finds that his is the last one acquires what
 * all of them have released: between an acquire and GLib's own decrement there would be room for
 * one more.  With a toggle reference, which the lowest bit of the data tells, the last but one is
 * GLib's too. */
void
g_object_unref (gpointer object)
{
  GObject *self = object;
  guint count;

  release (object);
  while (self != NULL)
    {
      count = __atomic_load_n (&self->ref_count, __ATOMIC_SEQ_CST);
      if (count < 2 || (count == 2 && ((gsize) self->qdata & 1) != 0))
        break;
      if (__atomic_compare_exchange_n (&self->ref_count, &count, count - 1, FALSE,
                                       __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        return;
    }
  acquire (object);
  REAL (g_object_unref) (object);
}

void
g_source_unref (GSource *source)
{
  release (source);
  acquire (source);
  enter_glib ();
  REAL (g_source_unref) (source);
  leave_glib ();
}

gboolean
(g_atomic_ref_count_dec) (gatomicrefcount *count)
{
  gboolean last;

  release (count);
  last = REAL (g_atomic_ref_count_dec) (count);
  if (last)
    acquire (count);
  return last;
}

void
g_ptr_array_unref (GPtrArray *array)
{
  release (array);
  acquire (array);
  REAL (g_ptr_array_unref) (array);
}

/* What a weak reference gives is alive, and was built before. */
gpointer
g_weak_ref_get (GWeakRef *weak_ref)
{
  gpointer object = REAL (g_weak_ref_get) (weak_ref);

  acquire (object);
  return object;
}

void
g_weak_ref_set (GWeakRef *weak_ref,
                gpointer  object)
{
  release (object);
  REAL (g_weak_ref_set) (weak_ref, object);
}

/* Queues and pools */

void
g_async_queue_push (GAsyncQueue *queue,
                    gpointer     data)
{
  release (queue);
  enter_glib ();
  REAL (g_async_queue_push) (queue, data);
  leave_glib ();
}

gpointer
g_async_queue_pop (GAsyncQueue *queue)
{
  gpointer data = REAL (g_async_queue_pop) (queue);

  acquire (queue);
  return data;
}

gpointer
g_async_queue_try_pop (GAsyncQueue *queue)
{
  gpointer data = REAL (g_async_queue_try_pop) (queue);

  acquire (queue);
  return data;
}

gpointer
g_async_queue_timeout_pop (GAsyncQueue *queue,
                           guint64      timeout)
{
  gpointer data = REAL (g_async_queue_timeout_pop) (queue, timeout);

  acquire (queue);
  return data;
}

typedef struct
{
  GFunc    func;
  gpointer user_data;
} PoolFunc;

static void
pool_func (gpointer data,
           gpointer user_data)
{
  PoolFunc *wrapped = user_data;

  acquire (data);
  wrapped->func (data, wrapped->user_data);
}

/* A pool's wrapper lives as long as the program, as the pools of GIO do. */
GThreadPool *
g_thread_pool_new (GFunc      func,
                   gpointer   user_data,
                   gint       max_threads,
                   gboolean   exclusive,
                   GError   **error)
{
  PoolFunc *wrapped = malloc (sizeof *wrapped);

  wrapped->func = func;
  wrapped->user_data = user_data;
  return REAL (g_thread_pool_new) (pool_func, wrapped, max_threads, exclusive, error);
}

gboolean
g_thread_pool_push (GThreadPool  *pool,
                    gpointer      data,
                    GError      **error)
{
  gboolean pushed;

  release (data);
  enter_glib ();
  pushed = REAL (g_thread_pool_push) (pool, data, error);
  leave_glib ();
  return pushed;
}

/* Sources: what was done before one was attached, or made ready, happened before it is
 * dispatched; and one that is destroyed will not be dispatched again, which its own
 * dispatches happened before. */

typedef struct
{
  GSourceFuncs        funcs; /* first: the source points here */
  const GSourceFuncs *real;
} WrappedFuncs;

static gboolean
source_prepare (GSource *source,
                gint    *timeout)
{
  const WrappedFuncs *wrapped = (const WrappedFuncs *) source->source_funcs;

  int depth = leave_glib_wholly ();
  gboolean ready;

  acquire (source);
  ready = wrapped->real->prepare (source, timeout);
  release (source); /* the context has a reference meanwhile, which GLib gives back */
  return_to_glib (depth);
  return ready;
}

static gboolean
source_check (GSource *source)
{
  const WrappedFuncs *wrapped = (const WrappedFuncs *) source->source_funcs;

  int depth = leave_glib_wholly ();
  gboolean ready;

  acquire (source);
  ready = wrapped->real->check (source);
  release (source);
  return_to_glib (depth);
  return ready;
}

static gboolean
source_dispatch (GSource     *source,
                 GSourceFunc  callback,
                 gpointer     user_data)
{
  const WrappedFuncs *wrapped = (const WrappedFuncs *) source->source_funcs;
  GMainContext *context = source->context; /* the source may leave it meanwhile */
  int depth = leave_glib_wholly ();
  gboolean goes_on;

  acquire (source);
  acquire (context);
  goes_on = wrapped->real->dispatch (source, callback, user_data);
  release (source);
  release (context);
  return_to_glib (depth);
  return goes_on;
}

static void
source_finalize (GSource *source)
{
  const WrappedFuncs *wrapped = (const WrappedFuncs *) source->source_funcs;

  int depth = leave_glib_wholly ();

  acquire (source);
  wrapped->real->finalize (source);
  return_to_glib (depth);
}

/* The wrappers of each kind of source; few, and never freed. */
#define MAX_KINDS 256

static WrappedFuncs *kinds[MAX_KINDS];
static int           kinds_lock;

static WrappedFuncs *
wrap (const GSourceFuncs *real)
{
  WrappedFuncs *wrapped = NULL;
  int i;

  while (__atomic_exchange_n (&kinds_lock, 1, __ATOMIC_RELAXED) != 0)
    ;
  for (i = 0; i < MAX_KINDS && kinds[i] != NULL && wrapped == NULL; i++)
    if (kinds[i]->real == real)
      wrapped = kinds[i];

  if (wrapped == NULL)
    {
      if (i == MAX_KINDS)
        abort ();
      wrapped = malloc (sizeof *wrapped);
      wrapped->funcs = *real;
      wrapped->real = real;
      if (real->prepare != NULL)
        wrapped->funcs.prepare = source_prepare;
      if (real->check != NULL)
        wrapped->funcs.check = source_check;
      if (real->dispatch != NULL)
        wrapped->funcs.dispatch = source_dispatch;
      if (real->finalize != NULL)
        wrapped->funcs.finalize = source_finalize;
      kinds[i] = wrapped;
    }
  __atomic_store_n (&kinds_lock, 0, __ATOMIC_RELEASE);

  return wrapped;
}

static gboolean
is_wrapped (const GSourceFuncs *funcs)
{
  return funcs->dispatch == source_dispatch;
}

guint
g_source_attach (GSource      *source,
                 GMainContext *context)
{
  guint id;

  if (!is_wrapped (source->source_funcs))
    source->source_funcs = &wrap (source->source_funcs)->funcs;

  release (source);
  enter_glib ();
  id = REAL (g_source_attach) (source, context);
  leave_glib ();
  return id;
}

void
g_source_set_ready_time (GSource *source,
                         gint64   ready_time)
{
  release (source);
  REAL (g_source_set_ready_time) (source, ready_time);
}

void
g_source_destroy (GSource *source)
{
  release (source);
  enter_glib ();
  REAL (g_source_destroy) (source);
  leave_glib ();
  acquire (source);
}

/* Those of GLib's own functions that attach a source go through the above. */

static guint
attach_new (GSource        *source,
            gint            priority,
            GSourceFunc     function,
            gpointer        data,
            GDestroyNotify  notify,
            GMainContext   *context)
{
  guint id;

  g_source_set_priority (source, priority);
  g_source_set_callback (source, function, data, notify);
  id = g_source_attach (source, context);
  g_source_unref (source);
  return id;
}

guint
g_idle_add_full (gint           priority,
                 GSourceFunc    function,
                 gpointer       data,
                 GDestroyNotify notify)
{
  return attach_new (g_idle_source_new (), priority, function, data, notify, NULL);
}

guint
g_idle_add (GSourceFunc function,
            gpointer    data)
{
  return g_idle_add_full (G_PRIORITY_DEFAULT_IDLE, function, data, NULL);
}

guint
g_timeout_add_full (gint           priority,
                    guint          interval,
                    GSourceFunc    function,
                    gpointer       data,
                    GDestroyNotify notify)
{
  return attach_new (g_timeout_source_new (interval), priority, function, data, notify, NULL);
}

guint
g_timeout_add (guint       interval,
               GSourceFunc function,
               gpointer    data)
{
  return g_timeout_add_full (G_PRIORITY_DEFAULT, interval, function, data, NULL);
}

/* As documented: at once where this thread owns the context or can, else by a source. */
void
g_main_context_invoke_full (GMainContext   *context,
                            gint            priority,
                            GSourceFunc     function,
                            gpointer        data,
                            GDestroyNotify  notify)
{
  GMainContext *thread_default = g_main_context_get_thread_default ();

  if (context == NULL)
    context = g_main_context_default ();
  if (thread_default == NULL)
    thread_default = g_main_context_default ();

  if (g_main_context_is_owner (context))
    {
      while (function (data))
        ;
      if (notify != NULL)
        notify (data);
    }
  else if (context == thread_default && g_main_context_acquire (context))
    {
      while (function (data))
        ;
      g_main_context_release (context);
      if (notify != NULL)
        notify (data);
    }
  else
    attach_new (g_idle_source_new (), priority, function, data, notify, context);
}

void
g_main_context_invoke (GMainContext *context,
                       GSourceFunc   function,
                       gpointer      data)
{
  g_main_context_invoke_full (context, G_PRIORITY_DEFAULT, function, data, NULL);
}

/* Whoever owns a context is alone with its sources. */
gboolean
g_main_context_acquire (GMainContext *context)
{
  gboolean acquired = REAL (g_main_context_acquire) (context);

  if (acquired)
    acquire (context);
  return acquired;
}

void
g_main_context_release (GMainContext *context)
{
  release (context);
  REAL (g_main_context_release) (context);
}

gboolean
g_main_context_iteration (GMainContext *context,
                          gboolean      may_block)
{
  gboolean dispatched;

  acquire (context);
  enter_glib ();
  dispatched = REAL (g_main_context_iteration) (context, may_block);
  leave_glib ();
  acquire (context);
  release (context);
  return dispatched;
}

void
g_main_loop_run (GMainLoop *loop)
{
  enter_glib ();
  REAL (g_main_loop_run) (loop);
  leave_glib ();
  acquire (loop);
}

void
g_main_loop_quit (GMainLoop *loop)
{
  release (loop);
  REAL (g_main_loop_quit) (loop);
}

void
g_main_context_wakeup (GMainContext *context)
{
  release (context);
  REAL (g_main_context_wakeup) (context);
}

/* GIO */

void
g_cancellable_cancel (GCancellable *cancellable)
{
  release (cancellable);
  REAL (g_cancellable_cancel) (cancellable);
}

gboolean
g_cancellable_is_cancelled (GCancellable *cancellable)
{
  gboolean cancelled = REAL (g_cancellable_is_cancelled) (cancellable);

  if (cancelled)
    acquire (cancellable);
  return cancelled;
}

gboolean
g_cancellable_set_error_if_cancelled (GCancellable  *cancellable,
                                      GError       **error)
{
  gboolean cancelled = REAL (g_cancellable_set_error_if_cancelled) (cancellable, error);

  if (cancelled)
    acquire (cancellable);
  return cancelled;
}

void
g_task_return_pointer (GTask          *task,
                       gpointer        result,
                       GDestroyNotify  destroy)
{
  release (task);
  REAL (g_task_return_pointer) (task, result, destroy);
}

void
g_task_return_int (GTask  *task,
                   gssize  result)
{
  release (task);
  REAL (g_task_return_int) (task, result);
}

void
g_task_return_boolean (GTask    *task,
                       gboolean  result)
{
  release (task);
  REAL (g_task_return_boolean) (task, result);
}

void
g_task_return_error (GTask  *task,
                     GError *error)
{
  release (task);
  REAL (g_task_return_error) (task, error);
}

gpointer
g_task_propagate_pointer (GTask   *task,
                          GError **error)
{
  acquire (task);
  return REAL (g_task_propagate_pointer) (task, error);
}

gssize
g_task_propagate_int (GTask   *task,
                      GError **error)
{
  acquire (task);
  return REAL (g_task_propagate_int) (task, error);
}

gboolean
g_task_propagate_boolean (GTask   *task,
                          GError **error)
{
  acquire (task);
  return REAL (g_task_propagate_boolean) (task, error);
}
