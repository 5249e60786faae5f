/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "malt-options.h"

#include <math.h>
#include <string.h>

#define DEFAULT_BACKEND "process"
#define DEFAULT_RUNTIME "python"

/* The options are GOption's file names, not its strings: those it would convert
 * from the character set of the locale, and fail on an é in the C locale.  main()
 * has seen to it that the whole command line is UTF-8. */

void
malt_options_clear (MaltOptions *self)
{
  g_clear_pointer (&self->runtime, g_free);
  g_clear_pointer (&self->backend, g_free);
  g_clear_pointer (&self->search_path, g_strfreev);
  g_clear_pointer (&self->environment, g_strfreev);
  g_clear_pointer (&self->timeout, g_free);
}

/* Adds the options that say which worker to start. */
void
malt_options_add_worker (MaltOptions    *self,
                         GOptionContext *context)
{
  GOptionEntry entries[] =
    {
      { "runtime", 'r', 0, G_OPTION_ARG_FILENAME, &self->runtime,
        "The language of the worker [" DEFAULT_RUNTIME "]", "RUNTIME" },
      { "backend", 'b', 0, G_OPTION_ARG_FILENAME, &self->backend,
        "The kind of the worker [" DEFAULT_BACKEND "]", "BACKEND" },
      { "search-path", 'p', 0, G_OPTION_ARG_FILENAME_ARRAY, &self->search_path,
        "Look for modules in this directory; may be repeated", "DIR" },
      { "env", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &self->environment,
        "Set a variable of the worker; may be repeated", "NAME=VALUE" },
      G_OPTION_ENTRY_NULL
    };

  g_option_context_add_main_entries (context, entries, NULL);
}

/* Adds the option that sets a deadline. */
void
malt_options_add_timeout (MaltOptions    *self,
                          GOptionContext *context)
{
  GOptionEntry entries[] =
    {
      { "timeout", 0, 0, G_OPTION_ARG_FILENAME, &self->timeout,
        "Give up so many seconds after the start", "SECONDS" },
      G_OPTION_ENTRY_NULL
    };

  g_option_context_add_main_entries (context, entries, NULL);
}

static gboolean
set_environment (MaltLauncher        *launcher,
                 const char * const  *environment,
                 GError             **error)
{
  const char * const *variable;

  for (variable = environment; *variable != NULL; variable++)
    {
      const char *equals = strchr (*variable, '=');
      g_autofree char *name = NULL;

      if (equals == NULL || equals == *variable)
        {
          g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                       "--env wants NAME=VALUE, not '%s'", *variable);
          return FALSE;
        }

      name = g_strndup (*variable, equals - *variable);
      malt_launcher_setenv (launcher, name, equals + 1);
    }

  return TRUE;
}

/* Whoever looks there later may do so from another directory. */
static void
set_search_path (MaltLauncher       *launcher,
                 const char * const *search_path)
{
  g_autoptr (GStrvBuilder) builder = g_strv_builder_new ();
  g_auto (GStrv) absolute = NULL;
  const char * const *directory;

  for (directory = search_path; *directory != NULL; directory++)
    {
      g_autofree char *path = g_canonicalize_filename (*directory, NULL);

      g_strv_builder_add (builder, path);
    }

  absolute = g_strv_builder_end (builder);
  malt_launcher_set_search_path (launcher, (const char * const *) absolute);
}

/* Makes the launcher that the options describe.  What its workers print goes where the
 * command's own output goes. */
MaltLauncher *
malt_options_dup_launcher (MaltOptions  *self,
                           GError      **error)
{
  const char *backend = self->backend != NULL ? self->backend : DEFAULT_BACKEND;
  const char *runtime = self->runtime != NULL ? self->runtime : DEFAULT_RUNTIME;
  g_autoptr (MaltLauncher) launcher = malt_launcher_new (backend, runtime);
  g_autofree char *directory = g_get_current_dir ();

  malt_launcher_set_stdout (launcher, MALT_OUTPUT_INHERIT);
  malt_launcher_set_stderr (launcher, MALT_OUTPUT_INHERIT);
  /* A process has one of its own; a thread has none, and another machine another. */
  if (strcmp (backend, DEFAULT_BACKEND) == 0)
    malt_launcher_set_working_directory (launcher, directory);

  if (self->environment != NULL &&
      !set_environment (launcher, (const char * const *) self->environment, error))
    return NULL;

  if (self->search_path != NULL)
    set_search_path (launcher, (const char * const *) self->search_path);

  return g_steal_pointer (&launcher);
}

/* Digits with at most one point among them: strtod() takes `inf` and `0x1p3` too. */
static gboolean
is_decimal (const char *text)
{
  const char *point = strchr (text, '.');

  return strpbrk (text, "0123456789") != NULL &&
         text[strspn (text, "0123456789.")] == '\0' &&
         (point == NULL || strchr (point + 1, '.') == NULL);
}

/* Tells the deadline that the options set, in @timeout_msec. */
gboolean
malt_options_get_timeout (MaltOptions  *self,
                          int          *timeout_msec,
                          GError      **error)
{
  double msec;

  *timeout_msec = MALT_TIMEOUT_NONE;
  if (self->timeout == NULL)
    return TRUE;

  msec = is_decimal (self->timeout) ? ceil (g_ascii_strtod (self->timeout, NULL) * 1000) : 0;
  if (msec < 1 || msec >= MALT_TIMEOUT_NONE)
    {
      g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                   "--timeout wants a number of seconds above 0 and below %d, not '%s'",
                   MALT_TIMEOUT_NONE / 1000, self->timeout);
      return FALSE;
    }

  *timeout_msec = (int) msec;
  return TRUE;
}
