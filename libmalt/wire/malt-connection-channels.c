/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-connection-private.h"

#include "malt-channel-private.h"
#include "malt-debug.h"
#include "malt-message.h"

/* The manager's end of the channels of a worker.
 *
 * The table has a link for each channel that was opened, until the worker has said that its
 * id is gone.  A channel that is opened again has its old id, and gets another handle of what
 * is there already, with all that has come.  So one that nobody needs any more is left only
 * while no request for a channel is under way. */

typedef struct
{
  MaltChannelLink  parent;
  gatomicrefcount  ref_count;

  /* Immutable. */
  MaltConnection  *connection;
  guint32          id;

  /* Owned by whoever has the reader's role. */
  gboolean         is_finished; /* the worker has said that nothing more comes */

  /* Guarded by the connection's lock. */
  MaltChannelCore *core;       /* owned; NULL if it was left */
} ConnectionLink;

/* The link. */

static gboolean
connection_link_send (MaltChannelLink  *link,
                      GVariant         *value,
                      guint            *cost,
                      GError          **error)
{
  ConnectionLink *self = (ConnectionLink *) link;
  gsize size;

  if (!malt_connection_send_value (self->connection, MALT_FRAME_ITEM, self->id, value, &size, error))
    return FALSE;

  *cost = malt_channel_cost (size);
  return TRUE;
}

static void
connection_link_close (MaltChannelLink *link)
{
  ConnectionLink *self = (ConnectionLink *) link;

  g_mutex_lock (&self->connection->lock);
  malt_connection_send_empty_locked (self->connection, MALT_FRAME_CLOSE, self->id);
  g_mutex_unlock (&self->connection->lock);
}

static void
connection_link_grant (MaltChannelLink *link,
                       guint            cost)
{
  ConnectionLink *self = (ConnectionLink *) link;

  malt_connection_send_control (self->connection, MALT_FRAME_CREDIT, 0, MALT_FRAME_CHANNEL_ID (self->id, cost));
}

static void
connection_link_grant_more (MaltChannelLink *link,
                            guint            cost)
{
  ConnectionLink *self = (ConnectionLink *) link;

  malt_connection_send_control (self->connection, MALT_FRAME_CREDIT, MALT_FRAME_MORE,
                                MALT_FRAME_CHANNEL_ID (self->id, cost));
}

static void
connection_link_probe (MaltChannelLink *link,
                       guint32          n_put)
{
  ConnectionLink *self = (ConnectionLink *) link;

  malt_connection_send_control (self->connection, MALT_FRAME_PROBE, 0, MALT_FRAME_CHANNEL_ID (self->id, n_put));
}

static void
connection_link_want (MaltChannelLink *link,
                      guint            number)
{
  ConnectionLink *self = (ConnectionLink *) link;

  malt_connection_send_control (self->connection, MALT_FRAME_WANT, 0, MALT_FRAME_CHANNEL_ID (self->id, number));
}

static void
connection_link_give_back (MaltChannelLink *link,
                           guint32          taken)
{
  ConnectionLink *self = (ConnectionLink *) link;

  malt_connection_send_control (self->connection, MALT_FRAME_RETURN, 0, MALT_FRAME_CHANNEL_ID (self->id, taken));
}

static gboolean
connection_link_leave (MaltChannelLink *link,
                       guint32          taken)
{
  ConnectionLink *self = (ConnectionLink *) link;
  MaltConnection *connection = self->connection;
  MaltChannelCore *core = NULL;

  g_mutex_lock (&connection->lock);
  if (connection->n_opening == 0 && self->core != NULL)
    {
      core = g_steal_pointer (&self->core);
      malt_connection_send_empty_locked (connection, MALT_FRAME_LEAVE, MALT_FRAME_CHANNEL_ID (self->id, taken));
    }
  g_mutex_unlock (&connection->lock);

  if (core == NULL)
    return FALSE;

  /* Whoever calls this has a reference of his own. */
  malt_channel_core_unref (core);
  return TRUE;
}

static void
connection_link_ref (MaltChannelLink *link)
{
  g_atomic_ref_count_inc (&((ConnectionLink *) link)->ref_count);
}

static void
connection_link_unref (MaltChannelLink *link)
{
  ConnectionLink *self = (ConnectionLink *) link;

  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;

  malt_connection_unref (self->connection);
  g_free (self);
}

static gboolean
connection_link_wait (MaltChannelLink  *link,
                      const gint       *done,
                      gint64            deadline,
                      GCancellable     *cancellable,
                      GError          **error)
{
  return malt_connection_wait_for (((ConnectionLink *) link)->connection, done, deadline, cancellable, error);
}

static void
connection_link_wake (MaltChannelLink *link,
                      const gint      *done)
{
  malt_connection_wake_waiter_for (((ConnectionLink *) link)->connection, done);
}

static void
connection_link_await (MaltChannelLink *link,
                       GMainContext    *context)
{
  MaltConnection *connection = ((ConnectionLink *) link)->connection;

  g_mutex_lock (&connection->lock);
  malt_connection_await_locked (connection, context, FALSE);
  g_mutex_unlock (&connection->lock);
}

static void
connection_link_forget (MaltChannelLink *link,
                        GMainContext    *context)
{
  MaltConnection *connection = ((ConnectionLink *) link)->connection;

  g_mutex_lock (&connection->lock);
  malt_connection_forget_locked (connection, context);
  g_mutex_unlock (&connection->lock);
}

static const MaltChannelLinkClass connection_link_class = {
  .send = connection_link_send,
  .close = connection_link_close,
  .grant = connection_link_grant,
  .ref = connection_link_ref,
  .unref = connection_link_unref,
  .grant_more = connection_link_grant_more,
  .want = connection_link_want,
  .probe = connection_link_probe,
  .give_back = connection_link_give_back,
  .leave = connection_link_leave,
  .wait = connection_link_wait,
  .wake = connection_link_wake,
  .await = connection_link_await,
  .forget = connection_link_forget,
};

/* Opening. */

static ConnectionLink *
add_link_locked (MaltConnection *self,
                 guint32         id,
                 guint           capacity,
                 guint           credit)
{
  ConnectionLink *link = g_new0 (ConnectionLink, 1);

  link->parent.klass = &connection_link_class;
  g_atomic_ref_count_init (&link->ref_count);
  link->connection = malt_connection_ref (self);
  link->id = id;
  link->core = malt_channel_core_new_remote (capacity, credit, &link->parent);

  if (self->channels == NULL)
    self->channels = g_hash_table_new (NULL, NULL);
  connection_link_ref (&link->parent);
  g_hash_table_insert (self->channels, GUINT_TO_POINTER (id), link);
  self->last_channel = id;

  return link;
}

/* Makes a handle of the channel that an answer brings.  With the reader's role. */
gboolean
malt_connection_take_channel (MaltConnection   *self,
                              const MaltFrame  *frame,
                              gconstpointer     data,
                              MaltChannel     **channel,
                              GError          **error)
{
  g_autoptr (MaltChannelCore) core = NULL;
  ConnectionLink *link = NULL;
  MaltRequest *request;
  const char *wrong = NULL;
  guint capacity, credit;
  guint32 id;

  if (!malt_message_read_channel (data, frame->length, &id, &capacity, &credit, error))
    return FALSE;

  g_mutex_lock (&self->lock);
  request = malt_id_table_lookup (&self->unfinished, frame->id);
  if (self->channels != NULL)
    link = g_hash_table_lookup (self->channels, GUINT_TO_POINTER (id));
  if (request == NULL || malt_request_get_kind (request) != MALT_REQUEST_KIND_CHANNEL)
    wrong = "answers a request that is for none";
  else if (link != NULL && (link->core == NULL || malt_channel_core_get_capacity (link->core) != capacity))
    wrong = "is one that was left, or of another capacity than before";
  else if (link == NULL && id <= self->last_channel)
    wrong = "has an id that was used before";
  else if (credit > (link == NULL ? MALT_CHANNEL_WINDOW : 0))
    wrong = "gives too much credit";
  else if (link == NULL)
    link = add_link_locked (self, id, capacity, credit);
  if (wrong == NULL)
    core = malt_channel_core_ref (link->core);
  g_mutex_unlock (&self->lock);

  if (wrong != NULL)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "channel %u, the answer to request %"
                   G_GUINT64_FORMAT ", %s", id, frame->id, wrong);
      return FALSE;
    }

  *channel = malt_channel_new_for_core (core);
  return TRUE;
}

static GPtrArray *
ref_cores_locked (MaltConnection *self)
{
  GPtrArray *cores = g_ptr_array_new_with_free_func ((GDestroyNotify) malt_channel_core_unref);
  GHashTableIter iter;
  gpointer value;

  if (self->channels == NULL)
    return cores;

  g_hash_table_iter_init (&iter, self->channels);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    if (((ConnectionLink *) value)->core != NULL)
      g_ptr_array_add (cores, malt_channel_core_ref (((ConnectionLink *) value)->core));

  return cores;
}

/* A request for a channel was answered, and whoever wanted it has it. */
void
malt_connection_opened (MaltConnection *self)
{
  g_autoptr (GPtrArray) cores = NULL;
  guint i;

  g_mutex_lock (&self->lock);
  if (--self->n_opening == 0)
    cores = ref_cores_locked (self);
  g_mutex_unlock (&self->lock);

  for (i = 0; cores != NULL && i < cores->len; i++)
    malt_channel_core_try_leave (g_ptr_array_index (cores, i));
}

/* What comes. */

/* The worker has confirmed that the id is gone. */
static void
remove_link (MaltConnection *self,
             ConnectionLink *link)
{
  g_mutex_lock (&self->lock);
  g_hash_table_remove (self->channels, GUINT_TO_POINTER (link->id));
  g_mutex_unlock (&self->lock);

  connection_link_unref (&link->parent);
}

static gboolean
take_item (MaltConnection   *self,
           const MaltFrame  *frame,
           gconstpointer     data,
           GBytes           *body,
           MaltChannelCore  *core,
           GError          **error)
{
  gboolean in_arena = (frame->flags & MALT_FRAME_IN_ARENA) != 0;
  g_autoptr (GVariant) value = NULL;

  if (in_arena ? !malt_large_value_take (self->transport->view, MALT_PEER_WORKER, data, frame->length,
                                         self->max_value, &value, NULL, error)
               : !malt_message_read_value (data, frame->length, body, &value, error))
    return FALSE;
  if (value == NULL)
    value = g_variant_ref_sink (g_variant_new_maybe (G_VARIANT_TYPE_VARIANT, NULL));

  if (core == NULL ||
      malt_channel_core_receive (core, value, in_arena ? g_variant_get_size (value) : frame->length))
    return TRUE;

  g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
               "more items came for channel %u than it may send", MALT_FRAME_ID_CHANNEL (frame->id));
  return FALSE;
}

/* With the reader's role. */
gboolean
malt_connection_take_channel_frame (MaltConnection   *self,
                                    const MaltFrame  *frame,
                                    gconstpointer     data,
                                    GBytes           *body,
                                    GError          **error)
{
  guint32 id = MALT_FRAME_ID_CHANNEL (frame->id), number = MALT_FRAME_ID_NUMBER (frame->id);
  g_autoptr (MaltChannelCore) core = NULL;
  ConnectionLink *link = NULL;
  gboolean allowed = TRUE;

  g_mutex_lock (&self->lock);
  if (self->channels != NULL)
    link = g_hash_table_lookup (self->channels, GUINT_TO_POINTER (id));
  if (link != NULL && link->core != NULL)
    core = malt_channel_core_ref (link->core);
  g_mutex_unlock (&self->lock);

  if (link != NULL && link->is_finished && frame->type != MALT_FRAME_CREDIT && frame->type != MALT_FRAME_PROBE &&
      frame->type != MALT_FRAME_LEAVE && frame->type != MALT_FRAME_RECALL)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                   "a frame of type %s for channel %u came after its end", malt_frame_type_name (frame->type), id);
      return FALSE;
    }
  if (link == NULL ||
      (frame->type == MALT_FRAME_CREDIT ? number == 0 : number > (frame->type == MALT_FRAME_PROBE)))
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                   "a frame of type %s is about channel %u and number %u, which %s",
                   malt_frame_type_name (frame->type), id, number, link == NULL ? "is not open" : "cannot be");
      return FALSE;
    }

  /* Only the reader takes a link off the table.  What comes for one that was left was under
   * way. */
  switch (frame->type)
    {
    case MALT_FRAME_ITEM:
      return take_item (self, frame, data, body, core, error);
    case MALT_FRAME_CREDIT:
      allowed = (frame->flags & MALT_FRAME_MORE) == 0 &&
                (core == NULL || malt_channel_core_credit (core, &link->parent, number));
      break;
    case MALT_FRAME_CLOSE:
      allowed = core == NULL || malt_channel_core_closed (core);
      break;
    case MALT_FRAME_PROBE:
      allowed = core == NULL || malt_channel_core_probed (core, number != 0);
      break;
    case MALT_FRAME_RECALL:
      link->is_finished = FALSE;
      allowed = core == NULL || malt_channel_core_recalled (core);
      break;
    case MALT_FRAME_LEAVE:
      allowed = core == NULL;
      if (allowed)
        remove_link (self, link);
      break;
    case MALT_FRAME_FINISH:
    default:
      link->is_finished = TRUE;
      if (core != NULL)
        malt_channel_core_finished (core);
    }

  if (!allowed)
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                 "a frame of type %s for channel %u came when it may not", malt_frame_type_name (frame->type), id);
  return allowed;
}

/* Nothing comes any more.  Whoever waits waits for the end of the worker. */
void
malt_connection_end_channels (MaltConnection *self)
{
  g_autoptr (GPtrArray) cores = NULL;
  g_autoptr (GHashTable) channels = NULL;
  GHashTableIter iter;
  gpointer value;
  guint i;

  g_mutex_lock (&self->lock);
  cores = ref_cores_locked (self);
  channels = g_steal_pointer (&self->channels);
  if (channels != NULL)
    {
      g_hash_table_iter_init (&iter, channels);
      while (g_hash_table_iter_next (&iter, NULL, &value))
        g_clear_pointer (&((ConnectionLink *) value)->core, malt_channel_core_unref);
    }
  g_mutex_unlock (&self->lock);

  for (i = 0; i < cores->len; i++)
    malt_channel_core_unlink (g_ptr_array_index (cores, i));
  if (channels == NULL)
    return;

  g_hash_table_iter_init (&iter, channels);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    connection_link_unref (value);
}
