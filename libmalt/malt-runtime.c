/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-runtime-private.h"

#include "malt-error.h"
#include "malt-registry.h"
#include "malt-request-private.h"

/**
 * MaltRuntime:
 *
 * A language that a worker speaks.
 *
 * A runtime decides what a request means.  It is driven by whoever has a place to run
 * code: the worker program of the process backend, the thread of an in-process worker.
 * That place is the serving thread: [method@Malt.Runtime.start],
 * [method@Malt.Runtime.handle], [method@Malt.Runtime.wait] and
 * [method@Malt.Runtime.stop] are called on it, and
 * only [method@Malt.Runtime.cancel] and [method@Malt.Runtime.interrupt] come from others.
 *
 * A module makes a subclass known as an extension of
 * `MALT_RUNTIME_EXTENSION_POINT`, under the name of the language.
 *
 * Since: 1.0
 */

typedef struct
{
  /* Immutable after construction. */
  gboolean   own_process;
  char     **search_path;
  MaltHost   host;

  /* Owned by the serving thread. */
  GSource   *wait_source;

  /* Atomic: see the comment above PIN. */
  gsize      current;

  GMutex     lock;
  /* Guarded by lock: not owned, because a request leaves here before it is gone. */
  GPtrArray *unfinished; /* in the order in which they started, without the current one */
} MaltRuntimePrivate;

enum
{
  PROP_OWN_PROCESS = 1,
  PROP_SEARCH_PATH,
  N_PROPERTIES
};

static GParamSpec *properties[N_PROPERTIES];

G_DEFINE_ABSTRACT_TYPE_WITH_PRIVATE (MaltRuntime, malt_runtime, G_TYPE_OBJECT)

MaltHost *
malt_runtime_get_host (MaltRuntime *self)
{
  MaltRuntimePrivate *priv = malt_runtime_get_instance_private (self);

  return &priv->host;
}

static gboolean
malt_runtime_real_start (MaltRuntime  *self,
                         GVariant     *options,
                         GError      **error)
{
  return TRUE;
}

/* The source with which the default of wait() watches its descriptor.  It stays where it
 * is between the waits, because to attach one costs a wake-up of the context, and polls
 * only during them. */
typedef struct
{
  GSource  source;

  /* Owned by the serving thread. */
  GPollFD  poll_fd;
  gboolean is_waiting;
} MaltWaitSource;

static gboolean
wait_source_prepare (GSource *source,
                     int     *timeout)
{
  MaltWaitSource *self = (MaltWaitSource *) source;

  *timeout = -1;
  self->poll_fd.events = self->is_waiting ? G_IO_IN : 0;

  return FALSE;
}

static gboolean
wait_source_check (GSource *source)
{
  MaltWaitSource *self = (MaltWaitSource *) source;

  return self->is_waiting && self->poll_fd.revents != 0;
}

static gboolean
wait_source_dispatch (GSource     *source,
                      GSourceFunc  callback,
                      gpointer     user_data)
{
  ((MaltWaitSource *) source)->is_waiting = FALSE;

  return G_SOURCE_CONTINUE;
}

static GSourceFuncs wait_source_funcs = {
  .prepare = wait_source_prepare,
  .check = wait_source_check,
  .dispatch = wait_source_dispatch,
};

/* On the serving thread, as long as its context is there: to destroy it needs that. */
static void
drop_wait_source (MaltRuntimePrivate *priv)
{
  if (priv->wait_source != NULL)
    g_source_destroy (priv->wait_source);
  g_clear_pointer (&priv->wait_source, g_source_unref);
}

static MaltWaitSource *
get_wait_source (MaltRuntime  *self,
                 GMainContext *context,
                 int           fd)
{
  MaltRuntimePrivate *priv = malt_runtime_get_instance_private (self);
  MaltWaitSource *source = (MaltWaitSource *) priv->wait_source;

  if (source != NULL && source->poll_fd.fd == fd && g_source_get_context (priv->wait_source) == context)
    return source;

  drop_wait_source (priv);
  priv->wait_source = g_source_new (&wait_source_funcs, sizeof (MaltWaitSource));
  g_source_set_static_name (priv->wait_source, "[malt] request");
  /* Else GLib takes its descriptor off and on again around each dispatch, which costs two
   * wake-ups. */
  g_source_set_can_recurse (priv->wait_source, TRUE);
  source = (MaltWaitSource *) priv->wait_source;
  source->poll_fd.fd = fd;
  g_source_add_poll (priv->wait_source, &source->poll_fd);
  g_source_attach (priv->wait_source, context);

  return source;
}

static void
malt_runtime_real_wait (MaltRuntime *self,
                        int          fd)
{
  g_autoptr (GMainContext) context = g_main_context_ref_thread_default ();
  MaltWaitSource *source = get_wait_source (self, context, fd);

  source->is_waiting = TRUE;
  while (source->is_waiting)
    g_main_context_iteration (context, TRUE);
}

static void
malt_runtime_real_cancel (MaltRuntime *self,
                          MaltRequest *request)
{
  g_cancellable_cancel (malt_request_get_cancellable (request));
}

/* Which requests are under way.
 *
 * Most are finished before handle() returns.  So the one that handle() is busy with is
 * not in the list of the others but in MaltRuntimePrivate.current, which it can enter and
 * leave without the lock.  It is not owned there either; whoever has the lock and wants it
 * pins it with PIN, and one that is pinned leaves with the lock. */

#define PIN ((gsize) 1)

static gboolean
exchange_current (MaltRuntimePrivate *priv,
                  gsize               from,
                  gsize               to)
{
  return g_atomic_pointer_compare_and_exchange (&priv->current, from, to);
}

/* A reference to the current request, or %NULL if there is none. */
static MaltRequest *
ref_current_locked (MaltRuntimePrivate *priv)
{
  gsize current = g_atomic_pointer_get (&priv->current);
  MaltRequest *request;

  if (current == 0 || !exchange_current (priv, current, current | PIN))
    return NULL;

  request = g_object_ref (GSIZE_TO_POINTER (current));
  g_atomic_pointer_set (&priv->current, current);

  return request;
}

/* Puts the current request, if there is still one, into the list.  On the serving
 * thread. */
static void
keep_current (MaltRuntimePrivate *priv)
{
  gsize current;

  g_mutex_lock (&priv->lock);
  current = g_atomic_pointer_get (&priv->current);
  if (current != 0 && exchange_current (priv, current, 0))
    {
      g_ptr_array_add (priv->unfinished, GSIZE_TO_POINTER (current));
      malt_request_set_begun (GSIZE_TO_POINTER (current));
    }
  g_mutex_unlock (&priv->lock);
}

static MaltRequest *
ref_latest_unfinished (MaltRuntime *self)
{
  MaltRuntimePrivate *priv = malt_runtime_get_instance_private (self);
  MaltRequest *latest;

  g_mutex_lock (&priv->lock);
  latest = ref_current_locked (priv);
  if (latest == NULL && priv->unfinished->len > 0)
    latest = g_object_ref (g_ptr_array_index (priv->unfinished, priv->unfinished->len - 1));
  g_mutex_unlock (&priv->lock);

  return latest;
}

static void
malt_runtime_real_interrupt (MaltRuntime *self,
                             MaltRequest *request)
{
  g_autoptr (MaltRequest) latest = request != NULL ? g_object_ref (request) : ref_latest_unfinished (self);

  if (latest == NULL)
    return;

  malt_request_interrupt (latest);
  g_cancellable_cancel (malt_request_get_cancellable (latest));
}

static void
malt_runtime_real_stop (MaltRuntime *self)
{
}

static void
malt_runtime_get_property (GObject    *object,
                           guint       prop_id,
                           GValue     *value,
                           GParamSpec *pspec)
{
  MaltRuntimePrivate *priv = malt_runtime_get_instance_private (MALT_RUNTIME (object));

  switch (prop_id)
    {
    case PROP_OWN_PROCESS:
      g_value_set_boolean (value, priv->own_process);
      break;
    case PROP_SEARCH_PATH:
      g_value_set_boxed (value, priv->search_path);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, prop_id, pspec);
    }
}

static void
malt_runtime_set_property (GObject      *object,
                           guint         prop_id,
                           const GValue *value,
                           GParamSpec   *pspec)
{
  MaltRuntimePrivate *priv = malt_runtime_get_instance_private (MALT_RUNTIME (object));

  switch (prop_id)
    {
    case PROP_OWN_PROCESS:
      priv->own_process = g_value_get_boolean (value);
      break;
    case PROP_SEARCH_PATH:
      priv->search_path = g_value_dup_boxed (value);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, prop_id, pspec);
    }
}

static void
malt_runtime_finalize (GObject *object)
{
  MaltRuntimePrivate *priv = malt_runtime_get_instance_private (MALT_RUNTIME (object));

  drop_wait_source (priv);
  g_clear_pointer (&priv->search_path, g_strfreev);
  if (priv->host.destroy != NULL)
    priv->host.destroy (priv->host.user_data);
  g_clear_pointer (&priv->unfinished, g_ptr_array_unref);
  g_mutex_clear (&priv->lock);

  G_OBJECT_CLASS (malt_runtime_parent_class)->finalize (object);
}

static void
malt_runtime_class_init (MaltRuntimeClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->get_property = malt_runtime_get_property;
  object_class->set_property = malt_runtime_set_property;
  object_class->finalize = malt_runtime_finalize;

  klass->start = malt_runtime_real_start;
  klass->wait = malt_runtime_real_wait;
  klass->cancel = malt_runtime_real_cancel;
  klass->interrupt = malt_runtime_real_interrupt;
  klass->stop = malt_runtime_real_stop;

  /**
   * MaltRuntime:own-process:
   *
   * Whether the process is there for the runtime alone, with its main thread and its
   * signals; else it is the application's.
   *
   * Since: 1.0
   */
  properties[PROP_OWN_PROCESS] =
    g_param_spec_boolean ("own-process", NULL, NULL, FALSE,
                          G_PARAM_READWRITE | G_PARAM_CONSTRUCT_ONLY | G_PARAM_STATIC_STRINGS);

  /**
   * MaltRuntime:search-path:
   *
   * Where the runtime looks for modules first.
   *
   * Since: 1.0
   */
  properties[PROP_SEARCH_PATH] =
    g_param_spec_boxed ("search-path", NULL, NULL, G_TYPE_STRV,
                        G_PARAM_READWRITE | G_PARAM_CONSTRUCT_ONLY | G_PARAM_STATIC_STRINGS);

  g_object_class_install_properties (object_class, N_PROPERTIES, properties);
}

static void
malt_runtime_init (MaltRuntime *self)
{
  MaltRuntimePrivate *priv = malt_runtime_get_instance_private (self);

  g_mutex_init (&priv->lock);
  priv->unfinished = g_ptr_array_new ();
}

/* The request is finished. */
void
malt_runtime_forget (MaltRuntime *self,
                     MaltRequest *request)
{
  MaltRuntimePrivate *priv = malt_runtime_get_instance_private (self);

  if (exchange_current (priv, GPOINTER_TO_SIZE (request), 0))
    return;

  g_mutex_lock (&priv->lock);
  if (!exchange_current (priv, GPOINTER_TO_SIZE (request), 0))
    g_ptr_array_remove (priv->unfinished, request);
  g_mutex_unlock (&priv->lock);
}

/**
 * malt_runtime_new:
 * @name: the name of a runtime, for instance `"python"`
 * @own_process: whether the process is there for the runtime alone
 * @search_path: (nullable) (array zero-terminated=1): where the runtime looks for
 *   modules first
 * @error: return location for an error
 *
 * Finds the runtime of that name, loading its module if need be, and makes one that
 * is not yet started.
 *
 * Fails with `MALT_ERROR_NOT_FOUND` if there is none or its module cannot be loaded.
 *
 * Returns: (transfer full): the runtime, or %NULL with @error set
 *
 * Since: 1.0
 */
MaltRuntime *
malt_runtime_new (const char          *name,
                  gboolean             own_process,
                  const char * const  *search_path,
                  GError             **error)
{
  GType type;

  g_return_val_if_fail (name != NULL, NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  type = malt_registry_lookup (MALT_MODULE_KIND_RUNTIME, name, error);
  if (type == G_TYPE_INVALID)
    return NULL;

  return g_object_new (type, "own-process", own_process, "search-path", search_path, NULL);
}

/**
 * malt_runtime_is_own_process:
 * @self: a runtime
 *
 * Whether the process is there for the runtime alone.
 *
 * Returns: [property@Malt.Runtime:own-process]
 *
 * Since: 1.0
 */
gboolean
malt_runtime_is_own_process (MaltRuntime *self)
{
  MaltRuntimePrivate *priv = malt_runtime_get_instance_private (self);

  g_return_val_if_fail (MALT_IS_RUNTIME (self), FALSE);

  return priv->own_process;
}

/**
 * malt_runtime_get_search_path:
 * @self: a runtime
 *
 * Gets where the runtime looks for modules first.
 *
 * Returns: (transfer none) (nullable) (array zero-terminated=1): directories
 *
 * Since: 1.0
 */
const char * const *
malt_runtime_get_search_path (MaltRuntime *self)
{
  MaltRuntimePrivate *priv = malt_runtime_get_instance_private (self);

  g_return_val_if_fail (MALT_IS_RUNTIME (self), NULL);

  return (const char * const *) priv->search_path;
}

/**
 * malt_runtime_start:
 * @self: a runtime
 * @options: (nullable): the runtime's own options, an `a{sv}`
 * @error: return location for an error
 *
 * Makes the runtime ready.  On the serving thread, once, before anything else.
 *
 * Returns: whether it is ready; if not, @error is set
 *
 * Since: 1.0
 */
gboolean
malt_runtime_start (MaltRuntime  *self,
                    GVariant     *options,
                    GError      **error)
{
  MaltRuntimePrivate *priv = malt_runtime_get_instance_private (self);
  GError *local_error = NULL;
  gboolean ready;

  g_return_val_if_fail (MALT_IS_RUNTIME (self), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  priv->host.code_thread = g_thread_self ();
  ready = MALT_RUNTIME_GET_CLASS (self)->start (self, options, &local_error);
  if (!ready && local_error == NULL)
    {
      g_critical ("%s did not start and gave no reason", G_OBJECT_TYPE_NAME (self));
      local_error = g_error_new (MALT_ERROR, MALT_ERROR_START, "%s did not start and gave no reason",
                                 G_OBJECT_TYPE_NAME (self));
    }
  if (ready && local_error != NULL)
    {
      g_critical ("%s started and gave an error: %s", G_OBJECT_TYPE_NAME (self), local_error->message);
      g_clear_error (&local_error);
    }
  if (local_error != NULL)
    g_propagate_error (error, local_error);

  return ready;
}

/**
 * malt_runtime_handle:
 * @self: a runtime
 * @request: a request
 *
 * Begins with a request.  It is finished when [method@Malt.Request.is_done] says so,
 * which may be later.  On the serving thread.
 *
 * Since: 1.0
 */
void
malt_runtime_handle (MaltRuntime *self,
                     MaltRequest *request)
{
  MaltRuntimePrivate *priv = malt_runtime_get_instance_private (self);

  g_return_if_fail (MALT_IS_RUNTIME (self));
  g_return_if_fail (MALT_IS_REQUEST (request));

  /* A function may itself have requests handled. */
  if (G_UNLIKELY (g_atomic_pointer_get (&priv->current) != 0))
    keep_current (priv);

  /* In this order, as whoever sees its runtime looks for it there. */
  g_atomic_pointer_set (&priv->current, GPOINTER_TO_SIZE (request));
  malt_request_set_runtime (request, self);

  MALT_RUNTIME_GET_CLASS (self)->handle (self, request);

  if (g_atomic_pointer_get (&priv->current) != 0)
    keep_current (priv);
}

/**
 * malt_runtime_wait:
 * @self: a runtime
 * @fd: a descriptor
 *
 * Blocks until the descriptor can be read; meanwhile what the runtime has under way
 * goes on.  On the serving thread.
 *
 * Since: 1.0
 */
void
malt_runtime_wait (MaltRuntime *self,
                   int          fd)
{
  g_return_if_fail (MALT_IS_RUNTIME (self));
  g_return_if_fail (fd >= 0);

  MALT_RUNTIME_GET_CLASS (self)->wait (self, fd);
}

/**
 * malt_runtime_cancel:
 * @self: a runtime
 * @request: a request that has started
 *
 * Asks the code behind a request to give up.  On any thread; does not block.
 *
 * Since: 1.0
 */
void
malt_runtime_cancel (MaltRuntime *self,
                     MaltRequest *request)
{
  g_return_if_fail (MALT_IS_RUNTIME (self));
  g_return_if_fail (MALT_IS_REQUEST (request));

  if (!malt_request_is_done (request))
    MALT_RUNTIME_GET_CLASS (self)->cancel (self, request);
}

/**
 * malt_runtime_interrupt:
 * @self: a runtime
 * @request: (nullable): a request that has started, or %NULL for what runs now
 *
 * Breaks off the code behind a request.  Without one, what executes now; if nothing
 * executes but requests wait for something, the latest of them; else what belongs to no
 * request and holds up the serving thread, if the runtime can; else nothing.  On any
 * thread; does not block.
 *
 * Since: 1.0
 */
void
malt_runtime_interrupt (MaltRuntime *self,
                        MaltRequest *request)
{
  g_return_if_fail (MALT_IS_RUNTIME (self));
  g_return_if_fail (request == NULL || MALT_IS_REQUEST (request));

  if (request == NULL || !malt_request_is_done (request))
    MALT_RUNTIME_GET_CLASS (self)->interrupt (self, request);
}

/**
 * malt_runtime_stop:
 * @self: a runtime
 *
 * Ends the runtime.  On the serving thread, once, after everything else.
 *
 * Since: 1.0
 */
void
malt_runtime_stop (MaltRuntime *self)
{
  g_return_if_fail (MALT_IS_RUNTIME (self));

  MALT_RUNTIME_GET_CLASS (self)->stop (self);

  /* The last reference may go on another thread, just as the context does. */
  drop_wait_source (malt_runtime_get_instance_private (self));
}

/**
 * malt_runtime_has_unfinished:
 * @self: a runtime
 *
 * Whether requests were started and not finished.  On any thread.
 *
 * Returns: whether there are any
 *
 * Since: 1.0
 */
gboolean
malt_runtime_has_unfinished (MaltRuntime *self)
{
  MaltRuntimePrivate *priv = malt_runtime_get_instance_private (self);
  gboolean result;

  g_return_val_if_fail (MALT_IS_RUNTIME (self), FALSE);

  g_mutex_lock (&priv->lock);
  result = priv->unfinished->len > 0 || g_atomic_pointer_get (&priv->current) != 0;
  g_mutex_unlock (&priv->lock);

  return result;
}
