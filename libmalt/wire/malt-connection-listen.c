/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-connection-private.h"

#include "malt-request.h"

/* The data road, from the worker to main contexts in which results are awaited.
 *
 * Each such context is a MaltListener, which wants the data road to be polled as long as it
 * awaits something; but if all did that, each reply would wake all contexts.  So one of those that
 * sleep is the poller.  It gives that up when it wakes, if there are others, because nobody knows
 * what its context does then, and wakes another one that sleeps to take its place.
 *
 * A poller stays one when nothing is awaited any more, until it is woken for nothing.  To wake its
 * context for each call, only because something is awaited there again, would cost more than the
 * call; and the transport need not tell it of anything until something is.
 *
 * Where calls are mostly waited for by threads that have come to do so, their replies are read
 * by these, and a context that is sure to be run sleeps through. */

static MaltListener *
find_listener_locked (MaltConnection *self,
                      GMainContext   *context)
{
  guint i;

  for (i = 0; i < self->listeners->len; i++)
    {
      MaltListener *listener = g_ptr_array_index (self->listeners, i);

      if (malt_listener_is_of (listener, context))
        return listener;
    }

  return NULL;
}

/* Something that was awaited in the context is there; %NULL if that was in none. */
void
malt_connection_forget_locked (MaltConnection *self,
                               GMainContext   *context)
{
  MaltListener *listener = context != NULL ? find_listener_locked (self, context) : NULL;

  if (listener != NULL && listener->n_awaited > 0)
    {
      listener->n_awaited--;
      self->n_awaited--;
    }
}

/* Has a context that sleeps, or will soon, look whether it should poll now. */
void
malt_connection_wake_sleeper_locked (MaltConnection *self)
{
  guint i;

  for (i = 0; i < self->listeners->len; i++)
    {
      MaltListener *listener = g_ptr_array_index (self->listeners, i);

      if (listener->n_awaited > 0 && !malt_listener_is_gone (listener) && malt_listener_wake (listener))
        return;
    }
}

/* Lets the contexts that await results know that there is more to read than the
 * descriptor tells. */
void
malt_connection_wake_listeners (MaltConnection *self)
{
  guint i;

  g_mutex_lock (&self->lock);
  for (i = 0; i < self->listeners->len; i++)
    {
      MaltListener *listener = g_ptr_array_index (self->listeners, i);

      if (listener->n_awaited > 0 && !malt_listener_is_gone (listener))
        malt_listener_wake (listener);
    }
  g_mutex_unlock (&self->lock);
}

/* Nobody has the role, and somebody sleeps who polls the descriptor: sees to it that it
 * tells him. */
void
malt_connection_listen_locked (MaltConnection *self)
{
  MaltListener *poller;

  if (self->reading || self->lost)
    return;
  if (self->poller != NULL && malt_listener_is_gone (self->poller))
    self->poller = NULL;
  poller = self->n_awaited > 0 ? self->poller : NULL;
  if (poller != NULL && malt_listener_prompt (poller)) /* it looks by itself */
    poller = NULL;
  if (poller == NULL && self->stopping_source == NULL)
    return;
  if (!g_atomic_int_get (&self->has_more) && !malt_transport_arm (self->transport))
    return;

  g_atomic_int_set (&self->has_more, TRUE);
  if (poller != NULL)
    malt_listener_wake (poller);
  if (self->stopping_source != NULL)
    g_source_set_ready_time (self->stopping_source, 0);
}

static gboolean
is_waiting_locked (MaltConnection *self,
                   MaltListener   *listener)
{
  return listener->n_awaited > 0 && !self->reading && !self->lost;
}

/* Another listener polls, and will let go of that when its context wakes. */
static gboolean
has_other_poller_locked (MaltConnection *self,
                         MaltListener   *listener)
{
  return self->poller != NULL && self->poller != listener && malt_listener_share (self->poller);
}

/* Becomes the poller, if nobody is, and sees to it that he is told. */
static void
poll_locked (MaltConnection *self,
             MaltListener   *listener)
{
  if (has_other_poller_locked (self, listener))
    {
      malt_listener_unwatch (listener);
    }
  else
    {
      self->poller = listener;
      malt_listener_watch (listener);
      if (self->listeners->len > 1)
        malt_listener_share (listener);
    }
  if (self->n_awaited > 0 && malt_transport_arm (self->transport))
    g_atomic_int_set (&self->has_more, TRUE);
}

/* The context is about to sleep.  Gives whether something was read. */
gboolean
malt_connection_prepare (MaltConnection *self,
                         MaltListener   *listener)
{
  gboolean has_read = FALSE;

  g_mutex_lock (&self->lock);
  if (is_waiting_locked (self, listener) && !g_atomic_int_get (&self->has_more) &&
      self->transport->klass->spin != NULL && malt_connection_take_role_locked (self, FALSE))
    {
      g_mutex_unlock (&self->lock);
      has_read = malt_connection_spin_in_role (self);
      g_mutex_lock (&self->lock);
    }

  if (!has_read && (is_waiting_locked (self, listener) || (listener->stays && !self->reading && !self->lost)))
    poll_locked (self, listener);

  /* Else it hears of what there is by the descriptor, or from whoever has the role. */
  if (listener->n_awaited > 0 && (has_read || g_atomic_int_get (&self->has_more)) && !self->lost)
    malt_listener_wake (listener);
  else
    malt_listener_settle (listener);
  g_mutex_unlock (&self->lock);

  return has_read;
}

static void
stop_polling_locked (MaltConnection *self,
                     MaltListener   *listener)
{
  malt_listener_unwatch (listener);
  if (self->poller != listener)
    return;

  self->poller = NULL;
  if (!self->reading)
    malt_connection_wake_sleeper_locked (self);
}

/* The listener's context is awake, and there are others: one of them should poll. */
void
malt_connection_stop_polling (MaltConnection *self,
                              MaltListener   *listener)
{
  g_mutex_lock (&self->lock);
  stop_polling_locked (self, listener);
  if (listener->n_awaited > 0)
    malt_listener_prompt (listener);
  g_mutex_unlock (&self->lock);
}

static void
woken_for_nothing_locked (MaltConnection *self,
                          MaltListener   *listener)
{
  if (!listener->stays || self->poller != listener)
    stop_polling_locked (self, listener);
  if (listener->n_awaited == 0)
    listener->stays = FALSE;
}

/* The listener's context is awake, because of what the descriptor tells (@is_readable) or something
 * else. */
void
malt_connection_check (MaltConnection *self,
                       MaltListener   *listener,
                       gboolean        is_readable)
{
  gboolean has_role;

  g_mutex_lock (&self->lock);
  has_role = (is_readable || (listener->n_awaited > 0 && g_atomic_int_get (&self->has_more))) &&
             malt_connection_take_role_locked (self, is_readable);

  if (is_readable && (!has_role || listener->n_awaited == 0 || self->poller != listener))
    woken_for_nothing_locked (self, listener);
  malt_listener_prompt (listener);
  g_mutex_unlock (&self->lock);

  if (has_role)
    malt_connection_read_in_role (self);
}

/* The listener's context was woken by what somebody else has read. */
void
malt_connection_forget_idle (MaltConnection *self,
                             MaltListener   *listener)
{
  g_mutex_lock (&self->lock);
  if (listener->n_awaited == 0)
    woken_for_nothing_locked (self, listener);
  g_mutex_unlock (&self->lock);
}

static MaltListener *
add_listener_locked (MaltConnection *self,
                     GMainContext   *context)
{
  MaltListener *listener;
  guint i;

  /* Contexts come and go. */
  for (i = self->listeners->len; i > 0; i--)
    {
      MaltListener *gone = g_ptr_array_index (self->listeners, i - 1);

      if (!malt_listener_is_gone (gone))
        continue;
      stop_polling_locked (self, gone);
      g_ptr_array_remove_index_fast (self->listeners, i - 1);
    }

  listener = malt_listener_new (self, self->transport->fd, context);
  g_ptr_array_add (self->listeners, listener);
  return listener;
}

static MaltListener *
get_listener_locked (MaltConnection *self,
                     GMainContext   *context)
{
  MaltListener *listener = find_listener_locked (self, context);

  return listener != NULL ? listener : add_listener_locked (self, context);
}

/* One more thing is awaited. */
static void
add_awaited_locked (MaltConnection *self,
                    MaltListener   *listener)
{
  self->n_awaited++;
  if (listener->n_awaited++ > 0 || malt_listener_prompt (listener))
    return;

  /* A context that runs in another thread is asleep, perhaps without our descriptor. */
  if (self->poller == listener || has_other_poller_locked (self, listener))
    malt_connection_listen_locked (self);
  else
    malt_listener_wake (listener);
}

/* Sees to it that the main context, in which one more thing is awaited, reads. */
void
malt_connection_await_locked (MaltConnection *self,
                              GMainContext   *context,
                              gboolean        is_attended)
{
  MaltListener *listener;

  if (context == NULL || self->lost)
    return;

  listener = get_listener_locked (self, context);
  listener->stays |= is_attended && self->transport->klass->arm != NULL; /* else it is told always */
  add_awaited_locked (self, listener);
}

void
malt_connection_await_reply_locked (MaltConnection *self,
                                    MaltRequest    *request)
{
  malt_connection_await_locked (self, malt_request_get_context (request), malt_request_is_attended (request));
}

/* Has a main context read at all times, also when no reply is awaited there. */
void
malt_connection_listen (MaltConnection *self,
                        GMainContext   *context)
{
  g_mutex_lock (&self->lock);
  if (self->constant == NULL && !self->lost)
    {
      self->constant = get_listener_locked (self, context);
      add_awaited_locked (self, self->constant);
    }
  g_mutex_unlock (&self->lock);
}

/* The context is about to go. */
void
malt_connection_unlisten (MaltConnection *self)
{
  MaltListener *listener;

  g_mutex_lock (&self->lock);
  listener = g_steal_pointer (&self->constant);
  if (listener != NULL)
    {
      listener->n_awaited--;
      self->n_awaited--;
    }
  g_mutex_unlock (&self->lock);
}
