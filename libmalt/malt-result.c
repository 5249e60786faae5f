/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-result.h"

#include "malt-delivery.h"
#include "malt-spares.h"

/* What the callback of an asynchronous call is given.
 *
 * It is what a GTask would be, for what calls need of one: it is delivered in the order in
 * which results come (see malt-delivery.c), keeps the object that was called, and has one
 * value or error to be taken.  A GTask costs as much as the whole rest of a call, to be made,
 * to notify of a property that nobody looks at, and to be finalized; this one is used again
 * when nobody has kept it. */
struct _MaltResult
{
  GObject              parent_instance;

  /* Immutable until it is used again. */
  GObject             *source;
  GMainContext        *context;
  gpointer             tag;
  GAsyncReadyCallback  callback;
  gpointer             user_data;

  /* Owned by the thread that runs the context, or has taken the result from there. */
  GVariant            *value;
  MaltChannel         *channel;
  GError              *error;
  gboolean             is_set;

  MaltDelivery         delivery;
};

static GObject *
malt_result_get_source_object (GAsyncResult *result)
{
  return g_object_ref (MALT_RESULT (result)->source);
}

static gpointer
malt_result_get_user_data (GAsyncResult *result)
{
  return MALT_RESULT (result)->user_data;
}

static gboolean
malt_result_is_tagged (GAsyncResult *result,
                       gpointer      source_tag)
{
  return MALT_RESULT (result)->tag == source_tag;
}

static void
malt_result_async_result_init (GAsyncResultIface *iface)
{
  iface->get_source_object = malt_result_get_source_object;
  iface->get_user_data = malt_result_get_user_data;
  iface->is_tagged = malt_result_is_tagged;
}

G_DEFINE_FINAL_TYPE_WITH_CODE (MaltResult, malt_result, G_TYPE_OBJECT,
                               G_IMPLEMENT_INTERFACE (G_TYPE_ASYNC_RESULT, malt_result_async_result_init))

static __thread MaltSpares *spares;

static void
malt_result_clear (MaltResult *self)
{
  g_clear_object (&self->source);
  g_clear_pointer (&self->context, g_main_context_unref);
  g_clear_pointer (&self->value, g_variant_unref);
  g_clear_object (&self->channel);
  g_clear_error (&self->error);
}

static void
malt_result_finalize (GObject *object)
{
  malt_result_clear (MALT_RESULT (object));

  G_OBJECT_CLASS (malt_result_parent_class)->finalize (object);
}

static void
malt_result_class_init (MaltResultClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = malt_result_finalize;
}

static void
malt_result_init (MaltResult *self)
{
}

static void
malt_result_release (MaltResult *self)
{
  if (malt_spares_is_unused (G_OBJECT (self)))
    {
      /* What goes now may run foreign code, which may need a result: only then it is given. */
      malt_result_clear (self);
      if (malt_spares_give (&spares, self, g_object_unref))
        return;
    }

  g_object_unref (self);
}

/* For the context, which is taken. */
static MaltResult *
malt_result_take_context (GMainContext        *context,
                          gpointer             source,
                          gpointer             tag,
                          GAsyncReadyCallback  callback,
                          gpointer             user_data)
{
  MaltResult *self = malt_spares_take (&spares);

  if (self == NULL)
    self = g_object_new (MALT_TYPE_RESULT, NULL);

  self->source = g_object_ref (source);
  self->context = context;
  self->tag = tag;
  self->callback = callback;
  self->user_data = user_data;
  self->is_set = FALSE;

  return self;
}

/* For the main context that is the thread-default one now. */
MaltResult *
malt_result_new (gpointer             source,
                 gpointer             tag,
                 GAsyncReadyCallback  callback,
                 gpointer             user_data)
{
  return malt_result_take_context (g_main_context_ref_thread_default (), source, tag, callback, user_data);
}

MaltResult *
malt_result_new_in (GMainContext        *context,
                    gpointer             source,
                    gpointer             tag,
                    GAsyncReadyCallback  callback,
                    gpointer             user_data)
{
  return malt_result_take_context (g_main_context_ref (context), source, tag, callback, user_data);
}

GMainContext *
malt_result_get_context (MaltResult *self)
{
  return self->context;
}

static gboolean
is_thread_default (GMainContext *context)
{
  GMainContext *current = g_main_context_get_thread_default ();

  return current != NULL ? current == context : context == g_main_context_default ();
}

/* Calls the callback.  Takes value and error, and the result itself.  In a delivery in its
 * context. */
void
malt_result_return (MaltResult *self,
                    GVariant   *value,
                    GError     *error)
{
  gboolean is_default = is_thread_default (self->context);

  self->value = value;
  self->error = error;
  self->is_set = TRUE;

  if (self->callback != NULL)
    {
      if (!is_default)
        g_main_context_push_thread_default (self->context);
      self->callback (self->source, G_ASYNC_RESULT (self), self->user_data);
      if (!is_default)
        g_main_context_pop_thread_default (self->context);
    }

  malt_result_release (self);
}

static void
return_now (MaltDelivery *delivery)
{
  MaltResult *self = (MaltResult *) ((char *) delivery - G_STRUCT_OFFSET (MaltResult, delivery));

  malt_result_return (self, g_steal_pointer (&self->value), g_steal_pointer (&self->error));
}

/* On any thread, also within the function that was given the callback, which it never calls
 * itself.  Takes value and error, and the result itself. */
void
malt_result_return_later (MaltResult *self,
                          GVariant   *value,
                          GError     *error)
{
  self->value = value;
  self->error = error;
  self->delivery.func = return_now;
  malt_deliver (&self->delivery, self->context);
}

/* What comes of it is a channel, which is taken. */
void
malt_result_set_channel (MaltResult  *self,
                         MaltChannel *channel)
{
  self->channel = channel;
}

/* Hands out what came of it, once. */
GVariant *
malt_result_finish (GAsyncResult  *result,
                    gpointer       source,
                    GError       **error)
{
  MaltResult *self;

  g_return_val_if_fail (MALT_IS_RESULT (result), NULL);

  self = MALT_RESULT (result);
  g_return_val_if_fail (self->source == source, NULL);
  g_return_val_if_fail (self->is_set, NULL);

  self->is_set = FALSE;
  if (self->error != NULL)
    g_propagate_error (error, g_steal_pointer (&self->error));

  return g_steal_pointer (&self->value);
}

MaltChannel *
malt_result_finish_channel (GAsyncResult  *result,
                            MaltWorker    *worker,
                            GError       **error)
{
  g_autoptr (GVariant) value = malt_result_finish (result, worker, error);

  return value != NULL ? g_steal_pointer (&MALT_RESULT (result)->channel) : NULL;
}
