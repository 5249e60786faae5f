/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-listener.h"

#include <sys/epoll.h>
#include <unistd.h>

#include "malt-connection-private.h"
#include "malt-fork.h"

/* How a main context listens to connections.
 *
 * A main loop looks at each source and each descriptor that its context has whenever it
 * turns.  A program with a thousand workers would pay for all of them with each of its events,
 * if each connection had a source.  So a context has one for all of its connections, which looks
 * only at those that have something to do (they are *due*) or to say; and of the descriptors it
 * polls a few itself, which is the cheapest, and leaves the others to one epoll descriptor.
 *
 * The descriptor of a connection stays *watched* when nothing is awaited any more, as something
 * will be soon, until it has woken the context for nothing.
 *
 * The source reads when it is prepared, where a reply is there already or soon, and when it is
 * checked; it is never dispatched.  A context that wakes does not check what is of lower
 * priority than a source that is ready, so a source of the usual priority could miss that
 * its context is awake, for good if its loop ends there; and one of the highest priority
 * that is never ready holds nobody up. */
#define LISTENER_SOURCE_PRIORITY G_MININT

/* How many descriptors a context polls itself: for so many it costs less than to ask twice. */
#define N_POLLED 8

/* How many events are taken at once; the others are still there the next time. */
#define N_READY 128

/* What the context is at.  Between AWAKE and ASLEEP it prepares, and will look once more before
 * it sleeps whether anything is due. */
typedef enum
{
  AWAKE,
  PREPARING,
  ASLEEP,
} State;

struct _MaltListenerSource
{
  GSource       source;

  /* Immutable. */
  guint         generation;   /* of the process in which it was made; see malt-fork.c */

  /* Owned by the thread that runs the context. */
  GPollFD       poll_fd;      /* the epoll descriptor, if there is one */

  GMainContext *context;      /* atomic, written under the lock; not owned; NULL once it goes */

  guint         n_listeners;  /* guarded by sources_lock; the last one takes the source along */

  GMutex        lock;         /* the innermost one: of a connection, this */

  /* Guarded by lock; no listener is owned. */
  State         state;
  int           epoll_fd;     /* or -1 */
  GQueue        due;
  GQueue        shared;
  GQueue        polled;       /* by a source of its own, each */
  GQueue        watched;      /* by the epoll descriptor */
};

static GMutex sources_lock;
/* Guarded by sources_lock: GMainContext → MaltListenerSource, none owned. */
static GHashTable *sources;

/* What MALT_POLL says, or N_POLLED. */
static guint
read_most_polled (void)
{
  const char *text = g_getenv ("MALT_POLL");
  guint64 most = N_POLLED;

  if (text != NULL && !g_ascii_string_to_unsigned (text, 10, 0, G_MAXUINT32, &most, NULL))
    g_warning ("MALT_POLL is '%s', and not how many descriptors a main context is to poll itself", text);

  return (guint) most;
}

static guint
get_most_polled (void)
{
  static gsize most; /* plus one, as it must not be 0 */

  if (g_once_init_enter (&most))
    g_once_init_leave (&most, (gsize) read_most_polled () + 1);

  return (guint) (most - 1);
}

/* Polls the descriptor of one listener. */
typedef struct
{
  GSource source;
  GPollFD poll_fd; /* owned by the thread that runs the context */
} Bell;

static gboolean
bell_check (GSource *source)
{
  return FALSE; /* that of the listeners has looked already */
}

static GSourceFuncs bell_funcs = { .check = bell_check };

static gboolean
has_rung (MaltListener *listener)
{
  return listener->bell != NULL && (((Bell *) listener->bell)->poll_fd.revents & (G_IO_IN | G_IO_HUP | G_IO_ERR)) != 0;
}

/* The source. */

static gboolean
is_own_process (MaltListenerSource *self)
{
  return self->generation == malt_fork_get_generation ();
}

static MaltListener *
pop_ref (MaltListenerSource *self,
         GQueue             *queue,
         gsize               flag)
{
  MaltListener *listener = NULL;

  g_mutex_lock (&self->lock);
  if (queue->length > 0)
    {
      listener = malt_listener_ref (g_queue_pop_head_link (queue)->data);
      G_STRUCT_MEMBER (gboolean, listener, flag) = FALSE;
    }
  g_mutex_unlock (&self->lock);

  return listener;
}

static MaltListener *
pop_due (MaltListenerSource *self)
{
  return pop_ref (self, &self->due, G_STRUCT_OFFSET (MaltListener, is_due));
}

static MaltListener *
pop_shared (MaltListenerSource *self)
{
  return pop_ref (self, &self->shared, G_STRUCT_OFFSET (MaltListener, is_shared));
}

static gboolean
listener_source_prepare (GSource *source,
                         int     *timeout)
{
  MaltListenerSource *self = (MaltListenerSource *) source;
  gboolean has_read = FALSE;
  guint n;

  g_mutex_lock (&self->lock);
  self->state = PREPARING;
  n = self->due.length;
  g_mutex_unlock (&self->lock);

  while (n-- > 0)
    {
      MaltListener *listener = pop_due (self);

      if (listener == NULL)
        break;
      has_read |= malt_connection_prepare (listener->connection, listener);
      malt_listener_unref (listener);
    }

  /* What was read is delivered in this turn of the context, which does not sleep.  A copy of the
   * process would wake for what is sent to the first one. */
  g_mutex_lock (&self->lock);
  self->state = ASLEEP;
  *timeout = has_read || self->due.length > 0 ? 0 : -1;
  g_mutex_unlock (&self->lock);
  self->poll_fd.events = is_own_process (self) ? G_IO_IN : 0;

  return FALSE;
}

/* Those of which a descriptor tells something, a reference to each.  What there is no room for is
 * still there the next time. */
typedef struct
{
  MaltListener *listeners[N_READY];
  guint         n;
  gboolean      for_nothing; /* the epoll descriptor has woken the context, and knows no more why */
} Ready;

static void
take_ready_locked (MaltListenerSource *self,
                   Ready              *ready)
{
  struct epoll_event events[N_READY];
  GList *link;
  int i, n;

  for (link = self->polled.head; link != NULL && ready->n < N_READY; link = link->next)
    if (has_rung (link->data))
      ready->listeners[ready->n++] = malt_listener_ref (link->data);

  if (self->poll_fd.revents == 0 || ready->n == N_READY)
    return;

  /* The events of those that are forgotten under this lock do not come any more. */
  n = epoll_wait (self->epoll_fd, events, (int) (N_READY - ready->n), 0);
  ready->for_nothing = n == 0;
  for (i = 0; i < n; i++)
    ready->listeners[ready->n++] = malt_listener_ref (events[i].data.ptr);
}

/* Somebody else has been told as well, and was faster.  Those that await nothing are not to wake the
 * context for that again. */
static void
forget_idle (MaltListenerSource *self)
{
  g_autoptr (GPtrArray) listeners = g_ptr_array_new_with_free_func ((GDestroyNotify) malt_listener_unref);
  GList *link;
  guint i;

  g_mutex_lock (&self->lock);
  for (link = self->watched.head; link != NULL; link = link->next)
    g_ptr_array_add (listeners, malt_listener_ref (link->data));
  g_mutex_unlock (&self->lock);

  for (i = 0; i < listeners->len; i++)
    {
      MaltListener *listener = g_ptr_array_index (listeners, i);

      malt_connection_forget_idle (listener->connection, listener);
    }
}

static gboolean
listener_source_check (GSource *source)
{
  MaltListenerSource *self = (MaltListenerSource *) source;
  MaltListener *listener;
  Ready ready;
  guint i, n_due, n_shared;

  ready.n = 0;
  ready.for_nothing = FALSE;
  g_mutex_lock (&self->lock);
  self->state = AWAKE;
  n_due = self->due.length;
  n_shared = self->shared.length;
  take_ready_locked (self, &ready);
  g_mutex_unlock (&self->lock);

  for (i = 0; i < ready.n; i++)
    {
      listener = ready.listeners[i];
      malt_connection_check (listener->connection, listener, TRUE);
      malt_listener_unref (listener);
    }
  for (; n_due > 0 && (listener = pop_due (self)) != NULL; n_due--)
    {
      malt_connection_check (listener->connection, listener, FALSE);
      malt_listener_unref (listener);
    }
  for (; n_shared > 0 && (listener = pop_shared (self)) != NULL; n_shared--)
    {
      malt_connection_stop_polling (listener->connection, listener);
      malt_listener_unref (listener);
    }
  if (ready.for_nothing)
    forget_idle (self);

  return FALSE;
}

static void
listener_source_finalize (GSource *source)
{
  MaltListenerSource *self = (MaltListenerSource *) source;

  if (self->epoll_fd != -1)
    close (self->epoll_fd);
  g_mutex_clear (&self->lock);
}

static GSourceFuncs listener_source_funcs = {
  .prepare = listener_source_prepare,
  .check = listener_source_check,
  .finalize = listener_source_finalize,
};

static gboolean
dispatch_cb (gpointer user_data)
{
  g_assert_not_reached ();
}

/* The source is destroyed, by its last listener or because its context goes, whose address
 * another one may have soon.  On any thread. */
static void
destroyed_cb (gpointer user_data)
{
  MaltListenerSource *self = user_data;

  g_mutex_lock (&sources_lock);
  if (g_hash_table_lookup (sources, self->context) == self)
    g_hash_table_remove (sources, self->context);
  g_mutex_unlock (&sources_lock);

  g_mutex_lock (&self->lock);
  g_atomic_pointer_set (&self->context, NULL);
  self->state = AWAKE;
  g_mutex_unlock (&self->lock);
}

/* That of the context, which has one listener more from now on. */
static MaltListenerSource *
source_of_context (GMainContext *context)
{
  MaltListenerSource *self;

  g_mutex_lock (&sources_lock);
  if (sources == NULL)
    sources = g_hash_table_new (NULL, NULL);

  self = g_hash_table_lookup (sources, context);
  if (self == NULL)
    {
      GSource *source = g_source_new (&listener_source_funcs, sizeof (MaltListenerSource));

      self = (MaltListenerSource *) source;
      g_mutex_init (&self->lock);
      self->generation = malt_fork_get_generation ();
      self->context = context;
      self->epoll_fd = -1;
      g_source_set_static_name (source, "[malt] replies");
      g_source_set_priority (source, LISTENER_SOURCE_PRIORITY);
      g_source_set_callback (source, dispatch_cb, self, destroyed_cb);
      g_hash_table_insert (sources, context, self);
      g_source_attach (source, context);
    }
  else
    g_source_ref (&self->source);
  self->n_listeners++;
  g_mutex_unlock (&sources_lock);

  return self;
}

static void
release_source (MaltListenerSource *self)
{
  gboolean is_last;

  g_mutex_lock (&sources_lock);
  is_last = --self->n_listeners == 0;
  if (is_last && g_hash_table_lookup (sources, self->context) == self)
    g_hash_table_remove (sources, self->context);
  g_mutex_unlock (&sources_lock);

  if (is_last)
    g_source_destroy (&self->source);
}

/* Listeners. */

/* @context: not owned, but kept by what is awaited there */
MaltListener *
malt_listener_new (MaltConnection *connection,
                   int             fd,
                   GMainContext   *context)
{
  MaltListener *self = g_new0 (MaltListener, 1);

  g_atomic_ref_count_init (&self->ref_count);
  self->connection = malt_connection_ref (connection);
  self->source = source_of_context (context);
  self->fd = fd;
  self->due_link.data = self->shared_link.data = self->watch_link.data = self;

  return self;
}

MaltListener *
malt_listener_ref (MaltListener *self)
{
  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

void
malt_listener_unref (MaltListener *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;

  g_assert (self->is_detached);
  g_clear_pointer (&self->bell, g_source_unref);
  g_source_unref (&self->source->source);
  malt_connection_unref (self->connection);
  g_free (self);
}

/* The context is to listen no more.  A copy of the process has the same epoll descriptor, and must
 * leave it as it is. */
static void
stop_watching_locked (MaltListener *self)
{
  MaltListenerSource *source = self->source;

  if (!self->is_watched)
    return;

  self->is_watched = FALSE;
  if (self->bell != NULL)
    {
      ((Bell *) self->bell)->poll_fd.events = 0;
      return;
    }

  g_queue_unlink (&source->watched, &self->watch_link);
  if (is_own_process (source))
    epoll_ctl (source->epoll_fd, EPOLL_CTL_DEL, self->fd, NULL);
}

/* Takes it off its source, for good.  On any thread. */
void
malt_listener_detach (MaltListener *self)
{
  MaltListenerSource *source = self->source;
  gboolean was_detached;

  malt_listener_settle (self);
  g_mutex_lock (&source->lock);
  was_detached = self->is_detached;
  self->is_detached = TRUE;
  if (self->is_shared)
    g_queue_unlink (&source->shared, &self->shared_link);
  self->is_shared = FALSE;
  if (!was_detached && self->bell != NULL)
    g_queue_unlink (&source->polled, &self->watch_link);
  else
    stop_watching_locked (self);
  g_mutex_unlock (&source->lock);

  if (was_detached)
    return;
  if (self->bell != NULL)
    g_source_destroy (self->bell);
  release_source (source);
}

gboolean
malt_listener_is_gone (MaltListener *self)
{
  return g_atomic_pointer_get (&self->source->context) == NULL;
}

/* Whether it is that of the context. */
gboolean
malt_listener_is_of (MaltListener *self,
                     GMainContext *context)
{
  return g_atomic_pointer_get (&self->source->context) == context;
}

static void
set_due_locked (MaltListener *self)
{
  if (self->is_due || self->is_detached)
    return;

  self->is_due = TRUE;
  g_queue_push_tail_link (&self->source->due, &self->due_link);
}

/* Has the context prepare for the connection before it sleeps.  FALSE if it sleeps already.  On any
 * thread. */
gboolean
malt_listener_prompt (MaltListener *self)
{
  gboolean is_awake;

  g_mutex_lock (&self->source->lock);
  is_awake = self->source->state != ASLEEP;
  if (is_awake)
    set_due_locked (self);
  g_mutex_unlock (&self->source->lock);

  return is_awake;
}

/* The same, if need be by waking the context, and says whether it was.  On any thread. */
gboolean
malt_listener_wake (MaltListener *self)
{
  MaltListenerSource *source = self->source;
  gboolean is_asleep;

  g_mutex_lock (&source->lock);
  is_asleep = source->state == ASLEEP;
  set_due_locked (self);
  if (is_asleep)
    g_main_context_wakeup (source->context); /* which cannot go before it has this lock */
  g_mutex_unlock (&source->lock);

  return is_asleep;
}

/* There is nothing to prepare any more. */
void
malt_listener_settle (MaltListener *self)
{
  g_mutex_lock (&self->source->lock);
  if (self->is_due)
    {
      self->is_due = FALSE;
      g_queue_unlink (&self->source->due, &self->due_link);
    }
  g_mutex_unlock (&self->source->lock);
}

/* Others want to poll as well, and rely on this one's context while that sleeps: see
 * malt_connection_stop_polling().  FALSE if it is awake. */
gboolean
malt_listener_share (MaltListener *self)
{
  MaltListenerSource *source = self->source;
  gboolean may_sleep;

  g_mutex_lock (&source->lock);
  may_sleep = source->state != AWAKE && !self->is_detached;
  if (may_sleep && !self->is_shared)
    {
      self->is_shared = TRUE;
      g_queue_push_tail_link (&source->shared, &self->shared_link);
    }
  g_mutex_unlock (&source->lock);

  return may_sleep;
}

/* The epoll descriptor, or FALSE if there is none to be had. */
static gboolean
has_epoll_locked (MaltListenerSource *self)
{
  if (self->epoll_fd != -1)
    return TRUE;

  self->epoll_fd = epoll_create1 (EPOLL_CLOEXEC);
  if (self->epoll_fd == -1)
    return FALSE;

  self->poll_fd.fd = self->epoll_fd;
  g_source_add_poll (&self->source, &self->poll_fd);
  return TRUE;
}

static gboolean
add_to_epoll_locked (MaltListener *self)
{
  MaltListenerSource *source = self->source;
  struct epoll_event event = { .events = EPOLLIN, .data.ptr = self };

  if (!has_epoll_locked (source) || epoll_ctl (source->epoll_fd, EPOLL_CTL_ADD, self->fd, &event) < 0)
    return FALSE;

  g_queue_push_tail_link (&source->watched, &self->watch_link);
  return TRUE;
}

static void
add_bell_locked (MaltListener *self)
{
  Bell *bell = (Bell *) g_source_new (&bell_funcs, sizeof (Bell));

  bell->poll_fd.fd = self->fd;
  g_source_set_static_name (&bell->source, "[malt] bell");
  g_source_set_priority (&bell->source, LISTENER_SOURCE_PRIORITY);
  g_source_add_poll (&bell->source, &bell->poll_fd);
  g_source_attach (&bell->source, self->source->context);
  self->bell = &bell->source;
  g_queue_push_tail_link (&self->source->polled, &self->watch_link);
}

/* The context listens from now on to the descriptor.  On the thread that runs it. */
void
malt_listener_watch (MaltListener *self)
{
  MaltListenerSource *source = self->source;

  g_mutex_lock (&source->lock);
  if (!self->is_watched && !self->is_detached && source->context != NULL && is_own_process (source))
    {
      if (self->bell == NULL && (source->polled.length < get_most_polled () || !add_to_epoll_locked (self)))
        add_bell_locked (self);
      if (self->bell != NULL)
        ((Bell *) self->bell)->poll_fd.events = G_IO_IN;
      self->is_watched = TRUE;
    }
  g_mutex_unlock (&source->lock);
}

/* And no more.  On the same thread. */
void
malt_listener_unwatch (MaltListener *self)
{
  g_mutex_lock (&self->source->lock);
  stop_watching_locked (self);
  g_mutex_unlock (&self->source->lock);
}
