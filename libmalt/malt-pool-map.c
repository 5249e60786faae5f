/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-pool-private.h"

/* A function over many items.
 *
 * Some more calls are under way than the pool can make at once, so that no worker has to
 * wait for the next one; whoever brings the outcome of one submits others.  Outcomes are told
 * by the thread that blocks, or in the context of the caller, and never by two at once. */

typedef struct
{
  GVariant *value;
  GError   *error;
} Outcome;

typedef struct
{
  gatomicrefcount    ref_count;

  /* Immutable. */
  MaltPool          *pool;
  MaltPoolCore      *core;
  char              *function;
  GVariant          *items;
  guint              n_items;
  guint              window;
  MaltPoolCallFlags  flags;
  int                timeout_msec;
  GCancellable      *cancellable;     /* the caller's; NULL if there is none, as the next two */
  gulong             cancelled_id;
  GCancellable      *own;             /* of the calls to workers; see malt-pool-job.c */
  MaltPoolItemFunc   item_func;
  gpointer           item_data;
  GDestroyNotify     item_destroy;
  MaltResult        *result;          /* owned; of one that does not block, until it returns */
  GMainContext      *blocked;         /* owned: which a thread that blocks runs; NULL if none */

  GMutex             lock;

  /* Guarded by lock. */
  GCond              cond;
  Outcome           *outcomes;
  guint             *order;           /* in which they came */
  guint              n_come;
  guint              n_submitted;
  gboolean           is_feeding;      /* somebody submits */
  gboolean           is_due;          /* will be told in the caller's context */

  /* Owned by whoever tells. */
  guint              n_told;
  guint              n_failed;
  guint              first_failed;
  GError            *refusal;         /* of a map that is none */

  MaltDelivery       delivery;
} Map;

typedef struct
{
  Map   *map;
  guint  index;
} MapItem;

static Map *
map_ref (Map *self)
{
  g_atomic_ref_count_inc (&self->ref_count);
  return self;
}

static void
map_unref (Map *self)
{
  guint i;

  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;

  for (i = 0; i < self->n_items; i++)
    {
      g_clear_pointer (&self->outcomes[i].value, g_variant_unref);
      g_clear_error (&self->outcomes[i].error);
    }
  g_free (self->outcomes);
  g_free (self->order);
  g_free (self->function);
  g_variant_unref (self->items);
  g_clear_object (&self->cancellable);
  g_clear_object (&self->own);
  g_clear_pointer (&self->blocked, g_main_context_unref);
  g_object_unref (self->pool);
  g_cond_clear (&self->cond);
  g_mutex_clear (&self->lock);
  g_free (self);
}

/* Telling. */

/* Whether the next one can be told, and which it is. */
static gboolean
find_next_locked (Map   *self,
                  guint *index)
{
  if (self->n_told == self->n_items)
    return FALSE;

  if ((self->flags & MALT_POOL_CALL_FLAGS_UNORDERED) != 0)
    {
      *index = self->n_told < self->n_come ? self->order[self->n_told] : 0;
      return self->n_told < self->n_come;
    }

  *index = self->n_told;
  return self->outcomes[*index].value != NULL || self->outcomes[*index].error != NULL;
}

static void
tell (Map   *self,
      guint  index)
{
  const Outcome *outcome = &self->outcomes[index]; /* which nobody changes any more */

  self->n_told++;
  if (outcome->error != NULL)
    {
      if (self->n_failed++ == 0 || index < self->first_failed)
        self->first_failed = index;
    }
  if (self->item_func != NULL)
    self->item_func (self->pool, index, outcome->value, outcome->error, self->item_data);
}

/* Once all have been told. */
static GVariant *
sum_up (Map     *self,
        GError **error)
{
  GVariantBuilder builder;
  GError *first;
  guint i;

  if (self->n_failed > 0)
    {
      first = g_error_copy (self->outcomes[self->first_failed].error);
      g_prefix_error (&first, "%u of %u items failed; item %u: ", self->n_failed, self->n_items,
                      self->first_failed);
      g_propagate_error (error, first);
      return NULL;
    }

  g_variant_builder_init (&builder, G_VARIANT_TYPE ("av"));
  for (i = 0; i < self->n_items; i++)
    g_variant_builder_add (&builder, "v", self->outcomes[i].value);

  return g_variant_ref_sink (g_variant_builder_end (&builder));
}

static gboolean
cancelled_on_pool_cb (gpointer user_data)
{
  Map *self = user_data;

  malt_pool_job_cancel_all (self->core, self->own);
  return G_SOURCE_REMOVE;
}

/* In whatever thread cancels; it may not do more than pass that on. */
static void
cancelled_cb (GCancellable *cancellable,
              gpointer      user_data)
{
  malt_pool_invoke (malt_pool_get_context (), cancelled_on_pool_cb, map_ref (user_data), (GDestroyNotify) map_unref);
}

static void
watch (Map *self)
{
  if (self->cancellable == NULL)
    return;

  self->own = g_cancellable_new ();
  self->cancelled_id = g_cancellable_connect (self->cancellable, G_CALLBACK (cancelled_cb), map_ref (self),
                                              (GDestroyNotify) map_unref);
}

/* The handler keeps the map. */
static void
stop_watching (Map *self)
{
  if (self->cancelled_id != 0)
    g_cancellable_disconnect (self->cancellable, self->cancelled_id);
  self->cancelled_id = 0;
}

/* In the caller's context.  Takes value and error. */
static void
return_result (Map      *self,
               GVariant *values,
               GError   *error)
{
  stop_watching (self);
  if (self->item_destroy != NULL)
    self->item_destroy (self->item_data);
  malt_result_return (g_steal_pointer (&self->result), values, error);
}

/* So many at a time, so that other sources of the context get their turn. */
#define MAX_TOLD 64

static void
deliver_outcomes (MaltDelivery *delivery)
{
  Map *self = (Map *) ((char *) delivery - G_STRUCT_OFFSET (Map, delivery));
  GMainContext *context = malt_result_get_context (self->result);
  GMainContext *current = g_main_context_get_thread_default ();
  gboolean is_pushed = context != (current != NULL ? current : g_main_context_default ());
  gboolean is_there = TRUE;
  guint index, n;

  if (is_pushed)
    g_main_context_push_thread_default (context);
  for (n = 0; is_there && n < MAX_TOLD; n++)
    {
      g_mutex_lock (&self->lock);
      is_there = self->is_due = find_next_locked (self, &index);
      g_mutex_unlock (&self->lock);
      if (is_there)
        tell (self, index);
    }
  if (is_pushed)
    g_main_context_pop_thread_default (context);

  if (is_there)
    {
      malt_deliver (&self->delivery, context);
      return;
    }

  if (self->n_told == self->n_items)
    {
      GError *error = NULL;
      GVariant *values = sum_up (self, &error);

      return_result (self, values, error);
    }
  map_unref (self);
}

/* There is nothing to call. */
static void
deliver_nothing (MaltDelivery *delivery)
{
  Map *self = (Map *) ((char *) delivery - G_STRUCT_OFFSET (Map, delivery));
  GError *error = g_steal_pointer (&self->refusal);

  return_result (self, error == NULL ? sum_up (self, NULL) : NULL, error);
  map_unref (self);
}

/* Sees to it that what can be told is. */
static void
deliver_locked (Map *self)
{
  guint index;

  if (self->result == NULL || self->is_due || !find_next_locked (self, &index))
    return;

  self->is_due = TRUE;
  map_ref (self);
  malt_deliver (&self->delivery, malt_result_get_context (self->result));
}

/* Feeding. */

static void feed (Map *self);

static void
item_done (MaltPoolJob *job,
           GVariant    *value,
           GError      *error,
           gpointer     user_data)
{
  MapItem *item = user_data;
  Map *self = item->map;
  gboolean must_feed;

  g_mutex_lock (&self->lock);
  self->outcomes[item->index] = (Outcome) { value, error };
  self->order[self->n_come++] = item->index;
  g_cond_signal (&self->cond);
  if (self->blocked != NULL)
    g_main_context_wakeup (self->blocked);
  deliver_locked (self);
  must_feed = !self->is_feeding;
  g_mutex_unlock (&self->lock);
  g_free (item);
  malt_pool_job_unref (job);

  if (must_feed)
    feed (self);
  map_unref (self);
}

/* Submits as many as may be under way.  What is done at once, because it failed, comes back
 * here while this runs, and leaves the rest to it. */
static void
feed (Map *self)
{
  MaltPoolCall call = {
    .kind = MALT_REQUEST_KIND_CALL,
    .text = self->function,
    .flags = self->flags,
  };

  g_mutex_lock (&self->lock);
  if (self->is_feeding)
    {
      g_mutex_unlock (&self->lock);
      return;
    }

  self->is_feeding = TRUE;
  while (self->n_submitted < self->n_items && self->n_submitted - self->n_come < self->window)
    {
      MapItem *item = g_new (MapItem, 1);

      *item = (MapItem) { map_ref (self), self->n_submitted++ };
      g_mutex_unlock (&self->lock);

      call.arguments = g_variant_get_child_value (self->items, item->index);
      malt_pool_job_submit (self->core, &call, self->timeout_msec, self->cancellable, self->own, item_done, item);
      g_variant_unref (call.arguments);

      g_mutex_lock (&self->lock);
    }
  self->is_feeding = FALSE;
  g_mutex_unlock (&self->lock);
}

/* Whether there can be a call for each item. */
static gboolean
is_map_valid (const char  *function,
              GVariant    *items,
              GError     **error)
{
  MaltPoolCall call = { .kind = MALT_REQUEST_KIND_CALL, .text = function };

  /* Of an array that has them, each is checked by the type of all. */
  if (!g_variant_type_is_array (g_variant_get_type (items)) ||
      !g_variant_type_is_tuple (g_variant_type_element (g_variant_get_type (items))))
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                   "the items are of type %s instead of an array of tuples", g_variant_get_type_string (items));
      return FALSE;
    }
  if (g_variant_n_children (items) > G_MAXUINT)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                   "there are %" G_GSIZE_FORMAT " items, more than %u", g_variant_n_children (items), G_MAXUINT);
      return FALSE;
    }

  return malt_pool_call_is_valid (&call, error);
}

static Map *
map_new (MaltPool          *pool,
         const char        *function,
         GVariant          *items,
         gsize              n_items,
         MaltPoolCallFlags  flags,
         int                timeout_msec,
         GCancellable      *cancellable,
         MaltPoolItemFunc   item_func,
         gpointer           item_data)
{
  MaltPoolCore *core = malt_pool_get_core (pool);
  Map *self = g_new0 (Map, 1);

  g_atomic_ref_count_init (&self->ref_count);
  g_mutex_init (&self->lock);
  g_cond_init (&self->cond);
  self->pool = g_object_ref (pool);
  self->core = core;
  self->function = g_strdup (function);
  self->items = g_variant_ref (items);
  self->n_items = (guint) n_items;
  self->window = core->options.max_workers * (2 * core->options.calls_per_worker + core->options.calls_ahead);
  self->flags = flags;
  self->timeout_msec = timeout_msec;
  g_set_object (&self->cancellable, cancellable);
  self->item_func = item_func;
  self->item_data = item_data;
  self->outcomes = g_new0 (Outcome, self->n_items);
  self->order = g_new (guint, self->n_items);

  return self;
}

/**
 * malt_pool_map:
 * @self: a pool
 * @function: the name of the function, as the workers' runtime spells it
 * @items: the positional arguments of each call: an array of tuples, for instance `a(x)`;
 *   if it is floating, it is taken
 * @flags: what is special about the calls
 * @timeout_msec: the deadline of each call in milliseconds, `MALT_TIMEOUT_DEFAULT` or
 *   `MALT_TIMEOUT_NONE`
 * @cancellable: (nullable): cancels the calls that have not ended, as each would be
 * @item_func: (nullable) (scope call) (closure item_data): is told what came of each item,
 *   on the calling thread: in the order of the items, or with
 *   `MALT_POOL_CALL_FLAGS_UNORDERED` as they come
 * @item_data: data for @item_func
 * @error: return location for an error
 *
 * Calls a function for each of many items, as many at once as the pool can, and gives the
 * values in the order of the items.
 *
 * Blocks the calling thread.  It needs no main loop, and runs none.
 *
 * No more than twice as many calls as the pool can make at once are under way or in its
 * queue, whose length does not matter.  The deadline of each counts from when it comes there.
 *
 * An item that fails does not keep the others from being called.  @item_func is told of
 * each, and the error is that of the first item, in their order, that failed; the errors are
 * those of [method@Malt.Pool.remote_call_fetch].
 *
 * Returns: (transfer full): an `av` of the values; or %NULL with @error set if an item
 *   failed
 *
 * Since: 1.0
 */
GVariant *
malt_pool_map (MaltPool           *self,
               const char         *function,
               GVariant           *items,
               MaltPoolCallFlags   flags,
               int                 timeout_msec,
               GCancellable       *cancellable,
               MaltPoolItemFunc    item_func,
               gpointer            item_data,
               GError            **error)
{
  g_autoptr (GVariant) own_items = NULL;
  MaltPoolBlocked *blocked;
  GVariant *values;
  Map *map;

  g_return_val_if_fail (MALT_IS_POOL (self), NULL);
  g_return_val_if_fail (function != NULL, NULL);
  g_return_val_if_fail (items != NULL, NULL);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  own_items = g_variant_ref_sink (items);
  if (!malt_pool_core_check_process (malt_pool_get_core (self), error) || !is_map_valid (function, own_items, error))
    return NULL;

  map = map_new (self, function, own_items, g_variant_n_children (own_items), flags, timeout_msec, cancellable,
                 item_func, item_data);
  blocked = malt_pool_home_begin_blocking (map->core, 0);
  map->blocked = malt_pool_home_ref_context (blocked);
  watch (map);
  feed (map);
  g_mutex_lock (&map->lock);
  while (map->n_told < map->n_items)
    {
      guint index;

      if (find_next_locked (map, &index))
        {
          g_mutex_unlock (&map->lock);
          tell (map, index);
          g_mutex_lock (&map->lock);
        }
      else if (blocked != NULL)
        malt_pool_home_wait (blocked, &map->lock);
      else
        g_cond_wait (&map->cond, &map->lock);
    }
  g_mutex_unlock (&map->lock);
  stop_watching (map);
  malt_pool_home_end_blocking (map->core, blocked);

  values = sum_up (map, error);
  map_unref (map);
  return values;
}

/**
 * malt_pool_map_async:
 * @self: a pool
 * @function: the name of the function, as the workers' runtime spells it
 * @items: the positional arguments of each call: an array of tuples, for instance `a(x)`;
 *   if it is floating, it is taken
 * @flags: what is special about the calls
 * @timeout_msec: the deadline of each call in milliseconds, `MALT_TIMEOUT_DEFAULT` or
 *   `MALT_TIMEOUT_NONE`
 * @cancellable: (nullable): cancels the calls that have not ended, as each would be
 * @item_func: (nullable) (scope notified) (closure item_data) (destroy item_destroy): is told
 *   what came of each item, in the thread-default main context of the calling thread: in the
 *   order of the items, or with `MALT_POOL_CALL_FLAGS_UNORDERED` as they come
 * @item_data: data for @item_func
 * @item_destroy: (nullable): destroys @item_data, in the same context
 * @callback: (scope async): called when all items have been told, in the same context
 * @user_data: data for @callback
 *
 * Calls a function for each of many items, as [method@Malt.Pool.map] does, without blocking.
 *
 * Since: 1.0
 */
void
malt_pool_map_async (MaltPool            *self,
                     const char          *function,
                     GVariant            *items,
                     MaltPoolCallFlags    flags,
                     int                  timeout_msec,
                     GCancellable        *cancellable,
                     MaltPoolItemFunc     item_func,
                     gpointer             item_data,
                     GDestroyNotify       item_destroy,
                     GAsyncReadyCallback  callback,
                     gpointer             user_data)
{
  g_autoptr (GVariant) own_items = NULL;
  GError *error = NULL;
  Map *map;

  g_return_if_fail (MALT_IS_POOL (self));
  g_return_if_fail (function != NULL);
  g_return_if_fail (items != NULL);
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  own_items = g_variant_ref_sink (items);
  if (malt_pool_core_check_process (malt_pool_get_core (self), &error))
    is_map_valid (function, own_items, &error);
  map = map_new (self, function, own_items, error == NULL ? g_variant_n_children (own_items) : 0, flags,
                 timeout_msec, cancellable, item_func, item_data);
  map->item_destroy = item_destroy;
  map->result = malt_result_new (self, malt_pool_map_async, callback, user_data);
  map->delivery.func = deliver_outcomes;

  if (error == NULL && map->n_items > 0)
    {
      watch (map);
      feed (map);
      map_unref (map);
      return;
    }

  map->refusal = error;
  map->delivery.func = deliver_nothing;
  malt_deliver (&map->delivery, malt_result_get_context (map->result));
}

/**
 * malt_pool_map_finish:
 * @self: a pool
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Gets what came of [method@Malt.Pool.map_async].
 *
 * Returns: (transfer full): an `av` of the values; or %NULL with @error set if an item
 *   failed
 *
 * Since: 1.0
 */
GVariant *
malt_pool_map_finish (MaltPool      *self,
                      GAsyncResult  *result,
                      GError       **error)
{
  g_return_val_if_fail (MALT_IS_POOL (self), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  return malt_result_finish (result, self, error);
}
