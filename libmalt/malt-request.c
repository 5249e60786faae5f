/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-request-private.h"

#include <string.h>

#include "malt-error.h"
#include "malt-runtime-private.h"
#include "malt-spares.h"
#include "wire/malt-text.h"

/**
 * MaltRequest:
 *
 * One call or evaluation on its way to a runtime and back.
 *
 * A backend gets requests in [vfunc@Malt.Worker.submit], a runtime in
 * [vfunc@Malt.Runtime.handle].  Whoever has a request keeps a reference to it and
 * finishes it exactly once, on any thread and at any later time, with
 * [method@Malt.Request.return_value] or [method@Malt.Request.return_error].  Finishing
 * never runs the caller's code: callbacks are called later, in the caller's main
 * context.
 *
 * A request that is dropped, that is, whose last reference goes before it was finished,
 * ends with an error that says so.
 *
 * Since: 1.0
 */

typedef enum
{
  STATE_PENDING,
  STATE_DONE,
  STATE_ABANDONED, /* its caller was let go; an answer is late, and no mistake */
} RequestState;

/* Of the many that can be under way each is read again when its answer comes, long after it was
 * written: what is looked at then lies close together. */
struct _MaltRequest
{
  GObject parent_instance;

  /* Immutable once it is submitted. */
  MaltRequestKind       kind;
  MaltRequestFlags      flags;
  GMainContext         *context;
  MaltRequestResponder  responder;
  gpointer              responder_data;
  gboolean              is_attended;  /* the context is run always */
  gboolean              is_host_call; /* made by the worker's code, for the program */
  gboolean              stalls;       /* it, until it is finished */
  guint64               serial;       /* the number by which signals of the worker name it, or 0 */

  /* Atomic. */
  gsize                 id;
  MaltRuntime          *runtime;      /* which handles it, until it is finished */
  gint                  state;
  gint                  begun;
  gint                  interrupted;
  gint                  deferred;
  gint                  withdrawn;
  gint                  steps;        /* of a backend that lives in a context: see malt_request_take_step() */

  GCancellable         *cancellable;  /* made when somebody asks for it, and kept */

  gboolean              disposing;    /* owned by whoever drops the last reference */
  MaltRuntime          *owner;        /* (owned) that it was given to, from then on */
  MaltChannel          *channel;      /* owned by whoever finishes it, for the responder */

  /* Immutable once it is submitted. */
  char                 *function;     /* of a call; else the source of an evaluation, or of a channel */
  char                 *module;
  GVariant             *arguments;    /* NULL if there are none */
  GVariant             *keywords;
  MaltRequestAllocator  allocator;
  gpointer              allocator_data;
  char                  text[64];     /* where the function is, if it has room */
};

G_DEFINE_FINAL_TYPE (MaltRequest, malt_request, G_TYPE_OBJECT)

static gpointer request_class;

/* MALT_IS_REQUEST(), a score of times in a call, for a type of which nothing is derived. */
static inline gboolean
is_request (gpointer instance)
{
  return (instance != NULL && ((GTypeInstance *) instance)->g_class == request_class) || MALT_IS_REQUEST (instance);
}

/* What many calls are given and many give is made once, in its serialised form, and kept:
 * with the last value of a type GLib would also drop what it knows of the type. */

static GVariant *
keep (GVariant *value)
{
  g_variant_ref_sink (value);
  g_variant_get_data (value);

  return value;
}

static GVariant *
get_empty_tuple (void)
{
  static GVariant *value = NULL;

  if (g_once_init_enter (&value))
    g_once_init_leave (&value, keep (g_variant_new_tuple (NULL, 0)));

  return value;
}

static GVariant *
get_nothing (void)
{
  static GVariant *value = NULL;

  if (g_once_init_enter (&value))
    g_once_init_leave (&value, keep (g_variant_new_maybe (G_VARIANT_TYPE_VARIANT, NULL)));

  return value;
}

static void
malt_request_leave_runtime (MaltRequest *self)
{
  MaltRuntime *runtime = g_atomic_pointer_get (&self->runtime);

  if (runtime != NULL && g_atomic_pointer_compare_and_exchange (&self->runtime, runtime, NULL))
    malt_runtime_forget (runtime, self);
}

/* Finishes the request, unless somebody has been faster.  Takes value and error, of which
 * there may be neither where nobody waits. */
static void
malt_request_complete_with_channel (MaltRequest *self,
                                    GVariant    *value,
                                    MaltChannel *channel,
                                    GError      *error)
{
  MaltRequestResponder responder;

  malt_request_leave_runtime (self);

  if (g_atomic_int_compare_and_exchange (&self->state, STATE_PENDING, STATE_DONE))
    {
      responder = g_steal_pointer (&self->responder);
      if (responder != NULL)
        {
          self->channel = channel;
          responder (self, value, error, self->responder_data);
          return;
        }
    }
  else if (g_atomic_int_get (&self->state) == STATE_DONE)
    g_critical ("%s was finished twice", self->function != NULL ? self->function : "a request");

  g_clear_pointer (&value, g_variant_unref);
  g_clear_error (&error);
}

static void
malt_request_complete (MaltRequest *self,
                       GVariant    *value,
                       GError      *error)
{
  malt_request_complete_with_channel (self, value, NULL, error);
}

/* Ends it if nobody has.  Nobody but the caller has a reference, but others may still take
 * one now. */
static void
malt_request_drop (MaltRequest *self)
{
  if (!malt_request_is_done (self))
    malt_request_complete (self, NULL,
                           malt_remote_error_new (MALT_ERROR_REMOTE, "DroppedRequest",
                                                  "the request was dropped without an answer", NULL));
  malt_request_leave_runtime (self);
}

static void
malt_request_clear (MaltRequest *self)
{
  if (self->function != self->text)
    g_free (self->function);
  self->function = NULL;
  g_clear_pointer (&self->module, g_free);
  g_clear_pointer (&self->arguments, g_variant_unref);
  g_clear_pointer (&self->keywords, g_variant_unref);
  g_clear_pointer (&self->context, g_main_context_unref);
  self->is_attended = FALSE;
  g_clear_object (&self->owner);
}

static void
malt_request_dispose (GObject *object)
{
  MaltRequest *self = MALT_REQUEST (object);

  self->disposing = TRUE;
  malt_request_drop (self);

  G_OBJECT_CLASS (malt_request_parent_class)->dispose (object);
}

static void
malt_request_finalize (GObject *object)
{
  MaltRequest *self = MALT_REQUEST (object);

  malt_request_clear (self);
  g_clear_object (&self->cancellable);

  G_OBJECT_CLASS (malt_request_parent_class)->finalize (object);
}

static void
malt_request_class_init (MaltRequestClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  request_class = klass;
  object_class->dispose = malt_request_dispose;
  object_class->finalize = malt_request_finalize;
}

static void
malt_request_init (MaltRequest *self)
{
}

/* Requests are used again: making and finalizing a GObject costs more than all else that a
 * call asks of the manager. */

static __thread MaltSpares *spares;

/* Whether the next caller will find it as if it were new. */
static gboolean
is_cancellable_unused (GCancellable *cancellable)
{
  static gsize cancelled_signal;

  if (g_once_init_enter (&cancelled_signal))
    g_once_init_leave (&cancelled_signal, g_signal_lookup ("cancelled", G_TYPE_CANCELLABLE));

  return malt_spares_is_unused (G_OBJECT (cancellable)) && !g_cancellable_is_cancelled (cancellable) &&
         !g_signal_has_handler_pending (cancellable, (guint) cancelled_signal, 0, TRUE);
}

void
malt_request_release (MaltRequest *self)
{
  if (malt_spares_is_unused (&self->parent_instance) && !self->disposing)
    {
      malt_request_drop (self);

      if (malt_spares_is_unused (&self->parent_instance))
        {
          /* What goes now may run foreign code, which may need a request: only then it is given. */
          malt_request_clear (self);
          if (self->cancellable != NULL && !is_cancellable_unused (self->cancellable))
            g_clear_object (&self->cancellable);
          if (malt_spares_give (&spares, self, g_object_unref))
            return;
        }
    }

  g_object_unref (self);
}

/* Whether its last reference is just going, so that it is too late for another one. */
gboolean
malt_request_is_disposing (MaltRequest *self)
{
  return self->disposing;
}

static MaltRequest *
malt_request_new (MaltRequestKind  kind,
                  MaltRequestFlags flags,
                  const char      *text)
{
  MaltRequest *self = malt_spares_take (&spares);
  gsize size;

  if (self == NULL)
    self = g_object_new (MALT_TYPE_REQUEST, NULL);
  else
    {
      self->responder = NULL;
      self->allocator = NULL;
      self->state = STATE_PENDING;
      self->begun = self->interrupted = self->deferred = self->withdrawn = FALSE;
      self->steps = 0;
      self->id = 0;
      self->is_host_call = FALSE;
      self->stalls = FALSE;
      self->serial = 0;
    }

  self->kind = kind;
  self->flags = flags;
  if (text != NULL)
    {
      size = strlen (text) + 1;
      self->function = memcpy (size <= sizeof self->text ? self->text : g_malloc (size), text, size);
    }

  return self;
}

MaltRequest *
malt_request_new_start (void)
{
  return malt_request_new (MALT_REQUEST_KIND_START, MALT_REQUEST_FLAGS_NONE, NULL);
}

/* @arguments is a tuple or %NULL, @keywords an a{sv} or %NULL. */
MaltRequest *
malt_request_new_call (const char       *function,
                       GVariant         *arguments,
                       GVariant         *keywords,
                       MaltRequestFlags  flags)
{
  return malt_request_take_call (function,
                                 arguments != NULL ? g_variant_ref_sink (arguments) : NULL,
                                 keywords != NULL ? g_variant_ref_sink (keywords) : NULL,
                                 flags);
}

/* The same, but takes a reference to each of @arguments and @keywords. */
MaltRequest *
malt_request_take_call (const char       *function,
                        GVariant         *arguments,
                        GVariant         *keywords,
                        MaltRequestFlags  flags)
{
  MaltRequest *self = malt_request_new (MALT_REQUEST_KIND_CALL, flags, function);

  self->arguments = arguments;
  self->keywords = keywords;

  return self;
}

MaltRequest *
malt_request_new_eval (const char       *module,
                       const char       *source,
                       MaltRequestFlags  flags)
{
  MaltRequest *self = malt_request_new (MALT_REQUEST_KIND_EVAL, flags, source);

  self->module = g_strdup (module);

  return self;
}

/* Whether that can be called, in a worker or by its code; of what cannot the error says why. */
gboolean
malt_request_check_call (const char  *function,
                         GVariant    *arguments,
                         GVariant    *keywords,
                         GError     **error)
{
  if (!malt_text_is_valid (function, strlen (function)))
    g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                         "the name of the function is not valid UTF-8");
  else if (*function == '\0')
    g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                         "the name of the function is empty");
  else if (arguments != NULL && *g_variant_get_type_string (arguments) != '(')
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                 "the arguments are of type %s instead of a tuple", g_variant_get_type_string (arguments));
  else if (keywords != NULL && !g_variant_is_of_type (keywords, G_VARIANT_TYPE_VARDICT))
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                 "the keyword arguments are of type %s instead of a{sv}",
                 g_variant_get_type_string (keywords));
  else
    return TRUE;

  return FALSE;
}

/**
 * malt_request_new_host_call: (skip)
 * @function: the name of a function that the manager gives its worker
 * @arguments: (nullable): the positional arguments, a tuple, or %NULL for none; it is not
 *   floating
 * @keywords: (nullable): the keyword arguments, an `a{sv}`, or %NULL for none
 * @answer: (scope forever): told once how it ended, on any thread
 * @user_data: data for @answer
 *
 * Makes the request behind a call of the worker's code into the manager; for backends, which
 * give it to `malt_worker_handle_host_call()`.
 *
 * Returns: (transfer full): the request
 *
 * Since: 1.0
 */
MaltRequest *
malt_request_new_host_call (const char     *function,
                            GVariant       *arguments,
                            GVariant       *keywords,
                            MaltHostAnswer  answer,
                            gpointer        user_data)
{
  MaltRequest *self = malt_request_new_call (function, arguments, keywords, MALT_REQUEST_FLAGS_NONE);

  self->is_host_call = TRUE;
  malt_request_set_responder (self, answer, user_data);

  return self;
}

MaltRequest *
malt_request_new_channel (const char       *module,
                          const char       *expression,
                          MaltRequestFlags  flags)
{
  MaltRequest *self = malt_request_new (MALT_REQUEST_KIND_CHANNEL, flags, expression);

  self->module = g_strdup (module);

  return self;
}

MaltChannel *
malt_request_get_channel (MaltRequest *self)
{
  return self->channel;
}

void
malt_request_set_responder (MaltRequest          *self,
                            MaltRequestResponder  responder,
                            gpointer              user_data)
{
  self->responder = responder;
  self->responder_data = user_data;
}

/* Has another one told how it ends, before anybody else has the request; gives who was to be. */
MaltRequestResponder
malt_request_exchange_responder (MaltRequest          *self,
                                 MaltRequestResponder  responder,
                                 gpointer              user_data,
                                 gpointer             *former_data)
{
  MaltRequestResponder former = self->responder;

  *former_data = self->responder_data;
  malt_request_set_responder (self, responder, user_data);

  return former;
}

void
malt_request_set_allocator (MaltRequest          *self,
                            MaltRequestAllocator  allocator,
                            gpointer              user_data)
{
  self->allocator = allocator;
  self->allocator_data = user_data;
}

void
malt_request_set_context (MaltRequest  *self,
                          GMainContext *context,
                          gboolean      is_attended)
{
  g_assert (self->context == NULL);
  self->context = g_main_context_ref (context);
  self->is_attended = is_attended;
}

void
malt_request_set_runtime (MaltRequest *self,
                          MaltRuntime *runtime)
{
  g_set_object (&self->owner, runtime);
  g_atomic_pointer_set (&self->runtime, runtime);
}

/* The runtime that handles it or has handled it, or %NULL.  Whoever has the request from
 * the runtime may call this on any thread. */
MaltRuntime *
malt_request_get_owner (MaltRequest *self)
{
  return self->owner;
}

void
malt_request_set_serial (MaltRequest *self,
                         guint64      serial)
{
  self->serial = serial;
}

guint64
malt_request_get_serial (MaltRequest *self)
{
  return self->serial;
}

/* Lets the caller go: from now on the request is done, and an answer is dropped.  The
 * responder is not called.  FALSE if it was done already. */
gboolean
malt_request_abandon (MaltRequest *self)
{
  return g_atomic_int_compare_and_exchange (&self->state, STATE_PENDING, STATE_ABANDONED);
}

gboolean
malt_request_is_withdrawn (MaltRequest *self)
{
  return g_atomic_int_get (&self->withdrawn);
}

/* Notes that a backend was given the request, or is to give it up, and says whether the other
 * has come before.  Who cancels does not know whether the request is still on its way to the
 * backend's context. */
gboolean
malt_request_take_step (MaltRequest     *self,
                        MaltRequestStep  step)
{
  return (g_atomic_int_or ((guint *) &self->steps, (guint) step) & (guint) ~step) != 0;
}

/**
 * malt_request_interrupt:
 * @self: a request
 *
 * Notes that the request is being interrupted, by who breaks off the code behind it; it does
 * nothing else.  That it was cancelled, or ended with an exception, is then reported as
 * `MALT_ERROR_INTERRUPTED`.  On any thread.
 *
 * A [class@Malt.Runtime] need not call this.
 *
 * Since: 1.0
 */
void
malt_request_interrupt (MaltRequest *self)
{
  g_return_if_fail (is_request (self));

  g_atomic_int_set (&self->interrupted, TRUE);
}

/* A short text for people: what was to be done. */
char *
malt_request_describe (MaltRequest *self)
{
  const char *end;

  switch (self->kind)
    {
    case MALT_REQUEST_KIND_CALL:
      return g_strdup (self->function);

    case MALT_REQUEST_KIND_EVAL:
    case MALT_REQUEST_KIND_CHANNEL:
      end = self->function;
      while (*end != '\0' && *end != '\n' && g_utf8_pointer_to_offset (self->function, end) < 60)
        end = g_utf8_next_char (end);
      return g_strdup_printf ("%.*s%s", (int) (end - self->function), self->function,
                              *end != '\0' ? "…" : "");

    case MALT_REQUEST_KIND_START:
    default:
      return g_strdup ("start");
    }
}

/**
 * malt_request_get_kind:
 * @self: a request
 *
 * Gets what the request asks for.
 *
 * Returns: the kind
 *
 * Since: 1.0
 */
MaltRequestKind
malt_request_get_kind (MaltRequest *self)
{
  g_return_val_if_fail (is_request (self), MALT_REQUEST_KIND_START);

  return self->kind;
}

/**
 * malt_request_get_flags:
 * @self: a request
 *
 * Gets what the caller wants back.
 *
 * Returns: the flags
 *
 * Since: 1.0
 */
MaltRequestFlags
malt_request_get_flags (MaltRequest *self)
{
  g_return_val_if_fail (is_request (self), MALT_REQUEST_FLAGS_NONE);

  return self->flags;
}

/* Before it is given to the program's function. */
void
malt_request_set_stalls (MaltRequest *self,
                         gboolean     stalls)
{
  self->stalls = stalls;
}

/**
 * malt_request_stalls:
 * @self: a request that a function of the program was given
 *
 * Whether the worker whose code calls the function begins with no other request before this one
 * is finished.  Blocking calls of that worker fail until then.
 *
 * Returns: whether the worker waits
 *
 * Since: 1.0
 */
gboolean
malt_request_stalls (MaltRequest *self)
{
  g_return_val_if_fail (is_request (self), FALSE);

  return self->stalls;
}

/**
 * malt_request_get_function:
 * @self: a request
 *
 * Gets the name of the function that is to be called.
 *
 * Returns: (nullable): the name as the runtime spells it, or %NULL if the request is
 *   not a call
 *
 * Since: 1.0
 */
const char *
malt_request_get_function (MaltRequest *self)
{
  g_return_val_if_fail (is_request (self), NULL);

  return self->kind == MALT_REQUEST_KIND_CALL ? self->function : NULL;
}

/**
 * malt_request_get_arguments:
 * @self: a request
 *
 * Gets the positional arguments of a call.
 *
 * Returns: (transfer none) (nullable): a tuple, which may be empty, or %NULL if the
 *   request is not a call
 *
 * Since: 1.0
 */
GVariant *
malt_request_get_arguments (MaltRequest *self)
{
  g_return_val_if_fail (is_request (self), NULL);

  if (self->arguments == NULL && self->kind == MALT_REQUEST_KIND_CALL)
    return get_empty_tuple ();

  return self->arguments;
}

/**
 * malt_request_get_keywords:
 * @self: a request
 *
 * Gets the keyword arguments of a call.
 *
 * Returns: (transfer none) (nullable): an `a{sv}`, or %NULL if there are none
 *
 * Since: 1.0
 */
GVariant *
malt_request_get_keywords (MaltRequest *self)
{
  g_return_val_if_fail (is_request (self), NULL);

  return self->keywords;
}

/**
 * malt_request_get_module:
 * @self: a request
 *
 * Gets the name of the module in which source is to be evaluated.
 *
 * Returns: (nullable): the name, or %NULL for the main namespace
 *
 * Since: 1.0
 */
const char *
malt_request_get_module (MaltRequest *self)
{
  g_return_val_if_fail (is_request (self), NULL);

  return self->module;
}

/**
 * malt_request_get_source:
 * @self: a request
 *
 * Gets the source that is to be evaluated.
 *
 * Returns: (nullable): the source in UTF-8, or %NULL if the request is neither an
 *   evaluation nor for a channel
 *
 * Since: 1.0
 */
const char *
malt_request_get_source (MaltRequest *self)
{
  g_return_val_if_fail (is_request (self), NULL);

  return self->kind == MALT_REQUEST_KIND_EVAL || self->kind == MALT_REQUEST_KIND_CHANNEL ? self->function : NULL;
}

/**
 * malt_request_get_cancellable:
 * @self: a request
 *
 * Gets what becomes cancelled when the code behind the request should give up: its
 * caller has cancelled it, its deadline has passed, or it was interrupted.  On any
 * thread.
 *
 * Returns: (transfer none): the request's own cancellable
 *
 * Since: 1.0
 */
GCancellable *
malt_request_get_cancellable (MaltRequest *self)
{
  GCancellable *cancellable;

  g_return_val_if_fail (is_request (self), NULL);

  cancellable = g_atomic_pointer_get (&self->cancellable);
  if (cancellable == NULL)
    {
      cancellable = g_cancellable_new ();
      if (!g_atomic_pointer_compare_and_exchange (&self->cancellable, NULL, cancellable))
        {
          g_object_unref (cancellable);
          cancellable = g_atomic_pointer_get (&self->cancellable);
        }
    }

  return cancellable;
}

/**
 * malt_request_get_context: (skip)
 * @self: a request
 *
 * Gets the main context in which the caller awaits the result.  A backend that has to
 * read for its replies sees to it that they are read there.
 *
 * Returns: (transfer none) (nullable): the context, or %NULL if a thread blocks or
 *   nobody waits
 *
 * Since: 1.0
 */
GMainContext *
malt_request_get_context (MaltRequest *self)
{
  g_return_val_if_fail (is_request (self), NULL);

  return self->context;
}

/**
 * malt_request_is_attended: (skip)
 * @self: a request
 *
 * Whether [method@Malt.Request.get_context] is run always, by a thread that does nothing else.
 *
 * Returns: whether it is
 *
 * Since: 1.0
 */
gboolean
malt_request_is_attended (MaltRequest *self)
{
  g_return_val_if_fail (is_request (self), FALSE);

  return self->is_attended;
}

/**
 * malt_request_get_id:
 * @self: a request
 *
 * Gets the number that was set with [method@Malt.Request.set_id].
 *
 * Returns: the number, 0 if none was set
 *
 * Since: 1.0
 */
guint64
malt_request_get_id (MaltRequest *self)
{
  g_return_val_if_fail (is_request (self), 0);

  return (guint64) (gsize) g_atomic_pointer_get (&self->id);
}

/**
 * malt_request_set_id:
 * @self: a request
 * @id: a number
 *
 * Notes the number by which a backend knows the request.  The library makes no use of
 * it.  On any thread.
 *
 * Since: 1.0
 */
void
malt_request_set_id (MaltRequest *self,
                     guint64      id)
{
  g_return_if_fail (is_request (self));

  g_atomic_pointer_set (&self->id, (gsize) id);
}

/**
 * malt_request_is_done:
 * @self: a request
 *
 * Whether the request has been finished, or its caller waits no more.  On any thread.
 *
 * Returns: whether it is done
 *
 * Since: 1.0
 */
gboolean
malt_request_is_done (MaltRequest *self)
{
  g_return_val_if_fail (is_request (self), TRUE);

  return g_atomic_int_get (&self->state) != STATE_PENDING;
}

/**
 * malt_request_set_begun:
 * @self: a request
 *
 * Says that the runtime knows of the request: from now on [method@Malt.Runtime.interrupt]
 * without a request finds it, if it is what executes.  For a runtime whose `handle` executes
 * code; until it says so, and while `handle` has not returned, an interrupt names the request.
 * On the serving thread; does not block.
 *
 * Since: 1.0
 */
void
malt_request_set_begun (MaltRequest *self)
{
  g_return_if_fail (is_request (self));

  g_atomic_int_set (&self->begun, TRUE);
}

/**
 * malt_request_has_begun:
 * @self: a request
 *
 * Whether a runtime knows of the request, and has not finished it: see
 * [method@Malt.Request.set_begun].  On any thread.
 *
 * Returns: whether it has begun
 *
 * Since: 1.0
 */
gboolean
malt_request_has_begun (MaltRequest *self)
{
  g_return_val_if_fail (is_request (self), FALSE);

  return g_atomic_int_get (&self->begun) && g_atomic_pointer_get (&self->runtime) != NULL;
}

/**
 * malt_request_is_interrupted:
 * @self: a request
 *
 * Whether the request was interrupted while it was under way.  On any thread.
 *
 * Returns: whether it was interrupted
 *
 * Since: 1.0
 */
gboolean
malt_request_is_interrupted (MaltRequest *self)
{
  g_return_val_if_fail (is_request (self), FALSE);

  return g_atomic_int_get (&self->interrupted);
}

/**
 * malt_request_new_buffer: (skip)
 * @self: a request
 * @size: how many bytes
 * @data: (out) (not nullable): where they can be written
 *
 * Makes room for an array of numbers that will be the value of this or another request of
 * the same worker, where it can be returned without being copied: in memory that is shared
 * with the manager, if there is such memory and room in it, else in this process's own.  Does
 * not block; on any thread.
 *
 * ```c
 * MALT_FUNCTION (zeroes)
 * {
 *   g_autoptr (GBytes) bytes = NULL;
 *   gpointer data;
 *
 *   bytes = malt_request_new_buffer (request, 1000000, &data);
 *   memset (data, 0, 1000000);
 *   return g_variant_new_from_bytes (G_VARIANT_TYPE ("ay"), bytes, TRUE);
 * }
 * ```
 *
 * Once it was returned the bytes should not be written any more, as the manager may be
 * reading them.  They hold anything at first.
 *
 * Returns: (transfer full): the bytes, 8-aligned
 *
 * Since: 1.0
 */
GBytes *
malt_request_new_buffer (MaltRequest *self,
                         gsize        size,
                         gpointer    *data)
{
  GBytes *bytes = NULL;

  g_return_val_if_fail (MALT_IS_REQUEST (self), NULL);
  g_return_val_if_fail (data != NULL, NULL);

  if (self->allocator != NULL)
    bytes = self->allocator (size, data, self->allocator_data);
  if (bytes != NULL)
    return bytes;

  *data = g_malloc (MAX (size, 1));
  return g_bytes_new_take (*data, size);
}

/**
 * malt_request_defer:
 * @self: a request
 *
 * Says, in a [callback@Malt.Function], that the request will be finished later.  The
 * function keeps a reference and returns %NULL.
 *
 * Since: 1.0
 */
void
malt_request_defer (MaltRequest *self)
{
  g_return_if_fail (is_request (self));

  g_atomic_int_set (&self->deferred, TRUE);
}

/**
 * malt_request_is_deferred:
 * @self: a request
 *
 * Whether [method@Malt.Request.defer] was called.
 *
 * Returns: whether it will be finished later
 *
 * Since: 1.0
 */
gboolean
malt_request_is_deferred (MaltRequest *self)
{
  g_return_val_if_fail (is_request (self), FALSE);

  return g_atomic_int_get (&self->deferred);
}

/**
 * malt_request_return_value:
 * @self: a request
 * @value: (nullable): the value; if it is floating, it is taken.  %NULL is nothing
 *
 * Finishes the request with a value.  On any thread; does not block, and runs no code
 * of the caller's.  A request for a channel fails with `MALT_ERROR_SERIALIZATION` then.
 *
 * Since: 1.0
 */
void
malt_request_return_value (MaltRequest *self,
                           GVariant    *value)
{
  g_return_if_fail (is_request (self));

  if (self->kind == MALT_REQUEST_KIND_CHANNEL)
    {
      g_autoptr (GVariant) own = value != NULL ? g_variant_ref_sink (value) : NULL;

      malt_request_return_new_error (self, MALT_ERROR, MALT_ERROR_SERIALIZATION,
                                     "the expression gave %s%s instead of a channel",
                                     own != NULL ? "a value of type " : "nothing",
                                     own != NULL ? g_variant_get_type_string (own) : "");
      return;
    }

  malt_request_complete (self, value != NULL ? g_variant_ref_sink (value) : g_variant_ref (get_nothing ()), NULL);
}

/**
 * malt_request_return_channel:
 * @self: a request
 * @channel: the channel
 *
 * Finishes a request for a channel, [method@Malt.Worker.open_channel], with that.  On any
 * thread; does not block, and runs no code of the caller's.
 *
 * Another request fails with `MALT_ERROR_SERIALIZATION` then, because a channel is not a
 * value.
 *
 * ```c
 * static MaltChannel *numbers;
 *
 * MALT_FUNCTION (open_numbers)
 * {
 *   if (numbers == NULL)
 *     numbers = malt_channel_new (100);
 *   malt_request_return_channel (request, numbers);
 *   return NULL;
 * }
 * ```
 *
 * Since: 1.0
 */
void
malt_request_return_channel (MaltRequest *self,
                             MaltChannel *channel)
{
  g_return_if_fail (is_request (self));
  g_return_if_fail (MALT_IS_CHANNEL (channel));

  if (self->kind == MALT_REQUEST_KIND_CHANNEL)
    malt_request_complete_with_channel (self, g_variant_ref (get_nothing ()), channel, NULL);
  else if ((self->flags & (MALT_REQUEST_FLAGS_NO_VALUE | MALT_REQUEST_FLAGS_NO_REPLY)) != 0)
    malt_request_return_value (self, NULL);
  else
    malt_request_return_new_error (self, MALT_ERROR, MALT_ERROR_SERIALIZATION,
                                   "a channel cannot be a value; it has to be opened");
}

/* What a runtime reports is what code in the worker did: only the manager says that a
 * worker has ended or a deadline has passed, and errors of other domains mean nothing
 * at the other end. */
static GError *
error_from_runtime (MaltRequest *self,
                    GError      *error)
{
  g_autoptr (GError) own = error;
  g_autofree char *type = NULL;

  if (g_error_matches (own, G_IO_ERROR, G_IO_ERROR_CANCELLED) && malt_request_is_interrupted (self))
    return malt_remote_error_new (MALT_ERROR_INTERRUPTED, NULL, own->message, NULL);

  if (own->domain == G_IO_ERROR)
    return g_steal_pointer (&own);

  if (own->domain == MALT_ERROR &&
      own->code != MALT_ERROR_TERMINATED &&
      own->code != MALT_ERROR_TIMEOUT &&
      own->code != MALT_ERROR_PROTOCOL)
    return g_steal_pointer (&own);

  type = g_strdup_printf ("%s(%d)", g_quark_to_string (own->domain), own->code);
  return malt_remote_error_new (MALT_ERROR_REMOTE, type, own->message, NULL);
}

/* What a function of the program reports is an error of whatever domain. */
static GError *
error_from_host (GError *error)
{
  g_autoptr (GError) own = error;
  g_autofree char *type = NULL;

  if (own->domain == MALT_ERROR || own->domain == G_IO_ERROR)
    return g_steal_pointer (&own);

  type = g_strdup_printf ("%s(%d)", g_quark_to_string (own->domain), own->code);
  return malt_remote_error_new (MALT_ERROR_REMOTE, type, own->message, NULL);
}

/* What went wrong in a request for whose end nobody waits. */
static void
print_unheard_error (MaltRequest  *self,
                     const GError *error)
{
  g_autofree char *what = malt_request_describe (self);
  g_autofree char *traceback = malt_remote_error_dup_traceback (error);

  g_printerr ("%s: %s%s%s\n", what, error->message,
              traceback != NULL ? "\n" : "", traceback != NULL ? g_strchomp (traceback) : "");
}

/**
 * malt_request_return_error:
 * @self: a request
 * @error: (transfer full): what went wrong
 *
 * Finishes the request with an error.  On any thread; does not block, and runs no code
 * of the caller's.
 *
 * From a runtime, errors of the domains [error@Malt.Error] and `G_IO_ERROR` arrive as
 * they are, others as `MALT_ERROR_REMOTE` with the domain and code as the type.
 * `G_IO_ERROR_CANCELLED` after an interrupt arrives as `MALT_ERROR_INTERRUPTED`.
 *
 * Since: 1.0
 */
void
malt_request_return_error (MaltRequest *self,
                           GError      *error)
{
  g_return_if_fail (is_request (self));
  g_return_if_fail (error != NULL);

  if (g_atomic_pointer_get (&self->runtime) != NULL)
    {
      error = error_from_runtime (self, error);
      if ((self->flags & MALT_REQUEST_FLAGS_NO_REPLY) != 0)
        {
          print_unheard_error (self, error);
          g_clear_error (&error);
        }
    }

  else if (self->is_host_call)
    error = error_from_host (error);

  malt_request_complete (self, NULL, error);
}

/**
 * malt_request_return_exception:
 * @self: a request
 * @type: (nullable): the type of the exception, as its language names it
 * @message: (nullable): its text
 * @traceback: (nullable): where it came from, as its language shows it
 *
 * Finishes the request with an exception of the code that it ran: `MALT_ERROR_REMOTE`,
 * or `MALT_ERROR_INTERRUPTED` if the request was interrupted.  On any thread; does not
 * block, and runs no code of the caller's.
 *
 * Since: 1.0
 */
void
malt_request_return_exception (MaltRequest *self,
                               const char  *type,
                               const char  *message,
                               const char  *traceback)
{
  g_return_if_fail (is_request (self));

  malt_request_return_error (self,
                             malt_remote_error_new (malt_request_is_interrupted (self)
                                                      ? MALT_ERROR_INTERRUPTED : MALT_ERROR_REMOTE,
                                                    type, message, traceback));
}

/**
 * malt_request_return_new_error: (skip)
 * @self: a request
 * @domain: an error domain
 * @code: a code of it
 * @format: a `printf()` format
 * @...: its arguments
 *
 * Finishes the request with a new error, as [method@Malt.Request.return_error] does.
 *
 * Since: 1.0
 */
void
malt_request_return_new_error (MaltRequest *self,
                               GQuark       domain,
                               int          code,
                               const char  *format,
                               ...)
{
  GError *error;
  va_list arguments;

  g_return_if_fail (is_request (self));

  va_start (arguments, format);
  error = g_error_new_valist (domain, code, format, arguments);
  va_end (arguments);

  malt_request_return_error (self, error);
}

/**
 * malt_request_return_withdrawn:
 * @self: a request
 *
 * Finishes a request that was cancelled before it started.  On any thread.
 *
 * Since: 1.0
 */
void
malt_request_return_withdrawn (MaltRequest *self)
{
  g_return_if_fail (is_request (self));

  g_atomic_int_set (&self->withdrawn, TRUE);
  malt_request_complete (self, NULL,
                         g_error_new_literal (G_IO_ERROR, G_IO_ERROR_CANCELLED,
                                              "the request was withdrawn before it started"));
}
