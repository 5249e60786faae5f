/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-continuation.h"

#include <string.h>

/* Whether what was typed so far wants another line.
 *
 * Only a language itself knows where its statements end, so the worker is asked,
 * through a function in a module of its own, out of the way of the user's names.
 * In a language without an entry here, a backslash at the end of a line says so. */

typedef struct
{
  const char *runtime;
  const char *module;
  /* Defines the function, which takes the source and returns a boolean. */
  const char *definition;
  const char *function;
} Language;

static const Language languages[] =
{
  {
    "python",
    "_malt_repl",
    "import ast, codeop\n"
    "_compile = codeop.CommandCompiler()\n"
    "_compile.compiler.flags |= ast.PyCF_ALLOW_TOP_LEVEL_AWAIT\n"
    "def wants_more(source):\n"
    "    try:\n"
    "        return _compile(source) is None\n"
    "    except Exception:\n"
    "        return False\n",
    "_malt_repl.wants_more",
  },
};

static const Language *
find_language (MaltSession *session)
{
  MaltLauncher *launcher = malt_worker_get_launcher (malt_session_get_worker (session));
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (languages); i++)
    {
      if (g_strcmp0 (malt_launcher_get_runtime (launcher), languages[i].runtime) == 0)
        return &languages[i];
    }

  return NULL;
}

/* Defines the function in a worker that does not have it yet. */
static gboolean
prepare (MaltSession    *session,
         const Language *language)
{
  MaltWorker *worker = malt_session_get_worker (session);
  g_autoptr (GVariant) nothing = NULL;

  if (g_object_get_data (G_OBJECT (worker), "malt-continuation") != NULL)
    return TRUE;

  nothing = malt_session_eval (session, language->module, language->definition,
                               MALT_TIMEOUT_NONE, NULL);
  if (nothing == NULL)
    return FALSE;

  g_object_set_data (G_OBJECT (worker), "malt-continuation", (gpointer) language);
  return TRUE;
}

/* An answer that does not come means no: the evaluation, which is next, will tell
 * what is wrong. */
static gboolean
ask_worker (MaltSession    *session,
            const Language *language,
            const char     *source)
{
  g_autoptr (GVariant) answer = NULL;

  if (!prepare (session, language))
    return FALSE;

  answer = malt_session_call (session, language->function, g_variant_new ("(s)", source), NULL,
                              MALT_TIMEOUT_NONE, NULL);
  return answer != NULL &&
         g_variant_is_of_type (answer, G_VARIANT_TYPE_BOOLEAN) &&
         g_variant_get_boolean (answer);
}

/* Whether to read another line before the source is evaluated.  Whether Ctrl-C came
 * meanwhile is for the session to tell.
 * @source: the lines so far, without the end of the last; a backslash that says that
 *   more comes is taken away */
gboolean
malt_continuation_wants_more (MaltSession *session,
                              GString     *source)
{
  const Language *language = find_language (session);

  if (language != NULL)
    return ask_worker (session, language, source->str);

  if (!g_str_has_suffix (source->str, "\\"))
    return FALSE;

  g_string_truncate (source, source->len - 1);
  return TRUE;
}
