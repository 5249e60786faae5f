/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-native-runtime.h"

#include <locale.h>

#include "malt-native-loader.h"

/* The `native` runtime: a request calls a C function by its name, either one that
 * the program registered with malt_register_function(), or `module:function`, which
 * MALT_FUNCTION exported from a shared library, or `Namespace.function`, which GObject
 * Introspection knows.  The expression of a channel is the name of
 * a function without arguments, which returns one.
 *
 * A function's error is handed on as it is; malt_request_return_error() says what
 * becomes of it.  A function that breaks its contract ends its own request only.
 *
 * Functions are called on the serving thread, which owns all fields.  Interrupting
 * and cancelling are the base class's: both cancel the function's cancellable. */
struct _MaltNativeRuntime
{
  MaltRuntime       parent_instance;

  MaltNativeLoader *loader;   /* from start to the end */
  GHashTable       *reported; /* names of functions that broke their contract */
};

G_DEFINE_FINAL_TYPE (MaltNativeRuntime, malt_native_runtime, MALT_TYPE_RUNTIME)

static gboolean
malt_native_runtime_start (MaltRuntime  *runtime,
                           GVariant     *options,
                           GError      **error)
{
  MaltNativeRuntime *self = MALT_NATIVE_RUNTIME (runtime);

  if (options != NULL && g_variant_n_children (options) > 0)
    {
      g_autofree char *name = NULL;

      g_variant_get_child (options, 0, "{sv}", &name, NULL);
      g_set_error (error, MALT_ERROR, MALT_ERROR_NOT_FOUND,
                   "the native runtime has no option '%s'", name);
      return FALSE;
    }

  /* As the programs do that such functions are mostly in. */
  if (malt_runtime_is_own_process (runtime))
    setlocale (LC_ALL, "");

  self->loader = malt_native_loader_new (malt_runtime_get_search_path (runtime));
  return TRUE;
}

/* A function that broke its contract is reported once; each of its requests ends
 * with an error. */
static GError *
report_breach (MaltNativeRuntime *self,
               const char        *name,
               const char        *what)
{
  g_autofree char *message = g_strdup_printf ("the function '%s' %s", name, what);

  if (g_hash_table_add (self->reported, g_strdup (name)))
    g_critical ("%s", message);

  return malt_remote_error_new (MALT_ERROR_REMOTE, "contract-breach", message, NULL);
}

/* Whether the error is one that others can make sense of. */
static gboolean
is_sound (const GError *error)
{
  if (error->message == NULL || g_quark_to_string (error->domain) == NULL)
    return FALSE;
  if (error->domain == MALT_ERROR)
    return error->code >= 0 && error->code <= MALT_ERROR_NOT_FOUND;
  if (error->domain == G_IO_ERROR)
    return error->code >= 0 && error->code <= G_IO_ERROR_NO_SUCH_DEVICE;

  return TRUE;
}

/* Ends the request with what the function returned; takes over @value and @error. */
static void
finish (MaltNativeRuntime *self,
        const char        *name,
        MaltRequest       *request,
        GVariant          *value,
        GError            *error)
{
  const char *breach = NULL;

  if (value != NULL)
    g_variant_take_ref (value);

  if (error != NULL && !is_sound (error))
    breach = "returned an error without a message or with a domain or code that does not exist";
  else if (error != NULL && value != NULL)
    breach = "returned both a value and an error";
  else if (value != NULL && malt_request_is_deferred (request))
    breach = "deferred its answer and returned a value";

  if (breach != NULL)
    malt_request_return_error (request, report_breach (self, name, breach));
  else if (error != NULL)
    malt_request_return_error (request, g_steal_pointer (&error));
  else if (value != NULL)
    malt_request_return_value (request, value);
  else if (!malt_request_is_deferred (request) && !malt_request_is_done (request))
    malt_request_return_value (request, NULL);

  g_clear_pointer (&value, g_variant_unref);
  g_clear_error (&error);
}

static void
malt_native_runtime_handle (MaltRuntime *runtime,
                            MaltRequest *request)
{
  MaltNativeRuntime *self = MALT_NATIVE_RUNTIME (runtime);
  gboolean opens = malt_request_get_kind (request) == MALT_REQUEST_KIND_CHANNEL;
  const char *name = opens ? malt_request_get_source (request) : malt_request_get_function (request);
  g_autoptr (GVariant) no_arguments = NULL;
  GVariant *arguments = malt_request_get_arguments (request);
  MaltFunction function;
  GVariant *value;
  GError *error = NULL;
  gpointer user_data;

  if (malt_request_get_kind (request) == MALT_REQUEST_KIND_EVAL)
    {
      malt_request_return_new_error (request, MALT_ERROR, MALT_ERROR_NOT_SUPPORTED,
                                     "the native runtime evaluates no source; "
                                     "call a function by its name");
      return;
    }

  function = malt_native_loader_find (self->loader, name, &user_data, &error);
  if (function == NULL)
    {
      malt_request_return_error (request, error);
      return;
    }

  if (opens)
    arguments = no_arguments = g_variant_ref_sink (g_variant_new_tuple (NULL, 0));

  value = function (request, arguments, malt_request_get_cancellable (request), user_data, &error);
  finish (self, name, request, value, error);
}

static void
malt_native_runtime_finalize (GObject *object)
{
  MaltNativeRuntime *self = MALT_NATIVE_RUNTIME (object);

  g_clear_pointer (&self->loader, malt_native_loader_free);
  g_hash_table_unref (self->reported);

  G_OBJECT_CLASS (malt_native_runtime_parent_class)->finalize (object);
}

static void
malt_native_runtime_class_init (MaltNativeRuntimeClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  MaltRuntimeClass *runtime_class = MALT_RUNTIME_CLASS (klass);

  object_class->finalize = malt_native_runtime_finalize;

  runtime_class->start = malt_native_runtime_start;
  runtime_class->handle = malt_native_runtime_handle;
}

static void
malt_native_runtime_init (MaltNativeRuntime *self)
{
  self->reported = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
}
