/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "malt-process-plan.h"

#include <dlfcn.h>
#include <string.h>
#include <unistd.h>

#include "malt-environment.h"
#include "malt-limits.h"
#include "malt-ring.h"

/* The programs that belong to this module lie beside it, in a build as where it is
 * installed. */
static char *
path_beside_module (const char  *name,
                    GError     **error)
{
  g_autofree char *directory = NULL;
  Dl_info info;

  if (dladdr ((gconstpointer) path_beside_module, &info) == 0 || !g_path_is_absolute (info.dli_fname))
    {
      g_set_error (error, MALT_ERROR, MALT_ERROR_START, "%s cannot be found without the module's own path", name);
      return NULL;
    }

  directory = g_path_get_dirname (info.dli_fname);
  return g_build_filename (directory, name, NULL);
}

static char *
find_program (const char  *program,
              GError     **error)
{
  g_autofree char *self = NULL;

  if (program == NULL)
    return path_beside_module ("malt-worker", error);

  if (!g_str_equal (program, MALT_PROGRAM_SELF))
    {
      if (g_path_is_absolute (program))
        return g_strdup (program);

      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                   "the program \"%s\" is no absolute path", program);
      return NULL;
    }

  self = g_file_read_link ("/proc/self/exe", error);
  if (self != NULL && g_str_has_suffix (self, " (deleted)"))
    {
      g_set_error (error, MALT_ERROR, MALT_ERROR_NOT_FOUND,
                   "this program's own file is gone: %s", self);
      return NULL;
    }

  return g_steal_pointer (&self);
}

static gboolean
check_option_type (const char          *name,
                   GVariant            *value,
                   const GVariantType  *type,
                   GError             **error)
{
  if (g_variant_is_of_type (value, type))
    return TRUE;

  g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
               "the option \"%s\" is of type %s instead of %s", name,
               g_variant_get_type_string (value), g_variant_type_peek_string (type));
  return FALSE;
}

static gboolean
set_ring_size (MaltProcessPlan  *self,
               const char       *what,
               guint64           size,
               GError          **error)
{
  if (size == 0 || (size >= MALT_RING_MIN_CAPACITY && size <= MALT_RING_MAX_CAPACITY &&
                    (size & (size - 1)) == 0))
    {
      self->ring_size = (guint) size;
      return TRUE;
    }

  g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
               "%s is %" G_GUINT64_FORMAT ", which is neither 0 nor a power of two from %u to %u",
               what, size, MALT_RING_MIN_CAPACITY, MALT_RING_MAX_CAPACITY);
  return FALSE;
}

/* "share-process-group" (b), to be a member of the manager's process group and session,
 * and so be reached by signals from its terminal; "ring-size" (u), the bytes that can be
 * on their way through shared memory in each direction, 0 for a socket. */
static gboolean
read_option (MaltProcessPlan  *self,
             const char       *name,
             GVariant         *value,
             GError          **error)
{
  if (g_str_equal (name, "share-process-group"))
    {
      if (!check_option_type (name, value, G_VARIANT_TYPE_BOOLEAN, error))
        return FALSE;
      self->share_process_group = g_variant_get_boolean (value);
      return TRUE;
    }

  if (g_str_equal (name, "ring-size"))
    return check_option_type (name, value, G_VARIANT_TYPE_UINT32, error) &&
           set_ring_size (self, "the option \"ring-size\"", g_variant_get_uint32 (value), error);

  g_set_error (error, MALT_ERROR, MALT_ERROR_NOT_FOUND, "the process backend has no option \"%s\"", name);
  return FALSE;
}

static gboolean
read_options (MaltProcessPlan  *self,
              GVariant         *options,
              GError          **error)
{
  GVariantIter iter;
  const char *name;
  GVariant *child;

  if (options == NULL)
    return TRUE;

  g_variant_iter_init (&iter, options);
  while (g_variant_iter_next (&iter, "{&sv}", &name, &child))
    {
      g_autoptr (GVariant) value = child;

      if (!read_option (self, name, value, error))
        return FALSE;
    }

  return TRUE;
}

static gboolean
read_number (char              **environment,
             const char         *name,
             guint64             max,
             guint64            *number,
             GError            **error)
{
  const char *text = g_environ_getenv (environment, name);

  if (text == NULL)
    return TRUE;

  if (!g_ascii_string_to_unsigned (text, 10, 0, max, number, error))
    {
      g_prefix_error (error, "%s: ", name);
      return FALSE;
    }

  return TRUE;
}

/* What an application does not say about its connections, whoever runs it can. */
static gboolean
read_environment (MaltProcessPlan  *self,
                  MaltLauncher     *launcher,
                  char            **environment,
                  GError          **error)
{
  guint64 ring_size = MALT_DEFAULT_RING_SIZE, spin_limit = MALT_DEFAULT_SPIN_USEC;

  if (!read_number (environment, "MALT_RING", G_MAXUINT32, &ring_size, error) ||
      !set_ring_size (self, "MALT_RING", ring_size, error) ||
      !read_number (environment, "MALT_SPIN", MALT_LIMIT_SPIN_USEC, &spin_limit, error))
    return FALSE;

  self->spin_limit = (guint) spin_limit;
  if (malt_launcher_get_spin_limit (launcher) >= 0)
    self->spin_limit = (guint) malt_launcher_get_spin_limit (launcher);
  return TRUE;
}

static gboolean
check_directories (MaltLauncher  *launcher,
                   GError       **error)
{
  const char *directory = malt_launcher_get_working_directory (launcher);
  const char * const *search_path = malt_launcher_get_search_path (launcher);
  gsize i;

  if (directory != NULL && !g_path_is_absolute (directory))
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                   "the working directory \"%s\" is no absolute path", directory);
      return FALSE;
    }

  for (i = 0; search_path != NULL && search_path[i] != NULL; i++)
    if (!g_path_is_absolute (search_path[i]) || !g_utf8_validate (search_path[i], -1, NULL))
      {
        g_autofree char *shown = g_utf8_make_valid (search_path[i], -1);

        g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                     "\"%s\" in the search path is no absolute path in UTF-8", shown);
        return FALSE;
      }

  return TRUE;
}

static GVariant *
make_hello (MaltLauncher  *launcher,
            gboolean       has_ring,
            guint          streams,
            GError       **error)
{
  const char * const *search_path = malt_launcher_get_search_path (launcher);
  const char *runtime = malt_launcher_get_runtime (launcher);
  GVariant *options = malt_launcher_get_runtime_options (launcher);
  g_autoptr (GVariant) hello = NULL;
  g_auto (GVariantDict) dictionary = { 0 };

  if (runtime == NULL || !g_utf8_validate (runtime, -1, NULL))
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                           runtime == NULL ? "no runtime was chosen"
                                           : "the name of the runtime is not valid UTF-8");
      return NULL;
    }

  g_variant_dict_init (&dictionary, NULL);
  g_variant_dict_insert (&dictionary, "runtime", "s", runtime);
  g_variant_dict_insert (&dictionary, "max-value-size", "t", malt_launcher_get_max_value_size (launcher));
  if (has_ring)
    g_variant_dict_insert (&dictionary, "ring", "b", TRUE);
  g_variant_dict_insert (&dictionary, "host", "b", TRUE);
  g_variant_dict_insert (&dictionary, "host-cancel", "b", TRUE);
  if (streams != 0)
    g_variant_dict_insert (&dictionary, "output", "u", (guint32) streams);
  if (search_path != NULL)
    g_variant_dict_insert (&dictionary, "search-path", "^as", search_path);
  if (options != NULL)
    g_variant_dict_insert_value (&dictionary, "options", options);

  hello = g_variant_ref_sink (g_variant_dict_end (&dictionary));
  if (g_variant_get_size (hello) > MALT_LIMIT_HELLO_SIZE)
    {
      g_set_error (error, MALT_ERROR, MALT_ERROR_SERIALIZATION,
                   "the search path and runtime options are of %" G_GSIZE_FORMAT " bytes (limit %u)",
                   g_variant_get_size (hello), MALT_LIMIT_HELLO_SIZE);
      return NULL;
    }

  return g_steal_pointer (&hello);
}

/* On the thread that starts the worker: it reads the program's environment. */
MaltProcessPlan *
malt_process_plan_new (MaltLauncher  *launcher,
                       GError       **error)
{
  g_autoptr (MaltProcessPlan) self = g_new0 (MaltProcessPlan, 1);
  g_auto (GStrv) environ_copy = g_get_environ ();
  const char *argv[4] = { NULL };

  self->stdout_output = malt_launcher_get_stdout (launcher);
  self->stderr_output = malt_launcher_get_stderr (launcher);
  if (self->stdout_output == MALT_OUTPUT_SIGNAL)
    self->streams |= 1u << STDOUT_FILENO;
  if (self->stderr_output == MALT_OUTPUT_SIGNAL)
    self->streams |= 1u << STDERR_FILENO;
  self->max_value_size = malt_launcher_get_max_value_size (launcher);
  self->directory = g_strdup (malt_launcher_get_working_directory (launcher));

  if (!check_directories (launcher, error) ||
      !read_environment (self, launcher, environ_copy, error) ||
      !read_options (self, malt_launcher_get_backend_options (launcher), error))
    return NULL;

  self->helper = path_beside_module ("malt-start", error);
  if (self->helper == NULL)
    return NULL;

  self->program = find_program (malt_launcher_get_program (launcher), error);
  if (self->program == NULL)
    return NULL;

  self->environment = malt_environment_new ((const char * const *) environ_copy,
                                            malt_launcher_get_environment (launcher), error);
  if (self->environment == NULL)
    return NULL;

  self->hello = make_hello (launcher, self->ring_size > 0, self->streams, error);
  if (self->hello == NULL)
    return NULL;

  /* The runtime's name is there for those who list processes. */
  argv[0] = self->program;
  argv[1] = MALT_WORKER_ARGUMENT;
  argv[2] = malt_launcher_get_runtime (launcher);
  self->argv = g_strdupv ((char **) argv);

  return g_steal_pointer (&self);
}

void
malt_process_plan_free (MaltProcessPlan *self)
{
  g_free (self->helper);
  g_free (self->program);
  g_strfreev (self->argv);
  g_strfreev (self->environment);
  g_free (self->directory);
  g_clear_pointer (&self->hello, g_variant_unref);
  g_free (self);
}
