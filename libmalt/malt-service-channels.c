/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-service-channels.h"

#include "malt-channel-private.h"
#include "wire/malt-large-value.h"
#include "wire/malt-message.h"

/* The worker's end of the channels that its manager has opened.
 *
 * What comes on the control road waits for no code of the worker: more may be sent.  But to
 * send can take its time, which the control thread must not; so that is done by a thread of
 * its own, in the order in which it was asked for. */

typedef struct
{
  MaltChannelLink  parent;
  gatomicrefcount  ref_count;

  /* Immutable. */
  MaltService     *service;
  guint32          id;
  MaltChannelCore *core;      /* owned */
} ServiceLink;

static GMutex channels_lock;  /* held while a channel is announced or its end is */
static GCond link_left;       /* a link has left its core */
/* Guarded by channels_lock: id → ServiceLink, owned.  There is one manager. */
static GHashTable *links;
static guint32 last_id;

/* Atomic: of MaltFrame, for the pushing thread; made with the first channel. */
static GAsyncQueue *pushes;

static void
send (MaltService   *self,
      MaltFrameType  type,
      guint32        id,
      guint          number)
{
  malt_service_send_frame (self, type, 0, MALT_FRAME_CHANNEL_ID (id, number), NULL, 0);
}

/* Not in turn with what else is sent for the channel: so only if its id is not gone. */
static void
send_unless_gone (MaltService   *self,
                  MaltFrameType  type,
                  guint32        id,
                  guint          number)
{
  g_mutex_lock (&channels_lock);
  if (g_hash_table_contains (links, GUINT_TO_POINTER (id)))
    send (self, type, id, number);
  g_mutex_unlock (&channels_lock);
}

/* The link. */

static gboolean
service_link_send (MaltChannelLink  *link,
                   GVariant         *value,
                   guint            *cost,
                   GError          **error)
{
  ServiceLink *self = (ServiceLink *) link;
  gsize size;

  if (!malt_service_send_value (self->service, MALT_FRAME_ITEM, self->id, value, &size, error))
    return FALSE;

  *cost = malt_channel_cost (size);
  return TRUE;
}

static void
service_link_close (MaltChannelLink *link)
{
  ServiceLink *self = (ServiceLink *) link;

  send (self->service, MALT_FRAME_CLOSE, self->id, 0);
}

static void
service_link_grant (MaltChannelLink *link,
                    guint            cost)
{
  ServiceLink *self = (ServiceLink *) link;

  send_unless_gone (self->service, MALT_FRAME_CREDIT, self->id, cost);
}

static void
service_link_ref (MaltChannelLink *link)
{
  g_atomic_ref_count_inc (&((ServiceLink *) link)->ref_count);
}

static void
service_link_unref (MaltChannelLink *link)
{
  ServiceLink *self = (ServiceLink *) link;

  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;

  g_free (self);
}

static void
service_link_finish (MaltChannelLink *link)
{
  ServiceLink *self = (ServiceLink *) link;

  send (self->service, MALT_FRAME_FINISH, self->id, 0);
}

/* The id is gone.  Whoever opens the channel from now on makes another link; he is not
 * answered before the manager hears of this. */
static void
service_link_left (MaltChannelLink *link)
{
  ServiceLink *self = (ServiceLink *) link;
  MaltChannelCore *core = self->core;

  g_mutex_lock (&channels_lock);
  g_hash_table_remove (links, GUINT_TO_POINTER (self->id));
  malt_channel_core_unlink (core);
  send (self->service, MALT_FRAME_LEAVE, self->id, 0);
  g_cond_broadcast (&link_left);
  g_mutex_unlock (&channels_lock);

  malt_channel_core_unref (core);
}

/* In its order with the items; and once more where the manager reads at all times. */
static void
service_link_recall (MaltChannelLink *link)
{
  ServiceLink *self = (ServiceLink *) link;

  send (self->service, MALT_FRAME_RECALL, self->id, 0);
  malt_service_send_control (self->service, MALT_FRAME_RECALL, self->id);
}

static const MaltChannelLinkClass service_link_class = {
  .send = service_link_send,
  .close = service_link_close,
  .grant = service_link_grant,
  .ref = service_link_ref,
  .unref = service_link_unref,
  .recall = service_link_recall,
  .finish = service_link_finish,
  .left = service_link_left,
};

/* References to the link of that id and to its core; FALSE if the id is gone. */
static gboolean
ref_link (guint32           id,
          MaltChannelLink **link,
          MaltChannelCore **core)
{
  ServiceLink *found;

  g_mutex_lock (&channels_lock);
  found = links != NULL ? g_hash_table_lookup (links, GUINT_TO_POINTER (id)) : NULL;
  if (found != NULL)
    {
      *link = &found->parent;
      service_link_ref (*link);
      *core = malt_channel_core_ref (found->core);
    }
  g_mutex_unlock (&channels_lock);

  return found != NULL;
}

/* The pushing thread. */

static gpointer
run_pushing_thread (gpointer user_data)
{
  MaltService *self = user_data;
  GAsyncQueue *queue = g_atomic_pointer_get (&pushes);

  for (;;)
    {
      g_autofree MaltFrame *frame = g_async_queue_pop (queue);
      guint32 id = MALT_FRAME_ID_CHANNEL (frame->id), number = MALT_FRAME_ID_NUMBER (frame->id);
      MaltChannelCore *core;
      MaltChannelLink *link;

      /* Else the frame was under way when the manager left. */
      if (!ref_link (id, &link, &core))
        continue;

      if (frame->type == MALT_FRAME_PROBE)
        send_unless_gone (self, MALT_FRAME_PROBE, id, malt_channel_core_answer_probe (core, number));
      else if (frame->type == MALT_FRAME_CREDIT && (frame->flags & MALT_FRAME_MORE) != 0)
        malt_channel_core_credit_more (core, link, number);
      else if (frame->type == MALT_FRAME_CREDIT)
        malt_channel_core_credit (core, link, number);
      else if (frame->type == MALT_FRAME_WANT)
        malt_channel_core_wanted (core, link, number);
      else
        malt_channel_core_given_back (core, link, number);

      malt_channel_core_unref (core);
      service_link_unref (link);
    }

  return NULL;
}

/* On the control thread, which must not wait for the lock. */
void
malt_service_control_channel (MaltService     *self,
                              const MaltFrame *frame)
{
  GAsyncQueue *queue = g_atomic_pointer_get (&pushes);

  if (queue == NULL)
    malt_service_fail ("a frame of type %s came before any channel was opened", malt_frame_type_name (frame->type));

  g_async_queue_push (queue, g_memdup2 (frame, sizeof *frame));
}

/* Opening. */

/* Gives its id, and what the manager has for credit. */
static guint32
new_link_locked (MaltService     *self,
                 MaltChannelCore *core,
                 guint           *credit)
{
  ServiceLink *link;

  if (links == NULL)
    {
      links = g_hash_table_new (NULL, NULL);
      g_atomic_pointer_set (&pushes, g_async_queue_new ());
      g_thread_unref (g_thread_new ("malt-channels", run_pushing_thread, self));
    }

  link = g_new0 (ServiceLink, 1);
  link->parent.klass = &service_link_class;
  g_atomic_ref_count_init (&link->ref_count);
  link->service = self;
  link->id = ++last_id;
  link->core = malt_channel_core_ref (core);
  g_hash_table_insert (links, GUINT_TO_POINTER (link->id), link);
  *credit = malt_channel_core_set_link (core, &link->parent);

  return link->id;
}

/* Tells the manager of a channel that it has asked for.  On any thread. */
void
malt_service_answer_channel (MaltService *self,
                             guint64      request_id,
                             MaltChannel *channel)
{
  MaltChannelCore *core = malt_channel_get_core (channel);
  MaltChannelLink *link;
  gboolean is_leaving;
  MaltMessage message;
  guint credit = 0;
  guint32 id;

  g_mutex_lock (&channels_lock);
  /* Some other thread may be sending something, and then that the manager has left. */
  while ((link = malt_channel_core_ref_link (core, &is_leaving)) != NULL && is_leaving)
    {
      link->klass->unref (link);
      g_cond_wait (&link_left, &channels_lock);
    }
  id = link != NULL ? ((ServiceLink *) link)->id : new_link_locked (self, core, &credit);
  malt_message_write_channel (&message, id, malt_channel_core_get_capacity (core), credit);
  malt_service_send_frame (self, MALT_FRAME_CHANNEL, 0, request_id, message.data, message.size);
  malt_message_clear (&message);
  g_mutex_unlock (&channels_lock);

  if (link != NULL)
    link->klass->unref (link);
  /* It may be closed. */
  malt_channel_core_serve (core);
}

/* What comes. */

static void
receive_item (MaltService     *self,
              MaltChannelCore *core,
              const MaltFrame *frame,
              gconstpointer    data,
              GBytes          *body)
{
  gboolean in_arena = (frame->flags & MALT_FRAME_IN_ARENA) != 0;
  g_autoptr (GVariant) value = NULL;
  g_autoptr (GError) error = NULL;
  gsize rest;

  if (in_arena ? !malt_large_value_take (self->data->view, MALT_PEER_MANAGER, data, frame->length, self->max_value,
                                         &value, &rest, &error)
               : !malt_message_read_value (data, frame->length, body, &value, &error))
    malt_service_fail ("%s", error->message);
  if (value == NULL)
    value = g_variant_ref_sink (g_variant_new_maybe (G_VARIANT_TYPE_VARIANT, NULL));

  if (core != NULL &&
      !malt_channel_core_receive (core, value, in_arena ? g_variant_get_size (value) : frame->length))
    malt_service_fail ("more items came for channel %u than it has room for", MALT_FRAME_ID_CHANNEL (frame->id));
}

void
malt_service_take_channel_frame (MaltService     *self,
                                 const MaltFrame *frame,
                                 gconstpointer    data,
                                 GBytes          *body)
{
  MaltChannelLink *link = NULL;
  g_autoptr (MaltChannelCore) core = NULL;

  /* Without a core the frame was under way when the channel's end was announced. */
  ref_link (MALT_FRAME_ID_CHANNEL (frame->id), &link, &core);
  if (link != NULL)
    service_link_unref (link);

  if (frame->type == MALT_FRAME_ITEM)
    receive_item (self, core, frame, data, body);
  else if (core == NULL)
    return;
  else if (frame->type == MALT_FRAME_CLOSE)
    malt_channel_core_closed (core);
  else
    malt_channel_core_left (core, MALT_FRAME_ID_NUMBER (frame->id));
}
