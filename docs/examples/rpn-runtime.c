/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A runtime: reverse Polish notation.  An evaluation takes numbers and + - * / from left
 * to right; the stack stays from one evaluation to the next, and its top is the value.
 *
 * cc -shared -fPIC -o libmalt-runtime-rpn.so rpn-runtime.c $(pkg-config --cflags --libs malt-1) */

#include <malt.h>

#define RPN_TYPE_RUNTIME (rpn_runtime_get_type ())
G_DECLARE_FINAL_TYPE (RpnRuntime, rpn_runtime, RPN, RUNTIME, MaltRuntime)

struct _RpnRuntime
{
  MaltRuntime  parent_instance;
  GArray      *stack; /* of double; only on the serving thread */
};

G_DEFINE_FINAL_TYPE (RpnRuntime, rpn_runtime, MALT_TYPE_RUNTIME)

static gboolean
rpn_runtime_start (MaltRuntime *runtime, GVariant *options, GError **error)
{
  RpnRuntime *self = RPN_RUNTIME (runtime);
  g_auto (GVariantDict) dictionary = G_VARIANT_DICT_INIT (options);
  double first;

  if (g_variant_dict_lookup (&dictionary, "first", "d", &first))
    g_array_append_val (self->stack, first);
  return TRUE;
}

/* An error of the code is a remote exception, with a type of the runtime's choice. */
static gboolean
run_word (RpnRuntime *self, const char *word, GError **error)
{
  double *top = (double *) (gpointer) self->stack->data + self->stack->len;
  char *end;
  double number = g_ascii_strtod (word, &end);

  if (end != word && *end == '\0')
    {
      g_array_append_val (self->stack, number);
      return TRUE;
    }
  if (strlen (word) != 1 || strchr ("+-*/", *word) == NULL)
    g_propagate_error (error, malt_remote_error_new (MALT_ERROR_REMOTE, "UnknownWord", word, NULL));
  else if (self->stack->len < 2)
    g_propagate_error (error, malt_remote_error_new (MALT_ERROR_REMOTE, "StackUnderflow", word, NULL));
  else
    {
      top[-2] = *word == '+' ? top[-2] + top[-1] : *word == '-' ? top[-2] - top[-1] :
                *word == '*' ? top[-2] * top[-1] : top[-2] / top[-1];
      g_array_set_size (self->stack, self->stack->len - 1);
      return TRUE;
    }
  return FALSE;
}

static void
rpn_runtime_handle (MaltRuntime *runtime, MaltRequest *request)
{
  RpnRuntime *self = RPN_RUNTIME (runtime);
  GCancellable *cancellable = malt_request_get_cancellable (request);
  g_auto (GStrv) words = NULL;
  GError *error = NULL;
  gsize i;

  if (malt_request_get_kind (request) != MALT_REQUEST_KIND_EVAL)
    {
      malt_request_return_new_error (request, MALT_ERROR, MALT_ERROR_NOT_SUPPORTED,
                                     "reverse Polish notation has no functions to call");
      return;
    }

  /* What takes long looks at the cancellable: deadlines and interrupts cancel it. */
  words = g_strsplit_set (malt_request_get_source (request), " \t\n", -1);
  for (i = 0; error == NULL && words[i] != NULL; i++)
    if (*words[i] != '\0' && !g_cancellable_set_error_if_cancelled (cancellable, &error))
      run_word (self, words[i], &error);

  if (error != NULL)
    malt_request_return_error (request, error);
  else if (self->stack->len == 0)
    malt_request_return_value (request, NULL);
  else
    malt_request_return_value (request, g_variant_new_double (g_array_index (self->stack, double, self->stack->len - 1)));
}

static void
rpn_runtime_finalize (GObject *object)
{
  g_array_unref (RPN_RUNTIME (object)->stack);
  G_OBJECT_CLASS (rpn_runtime_parent_class)->finalize (object);
}

static void
rpn_runtime_class_init (RpnRuntimeClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = rpn_runtime_finalize;
  MALT_RUNTIME_CLASS (klass)->start = rpn_runtime_start;
  MALT_RUNTIME_CLASS (klass)->handle = rpn_runtime_handle;
}

static void
rpn_runtime_init (RpnRuntime *self)
{
  self->stack = g_array_new (FALSE, FALSE, sizeof (double));
}

/* The module. */

MALT_DEFINE_MODULE_ABI

G_MODULE_EXPORT void   g_io_module_load   (GIOModule *module);
G_MODULE_EXPORT void   g_io_module_unload (GIOModule *module);
G_MODULE_EXPORT char **g_io_module_query  (void);

void
g_io_module_load (GIOModule *module)
{
  g_type_module_use (G_TYPE_MODULE (module)); /* it stays loaded */
  g_io_extension_point_implement (MALT_RUNTIME_EXTENSION_POINT, RPN_TYPE_RUNTIME, "rpn", 0);
}

void
g_io_module_unload (GIOModule *module)
{
}

char **
g_io_module_query (void)
{
  const char *points[] = { MALT_RUNTIME_EXTENSION_POINT, NULL };

  return g_strdupv ((char **) points);
}
