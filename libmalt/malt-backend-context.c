/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-backend-context.h"

/* Backends that may not be called on any thread live in the main context in which their worker
 * was made, its home.  But a thread that blocks in a call there has to run what the backend has
 * attached, and nothing else of its home.  So all backends of a home have one context of their
 * own, which is the thread-default one whenever they are called.  It is run by whoever runs the
 * home, of which it is a source, and by a thread that blocks: what a backend begins in one is
 * heard of in the other.  It is a source too of other contexts in which the thread of the home
 * awaits something, as it may run them instead.
 *
 * One thread at a time has it.  The others wait meanwhile without knowing what for, and are woken
 * when they can have it. */

struct _MaltBackendContext
{
  gatomicrefcount  ref_count; /* the sources', and those of workers, which keep the home */
  GMainContext    *context;
  gint             is_missed; /* atomic: a thread could not look into it while another one did */
  GSList          *sources;   /* of ContextSource, not owned; guarded by contexts_lock */
};

/* The context as a source of another one. */
typedef struct
{
  GSource             source;
  MaltBackendContext *owner;
  GMainContext       *context; /* the other one: it owns the source, and not the other way round */
  GThread            *thread;  /* the only one on which it is run; NULL for any, as in the home */

  /* Owned by the thread that runs the other context. */
  GPollFD *fds;      /* what the context waits for */
  gpointer *tags;    /* of the source, one for each */
  int      n_fds;
  GPollFD *new_fds;  /* the same, as it is found out */
  int      n_room;   /* in the latter */
  gint64   due;      /* when the context wants to be run in any case, or -1 */
} ContextSource;

static GMutex contexts_lock;
/* Guarded by contexts_lock: home → ContextSource, and its own context → ContextSource: the
 * backends in it are of the same home.  None is owned. */
static GHashTable *context_sources;

/* Whether they are what the source waits for already. */
static gboolean
is_same (ContextSource *self,
         int            n_fds)
{
  int i;

  if (n_fds != self->n_fds)
    return FALSE;
  for (i = 0; i < n_fds; i++)
    if (self->fds[i].fd != self->new_fds[i].fd || self->fds[i].events != self->new_fds[i].events)
      return FALSE;

  return TRUE;
}

static void
set_fds (ContextSource *self,
         int            n_fds)
{
  int i;

  if (is_same (self, n_fds))
    return;

  for (i = 0; i < self->n_fds; i++)
    g_source_remove_unix_fd (&self->source, self->tags[i]);

  g_free (self->fds);
  self->fds = g_memdup2 (self->new_fds, sizeof (GPollFD) * (gsize) n_fds);
  self->tags = g_renew (gpointer, self->tags, n_fds);
  self->n_fds = n_fds;
  for (i = 0; i < n_fds; i++)
    self->tags[i] = g_source_add_unix_fd (&self->source, self->fds[i].fd, (GIOCondition) self->fds[i].events);
}

/* Nobody runs it now: who runs one of the other contexts looks into it anew, unless it is this
 * thread, which does so anyway. */
static void
wake_others (MaltBackendContext *self)
{
  GSList *link;

  g_mutex_lock (&contexts_lock);
  for (link = self->sources; link != NULL; link = link->next)
    {
      ContextSource *source = link->data;

      if (source->thread != NULL ? source->thread != g_thread_self () : !g_main_context_is_owner (source->context))
        g_source_set_ready_time (&source->source, 0);
    }
  g_mutex_unlock (&contexts_lock);
}

/* FALSE if another thread has it, which wakes this one. */
static gboolean
acquire (MaltBackendContext *self)
{
  if (g_main_context_acquire (self->context))
    return TRUE;

  /* It may have been given up before it was known that somebody wants it. */
  g_atomic_int_set (&self->is_missed, TRUE);
  return g_main_context_acquire (self->context);
}

static void
release (MaltBackendContext *self)
{
  g_main_context_release (self->context);
  if (g_atomic_int_compare_and_exchange (&self->is_missed, TRUE, FALSE))
    wake_others (self);
}

static gboolean
context_source_prepare (GSource *source,
                        int     *timeout)
{
  ContextSource *self = (ContextSource *) source;
  GMainContext *context = self->owner->context;
  gboolean is_ready;
  int priority, n_fds;

  *timeout = -1;
  self->due = -1;

  if ((self->thread != NULL && self->thread != g_thread_self ()) || !acquire (self->owner))
    {
      set_fds (self, 0);
      return FALSE;
    }

  is_ready = g_main_context_prepare (context, &priority);
  while ((n_fds = g_main_context_query (context, priority, timeout, self->new_fds, self->n_room)) > self->n_room)
    {
      self->n_room = n_fds;
      self->new_fds = g_renew (GPollFD, self->new_fds, n_fds);
    }
  release (self->owner);

  set_fds (self, n_fds);
  if (*timeout >= 0)
    self->due = g_source_get_time (source) + *timeout * (gint64) 1000;

  return is_ready;
}

static gboolean
context_source_check (GSource *source)
{
  ContextSource *self = (ContextSource *) source;
  int i;

  for (i = 0; i < self->n_fds; i++)
    if (g_source_query_unix_fd (source, self->tags[i]) != 0)
      return TRUE;

  return self->due >= 0 && self->due <= g_source_get_time (source);
}

static gboolean
context_source_dispatch (GSource     *source,
                         GSourceFunc  callback,
                         gpointer     user_data)
{
  ContextSource *self = (ContextSource *) source;
  MaltBackendContext *owner = self->owner;

  g_source_set_ready_time (source, -1);
  if ((self->thread == NULL || self->thread == g_thread_self ()) && malt_backend_context_enter (owner))
    {
      g_main_context_iteration (owner->context, FALSE);
      malt_backend_context_leave (owner);
    }

  return G_SOURCE_CONTINUE;
}

static gboolean
belongs_to (gpointer key,
            gpointer value,
            gpointer source)
{
  return value == source;
}

static void
context_source_finalize (GSource *source)
{
  ContextSource *self = (ContextSource *) source;

  g_mutex_lock (&contexts_lock);
  g_hash_table_foreach_remove (context_sources, belongs_to, source);
  self->owner->sources = g_slist_remove (self->owner->sources, self);
  g_mutex_unlock (&contexts_lock);

  malt_backend_context_unref (self->owner);
  g_clear_pointer (&self->thread, g_thread_unref);
  g_free (self->fds);
  g_free (self->tags);
  g_free (self->new_fds);
}

static GSourceFuncs context_source_funcs = {
  .prepare = context_source_prepare,
  .check = context_source_check,
  .dispatch = context_source_dispatch,
  .finalize = context_source_finalize,
};

/* Makes it a source of another context. */
static ContextSource *
attach_locked (MaltBackendContext *self,
               GMainContext       *context,
               GThread            *thread)
{
  ContextSource *source = (ContextSource *) g_source_new (&context_source_funcs, sizeof (ContextSource));

  source->owner = malt_backend_context_ref (self);
  source->context = context;
  source->thread = thread != NULL ? g_thread_ref (thread) : NULL;
  g_source_set_static_name (&source->source, "[malt] backends");
  g_source_set_can_recurse (&source->source, TRUE);
  g_source_attach (&source->source, context);
  g_source_unref (&source->source);

  self->sources = g_slist_prepend (self->sources, source);
  return source;
}

/* That of the backends in a home, which has it from then on as long as it is there. */
MaltBackendContext *
malt_backend_context_get (GMainContext *home)
{
  MaltBackendContext *self;
  ContextSource *source;

  g_mutex_lock (&contexts_lock);
  if (context_sources == NULL)
    context_sources = g_hash_table_new (NULL, NULL);

  /* The address may be that of a home that is gone, whose source is not gone yet. */
  source = g_hash_table_lookup (context_sources, home);
  if (source == NULL || g_source_is_destroyed (&source->source))
    {
      self = g_new0 (MaltBackendContext, 1);
      g_atomic_ref_count_init (&self->ref_count);
      /* The home waits for it without being its owner. */
      self->context = g_main_context_new_with_flags (G_MAIN_CONTEXT_FLAGS_OWNERLESS_POLLING);

      source = attach_locked (self, home, NULL);
      g_hash_table_insert (context_sources, home, source);
      g_hash_table_insert (context_sources, self->context, source);
    }
  else
    self = malt_backend_context_ref (source->owner);
  g_mutex_unlock (&contexts_lock);

  return self;
}

/* Has it run by another context as well, when this thread runs that: a thread of the home, which
 * awaits something there that a backend does. */
void
malt_backend_context_join (MaltBackendContext *self,
                           GMainContext       *context)
{
  ContextSource *source;
  GSList *link;

  g_mutex_lock (&contexts_lock);
  source = g_hash_table_lookup (context_sources, context);
  if (source == NULL || source->owner != self || g_source_is_destroyed (&source->source))
    {
      for (link = self->sources; link != NULL; link = link->next)
        {
          source = link->data;
          if (source->context == context && source->thread == g_thread_self () &&
              !g_source_is_destroyed (&source->source))
            break;
        }
      if (link == NULL)
        attach_locked (self, context, g_thread_self ());
    }
  g_mutex_unlock (&contexts_lock);
}

MaltBackendContext *
malt_backend_context_ref (MaltBackendContext *self)
{
  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

void
malt_backend_context_unref (MaltBackendContext *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;

  g_main_context_unref (self->context);
  g_free (self);
}

GMainContext *
malt_backend_context_peek (MaltBackendContext *self)
{
  return self->context;
}

/* Makes it the thread-default one, so that a backend can be called.  FALSE if another thread has
 * it. */
gboolean
malt_backend_context_enter (MaltBackendContext *self)
{
  if (!g_main_context_acquire (self->context))
    return FALSE;

  g_main_context_push_thread_default (self->context);
  g_main_context_release (self->context);
  return TRUE;
}

void
malt_backend_context_leave (MaltBackendContext *self)
{
  g_main_context_pop_thread_default (self->context);
  if (!g_main_context_is_owner (self->context))
    wake_others (self);
}
